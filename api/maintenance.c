#include "api/maintenance.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "api/backfill.h"
#include "api/expiry.h"
#include "api/heal.h"
#include "api/membership.h"
#include "base/log.h"
#include "store/shard/collect.h"
#include "store/shard/salvage.h"

#define TURN_MS_MIN 10 /* between two turns, however often it is poked */
#define COLLECT_EVERY_MS 10000
#define COLLECT_LOOKS_MAX 20 /* per turn */
#define TOKENS_EVERY_MS 30000 /* between one walk over client tokens and the next */
#define SALVAGE_LOOKS_MAX 20
#define CHECKPOINT_RETRY_MS 30000
#define TRIM_EVERY_MS 60000 /* at least */
#define COMPLAIN_EVERY_MS 60000

/* A kind of step that fails is named once a minute, not every second. */
struct complaint {
	const char *what;
	uint64_t last_ms;
};

struct maintenance {
	struct region *region;
	struct maintenance_options options;
	pthread_t thread;
	atomic_bool stopping;
	uint64_t collect_ms, tokens_ms, trim_ms, checkpoint_ms; /* not before */
	struct complaint membership, rejoin, align, collect, trim, checkpoint, salvaging, expiring,
	    backfilling;
	struct collect collect_walk, token_walk;
	struct collect *collecting; /* one of these: what the committer is asked about */
	struct salvage *salvage; /* NULL: nothing to be read */
	struct expiry *expiry;
	struct backfill backfill;
	uint32_t collected;
	struct heal heal;
};

static uint64_t
now_ms(const struct maintenance *m)
{
	struct timespec now;

	if (m->options.now_ms != NULL)
		return m->options.now_ms(m->options.now_arg);
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void
complain(struct maintenance *m, struct complaint *complaint, const struct tide_error *error)
{
	uint64_t now = now_ms(m);

	if (error->code == TIDE_CLOSED ||
	    (complaint->last_ms != 0 && now - complaint->last_ms < COMPLAIN_EVERY_MS))
		return;
	complaint->last_ms = now;
	log_err("MAINTENANCE-FAILED", "step=%s error=%s message=\"%s\"", complaint->what,
	    tide_err_name(error->code), error->message);
}

static tide_err
align_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	bool changed;
	tide_err rc;

	(void)op;
	if ((rc = group_align(group, &changed)) == TIDE_OK)
		rc = group_close_dead(group, &changed);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static tide_err
collect_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct commit_call *call = (struct commit_call *)op;
	struct maintenance *m = call->arg;
	tide_err rc = group_collect_found(group, m->collecting, &m->collected);

	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

struct trim {
	uint64_t retention_ms, max_ms, below;
};

static tide_err
trim_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct trim *trim = ((struct commit_call *)op)->arg;
	tide_err rc = group_trim(group, trim->retention_ms, trim->max_ms, &trim->below);

	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static void
trim_journal(struct maintenance *m)
{
	struct trim trim = {.retention_ms = m->options.retention_ms, .max_ms = m->options.retention_max_ms};
	uint64_t first = journal_first_seq(shard_journal(m->region->shard));
	struct tide_error error;

	if (committer_call(m->region->committer, trim_run, &trim, &error) != TIDE_OK)
		complain(m, &m->trim, &error);
	else if (trim.below > first)
		log_info("JOURNAL-TRIM", "first=%llu was=%llu", (unsigned long long)trim.below,
		    (unsigned long long)first);
}

/* The walk is long; what it finds is decided on the committer. False: it failed, or is at its end. */
static bool
collect_some(struct maintenance *m, struct collect *walk)
{
	struct tide_error error;
	tide_err rc = shard_collect_look(m->region->shard, walk);

	m->collecting = walk;
	if (rc != TIDE_OK)
		tide_fail(&error, rc, NULL);
	else if (walk->n > 0)
		rc = committer_call(m->region->committer, collect_run, m, &error);
	if (rc != TIDE_OK)
		complain(m, &m->collect, &error);
	return rc == TIDE_OK && !walk->ended;
}

static void
collect(struct maintenance *m)
{
	for (int i = 0; i < COLLECT_LOOKS_MAX && !atomic_load(&m->stopping); i++)
		if (!collect_some(m, &m->collect_walk))
			return;
}

/* Client tokens come as fast as transactions do, and each goes after ten minutes: a walk of their own, and every turn while it lasts. */
static void
collect_tokens(struct maintenance *m)
{
	struct collect *walk = &m->token_walk;

	for (int i = 0; i < COLLECT_LOOKS_MAX && !atomic_load(&m->stopping); i++) {
		if (walk->cursor.n == 0)
			buf_append_u64(&walk->cursor, TABLE_TOKENS);
		if (collect_some(m, walk) && walk->cursor.n >= 8 &&
		    bytes_u64(walk->cursor.at) == TABLE_TOKENS)
			continue;
		buf_clear(&walk->cursor);
		m->tokens_ms = now_ms(m) + TOKENS_EVERY_MS;
		return;
	}
}

#define REJOIN_STEP_BYTES (2u << 20)
#define REJOIN_STEPS_MAX 64 /* per turn */

static tide_err
rejoin_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct rejoin_progress *progress = ((struct commit_call *)op)->arg;
	tide_err rc = group_rejoin_merge(group, REJOIN_STEP_BYTES, progress);

	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static void
tell_rejoin(const struct rejoin_progress *progress)
{
	if (progress->began)
		log_warn("REJOIN-MERGE", "table=%016llx items=%llu", (unsigned long long)progress->table,
		    (unsigned long long)progress->of);
	if (progress->ended)
		log_info("REJOIN-MERGED", "table=%016llx items=%llu", (unsigned long long)progress->table,
		    (unsigned long long)progress->merged);
}

/* Merge tables that have come back with the snapshots that were loaded for them. */
static void
rejoin(struct maintenance *m)
{
	struct rejoin_progress progress = {.busy = true};
	struct tide_error error;

	for (int i = 0; i < REJOIN_STEPS_MAX && progress.busy && !atomic_load(&m->stopping); i++) {
		tide_err rc = committer_call(m->region->committer, rejoin_run, &progress, &error);

		if (rc == TIDE_OK)
			tell_rejoin(&progress);
		/* Facts that came by merging went past the catalog in memory. */
		if (rc == TIDE_OK && progress.ended && progress.table == TABLE_CATALOG)
			rc = catalog_reload(m->region->catalog, &error);
		if (rc != TIDE_OK) {
			complain(m, &m->rejoin, &error);
			return;
		}
	}
	if (progress.busy)
		membership_poke(m->region);
}

static tide_err
salvage_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct maintenance *m = ((struct commit_call *)op)->arg;
	uint32_t logged;

	return group_salvage_found(group, m->salvage, &logged, error);
}

/* A journal that was given up: what only it had goes to the conflict log. */
static void
salvage(struct maintenance *m)
{
	struct tide_error error = {.code = TIDE_OK};
	bool found = true;
	tide_err rc = TIDE_OK;

	if (!region_may_write(m->region))
		return;
	if (m->salvage == NULL && (m->salvage = salvage_new()) == NULL)
		return;
	for (int i = 0; i < SALVAGE_LOOKS_MAX && found && rc == TIDE_OK; i++)
		if ((rc = shard_salvage_look(m->region->shard, m->salvage, &found, &error)) == TIDE_OK &&
		    found)
			rc = committer_call(m->region->committer, salvage_run, m, &error);
	if (rc == TIDE_OK || rc == TIDE_HELD)
		return;
	complain(m, &m->salvaging, &error);
	/* A group that failed took with it what it was given: from the journal's beginning. */
	salvage_free(m->salvage);
	m->salvage = NULL;
}

/* Entries of indexes that came to tables with items. */
static void
backfill(struct maintenance *m)
{
	struct tide_error error;
	bool more;

	if (backfill_step(m->region, &m->backfill, &more, &error) != TIDE_OK)
		complain(m, &m->backfilling, &error);
	else if (more)
		membership_poke(m->region);
}

static void
checkpoint(struct maintenance *m)
{
	uint64_t bytes = shard_bytes_since_checkpoint(m->region->shard), began = now_ms(m);
	struct tide_error error;

	if (bytes < m->options.checkpoint_bytes || began < m->checkpoint_ms)
		return;
	if (shard_checkpoint(m->region->shard, &error) != TIDE_OK) {
		complain(m, &m->checkpoint, &error);
		m->checkpoint_ms = began + CHECKPOINT_RETRY_MS;
		return;
	}
	log_info("CHECKPOINT", "journal_bytes=%llu ms=%llu", (unsigned long long)bytes,
	    (unsigned long long)(now_ms(m) - began));
}

/* Often enough for what is to be kept. */
static uint64_t
trim_every_ms(const struct maintenance *m)
{
	uint64_t half = m->options.retention_ms / 2;

	return half < 1000 ? 1000 : half < TRIM_EVERY_MS ? half : TRIM_EVERY_MS;
}

void
maintenance_turn(struct maintenance *m)
{
	struct tide_error error;

	if (membership_step(m->region, &error) != TIDE_OK)
		complain(m, &m->membership, &error);
	rejoin(m);
	if (committer_call(m->region->committer, align_run, NULL, &error) != TIDE_OK)
		complain(m, &m->align, &error);
	salvage(m);
	if (expiry_step(m->region, m->expiry, now_ms(m), &error) != TIDE_OK)
		complain(m, &m->expiring, &error);
	backfill(m);
	if (m->region->every_turn != NULL)
		m->region->every_turn(m->region);
	checkpoint(m);
	if (now_ms(m) >= m->collect_ms) {
		collect(m);
		m->collect_ms = now_ms(m) + COLLECT_EVERY_MS;
	}
	if (now_ms(m) >= m->tokens_ms)
		collect_tokens(m);
	if (now_ms(m) >= m->trim_ms) {
		trim_journal(m);
		m->trim_ms = now_ms(m) + trim_every_ms(m);
	}
}

static void *
run(void *arg)
{
	struct timespec pause = {0, TURN_MS_MIN * 1000000};
	struct maintenance *m = arg;

	while (!atomic_load(&m->stopping)) {
		/* A sealed shard would only refuse each step. */
		if (heal_step(m->region, &m->heal, now_ms(m)))
			maintenance_turn(m);
		nanosleep(&pause, NULL);
		if (!atomic_load(&m->stopping))
			membership_wait(m->region, MAINTENANCE_TURN_MS);
	}
	return NULL;
}

/* In hours, or, finer, in seconds where that is set. */
static void
set_retention(struct maintenance *m)
{
	const struct config *config = &m->region->config;

	if (m->options.retention_ms == 0)
		m->options.retention_ms = config->journal.retention_seconds > 0
					      ? (uint64_t)config->journal.retention_seconds * 1000
					      : (uint64_t)config->journal.retention_hours * 3600000;
	if (m->options.retention_max_ms == 0)
		m->options.retention_max_ms = config->journal.retention_max_seconds > 0
						  ? (uint64_t)config->journal.retention_max_seconds * 1000
						  : (uint64_t)config->journal.retention_max_hours * 3600000;
}

tide_err
maintenance_new(struct region *region, const struct maintenance_options *options, struct maintenance **out,
    struct tide_error *error)
{
	struct maintenance *m = calloc(1, sizeof *m);

	if (m == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	if ((m->expiry = expiry_new()) == NULL) {
		free(m);
		return tide_fail(error, TIDE_NOMEM, NULL);
	}
	m->region = region;
	if (options != NULL)
		m->options = *options;
	set_retention(m);
	if (m->options.checkpoint_bytes == 0)
		m->options.checkpoint_bytes = (uint64_t)region->config.journal.checkpoint_mb << 20;
	m->membership.what = "membership";
	m->rejoin.what = "rejoin";
	m->align.what = "align";
	m->collect.what = "collect";
	m->salvaging.what = "salvage";
	m->expiring.what = "expire";
	m->backfilling.what = "backfill";
	m->backfill.piece_bytes = m->options.backfill_bytes;
	m->backfill.steps = m->options.backfill_steps;
	m->checkpoint.what = "checkpoint";
	m->trim.what = "trim";
	m->collect_ms = now_ms(m) + COLLECT_EVERY_MS;
	m->tokens_ms = now_ms(m) + TOKENS_EVERY_MS;
	m->trim_ms = now_ms(m) + trim_every_ms(m);
	*out = m;
	return TIDE_OK;
}

void
maintenance_free(struct maintenance *m)
{
	if (m == NULL)
		return;
	collect_fini(&m->collect_walk);
	collect_fini(&m->token_walk);
	salvage_free(m->salvage);
	expiry_free(m->expiry);
	free(m);
}

tide_err
maintenance_start(struct region *region, struct maintenance **out, struct tide_error *error)
{
	struct maintenance *m = NULL;
	sigset_t all, before;
	tide_err rc;
	int failed;

	if ((rc = maintenance_new(region, NULL, &m, error)) != TIDE_OK)
		return rc;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	m->backfill.paced = true;
	failed = pthread_create(&m->thread, NULL, run, m);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed != 0) {
		maintenance_free(m);
		return tide_fail(error, TIDE_NOMEM, "cannot start the maintenance thread");
	}
	*out = m;
	return TIDE_OK;
}

void
maintenance_stop(struct maintenance *m)
{
	if (m == NULL)
		return;
	atomic_store(&m->stopping, true);
	membership_poke(m->region);
	pthread_join(m->thread, NULL);
	maintenance_free(m);
}
