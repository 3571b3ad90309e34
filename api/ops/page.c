#include "api/ops/page.h"

bool
page_add(struct page *page, size_t stored_bytes)
{
	page->scanned++;
	page->bytes += stored_bytes + 2 + (1 + stored_bytes / 3072) * 18;
	return page->bytes >= PAGE_BYTES_MAX || (page->limit != 0 && page->scanned >= page->limit);
}
