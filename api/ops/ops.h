/*
 * The operations of the API: one handler each, and what they share.
 *
 * A handler runs on an I/O thread, validates everything that needs no stored state, and answers exactly once: at once
 * (reads), or from the committer's thread when what it submitted is on disk (writes).
 */
#ifndef TIDE_API_OPS_OPS_H
#define TIDE_API_OPS_OPS_H

#include "api/ops/params.h"
#include "api/request.h"

/* tables */
void op_create_table(struct request *request);
void op_describe_table(struct request *request);
void op_list_tables(struct request *request);
void op_delete_table(struct request *request);
void op_update_table(struct request *request);

/* global tables, version 2017.11.29: as AWS answers them since it was retired */
void op_create_global_table(struct request *request);
void op_update_global_table(struct request *request);
void op_describe_global_table(struct request *request);
void op_list_global_tables(struct request *request);
void op_update_global_table_settings(struct request *request);
void op_describe_global_table_settings(struct request *request);

/* settings of tables by operations of their own */
void op_tag_resource(struct request *request);
void op_untag_resource(struct request *request);
void op_list_tags_of_resource(struct request *request);
void op_update_time_to_live(struct request *request);
void op_describe_time_to_live(struct request *request);
void op_put_resource_policy(struct request *request);
void op_get_resource_policy(struct request *request);
void op_delete_resource_policy(struct request *request);
void op_update_contributor_insights(struct request *request);
void op_describe_contributor_insights(struct request *request);
void op_list_contributor_insights(struct request *request);
void op_enable_kinesis(struct request *request);
void op_disable_kinesis(struct request *request);
void op_update_kinesis(struct request *request);
void op_describe_kinesis(struct request *request);
void op_describe_replica_auto_scaling(struct request *request);
void op_update_replica_auto_scaling(struct request *request);

/* service */
void op_describe_endpoints(struct request *request);
void op_describe_limits(struct request *request);

/* other services, as far as clients of DynamoDB ask them */
void op_kms_describe_key(struct request *request);
void op_sts_get_caller_identity(struct request *request);

/* items */
void op_put_item(struct request *request);
void op_get_item(struct request *request);
void op_update_item(struct request *request);
void op_delete_item(struct request *request);
void op_batch_get_item(struct request *request);
void op_batch_write_item(struct request *request);
void op_transact_write_items(struct request *request);
void op_transact_get_items(struct request *request);
void op_query(struct request *request);
void op_execute_statement(struct request *request);
void op_batch_execute_statement(struct request *request);
void op_execute_transaction(struct request *request);
void op_scan(struct request *request);

/** Operations of the API that this version has not built: an error that says so. */
void op_not_supported(struct request *request);

/* --- shared by the handlers --- */

/** Check the request against its shape; on an error answers it and returns false: the request is gone. */
bool ops_check(struct request *request, const struct param *shape);

/** Answer with an error of this code and sentence (NULL: the table's default). */
void ops_fail(struct request *request, tide_err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/**
 * The table's name out of a TableName parameter: a name, or the ARN of a table of this region and account.
 * `*name` borrows from `text`. TIDE_VALIDATION with DynamoDB's sentence.
 */
tide_err ops_table_name(
    struct region *region, struct bytes text, struct bytes *name, struct tide_error *error);

/**
 * The table that an item operation names, with a reference (table_release), if items can be read here now.
 * NULL with `error`: TIDE_VALIDATION (the name), TIDE_RESOURCE_NOT_FOUND (none, or still being created or already going).
 */
const struct table *ops_table_read(struct region *region, struct bytes text, struct tide_error *error);

/**
 * The same for writing. Also TIDE_VALIDATION (built-in tables are read-only), TIDE_UNAVAILABLE (this region may not write yet;
 * clients retry). The table's state may change before the committer runs the write: ops_write_check there.
 */
const struct table *ops_table_write(struct region *region, struct bytes text, struct tide_error *error);

/** On the committer thread, first thing in a write's run: does this shard still take writes of the table? */
tide_err ops_write_check(struct group *group, const struct table *table, struct tide_error *error);

/** Append `arn:aws:dynamodb:REGION:ACCOUNT:table/NAME`. */
void ops_table_arn(struct buf *out, const struct config *config, const char *region, struct bytes name);

/** The numbers of Consumed capacity and the like are doubles without a needless fraction: "1.0" as AWS prints it. */
void ops_write_units(struct buf *out, double units);

#endif
