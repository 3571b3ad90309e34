/* How often throughput may be lowered, moment by moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/ops/throughput.h"

#define HOUR UINT64_C(3600000)
#define DAY (24 * HOUR)
#define MIDNIGHT (20000 * DAY) /* 2024-10-04 */

static const struct throughput high = {10, 10}, low = {9, 10}, mixed = {8, 20};

static tide_err
lower(struct throughput_changes *changes, uint64_t at)
{
	return throughput_change(changes, high, low, at, NULL);
}

static void
four_decreases_are_free_and_then_one_an_hour(void **state)
{
	struct throughput_changes changes = {0};
	struct tide_error error;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(lower(&changes, MIDNIGHT + i), TIDE_OK);
	assert_int_equal(
	    throughput_change(&changes, high, low, MIDNIGHT + 3 + HOUR - 1, &error), TIDE_LIMIT_EXCEEDED);
	assert_non_null(strstr(error.message,
	    "Number of decreases today: 4. Last decrease at Friday, October 4, "
	    "2024 at 12:00:00 AM Coordinated Universal Time. Next decrease can be "
	    "made at Friday, October 4, 2024 at 1:00:00 AM Coordinated Universal Time"));
	assert_int_equal(throughput_decreases_today(&changes, MIDNIGHT + HOUR), 4);
	assert_int_equal(lower(&changes, MIDNIGHT + 3 + HOUR), TIDE_OK);
	assert_int_equal(throughput_decreases_today(&changes, MIDNIGHT + 2 * HOUR), 5);
	assert_int_equal(lower(&changes, MIDNIGHT + 3 + HOUR + HOUR / 2), TIDE_LIMIT_EXCEEDED);
}

static void
a_new_day_begins_anew(void **state)
{
	struct throughput_changes changes = {0};

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(lower(&changes, MIDNIGHT - 1), TIDE_OK);
	assert_int_equal(throughput_decreases_today(&changes, MIDNIGHT), 0);
	assert_int_equal(lower(&changes, MIDNIGHT), TIDE_OK);
	assert_int_equal(throughput_decreases_today(&changes, MIDNIGHT), 1);
}

static void
increases_are_free_and_one_that_lowers_too_is_a_decrease(void **state)
{
	struct throughput_changes changes = {0};

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(throughput_change(&changes, low, high, MIDNIGHT, NULL), TIDE_OK);
	assert_int_equal(throughput_decreases_today(&changes, MIDNIGHT), 0);
	assert_int_equal(changes.increased_ms, MIDNIGHT);
	assert_int_equal(throughput_change(&changes, high, mixed, MIDNIGHT + 1, NULL), TIDE_OK);
	assert_int_equal(throughput_decreases_today(&changes, MIDNIGHT), 1);
	assert_int_equal(changes.increased_ms, MIDNIGHT + 1);
	assert_int_equal(changes.decreased_ms, MIDNIGHT + 1);
}

static void
what_is_described(void **state)
{
	struct throughput_changes changes = {.decreased_ms = MIDNIGHT + 1500, .decreases = 2};
	struct buf out = {0};

	(void)state;
	throughput_write_json(&out, &changes, low, MIDNIGHT + HOUR);
	buf_append_byte(&out, 0);
	assert_string_equal((const char *)out.at,
	    "{\"NumberOfDecreasesToday\":2,\"ReadCapacityUnits\":9,\"WriteCapacityUnits\":10,"
	    "\"LastDecreaseDateTime\":1728000001.500}");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(four_decreases_are_free_and_then_one_an_hour),
	    cmocka_unit_test(a_new_day_begins_anew),
	    cmocka_unit_test(increases_are_free_and_one_that_lowers_too_is_a_decrease),
	    cmocka_unit_test(what_is_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
