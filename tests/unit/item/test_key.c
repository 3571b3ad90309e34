#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/item/key.h"
#include "tests/unit/item/random_value.h"

#define ROUNDS 20000
#define SEED 99

static const enum value_type scalars[] = {VALUE_S, VALUE_N, VALUE_B};

static int
sign(int order)
{
	return (order > 0) - (order < 0);
}

static void
keys_of_a_partition_are_in_the_order_of_sort_keys(void **state)
{
	struct random random = {SEED};
	struct buf x = {0}, y = {0};
	int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		enum value_type type = scalars[random_below(&random, 3)];
		struct arena arena;
		struct value partition, a, b;

		arena_init(&arena, 0);
		partition = random_scalar(&random, &arena, scalars[random_below(&random, 3)], 12);
		a = random_scalar(&random, &arena, type, 5);
		b = random_scalar(&random, &arena, type, 5);
		buf_clear(&x);
		buf_clear(&y);
		key_encode(&partition, &a, &x);
		key_encode(&partition, &b, &y);
		assert_int_equal(
		    sign(bytes_compare(buf_bytes(&x), buf_bytes(&y))), sign(value_compare(&a, &b)));
		arena_fini(&arena);
	}
	buf_fini(&x);
	buf_fini(&y);
}

/* Of one partition value and one sort value it is the key that items have; of several each value counts, one after the other. */
static void
composite_keys_are_in_the_order_of_their_values(void **state)
{
	struct random random = {SEED + 7};
	struct buf x = {0}, y = {0};

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		enum value_type types[2] = {
		    scalars[random_below(&random, 3)], scalars[random_below(&random, 3)]};
		struct value partitions[2], a[2], b[2];
		struct bytes rest;
		struct arena arena;
		int order;

		arena_init(&arena, 0);
		for (int k = 0; k < 2; k++) {
			partitions[k] = random_scalar(&random, &arena, scalars[random_below(&random, 3)], 12);
			a[k] = random_scalar(&random, &arena, types[k], 3);
			b[k] = random_scalar(&random, &arena, types[k], 3);
		}
		buf_clear(&x);
		buf_clear(&y);
		key_encode(&partitions[0], &a[0], &x);
		key_encode_composite(partitions, 1, a, 1, &y);
		assert_true(bytes_equal(buf_bytes(&x), buf_bytes(&y)));
		buf_clear(&x);
		buf_clear(&y);
		key_encode_composite(partitions, 2, a, 2, &x);
		key_encode_composite(partitions, 2, b, 2, &y);
		order = value_compare(&a[0], &b[0]) != 0 ? value_compare(&a[0], &b[0])
							 : value_compare(&a[1], &b[1]);
		assert_int_equal(sign(bytes_compare(buf_bytes(&x), buf_bytes(&y))), sign(order));
		/* It can be passed over, value by value, to its end. */
		rest = bytes_of(x.at + KEY_HASH_BYTES, x.n - KEY_HASH_BYTES);
		assert_true(key_skip(&rest, partitions[0].type) && key_skip(&rest, partitions[1].type));
		assert_true(key_skip(&rest, types[0]) && key_skip(&rest, types[1]));
		assert_int_equal(rest.n, 0);
		assert_false(key_skip(&rest, types[0]));
		/* The prefix of a partition, and what it is to be searched with. */
		buf_clear(&y);
		key_encode_composite_partition(partitions, 2, &y);
		key_encode_sort(&a[0], &y);
		assert_true(y.n < x.n);
		assert_memory_equal(x.at, y.at, y.n);
		arena_fini(&arena);
	}
	buf_fini(&x);
	buf_fini(&y);
}

static void
no_partition_prefix_is_a_prefix_of_another(void **state)
{
	struct random random = {SEED + 1};
	struct buf x = {0}, y = {0};
	int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		enum value_type type = scalars[random_below(&random, 3)];
		struct arena arena;
		struct value a, b;

		arena_init(&arena, 0);
		a = random_scalar(&random, &arena, type, 5);
		b = random_scalar(&random, &arena, type, 5);
		buf_clear(&x);
		buf_clear(&y);
		key_encode_sort(&a, &x); /* without the hash, which would hide it */
		key_encode_sort(&b, &y);
		if (!value_equal(&a, &b))
			assert_true(memcmp(x.at, y.at, x.n < y.n ? x.n : y.n) != 0);
		arena_fini(&arena);
	}
	buf_fini(&x);
	buf_fini(&y);
}

static void
keys_read_back(void **state)
{
	struct random random = {SEED + 2};
	struct buf key = {0};
	int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		enum value_type p_type = scalars[random_below(&random, 3)],
				s_type = scalars[random_below(&random, 3)];
		bool has_sort = random_below(&random, 2);
		struct arena arena;
		struct value partition, sort, p, s;
		size_t cut;

		arena_init(&arena, 0);
		partition = random_scalar(&random, &arena, p_type, 20);
		sort = random_scalar(&random, &arena, s_type, 20);
		buf_clear(&key);
		key_encode(&partition, has_sort ? &sort : NULL, &key);
		assert_int_equal(bytes_u64(key.at), key_hash(&partition));
		assert_int_equal(
		    key_decode(&arena, buf_bytes(&key), p_type, has_sort, s_type, &p, &s), TIDE_OK);
		assert_true(value_equal(&p, &partition));
		assert_true(!has_sort || value_equal(&s, &sort));
		cut = random_below(&random, (uint32_t)key.n);
		assert_int_equal(key_decode(&arena, bytes_of(key.at, cut), p_type, has_sort, s_type, &p, &s),
		    TIDE_CORRUPT);
		buf_append_byte(&key, 7);
		assert_int_equal(
		    key_decode(&arena, buf_bytes(&key), p_type, has_sort, s_type, &p, &s), TIDE_CORRUPT);
		key.at[0] ^= 1;
		key.n--;
		assert_int_equal(
		    key_decode(&arena, buf_bytes(&key), p_type, has_sort, s_type, &p, &s), TIDE_CORRUPT);
		arena_fini(&arena);
	}
	buf_fini(&key);
}

/* Every key between a prefix and its end begins with it, and no other does. */
static void
a_prefix_bounds_what_begins_with_it(void **state)
{
	struct random random = {SEED + 3};
	struct buf key = {0}, from = {0}, to = {0};
	int i, inside = 0;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		enum value_type type = random_below(&random, 2) ? VALUE_S : VALUE_B;
		struct arena arena;
		struct value prefix, sort;
		bool begins, after, bounded;

		arena_init(&arena, 0);
		prefix = random_scalar(&random, &arena, type, 2);
		sort = random_scalar(&random, &arena, type, 4);
		begins =
		    sort.text.n >= prefix.text.n && memcmp(sort.text.at, prefix.text.at, prefix.text.n) == 0;
		buf_clear(&key);
		buf_clear(&from);
		buf_clear(&to);
		key_encode_sort(&sort, &key);
		key_encode_sort_prefix(&prefix, &from);
		bounded = key_prefix_end(buf_bytes(&from), &to);
		after = bounded && bytes_compare(buf_bytes(&key), buf_bytes(&to)) >= 0;
		assert_int_equal(bytes_compare(buf_bytes(&key), buf_bytes(&from)) >= 0 && !after, begins);
		inside += begins;
		arena_fini(&arena);
	}
	assert_true(inside > ROUNDS / 20 && inside < ROUNDS);
	buf_fini(&key);
	buf_fini(&from);
	buf_fini(&to);
}

static void
a_prefix_of_ff_has_no_end(void **state)
{
	struct buf out = {0};

	(void)state;
	assert_false(key_prefix_end(BYTES_LITERAL("\xff\xff"), &out));
	assert_false(key_prefix_end(BYTES_NONE, &out));
	assert_true(key_prefix_end(BYTES_LITERAL("a\xff"), &out));
	assert_true(bytes_is(buf_bytes(&out), "b"));
	buf_fini(&out);
}

static const struct {
	const char *name;
	uint8_t at[16];
	size_t n;
} bad_keys[] = {
    {"nothing", {0}, 0},
    {"hash only", {0, 0, 0, 0, 0, 0, 0, 0}, 8},
    {"no end", {0, 0, 0, 0, 0, 0, 0, 0, 'a'}, 9},
    {"half an end", {0, 0, 0, 0, 0, 0, 0, 0, 'a', 0}, 10},
    {"unknown escape", {0, 0, 0, 0, 0, 0, 0, 0, 'a', 0, 1, 0, 0}, 13},
    {"another key's hash", {0, 0, 0, 0, 0, 0, 0, 0, 'a', 0, 0}, 11},
};

static void
bad_keys_are_corrupt(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad_keys / sizeof bad_keys[0]; i++) {
		struct arena arena;
		struct value partition;

		arena_init(&arena, 0);
		if (key_decode(&arena, bytes_of(bad_keys[i].at, bad_keys[i].n), VALUE_S, false, VALUE_S,
			&partition, NULL) != TIDE_CORRUPT)
			fail_msg("%s", bad_keys[i].name);
		arena_fini(&arena);
	}
}

static void
hex(struct bytes bytes, char *out)
{
	size_t i;

	for (i = 0; i < bytes.n; i++)
		sprintf(out + 2 * i, "%02x", bytes.at[i]);
	out[2 * bytes.n] = 0;
}

/* The examples of docs/item-format.md. */
static const struct {
	enum value_type type;
	struct bytes text;
	const char *want;
} sort_examples[] = {
    {VALUE_S, BYTES_LITERAL("ab"), "61620000"},
    {VALUE_B, BYTES_LITERAL("a\0b"), "6100ff620000"},
    {VALUE_S, BYTES_LITERAL(""), "0000"},
    {VALUE_N, BYTES_LITERAL("0"), "02"},
    {VALUE_N, BYTES_LITERAL("1"), "03820b00"},
    {VALUE_N, BYTES_LITERAL("-1"), "017df4ff"},
    {VALUE_N, BYTES_LITERAL("123.45"), "03840d233300"},
    {VALUE_N, BYTES_LITERAL("-123.45"), "017bf2dcccff"},
    {VALUE_N, BYTES_LITERAL("0.05"), "03803300"},
};

static void
the_documented_examples_hold(void **state)
{
	struct value partition = {.type = VALUE_S, .text = BYTES_LITERAL("user#1")};
	struct value sort = {.type = VALUE_N, .text = BYTES_LITERAL("123.45")};
	struct buf key = {0};
	char got[200];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof sort_examples / sizeof sort_examples[0]; i++) {
		struct value value = {.type = sort_examples[i].type, .text = sort_examples[i].text};

		buf_clear(&key);
		key_encode_sort(&value, &key);
		hex(buf_bytes(&key), got);
		assert_string_equal(got, sort_examples[i].want);
	}
	buf_clear(&key);
	key_encode(&partition, &sort, &key);
	hex(buf_bytes(&key), got);
	assert_string_equal(got, "c6720c04a524bdc7757365722331000003840d233300");
	buf_fini(&key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_of_a_partition_are_in_the_order_of_sort_keys),
	    cmocka_unit_test(composite_keys_are_in_the_order_of_their_values),
	    cmocka_unit_test(no_partition_prefix_is_a_prefix_of_another),
	    cmocka_unit_test(keys_read_back),
	    cmocka_unit_test(a_prefix_bounds_what_begins_with_it),
	    cmocka_unit_test(a_prefix_of_ff_has_no_end),
	    cmocka_unit_test(bad_keys_are_corrupt),
	    cmocka_unit_test(the_documented_examples_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
