/* Checking all indexes of a shard that nobody else has open: check.c tells a person. */
#ifndef TIDE_STORE_SHARD_INDEX_CHECK_H
#define TIDE_STORE_SHARD_INDEX_CHECK_H

#include "store/shard/check.h"

struct index_check_counts {
	uint64_t indexes, entries, faults;
};

/** Each index against its table's items, and entries of no index. What cannot be read is a fault. */
void index_check_all(
    struct shard *shard, check_report_fn report, void *arg, struct index_check_counts *counts);

#endif
