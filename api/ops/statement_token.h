/*
 * NextToken of ExecuteStatement: which part of the plan comes next, and the stored key behind which it goes on. It is bound to the statement
 * and its parameters, and guards itself: one of another statement, or none of ours, is refused. Pure.
 */
#ifndef TIDE_API_OPS_STATEMENT_TOKEN_H
#define TIDE_API_OPS_STATEMENT_TOKEN_H

#include "api/ops/statement.h"

struct statement_position {
	uint32_t read; /* which of the plan's reads; 0 where there is no plan */
	struct bytes after; /* empty: from its beginning */
};

/** What stands for a statement and its parameters, and for the table and index that it names. */
uint64_t statement_token_request(
    const struct json *object, const struct statement_parameters *parameters, uint64_t table, uint64_t index);

/** Append the token's text. */
void statement_token_write(struct buf *out, uint64_t request, const struct statement_position *position);

/** Read it back; `out` is in the arena. TIDE_VALIDATION: "Invalid NextToken", or it is of another request. TIDE_NOMEM. */
tide_err statement_token_read(struct arena *arena, struct bytes text, uint64_t request,
    struct statement_position *out, struct tide_error *error);

#endif
