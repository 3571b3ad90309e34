/*
 * One page of a Query or a Scan, of a table or one of its indexes: a walk over a range of keys, filtered. What comes of the items is the
 * caller's: Query and Scan write them as JSON (page_request.h). I/O thread.
 *
 *     fill in request, consistent, limit, used.report
 *     page_read_target      the table and the index
 *     fill in filter, projection, select
 *     page_read_query       or page_read_scan: the range, from where the last page ended
 *     page_read_walk
 *     page_read_close
 */
#ifndef TIDE_API_OPS_PAGE_READ_H
#define TIDE_API_OPS_PAGE_READ_H

#include "api/expr/expr.h"
#include "api/ops/capacity.h"
#include "api/ops/item_key.h"
#include "api/ops/key_range.h"
#include "api/ops/ops.h"
#include "api/ops/scan_segment.h"

enum page_select { PAGE_AS_PROJECTED, PAGE_ALL_ATTRIBUTES, PAGE_COUNT };

struct page_read {
	struct request *request; /* whose region, arena and throttling reasons are used */
	const struct table *table; /* one reference */
	const struct table_index *index; /* of the table; NULL: the table itself */
	struct key_range range; /* of the table's stored keys, or of the index's entry keys */
	const struct expr_condition *filter; /* NULL: none */
	const struct expr_projection *projection; /* NULL: all that is there */
	enum page_select select;
	bool consistent;
	bool at_most_one; /* the range names one item: there is no next page */
	bool scan, segmented;
	bool whole; /* items of a local index are read from the table, for what the index does not project */
	struct capacity used; /* its report from the start; begun with the table */
	uint64_t limit; /* items looked at; 0: no limit */
	/* what the walk found */
	uint64_t scanned, matched;
	bool full; /* the page ended before the range did, and `last` tells where */
	struct buf
	    last; /* the stored key or the entry key of the last item: key_range_resume goes on behind it */
	struct buf last_keys; /* of an index: an encoded item with that item's keys at least */
};

/**
 * Find the table, and the index of that name (`index.at` NULL: none). TIDE_VALIDATION, TIDE_RESOURCE_NOT_FOUND: with DynamoDB's sentences;
 * a consistent read of a global index is refused.
 */
tide_err page_read_target(
    struct page_read *read, struct bytes table, const struct bytes *index, struct tide_error *error);

/** The key of what is read. */
struct expr_key_schema page_read_schema(const struct page_read *read);

/**
 * A key condition (parsed with EXPR_KEY_CONDITION) becomes the range; `start` (NULL: none) is an ExclusiveStartKey. Filter, projection
 * and select are checked against the index. TIDE_VALIDATION with DynamoDB's sentences, TIDE_NOMEM.
 */
tide_err page_read_query(struct page_read *read, const struct expr_condition *condition, bool backward,
    const struct value *start, struct tide_error *error);

/** The same for a scan of one segment. */
tide_err page_read_scan(
    struct page_read *read, struct scan_segment segment, const struct value *start, struct tide_error *error);

/** What becomes of an item that the filter let through; `scratch` may be used, and is reset before the next. */
typedef tide_err (*page_take_fn)(void *arg, struct arena *scratch, struct bytes image);

/**
 * Walk the page; `take` is called for each item unless `select` is PAGE_COUNT. Capacity is admitted before and taken after.
 * TIDE_VALIDATION: the index is still being filled. Also the errors of capacity_admit, TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM.
 */
tide_err page_read_walk(struct page_read *read, page_take_fn take, void *arg, struct tide_error *error);

/** Append the key with which a full page ended as JSON: what an ExclusiveStartKey must be. TIDE_CORRUPT, TIDE_NOMEM. */
tide_err page_read_last_key(struct page_read *read, struct buf *out);

/** Release what it holds. */
void page_read_close(struct page_read *read);

#endif
