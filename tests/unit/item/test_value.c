#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/item/number.h"
#include "store/item/value.h"
#include "tests/unit/item/random_value.h"

#define SEED 77

static struct value
text_value(enum value_type type, const char *text)
{
	return (struct value){.type = type, .text = bytes_of_string(text)};
}

#define S(text) text_value(VALUE_S, text)
#define N(text) text_value(VALUE_N, text)
#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof(array)[0]))

static void
members_sort_by_name_and_the_last_of_a_name_stays(void **state)
{
	struct member members[] = {{BYTES_LITERAL("b"), S("1")}, {BYTES_LITERAL("a"), S("2")},
	    {BYTES_LITERAL("b"), S("3")}, {BYTES_LITERAL(""), S("4")}, {BYTES_LITERAL("ab"), S("5")}};
	struct value map = {.type = VALUE_M, .map = {members, COUNT(members)}};

	(void)state;
	assert_int_equal(value_canonicalize(&map, NULL), TIDE_OK);
	assert_int_equal(map.map.n, 4);
	assert_true(bytes_is(value_map_get(&map, BYTES_LITERAL("b"))->text, "3"));
	assert_true(bytes_is(value_map_get(&map, BYTES_LITERAL(""))->text, "4"));
	assert_true(bytes_is(value_map_get(&map, BYTES_LITERAL("ab"))->text, "5"));
	assert_null(value_map_get(&map, BYTES_LITERAL("c")));
	assert_null(value_map_get(&map, BYTES_LITERAL("aa")));
}

static void
large_maps_sort_stably(void **state)
{
	enum { MANY = 5000, NAMES = 700 };
	static struct member members[MANY];
	static char names[MANY][8], values[MANY][8];
	struct value map = {.type = VALUE_M, .map = {members, MANY}};
	struct random random = {SEED};
	int last[NAMES], i, present = 0;

	(void)state;
	memset(last, -1, sizeof last);
	for (i = 0; i < MANY; i++) {
		uint32_t name = random_below(&random, NAMES);

		snprintf(names[i], sizeof names[i], "%u", name);
		snprintf(values[i], sizeof values[i], "%d", i);
		members[i] = (struct member){bytes_of_string(names[i]), S(values[i])};
		present += last[name] < 0;
		last[name] = i;
	}
	assert_int_equal(value_canonicalize(&map, NULL), TIDE_OK);
	assert_int_equal(map.map.n, present);
	for (i = 1; i < present; i++)
		assert_true(bytes_compare(map.map.at[i - 1].name, map.map.at[i].name) < 0);
	for (i = 0; i < NAMES; i++) {
		char name[8], want[8];

		if (last[i] < 0)
			continue;
		snprintf(name, sizeof name, "%d", i);
		snprintf(want, sizeof want, "%d", last[i]);
		assert_true(bytes_is(value_map_get(&map, bytes_of_string(name))->text, want));
	}
}

static void
number_sets_sort_numerically(void **state)
{
	struct value elements[] = {N("10"), N("9"), N("-1"), N("-10"), N("0.5"), N("0")};
	const char *want[] = {"-10", "-1", "0", "0.5", "9", "10"};
	struct value set = {.type = VALUE_NS, .list = {elements, COUNT(elements)}};
	uint32_t i;

	(void)state;
	assert_int_equal(value_canonicalize(&set, NULL), TIDE_OK);
	for (i = 0; i < COUNT(elements); i++)
		assert_true(bytes_is(elements[i].text, want[i]));
}

static void
an_element_twice_is_refused(void **state)
{
	struct value strings[] = {S("a"), S("b"), S("a")}, numbers[] = {N("1"), N("1")};
	struct value ss = {.type = VALUE_SS, .list = {strings, 3}},
		     ns = {.type = VALUE_NS, .list = {numbers, 2}};
	struct tide_error error;

	(void)state;
	assert_int_equal(value_canonicalize(&ss, &error), TIDE_VALIDATION);
	assert_int_equal(value_canonicalize(&ns, &error), TIDE_VALIDATION);
	assert_string_equal(error.message, "Input collection contains duplicates");
}

static void
copies_are_equal_and_own_their_bytes(void **state)
{
	struct random random = {SEED};
	int i;

	(void)state;
	for (i = 0; i < 500; i++) {
		struct arena one, two;
		struct value value, *copy;
		struct buf before = {0}, after = {0};

		arena_init(&one, 0);
		arena_init(&two, 0);
		value = random_item(&random, &one, 8, 6);
		value_encode(&value, &before);
		copy = value_copy(&two, &value);
		assert_non_null(copy);
		assert_true(value_equal(&value, copy));
		assert_int_equal(value_size(&value), value_size(copy));
		arena_fini(&one); /* the sanitizer sees what still points there */
		value_encode(copy, &after);
		assert_true(bytes_equal(buf_bytes(&before), buf_bytes(&after)));
		arena_fini(&two);
		buf_fini(&before);
		buf_fini(&after);
	}
}

static void
a_full_arena_fails_a_copy(void **state)
{
	struct random random = {SEED};
	struct arena one, two;
	struct value value;
	size_t limit;

	(void)state;
	arena_init(&one, 0);
	do
		value = random_item(&random, &one, 6, 4);
	while (value.map.n < 4);
	for (limit = 16; limit < 400; limit += 16) {
		struct value *copy;

		arena_init(&two, limit);
		copy = value_copy(&two, &value);
		assert_true(copy == NULL || value_equal(copy, &value));
		arena_fini(&two);
	}
	arena_fini(&one);
}

static void
different_values_are_not_equal(void **state)
{
	struct value a = S("1"), b = N("1"), c = text_value(VALUE_B, "1"), d = S("2");
	struct value one = {.type = VALUE_L, .list = {&a, 1}}, two = {.type = VALUE_L, .list = {&d, 1}};
	struct value t = {.type = VALUE_BOOL, .boolean = true}, f = {.type = VALUE_BOOL, .boolean = false};

	(void)state;
	assert_false(value_equal(&a, &b));
	assert_false(value_equal(&a, &c));
	assert_false(value_equal(&a, &d));
	assert_false(value_equal(&one, &two));
	assert_false(value_equal(&t, &f));
	assert_true(value_equal(&one, &one));
}

static const struct {
	const char *text;
	size_t want;
} number_sizes[] = {{"0", 1}, {"7", 2}, {"-7", 3}, {"12", 2}, {"123", 3}, {"1200", 2}, {"120", 3},
    {"0.0012", 2}, {"1.05", 3}, {"1.5", 3}, {"-1.5", 4}, {"0.1", 2}, {"0.01", 2}, {"0.099", 3}, {"100.2", 4},
    {"3.14159", 5}, {"123456", 4}, {"100000000000000000000", 2},
    {"12345678901234567890123456789012345678", 20}, {"-1.2345678901234567890123456789012345678", 22}};

static void
sizes_are_those_of_the_developer_guide(void **state)
{
	struct value s = S("h\xc3\xa9llo"), one = N("1"), null = {.type = VALUE_NULL};
	struct value elements[] = {s, one, null};
	struct value list = {.type = VALUE_L, .list = {elements, 3}}, empty = {.type = VALUE_L};
	struct value numbers[] = {N("1"), N("123")};
	struct value set = {.type = VALUE_NS, .list = {numbers, 2}};
	struct member members[] = {{BYTES_LITERAL("ab"), s}, {BYTES_LITERAL("c"), list}};
	struct value map = {.type = VALUE_M, .map = {members, 2}};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof number_sizes / sizeof number_sizes[0]; i++) {
		struct value number = N(number_sizes[i].text);

		print_message("%s\n", number_sizes[i].text);
		assert_int_equal(value_size(&number), number_sizes[i].want);
	}
	assert_int_equal(value_size(&s), 6);
	assert_int_equal(value_size(&null), 1);
	assert_int_equal(value_size(&empty), 3);
	assert_int_equal(value_size(&list), 3 + 3 + 6 + 2 + 1);
	assert_int_equal(value_size(&set), 2 + 3);
	assert_int_equal(item_size(&map), 2 + 6 + 1 + 15);
	assert_int_equal(value_size(&map), 3 + 2 + 2 + 6 + 1 + 15);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(members_sort_by_name_and_the_last_of_a_name_stays),
	    cmocka_unit_test(large_maps_sort_stably),
	    cmocka_unit_test(number_sets_sort_numerically),
	    cmocka_unit_test(an_element_twice_is_refused),
	    cmocka_unit_test(copies_are_equal_and_own_their_bytes),
	    cmocka_unit_test(a_full_arena_fails_a_copy),
	    cmocka_unit_test(different_values_are_not_equal),
	    cmocka_unit_test(sizes_are_those_of_the_developer_guide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
