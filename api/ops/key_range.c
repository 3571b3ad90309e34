#include "api/ops/key_range.h"

void
key_range_fini(struct key_range *range)
{
	buf_fini(&range->from);
	buf_fini(&range->to);
}

tide_err
key_range_resume(struct key_range *range, struct bytes after)
{
	struct buf *bound = range->backward ? &range->to : &range->from;

	buf_clear(bound);
	buf_append(bound, after.at, after.n);
	if (!range->backward)
		buf_append_byte(bound, 0); /* the least key above it */
	return buf_check(bound);
}
