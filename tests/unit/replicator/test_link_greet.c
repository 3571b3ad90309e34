/* How a link begins and ends: the API process, hellos, who is written down, and who is refused. */
#include "tests/unit/replicator/link_fixture.h"

static void
nothing_is_asked_of_peers_before_the_api_process_answers(void **state)
{
	struct fixture *f = *state;

	link_peer_up(f->link, f->now, EU);
	pass(f, 5000);
	assert_false(wants(f, LINK_HELLO));
	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	assert_true(wants(f, LINK_HELLO));
}

static void
a_peer_that_is_new_is_written_down(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain;

	ours.eu_incarnation = 0;
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_MEMBER));
	assert_int_equal(f->last.source, EU);
	link_done(f->link, f->now, f->last.ticket);
	pass(f, 10);
	answer_state(f, &plain);
	assert_false(wants(f, LINK_MEMBER));
}

static void
being_counted_is_written_down(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain;

	ours.counted = false;
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_MEMBER));
}

static void
another_protocol_is_refused_and_asked_again_later(void **state)
{
	struct fixture *f = *state;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	link_peer_up(f->link, f->now, EU);
	assert_true(wants(f, LINK_HELLO));
	fail_last(f, TIDE_FORMAT, 0);
	assert_false(wants(f, LINK_OPEN));
	pass(f, 2000);
	assert_true(wants(f, LINK_HELLO));
}

static void
another_journal_under_a_known_incarnation_is_refused(void **state)
{
	struct fixture *f = *state;
	struct state_of_region theirs = plain;

	theirs.nonce = 999;
	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &theirs);
	assert_false(wants(f, LINK_OPEN));
}

static void
a_former_incarnation_is_refused(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain;

	ours.eu_incarnation = 2;
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_false(wants(f, LINK_OPEN));
}

static void
without_the_api_process_nothing_is_asked(void **state)
{
	struct fixture *f = *state;

	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	greet(f, EU, &plain);
	run_session(f, EU);
	link_local_down(f->link, f->now);
	link_check(f->link);
	for (int i = 0; i < 10; i++) {
		pass(f, 1000);
		while (link_next(f->link, f->now, &f->last)) {
			assert_true(f->last.kind == LINK_DROP || f->last.kind == LINK_NOTE);
			if (f->last.kind == LINK_DROP)
				free(f->last.payload);
		}
	}
	link_local_up(f->link, f->now);
	answer_state(f, &plain);
	assert_true(wants(f, LINK_OPEN));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(nothing_is_asked_of_peers_before_the_api_process_answers),
	    T(a_peer_that_is_new_is_written_down),
	    T(being_counted_is_written_down),
	    T(another_protocol_is_refused_and_asked_again_later),
	    T(another_journal_under_a_known_incarnation_is_refused),
	    T(a_former_incarnation_is_refused),
	    T(without_the_api_process_nothing_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
