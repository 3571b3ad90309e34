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
	uint64_t faults; /* all of them; of these */
	uint64_t journal_faults, store_faults, index_faults;
	uint64_t indexes, entries;
	bool rebuilt; /* the store was lost or could not be opened, and has been made again */
	bool store_can_be_made_again; /* the journal is whole, from its first sequence on */
};

/** Called for each fault with one sentence that says what is wrong and where. */
typedef void (*check_report_fn)(void *arg, const char *fault);

/* Who knows the tables' names; all may be NULL. */
struct check_names {
	void (*opened)(void *arg, struct shard *shard); /* the shard is open: shard_set_naming */
	void (*closing)(void *arg);
	void *arg;
};

/**
 * Check the folder of a shard that no process has open. Journal and checkpoints are read as they are; then it is recovered, as a start
 * would, and compared as a whole. Damage is named by file and offset in the journal, by table and keys in the store. `names` may be NULL.
 * Errors     TIDE_OK: it was read to its end; faults are in `counts`. Else what kept it from being opened; what was found is reported.
 */
tide_err shard_check(const struct shard_options *options, const struct check_names *names,
    check_report_fn report, void *arg, struct check_counts *counts, struct tide_error *error);

/**
 * Is an index exactly what the table's items make it: an entry for each item that is to have one, no other, and its totals the sums? At one
 * moment of an open shard; each fault is told, up to some 20 of them by name. TIDE_NOTFOUND: no such index. TIDE_CORRUPT, TIDE_IO: it cannot be read.
 */
tide_err shard_index_check(
    struct shard *shard, uint64_t table, uint64_t index, check_report_fn report, void *arg, uint64_t *faults);

/**
 * Make the entries of every index that is not sound again from the items, and take away entries of no index. No process has it open.
 * Errors     those of shard_open, and of the store; what is done stays done.
 */
tide_err shard_repair_indexes(const struct shard_options *options, struct tide_error *error);

/**
 * Make a shard's store again from its journal. It may hold nothing that the journal does not: what was there is deleted once that is done.
 * Errors     TIDE_CORRUPT: the journal is not whole; nothing is changed. Else those of shard_open.
 */
tide_err shard_repair(const struct shard_options *options, struct tide_error *error);

#endif
