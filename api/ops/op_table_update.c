#include "api/index_align.h"
#include "api/membership.h"
#include "api/ops/index_describe.h"
#include "api/ops/table_describe.h"
#include "api/ops/table_update.h"

struct update {
	struct commit_op op;
	struct request *request;
	uint64_t id;
	struct table_update asked;
	struct index_plan plan;
	const struct table *before;
	const struct table *after; /* as the facts stand with this update */
};

static tide_err
update_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct update *update = (struct update *)op;
	struct region *region = update->request->region;
	const struct table *table = NULL;
	tide_err rc;

	rc = catalog_read(region->catalog, group, update->id, &table);
	if (rc == TIDE_NOTFOUND || (rc == TIDE_OK && (table->deleted || !table->here))) {
		table_release(table);
		return table_not_found(bytes_of_string(update->before->name), error);
	}
	if (rc != TIDE_OK)
		return tide_fail(error, rc, NULL);
	/* What catalog_read gives is this caller's alone. */
	rc = table_update_apply(region, group, (struct table *)table, &update->asked, error);
	table_release(table);
	if (rc == TIDE_OK && catalog_read(region->catalog, group, update->id, &update->after) != TIDE_OK)
		update->after = NULL;
	/* Where it fails the next step of membership does it. */
	if (rc == TIDE_OK && update->after != NULL && (update->plan.creates || update->plan.deletes))
		(void)index_align_group(group, update->after);
	return rc;
}

/*
 * As DynamoDB answers: an index that is made is shown as it will be, one that goes as it was, and one that changes with its old
 * throughput; a table of which nothing else changes is ACTIVE meanwhile.
 */
static void
show(struct update *update, struct buf *out)
{
	const struct index_plan *plan = &update->plan;
	const struct table *shown = update->after != NULL && !plan->deletes ? update->after : update->before;
	struct region *region = update->request->region;
	struct table_sight sight = {.status = TABLE_UPDATING};
	bool capacity_only = update->asked.indexes.list != NULL && !plan->creates && !plan->deletes &&
			     !update->asked.sets_mode && !update->asked.sets_units;

	if (capacity_only)
		shown = update->before;
	if (table_sight_now(region, shown, &sight) == TIDE_OK)
		sight.status = capacity_only ? TABLE_ACTIVE : TABLE_UPDATING;
	for (uint32_t i = 0; i < shown->n_indexes; i++) {
		const struct table_index *index = &shown->indexes[i];

		if (plan->creates && index->id == plan->created.id)
			sight.indexes[i] =
			    (struct index_sight){.status = INDEX_CREATING, .backfilling = INDEX_ALLOCATING};
		else if (plan->deletes &&
			 bytes_equal(index->name, index_updates_deleted(&update->asked.indexes)))
			sight.indexes[i].status = INDEX_DELETING;
		else if (capacity_only && plan->changed[i])
			sight.indexes[i].status = INDEX_UPDATING;
	}
	table_describe(out, &region->config, shown, &sight);
}

static void
update_done(struct commit_op *op, const struct tide_error *error)
{
	struct update *update = (struct update *)op;
	struct request *request = update->request;

	if (error->code == TIDE_OK) {
		membership_poke(request->region);
		buf_append_string(&request->reply, "{\"TableDescription\":");
		show(update, &request->reply);
		buf_append_byte(&request->reply, '}');
	}
	table_release(update->before);
	table_release(update->after);
	if (error->code != TIDE_OK)
		request_fail(request, error, NULL);
	else if (buf_check(&request->reply) == TIDE_OK)
		request_ok(request);
	else
		ops_fail(request, TIDE_NOMEM, NULL);
}

void
op_update_table(struct request *request)
{
	struct region *region = request->region;
	const struct table *table = NULL;
	struct update *update;
	struct tide_error error;
	struct bytes name;
	tide_err rc;

	if (!ops_check(request, table_update_shape))
		return;
	if ((update = arena_calloc(&request->arena, sizeof *update)) == NULL) {
		ops_fail(request, TIDE_NOMEM, NULL);
		return;
	}
	rc = ops_table_name(region, params_string(&request->body, "TableName"), &name, &error);
	if (rc == TIDE_OK)
		rc = table_update_read(region, &request->body, &update->asked, &error);
	if (rc == TIDE_OK && (table = table_named(region, &request->body, &error)) == NULL)
		rc = error.code;
	if (rc == TIDE_OK && table->built_in)
		rc = tide_fail(&error, TIDE_VALIDATION,
		    "One or more parameter values were invalid: table %s cannot be changed", table->name);
	if (rc == TIDE_OK && !region_may_write(region))
		rc = tide_fail(&error, TIDE_UNAVAILABLE, NULL);
	if (rc == TIDE_OK) {
		update->op.run = update_run;
		update->op.done = update_done;
		update->request = request;
		update->id = table->id;
		update->before = table;
		update->asked.plan = &update->plan;
		if ((rc = committer_submit(region->committer, &update->op)) == TIDE_OK)
			return;
		tide_fail(&error, rc, NULL);
	}
	table_release(table);
	request_fail(request, &error, NULL);
}
