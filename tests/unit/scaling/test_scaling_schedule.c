/* Schedules: which are ones, and when they are due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/scaling/schedule.h"

#define MINUTE_MS UINT64_C(60000)
#define MONDAY_MS UINT64_C(1735516800000) /* 2024-12-30T00:00:00Z */

static const struct {
	const char *text;
	bool is_one;
} texts[] = {
    {"at(2025-01-01T12:30:00)", true},
    {"at(2025-13-01T12:30:00)", false},
    {"at(2025-01-01 12:30:00)", false},
    {"at(2025-01-01T12:30:00Z)", false},
    {"rate(1 minute)", true},
    {"rate(1 minutes)", false},
    {"rate(5 minute)", false},
    {"rate(5 minutes)", true},
    {"rate(0 minutes)", false},
    {"rate(2 days)", true},
    {"rate(2 weeks)", false},
    {"cron(0 10 * * ? *)", true},
    {"cron(15 12 * * ? *)", true},
    {"cron(0/10 * ? * MON-FRI *)", true},
    {"cron(0 8,20 1 1-6/2 ? 2025-2030)", true},
    {"cron(0 10 * * * *)", false},
    {"cron(0 10 ? * ? *)", false},
    {"cron(60 10 * * ? *)", false},
    {"cron(0 24 * * ? *)", false},
    {"cron(0 10 L * ? *)", false},
    {"cron(0 10 * * ?)", false},
    {"cron(0 10 * * ? * *)", false},
    {"cron(5-1 10 * * ? *)", false},
    {"cron()", false},
    {"daily", false},
    {"", false},
    {"at(2025-01-01T12:30:00) ", false},
};

static void
texts_are_schedules_or_not(void **state)
{
	struct scaling_schedule schedule;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (scaling_schedule_parse(bytes_of_string(texts[i].text), &schedule) != texts[i].is_one)
			fail_msg("%s", texts[i].text);
}

static struct scaling_schedule
parsed(const char *text)
{
	struct scaling_schedule schedule;

	assert_true(scaling_schedule_parse(bytes_of_string(text), &schedule));
	return schedule;
}

static void
at_runs_once(void **state)
{
	struct scaling_schedule s = parsed("at(2024-12-30T00:05:00)");

	(void)state;
	assert_false(scaling_schedule_due(&s, 0, 0, MONDAY_MS + 5 * MINUTE_MS - 1));
	assert_true(scaling_schedule_due(&s, 0, 0, MONDAY_MS + 5 * MINUTE_MS));
	assert_true(scaling_schedule_due(&s, 0, 0, MONDAY_MS + 50 * MINUTE_MS));
	assert_false(scaling_schedule_due(&s, 0, MONDAY_MS + 5 * MINUTE_MS, MONDAY_MS + 50 * MINUTE_MS));
}

static void
rate_counts_from_its_start_and_then_from_the_last_run(void **state)
{
	struct scaling_schedule s = parsed("rate(5 minutes)");

	(void)state;
	assert_false(scaling_schedule_due(&s, MONDAY_MS, 0, MONDAY_MS + 4 * MINUTE_MS));
	assert_true(scaling_schedule_due(&s, MONDAY_MS, 0, MONDAY_MS + 5 * MINUTE_MS));
	assert_false(
	    scaling_schedule_due(&s, MONDAY_MS, MONDAY_MS + 5 * MINUTE_MS, MONDAY_MS + 9 * MINUTE_MS));
	assert_true(
	    scaling_schedule_due(&s, MONDAY_MS, MONDAY_MS + 5 * MINUTE_MS, MONDAY_MS + 10 * MINUTE_MS));
}

/* How often it is due in the week that begins on that Monday. */
static unsigned
times_in_a_week(const char *text)
{
	struct scaling_schedule s = parsed(text);
	uint64_t ran = 0;
	unsigned n = 0;

	/* Looked at twice a minute: due once. */
	for (uint64_t at = MONDAY_MS; at < MONDAY_MS + 7 * 1440 * MINUTE_MS; at += MINUTE_MS / 2)
		if (scaling_schedule_due(&s, 0, ran, at)) {
			ran = at;
			n++;
		}
	return n;
}

static void
cron_is_due_in_its_minutes(void **state)
{
	(void)state;
	assert_int_equal(times_in_a_week("cron(0 10 * * ? *)"), 7);
	assert_int_equal(times_in_a_week("cron(0/10 * ? * * *)"), 7 * 24 * 6);
	assert_int_equal(times_in_a_week("cron(30 22 ? * MON-FRI *)"), 5);
	assert_int_equal(times_in_a_week("cron(30 22 ? * SUN,7 *)"), 2);
	assert_int_equal(times_in_a_week("cron(0 8,20 1 1 ? *)"), 2);
	assert_int_equal(times_in_a_week("cron(0 0 ? * * 2024)"), 2);
	assert_int_equal(times_in_a_week("cron(0 0 31 DEC ? 2020/2)"), 1);
	assert_int_equal(times_in_a_week("cron(0 0 31 DEC ? 2021/2)"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_are_schedules_or_not),
	    cmocka_unit_test(at_runs_once),
	    cmocka_unit_test(rate_counts_from_its_start_and_then_from_the_last_run),
	    cmocka_unit_test(cron_is_due_in_its_minutes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
