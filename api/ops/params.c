#include "api/ops/params.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define PATH_MAX_BYTES 512
#define VALUE_PRINT_MAX 512 /* of one value in a sentence */
#define DEPTH_MAX 8 /* of the tables, not of the request */

/* Where a check stands: "keySchema.1.member.attributeName". */
struct path {
	char text[PATH_MAX_BYTES];
	size_t n;
};

static void
path_step(struct path *path, const char *name, size_t n)
{
	size_t room = sizeof path->text - 1 - path->n;

	if (path->n > 0 && room > 0) {
		path->text[path->n++] = '.';
		room--;
	}
	if (n > room)
		n = room;
	memcpy(path->text + path->n, name, n);
	path->n += n;
	path->text[path->n] = '\0';
}

/* A parameter begins with a small letter in a path. */
static void
path_push(struct path *path, const char *name, size_t n)
{
	size_t start = path->n == 0 ? 0 : path->n + 1;

	path_step(path, name, n);
	if (start < path->n && path->text[start] >= 'A' && path->text[start] <= 'Z')
		path->text[start] = (char)(path->text[start] - 'A' + 'a');
}

static void
path_pop(struct path *path, size_t n)
{
	path->n = n;
	path->text[n] = 0;
}

/* --- first pass: types --- */

static tide_err
wrong_scalar(const struct json *json, const char *class, struct tide_error *error)
{
	switch (json->type) {
	case JSON_NUMBER:
		return tide_fail(error, TIDE_SERIALIZATION, "NUMBER_VALUE cannot be converted to %s", class);
	case JSON_STRING:
		if (strcmp(class, "Boolean") == 0)
			return tide_fail(error, TIDE_SERIALIZATION, "Unexpected token received from parser");
		return tide_fail(error, TIDE_SERIALIZATION, "STRING_VALUE cannot be converted to %s", class);
	case JSON_TRUE:
		return tide_fail(error, TIDE_SERIALIZATION, "TRUE_VALUE cannot be converted to %s", class);
	case JSON_FALSE:
		return tide_fail(error, TIDE_SERIALIZATION, "FALSE_VALUE cannot be converted to %s", class);
	case JSON_ARRAY:
		return tide_fail(
		    error, TIDE_SERIALIZATION, "Unrecognized collection type class java.lang.%s", class);
	default:
		return tide_fail(
		    error, TIDE_SERIALIZATION, "Start of structure or map found where not expected");
	}
}

static tide_err
wrong_collection(const struct param *p, const struct json *json, struct tide_error *error)
{
	if (json->type == JSON_ARRAY && p->java != NULL)
		return tide_fail(error, TIDE_SERIALIZATION,
		    "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.%s", p->java);
	if (json->type == JSON_ARRAY)
		return tide_fail(
		    error, TIDE_SERIALIZATION, "Unrecognized collection type class java.util.Map");
	if (json->type == JSON_OBJECT)
		return tide_fail(
		    error, TIDE_SERIALIZATION, "Start of structure or map found where not expected");
	return tide_fail(error, TIDE_SERIALIZATION, "Unexpected field type");
}

/* The whole number that a JSON number is, a fraction cut off as the service does; out of range: the nearest bound. */
static int64_t
number_of(struct bytes text)
{
	char copy[64];
	double v;

	if (text.n == 0 || text.n >= sizeof copy)
		return 0;
	memcpy(copy, text.at, text.n);
	copy[text.n] = 0;
	if (memchr(copy, '.', text.n) == NULL && memchr(copy, 'e', text.n) == NULL &&
	    memchr(copy, 'E', text.n) == NULL)
		return strtoll(copy, NULL, 10);
	v = strtod(copy, NULL);
	if (v >= 9.2e18)
		return INT64_MAX;
	return v <= -9.2e18 ? INT64_MIN : (int64_t)v;
}

static tide_err check_members(
    const struct param *shape, const struct json *object, unsigned depth, struct tide_error *error);

static tide_err
check_type(const struct param *p, const struct json *json, unsigned depth, struct tide_error *error)
{
	tide_err rc = TIDE_OK;

	switch (p->type) {
	case PARAM_STRING:
		return json->type == JSON_STRING ? TIDE_OK : wrong_scalar(json, "String", error);
	case PARAM_INTEGER:
		return json->type == JSON_NUMBER ? TIDE_OK : wrong_scalar(json, "Integer", error);
	case PARAM_LONG:
		return json->type == JSON_NUMBER ? TIDE_OK : wrong_scalar(json, "Long", error);
	case PARAM_BOOLEAN:
		return json->type == JSON_TRUE || json->type == JSON_FALSE
			   ? TIDE_OK
			   : wrong_scalar(json, "Boolean", error);
	case PARAM_LIST:
		if (json->type != JSON_ARRAY)
			return wrong_collection(p, json, error);
		for (uint32_t i = 0;
		     p->members != NULL && depth < DEPTH_MAX && i < json->array.n && rc == TIDE_OK; i++) {
			if (json->array.at[i].type != JSON_NULL)
				rc = check_type(p->members, &json->array.at[i], depth + 1, error);
		}
		return rc;
	case PARAM_MAP:
		if (json->type != JSON_OBJECT)
			return wrong_collection(p, json, error);
		for (uint32_t i = 0;
		     p->members != NULL && depth < DEPTH_MAX && i < json->object.n && rc == TIDE_OK; i++) {
			if (json->object.at[i].value.type != JSON_NULL)
				rc = check_type(p->members, &json->object.at[i].value, depth + 1, error);
		}
		return rc;
	case PARAM_STRUCT:
		if (json->type != JSON_OBJECT)
			return wrong_collection(p, json, error);
		return p->members == NULL || depth >= DEPTH_MAX
			   ? TIDE_OK
			   : check_members(p->members, json, depth + 1, error);
	case PARAM_ITEM:
	case PARAM_VALUE:
		return json->type == JSON_OBJECT ? TIDE_OK : wrong_collection(p, json, error);
	}
	return TIDE_OK;
}

static tide_err
check_members(const struct param *shape, const struct json *object, unsigned depth, struct tide_error *error)
{
	tide_err rc = TIDE_OK;

	for (const struct param *p = shape; p->name != NULL && rc == TIDE_OK; p++) {
		const struct json *v = json_get(object, p->name);

		if (v != NULL && (p->flags & PARAM_REFUSED) == 0)
			rc = check_type(p, v, depth, error);
	}
	return rc;
}

/* --- second pass: constraints --- */

/* As the service prints a value: strings bare, lists in brackets, structures with their class. */
static void
print_value(struct buf *out, const struct json *json, const struct param *p, unsigned depth)
{
	if (out->n > VALUE_PRINT_MAX) {
		return;
	}
	switch (json->type) {
	case JSON_STRING:
	case JSON_NUMBER:
		/* Sentences are C strings: a NUL would end them. */
		for (size_t i = 0; i < json->text.n && i < VALUE_PRINT_MAX; i++)
			buf_append_byte(out, json->text.at[i] == 0 ? '?' : json->text.at[i]);
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		buf_append_string(out, json->type == JSON_TRUE ? "true" : "false");
		break;
	case JSON_NULL:
		buf_append_string(out, "null");
		break;
	case JSON_ARRAY:
		buf_append_byte(out, '[');
		for (uint32_t i = 0; depth < DEPTH_MAX && i < json->array.n && out->n <= VALUE_PRINT_MAX;
		     i++) {
			buf_append_string(out, i == 0 ? "" : ", ");
			print_value(out, &json->array.at[i], p == NULL ? NULL : p->members, depth + 1);
		}
		buf_append_byte(out, ']');
		break;
	case JSON_OBJECT:
		buf_append_string(out, p == NULL || p->java == NULL ? "" : p->java);
		buf_append_byte(out, p == NULL || p->java == NULL ? '{' : '(');
		for (uint32_t i = 0; depth < DEPTH_MAX && i < json->object.n && out->n <= VALUE_PRINT_MAX;
		     i++) {
			struct bytes name = json->object.at[i].name;

			buf_append_string(out, i == 0 ? "" : ", ");
			if (p != NULL && p->java != NULL && name.n > 0 && name.at[0] >= 'A' &&
			    name.at[0] <= 'Z') {
				buf_append_byte(out, (uint8_t)(name.at[0] - 'A' + 'a'));
				name = bytes_of(name.at + 1, name.n - 1);
			}
			buf_append(out, name.at, name.n > 255 ? 255 : name.n);
			buf_append_byte(out, '=');
			print_value(out, &json->object.at[i].value, NULL, depth + 1);
		}
		buf_append_byte(out, p == NULL || p->java == NULL ? '}' : ')');
		break;
	}
}

void
violations_add(struct violations *violations, struct bytes value, const char *at, const char *constraint)
{
	if (++violations->n > VIOLATIONS_MAX)
		return;
	buf_append_string(&violations->text, violations->n == 1 ? "Value " : "; Value ");
	buf_append(&violations->text, value.at, value.n);
	buf_append_format(&violations->text, " at '%s' failed to satisfy constraint: %s", at, constraint);
}

tide_err
violations_finish(struct violations *violations, struct tide_error *error)
{
	tide_err rc = TIDE_OK;

	if (violations->n != 0) {
		rc = tide_fail(error, TIDE_VALIDATION, "%u validation error%s detected: %.*s", violations->n,
		    violations->n == 1 ? "" : "s", (int)violations->text.n,
		    (const char *)violations->text.at);
	}
	buf_fini(&violations->text);
	violations->n = 0;
	return rc;
}

static void
violate(struct violations *violations, const struct json *json, const struct param *p,
    const struct path *path, const char *constraint)
{
	struct buf printed = {0};

	if (json == NULL) {
		violations_add(violations, BYTES_LITERAL("null"), path->text, constraint);
		return;
	}
	buf_append_byte(&printed, '\'');
	print_value(&printed, json, p, 0);
	buf_append_byte(&printed, '\'');
	violations_add(violations, buf_bytes(&printed), path->text, constraint);
	buf_fini(&printed);
}

static bool
name_pattern_holds(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			c == '_' || c == '.' || c == '-'))
			return false;
	}
	return text.n > 0;
}

static void
check_bounds(const struct param *p, const struct json *json, const struct path *path, int64_t v,
    const char *what, struct violations *violations)
{
	char text[96];

	if (p->min == 0 && p->max == 0)
		return;
	if (v < p->min) {
		snprintf(text, sizeof text, "Member must have %s greater than or equal to %lld", what,
		    (long long)p->min);
		violate(violations, json, p, path, text);
	}
	if (p->max != 0 && v > p->max) {
		snprintf(text, sizeof text, "Member must have %s less than or equal to %lld", what,
		    (long long)p->max);
		violate(violations, json, p, path, text);
	}
}

static void
check_enumeration(
    const struct param *p, const struct json *json, const struct path *path, struct violations *violations)
{
	struct buf text = {0};

	buf_append_string(&text, "Member must satisfy enum value set: [");
	for (const char *const *v = p->values; *v != NULL; v++) {
		if (bytes_is(json->text, *v)) {
			buf_fini(&text);
			return;
		}
		buf_append_format(&text, "%s%s", v == p->values ? "" : ", ", *v);
	}
	buf_append(&text, "]", 2);
	violate(violations, json, p, path,
	    text.failed ? "Member must satisfy enum value set" : (const char *)text.at);
	buf_fini(&text);
}

static void check_shape(const struct param *shape, const struct json *object, struct path *path,
    unsigned depth, struct violations *violations);

/* UTF-16 units are what the service counts in a string. */
static int64_t
text_length(struct bytes text)
{
	int64_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += ((text.at[i] & 0xc0) != 0x80) + (text.at[i] >= 0xf0);
	return n;
}

static void
check_constraints(const struct param *p, const struct json *json, struct path *path, unsigned depth,
    struct violations *violations)
{
	char step[32];
	size_t mark = path->n;

	switch (p->type) {
	case PARAM_STRING:
		if ((p->flags & PARAM_OR_ARN) != 0 && json->text.n >= 4 &&
		    memcmp(json->text.at, "arn:", 4) == 0)
			break;
		if (p->pattern != NULL && !name_pattern_holds(json->text) && json->text.n != 0) {
			char text[96];

			snprintf(text, sizeof text, "Member must satisfy regular expression pattern: %s",
			    p->pattern);
			violate(violations, json, p, path, text);
		}
		check_bounds(p, json, path, text_length(json->text), "length", violations);
		if (p->values != NULL)
			check_enumeration(p, json, path, violations);
		break;
	case PARAM_INTEGER:
	case PARAM_LONG:
		check_bounds(p, json, path, number_of(json->text), "value", violations);
		break;
	case PARAM_LIST:
		check_bounds(p, json, path, json->array.n, "length", violations);
		for (uint32_t i = 0; p->members != NULL && depth < DEPTH_MAX && i < json->array.n; i++) {
			snprintf(step, sizeof step, "%u.member", i + 1);
			path_push(path, step, strlen(step));
			if (json->array.at[i].type != JSON_NULL)
				check_constraints(
				    p->members, &json->array.at[i], path, depth + 1, violations);
			path_pop(path, mark);
		}
		break;
	case PARAM_MAP:
		check_bounds(p, json, path, json->object.n, "length", violations);
		for (uint32_t i = 0; p->members != NULL && depth < DEPTH_MAX && i < json->object.n; i++) {
			path_step(path, (const char *)json->object.at[i].name.at, json->object.at[i].name.n);
			path_push(path, "member", 6);
			if (json->object.at[i].value.type != JSON_NULL)
				check_constraints(
				    p->members, &json->object.at[i].value, path, depth + 1, violations);
			path_pop(path, mark);
		}
		break;
	case PARAM_STRUCT:
		if (p->members != NULL && depth < DEPTH_MAX)
			check_shape(p->members, json, path, depth + 1, violations);
		break;
	case PARAM_BOOLEAN:
	case PARAM_ITEM:
	case PARAM_VALUE:
		break;
	}
}

static void
check_shape(const struct param *shape, const struct json *object, struct path *path, unsigned depth,
    struct violations *violations)
{
	size_t mark = path->n;

	for (const struct param *p = shape; p->name != NULL; p++) {
		const struct json *v = json_get(object, p->name);

		if ((p->flags & PARAM_REFUSED) != 0)
			continue;
		path_push(path, p->name, strlen(p->name));
		if (v != NULL)
			check_constraints(p, v, path, depth, violations);
		else if ((p->flags & PARAM_REQUIRED) != 0)
			violate(violations, NULL, p, path, "Member must not be null");
		path_pop(path, mark);
	}
}

/* --- after both: what this version does not have --- */

static tide_err check_refused(
    const struct param *shape, const struct json *object, unsigned depth, struct tide_error *error);

static tide_err
check_refused_in(const struct param *p, const struct json *json, unsigned depth, struct tide_error *error)
{
	tide_err rc = TIDE_OK;

	if (p->members == NULL || depth >= DEPTH_MAX || json->type == JSON_NULL)
		return TIDE_OK;
	if (p->type == PARAM_STRUCT)
		return check_refused(p->members, json, depth + 1, error);
	for (uint32_t i = 0; p->type == PARAM_LIST && i < json->array.n && rc == TIDE_OK; i++)
		rc = check_refused_in(p->members, &json->array.at[i], depth + 1, error);
	for (uint32_t i = 0; p->type == PARAM_MAP && i < json->object.n && rc == TIDE_OK; i++)
		rc = check_refused_in(p->members, &json->object.at[i].value, depth + 1, error);
	return rc;
}

static tide_err
check_refused(const struct param *shape, const struct json *object, unsigned depth, struct tide_error *error)
{
	tide_err rc = TIDE_OK;

	for (const struct param *p = shape; p->name != NULL && rc == TIDE_OK; p++) {
		const struct json *v = json_get(object, p->name);

		if (v == NULL)
			continue;
		if ((p->flags & PARAM_REFUSED) != 0)
			return tide_fail(error, TIDE_VALIDATION,
			    "One or more parameter values were invalid: %s is not supported by this version "
			    "of Tidemark",
			    p->name);
		rc = check_refused_in(p, v, depth, error);
	}
	return rc;
}

tide_err
params_check(const struct param *shape, const struct json *body, struct tide_error *error)
{
	struct violations violations = {0};
	struct path path = {{0}, 0};
	tide_err rc;

	if (body->type != JSON_OBJECT)
		return tide_fail(error, TIDE_SERIALIZATION, NULL);
	if ((rc = check_members(shape, body, 0, error)) != TIDE_OK)
		return rc;
	for (const struct param *p = shape; p->name != NULL; p++) {
		if ((p->flags & PARAM_NAMED) != 0 && json_get(body, p->name) == NULL)
			return tide_fail(error, TIDE_VALIDATION,
			    "The parameter '%s' is required but was not present in the request", p->name);
	}
	check_shape(shape, body, &path, 0, &violations);
	if (violations.text.failed) {
		buf_fini(&violations.text);
		return tide_fail(error, TIDE_NOMEM, NULL);
	}
	if ((rc = violations_finish(&violations, error)) != TIDE_OK)
		return rc;
	return check_refused(shape, body, 0, error);
}

/* --- members of a checked body --- */

struct bytes
params_string(const struct json *object, const char *name)
{
	const struct json *v = json_get(object, name);

	return v != NULL && v->type == JSON_STRING ? v->text : BYTES_NONE;
}

int64_t
params_number(const struct json *object, const char *name, int64_t fallback)
{
	const struct json *v = json_get(object, name);

	return v != NULL && v->type == JSON_NUMBER ? number_of(v->text) : fallback;
}

bool
params_flag(const struct json *object, const char *name, bool fallback)
{
	const struct json *v = json_get(object, name);

	return v == NULL ? fallback : v->type == JSON_TRUE;
}
