/*
 * The checks of a condition, in the order in which DynamoDB finds fault: first what can be seen from the text alone
 * (reserved words, functions and where they stand), then placeholders, operands and their types.
 *
 * Recursion is as deep as the tree, which the parser's stack bounds.
 */
#include "api/expr/ast.h"

#include <stdio.h>

static tide_err
check_written(struct expr_builder *b, const struct expr_node *node, bool operand)
{
	bool logical = node->op == EXPR_OP_AND || node->op == EXPR_OP_OR || node->op == EXPR_OP_NOT;
	tide_err rc;

	if (node->op == EXPR_OP_PATH)
		return expr_check_written_path(b, node->path);
	if (node->op == EXPR_OP_VALUE)
		return TIDE_OK;
	if (node->op <= EXPR_OP_UNKNOWN) {
		if ((rc = expr_check_function(b, node, operand)) != TIDE_OK ||
		    (rc = expr_check_arity(b, node)) != TIDE_OK)
			return rc;
	}
	for (const struct expr_node *arg = node->args; arg != NULL; arg = arg->next) {
		if ((rc = check_written(b, arg, !logical)) != TIDE_OK)
			return rc;
	}
	return TIDE_OK;
}

/* A bound as Java prints an AttributeValue. */
static void
bound_format(const struct value *value, char *text, size_t room)
{
	if (value->type == VALUE_B)
		snprintf(text, room, "AttributeValue: {B:java.nio.HeapByteBuffer[pos=0 lim=%zu cap=%zu]}",
		    value->text.n, value->text.n);
	else
		snprintf(text, room, "AttributeValue: {%s:%.*s}", value_type_name(value->type),
		    (int)value->text.n, (const char *)value->text.at);
}

static tide_err
bounds_fail(struct expr_builder *b, const char *text, const struct value *low, const struct value *high)
{
	char one[512], two[512];

	bound_format(low, one, sizeof one);
	bound_format(high, two, sizeof two);
	return expr_invalid(b,
	    "The BETWEEN operator requires %s; lower bound operand: %s, upper bound operand: %s", text, one,
	    two);
}

static tide_err
check_between(struct expr_builder *b, const struct expr_node *node)
{
	const struct expr_node *low = node->args->next, *high = low->next;
	tide_err rc;

	if ((rc = expr_check_distinct(b, node)) != TIDE_OK ||
	    (rc = expr_check_types(b, node, EXPR_ORDERED)) != TIDE_OK)
		return rc;
	if (low->op != EXPR_OP_VALUE || high->op != EXPR_OP_VALUE)
		return TIDE_OK;
	if (low->value->type != high->value->type)
		return bounds_fail(b, "same data type for lower and upper bounds", low->value, high->value);
	if (value_compare(low->value, high->value) > 0)
		return bounds_fail(
		    b, "upper bound to be greater than or equal to lower bound", low->value, high->value);
	return TIDE_OK;
}

static tide_err
check_attribute_type(struct expr_builder *b, const struct expr_node *node)
{
	/* the service lists its own type names where the operand's type is not known */
	static const char any[] =
	    "{SS,M,DECIMAL,DOUBLESET,HDS,N,B,DICT,INTSET,BOOL,HD,BS,INT,DECIMALSET,NULL,FLOAT,FS,S,L,NS,"
	    "DOUBLE}";
	const struct expr_node *type = node->args->next;

	if (type->op != EXPR_OP_VALUE)
		return expr_operand_type_fail(b, node, type->op == EXPR_OP_SIZE ? "N" : any);
	if (type->value->type != VALUE_S)
		return expr_operand_type_fail(b, node, value_type_name(type->value->type));
	for (enum value_type t = VALUE_S; t <= VALUE_BOOL; t++) {
		if (bytes_is(type->value->text, value_type_name(t)))
			return TIDE_OK;
	}
	return expr_invalid(b,
	    "Invalid attribute type name found; type: %.*s, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
	    (int)type->value->text.n, (const char *)type->value->text.at);
}

static tide_err
check_operator(struct expr_builder *b, const struct expr_node *node)
{
	tide_err rc;

	switch (node->op) {
	case EXPR_OP_EQ:
	case EXPR_OP_NE:
		return expr_check_distinct(b, node);
	case EXPR_OP_LT:
	case EXPR_OP_LE:
	case EXPR_OP_GT:
	case EXPR_OP_GE:
		if ((rc = expr_check_distinct(b, node)) != TIDE_OK)
			return rc;
		return expr_check_types(b, node, EXPR_ORDERED);
	case EXPR_OP_BETWEEN:
		return check_between(b, node);
	case EXPR_OP_IN:
		if (node->n - 1 > EXPR_IN_MAX)
			return expr_invalid(b,
			    "The IN operator is provided with too many operands; number of operands: %d",
			    node->n - 1);
		return expr_check_distinct(b, node);
	case EXPR_OP_ATTRIBUTE_EXISTS:
	case EXPR_OP_ATTRIBUTE_NOT_EXISTS:
		return expr_check_needs_path(b, node);
	case EXPR_OP_ATTRIBUTE_TYPE:
		return check_attribute_type(b, node);
	case EXPR_OP_BEGINS_WITH:
		if ((rc = expr_check_distinct(b, node)) != TIDE_OK)
			return rc;
		return expr_check_types(b, node, EXPR_TYPE(S) | EXPR_TYPE(B));
	case EXPR_OP_CONTAINS:
		return expr_check_distinct(b, node);
	case EXPR_OP_SIZE:
		return expr_check_types(b, node, ~(EXPR_TYPE(N) | EXPR_TYPE(BOOL) | EXPR_TYPE(NULL)));
	default:
		return TIDE_OK;
	}
}

static tide_err
check_meaning(struct expr_builder *b, struct expr_node *node)
{
	tide_err rc;

	if (node->op == EXPR_OP_PATH) {
		if ((rc = expr_resolve_path(b, node->path)) != TIDE_OK)
			return rc;
		return expr_check_depth(b, node->path);
	}
	if (node->op == EXPR_OP_VALUE)
		return expr_resolve_value(b, node);
	for (struct expr_node *arg = node->args; arg != NULL; arg = arg->next) {
		if ((rc = check_meaning(b, arg)) != TIDE_OK)
			return rc;
	}
	return check_operator(b, node);
}

tide_err
expr_check_condition(struct expr_builder *b)
{
	tide_err rc = check_written(b, b->root, false);

	return rc != TIDE_OK ? rc : check_meaning(b, b->root);
}
