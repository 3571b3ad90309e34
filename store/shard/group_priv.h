/* The group's inside: shared by group.c, transact.c, apply.c, load.c, rejoin.c, told.c and commit.c. */
#ifndef TIDE_STORE_SHARD_GROUP_PRIV_H
#define TIDE_STORE_SHARD_GROUP_PRIV_H

#include "store/shard/shard_priv.h"

/* One key as the group sees it: what the store holds, or what the group has written over it. */
struct pending {
	struct pending *next; /* in its bucket */
	uint64_t hash, table;
	struct bytes key;
	bool exists; /* an item or a tombstone */
	bool dirty; /* differs from the store */
	struct stored stored;
};

/* A unit being built. Arrays grow in the group's arena. */
struct unit_build {
	struct unit_build *next;
	struct unit unit;
	uint32_t records_room, entries_room;
	struct buf note;
	uint64_t *noted; /* tables that its notes are about */
	uint32_t n_noted, noted_room;
};

/* A change of an index's entry that the group's batch makes, in order. */
struct index_op {
	struct index_op *next;
	uint64_t table, index;
	struct bytes key; /* the store's */
	struct bytes value;
	bool put;
};

struct index_ops {
	struct index_op *first, *last;
};

/* An index that the group takes away. */
struct index_dropped {
	struct index_dropped *next;
	uint64_t table, index;
};

struct group {
	struct shard *shard;
	struct arena arena;
	struct pending **buckets;
	size_t n_buckets, n_pending;
	struct unit_build *first, *last;
	uint64_t next_seq;
	uint64_t now_ms; /* as it was opened; guarded: shard_now_ms */
	struct clock_view clock;
	uint64_t bytes;
	uint64_t read_bytes; /* what reads brought into the arena */
	uint64_t applied; /* remote records */
	struct buf raw; /* scratch for store reads */
	struct buf key;
	struct told_list told, heard; /* to take over when the group is on disk */
	uint64_t *cleared; /* tables whose items go once the group is on disk */
	uint32_t n_cleared;
	struct index_ops index_ops;
	struct index_dropped *dropped;
	struct buf index_scratch[4]; /* an entry's key and value, before and after */
	uint64_t trim_below; /* journal segments below go once the group is on disk; 0: none */
	struct {
		uint8_t region;
		struct hlc clock;
	} counted[8];
	unsigned n_counted;
};

/** Release the group's memory; the shard's fold is left as it is. */
void group__fini(struct group *group);

uint64_t group__hash(uint64_t table, struct bytes key);

/** The key's entry if the group has it; NULL: not yet. */
struct pending *group__find(const struct group *group, uint64_t hash, uint64_t table, struct bytes key);

/** A new entry, of a key that is not there as far as it says; NULL: no memory. */
struct pending *group__add(struct group *group, uint64_t hash, uint64_t table, struct bytes key);

/* --- ahead.c, with the shard's lock held --- */

/** This key changes with the publication that is being made. */
void shard__written(struct shard *shard, const struct pending *pending);

/** Store and fold show the group now; `all_changed`: whole tables went. */
void shard__published(struct shard *shard, bool all_changed);

/** The key's entry, read from the store on first use. Errors of kv_get but TIDE_NOTFOUND. */
tide_err group__pending(struct group *group, uint64_t table, struct bytes key, struct pending **out);

/**
 * The unit to which a local write of that table goes: the group's last one if it is LOCAL or of notes, else a new one. So an
 * operation that writes items and notes is one unit, and a crash leaves none or all of it. But a unit's records come before its notes:
 * what is written to a table after a note about it begins another unit, and so does a note after a write. NULL: no memory.
 */
struct unit_build *group__local_unit(struct group *group, uint64_t table);

/** Are any of the unit's notes about that table? */
bool group__is_noted(const struct unit_build *unit, uint64_t table);

/** May this region write to that table now? TIDE_NOTFOUND, TIDE_UNAVAILABLE, TIDE_CLOCK, as group_put. */
tide_err group__may_write(const struct group *group, uint64_t table);

/** Is there anything to be written, or does it delete what is not there? */
bool group__changes(const struct group_write *write, const struct pending *pending);

/* What the writes of a transaction have in common; of a single write only the clock. */
struct group_txn {
	struct hlc clock;
	const struct txn_part *parts; /* in the group's arena */
	uint32_t n_parts;
};

/**
 * Add a write that changes something to `unit`, which takes it (group__local_unit), and fold it. TIDE_NOMEM: nothing changed, or
 * the shard is sealed.
 */
tide_err group__write(struct group *group, struct unit_build *unit, struct pending *pending,
    const struct group_write *write, const struct group_txn *txn);

/** A new unit at the group's end, with a copy of `seen`. NULL: no memory. */
struct unit_build *group__unit(
    struct group *group, enum unit_kind kind, struct jid origin, const struct vector *seen);

/** Journal a note in the group's last unit if that is LOCAL or of notes (see above), else in a new one, and fold it. */
tide_err group__note(struct group *group, const struct note *note);

/** The table's items go once the group is on disk, as a note of it says. TIDE_NOMEM. */
tide_err group__clear(struct group *group, uint64_t table);

/** Room for one more record; NULL: no memory. */
struct record *group__record(struct group *group, struct unit_build *unit);
struct record *group__entry(struct group *group, struct unit_build *unit);

/**
 * Make `stored` the key's content, fill in the record's local part (links and deltas), fold it. The record's sequence and version are
 * set. TIDE_NOMEM: nothing changed.
 */
tide_err group__apply(
    struct group *group, struct unit_build *unit, struct record *record, bool entry, struct pending *pending);

/** Fill in a local record's version, links and previous marks for the next own write of that table. */
void group__own(struct group *group, struct record *record, struct hlc clock);

/**
 * May the records that are to be applied of a unit be, or is a part of one of their transactions missing? Each of `todo` is of `origin`,
 * in its order. TIDE_GAP, with the table in `stop`. parts.c
 */
tide_err group__check_parts(const struct group *group, struct jid origin, const struct record *const *todo,
    uint32_t n, struct apply_stop *stop);

/** A copy of a vector in the group's arena. */
tide_err group__vector(struct group *group, const struct vector *from, struct vector *to);

/* --- conflict.c --- */

/**
 * Log the loser of a conflict: an entry in the conflict log, in the unit that resolved it, unless it is there already. Two deletes
 * make none.
 */
tide_err group__log_conflict(struct group *group, struct unit_build *unit, uint64_t table, struct bytes key,
    const struct stored *loser, const struct stored *winner);

/**
 * Log a write that only a journal had which was given up, as a write of ours. `winner`: what is stored now; a version of zero: nothing.
 */
tide_err group__log_given_up(struct group *group, uint64_t table, struct bytes key,
    const struct stored *loser, const struct stored *winner);

/** The clock at which an entry of the conflict log expires, read from its key; 0: not such a key. */
uint64_t conflict_expiry_ms(struct bytes key, uint64_t retention_ms);

#endif
