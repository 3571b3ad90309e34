/* What operators do with tables, as CreateTable, UpdateTable and DeleteTable do it. */
#include <stdio.h>
#include <stdlib.h>

#include "api/membership.h"
#include "api/ops/table_update.h"
#include "chaos/sim/world.h"

/* --- CreateTable --- */

struct make {
	char name[24];
	uint64_t id;
};

static struct table *
describe(struct world *world, const struct make *make)
{
	struct table *table = table_new();

	if (table == NULL)
		return NULL;
	table->id = make->id;
	snprintf(table->name, sizeof table->name, "%s", make->name);
	table->attributes = arena_calloc(&table->arena, sizeof *table->attributes);
	if (table->attributes == NULL) {
		table_release(table);
		return NULL;
	}
	table->partition = table->attributes[0] = (struct key_attribute){BYTES_LITERAL("id"), VALUE_S};
	table->n_attributes = 1;
	table->on_demand = true;
	table->created_ms = WORLD_EPOCH_MS + world->now_ms;
	table->status = TABLE_ACTIVE;
	table->here = true;
	return table;
}

static tide_err
make_run(struct world *world, uint8_t region, struct group *group, void *arg, struct tide_error *error)
{
	const struct make *make = arg;
	struct table *table;
	tide_err rc;

	if ((table = describe(world, make)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	if ((rc = catalog_write_new(world_api(world, region)->catalog, group, table, error)) == TIDE_OK) {
		if ((rc = group_table_state(group, table->id, REPLICA_ACTIVE)) != TIDE_OK)
			tide_fail(error, rc, NULL);
	}
	table_release(table);
	if (rc == TIDE_OK && world->n_tables < WORLD_TABLES_MAX) {
		struct world_table *made = &world->tables[world->n_tables++];

		made->id = make->id;
		snprintf(made->name, sizeof made->name, "%s", make->name);
		world->counters.tables_made++;
	}
	return rc;
}

void
client_make_table(struct world *world, uint8_t region, const char *name)
{
	struct make *make = world->n_tables + 1 >= WORLD_TABLES_MAX ? NULL : calloc(1, sizeof *make);
	struct region *api = world_api(world, region);
	char what[64];

	if (make == NULL || api == NULL || !region_may_write(api)) {
		free(make);
		return;
	}
	snprintf(make->name, sizeof make->name, "%s", name);
	make->id = 1000 + ++world->tables_named;
	snprintf(what, sizeof what, "creates %s as table %llx", name, (unsigned long long)make->id);
	world_tell(world, "r%u: %s", region, what);
	client_submit(world, region, "CreateTable", make_run, make);
}

/* --- UpdateTable --- */

struct change {
	uint64_t table;
	char target[64];
	bool add;
};

static tide_err
change_run(struct world *world, uint8_t region, struct group *group, void *arg, struct tide_error *error)
{
	struct region *api = world_api(world, region);
	const struct change *change = arg;
	struct table_update update = {.action = change->add ? REPLICA_CREATE : REPLICA_DELETE,
	    .region = bytes_of_string(change->target),
	    .now_ms = WORLD_EPOCH_MS + world->now_ms};
	const struct table *table = NULL;
	tide_err rc;

	if ((rc = catalog_read(api->catalog, group, change->table, &table)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if (table->deleted || !table->here)
		rc = tide_fail(error, TIDE_RESOURCE_NOT_FOUND, NULL);
	else
		rc = table_update_apply(api, group, (struct table *)table, &update, error);
	table_release(table);
	if (rc == TIDE_OK) {
		world->counters.replicas_added += change->add;
		world->counters.replicas_removed += !change->add;
	}
	return rc;
}

void
client_change_replica(
    struct world *world, uint8_t region, const struct world_table *table, uint8_t target, bool add)
{
	struct region *api = world_api(world, region);
	struct change *change;

	if (api == NULL || !region_may_write(api) || (change = calloc(1, sizeof *change)) == NULL)
		return;
	change->table = table->id;
	for (uint32_t i = 0; i < api->config.replication.n_peers; i++)
		if (api->config.replication.peers[i].number == target)
			snprintf(change->target, sizeof change->target, "%s",
			    api->config.replication.peers[i].region);
	change->add = add;
	world_tell(world, "r%u: %s a replica of %s (table %llx) in r%u", region,
	    add ? "wants" : "wants no more", table->name, (unsigned long long)table->id, target);
	client_submit(world, region, "UpdateTable", change_run, change);
}

/* --- DeleteTable --- */

static bool
others_stay(const struct region *api, const struct table *table)
{
	for (uint32_t i = 0; i < table->n_replicas; i++) {
		const struct replica *r = &table->replicas[i];

		if (strcmp(r->region, api->config.region) != 0 && r->wanted &&
		    r->status != TABLE_CREATION_FAILED)
			return true;
	}
	return false;
}

static tide_err
delete_run(struct world *world, uint8_t region, struct group *group, void *arg, struct tide_error *error)
{
	struct region *api = world_api(world, region);
	uint64_t id = *(uint64_t *)arg;
	enum replica_state state = shard_table_state(api->shard, id);
	const struct table *table = NULL;
	tide_err rc;

	if ((rc = catalog_read(api->catalog, group, id, &table)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if (table->deleted || !table->here)
		rc = tide_fail(error, TIDE_RESOURCE_NOT_FOUND, NULL);
	else if (others_stay(api, table))
		rc = tide_fail(error, TIDE_RESOURCE_IN_USE, "other replicas stay");
	else if (state == REPLICA_ABSENT || (rc = group_table_state(group, id, REPLICA_ABSENT)) == TIDE_OK)
		rc = catalog_write_deleted(api->catalog, group, table);
	table_release(table);
	if (rc == TIDE_OK) {
		/* It counts as deleted from here on even if this is not acknowledged: nobody may rely on it. */
		for (uint32_t i = 0; i < world->n_tables; i++)
			if (world->tables[i].id == id)
				world->tables[i].deleted = true;
		world->counters.tables_deleted++;
		return TIDE_OK;
	}
	return error->code == rc ? rc : tide_fail(error, rc, NULL);
}

void
client_delete_table(struct world *world, uint8_t region, struct world_table *table)
{
	struct region *api = world_api(world, region);
	uint64_t *id;

	if (api == NULL || !region_may_write(api) || (id = calloc(1, sizeof *id)) == NULL)
		return;
	*id = table->id;
	world_tell(world, "r%u: deletes %s (table %llx)", region, table->name, (unsigned long long)table->id);
	client_submit(world, region, "DeleteTable", delete_run, id);
}
