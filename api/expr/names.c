#include "api/expr/ast.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME_BYTES_MAX 65535

/* ---- the two maps ---- */

static int
name_compare(const void *a, const void *b)
{
	return bytes_compare(
	    ((const struct expr_name *)a)->placeholder, ((const struct expr_name *)b)->placeholder);
}

static int
value_slot_compare(const void *a, const void *b)
{
	return bytes_compare(
	    ((const struct expr_value *)a)->placeholder, ((const struct expr_value *)b)->placeholder);
}

static bool
placeholder_valid(struct bytes key, char sigil)
{
	if (key.n < 2 || key.at[0] != sigil)
		return false;
	for (size_t i = 1; i < key.n; i++) {
		uint8_t c = key.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
			return false;
	}
	return true;
}

static tide_err
check_keys(const struct json *map, const char *parameter, char sigil, struct tide_error *error)
{
	if (map->type != JSON_OBJECT)
		return tide_fail(error, TIDE_SERIALIZATION, "Unexpected token received from parser");
	if (map->object.n == 0)
		return tide_fail(error, TIDE_VALIDATION, "%s must not be empty", parameter);
	for (uint32_t i = 0; i < map->object.n; i++) {
		struct bytes key = map->object.at[i].name;

		if (key.n > EXPR_PLACEHOLDER_BYTES_MAX)
			return tide_fail(error, TIDE_VALIDATION,
			    "%s contains invalid key: The expression attribute map contains a key that is "
			    "too long; size of "
			    "key: %zu",
			    parameter, key.n);
		if (!placeholder_valid(key, sigil))
			return tide_fail(error, TIDE_VALIDATION,
			    "%s contains invalid key: Syntax error; key: \"%.*s\"", parameter, (int)key.n,
			    (const char *)key.at);
	}
	return TIDE_OK;
}

static tide_err
read_names(struct arena *arena, const struct json *map, struct expr_names *out, struct tide_error *error)
{
	struct expr_name *at;
	tide_err rc;

	if ((rc = check_keys(map, "ExpressionAttributeNames", '#', error)) != TIDE_OK)
		return rc;
	if ((at = arena_alloc(arena, map->object.n * sizeof *at)) == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < map->object.n; i++) {
		const struct json_member *member = &map->object.at[i];

		if (member->value.type != JSON_STRING)
			return tide_fail(error, TIDE_SERIALIZATION, "Unexpected token received from parser");
		if (member->value.text.n == 0)
			return tide_fail(error, TIDE_VALIDATION,
			    "ExpressionAttributeNames contains invalid value: Empty attribute name for key "
			    "%.*s",
			    (int)member->name.n, (const char *)member->name.at);
		if (member->value.text.n > NAME_BYTES_MAX)
			return tide_fail(error, TIDE_VALIDATION,
			    "One or more parameter values were invalid: Attribute name is too large, must be "
			    "less than "
			    "65536 bytes");
		at[i] = (struct expr_name){member->name, member->value.text, false};
	}
	qsort(at, map->object.n, sizeof *at, name_compare);
	*out = (struct expr_names){at, map->object.n};
	return TIDE_OK;
}

static tide_err
read_values(struct arena *arena, const struct json *map, struct expr_values *out, struct tide_error *error)
{
	struct tide_error why = {.code = TIDE_OK};
	struct expr_value *at;
	tide_err rc;

	if ((rc = check_keys(map, "ExpressionAttributeValues", ':', error)) != TIDE_OK)
		return rc;
	if ((at = arena_calloc(arena, map->object.n * sizeof *at)) == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < map->object.n; i++) {
		const struct json_member *member = &map->object.at[i];

		at[i].placeholder = member->name;
		rc = json_to_value(arena, &member->value, &at[i].value, &why);
		if (rc == TIDE_VALIDATION)
			return tide_fail(error, rc,
			    "ExpressionAttributeValues contains invalid value: %s for key %.*s", why.message,
			    (int)member->name.n, (const char *)member->name.at);
		if (rc != TIDE_OK)
			return tide_fail(error, rc, "%s", why.message);
	}
	qsort(at, map->object.n, sizeof *at, value_slot_compare);
	*out = (struct expr_values){at, map->object.n};
	return TIDE_OK;
}

tide_err
expr_scope_init(struct arena *arena, const struct json *names, const struct json *values,
    struct expr_scope *out, struct tide_error *error)
{
	struct expr_scope scope = {0};
	tide_err rc = TIDE_OK;

	if (names != NULL)
		rc = read_names(arena, names, &scope.names, error);
	if (rc == TIDE_OK && values != NULL)
		rc = read_values(arena, values, &scope.values, error);
	if (rc == TIDE_OK)
		*out = scope;
	return rc;
}

/* ---- against the other parameters ---- */

/* Appends the parameters that the request has, joined by ", "; their number. */
static uint32_t
list_present(
    const struct json *request, const char *const *parameters, bool legacy_keys, char *text, size_t room)
{
	uint32_t n = 0;
	size_t used = 0;

	text[0] = '\0';
	for (; parameters != NULL && *parameters != NULL; parameters++) {
		if (json_get(request, *parameters) == NULL)
			continue;
		/* KeyConditions may go with expressions as long as KeyConditionExpression is absent. */
		if (!legacy_keys && strcmp(*parameters, "KeyConditions") == 0)
			continue;
		if (used < room)
			used += (size_t)snprintf(
			    text + used, room - used, "%s%s", n > 0 ? ", " : "", *parameters);
		n++;
	}
	return n;
}

static tide_err
values_without_expression(const char *const *expressions, struct tide_error *error)
{
	char text[256];
	size_t used = 0;
	uint32_t n = 0;

	text[0] = '\0';
	for (; *expressions != NULL; expressions++) {
		if (strcmp(*expressions, "ProjectionExpression") == 0)
			continue;
		if (used < sizeof text)
			used += (size_t)snprintf(
			    text + used, sizeof text - used, "%s%s", n > 0 ? " and " : "", *expressions);
		n++;
	}
	return tide_fail(error, TIDE_VALIDATION,
	    "ExpressionAttributeValues can only be specified when using expressions: %s %s null", text,
	    n > 1 ? "are" : "is");
}

/* Whether the operation takes an expression that may use values, and whether the request has one. */
static void
values_users(const struct json *request, const char *const *expressions, bool *possible, bool *present)
{
	*possible = *present = false;
	for (; *expressions != NULL; expressions++) {
		if (strcmp(*expressions, "ProjectionExpression") == 0)
			continue;
		*possible = true;
		*present |= json_get(request, *expressions) != NULL;
	}
}

tide_err
expr_scope_read(struct arena *arena, const struct json *request, const char *const *expressions,
    const char *const *legacy, struct expr_scope *out, struct tide_error *error)
{
	const struct json *names = json_get(request, "ExpressionAttributeNames");
	const struct json *values = json_get(request, "ExpressionAttributeValues");
	bool legacy_keys = json_get(request, "KeyConditionExpression") != NULL;
	bool possible, present;
	char new_style[256], old_style[256];
	uint32_t new_n = list_present(request, expressions, true, new_style, sizeof new_style);
	uint32_t old_n = list_present(request, legacy, legacy_keys, old_style, sizeof old_style);

	if (new_n > 0 && old_n > 0)
		return tide_fail(error, TIDE_VALIDATION,
		    "Can not use both expression and non-expression parameters in the same request: "
		    "Non-expression "
		    "parameters: {%s} Expression parameters: {%s}",
		    old_style, new_style);
	if (names != NULL && new_n == 0)
		return tide_fail(error, TIDE_VALIDATION,
		    "ExpressionAttributeNames can only be specified when using expressions");
	values_users(request, expressions, &possible, &present);
	if (values != NULL && possible && !present)
		return values_without_expression(expressions, error);
	return expr_scope_init(arena, names, possible ? values : NULL, out, error);
}

/* ---- use ---- */

const struct bytes *
expr_scope_use_name(struct expr_scope *scope, struct bytes placeholder)
{
	struct expr_name key = {.placeholder = placeholder}, *found;

	if (scope == NULL || scope->names.n == 0)
		return NULL;
	found = bsearch(&key, scope->names.at, scope->names.n, sizeof key, name_compare);
	if (found == NULL)
		return NULL;
	found->used = true;
	return &found->name;
}

const struct value *
expr_scope_use_value(struct expr_scope *scope, struct bytes placeholder)
{
	struct expr_value key = {.placeholder = placeholder}, *found;

	if (scope == NULL || scope->values.n == 0)
		return NULL;
	found = bsearch(&key, scope->values.at, scope->values.n, sizeof key, value_slot_compare);
	if (found == NULL)
		return NULL;
	found->used = true;
	return &found->value;
}

struct unused_list {
	char text[TIDE_MESSAGE_MAX];
	size_t n;
};

static void
unused_append(struct unused_list *list, struct bytes placeholder)
{
	int wrote = snprintf(list->text + list->n, sizeof list->text - list->n, "%s%.*s",
	    list->n > 0 ? ", " : "", (int)placeholder.n, (const char *)placeholder.at);

	list->n += wrote > 0 ? (size_t)wrote : 0;
	if (list->n >= sizeof list->text)
		list->n = sizeof list->text - 1;
}

static tide_err
unused_fail(const struct unused_list *list, const char *parameter, struct tide_error *error)
{
	return tide_fail(error, TIDE_VALIDATION, "Value provided in %s unused in expressions: keys: {%s}",
	    parameter, list->text);
}

tide_err
expr_scope_check_used(const struct expr_scope *scope, struct tide_error *error)
{
	struct unused_list list = {.n = 0};

	for (uint32_t i = 0; i < scope->names.n; i++) {
		if (!scope->names.at[i].used)
			unused_append(&list, scope->names.at[i].placeholder);
	}
	if (list.n > 0)
		return unused_fail(&list, "ExpressionAttributeNames", error);
	for (uint32_t i = 0; i < scope->values.n; i++) {
		if (!scope->values.at[i].used)
			unused_append(&list, scope->values.at[i].placeholder);
	}
	return list.n > 0 ? unused_fail(&list, "ExpressionAttributeValues", error) : TIDE_OK;
}
