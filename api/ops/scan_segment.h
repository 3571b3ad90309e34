/*
 * A segment of a parallel Scan: one of `total` ranges of the key hash, of equal width; together they are
 * the whole. Pure.
 */
#ifndef TIDE_API_OPS_SCAN_SEGMENT_H
#define TIDE_API_OPS_SCAN_SEGMENT_H

#include "api/ops/key_range.h"

struct scan_segment {
	uint32_t index, total; /* index < total */
};

bool scan_segment_holds(struct scan_segment segment, uint64_t hash);

/** Fill the bounds of `range` (zero-initialised). TIDE_NOMEM. */
tide_err scan_segment_range(struct scan_segment segment, struct key_range *range);

#endif
