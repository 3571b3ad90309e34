/* How many records stand above a sequence: exact while it is short, never too small, near enough when it is long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

#include "api/backlog.h"

/* Records of this table take every third sequence number from 103 on; the one before them was 100. */
static void
fill(struct backlog *backlog, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		assert_int_equal(backlog_add(backlog, 103 + 3 * i, 100 + 3 * i), TIDE_OK);
}

static void
test_a_short_backlog_is_exact(void **state)
{
	struct backlog backlog = {0};

	(void)state;
	fill(&backlog, 100);
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(backlog_above(&backlog, 100 + 3 * i, 400), 100 - i);
	assert_int_equal(backlog_above(&backlog, 400, 400), 0);
	/* Sequences of other tables in between change nothing. */
	assert_int_equal(backlog_above(&backlog, 104, 400), 99);
	backlog_fini(&backlog);
}

static void
test_who_has_the_last_record_lacks_nothing(void **state)
{
	struct backlog backlog = {0};

	(void)state;
	assert_int_equal(backlog_above(&backlog, 7, 7), 0);
	assert_int_equal(backlog_above(&backlog, 9, 7), 0);
	fill(&backlog, 100000);
	assert_int_equal(backlog_above(&backlog, backlog.last_seq, backlog.last_seq), 0);
	backlog_fini(&backlog);
}

static void
test_what_was_written_before_counting_is_an_upper_bound(void **state)
{
	struct backlog backlog = {0};

	(void)state;
	assert_int_equal(backlog_above(&backlog, 10, 100), 90);
	fill(&backlog, 5);
	assert_int_equal(backlog_above(&backlog, 10, 115), 95);
	backlog_fini(&backlog);
}

static void
test_a_long_backlog_is_near_enough_and_never_too_small(void **state)
{
	struct backlog backlog = {0};
	const uint64_t n = 1000000;

	(void)state;
	fill(&backlog, n);
	assert_true(backlog.n_marks <= BACKLOG_MARKS);
	for (uint64_t i = 0; i < n; i += 997) {
		uint64_t told = backlog_above(&backlog, 100 + 3 * i, backlog.last_seq), is = n - i;

		assert_in_range(told, is, is + n / 32);
	}
	backlog_fini(&backlog);
}

static void
test_a_backlog_that_was_long_is_exact_again(void **state)
{
	struct backlog backlog = {0};
	const uint64_t n = 300000;
	uint64_t seq;

	(void)state;
	fill(&backlog, n);
	backlog_forget(&backlog, backlog.last_seq);
	seq = backlog.last_seq;
	for (uint64_t i = 0; i < 50; i++)
		assert_int_equal(backlog_add(&backlog, seq + 1 + i, seq + i), TIDE_OK);
	backlog_forget(&backlog, seq + 10);
	assert_int_equal(backlog_above(&backlog, seq + 50, seq + 50), 0);
	for (uint64_t i = 10; i < 50; i++)
		assert_int_equal(backlog_above(&backlog, seq + i, seq + 50), 50 - i);
	backlog_fini(&backlog);
}

static void
test_forgetting_keeps_what_is_asked_for(void **state)
{
	struct backlog backlog = {0};

	(void)state;
	backlog_forget(&backlog, 5); /* of nothing */
	fill(&backlog, 60);
	backlog_forget(&backlog, 100 + 3 * 20 + 1); /* between two records */
	for (uint64_t i = 20; i < 60; i++)
		assert_int_equal(backlog_above(&backlog, 100 + 3 * i, 280), 60 - i);
	backlog_fini(&backlog);
}

static void
test_a_journal_that_begins_anew_is_counted_anew(void **state)
{
	struct backlog backlog = {0};

	(void)state;
	fill(&backlog, 40);
	assert_int_equal(backlog_add(&backlog, 5, 0), TIDE_OK);
	assert_int_equal(backlog_above(&backlog, 0, 5), 1);
	assert_int_equal(backlog_above(&backlog, 5, 5), 0);
	backlog_fini(&backlog);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_short_backlog_is_exact),
	    cmocka_unit_test(test_who_has_the_last_record_lacks_nothing),
	    cmocka_unit_test(test_what_was_written_before_counting_is_an_upper_bound),
	    cmocka_unit_test(test_a_long_backlog_is_near_enough_and_never_too_small),
	    cmocka_unit_test(test_a_backlog_that_was_long_is_exact_again),
	    cmocka_unit_test(test_forgetting_keeps_what_is_asked_for),
	    cmocka_unit_test(test_a_journal_that_begins_anew_is_counted_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
