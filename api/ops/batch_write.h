/*
 * A BatchWriteItem under way: up to 25 independent writes, each an operation of its own on the committer of
 * its shard. The last one to finish answers the request.
 *
 * A write that no committer would take now (a full queue, a table that takes no writes for the moment), or that meets a limit of
 * throughput, goes back to the client as an unprocessed item; any other error is the answer to the whole request, though
 * other writes may have been done: as in DynamoDB a batch is not atomic, and repeating it does no harm.
 */
#ifndef TIDE_API_OPS_BATCH_WRITE_H
#define TIDE_API_OPS_BATCH_WRITE_H

#include <stdatomic.h>

#include "api/ops/capacity.h"
#include "api/ops/item_key.h"
#include "api/ops/ops.h"

#define BATCH_WRITES_MAX 25

struct batch_write;
struct batch_table;

struct batch_item {
	struct commit_op op; /* first: the committer's pointer is ours */
	struct batch_write *batch;
	struct batch_table *table;
	bool put;
	struct value value; /* the item, or the key */
	struct item_key key;
	struct bytes image; /* PUT: the stored form, in the arena */
	struct capacity used;
	struct arena arena; /* what `used` holds of indexes */
	bool unprocessed;
};

/* The writes of one table. */
struct batch_table {
	struct bytes name; /* as the request has it */
	const struct table *table;
	struct batch_item *items; /* a part of the batch's */
	uint32_t n;
};

struct batch_write {
	struct request *request;
	struct batch_table *tables;
	uint32_t n_tables;
	struct batch_item *items;
	uint32_t n_items;
	enum capacity_report capacity;
	atomic_bool refused; /* the first that met a limit of throughput leaves its error */
	struct tide_error refusal;
	atomic_uint left; /* operations under way, and the submitter */
	atomic_bool failed; /* the first to fail leaves its error */
	struct tide_error error;
};

/**
 * Queue all writes of a prepared batch (in the request's arena). The request is answered when the last one
 * is done.
 */
void batch_write_submit(struct batch_write *batch);

/** Give up before submitting: release what it holds and answer with the error. */
void batch_write_drop(struct batch_write *batch, const struct tide_error *error);

#endif
