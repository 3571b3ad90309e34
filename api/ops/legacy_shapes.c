#include "api/ops/legacy_shapes.h"

/* in the order in which DynamoDB prints them */
const char *const conditional_operator_names[] = {"OR", "AND", NULL};

static const char *const comparison_names[] = {"IN", "NULL", "BETWEEN", "LT", "NOT_CONTAINS", "EQ", "GT",
    "NOT_NULL", "NE", "LE", "BEGINS_WITH", "GE", "CONTAINS", NULL};

static const char *const action_names[] = {"ADD", "DELETE", "PUT", NULL};

static const struct param value_shape[] = {
    {.name = "", .type = PARAM_VALUE, .java = "AttributeValue"},
    PARAMS_END,
};

static const struct param expected_members[] = {
    {.name = "Value", .type = PARAM_VALUE, .java = "AttributeValue"},
    {.name = "Exists", .type = PARAM_BOOLEAN},
    {.name = "ComparisonOperator", .type = PARAM_STRING, .values = comparison_names},
    {.name = "AttributeValueList", .type = PARAM_LIST, .members = value_shape},
    PARAMS_END,
};

static const struct param condition_members[] = {
    {.name = "AttributeValueList", .type = PARAM_LIST, .members = value_shape},
    {.name = "ComparisonOperator", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .values = comparison_names},
    PARAMS_END,
};

static const struct param update_members[] = {
    {.name = "Value", .type = PARAM_VALUE, .java = "AttributeValue"},
    {.name = "Action", .type = PARAM_STRING, .values = action_names},
    PARAMS_END,
};

const struct param legacy_expected_shape[] = {
    {.name = "", .type = PARAM_STRUCT, .members = expected_members, .java = "ExpectedAttributeValue"},
    PARAMS_END,
};

const struct param legacy_condition_shape[] = {
    {.name = "", .type = PARAM_STRUCT, .members = condition_members, .java = "Condition"},
    PARAMS_END,
};

const struct param legacy_update_shape[] = {
    {.name = "", .type = PARAM_STRUCT, .members = update_members, .java = "AttributeValueUpdate"},
    PARAMS_END,
};

const struct param legacy_name_shape[] = {
    {.name = "", .type = PARAM_STRING},
    PARAMS_END,
};
