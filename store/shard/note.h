/*
 * Notes: a region's own bookkeeping, journaled so that it moves with what it belongs to, and never sent to anybody.
 * A unit's note field is a msgpack array of notes.
 */
#ifndef TIDE_STORE_SHARD_NOTE_H
#define TIDE_STORE_SHARD_NOTE_H

#include "store/shard/shard.h"

enum note_kind {
	NOTE_STATE = 1, /* a table's replica changes its state */
	NOTE_SHARED = 2, /* a table has replicas elsewhere, or no longer */
	NOTE_MEMBER = 3, /* what is known of a member region */
	NOTE_CLOCK = 4, /* the clock is durable up to here */
	NOTE_LOAD = 5, /* a bootstrap moved its cursor, ended, or starts over */
	NOTE_COLLECT = 6, /* a tombstone, or an expired conflict entry, left the store */
	NOTE_FLOOR = 7, /* the journal no longer answers for a table's records of an origin up to here */
	NOTE_CLOSED =
	    8, /* no region can have more of that journal, or of an earlier one of its region, than we */
	NOTE_FORKED =
	    9, /* this journal has another history elsewhere, or was declared lost: no more writes */
	NOTE_REJOIN = 10, /* a replica that fell behind moves on in its rejoin: rejoin.c */
	NOTE_DROP =
	    11, /* an item left the store that the merged snapshot's source had seen, and had no more */
	NOTE_INDEX = 12, /* an index of a table comes, goes, or is backfilled further: index.h */
};

enum load_step { LOAD_PIECE, LOAD_DONE, LOAD_RESTART };

enum rejoin_step {
	REJOIN_NEED = 16, /* the journal that the replica needs is kept nowhere any more */
	REJOIN_LOAD, /* a snapshot is to be loaded beside it */
	REJOIN_MERGE, /* all of it is here: the replica is taken out of service and merged with it */
	REJOIN_PIECE, /* merged up to the cursor */
	REJOIN_END, /* all of it is merged: the snapshot's copy goes */
};

enum index_step {
	INDEX_ADD = 32, /* `flag`: it is complete, as the table is empty */
	INDEX_DROP,
	INDEX_PIECE, /* backfilled up to the cursor */
	INDEX_END, /* backfilled to the table's end */
};

struct note {
	enum note_kind kind;
	uint64_t table; /* STATE, SHARED, LOAD, COLLECT, DROP, INDEX */
	enum replica_state state; /* STATE */
	bool flag; /* SHARED: shared; MEMBER, FORKED: lost; COLLECT, DROP: it was live; INDEX: complete */
	uint8_t region; /* MEMBER; LOAD: the source; FORKED: who knew */
	uint16_t incarnation; /* MEMBER */
	uint64_t
	    number; /* MEMBER: nonce; LOAD: snapshot; COLLECT, DROP: bytes that go; FLOOR: sequence; FORKED: of the record; INDEX: its id */
	struct hlc clock; /* CLOCK; COLLECT: the version's; FLOOR: the mark's */
	struct jid origin; /* COLLECT: the version's; FLOOR; CLOSED */
	unsigned step; /* LOAD: load_step; REJOIN: rejoin_step; INDEX: index_step */
	struct bytes key; /* LOAD, REJOIN, INDEX: cursor; COLLECT, DROP: key; INDEX_ADD: the definition */
	uint64_t count, expected; /* LOAD, REJOIN: items in this piece; items in all */
	fingerprint_t fingerprint; /* DROP: what goes */
	struct vector vector, position; /* LOAD */
	uint64_t items, entries, bytes; /* INDEX: items looked at in this piece, entries made, their size */
	const struct index_change *index_changes; /* DROP: entries that go with the item */
	uint32_t n_index_changes;
};

/** Append one note in msgpack form. */
void note_encode(const struct note *note, struct buf *out);

/* Walks the notes of a unit's note field. */
struct note_walk {
	struct bytes left;
};

/** The next note; what it borrows lives in the field and the arena. TIDE_NOTFOUND: the end. TIDE_CORRUPT, TIDE_NOMEM. */
tide_err note_next(struct note_walk *walk, struct arena *arena, struct note *out);

#endif
