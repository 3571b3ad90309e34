/*
 * A table as DescribeTable shows it. What AWS always sends is always there; what it leaves out is left out, as some
 * clients (Terraform) plan changes for members that they did not expect.
 */
#ifndef TIDE_API_OPS_TABLE_DESCRIBE_H
#define TIDE_API_OPS_TABLE_DESCRIBE_H

#include "api/ops/ops.h"

/* As DynamoDB names them. */
enum index_status { INDEX_CREATING, INDEX_UPDATING, INDEX_DELETING, INDEX_ACTIVE };

/* "Backfilling": of an index that is being added to a table with items, and of no other. */
enum index_backfilling { INDEX_NEVER, INDEX_ALLOCATING, INDEX_FILLING };

struct index_sight {
	enum index_status status;
	enum index_backfilling backfilling;
	uint64_t items, bytes;
};

/* What is not in the catalog. */
struct table_sight {
	enum table_status status;
	uint64_t items, bytes;
	uint64_t now_ms; /* of the wall clock */
	struct index_sight indexes[INDEXES_MAX]; /* as table->indexes */
};

/** Status and totals of this region's replica, now. TIDE_NOMEM. Any thread. */
tide_err table_sight_now(struct region *region, const struct table *table, struct table_sight *out);

/** Append the TableDescription object. */
void table_describe(
    struct buf *out, const struct config *config, const struct table *table, const struct table_sight *sight);

/** Append what DeleteTable answers: the same, cut down. */
void table_describe_deleted(
    struct buf *out, const struct config *config, const struct table *table, const struct table_sight *sight);

/** "Requested resource not found: Table: NAME not found". */
tide_err table_not_found(struct bytes name, struct tide_error *error);

/** The table of a checked body's TableName, with a reference; NULL with `error`. CREATING and DELETING ones too. */
const struct table *table_named(struct region *region, const struct json *body, struct tide_error *error);

#endif
