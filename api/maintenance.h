/*
 * The maintenance thread of an API process: what has to happen now and then, without a request asking for it.
 *
 *     every second, or when membership is poked   a step of membership; replicas that stand at the region's cut become ACTIVE
 *     when the journal has grown enough           a checkpoint
 *     every ten seconds                           tombstones and expired conflict entries that may go
 *     every minute                                journal segments that nobody needs any more
 *
 * It writes only through the committer. A failing step is logged and tried again at the next turn.
 */
#ifndef TIDE_API_MAINTENANCE_H
#define TIDE_API_MAINTENANCE_H

#include "api/region.h"

struct maintenance;

/** Start the thread. The region needs its shard, catalog, membership and committer. TIDE_NOMEM. */
tide_err maintenance_start(struct region *region, struct maintenance **out, struct tide_error *error);

/** End the thread; waits for a step under way (a checkpoint may take seconds). Before committer_stop. Takes NULL. */
void maintenance_stop(struct maintenance *maintenance);

#endif
