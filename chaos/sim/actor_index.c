/*
 * Secondary indexes come and go, as UpdateTable makes and deletes them: by the table's facts, which every region follows for itself. Most come
 * to tables with items, so that they are backfilled while everything else goes on; a piece of a backfill is one item here.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/index_align.h"
#include "api/membership.h"
#include "chaos/sim/registry.h"

#define NAMES 3 /* they come again, with other ids */

struct change {
	uint64_t table, id;
	uint32_t kind;
	char name[8];
};

static struct key_attribute
attribute(const char *name, enum value_type type)
{
	return (struct key_attribute){bytes_of_string(name), type};
}

/* What client_image_until writes: some items have all of it, some have not. */
static struct table_index
describe(const struct change *change)
{
	struct table_index index = {.id = change->id,
	    .name = bytes_of_string(change->name),
	    .n_partitions = 1,
	    .n_sorts = change->kind % 2,
	    .projection = (enum index_projection)(change->kind / 2 % 3)};

	index.partitions[0] = attribute("kind", VALUE_S);
	index.sorts[0] = attribute("write", VALUE_N);
	if (index.projection == INDEX_INCLUDE)
		index.includes[index.n_includes++] = BYTES_LITERAL("expires");
	return index;
}

/* The table's facts as the group has them by now. */
static tide_err
align(struct region *api, struct group *group, uint64_t id)
{
	const struct table *table = NULL;
	tide_err rc = catalog_read(api->catalog, group, id, &table);

	if (rc == TIDE_OK)
		rc = index_align_group(group, table);
	table_release(table);
	return rc;
}

static tide_err
change_run(struct world *world, uint8_t region, struct group *group, void *arg, struct tide_error *error)
{
	struct region *api = world_api(world, region);
	const struct change *change = arg;
	struct table_index index = describe(change);
	const struct table *table = NULL;
	bool add = false;
	tide_err rc;

	if ((rc = catalog_read(api->catalog, group, change->table, &table)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if (table->deleted || !table->here)
		rc = TIDE_RESOURCE_NOT_FOUND;
	else if ((add = table_index_find(table, index.name) == NULL))
		rc = catalog_write_index(api->catalog, group, table, &index);
	else
		rc = catalog_write_index_deleted(group, table, index.name);
	table_release(table);
	if (rc == TIDE_OK && shard_table_state(api->shard, change->table) == REPLICA_ACTIVE)
		rc = align(api, group, change->table);
	if (rc == TIDE_OK && add)
		world->counters.indexes_made++;
	else if (rc == TIDE_OK)
		world->counters.indexes_deleted++;
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static void
act(struct world *world, uint8_t region)
{
	const struct world_table *table = world_any_table(world);
	struct region *api = world_api(world, region);
	struct change *change;

	if (!world->plan.indexes || table == NULL || api == NULL || !region_may_write(api) ||
	    (change = calloc(1, sizeof *change)) == NULL)
		return;
	change->table = table->id;
	change->id = ++world->indexes_named;
	change->kind = rng_below(&world->rng, 6);
	snprintf(change->name, sizeof change->name, "i%u", rng_below(&world->rng, NAMES));
	world_tell(world, "r%u: makes or deletes index %s of table %llx", region, change->name,
	    (unsigned long long)table->id);
	client_submit(world, region, "UpdateTable", change_run, change);
}

const struct sim_actor actor_index = {"index", 10, act};
