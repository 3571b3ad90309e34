/* Pulls: sessions, their windows, and the stream of applies. */
#include <assert.h>
#include <stdio.h>

#include "replicator/link_priv.h"

#define CREDIT_IDLE 2 /* requests kept at a source that has nothing for now */
#define AVOID_MS 10000
#define FORGET_MS 60000 /* a pull with nothing to do */
#define FLOOR_WAIT_MS 1000
#define HELD_MS_MIN 2
#define LOOK_MS 500
#define SPREAD_MS 5000 /* a replica that is loading may become one that relays */

static const uint8_t successors[PULL_STATES] = {
    [PULL_IDLE] = 1 << PULL_OPENING | 1 << PULL_IDLE | 1 << PULL_WAIT,
    [PULL_WAIT] = 1 << PULL_OPENING | 1 << PULL_IDLE | 1 << PULL_WAIT,
    [PULL_OPENING] = 1 << PULL_RUNNING | 1 << PULL_WAIT | 1 << PULL_IDLE | 1 << PULL_STOPPED,
    [PULL_RUNNING] = 1 << PULL_HELD | 1 << PULL_WAIT | 1 << PULL_IDLE | 1 << PULL_STOPPED,
    [PULL_HELD] = 1 << PULL_RUNNING | 1 << PULL_WAIT | 1 << PULL_IDLE | 1 << PULL_STOPPED,
    [PULL_STOPPED] = 1 << PULL_IDLE,
};

static void
move(struct pull *pull, enum pull_state to)
{
	assert(successors[pull->state] & 1 << to);
	pull->state = to;
}

static struct slot *
slot_of(struct pull *pull, const struct link *link, uint64_t index)
{
	return &pull->slots[index % link->options.window];
}

static void
empty(struct link *link, struct pull *pull, struct slot *slot)
{
	if (slot->state == SLOT_EMPTY)
		return;
	link__drop(link, slot->batch.payload);
	*slot = (struct slot){0};
	pull->filled--;
}

/* End the session, whatever is under way; answers to it find their ticket stale. */
void
link__pull_close(struct link *link, struct pull *pull, enum pull_state to)
{
	for (uint32_t i = 0; i < LINK_WINDOW_MAX; i++)
		empty(link, pull, &pull->slots[i]);
	link_state_release(pull->opened);
	pull->opened = NULL;
	pull->generation = ++link->generation;
	pull->session = 0;
	pull->source = NULL;
	pull->in_flight = pull->applying = 0;
	pull->broken = pull->urgent = false;
	pull->need_state = 0;
	move(pull, to);
}

void
link__pull_retry(struct link *link, uint64_t now, struct pull *pull, const char *why)
{
	if (pull->state == PULL_STOPPED)
		return;
	if (pull->state == PULL_RUNNING || pull->state == PULL_HELD) {
		struct note_line *line = link__note(link, NOTE_SESSION_LOST);

		line->origin = pull->origin;
		line->source = pull->source->region;
		snprintf(line->reason, sizeof line->reason, "%s", why);
	}
	snprintf(pull->reason, sizeof pull->reason, "%s", why);
	link__pull_close(link, pull, PULL_WAIT);
	pull->until = link__backoff(link, now, &pull->backoff_ms);
}

/* As retry, but with vectors read after now. */
static void
retry_with_state(struct link *link, uint64_t now, struct pull *pull, const char *why)
{
	link__pull_retry(link, now, pull, why);
	pull->need_state = link->states + 1;
	/* A state that is under way already may be older than what failed; the next one asked for is not. */
	link__want_state(link);
}

static void
stop_forked(struct link *link, struct pull *pull, struct bytes why)
{
	struct note_line *line = link__note(link, NOTE_FORKED);

	line->origin = pull->origin;
	line->source = pull->source != NULL ? pull->source->region : 0;
	link__reason(line->reason, why);
	memcpy(pull->reason, line->reason, sizeof pull->reason);
	pull->stopped_dead = link__dead(link, pull->origin);
	link__pull_close(link, pull, PULL_STOPPED);
}

/* --- which origins are there? --- */

struct pull *
link__pull_find(const struct link *link, struct jid origin)
{
	for (uint32_t i = 0; i < LINK_PULLS_MAX; i++)
		if (link->pulls[i].used && jid_same(link->pulls[i].origin, origin))
			return &link->pulls[i];
	return NULL;
}

static void
make(struct link *link, uint64_t now, struct jid origin)
{
	if (jid_region(origin) == 0 || jid_same(origin, link->state->state->id) ||
	    link__closed(link, origin) || link__pull_find(link, origin) != NULL)
		return;
	for (uint32_t i = 0; i < LINK_PULLS_MAX; i++) {
		struct pull *pull = &link->pulls[i];

		if (pull->used)
			continue;
		*pull = (struct pull){.used = true,
		    .origin = origin,
		    .generation = ++link->generation,
		    .idle_since = now,
		    .level_at = now};
		return;
	}
	/* All slots taken: dead journals that nobody needs leave theirs after a while. */
}

static void
scan_peer(struct link *link, uint64_t now, const struct peer *peer)
{
	const struct wire_state *theirs = peer->hello->state;

	make(link, now, peer->hello->message.hello.id);
	for (uint32_t t = 0; t < theirs->n_tables; t++) {
		const struct wire_table *table = &theirs->tables[t], *ours;

		if (!table->shared || (ours = link__table(link->state->state, table->id)) == NULL)
			continue;
		for (size_t i = 0; i < table->vector.n; i++) {
			const struct vector_entry *entry = &table->vector.entries[i];

			if (entry->mark.seq > vector_get(&ours->vector, entry->origin).seq)
				make(link, now, entry->origin);
		}
	}
}

/* Journals that our own tables name: one that nobody writes any more may still be needed to bring a new table level. */
static void
scan_ours(struct link *link, uint64_t now)
{
	for (uint32_t t = 0; t < link->state->state->n_tables; t++) {
		const struct wire_table *table = &link->state->state->tables[t];

		for (size_t i = 0; i < table->position.n && table->state == REPLICA_CATCHUP; i++)
			make(link, now, table->position.entries[i].origin);
	}
}

/* Has the origin's region a journal of its own again, so that this one will never have more? */
static bool
forgettable(const struct link *link, uint64_t now, const struct pull *pull)
{
	return pull->state == PULL_IDLE && link__dead(link, pull->origin) &&
	       now - pull->idle_since > FORGET_MS;
}

/* Of a dead journal that nobody can relay as a whole a table has to be loaded. */
static void
look_for_spread(struct link *link, uint64_t now, struct pull *pull)
{
	uint64_t table = link__dead(link, pull->origin) ? link__spread(link, pull->origin) : 0;

	if (table == 0)
		pull->spread_since = 0;
	else if (pull->spread_since == 0)
		pull->spread_since = now;
	else if (now - pull->spread_since > SPREAD_MS) {
		pull->spread_since = now;
		link__floor_found(
		    link, now, JID_NONE, table); /* this one only: the others' records may still come */
	}
}

void
link__pulls_scan(struct link *link, uint64_t now)
{
	if (link->state == NULL)
		return;
	link->news++;
	for (uint32_t i = 0; i < LINK_PULLS_MAX; i++) {
		struct pull *pull = &link->pulls[i];

		if (pull->used && pull->state == PULL_STOPPED && !pull->stopped_dead &&
		    link__dead(link, pull->origin))
			link__pull_close(
			    link, pull, PULL_IDLE); /* what others hold of it is its history now */
		if (pull->used && forgettable(link, now, pull))
			pull->used = false;
		if (pull->used)
			look_for_spread(link, now, pull);
	}
	scan_ours(link, now);
	for (uint32_t i = 0; i < link->options.n_peers; i++)
		if (link->peers[i].state == PEER_UP)
			scan_peer(link, now, &link->peers[i]);
}

/* --- answers --- */

static struct pull *
pull_of(struct link *link, uint64_t ticket, enum ticket_kind kind)
{
	uint32_t slot = ticket_slot(ticket);
	struct pull *pull = slot < LINK_PULLS_MAX ? &link->pulls[slot] : NULL;

	if (ticket_kind(ticket) != kind || pull == NULL || !pull->used ||
	    pull->generation != ticket_generation(ticket))
		return NULL;
	return pull;
}

void
link_opened(struct link *link, uint64_t now, uint64_t ticket, uint64_t session)
{
	struct pull *pull = pull_of(link, ticket, TICKET_OPEN);
	struct note_line *line;

	if (pull == NULL || pull->state != PULL_OPENING)
		return;
	if (session == 0) {
		link__pull_retry(link, now, pull, "a session without a number");
		return;
	}
	move(pull, PULL_RUNNING);
	pull->session = session;
	pull->heard_at = now;
	pull->head = pull->sent = pull->got = 0;
	pull->credit = link->options.window;
	pull->stream = ++link->stream;
	pull->stream_at = 0;
	pull->held_ms = 0;
	line = link__note(link, NOTE_SESSION);
	line->origin = pull->origin;
	line->source = pull->source->region;
}

bool
link_records(struct link *link, uint64_t now, uint64_t ticket, const struct link_batch *batch)
{
	struct pull *pull = pull_of(link, ticket, TICKET_NEXT);
	struct slot *slot;

	if (pull == NULL || (pull->state != PULL_RUNNING && pull->state != PULL_HELD) || pull->in_flight == 0)
		return false;
	pull->in_flight--;
	pull->got++;
	pull->heard_at = now;
	pull->source->bytes += batch->bytes;
	pull->source->records += batch->n_records;
	slot = slot_of(pull, link, batch->index);
	if (batch->index < pull->head || batch->index >= pull->head + link->options.window ||
	    slot->state != SLOT_EMPTY) {
		link__pull_retry(link, now, pull, "a batch out of its window");
		return false;
	}
	/* A source that has nothing keeps few requests: each of them is answered now and then, for nothing. */
	if (batch->n_records > 0)
		pull->credit = link->options.window;
	else if (batch->empty && pull->credit > CREDIT_IDLE)
		pull->credit--;
	*slot = (struct slot){SLOT_FILLED, *batch};
	pull->filled++;
	return true;
}

static void
head_on(struct link *link, uint64_t now, struct pull *pull)
{
	struct slot *slot;

	while (pull->head < pull->sent && (slot = slot_of(pull, link, pull->head))->state == SLOT_DONE) {
		pull->behind = slot->batch.behind;
		pull->applied_seq = slot->batch.upto_seq;
		if (slot->batch.at_end)
			pull->level_at = now;
		empty(link, pull, slot);
		pull->head++;
	}
}

/* Somebody who waits for this origin may go on. */
static void
wake_held(struct link *link, uint64_t now, struct jid origin)
{
	for (uint32_t i = 0; i < LINK_PULLS_MAX; i++) {
		struct pull *pull = &link->pulls[i];

		if (pull->used && pull->state == PULL_HELD && jid_same(pull->held_for, origin))
			pull->until = now;
	}
}

static void
held(struct link *link, uint64_t now, struct pull *pull)
{
	struct pull *dep = jid_same(pull->held_for, JID_NONE) ? NULL : link__pull_find(link, pull->held_for);

	pull->held_ms = pull->held_ms == 0 ? HELD_MS_MIN : pull->held_ms * 2;
	if (pull->held_ms > link->options.held_ms)
		pull->held_ms = link->options.held_ms;
	pull->until = now + pull->held_ms;
	if (pull->held_since == 0)
		pull->held_since = now;
	else if (now - pull->held_since > 1000 && now - pull->held_since < 1000 + pull->held_ms + 1) {
		struct note_line *line = link__note(link, NOTE_HELD);

		line->origin = pull->origin;
		line->held_for = pull->held_for;
		line->source = pull->source->region;
	}
	move(pull, PULL_HELD);
	if (dep != NULL && dep->state == PULL_RUNNING)
		dep->urgent = true;
	else if (!jid_same(pull->held_for, JID_NONE))
		link__hello_soon(pull->source, now); /* its sender has it: learn how much of it */
}

/* The stream's applies are all back after one of them failed. */
static void
settle(struct link *link, uint64_t now, struct pull *pull, struct bytes message)
{
	char why[LINK_REASON_MAX];
	struct note_line *line;

	switch (pull->why) {
	case TIDE_HELD:
		if (jid_same(pull->held_for, pull->origin))
			retry_with_state(link, now, pull, "its own region may not send it any more");
		else
			held(link, now, pull);
		break;
	case TIDE_GAP:
		line = link__note(link, NOTE_GAP);
		line->origin = pull->origin;
		line->source = pull->source->region;
		retry_with_state(link, now, pull, "records before these are missing: asking again");
		break;
	case TIDE_FORKED:
		stop_forked(link, pull, message);
		break;
	default:
		link__reason(why, message);
		retry_with_state(link, now, pull, why[0] != 0 ? why : tide_err_text(pull->why));
	}
}

void
link_applied(struct link *link, uint64_t now, uint64_t ticket, const struct wire_applied *applied)
{
	struct pull *pull = pull_of(link, ticket, TICKET_APPLY);
	struct slot *slot;
	uint64_t index;

	if (pull == NULL || pull->applying == 0)
		return;
	index = pull->stream_at + applied->index;
	if (index < pull->head || index >= pull->sent ||
	    (slot = slot_of(pull, link, index))->state != SLOT_APPLYING) {
		retry_with_state(link, now, pull, "an apply was answered that was not asked for");
		return;
	}
	pull->applying--;
	if (applied->result == TIDE_OK && pull->broken) {
		slot->state =
		    SLOT_FILLED; /* its answer was overtaken by a failure's: applying it again changes nothing */
	} else if (applied->result == TIDE_OK) {
		slot->state = SLOT_DONE;
		pull->backoff_ms = 0;
		pull->held_since = 0;
		pull->held_ms = 0;
		head_on(link, now, pull);
		wake_held(link, now, pull->origin);
	} else {
		slot->state = SLOT_FILLED;
		/* AGAIN is only the echo of an earlier failure in the stream. */
		if (applied->result != TIDE_AGAIN || !pull->broken) {
			if (!pull->broken || pull->why == TIDE_AGAIN) {
				pull->why = applied->result;
				pull->held_for = applied->held_for;
				if (applied->result != TIDE_HELD)
					link__reason(pull->reason, applied->message);
			}
		}
		pull->broken = true;
	}
	if (pull->broken && pull->applying == 0)
		settle(link, now, pull, bytes_of_string(pull->reason));
}

static void
avoid_source(struct pull *pull, uint64_t now)
{
	if (pull->source == NULL)
		return;
	pull->avoid = pull->source->region;
	pull->avoid_until = now + AVOID_MS;
}

/* The source has the origin's records no more from where we stand. */
static void
below_floor(struct link *link, uint64_t now, struct pull *pull, uint64_t table)
{
	static const char why[] = "the records that we need are not kept there any more";
	const struct link_state *hello = pull->source->hello;
	const struct wire_table *there = hello == NULL ? NULL : link__table(hello->state, table);
	bool last_word = (jid_region(pull->origin) == pull->source->region && !pull->later) ||
			 (link__dead(link, pull->origin) && there != NULL && there->state != REPLICA_ABSENT);

	if (strcmp(pull->reason, why) != 0) {
		struct note_line *line = link__note(link, NOTE_BELOW_FLOOR);

		line->origin = pull->origin;
		line->source = pull->source->region;
		line->table = table;
	}
	if (last_word)
		link__floor_found(link, now, pull->origin, table);
	avoid_source(pull, now);
	retry_with_state(link, now, pull, why);
	pull->until = now + FLOOR_WAIT_MS;
	if (last_word)
		pull->avoid_until = now + FLOOR_WAIT_MS;
}

void
link__pull_failed(
    struct link *link, uint64_t now, struct pull *pull, uint64_t ticket, const struct wire_error *error)
{
	char why[LINK_REASON_MAX];

	link__reason(why, error->message);
	if (why[0] == 0)
		snprintf(why, sizeof why, "%s", tide_err_text(error->code));
	if (ticket_kind(ticket) == TICKET_OPEN && error->code == TIDE_NOTFOUND) {
		below_floor(link, now, pull, error->table);
	} else if (ticket_kind(ticket) == TICKET_OPEN && error->code == TIDE_FORKED) {
		stop_forked(link, pull, error->message);
	} else if (ticket_kind(ticket) == TICKET_APPLY) {
		retry_with_state(link, now, pull, why);
	} else {
		/* Damaged there: perhaps another has it whole. */
		if (error->code == TIDE_CORRUPT || error->code == TIDE_IO)
			avoid_source(pull, now);
		link__pull_retry(link, now, pull, why);
	}
}

/* --- what is to be done --- */

static bool
next_open(struct link *link, uint64_t now, struct pull *pull, struct link_action *out)
{
	struct peer *source;

	if (link->states < pull->need_state || link->state->n_following == 0)
		return false;
	if ((source = link__source(link, now, pull)) == NULL) {
		if (pull->state == PULL_WAIT) {
			pull->idle_since = now;
			move(pull, PULL_IDLE);
		}
		return false;
	}
	pull->source = source;
	pull->later = link__is_later(source, pull->origin);
	pull->opened = link->state;
	link->state->references++;
	pull->heard_at = now;
	move(pull, PULL_OPENING);
	*out = (struct link_action){.kind = LINK_OPEN,
	    .source = source->region,
	    .origin = pull->origin,
	    .state = pull->opened,
	    .ticket = ticket_make(TICKET_OPEN, (uint32_t)(pull - link->pulls), pull->generation)};
	return true;
}

/* Comparing what everybody has is dear: only after news, and now and then. */
static bool
worth_a_look(const struct link *link, uint64_t now, struct pull *pull)
{
	if (pull->looked == link->news && now < pull->look_at)
		return false;
	pull->looked = link->news;
	pull->look_at = now + LOOK_MS;
	return true;
}

/* Is what this session was opened for still right? */
static bool
outdated(struct link *link, uint64_t now, struct pull *pull)
{
	struct peer *better;

	if (pull->opened->tables_hash != link->state->tables_hash)
		return true;
	if (pull->source->region == jid_region(pull->origin) && !pull->later)
		return link__dead(link, pull->origin);
	/* Via a relay: back to the region itself as soon as it can be reached. */
	if (!worth_a_look(link, now, pull))
		return false;
	better = link__source(link, now, pull);
	return better != NULL && better->region == jid_region(pull->origin) &&
	       !link__is_later(better, pull->origin);
}

/*
 * Nothing more comes of a relay for a journal that is dead: no session is worth keeping for it, and another relay may have what this one
 * has not.
 */
static bool
exhausted(struct link *link, uint64_t now, const struct pull *pull)
{
	struct peer *other;

	if (pull->filled > 0 || pull->head == 0 || pull->behind > 0 || !link__dead(link, pull->origin))
		return false;
	other = link__source(link, now, pull);
	return other == NULL || (other != pull->source && link__has_more(link, other, pull->origin) &&
				    !link__has_more(link, pull->source, pull->origin));
}

static bool
next_credit(struct link *link, uint64_t now, struct pull *pull, struct link_action *out)
{
	uint32_t occupied = pull->in_flight + pull->filled;
	bool urgent = pull->urgent;

	pull->urgent = false;
	if (occupied >= link->options.window || (pull->in_flight >= pull->credit && !urgent))
		return false;
	if (pull->in_flight++ == 0)
		pull->heard_at = now;
	*out = (struct link_action){.kind = LINK_NEXT,
	    .source = pull->source->region,
	    .session = pull->session,
	    .origin = pull->origin,
	    .urgent = urgent,
	    .got = pull->got,
	    .ticket = ticket_make(TICKET_NEXT, (uint32_t)(pull - link->pulls), pull->generation)};
	return true;
}

static bool
next_apply(struct link *link, struct pull *pull, struct link_action *out)
{
	struct slot *slot = slot_of(pull, link, pull->sent);

	if (pull->broken || pull->applying >= LINK_APPLY_MAX || pull->sent - pull->head >= LINK_APPLY_MAX ||
	    slot->state != SLOT_FILLED || slot->batch.index != pull->sent)
		return false;
	slot->state = SLOT_APPLYING;
	pull->applying++;
	*out = (struct link_action){.kind = LINK_APPLY,
	    .source = pull->source->region,
	    .origin = pull->origin,
	    .stream = pull->stream,
	    .index = pull->sent - pull->stream_at,
	    .payload = slot->batch.payload,
	    .later = pull->later,
	    .state = pull->opened,
	    .ticket = ticket_make(TICKET_APPLY, (uint32_t)(pull - link->pulls), pull->generation)};
	pull->sent++;
	return true;
}

/* Held long enough: the same batches in a new stream. */
static void
resume(struct link *link, struct pull *pull)
{
	/* Answers overtake each other: one behind the failed batch may have been applied. The new stream has them all. */
	for (uint64_t i = pull->head; i < pull->sent; i++)
		slot_of(pull, link, i)->state = SLOT_FILLED;
	move(pull, PULL_RUNNING);
	pull->broken = false;
	pull->stream = ++link->stream;
	pull->stream_at = pull->sent = pull->head;
}

static bool
close_action(struct link *link, struct pull *pull, struct link_action *out)
{
	*out = (struct link_action){.kind = LINK_CLOSE,
	    .source = pull->source->region,
	    .session = pull->session,
	    .ticket = ticket_make(TICKET_CLOSE, 0, ++link->generation)};
	return pull->session != 0;
}

bool
link__pull_next(struct link *link, uint64_t now, struct pull *pull, struct link_action *out)
{
	bool closed;

	if (!link->local || link->state == NULL)
		return false;
	switch (pull->state) {
	case PULL_WAIT:
		if (now < pull->until)
			return false;
		return next_open(link, now, pull, out);
	case PULL_IDLE:
		return worth_a_look(link, now, pull) && next_open(link, now, pull, out);
	case PULL_OPENING:
		if (now - pull->heard_at <= link->options.stall_ms)
			return false;
		avoid_source(pull, now);
		link__pull_retry(link, now, pull, "no answer in time");
		return false;
	case PULL_RUNNING:
	case PULL_HELD:
		if (outdated(link, now, pull) || exhausted(link, now, pull)) {
			closed = close_action(link, pull, out);
			link__pull_close(link, pull, PULL_IDLE);
			pull->idle_since = now;
			return closed;
		}
		/* While the window is full of what must wait, there is no request that could be answered. */
		if (pull->in_flight > 0 && now - pull->heard_at > link->options.stall_ms) {
			avoid_source(pull, now);
			link__pull_retry(link, now, pull, "no answer in time");
			return false;
		}
		if (pull->state == PULL_HELD && pull->applying == 0 && now >= pull->until)
			resume(link, pull);
		if (pull->state == PULL_RUNNING && next_apply(link, pull, out))
			return true;
		if (pull->state == PULL_RUNNING && pull->filled == link->options.window &&
		    pull->applying == 0) {
			link__pull_retry(link, now, pull, "a batch is missing");
			return false;
		}
		return next_credit(link, now, pull, out);
	case PULL_STOPPED:
	case PULL_STATES:
		break;
	}
	return false;
}
