/*
 * What peers sent, on its way into the journal: each APPLY and each LOAD is one operation on the committer's queue.
 *
 * Applies of one origin are numbered by its replicator and go to the committer in that order, whatever order nng's threads
 * deliver them in. After one that could not be applied the rest of its stream is refused; the replicator starts a new one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/endpoint_priv.h"
#include "base/log.h"

/* An operation on the committer's queue. */
struct operation_up {
	struct commit_op op;
	struct answer *answer;
	struct stream *stream;
	uint64_t instance, number;   /* of the stream when it was queued */
	struct wire_applied outcome; /* APPLY */
	char message[256];
};

static struct operation_up *
operation_new(struct answer *answer, commit_run_fn run, commit_done_fn done)
{
	struct operation_up *up = calloc(1, sizeof *up);

	if (up == NULL)
		return NULL;
	up->op.run = run;
	up->op.done = done;
	up->answer = answer;
	return up;
}

static tide_err
submit(struct operation_up *up)
{
	struct endpoint *endpoint = up->answer->endpoint;
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
	    .applied = {.index = index, .result = result, .message = bytes_of_string(text != NULL ? text : "")}};

	answer_send(answer, &reply);
}

static void
send_applied_all(struct answer_queue *queue, tide_err result, const char *text)
{
	struct answer *answer;

	while ((answer = queue_take(queue)) != NULL)
		send_applied(answer, answer->message.apply.index, result, text);
}

static tide_err
apply_units(struct operation_up *up, struct group *group, const struct wire_apply *apply, struct tide_error *error)
{
	struct bytes units = apply->records.units;
	struct apply_stop stop;
	tide_err rc = TIDE_OK;

	for (uint32_t i = 0; i < apply->records.n_units && rc == TIDE_OK; i++) {
		uint32_t n = units.n >= 4 ? bytes_u32(units.at) : 0;

		if (units.n < 4 || n > units.n - 4)
			return tide_fail(error, TIDE_CORRUPT, "a batch that ends within a unit");
		rc = group_apply(group, bytes_of(units.at + 4, n), apply->via, &stop, error);
		units = bytes_of(units.at + 4 + n, units.n - 4 - n);
		if (rc == TIDE_HELD) {
			up->outcome.held_for = stop.origin;
			tide_fail(error, rc, jid_same(stop.origin, JID_NONE) ? "its clock is too far ahead" : "it waits for another journal");
		} else if (rc != TIDE_OK)
			up->outcome.table = stop.table;
	}
	return rc;
}

static tide_err
apply_told(struct group *group, const struct answer *answer)
{
	const struct wire_apply *apply = &answer->message.apply;
	struct told_table *told = arena_calloc((struct arena *)&answer->arena, (apply->records.n_told + 1) * sizeof *told);

	if (told == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < apply->records.n_told; i++)
		told[i] = (struct told_table){apply->records.told[i].table, (enum replica_state)apply->records.told[i].state,
		    apply->records.told[i].vector};
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
	if (records->base.seq > group_position(group, apply->origin).seq)
		return tide_fail(error, TIDE_GAP, "it stands on more than is here");
	if ((rc = apply_units(up, group, apply, error)) != TIDE_OK)
		return rc;
	if ((rc = group_progress(group, apply->origin, apply->tables, apply->n_tables, records->upto)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if (records->promise.v != 0 && (rc = apply_told(group, up->answer)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if ((rc = group_align(group, &changed)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	return TIDE_OK;
}

/* Was this stream ended, or has an earlier apply of it failed? */
static bool
is_over(struct operation_up *up)
{
	struct endpoint *endpoint = up->answer->endpoint;
	struct stream *stream = up->stream;
	bool over;

	pthread_mutex_lock(&endpoint->lock);
	over = stream->instance != up->instance || stream->number != up->number || stream->broken;
	pthread_mutex_unlock(&endpoint->lock);
	return over;
}

static void
break_stream(struct operation_up *up)
{
	struct endpoint *endpoint = up->answer->endpoint;

	pthread_mutex_lock(&endpoint->lock);
	if (up->stream->instance == up->instance && up->stream->number == up->number)
		up->stream->broken = true;
	pthread_mutex_unlock(&endpoint->lock);
}

/*
 * Units that were applied before one that could not be stay applied: the group may hold them, and they are whole. So the run itself
 * never fails; its outcome travels in the answer.
 */
static tide_err
apply_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct operation_up *up = (struct operation_up *)op;
	tide_err rc;

	error->message[0] = 0;
	if (is_over(up))
		rc = TIDE_AGAIN;
	else if ((rc = apply_batch(up, group, error)) != TIDE_OK)
		break_stream(up);
	up->outcome.result = rc;
	if (rc != TIDE_OK)
		snprintf(up->message, sizeof up->message, "%.*s", (int)sizeof up->message - 1, error->message);
	return TIDE_OK;
}

static void
apply_done(struct commit_op *op, const struct tide_error *error)
{
	struct operation_up *up = (struct operation_up *)op;
	struct endpoint *endpoint = up->answer->endpoint;
	struct wire_message reply = {.type = WIRE_APPLIED, .applied = up->outcome};

	if (error->code != TIDE_OK) {
		break_stream(up);
		reply.applied.result = error->code;
		snprintf(up->message, sizeof up->message, "%.*s", (int)sizeof up->message - 1, error->message);
	}
	reply.applied.index = up->answer->message.apply.index;
	reply.applied.n_records = up->answer->message.apply.records.n_records;
	reply.applied.message = bytes_of_string(up->message);
	answer_send(up->answer, &reply);
	finish(endpoint, up);
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
		if (!stream->used || (stream->waiting.first == NULL && now - stream->used_at > SESSION_IDLE_MS))
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
		struct operation_up *up = operation_new(answer, apply_run, apply_done);

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
	if ((stream = find_stream(endpoint, apply->origin, endpoint__now())) != NULL &&
	    (entered = enter_stream(stream, apply, &ended))) {
		stream->used_at = endpoint__now();
		queue_put(&stream->waiting, answer);
		rc = submit_turns(stream, &refused);
	}
	pthread_mutex_unlock(&endpoint->lock);
	send_applied_all(&ended, TIDE_AGAIN, NULL);
	send_applied_all(&refused, rc, tide_err_text(rc));
	if (!entered)
		send_applied(answer, apply->index, stream == NULL ? TIDE_UNAVAILABLE : TIDE_AGAIN, NULL);
}

void
apply__stop(struct endpoint *endpoint)
{
	(void)endpoint; /* streams own nothing: what waited in them are answers, released with the endpoint */
}

/* --- loading --- */

static tide_err
load_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct operation_up *up = (struct operation_up *)op;
	const struct wire_load *load = &up->answer->message.load;
	struct load_piece piece = {.table = load->piece.table, .source = load->source, .snapshot = load->piece.snapshot,
	    .after = load->piece.after, .cursor = load->piece.cursor, .wire_unit = load->piece.unit,
	    .vector = load->piece.vector, .position = load->piece.position, .clock = load->piece.clock,
	    .items_expected = load->piece.items_expected, .done = load->piece.done};

	return group_load(group, &piece, error);
}

static void
simple_done(struct commit_op *op, const struct tide_error *error)
{
	struct operation_up *up = (struct operation_up *)op;
	struct endpoint *endpoint = up->answer->endpoint;

	if (error->code == TIDE_OK)
		answer_done(up->answer);
	else
		answer_error(up->answer, error->code, 0, error->message);
	finish(endpoint, up);
}

static void
submit_simple(struct answer *answer, commit_run_fn run)
{
	struct operation_up *up = operation_new(answer, run, simple_done);
	tide_err rc = up == NULL ? TIDE_NOMEM : submit(up);

	if (rc != TIDE_OK) {
		free(up);
		answer_error(answer, rc, 0, NULL);
	}
}

void
apply__load(struct answer *answer)
{
	submit_simple(answer, load_run);
}

/* A built-in table of a region that is new: nothing in it, nothing taken from anybody. */
static bool
is_fresh(const struct table_view *view)
{
	if (view->id != TABLE_CATALOG && view->id != TABLE_CONFLICTS)
		return false;
	for (size_t i = 0; i < view->vector.n; i++)
		if (view->vector.entries[i].mark.seq != 0)
			return false;
	return view->items == 0;
}

/* The records that the table needs are kept nowhere any more: it has to be loaded from a snapshot. */
static tide_err
boot_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct operation_up *up = (struct operation_up *)op;
	const struct wire_boot_ask *ask = &up->answer->message.boot;
	struct table_view view;
	tide_err rc;

	if ((rc = shard_table_view(group_shard(group), &up->answer->arena, ask->table, &view)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if (view.state == REPLICA_CREATING && ask->restart)
		return group_load_restart(group, ask->table);
	if (view.state == REPLICA_CREATING)
		return TIDE_OK;
	if (view.state == REPLICA_CATCHUP || (view.state == REPLICA_ACTIVE && is_fresh(&view))) {
		log_warn("REPL-NEEDS-BOOTSTRAP", "table=%016llx", (unsigned long long)ask->table);
		return group_table_state(group, ask->table, REPLICA_CREATING);
	}
	log_err("REPL-NEEDS-BOOTSTRAP", "table=%016llx why=\"it fell behind what its peers keep, and holds data\"",
	    (unsigned long long)ask->table);
	return tide_fail(error, TIDE_USAGE, "the replica fell behind what its peers keep; remove it and add it again");
}

void
apply__boot(struct answer *answer)
{
	submit_simple(answer, boot_run);
}
