/* TransactGetItems: up to 100 items as they are at one moment, answered on the I/O thread. */
#include "api/ops/capacity.h"
#include "api/ops/index_key.h"
#include "api/ops/item_key.h"
#include "api/ops/item_read.h"
#include "api/ops/transact.h"

static const char *const expressions[] = {"ProjectionExpression", NULL};

static const struct param get_shape[] = {
    {.name = "Key", .type = PARAM_ITEM, .flags = PARAM_REQUIRED, .java = "AttributeValue"},
    PARAM_TABLE,
    {.name = "ProjectionExpression", .type = PARAM_STRING},
    {.name = "ExpressionAttributeNames", .type = PARAM_MAP, .java = "java.lang.String"},
    PARAMS_END,
};

static const struct param item_shape[] = {
    {.name = "Get", .type = PARAM_STRUCT, .flags = PARAM_REQUIRED, .members = get_shape, .java = "Get"},
    PARAMS_END,
};

static const struct param element_shape[] = {
    {.name = "", .type = PARAM_STRUCT, .members = item_shape, .java = "TransactGetItem"},
    PARAMS_END,
};

static const struct param shape[] = {
    {.name = "ReturnConsumedCapacity", .type = PARAM_STRING, .values = capacity_report_names},
    {.name = "TransactItems",
	.type = PARAM_LIST,
	.flags = PARAM_REQUIRED,
	.min = 1,
	.max = TRANSACT_ITEMS_MAX,
	.members = element_shape,
	.java = "TransactGetItem"},
    PARAMS_END,
};

struct get {
	struct transact_reason reason;
	const struct json *json;
	struct value value; /* the Key parameter */
	const struct expr_projection *projection;
	const struct table *table; /* one reference */
	struct item_key key;
	uint32_t used; /* which of the transaction's `used` */
};

struct transact_get {
	struct request *request;
	enum capacity_report report;
	struct get *gets;
	struct shard_get_one *reads; /* one for each */
	uint32_t n;
	struct capacity *used; /* per table, in the order in which they appear */
	uint32_t n_used;
	struct arena scratch; /* of one item */
	struct buf members;
};

/* --- the request --- */

static tide_err
read_get(struct transact_get *transact, const struct json *element, struct get *get, struct tide_error *error)
{
	struct arena *arena = &transact->request->arena;
	struct expr_scope scope;
	tide_err rc;

	get->json = element->type == JSON_OBJECT ? json_get(element, "Get") : NULL;
	if (get->json == NULL)
		return tide_fail(error, TIDE_VALIDATION,
		    "1 validation error detected: Value null at 'transactItems.%u.member.get' failed to "
		    "satisfy constraint: Member must not be null",
		    (unsigned)(get - transact->gets) + 1);
	if ((rc = expr_scope_read(arena, get->json, expressions, NULL, &scope, error)) != TIDE_OK)
		return rc;
	if ((rc = json_to_item(arena, json_get(get->json, "Key"), &get->value, error)) != TIDE_OK)
		return rc;
	if ((rc = item_read_projection(arena, get->json, &scope, &get->projection, error)) != TIDE_OK)
		return rc;
	return expr_scope_check_used(&scope, error);
}

/* The capacity of the table; made where this is the first of it. */
static uint32_t
used_of(struct transact_get *transact, const struct table *table)
{
	for (uint32_t i = 0; i < transact->n_used; i++)
		if (transact->used[i].table->id == table->id)
			return i;
	capacity_begin(&transact->used[transact->n_used], table, METER_READ, transact->report);
	transact->used[transact->n_used].transaction = true;
	return transact->n_used++;
}

/* Keys that do not fit a schema cancel the transaction; the first one is told. `*cancelled`: there is one. */
static tide_err
check_keys(struct transact_get *transact, bool *cancelled, struct tide_error *error)
{
	struct arena *arena = &transact->request->arena;
	uint64_t tables[TRANSACT_ITEMS_MAX];
	struct bytes keys[TRANSACT_ITEMS_MAX];
	tide_err rc;

	for (uint32_t i = 0; i < transact->n; i++) {
		struct get *get = &transact->gets[i];

		rc = index_key_check_paths(get->table, NULL, get->projection, NULL, error);
		if (rc != TIDE_OK)
			return rc;
		rc = item_key_of_key(arena, get->table, &get->value, &get->key, error);
		if (rc != TIDE_OK && (rc != TIDE_VALIDATION || transact_is_upfront(error)))
			return rc;
		if (rc != TIDE_OK && !*cancelled) {
			*cancelled = true;
			if (transact_reason_set(&get->reason, arena, error) != TIDE_OK)
				return tide_fail(error, TIDE_NOMEM, NULL);
		}
		tables[i] = get->table->id;
		keys[i] = get->key.bytes;
		transact->reads[i].table = tables[i];
		transact->reads[i].key = keys[i];
		get->used = used_of(transact, get->table);
	}
	return transact_check_distinct(tables, keys, transact->n, error);
}

/* The gets on a table that has nothing left are the reason. */
static tide_err
admit(struct transact_get *transact, bool *cancelled, struct tide_error *error)
{
	tide_err rc;

	for (uint32_t t = 0; t < transact->n_used && !*cancelled; t++) {
		if ((rc = capacity_admit(transact->request, &transact->used[t], NULL, error)) == TIDE_OK)
			continue;
		if (rc != TIDE_THROUGHPUT_EXCEEDED && rc != TIDE_THROTTLED)
			return rc;
		*cancelled = true;
		for (uint32_t i = 0; i < transact->n; i++)
			if (transact->gets[i].used == t && transact_reason_set(&transact->gets[i].reason,
							       &transact->request->arena, error) != TIDE_OK)
				return tide_fail(error, TIDE_NOMEM, NULL);
	}
	return TIDE_OK;
}

static tide_err
prepare(struct transact_get *transact, const struct json *items, struct tide_error *error)
{
	struct request *request = transact->request;
	bool cancelled = false;
	tide_err rc;

	transact->report = capacity_report_read(&request->body);
	for (uint32_t i = 0; i < transact->n; i++)
		if ((rc = read_get(transact, &items->array.at[i], &transact->gets[i], error)) != TIDE_OK)
			return rc;
	for (uint32_t i = 0; i < transact->n; i++) {
		struct get *get = &transact->gets[i];

		get->table = ops_table_read(request->region, params_string(get->json, "TableName"), error);
		if (get->table == NULL)
			return error->code;
	}
	if ((rc = check_keys(transact, &cancelled, error)) != TIDE_OK ||
	    (rc = admit(transact, &cancelled, error)) != TIDE_OK)
		return rc;
	if (cancelled)
		return transact_cancel(
		    &transact->gets->reason, sizeof *transact->gets, transact->n, &transact->members, error);
	return TIDE_OK;
}

/* --- the answer --- */

static tide_err
check_reads(struct transact_get *transact, struct tide_error *error)
{
	struct shard *shard = region_shard_of(transact->request->region, transact->gets[0].key.hash);
	size_t size = 0, one;

	for (uint32_t i = 0; i < transact->n; i++) {
		const struct shard_get_one *read = &transact->reads[i];
		struct capacity *use = &transact->used[transact->gets[i].used];
		enum replica_state state = shard_table_state(shard, read->table);

		/* It may have been taken out of service since it was looked up, and be half merged. */
		if (state != REPLICA_ACTIVE && state != REPLICA_LEAVING)
			return tide_fail(error, TIDE_RESOURCE_NOT_FOUND, NULL);
		one = read->outcome == TIDE_OK ? item_encoded_size(read->stored.image) : 0;
		size += one;
		if (size > TRANSACT_BYTES_MAX)
			return tide_fail(
			    error, TIDE_VALIDATION, "Payload in response is too large.%zu", size);
		capacity_add(use, capacity_read(one, true));
	}
	return TIDE_OK;
}

static tide_err
write_responses(struct transact_get *transact, struct buf *reply)
{
	tide_err rc = TIDE_OK;

	buf_append_string(reply, "\"Responses\":[");
	for (uint32_t i = 0; i < transact->n && rc == TIDE_OK; i++) {
		const struct shard_get_one *read = &transact->reads[i];

		buf_append_string(reply, i == 0 ? "{" : ",{");
		if (read->outcome == TIDE_OK) {
			arena_reset(&transact->scratch);
			buf_append_string(reply, "\"Item\":");
			rc = item_read_write(
			    &transact->scratch, read->stored.image, transact->gets[i].projection, reply);
		}
		buf_append_byte(reply, '}');
	}
	buf_append_byte(reply, ']');
	return rc;
}

static tide_err
answer(struct transact_get *transact, struct tide_error *error)
{
	struct region *region = transact->request->region;
	struct buf *reply = &transact->request->reply;
	tide_err rc;

	rc = shard_get_all(region_shard_of(region, transact->gets[0].key.hash), transact->reads, transact->n);
	if (rc != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if ((rc = check_reads(transact, error)) != TIDE_OK)
		return rc;
	buf_append_byte(reply, '{');
	if (transact->report != CAPACITY_NONE) {
		buf_append_string(reply, "\"ConsumedCapacity\":[");
		for (uint32_t i = 0; i < transact->n_used; i++) {
			buf_append_string(reply, i == 0 ? "" : ",");
			capacity_report_json(reply, &transact->used[i]);
		}
		buf_append_string(reply, "],");
	}
	rc = write_responses(transact, reply);
	buf_append_byte(reply, '}');
	for (uint32_t i = 0; i < transact->n_used; i++)
		capacity_take(region, &transact->used[i]);
	if (rc == TIDE_OK)
		rc = buf_check(reply);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static bool
make(struct transact_get *transact, struct request *request, uint32_t n)
{
	struct arena *arena = &request->arena;

	*transact = (struct transact_get){.request = request, .n = n};
	transact->gets = arena_calloc(arena, n * sizeof *transact->gets);
	transact->reads = arena_calloc(arena, n * sizeof *transact->reads);
	transact->used = arena_calloc(arena, n * sizeof *transact->used);
	arena_init(&transact->scratch, 0);
	return transact->gets != NULL && transact->reads != NULL && transact->used != NULL;
}

void
op_transact_get_items(struct request *request)
{
	struct transact_get transact;
	const struct json *items;
	struct tide_error error;
	tide_err rc;

	if (!ops_check(request, shape))
		return;
	items = json_get(&request->body, "TransactItems");
	if (!make(&transact, request, items->array.n)) {
		ops_fail(request, TIDE_NOMEM, NULL);
		return;
	}
	if ((rc = prepare(&transact, items, &error)) == TIDE_OK)
		rc = answer(&transact, &error);
	for (uint32_t i = 0; i < transact.n; i++)
		table_release(transact.gets[i].table);
	shard_get_all_fini(transact.reads, transact.n);
	arena_fini(&transact.scratch);
	if (rc == TIDE_OK) {
		request_ok(request);
	} else {
		buf_clear(&request->reply);
		request_fail(request, &error,
		    rc == TIDE_TRANSACTION_CANCELED ? (const char *)transact.members.at : NULL);
	}
	buf_fini(&transact.members);
}
