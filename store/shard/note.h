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
};

enum load_step { LOAD_PIECE, LOAD_DONE, LOAD_RESTART };

struct note {
	enum note_kind kind;
	uint64_t table; /* STATE, SHARED, LOAD, COLLECT */
	enum replica_state state; /* STATE */
	bool flag; /* SHARED: shared; MEMBER: lost; COLLECT: it was a live entry */
	uint8_t region; /* MEMBER; LOAD: the source */
	uint16_t incarnation; /* MEMBER */
	uint64_t number; /* MEMBER: nonce; LOAD: snapshot; COLLECT: bytes that go; FLOOR: sequence */
	struct hlc clock; /* CLOCK; COLLECT: the version's; FLOOR: the mark's */
	struct jid origin; /* COLLECT: the version's; FLOOR */
	enum load_step step; /* LOAD */
	struct bytes key; /* LOAD: cursor; COLLECT: key */
	uint64_t count, expected; /* LOAD: items in this piece; items in all */
	struct vector vector, position; /* LOAD */
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
