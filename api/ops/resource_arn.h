/*
 * The ResourceArn of tags and resource policies: the ARN of a table of this region and account.
 */
#ifndef TIDE_API_OPS_RESOURCE_ARN_H
#define TIDE_API_OPS_RESOURCE_ARN_H

#include "api/ops/ops.h"

/* The two families say the same things in different words. */
enum resource_family { RESOURCE_TAGS, RESOURCE_POLICY };

#define RESOURCE_ARN_MAX 1283

#define PARAM_RESOURCE_ARN                                                                                   \
	{                                                                                                    \
		.name = "ResourceArn", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .min = 1,              \
		.max = RESOURCE_ARN_MAX                                                                      \
	}

/**
 * The table that a checked body's ResourceArn names, with a reference (table_release), ready or not.
 * NULL with `error`: TIDE_VALIDATION (no such ARN here), TIDE_RESOURCE_NOT_FOUND (no such table).
 */
const struct table *resource_table(
    struct region *region, const struct json *body, enum resource_family family, struct tide_error *error);

#endif
