/*
 * How many records of a table stand above a sequence number of this journal: what a peer that has told how far it is still lacks.
 *
 * Sequence numbers are shared by all tables, so they do not say it themselves. Marks (sequence, count) are set now and then,
 * further apart the longer the backlog: at most BACKLOG_MARKS of them, and an answer is too great by less than a 32nd of the
 * greatest backlog since nobody lacked anything, never too small. A peer that has everything gets exactly 0. Pure; one thread at a time.
 */
#ifndef TIDE_API_BACKLOG_H
#define TIDE_API_BACKLOG_H

#include "base/error.h"

#include <stdint.h>

#define BACKLOG_MARKS 128

struct backlog_mark {
	uint64_t seq, n;
};

/* Zero-initialised. */
struct backlog {
	struct backlog_mark *marks; /* ascending; the first one is where counting begins */
	uint32_t n_marks, room;
	uint64_t n, last_seq; /* records counted; the last one's sequence */
	uint64_t stride; /* records between two marks */
};

/** One more record; `prev` is the sequence of the one before it in this table. Sequences that fall begin anew. TIDE_NOMEM: not counted. */
tide_err backlog_add(struct backlog *backlog, uint64_t seq, uint64_t prev);

/**
 * Records above `seq`, where the table's last one is `last`. What was written before counting began is taken as one record per
 * sequence number: more than it was.
 */
uint64_t backlog_above(const struct backlog *backlog, uint64_t seq, uint64_t last);

/** Nobody will ask for less than `seq` any more. */
void backlog_forget(struct backlog *backlog, uint64_t seq);

void backlog_fini(struct backlog *backlog);

#endif
