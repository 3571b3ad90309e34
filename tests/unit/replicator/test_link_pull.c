/* Pulling: who is asked for which journal, what becomes of batches, and what the machine does when an answer is bad, late or missing. */
#include "tests/unit/replicator/link_fixture.h"

static void
records_come_from_their_own_region(void **state)
{
	struct fixture *f = *state;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	run_session(f, EU);
	assert_int_equal(f->last.origin.v, jid_make(EU, 1, 0).v);
	apply_answers(f, TIDE_OK, JID_NONE);
	assert_true(wants(f, LINK_NEXT));
}

static void
requests_in_flight_never_pass_the_window(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_OPEN));
	link_opened(f->link, f->now, f->last.ticket, 77);
	while (wants(f, LINK_NEXT))
		n++;
	assert_int_equal(n, 4);
}

static void
a_relay_is_asked_while_the_region_is_away(void **state)
{
	struct fixture *f = *state;
	struct state_of_region theirs = plain;

	theirs.tables[2].ap = 9; /* EU has more of AP's journal than we */
	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &theirs);
	for (int i = 0; i < 2; i++) {
		assert_true(wants(f, LINK_OPEN));
		assert_int_equal(f->last.source, EU);
		if (jid_region(f->last.origin) == AP)
			return;
	}
	fail_msg("nobody was asked for AP's journal");
}

static void
no_relay_is_asked_for_what_we_have(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	while (wants(f, LINK_OPEN)) {
		assert_int_equal(jid_region(f->last.origin), EU);
		n++;
	}
	assert_int_equal(n, 1);
}

static void
a_gap_asks_again_from_fresh_vectors(void **state)
{
	struct fixture *f = *state;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	run_session(f, EU);
	apply_answers(f, TIDE_GAP, JID_NONE);
	pass(f, 1000);
	assert_false(wants(f, LINK_OPEN) && f->last.source == EU); /* not before the state has come */
	f->now += 10;
	/* The question that was passed over just now is still under way. */
	link_local_down(f->link, f->now);
	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	assert_true(wants(f, LINK_OPEN));
}

static void
a_forked_origin_stops(void **state)
{
	struct fixture *f = *state;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	run_session(f, EU);
	apply_answers(f, TIDE_FORKED, JID_NONE);
	for (int i = 0; i < 20; i++) {
		pass(f, 1000);
		assert_false(wants(f, LINK_OPEN));
	}
}

static void
a_held_batch_is_kept_and_tried_again_in_a_new_stream(void **state)
{
	struct fixture *f = *state;
	uint64_t stream;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	run_session(f, EU);
	stream = f->last.stream;
	apply_answers(f, TIDE_HELD, jid_make(AP, 1, 0));
	assert_false(wants(f, LINK_APPLY));
	pass(f, 100);
	assert_true(wants(f, LINK_APPLY));
	assert_true(f->last.stream > stream);
	assert_int_equal(f->last.index, 0);
	apply_answers(f, TIDE_OK, JID_NONE);
}

static void
what_an_origin_is_held_for_is_asked_for_urgently(void **state)
{
	struct fixture *f = *state;
	uint64_t apply;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	run_session(f, EU);
	apply = f->last.ticket;
	greet(f, AP, &plain);
	while (wants(f, LINK_OPEN))
		link_opened(f->link, f->now, f->last.ticket, 88);
	while (wants(f, LINK_NEXT))
		;
	/* AP's window is full of requests: an answer makes room. */
	struct wire_applied applied = {.index = 0, .result = TIDE_HELD, .held_for = jid_make(AP, 1, 0)};

	link_applied(f->link, f->now, apply, &applied);
	pass(f, 1);
	while (wants(f, LINK_NEXT))
		assert_true(f->last.urgent || f->last.session == 77);
}

static void
below_the_floor_of_its_own_region_a_table_is_loaded_again(void **state)
{
	struct fixture *f = *state;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_OPEN));
	fail_last(f, TIDE_NOTFOUND, USER_TABLE);
	assert_true(wants(f, LINK_BOOT));
	assert_int_equal(f->last.table, USER_TABLE);
	assert_false(f->last.restart);
}

static void
a_late_answer_is_not_taken(void **state)
{
	struct fixture *f = *state;
	struct link_batch batch = {.index = 0, .payload = &batch};
	uint64_t late;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_OPEN));
	link_opened(f->link, f->now, f->last.ticket, 77);
	assert_true(wants(f, LINK_NEXT));
	late = f->last.ticket;
	link_peer_down(f->link, f->now, EU);
	link_check(f->link);
	assert_false(link_records(f->link, f->now, late, &batch));
	link_opened(f->link, f->now, late, 5);
	link_check(f->link);
}

static void
a_session_that_says_nothing_is_given_up(void **state)
{
	struct fixture *f = *state;
	uint64_t generation;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_OPEN));
	link_opened(f->link, f->now, f->last.ticket, 77);
	assert_true(wants(f, LINK_NEXT));
	generation = f->last.ticket;
	pass(f, 7000);
	assert_false(wants(f, LINK_NEXT));
	pass(f, 20000);
	while (wants(f, LINK_OPEN) && f->last.source != EU)
		;
	assert_int_equal(f->last.kind, LINK_OPEN);
	assert_int_not_equal(f->last.ticket & ((1ULL << 48) - 1), generation & ((1ULL << 48) - 1));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(records_come_from_their_own_region),
	    T(requests_in_flight_never_pass_the_window),
	    T(a_relay_is_asked_while_the_region_is_away),
	    T(no_relay_is_asked_for_what_we_have),
	    T(a_gap_asks_again_from_fresh_vectors),
	    T(a_forked_origin_stops),
	    T(a_held_batch_is_kept_and_tried_again_in_a_new_stream),
	    T(what_an_origin_is_held_for_is_asked_for_urgently),
	    T(below_the_floor_of_its_own_region_a_table_is_loaded_again),
	    T(a_late_answer_is_not_taken),
	    T(a_session_that_says_nothing_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
