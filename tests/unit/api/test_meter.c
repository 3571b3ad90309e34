/* Token buckets: what is let through, when, and what is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/meter.h"

static uint64_t clock_ms;

static uint64_t
now(void *arg)
{
	(void)arg;
	return clock_ms;
}

static struct meter *
open_at(uint64_t ms, bool describe_only)
{
	struct meter_options options = {.describe_only = describe_only, .now_ms = now};
	struct meter *meter;

	clock_ms = ms;
	assert_int_equal(meter_open(&options, &meter), TIDE_OK);
	return meter;
}

/* --- one bucket --- */

static void
a_new_bucket_is_full_for_300_seconds(void **state)
{
	struct meter_bucket bucket = {0};

	(void)state;
	meter_bucket_settle(&bucket, 5, 1000);
	meter_bucket_take(&bucket, 2 * 5 * 300 - 1);
	assert_true(meter_bucket_admits(&bucket));
	meter_bucket_take(&bucket, 1);
	assert_false(meter_bucket_admits(&bucket));
}

static void
it_fills_at_its_rate_and_not_over_the_brim(void **state)
{
	struct meter_bucket bucket = {0};

	(void)state;
	meter_bucket_settle(&bucket, 5, 0);
	meter_bucket_take(&bucket, 2 * 5 * 300);
	meter_bucket_settle(&bucket, 5, 1000);
	meter_bucket_take(&bucket, 9);
	assert_true(meter_bucket_admits(&bucket));
	meter_bucket_take(&bucket, 1);
	assert_false(meter_bucket_admits(&bucket));
	meter_bucket_settle(&bucket, 5, 1000000000);
	assert_int_equal(bucket.balance, 2 * 5 * 300 * 1000);
}

static void
what_was_overdrawn_is_paid_first(void **state)
{
	struct meter_bucket bucket = {0};

	(void)state;
	meter_bucket_settle(&bucket, 1, 0);
	meter_bucket_take(&bucket, 2 * 300 + 20);
	meter_bucket_settle(&bucket, 1, 10000);
	assert_false(meter_bucket_admits(&bucket));
	meter_bucket_settle(&bucket, 1, 10001);
	assert_true(meter_bucket_admits(&bucket));
}

static void
a_change_of_rate_holds_at_once(void **state)
{
	struct meter_bucket bucket = {0};

	(void)state;
	meter_bucket_settle(&bucket, 100, 0);
	meter_bucket_settle(&bucket, 1, 0);
	assert_int_equal(bucket.balance, 2 * 300 * 1000); /* no more than the new rate's burst */
	meter_bucket_take(&bucket, 2 * 300);
	meter_bucket_settle(&bucket, 1000, 0);
	assert_false(meter_bucket_admits(&bucket)); /* a higher rate gives nothing for the past */
	meter_bucket_settle(&bucket, 1000, 1);
	assert_true(meter_bucket_admits(&bucket));
	meter_bucket_settle(&bucket, 0, 2);
	meter_bucket_take(&bucket, 1u << 30);
	assert_true(meter_bucket_admits(&bucket)); /* without a limit */
	meter_bucket_settle(&bucket, 1, 3);
	assert_int_equal(bucket.balance, 2 * 300 * 1000);
}

static void
no_number_overflows_it(void **state)
{
	struct meter_bucket bucket = {0};

	(void)state;
	meter_bucket_settle(&bucket, UINT64_MAX, 0);
	for (int i = 0; i < 1000; i++)
		meter_bucket_take(&bucket, UINT64_MAX);
	meter_bucket_settle(&bucket, UINT64_MAX, UINT64_MAX);
	assert_int_equal(bucket.rate, METER_RATE_MAX);
	assert_true(bucket.balance <= (int64_t)METER_RATE_MAX * 600000);
}

/* --- a region's --- */

static void
reads_and_writes_and_indexes_have_buckets_of_their_own(void **state)
{
	struct meter *meter = open_at(5, false);
	struct meter_resource table = {.table = 1, .rate = {1, 1}}, index = {1, 7, {1, 1}},
			      other = {2, 0, {1, 1}};

	(void)state;
	meter_take(meter, &table, METER_WRITE, 600);
	assert_false(meter_admit(meter, &table, METER_WRITE));
	assert_true(meter_admit(meter, &table, METER_READ));
	assert_true(meter_admit(meter, &index, METER_WRITE));
	assert_true(meter_admit(meter, &other, METER_WRITE));
	meter_close(meter);
}

static void
what_is_consumed_and_refused_is_counted(void **state)
{
	struct meter *meter = open_at(30000, false);
	struct meter_resource table = {.table = 1, .rate = {1, 1}};
	struct meter_counts counts;

	(void)state;
	assert_false(meter_counts(meter, 1, 0, &counts));
	meter_take(meter, &table, METER_READ, 601);
	assert_false(meter_admit(meter, &table, METER_READ));
	assert_true(meter_counts(meter, 1, 0, &counts));
	assert_int_equal(counts.consumed[METER_READ], 601);
	assert_int_equal(counts.refused[METER_READ], 1);
	assert_int_equal(counts.minute_consumed[METER_READ], 0);
	clock_ms = 60000;
	meter_take(meter, &table, METER_READ, 3);
	meter_counts(meter, 1, 0, &counts);
	assert_int_equal(counts.minute_consumed[METER_READ], 601);
	assert_int_equal(counts.minute_refused[METER_READ], 1);
	clock_ms = 120000;
	meter_counts(meter, 1, 0, &counts);
	assert_int_equal(counts.minute_consumed[METER_READ], 3);
	clock_ms = 240000;
	meter_counts(meter, 1, 0, &counts);
	assert_int_equal(counts.minute_consumed[METER_READ], 0);
	assert_int_equal(counts.consumed[METER_READ], 604);
	meter_close(meter);
}

static void
described_limits_refuse_nothing_and_count(void **state)
{
	struct meter *meter = open_at(0, true);
	struct meter_resource table = {.table = 1, .rate = {1, 1}};
	struct meter_counts counts;

	(void)state;
	meter_take(meter, &table, METER_READ, 100000);
	assert_true(meter_admit(meter, &table, METER_READ));
	meter_counts(meter, 1, 0, &counts);
	assert_int_equal(counts.consumed[METER_READ], 100000);
	meter_close(meter);
}

static bool
is_two(void *arg, uint64_t table)
{
	(void)arg;
	return table == 2;
}

static void
tables_that_are_gone_are_forgotten(void **state)
{
	struct meter *meter = open_at(0, false);
	struct meter_counts counts;

	(void)state;
	for (uint64_t id = 1; id < 200; id++)
		meter_take(meter, &(struct meter_resource){.table = id}, METER_READ, 1);
	meter_sweep(meter, is_two, NULL);
	assert_false(meter_counts(meter, 1, 0, &counts));
	assert_true(meter_counts(meter, 2, 0, &counts));
	meter_close(meter);
}

static void
without_a_meter_nothing_is_refused(void **state)
{
	struct meter_resource table = {.table = 1, .rate = {1, 1}};
	struct meter_counts counts;

	(void)state;
	assert_true(meter_admit(NULL, &table, METER_READ));
	meter_take(NULL, &table, METER_READ, 1);
	assert_false(meter_counts(NULL, 1, 0, &counts));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_new_bucket_is_full_for_300_seconds),
	    cmocka_unit_test(it_fills_at_its_rate_and_not_over_the_brim),
	    cmocka_unit_test(what_was_overdrawn_is_paid_first),
	    cmocka_unit_test(a_change_of_rate_holds_at_once),
	    cmocka_unit_test(no_number_overflows_it),
	    cmocka_unit_test(reads_and_writes_and_indexes_have_buckets_of_their_own),
	    cmocka_unit_test(what_is_consumed_and_refused_is_counted),
	    cmocka_unit_test(described_limits_refuse_nothing_and_count),
	    cmocka_unit_test(tables_that_are_gone_are_forgotten),
	    cmocka_unit_test(without_a_meter_nothing_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
