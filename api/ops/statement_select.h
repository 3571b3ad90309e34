/*
 * SELECT under way: the plan's reads, one after the other, into one page. I/O thread.
 *
 *     fill in request, statement, consistent, limit, report
 *     statement_select_open     table and index; what the statement may not ask of them; the plan
 *     statement_select_run      reads from a position, and appends the rows to the reply
 *     statement_select_close
 */
#ifndef TIDE_API_OPS_STATEMENT_SELECT_H
#define TIDE_API_OPS_STATEMENT_SELECT_H

#include "api/ops/page_read.h"
#include "api/ops/statement_token.h"

struct statement_select {
	struct request *request;
	const struct partiql_statement *statement;
	bool consistent;
	uint64_t limit; /* items looked at; 0: no limit */
	enum capacity_report report;
	/* what it is */
	struct page_read read; /* of the plan's part that is read; holds the table */
	struct partiql_plan plan;
	/* what came of it */
	struct capacity used;
	uint64_t rows;
	bool more; /* `next` tells where it goes on */
	struct statement_position next;
};

/** TIDE_VALIDATION with DynamoDB's sentence, TIDE_RESOURCE_NOT_FOUND, TIDE_NOMEM. Close it in any case. */
tide_err statement_select_open(struct statement_select *select, struct tide_error *error);

/** Append rows, separated by commas. Also the errors of page_read_walk; what was read by then is counted. */
tide_err statement_select_run(
    struct statement_select *select, const struct statement_position *from, struct tide_error *error);

void statement_select_close(struct statement_select *select);

#endif
