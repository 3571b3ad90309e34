/*
 * One page of a Query or a Scan: a walk over a range of keys, filtered, projected and written as the reply.
 * I/O thread.
 */
#ifndef TIDE_API_OPS_PAGE_READ_H
#define TIDE_API_OPS_PAGE_READ_H

#include "api/expr/expr.h"
#include "api/ops/capacity.h"
#include "api/ops/item_key.h"
#include "api/ops/key_range.h"
#include "api/ops/ops.h"

struct page_read {
	struct request *request;
	const struct table *table;
	struct key_range range;
	struct expr_scope scope;
	const struct expr_condition *filter;
	const struct expr_projection *projection;
	bool count_only; /* Select COUNT */
	bool consistent;
	bool at_most_one; /* the range names one item: there is no next page */
	bool scan, segmented; /* for the capacity */
	struct capacity used; /* its report from the start; begun with the table */
	uint64_t limit;
};

/* What differs between the two: `expressions` and `legacy` as in expr_scope_read. */
struct page_parameters {
	const char *const *expressions, *const *legacy;
	const char *filter; /* QueryFilter or ScanFilter */
};

/**
 * What Query and Scan have in common, out of a checked request: names and values, filter, projection,
 * Select, Limit, ConsistentRead. The caller checks what else it
 * parses, then page_read_table.
 */
tide_err page_read_begin(struct page_read *read, struct request *request,
    const struct page_parameters *parameters, struct tide_error *error);

/** Every name and value used; the table; no index of that name. */
tide_err page_read_table(struct page_read *read, struct tide_error *error);

/**
 * The ExclusiveStartKey; `*present` false when there is none. `*value` is the key as an item, `*key` its
 * stored form. TIDE_VALIDATION: not a key of this table.
 */
tide_err page_read_start(struct page_read *read, bool *present, struct value *value, struct item_key *key,
    struct tide_error *error);

/** Read the page and answer the request with it. */
tide_err page_read_write(struct page_read *read, struct tide_error *error);

/** Answer: the reply that was written, or the error. Releases what `read` holds. */
void page_read_finish(struct page_read *read, tide_err rc, const struct tide_error *error);

/* The parameters of both, for their tables. */
extern const char *const select_names[];

#endif
