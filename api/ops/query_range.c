#include "api/ops/query_range.h"

#include "store/item/key.h"

/* The bound above everything that begins with `prefix`; the end of the table where there is none. */
static tide_err
set_end(struct buf *prefix, struct buf *to)
{
	buf_clear(to);
	if (buf_check(prefix) != TIDE_OK)
		return TIDE_NOMEM;
	if (!key_prefix_end(buf_bytes(prefix), to))
		buf_clear(to);
	return buf_check(to);
}

static void
put_key(struct buf *out, const struct value *partition, const struct value *sort)
{
	buf_clear(out);
	key_encode_partition(partition, out);
	key_encode_sort(sort, out);
}

tide_err
query_range(const struct expr_key_condition *condition, struct key_range *range)
{
	const struct value *partition = &condition->partition, *low = &condition->low;
	struct buf *from = &range->from, *to = &range->to, bound = {0};
	tide_err rc;

	/* the whole partition; each case narrows it */
	key_encode_partition(partition, from);
	rc = set_end(from, to);
	switch (condition->range) {
	case EXPR_RANGE_ALL:
		break;
	case EXPR_RANGE_EQ:
		put_key(from, partition, low);
		rc = set_end(from, to);
		break;
	case EXPR_RANGE_LT:
		put_key(to, partition, low);
		break;
	case EXPR_RANGE_LE:
		put_key(&bound, partition, low);
		rc = set_end(&bound, to);
		break;
	case EXPR_RANGE_GT:
		put_key(&bound, partition, low);
		rc = set_end(&bound, from);
		break;
	case EXPR_RANGE_GE:
		put_key(from, partition, low);
		break;
	case EXPR_RANGE_BETWEEN:
		put_key(from, partition, low);
		put_key(&bound, partition, &condition->high);
		rc = set_end(&bound, to);
		break;
	case EXPR_RANGE_BEGINS_WITH:
		key_encode_sort_prefix(low, from);
		rc = set_end(from, to);
		break;
	}
	buf_fini(&bound);
	if (rc == TIDE_OK && (buf_check(from) != TIDE_OK || buf_check(to) != TIDE_OK))
		rc = TIDE_NOMEM;
	return rc;
}
