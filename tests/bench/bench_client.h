/*
 * The load generator's parts: requests as text, latencies, a server's CPU time.
 */
#ifndef TIDE_BENCH_CLIENT_H
#define TIDE_BENCH_CLIENT_H

#include "base/bytes.h"

#define BENCH_ITEM_BYTES 645 /* as DynamoDB counts: names and values */
#define BENCH_BATCH_ITEMS 25
#define BENCH_PARTITION_ITEMS 100 /* of one partition key in the indexed table */

enum bench_op {
	BENCH_PUT,
	BENCH_GET,
	/* On the indexed table: partition and sort key, one GSI with another partition key and all attributes. */
	BENCH_QUERY10,
	BENCH_QUERY100,
	BENCH_UPDATE, /* with a condition */
	BENCH_BATCH, /* BatchWriteItem of 25 puts */
	BENCH_TRANSACT, /* TransactWriteItems of 4: a put, two updates, a check; with a token, as SDKs send it */
	BENCH_CREATE,
	BENCH_CREATE_INDEXED,
	BENCH_DESCRIBE,
	BENCH_OP_COUNT
};

struct bench_request {
	enum bench_op op;
	const char *host, *table;
	uint64_t key; /* the item's number; the others of the same request follow from it */
	uint64_t
	    keys; /* the table's items are 0..keys-1; a multiple of BENCH_PARTITION_ITEMS where indexed */
	uint64_t salt; /* differs from call to call: what is written is new */
	bool in_order; /* a batch writes its 25 items after each other: it fills the table */
};

/** The op that `--op` calls `name`; BENCH_OP_COUNT: none. */
enum bench_op bench_op_named(const char *name);

const char *bench_op_name(enum bench_op op);

/** Whether it works on the indexed table. */
bool bench_op_is_indexed(enum bench_op op);

/** What the text of a reply that did all of its work holds; NULL: whatever has status 200. */
const char *bench_op_reply(enum bench_op op);

/** Append a whole HTTP request. */
void bench_request_write(const struct bench_request *request, struct buf *out);

/** Attribute 0..9 of item `key`: text that the caller must not change. */
struct bytes bench_attribute(uint64_t key, uint64_t attribute);

/* Latencies in microseconds: 64 steps per power of two, so that a percentile is exact to 1.6 %. */
#define BENCH_STEPS 64
#define BENCH_POWERS 32
struct bench_latency {
	uint64_t counts[BENCH_POWERS * BENCH_STEPS], n;
};

void bench_latency_add(struct bench_latency *latency, uint64_t us);

/** The latency that `share` (0..1) of the operations stayed below, in microseconds. */
uint64_t bench_latency_at(const struct bench_latency *latency, double share);

/** User and system time that a process has used, in microseconds; 0: no such process. */
uint64_t bench_cpu_us(long pid);

uint64_t bench_now_us(void);

#endif
