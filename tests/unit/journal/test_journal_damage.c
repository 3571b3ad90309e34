/* Damaged and missing segments and indexes: what is lost is named, and what can be made again is. */
#include "tests/unit/journal/segment_fixture.h"

static void
a_bad_frame_before_a_later_append_is_named_damage(void **state)
{
	struct fixture *f = *state;
	struct tide_error error = {0};
	char want[128];
	size_t kept;
	struct buf file = three_and_one(f, "the last one", &kept), first = {0};

	/* Every byte of the third unit, a whole append before the last. */
	first.n = SEGMENT_HEADER_BYTES;
	for (int i = 0; i < 2; i++) {
		struct journal_entry entry = make_entry(1, 1, i == 0 ? "one" : "two");

		first.n += frame_bytes_of(&entry);
	}
	for (size_t i = first.n; i < kept; i++) {
		file.at[i] ^= 1;
		write_file(f, FIRST, file.at, file.n);
		assert_int_equal(try_open(f, &segment_sys_os, &error), TIDE_CORRUPT);
		assert_null(f->j);
		snprintf(want, sizeof want, "%s: bad frame at byte %zu", FIRST, first.n);
		assert_non_null(strstr(error.message, want));
		file.at[i] ^= 1;
	}
	/* The file is left as it was found. */
	write_file(f, FIRST, file.at, file.n);
	start(f);
	expect_units(f->j, 1, "one two three the last one");
	buf_fini(&file);
}

static void
a_damaged_header_before_units_is_damage(void **state)
{
	struct fixture *f = *state;
	struct tide_error error = {0};
	struct buf file;

	start(f);
	append_one(f->j, 1, "one");
	stop(f);
	file = read_file(f, FIRST);
	for (size_t i = 0; i < SEGMENT_HEADER_BYTES; i++) {
		file.at[i] ^= 1;
		write_file(f, FIRST, file.at, file.n);
		assert_int_equal(try_open(f, &segment_sys_os, &error), TIDE_CORRUPT);
		assert_non_null(strstr(error.message, FIRST));
		file.at[i] ^= 1;
	}
	buf_fini(&file);
}

/* The journal opens, and these sequences cannot be read, and it is said why. */
static void
expect_hole(struct fixture *f, uint64_t first_seq, uint64_t last_seq, const char *why)
{
	struct tide_error error = {0};
	struct journal_hole hole;
	struct journal_reader *r;

	start(f);
	assert_int_equal(journal_holes(f->j, &hole, 1), 1);
	assert_int_equal(hole.first_seq, first_seq);
	assert_int_equal(hole.last_seq, last_seq);
	assert_non_null(strstr(hole.why, why));
	assert_int_equal(journal_reader_open(f->j, first_seq, &r, &error), TIDE_CORRUPT);
	assert_non_null(strstr(error.message, why));
	assert_int_equal(journal_last_seq(f->j) >= last_seq, true);
	stop(f);
}

static void
damage_in_a_sealed_segment_is_named_by_the_reader(void **state)
{
	struct fixture *f = *state;
	struct tide_error error = {0};
	struct journal_reader *r;
	struct bytes payload;
	struct buf file;
	char want[128];

	start(f);
	append_one(f->j, 1, "one");
	append_one(f->j, 1, "two");
	assert_int_equal(journal_seal(f->j, &error), TIDE_OK);
	append_one(f->j, 1, "three");
	stop(f);
	file = read_file(f, FIRST);
	file.at[file.n - FRAME_TRAILER_BYTES - FRAME_ALIGN] ^= 1;
	write_file(f, FIRST, file.at, file.n);
	start(f);
	r = open_reader(f->j, 1);
	expect_next(r, "one");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(journal_reader_next(r, &payload, NULL, &error), TIDE_CORRUPT);
		snprintf(want, sizeof want, "%s: bad frame at byte %zu", FIRST,
		    file.n - (file.n - SEGMENT_HEADER_BYTES) / 2);
		assert_non_null(strstr(error.message, want));
	}
	journal_reader_close(r);
	stop(f);
	/* Without its index the segment is read at the opening, which names it too. */
	write_file(f, "00000000000000000001.idx", "", 0);
	expect_hole(f, 1, 2, want);
	buf_fini(&file);
}

static void
a_sealed_segment_that_lost_its_end_is_damage(void **state)
{
	struct fixture *f = *state;
	struct tide_error error = {0};
	struct buf file;

	start(f);
	append_one(f->j, 1, "one");
	append_one(f->j, 1, "two");
	assert_int_equal(journal_seal(f->j, &error), TIDE_OK);
	stop(f);
	file = read_file(f, FIRST);
	write_file(f, FIRST, file.at, file.n - 8);
	expect_hole(f, 1, 2, FIRST);
	/* Also when the segment after it was still being made as the power went. */
	write_file(f, "00000000000000000003.seg", "", 0);
	assert_int_equal(try_open(f, &segment_sys_os, &error), TIDE_CORRUPT);
	buf_fini(&file);
}

static void
a_missing_segment_is_damage(void **state)
{
	struct fixture *f = *state;
	struct tide_error error = {0};
	char path[SEGMENT_PATH_MAX];
	struct journal_reader *r;
	struct bytes payload;

	start(f);
	for (int i = 0; i < 3; i++) {
		append_one(f->j, 1, "unit");
		assert_int_equal(journal_seal(f->j, &error), TIDE_OK);
	}
	stop(f);
	path_of(f, "00000000000000000002.seg", path);
	assert_int_equal(unlink(path), 0);
	expect_hole(f, 2, 2, "no segment begins with 2, the next one with 3");
	/* The journal goes on behind it. */
	start(f);
	append_one(f->j, 1, "more");
	r = open_reader(f->j, 3);
	expect_next(r, "unit");
	expect_next(r, "more");
	journal_reader_close(r);
	r = open_reader(f->j, 1);
	expect_next(r, "unit");
	assert_int_equal(journal_reader_next(r, &payload, NULL, &error), TIDE_CORRUPT);
	journal_reader_close(r);
	assert_int_equal(journal_seek_clock(f->j, (struct hlc){0}), 1);
	stop(f);
}

static void
the_last_segment_that_is_missing_is_told_by_the_index_before_it(void **state)
{
	struct fixture *f = *state;
	struct tide_error error = {0};
	char path[SEGMENT_PATH_MAX];

	start(f);
	append_one(f->j, 1, "unit");
	assert_int_equal(journal_seal(f->j, &error), TIDE_OK);
	append_one(f->j, 1, "acknowledged");
	stop(f);
	path_of(f, "00000000000000000002.seg", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(try_open(f, &segment_sys_os, &error), TIDE_CORRUPT);
	assert_non_null(strstr(error.message, "the one after it is missing"));
}

static void
a_missing_or_damaged_index_is_built_again(void **state)
{
	static const uint64_t t1[] = {1}, t2[] = {2};
	struct fixture *f = *state;
	struct tide_error error = {0};
	struct journal_reader *r;
	struct buf index, damaged = {0}, again;

	start(f);
	append_of_tables(f->j, "one", t1, 1);
	append_of_tables(f->j, "two", t2, 1);
	assert_int_equal(journal_seal(f->j, &error), TIDE_OK);
	append_of_tables(f->j, "three", t1, 1);
	stop(f);
	index = read_file(f, "00000000000000000001.idx");
	for (size_t i = 0; i <= index.n; i += 7) {
		buf_clear(&damaged);
		buf_append(&damaged, index.at, i % 2 == 0 ? index.n : i);
		if (damaged.n > i)
			damaged.at[i] ^= 1;
		write_file(f, "00000000000000000001.idx", damaged.at, damaged.n);
		start(f);
		r = open_reader(f->j, 1);
		assert_int_equal(journal_reader_filter(r, t2, 1), TIDE_OK);
		expect_next(r, "two");
		expect_next(r, NULL);
		journal_reader_close(r);
		stop(f);
		again = read_file(f, "00000000000000000001.idx");
		assert_true(bytes_equal(buf_bytes(&again), buf_bytes(&index)));
		buf_fini(&again);
	}
	buf_fini(&damaged);
	buf_fini(&index);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(a_bad_frame_before_a_later_append_is_named_damage),
	    T(a_damaged_header_before_units_is_damage),
	    T(damage_in_a_sealed_segment_is_named_by_the_reader),
	    T(a_sealed_segment_that_lost_its_end_is_damage),
	    T(a_missing_segment_is_damage),
	    T(the_last_segment_that_is_missing_is_told_by_the_index_before_it),
	    T(a_missing_or_damaged_index_is_built_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
