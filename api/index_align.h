/*
 * What a shard has of a table's indexes follows what the table's facts say: indexes that the facts have are added, others go. Each
 * region does it for itself: at once where it makes the change, else when it hears of it. A replica gets its indexes before its first item.
 */
#ifndef TIDE_API_INDEX_ALIGN_H
#define TIDE_API_INDEX_ALIGN_H

#include "api/region.h"

/**
 * Within an operation's run, after the table has a state here: add what `table` has and the shard has not, drop what it has beside that. The
 * same again changes nothing. TIDE_NOTFOUND: no such table here. TIDE_USAGE: too many. TIDE_NOMEM.
 */
tide_err index_align_group(struct group *group, const struct table *table);

/** All tables of this region, each through the committer where something is to be done. Maintenance thread. */
tide_err index_align_step(
    struct region *region, const struct table *const *tables, uint32_t n, struct tide_error *error);

#endif
