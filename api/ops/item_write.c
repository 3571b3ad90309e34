#include "api/ops/item_write.h"

#include "api/ops/item_collection.h"

#include "api/expr/legacy.h"

#include <assert.h>

/* what may not stand beside expressions, in the order in which DynamoDB lists them */
static const char *const legacy[] = {"Expected", "ConditionalOperator", NULL};
static const char *const legacy_of_update[] = {"AttributeUpdates", "Expected", "ConditionalOperator", NULL};

tide_err
item_write_begin(struct request *request, enum item_change_kind kind, const char *const *expressions,
    struct item_write **out, struct tide_error *error)
{
	struct item_write *write = arena_calloc(&request->arena, sizeof *write);
	tide_err rc;

	*out = write;
	if (write == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	write->request = request;
	write->change.kind = kind;
	write->old_on_failure = return_on_failure_read(&request->body);
	rc = expr_scope_read(&request->arena, &request->body, expressions,
	    kind == ITEM_UPDATE ? legacy_of_update : legacy, &write->scope, error);
	if (rc != TIDE_OK)
		return rc;
	return return_values_read(&request->body, kind != ITEM_UPDATE, &write->returned, error);
}

tide_err
item_write_condition(struct item_write *write, struct tide_error *error)
{
	struct request *request = write->request;
	const struct json *body = &request->body, *text = json_get(body, "ConditionExpression");

	if (text == NULL)
		return expr_legacy_expected(&request->arena, json_get(body, "Expected"),
		    json_get(body, "ConditionalOperator"), &write->change.condition, error);
	return expr_condition_parse(
	    &request->arena, EXPR_CONDITION, text->text, &write->scope, &write->change.condition, error);
}

tide_err
item_write_table(struct item_write *write, struct tide_error *error)
{
	struct request *request = write->request;
	tide_err rc;

	if ((rc = expr_scope_check_used(&write->scope, error)) != TIDE_OK)
		return rc;
	write->change.table =
	    ops_table_write(request->region, params_string(&request->body, "TableName"), error);
	return write->change.table == NULL ? error->code : TIDE_OK;
}

tide_err
item_write_read_key(struct item_write *write, struct tide_error *error)
{
	struct request *request = write->request;

	return json_to_item(
	    &request->arena, json_get(&request->body, "Key"), &write->change.attributes, error);
}

/* --- on the committer's thread --- */

static tide_err
use_capacity(struct item_write *write, struct tide_error *error)
{
	const struct item_change *change = &write->change;
	struct request *request = write->request;
	tide_err rc = capacity_add_write(&write->used, &request->arena, change->tree, change->after);

	if (rc != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if ((rc = capacity_admit_write(request, &write->used, error)) == TIDE_OK)
		capacity_take(request->region, &write->used);
	return rc;
}

/* A write that its condition stops costs what it would have cost. */
static tide_err
condition_failed(struct item_write *write, struct tide_error *error)
{
	capacity_add(&write->used, capacity_write(write->change.size_before, write->change.size_after));
	capacity_take(write->request->region, &write->used);
	if (write->old_on_failure && write->change.found) {
		buf_append_string(&write->members, ",\"Item\":");
		if (json_write_encoded_item(&write->members, write->change.before) != TIDE_OK)
			return tide_fail(error, TIDE_CORRUPT, NULL);
		buf_append_byte(&write->members, '\0');
		if (buf_check(&write->members) != TIDE_OK)
			return tide_fail(error, TIDE_NOMEM, NULL);
	}
	return tide_fail(error, TIDE_CONDITION_FAILED, NULL);
}

/*
 * The reply's Attributes, before the write is in the group: after it nothing may fail. What is returned
 * borrows from the group, so it becomes text here.
 */
static tide_err
write_attributes(struct item_write *write, struct tide_error *error)
{
	const struct item_change *change = &write->change;
	struct buf *reply = &write->request->reply;
	struct value part = {.type = VALUE_M};
	bool old = write->returned == RETURN_UPDATED_OLD;
	tide_err rc = TIDE_OK;

	buf_append_byte(reply, '{');
	switch (write->returned) {
	case RETURN_NONE:
		break;
	case RETURN_ALL_OLD:
		if (!change->found)
			break;
		buf_append_string(reply, "\"Attributes\":");
		rc = json_write_encoded_item(reply, change->before);
		break;
	case RETURN_ALL_NEW:
		if (change->after == NULL)
			break;
		buf_append_string(reply, "\"Attributes\":");
		json_write_item(reply, change->after);
		break;
	case RETURN_UPDATED_OLD:
	case RETURN_UPDATED_NEW:
		if (change->update == NULL)
			break;
		rc = expr_update_returned(change->update, &write->request->arena, change->tree, change->after,
		    old ? EXPR_UPDATED_OLD : EXPR_UPDATED_NEW, &part);
		if (rc != TIDE_OK || part.map.n == 0)
			break;
		buf_append_string(reply, "\"Attributes\":");
		json_write_item(reply, &part);
		break;
	}
	if (rc == TIDE_OK)
		rc = buf_check(reply);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static tide_err
run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct item_write *write = (struct item_write *)op;
	tide_err rc;

	rc = item_change_plan(&write->change, group, &write->request->arena, error);
	if (rc == TIDE_CONDITION_FAILED)
		return condition_failed(write, error);
	if (rc != TIDE_OK)
		return rc;
	if (write->used.counted && (rc = use_capacity(write, error)) != TIDE_OK)
		return rc;
	if ((rc = write_attributes(write, error)) != TIDE_OK)
		return rc;
	return item_change_write(&write->change, group, error);
}

static void
done(struct commit_op *op, const struct tide_error *error)
{
	struct item_write *write = (struct item_write *)op;
	struct request *request = write->request;
	struct buf *reply = &request->reply, members;

	if (error->code != TIDE_OK) {
		item_write_drop(request, write, error);
		return;
	}
	capacity_report_member(reply, &write->used);
	item_collection_report(
	    request, write->change.table, write->change.key.bytes, &write->change.attributes);
	buf_append_byte(reply, '}');
	members = write->members;
	item_change_fini(&write->change);
	table_release(write->change.table);
	/*
	 * the change is on disk: a reply that does not fit in memory is still not a failure that says
	 * nothing happened
	 */
	if (buf_check(reply) != TIDE_OK)
		ops_fail(request, TIDE_NOMEM, NULL);
	else
		request_ok(request);
	buf_fini(&members);
}

/* --- */

void
item_write_submit(struct item_write *write)
{
	struct request *request = write->request;
	struct item_change *change = &write->change;
	struct tide_error error;
	tide_err rc;

	assert(change->table != NULL && change->key.bytes.n != 0);
	write->op.run = run;
	write->op.done = done;
	capacity_begin(&write->used, change->table, METER_WRITE, capacity_report_read(&request->body));
	if (capacity_admit(request, &write->used, NULL, &error) != TIDE_OK) {
		item_write_drop(request, write, &error);
		return;
	}
	change->wants_sizes = write->used.counted;
	change->wants_before = write->returned != RETURN_NONE;
	item_change_read_ahead(change, region_shard_of(request->region, change->key.hash));
	rc = committer_submit(region_committer_of(request->region, change->key.hash), &write->op);
	if (rc != TIDE_OK) {
		tide_fail(&error, rc, NULL);
		item_write_drop(request, write, &error);
	}
}

void
item_write_drop(struct request *request, struct item_write *write, const struct tide_error *error)
{
	struct buf members = {0};

	if (write != NULL) {
		if (error->code == TIDE_CONDITION_FAILED)
			members = write->members;
		else
			buf_fini(&write->members);
		item_change_fini(&write->change);
		if (write->change.table != NULL)
			table_release(write->change.table);
	}
	buf_clear(&request->reply);
	request_fail(request, error, (const char *)members.at);
	buf_fini(&members);
}
