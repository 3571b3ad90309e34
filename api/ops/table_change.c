#include "api/ops/table_change.h"

#include "api/membership.h"
#include "api/ops/table_describe.h"

static tide_err
check_state(struct region *region, const struct table *table, struct tide_error *error)
{
	enum replica_state state = shard_table_state(region->shard, table->id);
	const char *how = NULL;

	if (table->status == TABLE_DELETING || state == REPLICA_LEAVING)
		how = "deleted";
	else if (state == REPLICA_CREATING || state == REPLICA_CATCHUP || state == REPLICA_MERGING)
		how = "created";
	if (how != NULL)
		return tide_fail(error, TIDE_RESOURCE_IN_USE,
		    "Attempt to change a resource which is still in use: Table is being %s: %s", how,
		    table->name);
	/* A region on its way back does not know the latest facts. */
	if (table->global && shard_table_state(region->shard, TABLE_CATALOG) != REPLICA_ACTIVE)
		return tide_fail(error, TIDE_UNAVAILABLE, NULL);
	return TIDE_OK;
}

static tide_err
change_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct table_change *change = (struct table_change *)op;
	struct region *region = change->request->region;
	const struct table *table = NULL;
	tide_err rc;

	rc = catalog_read(region->catalog, group, change->before->id, &table);
	if (rc == TIDE_NOTFOUND || (rc == TIDE_OK && (table->deleted || !table->here))) {
		table_release(table);
		return table_not_found(bytes_of_string(change->before->name), error);
	}
	if (rc != TIDE_OK)
		return tide_fail(error, rc, NULL);
	error->code = TIDE_OK;
	/* What catalog_read gives is this caller's alone. */
	if ((rc = check_state(region, table, error)) == TIDE_OK)
		rc = change->apply(change, group, (struct table *)table, error);
	table_release(table);
	/* The writers of facts say what failed by code only. */
	if (rc != TIDE_OK && error->code == TIDE_OK)
		tide_fail(error, rc, NULL);
	return rc;
}

static void
change_done(struct commit_op *op, const struct tide_error *error)
{
	struct table_change *change = (struct table_change *)op;
	struct request *request = change->request;

	table_release(change->before);
	if (error->code != TIDE_OK) {
		request_fail(request, error, NULL);
		return;
	}
	change->reply(change);
	if (buf_check(&request->reply) == TIDE_OK)
		request_ok(request);
	else
		ops_fail(request, TIDE_NOMEM, NULL);
}

void
table_change_submit(struct table_change *change)
{
	struct request *request = change->request;
	struct region *region = request->region;
	struct tide_error error;
	tide_err rc = TIDE_OK;

	change->op.run = change_run;
	change->op.done = change_done;
	if (change->before->built_in)
		rc = tide_fail(&error, TIDE_VALIDATION,
		    "One or more parameter values were invalid: table %s cannot be changed",
		    change->before->name);
	else if (!region_may_write(region))
		rc = tide_fail(&error, TIDE_UNAVAILABLE, NULL);
	else if ((rc = committer_submit(region->committer, &change->op)) != TIDE_OK)
		tide_fail(&error, rc, NULL);
	if (rc == TIDE_OK)
		return;
	table_release(change->before);
	request_fail(request, &error, NULL);
}
