/* What the LevelDB store does when its files were torn by a power cut, damaged, or the disk is full. */
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/kv/kv.h"
#include "tests/unit/kv/temp_dir.h"

#define KEYS 500
#define VALUE_BYTES 300

struct fixture {
	char dir[TEMP_DIR_MAX];
	struct kv *kv;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	temp_dir_make(f->dir);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	kv_close(f->kv);
	temp_dir_remove(f->dir);
	free(f);
	return 0;
}

static tide_err
try_open(struct fixture *f, bool create, struct tide_error *error)
{
	struct kv_options options = {.create = create};

	return kv_open("leveldb", f->dir, &options, &f->kv, error);
}

static void
start(struct fixture *f)
{
	struct tide_error error = {0};
	tide_err rc = try_open(f, true, &error);

	if (rc != TIDE_OK)
		print_error("%s\n", error.message);
	assert_int_equal(rc, TIDE_OK);
}

static void
stop(struct fixture *f)
{
	kv_close(f->kv);
	f->kv = NULL;
}

/* Batches of ten keys; the values of a `mark` are all of one letter. */
static tide_err
write_keys(struct kv *kv, const char *prefix, char mark)
{
	struct kv_batch *batch = kv_batch_new(kv);
	char key[32], value[VALUE_BYTES];
	tide_err rc = TIDE_OK;

	memset(value, mark, sizeof value);
	for (int i = 0; i < KEYS && rc == TIDE_OK; i++) {
		snprintf(key, sizeof key, "%s%04d", prefix, i);
		kv_batch_put(batch, bytes_of_string(key), bytes_of(value, sizeof value));
		if (i % 10 != 9)
			continue;
		rc = kv_write(kv, batch);
		kv_batch_clear(batch);
	}
	kv_batch_free(batch);
	return rc;
}

/* How many whole batches of ten are there; a part of one fails the test. */
static int
count_keys(struct kv *kv, const char *prefix, char mark)
{
	struct buf value = {0};
	char key[32];
	int found = 0;

	for (int i = 0; i < KEYS; i++) {
		tide_err rc;

		snprintf(key, sizeof key, "%s%04d", prefix, i);
		rc = kv_get(kv, NULL, bytes_of_string(key), &value);
		if (rc == TIDE_OK) {
			assert_int_equal(value.n, VALUE_BYTES);
			assert_int_equal(value.at[0], mark);
			found++;
		} else {
			assert_int_equal(rc, TIDE_NOTFOUND);
		}
		if (i % 10 == 9)
			assert_int_equal(found % 10, 0);
	}
	buf_fini(&value);
	return found;
}

/* The one file of this pattern in the folder. */
static char *
the_file(const struct fixture *f, const char *pattern)
{
	char path[TEMP_DIR_MAX + 32];
	glob_t found;
	char *name;

	snprintf(path, sizeof path, "%s/%s", f->dir, pattern);
	assert_int_equal(glob(path, 0, NULL, &found), 0);
	name = strdup(found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return name;
}

enum harm { TRUNCATE, ZERO_TAIL, ZERO_HOLE, NOISE_HOLE, ZERO_ALL, REMOVE };

static void
do_harm(const char *path, enum harm harm)
{
	uint8_t bytes[20000];
	struct stat st;
	off_t at;
	size_t n = sizeof bytes;
	int fd;

	if (harm == REMOVE) {
		assert_int_equal(unlink(path), 0);
		return;
	}
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 100000);
	if (harm == TRUNCATE) {
		assert_int_equal(truncate(path, st.st_size / 2 + 3), 0);
		return;
	}
	for (size_t i = 0; i < n; i++)
		bytes[i] = harm == NOISE_HOLE ? (uint8_t)random() : 0;
	at = harm == ZERO_TAIL ? st.st_size - (off_t)n : harm == ZERO_ALL ? 0 : 40000;
	assert_true((fd = open(path, O_WRONLY)) >= 0);
	do {
		assert_int_equal(pwrite(fd, bytes, n, at), n);
		at += (off_t)n;
	} while (harm == ZERO_ALL && at + (off_t)n <= st.st_size);
	close(fd);
}

static void
a_log_torn_after_the_barrier_opens_with_all_that_the_barrier_covered(void **state)
{
	static const struct {
		const char *name;
		enum harm harm;
	} rows[] = {{"cut", TRUNCATE}, {"zeros at the end", ZERO_TAIL}, {"a hole of zeros", ZERO_HOLE},
	    {"a hole of noise", NOISE_HOLE}, {"all zeros", ZERO_ALL}, {"gone", REMOVE}};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *log;
		int found;

		start(f);
		assert_int_equal(write_keys(f->kv, "kept", (char)('a' + i)), TIDE_OK);
		assert_int_equal(kv_barrier(f->kv), TIDE_OK);
		assert_int_equal(write_keys(f->kv, rows[i].name, 'x'), TIDE_OK);
		stop(f);
		log = the_file(f, "*.log");
		do_harm(log, rows[i].harm);
		free(log);
		start(f);
		assert_int_equal(count_keys(f->kv, "kept", (char)('a' + i)), KEYS);
		found = count_keys(f->kv, rows[i].name, 'x');
		print_message("%s: %d of %d later keys came through\n", rows[i].name, found, KEYS);
		assert_true(found < KEYS);
		/* It goes on as before. */
		assert_int_equal(write_keys(f->kv, rows[i].name, 'x'), TIDE_OK);
		assert_int_equal(count_keys(f->kv, rows[i].name, 'x'), KEYS);
		assert_int_equal(kv_barrier(f->kv), TIDE_OK);
		stop(f);
		start(f);
		assert_int_equal(count_keys(f->kv, rows[i].name, 'x'), KEYS);
		stop(f);
	}
}

/* A true barrier leaves nothing to the log: without any log all is there. */
static void
a_barrier_leaves_nothing_in_the_log(void **state)
{
	struct fixture *f = *state;
	char *log;

	for (int round = 0; round < 3; round++) {
		start(f);
		assert_int_equal(write_keys(f->kv, "k", (char)('a' + round)), TIDE_OK);
		assert_int_equal(kv_barrier(f->kv), TIDE_OK);
		/* While the store is open: what a power cut would find. */
		log = the_file(f, "*.log");
		assert_int_equal(unlink(log), 0);
		free(log);
		stop(f);
		start(f);
		assert_int_equal(count_keys(f->kv, "k", (char)('a' + round)), KEYS);
		stop(f);
	}
}

static void
a_damaged_table_is_corrupt_and_never_skipped(void **state)
{
	struct fixture *f = *state;
	struct kv_iterator *it;
	struct buf value = {0};
	uint8_t byte;
	char *table;
	int fd, corrupt = 0;

	start(f);
	assert_int_equal(write_keys(f->kv, "k", 'a'), TIDE_OK);
	assert_int_equal(kv_barrier(f->kv), TIDE_OK);
	stop(f);
	table = the_file(f, "*.ldb");
	assert_true((fd = open(table, O_RDWR)) >= 0);
	assert_int_equal(pread(fd, &byte, 1, 1000), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, 1000), 1);
	close(fd);
	free(table);
	start(f);
	for (int i = 0; i < KEYS; i++) {
		char key[32];
		tide_err rc;

		snprintf(key, sizeof key, "k%04d", i);
		rc = kv_get(f->kv, NULL, bytes_of_string(key), &value);
		assert_true(rc == TIDE_OK || rc == TIDE_CORRUPT);
		corrupt += rc == TIDE_CORRUPT;
	}
	assert_true(corrupt > 0 && corrupt < KEYS);
	it = kv_iterator_new(f->kv, NULL);
	for (kv_iterator_seek(it, BYTES_NONE); kv_iterator_valid(it); kv_iterator_next(it))
		;
	assert_int_equal(kv_iterator_check(it), TIDE_CORRUPT);
	kv_iterator_free(it);
	buf_fini(&value);
}

static void
lost_files_are_damage_and_never_an_empty_store(void **state)
{
	static const char *const lost[] = {"CURRENT", "MANIFEST-*", "*.ldb"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
		struct tide_error error = {0};
		char *path;

		start(f);
		assert_int_equal(write_keys(f->kv, "k", 'a'), TIDE_OK);
		assert_int_equal(kv_barrier(f->kv), TIDE_OK);
		stop(f);
		path = the_file(f, lost[i]);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(try_open(f, true, &error), TIDE_CORRUPT);
		assert_null(f->kv);
		assert_non_null(strstr(error.message, f->dir));
		free(path);
		temp_dir_remove(f->dir);
		temp_dir_make(f->dir);
	}
}

static void
without_create_an_absent_store_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct tide_error error = {0};

	assert_int_equal(try_open(f, false, &error), TIDE_NOTFOUND);
	start(f);
	stop(f);
	assert_int_equal(try_open(f, false, &error), TIDE_OK);
	stop(f);
	temp_dir_remove(f->dir);
	assert_int_equal(try_open(f, false, &error), TIDE_NOTFOUND);
}

/*
 * The kernel's file size limit stands in for a full disk, in a process of its own so that it ends with it (and a program
 * started anew, as LevelDB's background thread would not be in a fork).
 */
static int
run_with_limit(const struct fixture *f, const char *what)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		execl("/proc/self/exe", "test_kv_leveldb", what, f->dir, NULL);
		_exit(98);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
fill_the_log(struct fixture *f)
{
	struct tide_error error;
	tide_err rc = TIDE_OK;

	if (try_open(f, true, &error) != TIDE_OK || write_keys(f->kv, "first", 'a') != TIDE_OK)
		return 1;
	for (int i = 0; i < 10 && rc == TIDE_OK; i++)
		rc = write_keys(f->kv, "more", 'b');
	return rc == TIDE_FULL ? 0 : 2;
}

/* Small entries take more room in a table than in a log: the log stays below the limit, the table does not. */
static int
fill_the_table(struct fixture *f)
{
	struct kv_batch *batch;
	struct tide_error error;

	if (try_open(f, true, &error) != TIDE_OK)
		return 1;
	batch = kv_batch_new(f->kv);
	for (int i = 0; i < 10000; i++) {
		uint64_t pair[2] = {(uint64_t)random() << 32 | (uint64_t)random(), (uint64_t)random() << 33};

		kv_batch_put(batch, bytes_of(&pair[0], 8), bytes_of(&pair[1], 8));
	}
	if (kv_write(f->kv, batch) != TIDE_OK)
		return 2;
	kv_batch_clear(batch);
	if (kv_barrier(f->kv) != TIDE_FULL)
		return 3;
	/* The failure stays: no later write is taken, no later barrier says that all is well. */
	if (kv_barrier(f->kv) != TIDE_FULL || kv_write(f->kv, batch) != TIDE_FULL)
		return 4;
	return 0;
}

static void
a_full_disk_fails_the_write(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run_with_limit(f, "fill-the-log"), 0);
	start(f);
	assert_int_equal(count_keys(f->kv, "first", 'a'), KEYS);
}

static void
a_full_disk_fails_the_barrier_and_what_comes_after(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run_with_limit(f, "fill-the-table"), 0);
	start(f);
	assert_int_equal(kv_barrier(f->kv), TIDE_OK);
}

static int
limited(const char *what, const char *dir)
{
	struct rlimit limit = {200 * 1024, 200 * 1024};
	struct fixture f = {0};

	snprintf(f.dir, sizeof f.dir, "%s", dir);
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 99;
	return strcmp(what, "fill-the-log") == 0 ? fill_the_log(&f) : fill_the_table(&f);
}

int
main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(a_log_torn_after_the_barrier_opens_with_all_that_the_barrier_covered),
	    T(a_barrier_leaves_nothing_in_the_log),
	    T(a_damaged_table_is_corrupt_and_never_skipped),
	    T(lost_files_are_damage_and_never_an_empty_store),
	    T(without_create_an_absent_store_is_not_found),
	    T(a_full_disk_fails_the_write),
	    T(a_full_disk_fails_the_barrier_and_what_comes_after),
	};

	if (argc == 3)
		_exit(limited(argv[1], argv[2]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
