/*
 * A prepared write of one item: what PutItem, UpdateItem and DeleteItem hand to the committer.
 *
 * The I/O thread fills it in the request's arena: everything that needs no stored state is parsed and
 * checked by then. The committer's thread makes the change (item_change.h), and when the group is on disk answers the request. The steps on the I/O thread, in the order
 * in which DynamoDB checks:
 *
 *     item_write_begin      Return* parameters, names and values
 *     (the operation)       its Item or Key
 *     item_write_condition  ConditionExpression or Expected
 *     (the operation)       UpdateExpression or AttributeUpdates
 *     item_write_table      every name and value used; the table
 *     (the operation)       the key against the table's schema
 *     item_write_submit     or, after an error in any step, item_write_drop
 */
#ifndef TIDE_API_OPS_ITEM_WRITE_H
#define TIDE_API_OPS_ITEM_WRITE_H

#include "api/expr/expr.h"
#include "api/ops/capacity.h"
#include "api/ops/item_change.h"
#include "api/ops/ops.h"
#include "api/ops/return_values.h"

struct item_write {
	struct commit_op op; /* first: the committer's pointer is ours */
	struct request *request;
	struct item_change change; /* its table: one reference */
	struct expr_scope scope;
	enum return_values returned;
	struct capacity used;
	bool old_on_failure;
	struct buf members; /* of the exception, NUL-terminated; made by run */
};

/**
 * A write in the request's arena for a request that was checked. `expressions` as in expr_scope_read.
 * `*out` is NULL only without memory. TIDE_VALIDATION, TIDE_SERIALIZATION, TIDE_NOMEM.
 */
tide_err item_write_begin(struct request *request, enum item_change_kind kind, const char *const *expressions,
    struct item_write **out, struct tide_error *error);

tide_err item_write_condition(struct item_write *write, struct tide_error *error);
tide_err item_write_table(struct item_write *write, struct tide_error *error);

/** Read the change's `attributes` from the Key parameter. */
tide_err item_write_read_key(struct item_write *write, struct tide_error *error);

/**
 * Read the item once, so that the committer finds it in memory, and queue the write. The request is
 * answered later, or now with an error.
 */
void item_write_submit(struct item_write *write);

/** Give up before submitting: release what it holds and answer with the error. `write` may be NULL. */
void item_write_drop(struct request *request, struct item_write *write, const struct tide_error *error);

#endif
