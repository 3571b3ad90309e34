/*
 * Time to live: finding items whose time is over, on any thread, and deleting what was found, in a group.
 */
#ifndef TIDE_STORE_SHARD_EXPIRE_H
#define TIDE_STORE_SHARD_EXPIRE_H

#include "store/shard/group.h"

#define EXPIRE_FOUND_MAX 500 /* per look: the committer must not stall over them */

/* What is to be looked for in a table. */
struct expire_rule {
	uint64_t table;
	struct bytes attribute; /* a number of seconds since the Unix epoch */
	uint64_t now_s;
	/* Is it this region's to delete an item of that version, so long after its time? NULL: always. */
	bool (*is_ours)(void *arg, struct version version, uint64_t overdue_s);
	void *arg;
};

struct expire_item {
	size_t key_at, key_n; /* in `keys` */
	struct version version;
};

/* A walk over one table, and what its last look found. Zero-initialised; release with expire_fini. */
struct expire {
	struct buf cursor; /* where the next look goes on; empty: at the start */
	struct buf keys;
	struct expire_item items[EXPIRE_FOUND_MAX];
	uint32_t n;
	bool ended; /* the last look found the table's end: the next one begins anew */
};
void expire_fini(struct expire *expire);

/**
 * Is the time over that an encoded item gives in `attribute`? It must be a number of seconds, past and not five years past.
 * `*overdue_s`: for how long. Any thread.
 */
bool expire_is_over(struct bytes image, struct bytes attribute, uint64_t now_s, uint64_t *overdue_s);

/**
 * Look over the next stretch of the table, bounded in items, bytes and finds. Any thread, one at a time per walk.
 * Errors     TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM: the walk begins anew.
 */
tide_err shard_expire_look(struct shard *shard, const struct expire_rule *rule, struct expire *expire);

/** Delete what was found and has not changed since (group_expire). `*expired`: how many. The errors of group_expire. */
tide_err group_expire_found(struct group *group, const struct expire_rule *rule, const struct expire *expire,
    bool keep_before, uint32_t *expired);

#endif
