/* Dead journals: who is still asked for one, until when, and a region that was declared lost. */
#include "tests/unit/replicator/link_fixture.h"

static void
a_dead_journal_is_taken_from_others_only(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain, dead = plain, other = plain;

	ours.eu_incarnation = 2;
	dead.tables[2].eu = 9;
	other.tables[2].eu = 9;
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &dead);
	while (wants(f, LINK_OPEN))
		assert_int_not_equal(f->last.origin.v, jid_make(EU, 1, 0).v);
	greet(f, AP, &other);
	while (wants(f, LINK_OPEN))
		if (f->last.origin.v == jid_make(EU, 1, 0).v) {
			assert_int_equal(f->last.source, AP);
			return;
		}
	fail_msg("nobody was asked for the dead journal");
}

static void
a_later_incarnation_relays_its_former_journal(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain, reborn = plain;

	ours.eu_incarnation = 2;
	reborn.incarnation = 2;
	reborn.tables[2].eu = 9; /* it fetched its own former life again, from others */
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &reborn);
	while (wants(f, LINK_OPEN))
		if (f->last.origin.v == jid_make(EU, 1, 0).v) {
			assert_int_equal(f->last.source, EU);
			return;
		}
	fail_msg("nobody was asked for the dead journal");
}

static void
nobody_is_asked_for_a_closed_journal(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain, other = plain;

	ours.eu_incarnation = 2;
	ours.eu_dead = ours.eu_closed = 1;
	other.tables[2].eu = 9;
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, AP, &other);
	while (wants(f, LINK_OPEN))
		assert_int_not_equal(f->last.origin.v, jid_make(EU, 1, 0).v);
}

/* Until a dead journal is closed, what each hello says of its sender goes to our region; or when it knows of a death that we do not. */
static void
states_go_to_our_region_while_a_dead_journal_is_not_closed(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 4; i++) {
		struct state_of_region ours = plain, other = plain;

		ours.eu_incarnation = 2;
		ours.eu_dead = i == 3 ? 0 : 1;
		ours.eu_closed = i == 1 || i == 2 ? 1 : 0;
		other.eu_dead = i == 2 ? 2 : 1;
		if (i == 3)
			ours.eu_incarnation = 1;
		link_local_up(f->link, f->now);
		answer_state(f, &ours);
		greet(f, AP, &other);
		assert_int_equal(wants(f, LINK_MEMBER), i != 1);
		if (i != 1)
			assert_true(f->last.whole);
		link_peer_down(f->link, f->now, AP);
		link_local_down(f->link, f->now);
		f->now += 5000;
	}
}

static void
a_region_that_was_declared_lost_is_refused_until_it_begins_anew(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain, reborn = plain;

	ours.eu_lost = true;
	ours.eu_dead = ours.eu_closed = 1;
	reborn.incarnation = 2;
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_false(wants(f, LINK_OPEN));
	link_peer_down(f->link, f->now, EU);
	f->now += 5000;
	greet(f, EU, &reborn);
	assert_true(wants(f, LINK_OPEN));
	assert_int_equal(f->last.origin.v, jid_make(EU, 2, 0).v);
}

static bool
opens_former_journal(struct fixture *f)
{
	while (wants(f, LINK_OPEN))
		if (f->last.origin.v == jid_make(EU, 1, 0).v)
			return true;
	return false;
}

/* What one relay has of it is taken, but another has more: the session with the first must not be kept for ever. */
static void
a_relay_without_more_of_a_dead_journal_gives_way_to_one_with_more(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain, other = plain, reborn = plain;
	struct link_batch batch = {
	    .index = 0, .n_records = 1, .bytes = 10, .upto_seq = 9, .payload = malloc(1)};

	ours.eu_incarnation = 2;
	ours.eu_dead = other.eu_dead = reborn.eu_dead = 1;
	other.tables[2].eu = 9;
	reborn.incarnation = 2;
	reborn.tables[2].eu = 12;
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, AP, &other);
	assert_true(opens_former_journal(f));
	assert_int_equal(f->last.source, AP);
	link_opened(f->link, f->now, f->last.ticket, 77);
	assert_true(wants(f, LINK_NEXT));
	assert_int_equal(f->last.session, 77);
	assert_true(link_records(f->link, f->now, f->last.ticket, &batch));
	assert_true(wants(f, LINK_APPLY));
	apply_answers(f, TIDE_OK, JID_NONE);
	ours.tables[2].eu = 9;
	pass(f, 1000);
	answer_state(f, &ours);
	greet(f, EU, &reborn);
	assert_true(wants(f, LINK_CLOSE));
	assert_int_equal(f->last.session, 77);
	pass(f, 1000);
	assert_true(opens_former_journal(f));
	assert_int_equal(f->last.source, EU);
}

/* One has the last records of a table, the other those of the other table: neither can send them in their order. */
static void
a_table_is_loaded_when_nobody_can_relay_what_is_left_of_a_dead_journal(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain, one = plain, other = plain;
	bool opened = false, loads = false;

	ours.n_tables = 4;
	ours.tables[3] = (struct table_line){USER_TABLE + 1, REPLICA_ACTIVE, 5, 5};
	ours.eu_incarnation = 2;
	ours.eu_dead = one.eu_dead = other.eu_dead = 1;
	one.tables[2].eu = 9;
	other.incarnation = 2;
	other.tables[2] = (struct table_line){USER_TABLE + 1, REPLICA_ACTIVE, 9, 5};
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, AP, &one);
	greet(f, EU, &other);
	assert_false(wants(f, LINK_BOOT)); /* a replica that loads may yet become one that relays */
	for (int i = 0; i < 40 && !loads; i++) {
		pass(f, 250);
		while (!loads && link_next(f->link, f->now, &f->last)) {
			opened |= f->last.kind == LINK_OPEN && f->last.origin.v == jid_make(EU, 1, 0).v;
			loads = f->last.kind == LINK_BOOT;
			if (f->last.kind == LINK_HELLO)
				answer_hello(f, f->last.source == AP ? &one : &other);
		}
	}
	assert_true(loads);
	assert_false(opened);
	assert_true(f->last.table == USER_TABLE || f->last.table == USER_TABLE + 1);
	assert_false(f->last.restart);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(a_dead_journal_is_taken_from_others_only),
	    T(a_later_incarnation_relays_its_former_journal),
	    T(nobody_is_asked_for_a_closed_journal),
	    T(states_go_to_our_region_while_a_dead_journal_is_not_closed),
	    T(a_region_that_was_declared_lost_is_refused_until_it_begins_anew),
	    T(a_relay_without_more_of_a_dead_journal_gives_way_to_one_with_more),
	    T(a_table_is_loaded_when_nobody_can_relay_what_is_left_of_a_dead_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
