/*
 * Kinesis streaming destinations and contributor insights. There is no Kinesis and no CloudWatch beside this service: nothing can be enabled, and what is
 * asked is answered as for a table that never had any of it.
 */
#include "api/ops/table_describe.h"

/* Neither of them travels, so an answer needs the table only. NULL: the request is answered. */
static const struct table *
begin(struct request *request, const struct param *shape)
{
	const struct table *table;
	struct tide_error error;

	if (!ops_check(request, shape))
		return NULL;
	if ((table = table_named(request->region, &request->body, &error)) == NULL)
		request_fail(request, &error, NULL);
	return table;
}

static void
answer(struct request *request)
{
	if (buf_check(&request->reply) == TIDE_OK)
		request_ok(request);
	else
		ops_fail(request, TIDE_NOMEM, NULL);
}

/* --- Kinesis --- */

static const char *const precisions[] = {"MILLISECOND", "MICROSECOND", NULL};
static const struct param destination_shape[] = {
    {.name = "ApproximateCreationDateTimePrecision", .type = PARAM_STRING, .values = precisions},
    PARAMS_END,
};

#define PARAM_STREAM                                                                                         \
	{                                                                                                    \
		.name = "StreamArn", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .min = 37, .max = 1024   \
	}
#define PARAM_DESTINATION(name_)                                                                             \
	{                                                                                                    \
		.name = name_, .type = PARAM_STRUCT, .members = destination_shape, .java = name_             \
	}

#define INVALID_STATE "Table is not in a valid state to enable Kinesis Streaming Destination: "

static const struct param enable_shape[] = {
    PARAM_TABLE, PARAM_STREAM, PARAM_DESTINATION("EnableKinesisStreamingConfiguration"), PARAMS_END};

/* The service takes any ARN, and shows a moment later that it failed: here it is known at once. */
void
op_enable_kinesis(struct request *request)
{
	const struct table *table = begin(request, enable_shape);

	if (table == NULL)
		return;
	table_release(table);
	ops_fail(
	    request, TIDE_VALIDATION, INVALID_STATE "User does not have a permission to use kinesis stream");
}

void
op_disable_kinesis(struct request *request)
{
	const struct table *table = begin(request, enable_shape);

	if (table == NULL)
		return;
	table_release(table);
	if (json_get(&request->body, "EnableKinesisStreamingConfiguration") != NULL)
		ops_fail(request, TIDE_VALIDATION,
		    "Stream cannot be disabled using EnableKinesisStreamingConfiguration parameters");
	else
		ops_fail(request, TIDE_VALIDATION,
		    INVALID_STATE "KinesisStreamingDestination must be ACTIVE to perform DISABLE operation.");
}

void
op_update_kinesis(struct request *request)
{
	static const struct param shape[] = {
	    PARAM_TABLE, PARAM_STREAM, PARAM_DESTINATION("UpdateKinesisStreamingConfiguration"), PARAMS_END};
	const struct table *table = begin(request, shape);
	const struct json *to;
	struct bytes arn;

	if (table == NULL)
		return;
	arn = params_string(&request->body, "StreamArn");
	to = json_get(&request->body, "UpdateKinesisStreamingConfiguration");
	if (to == NULL || json_get(to, "ApproximateCreationDateTimePrecision") == NULL)
		ops_fail(request, TIDE_VALIDATION,
		    "Streaming destination cannot be updated with given parameters: "
		    "UpdateKinesisStreamingConfiguration cannot be null or contain only null values");
	else
		ops_fail(request, TIDE_VALIDATION,
		    INVALID_STATE "Kinesis streaming is not in ACTIVE state. Updates are only allowed in "
				  "ACTIVE state. TableName: %s, kdsArn: %.*s",
		    table->name, (int)arn.n, (const char *)arn.at);
	table_release(table);
}

void
op_describe_kinesis(struct request *request)
{
	static const struct param shape[] = {PARAM_TABLE, PARAMS_END};
	const struct table *table = begin(request, shape);

	if (table == NULL)
		return;
	buf_append_string(&request->reply, "{\"TableName\":");
	json_write_string(&request->reply, bytes_of_string(table->name));
	buf_append_string(&request->reply, ",\"KinesisDataStreamDestinations\":[]}");
	table_release(table);
	answer(request);
}

/* --- contributor insights --- */

static const char *const actions[] = {"ENABLE", "DISABLE", NULL};
static const char *const modes[] = {"ACCESSED_AND_THROTTLED_KEYS", "THROTTLED_KEYS", NULL};

#define PARAM_INDEX                                                                                          \
	{                                                                                                    \
		.name = "IndexName", .type = PARAM_STRING, .min = 3, .max = 255,                             \
		.pattern = PARAM_PATTERN_NAME                                                                \
	}

/* False: the request is answered. */
static bool
check_index(struct request *request, const struct table *table)
{
	struct bytes index = params_string(&request->body, "IndexName");

	if (index.n == 0 || table_index_find(table, index) != NULL)
		return true;
	ops_fail(request, TIDE_RESOURCE_NOT_FOUND,
	    "Requested resource not found: Index: %.*s not found for table: %s", (int)index.n,
	    (const char *)index.at, table->name);
	return false;
}

static void
write_disabled(struct request *request, const struct table *table)
{
	struct bytes index = params_string(&request->body, "IndexName");

	buf_append_string(&request->reply, "{\"TableName\":");
	json_write_string(&request->reply, bytes_of_string(table->name));
	if (index.n != 0) {
		buf_append_string(&request->reply, ",\"IndexName\":");
		json_write_string(&request->reply, index);
	}
	buf_append_string(&request->reply, ",\"ContributorInsightsStatus\":\"DISABLED\"}");
	answer(request);
}

void
op_update_contributor_insights(struct request *request)
{
	static const struct param shape[] = {
	    PARAM_TABLE,
	    PARAM_INDEX,
	    {.name = "ContributorInsightsAction",
		.type = PARAM_STRING,
		.flags = PARAM_REQUIRED,
		.values = actions},
	    {.name = "ContributorInsightsMode", .type = PARAM_STRING, .values = modes},
	    PARAMS_END,
	};
	const struct table *table = begin(request, shape);

	if (table == NULL)
		return;
	if (check_index(request, table)) {
		/* Disabling what is not enabled changes nothing at the service either. */
		if (bytes_is(params_string(&request->body, "ContributorInsightsAction"), "DISABLE"))
			write_disabled(request, table);
		else
			ops_fail(request, TIDE_VALIDATION,
			    "Table or Index is not in a valid state to update Key Access Insights: "
			    "ContributorInsights is not supported by this version of Tidemark");
	}
	table_release(table);
}

void
op_describe_contributor_insights(struct request *request)
{
	static const struct param shape[] = {PARAM_TABLE, PARAM_INDEX, PARAMS_END};
	const struct table *table = begin(request, shape);

	if (table == NULL)
		return;
	if (check_index(request, table))
		write_disabled(request, table);
	table_release(table);
}

/* Only tables that have it are listed. */
void
op_list_contributor_insights(struct request *request)
{
	static const struct param shape[] = {
	    {.name = "TableName",
		.type = PARAM_STRING,
		.flags = PARAM_OR_ARN,
		.min = 3,
		.max = 255,
		.pattern = PARAM_PATTERN_NAME},
	    {.name = "NextToken", .type = PARAM_STRING},
	    {.name = "MaxResults", .type = PARAM_INTEGER, .max = 100},
	    PARAMS_END,
	};
	const struct table *table;
	struct tide_error error;

	if (!ops_check(request, shape))
		return;
	if (json_get(&request->body, "TableName") != NULL) {
		if ((table = table_named(request->region, &request->body, &error)) == NULL) {
			request_fail(request, &error, NULL);
			return;
		}
		table_release(table);
	}
	if (json_get(&request->body, "NextToken") != NULL) {
		ops_fail(
		    request, TIDE_VALIDATION, "One or more parameter values were invalid: Invalid NextToken");
		return;
	}
	buf_append_string(&request->reply, "{\"ContributorInsightsSummaries\":[]}");
	answer(request);
}
