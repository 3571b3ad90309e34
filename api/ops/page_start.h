/*
 * Where a page of a Query or Scan begins: the ExclusiveStartKey, against what is read. Pure but for the arena.
 */
#ifndef TIDE_API_OPS_PAGE_START_H
#define TIDE_API_OPS_PAGE_START_H

#include "api/ops/page_read.h"

struct page_start {
	struct bytes key; /* stored key or entry key; in the request's arena. Begins with its hash */
};

/** Exactly the keys of the table and of the index that is read, of their types. TIDE_VALIDATION with DynamoDB's sentences. */
tide_err page_start_read(
    struct page_read *read, const struct value *start, struct page_start *out, struct tide_error *error);

/** It lies inside what the query selects. TIDE_VALIDATION. */
tide_err page_start_check(const struct page_read *read, const struct expr_key_schema *schema,
    const struct expr_key_condition *condition, const struct value *start, struct tide_error *error);

/** Is that attribute part of such a key? */
bool page_start_is_key(const struct page_read *read, struct bytes name);

#endif
