/*
 * The primary key in an item or in a Key parameter: checked against the table's schema, and as the bytes
 * under which the item is stored. Pure; any thread.
 */
#ifndef TIDE_API_OPS_ITEM_KEY_H
#define TIDE_API_OPS_ITEM_KEY_H

#include "store/catalog/table.h"
#include "store/item/key.h"

struct item_key {
	struct bytes bytes; /* store/item/key.h; in the arena */
	uint64_t hash; /* its place among the shards */
};

/**
 * The key of an item that is to be put; of its other attributes those that are keys of indexes are checked, too.
 * Errors     TIDE_VALIDATION with DynamoDB's sentence (a missing key attribute, its type, empty, too long),
 * TIDE_NOMEM.
 */
tide_err item_key_of_item(struct arena *arena, const struct table *table, const struct value *item,
    struct item_key *out, struct tide_error *error);

/**
 * The same with the sentences of a batch, where DynamoDB only says that the key does not match the schema.
 */
tide_err item_key_of_batch_put(struct arena *arena, const struct table *table, const struct value *item,
    struct item_key *out, struct tide_error *error);

/** The same of the table's part of an ExclusiveStartKey; other attributes do not matter. */
tide_err item_key_of_start(struct arena *arena, const struct table *table, const struct value *start,
    struct item_key *out, struct tide_error *error);

/**
 * The key that a Key parameter names: exactly the table's key attributes.
 * Errors     TIDE_VALIDATION with DynamoDB's sentence, TIDE_NOMEM.
 */
tide_err item_key_of_key(struct arena *arena, const struct table *table, const struct value *key,
    struct item_key *out, struct tide_error *error);

/** Append a stored key as JSON: {"pk":{"S":"..."},...}. TIDE_CORRUPT: not a key of this table; TIDE_NOMEM. */
tide_err item_key_write(struct arena *arena, const struct table *table, struct bytes key, struct buf *out);

/**
 * TIDE_VALIDATION ("Provided list of item keys contains duplicates") when two of `n` keys of one table are
 * the same. Sorts them.
 */
tide_err item_keys_check_distinct(struct bytes *keys, size_t n, struct tide_error *error);

#endif
