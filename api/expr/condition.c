/*
 * Conditions against items. A missing attribute or a type that an operator does not take makes a comparison false, never
 * an error; `<>` is the negation of `=`.
 */
#include "api/expr/ast.h"

#include <stdio.h>

/* An operand's value that is in no item: what size() says, or a condition. */
struct scratch {
	struct value value;
	char text[24];
};

/* The length of a string as Java counts it: UTF-16 code units. */
static size_t
string_length(struct bytes text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		if ((text.at[i] & 0xc0) != 0x80)
			n += text.at[i] >= 0xf0 ? 2 : 1;
	}
	return n;
}

static bool
value_length(const struct value *value, size_t *n)
{
	switch (value->type) {
	case VALUE_S:
		*n = string_length(value->text);
		return true;
	case VALUE_B:
		*n = value->text.n;
		return true;
	case VALUE_SS:
	case VALUE_NS:
	case VALUE_BS:
	case VALUE_L:
		*n = value->list.n;
		return true;
	case VALUE_M:
		*n = value->map.n;
		return true;
	case VALUE_N:
	case VALUE_NULL:
	case VALUE_BOOL:
		break;
	}
	return false;
}

static bool eval(const struct expr_node *node, const struct value *item);

/* NULL: the operand has no value. The checks let no operand be anything but a path, a :value, size() or, in a statement, a condition. */
static const struct value *
operand(const struct expr_node *node, const struct value *item, struct scratch *scratch)
{
	const struct value *value;
	size_t n;

	if (node->op == EXPR_OP_VALUE)
		return node->value;
	if (node->op == EXPR_OP_PATH)
		return expr_path_find(node->path, item);
	if (node->op != EXPR_OP_SIZE) {
		scratch->value.type = VALUE_BOOL;
		scratch->value.boolean = eval(node, item);
		return &scratch->value;
	}
	value = operand(node->args, item, scratch);
	if (value == NULL || !value_length(value, &n))
		return NULL;
	n = (size_t)snprintf(scratch->text, sizeof scratch->text, "%zu", n);
	scratch->value.type = VALUE_N;
	scratch->value.text = bytes_of(scratch->text, n);
	return &scratch->value;
}

static bool
equal(const struct value *a, const struct value *b)
{
	return a != NULL && b != NULL && value_equal(a, b);
}

/* Whether the two have an order at all; it is in `*order`. */
static bool
ordered(const struct value *a, const struct value *b, int *order)
{
	if (a == NULL || b == NULL || a->type != b->type || (EXPR_ORDERED & UINT32_C(1) << a->type) == 0)
		return false;
	*order = value_compare(a, b);
	return true;
}

static bool
compare(const struct expr_node *node, const struct value *item)
{
	struct scratch left, right;
	const struct value *a = operand(node->args, item, &left),
			   *b = operand(node->args->next, item, &right);
	int order;

	if (node->op == EXPR_OP_EQ)
		return equal(a, b);
	if (node->op == EXPR_OP_NE)
		return !equal(a, b);
	if (!ordered(a, b, &order))
		return false;
	switch (node->op) {
	case EXPR_OP_LT:
		return order < 0;
	case EXPR_OP_LE:
		return order <= 0;
	case EXPR_OP_GT:
		return order > 0;
	default:
		return order >= 0;
	}
}

static bool
between(const struct expr_node *node, const struct value *item)
{
	struct scratch s0, s1, s2;
	const struct expr_node *low = node->args->next;
	const struct value *x = operand(node->args, item, &s0);
	int order;

	return ordered(x, operand(low, item, &s1), &order) && order >= 0 &&
	       ordered(x, operand(low->next, item, &s2), &order) && order <= 0;
}

static bool
in(const struct expr_node *node, const struct value *item)
{
	struct scratch s0, s1;
	const struct value *x = operand(node->args, item, &s0);

	if (x == NULL)
		return false;
	for (const struct expr_node *other = node->args->next; other != NULL; other = other->next) {
		if (equal(x, operand(other, item, &s1)))
			return true;
	}
	return false;
}

static bool
attribute_type(const struct expr_node *node, const struct value *item)
{
	struct scratch s0;
	const struct value *x = operand(node->args, item, &s0);

	return x != NULL && bytes_is(node->args->next->value->text, value_type_name(x->type));
}

static bool
begins_with(const struct expr_node *node, const struct value *item)
{
	struct scratch s0, s1;
	const struct value *x = operand(node->args, item, &s0),
			   *prefix = operand(node->args->next, item, &s1);

	if (x == NULL || prefix == NULL || x->type != prefix->type ||
	    (x->type != VALUE_S && x->type != VALUE_B))
		return false;
	return x->text.n >= prefix->text.n && bytes_equal(bytes_of(x->text.at, prefix->text.n), prefix->text);
}

static bool
contains(const struct expr_node *node, const struct value *item)
{
	struct scratch s0, s1;
	const struct value *x = operand(node->args, item, &s0), *part = operand(node->args->next, item, &s1);

	if (x == NULL || part == NULL)
		return false;
	switch (x->type) {
	case VALUE_S:
	case VALUE_B:
		return part->type == x->type &&
		       (part->text.n == 0 ||
			   memmem(x->text.at, x->text.n, part->text.at, part->text.n) != NULL);
	case VALUE_SS:
	case VALUE_NS:
	case VALUE_BS:
	case VALUE_L:
		for (uint32_t i = 0; i < x->list.n; i++) {
			if (value_equal(&x->list.at[i], part))
				return true;
		}
		return false;
	default:
		return false;
	}
}

/* Recursion is as deep as the tree, which the parser's stack bounds. */
static bool
eval(const struct expr_node *node, const struct value *item)
{
	switch (node->op) {
	case EXPR_OP_AND:
		return eval(node->args, item) && eval(node->args->next, item);
	case EXPR_OP_OR:
		return eval(node->args, item) || eval(node->args->next, item);
	case EXPR_OP_NOT:
		return !eval(node->args, item);
	case EXPR_OP_BETWEEN:
		return between(node, item);
	case EXPR_OP_IN:
		return in(node, item);
	case EXPR_OP_ATTRIBUTE_EXISTS:
		return expr_path_find(node->args->path, item) != NULL;
	case EXPR_OP_ATTRIBUTE_NOT_EXISTS:
		return expr_path_find(node->args->path, item) == NULL;
	case EXPR_OP_ATTRIBUTE_TYPE:
		return attribute_type(node, item);
	case EXPR_OP_BEGINS_WITH:
		return begins_with(node, item);
	case EXPR_OP_CONTAINS:
		return contains(node, item);
	default:
		return compare(node, item);
	}
}

bool
expr_condition_eval(const struct expr_condition *condition, const struct value *item)
{
	return eval(condition->root, item);
}
