/* A disk that is full or fails: what an append, a sync or a seal that fails leaves behind. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/journal/segment_fixture.h"

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
	    T(a_full_disk_fails_the_append_and_nothing_else),
	    T(what_cannot_be_taken_back_is_unknown),
	    T(a_failing_sync_makes_the_outcome_unknown_until_reopened),
	    T(short_writes_are_finished),
	    T(a_failure_at_any_call_of_a_seal_loses_nothing),
	    T(a_file_size_limit_of_the_kernel_is_a_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
