/*
 * A shard: one journal, one store, and the fold over the journal that is held in memory. No globals; a process can
 * hold several. Opening a shard is recovery: last checkpoint, then the journal from there.
 *
 *     dir/identity       this journal's id and a random nonce that tells two lives of one folder apart
 *     dir/journal/       segments
 *     dir/store/         the key-value store: what the journal adds up to
 *     dir/checkpoint-N   the fold at sequence N; everything up to N is on disk in the store
 *
 * Threads: one thread (the committer) opens groups and commits. Reads, views, ships and checkpoints: any thread.
 */
#ifndef TIDE_STORE_SHARD_SHARD_H
#define TIDE_STORE_SHARD_SHARD_H

#include "conflict/vector.h"
#include "store/journal/journal.h"
#include "store/kv/kv.h"

struct shard;

/* Built-in tables. Other ids are random 63-bit numbers, unique in the cluster. */
#define TABLE_CATALOG 1 /* facts about global tables: a replica in every region */
#define TABLE_CONFLICTS                                                                                      \
	2 /* the conflict log, `tidemark.conflicts`: a replica in every region, no fingerprint */
#define TABLE_REGIONAL 3 /* facts about tables that have no other replica: never travels */
#define TABLE_TOKENS 4 /* client tokens of transactions, each with what it stood for: never travels */
#define TABLE_BUILT_IN_MAX 15

#define TOKEN_KEPT_MS (10 * 60 * 1000) /* for so long a client token is known, and kept */
#define TOKENS_MAX 4000000 /* kept at a time */

/** Entries of some built-in tables come and go without a trace in their totals' fingerprint. */
static inline bool
table_has_fingerprint(uint64_t table)
{
	return table != TABLE_CONFLICTS && table != TABLE_TOKENS;
}

/** Is it a region's own, of which no other region ever has a record? */
static inline bool
table_is_own(uint64_t table)
{
	return table == TABLE_REGIONAL || table == TABLE_TOKENS;
}

/* What this region holds of a table. Durable. */
enum replica_state {
	REPLICA_ABSENT,
	REPLICA_CREATING, /* loading a snapshot; unreadable */
	REPLICA_CATCHUP, /* loaded, not yet at the same cut as the region's other tables; unreadable */
	REPLICA_ACTIVE,
	REPLICA_LEAVING, /* refuses writes, readable by peers, until the staying replicas hold all it holds */
	REPLICA_MERGING, /* fell behind, and is being merged with a snapshot that is all here; unreadable */
};

/*
 * A replica that fell behind what its peers' journals keep, on its way back (rejoin.c):
 *
 *     NONE -> NEEDED -> LOADING -> LOADED -> MERGING -> FOLLOWING -> NONE
 *
 * It is ACTIVE up to LOADED (readable, writable, behind), MERGING while it is merged, in CATCHUP while FOLLOWING.
 */
enum table_rejoin {
	REJOIN_NONE,
	REJOIN_NEEDED, /* the operator has to start it */
	REJOIN_LOADING, /* a peer's snapshot is loaded beside the replica */
	REJOIN_LOADED, /* all of it is here; waits for the region's other tables that load */
	REJOIN_MERGING,
	REJOIN_FOLLOWING, /* merged; not yet at the cut of the region's other tables */
};

/** Does it hold, or may it hold, more than its vector says: of a snapshot that is not the replica's yet? */
static inline bool
replica_loads(enum replica_state state, enum table_rejoin rejoin)
{
	return state == REPLICA_CREATING || state == REPLICA_MERGING ||
	       (rejoin >= REJOIN_LOADING && rejoin <= REJOIN_MERGING);
}

struct shard_options {
	const char *dir;
	const char *kv_plugin; /* "leveldb", "memory" */
	const char *journal_plugin; /* "segments", "memory" */
	struct kv_options kv;
	uint8_t region; /* this region's number, 1..255 */
	uint8_t shard;
	uint64_t segment_bytes; /* 0: default */
	uint64_t trim_least; /* sequences: the journal is not trimmed for less; 0: 1024 */
	uint64_t skew_ms_max; /* the clock guard's bound (max_clock_skew); 0: 500 ms */
	uint64_t conflict_retention_ms; /* how long an entry of the conflict log is kept; 0: 30 days */
	uint64_t (*wall_ms)(void *arg); /* NULL: the system's real-time clock */
	uint64_t (*mono_ms)(
	    void *arg); /* NULL: the system's, or none where wall_ms is given; the same argument */
	void *wall_arg;
	uint64_t (*random)(void *arg); /* the nonce of a new identity; NULL: the system's random numbers */
	void *random_arg;
	bool create;
};

/**
 * Open a shard and recover it: afterwards store, totals and vectors are exactly what the journal says.
 * Errors     TIDE_NOTFOUND (no shard there and no `create`), TIDE_FENCED (in use), TIDE_CORRUPT (named in `error`), TIDE_FULL,
 *            TIDE_IO, TIDE_NOMEM.
 */
tide_err shard_open(const struct shard_options *options, struct shard **out, struct tide_error *error);

/** Close; with `checkpoint` after taking one (a clean stop). Takes NULL. No other call may be under way. */
void shard_close(struct shard *shard, bool checkpoint);

/** Barrier, then the fold's checkpoint file, then forget older ones (two are kept). Any thread; one at a time inside. */
tide_err shard_checkpoint(struct shard *shard, struct tide_error *error);

/** Journal bytes since the last checkpoint: the maintenance thread takes one when it passes its bound. */
uint64_t shard_bytes_since_checkpoint(struct shard *shard);

struct jid shard_id(struct shard *shard);
uint64_t shard_nonce(struct shard *shard);
struct journal *shard_journal(struct shard *shard);
struct kv *shard_kv(struct shard *shard);
uint64_t shard_last_seq(struct shard *shard); /* committed and visible */
uint64_t shard_wall_ms(struct shard *shard);

/* What is wrong with this region's own clock: wall.c. Writes are refused while anything is. */
enum clock_trouble { CLOCK_FINE, CLOCK_JUMPED, CLOCK_AHEAD, CLOCK_BEHIND };
struct clock_view {
	enum clock_trouble trouble;
	uint64_t off_ms;
};

/** "CLOCK-JUMPED"; "CLOCK-RIGHT" where all is well. */
const char *clock_trouble_name(enum clock_trouble trouble);

/** Milliseconds since the epoch, by the real-time clock or, where that is not to be trusted, by the monotonic one. `view` may be NULL. Any thread. */
uint64_t shard_now_ms(struct shard *shard, struct clock_view *view);

/** A peer's hello told its clock, and by how much ours is ahead of its at least. Any thread. */
void shard_clock_heard(struct shard *shard, uint8_t region, uint64_t wall_ms, uint64_t we_ahead_ms);

/**
 * A folder that has written nothing of its own starts again under a later incarnation (a peer knows this region's former life):
 * whatever it took from peers so far is forgotten and fetched again.
 * Errors     TIDE_USAGE: it has already written, or the group that is open is not empty.
 * Thread     the committer's, from within an operation's run.
 */
tide_err shard_take_incarnation(struct shard *shard, uint16_t incarnation, struct tide_error *error);

/**
 * A region whose journal is over (fork.reason) goes on under the next incarnation. What other regions have a part in is forgotten and
 * fetched again; regional tables stay; the former journal is kept until its writes have been looked through (salvage.h).
 * Errors     TIDE_USAGE: the journal is not over, or the group that is open is not empty. After another error the shard may be sealed.
 * Thread     the committer's, from within an operation's run.
 */
tide_err shard_reincarnate(struct shard *shard, struct tide_error *error);

/**
 * A peer holds this as our journal's record of that table: is it?
 * Errors     TIDE_FORKED: it is not, so the journal has another history there. TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM. Any thread.
 */
tide_err shard_own_record(struct shard *shard, uint64_t table, struct mark mark, struct tide_error *error);

/**
 * The other regions of the cluster, by configuration: they are waited for even before they have been heard of. Before the committer
 * starts; copied.
 */
void shard_set_peers(struct shard *shard, const uint8_t *regions, unsigned n);

/* What the conflict log needs to name a table's items to a person. Strings are borrowed until the next call. */
struct shard_naming {
	struct bytes table, partition, sort; /* table name; names of the key attributes */
	uint8_t partition_type, sort_type; /* enum value_type */
	bool has_sort;
};

/**
 * Who knows the names: `describe` fills in a table's (false: unknown), `region` gives a region's name (NULL: unknown). Called on
 * the committer thread. Set before the committer starts.
 */
void shard_set_naming(struct shard *shard,
    bool (*describe)(void *arg, uint64_t table, struct shard_naming *out),
    const char *(*region)(void *arg, uint8_t number), void *arg);

/* --- reading items --- */

/* What the store holds under an item's key. */
struct stored {
	struct version version;
	uint64_t seq; /* the record in this journal that wrote it */
	bool tombstone; /* deleted; no image */
	struct bytes image; /* encoded item (store/item/value.h) */
};

/**
 * Read an item, latest committed. `raw` is the caller's buffer and holds what `out` borrows.
 * Errors     TIDE_NOTFOUND (no item, or a tombstone: then `out->tombstone` is true), TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM.
 */
tide_err shard_get(
    struct shard *shard, uint64_t table, struct bytes key, struct buf *raw, struct stored *out);

/* One of several reads. */
struct shard_get_one {
	uint64_t table;
	struct bytes key;
	tide_err outcome; /* TIDE_OK, TIDE_NOTFOUND; TIDE_CORRUPT, TIDE_IO: of this read */
	struct buf raw; /* holds what `stored` borrows */
	struct stored stored;
};

/**
 * Read several items as they are at one moment: each group is in all of them or in none. Release with shard_get_all_fini.
 * Errors     TIDE_NOMEM, or the first outcome that is neither TIDE_OK nor TIDE_NOTFOUND.
 */
tide_err shard_get_all(struct shard *shard, struct shard_get_one *reads, size_t n);
void shard_get_all_fini(struct shard_get_one *reads, size_t n);

/* An item read before a write of it is queued: group_take_ahead. Zero-initialised; release with read_ahead_fini. */
struct read_ahead {
	uint64_t as_of; /* every group made visible up to here is in it (a count since open) */
	tide_err outcome; /* of the read */
	bool tombstone;
	struct buf raw;
};

/** Read an item for a write to come. Any thread. A failure is in `out->outcome`: the write will meet it again. */
void shard_read_ahead(struct shard *shard, uint64_t table, struct bytes key, struct read_ahead *out);
void read_ahead_fini(struct read_ahead *ahead);

struct shard_scan;

/**
 * Walk items of one table with keys in [from, to), at one moment (a snapshot is held until close). `to` empty: to the end of the
 * table. Backwards it walks from the greatest down. Tombstones are skipped unless `tombstones`.
 */
struct shard_scan_range {
	uint64_t table;
	struct bytes from, to;
	bool backward, tombstones;
};
tide_err shard_scan_open(struct shard *shard, const struct shard_scan_range *range, struct shard_scan **out);

/** The next item; key and stored borrow until the next call. TIDE_NOTFOUND: the end. TIDE_CORRUPT, TIDE_IO. */
tide_err shard_scan_next(struct shard_scan *scan, struct bytes *key, struct stored *out);
void shard_scan_close(struct shard_scan *scan);

/* --- the fold, copied out --- */

struct boot_view {
	bool under_way;
	uint8_t source; /* region number of the snapshot's source */
	uint64_t snapshot; /* the source's id of the snapshot */
	struct bytes cursor; /* last key loaded; empty: none */
	uint64_t items_loaded, items_expected;
	struct vector vector, position; /* the snapshot's; they become the table's when it is loaded */
};

struct table_view {
	uint64_t id;
	enum replica_state state;
	bool shared; /* other regions have or had replicas: its records are pulled from peers */
	uint64_t items, bytes; /* live items and their size as DynamoDB counts it */
	fingerprint_t fingerprint;
	struct vector vector; /* per origin: last (sequence, clock) applied of this table */
	struct vector
	    position; /* per origin: everything of it up to here that concerns this table is applied */
	enum table_rejoin rejoin;
	struct boot_view
	    boot; /* of a replica in CREATING, or of the snapshot that a rejoin loads or merges */
};

struct member_view {
	uint8_t region;
	uint16_t incarnation; /* greatest known of that region */
	uint64_t nonce;
	bool counted; /* that region knows our incarnation and nonce (volatile) */
	bool lost; /* the operator declared it lost: not waited for */
	uint64_t ahead_ms; /* its clock is ahead of ours by at least this much */
	uint16_t
	    closed; /* its journals up to this incarnation are dead, and nobody has more of them than we */
};

/* Of a region, its journals up to an incarnation are dead. */
struct told_dead {
	uint8_t region;
	uint16_t through;
	uint64_t nonce; /* of its next incarnation, which lives; 0: it was declared lost, and there is none */
};

/* Why this journal must not be written any more. */
enum fork_reason {
	FORK_NONE,
	FORK_COPY, /* a peer knows another history of it, or more: the folder was restored from an old copy */
	FORK_LOST, /* this region was declared lost */
};

struct fork {
	enum fork_reason reason;
	uint8_t peer; /* the region that knew */
	uint64_t seq; /* FORK_COPY: the record of ours that it knew */
};

/* A consistent copy of the fold. Vectors are in the arena: never vector_fini them. */
struct shard_view {
	struct jid id;
	uint64_t nonce;
	uint64_t last_seq;
	struct hlc clock; /* last clock used or seen; durable */
	struct hlc own_clock; /* clock of this journal's last own record */
	struct vector position; /* the region's: per origin, over all ACTIVE tables */
	struct table_view *tables;
	size_t n_tables;
	struct member_view *members;
	size_t n_members;
	struct told_dead *dead; /* all deaths that are known */
	uint32_t n_dead;
	uint16_t own_closed; /* of our own former journals */
	unsigned n_kept; /* former journals whose writes have not been looked through yet: salvage.h */
	struct fork fork; /* reason FORK_NONE: all is well */
	uint64_t conflicts; /* logged by this journal since its start */
	uint64_t applied; /* remote records applied since open */
};

/** Any thread. TIDE_NOMEM. */
tide_err shard_view(struct shard *shard, struct arena *arena, struct shard_view *out);

/** One table of it; TIDE_NOTFOUND when this region holds nothing of it. Any thread. */
tide_err shard_table_view(struct shard *shard, struct arena *arena, uint64_t table, struct table_view *out);

/** The state only, without allocation. Any thread. */
enum replica_state shard_table_state(struct shard *shard, uint64_t table);

/** The table whose conflict an entry of the conflict log (its key) tells of; 0: that is no entry's key. */
uint64_t shard_conflict_table(struct bytes key);

/**
 * Called on the committer thread for each unit after it is on disk and visible, before any of its operations is answered.
 * At most 8 observers; register before the committer starts. An observer must not call back into the shard's group.
 */
typedef void (*shard_observe_fn)(void *arg, const struct unit *unit);
void shard_observe(struct shard *shard, shard_observe_fn fn, void *arg);

#endif
