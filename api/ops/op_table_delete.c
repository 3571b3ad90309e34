#include "api/membership.h"
#include "api/ops/index_update.h"
#include "api/ops/table_describe.h"

/*
 * A regional table, and the last replica of a global one, goes at once and for ever. A replica whose table lives on in other regions
 * goes as UpdateTable's Delete would remove it: it refuses writes, and leaves when the others hold all that it holds.
 */
struct delete
{
	struct commit_op op;
	struct request *request;
	uint64_t id;
	const struct table *table; /* as it was before, for the answer */
	struct table_sight sight;
};

static bool
others_stay(const struct region *region, const struct table *table)
{
	for (uint32_t i = 0; i < table->n_replicas; i++) {
		const struct replica *r = &table->replicas[i];

		if (strcmp(r->region, region->config.region) != 0 && r->wanted &&
		    r->status != TABLE_CREATION_FAILED)
			return true;
	}
	return false;
}

static tide_err
delete_check(struct delete *delete, const struct table *table, enum replica_state state, bool stay,
    struct tide_error *error)
{
	const char *name = delete->table->name;
	const struct table_index *building;

	if (table->deleted || !table->here)
		return table_not_found(bytes_of_string(name), error);
	if (table->deletion_protection)
		return tide_fail(error, TIDE_VALIDATION,
		    "Resource cannot be deleted as it is currently protected against deletion. Disable "
		    "deletion protection first.");
	if (index_is_building(delete->request->region->shard, table, &building))
		return tide_fail(error, TIDE_RESOURCE_IN_USE,
		    "Attempt to change a resource which is still in use: Cannot delete table while indexes "
		    "are "
		    "being created, updated, or deleted.");
	if (stay && state != REPLICA_ACTIVE && state != REPLICA_LEAVING)
		return tide_fail(error, TIDE_RESOURCE_IN_USE,
		    "Attempt to change a resource which is still in use: Table is being created: %s", name);
	for (uint32_t i = 0; stay && i < table->n_replicas; i++) {
		/* It may be loading from here, and cannot let this replica go before it is done. */
		if (table->replicas[i].status == TABLE_CREATING)
			return tide_fail(error, TIDE_RESOURCE_IN_USE,
			    "Attempt to change a resource which is still in use: Table is being updated: %s",
			    name);
	}
	return TIDE_OK;
}

static tide_err
delete_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct delete *delete = (struct delete *)op;
	struct region *region = delete->request->region;
	enum replica_state state = shard_table_state(region->shard, delete->id);
	const struct table *table = NULL;
	bool stay;
	tide_err rc;

	if ((rc = catalog_read(region->catalog, group, delete->id, &table)) != TIDE_OK)
		return rc == TIDE_NOTFOUND ? table_not_found(bytes_of_string(delete->table->name), error)
					   : tide_fail(error, rc, NULL);
	if (table->global && shard_table_state(region->shard, TABLE_CATALOG) != REPLICA_ACTIVE) {
		table_release(table);
		return tide_fail(error, TIDE_UNAVAILABLE, NULL); /* the catalog is on its way back */
	}
	stay = others_stay(region, table);
	if ((rc = delete_check(delete, table, state, stay, error)) != TIDE_OK) {
		table_release(table);
		return rc;
	}
	if (stay) {
		rc = catalog_write_wanted(group, table, region->config.region, false);
	} else {
		rc = state == REPLICA_ABSENT ? TIDE_OK : group_table_state(group, table->id, REPLICA_ABSENT);
		if (rc == TIDE_OK)
			rc = catalog_write_deleted(region->catalog, group, table);
	}
	table_release(table);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static void
delete_done(struct commit_op *op, const struct tide_error *error)
{
	struct delete *delete = (struct delete *)op;
	struct request *request = delete->request;

	if (error->code != TIDE_OK) {
		table_release(delete->table);
		request_fail(request, error, NULL);
		return;
	}
	membership_poke(request->region);
	buf_append_string(&request->reply, "{\"TableDescription\":");
	table_describe_deleted(&request->reply, &request->region->config, delete->table, &delete->sight);
	buf_append_byte(&request->reply, '}');
	table_release(delete->table);
	if (buf_check(&request->reply) == TIDE_OK)
		request_ok(request);
	else
		ops_fail(request, TIDE_NOMEM, NULL);
}

void
op_delete_table(struct request *request)
{
	static const struct param shape[] = {PARAM_TABLE, PARAMS_END};
	struct region *region = request->region;
	const struct table *table;
	struct delete *delete;
	struct tide_error error;
	tide_err rc;

	if (!ops_check(request, shape))
		return;
	if ((table = table_named(region, &request->body, &error)) == NULL) {
		request_fail(request, &error, NULL);
		return;
	}
	if (table->built_in)
		rc = tide_fail(&error, TIDE_VALIDATION,
		    "One or more parameter values were invalid: table %s cannot be deleted", table->name);
	else if (!region_may_write(region))
		rc = tide_fail(&error, TIDE_UNAVAILABLE, NULL);
	else if ((delete = arena_calloc(&request->arena, sizeof(struct delete))) == NULL)
		rc = tide_fail(&error, TIDE_NOMEM, NULL);
	else if ((rc = table_sight_now(region, table, &delete->sight)) != TIDE_OK)
		tide_fail(&error, rc, NULL);
	else {
		delete->op.run = delete_run;
		delete->op.done = delete_done;
		delete->request = request;
		delete->id = table->id;
		delete->table = table;
		if ((rc = committer_submit(region->committer, &delete->op)) == TIDE_OK)
			return;
		tide_fail(&error, rc, NULL);
	}
	table_release(table);
	request_fail(request, &error, NULL);
}
