/* Target tracking over tables of minutes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/scaling/rule.h"

#define MINUTE_MS 60000
#define NOW_MS (1000 * MINUTE_MS)

static const struct scaling_rule usual = {.target = 70, .min = 5, .max = 100};

/* `n` minutes of `units` each, then `more` of `then`. */
struct stretch {
	uint32_t n;
	double units;
};

static const struct decision {
	const char *name;
	struct stretch minutes[4];
	int64_t current, want;
} decisions[] = {
    {"nothing is known yet", {{0, 0}}, 10, 10},
    {"one minute above is no reason", {{14, 5}, {1, 9}}, 10, 10},
    {"two minutes above: the busier one at the target", {{2, 14}}, 10, 20},
    {"at the target is not above it", {{2, 7}}, 10, 10},
    {"the last two count, not the ones before", {{5, 50}, {1, 2}, {1, 9}}, 10, 10},
    {"no more than the maximum", {{2, 500}}, 10, 100},
    {"at the maximum there is no more", {{2, 500}}, 100, 100},
    {"a fraction is rounded up", {{2, 7.1}}, 10, 11},
    {"fourteen minutes below are no reason", {{14, 1}}, 50, 50},
    {"fifteen are: the busiest one at the target", {{14, 1}, {1, 7}}, 50, 10},
    {"one minute in between begins it anew", {{7, 1}, {1, 40}, {7, 1}}, 50, 50},
    {"no less than the minimum", {{15, 0}}, 50, 5},
    {"20 points below is where it begins", {{15, 25}}, 50, 50},
    {"just under that", {{15, 24.9}}, 50, 36},
    {"between the two nothing happens", {{15, 30}}, 50, 50},
};

static struct scaling_minutes
play(const struct stretch *stretches)
{
	struct scaling_minutes minutes = {0};

	for (int i = 0; i < 4; i++)
		for (uint32_t n = 0; n < stretches[i].n; n++)
			scaling_minutes_add(&minutes, stretches[i].units);
	return minutes;
}

static void
decides(void **state)
{
	const struct decision *row = *state;
	struct scaling_minutes minutes = play(row->minutes);
	struct scaling_past none = {0};

	assert_int_equal(scaling_rule_decide(&usual, &minutes, &none, row->current, NOW_MS), row->want);
}

static void
a_direction_that_is_off_is_not_taken(void **state)
{
	struct scaling_minutes busy = play((struct stretch[4]){{2, 50}}),
			       idle = play((struct stretch[4]){{15, 0}});
	struct scaling_rule no_in = usual, no_out = usual;
	struct scaling_past none = {0};

	(void)state;
	no_in.no_in = no_out.no_out = true;
	assert_int_equal(scaling_rule_decide(&no_out, &busy, &none, 10, NOW_MS), 10);
	assert_int_equal(scaling_rule_decide(&no_in, &busy, &none, 10, NOW_MS), 72);
	assert_int_equal(scaling_rule_decide(&no_in, &idle, &none, 10, NOW_MS), 10);
	assert_int_equal(scaling_rule_decide(&no_out, &idle, &none, 10, NOW_MS), 5);
}

static void
cooldowns_are_waited_for(void **state)
{
	struct scaling_minutes busy = play((struct stretch[4]){{2, 50}}),
			       idle = play((struct stretch[4]){{15, 0}});
	struct scaling_past out = {.out_ms = NOW_MS}, in = {.in_ms = NOW_MS};
	struct scaling_rule rule = usual;

	(void)state;
	rule.out_cooldown_s = 120;
	rule.in_cooldown_s = 300;
	assert_int_equal(scaling_rule_decide(&rule, &busy, &out, 10, NOW_MS + 119999), 10);
	assert_int_equal(scaling_rule_decide(&rule, &busy, &out, 10, NOW_MS + 120000), 72);
	/* Out is not kept waiting by an earlier change inward; in is, by either. */
	assert_int_equal(scaling_rule_decide(&rule, &busy, &in, 10, NOW_MS + 1), 72);
	assert_int_equal(scaling_rule_decide(&rule, &idle, &in, 10, NOW_MS + 299999), 10);
	assert_int_equal(scaling_rule_decide(&rule, &idle, &out, 10, NOW_MS + 299999), 10);
	assert_int_equal(scaling_rule_decide(&rule, &idle, &out, 10, NOW_MS + 300000), 5);
}

/* An hour of a load that rises and falls: capacity follows, and stays within its bounds. */
static void
capacity_follows_a_day(void **state)
{
	struct scaling_minutes minutes = {0};
	struct scaling_past past = {0};
	int64_t capacity = 10, most = 0;

	(void)state;
	for (uint64_t minute = 1; minute <= 120; minute++) {
		double load = minute <= 30 ? 2 + (double)minute : minute <= 60 ? 32 : 1;
		int64_t want;

		scaling_minutes_add(&minutes, load);
		want = scaling_rule_decide(&usual, &minutes, &past, capacity, NOW_MS + minute * MINUTE_MS);
		if (want > capacity)
			past.out_ms = NOW_MS + minute * MINUTE_MS;
		capacity = want;
		assert_in_range(capacity, 5, 100);
		most = capacity > most ? capacity : most;
		if (minute > 32 && minute <= 60)
			assert_true((double)capacity * 0.7 >= load);
	}
	assert_int_equal(most, 46); /* 32 at 70 % */
	assert_int_equal(capacity, 5);
}

int
main(void)
{
	struct CMUnitTest tests[sizeof decisions / sizeof decisions[0] + 3];
	size_t n = 0;

	for (size_t i = 0; i < sizeof decisions / sizeof decisions[0]; i++)
		tests[n++] = (struct CMUnitTest){
		    decisions[i].name, decides, NULL, NULL, (void *)(uintptr_t)&decisions[i]};
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_direction_that_is_off_is_not_taken);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(cooldowns_are_waited_for);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(capacity_follows_a_day);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
