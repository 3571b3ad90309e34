#include "api/expr/ast.h"

#include <stdlib.h>

const char *
expr_kind_name(enum expr_kind kind)
{
	static const char *const names[] = {
	    [EXPR_CONDITION] = "ConditionExpression",
	    [EXPR_FILTER] = "FilterExpression",
	    [EXPR_KEY_CONDITION] = "KeyConditionExpression",
	    [EXPR_UPDATE] = "UpdateExpression",
	    [EXPR_PROJECTION] = "ProjectionExpression",
	    [EXPR_STATEMENT] = "Statement",
	};

	return names[kind];
}

static bool
blank(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (memchr(" \t\r\n", text.at[i], 4) == NULL)
			return false;
	}
	return true;
}

/* From the text to an unchecked tree. */
static tide_err
read_text(struct expr_builder *b, struct bytes text)
{
	tide_err rc;

	if (blank(text))
		return expr_invalid(b, "The expression can not be empty;");
	if (text.n > EXPR_BYTES_MAX && b->kind == EXPR_UPDATE)
		return expr_invalid(b, "Expression size has exceeded the maximum allowed size;");
	if (text.n > EXPR_BYTES_MAX)
		return expr_invalid(
		    b, "Expression size has exceeded the maximum allowed size; expression size: %zu", text.n);
	/* The copy ends with a NUL, which the lexer needs, and lives as long as the names that point into it. */
	b->text = arena_copy(b->arena, text);
	if (b->text.at == NULL)
		return TIDE_NOMEM;
	if ((rc = expr_grammar_run(b)) != TIDE_OK)
		return rc;
	if (b->operators > EXPR_OPERATORS_MAX)
		return expr_invalid(b, "The expression contains too many operators; operator count: %d",
		    EXPR_OPERATORS_MAX + 1);
	return TIDE_OK;
}

/* ---- conditions ---- */

static uint32_t
paths_count(const struct expr_node *node)
{
	uint32_t n = 0;

	if (node->op == EXPR_OP_PATH)
		return 1;
	if (node->op == EXPR_OP_VALUE)
		return 0;
	for (node = node->args; node != NULL; node = node->next)
		n += paths_count(node);
	return n;
}

static void
paths_names(const struct expr_node *node, struct bytes *at, uint32_t *n)
{
	if (node->op == EXPR_OP_PATH)
		at[(*n)++] = node->path->first->name;
	if (node->op == EXPR_OP_PATH || node->op == EXPR_OP_VALUE)
		return;
	for (node = node->args; node != NULL; node = node->next)
		paths_names(node, at, n);
}

static int
names_compare(const void *a, const void *b)
{
	return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static tide_err
condition_names(struct arena *arena, struct expr_condition *condition)
{
	struct bytes *at;
	uint32_t n = 0, distinct = 0;

	if ((at = arena_alloc(arena, (paths_count(condition->root) + 1) * sizeof *at)) == NULL)
		return TIDE_NOMEM;
	paths_names(condition->root, at, &n);
	if (n > 1)
		qsort(at, n, sizeof *at, names_compare);
	for (uint32_t i = 0; i < n; i++) {
		if (distinct == 0 || !bytes_equal(at[distinct - 1], at[i]))
			at[distinct++] = at[i];
	}
	condition->names = at;
	condition->names_n = distinct;
	return TIDE_OK;
}

tide_err
expr_condition_new(struct expr_builder *b, const struct expr_condition **out)
{
	struct expr_condition *condition = arena_calloc(b->arena, sizeof *condition);
	tide_err rc;

	if (condition == NULL)
		return TIDE_NOMEM;
	condition->root = b->root;
	condition->legacy = b->legacy;
	if ((rc = condition_names(b->arena, condition)) != TIDE_OK)
		return rc;
	*out = condition;
	return TIDE_OK;
}

tide_err
expr_condition_parse(struct arena *arena, enum expr_kind kind, struct bytes text, struct expr_scope *scope,
    const struct expr_condition **out, struct tide_error *error)
{
	struct expr_builder b = {.arena = arena, .kind = kind, .scope = scope, .error = error};
	tide_err rc;

	if ((rc = read_text(&b, text)) != TIDE_OK || (rc = expr_check_condition(&b)) != TIDE_OK)
		return rc;
	return expr_condition_new(&b, out);
}

uint32_t
expr_condition_names(const struct expr_condition *condition, const struct bytes **names)
{
	*names = condition->names;
	return condition->names_n;
}

/* ---- updates ---- */

tide_err
expr_update_new(struct expr_builder *b, struct expr_action **sorted, const struct expr_update **out)
{
	struct expr_update *update = arena_calloc(b->arena, sizeof *update);
	tide_err rc;

	if (update == NULL)
		return TIDE_NOMEM;
	update->actions = b->actions;
	update->n = b->actions_n;
	update->creates = b->sections[EXPR_SET] > 0 || b->sections[EXPR_ADD] > 0;
	if ((rc = expr_tree_build(b, sorted, &update->tree)) != TIDE_OK ||
	    (rc = expr_tree_names(b->arena, update->tree, &update->names, &update->names_n)) != TIDE_OK)
		return rc;
	*out = update;
	return TIDE_OK;
}

tide_err
expr_update_parse(struct arena *arena, struct bytes text, struct expr_scope *scope,
    const struct expr_update **out, struct tide_error *error)
{
	struct expr_builder b = {.arena = arena, .kind = EXPR_UPDATE, .scope = scope, .error = error};
	struct expr_action **sorted;
	tide_err rc;

	if ((rc = read_text(&b, text)) != TIDE_OK || (rc = expr_check_update(&b, &sorted)) != TIDE_OK)
		return rc;
	return expr_update_new(&b, sorted, out);
}

uint32_t
expr_update_names(const struct expr_update *update, const struct bytes **names)
{
	*names = update->names;
	return update->names_n;
}

/* ---- projections ---- */

static tide_err
projection_new(struct expr_builder *b, struct expr_action **sorted, const struct expr_projection **out)
{
	struct expr_projection *projection = arena_calloc(b->arena, sizeof *projection);
	tide_err rc;

	if (projection == NULL)
		return TIDE_NOMEM;
	projection->paths = b->actions;
	if ((rc = expr_tree_build(b, sorted, &projection->tree)) != TIDE_OK ||
	    (rc = expr_tree_names(b->arena, projection->tree, &projection->names, &projection->names_n)) !=
		TIDE_OK)
		return rc;
	*out = projection;
	return TIDE_OK;
}

tide_err
expr_projection_new(struct expr_builder *b, const struct expr_projection **out)
{
	struct expr_action **sorted;
	tide_err rc;

	if ((rc = expr_tree_sort(b, &sorted)) != TIDE_OK || (rc = expr_tree_check(b, sorted)) != TIDE_OK)
		return rc;
	return projection_new(b, sorted, out);
}

tide_err
expr_projection_parse(struct arena *arena, struct bytes text, struct expr_scope *scope,
    const struct expr_projection **out, struct tide_error *error)
{
	struct expr_builder b = {.arena = arena, .kind = EXPR_PROJECTION, .scope = scope, .error = error};
	struct expr_action **sorted;
	tide_err rc;

	if ((rc = read_text(&b, text)) != TIDE_OK || (rc = expr_check_projection(&b, &sorted)) != TIDE_OK)
		return rc;
	return projection_new(&b, sorted, out);
}

tide_err
expr_projection_of_names(struct arena *arena, const struct bytes *names, uint32_t n,
    const struct expr_projection **out, struct tide_error *error)
{
	struct expr_builder b = {.arena = arena, .kind = EXPR_PROJECTION, .error = error};
	const struct expr_action *twice = NULL; /* the first in the order given */
	struct expr_action **sorted;
	tide_err rc;

	for (uint32_t i = 0; i < n; i++) {
		struct bytes name = arena_copy(arena, names[i]);

		if (name.at == NULL)
			return TIDE_NOMEM;
		expr_action_append(&b, expr_path_new(&b, expr_step_name(&b, name, false)), NULL);
	}
	if (b.nomem)
		return TIDE_NOMEM;
	if ((rc = expr_tree_sort(&b, &sorted)) != TIDE_OK)
		return rc;
	for (uint32_t i = 1; i < n; i++) {
		if (expr_path_equal(sorted[i - 1]->path, sorted[i]->path) &&
		    (twice == NULL || sorted[i]->index < twice->index))
			twice = sorted[i];
	}
	if (twice != NULL)
		return tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values were invalid: Duplicate value in attribute name: %.*s",
		    (int)twice->path->first->name.n, (const char *)twice->path->first->name.at);
	return projection_new(&b, sorted, out);
}

tide_err
expr_projection_apply(const struct expr_projection *projection, struct arena *arena, const struct value *item,
    struct value *out)
{
	return expr_tree_project(projection->tree, arena, item, out);
}

uint32_t
expr_projection_names(const struct expr_projection *projection, const struct bytes **names)
{
	*names = projection->names;
	return projection->names_n;
}
