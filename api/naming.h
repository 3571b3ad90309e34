/*
 * What the shard's conflict log calls things: table and key names from the catalog, region names from the configuration.
 */
#ifndef TIDE_API_NAMING_H
#define TIDE_API_NAMING_H

#include "api/region.h"

struct naming;

/** Let the region's shard name what it logs. After catalog_open, before committer_start. TIDE_NOMEM. */
tide_err naming_open(struct region *region, struct naming **out, struct tide_error *error);

/** After committer_stop, before catalog_close. Takes NULL. */
void naming_close(struct naming *naming);

#endif
