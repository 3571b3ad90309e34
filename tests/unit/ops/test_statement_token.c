/* NextToken: what it says comes back, to the request that it was made for only, and whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/ops/statement_token.h"

static const struct statement_position position = {
    .read = 7,
    .after = BYTES_LITERAL("\x00key\xff"),
};

/* Reads a token; the sentence, or NULL where it is good. */
static const char *
read_token(struct arena *arena, struct bytes text, uint64_t request, struct statement_position *out)
{
	static struct tide_error error;
	tide_err rc = statement_token_read(arena, text, request, out, &error);

	assert_true(rc == TIDE_OK || rc == TIDE_VALIDATION);
	return rc == TIDE_OK ? NULL : error.message;
}

static void
test_it_comes_back(void **state)
{
	struct statement_position got;
	struct buf text = {0};
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	statement_token_write(&text, 42, &position);
	assert_int_equal(buf_check(&text), TIDE_OK);
	assert_null(read_token(&arena, buf_bytes(&text), 42, &got));
	assert_int_equal(got.read, position.read);
	assert_true(bytes_equal(got.after, position.after));
	assert_string_equal(
	    read_token(&arena, buf_bytes(&text), 43, &got), "NextToken does not match request");
	buf_fini(&text);
	arena_fini(&arena);
}

static void
test_any_change_is_seen(void **state)
{
	struct statement_position got;
	struct buf text = {0};
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	statement_token_write(&text, 42, &position);
	for (size_t i = 0; i < text.n; i++) {
		uint8_t was = text.at[i];

		text.at[i] = was == 'A' ? 'B' : 'A';
		assert_string_equal(read_token(&arena, buf_bytes(&text), 42, &got), "Invalid NextToken");
		text.at[i] = was;
		assert_string_equal(read_token(&arena, bytes_of(text.at, i), 42, &got), "Invalid NextToken");
	}
	buf_fini(&text);
	arena_fini(&arena);
}

/* The statement, each parameter, the table and the index are in it; Limit is not. */
static void
test_what_a_request_is(void **state)
{
	static const char *const bodies[] = {"{\"Statement\":\"a\"}", "{\"Statement\":\"b\"}",
	    "{\"Statement\":\"a\",\"Parameters\":[{\"S\":\"x\"}]}",
	    "{\"Statement\":\"a\",\"Parameters\":[{\"B\":\"eA==\"}]}",
	    "{\"Statement\":\"a\",\"Parameters\":[{\"S\":\"x\"},{\"S\":\"x\"}]}"};
	uint64_t seen[sizeof bodies / sizeof *bodies + 2];
	struct statement_parameters parameters;
	struct tide_error error;
	struct arena arena;
	struct json json;
	size_t n = 0;

	(void)state;
	arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		assert_int_equal(json_parse(&arena, bytes_of_string(bodies[i]), &json, &error), TIDE_OK);
		assert_int_equal(statement_parameters_read(&arena, &json, &parameters, &error), TIDE_OK);
		seen[n++] = statement_token_request(&json, &parameters, 1, 0);
	}
	seen[n++] = statement_token_request(&json, &parameters, 2, 0);
	seen[n++] = statement_token_request(&json, &parameters, 1, 1);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < i; j++)
			assert_true(seen[i] != seen[j]);
	}
	assert_int_equal(
	    json_parse(&arena, BYTES_LITERAL("{\"Limit\":3,\"Statement\":\"a\"}"), &json, &error), TIDE_OK);
	parameters.n = 0;
	assert_true(statement_token_request(&json, &parameters, 1, 0) == seen[0]);
	arena_fini(&arena);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_comes_back),
	    cmocka_unit_test(test_any_change_is_seen),
	    cmocka_unit_test(test_what_a_request_is),
	};

	return cmocka_run_group_tests_name("NextToken", tests, NULL, NULL);
}
