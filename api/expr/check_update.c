/*
 * The checks of an update, in the order in which DynamoDB finds fault: the text section by section, then the updated
 * paths against each other, then placeholders, operands and types from the last action back to the first.
 */
#include "api/expr/ast.h"

static const char *const section_names[] = {"SET", "REMOVE", "ADD", "DELETE"};

static tide_err
check_written(struct expr_builder *b, const struct expr_node *node, bool nested)
{
	tide_err rc;

	if (node->op == EXPR_OP_PATH)
		return expr_check_written_path(b, node->path);
	if (node->op == EXPR_OP_VALUE)
		return TIDE_OK;
	if (node->op <= EXPR_OP_UNKNOWN && (rc = expr_check_function(b, node, nested)) != TIDE_OK)
		return rc;
	for (const struct expr_node *arg = node->args; arg != NULL; arg = arg->next) {
		if ((rc = check_written(b, arg, true)) != TIDE_OK)
			return rc;
	}
	return TIDE_OK;
}

static tide_err
check_section(struct expr_builder *b, enum expr_action_type type)
{
	tide_err rc;

	for (const struct expr_action *action = b->actions; action != NULL; action = action->next) {
		if (action->type != type)
			continue;
		if ((rc = expr_check_written_path(b, action->path)) != TIDE_OK)
			return rc;
		if (action->value != NULL && (rc = check_written(b, action->value, false)) != TIDE_OK)
			return rc;
	}
	if (b->sections[type] > 1)
		return expr_invalid(b, "The \"%s\" section can only be used once in an update expression;",
		    section_names[type]);
	return TIDE_OK;
}

static tide_err
check_sections(struct expr_builder *b)
{
	bool seen[EXPR_ACTION_TYPES] = {false};
	tide_err rc;

	for (const struct expr_action *action = b->actions; action != NULL; action = action->next) {
		if (seen[action->type])
			continue;
		seen[action->type] = true;
		if ((rc = check_section(b, action->type)) != TIDE_OK)
			return rc;
	}
	return TIDE_OK;
}

static tide_err
resolve_names(struct expr_builder *b, struct expr_node *node)
{
	tide_err rc;

	if (node->op == EXPR_OP_PATH)
		return expr_resolve_path(b, node->path);
	if (node->op == EXPR_OP_VALUE)
		return TIDE_OK;
	for (struct expr_node *arg = node->args; arg != NULL; arg = arg->next) {
		if ((rc = resolve_names(b, arg)) != TIDE_OK)
			return rc;
	}
	return TIDE_OK;
}

static tide_err
check_meaning(struct expr_builder *b, struct expr_node *node)
{
	tide_err rc;

	if (node->op == EXPR_OP_PATH)
		return expr_check_depth(b, node->path);
	if (node->op == EXPR_OP_VALUE)
		return expr_resolve_value(b, node);
	if (node->op <= EXPR_OP_UNKNOWN && (rc = expr_check_arity(b, node)) != TIDE_OK)
		return rc;
	for (struct expr_node *arg = node->args; arg != NULL; arg = arg->next) {
		if ((rc = check_meaning(b, arg)) != TIDE_OK)
			return rc;
	}
	switch (node->op) {
	case EXPR_OP_IF_NOT_EXISTS:
		if ((rc = expr_check_needs_path(b, node)) != TIDE_OK)
			return rc;
		return expr_check_distinct(b, node);
	case EXPR_OP_LIST_APPEND:
		return expr_check_types(b, node, EXPR_TYPE(L));
	case EXPR_OP_PLUS:
	case EXPR_OP_MINUS:
		return expr_check_types(b, node, EXPR_TYPE(N));
	default:
		return TIDE_OK;
	}
}

static tide_err
check_set_operand(struct expr_builder *b, const struct expr_action *action)
{
	/* the names that the service prints here */
	static const char *const names[] = {
	    [VALUE_S] = "STRING",
	    [VALUE_N] = "NUMBER",
	    [VALUE_B] = "BINARY",
	    [VALUE_M] = "MAP",
	    [VALUE_L] = "LIST",
	    [VALUE_NULL] = "NULL",
	    [VALUE_BOOL] = "BOOLEAN",
	};
	const char *section = section_names[action->type];
	uint32_t allowed = EXPR_SETS | (action->type == EXPR_ADD ? EXPR_TYPE(N) : 0);
	enum value_type type = action->value->value->type;

	if ((allowed & UINT32_C(1) << type) != 0)
		return TIDE_OK;
	return expr_invalid(b,
	    "Incorrect operand type for operator or function; operator: %s, operand type: %s, typeSet: "
	    "ALLOWED_FOR_%s_OPERAND",
	    section, names[type], section);
}

static tide_err
check_action(struct expr_builder *b, const struct expr_action *action)
{
	tide_err rc;

	if ((rc = expr_check_depth(b, action->path)) != TIDE_OK)
		return rc;
	if (action->value == NULL)
		return TIDE_OK;
	if ((rc = check_meaning(b, action->value)) != TIDE_OK)
		return rc;
	return action->type == EXPR_ADD || action->type == EXPR_DELETE ? check_set_operand(b, action)
								       : TIDE_OK;
}

/* The actions in the order written, as an array, to go backwards. */
static struct expr_action **
actions_array(struct expr_builder *b)
{
	struct expr_action **at = arena_alloc(b->arena, b->actions_n * sizeof *at);

	if (at == NULL)
		return NULL;
	for (struct expr_action *action = b->actions; action != NULL; action = action->next)
		at[action->index] = action;
	return at;
}

tide_err
expr_check_update(struct expr_builder *b, struct expr_action ***sorted)
{
	struct expr_action **written = actions_array(b);
	tide_err rc;

	if (written == NULL)
		return TIDE_NOMEM;
	if ((rc = check_sections(b)) != TIDE_OK)
		return rc;
	for (uint32_t i = 0; i < b->actions_n; i++) {
		if ((rc = expr_resolve_path(b, written[i]->path)) != TIDE_OK)
			return rc;
	}
	if ((rc = expr_tree_sort(b, sorted)) != TIDE_OK || (rc = expr_tree_check(b, *sorted)) != TIDE_OK)
		return rc;
	for (uint32_t i = b->actions_n; i-- > 0;) {
		if (written[i]->value != NULL && (rc = resolve_names(b, written[i]->value)) != TIDE_OK)
			return rc;
	}
	for (uint32_t i = b->actions_n; i-- > 0;) {
		if ((rc = check_action(b, written[i])) != TIDE_OK)
			return rc;
	}
	return TIDE_OK;
}

tide_err
expr_check_projection(struct expr_builder *b, struct expr_action ***sorted)
{
	tide_err rc;

	for (const struct expr_action *action = b->actions; action != NULL; action = action->next) {
		if ((rc = expr_check_written_path(b, action->path)) != TIDE_OK)
			return rc;
	}
	for (const struct expr_action *action = b->actions; action != NULL; action = action->next) {
		if ((rc = expr_resolve_path(b, action->path)) != TIDE_OK ||
		    (rc = expr_check_depth(b, action->path)) != TIDE_OK)
			return rc;
	}
	if ((rc = expr_tree_sort(b, sorted)) != TIDE_OK)
		return rc;
	return expr_tree_check(b, *sorted);
}
