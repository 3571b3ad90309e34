/*
 * Changing a setting of a table by an operation of its own (tags, time to live, policies): what they all do around the change.
 */
#ifndef TIDE_API_OPS_TABLE_CHANGE_H
#define TIDE_API_OPS_TABLE_CHANGE_H

#include "api/ops/ops.h"

struct table_change {
	struct commit_op op;
	struct request *request;
	const struct table *before; /* as the request found it; a reference */

	/**
	 * On the committer's thread: check, change `table` (this call's alone) and write the facts. An error leaves nothing written.
	 * `error` is filled in for errors that a client sees.
	 */
	tide_err (*apply)(
	    struct table_change *change, struct group *group, struct table *table, struct tide_error *error);
	/** On disk: append the reply. */
	void (*reply)(struct table_change *change);
};

/** Set its request, `before`, `apply` and `reply`, then submit: the request is answered, and the reference released, in any case. */
void table_change_submit(struct table_change *change);

#endif
