/* Requests for other regions: whose they are, what goes on, what comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "api/http/conn.h"
#include "api/http/forward.h"

static void
the_region_of_a_scope_is_found(void **state)
{
	static const struct {
		const char *authorization, *region;
	} cases[] = {
	    {"AWS4-HMAC-SHA256 Credential=k/20260101/eu-west-1/dynamodb/aws4_request, Signature=a",
		"eu-west-1"},
	    {"AWS4-HMAC-SHA256 Signature=a,Credential=k/20260101/eu-west-1/dynamodb/aws4_request",
		"eu-west-1"},
	    {"AWS4-HMAC-SHA256 Credential=a/b/c/20260101/eu-west-1/kms/aws4_request", "eu-west-1"},
	    {"AWS4-HMAC-SHA256 Credential=eu-west-1/dynamodb/aws4_request", ""},
	    {"AWS4-HMAC-SHA256 Credential=/eu-west-1/dynamodb/aws4_request", "eu-west-1"},
	    {"AWS4-HMAC-SHA256 Credential=///", ""},
	    {"AWS4-HMAC-SHA256 Credential=k", ""},
	    {"AWS4-HMAC-SHA256 Signature=a/b/c/d", ""},
	    {"AWS4-HMAC-SHA256", ""},
	    {"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bytes region = http_scope_region(bytes_of_string(cases[i].authorization));

		print_message("%s\n", cases[i].authorization);
		assert_true(bytes_is(region, cases[i].region));
	}
	assert_int_equal(http_scope_region(BYTES_NONE).n, 0);
}

static void
a_head_goes_on_without_what_belongs_to_its_connection(void **state)
{
	static const struct {
		const char *name, *head, *want;
	} cases[] = {
	    {"byte for byte", "POST /a?b HTTP/1.1\r\nhOsT:  x \r\nX-A:\tb\xff\r\n\r\n",
		"POST /a?b HTTP/1.1\r\nhOsT:  x \r\nX-A:\tb\xff\r\n"},
	    {"of the connection",
		"\r\n\r\nPOST / HTTP/1.1\r\nConnection: close\r\nA: 1\r\nEXPECT: 100-continue\r\n"
		"Transfer-Encoding: chunked\r\nB: 2\r\nContent-Length: 99\r\nx-tidemark-forwarded: z\r\n\r\n",
		"POST / HTTP/1.1\r\nA: 1\r\nB: 2\r\n"},
	    {"a header of two lines", "POST / HTTP/1.1\r\nA: 1\r\n 2\r\nUpgrade: x\r\n y\r\nB: 3\r\n\r\n",
		"POST / HTTP/1.1\r\nA: 1\r\n 2\r\nB: 3\r\n"},
	    {"bare line feeds", "POST / HTTP/1.1\nA: 1\nTE: x\n\n", "POST / HTTP/1.1\r\nA: 1\r\n"},
	    {"without an end", "POST / HTTP/1.1\r\nA: 1", "POST / HTTP/1.1\r\nA: 1\r\n"},
	};
	struct buf out = {0};
	char want[512];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		print_message("%s\n", cases[i].name);
		buf_clear(&out);
		forward_head(bytes_of_string(cases[i].head), "eu", 7, &out);
		snprintf(want, sizeof want,
		    "%sContent-Length: 7\r\nConnection: close\r\nX-Tidemark-Forwarded: eu\r\n\r\n",
		    cases[i].want);
		assert_int_equal(buf_check(&out), TIDE_OK);
		assert_int_equal(out.n, strlen(want));
		assert_memory_equal(out.at, want, out.n);
	}
	buf_fini(&out);
}

static const struct reply_case {
	const char *name, *raw;
	tide_err rc;
	bool complete; /* at the end of what came, or of the connection */
	const char *head, *body;
} reply_cases[] = {
    {"with a length", "HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 2\r\nConnection: close\r\nB:\r\n\r\n{}",
	TIDE_OK, true, "HTTP/1.1 200 OK\r\nA: 1\r\nB: \r\n", "{}"},
    {"an error", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", TIDE_OK, true,
	"HTTP/1.1 400 Bad Request\r\n", ""},
    {"in chunks",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nx: y\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\nTrailer: "
	"t\r\n\r\n",
	TIDE_OK, true, "HTTP/1.1 200 OK\r\nx: y\r\n", "abcd"},
    {"to the end", "HTTP/1.1 200 OK\r\nx: y\r\n\r\nabc", TIDE_OK, true, "HTTP/1.1 200 OK\r\nx: y\r\n", "abc"},
    {"cut in its body", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", TIDE_OK, false, NULL, NULL},
    {"cut in its head", "HTTP/1.1 200 OK\r\nContent-Le", TIDE_OK, false, NULL, NULL},
    {"nothing", "", TIDE_OK, false, NULL, NULL},
    {"interim", "HTTP/1.1 100 Continue\r\n\r\n", TIDE_FORMAT, false, NULL, NULL},
    {"no HTTP", "SSH-2.0-OpenSSH\r\n", TIDE_FORMAT, false, NULL, NULL},
    {"no status text", "HTTP/1.1 200\r\nA: 1\r\n\r\n", TIDE_OK, true, "HTTP/1.1 200 \r\nA: 1\r\n", ""},
    {"too long", "HTTP/1.1 200 OK\r\nContent-Length: 17825793\r\n\r\n", TIDE_REQUEST_TOO_LARGE, false, NULL,
	NULL},
};

static void
a_reply_is_taken_however_it_is_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof reply_cases / sizeof reply_cases[0]; i++) {
		const struct reply_case *c = &reply_cases[i];
		size_t n = strlen(c->raw);

		print_message("%s\n", c->name);
		for (size_t step = 1; step <= n + 1; step++) {
			struct forward_reply reply;
			struct buf head = {0}, body = {0};
			tide_err rc = TIDE_OK;

			forward_reply_init(&reply, &head, &body);
			for (size_t at = 0; at < n && rc == TIDE_OK; at += step)
				rc = forward_reply_take(
				    &reply, (const uint8_t *)c->raw + at, n - at < step ? n - at : step);
			forward_reply_end(&reply);
			assert_int_equal(rc, c->rc);
			assert_int_equal(reply.complete, c->complete);
			if (c->complete) {
				assert_true(bytes_is(buf_bytes(&head), c->head));
				assert_true(bytes_is(buf_bytes(&body), c->body));
			}
			buf_fini(&head);
			buf_fini(&body);
		}
	}
}

/* --- a connection that has peers --- */

static struct fixture {
	struct conn_host host;
	struct conn conn;
	_Atomic uint64_t memory;
	struct buf head, body; /* what was sent on */
	uint32_t n, handled;
} * fixture;

static void
handle(struct request *request)
{
	fixture->handled++;
	buf_append_string(&request->reply, "{}");
	request_ok(request);
}

static const struct operation *
find(struct bytes name)
{
	static const struct operation echo = {"Echo", handle};

	return bytes_is(name, "Echo") ? &echo : NULL;
}

static void
answered(struct conn *conn)
{
	if (conn->dispatching)
		conn->answered_at_once = true;
}

static void
take_on(struct conn *conn, struct bytes head, struct bytes body)
{
	assert_string_equal(conn->peer->region, "eu-west-1");
	buf_clear(&fixture->head);
	buf_clear(&fixture->body);
	buf_append(&fixture->head, head.at, head.n);
	buf_append(&fixture->body, body.at, body.n);
	fixture->n++;
}

static int
setup(void **state)
{
	static const struct http_peer peers[] = {{"ap-1", "h", 1}, {"eu-west-1", "h", 2}};

	(void)state;
	fixture = calloc(1, sizeof *fixture);
	assert_non_null(fixture);
	fixture->host = (struct conn_host){.find = find,
	    .answered = answered,
	    .forward = take_on,
	    .peers = peers,
	    .n_peers = 2,
	    .self = "us-east-1",
	    .memory = &fixture->memory,
	    .memory_max = 64 << 20};
	http_ids_init(&fixture->host.ids);
	http_date(0, fixture->host.date);
	conn_init(&fixture->conn, &fixture->host);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	conn_fini(&fixture->conn);
	assert_int_equal(fixture->memory, 0);
	buf_fini(&fixture->head);
	buf_fini(&fixture->body);
	free(fixture);
	return 0;
}

static void
feed(const char *raw, size_t step)
{
	size_t n = strlen(raw), taken;

	for (size_t at = 0; at < n && conn_wants_input(&fixture->conn); at += taken) {
		size_t part = n - at < step ? n - at : step;
		uint8_t *copy = malloc(part);

		assert_non_null(copy);
		memcpy(copy, raw + at, part);
		conn_take(&fixture->conn, copy, part, &taken);
		free(copy);
	}
}

static void
take_reply(struct buf *out)
{
	struct iovec pieces[2];

	buf_clear(out);
	while (fixture->conn.state == CONN_REPLY) {
		conn_output(&fixture->conn, pieces);
		buf_append(out, pieces[0].iov_base, pieces[0].iov_len);
		conn_sent(&fixture->conn, pieces[0].iov_len);
	}
	buf_append_byte(out, 0);
}

#define REQUEST(region, more)                                                                                \
	"POST / HTTP/1.1\r\nHost: h\r\nX-Strange: \xe9 \r\nContent-Type: application/x-amz-json-1.0\r\n"     \
	"X-Amz-Target: DynamoDB_20120810.Echo\r\nX-Amz-Date: 20260101T000000Z\r\n"                           \
	"Authorization: AWS4-HMAC-SHA256 Credential=key/20260101/" region                                    \
	"/dynamodb/aws4_request, SignedHeaders=host, Signature=ab\r\n" more

#define SENT                                                                                                 \
	"POST / HTTP/1.1\r\nHost: h\r\nX-Strange: \xe9 \r\nContent-Type: application/x-amz-json-1.0\r\n"     \
	"X-Amz-Target: DynamoDB_20120810.Echo\r\nX-Amz-Date: 20260101T000000Z\r\n"                           \
	"Authorization: AWS4-HMAC-SHA256 Credential=key/20260101/eu-west-1/dynamodb/aws4_request, "          \
	"SignedHeaders=host, Signature=ab\r\nContent-Length: 9\r\nConnection: close\r\n"                     \
	"X-Tidemark-Forwarded: eu-west-1\r\n\r\n"

/* The peer has answered. */
static void
reply_as_peer(const char *raw)
{
	struct conn *conn = &fixture->conn;
	struct forward_reply reply;

	forward_reply_init(&reply, &conn->reply_head, &conn->request.reply);
	assert_int_equal(forward_reply_take(&reply, (const uint8_t *)raw, strlen(raw)), TIDE_OK);
	assert_true(reply.complete);
	conn->status = reply.parser.status_code;
	conn->forwarded = true;
	conn_answer(conn);
}

static void
a_foreign_request_is_sent_on_however_it_is_cut(void **state)
{
	static const char *const raws[] = {
	    "\r\n" REQUEST("eu-west-1", "Content-Length: 9\r\n\r\n{\"a\":\"b\"}"),
	    REQUEST("eu-west-1", "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n3\r\n{\"a\r\n"
				 "6\r\n\":\"b\"}\r\n0\r\n\r\n"),
	};
	struct buf out = {0};

	for (size_t i = 0; i < sizeof raws / sizeof raws[0]; i++) {
		for (size_t step = 1; step <= strlen(raws[i]) + 1; step++) {
			setup(state);
			for (uint32_t again = 1; again <= 2; again++) {
				feed(raws[i], step);
				assert_int_equal(fixture->conn.state, CONN_RUNNING);
				assert_int_equal(fixture->n, again);
				assert_true(bytes_is(buf_bytes(&fixture->head), SENT));
				assert_true(bytes_is(buf_bytes(&fixture->body), "{\"a\":\"b\"}"));
				reply_as_peer("HTTP/1.1 400 Bad Request\r\nServer: x\r\nContent-Length: 3\r\n"
					      "Connection: close\r\n\r\nabc");
				take_reply(&out);
				assert_string_equal((char *)out.at,
				    "HTTP/1.1 400 Bad Request\r\nServer: x\r\nContent-Length: 3\r\n\r\nabc");
				assert_int_equal(fixture->conn.state, CONN_IDLE);
			}
			/* The next one on the connection is this region's own. */
			feed(REQUEST("us-east-1", "Content-Length: 2\r\n\r\n{}"), step);
			take_reply(&out);
			assert_int_equal(fixture->handled, 1);
			assert_int_equal(fixture->n, 2);
			assert_non_null(strstr((char *)out.at, "\r\n\r\n{}"));
			assert_int_equal(fixture->host.errors_client, 2);
			teardown(state);
		}
	}
	buf_fini(&out);
}

static void
what_is_not_known_to_be_elsewhere_is_answered_here(void **state)
{
	static const char *const raws[] = {
	    REQUEST("us-east-1", "Content-Length: 2\r\n\r\n{}"),
	    REQUEST("mars-1", "Content-Length: 2\r\n\r\n{}"),
	    REQUEST("eu-west-1", "X-Tidemark-Forwarded: us-east-1\r\nContent-Length: 2\r\n\r\n{}"),
	};
	struct buf out = {0};

	(void)state;
	for (uint32_t i = 0; i < sizeof raws / sizeof raws[0]; i++) {
		feed(raws[i], SIZE_MAX);
		take_reply(&out);
		assert_int_equal(fixture->n, 0);
		assert_int_equal(fixture->handled, i + 1);
		assert_memory_equal(out.at, "HTTP/1.1 200 OK\r\n", 17);
	}
	buf_fini(&out);
}

static void
a_request_that_was_sent_to_the_wrong_region_is_refused(void **state)
{
	struct buf out = {0};

	(void)state;
	feed(
	    REQUEST("eu-west-1", "X-Tidemark-Forwarded: eu-west-1\r\nContent-Length: 2\r\n\r\n{}"), SIZE_MAX);
	take_reply(&out);
	assert_int_equal(fixture->n, 0);
	assert_int_equal(fixture->handled, 0);
	assert_memory_equal(out.at, "HTTP/1.1 503 Service Unavailable\r\n", 34);
	assert_non_null(strstr((char *)out.at, "This is region us-east-1, not eu-west-1: "));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_region_of_a_scope_is_found),
	    cmocka_unit_test(a_head_goes_on_without_what_belongs_to_its_connection),
	    cmocka_unit_test(a_reply_is_taken_however_it_is_cut),
	    cmocka_unit_test(a_foreign_request_is_sent_on_however_it_is_cut),
	    cmocka_unit_test_setup_teardown(
		what_is_not_known_to_be_elsewhere_is_answered_here, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_request_that_was_sent_to_the_wrong_region_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
