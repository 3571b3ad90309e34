/* Headers: collecting them piece by piece, and the parsers of single values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "api/http/coding.h"
#include "api/http/http.h"
#include "api/http/reply.h"

static void
give(struct http_head *head, const char *name, const char *value)
{
	assert_int_equal(http_head_field(head, name, strlen(name)), TIDE_OK);
	assert_int_equal(http_head_value(head, value, strlen(value)), TIDE_OK);
}

static void
known_headers_are_kept_however_they_are_cut(void **state)
{
	static const char name[] = "X-AMZ-Target", value[] = " DynamoDB_20120810.PutItem \t";

	(void)state;
	for (size_t i = 0; i < sizeof name; i++) {
		for (size_t j = 0; j < sizeof value; j++) {
			struct http_head head = {0};

			http_head_clear(&head);
			give(&head, "User-Agent", "x");
			http_head_field(&head, name, i);
			http_head_field(&head, name + i, sizeof name - 1 - i);
			http_head_value(&head, value, j);
			http_head_value(&head, value + j, sizeof value - 1 - j);
			give(&head, "a-name-that-is-longer-than-every-known-one", "y");
			give(&head, "DATE", "");
			assert_true(bytes_is(http_head_get(&head, HTTP_TARGET), "DynamoDB_20120810.PutItem"));
			assert_true(head.fields[HTTP_DATE].present);
			assert_int_equal(http_head_get(&head, HTTP_DATE).n, 0);
			assert_null(http_head_get(&head, HTTP_HOST).at);
			http_head_fini(&head);
		}
	}
}

static void
the_last_of_equal_headers_counts(void **state)
{
	struct http_head head = {0};

	(void)state;
	http_head_clear(&head);
	give(&head, "Host", "a");
	give(&head, "hOST", "b");
	assert_true(bytes_is(http_head_get(&head, HTTP_HOST), "b"));
	http_head_fini(&head);
}

static void
headers_are_bounded_known_or_not(void **state)
{
	struct http_head head = {0};
	tide_err rc = TIDE_OK;
	int n = 0;

	(void)state;
	http_head_clear(&head);
	while (rc == TIDE_OK && n < 100000) {
		rc = http_head_field(&head, "x", 1);
		if (rc == TIDE_OK)
			rc = http_head_value(&head, "", 0);
		n++;
	}
	assert_int_equal(rc, TIDE_REQUEST_TOO_LARGE);
	assert_in_range(n, HTTP_HEADER_BYTES_MAX / 6, HTTP_HEADER_BYTES_MAX / 4);
	http_head_fini(&head);
}

static void
the_path_ends_at_the_query(void **state)
{
	static const struct {
		const char *url, *path;
	} cases[] = {{"/", "/"}, {"/?a=b?c", "/"}, {"/x/y", "/x/y"}, {"*", "*"}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct http_head head = {0};

		http_head_clear(&head);
		assert_int_equal(http_head_url(&head, cases[i].url, strlen(cases[i].url)), TIDE_OK);
		assert_true(bytes_is(http_head_path(&head), cases[i].path));
		http_head_fini(&head);
	}
}

static void
targets_name_operations_of_two_services(void **state)
{
	static const struct {
		const char *target, *operation; /* NULL: refused */
	} cases[] = {
	    {"DynamoDB_20120810.STS.GetCallerIdentity", NULL},
	    {"TrentService.DescribeKey", "TrentService.DescribeKey"},
	    {"DynamoDB_20120810.PutItem", "PutItem"},
	    {"DynamoDBStreams_20120810.GetRecords", "GetRecords"},
	    {"DynamoDB_20120810.", NULL},
	    {"DynamoDB_20120810", NULL},
	    {"dynamodb_20120810.PutItem", NULL},
	    {"DynamoDB_20111205.PutItem", NULL},
	    {"PutItem", NULL},
	    {"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bytes operation = BYTES_NONE;
		bool fine = http_target_parse(bytes_of_string(cases[i].target), &operation);

		assert_int_equal(fine, cases[i].operation != NULL);
		if (fine)
			assert_true(bytes_is(operation, cases[i].operation));
	}
}

#define SIGNED "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host;x, Signature=ab"

static const struct signed_case {
	const char *name, *authorization;
	bool date;
	tide_err want;
	const char *sentence;
} signed_cases[] = {
    {"whole", SIGNED, true, TIDE_OK, NULL},
    {"no spaces", "AWS4-HMAC-SHA256 Credential=a,SignedHeaders=b,Signature=c", true, TIDE_OK, NULL},
    {"absent", NULL, true, TIDE_MISSING_TOKEN, "Request is missing Authentication Token"},
    {"empty", "", true, TIDE_MISSING_TOKEN, "Request is missing Authentication Token"},
    {"no date", SIGNED, false, TIDE_INCOMPLETE_SIGNATURE,
	"Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
	"Authorization=" SIGNED},
    {"algorithm only", "AWS4-HMAC-SHA256", true, TIDE_INCOMPLETE_SIGNATURE,
	"Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' "
	"parameter. "
	"Authorization header requires 'SignedHeaders' parameter. Authorization=AWS4-HMAC-SHA256"},
    {"empty part", "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=", true,
	TIDE_INCOMPLETE_SIGNATURE,
	"Authorization header requires 'Signature' parameter. Authorization=AWS4-HMAC-SHA256 Credential=a, "
	"SignedHeaders=b, Signature="},
    {"another scheme", "Basic x\xff", true, TIDE_INCOMPLETE_SIGNATURE,
	"'Basic x?' not a valid key=value pair (missing equal-sign) in Authorization header: 'Basic x?'."},
};

static void
signatures_are_checked_for_their_shape(void **state)
{
	struct tide_error error;

	(void)state;
	for (size_t i = 0; i < sizeof signed_cases / sizeof signed_cases[0]; i++) {
		const struct signed_case *c = &signed_cases[i];
		struct http_head head = {0};

		http_head_clear(&head);
		if (c->authorization != NULL)
			give(&head, "authorization", c->authorization);
		if (c->date)
			give(&head, "x-amz-date", "20260101T000000Z");
		if (http_authorization_check(&head, &error) != c->want)
			fail_msg("%s", c->name);
		if (c->want != TIDE_OK)
			assert_string_equal(error.message, c->sentence);
		http_head_fini(&head);
	}
}

static void
content_types_and_codings_are_told_apart(void **state)
{
	static const struct {
		const char *accept;
		enum http_coding want;
	} accepts[] = {{"", HTTP_IDENTITY}, {"identity", HTTP_IDENTITY}, {"gzip", HTTP_GZIP},
	    {"br, GZIP", HTTP_GZIP}, {"deflate, gzip;q=0", HTTP_DEFLATE}, {"deflate,gzip;q=0.5", HTTP_GZIP},
	    {"gzip;q=0.000", HTTP_IDENTITY}, {",,;", HTTP_IDENTITY}, {"*", HTTP_IDENTITY}};

	(void)state;
	assert_int_equal(
	    http_content_type(bytes_of_string("application/x-amz-json-1.0")), HTTP_TYPE_JSON_1_0);
	assert_int_equal(http_content_type(bytes_of_string("Application/X-Amz-Json-1.0 ; charset=utf-8")),
	    HTTP_TYPE_JSON_1_0);
	assert_int_equal(http_content_type(bytes_of_string("application/json")), HTTP_TYPE_JSON);
	assert_int_equal(http_content_type(bytes_of_string("application/json;")), HTTP_TYPE_JSON);
	assert_int_equal(http_content_type(bytes_of_string("application/jsonasdf")), HTTP_TYPE_UNKNOWN);
	assert_int_equal(
	    http_content_type(bytes_of_string("application/x-amz-json-1.1")), HTTP_TYPE_JSON_1_1);
	assert_int_equal(
	    http_content_type(bytes_of_string("application/x-www-form-urlencoded")), HTTP_TYPE_FORM);
	assert_int_equal(http_content_type(bytes_of_string("text/plain")), HTTP_TYPE_UNKNOWN);
	assert_int_equal(http_content_type(BYTES_NONE), HTTP_TYPE_UNKNOWN);
	assert_int_equal(http_content_coding(BYTES_NONE), HTTP_IDENTITY);
	assert_int_equal(http_content_coding(bytes_of_string("GZIP")), HTTP_GZIP);
	assert_int_equal(http_content_coding(bytes_of_string("deflate")), HTTP_DEFLATE);
	assert_int_equal(http_content_coding(bytes_of_string("br")), HTTP_CODING_UNKNOWN);
	for (size_t i = 0; i < sizeof accepts / sizeof accepts[0]; i++)
		assert_int_equal(http_accepted_coding(bytes_of_string(accepts[i].accept)), accepts[i].want);
}

static void
bodies_are_compressed_and_back_and_bombs_end(void **state)
{
	static const enum http_coding codings[] = {HTTP_GZIP, HTTP_DEFLATE};
	struct buf packed = {0}, back = {0};
	size_t n = 3 << 20;
	uint8_t *text = calloc(1, n);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(http_deflate(codings[i], bytes_of(text, n), &packed), TIDE_OK);
		assert_true(packed.n < n / 100);
		assert_int_equal(http_inflate(codings[i], buf_bytes(&packed), n, &back), TIDE_OK);
		assert_int_equal(back.n, n);
		assert_int_equal(
		    http_inflate(codings[i], buf_bytes(&packed), n - 1, &back), TIDE_REQUEST_TOO_LARGE);
		assert_int_equal(http_inflate(codings[i], bytes_of(packed.at, packed.n / 2), n, &back),
		    TIDE_SERIALIZATION);
		assert_int_equal(http_inflate(codings[i], BYTES_LITERAL("{}"), n, &back), TIDE_SERIALIZATION);
		assert_int_equal(http_inflate(codings[i], BYTES_NONE, n, &back), TIDE_SERIALIZATION);
	}
	buf_fini(&packed);
	buf_fini(&back);
	free(text);
}

static void
request_ids_are_52_letters_and_differ(void **state)
{
	static char ids[1000][HTTP_REQUEST_ID_LENGTH];
	struct http_ids source;

	(void)state;
	http_ids_init(&source);
	for (size_t i = 0; i < 1000; i++) {
		http_ids_next(&source, ids[i]);
		for (size_t j = 0; j < HTTP_REQUEST_ID_LENGTH; j++)
			assert_true(
			    (ids[i][j] >= '0' && ids[i][j] <= '9') || (ids[i][j] >= 'A' && ids[i][j] <= 'Z'));
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(ids[i], ids[j], HTTP_REQUEST_ID_LENGTH);
	}
}

static void
dates_are_in_the_form_of_rfc_9110(void **state)
{
	char text[HTTP_DATE_ROOM];

	(void)state;
	http_date(784111777, text);
	assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_headers_are_kept_however_they_are_cut),
	    cmocka_unit_test(the_last_of_equal_headers_counts),
	    cmocka_unit_test(headers_are_bounded_known_or_not),
	    cmocka_unit_test(the_path_ends_at_the_query),
	    cmocka_unit_test(targets_name_operations_of_two_services),
	    cmocka_unit_test(signatures_are_checked_for_their_shape),
	    cmocka_unit_test(content_types_and_codings_are_told_apart),
	    cmocka_unit_test(bodies_are_compressed_and_back_and_bombs_end),
	    cmocka_unit_test(request_ids_are_52_letters_and_differ),
	    cmocka_unit_test(dates_are_in_the_form_of_rfc_9110),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
