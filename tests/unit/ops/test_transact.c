/* TransactWriteItems and TransactGetItems on a region in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/ops/fake_region.h"

#define CANCELED "TransactionCanceledException: ,\"CancellationReasons\":["
#define REFER                                                                                                \
	"],\"Message\":\"Transaction cancelled, please refer cancellation reasons for specific reasons ["
#define FAILED "{\"Code\":\"ConditionalCheckFailed\",\"Message\":\"The conditional request failed\"}"
#define NONE "{\"Code\":\"None\"}"

#define ITEMS(list) "{\"TransactItems\":[" list "]}"
#define PUT(table, item, more) "{\"Put\":{\"TableName\":\"" table "\",\"Item\":" item more "}}"
#define DELETE(table, key, more) "{\"Delete\":{\"TableName\":\"" table "\",\"Key\":" key more "}}"
#define GET(table, key, more) "{\"Get\":{\"TableName\":\"" table "\",\"Key\":" key more "}}"
#define UPDATE(table, key, text, more)                                                                       \
	"{\"Update\":{\"TableName\":\"" table "\",\"Key\":" key ",\"UpdateExpression\":\"" text "\"" more "}}"
#define CHECK(table, key, text)                                                                              \
	"{\"ConditionCheck\":{\"TableName\":\"" table "\",\"Key\":" key ",\"ConditionExpression\":\"" text   \
	"\"}}"
#define PK(s) "{\"pk\":{\"S\":\"" s "\"}}"
#define ABSENT ",\"ConditionExpression\":\"attribute_not_exists(pk)\""
#define ALL_OLD ",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\""

static int
start(void **state)
{
	(void)state;
	fake_region_start();
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	fake_region_stop();
	return 0;
}

static const char *
write_items(const char *body)
{
	return fake_call(op_transact_write_items, body);
}

static const char *
get_items(const char *body)
{
	return fake_call(op_transact_get_items, body);
}

static void
all_four_kinds_of_actions_are_one(void **state)
{
	(void)state;
	assert_string_equal(write_items(ITEMS(PUT("hash", PK("gone"), "") "," PUT(
				"hash", "{\"pk\":{\"S\":\"n\"},\"n\":{\"N\":\"1\"}}", ""))),
	    "{}");
	assert_string_equal(write_items(ITEMS(PUT("hash", PK("a"), "") "," DELETE(
				"hash", PK("gone"), "") "," UPDATE("hash", PK("n"), "ADD n :n",
				",\"ExpressionAttributeValues\":{\":n\":{\"N\":\"2\"}}") "," CHECK("words",
				"{\"pk\":{\"S\":\"a\"},\"sk\":{\"S\":\"b\"}}", "attribute_not_exists(pk)"))),
	    "{}");
	assert_string_equal(get_items(ITEMS(GET("hash", PK("n"), "") "," GET("hash", PK("gone"), "") "," GET(
				"hash", PK("a"), ",\"ProjectionExpression\":\"x\""))),
	    "{\"Responses\":[{\"Item\":{\"n\":{\"N\":\"3\"},\"pk\":{\"S\":\"n\"}}},{},{\"Item\":{}}]}");
}

static void
all_or_nothing(void **state)
{
	(void)state;
	write_items(ITEMS(PUT("hash", PK("there"), "")));
	assert_string_equal(
	    write_items(ITEMS(PUT("hash", PK("new"), "") "," PUT("hash", PK("there"), ABSENT ALL_OLD) "," PUT(
		"hash", PK("other"), ABSENT) "," CHECK("hash", PK("nobody"), "attribute_exists(pk)"))),
	    CANCELED NONE
	    ",{\"Item\":{\"pk\":{\"S\":\"there\"}},\"Code\":\"ConditionalCheckFailed\",\"Message\":\"The "
	    "conditional request failed\"}," NONE "," FAILED REFER
	    "None, ConditionalCheckFailed, None, ConditionalCheckFailed]\"");
	assert_string_equal(get_items(ITEMS(GET("hash", PK("new"), "") "," GET("hash", PK("other"), ""))),
	    "{\"Responses\":[{},{}]}");
}

static void
the_first_change_that_cannot_be_made_is_a_reason(void **state)
{
	(void)state;
	write_items(ITEMS(PUT("hash", "{\"pk\":{\"S\":\"s\"},\"x\":{\"S\":\"text\"}}", "")));
	assert_string_equal(
	    write_items(ITEMS(PUT("hash", PK("s2"), "") "," UPDATE("hash", PK("s"), "SET x = x + :n",
		",\"ExpressionAttributeValues\":{\":n\":{\"N\":\"2\"}}") "," CHECK("hash", PK("nobody"),
		"attribute_exists(pk)"))),
	    CANCELED NONE
	    ",{\"Code\":\"ValidationError\",\"Message\":\"An operand in the update expression has an "
	    "incorrect data type\"}," NONE REFER "None, ValidationError, None]\"");
	assert_string_equal(get_items(ITEMS(GET("hash", PK("s2"), ""))), "{\"Responses\":[{}]}");
}

static const struct {
	const char *body, *answer;
} refused[] = {
    {"{}", "ValidationException: 1 validation error detected: Value null at 'transactItems' failed to "
	   "satisfy constraint: Member must not be null"},
    {ITEMS(""), "ValidationException: 1 validation error detected: Value '[]' at 'transactItems' failed to "
		"satisfy constraint: Member must have length greater than or equal to 1"},
    {ITEMS("{}"), "ValidationException: Invalid Request: TransactWriteRequest should contain Delete or Put "
		  "or Update request"},
    {ITEMS("null"), "ValidationException: Invalid Request: TransactWriteRequest should contain Delete or Put "
		    "or Update request"},
    {ITEMS("{\"Put\":{\"TableName\":\"hash\",\"Item\":" PK(
	 "a") "},\"Delete\":{\"TableName\":\"hash\",\"Key\":" PK("a") "}}"),
	"ValidationException: TransactItems can only contain one of Check, Put, Update or Delete"},
    {ITEMS(PUT("hash", PK("a"), "") "," DELETE("hash", PK("a"), "")),
	"ValidationException: Transaction request cannot include multiple operations on one item"},
    {ITEMS(PUT("none", PK("a"), "")), "ResourceNotFoundException: Requested resource not found"},
    {ITEMS(PUT("none", PK("a"), "") "," CHECK("hash", PK("a"), "x y")),
	"ValidationException: Invalid ConditionExpression: Syntax error; token: \"y\", near: \"x y\""},
    {ITEMS(PUT("hash", "{\"pk\":{\"S\":\"\"}}", "")),
	"ValidationException: One or more parameter values are not valid. The AttributeValue for a key "
	"attribute cannot contain an empty string value. Key: pk"},
    {ITEMS(
	 PUT("hash", PK("b"), "") "," PUT("hash", "{\"pk\":{\"N\":\"1\"}}", "") "," DELETE("hash", "{}", "")),
	CANCELED NONE ",{\"Code\":\"ValidationError\",\"Message\":\"One or more parameter values were "
		      "invalid: Type mismatch for key pk expected: S actual: N\"}," NONE REFER
		      "None, ValidationError, None]\""},
    {ITEMS(DELETE("hash", "{\"pk\":{\"N\":\"1\"}}", "")),
	CANCELED "{\"Code\":\"ValidationError\",\"Message\":\"The provided key element does not match the "
		 "schema\"}" REFER "ValidationError]\""},
    {ITEMS(UPDATE("hash", PK("a"), "SET pk = :v", ",\"ExpressionAttributeValues\":{\":v\":{\"S\":\"x\"}}")),
	CANCELED "{\"Code\":\"ValidationError\",\"Message\":\"One or more parameter values were invalid: "
		 "Cannot update attribute pk. This attribute is part of the key\"}" REFER
		 "ValidationError]\""},
    {ITEMS(CHECK("hash", PK("a"), "attribute_exists(pk)") "," CHECK("hash", PK("b"), "")),
	"ValidationException: Invalid ConditionExpression: The expression can not be empty;"},
};

static void
what_is_wrong_is_refused_in_the_services_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		assert_string_equal(write_items(refused[i].body), refused[i].answer);
	assert_string_equal(get_items(ITEMS(GET("hash", PK("b"), ""))), "{\"Responses\":[{}]}");
}

static void
gets_are_refused_in_the_services_words(void **state)
{
	(void)state;
	assert_string_equal(get_items(ITEMS("{}")),
	    "ValidationException: 1 validation error detected: Value null at 'transactItems.1.member.get' "
	    "failed to satisfy constraint: Member must not be null");
	assert_string_equal(get_items(ITEMS("null")),
	    "ValidationException: 1 validation error detected: Value null at 'transactItems.1.member.get' "
	    "failed to satisfy constraint: Member must not be null");
	assert_string_equal(get_items(ITEMS(GET("hash", PK("a"), "") "," GET("hash", PK("a"), ""))),
	    "ValidationException: Transaction request cannot include multiple operations on one item");
	assert_string_equal(get_items(ITEMS(GET("hash", PK("a"), "") "," GET("hash", "{}", ""))),
	    CANCELED NONE ",{\"Code\":\"ValidationError\",\"Message\":\"The provided key element does not "
			  "match the schema\"}" REFER "None, ValidationError]\"");
	assert_string_equal(get_items(ITEMS(GET("none", PK("a"), ""))),
	    "ResourceNotFoundException: Requested resource not found");
}

#define TOKEN(token, list, more) "{\"ClientRequestToken\":\"" token "\",\"TransactItems\":[" list "]" more "}"
#define COUNT(token, by, more)                                                                               \
	TOKEN(token,                                                                                         \
	    UPDATE("hash", PK("counter"), "ADD n :n",                                                        \
		",\"ExpressionAttributeValues\":{\":n\":{\"N\":\"" by "\"}}"),                               \
	    more)

static void
a_token_is_carried_out_once(void **state)
{
	(void)state;
	assert_string_equal(write_items(COUNT("t1", "1", ",\"ReturnConsumedCapacity\":\"TOTAL\"")),
	    "{\"ConsumedCapacity\":[{\"TableName\":\"hash\",\"CapacityUnits\":2.0,\"WriteCapacityUnits\":2.0}"
	    "]}");
	assert_string_equal(write_items(COUNT("t1", "1", ",\"ReturnConsumedCapacity\":\"INDEXES\"")),
	    "{\"ConsumedCapacity\":[{\"TableName\":\"hash\",\"CapacityUnits\":2.0,\"ReadCapacityUnits\":2.0,"
	    "\"Table\":{\"CapacityUnits\":2.0,\"ReadCapacityUnits\":2.0}}]}");
	assert_string_equal(write_items(COUNT("t1", "2", "")), "IdempotentParameterMismatchException: ");
	assert_string_equal(write_items(COUNT("t2", "1", "")), "{}");
	assert_string_equal(get_items(ITEMS(GET("hash", PK("counter"), ",\"ProjectionExpression\":\"n\""))),
	    "{\"Responses\":[{\"Item\":{\"n\":{\"N\":\"2\"}}}]}");
}

static void
a_cancelled_transaction_leaves_its_token_free(void **state)
{
	static const char body[] = TOKEN(
	    "t3", PUT("hash", PK("later"), "") "," CHECK("hash", PK("needed"), "attribute_exists(pk)"), "");

	(void)state;
	assert_string_equal(
	    write_items(body), CANCELED NONE "," FAILED REFER "None, ConditionalCheckFailed]\"");
	write_items(ITEMS(PUT("hash", PK("needed"), "")));
	assert_string_equal(write_items(body), "{}");
	assert_string_equal(get_items(ITEMS(GET("hash", PK("later"), ""))),
	    "{\"Responses\":[{\"Item\":{\"pk\":{\"S\":\"later\"}}}]}");
}

/* n puts of `bytes` each. */
static char *
puts_of(unsigned n, unsigned bytes)
{
	struct buf body = {0};

	buf_append_string(&body, "{\"TransactItems\":[");
	for (unsigned i = 0; i < n; i++) {
		buf_append_format(&body,
		    "%s{\"Put\":{\"TableName\":\"hash\",\"Item\":{\"pk\":{\"S\":\"m%u\"},\"x\":{\"S\":\"",
		    i == 0 ? "" : ",", i);
		for (unsigned k = 0; k < bytes; k++)
			buf_append_byte(&body, 'x');
		buf_append_string(&body, "\"}}}}");
	}
	buf_append_string(&body, "]}");
	buf_append_byte(&body, '\0');
	assert_int_equal(buf_check(&body), TIDE_OK);
	return (char *)body.at;
}

static void
the_limits_are_100_actions_and_4_megabytes(void **state)
{
	char *body = puts_of(100, 10);

	(void)state;
	assert_string_equal(write_items(body), "{}");
	free(body);
	body = puts_of(101, 10);
	assert_non_null(strstr(write_items(body), " at 'transactItems' failed to satisfy constraint: Member "
						  "must have length less than or equal to 100"));
	free(body);
	body = puts_of(11, 390000);
	assert_string_equal(write_items(body),
	    "ValidationException: Transaction payload size cannot exceed 4MB. Payload Size: 4290056");
	free(body);
	body = puts_of(10, 390000);
	assert_string_equal(write_items(body), "{}");
	free(body);
}

/* Of a hundred actions the list of reasons is longer than an error's sentence may be. */
static void
the_list_of_reasons_is_whole(void **state)
{
	struct buf body = {0};
	const char *answer, *at;
	unsigned n = 0;

	(void)state;
	buf_append_string(&body, "{\"TransactItems\":[");
	for (unsigned i = 0; i < 100; i++)
		buf_append_format(&body,
		    "%s{\"ConditionCheck\":{\"TableName\":\"hash\",\"Key\":{\"pk\":{\"S\":\"nobody%u\"}},"
		    "\"ConditionExpression\":\"attribute_exists(pk)\"}}",
		    i == 0 ? "" : ",", i);
	buf_append_string(&body, "]}");
	buf_append_byte(&body, '\0');
	answer = write_items((const char *)body.at);
	assert_non_null(at = strstr(answer, "specific reasons ["));
	for (; (at = strstr(at + 1, "ConditionalCheckFailed")) != NULL;)
		n++;
	assert_int_equal(n, 100);
	buf_fini(&body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_four_kinds_of_actions_are_one),
	    cmocka_unit_test(all_or_nothing),
	    cmocka_unit_test(the_first_change_that_cannot_be_made_is_a_reason),
	    cmocka_unit_test(what_is_wrong_is_refused_in_the_services_words),
	    cmocka_unit_test(gets_are_refused_in_the_services_words),
	    cmocka_unit_test(a_token_is_carried_out_once),
	    cmocka_unit_test(a_cancelled_transaction_leaves_its_token_free),
	    cmocka_unit_test(the_limits_are_100_actions_and_4_megabytes),
	    cmocka_unit_test(the_list_of_reasons_is_whole),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
