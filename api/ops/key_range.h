/*
 * A range of stored keys: what a Query or a segment of a Scan walks over. Pure.
 */
#ifndef TIDE_API_OPS_KEY_RANGE_H
#define TIDE_API_OPS_KEY_RANGE_H

#include "base/bytes.h"

/* [from, to), `to` empty: to the end of the table. Owns its bounds; zero-initialised is the whole table. */
struct key_range {
	struct buf from, to;
	bool backward;
};

void key_range_fini(struct key_range *range);

/** Go on behind the key with which the last page ended. TIDE_NOMEM. */
tide_err key_range_resume(struct key_range *range, struct bytes after);

#endif
