/* PutItem */
#include "api/ops/item_write.h"
#include "api/ops/legacy_shapes.h"

static const char *const expressions[] = {"ConditionExpression", NULL};

static const struct param shape[] = {
    {.name = "ReturnConsumedCapacity", .type = PARAM_STRING, .values = capacity_report_names},
    PARAM_TABLE,
    {.name = "Item", .type = PARAM_ITEM, .flags = PARAM_REQUIRED, .java = "AttributeValue"},
    PARAM_CONDITIONAL_OPERATOR,
    PARAM_EXPECTED,
    {.name = "ReturnValues", .type = PARAM_STRING, .values = return_values_names},
    {.name = "ReturnItemCollectionMetrics", .type = PARAM_STRING, .values = item_collection_metrics_names},
    {.name = "ReturnValuesOnConditionCheckFailure", .type = PARAM_STRING, .values = return_on_failure_names},
    {.name = "ConditionExpression", .type = PARAM_STRING},
    {.name = "ExpressionAttributeValues", .type = PARAM_ITEM, .java = "AttributeValue"},
    {.name = "ExpressionAttributeNames", .type = PARAM_MAP, .java = "java.lang.String"},
    PARAMS_END,
};

static tide_err
prepare(struct item_write *write, struct tide_error *error)
{
	struct request *request = write->request;
	tide_err rc;

	rc =
	    json_to_item(&request->arena, json_get(&request->body, "Item"), &write->change.attributes, error);
	if (rc != TIDE_OK)
		return rc;
	if ((rc = item_change_measure(&write->change, error)) != TIDE_OK)
		return rc;
	if ((rc = item_write_condition(write, error)) != TIDE_OK)
		return rc;
	if ((rc = item_write_table(write, error)) != TIDE_OK)
		return rc;
	rc = item_key_of_item(
	    &request->arena, write->change.table, &write->change.attributes, &write->change.key, error);
	if (rc != TIDE_OK)
		return rc;
	return item_change_encode(&write->change, error);
}

void
op_put_item(struct request *request)
{
	struct item_write *write;
	struct tide_error error;

	if (!ops_check(request, shape))
		return;
	if (item_write_begin(request, ITEM_PUT, expressions, &write, &error) != TIDE_OK ||
	    prepare(write, &error) != TIDE_OK)
		item_write_drop(request, write, &error);
	else
		item_write_submit(write);
}
