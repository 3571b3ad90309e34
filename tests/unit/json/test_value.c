#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "api/json/json.h"
#include "tests/unit/item/random_value.h"

#define SEED 31337

#define INVALID "One or more parameter values were invalid: "
#define EMPTY "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
#define SEVERAL                                                                                              \
	"Supplied AttributeValue has more than one datatypes set, must contain exactly one of the "          \
	"supported datatypes"
#define NOT_A_NUMBER "The parameter cannot be converted to a numeric value"
#define TOO_DEEP                                                                                             \
	"Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond "   \
	"supported limit"
#define NOT_STRUCT "Start of structure or map found where not expected"
#define NO_FIELD "Unexpected field type"
#define COLLECTION "Unrecognized collection type "

static tide_err
read_value(struct arena *arena, const char *text, struct value *out, struct tide_error *error)
{
	struct json json;

	assert_int_equal(json_parse(arena, bytes_of_string(text), &json, NULL), TIDE_OK);
	return json_to_value(arena, &json, out, error);
}

/* What is accepted, and how it is written back. */
static const struct {
	const char *text, *want;
} accepted[] = {
    {"{\"S\":\"\"}", "{\"S\":\"\"}"},
    {"{\"S\":\"a\\u0000\\\"\\\\\\n\\u0001/\\u20ac\\u007f\"}",
	"{\"S\":\"a\\u0000\\\"\\\\\\n\\u0001/\xe2\x82\xac\x7f\"}"},
    {"{\"N\":\"1.50E2\"}", "{\"N\":\"150\"}"},
    {"{\"N\":\"-0\"}", "{\"N\":\"0\"}"},
    {"{\"B\":\"\"}", "{\"B\":\"\"}"},
    {"{\"B\":\"AA==\"}", "{\"B\":\"AA==\"}"},
    {"{\"B\":\"AP8=\"}", "{\"B\":\"AP8=\"}"},
    {"{\"B\":\"AP+/\"}", "{\"B\":\"AP+/\"}"},
    {"{\"BOOL\":true}", "{\"BOOL\":true}"},
    {"{\"BOOL\":\"false\"}", "{\"BOOL\":false}"},
    {"{\"NULL\":true}", "{\"NULL\":true}"},
    {"{\"SS\":[\"b\",\"\",\"a\"]}", "{\"SS\":[\"\",\"a\",\"b\"]}"},
    {"{\"NS\":[\"10\",\"9\",\"-1e0\"]}", "{\"NS\":[\"-1\",\"9\",\"10\"]}"},
    {"{\"BS\":[\"Yg==\",\"\"]}", "{\"BS\":[\"\",\"Yg==\"]}"},
    {"{\"L\":[]}", "{\"L\":[]}"},
    {"{\"L\":[{\"S\":\"a\"},{\"L\":[{\"N\":\"1\"}]}]}", "{\"L\":[{\"S\":\"a\"},{\"L\":[{\"N\":\"1\"}]}]}"},
    {"{\"M\":{}}", "{\"M\":{}}"},
    {"{\"M\":{\"b\":{\"S\":\"1\"},\"a\":{\"S\":\"2\"},\"b\":{\"S\":\"3\"}}}",
	"{\"M\":{\"a\":{\"S\":\"2\"},\"b\":{\"S\":\"3\"}}}"},
    {"{\"S\":\"a\",\"N\":null}", "{\"S\":\"a\"}"},
    {"{\"S\":\"a\",\"S\":\"b\"}", "{\"S\":\"b\"}"},
    {"{\"dog\":\"cat\",\"S\":\"a\"}", "{\"S\":\"a\"}"},
};

static void
values_are_canonical(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
		struct arena arena;
		struct value value;
		struct tide_error error = {0};
		struct buf out = {0};

		print_message("%s\n", accepted[i].text);
		arena_init(&arena, 0);
		if (read_value(&arena, accepted[i].text, &value, &error) != TIDE_OK)
			fail_msg("%s", error.message);
		json_write_value(&out, &value);
		buf_append_byte(&out, 0);
		assert_string_equal((char *)out.at, accepted[i].want);
		buf_fini(&out);
		arena_fini(&arena);
	}
}

static const struct refusal {
	const char *text;
	tide_err code;
	const char *want;
} refusals[] = {
    {"{}", TIDE_VALIDATION, EMPTY},
    {"null", TIDE_VALIDATION, EMPTY},
    {"{\"S\":null}", TIDE_VALIDATION, EMPTY},
    {"{\"dog\":\"cat\"}", TIDE_VALIDATION, EMPTY},
    {"{\"M\":{\"a\":{}}}", TIDE_VALIDATION, EMPTY},
    {"{\"M\":{\"a\":{\"dog\":\"cat\"}}}", TIDE_VALIDATION, EMPTY},
    {"{\"M\":{\"\":{\"S\":\"a\"}}}", TIDE_VALIDATION, "Empty attribute name"},
    {"{\"L\":[{}]}", TIDE_VALIDATION, EMPTY},
    {"{\"L\":[null]}", TIDE_VALIDATION, EMPTY},
    {"{\"S\":\"a\",\"N\":\"1\"}", TIDE_VALIDATION, SEVERAL},
    {"{\"L\":[],\"M\":{}}", TIDE_VALIDATION, SEVERAL},
    {"{\"S\":\"a\",\"N\":\"\"}", TIDE_VALIDATION, NOT_A_NUMBER},
    {"{\"S\":\"a\",\"N\":\"b\"}", TIDE_VALIDATION, NOT_A_NUMBER ": b"},
    {"{\"NS\":[\"1\",\"\"]}", TIDE_VALIDATION, NOT_A_NUMBER},
    {"{\"NS\":[\"1\",null]}", TIDE_VALIDATION, NOT_A_NUMBER},
    {"{\"NS\":[\"1\",\"b\"]}", TIDE_VALIDATION, NOT_A_NUMBER ": b"},
    {"{\"N\":\"123456789012345678901234567890123456789\"}", TIDE_VALIDATION,
	"Attempting to store more than 38 significant digits in a Number"},
    {"{\"NULL\":false}", TIDE_VALIDATION, INVALID "Null attribute value types must have the value of true"},
    {"{\"NULL\":\"no\"}", TIDE_VALIDATION, INVALID "Null attribute value types must have the value of true"},
    {"{\"SS\":[]}", TIDE_VALIDATION, INVALID "An string set  may not be empty"},
    {"{\"NS\":[]}", TIDE_VALIDATION, INVALID "An number set  may not be empty"},
    {"{\"BS\":[]}", TIDE_VALIDATION, INVALID "Binary sets should not be empty"},
    {"{\"SS\":[\"b\",\"a\",\"b\"]}", TIDE_VALIDATION,
	INVALID "Input collection [b, a, b] contains duplicates."},
    {"{\"NS\":[\"1\",\"1.0\"]}", TIDE_VALIDATION, "Input collection contains duplicates"},
    {"{\"BS\":[\"Yg==\",\"Yg==\"]}", TIDE_VALIDATION,
	INVALID "Input collection [Yg==, Yg==]of type BS contains duplicates."},
    {"{\"BS\":[\"\",\"\"]}", TIDE_VALIDATION, INVALID "Input collection [, ]of type BS contains duplicates."},
    {"{\"S\":true}", TIDE_SERIALIZATION, "TRUE_VALUE cannot be converted to String"},
    {"{\"S\":false}", TIDE_SERIALIZATION, "FALSE_VALUE cannot be converted to String"},
    {"{\"N\":123}", TIDE_SERIALIZATION, "NUMBER_VALUE cannot be converted to String"},
    {"{\"N\":34.56}", TIDE_SERIALIZATION, "DECIMAL_VALUE cannot be converted to String"},
    {"{\"S\":[]}", TIDE_SERIALIZATION, COLLECTION "class java.lang.String"},
    {"{\"N\":{}}", TIDE_SERIALIZATION, NOT_STRUCT},
    {"{\"B\":23}", TIDE_SERIALIZATION, "only base-64-encoded strings are convertible to bytes"},
    {"{\"B\":[]}", TIDE_SERIALIZATION, COLLECTION "class java.nio.ByteBuffer"},
    {"{\"B\":{}}", TIDE_SERIALIZATION, NOT_STRUCT},
    {"{\"B\":\"23456\"}", TIDE_SERIALIZATION,
	"Base64 encoded length is expected a multiple of 4 bytes but found: 5"},
    {"{\"B\":\"=+/=\"}", TIDE_SERIALIZATION, "Invalid last non-pad Base64 character dectected"},
    {"{\"B\":\"+/+=\"}", TIDE_SERIALIZATION, "Invalid last non-pad Base64 character dectected"},
    {"{\"B\":\"AB==\"}", TIDE_SERIALIZATION, "Invalid last non-pad Base64 character dectected"},
    {"{\"B\":\"A===\"}", TIDE_SERIALIZATION, "Invalid last non-pad Base64 character dectected"},
    {"{\"B\":\"AA==AA==\"}", TIDE_SERIALIZATION, "Invalid last non-pad Base64 character dectected"},
    {"{\"B\":\"A-_A\"}", TIDE_SERIALIZATION, "Invalid Base64 character: '-'"},
    {"{\"BOOL\":\"23\"}", TIDE_SERIALIZATION, "Unexpected token received from parser"},
    {"{\"BOOL\":23}", TIDE_SERIALIZATION, "NUMBER_VALUE cannot be converted to Boolean"},
    {"{\"NULL\":34.56}", TIDE_SERIALIZATION, "DECIMAL_VALUE cannot be converted to Boolean"},
    {"{\"NULL\":[]}", TIDE_SERIALIZATION, COLLECTION "class java.lang.Boolean"},
    {"{\"BOOL\":{}}", TIDE_SERIALIZATION, NOT_STRUCT},
    {"{\"SS\":\"23\"}", TIDE_SERIALIZATION, NO_FIELD},
    {"{\"NS\":{}}", TIDE_SERIALIZATION, NOT_STRUCT},
    {"{\"SS\":[\"a\",1]}", TIDE_SERIALIZATION, "NUMBER_VALUE cannot be converted to String"},
    {"{\"BS\":[true]}", TIDE_SERIALIZATION, "only base-64-encoded strings are convertible to bytes"},
    {"{\"L\":true}", TIDE_SERIALIZATION, NO_FIELD},
    {"{\"L\":{}}", TIDE_SERIALIZATION, NOT_STRUCT},
    {"{\"L\":[\"23\"]}", TIDE_SERIALIZATION, "Unexpected value type in payload"},
    {"{\"L\":[[]]}", TIDE_SERIALIZATION, COLLECTION "class com.amazonaws.dynamodb.v20120810.AttributeValue"},
    {"{\"M\":\"23\"}", TIDE_SERIALIZATION, NO_FIELD},
    {"{\"M\":[]}", TIDE_SERIALIZATION,
	COLLECTION "java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>"},
    {"{\"M\":{\"a\":1}}", TIDE_SERIALIZATION, "Unexpected value type in payload"},
    {"\"a\"", TIDE_SERIALIZATION, "Unexpected value type in payload"},
    {"[]", TIDE_SERIALIZATION, COLLECTION "class com.amazonaws.dynamodb.v20120810.AttributeValue"},
    /* a wrong JSON type comes before anything that validation finds, wherever it stands */
    {"{\"L\":[{\"N\":\"b\"},{\"S\":1}]}", TIDE_SERIALIZATION, "NUMBER_VALUE cannot be converted to String"},
    {"{\"L\":[{},{\"M\":{\"a\":{\"B\":\"x\"}}}]}", TIDE_SERIALIZATION,
	"Base64 encoded length is expected a multiple of 4 bytes but found: 1"},
};

static void
refused_values_have_dynamodbs_sentence(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		struct arena arena;
		struct value value = {.type = VALUE_BOOL};
		struct tide_error error = {0};

		print_message("%s\n", refusals[i].text);
		arena_init(&arena, 0);
		assert_int_equal(read_value(&arena, refusals[i].text, &value, &error), refusals[i].code);
		assert_int_equal(error.code, refusals[i].code);
		assert_string_equal(error.message, refusals[i].want);
		assert_int_equal(value.type, VALUE_BOOL);
		arena_fini(&arena);
	}
}

static tide_err
read_nested(unsigned wraps, const char *leaf, struct tide_error *error)
{
	struct arena arena;
	struct value value;
	struct buf text = {0}, stored = {0};
	unsigned i;
	tide_err rc;

	for (i = 0; i < wraps; i++)
		buf_append_string(&text, i % 2 ? "{\"L\":[" : "{\"M\":{\"a\":");
	buf_append_string(&text, leaf);
	for (i = wraps; i-- > 0;)
		buf_append_string(&text, i % 2 ? "]}" : "}}");
	buf_append_byte(&text, 0);
	arena_init(&arena, 0);
	if ((rc = read_value(&arena, (char *)text.at, &value, error)) == TIDE_OK) {
		struct member member = {BYTES_LITERAL("k"), value};
		struct value item = {.type = VALUE_M, .map = {&member, 1}}, back;

		value_encode(&item, &stored);
		assert_int_equal(value_decode(&arena, buf_bytes(&stored), &back), TIDE_OK);
		buf_clear(&text);
		assert_int_equal(json_write_encoded_item(&text, buf_bytes(&stored)), TIDE_OK);
	}
	arena_fini(&arena);
	buf_fini(&text);
	buf_fini(&stored);
	return rc;
}

static void
nesting_is_bounded_as_in_aws(void **state)
{
	struct tide_error error;

	(void)state;
	assert_int_equal(read_nested(31, "{\"S\":\"leaf\"}", &error), TIDE_OK);
	assert_int_equal(read_nested(32, "{\"S\":\"leaf\"}", &error), TIDE_VALIDATION);
	assert_string_equal(error.message, TOO_DEEP);
	assert_int_equal(read_nested(40, "{\"N\":\"abc\"}", &error), TIDE_VALIDATION);
	assert_string_equal(error.message, TOO_DEEP);
	assert_int_equal(read_nested(100, "{\"S\":\"leaf\"}", &error), TIDE_VALIDATION);
	assert_string_equal(error.message, TOO_DEEP);
	assert_int_equal(read_nested(100, "{\"S\":1}", &error), TIDE_SERIALIZATION);
}

static void
items_are_maps_of_values(void **state)
{
	static const struct refusal cases[] = {
	    {"[]", TIDE_SERIALIZATION,
		COLLECTION
		"java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>"},
	    {"\"a\"", TIDE_SERIALIZATION, NO_FIELD},
	    {"{\"a\":\"b\"}", TIDE_SERIALIZATION, "Unexpected value type in payload"},
	    {"{\"a\":{}}", TIDE_VALIDATION, EMPTY},
	    {"{\"a\":null}", TIDE_VALIDATION, EMPTY},
	    {"{\"a\":{\"N\":\"x\"},\"b\":{\"S\":1}}", TIDE_SERIALIZATION,
		"NUMBER_VALUE cannot be converted to String"},
	};
	struct arena arena;
	struct json json;
	struct value item;
	struct tide_error error;
	size_t i;

	(void)state;
	arena_init(&arena, 0);
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(json_parse(&arena, bytes_of_string(cases[i].text), &json, NULL), TIDE_OK);
		assert_int_equal(json_to_item(&arena, &json, &item, &error), cases[i].code);
		assert_string_equal(error.message, cases[i].want);
	}
	assert_int_equal(
	    json_parse(&arena, bytes_of_string("{\"b\":{\"S\":\"1\"},\"a\":{\"N\":\"01\"}}"), &json, NULL),
	    TIDE_OK);
	assert_int_equal(json_to_item(&arena, &json, &item, &error), TIDE_OK);
	assert_int_equal(item.map.n, 2);
	assert_true(bytes_is(item.map.at[0].name, "a"));
	assert_true(bytes_is(item.map.at[0].value.text, "1"));
	arena_fini(&arena);
}

static void
names_over_65535_bytes_are_refused(void **state)
{
	struct arena arena;
	struct value item;
	struct tide_error error;
	struct json_member member = {.value = {.type = JSON_OBJECT}};
	struct json_member type = {BYTES_LITERAL("BOOL"), {.type = JSON_TRUE}};
	struct json json = {.type = JSON_OBJECT, .object = {&member, 1}};
	uint8_t *name;

	(void)state;
	arena_init(&arena, 0);
	name = arena_calloc(&arena, 65536);
	assert_non_null(name);
	member.value.object.at = &type;
	member.value.object.n = 1;
	member.name = bytes_of(name, 65535);
	assert_int_equal(json_to_item(&arena, &json, &item, &error), TIDE_OK);
	member.name.n++;
	assert_int_equal(json_to_item(&arena, &json, &item, &error), TIDE_VALIDATION);
	arena_fini(&arena);
}

static void
a_long_list_of_duplicates_is_cut_between_characters(void **state)
{
	struct arena arena;
	struct value value;
	struct tide_error error;
	struct buf text = {0};
	int i;

	(void)state;
	arena_init(&arena, 0);
	buf_append_string(&text, "{\"SS\":[\"x\",\"x\"");
	for (i = 0; i < 2000; i++)
		buf_append_format(&text, ",\"\xe2\x82\xac%d\"", i);
	buf_append_string(&text, "]}");
	buf_append_byte(&text, 0);
	assert_int_equal(read_value(&arena, (char *)text.at, &value, &error), TIDE_VALIDATION);
	assert_non_null(strstr(error.message, "] contains duplicates."));
	buf_fini(&text);
	arena_fini(&arena);
}

/* A full arena at any allocation is TIDE_NOMEM, never a wrong value. */
static void
a_full_arena_is_no_memory(void **state)
{
	static const char text[] = "{\"a\":{\"NS\":[\"01\",\"02\"]},\"b\":{\"L\":[{\"B\":\"AAAA\"},{\"M\":{"
				   "\"x\":{\"N\":\"1e2\"}}}]}}";
	struct arena source, arena;
	struct json json;
	struct value item;
	size_t limit;
	bool fits = false;

	(void)state;
	arena_init(&source, 0);
	assert_int_equal(json_parse(&source, bytes_of_string(text), &json, NULL), TIDE_OK);
	for (limit = 16; !fits; limit += 16) {
		struct tide_error error = {0};
		tide_err rc;

		arena_init(&arena, limit);
		rc = json_to_item(&arena, &json, &item, &error);
		assert_true(rc == TIDE_OK || rc == TIDE_NOMEM);
		assert_int_equal(error.code, rc);
		fits = rc == TIDE_OK;
		arena_fini(&arena);
	}
	assert_true(limit > 200);
	arena_fini(&source);
}

static void
random_items_survive_json_and_store(void **state)
{
	struct random random = {SEED};
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		struct arena arena;
		struct value item, back;
		struct json json;
		struct buf stored = {0}, written = {0}, direct = {0}, again = {0};

		arena_init(&arena, 0);
		item = random_item(&random, &arena, 12, 1 + i % 7);
		value_encode(&item, &stored);
		json_write_item(&written, &item);
		assert_int_equal(json_write_encoded_item(&direct, buf_bytes(&stored)), TIDE_OK);
		assert_true(bytes_equal(buf_bytes(&written), buf_bytes(&direct)));
		assert_int_equal(json_parse(&arena, buf_bytes(&written), &json, NULL), TIDE_OK);
		assert_int_equal(json_to_item(&arena, &json, &back, NULL), TIDE_OK);
		assert_true(value_equal(&item, &back));
		value_encode(&back, &again);
		assert_true(bytes_equal(buf_bytes(&stored), buf_bytes(&again)));
		arena_fini(&arena);
		buf_fini(&stored);
		buf_fini(&written);
		buf_fini(&direct);
		buf_fini(&again);
	}
}

static void
half_an_encoded_item_writes_nothing(void **state)
{
	static const uint8_t item[] = {
	    0x82, 0xa1, 'a', 0xa1, 'b', 0xa1, 'c', 0xd6, 0x02, 0x91, 0xa2, 'x', 'y'};
	struct buf out = {0};
	size_t n;

	(void)state;
	buf_append_string(&out, "{\"Item\":");
	for (n = 0; n < sizeof item; n++) {
		assert_int_equal(json_write_encoded_item(&out, bytes_of(item, n)), TIDE_CORRUPT);
		assert_true(bytes_is(buf_bytes(&out), "{\"Item\":"));
	}
	assert_int_equal(json_write_encoded_item(&out, bytes_of(item, n)), TIDE_OK);
	assert_true(bytes_is(buf_bytes(&out), "{\"Item\":{\"a\":{\"S\":\"b\"},\"c\":{\"SS\":[\"xy\"]}}"));
	assert_int_equal(json_write_encoded_item(&out, BYTES_LITERAL("\xa1x")), TIDE_CORRUPT);
	assert_int_equal(json_write_encoded_item(&out, BYTES_LITERAL("\x80\xc0")), TIDE_CORRUPT);
	buf_fini(&out);
}

static const struct {
	struct bytes text;
	const char *want;
} written[] = {
    {BYTES_LITERAL(""), "\"\""},
    {BYTES_LITERAL("abcdefghijklmnop"), "\"abcdefghijklmnop\""},
    {BYTES_LITERAL("abcdefg\"hijklmnop\\"), "\"abcdefg\\\"hijklmnop\\\\\""},
    {BYTES_LITERAL("\b\f\n\r\t\0\x1f\x7f/"), "\"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f/\""},
    {BYTES_LITERAL("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac!"), "\"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac!\""},
    /* what is not UTF-8 is replaced: a reply is always JSON */
    {BYTES_LITERAL("a\xff"
		   "b"),
	"\"a\xef\xbf\xbd"
	"b\""},
    {BYTES_LITERAL("a\xe2\x82"), "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
    {BYTES_LITERAL("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
};

static void
strings_are_escaped(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof written / sizeof written[0]; i++) {
		struct buf out = {0};

		json_write_string(&out, written[i].text);
		buf_append_byte(&out, 0);
		assert_string_equal((char *)out.at, written[i].want);
		buf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_are_canonical),
	    cmocka_unit_test(refused_values_have_dynamodbs_sentence),
	    cmocka_unit_test(nesting_is_bounded_as_in_aws),
	    cmocka_unit_test(items_are_maps_of_values),
	    cmocka_unit_test(names_over_65535_bytes_are_refused),
	    cmocka_unit_test(a_long_list_of_duplicates_is_cut_between_characters),
	    cmocka_unit_test(a_full_arena_is_no_memory),
	    cmocka_unit_test(random_items_survive_json_and_store),
	    cmocka_unit_test(half_an_encoded_item_writes_nothing),
	    cmocka_unit_test(strings_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
