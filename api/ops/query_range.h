/*
 * What a key condition selects, as a range of stored keys. Pure.
 *
 *     prefix = hash | partition key          k(v) = prefix | sort key v          p+ = least key above all that begin with p
 *
 *     all        [prefix, prefix+)        <  v       [prefix, k(v))          >  v       [k(v)+, prefix+)
 *     =  v       [k(v), k(v)+)            <= v       [prefix, k(v)+)         >= v       [k(v), prefix+)
 *     between    [k(low), k(high)+)       begins     [b, b+), b = prefix | v without its end
 *
 * Where the sort key is of several attributes, those that are given by equality before the last are part of the prefix. Behind an index's
 * sort key its entries go on with the item's own key.
 *
 * This holds because no encoded sort key is the beginning of another one.
 */
#ifndef TIDE_API_OPS_QUERY_RANGE_H
#define TIDE_API_OPS_QUERY_RANGE_H

#include "api/expr/expr.h"
#include "api/ops/key_range.h"

/** Fill the bounds of `range` (zero-initialised). TIDE_NOMEM. */
tide_err query_range(const struct expr_key_condition *condition, struct key_range *range);

#endif
