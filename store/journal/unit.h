/*
 * Commit units and their records: what the journal holds and what travels between regions.
 *
 * A unit commits as one and travels as one; its records apply in order. Each record and each note takes one dense
 * sequence number of the journal that holds it.
 *
 *     kind       records                                  seen
 *     LOCAL      written here; origin = this journal      this journal's vector before the unit
 *     REMOTE     of one other journal, in its order       that journal's vector, as it travelled
 *     SNAPSHOT   items loaded by a bootstrap, any origin  the snapshot's vector; never relayed
 *     NOTE       none                                     nothing; bookkeeping of this region; never travels
 *
 * `entries` are records of THIS journal (entries of the conflict log) made while resolving a REMOTE or SNAPSHOT unit; they
 * travel as a LOCAL unit of their own, with `entries_seen`. `note` is opaque to the journal and may go with any kind.
 *
 * One msgpack form for disk and wire: the wire form leaves out the local part of each record. docs/journal-format.md.
 */
#ifndef TIDE_STORE_JOURNAL_UNIT_H
#define TIDE_STORE_JOURNAL_UNIT_H

#include "base/arena.h"
#include "conflict/vector.h"

enum unit_kind { UNIT_LOCAL = 1, UNIT_REMOTE = 2, UNIT_SNAPSHOT = 3, UNIT_NOTE = 4 };

typedef unsigned __int128 fingerprint_t; /* sums are mod 2^128 */

/* One record of a transaction: all its parts are listed in each of its records, which in one unit share the list. */
struct txn_part {
	uint64_t table, origin_seq;
};

/* What a record did to one of the table's indexes here. */
struct index_change {
	uint64_t index;
	int32_t count_delta;
	int64_t bytes_delta;
	struct bytes
	    gone; /* the entry that went: its key up to the item's own; `at` NULL: none did, or it keeps its key */
};

struct record {
	/* --- travels --- */
	struct version version; /* origin: the unit's, except in a SNAPSHOT */
	uint64_t origin_seq; /* in the origin's journal; 0 in a SNAPSHOT */
	struct mark
	    origin_prev; /* the origin's previous record in this table; a mismatch shows a gap or a fork */
	uint64_t table;
	struct bytes key; /* store/item/key.h */
	bool tombstone; /* a delete: no image */
	struct bytes image; /* the item after, encoded (value_encode) */
	const struct txn_part *parts;
	uint32_t n_parts; /* 0: not of a transaction */
	/* --- local: each region's own --- */
	uint64_t seq; /* in this journal */
	bool lost; /* lost a conflict here: changed nothing, kept to be relayed */
	bool has_before; /* a stream view wants the image before: `before` (empty: there was no item) */
	struct bytes before;
	uint64_t table_prev_seq; /* this journal's previous record of this table, 0: none */
	uint64_t item_prev_seq; /* this journal's previous record of this item, 0: none */
	int32_t count_delta; /* what the record did to the table's totals here */
	int64_t bytes_delta;
	fingerprint_t fingerprint_delta;
	bool expired; /* deleted here by time to live: nobody asked for it (a stream says so) */
	const struct index_change *index_changes; /* of indexes that it changed */
	uint32_t n_index_changes;
};

struct unit {
	enum unit_kind kind;
	struct jid origin;
	struct vector seen;
	struct record *records;
	uint32_t n_records;
	struct vector entries_seen;
	struct record *entries;
	uint32_t n_entries;
	struct bytes note; /* at NULL: none; takes the unit's last sequence number */
	uint64_t first_seq; /* of this journal; records, then entries, then the note, densely */
};

/** The last sequence number that the unit takes. */
uint64_t unit_last_seq(const struct unit *unit);

/** Append the unit's msgpack form: the whole (disk), or the travelling part of kind, origin, seen and records (wire). */
void unit_encode_disk(const struct unit *unit, struct buf *out);
void unit_encode_wire(const struct unit *unit, struct buf *out);

/**
 * Decode either form. Keys, images and notes borrow from `in`; arrays and vectors are in `arena` (do not
 * vector_fini them). Fields that the form leaves out are zero. Bytes come from disk or a peer: anything may be in them.
 * Errors     TIDE_CORRUPT (with where, in `error`), TIDE_FORMAT (a newer format version), TIDE_NOMEM.
 */
tide_err unit_decode(struct arena *arena, struct bytes in, struct unit *out, struct tide_error *error);

#endif
