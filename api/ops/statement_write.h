/*
 * One INSERT, UPDATE or DELETE on its way through the committer, for ExecuteStatement and BatchExecuteStatement.
 *
 * Its owner fills in request to old_on_failure and hands it over; `done` is called exactly once, on this thread or the committer's, with what
 * came of it, and then it is the owner's again. The arenas of several writes of one request are their own: they may run on several committers.
 */
#ifndef TIDE_API_OPS_STATEMENT_WRITE_H
#define TIDE_API_OPS_STATEMENT_WRITE_H

#include "api/ops/capacity.h"
#include "api/ops/statement.h"

struct statement_write {
	struct commit_op op; /* first: the committer's pointer is ours */
	struct request *request;
	void *owner;
	void (*done)(struct statement_write *write);
	const struct partiql_statement *statement;
	enum capacity_report report;
	bool old_on_failure;
	/* what came of it */
	struct tide_error error; /* TIDE_OK: it is on disk */
	bool ran; /* it came as far as its table and key */
	struct buf row; /* what RETURNING asks for, as JSON; empty: nothing */
	struct buf old; /* the item that failed the condition, where it is asked for */
	struct capacity used;
	/* inside */
	struct item_change change; /* its table: one reference, once prepared */
	struct arena arena;
};

/** Table, key, conditions. TIDE_OK: statement_write_submit is next; else the error is in it, and `done` is not called. I/O thread. */
tide_err statement_write_prepare(struct statement_write *write);

/** Queue it. */
void statement_write_submit(struct statement_write *write);

/** Both; an error of the first is told by `done`. */
void statement_write_begin(struct statement_write *write);

/** Release what it holds. */
void statement_write_fini(struct statement_write *write);

#endif
