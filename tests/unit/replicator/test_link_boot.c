/* The life of a replica: loading a table, loading it again when it fell behind, and leaving. */
#include "tests/unit/replicator/link_fixture.h"

static struct state_of_region
creating(uint64_t first_state)
{
	struct state_of_region ours = plain;

	ours.tables[0].state = (enum replica_state)first_state;
	ours.tables[2].state = REPLICA_CREATING;
	return ours;
}

static void
a_table_is_loaded_piece_by_piece(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = creating(REPLICA_ACTIVE);
	struct link_piece piece = {.snapshot = 5, .cursor = BYTES_LITERAL("k1"), .payload = malloc(1)};
	uint64_t load;

	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_READ));
	assert_int_equal(f->last.snapshot, 0);
	assert_int_equal(f->last.cursor.n, 0);
	assert_true(link_piece_came(f->link, f->now, f->last.ticket, &piece));
	assert_true(wants(f, LINK_LOAD));
	load = f->last.ticket;
	assert_true(wants(f, LINK_READ)); /* one ahead */
	assert_int_equal(f->last.snapshot, 5);
	assert_true(bytes_is(f->last.cursor, "k1"));
	piece = (struct link_piece){
	    .snapshot = 5, .cursor = BYTES_LITERAL("k2"), .done = true, .payload = malloc(1)};
	assert_true(link_piece_came(f->link, f->now, f->last.ticket, &piece));
	assert_false(wants(f, LINK_LOAD)); /* in order */
	link_done(f->link, f->now, load);
	assert_true(wants(f, LINK_LOAD));
	link_done(f->link, f->now, f->last.ticket);
	assert_false(wants(f, LINK_READ));
}

static void
user_tables_wait_for_the_catalog(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = creating(REPLICA_CREATING);

	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_READ));
	assert_int_equal(f->last.table, TABLE_CATALOG);
	assert_false(wants(f, LINK_READ));
}

static void
a_bootstrap_goes_on_where_it_was(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = creating(REPLICA_ACTIVE);

	ours.boot = (struct wire_boot){true, AP, 42, BYTES_LITERAL("half"), 10, 20};
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_false(wants(f, LINK_READ)); /* another source has another snapshot */
	greet(f, AP, &plain);
	pass(f, 100);
	assert_true(wants(f, LINK_READ));
	assert_int_equal(f->last.source, AP);
	assert_int_equal(f->last.snapshot, 42);
	assert_true(bytes_is(f->last.cursor, "half"));
}

static void
a_snapshot_that_is_gone_starts_over(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = creating(REPLICA_ACTIVE);

	ours.boot = (struct wire_boot){true, EU, 42, BYTES_LITERAL("half"), 10, 20};
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_READ));
	fail_last(f, TIDE_NOTFOUND, USER_TABLE);
	assert_true(wants(f, LINK_BOOT));
	assert_true(f->last.restart);
	link_done(f->link, f->now, f->last.ticket);
	pass(f, 20);
	ours.boot = (struct wire_boot){0};
	answer_state(f, &ours);
	assert_true(wants(f, LINK_READ));
	assert_int_equal(f->last.snapshot, 0);
}

static void
all_tables_that_miss_records_of_that_journal_are_named(void **state)
{
	struct state_of_region ours = plain, theirs;
	struct fixture *f = *state;

	ours.n_tables = 4;
	for (uint32_t i = 0; i < 4; i++)
		ours.tables[i] = (struct table_line){USER_TABLE + i, REPLICA_ACTIVE, 5, 5};
	ours.tables[2].rejoin = REJOIN_NEEDED; /* it is known of that one */
	theirs = ours;
	theirs.tables[0].ap = 9;
	theirs.tables[2].eu = 9;
	theirs.tables[3].eu = 9;
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &theirs);
	assert_true(wants(f, LINK_OPEN));
	fail_last(f, TIDE_NOTFOUND, USER_TABLE);
	assert_true(wants(f, LINK_BOOT));
	assert_int_equal(f->last.table, USER_TABLE);
	link_done(f->link, f->now, f->last.ticket);
	assert_true(wants(f, LINK_BOOT));
	assert_int_equal(f->last.table, USER_TABLE + 3);
	link_done(f->link, f->now, f->last.ticket);
	assert_false(wants(f, LINK_BOOT));
}

static struct state_of_region
with_user_table(uint64_t eu, uint64_t ap, enum table_rejoin rejoin)
{
	struct state_of_region out = plain;

	out.tables[2] = (struct table_line){USER_TABLE, REPLICA_ACTIVE, eu, ap, rejoin};
	return out;
}

static void
a_replica_that_fell_behind_loads_from_who_has_what_it_misses(void **state)
{
	struct state_of_region ours = with_user_table(5, 5, REJOIN_LOADING);
	struct state_of_region behind_too = with_user_table(5, 5, REJOIN_NEEDED);
	struct state_of_region whole = with_user_table(9, 9, REJOIN_NONE);
	struct fixture *f = *state;

	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &behind_too);
	assert_false(wants(f, LINK_READ));
	greet(f, AP, &whole);
	pass(f, 100);
	assert_true(wants(f, LINK_READ));
	assert_int_equal(f->last.source, AP);
	assert_int_equal(f->last.table, USER_TABLE);
	assert_int_equal(f->last.snapshot, 0);
}

/* What only a replica that catches up has is loaded from it; a new replica waits for one that can be read while one may come. */
static void
a_replica_that_catches_up_is_a_source_where_no_other_will_do(void **state)
{
	for (int fresh = 0; fresh < 2; fresh++) {
		struct state_of_region ours = with_user_table(5, 5, REJOIN_LOADING);
		struct state_of_region readable = with_user_table(5, 5, REJOIN_NONE);
		struct state_of_region alone = with_user_table(9, 5, REJOIN_NONE);
		struct fixture *f;

		assert_int_equal(setup((void **)&f), 0);
		alone.tables[2].state = REPLICA_CATCHUP;
		if (fresh) {
			ours.tables[2] = (struct table_line){USER_TABLE, REPLICA_CREATING, 0, 0};
			readable.n_tables = 2;
		}
		link_local_up(f->link, f->now);
		answer_state(f, &ours);
		greet(f, AP, &alone);
		if (fresh)
			assert_false(wants(f, LINK_READ));
		greet(f, EU, &readable);
		pass(f, 100);
		assert_true(wants(f, LINK_READ));
		assert_int_equal(f->last.source, AP);
		assert_int_equal(f->last.table, USER_TABLE);
		teardown((void **)&f);
	}
	(void)state;
}

static void
a_source_that_failed_comes_after_the_others(void **state)
{
	struct state_of_region ours = with_user_table(5, 5, REJOIN_LOADING);
	struct state_of_region some = with_user_table(9, 5, REJOIN_NONE);
	struct state_of_region whole = with_user_table(9, 9, REJOIN_NONE);
	struct fixture *f = *state;

	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &some);
	assert_true(wants(f, LINK_READ));
	fail_last(f, TIDE_CORRUPT, USER_TABLE);
	greet(f, AP, &whole);
	for (int i = 0; i < 2; i++) {
		pass(f, 5000);
		answer_state(f, &ours);
		assert_true(wants(f, LINK_READ));
		assert_int_equal(f->last.source, i == 0 ? AP : EU);
		fail_last(f, TIDE_CORRUPT, USER_TABLE);
	}
}

static void
each_staying_region_is_asked_and_its_yes_passed_on(void **state)
{
	struct fixture *f = *state;
	struct state_of_region ours = plain;

	ours.tables[2].state = REPLICA_LEAVING;
	ours.question = (struct wire_question){USER_TABLE, 7, BYTES_LITERAL("\2\3")};
	link_local_up(f->link, f->now);
	answer_state(f, &ours);
	greet(f, EU, &plain);
	assert_true(wants(f, LINK_LEAVE_ASK));
	assert_int_equal(f->last.source, EU);
	assert_int_equal(f->last.number, 7);
	link_leave_answer(f->link, f->now, f->last.ticket, false);
	assert_false(wants(f, LINK_LEAVE_GRANTED));
	pass(f, 300);
	assert_true(wants(f, LINK_LEAVE_ASK));
	link_leave_answer(f->link, f->now, f->last.ticket, true);
	assert_true(wants(f, LINK_LEAVE_GRANTED));
	assert_int_equal(f->last.source, EU);
	assert_int_equal(f->last.number, 7);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(a_table_is_loaded_piece_by_piece),
	    T(user_tables_wait_for_the_catalog),
	    T(a_bootstrap_goes_on_where_it_was),
	    T(a_snapshot_that_is_gone_starts_over),
	    T(all_tables_that_miss_records_of_that_journal_are_named),
	    T(a_replica_that_fell_behind_loads_from_who_has_what_it_misses),
	    T(a_source_that_failed_comes_after_the_others),
	    T(a_replica_that_catches_up_is_a_source_where_no_other_will_do),
	    T(each_staying_region_is_asked_and_its_yes_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
