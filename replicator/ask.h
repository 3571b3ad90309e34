/*
 * Ask a region's endpoint for its status: for the operator's command.
 */
#ifndef TIDE_REPLICATOR_ASK_H
#define TIDE_REPLICATOR_ASK_H

#include <stdint.h>

#include "base/bytes.h"

/**
 * Dial `address` (config.replication.endpoint), ask, and append the answer's JSON to `json` (docs/operations.md, "Status").
 *
 * Blocks for `ms_max` at most.
 * Errors     TIDE_UNAVAILABLE: nobody answers there. TIDE_FORMAT, TIDE_CORRUPT, TIDE_NOMEM.
 */
tide_err status_ask(const char *address, uint32_t ms_max, struct buf *json, struct tide_error *error);

#endif
