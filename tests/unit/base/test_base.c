#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/pack.h"

static void
an_error_carries_its_exception_and_sentence(void **state)
{
	struct tide_error error = {0};

	(void)state;
	assert_int_equal(tide_fail(&error, TIDE_VALIDATION, "bad %s", "key"), TIDE_VALIDATION);
	assert_string_equal(error.message, "bad key");
	assert_string_equal(
	    tide_err_exception(TIDE_VALIDATION), "com.amazon.coral.validate#ValidationException");
	assert_int_equal(tide_err_http(TIDE_VALIDATION), 400);
	assert_int_equal(tide_fail(NULL, TIDE_IO, NULL), TIDE_IO);
	assert_int_equal(tide_fail(&error, TIDE_CONDITION_FAILED, NULL), TIDE_CONDITION_FAILED);
	assert_string_equal(error.message, "The conditional request failed");
}

static void
bytes_order_is_memcmp_then_length(void **state)
{
	(void)state;
	assert_true(bytes_compare(BYTES_LITERAL("a"), BYTES_LITERAL("ab")) < 0);
	assert_true(bytes_compare(BYTES_LITERAL("b"), BYTES_LITERAL("ab")) > 0);
	assert_int_equal(bytes_compare(BYTES_NONE, BYTES_NONE), 0);
	assert_true(bytes_compare(BYTES_LITERAL("\xff"), BYTES_LITERAL("a")) > 0);
}

static void
a_buffer_grows_and_keeps_its_content(void **state)
{
	struct buf buf = {0};

	(void)state;
	for (uint32_t i = 0; i < 10000; i++)
		buf_append_u32(&buf, i);
	assert_int_equal(buf.n, 40000);
	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(bytes_u32(buf.at + 4 * i), i);
	buf_clear(&buf);
	buf_append_format(&buf, "%s-%d", "x", 7);
	assert_true(bytes_is(buf_bytes(&buf), "x-7"));
	assert_null(buf_reserve(&buf, SIZE_MAX));
	assert_int_equal(buf_check(&buf), TIDE_NOMEM);
	buf_append_string(&buf, "dropped");
	buf_append_byte(&buf, 'd');
	buf_append_u32(&buf, 1);
	buf_append_u64(&buf, 1);
	assert_int_equal(buf.n, 3);
	buf_fini(&buf);
}

/* Read calls build keys on the stack: realloc must not see those bytes. */
static void
a_buffer_is_filled_to_the_last_byte_before_it_grows(void **state)
{
	uint8_t room[8];
	struct buf buf = {.at = room, .room = sizeof room};

	(void)state;
	buf_append_byte(&buf, 1);
	buf_append(&buf, "two", 3);
	buf_append_u32(&buf, 5);
	assert_ptr_equal(buf.at, room);
	assert_int_equal(buf_check(&buf), TIDE_OK);
	assert_memory_equal(room, ((uint8_t[]){1, 't', 'w', 'o', 0, 0, 0, 5}), sizeof room);

	buf = (struct buf){0};
	for (unsigned i = 0; i < 2000; i++)
		buf_append_byte(&buf, (uint8_t)i);
	assert_int_equal(buf.n, 2000);
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(buf.at[i], (uint8_t)i);
	buf_fini(&buf);
}

static void
an_arena_keeps_to_its_limit(void **state)
{
	struct arena arena;
	struct bytes copy;

	(void)state;
	arena_init(&arena, 1000);
	assert_non_null(arena_alloc(&arena, 900));
	assert_null(arena_alloc(&arena, 200));
	arena_reset(&arena);
	copy = arena_copy(&arena, BYTES_LITERAL("a\0b"));
	assert_int_equal(copy.n, 3);
	assert_int_equal(copy.at[3], 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal((uintptr_t)arena_alloc(&arena, 1) % 16, 0);
	arena_fini(&arena);
	arena_init(&arena, 0);
	for (int i = 0; i < 1000; i++)
		memset(arena_alloc(&arena, 3000), i, 3000);
	arena_fini(&arena);
}

static void
what_is_packed_is_unpacked(void **state)
{
	static const uint64_t numbers[] = {
	    0, 1, 127, 128, 255, 256, 65535, 65536, UINT32_MAX, (uint64_t)UINT32_MAX + 1, UINT64_MAX};
	struct buf buf = {0};
	struct unpack in;
	char text[300];

	(void)state;
	memset(text, 'x', sizeof text);
	pack_array(&buf, 20);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		pack_uint(&buf, numbers[i]);
	pack_bool(&buf, true);
	pack_nil(&buf);
	pack_bin(&buf, bytes_of(text, 300));
	pack_bin(&buf, BYTES_NONE);
	pack_str(&buf, "word");
	in = unpack_of(buf_bytes(&buf));
	assert_int_equal(unpack_array(&in), 20);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		assert_true(unpack_uint(&in) == numbers[i]);
	assert_false(unpack_nil(&in));
	assert_true(unpack_bool(&in));
	assert_true(unpack_nil(&in));
	assert_int_equal(unpack_bin(&in).n, 300);
	assert_int_equal(unpack_bin(&in).n, 0);
	assert_true(bytes_is(unpack_bin(&in), "word"));
	assert_int_equal(in.rc, TIDE_OK);
	assert_int_equal(unpack_uint(&in), 0);
	assert_int_equal(in.rc, TIDE_CORRUPT);
	buf_fini(&buf);
}

/* Random bytes: the reader ends, reads nothing outside (the sanitizer watches) and believes no count that does not fit. */
static void
garbage_is_refused(void **state)
{
	uint8_t *bytes;

	(void)state;
	srand(3);
	for (int round = 0; round < 50000; round++) {
		size_t n = (size_t)rand() % 40;
		struct unpack in;

		bytes = malloc(n + 1); /* exact, so that the sanitizer sees one byte too many */
		assert_non_null(bytes);
		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)rand();
		in = unpack_of(bytes_of(bytes, n));
		switch (rand() % 4) {
		case 0:
			assert_true(unpack_array(&in) <= n);
			break;
		case 1:
			assert_true(unpack_bin(&in).n <= n);
			break;
		case 2:
			unpack_skip(&in);
			break;
		default:
			unpack_uint_max(&in, 10);
		}
		assert_true(in.at <= in.end);
		free(bytes);
	}
}

static void
log_levels_have_names(void **state)
{
	enum log_level level = LOG_INFO;

	(void)state;
	assert_true(log_level_parse("warn", &level));
	assert_int_equal(level, LOG_WARN);
	assert_false(log_level_parse("loud", &level));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_error_carries_its_exception_and_sentence),
	    cmocka_unit_test(bytes_order_is_memcmp_then_length),
	    cmocka_unit_test(a_buffer_grows_and_keeps_its_content),
	    cmocka_unit_test(a_buffer_is_filled_to_the_last_byte_before_it_grows),
	    cmocka_unit_test(an_arena_keeps_to_its_limit),
	    cmocka_unit_test(what_is_packed_is_unpacked),
	    cmocka_unit_test(garbage_is_refused),
	    cmocka_unit_test(log_levels_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
