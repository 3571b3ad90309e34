/*
 * JSON requests as a tree in an arena, and replies as text.
 *
 * Strings are length-delimited and unescaped (\u0000 is legal). Numbers keep their text. Duplicate members: the last wins.
 * Parsing is by yajl, with bounds on depth; a request tree borrows nothing from the request body.
 */
#ifndef TIDE_API_JSON_JSON_H
#define TIDE_API_JSON_JSON_H

#include "store/item/value.h"

enum json_type { JSON_NULL, JSON_TRUE, JSON_FALSE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_member;

struct json {
	enum json_type type;
	union {
		struct bytes text; /* NUMBER (as written), STRING */
		struct {
			struct json *at;
			uint32_t n;
		} array;
		struct {
			struct json_member *at;
			uint32_t n;
		} object; /* in the order of the text */
	};
};

struct json_member {
	struct bytes name;
	struct json value;
};

/**
 * Parse a whole text. TIDE_SERIALIZATION with DynamoDB's sentence: not JSON, invalid UTF-8, too deep, trailing garbage.
 * TIDE_NOMEM when the arena is full. Any thread.
 */
tide_err json_parse(struct arena *arena, struct bytes text, struct json *out, struct tide_error *error);

/** A member by name; NULL when absent, when it is JSON null, or when `object` is not an object. */
const struct json *json_get(const struct json *object, const char *name);

/**
 * An AttributeValue ({"S": "..."}) as a canonical value. Strings may borrow from the JSON tree.
 * Errors     TIDE_SERIALIZATION (wrong JSON types: {"N": 123}), TIDE_VALIDATION (no type, two types, bad number, empty set,
 *            duplicates in a set, nesting over NESTING_MAX), each with DynamoDB's sentence.
 */
tide_err json_to_value(
    struct arena *arena, const struct json *json, struct value *out, struct tide_error *error);

/** A map of attribute names to AttributeValues as an item (VALUE_M). The same errors. */
tide_err json_to_item(
    struct arena *arena, const struct json *json, struct value *out, struct tide_error *error);

/* Writers append to a reply. */
void json_write_string(struct buf *out, struct bytes text); /* quoted and escaped */
void json_write_value(struct buf *out, const struct value *value); /* {"S":"..."} */
void json_write_item(struct buf *out, const struct value *item); /* {"a":{"S":"..."},...} */

/** base64: strict, with padding, one text for one value. Reading: TIDE_SERIALIZATION, TIDE_NOMEM. */
void json_write_base64(struct buf *out, struct bytes bytes);
tide_err json_read_base64(struct arena *arena, struct bytes text, struct bytes *out);

/**
 * Write an encoded item (value_encode) as JSON without building a tree: the hot path of GetItem.
 * TIDE_CORRUPT: not an encoded item; nothing is appended. TIDE_NOMEM. Contents are taken as value_encode left them.
 */
tide_err json_write_encoded_item(struct buf *out, struct bytes encoded);

#endif
