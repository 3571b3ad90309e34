/*
 * Letting tombstones and expired conflict entries go, in two steps: a look over a stretch of the store, on any thread, and the decision
 * about what it found, in a group.
 */
#ifndef TIDE_STORE_SHARD_COLLECT_H
#define TIDE_STORE_SHARD_COLLECT_H

#include "store/shard/group.h"

#define COLLECT_FOUND_MAX 1000 /* per look: the committer must not stall over them */

struct collect_item {
	uint64_t table;
	size_t key_at, key_n; /* in `keys` */
	struct version version;
	bool tombstone;
};

/* A walk over all tables, and what its last look found. Zero-initialised; release with collect_fini. */
struct collect {
	struct buf cursor; /* where the next look goes on: table id, then key */
	struct buf keys;
	struct collect_item items[COLLECT_FOUND_MAX];
	uint32_t n;
	bool ended; /* the last look found the end: the next one begins anew */
};
void collect_fini(struct collect *collect);

/**
 * Look over the next stretch (bounded in keys, bytes and finds) for what may go. Any thread, one at a time per walk.
 * Errors     TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM: the walk begins anew.
 */
tide_err shard_collect_look(struct shard *shard, struct collect *collect);

/** Drop what was found and may go by the rule (docs/replication.md), as things stand in the group. */
tide_err group_collect_found(struct group *group, const struct collect *collect, uint32_t *collected);

#endif
