/*
 * What a table's indexes ask of its items: attributes that are keys of an index have the type that was declared for them, and a value
 * that can be a key, wherever they are there at all. Pure; any thread.
 */
#ifndef TIDE_API_OPS_INDEX_KEY_H
#define TIDE_API_OPS_INDEX_KEY_H

#include "api/expr/expr.h"
#include "store/catalog/table.h"

/** An item that is put. TIDE_VALIDATION with DynamoDB's sentence. */
tide_err index_key_check_put(const struct table *table, const struct value *item, struct tide_error *error);

/**
 * An item after an update, beside what it was before (NULL: none): only what has changed is looked at, as an index may have been added to
 * a table whose items do not suit it. TIDE_VALIDATION with the sentences of an update.
 */
tide_err index_key_check_update(const struct table *table, const struct value *before,
    const struct value *after, struct tide_error *error);

/** Keys of the table and of its indexes are scalars: nothing looks inside them. All but the table may be NULL. TIDE_VALIDATION. */
tide_err index_key_check_paths(const struct table *table, const struct expr_condition *condition,
    const struct expr_projection *projection, const struct expr_update *update, struct tide_error *error);

/** The key of an index, for expressions. */
struct expr_key_schema index_key_schema(const struct table_index *index);

#endif
