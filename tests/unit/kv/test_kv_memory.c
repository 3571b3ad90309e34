/* Power cuts on the memory store's disks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/kv/kv.h"
#include "store/kv/kv_damage.h"
#include "store/kv/kv_memory.h"

static struct kv *
start(void)
{
	struct kv_options options = {.create = true};
	struct tide_error error;
	struct kv *kv = NULL;

	assert_int_equal(kv_open("memory", "disk", &options, &kv, &error), TIDE_OK);
	return kv;
}

static void
put(struct kv *kv, const char *key, const char *value)
{
	struct kv_batch *batch = kv_batch_new(kv);

	if (value != NULL)
		kv_batch_put(batch, bytes_of_string(key), bytes_of_string(value));
	else
		kv_batch_delete(batch, bytes_of_string(key));
	assert_int_equal(kv_write(kv, batch), TIDE_OK);
	kv_batch_free(batch);
}

static void
expect(struct kv *kv, const char *key, const char *want)
{
	struct buf got = {0};
	tide_err rc = kv_get(kv, NULL, bytes_of_string(key), &got);

	assert_int_equal(rc, want == NULL ? TIDE_NOTFOUND : TIDE_OK);
	if (want != NULL)
		assert_true(bytes_is(buf_bytes(&got), want));
	buf_fini(&got);
}

static bool
keep_by_mask(void *context, size_t index)
{
	return (*(const unsigned *)context >> index & 1) != 0;
}

static void
a_power_cut_loses_any_of_the_batches_since_the_barrier(void **state)
{
	(void)state;
	for (unsigned kept = 0; kept < 16; kept++) {
		struct kv *kv;

		assert_int_equal(kv_memory_disk_make("disk"), TIDE_OK);
		kv = start();
		put(kv, "a", "1");
		put(kv, "b", "1");
		assert_int_equal(kv_barrier(kv), TIDE_OK);
		put(kv, "a", "2");
		put(kv, "b", NULL);
		put(kv, "c", "2");
		put(kv, "a", "3");
		kv_close(kv);
		assert_int_equal(kv_memory_disk_crash("disk", keep_by_mask, &kept), TIDE_OK);
		/* What came through one cut is there after the next. */
		assert_int_equal(kv_memory_disk_crash("disk", NULL, NULL), TIDE_OK);
		kv = start();
		expect(kv, "a", kept & 8 ? "3" : kept & 1 ? "2" : "1");
		expect(kv, "b", kept & 2 ? NULL : "1");
		expect(kv, "c", kept & 4 ? "2" : NULL);
		kv_close(kv);
		kv_memory_disk_destroy("disk");
	}
}

static void
without_a_disk_a_store_begins_empty(void **state)
{
	struct kv *kv;

	(void)state;
	kv = start();
	put(kv, "a", "1");
	kv_close(kv);
	kv = start();
	expect(kv, "a", NULL);
	kv_close(kv);
}

static tide_err
try_put(struct kv *kv, const char *key, const char *value)
{
	struct kv_batch *batch = kv_batch_new(kv);
	tide_err rc;

	kv_batch_put(batch, bytes_of_string(key), bytes_of_string(value));
	rc = kv_write(kv, batch);
	kv_batch_free(batch);
	return rc;
}

static void
after_a_failed_call_every_write_fails_until_the_store_is_opened_again(void **state)
{
	static const struct {
		enum kv_memory_call call;
		tide_err rc;
		const char *kept; /* of a write without a barrier, after a power cut */
	} cases[] = {
	    {KV_MEMORY_WRITE, TIDE_FULL, NULL},
	    {KV_MEMORY_WRITE, TIDE_IO, NULL},
	    {KV_MEMORY_BARRIER, TIDE_IO, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct kv *kv;

		assert_int_equal(kv_memory_disk_make("disk"), TIDE_OK);
		kv = start();
		put(kv, "a", "1");
		assert_int_equal(kv_memory_disk_fail_next("disk", cases[i].call, cases[i].rc), TIDE_OK);
		if (cases[i].call == KV_MEMORY_BARRIER)
			assert_int_equal(kv_barrier(kv), cases[i].rc);
		assert_int_equal(try_put(kv, "b", "1"), cases[i].rc);
		assert_int_equal(try_put(kv, "c", "1"), cases[i].rc);
		assert_int_equal(kv_barrier(kv), cases[i].rc);
		expect(kv, "a", "1");
		expect(kv, "b", NULL);
		kv_close(kv);
		assert_int_equal(kv_memory_disk_crash("disk", NULL, NULL), TIDE_OK);
		kv = start();
		expect(kv, "a", cases[i].kept);
		put(kv, "b", "2");
		assert_int_equal(kv_barrier(kv), TIDE_OK);
		kv_close(kv);
		kv_memory_disk_destroy("disk");
	}
}

static void
a_full_disk_refuses_until_there_is_room_and_the_store_is_opened_again(void **state)
{
	struct kv_options options = {.create = true};
	struct tide_error error;
	struct kv *kv, *none = NULL;

	(void)state;
	assert_int_equal(kv_memory_disk_make("disk"), TIDE_OK);
	kv = start();
	put(kv, "a", "1");
	kv_memory_disk_full("disk", true);
	assert_int_equal(try_put(kv, "b", "1"), TIDE_FULL);
	expect(kv, "a", "1");
	kv_close(kv);
	assert_int_equal(kv_open("memory", "disk", &options, &none, &error), TIDE_FULL);
	kv_memory_disk_full("disk", false);
	kv = start();
	put(kv, "b", "2");
	expect(kv, "a", "1");
	kv_close(kv);
	kv_memory_disk_destroy("disk");
}

static void
damaged_keys_are_named_to_who_reads_them_and_to_nobody_else(void **state)
{
	struct buf got = {0}, other = {0};
	struct kv_iterator *it;
	struct kv *kv;

	(void)state;
	assert_int_equal(kv_memory_disk_make("disk"), TIDE_OK);
	kv = start();
	put(kv, "a", "1");
	put(kv, "b", "1");
	put(kv, "c", "1");
	assert_int_equal(kv_memory_disk_damage("disk", bytes_of_string("b"), bytes_of_string("c")), TIDE_OK);
	expect(kv, "a", "1");
	expect(kv, "c", "1");
	assert_int_equal(kv_get(kv, NULL, bytes_of_string("b"), &got), TIDE_CORRUPT);
	it = kv_iterator_new(kv, NULL);
	kv_iterator_seek(it, bytes_of_string("a"));
	assert_true(kv_iterator_valid(it));
	assert_int_equal(kv_iterator_check(it), TIDE_OK);
	kv_iterator_next(it);
	assert_true(kv_iterator_valid(it));
	assert_true(bytes_is(kv_iterator_key(it), "c"));
	assert_int_equal(kv_iterator_check(it), TIDE_CORRUPT);
	kv_iterator_free(it);
	assert_int_equal(kv_damage_around(kv, bytes_of_string("b"), &got, &other), TIDE_OK);
	assert_true(bytes_is(buf_bytes(&got), "a"));
	assert_true(bytes_is(buf_bytes(&other), "c"));
	assert_int_equal(kv_damage_around(kv, bytes_of_string("c"), &got, &other), TIDE_NOTFOUND);
	kv_memory_disk_damage("disk", BYTES_NONE, BYTES_NONE);
	expect(kv, "b", "1");
	buf_fini(&got);
	buf_fini(&other);
	kv_close(kv);
	kv_memory_disk_destroy("disk");
}

static void
an_unknown_plugin_is_refused(void **state)
{
	struct tide_error error;
	struct kv *kv = NULL;

	(void)state;
	assert_int_equal(kv_open("punched-cards", "disk", NULL, &kv, &error), TIDE_USAGE);
	assert_non_null(strstr(error.message, "punched-cards"));
	assert_null(kv);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_power_cut_loses_any_of_the_batches_since_the_barrier),
	    cmocka_unit_test(without_a_disk_a_store_begins_empty),
	    cmocka_unit_test(after_a_failed_call_every_write_fails_until_the_store_is_opened_again),
	    cmocka_unit_test(a_full_disk_refuses_until_there_is_room_and_the_store_is_opened_again),
	    cmocka_unit_test(damaged_keys_are_named_to_who_reads_them_and_to_nobody_else),
	    cmocka_unit_test(an_unknown_plugin_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
