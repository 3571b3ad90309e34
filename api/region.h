/*
 * What an API process is: one region, its shard(s), its committer(s), its catalog.
 */
#ifndef TIDE_API_REGION_H
#define TIDE_API_REGION_H

#include <stdatomic.h>

#include "api/committer.h"
#include "config/config.h"
#include "store/catalog/catalog.h"

struct lag;
struct membership;
struct meter;
struct scaling;
struct metrics;

struct region {
	struct config config;
	struct shard *shard; /* one today; reached through region_shard_of only */
	struct committer *committer;
	struct catalog *catalog;
	struct membership *membership; /* api/membership.h */
	struct lag *lag; /* api/lag.h; NULL where nobody looks */
	struct meter *meter; /* api/meter.h; NULL: nothing is limited */
	struct scaling *scaling; /* api/scaling/scaling.h; NULL where nothing scales */
	void (*every_turn)(struct region *region); /* due at each turn of maintenance, too; NULL: nothing */
	struct metrics *metrics; /* api/metrics.h; the same */
	uint64_t started_ms;
	atomic_bool renew; /* heal.h: stop, and start over in place */
};

/* The shard that owns a partition-key hash. Batch operations, Scan and index queries are written as a merge over shards. */
static inline struct shard *
region_shard_of(struct region *region, uint64_t key_hash)
{
	(void)key_hash;
	return region->shard;
}

static inline struct committer *
region_committer_of(struct region *region, uint64_t key_hash)
{
	(void)key_hash;
	return region->committer;
}

#endif
