/*
 * Global tables of version 2017.11.29, which AWS has retired: what is asked of them is answered as AWS answers it since.
 * Global tables of today are made with UpdateTable's ReplicaUpdates.
 */
#include "api/ops/ops.h"

#define RETIRED                                                                                              \
	"One or more parameter values were invalid: DynamoDB global tables version 2017.11.29 is not "       \
	"supported. We recommend "                                                                           \
	"using DynamoDB global tables version 2019.11.21, instead of version 2017.11.29 (Legacy)."

#define GLOBAL_TABLE_NAME                                                                                    \
	{                                                                                                    \
		.name = "GlobalTableName", .type = PARAM_STRING, .flags = PARAM_REQUIRED | PARAM_OR_ARN,     \
		.min = 3, .max = 255, .pattern = PARAM_PATTERN_NAME                                          \
	}

static const struct param name_shape[] = {GLOBAL_TABLE_NAME, PARAMS_END};

static void
not_found(struct request *request)
{
	struct bytes name = params_string(&request->body, "GlobalTableName");

	ops_fail(request, TIDE_GLOBAL_TABLE_NOT_FOUND,
	    "Global table not found: Global table with name: '%.*s' does not exist.", (int)name.n,
	    (const char *)name.at);
}

void
op_create_global_table(struct request *request)
{
	static const struct param shape[] = {
	    GLOBAL_TABLE_NAME,
	    {.name = "ReplicationGroup", .type = PARAM_LIST, .flags = PARAM_REQUIRED},
	    PARAMS_END,
	};

	if (ops_check(request, shape))
		ops_fail(request, TIDE_VALIDATION, RETIRED);
}

void
op_update_global_table(struct request *request)
{
	static const struct param shape[] = {
	    GLOBAL_TABLE_NAME,
	    {.name = "ReplicaUpdates", .type = PARAM_LIST, .flags = PARAM_REQUIRED},
	    PARAMS_END,
	};

	if (ops_check(request, shape))
		ops_fail(request, TIDE_VALIDATION, RETIRED);
}

void
op_describe_global_table(struct request *request)
{
	if (ops_check(request, name_shape))
		not_found(request);
}

void
op_list_global_tables(struct request *request)
{
	static const struct param shape[] = {
	    {.name = "ExclusiveStartGlobalTableName",
		.type = PARAM_STRING,
		.min = 3,
		.max = 255,
		.pattern = PARAM_PATTERN_NAME},
	    {.name = "Limit", .type = PARAM_INTEGER, .min = 1},
	    {.name = "RegionName", .type = PARAM_STRING},
	    PARAMS_END,
	};

	if (!ops_check(request, shape))
		return;
	buf_append_string(&request->reply, "{\"GlobalTables\":[]}");
	if (buf_check(&request->reply) == TIDE_OK)
		request_ok(request);
	else
		ops_fail(request, TIDE_NOMEM, NULL);
}

void
op_update_global_table_settings(struct request *request)
{
	static const char *const modes[] = {"PROVISIONED", "PAY_PER_REQUEST", NULL};
	static const struct param shape[] = {
	    GLOBAL_TABLE_NAME,
	    {.name = "GlobalTableBillingMode", .type = PARAM_STRING, .values = modes},
	    {.name = "GlobalTableProvisionedWriteCapacityUnits", .type = PARAM_LONG, .min = 1},
	    {.name = "GlobalTableProvisionedWriteCapacityAutoScalingSettingsUpdate",
		.type = PARAM_STRUCT,
		.java = "AutoScalingSettingsUpdate"},
	    {.name = "GlobalTableGlobalSecondaryIndexSettingsUpdate",
		.type = PARAM_LIST,
		.min = 1,
		.max = 20},
	    {.name = "ReplicaSettingsUpdate", .type = PARAM_LIST, .min = 1, .max = 50},
	    PARAMS_END,
	};

	if (ops_check(request, shape))
		not_found(request);
}

void
op_describe_global_table_settings(struct request *request)
{
	if (ops_check(request, name_shape))
		not_found(request);
}
