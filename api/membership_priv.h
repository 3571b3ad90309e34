/* Membership's inside: shared by membership.c and membership_leave.c. */
#ifndef TIDE_API_MEMBERSHIP_PRIV_H
#define TIDE_API_MEMBERSHIP_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/membership.h"

/* A replica of this region that wants to go. */
struct leaving {
	uint64_t table;
	uint64_t number; /* of the question */
	bool yes[REGION_NUMBER_MAX + 1]; /* by region number */
};

struct membership {
	atomic_bool may_write;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t wake;
	bool poked;
	struct leaving *leaving;
	uint32_t n_leaving, room_leaving;
	uint64_t last_number;
	bool catalog_active; /* maintenance thread only: the catalog's table was ACTIVE at the last step */
};

/* --- membership_leave.c, on the maintenance thread --- */

/** This table's replica asks whether it may go, from now on; does nothing where it does already. `clock`: the shard's. TIDE_NOMEM. */
tide_err leaving_start(struct membership *m, uint64_t table, struct hlc clock);
void leaving_end(struct membership *m, uint64_t table);

/** Everybody who stays said yes; and somebody does stay. */
bool leaving_done(struct region *region, const struct table *table, const struct shard_view *view);

#endif
