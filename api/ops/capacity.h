/*
 * Consumed capacity, computed as DynamoDB does: writes in units of 1 KB of the greater of the item before
 * and after; reads in units of 4 KB, half of that when eventually consistent; at least one unit, whether
 * there was an item or not.
 *
 * Counted in half units, so that sums are exact. Pure; any thread.
 * Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
 */
#ifndef TIDE_API_OPS_CAPACITY_H
#define TIDE_API_OPS_CAPACITY_H

#include "api/ops/params.h"

/* ReturnConsumedCapacity */
enum capacity_report { CAPACITY_NONE, CAPACITY_TOTAL, CAPACITY_INDEXES };

extern const char *const capacity_report_names[];

/** The checked parameter of a request. */
enum capacity_report capacity_report_read(const struct json *body);

/** Half units of one write. Sizes as DynamoDB counts them; 0: no item. */
uint64_t capacity_write(size_t bytes_before, size_t bytes_after);

/** Half units of reading that many bytes at once (one item, or all that a Query read). */
uint64_t capacity_read(uint64_t bytes, bool consistent);

/**
 * Half units of a page of a Scan. A table's data is in four partitions, each charged at least one unit,
 * unless the scan is of one segment.
 */
uint64_t capacity_scan(uint64_t bytes, bool consistent, bool segmented);

/** Append the object {"TableName":...,"CapacityUnits":...}, with "Table" for CAPACITY_INDEXES. */
void capacity_write_json(struct buf *out, struct bytes table, enum capacity_report report, uint64_t halves);

/**
 * Append the member "ConsumedCapacity":{...} to an open object, with a comma where one is due, unless the
 * report is NONE.
 */
void capacity_write_member(struct buf *out, struct bytes table, enum capacity_report report, uint64_t halves);

#endif
