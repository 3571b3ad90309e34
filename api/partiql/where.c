/*
 * WHERE clauses as conditions of api/expr, which checks and evaluates them. What a statement may say and an expression
 * may not: IS, lists after IN, and conditions as operands.
 *
 * Recursion is as deep as the tree: the parser's stack and the length of a statement bound it.
 */
#include "api/partiql/tree.h"

static tide_err condition(
    struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, struct expr_node **out);

/* ---- operands ---- */

tide_err
ql_value_node(
    struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, struct expr_node **out)
{
	struct value *value = arena_calloc(b->arena, sizeof *value);
	tide_err rc;

	if (value == NULL || (*out = expr_node_value(tree, node->at)) == NULL)
		return TIDE_NOMEM;
	if ((rc = ql_value(b, node, value)) != TIDE_OK)
		return rc;
	(*out)->value = value;
	return TIDE_OK;
}

static bool
is_condition(const struct ql_node *node)
{
	return (node->op >= QL_AND && node->op <= QL_IS) || node->op == QL_CALL;
}

/* Operators whose result is a number or a string. */
static bool
is_arithmetic(const struct ql_node *node)
{
	return node->op > QL_IS && !ql_node_is_number(node);
}

static tide_err
operator_fail(struct ql_builder *b, const struct ql_node *node)
{
	struct bytes word = ql_node_word(node);

	return ql_fail(b, BYTES_NONE, "Unsupported operator in Condition Expression. Operator: %.*s",
	    (int)word.n, (const char *)word.at);
}

static tide_err
operand(struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, struct expr_node **out)
{
	struct expr_path *path;
	tide_err rc;

	if (is_condition(node))
		return condition(b, tree, node, out);
	if (is_arithmetic(node))
		return operator_fail(b, node);
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
	default:
		return ql_value_node(b, tree, node, out);
	}
}

static tide_err
operands(struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, ql_operand_fn make,
    struct expr_list *list)
{
	struct expr_node *made;
	tide_err rc;

	for (; node != NULL; node = node->next) {
		if ((rc = make(b, tree, node, &made)) != TIDE_OK)
			return rc;
		*list = expr_list_append(*list, made);
	}
	return TIDE_OK;
}

static tide_err
operator_of(struct expr_builder *tree, enum expr_op op, struct expr_list list, struct expr_node **out)
{
	*out = expr_node_operator(tree, op, list);
	return *out != NULL ? TIDE_OK : TIDE_NOMEM;
}

static tide_err
negate(struct expr_builder *tree, struct expr_node **node)
{
	return operator_of(tree, EXPR_OP_NOT, expr_list_append((struct expr_list){0}, *node), node);
}

/* ---- functions ---- */

static enum expr_op
function_op(struct bytes name)
{
	for (enum expr_op op = EXPR_OP_ATTRIBUTE_EXISTS; op < EXPR_OP_UNKNOWN; op++) {
		if (bytes_is(name, expr_op_name(op)))
			return op;
	}
	return EXPR_OP_UNKNOWN;
}

tide_err
ql_call_node(struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, ql_operand_fn make,
    struct expr_node **out)
{
	enum expr_op op = function_op(node->name);
	struct expr_list list = {0};
	tide_err rc;

	if (node->n == 1 && node->args->op == QL_SELECT)
		return ql_fail(b, node->args->at, "Unsupported token in expression: SELECT");
	if (op == EXPR_OP_UNKNOWN)
		return ql_fail(b, node->at, "Unrecognized function: %.*s", (int)node->name.n,
		    (const char *)node->name.at);
	if (node->n == 0)
		return ql_fail(b, BYTES_NONE,
		    "Incorrect number of operands for operator or function; operator or function: %s, number "
		    "of operands: 0",
		    expr_op_name(op));
	if ((rc = operands(b, tree, node->args, make, &list)) != TIDE_OK ||
	    (rc = operator_of(tree, op, list, out)) != TIDE_OK)
		return rc;
	(*out)->text = node->name;
	return TIDE_OK;
}

/* ---- IS, IN ---- */

/* What `IS type` asks of an attribute; NULL: a type that DynamoDB does not have. */
static const char *
attribute_type(struct bytes name)
{
	static const char *const types[][2] = {{"NULL", "NULL"}, {"BOOLEAN", "BOOL"}, {"BOOL", "BOOL"},
	    {"BLOB", "B"}, {"STRING", "S"}, {"NUMERIC", "N"}, {"STRUCT", "M"}, {"TUPLE", "M"}, {"LIST", "L"}};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (bytes_is(name, types[i][0]))
			return types[i][1];
	}
	return NULL;
}

static tide_err
is_type(struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, struct expr_node **out)
{
	bool missing = bytes_is(node->name, "MISSING");
	const char *type = attribute_type(node->name);
	struct expr_list list = {0};
	struct expr_node *wanted;
	struct value *value;
	tide_err rc;

	if (!missing && type == NULL)
		return ql_fail(b, node->at,
		    "Unsupported data type for IS operator: %.*s. Supported data types are [MISSING, NULL, "
		    "BOOLEAN, BLOB, STRING, NUMERIC, STRUCT, TUPLE, LIST]",
		    (int)node->name.n, (const char *)node->name.at);
	if ((rc = operands(b, tree, node->args, operand, &list)) != TIDE_OK)
		return rc;
	if (!missing) {
		value = arena_calloc(b->arena, sizeof *value);
		if (value == NULL || (wanted = expr_node_value(tree, node->at)) == NULL)
			return TIDE_NOMEM;
		value->type = VALUE_S;
		value->text = bytes_of_string(type);
		wanted->value = value;
		list = expr_list_append(list, wanted);
	}
	rc = operator_of(tree, missing ? EXPR_OP_ATTRIBUTE_NOT_EXISTS : EXPR_OP_ATTRIBUTE_TYPE, list, out);
	return rc == TIDE_OK && node->negated ? negate(tree, out) : rc;
}

static tide_err
in_list(struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, struct expr_node **out)
{
	const struct ql_node *right = node->args->next, *first = NULL;
	struct expr_list list = {0};
	struct expr_node *left;
	tide_err rc;

	if (right->op == QL_LIST || right->op == QL_TUPLE || right->op == QL_BAG)
		first = right->args;
	if (first == NULL && right->parens)
		first = right; /* ('a'), ([]) */
	if (first == NULL || right->op == QL_SELECT)
		return ql_fail(b, BYTES_NONE,
		    "IN operator must have a left hand argument of type Variable Reference and right hand "
		    "argument of type Seq with at least one member");
	if ((rc = operand(b, tree, node->args, &left)) != TIDE_OK)
		return rc;
	list = expr_list_append(list, left);
	if ((rc = operands(b, tree, first, operand, &list)) != TIDE_OK ||
	    (rc = operator_of(tree, EXPR_OP_IN, list, out)) != TIDE_OK)
		return rc;
	return node->negated ? negate(tree, out) : TIDE_OK;
}

/* ---- conditions ---- */

static tide_err
logical(struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, struct expr_node **out)
{
	enum expr_op op = node->op == QL_AND ? EXPR_OP_AND : node->op == QL_OR ? EXPR_OP_OR : EXPR_OP_NOT;
	struct expr_list list = {0};
	struct expr_node *made;
	tide_err rc;

	for (const struct ql_node *arg = node->args; arg != NULL; arg = arg->next) {
		if (is_arithmetic(arg))
			return operator_fail(b, arg);
		if (!is_condition(arg))
			return ql_fail(b, BYTES_NONE, "%s",
			    op == EXPR_OP_NOT ? "The argument to NOT must be a Type or Expression"
					      : "The arguments to AND/OR must be Expressions");
		if ((rc = condition(b, tree, arg, &made)) != TIDE_OK)
			return rc;
		if (made->op == EXPR_OP_SIZE)
			return ql_fail(b, BYTES_NONE,
			    "Incorrect operand type for operator or function; operator or function: %s, "
			    "operand type: N",
			    expr_op_name(op));
		list = expr_list_append(list, made);
	}
	return operator_of(tree, op, list, out);
}

static tide_err
comparison(
    struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, struct expr_node **out)
{
	static const enum expr_op ops[] = {
	    [QL_EQ] = EXPR_OP_EQ,
	    [QL_NE] = EXPR_OP_NE,
	    [QL_LT] = EXPR_OP_LT,
	    [QL_LE] = EXPR_OP_LE,
	    [QL_GT] = EXPR_OP_GT,
	    [QL_GE] = EXPR_OP_GE,
	    [QL_BETWEEN] = EXPR_OP_BETWEEN,
	};
	struct expr_list list = {0};
	tide_err rc;

	if ((rc = operands(b, tree, node->args, operand, &list)) != TIDE_OK ||
	    (rc = operator_of(tree, ops[node->op], list, out)) != TIDE_OK)
		return rc;
	return node->negated ? negate(tree, out) : TIDE_OK;
}

static tide_err
condition(struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, struct expr_node **out)
{
	switch (node->op) {
	case QL_AND:
	case QL_OR:
	case QL_NOT:
		return logical(b, tree, node, out);
	case QL_IN:
		return in_list(b, tree, node, out);
	case QL_IS:
		return is_type(b, tree, node, out);
	case QL_LIKE:
		return operator_fail(b, node);
	case QL_CALL:
		return ql_call_node(b, tree, node, operand, out);
	default:
		return comparison(b, tree, node, out);
	}
}

#define NO_BOOLEAN "WHERE clause must contain an expression that resolves to a boolean"

tide_err
ql_where(struct ql_builder *b, const struct ql_node *node, const struct expr_condition **out)
{
	struct expr_builder tree = ql_expr_builder(b);
	tide_err rc;

	*out = NULL;
	if (node == NULL)
		return TIDE_OK;
	if (is_arithmetic(node))
		return operator_fail(b, node);
	if (node->op == QL_SELECT)
		return ql_fail(b, node->at, "Unsupported token in expression: SELECT");
	if (!is_condition(node))
		return ql_fail(b, BYTES_NONE, NO_BOOLEAN);
	if ((rc = condition(b, &tree, node, &tree.root)) != TIDE_OK)
		return rc;
	if (tree.root->op == EXPR_OP_SIZE)
		return ql_fail(b, BYTES_NONE, NO_BOOLEAN);
	if (tree.operators > EXPR_OPERATORS_MAX)
		return ql_fail(b, BYTES_NONE,
		    "The expression contains too many operators; operator count: %d", EXPR_OPERATORS_MAX + 1);
	if ((rc = expr_check_condition(&tree)) != TIDE_OK)
		return rc;
	return expr_condition_new(&tree, out);
}
