/*
 * The ordered key-value store that holds what the journal adds up to, behind a plug-in contract.
 *
 * Keys are byte strings in memcmp order (the shorter first). Rules for every plug-in, checked by one contract suite:
 *
 *   1. A batch is atomic: a reader, a snapshot, or a later open sees all of it or nothing.
 *   2. kv_write returns when the batch is visible, not when it is on disk. After a power cut any suffix of the
 *      batches since the last barrier, and even batches from the middle, may be gone.
 *   3. After kv_barrier returns TIDE_OK everything written before it is on disk.
 *   4. A snapshot sees exactly the batches written before it was taken, for as long as it is held.
 *   5. All functions may be called from any thread at any time; writers are serialised by the plug-in.
 *      An iterator belongs to one thread at a time.
 *   6. Damage that the store notices is TIDE_CORRUPT, never a silent skip; a full disk is TIDE_FULL.
 */
#ifndef TIDE_STORE_KV_KV_H
#define TIDE_STORE_KV_KV_H

#include "base/bytes.h"

struct kv;
struct kv_snapshot;
struct kv_iterator;
struct kv_batch;

struct kv_options {
	size_t cache_bytes; /* block cache; 0: the plug-in's default */
	size_t write_buffer_bytes; /* memtable; 0: the plug-in's default */
	bool create; /* make an empty store where there is none; else TIDE_NOTFOUND */
};

/**
 * Open a store in directory `dir` with the plug-in `name`: "leveldb" or "memory" (which ignores `dir` and is empty).
 * Errors     TIDE_NOTFOUND, TIDE_FENCED (another process has it open), TIDE_CORRUPT, TIDE_FULL, TIDE_IO, TIDE_NOMEM,
 *            TIDE_USAGE (no such plug-in); `error` says which path and why.
 */
tide_err kv_open(const char *name, const char *dir, const struct kv_options *options, struct kv **out,
    struct tide_error *error);

/** Close; takes NULL. No snapshot, iterator or batch may be in use. Does not imply a barrier. */
void kv_close(struct kv *kv);

/**
 * Read one key into `out` (replacing its content). `snapshot` NULL: the latest.
 * Errors     TIDE_NOTFOUND (`out` empty), TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM.
 */
tide_err kv_get(struct kv *kv, struct kv_snapshot *snapshot, struct bytes key, struct buf *out);

/** A batch of puts and deletes, applied in order. Copies what it is given. NULL: no memory. Freed by the caller. */
struct kv_batch *kv_batch_new(struct kv *kv);
void kv_batch_free(struct kv_batch *batch);
void kv_batch_clear(struct kv_batch *batch);
void kv_batch_put(struct kv_batch *batch, struct bytes key, struct bytes value);
void kv_batch_delete(struct kv_batch *batch, struct bytes key);

/**
 * Apply a batch (the batch may be cleared and used again).
 * Errors     TIDE_FULL, TIDE_IO, TIDE_CORRUPT, TIDE_NOMEM: nothing of it is visible. The store may refuse every later
 *            write until it is opened again.
 */
tide_err kv_write(struct kv *kv, struct kv_batch *batch);

/**
 * Everything written so far is on disk when this returns TIDE_OK. May take tens of milliseconds, half a second when it
 * meets a compaction; writers go on meanwhile, and what they write beside it may or may not be covered.
 * Errors     as for kv_write; nothing is known to be on disk since the barrier before.
 */
tide_err kv_barrier(struct kv *kv);

struct kv_snapshot *kv_snapshot_take(struct kv *kv);
void kv_snapshot_release(struct kv *kv, struct kv_snapshot *snapshot);

/** An iterator over `snapshot` (NULL: the state now). Starts invalid: seek first. NULL: no memory. */
struct kv_iterator *kv_iterator_new(struct kv *kv, struct kv_snapshot *snapshot);
void kv_iterator_free(struct kv_iterator *it);
void kv_iterator_seek(struct kv_iterator *it, struct bytes key); /* to the first key >= `key` */
void kv_iterator_seek_last(struct kv_iterator *it);
void kv_iterator_next(struct kv_iterator *it);
void kv_iterator_prev(struct kv_iterator *it);
bool kv_iterator_valid(const struct kv_iterator *it);
struct bytes kv_iterator_key(const struct kv_iterator *it); /* valid until the iterator moves */
struct bytes kv_iterator_value(const struct kv_iterator *it); /* the same */

/**
 * Damage met on the way. An iterator skips what it cannot read and goes on behind it, so whoever may miss nothing asks after each step. Once it
 * has met damage it says so for ever.
 */
tide_err kv_iterator_check(const struct kv_iterator *it);

/** Delete every key in [from, to), in several batches: not atomic as a whole, repeatable after a crash. */
tide_err kv_delete_range(struct kv *kv, struct bytes from, struct bytes to);

/** Rough number of bytes on disk in [from, to). */
uint64_t kv_approximate_size(struct kv *kv, struct bytes from, struct bytes to);

#endif
