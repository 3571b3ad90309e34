/* TransactWriteItems: the request; what becomes of it is in transact_write.c. */
#include "api/ops/legacy_shapes.h"
#include "api/ops/return_values.h"
#include "api/ops/transact_digest.h"
#include "api/ops/transact_write.h"

#define PARAMS_CONDITIONAL                                                                                   \
	{.name = "ExpressionAttributeNames", .type = PARAM_MAP, .java = "java.lang.String"},                 \
	    {.name = "ExpressionAttributeValues", .type = PARAM_ITEM, .java = "AttributeValue"},             \
	{                                                                                                    \
		.name = "ReturnValuesOnConditionCheckFailure", .type = PARAM_STRING,                         \
		.values = return_on_failure_names                                                            \
	}
#define PARAM_KEY                                                                                            \
	{                                                                                                    \
		.name = "Key", .type = PARAM_ITEM, .flags = PARAM_REQUIRED, .java = "AttributeValue"         \
	}

static const struct param check_shape[] = {
    PARAM_KEY,
    PARAM_TABLE,
    {.name = "ConditionExpression", .type = PARAM_STRING, .flags = PARAM_REQUIRED},
    PARAMS_CONDITIONAL,
    PARAMS_END,
};

static const struct param put_shape[] = {
    {.name = "Item", .type = PARAM_ITEM, .flags = PARAM_REQUIRED, .java = "AttributeValue"},
    PARAM_TABLE,
    {.name = "ConditionExpression", .type = PARAM_STRING},
    PARAMS_CONDITIONAL,
    PARAMS_END,
};

static const struct param delete_shape[] = {
    PARAM_KEY,
    PARAM_TABLE,
    {.name = "ConditionExpression", .type = PARAM_STRING},
    PARAMS_CONDITIONAL,
    PARAMS_END,
};

static const struct param update_shape[] = {
    PARAM_KEY,
    {.name = "UpdateExpression", .type = PARAM_STRING, .flags = PARAM_REQUIRED},
    PARAM_TABLE,
    {.name = "ConditionExpression", .type = PARAM_STRING},
    PARAMS_CONDITIONAL,
    PARAMS_END,
};

static const struct param action_shape[] = {
    {.name = "ConditionCheck", .type = PARAM_STRUCT, .members = check_shape, .java = "ConditionCheck"},
    {.name = "Put", .type = PARAM_STRUCT, .members = put_shape, .java = "Put"},
    {.name = "Delete", .type = PARAM_STRUCT, .members = delete_shape, .java = "Delete"},
    {.name = "Update", .type = PARAM_STRUCT, .members = update_shape, .java = "Update"},
    PARAMS_END,
};

static const struct param element_shape[] = {
    {.name = "", .type = PARAM_STRUCT, .members = action_shape, .java = "TransactWriteItem"},
    PARAMS_END,
};

static const struct param shape[] = {
    {.name = "ClientRequestToken", .type = PARAM_STRING, .min = 1, .max = 36},
    {.name = "ReturnConsumedCapacity", .type = PARAM_STRING, .values = capacity_report_names},
    {.name = "ReturnItemCollectionMetrics", .type = PARAM_STRING, .values = item_collection_metrics_names},
    {.name = "TransactItems",
	.type = PARAM_LIST,
	.flags = PARAM_REQUIRED,
	.min = 1,
	.max = TRANSACT_ITEMS_MAX,
	.members = element_shape,
	.java = "TransactWriteItem"},
    PARAMS_END,
};

static const struct {
	const char *name;
	enum item_change_kind kind;
} kinds[] = {
    {"ConditionCheck", ITEM_CHECK},
    {"Put", ITEM_PUT},
    {"Delete", ITEM_DELETE},
    {"Update", ITEM_UPDATE},
};

static const char *const expressions[] = {"ConditionExpression", NULL};
static const char *const expressions_of_update[] = {"UpdateExpression", "ConditionExpression", NULL};

/* The one thing that an element asks for. */
static tide_err
find_kind(const struct json *element, const struct json **out, enum item_change_kind *kind,
    struct tide_error *error)
{
	unsigned n = 0;

	for (size_t i = 0; element->type == JSON_OBJECT && i < sizeof kinds / sizeof kinds[0]; i++) {
		const struct json *found = json_get(element, kinds[i].name);

		if (found == NULL)
			continue;
		n++;
		*out = found;
		*kind = kinds[i].kind;
	}
	if (n == 0)
		return tide_fail(error, TIDE_VALIDATION,
		    "Invalid Request: TransactWriteRequest should contain Delete or Put or Update request");
	if (n > 1)
		return tide_fail(error, TIDE_VALIDATION,
		    "TransactItems can only contain one of Check, Put, Update or Delete");
	return TIDE_OK;
}

static tide_err
read_expressions(struct arena *arena, const struct json *json, struct expr_scope *scope,
    struct item_change *change, struct tide_error *error)
{
	const struct json *update = json_get(json, "UpdateExpression");
	const struct json *condition = json_get(json, "ConditionExpression");
	tide_err rc;

	if (change->kind == ITEM_UPDATE && update != NULL &&
	    (rc = expr_update_parse(arena, update->text, scope, &change->update, error)) != TIDE_OK)
		return rc;
	if (condition != NULL && (rc = expr_condition_parse(arena, EXPR_CONDITION, condition->text, scope,
				      &change->condition, error)) != TIDE_OK)
		return rc;
	return expr_scope_check_used(scope, error);
}

static void
digest_action(struct transact_digest *digest, const struct json *json, const struct expr_scope *scope,
    const struct transact_action *action)
{
	if (digest == NULL)
		return;
	transact_digest_number(digest, action->change.kind);
	transact_digest_text(digest, params_string(json, "TableName"));
	transact_digest_value(digest, &action->change.attributes);
	transact_digest_text(digest, params_string(json, "UpdateExpression"));
	transact_digest_text(digest, params_string(json, "ConditionExpression"));
	transact_digest_scope(digest, scope);
	transact_digest_number(digest, action->old_on_failure);
}

/* What counts for the size of a transaction: the item or the key, the texts of expressions and the values for them. */
static size_t
payload_of(const struct json *json, const struct expr_scope *scope, const struct item_change *change)
{
	size_t size = change->kind == ITEM_PUT ? change->size_after : item_size(&change->attributes);

	size += params_string(json, "UpdateExpression").n + params_string(json, "ConditionExpression").n;
	for (uint32_t i = 0; i < scope->values.n; i++)
		size += value_size(&scope->values.at[i].value);
	return size;
}

/* What can be said of an action without the tables. */
static tide_err
read_action(struct transact_write *transact, const struct json *element, struct transact_action *action,
    struct transact_digest *digest, const struct json **json, size_t *payload, struct tide_error *error)
{
	struct arena *arena = &transact->request->arena;
	struct item_change *change = &action->change;
	struct expr_scope scope;
	tide_err rc;

	if ((rc = find_kind(element, json, &change->kind, error)) != TIDE_OK)
		return rc;
	action->old_on_failure = return_on_failure_read(*json);
	rc = expr_scope_read(arena, *json, change->kind == ITEM_UPDATE ? expressions_of_update : expressions,
	    NULL, &scope, error);
	if (rc != TIDE_OK)
		return rc;
	rc = json_to_item(
	    arena, json_get(*json, change->kind == ITEM_PUT ? "Item" : "Key"), &change->attributes, error);
	if (rc == TIDE_OK && change->kind == ITEM_PUT)
		rc = item_change_measure(change, error);
	if (rc == TIDE_OK)
		rc = read_expressions(arena, *json, &scope, change, error);
	if (rc != TIDE_OK)
		return rc;
	*payload += payload_of(*json, &scope, change);
	digest_action(digest, *json, &scope, action);
	if (*payload > TRANSACT_BYTES_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    "Transaction payload size cannot exceed 4MB. Payload Size: %zu", *payload);
	return TIDE_OK;
}

/* The action's key in its table, and what of it the schema forbids. */
static tide_err
check_schema(struct arena *arena, struct item_change *change, struct tide_error *error)
{
	const struct table *table = change->table;
	const struct bytes names[] = {table->partition.name, table->sort.name};
	tide_err rc;

	rc = change->kind == ITEM_PUT
		 ? item_key_of_item(arena, table, &change->attributes, &change->key, error)
		 : item_key_of_key(arena, table, &change->attributes, &change->key, error);
	if (rc != TIDE_OK || change->update == NULL)
		return rc;
	return expr_update_check_keys(change->update, names, table->has_sort ? 2 : 1, error);
}

/* Keys that do not fit a schema cancel the transaction; the first one is told. `*cancelled`: there is one. */
static tide_err
check_schemas(struct transact_write *transact, bool *cancelled, struct tide_error *error)
{
	struct arena *arena = &transact->request->arena;
	uint64_t tables[TRANSACT_ITEMS_MAX];
	struct bytes keys[TRANSACT_ITEMS_MAX];
	tide_err rc;

	*cancelled = false;
	for (uint32_t i = 0; i < transact->n; i++) {
		struct transact_action *action = &transact->actions[i];

		rc = check_schema(arena, &action->change, error);
		if (rc != TIDE_OK && (rc != TIDE_VALIDATION || transact_is_upfront(error)))
			return rc;
		if (rc != TIDE_OK && !*cancelled) {
			*cancelled = true;
			if (transact_reason_set(&action->reason, arena, error) != TIDE_OK)
				return tide_fail(error, TIDE_NOMEM, NULL);
		}
		tables[i] = action->change.table->id;
		keys[i] = action->change.key.bytes;
	}
	return transact_check_distinct(tables, keys, transact->n, error);
}

static tide_err
find_tables(struct transact_write *transact, const struct json *const *actions, struct tide_error *error)
{
	for (uint32_t i = 0; i < transact->n; i++) {
		struct item_change *change = &transact->actions[i].change;

		change->table =
		    ops_table_write(transact->request->region, params_string(actions[i], "TableName"), error);
		if (change->table == NULL)
			return error->code;
	}
	return TIDE_OK;
}

static tide_err
encode_all(struct transact_write *transact, struct tide_error *error)
{
	tide_err rc;

	for (uint32_t i = 0; i < transact->n; i++)
		if (transact->actions[i].change.kind == ITEM_PUT &&
		    (rc = item_change_encode(&transact->actions[i].change, error)) != TIDE_OK)
			return rc;
	return TIDE_OK;
}

static tide_err
take_token(struct transact_write *transact, struct transact_digest *digest, struct bytes token,
    struct tide_error *error)
{
	uint8_t parameters[TRANSACT_DIGEST_BYTES];
	tide_err rc;

	if (digest == NULL)
		return TIDE_OK;
	if ((rc = transact_digest_end(digest, parameters)) == TIDE_OK)
		rc = transact_write_token(
		    transact, "TransactWriteItems", token, bytes_of(parameters, sizeof parameters));
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static tide_err
prepare(struct transact_write *transact, const struct json *items, bool *cancelled, struct tide_error *error)
{
	struct request *request = transact->request;
	const struct json *token = json_get(&request->body, "ClientRequestToken");
	const struct json *actions[TRANSACT_ITEMS_MAX];
	struct transact_digest *digest = NULL;
	size_t payload = 0;
	tide_err rc = TIDE_OK;

	*cancelled = false;
	transact->report = capacity_report_read(&request->body);
	transact->metrics = bytes_is(params_string(&request->body, "ReturnItemCollectionMetrics"), "SIZE");
	if (token != NULL && (digest = transact_digest_new(&request->arena)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	for (uint32_t i = 0; i < transact->n && rc == TIDE_OK; i++)
		rc = read_action(transact, &items->array.at[i], &transact->actions[i], digest, &actions[i],
		    &payload, error);
	if (digest != NULL && rc == TIDE_OK)
		rc = take_token(transact, digest, token->text, error);
	else if (digest != NULL)
		transact_digest_drop(digest);
	if (rc != TIDE_OK || (rc = find_tables(transact, actions, error)) != TIDE_OK ||
	    (rc = check_schemas(transact, cancelled, error)) != TIDE_OK || *cancelled)
		return rc;
	return encode_all(transact, error);
}

void
op_transact_write_items(struct request *request)
{
	struct transact_write *transact;
	const struct json *items;
	struct tide_error error;
	bool cancelled;

	if (!ops_check(request, shape))
		return;
	items = json_get(&request->body, "TransactItems");
	if ((transact = transact_write_new(request, items->array.n)) == NULL) {
		ops_fail(request, TIDE_NOMEM, NULL);
		return;
	}
	if (prepare(transact, items, &cancelled, &error) != TIDE_OK)
		transact_write_drop(request, transact, &error);
	else if (cancelled)
		transact_write_cancel(transact);
	else
		transact_write_submit(transact);
}
