/* BatchGetItem: up to 100 items of any tables, until 16 MB; what is left goes back as UnprocessedKeys. */
#include "api/ops/batch_items.h"
#include "api/ops/capacity.h"
#include "api/ops/index_key.h"
#include "api/ops/item_key.h"
#include "api/ops/item_read.h"
#include "api/ops/legacy_shapes.h"
#include "api/ops/ops.h"

#define BATCH_KEYS_MAX 100
#define BATCH_BYTES_MAX (16 * 1024 * 1024)

static const char *const expressions[] = {"ProjectionExpression", NULL};
static const char *const legacy[] = {"AttributesToGet", NULL};

static const struct param key_shape[] = {
    {.name = "", .type = PARAM_ITEM, .java = "AttributeValue"},
    PARAMS_END,
};

static const struct param table_shape[] = {
    {.name = "Keys",
	.type = PARAM_LIST,
	.flags = PARAM_REQUIRED,
	.min = 1,
	.max = BATCH_KEYS_MAX,
	.members = key_shape},
    PARAM_ATTRIBUTES_TO_GET,
    {.name = "ConsistentRead", .type = PARAM_BOOLEAN},
    {.name = "ProjectionExpression", .type = PARAM_STRING},
    {.name = "ExpressionAttributeNames", .type = PARAM_MAP, .java = "java.lang.String"},
    PARAMS_END,
};

static const struct param element_shape[] = {
    {.name = "", .type = PARAM_STRUCT, .members = table_shape, .java = "KeysAndAttributes"},
    PARAMS_END,
};

static const struct param shape[] = {
    {.name = "ReturnConsumedCapacity", .type = PARAM_STRING, .values = capacity_report_names},
    {.name = "RequestItems",
	.type = PARAM_MAP,
	.flags = PARAM_REQUIRED,
	.min = 1,
	.max = 100,
	.members = element_shape,
	.java = "KeysAndAttributes"},
    PARAMS_END,
};

struct batch_key {
	struct value value;
	struct item_key key;
	bool unprocessed;
};

/* What is wanted of one table. */
struct batch_table {
	struct bytes name; /* as the request has it */
	const struct json *wanted;
	const struct table *table;
	const struct expr_projection *projection;
	struct batch_key *keys;
	uint32_t n;
	bool consistent;
	bool unprocessed; /* at least one key */
	struct capacity used;
};

struct batch {
	struct request *request;
	struct batch_table *tables;
	uint32_t n;
	enum capacity_report capacity;
	uint64_t bytes; /* stored bytes so far */
	uint32_t taken; /* keys that were looked at */
	struct tide_error refused; /* the limit that the last key met */
	struct arena scratch; /* of one item */
};

/* --- the request --- */

static tide_err
read_keys(struct batch *batch, struct batch_table *wanted, struct tide_error *error)
{
	const struct json *keys = json_get(wanted->wanted, "Keys");
	struct arena *arena = &batch->request->arena;
	uint32_t i;
	tide_err rc;

	wanted->n = keys->array.n;
	wanted->keys = arena_calloc(arena, wanted->n * sizeof *wanted->keys);
	if (wanted->keys == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	for (i = 0; i < wanted->n; i++)
		if ((rc = json_to_item(arena, &keys->array.at[i], &wanted->keys[i].value, error)) != TIDE_OK)
			return rc;
	return TIDE_OK;
}

static tide_err
read_table(struct batch *batch, struct batch_table *wanted, struct tide_error *error)
{
	struct arena *arena = &batch->request->arena;
	struct expr_scope scope;
	tide_err rc;

	wanted->consistent = params_flag(wanted->wanted, "ConsistentRead", false);
	if ((rc = expr_scope_read(arena, wanted->wanted, expressions, legacy, &scope, error)) != TIDE_OK)
		return rc;
	rc = item_read_projection(arena, wanted->wanted, &scope, &wanted->projection, error);
	if (rc != TIDE_OK)
		return rc;
	if ((rc = expr_scope_check_used(&scope, error)) != TIDE_OK)
		return rc;
	return read_keys(batch, wanted, error);
}

static tide_err
find_table(struct batch *batch, struct batch_table *wanted, struct tide_error *error)
{
	struct bytes keys[BATCH_KEYS_MAX];
	uint32_t i;
	tide_err rc;

	wanted->table = ops_table_read(batch->request->region, wanted->name, error);
	if (wanted->table == NULL)
		return error->code;
	capacity_begin(&wanted->used, wanted->table, METER_READ, batch->capacity);
	for (i = 0; i < wanted->n; i++) {
		rc = item_key_of_key(&batch->request->arena, wanted->table, &wanted->keys[i].value,
		    &wanted->keys[i].key, error);
		if (rc != TIDE_OK)
			return rc;
		keys[i] = wanted->keys[i].key.bytes;
	}
	rc = index_key_check_paths(wanted->table, NULL, wanted->projection, NULL, error);
	return rc == TIDE_OK ? item_keys_check_distinct(keys, wanted->n, error) : rc;
}

static tide_err
prepare(struct batch *batch, struct tide_error *error)
{
	struct request *request = batch->request;
	const struct json *items = json_get(&request->body, "RequestItems");
	uint32_t i, total = 0;
	tide_err rc;

	if ((rc = batch_items_check(items, 0, error)) != TIDE_OK)
		return rc;
	batch->capacity = capacity_report_read(&request->body);
	batch->tables = arena_calloc(&request->arena, items->object.n * sizeof *batch->tables);
	if (batch->tables == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	batch->n = items->object.n;
	for (i = 0; i < batch->n; i++) {
		batch->tables[i].name = items->object.at[i].name;
		batch->tables[i].wanted = &items->object.at[i].value;
		if ((rc = read_table(batch, &batch->tables[i], error)) != TIDE_OK)
			return rc;
		total += batch->tables[i].n;
	}
	if (total > BATCH_KEYS_MAX)
		return tide_fail(
		    error, TIDE_VALIDATION, "Too many items requested for the BatchGetItem call");
	for (i = 0; i < batch->n; i++)
		if ((rc = find_table(batch, &batch->tables[i], error)) != TIDE_OK)
			return rc;
	return TIDE_OK;
}

/* --- the answer --- */

static tide_err
take_item(struct batch *batch, struct batch_table *wanted, struct bytes image)
{
	struct buf *reply = &batch->request->reply;

	arena_reset(&batch->scratch);
	batch->bytes += image.n;
	if (reply->at[reply->n - 1] != '[')
		buf_append_byte(reply, ',');
	return item_read_write(&batch->scratch, image, wanted->projection, reply);
}

/* Taken out of the bucket at once, so that the next key of the batch finds it there. */
static void
use_capacity(const struct batch *batch, struct batch_table *wanted, struct bytes image)
{
	struct capacity one = wanted->used;
	size_t size = image.n == 0 ? 0 : item_encoded_size(image);

	one.halves = 0;
	capacity_add(&one, capacity_read(size, wanted->consistent));
	capacity_take(batch->request->region, &one);
	wanted->used.halves += one.halves;
}

/* One key: its item, or nothing, or left for the client to ask again. */
static tide_err
take_key(struct batch *batch, struct batch_table *wanted, struct batch_key *key, struct buf *raw)
{
	struct shard *shard = region_shard_of(batch->request->region, key->key.hash);
	struct stored stored;
	tide_err rc;

	if (capacity_admit(batch->request, &wanted->used, NULL, &batch->refused) != TIDE_OK) {
		key->unprocessed = wanted->unprocessed = true;
		return TIDE_OK;
	}
	rc = shard_get(shard, wanted->table->id, key->key.bytes, raw, &stored);
	if (rc == TIDE_NOTFOUND)
		stored.image = BYTES_NONE;
	else if (rc != TIDE_OK)
		return rc;
	if (batch->bytes + stored.image.n > BATCH_BYTES_MAX) {
		key->unprocessed = wanted->unprocessed = true;
		return TIDE_OK;
	}
	batch->taken++;
	if (wanted->used.counted)
		use_capacity(batch, wanted, stored.image);
	if (rc == TIDE_NOTFOUND)
		return TIDE_OK;
	return take_item(batch, wanted, stored.image);
}

static tide_err
write_responses(struct batch *batch)
{
	struct buf *reply = &batch->request->reply, raw = {0};
	struct batch_table *wanted;
	tide_err rc = TIDE_OK;
	uint32_t i, j;

	buf_append_string(reply, "{\"Responses\":{");
	for (i = 0; i < batch->n && rc == TIDE_OK; i++) {
		wanted = &batch->tables[i];
		if (i > 0)
			buf_append_byte(reply, ',');
		json_write_string(reply, wanted->name);
		buf_append_string(reply, ":[");
		if ((rc = buf_check(reply)) != TIDE_OK)
			break;
		for (j = 0; j < wanted->n && rc == TIDE_OK; j++)
			rc = take_key(batch, wanted, &wanted->keys[j], &raw);
		buf_append_byte(reply, ']');
	}
	buf_append_byte(reply, '}');
	buf_fini(&raw);
	return rc;
}

/* The same request again, for what is left of one table. */
static void
write_unprocessed_table(struct buf *reply, const struct batch_table *wanted)
{
	const struct json *names = json_get(wanted->wanted, "ExpressionAttributeNames"),
			  *attributes = json_get(wanted->wanted, "AttributesToGet");
	const char *comma = "";
	uint32_t i;

	json_write_string(reply, wanted->name);
	buf_append_string(reply, ":{\"Keys\":[");
	for (i = 0; i < wanted->n; i++) {
		if (!wanted->keys[i].unprocessed)
			continue;
		buf_append_string(reply, comma);
		json_write_item(reply, &wanted->keys[i].value);
		comma = ",";
	}
	buf_append_byte(reply, ']');
	if (attributes != NULL) {
		buf_append_string(reply, ",\"AttributesToGet\":[");
		for (i = 0; i < attributes->array.n; i++) {
			buf_append_string(reply, i > 0 ? "," : "");
			json_write_string(reply, attributes->array.at[i].text);
		}
		buf_append_byte(reply, ']');
	} else if (wanted->projection != NULL) {
		buf_append_string(reply, ",\"ProjectionExpression\":");
		json_write_string(reply, params_string(wanted->wanted, "ProjectionExpression"));
	}
	if (names != NULL) {
		buf_append_string(reply, ",\"ExpressionAttributeNames\":{");
		for (i = 0; i < names->object.n; i++) {
			if (i > 0)
				buf_append_byte(reply, ',');
			json_write_string(reply, names->object.at[i].name);
			buf_append_byte(reply, ':');
			json_write_string(reply, names->object.at[i].value.text);
		}
		buf_append_byte(reply, '}');
	}
	if (wanted->consistent)
		buf_append_string(reply, ",\"ConsistentRead\":true");
	buf_append_byte(reply, '}');
}

static void
write_capacity(struct batch *batch)
{
	struct buf *reply = &batch->request->reply;
	uint32_t i;

	if (batch->capacity == CAPACITY_NONE)
		return;
	buf_append_string(reply, ",\"ConsumedCapacity\":[");
	for (i = 0; i < batch->n; i++) {
		if (i > 0)
			buf_append_byte(reply, ',');
		capacity_report_json(reply, &batch->tables[i].used);
	}
	buf_append_byte(reply, ']');
}

static tide_err
answer(struct batch *batch, struct tide_error *error)
{
	struct buf *reply = &batch->request->reply;
	const char *comma = "";
	tide_err rc;
	uint32_t i;

	if ((rc = write_responses(batch)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if (batch->taken == 0 && batch->refused.code != TIDE_OK) {
		*error = batch->refused;
		return error->code;
	}
	buf_append_string(reply, ",\"UnprocessedKeys\":{");
	for (i = 0; i < batch->n; i++) {
		if (!batch->tables[i].unprocessed)
			continue;
		buf_append_string(reply, comma);
		write_unprocessed_table(reply, &batch->tables[i]);
		comma = ",";
	}
	buf_append_byte(reply, '}');
	write_capacity(batch);
	buf_append_byte(reply, '}');
	return buf_check(reply) == TIDE_OK ? TIDE_OK : tide_fail(error, TIDE_NOMEM, NULL);
}

void
op_batch_get_item(struct request *request)
{
	struct batch batch = {.request = request};
	struct tide_error error;
	tide_err rc;
	uint32_t i;

	if (!ops_check(request, shape))
		return;
	rc = prepare(&batch, &error);
	if (rc == TIDE_OK)
		rc = answer(&batch, &error);
	arena_fini(&batch.scratch);
	for (i = 0; i < batch.n; i++)
		if (batch.tables[i].table != NULL)
			table_release(batch.tables[i].table);
	if (rc == TIDE_OK) {
		request_ok(request);
		return;
	}
	buf_clear(&request->reply);
	request_fail(request, &error, NULL);
}
