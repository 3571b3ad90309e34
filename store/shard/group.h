/*
 * A group: what commits with one journal write and one fsync. Local writes of a group share one LOCAL unit; each unit
 * from a peer stays a unit of its own. Everything here runs on the committer thread.
 *
 * Reads through the group see what the group has written so far, so that operations that queue up together are
 * serialized one after the other. Nothing is visible outside before group_commit has it on disk.
 */
#ifndef TIDE_STORE_SHARD_GROUP_H
#define TIDE_STORE_SHARD_GROUP_H

#include "store/shard/shard.h"

struct group;

/** Open the shard's group; there is one at a time. NULL: no memory. */
struct group *group_open(struct shard *shard);

/**
 * Write all of it to the journal (one write, one fsync), then to the store (one unsynced batch), fold the totals, tell the
 * observers, and release the group, whatever happened. An empty group does nothing.
 * Errors     those of journal_append; TIDE_CORRUPT or TIDE_IO of the store after the journal has it: the shard is sealed
 *            (further groups answer TIDE_UNKNOWN) until it is opened again, which replays the journal.
 */
tide_err group_commit(struct group *group, struct tide_error *error);

/** Release a group and everything in it without committing. */
void group_abandon(struct group *group);

/** Memory taken so far by what was written and read: the committer closes a group at a bound. */
uint64_t group_bytes(const struct group *group);
struct shard *group_shard(struct group *group);

/* --- local writes --- */

/**
 * The item as the group sees it. What `out` borrows lives as long as the group.
 * Errors     TIDE_NOTFOUND (absent or tombstone), TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM.
 */
tide_err group_get(struct group *group, uint64_t table, struct bytes key, struct stored *out);

/**
 * Take a read that was made ahead as the group's own, if the item has not changed since: saves the committer's read of the store.
 * `ahead` is borrowed until the group is committed. TIDE_NOMEM.
 */
tide_err group_take_ahead(
    struct group *group, uint64_t table, struct bytes key, const struct read_ahead *ahead);

/**
 * Put or delete an item: a record of this journal with the next clock. A put copies `image`. With `keep_before` the record
 * carries the image before (a stream view wants it). Deleting what is not there writes nothing and is TIDE_OK.
 * An operation does all its checks first: after its first write it must not fail.
 * Errors     TIDE_NOTFOUND (this region holds no such table), TIDE_UNAVAILABLE (this journal is not to be written any more: group_fork),
 *            TIDE_CLOCK (this region's clock is wrong), TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM: nothing of this write is in the group.
 */
tide_err group_put(
    struct group *group, uint64_t table, struct bytes key, struct bytes image, bool keep_before);
tide_err group_delete(struct group *group, uint64_t table, struct bytes key, bool keep_before);

/** group_delete by time to live: the record here says that nobody asked for it. The same errors. */
tide_err group_expire(struct group *group, uint64_t table, struct bytes key, bool keep_before);

/* One write of several. */
struct group_write {
	uint64_t table;
	struct bytes key;
	struct bytes image; /* put: copied */
	bool tombstone; /* delete */
	bool keep_before, expired; /* as group_put, group_expire */
};

/**
 * Write all parts of a transaction, or none: in one unit and with one version, each record with the list of all. No two are of one
 * item. `aside` (may be NULL) is a put to a table that never travels: it goes in the same unit, and is not a part.
 * Errors     those of group_put; TIDE_UNAVAILABLE: TOKENS_MAX client tokens are kept. Nothing of it is in the group.
 */
tide_err group_transact(
    struct group *group, const struct group_write *writes, uint32_t n, const struct group_write *aside);

/**
 * Was a transaction with this client token (a key of TABLE_TOKENS) committed within TOKEN_KEPT_MS? Then `out` is what it put aside.
 * Errors     TIDE_NOTFOUND; those of group_get.
 */
tide_err group_token(struct group *group, struct bytes key, struct stored *out);

/* --- this region's bookkeeping: journaled as notes, never travels --- */

/** A table's replica here changes its state. From ABSENT the table appears; to ABSENT its items go (delete-range). */
tide_err group_table_state(struct group *group, uint64_t table, enum replica_state state);

/** A table has (or no longer has) replicas elsewhere: whether its records are pulled from peers. */
tide_err group_table_shared(struct group *group, uint64_t table, bool shared);

/**
 * What is known of a member region: its incarnation and nonce, or that the operator declared it lost. An earlier incarnation than the one
 * known changes nothing, and one that was lost stays lost.
 */
tide_err group_note_member(
    struct group *group, uint8_t region, uint16_t incarnation, uint64_t nonce, bool lost);

/** That member knows our incarnation and nonce (volatile; with its clock, above which we go on). */
tide_err group_counted(struct group *group, uint8_t region, struct hlc clock);

/** Promise that no later record of this journal has a smaller clock than now: makes the clock durable. */
tide_err group_clock(struct group *group);

/* --- from peers --- */

/* Why an apply had to stop. */
struct apply_stop {
	struct jid origin; /* TIDE_HELD: the journal that must come first; JID_NONE: the clock guard */
	struct hlc clock; /* up to here */
	uint64_t table; /* TIDE_GAP, TIDE_FORKED */
};

/**
 * Is this list all the shared tables that this region holds in CATCHUP, ACTIVE or LEAVING? What was asked for with an older list
 * must not be applied (it would pass over records of the missing tables): TIDE_GAP, ask again.
 */
tide_err group_tables_current(struct group *group, const uint64_t *tables, uint32_t n);

#define APPLY_VIA_LATER 0x100

/**
 * Apply one unit of another journal, as it came from the wire; `via` is the region number of the peer that sent it,
 * with APPLY_VIA_LATER where that is a later incarnation of the unit's origin.
 * Records already applied, and records of tables that this region does not hold (or is still loading), are left out.
 *
 * Errors     TIDE_GAP     a record before it is missing here: nothing applied; ask again from the vectors.
 *            TIDE_HELD    `stop` says for what: nothing applied; try again later.
 *            TIDE_FORKED  the origin's history contradicts what we hold: that origin is stopped.
 *            TIDE_CORRUPT, TIDE_NOMEM, TIDE_IO: nothing applied.
 */
tide_err group_apply(struct group *group, struct bytes wire_unit, uint16_t via, struct apply_stop *stop,
    struct tide_error *error);

/**
 * How far this region has come with an origin, as the group sees it: the least over the shared tables that follow peers. What was
 * sent to stand on more than that must not be applied: something before it is missing.
 */
struct mark group_position(const struct group *group, struct jid origin);

/**
 * What of `origin` comes next in `tables` is at `next.seq`, and must wait; everything before it has been sent and applied here. Others may
 * wait for just that. `next.clock`: of the last record applied of what was sent, 0: none.
 * TIDE_GAP: not the region's tables.
 */
tide_err group_progress_before(
    struct group *group, struct jid origin, const uint64_t *tables, uint32_t n, struct mark next);

/** "Complete to": everything of `origin` up to `upto` in `tables` has been sent and applied here. */
tide_err group_progress(
    struct group *group, struct jid origin, const uint64_t *tables, uint32_t n, struct mark upto);

/* What a region says about its replicas when it has sent its whole journal: tombstones go by this. */
struct told_table {
	uint64_t table;
	enum replica_state state;
	struct vector vector;
	bool
	    loading; /* it holds, or may hold, more than its vector: of a snapshot that is not the replica's yet */
};

/** `promise`: no later record of `origin` has a smaller clock; `tables`: what it had applied by then (volatile; copied). */
tide_err group_told(
    struct group *group, struct jid origin, struct hlc promise, const struct told_table *tables, uint32_t n);

/**
 * What a region says at any moment, however much of its journal is here: its replicas, and what deaths it knew just then. Dead journals are
 * closed by this (volatile; copied).
 */
tide_err group_heard(struct group *group, struct jid origin, const struct told_table *tables, uint32_t n,
    const struct told_dead *dead, uint32_t n_dead);

/**
 * Learn of deaths that others told, and close the dead journals of which nobody can have more (close.c). True in `*changed` when any was.
 */
tide_err group_close_dead(struct group *group, bool *changed);

/** This journal is not to be written any more: a peer knows another history of it, or it was declared lost. Durable; the first word stays. */
tide_err group_fork(struct group *group, enum fork_reason reason, uint8_t peer, uint64_t seq);

/**
 * Load a piece of a snapshot into a table in CREATING. Cursor and items move in one unit, so that a killed
 * bootstrap goes on where it was. The first piece carries the snapshot's vectors. With `done` the table is in CATCHUP.
 * A piece of another snapshot than the one under way, or not after its cursor, is TIDE_GAP.
 */
struct load_piece {
	uint64_t table;
	uint8_t source;
	uint64_t snapshot;
	struct bytes after; /* the cursor that this piece follows; empty: the first */
	struct bytes cursor; /* the last key in it */
	struct bytes wire_unit; /* a SNAPSHOT unit */
	struct vector vector, position;
	struct hlc clock; /* the source's */
	uint64_t items_expected;
	bool done;
};
tide_err group_load(struct group *group, const struct load_piece *piece, struct tide_error *error);

/** Forget a bootstrap under way and what it loaded: start over. */
tide_err group_load_restart(struct group *group, uint64_t table);

/** A table that clients made, and that other regions have too, is in service here, or is on its way back: the region is no new one. */
bool group_in_service(const struct group *group);

/**
 * The records that this replica needs next are kept nowhere any more. It is marked (REJOIN_NEEDED), or, where the region is on its way back
 * already, begins to load a snapshot like the others. `*fresh`: it was not known before.
 * Errors     TIDE_NOTFOUND: no replica in ACTIVE or CATCHUP. TIDE_NOMEM.
 */
tide_err group_rejoin_needed(struct group *group, uint64_t table, bool *fresh);

/**
 * Has this replica records of a dead journal that no readable replica elsewhere is known to have? Then it must not be given up: after
 * a while nobody could have them.
 */
bool group_alone_with(const struct group *group, uint64_t table);

/**
 * The operator wants it back: a snapshot is to be loaded beside the replica (group_load), then both are merged. Does nothing where that
 * is under way. For any shared replica in ACTIVE or CATCHUP, needed or not. `table` 0: all that need it. `*n`: how many began.
 * Errors     TIDE_NOTFOUND: no such replica. TIDE_NOMEM.
 */
tide_err group_rejoin_start(struct group *group, uint64_t table, uint32_t *n);

/* What a step of group_rejoin_merge did. */
struct rejoin_progress {
	bool busy; /* there is more to do at once */
	uint64_t table; /* 0: nothing was to be done */
	bool began, ended; /* it is out of service from now on; it is merged */
	uint64_t merged, of, dropped, conflicts; /* items of the snapshot so far, and in all; of this step */
};

/**
 * Merge on, by about `bytes_max` of items: once no table of the region loads any more, those that are loaded are merged one after the
 * other. Cursor and items move in one unit, with the conflict log's entries. TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM.
 */
tide_err group_rejoin_merge(struct group *group, size_t bytes_max, struct rejoin_progress *progress);

/** CATCHUP tables that stand at the region's cut become ACTIVE. True in `*changed` when any did. */
tide_err group_align(struct group *group, bool *changed);

/**
 * Let journal segments go that recovery, streams (`retention_ms`) and every member region are done with, once the group is on disk. What is
 * older than `max_ms` (UINT64_MAX: no bound) goes whatever a member has not said that it holds: that one has to rejoin.
 * `*below`: the journal keeps everything from this sequence on.
 */
tide_err group_trim(struct group *group, uint64_t retention_ms, uint64_t max_ms, uint64_t *below);

/**
 * A whole walk in one group: look (collect.h) and drop what the rule allows, until about `max` are gone. For who has one thread and small
 * tables: it reads all that is stored.
 */
tide_err group_collect(struct group *group, uint32_t max, uint32_t *collected);

#endif
