#include "api/committer.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"

#define QUEUE_MAX_DEFAULT 65536
#define GROUP_BYTES_DEFAULT (8u << 20)

struct committer {
	struct shard *shard;
	struct committer_options options;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t queued;
	struct commit_op *first, **last;
	uint32_t n;
	bool stopping, idle;
	bool running; /* stepped: a group is under way */
	struct committer_counters counters;
	/* The committer thread's. */
	time_t said; /* when a failed group was last logged */
	uint64_t unsaid;
};

static struct tide_error no_memory = {TIDE_NOMEM, "out of memory"};

/* Run operations into one group until the queue's piece is done or the group is large. Returns the first one not run. */
static struct commit_op *
run_group(struct committer *committer, struct group *group, struct commit_op *op)
{
	struct tide_error error;

	for (; op != NULL && group_bytes(group) < committer->options.group_bytes_max; op = op->next) {
		op->error = NULL;
		error.code = TIDE_OK;
		error.message[0] = 0;
		if (op->run(op, group, &error) == TIDE_OK)
			continue;
		/* Only a failure costs an allocation. */
		if ((op->error = malloc(sizeof *op->error)) != NULL)
			*op->error = error;
		else
			op->error = &no_memory;
	}
	return op;
}

static void
finish(struct commit_op *op, const struct commit_op *end, const struct tide_error *outcome)
{
	struct commit_op *next;

	for (; op != end; op = next) {
		struct tide_error *error = op->error;

		next = op->next; /* done may free the op */
		op->done(op, error != NULL ? error : outcome);
		if (error != NULL && error != &no_memory)
			free(error);
	}
}

/* A full disk fails every group: one line a second says as much, and does not help to fill it. */
static void
complain(struct committer *committer, const struct tide_error *outcome)
{
	struct timespec now;

	committer->unsaid++;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (committer->said != 0 && now.tv_sec == committer->said)
		return;
	log_err("COMMIT-FAILED", "code=%s groups=%llu why=\"%s\"", tide_err_name(outcome->code),
	    (unsigned long long)committer->unsaid, outcome->message);
	committer->said = now.tv_sec;
	committer->unsaid = 0;
}

/* One group: everything from `op` on that fits. Returns what is left. */
static struct commit_op *
commit_some(struct committer *committer, struct commit_op *op)
{
	struct group *group = group_open(committer->shard);
	struct tide_error outcome = {.code = TIDE_OK};
	struct commit_op *end = NULL;
	uint64_t bytes = 0, n = 0, before = journal_bytes(shard_journal(committer->shard));
	tide_err rc;

	if (group != NULL) {
		end = run_group(committer, group, op);
		bytes = group_bytes(group);
		if ((rc = group_commit(group, &outcome)) != TIDE_OK && outcome.code == TIDE_OK)
			tide_fail(&outcome, rc, NULL);
	} else
		rc = tide_fail(&outcome, TIDE_NOMEM, NULL);
	if (rc != TIDE_OK)
		complain(committer, &outcome);
	for (const struct commit_op *each = op; each != end; each = each->next)
		n++;
	pthread_mutex_lock(&committer->lock);
	committer->n -= (uint32_t)n;
	committer->counters.groups++;
	committer->counters.syncs += journal_bytes(shard_journal(committer->shard)) != before;
	committer->counters.operations += n;
	committer->counters.bytes += bytes;
	pthread_mutex_unlock(&committer->lock);
	finish(op, end, &outcome);
	return end;
}

static void *
committer_main(void *arg)
{
	struct committer *committer = arg;
	struct commit_op *op;

	for (;;) {
		pthread_mutex_lock(&committer->lock);
		while (committer->first == NULL && !committer->stopping) {
			committer->idle = true;
			pthread_cond_wait(&committer->queued, &committer->lock);
			committer->idle = false;
		}
		op = committer->first;
		committer->first = NULL;
		committer->last = &committer->first;
		pthread_mutex_unlock(&committer->lock);
		if (op == NULL)
			return NULL; /* stopping, and nothing is left */
		while (op != NULL)
			op = commit_some(committer, op);
	}
}

bool
committer_step(struct committer *committer)
{
	struct commit_op *op, *rest, **last;

	assert(committer->options.stepped && !committer->running);
	pthread_mutex_lock(&committer->lock);
	op = committer->first;
	last = committer->last;
	committer->first = NULL;
	committer->last = &committer->first;
	pthread_mutex_unlock(&committer->lock);
	if (op == NULL)
		return false;
	committer->running = true;
	rest = commit_some(committer, op);
	committer->running = false;
	if (rest == NULL)
		return true;
	/* What did not fit stays in front of what came meanwhile. */
	pthread_mutex_lock(&committer->lock);
	if ((*last = committer->first) == NULL)
		committer->last = last;
	committer->first = rest;
	pthread_mutex_unlock(&committer->lock);
	return true;
}

uint32_t
committer_queued(struct committer *committer)
{
	uint32_t n;

	pthread_mutex_lock(&committer->lock);
	n = committer->n;
	pthread_mutex_unlock(&committer->lock);
	return n;
}

tide_err
committer_start(struct shard *shard, const struct committer_options *options, struct committer **out)
{
	struct committer *committer = calloc(1, sizeof *committer);

	if (committer == NULL)
		return TIDE_NOMEM;
	committer->shard = shard;
	if (options != NULL)
		committer->options = *options;
	if (committer->options.queue_max == 0)
		committer->options.queue_max = QUEUE_MAX_DEFAULT;
	if (committer->options.group_bytes_max == 0)
		committer->options.group_bytes_max = GROUP_BYTES_DEFAULT;
	committer->last = &committer->first;
	pthread_mutex_init(&committer->lock, NULL);
	pthread_cond_init(&committer->queued, NULL);
	if (!committer->options.stepped &&
	    pthread_create(&committer->thread, NULL, committer_main, committer) != 0) {
		pthread_mutex_destroy(&committer->lock);
		pthread_cond_destroy(&committer->queued);
		free(committer);
		return TIDE_NOMEM;
	}
	*out = committer;
	return TIDE_OK;
}

tide_err
committer_submit(struct committer *committer, struct commit_op *op)
{
	tide_err rc = TIDE_OK;
	bool wake = false;

	op->next = NULL;
	op->error = NULL;
	pthread_mutex_lock(&committer->lock);
	if (committer->stopping)
		rc = TIDE_CLOSED;
	else if (committer->n >= committer->options.queue_max)
		rc = TIDE_UNAVAILABLE;
	else {
		*committer->last = op;
		committer->last = &op->next;
		committer->n++;
		wake = committer->idle;
		committer->idle = false; /* one wake-up is enough */
	}
	pthread_mutex_unlock(&committer->lock);
	if (wake)
		pthread_cond_signal(&committer->queued);
	return rc;
}

struct waiting_call {
	struct commit_call call; /* first: `run` gets it */
	pthread_mutex_t lock;
	pthread_cond_t finished;
	bool done;
	struct tide_error outcome;
};

static void
call_done(struct commit_op *op, const struct tide_error *error)
{
	struct waiting_call *waiting = (struct waiting_call *)op;

	pthread_mutex_lock(&waiting->lock);
	waiting->outcome = *error;
	waiting->done = true;
	pthread_cond_signal(&waiting->finished);
	pthread_mutex_unlock(&waiting->lock);
}

tide_err
committer_call(struct committer *committer, commit_run_fn run, void *arg, struct tide_error *error)
{
	struct waiting_call waiting = {.call = {.op = {.run = run, .done = call_done}, .arg = arg}};
	tide_err rc;

	pthread_mutex_init(&waiting.lock, NULL);
	pthread_cond_init(&waiting.finished, NULL);
	if ((rc = committer_submit(committer, &waiting.call.op)) == TIDE_OK) {
		while (committer->options.stepped && !waiting.done)
			committer_step(committer);
		pthread_mutex_lock(&waiting.lock);
		while (!waiting.done)
			pthread_cond_wait(&waiting.finished, &waiting.lock);
		pthread_mutex_unlock(&waiting.lock);
		rc = waiting.outcome.code;
		if (error != NULL)
			*error = waiting.outcome;
	} else
		tide_fail(error, rc, NULL);
	pthread_mutex_destroy(&waiting.lock);
	pthread_cond_destroy(&waiting.finished);
	return rc;
}

static void
release(struct committer *committer)
{
	pthread_mutex_destroy(&committer->lock);
	pthread_cond_destroy(&committer->queued);
	free(committer);
}

void
committer_drop(struct committer *committer)
{
	const struct tide_error closed = {TIDE_CLOSED, "the process is gone"};

	if (committer == NULL)
		return;
	assert(committer->options.stepped && !committer->running);
	committer->stopping = true;
	finish(committer->first, NULL, &closed);
	release(committer);
}

void
committer_stop(struct committer *committer)
{
	if (committer == NULL)
		return;
	pthread_mutex_lock(&committer->lock);
	committer->stopping = true;
	pthread_mutex_unlock(&committer->lock);
	pthread_cond_signal(&committer->queued);
	if (!committer->options.stepped)
		pthread_join(committer->thread, NULL);
	while (committer->options.stepped && committer_step(committer))
		;
	release(committer);
}

struct committer_counters
committer_counters(struct committer *committer)
{
	struct committer_counters counters;

	pthread_mutex_lock(&committer->lock);
	counters = committer->counters;
	counters.queued = committer->n;
	pthread_mutex_unlock(&committer->lock);
	return counters;
}
