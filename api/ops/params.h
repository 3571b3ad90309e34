/*
 * The shape of a request, as a table, and the check of a request against it.
 *
 * DynamoDB checks a request in two passes before it looks at what the parameters mean: first every JSON type (one wrong one is a
 * SerializationException), then required members, lengths, ranges, patterns and enumerations (all violations in one
 * ValidationException). An operation describes its parameters once and gets both passes with DynamoDB's sentences.
 * Pure; any thread. Source: answers of the service, FACTS in docs/api-compatibility.md.
 */
#ifndef TIDE_API_OPS_PARAMS_H
#define TIDE_API_OPS_PARAMS_H

#include "api/json/json.h"

enum param_type {
	PARAM_STRING,
	PARAM_INTEGER, /* 32 bits */
	PARAM_LONG,
	PARAM_BOOLEAN,
	PARAM_LIST,
	PARAM_MAP,
	PARAM_STRUCT,
	PARAM_ITEM, /* a map of AttributeValues: only that it is a map; its values are read with json_to_item */
	PARAM_VALUE, /* an AttributeValue: only that it is a map; read it with json_to_value */
};

enum param_flags {
	PARAM_REQUIRED = 1, /* "Member must not be null" */
	PARAM_REFUSED = 2, /* known, not built: answered as not supported where it is present */
	PARAM_OR_ARN =
	    8, /* bounds and pattern hold for a name; what begins with "arn:" is checked by ops_table_name */
	PARAM_NAMED =
	    4, /* required, with the older sentence "The parameter 'X' is required but was not present in the request" */
};

struct param {
	const char *
	    name; /* as in the request; NULL ends a table; "" where it describes the elements of a list or map */
	enum param_type type;
	unsigned flags;
	int64_t min,
	    max; /* length (string, list, map) or value (number); both 0: no bounds; max 0 with a min: no upper bound */
	const char *pattern; /* only PARAM_PATTERN_NAME, or NULL */
	const char *const
	    *values; /* the enumeration, NULL-terminated, in the order in which DynamoDB prints it */
	const struct param *members; /* STRUCT: its members; LIST, MAP: one element; NULL: not looked into */
	const char *java; /* the class in DynamoDB's sentences, e.g. "KeySchemaElement"; may be NULL */
};

#define PARAM_PATTERN_NAME "[a-zA-Z0-9_.-]+"
#define PARAMS_END                                                                                           \
	{                                                                                                    \
		.name = NULL                                                                                 \
	}

/* A table name where an ARN is accepted too; ops_table_name gets the name out of it. */
#define PARAM_TABLE                                                                                          \
	{                                                                                                    \
		.name = "TableName", .type = PARAM_STRING, .flags = PARAM_REQUIRED | PARAM_OR_ARN, .min = 3, \
		.max = 255, .pattern = PARAM_PATTERN_NAME                                                    \
	}

/**
 * Check `body` (an object) against the table. Members that the table does not know are ignored, as DynamoDB does.
 * Errors     TIDE_SERIALIZATION, TIDE_VALIDATION with DynamoDB's sentence; TIDE_VALIDATION for a REFUSED member that is
 *            present (after the others), TIDE_NOMEM.
 */
tide_err params_check(const struct param *shape, const struct json *body, struct tide_error *error);

/* Members of a body that was checked. Absent: the fallback. */
struct bytes params_string(const struct json *object, const char *name); /* BYTES_NONE when absent */
int64_t params_number(const struct json *object, const char *name, int64_t fallback);
bool params_flag(const struct json *object, const char *name, bool fallback);

/* --- for violations that a table cannot say --- */

#define VIOLATIONS_MAX 10 /* listed at most; all are counted */

struct violations {
	struct buf text;
	uint32_t n;
};

/** `value` as DynamoDB prints it: "null" or "'x'"; `at` is the path, e.g. "requestItems.t.member.1.member.key". */
void violations_add(
    struct violations *violations, struct bytes value, const char *at, const char *constraint);

/** "N validation errors detected: ...", TIDE_OK when there are none. Releases the collector in any case. */
tide_err violations_finish(struct violations *violations, struct tide_error *error);

#endif
