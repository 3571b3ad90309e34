/*
 * Inside api/partiql: the branches of a plan. Conditions on key attributes are multiplied out: what AND and OR make of them is a list of
 * branches, each a conjunction. Conditions on other attributes, and those under NOT or <>, stay as they are: filters.
 */
#ifndef TIDE_API_PARTIQL_PLAN_H
#define TIDE_API_PARTIQL_PLAN_H

#include "api/partiql/tree.h"

/* A condition on the sort key. */
struct ql_sort_condition {
	const struct expr_node *node;
	const struct value *equal; /* of an IN: this one of its values */
	struct ql_sort_condition *next;
};

struct ql_filter {
	const struct expr_node *node;
	struct ql_filter *next;
};

/* One conjunction. Branches share the tails of their lists. */
struct ql_branch {
	const struct value *partition; /* NULL: not held equal to anything */
	bool contradicts; /* two values for the partition key */
	bool touches_sort; /* a filter is about the sort key */
	struct ql_sort_condition *sort;
	struct ql_filter *filters;
	struct ql_branch *next;
};

struct ql_branches {
	struct ql_branch *first, *last;
	uint32_t n;
};

struct ql_planner {
	struct arena *arena;
	const struct expr_key_schema *schema;
	bool nomem, too_many;
};

/** All branches of a WHERE clause (NULL: none), or so many that they are too many. Memory and that are told in the planner. */
struct ql_branches ql_plan_branches(struct ql_planner *p, const struct expr_condition *where);

/** Does every branch hold the partition key equal to one value? */
bool ql_plan_is_keyed(
    const struct ql_planner *p, const struct ql_branches *list, const struct expr_condition *where);

#endif
