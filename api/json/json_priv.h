/* Shared by the files of this folder only. */
#ifndef TIDE_API_JSON_JSON_PRIV_H
#define TIDE_API_JSON_JSON_PRIV_H

#include "api/json/json.h"

/** The type that a member of an AttributeValue names; false: not one of DynamoDB's (such members are ignored). */
bool json__type_of(struct bytes name, enum value_type *type);

/** A JSON boolean, or a string that the service takes for one ("true", "yes", "false", "no"); false: neither. */
bool json__boolean(const struct json *json, bool *out);

/**
 * The JSON types of an AttributeValue, or of a map of them, all the way down: what the service's deserializer refuses
 * before anything is validated. TIDE_SERIALIZATION with its sentence.
 */
tide_err json__check_value(const struct json *json, struct tide_error *error);
tide_err json__check_map(const struct json *json, struct tide_error *error);

#define BASE64_DECODED_MAX(n) ((n) / 4 * 3)

/** Strict base64. `out` NULL: only check. TIDE_SERIALIZATION with DynamoDB's sentence; `*n` is what was written. */
tide_err json__base64_decode(struct bytes text, uint8_t *out, size_t *n, struct tide_error *error);

void json__base64_encode(struct bytes bytes, struct buf *out);

#endif
