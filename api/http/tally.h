/*
 * What an I/O thread counts of the requests that it answers: per operation, by outcome and by time. Written by that thread
 * alone with plain loads and stores (no locked instruction, no allocation), read by any.
 */
#ifndef TIDE_API_HTTP_TALLY_H
#define TIDE_API_HTTP_TALLY_H

#include <stdatomic.h>

#include "api/request.h"

#define TALLY_SLOTS 128 /* a power of two; more than there are operations */
#define TALLY_BUCKETS 16
#define TALLY_X(name, exception, http, text) +1
#define TALLY_CODES (TIDE_ERRORS(TALLY_X))

/* Upper bounds of the buckets, in microseconds; what is above the last is counted behind them. */
extern const uint32_t tally_bounds_us[TALLY_BUCKETS];

struct tally_slot {
	_Atomic(const struct operation *) operation; /* NULL: unused */
	_Atomic uint64_t codes[TALLY_CODES]; /* by tide_err */
	_Atomic uint64_t buckets[TALLY_BUCKETS + 1];
	_Atomic uint64_t us; /* of all, together */
};

struct tally {
	struct tally_slot slots[TALLY_SLOTS];
};

/* The same summed over threads. */
struct tally_sum {
	const struct operation *operation;
	uint64_t codes[TALLY_CODES];
	uint64_t buckets[TALLY_BUCKETS + 1];
	uint64_t n, us;
};

/** One more, by the only thread that writes it. */
static inline void
tally_count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(
	    counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

/** A request of that operation (NULL: of one that is not known) was answered so. The tally's thread. */
void tally_add(struct tally *tally, const struct operation *operation, tide_err code, uint64_t us);

/** Add it to what other threads counted: `sums` has room for TALLY_SLOTS, `*n` of them are in use. Any thread. */
void tally_sum(const struct tally *tally, struct tally_sum *sums, uint32_t *n);

#endif
