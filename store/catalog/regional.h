/*
 * Records of this region that are no facts of a table: texts under two names, (kind, name), in TABLE_REGIONAL. They are journaled and
 * kept as the regional facts are, and never travel. Kinds are words that cannot be a table's id.
 */
#ifndef TIDE_STORE_CATALOG_REGIONAL_H
#define TIDE_STORE_CATALOG_REGIONAL_H

#include "store/shard/group.h"

/**
 * The text as the group sees it; `*text` is in the arena. Committer thread.
 * Errors     TIDE_NOTFOUND, TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM.
 */
tide_err regional_read(
    struct group *group, struct arena *arena, const char *kind, const char *name, struct bytes *text);

/** The same as it is committed. Any thread. */
tide_err regional_find(
    struct shard *shard, struct arena *arena, const char *kind, const char *name, struct bytes *text);

/** Write one, or delete it (deleting what is not there is TIDE_OK). Errors: those of group_put. Committer thread. */
tide_err regional_write(struct group *group, const char *kind, const char *name, struct bytes text);
tide_err regional_delete(struct group *group, const char *kind, const char *name);

/**
 * Call `each` with every record of a kind, as committed; what it is given lives until it returns. Its error ends the walk and is
 * returned. Any thread. TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM.
 */
tide_err regional_each(struct shard *shard, const char *kind,
    tide_err (*each)(void *arg, struct bytes name, struct bytes text), void *arg);

#endif
