/*
 * Along each origin records are applied once and in order, with none left out; vectors never move back, not even in a crash; the
 * clocks of a journal grow.
 */
#include <stdlib.h>

#include "chaos/sim/registry.h"
#include "store/shard/shard_priv.h"

#define TABLES_MAX (WORLD_TABLES_MAX + 4)
#define ORIGINS_MAX 64

struct order_table {
	uint64_t id;
	enum replica_state state;
	enum table_rejoin rejoin;
	struct {
		struct jid origin;
		uint64_t seq;
	} at[ORIGINS_MAX];
	uint32_t n;
};

struct order {
	struct {
		struct jid journal;
		uint64_t own_clock;
		struct order_table tables[TABLES_MAX];
		uint32_t n;
	} regions[SIM_REGIONS_MAX + 1];
};

static struct order *
order_of(struct world *world)
{
	if (world->notes[NOTES_ORDER] == NULL &&
	    (world->notes[NOTES_ORDER] = calloc(1, sizeof(struct order))) == NULL)
		abort();
	return world->notes[NOTES_ORDER];
}

static struct order_table *
table_of(struct order *order, uint8_t region, uint64_t id, bool make)
{
	for (uint32_t i = 0; i < order->regions[region].n; i++)
		if (order->regions[region].tables[i].id == id)
			return &order->regions[region].tables[i];
	if (!make || order->regions[region].n == TABLES_MAX)
		return NULL;
	order->regions[region].tables[order->regions[region].n].id = id;
	return &order->regions[region].tables[order->regions[region].n++];
}

static uint64_t *
seq_of(struct order_table *table, struct jid origin)
{
	for (uint32_t i = 0; i < table->n; i++)
		if (jid_same(table->at[i].origin, origin))
			return &table->at[i].seq;
	if (table->n == ORIGINS_MAX)
		abort();
	table->at[table->n].origin = origin;
	table->at[table->n].seq = 0;
	return &table->at[table->n++].seq;
}

uint64_t
check_order_at(struct world *world, uint8_t region, uint64_t table, struct jid origin)
{
	struct order_table *at = table_of(order_of(world), region, table, false);

	return at == NULL ? 0 : *seq_of(at, origin);
}

bool
check_order_held(struct world *world, uint64_t table, struct jid origin, uint64_t seq)
{
	for (uint8_t r = 1; r <= world->plan.n_regions; r++)
		if (check_order_at(world, r, table, origin) >= seq)
			return true;
	return false;
}

void
check_order_wiped(struct world *world, uint8_t region)
{
	struct order *order = order_of(world);

	memset(&order->regions[region], 0, sizeof order->regions[region]);
}

/* Take over what the fold has. */
static void
copy(struct order_table *to, const struct table_fold *from)
{
	to->n = 0;
	to->state = from->state;
	to->rejoin = from->rejoin;
	to->rejoin = from->rejoin;
	for (size_t i = 0; i < from->vector.n; i++)
		*seq_of(to, from->vector.entries[i].origin) = from->vector.entries[i].mark.seq;
}

static void
began(struct world *world, uint8_t region)
{
	const struct fold *fold = &world_api(world, region)->shard->live;
	struct order *order = order_of(world);
	bool same = jid_same(order->regions[region].journal, fold->id);

	for (size_t i = 0; i < fold->n_tables; i++) {
		const struct table_fold *now = fold->tables[i];
		struct order_table *was = is_staged(now->id) ? NULL : table_of(order, region, now->id, true);

		if (was == NULL)
			continue;
		for (uint32_t k = 0;
		     same && replica_follows(was->state) && replica_follows(now->state) && k < was->n; k++)
			if (vector_get(&now->vector, was->at[k].origin).seq < was->at[k].seq)
				world_fail(world, "order",
				    "r%u had %llu of %08x in table %llx before it started again, and has "
				    "%llu",
				    region, (unsigned long long)was->at[k].seq, was->at[k].origin.v,
				    (unsigned long long)now->id,
				    (unsigned long long)vector_get(&now->vector, was->at[k].origin).seq);
		copy(was, now);
	}
	order->regions[region].journal = fold->id;
}

static void
one_record(struct world *world, uint8_t region, const struct unit *unit, struct jid origin,
    const struct record *record)
{
	struct order *order = order_of(world);
	struct order_table *table = table_of(order, region, record->table, true);
	uint64_t *at;

	if (table == NULL)
		return;
	at = seq_of(table, origin);
	if (replica_follows(table->state) && record->origin_prev.seq != *at && unit->kind == UNIT_REMOTE)
		world_fail(world, "order",
		    "r%u applies %llu of %08x in table %llx, which follows %llu, where it has %llu", region,
		    (unsigned long long)record->origin_seq, origin.v, (unsigned long long)record->table,
		    (unsigned long long)record->origin_prev.seq, (unsigned long long)*at);
	if (record->origin_seq <= *at)
		world_fail(world, "order", "r%u applies %llu of %08x in table %llx again", region,
		    (unsigned long long)record->origin_seq, origin.v, (unsigned long long)record->table);
	*at = record->origin_seq;
}

/* Along a journal clocks grow; the parts of a transaction share one. */
static void
own_record(struct world *world, uint8_t region, const struct record *record)
{
	struct order *order = order_of(world);
	bool later_part = record->n_parts > 0 && record->parts[0].origin_seq < record->origin_seq;

	if (record->version.clock.v <= order->regions[region].own_clock - (later_part ? 1 : 0))
		world_fail(world, "clock", "r%u writes with clock %llx after %llx", region,
		    (unsigned long long)record->version.clock.v,
		    (unsigned long long)order->regions[region].own_clock);
	order->regions[region].own_clock = record->version.clock.v;
}

/* A replica that was merged with a snapshot came forward without records, once; never back. */
static void
merged(struct world *world, uint8_t region, const struct unit *unit)
{
	const struct fold *fold = &world_api(world, region)->shard->live;
	struct note_walk walk = {unit->note};
	struct note note;

	while (unit->note.at != NULL && note_next(&walk, &world->scratch, &note) == TIDE_OK) {
		struct order_table *was = table_of(order_of(world), region, note.table, false);
		const struct table_fold *now = fold_table(fold, note.table);

		if (note.kind != NOTE_REJOIN || note.step != REJOIN_END || was == NULL)
			continue;
		for (uint32_t i = 0; i < was->n; i++)
			if (now != NULL && vector_get(&now->vector, was->at[i].origin).seq < was->at[i].seq)
				world_fail(world, "order", "r%u merged table %llx and went back in %08x",
				    region, (unsigned long long)note.table, was->at[i].origin.v);
		was->state = REPLICA_MERGING;
	}
}

static void
on_unit(struct world *world, uint8_t region, const struct unit *unit)
{
	struct jid own = shard_id(world_api(world, region)->shard);

	if (unit->kind == UNIT_LOCAL || unit->kind == UNIT_REMOTE)
		for (uint32_t i = 0; i < unit->n_records; i++) {
			one_record(world, region, unit, unit->origin, &unit->records[i]);
			if (unit->kind == UNIT_LOCAL)
				own_record(world, region, &unit->records[i]);
		}
	for (uint32_t i = 0; i < unit->n_entries; i++) {
		one_record(world, region, unit, own, &unit->entries[i]);
		own_record(world, region, &unit->entries[i]);
	}
	merged(world, region, unit);
}

/* What follows its origins moved by records only. */
static void
moved(struct world *world, uint8_t region)
{
	const struct fold *fold = &world_api(world, region)->shard->live;
	struct order *order = order_of(world);

	if (!jid_same(order->regions[region].journal, fold->id))
		check_order_wiped(world, region);
	order->regions[region].journal = fold->id;
	for (size_t i = 0; i < fold->n_tables; i++) {
		const struct table_fold *now = fold->tables[i];
		struct order_table *was = is_staged(now->id) ? NULL : table_of(order, region, now->id, true);

		if (was == NULL)
			continue;
		for (size_t k = 0;
		     replica_follows(was->state) && replica_follows(now->state) && k < now->vector.n; k++)
			if (now->vector.entries[k].mark.seq != *seq_of(was, now->vector.entries[k].origin))
				world_fail(world, "order",
				    "r%u has %llu of %08x in table %llx, and the last record that came was "
				    "%llu",
				    region, (unsigned long long)now->vector.entries[k].mark.seq,
				    now->vector.entries[k].origin.v, (unsigned long long)now->id,
				    (unsigned long long)*seq_of(was, now->vector.entries[k].origin));
		copy(was, now);
	}
}

const struct sim_check check_order = {.name = "order", .began = began, .unit = on_unit, .moved = moved};
