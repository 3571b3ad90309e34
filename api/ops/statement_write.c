#include "api/ops/statement_write.h"

/* --- on the committer's thread --- */

static tide_err
use_capacity(struct statement_write *write, struct tide_error *error)
{
	const struct item_change *change = &write->change;
	tide_err rc = capacity_add_write(&write->used, &write->arena, change->tree, change->after);

	if (rc != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if ((rc = capacity_admit_write(write->request, &write->used, error)) == TIDE_OK)
		capacity_take(write->request->region, &write->used);
	return rc;
}

/* A write that its condition stops costs what it would have cost. */
static tide_err
condition_failed(struct statement_write *write, tide_err code, struct tide_error *error)
{
	const struct item_change *change = &write->change;

	capacity_add(&write->used, capacity_write(change->size_before, change->size_after));
	capacity_take(write->request->region, &write->used);
	if (code == TIDE_CONDITION_FAILED && write->old_on_failure && change->found) {
		if (json_write_encoded_item(&write->old, change->before) != TIDE_OK)
			return tide_fail(error, TIDE_CORRUPT, NULL);
		if (buf_check(&write->old) != TIDE_OK)
			return tide_fail(error, TIDE_NOMEM, NULL);
	}
	return tide_fail(error, code, NULL);
}

static tide_err
run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct statement_write *write = (struct statement_write *)op;
	struct item_change *change = &write->change;
	tide_err rc;

	rc = item_change_plan(change, group, &write->arena, error);
	if (rc == TIDE_CONDITION_FAILED || rc == TIDE_DUPLICATE_ITEM)
		return condition_failed(write, rc, error);
	if (rc != TIDE_OK)
		return rc;
	if (write->used.counted && (rc = use_capacity(write, error)) != TIDE_OK)
		return rc;
	/* after the write is in the group nothing may fail, and what is returned borrows from the group */
	rc = statement_write_returned(write->statement, change, &write->arena, &write->row);
	if (rc != TIDE_OK)
		return tide_fail(error, rc, NULL);
	return item_change_write(change, group, error);
}

static void
finish(struct statement_write *write, const struct tide_error *error)
{
	write->error = *error;
	if (error->code != TIDE_OK)
		buf_clear(&write->row);
	write->done(write);
}

static void
done(struct commit_op *op, const struct tide_error *error)
{
	finish((struct statement_write *)op, error);
}

/* --- */

tide_err
statement_write_prepare(struct statement_write *write)
{
	struct region *region = write->request->region;
	struct item_change *change = &write->change;
	struct tide_error *error = &write->error;
	tide_err rc;

	arena_init(&write->arena, 0);
	change->table = ops_table_write(region, write->statement->table, error);
	if (change->table == NULL)
		return error->code;
	rc = statement_change(&write->request->arena, write->statement, false, change, error);
	if (rc != TIDE_OK)
		return rc;
	write->ran = true;
	capacity_begin(&write->used, change->table, METER_WRITE, write->report);
	change->wants_sizes = write->used.counted;
	return capacity_admit(write->request, &write->used, NULL, error);
}

void
statement_write_submit(struct statement_write *write)
{
	struct region *region = write->request->region;
	struct item_change *change = &write->change;
	struct tide_error error;
	tide_err rc;

	write->op.run = run;
	write->op.done = done;
	item_change_read_ahead(change, region_shard_of(region, change->key.hash));
	rc = committer_submit(region_committer_of(region, change->key.hash), &write->op);
	if (rc != TIDE_OK) {
		tide_fail(&error, rc, NULL);
		finish(write, &error);
	}
}

void
statement_write_begin(struct statement_write *write)
{
	if (statement_write_prepare(write) == TIDE_OK)
		statement_write_submit(write);
	else
		write->done(write);
}

void
statement_write_fini(struct statement_write *write)
{
	item_change_fini(&write->change);
	arena_fini(&write->arena);
	buf_fini(&write->row);
	buf_fini(&write->old);
	if (write->change.table != NULL)
		table_release(write->change.table);
	write->change.table = NULL;
}
