/*
 * What the RequestItems of a batch must be, beyond what a table of parameters can say. Pure.
 */
#ifndef TIDE_API_OPS_BATCH_ITEMS_H
#define TIDE_API_OPS_BATCH_ITEMS_H

#include "api/ops/params.h"

/**
 * Every table's value is present; with `writes_max` (0: not looked at) each is a list of 1 to that many
 * writes. TIDE_VALIDATION with DynamoDB's sentence, TIDE_NOMEM.
 */
tide_err batch_items_check(const struct json *items, uint32_t writes_max, struct tide_error *error);

#endif
