/*
 * A prepared transaction of writes: what TransactWriteItems, and PartiQL's ExecuteTransaction, hand to the committer.
 *
 * The I/O thread fills it in the request's arena: tables, keys, conditions and updates are parsed and checked by then.
 * The committer's thread plans all changes, and writes all of them or none. One writer makes it serializable against everything
 * else; nothing else is ever under way at the same time, so there is no TransactionConflict, and no transaction in progress.
 */
#ifndef TIDE_API_OPS_TRANSACT_WRITE_H
#define TIDE_API_OPS_TRANSACT_WRITE_H

#include "api/ops/capacity.h"
#include "api/ops/item_change.h"
#include "api/ops/transact.h"

struct transact_action {
	struct transact_reason reason;
	struct item_change change; /* its table: one reference */
	bool old_on_failure;
	uint32_t used; /* which of the transaction's `used` */
};

struct transact_write {
	struct commit_op op; /* first: the committer's pointer is ours */
	struct request *request;
	struct transact_action *actions;
	uint32_t n;
	enum capacity_report report;
	bool metrics; /* ReturnItemCollectionMetrics */
	struct capacity *used; /* per table, in the order in which they appear */
	uint32_t n_used;
	/* The client token; `key.bytes.n` 0: none was given. */
	struct {
		struct item_key key; /* in TABLE_TOKENS */
		struct bytes image; /* what is kept under it */
		struct read_ahead ahead;
	} token;
	bool
	    repeated; /* the token stands for this transaction, which was committed before: nothing was written */
	void (*answer)(struct transact_write *transact,
	    struct buf *reply); /* writes the reply; NULL: {} or ConsumedCapacity */
	struct buf members; /* of the exception, NUL-terminated */
};

/** A transaction of `n` actions with room for its tables' capacities; NULL without memory. In the request's arena. */
struct transact_write *transact_write_new(struct request *request, uint32_t n);

/**
 * Set the client token. `parameters` stands for all that must be the same in a call with the same token: transact_token.h.
 * TIDE_NOMEM.
 */
tide_err transact_write_token(
    struct transact_write *transact, const char *operation, struct bytes token, struct bytes parameters);

/**
 * Queue it: the actions are in, their tables and keys known, their reasons zero. The request is answered later, or now with an
 * error.
 */
void transact_write_submit(struct transact_write *transact);

/** Give up before submitting: release what it holds and answer with the error. `transact` may be NULL. */
void transact_write_drop(
    struct request *request, struct transact_write *transact, const struct tide_error *error);

/** Give up before submitting for the reasons that some actions have. */
void transact_write_cancel(struct transact_write *transact);

#endif
