/*
 * Secondary indexes as a TableDescription shows them. What AWS always sends is always there.
 */
#ifndef TIDE_API_OPS_INDEX_DESCRIBE_H
#define TIDE_API_OPS_INDEX_DESCRIBE_H

#include "api/ops/table_describe.h"

/** What the shard has of the table's indexes, now, into `out` in the order of table->indexes. Any thread. */
void index_sight_now(struct shard *shard, const struct table *table, struct index_sight *out);

/** Append ,"LocalSecondaryIndexes":[...] and ,"GlobalSecondaryIndexes":[...] to an open object, where there are any. */
void index_describe(
    struct buf *out, const struct config *config, const struct table *table, const struct table_sight *sight);

/** The same of a ReplicaDescription: names and what they are warm for. */
void index_describe_of_replica(struct buf *out, const struct table *table);

#endif
