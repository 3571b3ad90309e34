/*
 * The service's deserializer, as far as attribute values go: which JSON type stands where. Its sentences are those
 * that public suites assert against AWS (dynalite, test/helpers.js, assertType; Alternator, test_number_in_json).
 */
#include "api/json/json_priv.h"

#define MODEL "com.amazonaws.dynamodb.v20120810."

static tide_err
fail(struct tide_error *error, const char *sentence)
{
	return tide_fail(error, TIDE_SERIALIZATION, "%s", sentence);
}

/* How the deserializer calls a JSON scalar. */
static const char *
token_name(const struct json *json)
{
	if (json->type == JSON_TRUE)
		return "TRUE_VALUE";
	if (json->type == JSON_FALSE)
		return "FALSE_VALUE";
	if (json->type == JSON_STRING)
		return "STRING_VALUE";
	return memchr(json->text.at, '.', json->text.n) != NULL ? "DECIMAL_VALUE" : "NUMBER_VALUE";
}

static tide_err
check_string(const struct json *json, struct tide_error *error)
{
	switch (json->type) {
	case JSON_NULL:
	case JSON_STRING:
		return TIDE_OK;
	case JSON_ARRAY:
		return fail(error, "Unrecognized collection type class java.lang.String");
	case JSON_OBJECT:
		return fail(error, "Start of structure or map found where not expected");
	default:
		return tide_fail(
		    error, TIDE_SERIALIZATION, "%s cannot be converted to String", token_name(json));
	}
}

static tide_err
check_blob(const struct json *json, struct tide_error *error)
{
	size_t n;

	switch (json->type) {
	case JSON_NULL:
		return TIDE_OK;
	case JSON_STRING:
		return json__base64_decode(json->text, NULL, &n, error);
	case JSON_ARRAY:
		return fail(error, "Unrecognized collection type class java.nio.ByteBuffer");
	case JSON_OBJECT:
		return fail(error, "Start of structure or map found where not expected");
	default:
		return fail(error, "only base-64-encoded strings are convertible to bytes");
	}
}

static tide_err
check_boolean(const struct json *json, struct tide_error *error)
{
	bool value;

	if (json->type == JSON_NULL || json__boolean(json, &value))
		return TIDE_OK;
	if (json->type == JSON_ARRAY)
		return fail(error, "Unrecognized collection type class java.lang.Boolean");
	if (json->type == JSON_OBJECT)
		return fail(error, "Start of structure or map found where not expected");
	if (json->type == JSON_STRING)
		return fail(error, "Unexpected token received from parser");
	return tide_fail(error, TIDE_SERIALIZATION, "%s cannot be converted to Boolean", token_name(json));
}

static tide_err
check_list(const struct json *json, tide_err (*check)(const struct json *, struct tide_error *),
    struct tide_error *error)
{
	uint32_t i;
	tide_err rc = TIDE_OK;

	if (json->type == JSON_NULL)
		return TIDE_OK;
	if (json->type == JSON_OBJECT)
		return fail(error, "Start of structure or map found where not expected");
	if (json->type != JSON_ARRAY)
		return fail(error, "Unexpected field type");
	for (i = 0; i < json->array.n && rc == TIDE_OK; i++)
		rc = check(&json->array.at[i], error);
	return rc;
}

tide_err
json__check_map(const struct json *json, struct tide_error *error)
{
	uint32_t i;
	tide_err rc = TIDE_OK;

	if (json->type == JSON_NULL)
		return TIDE_OK;
	if (json->type == JSON_ARRAY)
		return fail(error,
		    "Unrecognized collection type java.util.Map<java.lang.String, " MODEL "AttributeValue>");
	if (json->type != JSON_OBJECT)
		return fail(error, "Unexpected field type");
	for (i = 0; i < json->object.n && rc == TIDE_OK; i++)
		rc = json__check_value(&json->object.at[i].value, error);
	return rc;
}

static tide_err
check_typed(enum value_type type, const struct json *json, struct tide_error *error)
{
	switch (type) {
	case VALUE_S:
	case VALUE_N:
		return check_string(json, error);
	case VALUE_B:
		return check_blob(json, error);
	case VALUE_SS:
	case VALUE_NS:
		return check_list(json, check_string, error);
	case VALUE_BS:
		return check_list(json, check_blob, error);
	case VALUE_M:
		return json__check_map(json, error);
	case VALUE_L:
		return check_list(json, json__check_value, error);
	case VALUE_NULL:
	case VALUE_BOOL:
		return check_boolean(json, error);
	}
	return TIDE_OK;
}

/* Recursion is bounded by the depth that json_parse lets pass. */
tide_err
json__check_value(const struct json *json, struct tide_error *error)
{
	enum value_type type;
	uint32_t i;
	tide_err rc = TIDE_OK;

	if (json->type == JSON_NULL)
		return TIDE_OK;
	if (json->type == JSON_ARRAY)
		return fail(error, "Unrecognized collection type class " MODEL "AttributeValue");
	if (json->type != JSON_OBJECT)
		return fail(error, "Unexpected value type in payload");
	for (i = 0; i < json->object.n && rc == TIDE_OK; i++) {
		if (json__type_of(json->object.at[i].name, &type))
			rc = check_typed(type, &json->object.at[i].value, error);
	}
	return rc;
}
