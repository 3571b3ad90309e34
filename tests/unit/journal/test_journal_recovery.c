/* What segment files survive: torn appends, damage, full disks, failing syncs. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/journal/segment.h"
#include "tests/unit/journal/journal_make.h"
#include "tests/unit/kv/temp_dir.h"

struct fixture {
	char dir[TEMP_DIR_MAX];
	struct journal_options options;
	struct journal *j;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	temp_dir_make(f->dir);
	f->options = (struct journal_options){.id = TEST_ID, .create = true};
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	journal_close(f->j);
	temp_dir_remove(f->dir);
	free(f);
	return 0;
}

static tide_err
try_open(struct fixture *f, const struct segment_sys *sys, struct tide_error *error)
{
	return segments_open_with(sys, f->dir, &f->options, &f->j, error);
}

static void
start(struct fixture *f)
{
	struct tide_error error = {0};
	tide_err rc = try_open(f, &segment_sys_os, &error);

	if (rc != TIDE_OK)
		print_error("%s\n", error.message);
	assert_int_equal(rc, TIDE_OK);
}

static void
stop(struct fixture *f)
{
	journal_close(f->j);
	f->j = NULL;
}

static void
path_of(const struct fixture *f, const char *name, char path[SEGMENT_PATH_MAX])
{
	snprintf(path, SEGMENT_PATH_MAX, "%s/%s", f->dir, name);
}

#define FIRST "00000000000000000001.seg"

static struct buf
read_file(const struct fixture *f, const char *name)
{
	char path[SEGMENT_PATH_MAX];
	struct buf out = {0};
	struct stat st;
	int fd;

	path_of(f, name, path);
	assert_true((fd = open(path, O_RDONLY)) >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	buf_reserve(&out, (size_t)st.st_size + 1);
	assert_int_equal(read(fd, out.at, (size_t)st.st_size), st.st_size);
	out.n = (size_t)st.st_size;
	close(fd);
	return out;
}

static void
write_file(const struct fixture *f, const char *name, const void *at, size_t n)
{
	char path[SEGMENT_PATH_MAX];
	int fd;

	path_of(f, name, path);
	assert_true((fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600)) >= 0);
	assert_int_equal(write(fd, at, n), n);
	close(fd);
}

static bool
exists(const struct fixture *f, const char *name)
{
	char path[SEGMENT_PATH_MAX];

	path_of(f, name, path);
	return access(path, F_OK) == 0;
}

/* Three units acknowledged, one more: the whole file in `file`, the first three in its first `*kept` bytes. */
static struct buf
three_and_one(struct fixture *f, const char *last, size_t *kept)
{
	struct buf file;

	start(f);
	append_one(f->j, 1, "one");
	append_one(f->j, 2, "two");
	append_one(f->j, 1, "three");
	stop(f);
	file = read_file(f, FIRST);
	*kept = file.n;
	buf_fini(&file);
	start(f);
	append_one(f->j, 1, last);
	stop(f);
	return read_file(f, FIRST);
}

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

/* ---- a disk that fails ---- */

static struct {
	int writes, syncs, truncates; /* calls left until one fails; <0: never */
	int why;
	size_t part; /* bytes that the failing write puts down first */
	bool stay; /* go on failing */
	bool short_writes;
} fault;

static void
no_faults(void)
{
	memset(&fault, 0, sizeof fault);
	fault.writes = fault.syncs = fault.truncates = -1;
}

static bool
fails(int *left)
{
	if (*left < 0)
		return false;
	if (*left > 0) {
		--*left;
		return false;
	}
	if (!fault.stay)
		*left = -1;
	errno = fault.why;
	return true;
}

static ssize_t
faulty_pwrite(int fd, const void *at, size_t n, off_t offset)
{
	if (fault.part > 0 && fault.writes == 0) {
		n = n < fault.part ? n : fault.part;
		fault.part = 0;
		return pwrite(fd, at, n, offset);
	}
	if (fails(&fault.writes))
		return -1;
	if (fault.short_writes && n > 7)
		n = 7;
	return pwrite(fd, at, n, offset);
}

static int
faulty_fsync(int fd)
{
	return fails(&fault.syncs) ? -1 : fsync(fd);
}

static int
faulty_fdatasync(int fd)
{
	return fails(&fault.syncs) ? -1 : fdatasync(fd);
}

static int
faulty_ftruncate(int fd, off_t length)
{
	return fails(&fault.truncates) ? -1 : ftruncate(fd, length);
}

static int
no_fallocate(int fd, int mode, off_t offset, off_t n)
{
	(void)fd, (void)mode, (void)offset, (void)n;
	errno = EOPNOTSUPP;
	return -1;
}

static const struct segment_sys faulty = {
    faulty_pwrite, faulty_fdatasync, faulty_fsync, faulty_ftruncate, no_fallocate};

static void
start_faulty(struct fixture *f)
{
	struct tide_error error = {0};

	no_faults();
	assert_int_equal(try_open(f, &faulty, &error), TIDE_OK);
}

static tide_err
try_append(struct fixture *f, const char *payload)
{
	struct journal_entry entry = make_entry(journal_last_seq(f->j) + 1, 1, payload);
	struct tide_error error = {0};
	tide_err rc = journal_append(f->j, &entry, 1, &error);

	if (rc != TIDE_OK)
		assert_non_null(strstr(error.message, f->dir));
	return rc;
}

static void
a_full_disk_fails_the_append_and_nothing_else(void **state)
{
	static const struct {
		const char *name;
		int why;
		size_t part;
		tide_err want;
	} rows[] = {
	    {"no space at once", ENOSPC, 0, TIDE_FULL},
	    {"no space after a part", ENOSPC, 100, TIDE_FULL},
	    {"no quota", EDQUOT, 10, TIDE_FULL},
	    {"file size limit", EFBIG, 1, TIDE_FULL},
	    {"a bad disk", EIO, 50, TIDE_IO},
	};
	struct fixture *f = *state;
	struct buf before, after;

	start_faulty(f);
	append_one(f->j, 1, "one");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		before = read_file(f, FIRST);
		fault.writes = 0;
		fault.why = rows[i].why;
		fault.part = rows[i].part;
		assert_int_equal(try_append(f, "does not fit"), rows[i].want);
		after = read_file(f, FIRST);
		assert_true(bytes_equal(buf_bytes(&before), buf_bytes(&after)));
		buf_fini(&before);
		buf_fini(&after);
		no_faults();
	}
	append_one(f->j, 1, "two");
	expect_units(f->j, 1, "one two");
	stop(f);
	start(f);
	expect_units(f->j, 1, "one two");
}

static void
what_cannot_be_taken_back_is_unknown(void **state)
{
	struct fixture *f = *state;

	for (int sync = 0; sync < 2; sync++) {
		start_faulty(f);
		append_one(f->j, 1, "one");
		fault.why = ENOSPC;
		fault.writes = 0;
		fault.part = 30;
		if (sync)
			fault.syncs = 0;
		else
			fault.truncates = 0;
		assert_int_equal(try_append(f, "does not fit"), TIDE_UNKNOWN);
		no_faults();
		assert_int_equal(try_append(f, "no more"), TIDE_UNKNOWN);
		stop(f);
	}
	start(f);
	expect_units(f->j, 1, "one one");
}

static void
a_failing_sync_makes_the_outcome_unknown_until_reopened(void **state)
{
	struct fixture *f = *state;
	struct tide_error error = {0};
	struct journal_reader *r;

	start_faulty(f);
	append_one(f->j, 1, "one");
	r = open_reader(f->j, 2);
	fault.syncs = 0;
	fault.why = EIO;
	assert_int_equal(try_append(f, "in doubt"), TIDE_UNKNOWN);
	no_faults();
	expect_next(r, NULL);
	assert_int_equal(journal_last_seq(f->j), 1);
	assert_int_equal(try_append(f, "no more"), TIDE_UNKNOWN);
	assert_int_equal(journal_seal(f->j, &error), TIDE_UNKNOWN);
	assert_int_equal(journal_trim(f->j, 1, &error), TIDE_UNKNOWN);
	journal_reader_close(r);
	stop(f);
	/* Here the bytes did reach the file; the reopening decides, and brings them to disk for certain. */
	fault.syncs = 0;
	fault.why = EIO;
	assert_int_equal(try_open(f, &faulty, &error), TIDE_IO);
	start_faulty(f);
	expect_units(f->j, 1, "one in doubt");
}

static void
short_writes_are_finished(void **state)
{
	struct fixture *f = *state;

	start_faulty(f);
	fault.short_writes = true;
	append_one(f->j, 1, "one");
	append_one(f->j, 1, "two");
	stop(f);
	start(f);
	expect_units(f->j, 1, "one two");
}

static void
a_failure_at_any_call_of_a_seal_loses_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t seq = 0;

	f->options.segment_bytes = 1; /* each append begins a segment */
	for (int kind = 0; kind < 3; kind++) {
		for (int call = 0; call < 6; call++) {
			tide_err rc;

			start_faulty(f);
			append_one(f->j, 1, "unit");
			seq++;
			fault.why = kind == 0 ? ENOSPC : EIO;
			if (kind == 0)
				fault.writes = call;
			else if (kind == 1)
				fault.syncs = call;
			else
				fault.truncates = call;
			rc = try_append(f, "more");
			no_faults();
			if (rc == TIDE_OK)
				seq++;
			assert_int_equal(journal_last_seq(f->j), seq);
			if (rc == TIDE_FULL || rc == TIDE_IO) {
				append_one(f->j, 1, "after");
				seq++;
			}
			stop(f);
			start(f);
			/* An append in doubt may be there: take it as it is. */
			assert_true(journal_last_seq(f->j) == seq ||
				    (rc == TIDE_UNKNOWN && journal_last_seq(f->j) == seq + 1));
			seq = journal_last_seq(f->j);
			stop(f);
		}
	}
}

/* A real limit of the kernel's, in a child so that the limit ends with it. */
static void
a_file_size_limit_of_the_kernel_is_a_full_disk(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t child;

	if ((child = fork()) == 0) {
		struct rlimit limit = {4096, 4096};
		struct journal_entry entry;
		struct tide_error error;
		char payload[1000];
		tide_err rc;
		int units = 0;

		signal(SIGXFSZ, SIG_IGN);
		memset(payload, 'x', sizeof payload);
		payload[sizeof payload - 1] = 0;
		if (setrlimit(RLIMIT_FSIZE, &limit) != 0 || try_open(f, &segment_sys_os, &error) != TIDE_OK)
			_exit(1);
		do {
			entry = make_entry(journal_last_seq(f->j) + 1, 1, payload);
			rc = journal_append(f->j, &entry, 1, &error);
			units++;
		} while (rc == TIDE_OK && units < 10);
		if (rc != TIDE_FULL || journal_last_seq(f->j) != (uint64_t)units - 1)
			_exit(2);
		/* A smaller one still fits. */
		entry = make_entry(journal_last_seq(f->j) + 1, 1, "small");
		_exit(journal_append(f->j, &entry, 1, &error) == TIDE_OK ? 0 : 3);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	start(f);
	assert_int_equal(journal_last_seq(f->j), 4);
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
	    T(a_bad_frame_before_a_later_append_is_named_damage),
	    T(damage_in_a_sealed_segment_is_named_by_the_reader),
	    T(a_missing_or_damaged_index_is_built_again),
	    T(a_sealed_segment_that_lost_its_end_is_damage),
	    T(a_missing_segment_is_damage),
	    T(the_last_segment_that_is_missing_is_told_by_the_index_before_it),
	    T(a_segment_torn_while_it_was_made_is_made_again),
	    T(a_damaged_header_before_units_is_damage),
	    T(read_only_looks_without_lock_cut_or_write),
	    T(an_open_reader_keeps_a_trimmed_segment),
	    T(a_full_disk_fails_the_append_and_nothing_else),
	    T(what_cannot_be_taken_back_is_unknown),
	    T(a_failing_sync_makes_the_outcome_unknown_until_reopened),
	    T(short_writes_are_finished),
	    T(a_failure_at_any_call_of_a_seal_loses_nothing),
	    T(a_file_size_limit_of_the_kernel_is_a_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
