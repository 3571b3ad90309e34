#include "api/partiql/plan.h"

/* ---- which conditions are about the key ---- */

static bool
is_path_of(const struct expr_node *node, struct bytes name)
{
	return name.at != NULL && node->op == EXPR_OP_PATH && node->path->n == 1 &&
	       bytes_equal(node->path->first->name, name);
}

static bool
mentions(const struct expr_node *node, struct bytes name)
{
	if (node->op == EXPR_OP_VALUE || name.at == NULL)
		return false;
	if (node->op == EXPR_OP_PATH)
		return bytes_equal(node->path->first->name, name);
	for (node = node->args; node != NULL; node = node->next) {
		if (mentions(node, name))
			return true;
	}
	return false;
}

/* A comparison of the key attribute with values; `flipped`: value = key. */
static bool
compares(const struct expr_node *node, struct bytes name)
{
	const struct expr_node *first = node->args;

	switch (node->op) {
	case EXPR_OP_EQ:
	case EXPR_OP_LT:
	case EXPR_OP_LE:
	case EXPR_OP_GT:
	case EXPR_OP_GE:
		return (is_path_of(first, name) && first->next->op == EXPR_OP_VALUE) ||
		       (first->op == EXPR_OP_VALUE && is_path_of(first->next, name));
	case EXPR_OP_IN:
	case EXPR_OP_BETWEEN:
	case EXPR_OP_BEGINS_WITH:
		if (!is_path_of(first, name))
			return false;
		for (const struct expr_node *arg = first->next; arg != NULL; arg = arg->next) {
			if (arg->op != EXPR_OP_VALUE)
				return false;
		}
		return true;
	default:
		return false;
	}
}

static bool
is_partition_condition(const struct ql_planner *p, const struct expr_node *node)
{
	return (node->op == EXPR_OP_EQ || node->op == EXPR_OP_IN) && compares(node, p->schema->partition);
}

static bool
is_sort_condition(const struct ql_planner *p, const struct expr_node *node)
{
	return p->schema->sort.at != NULL && compares(node, p->schema->sort);
}

/* Is there anything in it to multiply out? */
static bool
is_about_key(const struct ql_planner *p, const struct expr_node *node)
{
	if (node->op == EXPR_OP_AND || node->op == EXPR_OP_OR) {
		for (node = node->args; node != NULL; node = node->next) {
			if (is_about_key(p, node))
				return true;
		}
		return false;
	}
	return is_partition_condition(p, node) || is_sort_condition(p, node);
}

/* ---- multiplying out ---- */

static void *
alloc(struct ql_planner *p, size_t n)
{
	void *at = arena_calloc(p->arena, n);

	p->nomem |= at == NULL;
	return at;
}

static void
branch_append(struct ql_planner *p, struct ql_branches *list, const struct ql_branch *from)
{
	struct ql_branch *branch;

	/* more than can be read; whether that matters is known when all have been seen */
	if (list->n > 2 * PARTIQL_READS_MAX) {
		p->too_many = true;
		return;
	}
	if ((branch = alloc(p, sizeof *branch)) == NULL)
		return;
	*branch = *from;
	branch->next = NULL;
	if (list->first == NULL)
		list->first = branch;
	else
		list->last->next = branch;
	list->last = branch;
	list->n++;
}

static void
branch_partition(struct ql_branch *branch, const struct value *value)
{
	if (branch->partition == NULL)
		branch->partition = value;
	else
		branch->contradicts |= !value_equal(branch->partition, value);
}

static void
branch_sort(
    struct ql_planner *p, struct ql_branch *branch, const struct expr_node *node, const struct value *equal)
{
	struct ql_sort_condition *condition = alloc(p, sizeof *condition);

	if (condition == NULL)
		return;
	condition->node = node;
	condition->equal = equal;
	condition->next = branch->sort;
	branch->sort = condition;
}

static void
branch_filter(struct ql_planner *p, struct ql_branch *branch, const struct expr_node *node)
{
	struct ql_filter *filter = alloc(p, sizeof *filter);

	if (filter == NULL)
		return;
	filter->node = node;
	filter->next = branch->filters;
	branch->filters = filter;
	branch->touches_sort |= mentions(node, p->schema->sort);
}

/* One condition added to one branch: an IN makes a branch for each of its values. */
static void
add_leaf(struct ql_planner *p, const struct ql_branch *before, const struct expr_node *node,
    struct ql_branches *out)
{
	bool partition = is_partition_condition(p, node), sort = is_sort_condition(p, node);
	const struct expr_node *value = partition || sort ? node->args->next : NULL;
	struct ql_branch branch;

	if (value != NULL && node->args->op == EXPR_OP_VALUE)
		value = node->args;
	do {
		branch = *before;
		if (partition)
			branch_partition(&branch, value->value);
		else if (sort)
			branch_sort(p, &branch, node, node->op == EXPR_OP_IN ? value->value : NULL);
		else
			branch_filter(p, &branch, node);
		branch_append(p, out, &branch);
		value = node->op == EXPR_OP_IN && value != NULL ? value->next : NULL;
	} while (value != NULL);
}

/* Recursion is as deep as the tree; EXPR_OPERATORS_MAX bounds it. */
static struct ql_branches
multiply(struct ql_planner *p, struct ql_branches before, const struct expr_node *node)
{
	struct ql_branches out = {0}, part;

	if (node->op == EXPR_OP_AND) {
		for (node = node->args; node != NULL; node = node->next)
			before = multiply(p, before, node);
		return before;
	}
	if (node->op == EXPR_OP_OR && is_about_key(p, node)) {
		for (node = node->args; node != NULL; node = node->next) {
			part = multiply(p, before, node);
			for (const struct ql_branch *branch = part.first; branch != NULL;
			     branch = branch->next)
				branch_append(p, &out, branch);
		}
		return out;
	}
	for (const struct ql_branch *branch = before.first; branch != NULL; branch = branch->next)
		add_leaf(p, branch, node, &out);
	return out;
}

/* Whatever else holds, does the condition hold the partition key equal to something? */
static bool
holds_partition(const struct ql_planner *p, const struct expr_node *node)
{
	bool all = node->op == EXPR_OP_OR;

	if (node->op != EXPR_OP_AND && node->op != EXPR_OP_OR)
		return is_partition_condition(p, node);
	for (node = node->args; node != NULL; node = node->next) {
		if (holds_partition(p, node) != all)
			return !all;
	}
	return all;
}

bool
ql_plan_is_keyed(
    const struct ql_planner *p, const struct ql_branches *list, const struct expr_condition *where)
{
	if (where == NULL || !holds_partition(p, where->root))
		return false;
	for (const struct ql_branch *branch = list->first; branch != NULL; branch = branch->next) {
		if (branch->contradicts)
			return false;
	}
	return true;
}

struct ql_branches
ql_plan_branches(struct ql_planner *p, const struct expr_condition *where)
{
	struct ql_branches branches = {0};
	struct ql_branch empty = {0};

	branch_append(p, &branches, &empty);
	return where != NULL ? multiply(p, branches, where->root) : branches;
}
