/*
 * The shapes of the parameters from before expressions, for the tables of the operations that take them.
 */
#ifndef TIDE_API_OPS_LEGACY_SHAPES_H
#define TIDE_API_OPS_LEGACY_SHAPES_H

#include "api/ops/params.h"

extern const char *const conditional_operator_names[];

/* One element of each map or list. */
extern const struct param legacy_expected_shape[];
extern const struct param legacy_condition_shape[];
extern const struct param legacy_update_shape[];
extern const struct param legacy_name_shape[];

#define PARAM_CONDITIONAL_OPERATOR                                                                           \
	{                                                                                                    \
		.name = "ConditionalOperator", .type = PARAM_STRING, .values = conditional_operator_names    \
	}

#define PARAM_EXPECTED                                                                                       \
	{                                                                                                    \
		.name = "Expected", .type = PARAM_MAP, .members = legacy_expected_shape                      \
	}

/* KeyConditions, QueryFilter, ScanFilter */
#define PARAM_CONDITIONS(parameter)                                                                          \
	{                                                                                                    \
		.name = parameter, .type = PARAM_MAP, .members = legacy_condition_shape                      \
	}

#define PARAM_ATTRIBUTE_UPDATES                                                                              \
	{                                                                                                    \
		.name = "AttributeUpdates", .type = PARAM_MAP, .members = legacy_update_shape                \
	}

#define PARAM_ATTRIBUTES_TO_GET                                                                              \
	{                                                                                                    \
		.name = "AttributesToGet", .type = PARAM_LIST, .min = 1, .members = legacy_name_shape        \
	}

#endif
