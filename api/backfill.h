/*
 * Indexes that were given to tables with items: their entries are made a piece at a time by the maintenance thread, each piece an operation
 * of the committer between those of clients.
 */
#ifndef TIDE_API_BACKFILL_H
#define TIDE_API_BACKFILL_H

#include "api/region.h"

/* Where the round over indexes is; zero-initialised. They take turns, so that a long one keeps no other waiting. */
struct backfill {
	uint64_t table, index;
	size_t piece_bytes; /* of items, in one step; 0: the default */
	uint32_t steps; /* in one turn; 0: the default */
	bool
	    paced; /* wait as long between two steps as each took, so that half of the committer's time is the clients' */
};

/**
 * Some steps. `*more`: there is more to do at once. What of it cannot be done is tried again when its turn comes again.
 * Errors     those of the committer and of group_index_backfill.
 * Thread     maintenance.
 */
tide_err backfill_step(
    struct region *region, struct backfill *backfill, bool *more, struct tide_error *error);

#endif
