/*
 * Capacity: what an operation uses of a table and its indexes, whether it may, and how it is told.
 *
 * Computed as DynamoDB does: writes in units of 1 KB of the greater of the item before and after; reads in units of 4 KB,
 * half of that when eventually consistent; at least one unit, whether there was an item or not; in a transaction twice
 * that. Counted in half units, so that sums are exact.
 *
 * An operation keeps a struct capacity for each table:
 *
 *     capacity_begin     when the table is known: is anything to be counted?
 *     capacity_admit     before it reads or submits; for a global index before that is used
 *     capacity_add       what it used, if `counted`: of the table ...
 *     capacity_add_index ... and of an index. A local index uses the table's capacity, a global one its own
 *     capacity_take      once, when it is done, or failed for its condition: takes it out of the buckets
 *     capacity_report_*  into the reply
 *
 * Nothing is counted (sizes need not be known) while nobody asks for it and the table has no limit.
 * Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
 */
#ifndef TIDE_API_OPS_CAPACITY_H
#define TIDE_API_OPS_CAPACITY_H

#include "api/meter.h"
#include "api/ops/params.h"
#include "api/request.h"

/* ReturnConsumedCapacity */
enum capacity_report { CAPACITY_NONE, CAPACITY_TOTAL, CAPACITY_INDEXES };

extern const char *const capacity_report_names[];

/** The checked parameter of a request. */
enum capacity_report capacity_report_read(const struct json *body);

/* --- how much: pure --- */

/** Half units of one write. Sizes as DynamoDB counts them; 0: no item. */
uint64_t capacity_write(size_t bytes_before, size_t bytes_after);

/** Half units of reading that many bytes at once (one item, or all that a Query read). */
uint64_t capacity_read(uint64_t bytes, bool consistent);

/**
 * Half units of a page of a Scan. A table's data is in four partitions, each charged at least one unit,
 * unless the scan is of one segment.
 */
uint64_t capacity_scan(uint64_t bytes, bool consistent, bool segmented);

/* --- what one operation uses of one table --- */

struct capacity_index {
	const struct table_index *index; /* the table's */
	uint64_t halves;
};

struct capacity {
	const struct table *table; /* borrowed */
	enum meter_unit unit;
	enum capacity_report report;
	bool counted; /* what is used is to be told with capacity_add */
	bool transaction; /* set by the caller: all counts twice, and is told as reads or writes, too */
	uint64_t halves; /* of the table itself */
	struct capacity_index *indexes; /* those that were used; in an arena */
	uint32_t n_indexes, room;
};

/** Fill in `use`: nothing used yet. */
void capacity_begin(
    struct capacity *use, const struct table *table, enum meter_unit unit, enum capacity_report report);

/** Used of the table itself, in half units. */
void capacity_add(struct capacity *use, uint64_t halves);

/** Used of an index of the table; several times for one adds up. TIDE_NOMEM. */
tide_err capacity_add_index(
    struct capacity *use, struct arena *arena, const struct table_index *index, uint64_t halves);

/**
 * Used by a write: of the table, of its local indexes, and of its global ones. The item before and after; NULL: there is
 * none. What it adds lives in `arena`. TIDE_NOMEM.
 */
tide_err capacity_add_write(
    struct capacity *use, struct arena *arena, const struct value *before, const struct value *after);

/**
 * May the write go on, now that it is known what it uses? The table and every global index that it uses must have something left: others
 * may have come in between. Errors: capacity_admit's. Committer thread.
 */
tide_err capacity_admit_write(struct request *request, const struct capacity *use, struct tide_error *error);

/**
 * May the operation begin? Of the table with `index` NULL or local, else of that index.
 *
 * Errors     TIDE_THROUGHPUT_EXCEEDED, TIDE_THROTTLED (an on-demand maximum), with DynamoDB's sentence; request->throttling
 *            is then set, so that request_fail tells the reasons.
 * Thread     any.
 */
tide_err capacity_admit(struct request *request, const struct capacity *use, const struct table_index *index,
    struct tide_error *error);

/** Add what another operation used of the same table, as it was counted there. TIDE_NOMEM. */
tide_err capacity_add_all(struct capacity *use, struct arena *arena, const struct capacity *other);

/** Take what was used out of the buckets of this region. Any thread. */
void capacity_take(struct region *region, const struct capacity *use);

/** Append the object {"TableName":...,"CapacityUnits":...}; its report must not be NONE. */
void capacity_report_json(struct buf *out, const struct capacity *use);

/** Append the member "ConsumedCapacity":{...} to an open object, with a comma where one is due, unless its report is NONE. */
void capacity_report_member(struct buf *out, const struct capacity *use);

/* --- operations that know no more than a table's sum --- */

/** capacity_report_json of a sum. */
void capacity_write_json(struct buf *out, struct bytes table, enum capacity_report report, uint64_t halves);

/** capacity_report_member of a sum. */
void capacity_write_member(struct buf *out, struct bytes table, enum capacity_report report, uint64_t halves);

#endif
