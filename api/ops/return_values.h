/*
 * What a write gives back: ReturnValues, ReturnValuesOnConditionCheckFailure. Pure; any thread.
 */
#ifndef TIDE_API_OPS_RETURN_VALUES_H
#define TIDE_API_OPS_RETURN_VALUES_H

#include "api/ops/params.h"

enum return_values {
	RETURN_NONE,
	RETURN_ALL_OLD,
	RETURN_UPDATED_OLD,
	RETURN_ALL_NEW,
	RETURN_UPDATED_NEW,
};

/* The enumerations, in the order in which DynamoDB prints them. */
extern const char *const return_values_names[];
extern const char *const return_on_failure_names[];
extern const char *const item_collection_metrics_names[];

/**
 * The checked ReturnValues parameter. TIDE_VALIDATION: `old_only` (PutItem, DeleteItem) and not NONE or
 * ALL_OLD.
 */
tide_err return_values_read(
    const struct json *body, bool old_only, enum return_values *out, struct tide_error *error);

/** Does the exception of a failed condition carry the item? (the checked parameter) */
bool return_on_failure_read(const struct json *body);

#endif
