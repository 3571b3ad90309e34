#include "api/expr/ast.h"

#include <assert.h>
#include <stdlib.h>

/* ---- overlaps ---- */

enum clash { CLASH_NONE, CLASH_OVERLAP, CLASH_CONFLICT };

static enum clash
paths_clash(const struct expr_path *a, const struct expr_path *b)
{
	const struct expr_step *x = a->first, *y = b->first;

	for (; x != NULL && y != NULL; x = x->next, y = y->next) {
		if (x->is_index != y->is_index)
			return CLASH_CONFLICT;
		if (expr_step_compare(x, y) != 0)
			return CLASH_NONE;
	}
	return CLASH_OVERLAP;
}

static int
action_compare(const void *left, const void *right)
{
	const struct expr_action *a = *(struct expr_action *const *)left,
				 *b = *(struct expr_action *const *)right;
	const struct expr_step *x = a->path->first, *y = b->path->first;
	int order;

	for (; x != NULL && y != NULL; x = x->next, y = y->next) {
		if ((order = expr_step_compare(x, y)) != 0)
			return order;
	}
	if (x != NULL || y != NULL)
		return x != NULL ? 1 : -1;
	return (a->index > b->index) - (a->index < b->index);
}

tide_err
expr_tree_sort(struct expr_builder *b, struct expr_action ***sorted)
{
	struct expr_action **at = arena_alloc(b->arena, b->actions_n * sizeof *at);
	uint32_t n = 0;

	if (at == NULL)
		return TIDE_NOMEM;
	for (struct expr_action *action = b->actions; action != NULL; action = action->next)
		at[n++] = action;
	assert(n == b->actions_n);
	if (n > 1)
		qsort(at, n, sizeof *at, action_compare);
	*sorted = at;
	return TIDE_OK;
}

/* Only once something is known to clash: the first pair in the order written, overlaps before conflicts. */
static tide_err
clash_fail(struct expr_builder *b, enum clash wanted)
{
	char one[EXPR_PATH_TEXT_MAX], two[EXPR_PATH_TEXT_MAX];

	for (struct expr_action *y = b->actions; y != NULL; y = y->next) {
		for (struct expr_action *x = b->actions; x != y; x = x->next) {
			if (paths_clash(x->path, y->path) != wanted)
				continue;
			expr_path_format(x->path, one);
			expr_path_format(y->path, two);
			return expr_invalid(b,
			    "Two document paths %s with each other; must remove or rewrite one of these "
			    "paths; "
			    "path one: %s, path two: %s",
			    wanted == CLASH_OVERLAP ? "overlap" : "conflict", one, two);
		}
	}
	assert(!"a clash between neighbours is a clash of two paths");
	return TIDE_INTERNAL;
}

tide_err
expr_tree_check(struct expr_builder *b, struct expr_action **sorted)
{
	enum clash worst = CLASH_NONE, clash;

	/* In sorted order a path is followed at once by those within it, and the indexes under a path by its names. */
	for (uint32_t i = 1; i < b->actions_n && worst != CLASH_OVERLAP; i++) {
		clash = paths_clash(sorted[i - 1]->path, sorted[i]->path);
		if (clash != CLASH_NONE)
			worst = clash;
	}
	return worst != CLASH_NONE ? clash_fail(b, worst) : TIDE_OK;
}

/* ---- the tree ---- */

tide_err
expr_tree_build(struct expr_builder *b, struct expr_action **sorted, const struct expr_tree **out)
{
	struct expr_tree *spine[EXPR_PATH_DEPTH_MAX + 1] = {NULL}; /* the newest node of each depth */
	struct expr_tree root = {0};

	spine[0] = &root;
	for (uint32_t i = 0; i < b->actions_n; i++) {
		const struct expr_step *step = sorted[i]->path->first;
		const struct expr_step *before = i > 0 ? sorted[i - 1]->path->first : NULL;
		uint32_t depth = 0;

		assert(sorted[i]->path->n <= EXPR_PATH_DEPTH_MAX);
		for (; before != NULL && expr_step_compare(before, step) == 0; before = before->next) {
			step = step->next;
			depth++;
			assert(step != NULL); /* no path is within another */
		}
		for (bool sibling = i > 0; step != NULL; step = step->next, depth++, sibling = false) {
			struct expr_tree *node = arena_calloc(b->arena, sizeof *node);

			if (node == NULL)
				return TIDE_NOMEM;
			node->name = step->name;
			node->index = step->index;
			node->is_index = step->is_index;
			if (sibling)
				spine[depth + 1]->next = node;
			else
				spine[depth]->child = node;
			spine[depth + 1] = node;
			if (step->next == NULL)
				node->action = sorted[i];
		}
	}
	*out = root.child;
	return TIDE_OK;
}

tide_err
expr_tree_names(struct arena *arena, const struct expr_tree *tree, const struct bytes **names, uint32_t *n)
{
	const struct expr_tree *node;
	struct bytes *at;
	uint32_t i = 0;

	for (node = tree; node != NULL; node = node->next)
		i++;
	if ((at = arena_alloc(arena, i * sizeof *at)) == NULL)
		return TIDE_NOMEM;
	*n = i;
	for (node = tree, i = 0; node != NULL; node = node->next)
		at[i++] = node->name;
	*names = at;
	return TIDE_OK;
}

/* ---- projection ---- */

static uint32_t
siblings(const struct expr_tree *node)
{
	uint32_t n = 0;

	for (; node != NULL; node = node->next)
		n++;
	return n;
}

static tide_err project(const struct expr_tree *level, struct arena *arena, const struct value *in,
    struct value *out, bool *found);

static tide_err
project_child(
    const struct expr_tree *node, struct arena *arena, const struct value *in, struct value *out, bool *found)
{
	*found = false;
	if (in == NULL)
		return TIDE_OK;
	if (node->child != NULL)
		return project(node->child, arena, in, out, found);
	*out = *in;
	*found = true;
	return TIDE_OK;
}

static tide_err
project_map(const struct expr_tree *level, struct arena *arena, const struct value *in, struct value *out)
{
	struct member *at = arena_alloc(arena, siblings(level) * sizeof *at);
	uint32_t n = 0;
	bool found;
	tide_err rc;

	if (at == NULL)
		return TIDE_NOMEM;
	for (; level != NULL; level = level->next) {
		if ((rc = project_child(
			 level, arena, value_map_get(in, level->name), &at[n].value, &found)) != TIDE_OK)
			return rc;
		if (found)
			at[n++].name = level->name;
	}
	out->type = VALUE_M;
	out->map.at = at;
	out->map.n = n;
	return TIDE_OK;
}

static tide_err
project_list(const struct expr_tree *level, struct arena *arena, const struct value *in, struct value *out)
{
	struct value *at = arena_alloc(arena, siblings(level) * sizeof *at);
	uint32_t n = 0;
	bool found;
	tide_err rc;

	if (at == NULL)
		return TIDE_NOMEM;
	for (; level != NULL && level->index < in->list.n; level = level->next) {
		if ((rc = project_child(level, arena, &in->list.at[level->index], &at[n], &found)) != TIDE_OK)
			return rc;
		n += found;
	}
	out->type = VALUE_L;
	out->list.at = at;
	out->list.n = n;
	return TIDE_OK;
}

/* Recursion is as deep as the longest path: EXPR_PATH_DEPTH_MAX. */
static tide_err
project(const struct expr_tree *level, struct arena *arena, const struct value *in, struct value *out,
    bool *found)
{
	tide_err rc;

	*found = false;
	if (in->type != (level->is_index ? VALUE_L : VALUE_M))
		return TIDE_OK;
	if (level->is_index) {
		rc = project_list(level, arena, in, out);
		*found = rc == TIDE_OK && out->list.n > 0;
	} else {
		rc = project_map(level, arena, in, out);
		*found = rc == TIDE_OK && out->map.n > 0;
	}
	return rc;
}

tide_err
expr_tree_project(
    const struct expr_tree *tree, struct arena *arena, const struct value *item, struct value *out)
{
	struct value projected;
	bool found = false;
	tide_err rc = TIDE_OK;

	if (item != NULL && tree != NULL)
		rc = project(tree, arena, item, &projected, &found);
	if (rc != TIDE_OK)
		return rc;
	*out = found ? projected : (struct value){.type = VALUE_M};
	return TIDE_OK;
}
