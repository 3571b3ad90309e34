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

/* All that is given by equality: the partition, and the sort attributes before the one that the range is about. */
static void
put_prefix(struct buf *out, const struct expr_key_condition *condition)
{
	struct value partitions[1 + EXPR_KEYS_MORE_MAX] = {condition->partition};

	for (unsigned i = 0; i < condition->n_more_partitions; i++)
		partitions[1 + i] = condition->more_partitions[i];
	buf_clear(out);
	key_encode_composite_partition(partitions, 1u + condition->n_more_partitions, out);
	for (unsigned i = 0; i < condition->n_equal_sorts; i++)
		key_encode_sort(&condition->equal_sorts[i], out);
}

static void
put_key(struct buf *out, const struct expr_key_condition *condition, const struct value *sort)
{
	put_prefix(out, condition);
	key_encode_sort(sort, out);
}

tide_err
query_range(const struct expr_key_condition *condition, struct key_range *range)
{
	const struct value *low = &condition->low;
	struct buf *from = &range->from, *to = &range->to, bound = {0};
	tide_err rc;

	/* all of them; each case narrows it */
	put_prefix(from, condition);
	rc = set_end(from, to);
	switch (condition->range) {
	case EXPR_RANGE_ALL:
		break;
	case EXPR_RANGE_EQ:
		put_key(from, condition, low);
		rc = set_end(from, to);
		break;
	case EXPR_RANGE_LT:
		put_key(to, condition, low);
		break;
	case EXPR_RANGE_LE:
		put_key(&bound, condition, low);
		rc = set_end(&bound, to);
		break;
	case EXPR_RANGE_GT:
		put_key(&bound, condition, low);
		rc = set_end(&bound, from);
		break;
	case EXPR_RANGE_GE:
		put_key(from, condition, low);
		break;
	case EXPR_RANGE_BETWEEN:
		put_key(from, condition, low);
		put_key(&bound, condition, &condition->high);
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
