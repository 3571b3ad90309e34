/*
 * Offline verification of a whole shard's folder: is the journal dense and whole, is the store what the journal adds up to, are
 * the totals and fingerprints what a recount gives?
 */
#ifndef TIDE_STORE_SHARD_CHECK_H
#define TIDE_STORE_SHARD_CHECK_H

#include "store/shard/shard.h"

struct check_counts {
	uint64_t segments_from, segments_to; /* first and last sequence in the journal */
	uint64_t units, records, items, tombstones, tables;
	uint64_t faults;
};

/** Called for each fault with one sentence that says what is wrong and where. */
typedef void (*check_report_fn)(void *arg, const char *fault);

/**
 * Check the folder of a shard that no process has open. It is recovered first (as a start would), then read whole.
 * Errors     TIDE_OK: it was read to its end; faults are in `counts->faults`. Else what kept it from being read.
 */
tide_err shard_check(const struct shard_options *options, check_report_fn report, void *arg,
    struct check_counts *counts, struct tide_error *error);

#endif
