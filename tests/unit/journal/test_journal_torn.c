/* Torn appends: whatever a crash left of the last one, the acknowledged units stay and nothing else is shown. */
#include "tests/unit/journal/segment_fixture.h"

static void
a_last_append_cut_at_every_byte_leaves_the_acknowledged_units(void **state)
{
	struct fixture *f = *state;
	size_t kept;
	struct buf file = three_and_one(f, "the last one", &kept);

	for (size_t n = kept; n < file.n; n++) {
		write_file(f, FIRST, file.at, n);
		start(f);
		assert_int_equal(journal_last_seq(f->j), 4);
		expect_units(f->j, 1, "one two three");
		append_one(f->j, 1, "again");
		expect_units(f->j, 1, "one two three again");
		stop(f);
		start(f);
		expect_units(f->j, 1, "one two three again");
		stop(f);
	}
	buf_fini(&file);
}

static void
a_last_append_that_is_zeros_or_noise_from_any_byte_on_is_cut(void **state)
{
	struct fixture *f = *state;
	size_t kept;
	struct buf file = three_and_one(f, "the last one", &kept), torn = {0};

	for (size_t n = kept; n < file.n; n++) {
		for (int noise = 0; noise < 2; noise++) {
			buf_clear(&torn);
			buf_append(&torn, file.at, n);
			while (torn.n < file.n + 5000)
				buf_append_byte(&torn, noise == 0 ? 0 : (uint8_t)random());
			if (memcmp(torn.at, file.at, file.n) == 0)
				continue; /* padding that was zero anyway: nothing is torn */
			write_file(f, FIRST, torn.at, torn.n);
			start(f);
			expect_units(f->j, 1, "one two three");
			stop(f);
		}
	}
	buf_fini(&torn);
	buf_fini(&file);
}

static void
any_byte_of_the_last_append_damaged_is_noticed(void **state)
{
	struct fixture *f = *state;
	size_t kept;
	struct buf file = three_and_one(f, "the last one", &kept);

	for (size_t i = kept; i < file.n; i++) {
		file.at[i] ^= 0x40;
		write_file(f, FIRST, file.at, file.n);
		start(f);
		expect_units(f->j, 1, "one two three");
		stop(f);
		file.at[i] ^= 0x40;
	}
	buf_fini(&file);
}

static void
frames_of_one_unfinished_append_may_survive_in_any_combination(void **state)
{
	static const char *const want[] = {"one", "one a", "one a b", "one a b c"};
	static const uint64_t last_seqs[] = {2, 3, 5, 6}; /* with one more appended */
	struct journal_entry group[] = {make_entry(2, 1, "a"), make_entry(3, 2, "b"), make_entry(5, 1, "c")};
	struct fixture *f = *state;
	struct tide_error error = {0};
	struct buf file, torn = {0};
	size_t at[4];

	start(f);
	append_one(f->j, 1, "one");
	stop(f);
	file = read_file(f, FIRST);
	at[0] = file.n;
	buf_fini(&file);
	start(f);
	assert_int_equal(journal_append(f->j, group, 3, &error), TIDE_OK);
	stop(f);
	file = read_file(f, FIRST);
	for (int i = 0; i < 3; i++)
		at[i + 1] = at[i] + frame_bytes_of(&group[i]);
	assert_int_equal(at[3], file.n);
	for (unsigned lost = 0; lost < 8; lost++) {
		unsigned whole = 0;

		buf_clear(&torn);
		buf_append(&torn, file.at, file.n);
		for (int i = 0; i < 3; i++) {
			if (lost & 1U << i)
				memset(torn.at + at[i], 0, at[i + 1] - at[i]);
		}
		while (whole < 3 && !(lost & 1U << whole))
			whole++;
		write_file(f, FIRST, torn.at, torn.n);
		start(f);
		expect_units(f->j, 1, want[whole]);
		stop(f);
		/* What was cut does not come back. */
		start(f);
		append_one(f->j, 1, "next");
		stop(f);
		start(f);
		assert_int_equal(journal_last_seq(f->j), last_seqs[whole]);
		stop(f);
	}
	buf_fini(&file);
	buf_fini(&torn);
}

static void
a_segment_torn_while_it_was_made_is_made_again(void **state)
{
	struct fixture *f = *state;
	struct tide_error error = {0};
	struct buf file;

	start(f);
	append_one(f->j, 1, "one");
	assert_int_equal(journal_seal(f->j, &error), TIDE_OK);
	stop(f);
	file = read_file(f, "00000000000000000002.seg");
	assert_int_equal(file.n, SEGMENT_HEADER_BYTES);
	for (size_t n = 0; n < file.n; n++) {
		write_file(f, "00000000000000000002.seg", file.at, n);
		start(f);
		assert_int_equal(journal_last_seq(f->j), 1);
		expect_units(f->j, 1, "one");
		stop(f);
		assert_false(exists(f, "00000000000000000002.seg"));
	}
	buf_fini(&file);
	/* The very first one: the folder holds no journal yet. */
	write_file(f, FIRST, "TIDESEG1", 8);
	f->options.create = false;
	assert_int_equal(try_open(f, &segment_sys_os, &error), TIDE_NOTFOUND);
	f->options.create = true;
	start(f);
	assert_int_equal(journal_last_seq(f->j), 0);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(a_last_append_cut_at_every_byte_leaves_the_acknowledged_units),
	    T(a_last_append_that_is_zeros_or_noise_from_any_byte_on_is_cut),
	    T(any_byte_of_the_last_append_damaged_is_noticed),
	    T(frames_of_one_unfinished_append_may_survive_in_any_combination),
	    T(a_segment_torn_while_it_was_made_is_made_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
