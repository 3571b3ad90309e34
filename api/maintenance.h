/*
 * The maintenance thread of an API process: what has to happen now and then, without a request asking for it.
 *
 *     every second, or when membership is poked   a step of membership; replicas that stand at the region's cut become ACTIVE
 *     the same                                    tables that rejoin are merged with what was loaded for them
 *     the same                                    a piece of the walk for expired items (expiry.h)
 *     the same                                    some pieces of the backfill of indexes (backfill.h)
 *     when the journal has grown enough           a checkpoint
 *     every turn                                  a look at the disk (heal.h)
 *     every ten seconds                           tombstones and expired conflict entries that may go
 *     every minute                                journal segments that nobody needs any more
 *
 * It writes only through the committer. A failing step is logged and tried again at the next turn.
 */
#ifndef TIDE_API_MAINTENANCE_H
#define TIDE_API_MAINTENANCE_H

#include "api/region.h"

struct maintenance;

struct maintenance_options {
	uint64_t retention_ms, retention_max_ms, checkpoint_bytes; /* 0: the configuration's */
	size_t backfill_bytes; /* of an index's backfill in one step, and steps in a turn; 0: the defaults */
	uint32_t backfill_steps;
	uint64_t (*now_ms)(void *arg); /* milliseconds that only grow; NULL: the system's monotonic clock */
	void *now_arg;
};

/* How often a turn is due that nobody poked for. */
#define MAINTENANCE_TURN_MS 1000

/**
 * Maintenance without a thread, for who drives a region by hand: maintenance_turn does one turn. `options` NULL: as the configuration
 * says. TIDE_NOMEM.
 */
tide_err maintenance_new(struct region *region, const struct maintenance_options *options,
    struct maintenance **out, struct tide_error *error);

/** One turn: everything that is due. It waits for the committer. */
void maintenance_turn(struct maintenance *maintenance);

/** Takes NULL. */
void maintenance_free(struct maintenance *maintenance);

/** Start the thread. The region needs its shard, catalog, membership and committer. TIDE_NOMEM. */
tide_err maintenance_start(struct region *region, struct maintenance **out, struct tide_error *error);

/** End the thread; waits for a step under way (a checkpoint may take seconds). Before committer_stop. Takes NULL. */
void maintenance_stop(struct maintenance *maintenance);

#endif
