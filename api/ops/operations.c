#include <stdlib.h>

#include "api/ops/ops.h"
#include "api/scaling/scaling.h"

/* All operations of DynamoDB and DynamoDB Streams, and those of other services that are answered here, by name. */
static const struct operation operations[] = {
    {"AnyScaleFrontendService.DeleteScalingPolicy", op_scaling_delete_policy},
    {"AnyScaleFrontendService.DeleteScheduledAction", op_scaling_delete_action},
    {"AnyScaleFrontendService.DeregisterScalableTarget", op_scaling_deregister},
    {"AnyScaleFrontendService.DescribeScalableTargets", op_scaling_targets},
    {"AnyScaleFrontendService.DescribeScalingActivities", op_scaling_activities},
    {"AnyScaleFrontendService.DescribeScalingPolicies", op_scaling_policies},
    {"AnyScaleFrontendService.DescribeScheduledActions", op_scaling_actions},
    {"AnyScaleFrontendService.GetPredictiveScalingForecast", op_scaling_not_supported},
    {"AnyScaleFrontendService.ListTagsForResource", op_scaling_tags},
    {"AnyScaleFrontendService.PutScalingPolicy", op_scaling_put_policy},
    {"AnyScaleFrontendService.PutScheduledAction", op_scaling_put_action},
    {"AnyScaleFrontendService.RegisterScalableTarget", op_scaling_register},
    {"AnyScaleFrontendService.TagResource", op_scaling_tag},
    {"AnyScaleFrontendService.UntagResource", op_scaling_untag},
    {"BatchExecuteStatement", op_batch_execute_statement},
    {"BatchGetItem", op_batch_get_item},
    {"BatchWriteItem", op_batch_write_item},
    {"CancelBulkOperation", op_not_supported},
    {"CreateBackup", op_not_supported},
    {"CreateGlobalTable", op_create_global_table},
    {"CreateTable", op_create_table},
    {"DeleteBackup", op_not_supported},
    {"DeleteItem", op_delete_item},
    {"DeleteResourcePolicy", op_delete_resource_policy},
    {"DeleteTable", op_delete_table},
    {"DescribeBackup", op_not_supported},
    {"DescribeBulkOperation", op_not_supported},
    {"DescribeContinuousBackups", op_not_supported},
    {"DescribeContributorInsights", op_describe_contributor_insights},
    {"DescribeEndpoints", op_describe_endpoints},
    {"DescribeExport", op_not_supported},
    {"DescribeGlobalTable", op_describe_global_table},
    {"DescribeGlobalTableSettings", op_describe_global_table_settings},
    {"DescribeImport", op_not_supported},
    {"DescribeKinesisStreamingDestination", op_describe_kinesis},
    {"DescribeLimits", op_describe_limits},
    {"DescribeStream", op_not_supported},
    {"DescribeTable", op_describe_table},
    {"DescribeTableReplicaAutoScaling", op_describe_replica_auto_scaling},
    {"DescribeTimeToLive", op_describe_time_to_live},
    {"DisableKinesisStreamingDestination", op_disable_kinesis},
    {"EnableKinesisStreamingDestination", op_enable_kinesis},
    {"ExecuteStatement", op_execute_statement},
    {"ExecuteTransaction", op_execute_transaction},
    {"ExportTableToPointInTime", op_not_supported},
    {"GetItem", op_get_item},
    {"GetRecords", op_not_supported},
    {"GetResourcePolicy", op_get_resource_policy},
    {"GetShardIterator", op_not_supported},
    {"ImportTable", op_not_supported},
    {"ListBackups", op_not_supported},
    {"ListBulkOperations", op_not_supported},
    {"ListContributorInsights", op_list_contributor_insights},
    {"ListExports", op_not_supported},
    {"ListGlobalTables", op_list_global_tables},
    {"ListImports", op_not_supported},
    {"ListStreams", op_not_supported},
    {"ListTables", op_list_tables},
    {"ListTagsOfResource", op_list_tags_of_resource},
    {"PutItem", op_put_item},
    {"PutResourcePolicy", op_put_resource_policy},
    {"Query", op_query},
    {"RestoreTableFromBackup", op_not_supported},
    {"RestoreTableToPointInTime", op_not_supported},
    {"STS.GetCallerIdentity", op_sts_get_caller_identity},
    {"Scan", op_scan},
    {"SearchVectors", op_not_supported},
    {"StartBulkPutItems", op_not_supported},
    {"TagResource", op_tag_resource},
    {"TransactGetItems", op_transact_get_items},
    {"TransactWriteItems", op_transact_write_items},
    {"TrentService.DescribeKey", op_kms_describe_key},
    {"UntagResource", op_untag_resource},
    {"UpdateContinuousBackups", op_not_supported},
    {"UpdateContributorInsights", op_update_contributor_insights},
    {"UpdateGlobalTable", op_update_global_table},
    {"UpdateGlobalTableSettings", op_update_global_table_settings},
    {"UpdateItem", op_update_item},
    {"UpdateKinesisStreamingDestination", op_update_kinesis},
    {"UpdateTable", op_update_table},
    {"UpdateTableReplicaAutoScaling", op_update_replica_auto_scaling},
    {"UpdateTimeToLive", op_update_time_to_live},
};

static int
order(const void *key, const void *element)
{
	const struct bytes *name = key;
	const struct operation *operation = element;

	return bytes_compare(*name, bytes_of_string(operation->name));
}

const struct operation *
operation_find(struct bytes name)
{
	return bsearch(&name, operations, sizeof operations / sizeof *operations, sizeof *operations, order);
}
