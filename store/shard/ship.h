/*
 * What a shard sends: records of one origin journal beyond a peer's vectors, and snapshots of a table. Readers of
 * the journal and the store; any thread, each object one thread at a time.
 */
#ifndef TIDE_STORE_SHARD_SHIP_H
#define TIDE_STORE_SHARD_SHIP_H

#include "store/shard/group.h"

struct ship;

#define SHIP_NOTHING                                                                                         \
	UINT64_MAX /* `after`: of a dead journal nobody has more of the table than the receiver */

struct ship_table {
	uint64_t table;
	uint64_t after; /* the receiver's vector for this table and origin: records above it are wanted */
};

/**
 * Start sending `origin`'s records to a peer that stands at `from` (the least position of its tables).
 * Errors     TIDE_NOTFOUND  some wanted record is below what the journal here still has or ever had, or (relays) a table is not held
 *                           readable here (`*floor_table`): the peer needs a snapshot of that table, or another relay.
 *            TIDE_FORKED    the peer stands further in our journal than it goes.
 */
tide_err ship_open(struct shard *shard, struct jid origin, const struct ship_table *tables, uint32_t n,
    uint64_t from, struct ship **out, uint64_t *floor_table);
void ship_close(struct ship *ship);

/** The tables that this ship serves. Borrowed. */
const uint64_t *ship_tables(const struct ship *ship, uint32_t *n);

struct ship_batch {
	uint32_t n_units; /* appended to `out`, each with a u32 (big-endian) length before it */
	uint32_t n_records;
	struct mark base; /* the receiver must stand at least here before this batch (its tables' progress) */
	struct mark upto; /* complete to, for the ship's tables, once this batch is applied */
	bool at_end; /* nothing more for now */
	bool tells; /* at the end of our own journal: `promise` and `told` hold */
	struct hlc promise; /* no later record of our journal has a smaller clock */
	struct told_table *told; /* our replicas, at that moment (in `arena`) */
	uint32_t n_told;
	uint64_t behind; /* sequence numbers between this reader and the journal's end */
};

/**
 * Append up to about `bytes_max` of units to `out`. May give none (at_end).
 * Errors     TIDE_GAP (a relay no longer holds one of the tables, or was trimmed beyond: open again), TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM.
 */
tide_err ship_next(struct ship *ship, size_t bytes_max, struct arena *arena, struct buf *out,
    struct ship_batch *batch, struct tide_error *error);

struct snapshot;

/**
 * A snapshot of one table for a peer's bootstrap, at one committed sequence, with its tombstones. It lives in memory of this
 * process until closed. TIDE_NOTFOUND: this region has no readable replica of the table.
 */
tide_err snapshot_open(struct shard *shard, uint64_t table, struct snapshot **out);
void snapshot_close(struct snapshot *snapshot);

struct snapshot_info {
	struct vector vector, position; /* owned by the snapshot */
	struct hlc clock;
	uint64_t items;
};
const struct snapshot_info *snapshot_info(const struct snapshot *snapshot);

/**
 * Append one SNAPSHOT unit (wire form) with the items after `after` (empty: from the start), about `bytes_max`. `cursor` gets the last
 * key in it; `*done`: nothing comes after. Any order of calls: a peer resumes where its cursor is.
 */
tide_err snapshot_read(struct snapshot *snapshot, struct bytes after, size_t bytes_max, struct buf *wire_unit,
    struct buf *cursor, bool *done);

#endif
