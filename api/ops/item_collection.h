/*
 * Item collections: the items of one partition key and their entries in the table's local indexes. Tables with local indexes tell how big
 * they are, and keep them below a bound.
 *
 * Sizes are estimates, as DynamoDB's are: exact where the table is small or the bound is, else what the store takes on disk.
 */
#ifndef TIDE_API_OPS_ITEM_COLLECTION_H
#define TIDE_API_OPS_ITEM_COLLECTION_H

#include "api/ops/ops.h"

/** The bound in bytes for the whole process, before any request; 10 GB without. */
void item_collection_set_max(uint64_t bytes);

/** Has the table local indexes, and so collections that are told of? */
bool item_collection_is_told(const struct table *table);

/**
 * May the collection of that item's key grow? For a put or an update, on the committer's thread; TIDE_OK at once where the table has no
 * local index. TIDE_ITEM_COLLECTION_SIZE; TIDE_NOMEM, TIDE_CORRUPT, TIDE_IO.
 */
tide_err item_collection_check(
    struct shard *shard, const struct table *table, struct bytes key, struct tide_error *error);

/**
 * Append {"ItemCollectionKey":{...},"SizeEstimateRangeGB":[0.0,1.0]} for the collection of an item's stored key; `attributes` has at least
 * the partition key. Any thread.
 */
void item_collection_write(struct buf *out, struct shard *shard, const struct table *table, struct bytes key,
    const struct value *attributes);

/** Append the member "ItemCollectionMetrics" of PutItem, UpdateItem and DeleteItem to an open object, if the request asks for it. */
void item_collection_report(
    struct request *request, const struct table *table, struct bytes key, const struct value *attributes);

#endif
