/*
 * At every moment each index of each table is what the table's items make it, in every region, and its totals are the sums; when all has settled
 * each region has the indexes that the facts say, complete, with an entry for each item that has their keys.
 */
#include <stdio.h>
#include <stdlib.h>

#include "chaos/sim/registry.h"
#include "store/shard/check.h"
#include "store/shard/shard_priv.h"

struct indexes {
	uint64_t seq[SIM_REGIONS_MAX + 1]; /* of the state that was looked at last */
};

static struct indexes *
indexes_of(struct world *world)
{
	if (world->notes[NOTES_INDEX] == NULL &&
	    (world->notes[NOTES_INDEX] = calloc(1, sizeof(struct indexes))) == NULL)
		abort();
	return world->notes[NOTES_INDEX];
}

struct wrong {
	struct world *world;
	uint8_t region;
};

static void
report(void *arg, const char *fault)
{
	struct wrong *wrong = arg;

	world_fail(wrong->world, "index", "r%u: %s", wrong->region, fault);
}

static void
check_all(struct world *world, uint8_t region)
{
	struct shard *shard = world_api(world, region)->shard;
	struct wrong wrong = {world, region};
	uint64_t faults;

	for (size_t t = 0; t < shard->live.n_tables; t++)
		for (uint32_t i = 0; i < shard->live.tables[t]->n_indexes && !world_failed(world); i++)
			if (shard_index_check(shard, shard->live.tables[t]->id,
				shard->live.tables[t]->indexes[i].def.id, report, &wrong, &faults) != TIDE_OK)
				report(&wrong, "an index cannot be read");
}

static void
began(struct world *world, uint8_t region)
{
	indexes_of(world)->seq[region] = 0;
	check_all(world, region);
}

static void
moved(struct world *world, uint8_t region)
{
	struct shard *shard = world_api(world, region)->shard;
	struct indexes *indexes = indexes_of(world);

	if (shard->torn || shard->live.last_seq == indexes->seq[region])
		return;
	indexes->seq[region] = shard->live.last_seq;
	check_all(world, region);
}

/* Do the shard's indexes of a table still differ from the facts', or is one not complete? */
static bool
table_pending(struct region *api, const struct table *table)
{
	struct index_view view;
	struct arena arena;
	struct index_view *all;
	uint32_t n = 0;
	bool pending = false;

	if (table->built_in || table->deleted || shard_table_state(api->shard, table->id) != REPLICA_ACTIVE)
		return false;
	for (uint32_t i = 0; i < table->n_indexes; i++)
		pending |= shard_index_view(api->shard, table->id, table->indexes[i].id, &view) != TIDE_OK ||
			   view.state != INDEX_COMPLETE;
	arena_init(&arena, 0);
	if (shard_index_views(api->shard, &arena, table->id, &all, &n) != TIDE_OK)
		n = 0;
	arena_fini(&arena);
	return pending || n != table->n_indexes;
}

bool
index_pending(struct world *world, char *why, size_t room)
{
	for (uint8_t r = 1; r <= world->plan.n_regions; r++) {
		struct region *api = world_api(world, r);
		const struct table **tables;
		uint32_t n;

		arena_reset(&world->scratch);
		if (catalog_all(api->catalog, &world->scratch, &tables, &n) != TIDE_OK)
			return true;
		for (uint32_t i = 0; i < n; i++) {
			if (why[0] == 0 && table_pending(api, tables[i]))
				snprintf(why, room,
				    "r%u's indexes of table %llx are not yet what the facts say", r,
				    (unsigned long long)tables[i]->id);
			table_release(tables[i]);
		}
		if (why[0] != 0)
			return true;
	}
	return false;
}

/* By the values, not by what makes entries: how many items have what the index wants. */
static uint64_t
count(struct world *world, struct shard *shard, uint64_t table, const struct index_def *def)
{
	struct shard_scan_range range = {.table = table};
	struct shard_scan *scan;
	struct stored stored;
	struct bytes key;
	uint64_t n = 0;

	if (shard_scan_open(shard, &range, &scan) != TIDE_OK)
		return UINT64_MAX;
	while (shard_scan_next(scan, &key, &stored) == TIDE_OK) {
		const struct value *partition, *sort;
		struct value item;

		arena_reset(&world->scratch);
		if (value_decode(&world->scratch, stored.image, &item) != TIDE_OK)
			continue;
		partition = value_map_get(&item, def->partitions[0].name);
		sort = def->n_sorts > 0 ? value_map_get(&item, def->sorts[0].name) : partition;
		n += partition != NULL && sort != NULL;
	}
	shard_scan_close(scan);
	return n;
}

static void
settled(struct world *world)
{
	for (uint8_t r = 1; r <= world->plan.n_regions && !world_failed(world); r++) {
		struct shard *shard = world_api(world, r)->shard;

		check_all(world, r);
		for (size_t t = 0; t < shard->live.n_tables; t++) {
			const struct table_fold *table = shard->live.tables[t];

			for (uint32_t i = 0; i < table->n_indexes && !world_failed(world); i++) {
				uint64_t n = count(world, shard, table->id, &table->indexes[i].def);

				if (table->indexes[i].state == INDEX_COMPLETE && n != table->indexes[i].items)
					world_fail(world, "index",
					    "r%u, table %llx: %llu items for an index, which has %llu "
					    "entries",
					    r, (unsigned long long)table->id, (unsigned long long)n,
					    (unsigned long long)table->indexes[i].items);
				world->counters.indexes_seen += table->indexes[i].items > 0;
			}
		}
	}
}

const struct sim_check check_index = {.name = "index", .began = began, .moved = moved, .settled = settled};
