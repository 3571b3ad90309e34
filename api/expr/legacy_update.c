/* Updates and projections from before expressions. */
#include "api/expr/ast.h"
#include "api/expr/legacy.h"

#define INVALID "One or more parameter values were invalid: "

/* ---- AttributeUpdates ---- */

static tide_err
check_type(enum expr_action_type type, enum value_type value, struct tide_error *error)
{
	uint32_t allowed = type == EXPR_SET      ? UINT32_MAX
			   : type == EXPR_DELETE ? EXPR_SETS
						 : EXPR_SETS | EXPR_TYPE(N) | EXPR_TYPE(L);

	if ((allowed & UINT32_C(1) << value) != 0)
		return TIDE_OK;
	return tide_fail(error, TIDE_VALIDATION, INVALID "%s is not supported for the type %s",
	    type == EXPR_ADD ? "ADD action" : "DELETE action with value", value_type_name(value));
}

static enum expr_action_type
action_type(const struct json *update)
{
	const struct json *action = json_get(update, "Action");

	if (action != NULL && action->type == JSON_STRING && bytes_is(action->text, "ADD"))
		return EXPR_ADD;
	if (action != NULL && action->type == JSON_STRING && bytes_is(action->text, "DELETE"))
		return EXPR_DELETE;
	return EXPR_SET;
}

static tide_err
append(struct expr_builder *b, struct bytes name, const struct json *update)
{
	const struct json *json = json_get(update, "Value");
	enum expr_action_type type = action_type(update);
	struct expr_node *node = NULL;
	struct value *value;
	tide_err rc;

	if ((rc = expr_legacy_check_name(name, b->error)) != TIDE_OK)
		return rc;
	if (json == NULL && type != EXPR_DELETE)
		return tide_fail(b->error, TIDE_VALIDATION,
		    INVALID "Only DELETE action is allowed when no attribute value is specified");
	if (json != NULL) {
		if ((value = arena_calloc(b->arena, sizeof *value)) == NULL ||
		    (node = expr_node_value(b, BYTES_NONE)) == NULL)
			return TIDE_NOMEM;
		if ((rc = json_to_value(b->arena, json, value, b->error)) != TIDE_OK ||
		    (rc = check_type(type, value->type, b->error)) != TIDE_OK)
			return rc;
		node->value = value;
	}
	b->section = json == NULL ? EXPR_REMOVE : type;
	b->sections[b->section] = 1;
	expr_action_append(b, expr_path_new(b, expr_step_name(b, name, false)), node);
	return b->nomem ? TIDE_NOMEM : TIDE_OK;
}

tide_err
expr_legacy_updates(
    struct arena *arena, const struct json *updates, const struct expr_update **out, struct tide_error *error)
{
	struct expr_builder b = {.arena = arena, .kind = EXPR_UPDATE, .error = error, .legacy = true};
	struct expr_legacy_members members;
	struct expr_action **sorted;
	tide_err rc;

	*out = NULL;
	if (updates == NULL)
		return TIDE_OK;
	if ((rc = expr_legacy_members(arena, updates, &members)) != TIDE_OK || members.n == 0)
		return rc;
	for (uint32_t i = 0; i < members.n; i++) {
		if ((rc = append(&b, members.at[i]->name, &members.at[i]->value)) != TIDE_OK)
			return rc;
	}
	if ((rc = expr_tree_sort(&b, &sorted)) != TIDE_OK)
		return rc;
	return expr_update_new(&b, sorted, out);
}

/* ---- AttributesToGet ---- */

tide_err
expr_legacy_projection(struct arena *arena, const struct json *names, const struct expr_projection **out,
    struct tide_error *error)
{
	struct bytes *at;
	tide_err rc;

	*out = NULL;
	if (names == NULL || names->type != JSON_ARRAY || names->array.n == 0)
		return TIDE_OK;
	if ((at = arena_alloc(arena, names->array.n * sizeof *at)) == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < names->array.n; i++) {
		const struct json *name = &names->array.at[i];

		at[i] = name->type == JSON_STRING ? name->text : BYTES_NONE;
		if ((rc = expr_legacy_check_name(at[i], error)) != TIDE_OK)
			return rc;
	}
	return expr_projection_of_names(arena, at, names->array.n, out, error);
}
