/* DescribeTableReplicaAutoScaling, UpdateTableReplicaAutoScaling: of global tables only. */
#include <stdio.h>

#include "api/ops/table_describe.h"

#define OFF "{\"AutoScalingDisabled\":true,\"ScalingPolicies\":[]}"

/* With a reference; NULL: the request is answered. */
static const struct table *
begin(struct request *request, const struct param *shape)
{
	const struct table *table;
	struct tide_error error;

	if (!ops_check(request, shape))
		return NULL;
	table = table_named(request->region, &request->body, &error);
	if (table != NULL && table->n_replicas <= 1) {
		tide_fail(&error, TIDE_RESOURCE_NOT_FOUND, "Global table with name: %s does not exist.",
		    table->name);
		table_release(table);
		table = NULL;
	}
	if (table == NULL)
		request_fail(request, &error, NULL);
	return table;
}

static void
write_description(struct request *request, const struct table *table)
{
	struct buf *reply = &request->reply;

	buf_append_string(reply, "{\"TableAutoScalingDescription\":{\"TableName\":");
	json_write_string(reply, bytes_of_string(table->name));
	buf_append_format(reply, ",\"TableStatus\":\"%s\",\"Replicas\":[", table_status_name(table->status));
	for (uint32_t i = 0; i < table->n_replicas; i++)
		buf_append_format(reply,
		    "%s{\"RegionName\":\"%s\",\"GlobalSecondaryIndexes\":[],"
		    "\"ReplicaProvisionedReadCapacityAutoScalingSettings\":" OFF
		    ",\"ReplicaProvisionedWriteCapacityAutoScalingSettings\":" OFF
		    ",\"ReplicaStatus\":\"%s\"}",
		    i == 0 ? "" : ",", table->replicas[i].region,
		    table_status_name(table->replicas[i].status));
	buf_append_string(reply, "]}}");
	if (buf_check(reply) == TIDE_OK)
		request_ok(request);
	else
		ops_fail(request, TIDE_NOMEM, NULL);
}

void
op_describe_replica_auto_scaling(struct request *request)
{
	static const struct param shape[] = {PARAM_TABLE, PARAMS_END};
	const struct table *table = begin(request, shape);

	if (table == NULL)
		return;
	write_description(request, table);
	table_release(table);
}

/* --- update --- */

static const struct param tracking_shape[] = {
    {.name = "DisableScaleIn", .type = PARAM_BOOLEAN},
    {.name = "ScaleInCooldown", .type = PARAM_INTEGER},
    {.name = "ScaleOutCooldown", .type = PARAM_INTEGER},
    {.name = "TargetValue", .type = PARAM_LONG, .flags = PARAM_REQUIRED},
    PARAMS_END,
};
static const struct param policy_shape[] = {
    {.name = "PolicyName", .type = PARAM_STRING, .min = 1, .max = 256},
    {.name = "TargetTrackingScalingPolicyConfiguration",
	.type = PARAM_STRUCT,
	.flags = PARAM_REQUIRED,
	.members = tracking_shape},
    PARAMS_END,
};
static const struct param settings_shape[] = {
    {.name = "MinimumUnits", .type = PARAM_LONG, .min = 1},
    {.name = "MaximumUnits", .type = PARAM_LONG, .min = 1},
    {.name = "AutoScalingDisabled", .type = PARAM_BOOLEAN},
    {.name = "AutoScalingRoleArn", .type = PARAM_STRING, .min = 1, .max = 1600},
    {.name = "ScalingPolicyUpdate", .type = PARAM_STRUCT, .members = policy_shape},
    PARAMS_END,
};
static const struct param replica_shape[] = {
    {.name = "RegionName", .type = PARAM_STRING, .flags = PARAM_REQUIRED},
    {.name = "ReplicaGlobalSecondaryIndexUpdates", .flags = PARAM_REFUSED},
    {.name = "ReplicaProvisionedReadCapacityAutoScalingUpdate",
	.type = PARAM_STRUCT,
	.members = settings_shape,
	.java = "AutoScalingSettingsUpdate"},
    PARAMS_END,
};
static const struct param replica_element = {
    .name = "", .type = PARAM_STRUCT, .members = replica_shape, .java = "ReplicaAutoScalingUpdate"};

#define FAILED "Failed to update settings for global table with name: ‘%s’"

/* It is off everywhere: turning it off changes nothing, anything else is not to be had. */
static tide_err
check_settings(const struct json *settings, const struct table *table, struct tide_error *error)
{
	if (settings == NULL)
		return TIDE_OK;
	if (!params_flag(settings, "AutoScalingDisabled", false))
		return tide_fail(error, TIDE_VALIDATION,
		    FAILED ": auto scaling is not supported by this version of Tidemark", table->name);
	if (json_get(settings, "MinimumUnits") != NULL || json_get(settings, "MaximumUnits") != NULL ||
	    json_get(settings, "ScalingPolicyUpdate") != NULL)
		return tide_fail(error, TIDE_VALIDATION,
		    FAILED ": Parameters 'MinimumUnits, MaximumUnits, ScalingPolicyUpdate' must be left "
			   "blank when disabling auto scaling.",
		    table->name);
	return TIDE_OK;
}

static tide_err
check_replicas(const struct json *list, const struct table *table, struct tide_error *error)
{
	char region[REGION_NAME_MAX + 1];
	tide_err rc = TIDE_OK;

	for (uint32_t i = 0; list != NULL && i < list->array.n && rc == TIDE_OK; i++) {
		struct bytes name = params_string(&list->array.at[i], "RegionName");

		snprintf(region, sizeof region, "%.*s", (int)(name.n > REGION_NAME_MAX ? 0 : name.n),
		    (const char *)name.at);
		if (table_replica(table, region) == NULL)
			rc = tide_fail(error, TIDE_VALIDATION,
			    "Update global table operation failed because one or more replicas were not "
			    "part of the global table. Please retry the request without these replicas: "
			    "[%.*s].",
			    (int)(name.n > 255 ? 255 : name.n), (const char *)name.at);
		else
			rc = check_settings(
			    json_get(&list->array.at[i], "ReplicaProvisionedReadCapacityAutoScalingUpdate"),
			    table, error);
	}
	return rc;
}

void
op_update_replica_auto_scaling(struct request *request)
{
	static const struct param shape[] = {
	    {.name = "GlobalSecondaryIndexUpdates", .flags = PARAM_REFUSED},
	    PARAM_TABLE,
	    {.name = "ProvisionedWriteCapacityAutoScalingUpdate",
		.type = PARAM_STRUCT,
		.members = settings_shape,
		.java = "AutoScalingSettingsUpdate"},
	    {.name = "ReplicaUpdates", .type = PARAM_LIST, .min = 1, .members = &replica_element},
	    PARAMS_END,
	};
	const struct table *table = begin(request, shape);
	const struct json *write, *replicas;
	struct tide_error error;
	tide_err rc;

	if (table == NULL)
		return;
	write = json_get(&request->body, "ProvisionedWriteCapacityAutoScalingUpdate");
	replicas = json_get(&request->body, "ReplicaUpdates");
	if (write == NULL && replicas == NULL)
		rc = tide_fail(&error, TIDE_VALIDATION,
		    FAILED " because at least one update parameter must be specified.", table->name);
	else if ((rc = check_settings(write, table, &error)) == TIDE_OK)
		rc = check_replicas(replicas, table, &error);
	if (rc == TIDE_OK)
		write_description(request, table);
	else
		request_fail(request, &error, NULL);
	table_release(table);
}
