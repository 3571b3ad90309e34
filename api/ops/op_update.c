/* UpdateItem */
#include "api/expr/legacy.h"
#include "api/ops/item_write.h"
#include "api/ops/legacy_shapes.h"

static const char *const expressions[] = {"UpdateExpression", "ConditionExpression", NULL};

static const struct param shape[] = {
    {.name = "ReturnConsumedCapacity", .type = PARAM_STRING, .values = capacity_report_names},
    PARAM_TABLE,
    {.name = "ReturnItemCollectionMetrics", .type = PARAM_STRING, .values = item_collection_metrics_names},
    {.name = "ReturnValues", .type = PARAM_STRING, .values = return_values_names},
    {.name = "Key", .type = PARAM_ITEM, .flags = PARAM_REQUIRED, .java = "AttributeValue"},
    PARAM_CONDITIONAL_OPERATOR,
    PARAM_EXPECTED,
    PARAM_ATTRIBUTE_UPDATES,
    {.name = "ReturnValuesOnConditionCheckFailure", .type = PARAM_STRING, .values = return_on_failure_names},
    {.name = "ConditionExpression", .type = PARAM_STRING},
    {.name = "UpdateExpression", .type = PARAM_STRING},
    {.name = "ExpressionAttributeValues", .type = PARAM_ITEM, .java = "AttributeValue"},
    {.name = "ExpressionAttributeNames", .type = PARAM_MAP, .java = "java.lang.String"},
    PARAMS_END,
};

static tide_err
check_against_table(struct item_write *write, struct tide_error *error)
{
	const struct table *table = write->change.table;
	const struct bytes names[] = {table->partition.name, table->sort.name};
	tide_err rc;

	rc = item_key_of_key(
	    &write->request->arena, table, &write->change.attributes, &write->change.key, error);
	if (rc != TIDE_OK || write->change.update == NULL)
		return rc;
	return expr_update_check_keys(write->change.update, names, table->has_sort ? 2 : 1, error);
}

static tide_err
prepare(struct item_write *write, struct tide_error *error)
{
	struct request *request = write->request;
	const struct json *text = json_get(&request->body, "UpdateExpression");
	tide_err rc;

	if ((rc = item_write_read_key(write, error)) != TIDE_OK)
		return rc;
	if (text != NULL)
		rc = expr_update_parse(
		    &request->arena, text->text, &write->scope, &write->change.update, error);
	else
		rc = expr_legacy_updates(&request->arena, json_get(&request->body, "AttributeUpdates"),
		    &write->change.update, error);
	if (rc != TIDE_OK)
		return rc;
	if ((rc = item_write_condition(write, error)) != TIDE_OK)
		return rc;
	if ((rc = item_write_table(write, error)) != TIDE_OK)
		return rc;
	return check_against_table(write, error);
}

void
op_update_item(struct request *request)
{
	struct item_write *write;
	struct tide_error error;

	if (!ops_check(request, shape))
		return;
	if (item_write_begin(request, ITEM_UPDATE, expressions, &write, &error) != TIDE_OK ||
	    prepare(write, &error) != TIDE_OK)
		item_write_drop(request, write, &error);
	else
		item_write_submit(write);
}
