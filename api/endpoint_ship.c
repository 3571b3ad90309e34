/*
 * Sessions: one origin's records to one peer. Each SHIP_NEXT is a credit and waits in its session's queue; a worker takes a
 * session with news and answers its requests in order, one batch each, until there is nothing more or no request left.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/endpoint_priv.h"
#include "base/log.h"

#define TOLD_MS 200 /* a peer hears at most so often what we hold: it is for tombstones, which can wait */

/* Under the lock. */
static struct session *
find(struct endpoint *endpoint, uint64_t id)
{
	for (uint32_t i = 0; i < endpoint->n_sessions; i++)
		if (endpoint->sessions[i] != NULL && endpoint->sessions[i]->id == id)
			return endpoint->sessions[i];
	return NULL;
}

/* Under the lock: a worker shall look at it. */
static void
make_ready(struct endpoint *endpoint, struct session *session)
{
	if (session->busy) {
		session->wake = true; /* its worker looks once more before it goes */
		return;
	}
	if (session->queued)
		return;
	session->queued = true;
	session->next_ready = NULL;
	if (endpoint->ready == NULL)
		endpoint->ready_last = &endpoint->ready;
	*endpoint->ready_last = session;
	endpoint->ready_last = &session->next_ready;
	pthread_cond_signal(&endpoint->work);
}

/* Under the lock: no request finds it any more; a worker releases it. */
static void
retire(struct endpoint *endpoint, struct session *session)
{
	session->closing = true;
	make_ready(endpoint, session);
}

/* --- opening --- */

static tide_err
open_ship(struct answer *answer, struct session *session, uint64_t *floor_table)
{
	const struct wire_ship_open *ask = &answer->message.ship_open;
	struct ship_table *tables = arena_alloc(&answer->arena, (ask->n_tables + 1) * sizeof *tables);

	if (tables == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < ask->n_tables; i++)
		tables[i] = (struct ship_table){ask->tables[i].table, ask->tables[i].after};
	return ship_open(answer->endpoint->region->shard, ask->origin, tables, ask->n_tables, ask->position,
	    &session->ship, floor_table);
}

/* Under the lock: a free place, where need be that of the session that was idle longest. */
static struct session **
place(struct endpoint *endpoint, const struct wire_ship_open *ask, uint64_t now)
{
	struct session **unused = NULL;

	for (uint32_t i = 0; i < endpoint->n_sessions; i++) {
		struct session *other = endpoint->sessions[i];

		if (other == NULL)
			unused = unused != NULL ? unused : &endpoint->sessions[i];
		else if (other->from == ask->from && jid_same(other->origin, ask->origin))
			retire(endpoint, other); /* the same peer starts again */
		else if (other->held.first == NULL && now - other->used_at > SESSION_IDLE_MS)
			retire(endpoint, other);
	}
	if (unused == NULL && endpoint->n_sessions < SESSIONS_MAX)
		unused = &endpoint->sessions[endpoint->n_sessions++];
	return unused;
}

void
ship__open(struct answer *answer)
{
	struct endpoint *endpoint = answer->endpoint;
	const struct wire_ship_open *ask = &answer->message.ship_open;
	struct wire_message reply = {.type = WIRE_SHIP_OPENED};
	struct session *session = calloc(1, sizeof *session), **at;
	uint64_t floor_table = 0, now = endpoint__now(endpoint);
	tide_err rc = session == NULL ? TIDE_NOMEM : open_ship(answer, session, &floor_table);

	if (rc != TIDE_OK) {
		free(session);
		if (rc == TIDE_FORKED)
			hello__forked(endpoint, FORK_COPY, ask->from, ask->position);
		answer_error(answer, rc, floor_table,
		    rc == TIDE_FORKED ? "it stands further in this journal than it goes" : NULL);
		return;
	}
	session->from = ask->from;
	session->instance = ask->instance;
	session->origin = ask->origin;
	session->used_at = now;
	pthread_mutex_lock(&endpoint->lock);
	if ((at = place(endpoint, ask, now)) != NULL) {
		session->id = reply.ship_opened.session = ++endpoint->last_id;
		*at = session;
	}
	pthread_mutex_unlock(&endpoint->lock);
	if (at == NULL) {
		ship_close(session->ship);
		free(session);
		answer_error(answer, TIDE_UNAVAILABLE, 0, "too many sessions");
		return;
	}
	answer_send(answer, &reply);
}

/* --- requests --- */

void
ship__next(struct answer *answer)
{
	struct endpoint *endpoint = answer->endpoint;
	struct session *session;
	bool found;

	pthread_mutex_lock(&endpoint->lock);
	session = find(endpoint, answer->message.ship_next.session);
	found = session != NULL && !session->closing;
	if (found) {
		answer->until = endpoint__now(endpoint) + HOLD_MS;
		session->used_at = answer->until;
		session->urgent |= answer->message.ship_next.urgent;
		pace_heard(&session->pace, answer->until - HOLD_MS, answer->message.ship_next.got);
		queue_put(&session->held, answer);
		session->n_held++;
		make_ready(endpoint, session);
	}
	pthread_mutex_unlock(&endpoint->lock);
	if (!found)
		answer_error(answer, TIDE_NOTFOUND, 0, "no such session");
}

void
ship__close(struct answer *answer)
{
	struct endpoint *endpoint = answer->endpoint;
	struct session *session;

	pthread_mutex_lock(&endpoint->lock);
	if ((session = find(endpoint, answer->message.ship_close.session)) != NULL)
		retire(endpoint, session);
	pthread_mutex_unlock(&endpoint->lock);
	answer_done(answer);
}

/* --- serving --- */

struct served {
	struct ship_batch batch;
	struct buf units;
	struct arena arena;
};

static void
send_batch(struct session *session, struct answer *answer, struct served *served, uint64_t now)
{
	const struct ship_batch *batch = &served->batch;
	struct wire_message reply = {.type = WIRE_RECORDS};
	struct wire_records *records = &reply.records;

	records->session = session->id;
	records->index = session->index++;
	records->base = session->base_kept ? session->base : batch->base;
	records->upto = batch->upto;
	records->at_end = batch->at_end;
	records->behind = batch->behind;
	records->n_units = batch->n_units;
	records->n_records = batch->n_records;
	records->units = buf_bytes(&served->units);
	session->base_kept = false;
	pace_sent(&session->pace, now, batch->at_end);
	if (batch->tells && now - session->told_at >= TOLD_MS &&
	    (records->told = arena_calloc(&served->arena, (batch->n_told + 1) * sizeof *records->told)) !=
		NULL) {
		session->told_at = now;
		records->tells = true;
		records->promise = batch->promise;
		for (uint32_t i = 0; i < batch->n_told; i++)
			records->told[records->n_told++] = (struct wire_told){
			    batch->told[i].table, (uint8_t)batch->told[i].state, batch->told[i].vector};
	}
	answer_send(answer, &reply);
}

/* Answer the session's oldest request if there is something for it. False: there is not, it is held again. */
static bool
serve_one(
    struct endpoint *endpoint, struct session *session, struct answer *answer, bool urgent, tide_err *rc)
{
	struct served served = {0};
	struct tide_error error = {.code = TIDE_OK};
	uint64_t bytes = answer->message.ship_next.bytes_max, now;
	bool sent = true;

	if (bytes < BATCH_BYTES_MIN)
		bytes = BATCH_BYTES_MIN;
	if (bytes > BATCH_BYTES_MAX)
		bytes = BATCH_BYTES_MAX;
	arena_init(&served.arena, 0);
	*rc = ship_next(session->ship, (size_t)bytes, &served.arena, &served.units, &served.batch, &error);
	now = endpoint__now(endpoint);
	if (*rc != TIDE_OK) {
		log_err("SHIP-FAILED", "origin=%08x peer=%u why=\"%s\"", session->origin.v, session->from,
		    error.message);
		answer_error(answer, *rc, 0, error.message);
	} else if (served.batch.n_records > 0 || !served.batch.at_end || urgent || session->index == 0 ||
		   now >= answer->until) {
		/* The first answer comes at once: it tells how far all is complete, which a table that catches up waits for. */
		send_batch(session, answer, &served, now);
	} else {
		/* What moved without records is told with the next batch, which then begins where this one would have. */
		if (!session->base_kept)
			session->base = served.batch.base;
		session->base_kept = true;
		pthread_mutex_lock(&endpoint->lock);
		queue_put_back(&session->held, answer);
		session->n_held++;
		pthread_mutex_unlock(&endpoint->lock);
		sent = false;
	}
	buf_fini(&served.units);
	arena_fini(&served.arena);
	return sent;
}

static void
release(struct endpoint *endpoint, struct session *session)
{
	pthread_mutex_lock(&endpoint->lock);
	for (uint32_t i = 0; i < endpoint->n_sessions; i++)
		if (endpoint->sessions[i] == session)
			endpoint->sessions[i] = NULL;
	while (endpoint->n_sessions > 0 && endpoint->sessions[endpoint->n_sessions - 1] == NULL)
		endpoint->n_sessions--;
	pthread_mutex_unlock(&endpoint->lock);
	answer_error_all(&session->held, TIDE_NOTFOUND, "the session is closed");
	ship_close(session->ship);
	free(session);
}

/* Under the lock: is it too soon for the next batch? Then the tick sees to it. */
static bool
too_soon(struct endpoint *endpoint, struct session *session)
{
	uint64_t now = endpoint__now(endpoint), due = pace_due(&session->pace, session->n_held);

	session->due = 0;
	if (session->held.first == NULL || session->urgent || due <= now || now >= session->held.first->until)
		return false;
	session->due = due;
	pthread_cond_signal(&endpoint->tick);
	return true;
}

/* The session is this worker's alone (busy) until it is put down under the lock with nothing to do. */
void
ship__serve(struct endpoint *endpoint, struct session *session)
{
	struct answer *answer;
	tide_err rc = TIDE_OK;
	bool more = true, urgent;

	for (;;) {
		pthread_mutex_lock(&endpoint->lock);
		if (rc != TIDE_OK)
			session->closing = true;
		if (session->closing) {
			pthread_mutex_unlock(&endpoint->lock);
			release(endpoint, session);
			return;
		}
		answer = NULL;
		if ((more || session->wake) && !too_soon(endpoint, session))
			answer = queue_take(&session->held);
		if (answer == NULL) {
			session->busy = session->wake = false;
			pthread_mutex_unlock(&endpoint->lock);
			return;
		}
		session->n_held--;
		session->wake = false;
		urgent = session->urgent;
		session->urgent = false;
		pthread_mutex_unlock(&endpoint->lock);
		more = serve_one(endpoint, session, answer, urgent, &rc);
	}
}

/* --- waking --- */

/* Committer thread: requests that wait for this unit's records. */
void
ship__observe(struct endpoint *endpoint, const struct unit *unit)
{
	bool own = unit->kind == UNIT_LOCAL || unit->n_entries > 0, other = unit->kind == UNIT_REMOTE;
	uint64_t now = endpoint__now(endpoint);
	struct jid id = shard_id(endpoint->region->shard);

	if (!own && !other)
		return;
	pthread_mutex_lock(&endpoint->lock);
	for (uint32_t i = 0; i < endpoint->n_sessions; i++) {
		struct session *session = endpoint->sessions[i];

		if (session == NULL || session->held.first == NULL || session->due > now)
			continue;
		if ((own && jid_same(session->origin, id)) ||
		    (other && jid_same(session->origin, unit->origin)))
			make_ready(endpoint, session);
	}
	pthread_mutex_unlock(&endpoint->lock);
}

void
ship__tick(struct endpoint *endpoint, uint64_t now)
{
	pthread_mutex_lock(&endpoint->lock);
	for (uint32_t i = 0; i < endpoint->n_sessions; i++) {
		struct session *session = endpoint->sessions[i];

		if (session == NULL)
			continue;
		if (session->held.first != NULL
			? now >= session->held.first->until || (session->due != 0 && now >= session->due)
			: session->closing)
			make_ready(endpoint, session);
		else if (session->held.first == NULL && now > session->used_at + SESSION_IDLE_MS)
			retire(endpoint, session);
	}
	pthread_mutex_unlock(&endpoint->lock);
}

uint64_t
ship__wake(struct endpoint *endpoint)
{
	uint64_t wake = UINT64_MAX;

	for (uint32_t i = 0; i < endpoint->n_sessions; i++) {
		const struct session *session = endpoint->sessions[i];
		uint64_t at;

		if (session == NULL)
			continue;
		at = session->held.first != NULL ? session->held.first->until
						 : session->used_at + SESSION_IDLE_MS + 1;
		if (session->held.first != NULL && session->due != 0 && session->due < at)
			at = session->due;
		if (at < wake)
			wake = at;
	}
	return wake;
}

void
ship__stop(struct endpoint *endpoint)
{
	for (uint32_t i = 0; i < endpoint->n_sessions; i++) {
		if (endpoint->sessions[i] == NULL)
			continue;
		ship_close(endpoint->sessions[i]->ship);
		free(endpoint->sessions[i]);
	}
}
