/*
 * The load generator's parts: requests as text, latencies, a server's CPU time.
 */
#ifndef TIDE_BENCH_CLIENT_H
#define TIDE_BENCH_CLIENT_H

#include "base/bytes.h"

#define BENCH_ITEM_BYTES 645 /* as DynamoDB counts: names and values */

#define BENCH_TRANSACT_ITEMS 4

/* TRANSACT: TransactWriteItems of as many puts, with a token of its own, as SDKs send it. */
enum bench_op { BENCH_PUT, BENCH_GET, BENCH_TRANSACT, BENCH_CREATE, BENCH_DESCRIBE, BENCH_OP_COUNT };

/** Append a whole HTTP request for item number `key` of `table`. */
void bench_request(struct buf *out, enum bench_op op, const char *host, const char *table, uint64_t key);

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
