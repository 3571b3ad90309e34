/*
 * What a segment holds, to find things without reading it. It grows with the appends; when the segment is sealed it is
 * written beside it, and all but the offsets by table stay in memory. An index is only ever a help: a missing or
 * damaged one is built again from the frames.
 *
 *     points    every so many bytes: (first sequence, offset) of a unit
 *     origins   (journal id, greatest origin sequence)
 *     tables    (table id, offsets of the units that touch it)
 */
#ifndef TIDE_STORE_JOURNAL_SEGMENT_INDEX_H
#define TIDE_STORE_JOURNAL_SEGMENT_INDEX_H

#include "store/journal/segment_frame.h"

struct index_point {
	uint64_t seq, offset;
};

struct index_origin {
	struct jid origin;
	uint64_t seq;
};

struct index_table {
	uint64_t table;
	uint32_t *offsets; /* in units of FRAME_ALIGN; NULL when not loaded */
	uint32_t n, room;
};

struct segment_index {
	uint64_t first_seq, last_seq; /* last + 1 == first: no unit */
	uint64_t end; /* bytes of the segment that it covers */
	struct hlc clock_min, clock_max;
	uint64_t n_units;
	struct index_point *points;
	size_t n_points, points_room;
	struct index_origin *origins;
	size_t n_origins, origins_room;
	struct index_table *tables; /* by table id */
	size_t n_tables, tables_room;
	bool incomplete; /* memory ran out while it grew: it may not be used to leave anything out */
};

void segment_index_init(struct segment_index *index, uint64_t first_seq);
void segment_index_fini(struct segment_index *index);

/** Take the unit of a frame at `offset` in. Without memory the index becomes `incomplete`. */
void segment_index_add(struct segment_index *index, const struct frame *frame, uint64_t offset);

/** Forget the offsets by table, keep the table ids. */
void segment_index_drop_offsets(struct segment_index *index);

/** Where to begin reading so as to meet the unit that holds `seq`. */
struct index_point segment_index_point(const struct segment_index *index, uint64_t seq);

/** NULL: no unit of the segment touches it. */
const struct index_table *segment_index_table(const struct segment_index *index, uint64_t table);

/** Greatest sequence of that origin in the segment; 0: none. */
uint64_t segment_index_origin(const struct segment_index *index, struct jid origin);

/** The file form, with the offsets. buf_check tells. */
void segment_index_encode(const struct segment_index *index, struct jid id, struct buf *out);

/** TIDE_CORRUPT: not the intact index of such a segment; TIDE_NOMEM. `out` needs segment_index_fini only on TIDE_OK. */
tide_err segment_index_decode(struct bytes in, struct jid id, uint64_t first_seq, struct segment_index *out);

#endif
