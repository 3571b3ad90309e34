/* Batches spread over a round trip: a line of a given length, a number of requests on it, and a commit in every millisecond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "api/pace.h"

#define STEPS 20000
#define FLIGHTS_MAX 256

struct line {
	struct pace pace;
	uint64_t trip;
	uint32_t requests;
	uint64_t arrives[FLIGHTS_MAX]; /* a request made by an answer, by the answer's number */
	uint64_t waiting, sent, got;
	uint64_t wait_most;
};

/* One millisecond: requests arrive, and what was committed since `since` is sent if it may go. Returns the new `since`. */
static uint64_t
step(struct line *line, uint64_t now, uint64_t since, bool paced)
{
	while (line->got < line->sent && line->arrives[line->got % FLIGHTS_MAX] <= now) {
		line->got++;
		line->waiting++;
		pace_heard(&line->pace, now, line->got);
	}
	if (line->waiting == 0 || (paced && pace_due(&line->pace, line->waiting) > now))
		return since;
	if (now - since > line->wait_most)
		line->wait_most = now - since;
	line->arrives[line->sent++ % FLIGHTS_MAX] = now + line->trip;
	line->waiting--;
	pace_sent(&line->pace, now, true);
	return now + 1;
}

static uint64_t
longest_wait(uint64_t trip, uint32_t requests, bool paced)
{
	struct line line = {.trip = trip, .requests = requests, .waiting = requests};
	uint64_t since = 0;

	for (uint64_t now = 1; now < STEPS; now++) {
		since = step(&line, now, since, paced);
		if (now == STEPS / 4)
			line.wait_most = 0; /* the round trip is known by then */
	}
	return line.wait_most;
}

static void
no_write_waits_for_more_than_its_share_of_the_round_trip(void **state)
{
	static const struct {
		uint64_t trip;
		uint32_t requests;
	} cases[] = {{1, 8}, {20, 16}, {100, 16}, {100, 128}, {250, 64}, {250, 128}, {600, 128}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t share = cases[i].trip / cases[i].requests + 2;
		uint64_t wait = longest_wait(cases[i].trip, cases[i].requests, true);

		if (wait > share)
			print_error("trip %u ms, %u requests: a write waits for %u ms\n",
			    (unsigned)cases[i].trip, cases[i].requests, (unsigned)wait);
		assert_true(wait <= share);
	}
}

/* What the pace is for: without it the requests bunch. */
static void
without_it_a_write_waits_for_most_of_the_round_trip(void **state)
{
	(void)state;
	assert_true(longest_wait(250, 64, false) > 150);
}

static void
a_peer_that_catches_up_is_not_slowed(void **state)
{
	struct pace pace = {0};

	(void)state;
	pace_sent(&pace, 100, true);
	pace_heard(&pace, 300, 1);
	pace_sent(&pace, 300, true);
	assert_int_equal(pace_due(&pace, 1), 400); /* 200 ms, and two requests */
	pace_sent(&pace, 310, false);
	assert_true(pace_due(&pace, 1) <= 310);
}

static void
a_peer_that_tells_nonsense_changes_nothing(void **state)
{
	struct pace pace = {0};

	(void)state;
	pace_sent(&pace, 100, true);
	pace_heard(&pace, 150, 1);
	pace_heard(&pace, 151, 7); /* more than were sent */
	pace_heard(&pace, 152, 0);
	assert_int_equal(pace.heard, 1);
	assert_int_equal(pace.trip, 50);
	for (int i = 0; i < 2 * PACE_SENT_MAX; i++)
		pace_sent(&pace, 200, true);
	pace_heard(&pace, 300, 2); /* so long ago that it is not remembered */
	assert_int_equal(pace.heard, 1);
}

static void
a_line_that_becomes_longer_is_noticed(void **state)
{
	struct pace pace = {0};
	uint64_t now = 0;

	(void)state;
	for (uint64_t i = 1; i < 1000; i++) {
		pace_sent(&pace, now, true);
		now += i < 10 ? 10 : 200;
		pace_heard(&pace, now, i);
	}
	assert_in_range(pace.trip, 190, 210);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_write_waits_for_more_than_its_share_of_the_round_trip),
	    cmocka_unit_test(without_it_a_write_waits_for_most_of_the_round_trip),
	    cmocka_unit_test(a_peer_that_catches_up_is_not_slowed),
	    cmocka_unit_test(a_peer_that_tells_nonsense_changes_nothing),
	    cmocka_unit_test(a_line_that_becomes_longer_is_noticed),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
