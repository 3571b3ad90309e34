#include "tests/unit/expr/expr_test.h"

#include <stdio.h>
#include <stdlib.h>

struct json
read_json(struct world *w, const char *text)
{
	struct bytes copy = arena_copy(&w->arena, bytes_of_string(text));
	struct json json;
	char *at = (char *)copy.at;

	assert_non_null(at);
	for (size_t i = 0; i < copy.n; i++) {
		if (at[i] == '\'')
			at[i] = '"';
	}
	expect_ok(w, json_parse(&w->arena, copy, &json, &w->error));
	return json;
}

struct value
read_item(struct world *w, const char *text)
{
	struct json json = read_json(w, text);
	struct value item;

	expect_ok(w, json_to_item(&w->arena, &json, &item, &w->error));
	return item;
}

void
world_open(struct world *w, const char *names, const char *values)
{
	struct json names_json, values_json;

	memset(w, 0, sizeof *w);
	arena_init(&w->arena, 0);
	if (names != NULL)
		names_json = read_json(w, names);
	if (values != NULL)
		values_json = read_json(w, values);
	expect_ok(w, expr_scope_init(&w->arena, names != NULL ? &names_json : NULL,
			 values != NULL ? &values_json : NULL, &w->scope, &w->error));
}

void
world_close(struct world *w)
{
	arena_fini(&w->arena);
}

void
expect_ok(struct world *w, tide_err rc)
{
	if (rc != TIDE_OK)
		fail_msg("%s: %s", tide_err_name(rc), w->error.message);
}

bool
expect_error(struct world *w, tide_err rc, const char *want)
{
	if (want == NULL) {
		expect_ok(w, rc);
		return false;
	}
	if (rc == TIDE_OK)
		fail_msg("no error; want: %s", want);
	assert_string_equal(w->error.message, want);
	assert_int_equal(rc, TIDE_VALIDATION);
	return true;
}

static int
member_order(const struct value *map, uint32_t i)
{
	return bytes_compare(map->map.at[i - 1].name, map->map.at[i].name);
}

void
expect_item(struct world *w, const struct value *got, const char *want)
{
	struct value item = read_item(w, want);
	struct buf text = {0};

	assert_int_equal(got->type, VALUE_M);
	for (uint32_t i = 1; i < got->map.n; i++)
		assert_true(member_order(got, i) < 0); /* canonical */
	if (!value_equal(got, &item)) {
		json_write_item(&text, got);
		buf_append_byte(&text, 0);
		fail_msg("got %s, want %s", (const char *)text.at, want);
	}
}

int
run_rows(const char *group, CMUnitTestFunction test, const void *rows, size_t n, size_t row_size)
{
	struct CMUnitTest *tests = calloc(n, sizeof *tests);
	int failed;

	if (tests == NULL)
		return 1;
	for (size_t i = 0; i < n; i++) {
		const char *row = (const char *)rows + i * row_size;

		tests[i].name = *(const char *const *)row;
		tests[i].test_func = test;
		tests[i].initial_state = (void *)(uintptr_t)row;
	}
	failed = _cmocka_run_group_tests(group, tests, n, NULL, NULL);
	free(tests);
	return failed;
}
