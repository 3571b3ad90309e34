/*
 * What the key-value store holds: its key space, and the form of a stored item.
 *
 *     key      0x10 | table id (8 bytes, big-endian) | item key (store/item/key.h)
 *     0x01     journal id (4) | sequence (8): the last unit that the store has seen
 *     value    form (1 byte: 1 item, 2 tombstone) | clock (8) | origin (4) | sequence (8) | encoded item
 */
#ifndef TIDE_STORE_SHARD_STORED_H
#define TIDE_STORE_SHARD_STORED_H

#include "store/shard/shard.h"

#define SPACE_SEEN 0x01
#define SPACE_ITEMS 0x10
#define STORED_HEADER 21
#define SPACE_PREFIX 9

/** Append the store key of an item (or, with an empty `key`, the prefix of a table). */
void space_key(uint64_t table, struct bytes key, struct buf *out);

/**
 * Have a batch say how far the store has come. The journal is on disk before the store is written, so a store that is ahead of its
 * journal, or behind the checkpoint that its barrier was for, has been damaged.
 */
void seen_put(struct kv_batch *batch, struct jid id, uint64_t seq);

/** What it says; 0: nothing about this journal. Errors of kv_get. */
tide_err seen_get(struct kv *kv, struct jid id, uint64_t *seq);

/** The part of a store key behind the table's prefix. */
static inline struct bytes
space_item_key(struct bytes store_key)
{
	return bytes_of(store_key.at + SPACE_PREFIX, store_key.n - SPACE_PREFIX);
}

void stored_encode(const struct stored *stored, struct buf *out);

/** TIDE_CORRUPT: not a stored item. `out` borrows from `in`. */
tide_err stored_decode(struct bytes in, struct stored *out);

/** The hash that a live item adds to its table's fingerprint; a tombstone adds nothing. */
fingerprint_t stored_fingerprint(struct bytes key, const struct stored *stored);

/** What a live item adds to its table's bytes: its size as DynamoDB counts it. */
uint64_t stored_bytes(const struct stored *stored);

#endif
