#include "chaos/sim/ledger.h"

#include <stdlib.h>

#include "chaos/sim/world.h"
#include "store/shard/fold.h"

void
ledger_fini(struct ledger *ledger)
{
	for (uint32_t i = 1; i <= ledger->n; i++)
		free(ledger->writes[i].seen);
	free(ledger->writes);
	free(ledger->places);
	*ledger = (struct ledger){0};
}

static struct place *
place_of(struct ledger *ledger, uint64_t table, uint8_t key)
{
	for (uint32_t i = 0; i < ledger->n_places; i++)
		if (ledger->places[i].table == table && ledger->places[i].key == key)
			return &ledger->places[i];
	if (ledger->n_places == ledger->places_room) {
		uint32_t room = ledger->places_room == 0 ? 32 : ledger->places_room * 2;
		struct place *places = realloc(ledger->places, room * sizeof *places);

		if (places == NULL)
			return NULL;
		ledger->places = places;
		ledger->places_room = room;
	}
	ledger->places[ledger->n_places] = (struct place){table, key, 0};
	return &ledger->places[ledger->n_places++];
}

/* The vectors of all readable tables, flat. */
static bool
note_seen(struct write *write, const struct fold *fold)
{
	uint32_t n = 0;

	for (size_t i = 0; i < fold->n_tables; i++)
		n += (uint32_t)fold->tables[i]->vector.n;
	if ((write->seen = calloc(n + 1, sizeof *write->seen)) == NULL)
		return false;
	for (size_t i = 0; i < fold->n_tables; i++) {
		const struct table_fold *table = fold->tables[i];

		if (table->state != REPLICA_ACTIVE || table_is_own(table->id))
			continue;
		for (size_t k = 0; k < table->vector.n; k++)
			write->seen[write->n_seen++] = (struct seen){
			    table->id, table->vector.entries[k].origin, table->vector.entries[k].mark.seq};
	}
	return true;
}

uint64_t
write_saw(const struct write *write, uint64_t table, struct jid origin)
{
	for (uint32_t i = 0; i < write->n_seen; i++)
		if (write->seen[i].table == table && jid_same(write->seen[i].origin, origin))
			return write->seen[i].seq;
	return 0;
}

struct write *
ledger_add(struct ledger *ledger, const struct fold *fold, uint8_t region, uint64_t table, uint8_t key,
    uint64_t seq, struct version version, bool tombstone)
{
	const struct table_fold *at = fold_table(fold, table);
	struct write *write, *before;
	struct place *place;

	if (ledger->n + 1 >= ledger->room) {
		uint32_t room = ledger->room == 0 ? 256 : ledger->room * 2;
		struct write *writes = realloc(ledger->writes, room * sizeof *writes);

		if (writes == NULL)
			return NULL;
		ledger->writes = writes;
		ledger->room = room;
	}
	if ((place = place_of(ledger, table, key)) == NULL)
		return NULL;
	write = &ledger->writes[ledger->n + 1];
	*write = (struct write){.id = ledger->n + 1,
	    .table = table,
	    .key = key,
	    .region = region,
	    .tombstone = tombstone,
	    .version = version,
	    .seq = seq,
	    .fate = WRITE_PENDING,
	    .next = place->last};
	before = ledger_winner(ledger, table, key, &at->vector);
	write->before = before == NULL ? 0 : before->id;
	if (!note_seen(write, fold))
		return NULL;
	place->last = ++ledger->n;
	return write;
}

struct write *
ledger_last(const struct ledger *ledger, uint64_t table, uint8_t key)
{
	for (uint32_t i = 0; i < ledger->n_places; i++)
		if (ledger->places[i].table == table && ledger->places[i].key == key)
			return ledger->places[i].last == 0 ? NULL : &ledger->writes[ledger->places[i].last];
	return NULL;
}

struct write *
ledger_next(const struct ledger *ledger, const struct write *write)
{
	return write->next == 0 ? NULL : &ledger->writes[write->next];
}

struct write *
ledger_winner(const struct ledger *ledger, uint64_t table, uint8_t key, const struct vector *vector)
{
	struct write *best = NULL;

	for (struct write *w = ledger_last(ledger, table, key); w != NULL; w = ledger_next(ledger, w))
		if (write_counts(w) && vector_get(vector, w->version.origin).seq >= w->seq &&
		    (best == NULL || version_compare(best->version, w->version) < 0))
			best = w;
	return best;
}

struct write *
ledger_of_version(const struct ledger *ledger, uint64_t table, uint8_t key, struct version version)
{
	struct write *write = ledger_last(ledger, table, key);

	while (write != NULL && (!write_counts(write) || version_compare(write->version, version) != 0))
		write = ledger_next(ledger, write);
	return write;
}

struct write *
ledger_by_version(const struct ledger *ledger, uint64_t table, struct version version)
{
	for (uint32_t i = ledger->n; i > 0; i--) {
		struct write *w = &ledger->writes[i];

		if (w->table == table && write_counts(w) && version_compare(w->version, version) == 0)
			return w;
	}
	return NULL;
}

bool
ledger_in_journal(struct journal *disk, const struct write *write)
{
	struct journal_reader *reader;
	struct bytes payload;
	struct arena arena;
	struct unit unit;
	struct buf image = {0}, key = {0};
	bool there = false;

	if (journal_reader_open(disk, write->seq, &reader, NULL) != TIDE_OK)
		return false;
	arena_init(&arena, 0);
	client_image_until(write->key, write->id, write->expires_s, &image);
	client_key(write->key, &key);
	if (journal_reader_next(reader, &payload, NULL, NULL) == TIDE_OK &&
	    unit_decode(&arena, payload, &unit, NULL) == TIDE_OK && unit.kind == UNIT_LOCAL)
		for (uint32_t i = 0; i < unit.n_records; i++)
			/* Of two that failed one after the other, when the clock stands still, number and version are the same. */
			there |= unit.records[i].seq == write->seq && unit.records[i].table == write->table &&
				 bytes_equal(unit.records[i].key, buf_bytes(&key)) &&
				 version_compare(unit.records[i].version, write->version) == 0 &&
				 (write->tombstone ? unit.records[i].tombstone
						   : bytes_equal(unit.records[i].image, buf_bytes(&image)));
	arena_fini(&arena);
	journal_reader_close(reader);
	buf_fini(&key);
	buf_fini(&image);
	return there;
}

void
ledger_recovered(struct ledger *ledger, struct jid journal, struct journal *disk)
{
	for (uint32_t i = ledger->n; i > 0; i--) {
		struct write *w = &ledger->writes[i];

		if (jid_same(w->version.origin, journal) && w->fate == WRITE_UNKNOWN)
			w->fate = ledger_in_journal(disk, w) ? WRITE_FOUND : WRITE_VOID;
	}
}

void
ledger_journal_lost(struct ledger *ledger, struct jid journal)
{
	for (uint32_t i = ledger->n; i > 0; i--) {
		struct write *w = &ledger->writes[i];

		if (!jid_same(w->version.origin, journal))
			continue;
		if (w->fate == WRITE_UNKNOWN)
			w->fate = WRITE_VOID;
		else if (w->fate != WRITE_VOID)
			w->fate = WRITE_LOST;
	}
}
