/* Any bytes as a unit: what decodes must encode to a form that decodes to the same. */
#include <stdlib.h>

#include "store/journal/unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n);

static bool
is_disk(const struct unit *unit)
{
	return unit->first_seq != 0;
}

static void
encode(const struct unit *unit, struct buf *out)
{
	(is_disk(unit) ? unit_encode_disk : unit_encode_wire)(unit, out);
}

/* The input may hold numbers longer than needed and elements of newer versions, so the second form is compared. */
int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	struct buf first = {0}, second = {0};
	struct tide_error error;
	struct unit unit, again;
	struct arena arena;

	arena_init(&arena, 64 * 1024 * 1024);
	if (unit_decode(&arena, bytes_of(at, n), &unit, &error) == TIDE_OK) {
		encode(&unit, &first);
		if (unit_decode(&arena, buf_bytes(&first), &again, &error) != TIDE_OK)
			abort();
		if (is_disk(&unit) && unit_last_seq(&unit) != unit_last_seq(&again))
			abort();
		encode(&again, &second);
		if (!bytes_equal(buf_bytes(&first), buf_bytes(&second)))
			abort();
	}
	buf_fini(&first);
	buf_fini(&second);
	arena_fini(&arena);
	return 0;
}
