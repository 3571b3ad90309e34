/* Query: the items of one partition, in the order of the sort key. */
#include "api/expr/legacy.h"
#include "api/ops/legacy_shapes.h"
#include "api/ops/page_request.h"

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

/* What a key of one or two attributes can have, and a key of several. */
#define CONDITIONS_MAX 2
#define CONDITIONS_ON_INDEX_MAX (2 * (1 + EXPR_KEYS_MORE_MAX))

static tide_err
parse_condition(struct request *request, struct expr_scope *scope, const struct expr_condition **out,
    struct tide_error *error)
{
	const struct json *text = json_get(&request->body, "KeyConditionExpression"),
			  *conditions = json_get(&request->body, "KeyConditions");
	bool index = json_get(&request->body, "IndexName") != NULL;

	if (text == NULL && conditions != NULL)
		return expr_legacy_keys(&request->arena, conditions,
		    index ? CONDITIONS_ON_INDEX_MAX : CONDITIONS_MAX, out, error);
	if (text == NULL)
		return tide_fail(error, TIDE_VALIDATION,
		    "Either the KeyConditions or KeyConditionExpression parameter must be specified in the "
		    "request.");
	return expr_condition_parse(&request->arena, EXPR_KEY_CONDITION, text->text, scope, out, error);
}

void
op_query(struct request *request)
{
	const struct expr_condition *condition;
	const struct value *start;
	struct expr_scope scope;
	struct page_read read;
	struct tide_error error;
	tide_err rc;

	if (!ops_check(request, shape))
		return;
	rc = page_request_begin(&read, request, &parameters, &scope, &error);
	if (rc == TIDE_OK)
		rc = parse_condition(request, &scope, &condition, &error);
	if (rc == TIDE_OK)
		rc = page_request_target(&read, &scope, &error);
	if (rc == TIDE_OK)
		rc = page_request_start(&read, &start, &error);
	if (rc == TIDE_OK)
		rc = page_read_query(
		    &read, condition, !params_flag(&request->body, "ScanIndexForward", true), start, &error);
	if (rc == TIDE_OK)
		rc = page_request_write(&read, &error);
	page_request_finish(&read, rc, &error);
}
