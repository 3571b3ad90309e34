/*
 * A journal that was given up (shard_reincarnate) may hold writes of ours that no other region ever had. Once it is closed, so that all
 * that anybody has of it is here, it is read through, and every such write goes to the conflict log, where a person can see it. Then the
 * journal is deleted.
 *
 * In two steps, as collecting: a look on any thread, the decision in a group.
 */
#ifndef TIDE_STORE_SHARD_SALVAGE_H
#define TIDE_STORE_SHARD_SALVAGE_H

#include "store/shard/group.h"

struct salvage;

/** NULL: no memory. */
struct salvage *salvage_new(void);
void salvage_free(struct salvage *salvage);

/**
 * Read on in the first journal that is kept. True in `*found`: group_salvage_found has something to do. One thread at a time.
 * Errors     TIDE_CORRUPT, TIDE_IO (the journal stays; what follows is not looked at), TIDE_NOMEM.
 */
tide_err shard_salvage_look(
    struct shard *shard, struct salvage *salvage, bool *found, struct tide_error *error);

/**
 * Log what was found and is nowhere else; at the journal's end let it go. `*logged`: entries written. Committer thread.
 * Errors     TIDE_HELD: tables are still being loaded, look again later. Those of group_put.
 */
tide_err group_salvage_found(
    struct group *group, struct salvage *salvage, uint32_t *logged, struct tide_error *error);

#endif
