/*
 * A region in memory for tests of operations: a real shard and committer, two fixed tables, and requests
 * whose answers are awaited.
 *
 *     hash   partition key pk (S)
 *     range  partition key pk (S), sort key sk (N)
 *     words  partition key pk (S), sort key sk (S)
 */
#ifndef TIDE_TESTS_FAKE_REGION_H
#define TIDE_TESTS_FAKE_REGION_H

#include "api/ops/ops.h"

void fake_region_start(void);
void fake_region_stop(void);

/**
 * Handle a request and wait for its answer: the reply's JSON, or "Exception: message" and the exception's
 * members. Valid until the next call.
 */
const char *fake_call(void (*handle)(struct request *request), const char *body);

/** The same for any bytes; NULL when they are no JSON. */
const char *fake_call_bytes(void (*handle)(struct request *request), struct bytes body);

/** Answers of region_may_write from now on. */
void fake_may_write(bool may);

#endif
