/* Who reads segment files that somebody else has: beside their writer, and after they were trimmed. */
#include "tests/unit/journal/segment_fixture.h"

static void
read_only_looks_without_lock_cut_or_write(void **state)
{
	struct fixture *f = *state;
	struct tide_error error = {0};
	struct journal_entry entry = make_entry(5, 1, "x");
	struct journal *writer;
	size_t kept;
	struct buf file = three_and_one(f, "the last one", &kept), after;

	write_file(f, FIRST, file.at, file.n - 3);
	f->options.read_only = true;
	start(f);
	expect_units(f->j, 1, "one two three");
	assert_int_equal(journal_append(f->j, &entry, 1, &error), TIDE_USAGE);
	stop(f);
	after = read_file(f, FIRST);
	assert_int_equal(after.n, file.n - 3);
	buf_fini(&after);
	f->options.read_only = false;
	start(f);
	writer = f->j;
	f->options.read_only = true;
	start(f);
	expect_units(f->j, 1, "one two three");
	stop(f);
	f->j = writer;
	buf_fini(&file);
}

static void
an_open_reader_keeps_a_trimmed_segment(void **state)
{
	struct fixture *f = *state;
	struct tide_error error = {0};
	struct journal_reader *r;

	start(f);
	append_one(f->j, 1, "one");
	append_one(f->j, 1, "two");
	assert_int_equal(journal_seal(f->j, &error), TIDE_OK);
	append_one(f->j, 1, "three");
	r = open_reader(f->j, 1);
	assert_int_equal(journal_trim(f->j, 3, &error), TIDE_OK);
	assert_false(exists(f, FIRST));
	assert_false(exists(f, "00000000000000000001.idx"));
	expect_next(r, "one");
	expect_next(r, "two");
	expect_next(r, "three");
	expect_next(r, NULL);
	journal_reader_close(r);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(read_only_looks_without_lock_cut_or_write),
	    T(an_open_reader_keeps_a_trimmed_segment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
