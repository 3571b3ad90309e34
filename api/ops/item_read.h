/*
 * Stored items as JSON, whole or projected: what GetItem, BatchGetItem, Query and Scan answer with. Any
 * thread.
 */
#ifndef TIDE_API_OPS_ITEM_READ_H
#define TIDE_API_OPS_ITEM_READ_H

#include "api/expr/expr.h"

/**
 * Append a stored item. Without a projection (NULL) it is written straight from its stored form; else
 * `arena` holds a tree. TIDE_CORRUPT, TIDE_NOMEM.
 */
tide_err item_read_write(
    struct arena *arena, struct bytes image, const struct expr_projection *projection, struct buf *out);

/** Size of a stored item as DynamoDB counts it; `arena` holds a tree. TIDE_CORRUPT, TIDE_NOMEM. */
tide_err item_read_size(struct arena *arena, struct bytes image, size_t *size);

/** The ProjectionExpression or AttributesToGet of `object`; `*out` NULL when there is none. */
tide_err item_read_projection(struct arena *arena, const struct json *object, struct expr_scope *scope,
    const struct expr_projection **out, struct tide_error *error);

#endif
