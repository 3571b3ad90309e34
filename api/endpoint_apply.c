/*
 * What peers sent, on its way into the journal: each APPLY and each LOAD is one operation on the committer's queue.
 *
 * Applies of one origin are numbered by its replicator and go to the committer in that order, however they
 * come. There they are pending in their stream until they are applied: a batch may have to wait for another origin's,
 * and two may have to wait for each other's first halves in turn, all within one group. After one that could not be applied the
 * rest of its stream is refused; the replicator starts a new one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/endpoint_priv.h"
#include "api/lag.h"
#include "base/log.h"

/* Then the replicator hears of it, and may have to fetch what is missing from somebody else. */
#define HELD_MS 30

/* An operation on the committer's queue. */
struct operation_up {
	struct commit_op op;
	struct endpoint *endpoint;
	struct answer *answer; /* NULL: a nudge, which nobody waits for */
	struct stream *stream;
	uint64_t instance, number; /* of the stream when it was queued */
	struct wire_applied outcome; /* APPLY */
	char message[256];
	/* --- committer thread --- */
	struct bytes left, applied; /* units still to apply; the last one that was */
	bool ran, begun;
	bool given_back; /* the committer has called `done`: its queue does not hold it any more */
	uint64_t held_since; /* 0: not held */
	struct operation_up *next; /* in its stream's pending ones, then among the finished ones */
	struct operation_up
	    *finished; /* of what this operation's run has finished: answered when its group is on disk */
};

static struct operation_up *
operation_new(struct endpoint *endpoint, struct answer *answer, commit_run_fn run, commit_done_fn done)
{
	struct operation_up *up = calloc(1, sizeof *up);

	if (up == NULL)
		return NULL;
	up->op.run = run;
	up->op.done = done;
	up->endpoint = endpoint;
	up->answer = answer;
	return up;
}

static tide_err
submit(struct operation_up *up)
{
	struct endpoint *endpoint = up->endpoint;
	tide_err rc;

	atomic_fetch_add(&endpoint->under_way, 1);
	if ((rc = committer_submit(endpoint->region->committer, &up->op)) != TIDE_OK)
		atomic_fetch_sub(&endpoint->under_way, 1);
	return rc;
}

/* Release it. Its answer has been sent. */
static void
finish(struct endpoint *endpoint, struct operation_up *up)
{
	free(up);
	atomic_fetch_sub(&endpoint->under_way, 1);
}

/* --- applying --- */

static void
send_applied(struct answer *answer, uint64_t index, tide_err result, const char *text)
{
	struct wire_message reply = {.type = WIRE_APPLIED,
	    .applied = {
		.index = index, .result = result, .message = bytes_of_string(text != NULL ? text : "")}};

	answer_send(answer, &reply);
}

static void
send_applied_all(struct answer_queue *queue, tide_err result, const char *text)
{
	struct answer *answer;

	while ((answer = queue_take(queue)) != NULL)
		send_applied(answer, answer->message.apply.index, result, text);
}

/*
 * What stands before a unit that has to wait is applied, and others may wait for just that: two origins whose heads wait for each
 * other's past would stand still for ever if only whole batches counted.
 */
static tide_err
progress_before(struct group *group, const struct wire_apply *apply, struct bytes held,
    struct bytes last_applied, struct tide_error *error)
{
	struct unit unit;
	struct arena arena;
	struct mark next = {0};
	tide_err rc = TIDE_OK;

	arena_init(&arena, 0);
	if (last_applied.n > 0 && (rc = unit_decode(&arena, last_applied, &unit, error)) == TIDE_OK &&
	    unit.n_records > 0)
		next.clock = unit.records[unit.n_records - 1].version.clock;
	if (rc == TIDE_OK && (rc = unit_decode(&arena, held, &unit, error)) == TIDE_OK &&
	    unit.n_records > 0) {
		next.seq = unit.records[0].origin_seq;
		rc = group_progress_before(group, apply->origin, apply->tables, apply->n_tables, next);
	}
	arena_fini(&arena);
	return rc;
}

static tide_err
apply_units(
    struct operation_up *up, struct group *group, const struct wire_apply *apply, struct tide_error *error)
{
	struct apply_stop stop;
	tide_err rc = TIDE_OK;

	while (up->left.n > 0) {
		uint32_t n = up->left.n >= 4 ? bytes_u32(up->left.at) : 0;
		struct bytes unit;

		if (up->left.n < 4 || n > up->left.n - 4)
			return tide_fail(error, TIDE_CORRUPT, "a batch that ends within a unit");
		unit = bytes_of(up->left.at + 4, n);
		if ((rc = group_apply(group, unit,
			 (uint16_t)(apply->via | (apply->later ? APPLY_VIA_LATER : 0)), &stop, error)) !=
		    TIDE_OK) {
			up->outcome.table = stop.table;
			up->outcome.held_for = stop.origin;
			if (rc == TIDE_HELD &&
			    (rc = progress_before(group, apply, unit, up->applied, error)) == TIDE_OK)
				rc = TIDE_HELD;
			return rc;
		}
		up->applied = unit;
		up->left = bytes_of(unit.at + n, up->left.n - 4 - n);
	}
	return TIDE_OK;
}

static tide_err
apply_told(struct group *group, const struct answer *answer)
{
	const struct wire_apply *apply = &answer->message.apply;
	struct told_table *told =
	    arena_calloc((struct arena *)&answer->arena, (apply->records.n_told + 1) * sizeof *told);

	if (told == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < apply->records.n_told; i++)
		told[i] = (struct told_table){apply->records.told[i].table,
		    (enum replica_state)apply->records.told[i].state, apply->records.told[i].vector};
	lag_told(answer->endpoint->region->lag, jid_region(apply->origin), told, apply->records.n_told);
	return group_told(group, apply->origin, apply->records.promise, told, apply->records.n_told);
}

static tide_err
apply_batch(struct operation_up *up, struct group *group, struct tide_error *error)
{
	const struct wire_apply *apply = &up->answer->message.apply;
	const struct wire_records *records = &apply->records;
	bool changed;
	tide_err rc;

	if ((rc = group_tables_current(group, apply->tables, apply->n_tables)) != TIDE_OK)
		return tide_fail(error, rc, "the tables have changed");
	if (!up->begun && records->base.seq > group_position(group, apply->origin).seq)
		return tide_fail(error, TIDE_GAP, "it stands on more than is here");
	if (!up->begun)
		up->left = records->units;
	up->begun = true;
	if ((rc = apply_units(up, group, apply, error)) != TIDE_OK)
		return rc;
	if ((rc = group_progress(group, apply->origin, apply->tables, apply->n_tables, records->upto)) !=
	    TIDE_OK)
		return tide_fail(error, rc, NULL);
	if (records->tells && (rc = apply_told(group, up->answer)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if ((rc = group_align(group, &changed)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	return TIDE_OK;
}

/* Was this stream ended, or has an earlier apply of it failed? */
static bool
is_over(struct operation_up *up)
{
	struct stream *stream = up->stream;
	bool over;

	pthread_mutex_lock(&up->endpoint->lock);
	over = stream->instance != up->instance || stream->number != up->number || stream->broken;
	pthread_mutex_unlock(&up->endpoint->lock);
	return over;
}

/* What waits for its turn in a stream that is broken will not get one. Not with the lock held. */
static void
break_stream(struct operation_up *up)
{
	struct endpoint *endpoint = up->endpoint;
	struct answer_queue ended = {0};

	pthread_mutex_lock(&endpoint->lock);
	if (up->stream->instance == up->instance && up->stream->number == up->number) {
		up->stream->broken = true;
		ended = up->stream->waiting;
		up->stream->waiting = (struct answer_queue){0};
	}
	pthread_mutex_unlock(&endpoint->lock);
	send_applied_all(&ended, TIDE_AGAIN, NULL);
}

/* Take the stream's oldest operation from its pending ones; it is answered when the carrier's group is on disk. */
static void
conclude(struct operation_up *carrier, struct stream *stream, tide_err result, const char *text)
{
	struct operation_up *up = stream->pending;

	if ((stream->pending = up->next) == NULL)
		stream->pending_last = &stream->pending;
	atomic_fetch_sub(&up->endpoint->n_pending, 1);
	up->outcome.result = result;
	snprintf(up->message, sizeof up->message, "%.*s", (int)sizeof up->message - 1, text);
	up->next = carrier->finished;
	carrier->finished = up;
	if (result != TIDE_OK && result != TIDE_AGAIN)
		break_stream(up);
}

/*
 * A unit that waits for another journal stays here while that journal may be on its way: its own stream is then likely to be
 * among the pending ones, and goes on in the same group. True: something was applied.
 */
static bool
advance(struct operation_up *carrier, struct stream *stream, struct group *group, uint64_t now)
{
	struct operation_up *up = stream->pending;
	struct tide_error error = {.code = TIDE_OK};
	size_t left = up->left.n;
	bool begun = up->begun, moved;
	tide_err rc;

	if (is_over(up)) {
		conclude(carrier, stream, TIDE_AGAIN, "");
		return false;
	}
	rc = apply_batch(up, group, &error);
	moved = rc == TIDE_OK ||
		(begun ? up->left.n < left : up->left.n < up->answer->message.apply.records.units.n);
	if (rc != TIDE_HELD) {
		conclude(carrier, stream, rc, error.message);
		return moved;
	}
	if (moved || up->held_since == 0)
		up->held_since = now;
	if (jid_same(up->outcome.held_for, JID_NONE))
		conclude(carrier, stream, TIDE_HELD, "its clock is too far ahead");
	else if (jid_same(up->outcome.held_for, up->answer->message.apply.origin) ||
		 now - up->held_since > HELD_MS || atomic_load(&up->endpoint->stopping))
		conclude(carrier, stream, TIDE_HELD, "it waits for another journal");
	return moved;
}

/* Go on with every stream that can, for as long as one that moves may set another free. */
static void
drain(struct operation_up *carrier, struct group *group)
{
	struct endpoint *endpoint = carrier->endpoint;
	uint64_t now = endpoint__now(endpoint);
	bool moved = true;

	while (moved && atomic_load(&endpoint->n_pending) > 0) {
		moved = false;
		for (uint32_t i = 0; i < STREAMS_MAX; i++) {
			struct stream *stream = &endpoint->streams[i];
			struct operation_up *head;

			while ((head = stream->pending) != NULL) {
				moved |= advance(carrier, stream, group, now);
				if (stream->pending == head)
					break; /* it is held */
			}
		}
	}
}

/*
 * Units that were applied before one that could not be stay applied: the group may hold them, and they are whole. So the run itself
 * never fails; its outcome travels in the answer.
 */
static tide_err
apply_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct operation_up *up = (struct operation_up *)op;

	(void)error;
	up->ran = true;
	if (up->stream != NULL) {
		if (up->stream->pending == NULL)
			up->stream->pending_last = &up->stream->pending;
		*up->stream->pending_last = up;
		up->stream->pending_last = &up->next;
		atomic_fetch_add(&up->endpoint->n_pending, 1);
	}
	drain(up, group);
	return TIDE_OK;
}

static void
send_outcome(struct operation_up *up, const struct tide_error *error)
{
	struct wire_message reply = {.type = WIRE_APPLIED, .applied = up->outcome};

	reply.applied.index = up->answer->message.apply.index;
	reply.applied.n_records = up->answer->message.apply.records.n_records;
	reply.applied.message = bytes_of_string(up->message);
	if (error->code != TIDE_OK) {
		break_stream(up);
		reply.applied.result = error->code;
		reply.applied.message = bytes_of_string(error->message);
	}
	answer_send(up->answer, &reply);
}

static void
apply_done(struct commit_op *op, const struct tide_error *error)
{
	struct operation_up *up = (struct operation_up *)op, *each, *next, *finished = up->finished;
	struct endpoint *endpoint = up->endpoint;
	bool over = up->answer == NULL; /* a nudge */

	up->given_back = true;
	up->finished = NULL;
	if (!up->ran && up->answer != NULL) {
		send_outcome(up, error); /* there was not even a group */
		over = true;
	}
	/* What the others believe to have applied in this group is not there. Those that the committer still holds have their turn. */
	for (uint32_t i = 0; error->code != TIDE_OK && i < STREAMS_MAX; i++)
		while (endpoint->streams[i].pending != NULL && endpoint->streams[i].pending->given_back) {
			struct operation_up carrier = {.finished = finished};

			conclude(&carrier, &endpoint->streams[i], error->code, error->message);
			finished = carrier.finished;
		}
	/* The last to finish is the first in the list; answers go out in order. */
	for (each = finished, finished = NULL; each != NULL; each = next) {
		next = each->next;
		each->next = finished;
		finished = each;
	}
	for (each = finished; each != NULL; each = next) {
		next = each->next;
		send_outcome(each, error);
		finish(endpoint, each);
	}
	if (over)
		finish(endpoint, up);
}

void
apply__nudge(struct endpoint *endpoint)
{
	struct operation_up *up;

	if (atomic_load(&endpoint->n_pending) == 0 ||
	    (up = operation_new(endpoint, NULL, apply_run, apply_done)) == NULL)
		return;
	if (submit(up) != TIDE_OK)
		free(up);
}

/* After a crash of the committer only: else everything pending was concluded before. */
void
apply__stop(struct endpoint *endpoint)
{
	for (uint32_t i = 0; i < STREAMS_MAX; i++) {
		struct stream *stream = &endpoint->streams[i];
		struct operation_up *up;

		while ((up = stream->pending) != NULL) {
			stream->pending = up->next;
			finish(endpoint, up);
		}
	}
}

/* --- streams --- */

/* Under the lock. NULL: all places are taken by streams in use. */
static struct stream *
find_stream(struct endpoint *endpoint, struct jid origin, uint64_t now)
{
	struct stream *unused = NULL;

	for (uint32_t i = 0; i < STREAMS_MAX; i++) {
		struct stream *stream = &endpoint->streams[i];

		if (stream->used && jid_same(stream->origin, origin))
			return stream;
		if (!stream->used ||
		    (stream->waiting.first == NULL && now - stream->used_at > SESSION_IDLE_MS))
			unused = unused != NULL && !unused->used ? unused : stream;
	}
	if (unused != NULL)
		*unused = (struct stream){.used = true, .origin = origin};
	return unused;
}

/* Under the lock. False: it belongs to a stream that is over. `ended` gets what waited in the one that this one ends. */
static bool
enter_stream(struct stream *stream, const struct wire_apply *apply, struct answer_queue *ended)
{
	if (apply->instance == stream->former)
		return false;
	if (apply->instance == stream->instance && apply->stream == stream->number)
		return !stream->broken && apply->index >= stream->next;
	if (apply->instance == stream->instance && apply->stream < stream->number)
		return false;
	if (apply->instance != stream->instance)
		stream->former = stream->instance;
	*ended = stream->waiting;
	stream->waiting = (struct answer_queue){0};
	stream->instance = apply->instance;
	stream->number = apply->stream;
	stream->next = 0;
	stream->broken = false;
	return true;
}

/* Under the lock: the one whose turn it is, if it has come. */
static struct answer *
take_turn(struct stream *stream)
{
	struct answer_queue rest = {0};
	struct answer *answer, *turn = NULL;

	while ((answer = queue_take(&stream->waiting)) != NULL) {
		if (turn == NULL && answer->message.apply.index == stream->next)
			turn = answer;
		else
			queue_put(&rest, answer);
	}
	stream->waiting = rest;
	return turn;
}

/* Under the lock: put on the committer's queue all whose turn it is. What the committer does not take goes to `refused`. */
static tide_err
submit_turns(struct stream *stream, struct answer_queue *refused)
{
	struct answer *answer;
	tide_err rc = TIDE_OK;

	while (rc == TIDE_OK && (answer = take_turn(stream)) != NULL) {
		struct operation_up *up = operation_new(answer->endpoint, answer, apply_run, apply_done);

		stream->next++;
		if (up == NULL)
			rc = TIDE_NOMEM;
		else {
			up->stream = stream;
			up->instance = stream->instance;
			up->number = stream->number;
			if ((rc = submit(up)) != TIDE_OK)
				free(up);
		}
		if (rc != TIDE_OK) {
			queue_put(refused, answer);
			stream->broken = true;
		}
	}
	/* Then nothing of it will have its turn. */
	while (stream->broken && (answer = queue_take(&stream->waiting)) != NULL)
		queue_put(refused, answer);
	return rc;
}

void
apply__take(struct answer *answer)
{
	struct endpoint *endpoint = answer->endpoint;
	const struct wire_apply *apply = &answer->message.apply;
	struct answer_queue ended = {0}, refused = {0};
	struct stream *stream;
	bool entered = false;
	tide_err rc = TIDE_OK;

	pthread_mutex_lock(&endpoint->lock);
	if ((stream = find_stream(endpoint, apply->origin, endpoint__now(endpoint))) != NULL &&
	    (entered = enter_stream(stream, apply, &ended))) {
		stream->used_at = endpoint__now(endpoint);
		queue_put(&stream->waiting, answer);
		rc = submit_turns(stream, &refused);
	}
	pthread_mutex_unlock(&endpoint->lock);
	send_applied_all(&ended, TIDE_AGAIN, NULL);
	send_applied_all(&refused, rc, tide_err_text(rc));
	if (!entered)
		send_applied(answer, apply->index, stream == NULL ? TIDE_UNAVAILABLE : TIDE_AGAIN, NULL);
}
