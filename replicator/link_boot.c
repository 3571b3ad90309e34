/* Bootstraps: loading a table from a peer's snapshot, piece by piece, one piece read ahead. */
#include <assert.h>
#include <stdio.h>

#include "replicator/link_priv.h"

#define CHOOSE_MS 50
#define SOURCE_GONE_MS 30000 /* a source that does not come back takes its snapshot along */
#define HELD_MS 200
#define AGAIN_MS 1000

static const uint8_t successors[BOOT_STATES] = {
    [BOOT_CHOOSE] = 1 << BOOT_LOADING | 1 << BOOT_RESTARTING,
    [BOOT_LOADING] = 1 << BOOT_CHOOSE | 1 << BOOT_RESTARTING,
    [BOOT_RESTARTING] = 1 << BOOT_CHOOSE,
};

static void
move(struct boot *boot, enum boot_state to)
{
	assert(successors[boot->state] & 1 << to);
	boot->state = to;
}

static void
drop_piece(struct link *link, struct boot_piece *piece)
{
	if (piece->there)
		link__drop(link, piece->payload);
	*piece = (struct boot_piece){0};
}

/* Forget what is under way. */
static void
clear(struct link *link, struct boot *boot)
{
	drop_piece(link, &boot->ahead);
	drop_piece(link, &boot->current);
	boot->generation = ++link->generation;
	boot->source = NULL;
	boot->snapshot = 0;
	boot->cursor_n = 0;
	boot->reading = boot->read_all = boot->loading = boot->restarting = false;
}

void
link__boot_end(struct link *link, struct boot *boot)
{
	clear(link, boot);
	boot->used = false;
}

/* Go on from what our region says is loaded. */
static void
again(struct link *link, uint64_t now, struct boot *boot, uint64_t wait_ms)
{
	clear(link, boot);
	move(boot, BOOT_CHOOSE);
	boot->until = now + wait_ms;
	boot->need_state = link->states + 1;
	link__want_state(link);
}

static void
restart(struct link *link, uint64_t now, struct boot *boot, uint64_t wait_ms)
{
	clear(link, boot);
	move(boot, BOOT_RESTARTING);
	boot->until = now + wait_ms;
}

static void
note_failed(struct link *link, const struct boot *boot, const struct wire_error *error)
{
	struct note_line *line = link__note(link, NOTE_BOOT_FAILED);

	line->table = boot->table;
	line->source = boot->source != NULL ? boot->source->region : 0;
	line->code = error->code;
	link__reason(line->reason, error->message);
}

/* A new replica, or one that fell behind and loads a snapshot to be merged with it. */
static const struct wire_table *
loading(const struct link *link, uint64_t id)
{
	const struct wire_table *table = link->state == NULL ? NULL : link__table(link->state->state, id);

	if (table == NULL || (table->state != REPLICA_CREATING && table->rejoin != REJOIN_LOADING))
		return NULL;
	return table;
}

/* The catalog and the conflict log come first: what the others meet while loading needs them. */
static bool
has_to_wait(const struct link *link, uint64_t id)
{
	return id > TABLE_CONFLICTS &&
	       (loading(link, TABLE_CATALOG) != NULL || loading(link, TABLE_CONFLICTS) != NULL);
}

static struct boot *
find(struct link *link, uint64_t table)
{
	for (uint32_t i = 0; i < LINK_BOOTS_MAX; i++)
		if (link->boots[i].used && link->boots[i].table == table)
			return &link->boots[i];
	return NULL;
}

static struct boot *
unused(struct link *link)
{
	for (uint32_t i = 0; i < LINK_BOOTS_MAX; i++)
		if (!link->boots[i].used)
			return &link->boots[i];
	return NULL;
}

void
link__boots_scan(struct link *link, uint64_t now)
{
	struct boot *boot;

	if (link->state == NULL)
		return;
	for (uint32_t i = 0; i < LINK_BOOTS_MAX; i++)
		if (link->boots[i].used && loading(link, link->boots[i].table) == NULL)
			link__boot_end(link, &link->boots[i]);
	for (uint32_t t = 0; t < link->state->state->n_tables; t++) {
		uint64_t id = link->state->state->tables[t].id;

		if (loading(link, id) == NULL || has_to_wait(link, id) || find(link, id) != NULL)
			continue;
		if ((boot = unused(link)) == NULL)
			return;
		*boot = (struct boot){
		    .used = true, .table = id, .generation = ++link->generation, .since = now, .until = now};
	}
}

/* --- replicas that fell behind --- */

void
link__floor_found(struct link *link, uint64_t now, struct jid origin, uint64_t table)
{
	if (table == 0 || link->floor_table != 0)
		return;
	link->floor_table = table;
	link->floor_origin = origin;
	link->floor_at = now;
}

/*
 * The answer named one table. Others with records of that journal that we miss are likely to be in the same case; were each found only
 * when the one before it has come back, the region would stand apart for as long as all of them take together.
 */
void
link__floor_said(struct link *link, uint64_t now)
{
	const struct wire_state *ours = link->state != NULL ? link->state->state : NULL;
	const struct peer *peer = link__peer(link, jid_region(link->floor_origin));
	const struct wire_state *theirs = peer != NULL && peer->state == PEER_UP ? peer->hello->state : NULL;
	uint64_t after = link->floor_table;

	link->floor_table = 0;
	link->floor_at = now;
	link__want_state(link);
	for (uint32_t i = 0; ours != NULL && theirs != NULL && i < ours->n_tables; i++) {
		const struct wire_table *table = &ours->tables[i], *other = link__table(theirs, table->id);

		if (table->id <= after || !table->shared || other == NULL || table->rejoin != REJOIN_NONE ||
		    table->state != REPLICA_ACTIVE ||
		    vector_get(&other->vector, link->floor_origin).seq <=
			vector_get(&table->vector, link->floor_origin).seq)
			continue;
		link->floor_table = table->id;
		return;
	}
}

/* --- answers --- */

static struct boot *
boot_of(struct link *link, uint64_t ticket, enum ticket_kind kind)
{
	uint32_t slot = ticket_slot(ticket);
	struct boot *boot = slot < LINK_BOOTS_MAX ? &link->boots[slot] : NULL;

	if (ticket_kind(ticket) != kind || boot == NULL || !boot->used ||
	    boot->generation != ticket_generation(ticket))
		return NULL;
	return boot;
}

bool
link_piece_came(struct link *link, uint64_t now, uint64_t ticket, const struct link_piece *piece)
{
	struct boot *boot = boot_of(link, ticket, TICKET_READ);

	if (boot == NULL || boot->state != BOOT_LOADING || !boot->reading)
		return false;
	boot->reading = false;
	boot->source->bytes += piece->bytes;
	if (piece->cursor.n > sizeof boot->cursor || piece->snapshot == 0 ||
	    (boot->snapshot != 0 && boot->snapshot != piece->snapshot)) {
		again(link, now, boot, AGAIN_MS);
		return false;
	}
	boot->snapshot = piece->snapshot;
	boot->read_all = piece->done;
	boot->cursor_n = piece->cursor.n;
	if (piece->cursor.n > 0)
		memcpy(boot->cursor, piece->cursor.at, piece->cursor.n);
	boot->ahead = (struct boot_piece){true, piece->done, piece->payload};
	return true;
}

void
link__boot_done(struct link *link, uint64_t now, struct boot *boot, uint64_t ticket)
{
	bool done = boot->current.done;

	if (ticket_kind(ticket) == TICKET_BOOT && boot->state == BOOT_RESTARTING) {
		again(link, now, boot, 0);
		return;
	}
	if (ticket_kind(ticket) != TICKET_LOAD || !boot->loading)
		return;
	boot->loading = false;
	boot->backoff_ms = 0;
	drop_piece(link, &boot->current);
	if (done) {
		struct note_line *line = link__note(link, NOTE_BOOT_DONE);

		line->table = boot->table;
		line->source = boot->source->region;
		link__boot_end(link, boot);
		link__want_state(link);
	}
}

void
link__boot_failed(
    struct link *link, uint64_t now, struct boot *boot, uint64_t ticket, const struct wire_error *error)
{
	switch (ticket_kind(ticket)) {
	case TICKET_READ:
		if (boot->state != BOOT_LOADING)
			return;
		note_failed(link, boot, error);
		boot->failed = boot->source->region;
		if (error->code == TIDE_NOTFOUND)
			restart(link, now, boot, 0); /* the snapshot, or the replica, is gone there */
		else
			again(link, now, boot, link__backoff(link, now, &boot->backoff_ms) - now);
		return;
	case TICKET_LOAD:
		if (boot->state != BOOT_LOADING)
			return;
		if (error->code == TIDE_HELD) {
			boot->loading = false; /* the same piece again, when the clocks have come nearer */
			boot->until = now + HELD_MS;
			return;
		}
		note_failed(link, boot, error);
		if (error->code == TIDE_AGAIN)
			restart(
			    link, now, boot, AGAIN_MS); /* a later snapshot of it may have what is missing */
		else
			again(link, now, boot, link__backoff(link, now, &boot->backoff_ms) - now);
		return;
	default:
		boot->restarting = false;
		boot->until = now + AGAIN_MS;
	}
}

void
link__boot_peer_down(struct link *link, uint64_t now, struct peer *peer)
{
	for (uint32_t i = 0; i < LINK_BOOTS_MAX; i++) {
		struct boot *boot = &link->boots[i];

		if (boot->used && boot->source == peer && boot->state == BOOT_LOADING)
			again(link, now, boot, CHOOSE_MS);
	}
}

/* --- what is to be done --- */

static bool
readable(const struct wire_table *table)
{
	return table->state == REPLICA_ACTIVE || table->state == REPLICA_LEAVING;
}

/* The replica there, if it can be loaded from; else NULL. */
static const struct wire_table *
serves(const struct peer *peer, uint64_t id)
{
	const struct wire_table *table;

	if (peer->state != PEER_UP || (table = link__table(peer->hello->state, id)) == NULL)
		return NULL;
	return readable(table) || table->state == REPLICA_CATCHUP ? table : NULL;
}

/* Of how many journals is there more than in the replica that fell behind? */
static uint32_t
gain(const struct wire_table *theirs, const struct wire_table *ours)
{
	uint32_t n = 0;

	for (size_t i = 0; i < theirs->vector.n; i++)
		n += theirs->vector.entries[i].mark.seq >
		     vector_get(&ours->vector, theirs->vector.entries[i].origin).seq;
	return n;
}

/*
 * Begin at another peer each time, so that one bad source does not hold the table up for ever. A replica that fell behind takes the one
 * that has most of what it misses. Those that have nothing of it fell behind, too, and are no use while another may come. Neither is one
 * that catches up itself, which may begin again at any moment: unless it is alone in having what is missing.
 */
static struct peer *
any_source(struct link *link, const struct boot *boot, const struct wire_table *table)
{
	struct peer *best = NULL;
	uint32_t most = 0;
	bool all_up = true;

	for (uint32_t i = 0; i < link->options.n_peers; i++) {
		struct peer *peer = &link->peers[(i + boot->generation) % link->options.n_peers];
		const struct wire_table *theirs = serves(peer, boot->table);
		uint32_t n;

		all_up &= peer->state == PEER_UP;
		if (theirs == NULL)
			continue;
		if (table->rejoin != REJOIN_LOADING && readable(theirs))
			return peer;
		/* Behind the others, but before those of no use: the one that failed last. */
		n = table->rejoin != REJOIN_LOADING ? 0 : gain(theirs, table);
		n = n == 0 ? 1 : peer->region == boot->failed ? 2 : 2 + n;
		if (n > most) {
			most = n;
			best = peer;
		}
	}
	return most == 1 && !all_up ? NULL : best;
}

/* The peer that was asked before, with its snapshot; or one that has the table; or nobody yet. */
static void
choose(struct link *link, uint64_t now, struct boot *boot)
{
	const struct wire_table *table = loading(link, boot->table);
	const struct wire_boot *before = &table->boot;
	struct note_line *line;

	if (before->under_way) {
		struct peer *peer = link__peer(link, before->source);

		if (peer != NULL && peer->state == PEER_UP && before->cursor.n <= sizeof boot->cursor) {
			boot->source = peer;
			boot->snapshot = before->snapshot;
			boot->cursor_n = before->cursor.n;
			if (before->cursor.n > 0)
				memcpy(boot->cursor, before->cursor.at, before->cursor.n);
		} else if (now - boot->since > SOURCE_GONE_MS) {
			boot->since = now;
			move(boot, BOOT_RESTARTING);
			return;
		}
	} else {
		boot->source = any_source(link, boot, table);
	}
	boot->until = now + CHOOSE_MS;
	if (boot->source == NULL) {
		for (uint32_t i = 0; i < link->options.n_peers; i++)
			link__hello_soon(&link->peers[i], now); /* who has it? */
		return;
	}
	boot->since = boot->until = now;
	move(boot, BOOT_LOADING);
	line = link__note(link, NOTE_BOOT_START);
	line->table = boot->table;
	line->source = boot->source->region;
	snprintf(line->reason, sizeof line->reason, "%s", boot->snapshot != 0 ? "resumed" : "from the start");
}

static bool
next_piece(struct link *link, struct boot *boot, struct link_action *out)
{
	uint32_t slot = (uint32_t)(boot - link->boots);

	if (!boot->current.there && boot->ahead.there) {
		boot->current = boot->ahead;
		boot->ahead = (struct boot_piece){0};
	}
	if (boot->current.there && !boot->loading) {
		boot->loading = true;
		*out = (struct link_action){.kind = LINK_LOAD,
		    .source = boot->source->region,
		    .table = boot->table,
		    .payload = boot->current.payload,
		    .ticket = ticket_make(TICKET_LOAD, slot, boot->generation)};
		return true;
	}
	if (!boot->reading && !boot->ahead.there && !boot->read_all) {
		boot->reading = true;
		*out = (struct link_action){.kind = LINK_READ,
		    .source = boot->source->region,
		    .table = boot->table,
		    .snapshot = boot->snapshot,
		    .cursor = bytes_of(boot->cursor, boot->cursor_n),
		    .ticket = ticket_make(TICKET_READ, slot, boot->generation)};
		return true;
	}
	return false;
}

bool
link__boot_next(struct link *link, uint64_t now, struct boot *boot, struct link_action *out)
{
	if (now < boot->until)
		return false;
	switch (boot->state) {
	case BOOT_CHOOSE:
		if (link->states < boot->need_state)
			return false;
		if (loading(link, boot->table) == NULL) {
			link__boot_end(link, boot);
			return false;
		}
		choose(link, now, boot);
		return boot->state == BOOT_LOADING && next_piece(link, boot, out);
	case BOOT_LOADING:
		return next_piece(link, boot, out);
	case BOOT_RESTARTING:
		if (boot->restarting)
			return false;
		boot->restarting = true;
		*out = (struct link_action){.kind = LINK_BOOT,
		    .table = boot->table,
		    .restart = true,
		    .ticket = ticket_make(TICKET_BOOT, (uint32_t)(boot - link->boots), boot->generation)};
		return true;
	case BOOT_STATES:
		break;
	}
	return false;
}
