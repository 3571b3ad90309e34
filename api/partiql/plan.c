/*
 * The plan of a SELECT. When every branch of WHERE holds the partition key equal to one value the statement is read as that many parts;
 * otherwise everything is read.
 */
#include "api/partiql/plan.h"

#include <stdlib.h>

/* ---- the range of one branch ---- */

static tide_err
check_type(struct bytes name, enum value_type type, const struct value *value, struct tide_error *error)
{
	if (value->type != type)
		return tide_fail(error, TIDE_VALIDATION,
		    "Key attribute's data type should match its data type in table's schema: Key %.*s",
		    (int)name.n, (const char *)name.at);
	if (type != VALUE_N && value->text.n == 0)
		return tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values are not valid. The AttributeValue for a key attribute "
		    "cannot "
		    "contain an empty %s value. Key: %.*s",
		    type == VALUE_S ? "string" : "binary", (int)name.n, (const char *)name.at);
	return TIDE_OK;
}

/* What may be at most and at least; an equality is both. `prefix`: all that begins with `low`. */
struct bounds {
	const struct value *low, *high;
	bool low_open, high_open, prefix;
};

static struct bounds
bounds_of(const struct ql_sort_condition *condition)
{
	const struct expr_node *node = condition->node, *first = node->args;
	bool flipped = first->op == EXPR_OP_VALUE;
	const struct value *value = flipped ? first->value : first->next->value;

	switch (node->op) {
	case EXPR_OP_IN:
		return (struct bounds){.low = condition->equal, .high = condition->equal};
	case EXPR_OP_BETWEEN:
		return (struct bounds){.low = value, .high = first->next->next->value};
	case EXPR_OP_BEGINS_WITH:
		return (struct bounds){.low = value, .prefix = true};
	case EXPR_OP_LT:
	case EXPR_OP_LE:
		if (flipped)
			return (struct bounds){.low = value, .low_open = node->op == EXPR_OP_LT};
		return (struct bounds){.high = value, .high_open = node->op == EXPR_OP_LT};
	case EXPR_OP_GT:
	case EXPR_OP_GE:
		if (flipped)
			return (struct bounds){.high = value, .high_open = node->op == EXPR_OP_GT};
		return (struct bounds){.low = value, .low_open = node->op == EXPR_OP_GT};
	default:
		return (struct bounds){.low = value, .high = value};
	}
}

/* Both: what begins with a prefix, and other bounds, stays the prefix if it is the narrower from below. */
static void
narrow(struct bounds *bounds, const struct bounds *by)
{
	int order;

	if (by->low != NULL) {
		order = bounds->low != NULL ? value_compare(by->low, bounds->low) : 1;
		if (order > 0) {
			bounds->low = by->low;
			bounds->low_open = by->low_open;
			bounds->prefix = by->prefix;
		} else if (order == 0) {
			bounds->low_open |= by->low_open;
			bounds->prefix |= by->prefix;
		}
	}
	if (by->high != NULL) {
		order = bounds->high != NULL ? value_compare(by->high, bounds->high) : -1;
		if (order < 0) {
			bounds->high = by->high;
			bounds->high_open = by->high_open;
		} else if (order == 0) {
			bounds->high_open |= by->high_open;
		}
	}
}

/* As one condition: what it takes in beyond the bounds the filter leaves out. */
static void
set_range(struct expr_key_condition *key, const struct bounds *bounds)
{
	if (bounds->low != NULL)
		key->low = *bounds->low;
	if (bounds->prefix && bounds->high == NULL) {
		key->range = EXPR_RANGE_BEGINS_WITH;
	} else if (bounds->low != NULL && bounds->high != NULL) {
		key->high = *bounds->high;
		key->range =
		    value_compare(bounds->low, bounds->high) == 0 ? EXPR_RANGE_EQ : EXPR_RANGE_BETWEEN;
	} else if (bounds->low != NULL) {
		key->range = bounds->low_open ? EXPR_RANGE_GT : EXPR_RANGE_GE;
	} else if (bounds->high != NULL) {
		key->low = *bounds->high;
		key->range = bounds->high_open ? EXPR_RANGE_LT : EXPR_RANGE_LE;
	}
}

/* A branch as it is planned. */
struct part {
	struct partiql_read read;
	struct bounds bounds;
	const struct ql_branch *branch;
};

static tide_err
part_of(
    const struct ql_planner *p, const struct ql_branch *branch, struct part *out, struct tide_error *error)
{
	const struct expr_key_schema *schema = p->schema;
	struct bounds bounds;
	tide_err rc;

	*out = (struct part){.branch = branch};
	out->read.key.partition = *branch->partition;
	rc = check_type(schema->partition, schema->partition_type, branch->partition, error);
	for (const struct ql_sort_condition *c = branch->sort; c != NULL && rc == TIDE_OK; c = c->next) {
		bounds = bounds_of(c);
		if (bounds.low != NULL)
			rc = check_type(schema->sort, schema->sort_type, bounds.low, error);
		if (rc == TIDE_OK && bounds.high != NULL)
			rc = check_type(schema->sort, schema->sort_type, bounds.high, error);
		if (rc == TIDE_OK)
			narrow(&out->bounds, &bounds);
	}
	if (rc == TIDE_OK)
		set_range(&out->read.key, &out->bounds);
	out->read.filters = branch->filters;
	return rc;
}

/* ---- the order of the parts ---- */

static int
part_order(const void *x, const void *y)
{
	const struct part *a = x, *b = y;
	int order = value_compare(&a->read.key.partition, &b->read.key.partition);

	if (order != 0 || (a->bounds.low == NULL && b->bounds.low == NULL))
		return order;
	if (a->bounds.low == NULL || b->bounds.low == NULL)
		return a->bounds.low == NULL ? -1 : 1;
	order = value_compare(a->bounds.low, b->bounds.low);
	return order != 0 ? order : a->bounds.low_open - b->bounds.low_open;
}

/* Nothing of `b`, which begins where `a` begins or later, is in `a`. */
static bool
ends_before(const struct bounds *a, const struct bounds *b)
{
	int order;

	if (b->low == NULL)
		return false;
	if (a->prefix && (b->low->text.n < a->low->text.n ||
			     !bytes_equal(bytes_of(b->low->text.at, a->low->text.n), a->low->text)))
		return true;
	if (a->high == NULL)
		return false;
	order = value_compare(a->high, b->low);
	return order < 0 || (order == 0 && (a->high_open || b->low_open));
}

static bool
is_empty(const struct bounds *bounds)
{
	int order;

	if (bounds->low == NULL || bounds->high == NULL)
		return false;
	order = value_compare(bounds->low, bounds->high);
	return order > 0 || (order == 0 && (bounds->low_open || bounds->high_open));
}

/*
 * Parts of one partition that overlap would give an item twice. DynamoDB refuses them, unless one has a condition on the sort key
 * that is a filter: then the partition is read once, and the filter does the rest.
 */
static tide_err
join_parts(struct part *parts, uint32_t *n, struct tide_error *error)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < *n; i++) {
		struct part *last = kept > 0 ? &parts[kept - 1] : NULL;
		bool same =
		    last != NULL && value_equal(&last->read.key.partition, &parts[i].read.key.partition);

		if (!same || is_empty(&parts[i].bounds) || is_empty(&last->bounds) ||
		    ends_before(&last->bounds, &parts[i].bounds)) {
			parts[kept++] = parts[i];
			continue;
		}
		if (!last->branch->touches_sort && !parts[i].branch->touches_sort)
			return tide_fail(error, TIDE_VALIDATION,
			    "Overlapping conditions with range keys are not supported in where clause");
		last->bounds = (struct bounds){0};
		last->read.key.range = EXPR_RANGE_ALL;
	}
	*n = kept;
	return TIDE_OK;
}

static void
reverse(struct partiql_read *at, uint32_t n)
{
	for (uint32_t i = 0; i < n / 2; i++) {
		struct partiql_read x = at[i];

		at[i] = at[n - 1 - i];
		at[n - 1 - i] = x;
	}
}

/* Parts are in ascending order: turn round what descends. */
static void
order_reads(struct partiql_read *at, uint32_t n, bool partitions_descend, bool sort_descends)
{
	if (partitions_descend)
		reverse(at, n);
	if (partitions_descend == sort_descends)
		return;
	for (uint32_t i = 0, j; i < n; i = j) {
		for (j = i + 1; j < n && value_equal(&at[i].key.partition, &at[j].key.partition); j++)
			;
		reverse(at + i, j - i);
	}
}

static tide_err
read_order(const struct partiql_statement *statement, const struct expr_key_schema *schema, bool keyed,
    bool *partitions_descend, bool *sort_descends, bool *by_partition, struct tide_error *error)
{
	*partitions_descend = *sort_descends = *by_partition = false;
	for (uint32_t i = 0; i < statement->n_order; i++) {
		const struct partiql_order *order = &statement->order[i];

		if (bytes_equal(order->name, schema->partition)) {
			*partitions_descend = order->descending;
			*by_partition = true;
		} else if (schema->sort.at != NULL && bytes_equal(order->name, schema->sort)) {
			*sort_descends = order->descending;
		} else {
			return tide_fail(error, TIDE_VALIDATION,
			    "Variable reference %.*s in ORDER BY clause must be part of the primary key",
			    (int)order->name.n, (const char *)order->name.at);
		}
	}
	if (statement->n_order > 0 && !keyed)
		return tide_fail(error, TIDE_VALIDATION,
		    "Must have at least one non-optional hash key condition in WHERE clause when using ORDER "
		    "BY "
		    "clause.");
	return TIDE_OK;
}

/* ---- all ---- */

static tide_err
make_reads(struct ql_planner *p, const struct partiql_statement *statement,
    const struct ql_branches *branches, struct partiql_plan *out, struct tide_error *error)
{
	struct part *parts = arena_calloc(p->arena, branches->n * sizeof *parts);
	struct partiql_read *reads = arena_calloc(p->arena, branches->n * sizeof *reads);
	bool partitions_descend, sort_descends, by_partition;
	uint32_t n = 0;
	tide_err rc;

	if (parts == NULL || reads == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	for (const struct ql_branch *branch = branches->first; branch != NULL; branch = branch->next) {
		if ((rc = part_of(p, branch, &parts[n++], error)) != TIDE_OK)
			return rc;
	}
	qsort(parts, n, sizeof *parts, part_order);
	if ((rc = join_parts(parts, &n, error)) != TIDE_OK ||
	    (rc = read_order(statement, p->schema, true, &partitions_descend, &sort_descends, &by_partition,
		 error)) != TIDE_OK)
		return rc;
	if (statement->n_order > 0 && !by_partition &&
	    !value_equal(&parts[0].read.key.partition, &parts[n - 1].read.key.partition))
		return tide_fail(error, TIDE_VALIDATION,
		    "Must have hash key in ORDER BY clause when more than one hash key condition specified "
		    "in "
		    "WHERE clause.");
	out->whole_key = true;
	for (uint32_t i = 0; i < n; i++) {
		reads[i] = parts[i].read;
		out->whole_key &= p->schema->sort.at == NULL || reads[i].key.range == EXPR_RANGE_EQ;
	}
	order_reads(reads, n, partitions_descend, sort_descends);
	out->reads = reads;
	out->n_reads = n;
	out->backward = sort_descends;
	return TIDE_OK;
}

tide_err
partiql_plan_make(const struct partiql_statement *statement, const struct expr_key_schema *schema,
    struct arena *arena, struct partiql_plan *out, struct tide_error *error)
{
	struct ql_planner p = {.arena = arena, .schema = schema};
	struct ql_branches branches;
	bool x, y, z;

	*out = (struct partiql_plan){0};
	branches = ql_plan_branches(&p, statement->where);
	if (p.nomem)
		return tide_fail(error, TIDE_NOMEM, NULL);
	out->keyed = ql_plan_is_keyed(&p, &branches, statement->where);
	if (!out->keyed)
		return read_order(statement, schema, false, &x, &y, &z, error);
	if (p.too_many || branches.n > PARTIQL_READS_MAX)
		return tide_fail(
		    error, TIDE_VALIDATION, "Too many decomposed read operations for a given query.");
	return make_reads(&p, statement, &branches, out, error);
}
