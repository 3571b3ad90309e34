#include "api/ops/policy.h"

#include <stdlib.h>

#define INVALID "One or more parameter values were invalid: "
#define DOCUMENT INVALID "Invalid policy document: "

static const char *const statement_order[] = {"Sid", "Effect", "Principal", "NotPrincipal", "Action",
    "NotAction", "Resource", "NotResource", "Condition", NULL};
/* In these a list of one is the same as the one. */
static const char *const singles[] = {"Action", "NotAction", "Resource", "NotResource", NULL};

static bool
is_one_of(struct bytes name, const char *const *names)
{
	for (; *names != NULL; names++) {
		if (bytes_is(name, *names))
			return true;
	}
	return false;
}

/* --- checks --- */

static bool
is_text_or_list(const struct json *v)
{
	return v != NULL && (v->type == JSON_STRING || (v->type == JSON_ARRAY && v->array.n > 0));
}

static tide_err
check_statement(const struct json *statement, struct tide_error *error)
{
	const struct json *effect = json_get(statement, "Effect");

	if (statement->type != JSON_OBJECT)
		return tide_fail(error, TIDE_VALIDATION, DOCUMENT "Syntax error in policy.");
	if (effect == NULL)
		return tide_fail(error, TIDE_VALIDATION, DOCUMENT "Missing required field Effect");
	if (effect->type != JSON_STRING ||
	    (!bytes_is(effect->text, "Allow") && !bytes_is(effect->text, "Deny")))
		return tide_fail(error, TIDE_VALIDATION, DOCUMENT "Syntax error in policy.");
	if (json_get(statement, "Principal") == NULL && json_get(statement, "NotPrincipal") == NULL)
		return tide_fail(error, TIDE_VALIDATION, DOCUMENT "Missing required field Principal");
	if (!is_text_or_list(json_get(statement, "Action")) &&
	    !is_text_or_list(json_get(statement, "NotAction")))
		return tide_fail(error, TIDE_VALIDATION, DOCUMENT "Missing required field Action");
	if (!is_text_or_list(json_get(statement, "Resource")) &&
	    !is_text_or_list(json_get(statement, "NotResource")))
		return tide_fail(error, TIDE_VALIDATION, DOCUMENT "Missing required field Resource");
	return TIDE_OK;
}

static tide_err
check_ids(const struct json *list, struct tide_error *error)
{
	for (uint32_t i = 0; i < list->array.n; i++) {
		const struct json *a = json_get(&list->array.at[i], "Sid");

		for (uint32_t j = 0; a != NULL && a->type == JSON_STRING && j < i; j++) {
			const struct json *b = json_get(&list->array.at[j], "Sid");

			if (b != NULL && b->type == JSON_STRING && bytes_equal(a->text, b->text))
				return tide_fail(error, TIDE_VALIDATION,
				    DOCUMENT "The Statement Ids in the policy are not unique");
		}
	}
	return TIDE_OK;
}

static tide_err
check_document(const struct json *document, struct tide_error *error)
{
	const struct json *list;
	tide_err rc = TIDE_OK;

	if (document->type == JSON_NULL)
		return tide_fail(error, TIDE_VALIDATION, DOCUMENT "This text appears not to be a policy");
	if (document->type != JSON_OBJECT)
		return tide_fail(error, TIDE_VALIDATION, DOCUMENT "This policy contains invalid Json");
	if ((list = json_get(document, "Statement")) == NULL)
		return tide_fail(error, TIDE_VALIDATION, DOCUMENT "Syntax error at position (1,3)");
	if (list->type == JSON_OBJECT)
		return check_statement(list, error);
	if (list->type != JSON_ARRAY || list->array.n == 0)
		return tide_fail(
		    error, TIDE_VALIDATION, DOCUMENT "Could not parse the policy: Statement is empty!");
	for (uint32_t i = 0; i < list->array.n && rc == TIDE_OK; i++)
		rc = check_statement(&list->array.at[i], error);
	return rc == TIDE_OK ? check_ids(list, error) : rc;
}

/* --- the canonical form --- */

static void write_any(struct buf *out, const struct json *v);

static int
name_order(const void *a, const void *b)
{
	return bytes_compare(
	    (*(const struct json_member *const *)a)->name, (*(const struct json_member *const *)b)->name);
}

static void
write_member(struct buf *out, const struct json_member *m, bool *first)
{
	const struct json *v = &m->value;

	buf_append_string(out, *first ? "" : ",");
	*first = false;
	json_write_string(out, m->name);
	buf_append_byte(out, ':');
	if (is_one_of(m->name, singles) && v->type == JSON_ARRAY && v->array.n == 1)
		v = &v->array.at[0];
	write_any(out, v);
}

/* The members that `order` names, in that order; then the others by name. */
static void
write_object(struct buf *out, const struct json *object, const char *const *order)
{
	const struct json_member **rest = calloc(object->object.n + 1, sizeof *rest);
	uint32_t n = 0;
	bool first = true;

	if (rest == NULL) {
		out->failed = true;
		return;
	}
	buf_append_byte(out, '{');
	for (const char *const *name = order; *name != NULL; name++) {
		const struct json_member *last = NULL;

		for (uint32_t i = 0; i < object->object.n; i++) {
			if (bytes_is(object->object.at[i].name, *name))
				last = &object->object.at[i];
		}
		if (last != NULL)
			write_member(out, last, &first);
	}
	for (uint32_t i = 0; i < object->object.n; i++) {
		if (!is_one_of(object->object.at[i].name, order))
			rest[n++] = &object->object.at[i];
	}
	qsort(rest, n, sizeof *rest, name_order);
	for (uint32_t i = 0; i < n; i++)
		write_member(out, rest[i], &first);
	buf_append_byte(out, '}');
	free(rest);
}

/* As deep as json_parse lets it be. */
static void
write_any(struct buf *out, const struct json *v)
{
	static const char *const none[] = {NULL};

	switch (v->type) {
	case JSON_NULL:
		buf_append_string(out, "null");
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		buf_append_string(out, v->type == JSON_TRUE ? "true" : "false");
		break;
	case JSON_NUMBER:
		buf_append(out, v->text.at, v->text.n);
		break;
	case JSON_STRING:
		json_write_string(out, v->text);
		break;
	case JSON_ARRAY:
		buf_append_byte(out, '[');
		for (uint32_t i = 0; i < v->array.n; i++) {
			buf_append_string(out, i == 0 ? "" : ",");
			write_any(out, &v->array.at[i]);
		}
		buf_append_byte(out, ']');
		break;
	case JSON_OBJECT:
		write_object(out, v, none);
		break;
	}
}

static void
write_document(struct buf *out, const struct json *document)
{
	const struct json *list = json_get(document, "Statement"), *version = json_get(document, "Version"),
			  *id = json_get(document, "Id");
	uint32_t n = list->type == JSON_ARRAY ? list->array.n : 1;

	buf_append_string(out, "{\"Version\":");
	if (version != NULL)
		write_any(out, version);
	else
		buf_append_string(out, "\"2008-10-17\"");
	if (id != NULL) {
		buf_append_string(out, ",\"Id\":");
		write_any(out, id);
	}
	buf_append_string(out, ",\"Statement\":[");
	for (uint32_t i = 0; i < n; i++) {
		buf_append_string(out, i == 0 ? "" : ",");
		write_object(out, list->type == JSON_ARRAY ? &list->array.at[i] : list, statement_order);
	}
	buf_append_string(out, "]}");
}

tide_err
policy_read(struct arena *arena, struct bytes text, struct bytes *out, struct tide_error *error)
{
	struct json document;
	struct buf canonical = {0};
	tide_err rc;

	if (text.n > POLICY_BYTES_MAX)
		return tide_fail(error, TIDE_VALIDATION, INVALID "Maximum policy size of %d bytes exceeded",
		    POLICY_BYTES_MAX);
	if ((rc = json_parse(arena, text, &document, NULL)) != TIDE_OK)
		return rc == TIDE_NOMEM
			   ? tide_fail(error, rc, NULL)
			   : tide_fail(error, TIDE_VALIDATION, DOCUMENT "This policy contains invalid Json");
	if ((rc = check_document(&document, error)) != TIDE_OK)
		return rc;
	write_document(&canonical, &document);
	if ((rc = buf_check(&canonical)) == TIDE_OK) {
		*out = arena_copy(arena, buf_bytes(&canonical));
		rc = out->at == NULL ? TIDE_NOMEM : TIDE_OK;
	}
	buf_fini(&canonical);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}
