/*
 * Ask a region's endpoint: for the operator's command.
 */
#ifndef TIDE_REPLICATOR_ASK_H
#define TIDE_REPLICATOR_ASK_H

#include <stdint.h>

#include "base/bytes.h"

/**
 * Dial `address` (config.replication.endpoint), ask for its status, and append the answer's JSON to `json` (docs/operations.md, "Status").
 *
 * Blocks for `ms_max` at most.
 * Errors     TIDE_UNAVAILABLE: nobody answers there. TIDE_FORMAT, TIDE_CORRUPT, TIDE_NOMEM.
 */
tide_err status_ask(const char *address, uint32_t ms_max, struct buf *json, struct tide_error *error);

/** Tell it that the region of that name is lost and not to be waited for. The same errors, and TIDE_USAGE: not one of its peers. */
tide_err lost_tell(const char *address, uint32_t ms_max, const char *region, struct tide_error *error);

/**
 * Tell it to take back the replicas that fell behind what its peers keep: all of them (`table` 0), or that one, whether it did or not.
 * The same errors, and TIDE_NOTFOUND: no such replica.
 */
tide_err rejoin_tell(const char *address, uint32_t ms_max, uint64_t table, struct tide_error *error);

/**
 * Tell the region of that name, whose journal is over (status: "forked"), to go on under its next incarnation. The same errors, and
 * TIDE_USAGE: it is another region, or its journal is sound.
 */
tide_err reincarnate_tell(const char *address, uint32_t ms_max, const char *region, struct tide_error *error);

#endif
