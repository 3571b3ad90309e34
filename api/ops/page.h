/*
 * Where a page of a Query or Scan ends: after Limit items looked at (before the filter), or with the item
 * that passes 1 MB.
 *
 * What an item weighs in a page is its stored form plus about what DynamoDB's storage adds (18 bytes for
 * each 3 KB): there, too, a page may end a little before its items alone add up to 1 MB. Pure.
 */
#ifndef TIDE_API_OPS_PAGE_H
#define TIDE_API_OPS_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES_MAX (1024 * 1024)

struct page {
	uint64_t limit; /* items at most; 0: no limit */
	uint64_t bytes; /* so far */
	uint64_t scanned; /* items looked at: ScannedCount */
	uint64_t matched; /* items that the filter let through: Count */
};

/** Count an item of that stored size. True: the page ends with it, and a LastEvaluatedKey names it. */
bool page_add(struct page *page, size_t stored_bytes);

#endif
