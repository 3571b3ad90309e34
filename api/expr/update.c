/*
 * Updates. First every action's result is computed from the item before; then one walk over the tree of updated paths
 * rebuilds the maps and lists on the way and shares everything else.
 */
#include "api/expr/operand.h"

#include <stdlib.h>

struct rebuild {
	struct arena *arena;
	const struct value **results; /* by the actions' index */
	bool created; /* there was no item before */
	struct tide_error *error;
};

static tide_err
path_fail(struct rebuild *r)
{
	return tide_fail(r->error, TIDE_VALIDATION,
	    "The document path provided in the update expression is invalid for update");
}

/* Levels of maps and lists, the value itself included; no more than `most` + 1 are looked at. */
static uint32_t
levels(const struct value *value, uint32_t most)
{
	uint32_t n = value->type == VALUE_M ? value->map.n : value->type == VALUE_L ? value->list.n : 0;
	uint32_t deepest = 0, below;

	if (value->type != VALUE_M && value->type != VALUE_L)
		return 0;
	for (uint32_t i = 0; i < n && most > 0 && deepest < most; i++) {
		below =
		    levels(value->type == VALUE_M ? &value->map.at[i].value : &value->list.at[i], most - 1);
		if (below > deepest)
			deepest = below;
	}
	return 1 + deepest;
}

static tide_err
check_nesting(struct rebuild *r, const struct expr_action *action, const struct value *value)
{
	uint32_t above = action->path->n - 1;

	if (levels(value, NESTING_MAX - above) + above <= NESTING_MAX)
		return TIDE_OK;
	return tide_fail(r->error, TIDE_VALIDATION,
	    "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond "
	    "supported "
	    "limit");
}

/* Whether something is put anywhere below; what only removes may pass by what a missing item does not have. */
static bool
puts_something(const struct expr_tree *node)
{
	if (node->child == NULL)
		return node->action->type == EXPR_SET || node->action->type == EXPR_ADD;
	for (node = node->child; node != NULL; node = node->next) {
		if (puts_something(node))
			return true;
	}
	return false;
}

static tide_err rebuild_map(
    struct rebuild *r, const struct expr_tree *level, const struct value *old, struct value *out);
static tide_err rebuild_list(
    struct rebuild *r, const struct expr_tree *level, const struct value *old, struct value *out);

/* What is at a node afterwards; `*kept` false: nothing. */
static tide_err
rebuild_node(
    struct rebuild *r, const struct expr_tree *node, const struct value *old, struct value *out, bool *kept)
{
	const struct value *result;
	bool list;

	if (node->child == NULL) {
		result = r->results[node->action->index];
		*kept = result != NULL;
		if (result == NULL)
			return TIDE_OK;
		*out = *result;
		return check_nesting(r, node->action, result);
	}
	list = node->child->is_index;
	*kept = old != NULL;
	if (old == NULL && r->created && !puts_something(node))
		return TIDE_OK;
	if (old == NULL || old->type != (list ? VALUE_L : VALUE_M))
		return path_fail(r);
	return list ? rebuild_list(r, node->child, old, out) : rebuild_map(r, node->child, old, out);
}

static uint32_t
siblings(const struct expr_tree *node)
{
	uint32_t n = 0;

	for (; node != NULL; node = node->next)
		n++;
	return n;
}

/* Old members and updated ones are both in order of their names: one merge. Depth: EXPR_PATH_DEPTH_MAX. */
static tide_err
rebuild_map(struct rebuild *r, const struct expr_tree *level, const struct value *old, struct value *out)
{
	struct member *at = arena_alloc(r->arena, ((size_t)old->map.n + siblings(level)) * sizeof *at);
	uint32_t i = 0, n = 0;
	tide_err rc;

	if (at == NULL)
		return TIDE_NOMEM;
	while (i < old->map.n || level != NULL) {
		const struct member *member = i < old->map.n ? &old->map.at[i] : NULL;
		int order = member == NULL  ? 1
			    : level == NULL ? -1
					    : bytes_compare(member->name, level->name);
		bool kept;

		if (order < 0) {
			at[n++] = *member;
			i++;
			continue;
		}
		rc = rebuild_node(r, level, order == 0 ? &member->value : NULL, &at[n].value, &kept);
		if (rc != TIDE_OK)
			return rc;
		if (kept)
			at[n++].name = level->name;
		level = level->next;
		i += order == 0;
	}
	out->type = VALUE_M;
	out->map.at = at;
	out->map.n = n;
	return TIDE_OK;
}

/* Indexes are those of the list before. What is put beyond its end is appended, in order of the indexes. */
static tide_err
rebuild_list(struct rebuild *r, const struct expr_tree *level, const struct value *old, struct value *out)
{
	struct value *at = arena_alloc(r->arena, ((size_t)old->list.n + siblings(level)) * sizeof *at);
	uint32_t n = 0;
	bool kept;
	tide_err rc;

	if (at == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < old->list.n; i++) {
		if (level == NULL || level->index != i) {
			at[n++] = old->list.at[i];
			continue;
		}
		if ((rc = rebuild_node(r, level, &old->list.at[i], &at[n], &kept)) != TIDE_OK)
			return rc;
		n += kept;
		level = level->next;
	}
	for (; level != NULL; level = level->next) {
		if ((rc = rebuild_node(r, level, NULL, &at[n], &kept)) != TIDE_OK)
			return rc;
		n += kept;
	}
	out->type = VALUE_L;
	out->list.at = at;
	out->list.n = n;
	return TIDE_OK;
}

tide_err
expr_update_apply(const struct expr_update *update, struct arena *arena, const struct value *item,
    const struct value *key, const struct value **out, struct tide_error *error)
{
	struct rebuild r = {.arena = arena, .created = item == NULL, .error = error};
	struct value *after;
	tide_err rc;

	if (item == NULL && !update->creates) {
		*out = NULL;
		return TIDE_OK;
	}
	r.results = arena_alloc(arena, update->n * sizeof(*r.results));
	if (r.results == NULL || (after = arena_calloc(arena, sizeof *after)) == NULL)
		return TIDE_NOMEM;
	for (const struct expr_action *action = update->actions; action != NULL; action = action->next) {
		if ((rc = expr_action_result(action, arena, item, &r.results[action->index], error)) !=
		    TIDE_OK)
			return rc;
	}
	if ((rc = rebuild_map(&r, update->tree, item != NULL ? item : key, after)) != TIDE_OK)
		return rc;
	*out = after;
	return TIDE_OK;
}

tide_err
expr_update_returned(const struct expr_update *update, struct arena *arena, const struct value *before,
    const struct value *after, enum expr_updated which, struct value *out)
{
	return expr_tree_project(update->tree, arena, which == EXPR_UPDATED_OLD ? before : after, out);
}

tide_err
expr_update_check_keys(
    const struct expr_update *update, const struct bytes *key_names, uint32_t n, struct tide_error *error)
{
	for (const struct expr_action *action = update->actions; action != NULL; action = action->next) {
		struct bytes name = action->path->first->name;

		for (uint32_t i = 0; i < n; i++) {
			if (bytes_equal(name, key_names[i]))
				return tide_fail(error, TIDE_VALIDATION,
				    "One or more parameter values were invalid: Cannot update attribute "
				    "%.*s. This attribute is "
				    "part of the key",
				    (int)name.n, (const char *)name.at);
		}
	}
	return TIDE_OK;
}
