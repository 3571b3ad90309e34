/*
 * What Query and Scan have in common around a page: reading the request, and answering it. I/O thread.
 */
#ifndef TIDE_API_OPS_PAGE_REQUEST_H
#define TIDE_API_OPS_PAGE_REQUEST_H

#include "api/ops/page_read.h"

/* What differs between the two: `expressions` and `legacy` as in expr_scope_read. */
struct page_parameters {
	const char *const *expressions, *const *legacy;
	const char *filter; /* QueryFilter or ScanFilter */
};

/**
 * Names and values, filter, projection, Select, Limit, ConsistentRead of a checked request. The caller checks what else it parses, then
 * page_request_target.
 */
tide_err page_request_begin(struct page_read *read, struct request *request,
    const struct page_parameters *parameters, struct expr_scope *scope, struct tide_error *error);

/** Every name and value used; the table, and the index. */
tide_err page_request_target(
    struct page_read *read, const struct expr_scope *scope, struct tide_error *error);

/** The ExclusiveStartKey as an item in the arena; `*start` NULL: there is none. TIDE_VALIDATION: values that are none. */
tide_err page_request_start(struct page_read *read, const struct value **start, struct tide_error *error);

/** Read the page and write the reply. */
tide_err page_request_write(struct page_read *read, struct tide_error *error);

/** Answer: the reply that was written, or the error. Releases what `read` holds. */
void page_request_finish(struct page_read *read, tide_err rc, const struct tide_error *error);

/* The parameters of both, for their tables. */
extern const char *const select_names[];

#endif
