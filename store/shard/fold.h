/*
 * The fold: everything about a shard that is not an item. It is what its journal adds up to, and is saved in checkpoints.
 *
 * The shard keeps two: `work`, the committer's own, ahead by the group that is being built; and `live`, published under the
 * shard's lock when the group is on disk. Both move by fold_record and fold_note only, as does recovery.
 */
#ifndef TIDE_STORE_SHARD_FOLD_H
#define TIDE_STORE_SHARD_FOLD_H

#include "base/pack.h"
#include "store/shard/index.h"
#include "store/shard/note.h"

struct boot {
	bool under_way;
	uint8_t source;
	uint64_t snapshot;
	struct buf cursor;
	uint64_t loaded, expected;
	struct vector vector, position;
};

void boot_fini(struct boot *boot);

/* An index of a table: index.h. */
struct index_fold {
	struct index_def def; /* borrows from `form` */
	struct buf form; /* the definition, as it is journaled */
	enum index_state state;
	struct buf cursor; /* BACKFILLING: the last item that has been looked at; empty: none yet */
	uint64_t items, bytes, looked_at;
};

struct table_fold {
	uint64_t id;
	enum replica_state state;
	bool shared;
	uint64_t items, bytes;
	fingerprint_t fingerprint;
	struct vector vector;
	struct vector
	    position; /* while in CATCHUP and MERGING; an ACTIVE or LEAVING table stands at the region's position */
	struct vector floor; /* the journal here relays this table's records of an origin only above this */
	struct mark own_last; /* our last record of it; outlives the replica */
	uint64_t last_seq; /* this journal's last record of it */
	struct boot boot; /* CREATING: of what loads; MERGING: how far it is merged */
	enum table_rejoin rejoin;
	struct index_fold *indexes; /* by id; NULL: none */
	uint32_t n_indexes;
};

/*
 * The copy of a snapshot that a rejoin loads: a table of its own beside the replica that it is for, in CREATING, then CATCHUP; never shared,
 * never shown. Table ids have 63 bits.
 */
#define STAGED_BIT (1ULL << 63)

static inline uint64_t
staged_id(uint64_t table)
{
	return table | STAGED_BIT;
}

static inline bool
is_staged(uint64_t table)
{
	return (table & STAGED_BIT) != 0;
}

struct member_fold {
	uint8_t region;
	uint16_t incarnation;
	uint64_t nonce;
	bool lost;
};

struct fold {
	struct jid id;
	uint64_t last_seq;
	struct hlc clock, own_clock;
	struct vector position; /* per origin: everything of it up to here in our ACTIVE tables is applied */
	uint64_t conflicts;
	struct table_fold **tables; /* sorted by id */
	size_t n_tables, tables_room;
	struct member_fold *members; /* sorted by region */
	size_t n_members, members_room;
	uint16_t closed[REGION_NUMBER_MAX +
			1]; /* by region: its journals up to this incarnation are closed here */
	struct fork fork;
};

/** A fold of the empty journal `id`: the built-in tables stand ACTIVE. */
tide_err fold_init(struct fold *fold, struct jid id);
void fold_fini(struct fold *fold);
tide_err fold_copy(struct fold *to, const struct fold *from);

/** NULL: nothing is known of that table. */
struct table_fold *fold_table(const struct fold *fold, uint64_t id);

/** The table, made where it is not there yet; NULL: no memory. */
struct table_fold *fold_table_make(struct fold *fold, uint64_t id);
const struct member_fold *fold_member(const struct fold *fold, uint8_t region);

/**
 * The last incarnation of that region which is known to be dead: one before the one that it has now, or that one, too, when the
 * region was declared lost. Only ever grows.
 */
uint16_t fold_dead_through(const struct fold *fold, uint8_t region);

/** Its region has a later incarnation, or was declared lost. */
bool fold_dead(const struct fold *fold, struct jid origin);

/** Dead, and no region can have more of it than we: close.c. */
bool fold_closed(const struct fold *fold, struct jid origin);

/** Readable by peers, and moved by what peers send. */
static inline bool
replica_follows(enum replica_state state)
{
	return state == REPLICA_CATCHUP || state == REPLICA_ACTIVE || state == REPLICA_LEAVING;
}

/** Where a table stands in an origin's journal: its own position in CATCHUP, else the region's. */
struct mark fold_position(const struct fold *fold, const struct table_fold *table, struct jid origin);

/**
 * This journal's last own record of any table: how far the journal is complete once it is sent. Not last_seq: notes and what
 * came from peers take numbers too, and if a writer's vector named those, its readers would wait for what nobody sends them.
 */
struct mark fold_own_last(const struct fold *fold);

/** The built-in tables that are not there stand ACTIVE, too: a checkpoint may be older than one of them. TIDE_NOMEM. */
tide_err fold__built_in(struct fold *fold);

/** Fold one record of a unit of this kind and origin (an entry of the conflict log counts as LOCAL). TIDE_NOMEM. */
tide_err fold_record(struct fold *fold, enum unit_kind kind, struct jid origin, const struct record *record);

/** The part of fold_note that is about a rejoin. */
tide_err fold__rejoin(struct fold *fold, struct table_fold *table, const struct note *note);

/* --- index_fold.c --- */

/** Does the index have entries of items with that key, where they have one? */
bool fold_index_covers(const struct index_fold *index, struct bytes item_key);

/** NULL: no such index. */
struct index_fold *fold_index(const struct table_fold *table, uint64_t id);

/** NOTE_INDEX. TIDE_CORRUPT: not a definition. TIDE_NOMEM. */
tide_err fold__index(struct table_fold *table, const struct note *note);

/** The totals of indexes move as a record, or an item that is dropped, says. */
void fold__index_changes(struct table_fold *table, const struct index_change *changes, uint32_t n);

/** Forget one index; all of them; that they have entries. */
void fold__index_drop(struct table_fold *table, uint64_t id);
void fold__indexes_fini(struct table_fold *table);
void fold__indexes_empty(struct table_fold *table);

/** In a checkpoint: [definition, state, cursor, items, bytes, looked at]. */
void fold__indexes_encode(const struct table_fold *table, struct buf *out);
void fold__indexes_decode(struct unpack *in, struct table_fold *table);

/** What a replica forgets when it goes or starts its bootstrap over. Our own last record and journal stay ours. TIDE_NOMEM. */
tide_err fold__forget(const struct fold *fold, struct table_fold *table);

/** A region whose tables do not all stand at one cut, as some of them are on their way back. */
bool fold_rejoining(const struct fold *fold);

/** Fold one note; its unit's sequence has to be folded by fold_seq. TIDE_NOMEM. */
tide_err fold_note(struct fold *fold, const struct note *note);

static inline void
fold_seq(struct fold *fold, uint64_t seq)
{
	if (seq > fold->last_seq)
		fold->last_seq = seq;
}

/** A whole unit, as recovery and publication fold it. TIDE_CORRUPT: its note is unreadable. TIDE_NOMEM. */
tide_err fold_unit(struct fold *fold, struct arena *arena, const struct unit *unit);

/** "Complete to", for all shared tables here. Not journaled: after a crash it is asked for again. */
tide_err fold_progress(struct fold *fold, struct jid origin, struct mark upto);

/** Checkpoint form, and back. TIDE_CORRUPT, TIDE_FORMAT, TIDE_NOMEM. */
tide_err fold_encode(const struct fold *fold, struct buf *out);
tide_err fold_decode(struct fold *fold, struct bytes in);

#endif
