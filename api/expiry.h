/*
 * Time to live: the walk over the tables that have it, a bounded piece at a time, on the maintenance thread.
 *
 * An item expires once: the region that wrote it deletes it, and the delete is replicated like any other. Another region steps in only
 * when that one has no replica any more, or has not done it for ten minutes. Two regions that delete the same item make no
 * conflict: nothing is lost.
 */
#ifndef TIDE_API_EXPIRY_H
#define TIDE_API_EXPIRY_H

#include "api/region.h"

struct expiry;

/** TIDE_NOMEM: NULL. Release with expiry_free, which takes NULL. */
struct expiry *expiry_new(void);
void expiry_free(struct expiry *expiry);

/**
 * Look over the next piece, and delete what has expired in it. Does nothing while a round is not due (`now_ms` only grows), this region
 * may not write, or its clock is wrong. Waits for the committer. TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM, those of group_expire: that table's walk begins anew.
 */
tide_err expiry_step(struct region *region, struct expiry *expiry, uint64_t now_ms, struct tide_error *error);

#endif
