/*
 * The right-hand sides of an update: what each action puts in place, computed from the item before the update.
 */
#include "api/expr/operand.h"

#include "store/item/number.h"

static tide_err
type_fail(struct tide_error *error)
{
	return tide_fail(
	    error, TIDE_VALIDATION, "An operand in the update expression has an incorrect data type");
}

static tide_err
sum(struct arena *arena, const struct value *a, const struct value *b, bool minus, struct value *out,
    struct tide_error *error)
{
	struct number x, y, result;
	struct buf text = {0};
	tide_err rc;

	if (a->type != VALUE_N || b->type != VALUE_N)
		return type_fail(error);
	if ((rc = number_parse(a->text, &x, error)) != TIDE_OK ||
	    (rc = number_parse(b->text, &y, error)) != TIDE_OK)
		return rc;
	rc = minus ? number_subtract(&x, &y, &result, error) : number_add(&x, &y, &result, error);
	if (rc != TIDE_OK)
		return rc;
	number_format(&result, &text);
	out->type = VALUE_N;
	out->text = buf_check(&text) == TIDE_OK ? arena_copy(arena, buf_bytes(&text)) : BYTES_NONE;
	buf_fini(&text);
	return out->text.at != NULL ? TIDE_OK : TIDE_NOMEM;
}

static tide_err
list_append(struct arena *arena, const struct value *a, const struct value *b, struct value *out,
    struct tide_error *error)
{
	struct value *at;

	if (a->type != VALUE_L || b->type != VALUE_L)
		return type_fail(error);
	if ((at = arena_alloc(arena, ((size_t)a->list.n + b->list.n) * sizeof *at)) == NULL)
		return TIDE_NOMEM;
	if (a->list.n > 0)
		memcpy(at, a->list.at, a->list.n * sizeof *at);
	if (b->list.n > 0)
		memcpy(at + a->list.n, b->list.at, b->list.n * sizeof *at);
	out->type = VALUE_L;
	out->list.at = at;
	out->list.n = a->list.n + b->list.n;
	return TIDE_OK;
}

/* Both sets are in order, so one pass merges (`keep_b`) or subtracts. */
static tide_err
set_combine(struct arena *arena, const struct value *a, const struct value *b, bool keep_b, struct value *out,
    struct tide_error *error)
{
	uint32_t i = 0, j = 0, n = 0;
	struct value *at;
	int order;

	if (a->type != b->type)
		return type_fail(error);
	if ((at = arena_alloc(arena, ((size_t)a->list.n + b->list.n) * sizeof *at)) == NULL)
		return TIDE_NOMEM;
	while (i < a->list.n || j < b->list.n) {
		if (i == a->list.n || j == b->list.n)
			order = i == a->list.n ? 1 : -1;
		else
			order = value_compare(&a->list.at[i], &b->list.at[j]);
		if (order < 0 || (order == 0 && keep_b))
			at[n++] = a->list.at[i];
		else if (order > 0 && keep_b)
			at[n++] = b->list.at[j];
		i += order <= 0;
		j += order >= 0;
	}
	out->type = a->type;
	out->list.at = at;
	out->list.n = n;
	return TIDE_OK;
}

/* Recursion is as deep as the tree, which the parser's stack bounds. */
static tide_err
operand(const struct expr_node *node, struct arena *arena, const struct value *item, const struct value **out,
    struct tide_error *error)
{
	const struct value *a, *b;
	struct value *result;
	tide_err rc;

	switch (node->op) {
	case EXPR_OP_VALUE:
		*out = node->value;
		return TIDE_OK;
	case EXPR_OP_PATH:
		if ((a = item != NULL ? expr_path_find(node->path, item) : NULL) == NULL)
			return tide_fail(error, TIDE_VALIDATION,
			    "The provided expression refers to an attribute that does not exist in the item");
		*out = a;
		return TIDE_OK;
	case EXPR_OP_IF_NOT_EXISTS:
		if ((a = item != NULL ? expr_path_find(node->args->path, item) : NULL) == NULL)
			return operand(node->args->next, arena, item, out, error);
		*out = a;
		return TIDE_OK;
	default:
		break;
	}
	if ((rc = operand(node->args, arena, item, &a, error)) != TIDE_OK ||
	    (rc = operand(node->args->next, arena, item, &b, error)) != TIDE_OK)
		return rc;
	if ((result = arena_calloc(arena, sizeof *result)) == NULL)
		return TIDE_NOMEM;
	if (node->op == EXPR_OP_LIST_APPEND)
		rc = list_append(arena, a, b, result, error);
	else
		rc = sum(arena, a, b, node->op == EXPR_OP_MINUS, result, error);
	*out = result;
	return rc;
}

/* An expression's operands are checked one by one; of AttributeUpdates both have one type. */
static tide_err
check_legacy(const struct expr_action *action, const struct value *old, struct tide_error *error)
{
	if (!action->legacy || old->type == action->value->value->type)
		return TIDE_OK;
	return tide_fail(error, TIDE_VALIDATION, "Type mismatch for attribute to update");
}

static tide_err
add(const struct expr_action *action, struct arena *arena, const struct value *old, const struct value **out,
    struct tide_error *error)
{
	const struct value *operand_value = action->value->value;
	struct value *result;
	tide_err rc;

	if (old == NULL) {
		*out = operand_value;
		return TIDE_OK;
	}
	if ((rc = check_legacy(action, old, error)) != TIDE_OK)
		return rc;
	if ((result = arena_calloc(arena, sizeof *result)) == NULL)
		return TIDE_NOMEM;
	*out = result;
	if (operand_value->type == VALUE_N)
		return sum(arena, old, operand_value, false, result, error);
	if (operand_value->type == VALUE_L) /* AttributeUpdates only: the checks of expressions refuse it */
		return list_append(arena, old, operand_value, result, error);
	return set_combine(arena, old, operand_value, true, result, error);
}

static tide_err delete (const struct expr_action *action, struct arena *arena, const struct value *old,
    const struct value **out, struct tide_error *error)
{
	struct value *result;
	tide_err rc;

	*out = NULL;
	if (old == NULL)
		return TIDE_OK;
	if ((rc = check_legacy(action, old, error)) != TIDE_OK)
		return rc;
	if ((result = arena_calloc(arena, sizeof *result)) == NULL)
		return TIDE_NOMEM;
	if ((rc = set_combine(arena, old, action->value->value, false, result, error)) != TIDE_OK)
		return rc;
	/* there are no empty sets: with its last element the attribute goes */
	if (result->list.n > 0)
		*out = result;
	return TIDE_OK;
}

tide_err
expr_action_result(const struct expr_action *action, struct arena *arena, const struct value *item,
    const struct value **out, struct tide_error *error)
{
	const struct value *old;

	*out = NULL;
	if (action->type == EXPR_REMOVE)
		return TIDE_OK;
	if (action->type == EXPR_SET)
		return operand(action->value, arena, item, out, error);
	old = item != NULL ? expr_path_find(action->path, item) : NULL;
	if (action->type == EXPR_ADD)
		return add(action, arena, old, out, error);
	return delete (action, arena, old, out, error);
}
