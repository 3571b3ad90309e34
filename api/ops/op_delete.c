/* DeleteItem */
#include "api/ops/item_write.h"
#include "api/ops/legacy_shapes.h"

static const char *const expressions[] = {"ConditionExpression", NULL};

static const struct param shape[] = {
    {.name = "ReturnConsumedCapacity", .type = PARAM_STRING, .values = capacity_report_names},
    PARAM_TABLE,
    {.name = "ReturnValues", .type = PARAM_STRING, .values = return_values_names},
    {.name = "ReturnItemCollectionMetrics", .type = PARAM_STRING, .values = item_collection_metrics_names},
    {.name = "Key", .type = PARAM_ITEM, .flags = PARAM_REQUIRED, .java = "AttributeValue"},
    PARAM_CONDITIONAL_OPERATOR,
    PARAM_EXPECTED,
    {.name = "ReturnValuesOnConditionCheckFailure", .type = PARAM_STRING, .values = return_on_failure_names},
    {.name = "ConditionExpression", .type = PARAM_STRING},
    {.name = "ExpressionAttributeValues", .type = PARAM_ITEM, .java = "AttributeValue"},
    {.name = "ExpressionAttributeNames", .type = PARAM_MAP, .java = "java.lang.String"},
    PARAMS_END,
};

static tide_err
prepare(struct item_write *write, struct tide_error *error)
{
	tide_err rc;

	if ((rc = item_write_read_key(write, error)) != TIDE_OK)
		return rc;
	if ((rc = item_write_condition(write, error)) != TIDE_OK)
		return rc;
	if ((rc = item_write_table(write, error)) != TIDE_OK)
		return rc;
	return item_key_of_key(&write->request->arena, write->change.table, &write->change.attributes,
	    &write->change.key, error);
}

void
op_delete_item(struct request *request)
{
	struct item_write *write;
	struct tide_error error;

	if (!ops_check(request, shape))
		return;
	if (item_write_begin(request, ITEM_DELETE, expressions, &write, &error) != TIDE_OK ||
	    prepare(write, &error) != TIDE_OK)
		item_write_drop(request, write, &error);
	else
		item_write_submit(write);
}
