/* GetItem: answered on the I/O thread, from the store. */
#include "api/ops/capacity.h"
#include "api/ops/index_key.h"
#include "api/ops/item_key.h"
#include "api/ops/item_read.h"
#include "api/ops/legacy_shapes.h"
#include "api/ops/ops.h"

static const char *const expressions[] = {"ProjectionExpression", NULL};
static const char *const legacy[] = {"AttributesToGet", NULL};

static const struct param shape[] = {
    {.name = "ReturnConsumedCapacity", .type = PARAM_STRING, .values = capacity_report_names},
    PARAM_ATTRIBUTES_TO_GET,
    PARAM_TABLE,
    {.name = "Key", .type = PARAM_ITEM, .flags = PARAM_REQUIRED, .java = "AttributeValue"},
    {.name = "ConsistentRead", .type = PARAM_BOOLEAN},
    {.name = "ProjectionExpression", .type = PARAM_STRING},
    {.name = "ExpressionAttributeNames", .type = PARAM_MAP, .java = "java.lang.String"},
    PARAMS_END,
};

struct get {
	struct request *request;
	const struct table *table;
	struct item_key key;
	const struct expr_projection *projection;
	struct capacity used;
};

static tide_err
prepare(struct get *get, struct tide_error *error)
{
	struct request *request = get->request;
	struct arena *arena = &request->arena;
	const struct json *body = &request->body;
	struct expr_scope scope;
	struct value key;
	tide_err rc;

	if ((rc = expr_scope_read(arena, body, expressions, legacy, &scope, error)) != TIDE_OK)
		return rc;
	if ((rc = json_to_item(arena, json_get(body, "Key"), &key, error)) != TIDE_OK)
		return rc;
	if ((rc = item_read_projection(arena, body, &scope, &get->projection, error)) != TIDE_OK)
		return rc;
	if ((rc = expr_scope_check_used(&scope, error)) != TIDE_OK)
		return rc;
	get->table = ops_table_read(request->region, params_string(body, "TableName"), error);
	if (get->table == NULL)
		return error->code;
	if ((rc = item_key_of_key(arena, get->table, &key, &get->key, error)) != TIDE_OK)
		return rc;
	rc = index_key_check_paths(get->table, NULL, get->projection, NULL, error);
	if (rc != TIDE_OK)
		return rc;
	capacity_begin(&get->used, get->table, METER_READ, capacity_report_read(body));
	return capacity_admit(request, &get->used, NULL, error);
}

static tide_err
answer(struct get *get)
{
	struct request *request = get->request;
	struct buf raw = {0}, *reply = &request->reply;
	struct stored stored;
	size_t size = 0;
	tide_err rc;

	rc = shard_get(
	    region_shard_of(request->region, get->key.hash), get->table->id, get->key.bytes, &raw, &stored);
	buf_append_byte(reply, '{');
	if (rc == TIDE_OK) {
		/* room for what JSON adds to most items, so that it is written without growing */
		(void)buf_reserve(reply, stored.image.n + stored.image.n / 2 + 128);
		buf_append_string(reply, "\"Item\":");
		rc = item_read_write(&request->arena, stored.image, get->projection, reply);
		if (get->used.counted)
			size = item_encoded_size(stored.image);
	} else if (rc == TIDE_NOTFOUND) {
		rc = TIDE_OK;
	}
	buf_fini(&raw);
	if (rc != TIDE_OK)
		return rc;
	capacity_add(&get->used, capacity_read(size, params_flag(&request->body, "ConsistentRead", false)));
	capacity_take(request->region, &get->used);
	capacity_report_member(reply, &get->used);
	buf_append_byte(reply, '}');
	return buf_check(reply);
}

void
op_get_item(struct request *request)
{
	struct get get = {.request = request};
	struct tide_error error;
	tide_err rc;

	if (!ops_check(request, shape))
		return;
	rc = prepare(&get, &error);
	if (rc == TIDE_OK && (rc = answer(&get)) != TIDE_OK)
		tide_fail(&error, rc, NULL);
	if (get.table != NULL)
		table_release(get.table);
	if (rc == TIDE_OK) {
		request_ok(request);
		return;
	}
	buf_clear(&request->reply);
	request_fail(request, &error, NULL);
}
