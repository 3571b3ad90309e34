/*
 * Inside api/expr: what the actions of an update evaluate to.
 */
#ifndef TIDE_API_EXPR_OPERAND_H
#define TIDE_API_EXPR_OPERAND_H

#include "api/expr/ast.h"

/**
 * The value that an action leaves at its path, given the item before the update (NULL: none); `*out` NULL: none is left.
 * TIDE_VALIDATION with DynamoDB's sentence, TIDE_NOMEM.
 */
tide_err expr_action_result(const struct expr_action *action, struct arena *arena, const struct value *item,
    const struct value **out, struct tide_error *error);

#endif
