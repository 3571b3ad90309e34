#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/json/json.h"

static tide_err
parse(struct arena *arena, const char *text, struct json *out)
{
	struct tide_error error = {0};
	tide_err rc = json_parse(arena, bytes_of_string(text), out, &error);

	assert_int_equal(error.code, rc);
	return rc;
}

static void
a_request_becomes_a_tree(void **state)
{
	struct arena arena;
	struct json json;
	const struct json *list;

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(
	    parse(&arena,
		" {\"a\": {\"b\": [1, \"x\\n\\u00e9\", true, false, null, {}, [], [[2]]], \"c\": -1.50E+2},"
		" \"n\": null, \"\": \"y\"}\n",
		&json),
	    TIDE_OK);
	assert_int_equal(json.object.n, 3);
	list = json_get(json_get(&json, "a"), "b");
	assert_non_null(list);
	assert_int_equal(list->type, JSON_ARRAY);
	assert_int_equal(list->array.n, 8);
	assert_int_equal(list->array.at[0].type, JSON_NUMBER);
	assert_true(bytes_is(list->array.at[1].text, "x\n\xc3\xa9"));
	assert_int_equal(list->array.at[2].type, JSON_TRUE);
	assert_int_equal(list->array.at[3].type, JSON_FALSE);
	assert_int_equal(list->array.at[4].type, JSON_NULL);
	assert_int_equal(list->array.at[5].type, JSON_OBJECT);
	assert_int_equal(list->array.at[6].type, JSON_ARRAY);
	assert_true(bytes_is(list->array.at[7].array.at[0].array.at[0].text, "2"));
	assert_true(bytes_is(json_get(json_get(&json, "a"), "c")->text, "-1.50E+2"));
	assert_true(bytes_is(json_get(&json, "")->text, "y"));
	assert_null(json_get(&json, "n"));
	assert_null(json_get(&json, "absent"));
	assert_null(json_get(list, "b"));
	assert_null(json_get(NULL, "b"));
	arena_fini(&arena);
}

static void
a_string_may_hold_nul(void **state)
{
	struct arena arena;
	struct json json;

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(parse(&arena, "\"a\\u0000b\"", &json), TIDE_OK);
	assert_true(bytes_equal(json.text, BYTES_LITERAL("a\0b")));
	arena_fini(&arena);
}

static void
of_members_with_one_name_the_last_counts(void **state)
{
	struct arena arena;
	struct json json;

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(parse(&arena, "{\"a\":1,\"a\":2}", &json), TIDE_OK);
	assert_true(bytes_is(json_get(&json, "a")->text, "2"));
	assert_int_equal(parse(&arena, "{\"a\":1,\"a\":null}", &json), TIDE_OK);
	assert_null(json_get(&json, "a"));
	arena_fini(&arena);
}

static const struct {
	const char *text;
	const char *want; /* NULL: refused */
} string_cases[] = {
    {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
    {"\"\\uD83D\\uDE00\"", "\xf0\x9f\x98\x80"},
    {"\"\\\\ud800\"", "\\ud800"},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
    {"\"\xe2\x82\xac\"", "\xe2\x82\xac"},
    {"\"\\ud800\"", NULL},
    {"\"\\udc00\"", NULL},
    {"\"\\ud800x\"", NULL},
    {"\"\\ud800\\u0041\"", NULL},
    {"\"\\ud83d\\ud83d\\ude00\"", NULL},
    {"\"\\ud83d\\\\ude00\"", NULL},
    {"\"\xed\xa0\x80\"", NULL},
    {"\"\xc0\x80\"", NULL},
    {"\"\xf4\x90\x80\x80\"", NULL},
    {"\"\xff\"", NULL},
    {"\"\xe2\x82\"", NULL},
    {"\"a\tb\"", NULL},
    {"\"\\x41\"", NULL},
    {"\"\\u12g4\"", NULL},
    {"\"\\u12", NULL},
    {"\"\\", NULL},
    {"\"", NULL},
};

static void
strings_are_unescaped_and_utf8(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof string_cases / sizeof string_cases[0]; i++) {
		struct arena arena;
		struct json json;
		tide_err rc;

		print_message("%s\n", string_cases[i].text);
		arena_init(&arena, 0);
		rc = parse(&arena, string_cases[i].text, &json);
		assert_int_equal(rc, string_cases[i].want != NULL ? TIDE_OK : TIDE_SERIALIZATION);
		if (rc == TIDE_OK)
			assert_true(bytes_is(json.text, string_cases[i].want));
		arena_fini(&arena);
	}
}

static const char *const refused[] = {"", " ", "{", "}", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "{'a':1}",
    "[01]", "[1.]", "[.5]", "[+1]", "[-]", "[NaN]", "tru", "nul", "{} {}", "{}x", "[1] // no", "/* no */ 1",
    "\xef\xbb\xbf{}", "{\"a\":1 \"b\":2}", "[1 2]", "{\"\xff\":1}", "{\"\\ud800\":1}", "\"a\"\"b\"", "[}",
    "{]", "{\"a\":[}"};

static void
what_is_not_json_is_refused(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		struct arena arena;
		struct json json = {.type = JSON_TRUE};

		arena_init(&arena, 0);
		if (parse(&arena, refused[i], &json) != TIDE_SERIALIZATION)
			fail_msg("%s", refused[i]);
		assert_int_equal(json.type, JSON_TRUE);
		arena_fini(&arena);
	}
}

static void
every_cut_of_a_request_is_refused(void **state)
{
	static const char text[] =
	    "{\"T\":\"t\",\"I\":{\"a\":{\"L\":[{\"N\":\"1\"},{\"S\":\"\\u20ac\\\"\"}]}},\"b\":true}";
	size_t n;

	(void)state;
	for (n = 0; n < sizeof text; n++) {
		struct arena arena;
		struct json json;
		char *cut = malloc(n + 1); /* of its exact size, for the sanitizer */

		assert_non_null(cut);
		memcpy(cut, text, n);
		arena_init(&arena, 0);
		assert_int_equal(json_parse(&arena, bytes_of(cut, n), &json, NULL),
		    n == sizeof text - 1 ? TIDE_OK : TIDE_SERIALIZATION);
		arena_fini(&arena);
		free(cut);
	}
}

static tide_err
parse_nested(size_t depth)
{
	struct arena arena;
	struct json json;
	struct buf buf = {0};
	size_t i;
	tide_err rc;

	for (i = 0; i < depth; i++)
		buf_append_string(&buf, i % 2 ? "[" : "{\"a\":");
	buf_append_string(&buf, "1");
	for (i = depth; i-- > 0;)
		buf_append_string(&buf, i % 2 ? "]" : "}");
	arena_init(&arena, 0);
	rc = json_parse(&arena, buf_bytes(&buf), &json, NULL);
	arena_fini(&arena);
	buf_fini(&buf);
	return rc;
}

static void
depth_is_bounded(void **state)
{
	(void)state;
	assert_int_equal(parse_nested(512), TIDE_OK);
	assert_int_equal(parse_nested(513), TIDE_SERIALIZATION);
	assert_int_equal(parse_nested(1000000), TIDE_SERIALIZATION);
}

static void
a_full_arena_is_no_memory(void **state)
{
	struct buf buf = {0};
	size_t limit;
	int i, failures = 0;

	(void)state;
	buf_append_string(&buf, "[");
	for (i = 0; i < 300; i++)
		buf_append_string(&buf, "{\"a\\n\":\"b\\n\"},");
	buf_append_string(&buf, "1]");
	for (limit = 16; limit < 120000; limit += 1000) {
		struct arena arena;
		struct json json;
		struct tide_error error = {0};
		tide_err rc;

		arena_init(&arena, limit);
		rc = json_parse(&arena, buf_bytes(&buf), &json, &error);
		assert_true(rc == TIDE_OK || rc == TIDE_NOMEM);
		failures += rc == TIDE_NOMEM;
		arena_fini(&arena);
	}
	assert_true(failures > 10);
	buf_fini(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_request_becomes_a_tree),
	    cmocka_unit_test(a_string_may_hold_nul),
	    cmocka_unit_test(of_members_with_one_name_the_last_counts),
	    cmocka_unit_test(strings_are_unescaped_and_utf8),
	    cmocka_unit_test(what_is_not_json_is_refused),
	    cmocka_unit_test(every_cut_of_a_request_is_refused),
	    cmocka_unit_test(depth_is_bounded),
	    cmocka_unit_test(a_full_arena_is_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
