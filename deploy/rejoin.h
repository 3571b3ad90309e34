/*
 * `tidemark region rejoin`: the part of the region subcommand that brings one region back.
 */
#ifndef TIDE_DEPLOY_REJOIN_H
#define TIDE_DEPLOY_REJOIN_H

#include <stdbool.h>

#include "deploy/places.h"

/**
 * Let the region at `place` merge all tables that fell behind with what its peers hold, or the one that is named (by name or id; NULL: all),
 * needed or not. With `wait` it returns when the region's tables stand at one cut again, and prints what happens until then.
 * Returns an exit status.
 */
int region_rejoin(const struct place *place, const char *table, bool wait);

#endif
