/*
 * SET and REMOVE as updates of api/expr. set_add and set_delete, which stand on the right of an assignment to their own first
 * argument, are ADD and DELETE.
 */
#include "api/partiql/tree.h"

/* ---- set_add, set_delete ---- */

static bool
is_set_function(const struct ql_node *node)
{
	return node->op == QL_CALL && (bytes_is(node->name, "set_add") || bytes_is(node->name, "set_delete"));
}

static tide_err
set_function(
    struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, struct expr_path *target)
{
	bool add = bytes_is(node->name, "set_add");
	const char *name = add ? "SET_ADD" : "SET_DELETE";
	const struct ql_node *set;
	struct expr_path *path = NULL;
	struct expr_node *value = NULL;
	tide_err rc;

	if (node->n != 2)
		return ql_fail(b, node->at, "%s must have exactly two arguments", name);
	if (node->args->op == QL_PATH && (rc = ql_path(b, tree, node->args, &path)) != TIDE_OK)
		return rc;
	if (path == NULL || !expr_path_equal(path, target))
		return ql_fail(b, node->at, "The first argument to %s must equal the assignment value", name);
	set = node->args->next;
	if ((set->op == QL_BAG || set->op == QL_PARAM) &&
	    (rc = ql_value_node(b, tree, set, &value)) != TIDE_OK)
		return rc;
	if (value == NULL || (EXPR_SETS & UINT32_C(1) << value->value->type) == 0)
		return ql_fail(
		    b, node->args->at, "The second argument to %s must be a value with type SET", name);
	tree->section = add ? EXPR_ADD : EXPR_DELETE;
	expr_action_append(tree, target, value);
	return TIDE_OK;
}

/* ---- right-hand sides ---- */

static tide_err
operator_fail(struct ql_builder *b, const struct ql_node *node)
{
	struct bytes word = ql_node_word(node);

	if (node->op == QL_IS)
		return ql_fail(b, BYTES_NONE, "IS operator is not supported in update expressions");
	if (node->op == QL_NEGATIVE || node->op == QL_POSITIVE)
		return ql_fail(b, BYTES_NONE,
		    "Incorrect number of operands for operator or function; operator or function: %.*s, "
		    "number of operands: 1",
		    (int)word.n, (const char *)word.at);
	return ql_fail(b, BYTES_NONE, "Unsupported operator in Update Expression. Operator: %.*s",
	    (int)word.n, (const char *)word.at);
}

/* Recursion is as deep as the tree: the parser's stack and the length of a statement bound it. */
static tide_err
operand(struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, struct expr_node **out)
{
	struct expr_list list = {0};
	struct expr_path *path;
	struct expr_node *made;
	tide_err rc;

	switch (node->op) {
	case QL_PATH:
		if ((rc = ql_path(b, tree, node, &path)) != TIDE_OK)
			return rc;
		*out = expr_node_path(tree, path);
		return *out != NULL ? TIDE_OK : TIDE_NOMEM;
	case QL_MISSING:
		return ql_fail(b, BYTES_NONE, "MISSING must be compared using IS operator");
	case QL_SELECT:
		return ql_fail(b, node->at, "Unsupported token in expression: SELECT");
	case QL_CALL:
		return ql_call_node(b, tree, node, operand, out);
	case QL_PLUS:
	case QL_MINUS:
		for (const struct ql_node *arg = node->args; arg != NULL; arg = arg->next) {
			if ((rc = operand(b, tree, arg, &made)) != TIDE_OK)
				return rc;
			list = expr_list_append(list, made);
		}
		*out = expr_node_operator(tree, node->op == QL_PLUS ? EXPR_OP_PLUS : EXPR_OP_MINUS, list);
		return *out != NULL ? TIDE_OK : TIDE_NOMEM;
	default:
		if (node->op >= QL_AND && !ql_node_is_number(node))
			return operator_fail(b, node);
		return ql_value_node(b, tree, node, out);
	}
}

static tide_err
assignment(struct ql_builder *b, struct expr_builder *tree, const struct ql_assignment *assignment)
{
	struct expr_node *value = NULL;
	struct expr_path *path;
	tide_err rc;

	if ((rc = ql_path(b, tree, assignment->path, &path)) != TIDE_OK)
		return rc;
	if (assignment->value != NULL && is_set_function(assignment->value))
		return set_function(b, tree, assignment->value, path);
	if (assignment->value != NULL && (rc = operand(b, tree, assignment->value, &value)) != TIDE_OK)
		return rc;
	tree->section = value != NULL ? EXPR_SET : EXPR_REMOVE;
	expr_action_append(tree, path, value);
	return TIDE_OK;
}

tide_err
ql_update(struct ql_builder *b, const struct expr_update **out)
{
	struct expr_builder tree = ql_expr_builder(b);
	struct expr_action **sorted;
	tide_err rc;

	for (const struct ql_assignment *a = b->statement.first; a != NULL; a = a->next) {
		if ((rc = assignment(b, &tree, a)) != TIDE_OK)
			return rc;
		tree.sections[tree.section] = 1;
	}
	if (tree.nomem)
		return TIDE_NOMEM;
	if (tree.operators > EXPR_OPERATORS_MAX)
		return ql_fail(b, BYTES_NONE,
		    "The expression contains too many operators; operator count: %d", EXPR_OPERATORS_MAX + 1);
	if ((rc = expr_check_update(&tree, &sorted)) != TIDE_OK)
		return rc;
	return expr_update_new(&tree, sorted, out);
}
