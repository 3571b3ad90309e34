/*
 * Sending records of one origin: a reader of the journal that picks what the peer does not have and wraps it as it travelled
 * (or, for the conflict log's entries inside units of other journals, as a unit of its own).
 */
#include "store/shard/ship.h"

#include <stdlib.h>

#include "store/shard/shard_priv.h"

struct ship {
	struct shard *shard;
	struct jid origin;
	bool own;
	struct journal *journal;
	struct journal_reader *reader;
	struct ship_table *tables;
	uint64_t *ids;
	uint32_t n;
	struct mark upto; /* complete to here, so far */
	uint64_t passed; /* the journal's sequence that the reader has passed */
	uint64_t opened; /* the journal's last sequence when the tables were looked at */
	struct arena arena;
};

void
ship_close(struct ship *ship)
{
	if (ship == NULL)
		return;
	journal_reader_close(ship->reader);
	arena_fini(&ship->arena);
	free(ship->tables);
	free(ship->ids);
	free(ship);
}

const uint64_t *
ship_tables(const struct ship *ship, uint32_t *n)
{
	*n = ship->n;
	return ship->ids;
}

static bool
relays(enum replica_state state)
{
	return state == REPLICA_ACTIVE || state == REPLICA_LEAVING;
}

/*
 * May this region send that origin's records of that table beyond `after` to somebody who stands at `from`? Called with the lock
 * held. A floor names a place in the origin's journal; who stands there needs nothing below, however old the table's last record is.
 */
static tide_err
check_table(const struct shard *shard, struct jid origin, const struct ship_table *wanted, uint64_t from)
{
	const struct table_fold *table = fold_table(&shard->live, wanted->table);
	uint64_t floor = table != NULL ? vector_get(&table->floor, origin).seq : 0;

	if (wanted->after == SHIP_NOTHING)
		return TIDE_OK;
	/*
	 * A relay without the table would pass over its records, and the receiver's history would have holes. Our own are in our
	 * journal, whatever became of our replica, down to what was trimmed.
	 */
	if (!jid_same(origin, shard->live.id) && (table == NULL || !relays(table->state)))
		return TIDE_NOTFOUND;
	return wanted->after < floor && from < floor ? TIDE_NOTFOUND : TIDE_OK;
}

/* What is below the journal's first sequence is below the floors too, which were asked already. */
static uint64_t
find_start(const struct ship *ship, uint64_t from)
{
	uint64_t first = journal_first_seq(ship->journal);
	uint64_t start = ship->own ? from + 1 : journal_seek_origin(ship->journal, ship->origin, from);

	return start < first ? first : start;
}

tide_err
ship_open(struct shard *shard, struct jid origin, const struct ship_table *tables, uint32_t n, uint64_t from,
    struct ship **out, uint64_t *floor_table)
{
	struct ship *ship = calloc(1, sizeof *ship);
	struct tide_error error;
	uint64_t start;
	tide_err rc = TIDE_OK;

	if (ship == NULL)
		return TIDE_NOMEM;
	ship->shard = shard;
	ship->origin = origin;
	arena_init(&ship->arena, 0);
	ship->tables = malloc((n + 1) * sizeof *ship->tables);
	ship->ids = malloc((n + 1) * sizeof *ship->ids);
	if (ship->tables == NULL || ship->ids == NULL)
		rc = TIDE_NOMEM;
	pthread_mutex_lock(&shard->lock);
	ship->own = jid_same(origin, shard->live.id);
	ship->journal = shard->journal;
	ship->opened = shard->live.last_seq;
	/* What is on disk may have been sent before it was visible here. */
	if (ship->own && from > journal_last_seq(ship->journal))
		rc = TIDE_FORKED; /* the peer has records of ours that we do not have */
	for (; ship->n < n && rc == TIDE_OK; ship->n++) {
		ship->tables[ship->n] = tables[ship->n];
		ship->ids[ship->n] = tables[ship->n].table;
		if ((rc = check_table(shard, origin, &tables[ship->n], from)) != TIDE_OK &&
		    floor_table != NULL)
			*floor_table = tables[ship->n].table;
	}
	pthread_mutex_unlock(&shard->lock);
	if (rc == TIDE_OK) {
		start = find_start(ship, from);
		ship->upto.seq = from;
		ship->passed = start - 1;
		rc = journal_reader_open(ship->journal, start, &ship->reader, &error);
	}
	if (rc != TIDE_OK) {
		ship_close(ship);
		return rc;
	}
	*out = ship;
	return TIDE_OK;
}

static struct ship_table *
wanted(const struct ship *ship, const struct record *record)
{
	for (uint32_t i = 0; i < ship->n; i++)
		if (ship->ids[i] == record->table)
			return record->origin_seq > ship->tables[i].after ? &ship->tables[i] : NULL;
	return NULL;
}

/* Append the wanted ones of these records as one unit, if there are any. */
static tide_err
append_unit(struct ship *ship, const struct vector *seen, struct record *records, uint32_t n, struct buf *out,
    struct ship_batch *batch)
{
	struct unit unit = {.kind = UNIT_LOCAL, .origin = ship->origin, .seen = *seen, .first_seq = 1};
	size_t at = out->n;
	tide_err rc;

	unit.records = records;
	for (uint32_t i = 0; i < n; i++)
		if (wanted(ship, &records[i]) != NULL)
			records[unit.n_records++] = records[i];
	if (unit.n_records == 0)
		return TIDE_OK;
	buf_append_u32(out, 0);
	unit_encode_wire(&unit, out);
	if ((rc = buf_check(out)) != TIDE_OK)
		return rc;
	for (int i = 0; i < 4; i++)
		out->at[at + (size_t)i] = (uint8_t)((out->n - at - 4) >> 8 * (3 - i));
	batch->n_units++;
	batch->n_records += unit.n_records;
	return TIDE_OK;
}

/* A replica that goes, or that is brought forward by what was no record. */
static bool
breaks_off(const struct note *note)
{
	return (note->kind == NOTE_STATE && !relays(note->state)) ||
	       (note->kind == NOTE_REJOIN && (note->step == REJOIN_MERGE || note->step == REJOIN_END));
}

/* A relay whose replica went passes over that table's records from here on, even if a new one has come since. */
static tide_err
check_notes(struct ship *ship, const struct unit *unit)
{
	struct note_walk walk = {unit->note};
	struct note note;
	tide_err rc;

	if (ship->own || unit->note.at == NULL || unit_last_seq(unit) <= ship->opened)
		return TIDE_OK;
	while ((rc = note_next(&walk, &ship->arena, &note)) == TIDE_OK)
		for (uint32_t i = 0; breaks_off(&note) && i < ship->n; i++)
			if (ship->ids[i] == note.table && ship->tables[i].after != SHIP_NOTHING)
				return TIDE_GAP;
	return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
}

static struct mark
mark_of(const struct record *record)
{
	return (struct mark){record->origin_seq, record->version.clock};
}

static tide_err
send_unit(struct ship *ship, struct unit *unit, struct buf *out, struct ship_batch *batch)
{
	struct mark last = {0};
	tide_err rc = check_notes(ship, unit);

	if (rc != TIDE_OK)
		return rc;
	if (ship->own && unit->kind == UNIT_LOCAL) {
		if (unit->n_records > 0)
			last = mark_of(&unit->records[unit->n_records - 1]);
		rc = append_unit(ship, &unit->seen, unit->records, unit->n_records, out, batch);
	} else if (ship->own && unit->n_entries > 0) {
		last = mark_of(&unit->entries[unit->n_entries - 1]);
		rc = append_unit(ship, &unit->entries_seen, unit->entries, unit->n_entries, out, batch);
	} else if (!ship->own && unit->kind == UNIT_REMOTE && jid_same(unit->origin, ship->origin) &&
		   unit->n_records > 0) {
		last = mark_of(&unit->records[unit->n_records - 1]);
		rc = append_unit(ship, &unit->seen, unit->records, unit->n_records, out, batch);
	}
	if (last.seq > ship->upto.seq)
		ship->upto.seq = last.seq;
	ship->upto.clock = hlc_max(ship->upto.clock, last.clock);
	ship->passed = unit_last_seq(unit);
	return rc;
}

static tide_err
copy_told(const struct fold *live, struct arena *arena, struct ship_batch *batch)
{
	batch->told = arena_calloc(arena, (live->n_tables + 1) * sizeof *batch->told);
	if (batch->told == NULL)
		return TIDE_NOMEM;
	for (size_t i = 0; i < live->n_tables; i++) {
		const struct table_fold *table = live->tables[i];
		struct told_table *told = &batch->told[batch->n_told];

		if (!table->shared)
			continue;
		told->table = table->id;
		told->state = table->state;
		if (table->vector.n > 0) {
			size_t size = table->vector.n * sizeof *table->vector.entries;

			if ((told->vector.entries = arena_alloc(arena, size)) == NULL)
				return TIDE_NOMEM;
			memcpy(told->vector.entries, table->vector.entries, size);
			told->vector.n = told->vector.room = table->vector.n;
		}
		batch->n_told++;
	}
	return TIDE_OK;
}

/* The reader is at the end of what is on disk: how far is that complete, and what may be promised? */
static tide_err
at_end(struct ship *ship, struct arena *arena, struct ship_batch *batch)
{
	const struct fold *live = &ship->shard->live;
	tide_err rc = TIDE_OK;

	batch->at_end = true;
	pthread_mutex_lock(&ship->shard->lock);
	/* Behind what is published we may be a unit ahead (on disk, not yet visible): then promise next time. */
	if (ship->passed == live->last_seq && ship->journal == ship->shard->journal) {
		if (ship->own) {
			struct mark own = fold_own_last(live);

			ship->upto.seq = own.seq > ship->upto.seq ? own.seq : ship->upto.seq;
			ship->upto.clock = hlc_max(ship->upto.clock, own.clock);
			batch->tells = true;
			batch->promise = live->own_clock;
			rc = copy_told(live, arena, batch);
		} else {
			struct mark mark = vector_get(&live->position, ship->origin);

			if (mark.seq > ship->upto.seq)
				ship->upto.seq = mark.seq;
			ship->upto.clock = hlc_max(ship->upto.clock, mark.clock);
		}
	}
	pthread_mutex_unlock(&ship->shard->lock);
	return rc;
}

tide_err
ship_next(struct ship *ship, size_t bytes_max, struct arena *arena, struct buf *out, struct ship_batch *batch,
    struct tide_error *error)
{
	struct bytes payload;
	uint64_t last;
	tide_err rc = TIDE_OK;

	*batch = (struct ship_batch){.base = ship->upto};
	while (out->n < bytes_max) {
		struct unit unit;

		if ((rc = journal_reader_next(ship->reader, &payload, NULL, error)) != TIDE_OK) {
			if (rc == TIDE_CORRUPT)
				shard__journal_damaged(ship->shard, error->message);
			break;
		}
		if ((rc = unit_decode(&ship->arena, payload, &unit, error)) == TIDE_OK)
			rc = send_unit(ship, &unit, out, batch);
		arena_reset(&ship->arena);
		if (rc != TIDE_OK)
			return tide_fail(error, rc, "reading the journal for a peer: %s", tide_err_text(rc));
	}
	if (rc == TIDE_NOTFOUND)
		rc = at_end(ship, arena, batch);
	if (rc != TIDE_OK)
		return rc;
	last = journal_last_seq(ship->journal);
	batch->behind = last > ship->passed ? last - ship->passed : 0;
	batch->upto = ship->upto;
	return TIDE_OK;
}
