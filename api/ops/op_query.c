/* Query: the items of one partition, in the order of the sort key. */
#include "api/expr/legacy.h"
#include "api/ops/legacy_shapes.h"
#include "api/ops/page_read.h"
#include "api/ops/query_range.h"

/* in the order in which DynamoDB lists them */
static const char *const expressions[] = {
    "ProjectionExpression", "FilterExpression", "KeyConditionExpression", NULL};
static const char *const legacy[] = {
    "AttributesToGet", "QueryFilter", "ConditionalOperator", "KeyConditions", NULL};
static const struct page_parameters parameters = {expressions, legacy, "QueryFilter"};

static const struct param shape[] = {
    {.name = "Select", .type = PARAM_STRING, .values = select_names},
    {.name = "IndexName", .type = PARAM_STRING, .min = 3, .max = 255, .pattern = PARAM_PATTERN_NAME},
    {.name = "ReturnConsumedCapacity", .type = PARAM_STRING, .values = capacity_report_names},
    PARAM_CONDITIONS("QueryFilter"),
    PARAM_TABLE,
    PARAM_CONDITIONAL_OPERATOR,
    PARAM_ATTRIBUTES_TO_GET,
    {.name = "Limit", .type = PARAM_INTEGER, .min = 1},
    PARAM_CONDITIONS("KeyConditions"),
    {.name = "ExclusiveStartKey", .type = PARAM_ITEM, .java = "AttributeValue"},
    {.name = "ConsistentRead", .type = PARAM_BOOLEAN},
    {.name = "ScanIndexForward", .type = PARAM_BOOLEAN},
    {.name = "KeyConditionExpression", .type = PARAM_STRING},
    {.name = "FilterExpression", .type = PARAM_STRING},
    {.name = "ProjectionExpression", .type = PARAM_STRING},
    {.name = "ExpressionAttributeValues", .type = PARAM_ITEM, .java = "AttributeValue"},
    {.name = "ExpressionAttributeNames", .type = PARAM_MAP, .java = "java.lang.String"},
    PARAMS_END,
};

static struct expr_key_schema
schema_of(const struct table *table)
{
	struct expr_key_schema schema = {
	    .partition = table->partition.name,
	    .partition_type = table->partition.type,
	};

	if (table->has_sort) {
		schema.sort = table->sort.name;
		schema.sort_type = table->sort.type;
	}
	return schema;
}

static tide_err
parse_condition(struct page_read *read, const struct expr_condition **out, struct tide_error *error)
{
	struct request *request = read->request;
	const struct json *text = json_get(&request->body, "KeyConditionExpression"),
			  *conditions = json_get(&request->body, "KeyConditions");

	if (text == NULL && conditions != NULL)
		return expr_legacy_keys(&request->arena, conditions, out, error);
	if (text == NULL)
		return tide_fail(error, TIDE_VALIDATION,
		    "Either the KeyConditions or KeyConditionExpression parameter must be specified in the "
		    "request.");
	return expr_condition_parse(
	    &request->arena, EXPR_KEY_CONDITION, text->text, &read->scope, out, error);
}

/* Where the last page ended: inside what the query selects. */
static tide_err
check_start(const struct page_read *read, const struct expr_key_condition *condition,
    const struct value *start, struct tide_error *error)
{
	const struct table *table = read->table;
	const struct value *partition = value_map_get(start, table->partition.name);
	bool here = value_equal(partition, &condition->partition);

	if (read->at_most_one)
		return tide_fail(
		    error, TIDE_VALIDATION, "The query can return at most one row and cannot be restarted");
	if (condition->range == EXPR_RANGE_ALL) {
		if (!here)
			return tide_fail(error, TIDE_VALIDATION,
			    "The provided starting key is outside query boundaries based on provided "
			    "conditions");
		return TIDE_OK;
	}
	if (!expr_key_condition_matches(condition, value_map_get(start, table->sort.name)))
		return tide_fail(error, TIDE_VALIDATION,
		    "The provided starting key does not match the range key predicate");
	if (!here)
		return tide_fail(
		    error, TIDE_VALIDATION, "The query can return at most one row and cannot be restarted");
	return TIDE_OK;
}

/* What the table's key makes of the query: the range of stored keys, from where the last page ended. */
static tide_err
find_range(struct page_read *read, const struct expr_condition *parsed, struct tide_error *error)
{
	struct expr_key_schema schema = schema_of(read->table);
	struct expr_key_condition condition;
	struct value start;
	struct item_key key;
	bool resumed;
	tide_err rc;

	if ((rc = expr_key_condition_derive(parsed, &schema, &condition, error)) != TIDE_OK)
		return rc;
	read->at_most_one = !read->table->has_sort || condition.range == EXPR_RANGE_EQ;
	if ((rc = page_read_start(read, &resumed, &start, &key, error)) != TIDE_OK)
		return rc;
	if (resumed && (rc = check_start(read, &condition, &start, error)) != TIDE_OK)
		return rc;
	if ((rc = expr_filter_check_keys(read->filter, &schema, error)) != TIDE_OK)
		return rc;
	read->range.backward = !params_flag(&read->request->body, "ScanIndexForward", true);
	rc = query_range(&condition, &read->range);
	if (rc == TIDE_OK && resumed)
		rc = key_range_resume(&read->range, key.bytes);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

void
op_query(struct request *request)
{
	const struct expr_condition *condition;
	struct page_read read;
	struct tide_error error;
	tide_err rc;

	if (!ops_check(request, shape))
		return;
	rc = page_read_begin(&read, request, &parameters, &error);
	if (rc == TIDE_OK)
		rc = parse_condition(&read, &condition, &error);
	if (rc == TIDE_OK)
		rc = page_read_table(&read, &error);
	if (rc == TIDE_OK)
		rc = find_range(&read, condition, &error);
	if (rc == TIDE_OK)
		rc = page_read_write(&read, &error);
	page_read_finish(&read, rc, &error);
}
