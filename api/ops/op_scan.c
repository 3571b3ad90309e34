/* Scan: a table in the order of its key hash, whole or one segment of it. */
#include "api/ops/legacy_shapes.h"
#include "api/ops/page_request.h"

static const char *const expressions[] = {"ProjectionExpression", "FilterExpression", NULL};
static const char *const legacy[] = {"AttributesToGet", "ScanFilter", "ConditionalOperator", NULL};
static const struct page_parameters parameters = {expressions, legacy, "ScanFilter"};

static const struct param shape[] = {
    {.name = "Select", .type = PARAM_STRING, .values = select_names},
    {.name = "IndexName", .type = PARAM_STRING, .min = 3, .max = 255, .pattern = PARAM_PATTERN_NAME},
    {.name = "TotalSegments", .type = PARAM_INTEGER, .min = 1, .max = 1000000},
    {.name = "ReturnConsumedCapacity", .type = PARAM_STRING, .values = capacity_report_names},
    PARAM_TABLE,
    PARAM_CONDITIONAL_OPERATOR,
    PARAM_CONDITIONS("ScanFilter"),
    {.name = "Segment", .type = PARAM_INTEGER, .min = 0, .max = 999999},
    {.name = "Limit", .type = PARAM_INTEGER, .min = 1},
    PARAM_ATTRIBUTES_TO_GET,
    {.name = "ExclusiveStartKey", .type = PARAM_ITEM, .java = "AttributeValue"},
    {.name = "ConsistentRead", .type = PARAM_BOOLEAN},
    {.name = "FilterExpression", .type = PARAM_STRING},
    {.name = "ProjectionExpression", .type = PARAM_STRING},
    {.name = "ExpressionAttributeValues", .type = PARAM_ITEM, .java = "AttributeValue"},
    {.name = "ExpressionAttributeNames", .type = PARAM_MAP, .java = "java.lang.String"},
    PARAMS_END,
};

static tide_err
read_segment(const struct json *body, struct scan_segment *out, struct tide_error *error)
{
	bool segment = json_get(body, "Segment") != NULL, total = json_get(body, "TotalSegments") != NULL;

	*out = (struct scan_segment){.index = 0, .total = 1};
	if (segment && !total)
		return tide_fail(error, TIDE_VALIDATION,
		    "The TotalSegments parameter is required but was not present in the request when Segment "
		    "parameter "
		    "is present");
	if (!total)
		return TIDE_OK;
	if (!segment)
		return tide_fail(error, TIDE_VALIDATION,
		    "The Segment parameter is required but was not present in the request when parameter "
		    "TotalSegments is present");
	out->index = (uint32_t)params_number(body, "Segment", 0);
	out->total = (uint32_t)params_number(body, "TotalSegments", 1);
	if (out->index >= out->total)
		return tide_fail(error, TIDE_VALIDATION,
		    "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
		    "Segment: %u is "
		    "not less than TotalSegments: %u",
		    out->index, out->total);
	return TIDE_OK;
}

void
op_scan(struct request *request)
{
	struct scan_segment segment;
	const struct value *start;
	struct expr_scope scope;
	struct page_read read;
	struct tide_error error;
	tide_err rc;

	if (!ops_check(request, shape))
		return;
	rc = page_request_begin(&read, request, &parameters, &scope, &error);
	if (rc == TIDE_OK)
		rc = read_segment(&request->body, &segment, &error);
	if (rc == TIDE_OK)
		rc = page_request_target(&read, &scope, &error);
	if (rc == TIDE_OK)
		rc = page_request_start(&read, &start, &error);
	if (rc == TIDE_OK)
		rc = page_read_scan(&read, segment, start, &error);
	if (rc == TIDE_OK)
		rc = page_request_write(&read, &error);
	page_request_finish(&read, rc, &error);
}
