/* A link's bandwidth limit: what a token bucket in debt lets through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "replicator/bucket.h"

static void
without_a_limit_nothing_waits(void **state)
{
	struct bucket bucket = {0};

	(void)state;
	bucket_take(&bucket, 5, 1000000000);
	assert_int_equal(bucket_ready_at(&bucket, 5), 5);
	assert_int_equal(bucket_share(&bucket, 4096, 262144), 262144);
}

static void
a_debt_is_paid_by_time(void **state)
{
	struct bucket bucket = {.rate = 1000};

	(void)state;
	assert_int_equal(bucket_ready_at(&bucket, 100), 100);
	bucket_take(&bucket, 100, 500);
	assert_int_equal(bucket_ready_at(&bucket, 100), 600);
	assert_int_equal(bucket_ready_at(&bucket, 350), 600);
	bucket_take(&bucket, 350, 100);
	assert_int_equal(bucket_ready_at(&bucket, 350), 700);
	assert_int_equal(bucket_ready_at(&bucket, 700), 700);
	assert_int_equal(bucket.debt, 0);
}

static void
time_without_traffic_saves_nothing_up(void **state)
{
	struct bucket bucket = {.rate = 1000};

	(void)state;
	bucket_take(&bucket, 0, 1);
	assert_int_equal(bucket_ready_at(&bucket, 1000000), 1000000);
	bucket_take(&bucket, 1000000, 2000);
	assert_int_equal(bucket_ready_at(&bucket, 1000000), 1002000);
}

/* However it is cut into steps, and whatever does not divide. */
static void
the_rate_holds_over_any_longer_time(void **state)
{
	(void)state;
	for (uint64_t rate = 1; rate < 5000; rate += 333) {
		struct bucket bucket = {.rate = rate};
		uint64_t now = 1, sum = 0, takes = 0;

		srand((unsigned)rate);
		while (sum < rate * 20) {
			uint64_t bytes = (uint64_t)rand() % 700, ready;

			bucket_take(&bucket, now, bytes);
			sum += bytes;
			takes++;
			while ((ready = bucket_ready_at(&bucket, now)) > now)
				now += 1 + (uint64_t)rand() % (ready - now); /* looked at in between */
		}
		/* Each wait is rounded up to a millisecond. */
		assert_in_range(now, sum * 1000 / rate, sum * 1000 / rate + takes + 2);
	}
}

static void
shares_are_a_second_together(void **state)
{
	struct bucket slow = {.rate = 65536}, fast = {.rate = 100 << 20}, tiny = {.rate = 1024};

	(void)state;
	assert_int_equal(bucket_share(&slow, 4096, 262144), 8192);
	assert_int_equal(bucket_together(&slow, 8192), 8);
	assert_int_equal(bucket_share(&fast, 4096, 262144), 262144);
	assert_int_equal(bucket_together(&fast, 262144), 400);
	assert_int_equal(bucket_share(&tiny, 4096, 262144), 4096);
	assert_int_equal(bucket_together(&tiny, 4096), 8);
}

static void
a_clock_that_stands_or_leaps_does_no_harm(void **state)
{
	struct bucket bucket = {.rate = UINT32_MAX};

	(void)state;
	bucket_take(&bucket, 1000, UINT32_MAX);
	bucket_take(&bucket, 900, 0);
	assert_int_equal(bucket_ready_at(&bucket, 1000), 2000);
	assert_int_equal(bucket_ready_at(&bucket, UINT64_MAX / 2), UINT64_MAX / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_a_limit_nothing_waits),
	    cmocka_unit_test(a_debt_is_paid_by_time),
	    cmocka_unit_test(time_without_traffic_saves_nothing_up),
	    cmocka_unit_test(the_rate_holds_over_any_longer_time),
	    cmocka_unit_test(shares_are_a_second_together),
	    cmocka_unit_test(a_clock_that_stands_or_leaps_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
