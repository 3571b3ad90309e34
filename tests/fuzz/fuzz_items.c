/*
 * Any JSON as the body of an item operation, against a region in memory: the first byte chooses the operation.
 * Every request is answered exactly once, with a reply that is JSON or with an error that has a name.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/ops/fake_region.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static void
check_answer(const char *answer)
{
	struct arena arena = {0};
	struct json json;

	if (answer[0] == '{') {
		check(json_parse(&arena, bytes_of_string(answer), &json, NULL) == TIDE_OK);
		check(json.type == JSON_OBJECT);
	} else {
		check(strstr(answer, "Exception: ") != NULL);
	}
	arena_fini(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	static void (*const operations[])(struct request * request) = {op_put_item, op_get_item,
	    op_update_item, op_delete_item, op_batch_get_item, op_batch_write_item, op_query, op_scan,
	    op_transact_get_items, op_transact_write_items};
	static bool started;
	const char *answer;

	if (!started) {
		fake_region_start();
		atexit(fake_region_stop);
		started = true;
	}
	if (n == 0)
		return 0;
	/* Inputs that were found before the last two operations keep their meaning. */
	answer = fake_call_bytes(
	    operations[at[0] >= 0xfe ? at[0] - 0xfe + 8 : at[0] % 8], bytes_of(at + 1, n - 1));
	if (answer != NULL)
		check_answer(answer);
	return 0;
}
