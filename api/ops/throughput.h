/*
 * Changes of provisioned throughput, of a table or of a global index: how often it may be lowered, and what is told of it.
 *
 * Of reads and writes together, a UTC day has four decreases at any time; each further one an hour after the last. Pure; any thread.
 * Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
 */
#ifndef TIDE_API_OPS_THROUGHPUT_H
#define TIDE_API_OPS_THROUGHPUT_H

#include "api/ops/ops.h"

struct throughput {
	uint64_t read, write; /* units a second */
};

/** May a table have that much? TIDE_LIMIT_EXCEEDED with DynamoDB's sentence. A region without a limit (0): yes. */
tide_err throughput_check(const struct region *region, struct throughput asked, struct tide_error *error);

/** Take note of a change, in `changes`. TIDE_LIMIT_EXCEEDED with DynamoDB's sentence: not now; `changes` is as it was. */
tide_err throughput_change(struct throughput_changes *changes, struct throughput from, struct throughput to,
    uint64_t now_ms, struct tide_error *error);

/** How often it was lowered on the UTC day of this moment. */
uint64_t throughput_decreases_today(const struct throughput_changes *changes, uint64_t now_ms);

/** Append {"NumberOfDecreasesToday":0,"ReadCapacityUnits":5,...}: a ProvisionedThroughputDescription. */
void throughput_write_json(struct buf *out, const struct throughput_changes *changes,
    struct throughput provisioned, uint64_t now_ms);

#endif
