/*
 * What replication does to each table, as numbers: how late the records of each source region became visible here, and how
 * many of our own each peer has not applied yet. AWS calls them ReplicationLatency and PendingReplicationCount.
 *
 *     arrivals   counted on the committer thread when a unit is visible: wall clock here minus the record's clock
 *     waiting    our own records above the sequence that a peer last told (it tells about once a second)
 *
 * Volatile: counters begin with the process. One lock, held for a few instructions per unit. Bounded: LAG_TABLES_MAX tables;
 * those that this region holds no more go at the next view.
 */
#ifndef TIDE_API_LAG_H
#define TIDE_API_LAG_H

#include "config/config.h"
#include "store/shard/group.h"

struct lag;

#define LAG_TABLES_MAX 16384
#define LAG_BUCKETS 16

/* Upper bounds of the arrivals' buckets, in milliseconds; what is above the last is counted behind them. */
extern const uint32_t lag_bounds_ms[LAG_BUCKETS];

/** Begin to observe the shard. Before committer_start. TIDE_NOMEM. */
tide_err lag_open(const struct config *config, struct shard *shard, struct lag **out);

/** After committer_stop. Takes NULL. */
void lag_close(struct lag *lag);

/** What that region says it has applied. Replaces what it said before. Takes a NULL lag. Committer thread. */
void lag_told(struct lag *lag, uint8_t region, const struct told_table *tables, uint32_t n);

/* The records of one source region in one table. */
struct lag_arrivals {
	uint8_t source; /* region number; 0: none came */
	uint64_t n, bytes, ms; /* ms: of all, together */
	uint64_t buckets[LAG_BUCKETS + 1];
	uint64_t recent_n, recent_ms, recent_ms_max; /* of the last minute */
};

struct lag_waiting {
	uint8_t peer; /* region number */
	uint64_t records;
};

struct lag_table_view {
	uint64_t table;
	uint64_t conflicts; /* found and logged here */
	struct lag_arrivals *arrivals;
	struct lag_waiting *waiting; /* of peers that have told of a replica */
	uint32_t n_arrivals, n_waiting;
};

struct lag_view {
	struct lag_table_view *tables;
	uint32_t n_tables;
};

/** A copy in the arena; `shard` says which tables are here and how far they are. Any thread. TIDE_NOMEM. */
tide_err lag_view(struct lag *lag, struct arena *arena, const struct shard_view *shard, struct lag_view *out);

#endif
