/*
 * The statements of an ExecuteTransaction, parsed and all of one kind: as reads at one moment, or as writes all of which are made or
 * none. I/O thread.
 *
 * What a statement alone shows to be wrong is a ValidationException. A table that is not there, a key that does not fit its schema, a
 * condition that fails cancel the transaction.
 */
#ifndef TIDE_API_OPS_STATEMENT_TRANSACT_H
#define TIDE_API_OPS_STATEMENT_TRANSACT_H

#include "api/ops/statement.h"
#include "api/ops/transact.h"

struct statement_transact {
	struct request *request;
	const struct json *json; /* TransactStatements */
	struct partiql_statement *statements;
	struct statement_parameters *parameters;
	uint32_t n;
	bool reads;
};

/** Answers the request. In the request's arena. */
void statement_transact_read(struct statement_transact *transact);
void statement_transact_write(struct statement_transact *transact);

/** Put the place of a statement before its TIDE_VALIDATION; other errors stay as they are. The error's code. */
tide_err statement_transact_fail(uint32_t i, struct tide_error *error);

#endif
