#include "api/ops/scan_segment.h"

#include <assert.h>

/*
 * The first hash of a segment: index / total of the hash's range. For index == total it is one past the
 * last.
 */
static unsigned __int128
first_hash(uint32_t index, uint32_t total)
{
	return ((unsigned __int128)index << 64) / total;
}

bool
scan_segment_holds(struct scan_segment segment, uint64_t hash)
{
	return hash >= first_hash(segment.index, segment.total) &&
	       hash < first_hash(segment.index + 1, segment.total);
}

tide_err
scan_segment_range(struct scan_segment segment, struct key_range *range)
{
	assert(segment.index < segment.total);
	if (segment.index > 0)
		buf_append_u64(&range->from, (uint64_t)first_hash(segment.index, segment.total));
	if (segment.index + 1 < segment.total)
		buf_append_u64(&range->to, (uint64_t)first_hash(segment.index + 1, segment.total));
	return buf_check(&range->from) == TIDE_OK ? buf_check(&range->to) : TIDE_NOMEM;
}
