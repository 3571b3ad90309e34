#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "api/ops/params.h"

static const char *const colours[] = {"RED", "GREEN", NULL};

static const struct param part_shape[] = {
    {.name = "PartName", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .min = 1, .max = 3},
    {.name = "Colour", .type = PARAM_STRING, .values = colours},
    {.name = "Later", .flags = PARAM_REFUSED},
    PARAMS_END,
};
static const struct param part = {.name = "", .type = PARAM_STRUCT, .members = part_shape, .java = "Part"};

static const struct param shape[] = {
    PARAM_TABLE,
    {.name = "Limit", .type = PARAM_INTEGER, .min = 1, .max = 10},
    {.name = "Flag", .type = PARAM_BOOLEAN},
    {.name = "Parts", .type = PARAM_LIST, .max = 2, .members = &part},
    {.name = "ByName", .type = PARAM_MAP, .members = &part},
    {.name = "Item", .type = PARAM_ITEM},
    {.name = "Named", .type = PARAM_STRING},
    {.name = "Refused", .flags = PARAM_REFUSED},
    PARAMS_END,
};

/* What a request is answered with: "" where it is fine. */
static const struct params_case {
	const char *name, *body;
	tide_err code;
	const char *sentence;
} cases[] = {
    {"the least", "{\"TableName\":\"abc\"}", TIDE_OK, ""},
    {"null counts as absent", "{\"TableName\":\"abc\",\"Limit\":null,\"Refused\":null}", TIDE_OK, ""},
    {"unknown members are ignored", "{\"TableName\":\"abc\",\"Whatever\":[1,{}]}", TIDE_OK, ""},
    {"an arn in place of a name", "{\"TableName\":\"arn:aws:dynamodb:us-east-1:1:table/abc\"}", TIDE_OK, ""},
    {"a fraction of an integer is cut off", "{\"TableName\":\"abc\",\"Limit\":10.9}", TIDE_OK, ""},
    {"missing", "{}", TIDE_VALIDATION,
	"1 validation error detected: Value null at 'tableName' failed to satisfy constraint: Member must "
	"not be null"},
    {"several at once",
	"{\"TableName\":\"a;\",\"Limit\":11,\"Parts\":[{\"PartName\":\"\",\"Colour\":\"BLUE\"}]}",
	TIDE_VALIDATION,
	"5 validation errors detected: Value 'a;' at 'tableName' failed to satisfy constraint: Member must "
	"satisfy regular expression "
	"pattern: [a-zA-Z0-9_.-]+; Value 'a;' at 'tableName' failed to satisfy constraint: Member must have "
	"length greater than or equal "
	"to 3; Value '11' at 'limit' failed to satisfy constraint: Member must have value less than or equal "
	"to 10; Value '' at "
	"'parts.1.member.partName' failed to satisfy constraint: Member must have length greater than or "
	"equal to 1; Value 'BLUE' at "
	"'parts.1.member.colour' failed to satisfy constraint: Member must satisfy enum value set: [RED, "
	"GREEN]"},
    {"a list is printed with its elements",
	"{\"TableName\":\"abc\",\"Parts\":[{\"PartName\":\"a\"},{\"PartName\":\"b\"},{\"PartName\":\"c\"}]}",
	TIDE_VALIDATION,
	"1 validation error detected: Value '[Part(partName=a), Part(partName=b), Part(partName=c)]' at "
	"'parts' failed to satisfy "
	"constraint: Member must have length less than or equal to 2"},
    {"a map's key is in the path", "{\"TableName\":\"abc\",\"ByName\":{\"Some\":{}}}", TIDE_VALIDATION,
	"1 validation error detected: Value null at 'byName.Some.member.partName' failed to satisfy "
	"constraint: Member must not be null"},
    {"types come first", "{\"TableName\":\"a;\",\"Limit\":\"1\"}", TIDE_SERIALIZATION,
	"STRING_VALUE cannot be converted to Integer"},
    {"types of list elements", "{\"TableName\":\"abc\",\"Parts\":[1]}", TIDE_SERIALIZATION,
	"Unexpected field type"},
    {"a list for a structure", "{\"TableName\":\"abc\",\"Parts\":[[]]}", TIDE_SERIALIZATION,
	"Unrecognized collection type class com.amazonaws.dynamodb.v20120810.Part"},
    {"a string for a flag", "{\"TableName\":\"abc\",\"Flag\":\"true\"}", TIDE_SERIALIZATION,
	"Unexpected token received from parser"},
    {"a list for an item", "{\"TableName\":\"abc\",\"Item\":[]}", TIDE_SERIALIZATION,
	"Unrecognized collection type class java.util.Map"},
    {"not an object", "[]", TIDE_SERIALIZATION, "Unable to parse the request"},
    {"refused", "{\"TableName\":\"abc\",\"Refused\":[]}", TIDE_VALIDATION,
	"One or more parameter values were invalid: Refused is not supported by this version of Tidemark"},
    {"refused inside", "{\"TableName\":\"abc\",\"Parts\":[{\"PartName\":\"a\",\"Later\":1}]}",
	TIDE_VALIDATION,
	"One or more parameter values were invalid: Later is not supported by this version of Tidemark"},
};

static void
answers(void **state)
{
	const struct params_case *c = *state;
	struct tide_error error = {TIDE_OK, ""};
	struct arena arena;
	struct json body;

	arena_init(&arena, 0);
	assert_int_equal(json_parse(&arena, bytes_of_string(c->body), &body, &error), TIDE_OK);
	assert_int_equal(params_check(shape, &body, &error), c->code);
	assert_string_equal(error.message, c->sentence);
	arena_fini(&arena);
}

static void
at_most_ten_violations_are_listed(void **state)
{
	struct violations violations = {0};
	struct tide_error error;
	const char *at;
	int listed = 0;

	(void)state;
	for (int i = 0; i < 25; i++)
		violations_add(&violations, BYTES_LITERAL("'x'"), "y", "z");
	assert_int_equal(violations_finish(&violations, &error), TIDE_VALIDATION);
	assert_memory_equal(error.message, "25 validation errors", 20);
	for (at = error.message; (at = strstr(at, "Value ")) != NULL; at++)
		listed++;
	assert_int_equal(listed, VIOLATIONS_MAX);
	assert_int_equal(violations_finish(&violations, &error), TIDE_OK);
}

static void
a_huge_value_is_cut_in_the_sentence(void **state)
{
	static char body[200000];
	struct tide_error error;
	struct arena arena;
	struct json json;

	(void)state;
	memset(body, 'a', sizeof body);
	memcpy(body, "{\"TableName\":\"", 14);
	memcpy(body + sizeof body - 3, "\"}", 3);
	arena_init(&arena, 0);
	assert_int_equal(json_parse(&arena, bytes_of_string(body), &json, &error), TIDE_OK);
	assert_int_equal(params_check(shape, &json, &error), TIDE_VALIDATION);
	assert_non_null(strstr(error.message, "less than or equal to 255"));
	arena_fini(&arena);
}

int
main(void)
{
	struct CMUnitTest tests[sizeof cases / sizeof *cases + 2];
	unsigned n = 0;

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
		tests[n++] = (struct CMUnitTest){cases[i].name, answers, NULL, NULL, (void *)&cases[i]};
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(at_most_ten_violations_are_listed);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_huge_value_is_cut_in_the_sentence);
	return _cmocka_run_group_tests("params", tests, n, NULL, NULL);
}
