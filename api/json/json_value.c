/*
 * AttributeValues from JSON. One pass builds the value and stops at the first thing wrong; only then json_check.c looks
 * whether the service's deserializer would have refused the request before any validation.
 */
#include "api/json/json_priv.h"

#include <strings.h>

#include "store/item/number.h"

#define INVALID "One or more parameter values were invalid: "
#define NAME_BYTES_MAX 65535
#define LISTING_BYTES_MAX 1500 /* of the elements in a sentence about duplicates */

bool
json__type_of(struct bytes name, enum value_type *type)
{
	static const enum value_type types[] = {VALUE_S, VALUE_N, VALUE_B, VALUE_SS, VALUE_NS, VALUE_BS,
	    VALUE_M, VALUE_L, VALUE_NULL, VALUE_BOOL};
	size_t i;

	for (i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (bytes_is(name, value_type_name(types[i]))) {
			*type = types[i];
			return true;
		}
	}
	return false;
}

bool
json__boolean(const struct json *json, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {{"true", true}, {"yes", true}, {"false", false}, {"no", false}};
	size_t i;

	if (json->type == JSON_TRUE || json->type == JSON_FALSE) {
		*out = json->type == JSON_TRUE;
		return true;
	}
	for (i = 0; json->type == JSON_STRING && i < sizeof words / sizeof words[0]; i++) {
		if (json->text.n == strlen(words[i].word) &&
		    strncasecmp((const char *)json->text.at, words[i].word, json->text.n) == 0) {
			*out = words[i].value;
			return true;
		}
	}
	return false;
}

static tide_err
fail_empty(struct tide_error *error)
{
	return tide_fail(error, TIDE_VALIDATION,
	    "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes");
}

static tide_err
build_string(const struct json *json, struct value *out)
{
	if (json->type != JSON_STRING)
		return TIDE_SERIALIZATION;
	out->type = VALUE_S;
	out->text = json->text;
	return TIDE_OK;
}

static tide_err
build_number(struct arena *arena, const struct json *json, struct value *out, struct tide_error *error)
{
	char text[NUMBER_TEXT_MAX];
	struct number number;
	tide_err rc;

	if (json->type != JSON_STRING)
		return TIDE_SERIALIZATION;
	out->type = VALUE_N;
	out->text = json->text;
	if (number_text_is_canonical(json->text))
		return TIDE_OK;
	if ((rc = number_parse(json->text, &number, error)) != TIDE_OK)
		return rc;
	out->text = arena_copy(arena, bytes_of(text, number_write(&number, text)));
	return out->text.at != NULL ? TIDE_OK : tide_fail(error, TIDE_NOMEM, NULL);
}

static tide_err
build_binary(struct arena *arena, const struct json *json, struct value *out, struct tide_error *error)
{
	uint8_t *at;
	size_t n;
	tide_err rc;

	if (json->type != JSON_STRING)
		return TIDE_SERIALIZATION;
	if ((at = arena_alloc(arena, BASE64_DECODED_MAX(json->text.n))) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	if ((rc = json__base64_decode(json->text, at, &n, error)) != TIDE_OK)
		return rc;
	out->type = VALUE_B;
	out->text = bytes_of(at, n);
	return TIDE_OK;
}

/* The sentence shows the elements as they were written, in that order. */
static tide_err
fail_duplicates(enum value_type type, const struct json *elements, struct tide_error *error)
{
	struct buf listing = {0};
	size_t n;
	uint32_t i;
	tide_err rc;

	if (type == VALUE_NS)
		return tide_fail(error, TIDE_VALIDATION, "Input collection contains duplicates");
	for (i = 0; i < elements->array.n && listing.n <= LISTING_BYTES_MAX; i++) {
		if (i > 0)
			buf_append_string(&listing, ", ");
		buf_append(&listing, elements->array.at[i].text.at, elements->array.at[i].text.n);
	}
	n = listing.n;
	if (n > LISTING_BYTES_MAX) {
		for (n = LISTING_BYTES_MAX; n > 0 && (listing.at[n] & 0xc0) == 0x80; n--)
			;
	}
	rc = tide_fail(error, TIDE_VALIDATION, INVALID "Input collection [%.*s]%s contains duplicates.",
	    (int)n, n > 0 ? (const char *)listing.at : "", type == VALUE_BS ? "of type BS" : "");
	buf_fini(&listing);
	return rc;
}

static tide_err
build_element(struct arena *arena, enum value_type set, const struct json *json, struct value *out,
    struct tide_error *error)
{
	bool null = json->type == JSON_NULL;

	switch (set) {
	case VALUE_SS:
		if (null)
			return tide_fail(error, TIDE_VALIDATION,
			    INVALID "An string set may not have a null string as a member");
		return build_string(json, out);
	case VALUE_NS:
		if (null)
			return tide_fail(
			    error, TIDE_VALIDATION, "The parameter cannot be converted to a numeric value");
		return build_number(arena, json, out, error);
	default:
		if (null)
			return tide_fail(error, TIDE_VALIDATION,
			    INVALID "Binary sets may not contain null or empty values");
		return build_binary(arena, json, out, error);
	}
}

static tide_err
build_set(struct arena *arena, enum value_type type, const struct json *json, struct value *out,
    struct tide_error *error)
{
	uint32_t i;
	tide_err rc;

	if (json->type != JSON_ARRAY)
		return TIDE_SERIALIZATION;
	if (json->array.n == 0)
		return tide_fail(error, TIDE_VALIDATION, INVALID "%s",
		    type == VALUE_SS   ? "An string set  may not be empty"
		    : type == VALUE_NS ? "An number set  may not be empty"
				       : "Binary sets should not be empty");
	out->type = type;
	out->list.n = json->array.n;
	if ((out->list.at = arena_alloc(arena, json->array.n * sizeof *out->list.at)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	for (i = 0; i < json->array.n; i++) {
		if ((rc = build_element(arena, type, &json->array.at[i], &out->list.at[i], error)) != TIDE_OK)
			return rc;
	}
	rc = value_canonicalize(out, NULL);
	if (rc == TIDE_VALIDATION)
		return fail_duplicates(type, json, error);
	return rc == TIDE_OK ? rc : tide_fail(error, rc, NULL);
}

static tide_err build(struct arena *arena, const struct json *json, unsigned depth, struct value *out,
    struct tide_error *error);

static tide_err
build_list(
    struct arena *arena, const struct json *json, unsigned depth, struct value *out, struct tide_error *error)
{
	uint32_t i;
	tide_err rc;

	if (json->type != JSON_ARRAY)
		return TIDE_SERIALIZATION;
	out->type = VALUE_L;
	out->list.n = json->array.n;
	if ((out->list.at = arena_alloc(arena, json->array.n * sizeof *out->list.at)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	for (i = 0; i < json->array.n; i++) {
		if ((rc = build(arena, &json->array.at[i], depth + 1, &out->list.at[i], error)) != TIDE_OK)
			return rc;
	}
	return TIDE_OK;
}

static tide_err
build_map(
    struct arena *arena, const struct json *json, unsigned depth, struct value *out, struct tide_error *error)
{
	uint32_t i;
	tide_err rc;

	if (json->type != JSON_OBJECT)
		return TIDE_SERIALIZATION;
	out->type = VALUE_M;
	out->map.n = json->object.n;
	if ((out->map.at = arena_alloc(arena, json->object.n * sizeof *out->map.at)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	for (i = 0; i < json->object.n; i++) {
		const struct json_member *from = &json->object.at[i];

		if (from->name.n == 0)
			return tide_fail(error, TIDE_VALIDATION, "Empty attribute name");
		if (from->name.n > NAME_BYTES_MAX)
			return tide_fail(error, TIDE_VALIDATION,
			    INVALID "Attribute name is too large, must be less than 65536 bytes");
		out->map.at[i].name = from->name;
		if ((rc = build(arena, &from->value, depth + 1, &out->map.at[i].value, error)) != TIDE_OK)
			return rc;
	}
	return value_canonicalize(out, error);
}

static tide_err
build_typed(struct arena *arena, enum value_type type, const struct json *json, unsigned depth,
    struct value *out, struct tide_error *error)
{
	bool boolean;

	switch (type) {
	case VALUE_S:
		return build_string(json, out);
	case VALUE_N:
		return build_number(arena, json, out, error);
	case VALUE_B:
		return build_binary(arena, json, out, error);
	case VALUE_SS:
	case VALUE_NS:
	case VALUE_BS:
		return build_set(arena, type, json, out, error);
	case VALUE_M:
		return build_map(arena, json, depth, out, error);
	case VALUE_L:
		return build_list(arena, json, depth, out, error);
	case VALUE_NULL:
	case VALUE_BOOL:
		if (!json__boolean(json, &boolean))
			return TIDE_SERIALIZATION;
		if (type == VALUE_NULL && !boolean)
			return tide_fail(error, TIDE_VALIDATION,
			    INVALID "Null attribute value types must have the value of true");
		out->type = type;
		out->boolean = boolean;
		return TIDE_OK;
	}
	return TIDE_SERIALIZATION;
}

/*
 * `depth` counts this value: 1 for an attribute. 31 containers around a scalar are the most, as AWS answers
 * (nubo-db/dynoxide issue 110, captured in eu-west-2).
 */
static tide_err
build(
    struct arena *arena, const struct json *json, unsigned depth, struct value *out, struct tide_error *error)
{
	unsigned seen = 0;
	uint32_t i;

	if (json->type == JSON_NULL)
		return fail_empty(error);
	if (json->type != JSON_OBJECT)
		return TIDE_SERIALIZATION;
	if (depth > NESTING_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    "Nesting Levels have exceeded supported limits: Attributes in the item have nested "
		    "levels beyond "
		    "supported limit");
	for (i = 0; i < json->object.n; i++) {
		const struct json_member *member = &json->object.at[i];
		enum value_type type;
		tide_err rc;

		if (member->value.type == JSON_NULL || !json__type_of(member->name, &type))
			continue;
		if ((rc = build_typed(arena, type, &member->value, depth, out, error)) != TIDE_OK)
			return rc;
		seen |= 1u << type;
	}
	if (seen == 0)
		return fail_empty(error);
	if ((seen & (seen - 1)) != 0)
		return tide_fail(error, TIDE_VALIDATION,
		    "Supplied AttributeValue has more than one datatypes set, must contain exactly one of "
		    "the supported "
		    "datatypes");
	return TIDE_OK;
}

/* A wrong JSON type anywhere comes before whatever else is wrong. */
static tide_err
judge(tide_err rc, const struct json *json, tide_err (*check)(const struct json *, struct tide_error *),
    struct tide_error *error)
{
	if (rc != TIDE_SERIALIZATION && rc != TIDE_VALIDATION)
		return rc;
	if (check(json, error) != TIDE_OK)
		return TIDE_SERIALIZATION;
	return rc == TIDE_VALIDATION ? rc : tide_fail(error, rc, NULL);
}

tide_err
json_to_value(struct arena *arena, const struct json *json, struct value *out, struct tide_error *error)
{
	struct value value = {0};
	tide_err rc = judge(build(arena, json, 1, &value, error), json, json__check_value, error);

	if (rc == TIDE_OK)
		*out = value;
	return rc;
}

tide_err
json_to_item(struct arena *arena, const struct json *json, struct value *out, struct tide_error *error)
{
	struct value value = {0};
	tide_err rc = judge(build_map(arena, json, 0, &value, error), json, json__check_map, error);

	if (rc == TIDE_OK)
		*out = value;
	return rc;
}
