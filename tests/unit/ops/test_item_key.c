/* The key in an item or a Key parameter, page ends, capacity units. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/json/json.h"
#include "api/ops/capacity.h"
#include "api/ops/item_key.h"
#include "api/ops/page.h"

static struct arena arena;

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static struct value
item(const char *json)
{
	struct json parsed;
	struct value value = {0};
	struct tide_error error;

	if (json_parse(&arena, bytes_of_string(json), &parsed, &error) != TIDE_OK ||
	    json_to_item(&arena, &parsed, &value, &error) != TIDE_OK)
		fail_msg("%s: %s", json, error.message);
	return value;
}

static struct table
table(bool sort)
{
	struct table t = {.partition = {BYTES_LITERAL("pk"), VALUE_S}};

	if (sort) {
		t.has_sort = true;
		t.sort = (struct key_attribute){BYTES_LITERAL("sk"), VALUE_N};
	}
	return t;
}

#define INVALID "One or more parameter values were invalid: "
#define NOT_VALID                                                                                            \
	"One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain " \
	"an "
#define NO_MATCH "The provided key element does not match the schema"

static const struct key_case {
	const char *name;
	bool sort;
	const char *json;
	const char *as_item, *as_key; /* the sentence; NULL: fine */
} cases[] = {
    {"partition key alone", false, "{\"pk\":{\"S\":\"a\"}}", NULL, NULL},
    {"both keys", true, "{\"pk\":{\"S\":\"a\"},\"sk\":{\"N\":\"1\"}}", NULL, NULL},
    {"more than the key", false, "{\"pk\":{\"S\":\"a\"},\"x\":{\"S\":\"b\"}}", NULL, NO_MATCH},
    {"no key", false, "{\"x\":{\"S\":\"a\"}}", INVALID "Missing the key pk in the item", NO_MATCH},
    {"nothing", false, "{}", INVALID "Missing the key pk in the item", NO_MATCH},
    {"no sort key", true, "{\"pk\":{\"S\":\"a\"}}", INVALID "Missing the key sk in the item", NO_MATCH},
    {"wrong type", false, "{\"pk\":{\"N\":\"1\"}}", INVALID "Type mismatch for key pk expected: S actual: N",
	NO_MATCH},
    {"wrong sort type", true, "{\"pk\":{\"S\":\"a\"},\"sk\":{\"B\":\"YQ==\"}}",
	INVALID "Type mismatch for key sk expected: N actual: B", NO_MATCH},
    {"empty", false, "{\"pk\":{\"S\":\"\"}}", NOT_VALID "empty string value. Key: pk",
	NOT_VALID "empty string value. Key: pk"},
};

static void
keys_are_checked_with_the_service_s_sentences(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct key_case *c = &cases[i];
		struct table t = table(c->sort);
		struct value value = item(c->json);
		struct item_key key;
		struct tide_error error = {.code = TIDE_OK};

		print_message("%s\n", c->name);
		assert_int_equal(item_key_of_item(&arena, &t, &value, &key, &error),
		    c->as_item ? TIDE_VALIDATION : TIDE_OK);
		if (c->as_item != NULL)
			assert_string_equal(error.message, c->as_item);
		assert_int_equal(
		    item_key_of_key(&arena, &t, &value, &key, &error), c->as_key ? TIDE_VALIDATION : TIDE_OK);
		if (c->as_key != NULL)
			assert_string_equal(error.message, c->as_key);
	}
}

static struct value
long_key(size_t partition, enum value_type sort_type, size_t sort)
{
	struct member *members = arena_calloc(&arena, 2 * sizeof *members);
	char *text = arena_calloc(&arena, 4096);

	assert_non_null(members);
	assert_non_null(text);
	memset(text, 'k', 4096);
	members[0] =
	    (struct member){BYTES_LITERAL("pk"), {.type = VALUE_S, .text = bytes_of(text, partition)}};
	members[1] = (struct member){BYTES_LITERAL("sk"), {.type = sort_type, .text = bytes_of(text, sort)}};
	return (struct value){.type = VALUE_M, .map = {members, 2}};
}

static void
keys_have_their_greatest_length(void **state)
{
	struct table t = table(true);
	struct item_key key;
	struct tide_error error;
	struct value value;

	(void)state;
	t.sort.type = VALUE_S;
	value = long_key(2048, VALUE_S, 1024);
	assert_int_equal(item_key_of_key(&arena, &t, &value, &key, &error), TIDE_OK);
	value = long_key(2049, VALUE_S, 1);
	assert_int_equal(item_key_of_key(&arena, &t, &value, &key, &error), TIDE_VALIDATION);
	assert_string_equal(error.message, "One or more parameter values were invalid: Size of hashkey has "
					   "exceeded the maximum size limit of2048 bytes");
	value = long_key(1, VALUE_S, 1025);
	assert_int_equal(item_key_of_item(&arena, &t, &value, &key, &error), TIDE_VALIDATION);
	assert_string_equal(error.message,
	    "One or more parameter values were invalid: Aggregated size of all range keys has "
	    "exceeded the size limit of 1024 bytes");
}

static void
a_key_is_written_as_it_was_read(void **state)
{
	static const char json[] = "{\"pk\":{\"S\":\"a\\u0000b\"},\"sk\":{\"N\":\"-12.5\"}}";
	struct table t = table(true);
	struct value value = item(json);
	struct item_key key;
	struct tide_error error;
	struct buf out = {0};

	(void)state;
	assert_int_equal(item_key_of_key(&arena, &t, &value, &key, &error), TIDE_OK);
	assert_int_equal(item_key_write(&arena, &t, key.bytes, &out), TIDE_OK);
	buf_append_byte(&out, 0);
	assert_string_equal((char *)out.at, json);
	buf_fini(&out);
}

static void
two_equal_keys_in_a_batch_are_refused(void **state)
{
	struct bytes distinct[] = {BYTES_LITERAL("b"), BYTES_LITERAL("a"), BYTES_LITERAL("ab")};
	struct bytes twice[] = {BYTES_LITERAL("b"), BYTES_LITERAL("a"), BYTES_LITERAL("b")};
	struct tide_error error;

	(void)state;
	assert_int_equal(item_keys_check_distinct(distinct, 3, &error), TIDE_OK);
	assert_int_equal(item_keys_check_distinct(twice, 3, &error), TIDE_VALIDATION);
	assert_string_equal(error.message, "Provided list of item keys contains duplicates");
}

static void
a_page_ends_with_the_item_that_passes_one_megabyte(void **state)
{
	struct page page = {0};
	unsigned n = 1;

	(void)state;
	while (!page_add(&page, 400 * 1024))
		n++;
	assert_int_equal(n, 3);
	page = (struct page){0};
	for (n = 1; !page_add(&page, 1000); n++)
		;
	assert_in_range(n, 1024, 1049);
	assert_int_equal(page.scanned, n);
}

static void
a_page_ends_at_its_limit(void **state)
{
	struct page page = {.limit = 2};

	(void)state;
	assert_false(page_add(&page, 10));
	assert_true(page_add(&page, 10));
	page = (struct page){.limit = 1};
	assert_true(page_add(&page, 10));
}

static void
units_are_those_of_the_service(void **state)
{
	(void)state;
	assert_int_equal(capacity_write(0, 0), 2);
	assert_int_equal(capacity_write(0, 1024), 2);
	assert_int_equal(capacity_write(0, 1025), 4);
	assert_int_equal(capacity_write(5000, 10), 10);
	assert_int_equal(capacity_read(0, false), 1);
	assert_int_equal(capacity_read(0, true), 2);
	assert_int_equal(capacity_read(4096, true), 2);
	assert_int_equal(capacity_read(4097, true), 4);
	assert_int_equal(capacity_read(4097, false), 2);
	assert_int_equal(capacity_scan(10, true, false), 8);
	assert_int_equal(capacity_scan(10, false, false), 4);
	assert_int_equal(capacity_scan(10, false, true), 1);
	assert_int_equal(capacity_scan(100000, true, false), 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(keys_are_checked_with_the_service_s_sentences, setup, teardown),
	    cmocka_unit_test_setup_teardown(keys_have_their_greatest_length, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_key_is_written_as_it_was_read, setup, teardown),
	    cmocka_unit_test_setup_teardown(two_equal_keys_in_a_batch_are_refused, setup, teardown),
	    cmocka_unit_test(a_page_ends_with_the_item_that_passes_one_megabyte),
	    cmocka_unit_test(a_page_ends_at_its_limit),
	    cmocka_unit_test(units_are_those_of_the_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
