/*
 * Item keys as bytes, in an order that is DynamoDB's.
 *
 *     hash of the partition key (8 bytes, big-endian) | partition key | sort key
 *
 * The store prepends table id and its own space byte. Byte order of two keys with one partition key is the order of their
 * sort keys: S and B bytewise (0x00 escaped, terminated), N numerically. Scan order is hash order; a Scan segment and a
 * shard are ranges of the hash. Pure; any thread. Format with a worked example: docs/item-format.md.
 */
#ifndef TIDE_STORE_ITEM_KEY_H
#define TIDE_STORE_ITEM_KEY_H

#include "store/item/value.h"

#define KEY_HASH_BYTES 8

/**
 * Append the key of an item. `sort` NULL: the table has none. Both are scalars of type S, N or B of checked size.
 */
void key_encode(const struct value *partition, const struct value *sort, struct buf *out);

/** Append only hash and partition key: the common prefix of all items of one partition. */
void key_encode_partition(const struct value *partition, struct buf *out);

/** Append one sort key in its order-preserving form (a bound for range queries behind a partition prefix). */
void key_encode_sort(const struct value *sort, struct buf *out);

/** Append the form of a sort key S or B without its terminator: the common prefix of all that begin with it. */
void key_encode_sort_prefix(const struct value *prefix, struct buf *out);

/** Decode a key; `sort_type` is ignored and `*sort` untouched when `has_sort` is false. TIDE_CORRUPT, TIDE_NOMEM. */
tide_err key_decode(struct arena *arena, struct bytes key, enum value_type partition_type, bool has_sort,
    enum value_type sort_type, struct value *partition, struct value *sort);

/**
 * A key of several attributes, as indexes have them: their forms one after the other, behind the hash of all partition values. With one
 * partition value and one sort value at most it is what key_encode gives. At least one partition value.
 */
void key_encode_composite(const struct value *partitions, unsigned n_partitions, const struct value *sorts,
    unsigned n_sorts, struct buf *out);

/** Only its hash and partition values; sort values behind them: key_encode_sort one by one, the last perhaps a prefix. */
void key_encode_composite_partition(const struct value *partitions, unsigned n_partitions, struct buf *out);

/** Pass over one value of that type in a key. False: there is none. */
bool key_skip(struct bytes *in, enum value_type type);

/** The hash that a partition key has: its place in the shard and Scan order. */
uint64_t key_hash(const struct value *partition);

/** The smallest byte string greater than every string that begins with `prefix`; false when there is none (all 0xff). */
bool key_prefix_end(struct bytes prefix, struct buf *out);

#endif
