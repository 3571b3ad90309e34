/* Any bytes as a stored value: refused, or the one encoding of the value that they decode to. */
#include <stdlib.h>

#include "store/item/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	struct arena arena;
	struct value value, *copy;
	struct buf again = {0};

	arena_init(&arena, 64 << 20);
	if (value_decode(&arena, bytes_of(at, n), &value) == TIDE_OK) {
		value_encode(&value, &again);
		if (!bytes_equal(buf_bytes(&again), bytes_of(at, n)))
			abort();
		copy = value_copy(&arena, &value);
		if (copy == NULL || !value_equal(copy, &value) || value_size(copy) != value_size(&value))
			abort();
	}
	buf_fini(&again);
	arena_fini(&arena);
	return 0;
}
