/*
 * What transactions have in common: why one was cancelled, action by action, as TransactionCanceledException tells it.
 * Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CancellationReason.html
 */
#ifndef TIDE_API_OPS_TRANSACT_H
#define TIDE_API_OPS_TRANSACT_H

#include "api/ops/ops.h"

#define TRANSACT_ITEMS_MAX 100
#define TRANSACT_BYTES_MAX (4 * 1024 * 1024)

/* Why an action stood in the way. Zero: it did not. */
struct transact_reason {
	tide_err
	    code; /* TIDE_CONDITION_FAILED, TIDE_VALIDATION, TIDE_THROUGHPUT_EXCEEDED, TIDE_THROTTLED, TIDE_ITEM_COLLECTION_SIZE */
	const char *message; /* in an arena; NULL: the code's own */
	struct bytes item; /* a stored item that goes with it; `at` NULL: none. Lives until it is told */
};

/** Keep an error's sentence. TIDE_NOMEM. */
tide_err transact_reason_set(
    struct transact_reason *reason, struct arena *arena, const struct tide_error *error);

/**
 * Is this sentence about a key one of those that the service answers with at once, and not with a cancellation? An empty key
 * value is refused before a transaction begins.
 */
bool transact_is_upfront(const struct tide_error *error);

/**
 * Make the exception: its members, NUL-terminated, for request_fail, from `n` reasons that lie `size` bytes apart, and its code in
 * `error`. TIDE_TRANSACTION_CANCELED, or without memory TIDE_NOMEM.
 */
tide_err transact_cancel(const struct transact_reason *reasons, size_t size, uint32_t n, struct buf *members,
    struct tide_error *error);

/** TIDE_VALIDATION when two of `n` keys of these tables are the same; a key without bytes is not looked at. */
tide_err transact_check_distinct(
    const uint64_t *tables, const struct bytes *keys, uint32_t n, struct tide_error *error);

#endif
