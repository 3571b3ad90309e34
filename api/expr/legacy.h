/*
 * DynamoDB's parameters from before expressions, as the trees that expressions become.
 *
 *     Expected, QueryFilter, ScanFilter, ConditionalOperator    struct expr_condition
 *     KeyConditions                                             struct expr_condition, for expr_key_condition_derive
 *     AttributeUpdates                                          struct expr_update
 *     AttributesToGet                                           struct expr_projection
 *
 * A name here is a whole top-level attribute name: "a.b" is no path. Rules common to all: the JSON types and enumerations
 * of the parameter were checked by its operation's table (what is not of that shape is refused, never trusted); an absent
 * parameter is NULL and gives NULL; names and values borrow from the JSON tree; every client error is TIDE_VALIDATION (of a
 * value TIDE_SERIALIZATION too) with DynamoDB's sentence; TIDE_NOMEM when the arena is full. Which may stand beside which
 * is expr_scope_read's. Any thread.
 * Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html
 */
#ifndef TIDE_API_EXPR_LEGACY_H
#define TIDE_API_EXPR_LEGACY_H

#include "api/expr/expr.h"

/**
 * Expected, joined by ConditionalOperator (`joined`, absent: AND). An empty map is no condition. TIDE_VALIDATION: Value,
 * Exists, ComparisonOperator and AttributeValueList in a combination that says nothing, a wrong number or type of
 * arguments, a ConditionalOperator that joins nothing.
 */
tide_err expr_legacy_expected(struct arena *arena, const struct json *expected, const struct json *joined,
    const struct expr_condition **out, struct tide_error *error);

/** QueryFilter or ScanFilter in the same way. */
tide_err expr_legacy_filter(struct arena *arena, const struct json *filter, const struct json *joined,
    const struct expr_condition **out, struct tide_error *error);

/**
 * KeyConditions (not NULL): one to `max`, 2 where no index is asked for. What does not suit the key is said by
 * expr_key_condition_derive.
 */
tide_err expr_legacy_keys(struct arena *arena, const struct json *conditions, uint32_t max,
    const struct expr_condition **out, struct tide_error *error);

/** AttributeUpdates; an empty map is no update. TIDE_VALIDATION: an action without the value that it needs, or of a wrong type. */
tide_err expr_legacy_updates(struct arena *arena, const struct json *updates, const struct expr_update **out,
    struct tide_error *error);

/** AttributesToGet. TIDE_VALIDATION: an empty name, a name twice. */
tide_err expr_legacy_projection(struct arena *arena, const struct json *names,
    const struct expr_projection **out, struct tide_error *error);

/* A map's members: of those with one name the last. */
struct expr_legacy_members {
	const struct json_member **at; /* in the order of the text */
	uint32_t n;
};

/** The members of `map`; none when it is NULL or no object. TIDE_NOMEM. */
tide_err expr_legacy_members(struct arena *arena, const struct json *map, struct expr_legacy_members *out);

/** TIDE_VALIDATION for a name that no attribute can have. */
tide_err expr_legacy_check_name(struct bytes name, struct tide_error *error);

#endif
