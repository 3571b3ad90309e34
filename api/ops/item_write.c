#include "api/ops/item_write.h"

#include "api/expr/legacy.h"

#include <assert.h>

/* what may not stand beside expressions, in the order in which DynamoDB lists them */
static const char *const legacy[] = {"Expected", "ConditionalOperator", NULL};
static const char *const legacy_of_update[] = {"AttributeUpdates", "Expected", "ConditionalOperator", NULL};

tide_err
item_write_begin(struct request *request, enum item_write_kind kind, const char *const *expressions,
    struct item_write **out, struct tide_error *error)
{
	struct item_write *write = arena_calloc(&request->arena, sizeof *write);
	tide_err rc;

	*out = write;
	if (write == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	write->request = request;
	write->kind = kind;
	write->capacity = capacity_report_read(&request->body);
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
		    json_get(body, "ConditionalOperator"), &write->condition, error);
	return expr_condition_parse(
	    &request->arena, EXPR_CONDITION, text->text, &write->scope, &write->condition, error);
}

tide_err
item_write_table(struct item_write *write, struct tide_error *error)
{
	struct request *request = write->request;
	tide_err rc;

	if ((rc = expr_scope_check_used(&write->scope, error)) != TIDE_OK)
		return rc;
	write->table = ops_table_write(request->region, params_string(&request->body, "TableName"), error);
	return write->table == NULL ? error->code : TIDE_OK;
}

tide_err
item_write_read_key(struct item_write *write, struct tide_error *error)
{
	struct request *request = write->request;

	return json_to_item(&request->arena, json_get(&request->body, "Key"), &write->attributes, error);
}

/* --- on the committer's thread --- */

/* An item as it was found: `tree` NULL where there is none, or where nobody asked for the tree. */
struct before {
	bool found;
	struct bytes image;
	struct value value;
	const struct value *tree;
};

static bool
wants_tree(const struct item_write *write)
{
	return write->condition != NULL || write->kind == ITEM_UPDATE || write->capacity != CAPACITY_NONE;
}

static tide_err
read_before(struct item_write *write, struct group *group, struct before *before, struct tide_error *error)
{
	struct stored stored;
	tide_err rc;

	*before = (struct before){0};
	if (!wants_tree(write) && write->returned == RETURN_NONE)
		return TIDE_OK;
	rc = group_get(group, write->table->id, write->key.bytes, &stored);
	if (rc == TIDE_NOTFOUND)
		return TIDE_OK;
	if (rc != TIDE_OK)
		return tide_fail(error, rc, NULL);
	before->found = true;
	before->image = stored.image;
	if (!wants_tree(write))
		return TIDE_OK;
	rc = value_decode(&write->request->arena, stored.image, &before->value);
	if (rc != TIDE_OK)
		return tide_fail(error, rc, NULL);
	before->tree = &before->value;
	if (write->capacity != CAPACITY_NONE)
		write->size_before = item_size(before->tree);
	return TIDE_OK;
}

static tide_err
condition_failed(struct item_write *write, const struct before *before, struct tide_error *error)
{
	if (write->old_on_failure && before->found) {
		buf_append_string(&write->members, ",\"Item\":");
		if (json_write_encoded_item(&write->members, before->image) != TIDE_OK)
			return tide_fail(error, TIDE_CORRUPT, NULL);
		buf_append_byte(&write->members, '\0');
		if (buf_check(&write->members) != TIDE_OK)
			return tide_fail(error, TIDE_NOMEM, NULL);
	}
	return tide_fail(error, TIDE_CONDITION_FAILED, NULL);
}

/* The item after an update; `*after` NULL: there is none, and nothing is written. */
static tide_err
apply_update(struct item_write *write, const struct before *before, const struct value **after,
    struct tide_error *error)
{
	tide_err rc;

	if (write->update == NULL) {
		*after = before->found ? before->tree : &write->attributes;
	} else {
		rc = expr_update_apply(
		    write->update, &write->request->arena, before->tree, &write->attributes, after, error);
		if (rc != TIDE_OK)
			return rc;
	}
	if (*after == NULL)
		return TIDE_OK;
	write->size_after = item_size(*after);
	if (write->size_after > ITEM_BYTES_MAX)
		return tide_fail(
		    error, TIDE_VALIDATION, "Item size to update has exceeded the maximum allowed size");
	value_encode(*after, &write->image);
	if (buf_check(&write->image) != TIDE_OK)
		return tide_fail(error, TIDE_NOMEM, NULL);
	return TIDE_OK;
}

/*
 * The reply's Attributes, before the write is in the group: after it nothing may fail. What is returned
 * borrows from the group, so it becomes text here.
 */
static tide_err
write_attributes(struct item_write *write, const struct before *before, const struct value *after,
    struct tide_error *error)
{
	struct buf *reply = &write->request->reply;
	struct value part = {.type = VALUE_M};
	bool old = write->returned == RETURN_UPDATED_OLD;
	tide_err rc = TIDE_OK;

	buf_append_byte(reply, '{');
	switch (write->returned) {
	case RETURN_NONE:
		break;
	case RETURN_ALL_OLD:
		if (!before->found)
			break;
		buf_append_string(reply, "\"Attributes\":");
		rc = json_write_encoded_item(reply, before->image);
		break;
	case RETURN_ALL_NEW:
		if (after == NULL)
			break;
		buf_append_string(reply, "\"Attributes\":");
		json_write_item(reply, after);
		break;
	case RETURN_UPDATED_OLD:
	case RETURN_UPDATED_NEW:
		if (write->update == NULL)
			break;
		rc = expr_update_returned(write->update, &write->request->arena, before->tree, after,
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
	const struct table *table = write->table;
	const struct value *after = NULL;
	struct before before;
	tide_err rc;

	if ((rc = ops_write_check(group, table, error)) != TIDE_OK)
		return rc;
	if ((rc = group_take_ahead(group, table->id, write->key.bytes, &write->ahead)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if ((rc = read_before(write, group, &before, error)) != TIDE_OK)
		return rc;
	if (write->condition != NULL && !expr_condition_eval(write->condition, before.tree))
		return condition_failed(write, &before, error);
	if (write->kind == ITEM_UPDATE && (rc = apply_update(write, &before, &after, error)) != TIDE_OK)
		return rc;
	if ((rc = write_attributes(write, &before, after, error)) != TIDE_OK)
		return rc;
	if (write->kind == ITEM_DELETE)
		rc = group_delete(group, table->id, write->key.bytes, table_keeps_before(table));
	else if (write->kind == ITEM_PUT || after != NULL)
		rc = group_put(
		    group, table->id, write->key.bytes, buf_bytes(&write->image), table_keeps_before(table));
	if (rc == TIDE_NOTFOUND)
		return tide_fail(error, TIDE_RESOURCE_NOT_FOUND, NULL);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
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
	capacity_write_member(reply, bytes_of_string(write->table->name), write->capacity,
	    capacity_write(write->size_before, write->size_after));
	buf_append_byte(reply, '}');
	members = write->members;
	buf_fini(&write->image);
	read_ahead_fini(&write->ahead);
	table_release(write->table);
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
	struct tide_error error;
	tide_err rc;

	assert(write->table != NULL && write->key.bytes.n != 0);
	write->op.run = run;
	write->op.done = done;
	shard_read_ahead(region_shard_of(request->region, write->key.hash), write->table->id,
	    write->key.bytes, &write->ahead);
	rc = committer_submit(region_committer_of(request->region, write->key.hash), &write->op);
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
		buf_fini(&write->image);
		read_ahead_fini(&write->ahead);
		if (write->table != NULL)
			table_release(write->table);
	}
	buf_clear(&request->reply);
	request_fail(request, error, (const char *)members.at);
	buf_fini(&members);
}
