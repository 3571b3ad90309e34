/* One contract suite, run against every store plug-in: each rule of store/kv/kv.h by name. */
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/kv/kv.h"
#include "store/kv/kv_memory.h"
#include "tests/unit/kv/temp_dir.h"

static const char *plugin; /* the one under test */

struct fixture {
	char dir[TEMP_DIR_MAX];
	struct kv *kv;
};

static void
open_store(struct fixture *f)
{
	struct kv_options options = {.create = true, .write_buffer_bytes = 64 * 1024};
	struct tide_error error;

	assert_int_equal(kv_open(plugin, f->dir, &options, &f->kv, &error), TIDE_OK);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	temp_dir_make(f->dir);
	if (strcmp(plugin, "memory") == 0)
		assert_int_equal(kv_memory_disk_make(f->dir), TIDE_OK);
	open_store(f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	kv_close(f->kv);
	if (strcmp(plugin, "memory") == 0)
		kv_memory_disk_destroy(f->dir);
	temp_dir_remove(f->dir);
	free(f);
	return 0;
}

static void
reopen(struct fixture *f)
{
	kv_close(f->kv);
	open_store(f);
}

static struct bytes
s(const char *text)
{
	return bytes_of_string(text);
}

static void
put(struct kv *kv, struct bytes key, struct bytes value)
{
	struct kv_batch *batch = kv_batch_new(kv);

	kv_batch_put(batch, key, value);
	assert_int_equal(kv_write(kv, batch), TIDE_OK);
	kv_batch_free(batch);
}

static void delete (struct kv *kv, struct bytes key)
{
	struct kv_batch *batch = kv_batch_new(kv);

	kv_batch_delete(batch, key);
	assert_int_equal(kv_write(kv, batch), TIDE_OK);
	kv_batch_free(batch);
}

static void
expect(struct kv *kv, struct kv_snapshot *snapshot, struct bytes key, const char *want)
{
	struct buf got = {0};
	tide_err rc = kv_get(kv, snapshot, key, &got);

	if (want == NULL) {
		assert_int_equal(rc, TIDE_NOTFOUND);
		assert_int_equal(got.n, 0);
	} else {
		assert_int_equal(rc, TIDE_OK);
		assert_true(bytes_is(buf_bytes(&got), want));
	}
	buf_fini(&got);
}

/* All keys in order, joined by spaces. */
static void
expect_keys(struct kv *kv, struct kv_snapshot *snapshot, const char *want)
{
	struct kv_iterator *it = kv_iterator_new(kv, snapshot);
	struct buf got = {0};

	for (kv_iterator_seek(it, BYTES_NONE); kv_iterator_valid(it); kv_iterator_next(it)) {
		if (got.n > 0)
			buf_append_byte(&got, ' ');
		buf_append(&got, kv_iterator_key(it).at, kv_iterator_key(it).n);
	}
	assert_int_equal(kv_iterator_check(it), TIDE_OK);
	buf_append_byte(&got, 0);
	assert_string_equal(got.at, want);
	buf_fini(&got);
	kv_iterator_free(it);
}

static void
a_key_that_was_never_written_is_not_found(void **state)
{
	struct fixture *f = *state;

	expect(f->kv, NULL, s("a"), NULL);
	delete (f->kv, s("a"));
	expect(f->kv, NULL, s("a"), NULL);
}

static void
the_last_write_of_a_key_is_read(void **state)
{
	struct fixture *f = *state;

	put(f->kv, s("a"), s("1"));
	put(f->kv, s("a"), s("2"));
	expect(f->kv, NULL, s("a"), "2");
	delete (f->kv, s("a"));
	expect(f->kv, NULL, s("a"), NULL);
}

static void
a_batch_applies_in_order_and_can_be_used_again(void **state)
{
	struct fixture *f = *state;
	struct kv_batch *batch = kv_batch_new(f->kv);

	kv_batch_put(batch, s("a"), s("1"));
	kv_batch_put(batch, s("b"), s("1"));
	kv_batch_delete(batch, s("a"));
	kv_batch_put(batch, s("b"), s("2"));
	expect(f->kv, NULL, s("b"), NULL);
	assert_int_equal(kv_write(f->kv, batch), TIDE_OK);
	expect_keys(f->kv, NULL, "b");
	expect(f->kv, NULL, s("b"), "2");
	kv_batch_clear(batch);
	assert_int_equal(kv_write(f->kv, batch), TIDE_OK);
	kv_batch_put(batch, s("c"), s("3"));
	assert_int_equal(kv_write(f->kv, batch), TIDE_OK);
	expect_keys(f->kv, NULL, "b c");
	kv_batch_free(batch);
}

static void
keys_are_in_memcmp_order_the_shorter_first(void **state)
{
	static const struct bytes keys[] = {{(const uint8_t *)"", 0}, {(const uint8_t *)"\0", 1},
	    {(const uint8_t *)"\0\0", 2}, {(const uint8_t *)"\0\1", 2}, {(const uint8_t *)"\1", 1},
	    {(const uint8_t *)"a", 1}, {(const uint8_t *)"a\0", 2}, {(const uint8_t *)"ab", 2},
	    {(const uint8_t *)"\x7f", 1}, {(const uint8_t *)"\x80", 1}, {(const uint8_t *)"\xff", 1},
	    {(const uint8_t *)"\xff\0", 2}, {(const uint8_t *)"\xff\xff", 2}};
	const size_t n = sizeof keys / sizeof *keys;
	struct fixture *f = *state;
	struct kv_iterator *it;

	for (size_t i = 0; i < n; i++)
		put(f->kv, keys[i * 5 % n], keys[i * 5 % n]);
	for (int round = 0; round < 2; round++) {
		it = kv_iterator_new(f->kv, NULL);
		assert_false(kv_iterator_valid(it));
		kv_iterator_seek(it, BYTES_NONE);
		for (size_t i = 0; i < n; i++, kv_iterator_next(it)) {
			assert_true(kv_iterator_valid(it));
			assert_true(bytes_equal(kv_iterator_key(it), keys[i]));
			assert_true(bytes_equal(kv_iterator_value(it), keys[i]));
		}
		assert_false(kv_iterator_valid(it));
		kv_iterator_seek_last(it);
		for (size_t i = n; i-- > 0; kv_iterator_prev(it))
			assert_true(bytes_equal(kv_iterator_key(it), keys[i]));
		assert_false(kv_iterator_valid(it));
		kv_iterator_free(it);
		/* The second round reads what the barrier brought to disk. */
		assert_int_equal(kv_barrier(f->kv), TIDE_OK);
	}
}

static void
an_empty_value_is_not_an_absent_one(void **state)
{
	struct fixture *f = *state;

	put(f->kv, s("a"), BYTES_NONE);
	expect(f->kv, NULL, s("a"), "");
	put(f->kv, BYTES_NONE, s("empty key"));
	expect(f->kv, NULL, BYTES_NONE, "empty key");
	delete (f->kv, BYTES_NONE);
	expect_keys(f->kv, NULL, "a");
}

static void
a_seek_lands_on_the_first_key_not_below(void **state)
{
	struct fixture *f = *state;
	struct kv_iterator *it;

	put(f->kv, s("b"), s("1"));
	put(f->kv, s("d"), s("2"));
	it = kv_iterator_new(f->kv, NULL);
	kv_iterator_seek(it, s("b"));
	assert_true(bytes_is(kv_iterator_key(it), "b"));
	kv_iterator_seek(it, s("b\x01"));
	assert_true(bytes_is(kv_iterator_key(it), "d"));
	kv_iterator_prev(it);
	assert_true(bytes_is(kv_iterator_key(it), "b"));
	kv_iterator_next(it);
	assert_true(bytes_is(kv_iterator_key(it), "d"));
	assert_true(bytes_is(kv_iterator_value(it), "2"));
	kv_iterator_seek(it, s("e"));
	assert_false(kv_iterator_valid(it));
	/* A move of an invalid iterator does nothing. */
	kv_iterator_next(it);
	kv_iterator_prev(it);
	assert_false(kv_iterator_valid(it));
	kv_iterator_seek(it, s(""));
	kv_iterator_prev(it);
	assert_false(kv_iterator_valid(it));
	assert_int_equal(kv_iterator_check(it), TIDE_OK);
	kv_iterator_free(it);
}

static void
a_snapshot_sees_what_was_written_before_it_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct kv_snapshot *first, *second;

	put(f->kv, s("a"), s("1"));
	put(f->kv, s("b"), s("1"));
	first = kv_snapshot_take(f->kv);
	put(f->kv, s("a"), s("2"));
	delete (f->kv, s("b"));
	second = kv_snapshot_take(f->kv);
	put(f->kv, s("c"), s("3"));
	assert_int_equal(kv_barrier(f->kv), TIDE_OK);
	expect_keys(f->kv, first, "a b");
	expect(f->kv, first, s("a"), "1");
	expect_keys(f->kv, second, "a");
	expect(f->kv, second, s("a"), "2");
	expect_keys(f->kv, NULL, "a c");
	kv_snapshot_release(f->kv, first);
	expect(f->kv, second, s("c"), NULL);
	kv_snapshot_release(f->kv, second);
}

static void
an_iterator_keeps_the_state_it_began_with(void **state)
{
	struct fixture *f = *state;
	struct kv_iterator *it;

	put(f->kv, s("a"), s("1"));
	put(f->kv, s("b"), s("1"));
	it = kv_iterator_new(f->kv, NULL);
	delete (f->kv, s("b"));
	put(f->kv, s("c"), s("1"));
	kv_iterator_seek(it, s("b"));
	assert_true(bytes_is(kv_iterator_key(it), "b"));
	kv_iterator_next(it);
	assert_false(kv_iterator_valid(it));
	kv_iterator_free(it);
}

static void
what_a_barrier_covered_is_there_after_reopening(void **state)
{
	struct fixture *f = *state;

	put(f->kv, s("a"), s("1"));
	assert_int_equal(kv_barrier(f->kv), TIDE_OK);
	put(f->kv, s("b"), s("2"));
	reopen(f);
	expect(f->kv, NULL, s("a"), "1");
	/* No power was cut, so the rest is there too. */
	expect(f->kv, NULL, s("b"), "2");
	assert_int_equal(kv_barrier(f->kv), TIDE_OK);
	assert_int_equal(kv_barrier(f->kv), TIDE_OK);
	reopen(f);
	expect_keys(f->kv, NULL, "a b");
}

static void
delete_range_takes_its_start_and_leaves_its_end(void **state)
{
	struct fixture *f = *state;
	char key[16];

	for (int i = 0; i < 2500; i++) {
		snprintf(key, sizeof key, "k%04d", i);
		put(f->kv, s(key), s("v"));
	}
	assert_int_equal(kv_delete_range(f->kv, s("k0001"), s("k2499")), TIDE_OK);
	expect_keys(f->kv, NULL, "k0000 k2499");
	assert_int_equal(kv_delete_range(f->kv, s("x"), s("z")), TIDE_OK);
	assert_int_equal(kv_delete_range(f->kv, s("z"), s("a")), TIDE_OK);
	expect_keys(f->kv, NULL, "k0000 k2499");
}

static void
approximate_size_grows_with_what_is_stored(void **state)
{
	struct fixture *f = *state;
	uint8_t value[1000];
	char key[16];
	uint64_t size;

	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof key, "k%04d", i);
		/* Not compressible, so that every plug-in needs about as much as it was given. */
		for (size_t j = 0; j < sizeof value; j++)
			value[j] = (uint8_t)random();
		put(f->kv, s(key), bytes_of(value, sizeof value));
	}
	assert_int_equal(kv_barrier(f->kv), TIDE_OK);
	size = kv_approximate_size(f->kv, s("k"), s("l"));
	assert_in_range(size, 500 * 1000, 2000 * 1000);
	assert_in_range(kv_approximate_size(f->kv, s("k0000"), s("k0500")), size / 4, size * 3 / 4);
	assert_int_equal(kv_approximate_size(f->kv, s("x"), s("y")), 0);
}

/* Against a model: a table of what should be there, under random puts, deletes, batches and reopenings. */
static void
random_batches_leave_what_a_model_says(void **state)
{
	enum { KEYS = 200, ROUNDS = 600 };
	struct fixture *f = *state;
	struct kv_batch *batch = kv_batch_new(f->kv);
	struct kv_iterator *it;
	int model[KEYS] = {0}; /* 0: absent */
	char key[16], value[16];

	srandom(7);
	for (int round = 1; round <= ROUNDS; round++) {
		for (int i = (int)(random() % 12); i >= 0; i--) {
			int k = (int)(random() % KEYS);

			snprintf(key, sizeof key, "k%03d", k);
			snprintf(value, sizeof value, "%d", round);
			model[k] = random() % 3 == 0 ? 0 : round;
			if (model[k] == 0)
				kv_batch_delete(batch, s(key));
			else
				kv_batch_put(batch, s(key), s(value));
		}
		assert_int_equal(kv_write(f->kv, batch), TIDE_OK);
		kv_batch_clear(batch);
		if (round % 100 == 0)
			assert_int_equal(kv_barrier(f->kv), TIDE_OK);
	}
	it = kv_iterator_new(f->kv, NULL);
	kv_iterator_seek(it, BYTES_NONE);
	for (int k = 0; k < KEYS; k++) {
		snprintf(key, sizeof key, "k%03d", k);
		snprintf(value, sizeof value, "%d", model[k]);
		expect(f->kv, NULL, s(key), model[k] == 0 ? NULL : value);
		if (model[k] == 0)
			continue;
		assert_true(kv_iterator_valid(it) && bytes_is(kv_iterator_key(it), key));
		kv_iterator_next(it);
	}
	assert_false(kv_iterator_valid(it));
	kv_iterator_free(it);
	kv_batch_free(batch);
}

struct readers {
	struct kv *kv;
	atomic_bool stop;
	atomic_int wrong, walks;
};

/* The writer keeps all keys equal in each batch: a reader that sees two values has seen half a batch. */
static void *
read_whole_batches(void *arg)
{
	struct readers *r = arg;

	while (!atomic_load(&r->stop)) {
		struct kv_iterator *it = kv_iterator_new(r->kv, NULL);
		char first[32] = "";
		int n = 0;

		for (kv_iterator_seek(it, s("k")); kv_iterator_valid(it); kv_iterator_next(it), n++) {
			struct bytes value = kv_iterator_value(it);

			if (n == 0)
				memcpy(first, value.at, value.n);
			else if (!bytes_is(value, first))
				atomic_fetch_add(&r->wrong, 1);
		}
		if ((n != 0 && n != 20) || kv_iterator_check(it) != TIDE_OK)
			atomic_fetch_add(&r->wrong, 1);
		kv_iterator_free(it);
		atomic_fetch_add(&r->walks, 1);
	}
	return NULL;
}

static void
readers_beside_a_writer_see_whole_batches(void **state)
{
	struct fixture *f = *state;
	struct readers r = {.kv = f->kv};
	struct kv_batch *batch = kv_batch_new(f->kv);
	pthread_t threads[3];
	char key[16], value[32];

	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_whole_batches, &r), 0);
	for (int round = 0; round < 300 || atomic_load(&r.walks) < 30; round++) {
		snprintf(value, sizeof value, "%08d", round);
		for (int k = 0; k < 20; k++) {
			snprintf(key, sizeof key, "k%02d", k);
			kv_batch_put(batch, s(key), s(value));
		}
		assert_int_equal(kv_write(f->kv, batch), TIDE_OK);
		kv_batch_clear(batch);
	}
	atomic_store(&r.stop, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&r.wrong), 0);
	kv_batch_free(batch);
}

static void
a_store_that_is_open_cannot_be_opened_again(void **state)
{
	struct fixture *f = *state;
	struct kv_options options = {.create = true};
	struct tide_error error = {0};
	struct kv *second = NULL;

	assert_int_equal(kv_open(plugin, f->dir, &options, &second, &error), TIDE_FENCED);
	assert_null(second);
	assert_non_null(strstr(error.message, f->dir));
}

int
main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(a_key_that_was_never_written_is_not_found),
	    T(the_last_write_of_a_key_is_read),
	    T(a_batch_applies_in_order_and_can_be_used_again),
	    T(keys_are_in_memcmp_order_the_shorter_first),
	    T(an_empty_value_is_not_an_absent_one),
	    T(a_seek_lands_on_the_first_key_not_below),
	    T(a_snapshot_sees_what_was_written_before_it_and_nothing_else),
	    T(an_iterator_keeps_the_state_it_began_with),
	    T(what_a_barrier_covered_is_there_after_reopening),
	    T(delete_range_takes_its_start_and_leaves_its_end),
	    T(approximate_size_grows_with_what_is_stored),
	    T(random_batches_leave_what_a_model_says),
	    T(readers_beside_a_writer_see_whole_batches),
	    T(a_store_that_is_open_cannot_be_opened_again),
	};

	plugin = argc > 1 ? argv[1] : "memory";
	return cmocka_run_group_tests_name(plugin, tests, NULL, NULL);
}
