/* One contract suite, run against every journal plug-in: each rule of store/journal/journal.h by name. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "store/journal/journal_memory.h"
#include "tests/unit/journal/journal_make.h"
#include "tests/unit/kv/temp_dir.h"

static const char *plugin; /* the one under test */

struct fixture {
	char dir[TEMP_DIR_MAX];
	struct journal_options options;
	struct journal *j;
};

static void
open_journal(struct fixture *f)
{
	struct tide_error error = {0};
	tide_err rc = journal_open(plugin, f->dir, &f->options, &f->j, &error);

	if (rc != TIDE_OK)
		print_error("%s\n", error.message);
	assert_int_equal(rc, TIDE_OK);
}

static void
reopen(struct fixture *f)
{
	journal_close(f->j);
	open_journal(f);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	temp_dir_make(f->dir);
	if (strcmp(plugin, "memory") == 0)
		assert_int_equal(journal_memory_disk_make(f->dir), TIDE_OK);
	f->options = (struct journal_options){.id = TEST_ID, .create = true};
	open_journal(f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	journal_close(f->j);
	if (strcmp(plugin, "memory") == 0)
		journal_memory_disk_destroy(f->dir);
	temp_dir_remove(f->dir);
	free(f);
	return 0;
}

static void
seal(struct fixture *f)
{
	struct tide_error error = {0};

	assert_int_equal(journal_seal(f->j, &error), TIDE_OK);
}

static void
a_new_journal_is_empty(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(journal_last_seq(f->j), 0);
	assert_int_equal(journal_first_seq(f->j), 1);
	assert_int_equal(journal_bytes(f->j), 0);
	expect_units(f->j, 1, "");
	seal(f);
	reopen(f);
	assert_int_equal(journal_last_seq(f->j), 0);
	append_one(f->j, 1, "a");
	expect_units(f->j, 1, "a");
}

static void
appended_units_are_read_in_order_and_after_reopening(void **state)
{
	struct fixture *f = *state;

	append_one(f->j, 1, "one");
	append_one(f->j, 3, "two");
	append_one(f->j, 1, "");
	append_one(f->j, 2, "four");
	assert_int_equal(journal_last_seq(f->j), 7);
	assert_true(journal_bytes(f->j) >= 10);
	expect_units(f->j, 1, "one two  four");
	reopen(f);
	assert_int_equal(journal_last_seq(f->j), 7);
	expect_units(f->j, 1, "one two  four");
	append_one(f->j, 1, "five");
	expect_units(f->j, 1, "one two  four five");
}

static void
a_group_is_appended_as_several_units(void **state)
{
	struct fixture *f = *state;
	struct journal_entry group[] = {make_entry(1, 2, "a"), make_entry(3, 1, "b"), make_entry(4, 5, "c")};
	struct tide_error error = {0};

	assert_int_equal(journal_append(f->j, group, 3, &error), TIDE_OK);
	assert_int_equal(journal_last_seq(f->j), 8);
	expect_units(f->j, 1, "a b c");
	assert_int_equal(journal_append(f->j, NULL, 0, &error), TIDE_OK);
}

static void
sequences_that_do_not_go_on_are_refused(void **state)
{
	static const struct {
		const char *name;
		uint64_t first, n;
	} rows[] = {{"a repeat", 1, 1}, {"a gap", 3, 1}, {"an empty range", 2, 0}};
	struct fixture *f = *state;
	struct tide_error error = {0};

	append_one(f->j, 1, "a");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct journal_entry entry = make_entry(rows[i].first, rows[i].n, "x");

		assert_int_equal(journal_append(f->j, &entry, 1, &error), TIDE_USAGE);
	}
	append_one(f->j, 1, "b");
	expect_units(f->j, 1, "a b");
}

static void
a_reader_begins_with_the_unit_that_holds_its_sequence(void **state)
{
	struct fixture *f = *state;
	struct journal_reader *r;

	append_one(f->j, 2, "a");
	append_one(f->j, 3, "b");
	seal(f);
	append_one(f->j, 1, "c");
	expect_units(f->j, 1, "a b c");
	expect_units(f->j, 2, "a b c");
	expect_units(f->j, 3, "b c");
	expect_units(f->j, 5, "b c");
	expect_units(f->j, 6, "c");
	r = open_reader(f->j, 7);
	expect_next(r, NULL);
	append_one(f->j, 1, "d");
	expect_next(r, "d");
	expect_next(r, NULL);
	journal_reader_close(r);
}

static void
a_reader_at_the_end_goes_on_when_more_comes_across_segments(void **state)
{
	struct fixture *f = *state;
	struct journal_reader *r = open_reader(f->j, 1);

	expect_next(r, NULL);
	append_one(f->j, 1, "a");
	expect_next(r, "a");
	expect_next(r, NULL);
	seal(f);
	expect_next(r, NULL);
	append_one(f->j, 1, "b");
	append_one(f->j, 1, "c");
	seal(f);
	append_one(f->j, 1, "d");
	expect_next(r, "b");
	expect_next(r, "c");
	expect_next(r, "d");
	expect_next(r, NULL);
	journal_reader_close(r);
}

static void
a_large_unit_comes_back_whole(void **state)
{
	struct fixture *f = *state;
	char *payload = malloc(3 * 1024 * 1024 + 1);

	for (size_t i = 0; i < 3 * 1024 * 1024; i++)
		payload[i] = (char)('a' + i % 23);
	payload[3 * 1024 * 1024] = 0;
	append_one(f->j, 1, "small");
	append_one(f->j, 1, payload);
	append_one(f->j, 1, "small");
	{
		struct journal_reader *r = open_reader(f->j, 1);

		expect_next(r, "small");
		expect_next(r, payload);
		expect_next(r, "small");
		journal_reader_close(r);
	}
	free(payload);
}

static void
next_passed(struct journal_reader *r, const char *want, uint64_t want_passed)
{
	struct tide_error error = {0};
	struct bytes payload;
	uint64_t passed = 0;
	tide_err rc = journal_reader_next(r, &payload, &passed, &error);

	assert_int_equal(rc, want != NULL ? TIDE_OK : TIDE_NOTFOUND);
	if (want != NULL)
		assert_true(bytes_is(payload, want));
	assert_int_equal(passed, want_passed);
}

static void
a_filter_gives_only_its_tables_and_says_what_it_passed(void **state)
{
	static const uint64_t t1[] = {1}, t12[] = {1, 2}, t2[] = {2}, t3[] = {3}, both[] = {3, 1};
	struct fixture *f = *state;
	struct journal_reader *r;

	append_of_tables(f->j, "a1", t1, 1);
	append_of_tables(f->j, "b2", t2, 1);
	append_of_tables(f->j, "c12", t12, 2);
	append_of_tables(f->j, "d2", t2, 1);
	seal(f);
	append_of_tables(f->j, "e2", t2, 1);
	append_of_tables(f->j, "f2", t2, 1);
	seal(f);
	append_of_tables(f->j, "g3", t3, 1);
	append_of_tables(f->j, "h2", t2, 1);

	r = open_reader(f->j, 1);
	assert_int_equal(journal_reader_filter(r, both, 2), TIDE_OK);
	next_passed(r, "a1", 1);
	next_passed(r, "c12", 3);
	next_passed(r, "g3", 7);
	next_passed(r, NULL, 8);
	append_of_tables(f->j, "x2", t2, 1);
	next_passed(r, NULL, 9);
	append_of_tables(f->j, "y12", t12, 2);
	next_passed(r, "y12", 10);
	journal_reader_close(r);
	reopen(f);
	r = open_reader(f->j, 2);
	assert_int_equal(journal_reader_filter(r, t1, 1), TIDE_OK);
	next_passed(r, "c12", 3);
	next_passed(r, "y12", 10);
	next_passed(r, NULL, 10);
	assert_int_equal(journal_reader_filter(r, NULL, 0), TIDE_OK);
	append_of_tables(f->j, "z", t3, 1);
	next_passed(r, "z", 11);
	journal_reader_close(r);
}

static void
seeking_by_origin_is_never_too_late(void **state)
{
	struct fixture *f = *state;
	struct jid other = jid_make(2, 1, 0);
	struct tide_error error = {0};
	uint64_t seq = 1;

	/* Sequences 1..20: odd ones from the other journal with origin sequences 100, 101, ... */
	for (uint64_t i = 0; i < 20; i++, seq++) {
		struct journal_entry entry = make_entry(seq, 1, "u");

		if (i % 2 == 0) {
			entry.origin = other;
			entry.origin_seq_last = 100 + i / 2;
		}
		assert_int_equal(journal_append(f->j, &entry, 1, &error), TIDE_OK);
		if (i % 5 == 4)
			seal(f);
	}
	for (int round = 0; round < 2; round++) {
		for (uint64_t after = 98; after <= 109; after++) {
			uint64_t first_above = after < 100 ? 1 : (after - 100 + 1) * 2 + 1, got;

			got = journal_seek_origin(f->j, other, after);
			if (first_above > 20)
				first_above = 21;
			assert_true(got <= first_above);
			assert_true(got + 5 > first_above);
		}
		assert_int_equal(journal_seek_origin(f->j, jid_make(9, 1, 0), 0), 21);
		/* This journal's own records: exactly. */
		assert_int_equal(journal_seek_origin(f->j, TEST_ID, 0), 1);
		assert_int_equal(journal_seek_origin(f->j, TEST_ID, 7), 8);
		assert_int_equal(journal_seek_origin(f->j, TEST_ID, 20), 21);
		assert_int_equal(journal_seek_origin(f->j, TEST_ID, UINT64_MAX), 21);
		reopen(f);
	}
}

static void
seeking_by_clock_is_never_too_late(void **state)
{
	struct fixture *f = *state;

	for (uint64_t seq = 1; seq <= 20; seq++) {
		append_one(f->j, 1, "u"); /* its clock is seq * 10 */
		if (seq % 5 == 0)
			seal(f);
	}
	for (int round = 0; round < 2; round++) {
		assert_int_equal(journal_seek_clock(f->j, (struct hlc){0}), 1);
		for (uint64_t seq = 1; seq <= 20; seq++) {
			uint64_t got = journal_seek_clock(f->j, (struct hlc){seq * 10});

			assert_true(got <= seq && got + 5 > seq);
		}
		assert_int_equal(journal_seek_clock(f->j, (struct hlc){201}), 21);
		reopen(f);
	}
}

static void
trimming_drops_whole_segments_below_and_never_the_last(void **state)
{
	struct fixture *f = *state;
	struct journal_reader *r = open_reader(f->j, 1), *late = NULL;
	struct tide_error error = {0};
	struct bytes payload;

	append_one(f->j, 2, "a");
	seal(f);
	append_one(f->j, 2, "b");
	seal(f);
	append_one(f->j, 2, "c");
	assert_int_equal(journal_trim(f->j, 2, &error), TIDE_OK);
	assert_int_equal(journal_first_seq(f->j), 1);
	assert_int_equal(journal_trim(f->j, 4, &error), TIDE_OK);
	assert_int_equal(journal_first_seq(f->j), 3);
	assert_int_equal(journal_reader_open(f->j, 2, &late, &error), TIDE_NOTFOUND);
	expect_units(f->j, 3, "b c");
	assert_int_equal(journal_trim(f->j, 100, &error), TIDE_OK);
	assert_int_equal(journal_first_seq(f->j), 5);
	expect_units(f->j, 5, "c");
	seal(f);
	assert_int_equal(journal_trim(f->j, 100, &error), TIDE_OK);
	assert_int_equal(journal_first_seq(f->j), 7);
	assert_int_equal(journal_last_seq(f->j), 6);
	expect_units(f->j, 7, "");
	/* A reader that fell behind is told, not skipped ahead. */
	while (journal_reader_next(r, &payload, NULL, &error) == TIDE_OK)
		;
	assert_int_equal(journal_reader_next(r, &payload, NULL, &error), TIDE_GAP);
	journal_reader_close(r);
	reopen(f);
	assert_int_equal(journal_first_seq(f->j), 7);
	assert_int_equal(journal_last_seq(f->j), 6);
	append_one(f->j, 1, "d");
	expect_units(f->j, 7, "d");
}

static void
segments_are_sealed_by_size(void **state)
{
	struct fixture *f = *state;
	struct tide_error error = {0};

	f->options.segment_bytes = 500;
	reopen(f);
	for (int i = 0; i < 20; i++)
		append_one(f->j, 1,
		    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
		    "890123456789012345678901234567890123456789");
	assert_int_equal(journal_trim(f->j, 11, &error), TIDE_OK);
	assert_in_range(journal_first_seq(f->j), 6, 11);
	reopen(f);
	assert_in_range(journal_first_seq(f->j), 6, 11);
	assert_int_equal(journal_last_seq(f->j), 20);
}

static void
a_journal_that_is_open_or_of_another_id_is_fenced(void **state)
{
	struct fixture *f = *state;
	struct journal_options other = f->options;
	struct tide_error error = {0};
	struct journal *j = NULL;
	struct jid id;

	assert_int_equal(journal_open(plugin, f->dir, &f->options, &j, &error), TIDE_FENCED);
	assert_null(j);
	assert_int_equal(journal_peek_id(f->dir, &id, &error), TIDE_OK);
	assert_int_equal(id.v, TEST_ID.v);
	journal_close(f->j);
	other.id = jid_make(1, 2, 0);
	assert_int_equal(journal_open(plugin, f->dir, &other, &j, &error), TIDE_FENCED);
	open_journal(f);
}

static void
without_create_an_absent_journal_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct journal_options options = {.id = TEST_ID};
	struct tide_error error = {0};
	struct journal *j = NULL;
	char dir[TEMP_DIR_MAX];
	struct jid id;

	(void)f;
	temp_dir_make(dir);
	assert_int_equal(journal_open(plugin, dir, &options, &j, &error), TIDE_NOTFOUND);
	assert_int_equal(journal_peek_id(dir, &id, &error), TIDE_NOTFOUND);
	temp_dir_remove(dir);
	assert_int_equal(journal_open(plugin, dir, &options, &j, &error), TIDE_NOTFOUND);
	assert_null(j);
}

struct tail {
	struct journal *j;
	atomic_int wrong;
	uint64_t until;
};

static void *
read_tail(void *arg)
{
	static const uint64_t odd[] = {1};
	struct tail *t = arg;
	struct journal_reader *r;
	struct tide_error error;
	struct bytes payload;
	uint64_t passed = 0, want = 1;
	char text[32];

	if (journal_reader_open(t->j, 1, &r, &error) != TIDE_OK ||
	    journal_reader_filter(r, odd, 1) != TIDE_OK)
		return atomic_fetch_add(&t->wrong, 1), NULL;
	while (passed < t->until) {
		tide_err rc = journal_reader_next(r, &payload, &passed, &error);

		snprintf(text, sizeof text, "unit %llu", (unsigned long long)want);
		if (rc == TIDE_OK && bytes_is(payload, text))
			want += 2;
		else if (rc != TIDE_NOTFOUND)
			return atomic_fetch_add(&t->wrong, 1), NULL;
	}
	if (want != t->until + 1)
		atomic_fetch_add(&t->wrong, 1);
	journal_reader_close(r);
	return NULL;
}

static void
readers_beside_the_appender_see_every_unit_once(void **state)
{
	static const uint64_t odd[] = {1}, even[] = {2};
	struct fixture *f = *state;
	struct tail t = {.until = 400};
	pthread_t threads[3];
	char text[32];

	f->options.segment_bytes = 2000;
	reopen(f);
	t.j = f->j;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_tail, &t), 0);
	for (uint64_t seq = 1; seq <= t.until; seq++) {
		snprintf(text, sizeof text, "unit %llu", (unsigned long long)seq);
		append_of_tables(f->j, text, seq % 2 == 1 ? odd : even, 1);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&t.wrong), 0);
}

static void
a_failed_append_in_memory_leaves_what_was_ordered(void **state)
{
	struct fixture *f = *state;
	struct journal_entry group[] = {make_entry(2, 1, "b"), make_entry(3, 1, "c"), make_entry(4, 1, "d")};
	struct tide_error error = {0};

	if (strcmp(plugin, "memory") != 0)
		skip();
	append_one(f->j, 1, "a");
	assert_int_equal(journal_memory_disk_fail_next(f->dir, TIDE_FULL, 0), TIDE_OK);
	assert_int_equal(journal_append(f->j, group, 3, &error), TIDE_FULL);
	assert_int_equal(journal_memory_disk_fail_next(f->dir, TIDE_UNKNOWN, 2), TIDE_OK);
	assert_int_equal(journal_append(f->j, group, 3, &error), TIDE_UNKNOWN);
	assert_int_equal(journal_append(f->j, group, 3, &error), TIDE_UNKNOWN);
	expect_units(f->j, 1, "a");
	assert_int_equal(journal_last_seq(f->j), 1);
	reopen(f);
	expect_units(f->j, 1, "a b c");
	append_one(f->j, 1, "e");
	expect_units(f->j, 1, "a b c e");
}

int
main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(a_new_journal_is_empty),
	    T(appended_units_are_read_in_order_and_after_reopening),
	    T(a_group_is_appended_as_several_units),
	    T(sequences_that_do_not_go_on_are_refused),
	    T(a_reader_begins_with_the_unit_that_holds_its_sequence),
	    T(a_reader_at_the_end_goes_on_when_more_comes_across_segments),
	    T(a_large_unit_comes_back_whole),
	    T(a_filter_gives_only_its_tables_and_says_what_it_passed),
	    T(seeking_by_origin_is_never_too_late),
	    T(seeking_by_clock_is_never_too_late),
	    T(trimming_drops_whole_segments_below_and_never_the_last),
	    T(segments_are_sealed_by_size),
	    T(a_journal_that_is_open_or_of_another_id_is_fenced),
	    T(without_create_an_absent_journal_is_not_found),
	    T(readers_beside_the_appender_see_every_unit_once),
	    T(a_failed_append_in_memory_leaves_what_was_ordered),
	};

	plugin = argc > 1 ? argv[1] : "segments";
	return cmocka_run_group_tests_name(plugin, tests, NULL, NULL);
}
