#include "api/expr/ast.h"

#include <stdarg.h>
#include <stdio.h>

tide_err
expr_invalid(struct expr_builder *b, const char *format, ...)
{
	char text[TIDE_MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (b->kind == EXPR_STATEMENT)
		return tide_fail(b->error, TIDE_VALIDATION, "%s", text);
	return tide_fail(b->error, TIDE_VALIDATION, "Invalid %s: %s", expr_kind_name(b->kind), text);
}

/* ---- as written ---- */

tide_err
expr_check_written_path(struct expr_builder *b, const struct expr_path *path)
{
	for (const struct expr_step *step = path->first; step != NULL; step = step->next) {
		if (step->is_index && step->index > INT32_MAX)
			return expr_invalid(b, "List index is not within the allowable range; index: [%.*s]",
			    (int)step->name.n, step->name.at);
		if (!step->is_index && !step->placeholder && b->kind != EXPR_STATEMENT &&
		    expr_word_reserved(step->name))
			return expr_invalid(b, "Attribute name is a reserved keyword; reserved keyword: %.*s",
			    (int)step->name.n, step->name.at);
	}
	return TIDE_OK;
}

static tide_err
function_fail(struct expr_builder *b, const char *text, const struct expr_node *node)
{
	return expr_invalid(b, "%s; function: %.*s", text, (int)node->text.n, node->text.at);
}

/* `nested`: it stands where an operand is expected. */
tide_err
expr_check_function(struct expr_builder *b, const struct expr_node *node, bool nested)
{
	bool updates = node->op == EXPR_OP_IF_NOT_EXISTS || node->op == EXPR_OP_LIST_APPEND;
	bool misplaced;

	if (node->op == EXPR_OP_UNKNOWN)
		return function_fail(b, "Invalid function name", node);
	if (b->kind == EXPR_UPDATE || b->actions != NULL) {
		if (!updates)
			return function_fail(b, "The function is not allowed in an update expression", node);
		misplaced = nested && node->op == EXPR_OP_LIST_APPEND;
	} else {
		if (updates)
			return function_fail(
			    b, "The function is not allowed in a condition expression", node);
		/* in a statement a condition may be an operand: attribute_exists(a) = true */
		misplaced = b->kind != EXPR_STATEMENT && nested != (node->op == EXPR_OP_SIZE);
	}
	if (misplaced)
		return function_fail(
		    b, "The function is not allowed to be used this way in an expression", node);
	return TIDE_OK;
}

tide_err
expr_check_arity(struct expr_builder *b, const struct expr_node *node)
{
	bool one = node->op == EXPR_OP_ATTRIBUTE_EXISTS || node->op == EXPR_OP_ATTRIBUTE_NOT_EXISTS ||
		   node->op == EXPR_OP_SIZE;

	if (node->n == (one ? 1 : 2))
		return TIDE_OK;
	return expr_invalid(b,
	    "Incorrect number of operands for operator or function; operator or function: %s, number of "
	    "operands: %u",
	    expr_op_name(node->op), (unsigned)node->n);
}

/* ---- placeholders ---- */

tide_err
expr_resolve_path(struct expr_builder *b, struct expr_path *path)
{
	const struct bytes *name;

	for (struct expr_step *step = path->first; step != NULL; step = step->next) {
		if (!step->placeholder)
			continue;
		if ((name = expr_scope_use_name(b->scope, step->name)) == NULL)
			return expr_invalid(b,
			    "An expression attribute name used in the document path is not defined; "
			    "attribute name: %.*s",
			    (int)step->name.n, step->name.at);
		step->name = *name;
		step->placeholder = false;
	}
	return TIDE_OK;
}

tide_err
expr_resolve_value(struct expr_builder *b, struct expr_node *node)
{
	if (node->value != NULL) /* a statement's */
		return TIDE_OK;
	if ((node->value = expr_scope_use_value(b->scope, node->text)) == NULL)
		return expr_invalid(b,
		    "An expression attribute value used in expression is not defined; attribute value: %.*s",
		    (int)node->text.n, node->text.at);
	return TIDE_OK;
}

tide_err
expr_check_depth(struct expr_builder *b, const struct expr_path *path)
{
	if (path->n <= EXPR_PATH_DEPTH_MAX)
		return TIDE_OK;
	return expr_invalid(
	    b, "The document path has too many nesting levels; nesting levels: %u", (unsigned)path->n);
}

/* ---- operands ---- */

tide_err
expr_operand_type_fail(struct expr_builder *b, const struct expr_node *node, const char *type)
{
	return expr_invalid(b,
	    "Incorrect operand type for operator or function; operator or function: %s, operand type: %s",
	    expr_op_name(node->op), type);
}

tide_err
expr_check_distinct(struct expr_builder *b, const struct expr_node *node)
{
	const struct expr_node *first = node->args;
	char text[EXPR_PATH_TEXT_MAX];

	if (first->op != EXPR_OP_PATH)
		return TIDE_OK;
	for (const struct expr_node *other = first->next; other != NULL; other = other->next) {
		if (other->op != EXPR_OP_PATH || !expr_path_equal(first->path, other->path))
			continue;
		expr_path_format(first->path, text);
		return expr_invalid(b,
		    "The first operand must be distinct from the remaining operands for this operator or "
		    "function; "
		    "operator: %s, first operand: %s",
		    expr_op_name(node->op), text);
	}
	return TIDE_OK;
}

tide_err
expr_check_needs_path(struct expr_builder *b, const struct expr_node *node)
{
	if (node->args->op == EXPR_OP_PATH)
		return TIDE_OK;
	return expr_invalid(b, "Operator or function requires a document path; operator or function: %s",
	    expr_op_name(node->op));
}

/* What is known of an operand's type before there is an item: of :values, of size(), and of conditions. */
tide_err
expr_check_types(struct expr_builder *b, const struct expr_node *node, uint32_t allowed)
{
	for (const struct expr_node *arg = node->args; arg != NULL; arg = arg->next) {
		enum value_type type;

		if (arg->op == EXPR_OP_VALUE)
			type = arg->value->type;
		else if (arg->op == EXPR_OP_SIZE)
			type = VALUE_N;
		else if (expr_op_is_condition(arg->op))
			type = VALUE_BOOL;
		else
			continue;
		if ((allowed & UINT32_C(1) << type) == 0)
			return expr_operand_type_fail(b, node, value_type_name(type));
	}
	return TIDE_OK;
}
