/* BatchWriteItem: the request; what becomes of it is in batch_write.c. */
#include "api/ops/batch_items.h"
#include "api/ops/batch_write.h"
#include "api/ops/return_values.h"

static const struct param put_shape[] = {
    {.name = "Item", .type = PARAM_ITEM, .flags = PARAM_REQUIRED, .java = "AttributeValue"},
    PARAMS_END,
};

static const struct param delete_shape[] = {
    {.name = "Key", .type = PARAM_ITEM, .flags = PARAM_REQUIRED, .java = "AttributeValue"},
    PARAMS_END,
};

static const struct param write_shape[] = {
    {.name = "DeleteRequest", .type = PARAM_STRUCT, .members = delete_shape, .java = "DeleteRequest"},
    {.name = "PutRequest", .type = PARAM_STRUCT, .members = put_shape, .java = "PutRequest"},
    PARAMS_END,
};

static const struct param list_element_shape[] = {
    {.name = "", .type = PARAM_STRUCT, .members = write_shape, .java = "WriteRequest"},
    PARAMS_END,
};

static const struct param map_element_shape[] = {
    {.name = "", .type = PARAM_LIST, .members = list_element_shape, .java = "WriteRequest"},
    PARAMS_END,
};

static const struct param shape[] = {
    {.name = "ReturnConsumedCapacity", .type = PARAM_STRING, .values = capacity_report_names},
    {.name = "ReturnItemCollectionMetrics", .type = PARAM_STRING, .values = item_collection_metrics_names},
    {.name = "RequestItems",
	.type = PARAM_MAP,
	.flags = PARAM_REQUIRED,
	.min = 1,
	.max = BATCH_WRITES_MAX,
	.members = map_element_shape,
	.java = "java.util.List<com.amazonaws.dynamodb.v20120810.WriteRequest>"},
    PARAMS_END,
};

static tide_err
read_item(
    struct batch_write *batch, const struct json *json, struct batch_item *item, struct tide_error *error)
{
	const struct json *put = json_get(json, "PutRequest"), *delete = json_get(json, "DeleteRequest");
	struct arena *arena = &batch->request->arena;
	tide_err rc;

	if ((put == NULL) == (delete == NULL))
		return tide_fail(error, TIDE_VALIDATION,
		    "Supplied AttributeValue has more than one datatypes set, must contain exactly one of "
		    "the supported "
		    "datatypes");
	item->batch = batch;
	item->put = put != NULL;
	rc = json_to_item(
	    arena, put != NULL ? json_get(put, "Item") : json_get(delete, "Key"), &item->value, error);
	if (rc != TIDE_OK)
		return rc;
	if (item->put && item_size(&item->value) > ITEM_BYTES_MAX)
		return tide_fail(error, TIDE_VALIDATION, "Item size has exceeded the maximum allowed size");
	return TIDE_OK;
}

static tide_err
encode_item(struct batch_item *item, struct tide_error *error)
{
	struct buf buf = {0};

	value_encode(&item->value, &buf);
	if (buf_check(&buf) == TIDE_OK)
		item->image = arena_copy(&item->batch->request->arena, buf_bytes(&buf));
	buf_fini(&buf);
	return item->image.at != NULL ? TIDE_OK : tide_fail(error, TIDE_NOMEM, NULL);
}

/* The table, and each write's key in it. */
static tide_err
find_table(struct batch_write *batch, struct batch_table *table, struct tide_error *error)
{
	struct arena *arena = &batch->request->arena;
	struct bytes keys[BATCH_WRITES_MAX];
	struct batch_item *item;
	uint32_t i;
	tide_err rc;

	table->table = ops_table_write(batch->request->region, table->name, error);
	if (table->table == NULL)
		return error->code;
	for (i = 0; i < table->n; i++) {
		item = &table->items[i];
		item->table = table;
		rc = item->put ? item_key_of_batch_put(arena, table->table, &item->value, &item->key, error)
			       : item_key_of_key(arena, table->table, &item->value, &item->key, error);
		if (rc == TIDE_OK && item->put)
			rc = encode_item(item, error);
		if (rc != TIDE_OK)
			return rc;
		keys[i] = item->key.bytes;
	}
	return item_keys_check_distinct(keys, table->n, error);
}

static tide_err
prepare(struct batch_write *batch, const struct json *items, struct tide_error *error)
{
	struct batch_item *next = batch->items;
	const struct json *writes;
	uint32_t i, j;
	tide_err rc;

	for (i = 0; i < batch->n_tables; i++) {
		writes = &items->object.at[i].value;
		batch->tables[i] = (struct batch_table){
		    .name = items->object.at[i].name, .items = next, .n = writes->array.n};
		for (j = 0; j < writes->array.n; j++)
			if ((rc = read_item(batch, &writes->array.at[j], next++, error)) != TIDE_OK)
				return rc;
	}
	for (i = 0; i < batch->n_tables; i++)
		if ((rc = find_table(batch, &batch->tables[i], error)) != TIDE_OK)
			return rc;
	return TIDE_OK;
}

/* A batch with room for all that the request asks for; NULL without memory. */
static struct batch_write *
batch_new(struct request *request, const struct json *items, uint32_t total)
{
	struct arena *arena = &request->arena;
	struct batch_write *batch = arena_calloc(arena, sizeof *batch);

	if (batch == NULL)
		return NULL;
	batch->request = request;
	batch->capacity = capacity_report_read(&request->body);
	batch->tables = arena_calloc(arena, items->object.n * sizeof *batch->tables);
	batch->items = arena_calloc(arena, total * sizeof *batch->items);
	if (batch->tables == NULL || batch->items == NULL)
		return NULL;
	batch->n_tables = items->object.n;
	batch->n_items = total;
	return batch;
}

void
op_batch_write_item(struct request *request)
{
	const struct json *items;
	struct batch_write *batch;
	struct tide_error error;
	uint32_t i, total = 0;

	if (!ops_check(request, shape))
		return;
	items = json_get(&request->body, "RequestItems");
	if (batch_items_check(items, BATCH_WRITES_MAX, &error) != TIDE_OK) {
		request_fail(request, &error, NULL);
		return;
	}
	for (i = 0; i < items->object.n; i++)
		total += items->object.at[i].value.array.n;
	if (total > BATCH_WRITES_MAX) {
		ops_fail(request, TIDE_VALIDATION, "Too many items requested for the BatchWriteItem call");
		return;
	}
	if ((batch = batch_new(request, items, total)) == NULL) {
		ops_fail(request, TIDE_NOMEM, NULL);
		return;
	}
	if (prepare(batch, items, &error) != TIDE_OK)
		batch_write_drop(batch, &error);
	else
		batch_write_submit(batch);
}
