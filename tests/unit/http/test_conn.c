/* A connection without a socket: what goes in, what comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "api/http/coding.h"
#include "api/http/conn.h"

#define SIGNED                                                                                               \
	"Authorization: AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, "              \
	"Signature=ab\r\n"                                                                                   \
	"X-Amz-Date: 20260101T000000Z\r\n"
#define POST_LINE "POST / HTTP/1.1\r\nHost: h\r\n"
#define JSON_HEADERS "Content-Type: application/x-amz-json-1.0\r\n" SIGNED
#define HEAD(operation) POST_LINE JSON_HEADERS "X-Amz-Target: DynamoDB_20120810." operation "\r\n"

static struct request *left; /* by the operation that answers later */

static void
handle_echo(struct request *request)
{
	const struct json *text = json_get(&request->body, "text");

	buf_append_string(&request->reply, "{\"text\":");
	json_write_string(
	    &request->reply, text != NULL && text->type == JSON_STRING ? text->text : BYTES_LITERAL(""));
	buf_append_byte(&request->reply, '}');
	request_ok(request);
}

static void
handle_later(struct request *request)
{
	left = request;
}

static void
handle_fail(struct request *request)
{
	struct tide_error error;

	tide_fail(&error, TIDE_CONDITION_FAILED, NULL);
	request_fail(request, &error, ",\"Item\":{}");
}

static void
handle_break(struct request *request)
{
	struct tide_error error;

	tide_fail(&error, TIDE_GAP, "inside \"matter\"");
	buf_append_string(&request->reply, "half a reply");
	request_fail(request, &error, ",\"x\":1");
}

static void
handle_big(struct request *request)
{
	buf_append_string(&request->reply, "{\"a\":\"");
	for (int i = 0; i < 100000; i++)
		buf_append_byte(&request->reply, 'a');
	buf_append_string(&request->reply, "\"}");
	request_ok(request);
}

static void
handle_xml(struct request *request)
{
	buf_append_string(&request->reply, "<x/>");
	request_ok(request);
}

static const struct operation *
find(struct bytes name)
{
	static const struct operation operations[] = {{"Echo", handle_echo}, {"Later", handle_later},
	    {"Fail", handle_fail}, {"TrentService.Echo", handle_echo}, {"STS.GetCallerIdentity", handle_xml},
	    {"Break", handle_break}, {"Big", handle_big}};

	for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
		if (bytes_is(name, operations[i].name))
			return &operations[i];
	}
	return NULL;
}

static void
answered(struct conn *conn)
{
	if (conn->dispatching)
		conn->answered_at_once = true;
}

struct fixture {
	_Atomic uint64_t memory;
	struct conn_host host;
	struct conn conn;
	struct buf out; /* NUL after it */
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	f->host.find = find;
	f->host.answered = answered;
	f->host.memory = &f->memory;
	f->host.memory_max = 64 << 20;
	http_ids_init(&f->host.ids);
	http_date(0, f->host.date);
	conn_init(&f->conn, &f->host);
	left = NULL;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	conn_fini(&f->conn);
	assert_int_equal(f->memory, 0);
	buf_fini(&f->out);
	free(f);
	return 0;
}

/* Take what the connection has to say, `step` bytes at a time. */
static void
drain(struct fixture *f, size_t step)
{
	struct iovec out[2];

	while (f->conn.state == CONN_REPLY) {
		int n = conn_output(&f->conn, out);
		size_t part;

		assert_true(n > 0);
		part = out[0].iov_len < step ? out[0].iov_len : step;
		buf_append(&f->out, out[0].iov_base, part);
		conn_sent(&f->conn, part);
	}
	buf_append_byte(&f->out, 0);
	f->out.n--;
}

static void
feed(struct fixture *f, const void *from, size_t n, size_t step)
{
	const uint8_t *at = from;
	size_t taken;

	while (n > 0 && conn_wants_input(&f->conn)) {
		/* A copy of its own, so that a look beyond it is seen. */
		size_t part = n < step ? n : step;
		uint8_t *copy = malloc(part);

		assert_non_null(copy);
		memcpy(copy, at, part);
		conn_take(&f->conn, copy, part, &taken);
		free(copy);
		assert_true(taken <= part);
		assert_true(taken > 0);
		at += taken;
		n -= taken;
		drain(f, step);
	}
}

static void
ask(struct fixture *f, const char *raw)
{
	buf_clear(&f->out);
	feed(f, raw, strlen(raw), SIZE_MAX);
}

static const char *
reply(const struct fixture *f)
{
	return f->out.n == 0 ? "" : (const char *)f->out.at;
}

static const struct exchange {
	const char *name, *raw, *status;
	const char *part; /* of the reply */
	bool ends; /* the connection, after it */
} exchanges[] = {
    {"a request", HEAD("Echo") "Content-Length: 12\r\n\r\n{\"text\":\"x\"}", "200 OK",
	"\r\n\r\n{\"text\":\"x\"}", false},
    {"chunked",
	HEAD("Echo") "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\n{\"tex\r\n7\r\nt\":\"x\"}\r\n0\r\nTrailer: "
		     "x\r\n\r\n",
	"200 OK", "{\"text\":\"x\"}", false},
    {"expects to be told to go on", HEAD("Echo") "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
	"200 OK", "{\"text\":\"\"}", false},
    {"asks to close", HEAD("Echo") "Connection: close\r\nContent-Length: 2\r\n\r\n{}", "200 OK",
	"Connection: close\r\n", true},
    {"offers another protocol",
	HEAD("Echo") "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
		     "x\r\nContent-Length: 2\r\n\r\n{}",
	"200 OK", "{\"text\":\"\"}", false},
    {"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "200 OK", "healthy: ", true},
    {"HTTP/1.0 kept alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "200 OK",
	"Connection: keep-alive\r\n", false},
    {"empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a.b:8001\r\n\r\n", "200 OK",
	"\r\n\r\nhealthy: a.b:8001 ", false},
    {"another path", "GET /x HTTP/1.1\r\n\r\n", "404 Not Found", "<UnknownOperationException/>", false},
    {"another method", "PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", "404 Not Found",
	"<UnknownOperationException/>", false},
    {"no method at all", "BREW / HTTP/1.1\r\n\r\n", "404 Not Found", "<UnknownOperationException/>", true},
    {"CONNECT", "CONNECT h:1 HTTP/1.1\r\n\r\n", "404 Not Found", "Unknown", false},
    {"HEAD", "HEAD / HTTP/1.1\r\n\r\n", "404 Not Found", "Content-Length: 29\r\n", false},
    {"another content type", POST_LINE SIGNED "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
	"404 Not Found", "<Unknown", false},
    {"preflight", "OPTIONS / HTTP/1.1\r\nOrigin: http://x\r\nAccess-Control-Request-Headers: a, b\r\n\r\n",
	"200 OK", "Access-Control-Allow-Headers: a, b\r\n", false},
    {"preflight's method",
	"OPTIONS / HTTP/1.1\r\nOrigin: http://x\r\nAccess-Control-Request-Method: POST\r\n\r\n", "200 OK",
	"Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: POST\r\nAccess-Control-Max-Age: "
	"172800\r\n\r\n",
	false},
    {"OPTIONS of no page", "OPTIONS / HTTP/1.1\r\n\r\n", "404 Not Found", "x-amz-crc32: 3552371480\r\n",
	false},
    {"DELETE", "DELETE / HTTP/1.1\r\n\r\n", "404 Not Found", "x-amz-crc32: 3552371480\r\n", false},
    {"health check as the service's own", "GET / HTTP/1.1\r\nHost: dynamodb.us-east-1.amazonaws.com\r\n\r\n",
	"200 OK", "x-amz-crc32: 3128867991\r\n", false},
    {"neither body nor type", POST_LINE "\r\n", "400 Bad Request", "#UnknownOperationException\"}", false},
    {"plain JSON",
	HEAD("Echo") "Content-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}", "200 OK",
	"Content-Type: application/json\r\n", false},
    {"AWS JSON 1.1", HEAD("Echo") "Content-Type: application/x-amz-json-1.1\r\nContent-Length: 2\r\n\r\n{}",
	"404 Not Found", "<Unknown", false},
    {"another service",
	POST_LINE SIGNED "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: "
			 "TrentService.Echo\r\nContent-Length: 2\r\n\r\n{}",
	"200 OK", "Content-Type: application/x-amz-json-1.1\r\n", false},
    {"another service's unknown operation",
	POST_LINE SIGNED "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: "
			 "TrentService.Nothing\r\nContent-Length: 2\r\n\r\n{}",
	"400 Bad Request", "UnknownOperationException", false},
    {"no JSON for no operation", HEAD("Nothing") "Content-Length: 2\r\n\r\nhi", "400 Bad Request",
	"#SerializationException", false},
    {"no JSON, unsigned",
	POST_LINE "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: "
		  "DynamoDB_20120810.Echo\r\nContent-Length: 2\r\n\r\nhi",
	"400 Bad Request", "#SerializationException", false},
    {"a form",
	POST_LINE SIGNED "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\nContent-Length: "
			 "43\r\n\r\nAction=GetCallerIdentity&Version=2011-06-15",
	"200 OK", "Content-Type: text/xml\r\n", false},
    {"a form, unsigned",
	POST_LINE "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "
		  "43\r\n\r\nVersion=2011-06-15&Action=GetCallerIdentity",
	"403 Forbidden", "<Code>MissingAuthenticationToken</Code>", false},
    {"another form",
	POST_LINE SIGNED "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "
			 "17\r\n\r\nAction=AssumeRole",
	"400 Bad Request", "<Code>InvalidAction</Code>", false},
    {"from a page", HEAD("Nothing") "Origin: http://x\r\nContent-Length: 2\r\n\r\n{}", "400 Bad Request",
	"Access-Control-Allow-Origin: *\r\n", false},
    {"no target", POST_LINE JSON_HEADERS "Content-Length: 2\r\n\r\n{}", "400 Bad Request",
	"\r\n\r\n{\"__type\":\"com.amazon.coral.service#UnknownOperationException\"}", false},
    {"unknown operation", HEAD("Nothing") "Content-Length: 2\r\n\r\n{}", "400 Bad Request",
	"UnknownOperationException", false},
    {"unsigned",
	POST_LINE "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: "
		  "DynamoDB_20120810.Echo\r\nContent-Length: 2\r\n\r\n{}",
	"400 Bad Request", "#MissingAuthenticationTokenException\",\"message\":\"Request is missing", false},
    {"no body", HEAD("Echo") "\r\n", "400 Bad Request", "#SerializationException\",\"Message\":\"", false},
    {"empty body", HEAD("Echo") "Content-Length: 0\r\n\r\n", "400 Bad Request", "#SerializationException",
	false},
    {"an array", HEAD("Echo") "Content-Length: 2\r\n\r\n[]", "400 Bad Request", "#SerializationException",
	false},
    {"cut JSON", HEAD("Echo") "Content-Length: 2\r\n\r\n{\"", "400 Bad Request", "#SerializationException",
	false},
    {"bad UTF-8", HEAD("Echo") "Content-Length: 12\r\n\r\n{\"text\":\"\xff\"}", "400 Bad Request",
	"#SerializationException", false},
    {"an error with members", HEAD("Fail") "Content-Length: 2\r\n\r\n{}", "400 Bad Request",
	"ConditionalCheckFailedException\",\"message\":\"The conditional request failed\",\"Item\":{}}",
	false},
    {"an error of ours", HEAD("Break") "Content-Length: 2\r\n\r\n{}", "500 Internal Server Error",
	"\r\n\r\n{\"__type\":\"com.amazonaws.dynamodb.v20120810#InternalServerError\",\"message\":\"Internal "
	"server error\"}",
	false},
    {"not HTTP", "\x16\x03\x01", "404 Not Found", "", true},
    {"bad header", "GET / HTTP/1.1\r\n:x\r\n\r\n", "400 Bad Request", "", true},
    {"bad version", "GET / HTTP/x\r\n\r\n", "400 Bad Request", "", true},
    {"both lengths", HEAD("Echo") "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
	"400 Bad Request", "", true},
    {"two lengths", HEAD("Echo") "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "400 Bad Request", "",
	true},
    {"length with a sign", HEAD("Echo") "Content-Length: -1\r\n\r\n", "400 Bad Request", "", true},
    {"length over 64 bits", HEAD("Echo") "Content-Length: 99999999999999999999999\r\n\r\n", "400 Bad Request",
	"", true},
    {"length over the bound", HEAD("Echo") "Content-Length: 17825793\r\n\r\n", "413 Payload Too Large",
	"RequestEntityTooLarge", true},
    {"bad chunk", HEAD("Echo") "Transfer-Encoding: chunked\r\n\r\nx\r\n", "400 Bad Request", "", true},
    {"unknown coding", HEAD("Echo") "Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
	"500 Internal Server Error", "", false},
    {"not of its coding", HEAD("Echo") "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
	"400 Bad Request", "#Serialization", false},
};

/* Every exchange in one piece and in pieces of every size from one byte up. */
static void
requests_are_answered_however_they_are_cut(void **state)
{
	for (size_t i = 0; i < sizeof exchanges / sizeof exchanges[0]; i++) {
		const struct exchange *e = &exchanges[i];
		size_t n = strlen(e->raw);

		for (size_t step = 1; step <= n; step = step < 9 ? step + 1 : step * 2) {
			struct fixture *f;
			char status[64];

			assert_int_equal(setup(state), 0);
			f = *state;
			feed(f, e->raw, n, step);
			snprintf(status, sizeof status, "HTTP/1.1 %s\r\n", e->status);
			if (strncmp(reply(f), status, strlen(status)) != 0 ||
			    strstr(reply(f), e->part) == NULL ||
			    f->conn.state != (e->ends ? CONN_LINGER : CONN_IDLE))
				fail_msg("%s, %zu bytes at a time: state %d, reply %s", e->name, step,
				    f->conn.state, reply(f));
			teardown(state);
		}
	}
}

static void
a_reply_carries_length_id_and_checksum(void **state)
{
	struct fixture *f = *state;
	const char *body;
	char want[64];

	ask(f, HEAD("Echo") "Content-Length: 12\r\n\r\n{\"text\":\"x\"}");
	body = strstr(reply(f), "\r\n\r\n") + 4;
	snprintf(
	    want, sizeof want, "x-amz-crc32: %lu\r\n", crc32(0, (const Bytef *)body, (uInt)strlen(body)));
	assert_non_null(strstr(reply(f), want));
	assert_non_null(strstr(reply(f), "Content-Length: 12\r\n"));
	assert_non_null(strstr(reply(f), "Content-Type: application/x-amz-json-1.0\r\n"));
	assert_int_equal(
	    strspn(strstr(reply(f), "x-amzn-RequestId: ") + 18, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"), 52);
}

static void
pipelined_requests_are_answered_in_order(void **state)
{
	struct fixture *f = *state;
	const char *at;
	char raw[4096] = "", want[8];

	for (int i = 0; i < 5; i++) {
		size_t n = strlen(raw);

		snprintf(
		    raw + n, sizeof raw - n, HEAD("Echo") "Content-Length: 12\r\n\r\n{\"text\":\"%d\"}", i);
	}
	ask(f, raw);
	at = reply(f);
	for (int i = 0; i < 5; i++) {
		snprintf(want, sizeof want, "\"%d\"}", i);
		at = strstr(at, want);
		assert_non_null(at);
	}
	assert_int_equal(f->conn.state, CONN_IDLE);
}

static void
nothing_is_taken_while_an_operation_has_the_request(void **state)
{
	static const char raw[] = HEAD("Later") "Content-Length: 2\r\n\r\n{}" HEAD("Echo");
	struct fixture *f = *state;
	size_t taken;

	conn_take(&f->conn, (const uint8_t *)raw, sizeof raw - 1, &taken);
	assert_int_equal(taken, sizeof HEAD("Later") "Content-Length: 2\r\n\r\n{}" - 1);
	assert_int_equal(f->conn.state, CONN_RUNNING);
	assert_false(conn_wants_input(&f->conn));
	buf_append_string(&left->reply, "{}");
	request_ok(left);
	conn_answer(&f->conn);
	drain(f, 7);
	assert_non_null(strstr(reply(f), "200 OK"));
	assert_int_equal(f->conn.state, CONN_IDLE);
}

static void
the_client_is_told_to_go_on_once(void **state)
{
	static const char head[] = HEAD("Echo") "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
	struct fixture *f = *state;

	feed(f, head, sizeof head - 1, SIZE_MAX);
	assert_int_equal(f->conn.state, CONN_BODY);
	assert_true(conn_continue(&f->conn));
	assert_false(conn_continue(&f->conn));
	feed(f, "{}", 2, 1);
	assert_int_equal(f->conn.state, CONN_IDLE);
}

static void
large_headers_end_the_connection(void **state)
{
	struct fixture *f = *state;
	char raw[HTTP_HEADER_BYTES_MAX + 200];

	memset(raw, 'a', sizeof raw);
	memcpy(raw, "GET / HTTP/1.1\r\nX: ", 19);
	feed(f, raw, sizeof raw, 1000);
	assert_non_null(strstr(reply(f), "400 Bad Request"));
	assert_int_equal(f->conn.state, CONN_LINGER);
}

static void
a_chunked_body_is_bounded_without_a_length(void **state)
{
	static const char head[] = HEAD("Echo") "Transfer-Encoding: chunked\r\n\r\n";
	static char chunk[65536 + 9];
	struct fixture *f = *state;
	int n = 0;

	memcpy(chunk, "10000\r\n", 7);
	memset(chunk + 7, ' ', 65536);
	memcpy(chunk + 7 + 65536, "\r\n", 2);
	feed(f, head, sizeof head - 1, SIZE_MAX);
	while (conn_wants_input(&f->conn) && n++ < 1000)
		feed(f, chunk, sizeof chunk, SIZE_MAX);
	assert_int_equal(n, HTTP_BODY_BYTES_MAX / 65536 + 1);
	assert_non_null(strstr(reply(f), "413 Payload Too Large"));
}

static void
a_compressed_body_is_read_and_a_large_reply_compressed(void **state)
{
	struct fixture *f = *state;
	struct buf packed = {0}, back = {0};
	const char *body, *length;
	char head[1024];

	assert_int_equal(http_deflate(HTTP_GZIP, BYTES_LITERAL("{\"text\":\"packed\"}"), &packed), TIDE_OK);
	snprintf(head, sizeof head, HEAD("Echo") "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
	    packed.n);
	feed(f, head, strlen(head), SIZE_MAX);
	feed(f, packed.at, packed.n, 5);
	assert_non_null(strstr(reply(f), "{\"text\":\"packed\"}"));
	ask(f, HEAD("Big") "Accept-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}");
	assert_non_null(strstr(reply(f), "Content-Encoding: gzip\r\n"));
	length = strstr(reply(f), "Content-Length: ");
	body = strstr(reply(f), "\r\n\r\n") + 4;
	assert_int_equal(
	    http_inflate(HTTP_GZIP, bytes_of(body, (size_t)atoi(length + 16)), 1 << 20, &back), TIDE_OK);
	assert_int_equal(back.n, 100008);
	ask(f, HEAD("Big") "Content-Length: 2\r\n\r\n{}");
	assert_null(strstr(reply(f), "Content-Encoding"));
	buf_fini(&packed);
	buf_fini(&back);
}

static void
a_body_over_the_servers_memory_is_turned_away(void **state)
{
	static const char head[] = HEAD("Echo") "Content-Length: 1000000\r\n\r\n";
	struct fixture *f = *state;

	f->host.memory_max = 500000;
	feed(f, head, sizeof head - 1, SIZE_MAX);
	assert_non_null(strstr(reply(f), "503 Service Unavailable"));
	assert_non_null(strstr(reply(f), "ServiceUnavailableException"));
	assert_int_equal(f->conn.state, CONN_LINGER);
	assert_int_equal(f->memory, 0);
}

static void
a_tree_over_the_servers_memory_is_turned_away(void **state)
{
	static const char head[] = HEAD("Echo") "Content-Length: 40004\r\n\r\n[[";
	struct fixture *f = *state;

	f->host.memory_max = 500000;
	feed(f, head, sizeof head - 1, SIZE_MAX);
	for (int i = 0; i < 10000; i++)
		feed(f, "0,0,", 4, SIZE_MAX);
	feed(f, "0]", 2, SIZE_MAX);
	assert_non_null(strstr(reply(f), "HTTP/1.1 "));
	assert_null(strstr(reply(f), "200 OK"));
	ask(f, HEAD("Echo") "Content-Length: 2\r\n\r\n{}");
	assert_non_null(strstr(reply(f), "200 OK"));
	assert_int_equal(f->memory, 0);
}

static void
the_last_reply_of_a_draining_server_says_so(void **state)
{
	struct fixture *f = *state;

	f->conn.draining = true;
	ask(f, HEAD("Echo") "Content-Length: 2\r\n\r\n{}");
	assert_non_null(strstr(reply(f), "Connection: close\r\n"));
	assert_int_equal(f->conn.state, CONN_LINGER);
}

static void
a_connection_forgets_one_request_before_the_next(void **state)
{
	struct fixture *f = *state;

	ask(f, "OPTIONS / HTTP/1.1\r\nOrigin: x\r\n\r\n");
	ask(f, "HEAD / HTTP/1.1\r\n\r\n");
	ask(f, HEAD("Echo") "Content-Length: 12\r\n\r\n{\"text\":\"x\"}");
	assert_null(strstr(reply(f), "Access-Control"));
	assert_non_null(strstr(reply(f), "{\"text\":\"x\"}"));
	ask(f, POST_LINE JSON_HEADERS "Content-Length: 2\r\n\r\n{}");
	assert_non_null(strstr(reply(f), "UnknownOperationException"));
	assert_int_equal(f->host.requests, 4);
	assert_int_equal(f->host.errors_client, 2);
}

static void
handle_metrics(struct request *request)
{
	buf_append_string(&request->reply, "x 1\n");
	request_ok(request);
}

static void
metrics_go_to_their_handler(void **state)
{
	static const struct operation metrics = {"GET /metrics", handle_metrics};
	struct fixture *f = *state;

	ask(f, "GET /metrics HTTP/1.1\r\n\r\n");
	assert_non_null(strstr(reply(f), "404 Not Found"));
	f->host.metrics = &metrics;
	ask(f, "GET /metrics HTTP/1.1\r\n\r\n");
	assert_non_null(strstr(reply(f), "200 OK"));
	assert_non_null(strstr(reply(f), "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	assert_non_null(strstr(reply(f), "\r\n\r\nx 1\n"));
	ask(f, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_non_null(strstr(reply(f), "healthy: h"));
	ask(f, HEAD("Echo") "Content-Length: 12\r\n\r\n{\"text\":\"x\"}");
	assert_non_null(strstr(reply(f), "Content-Type: application/x-amz-json-1.0\r\n"));
}

static const struct tally_sum *
tallied(const struct tally_sum *sums, uint32_t n, const char *operation)
{
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(sums[i].operation->name, operation) == 0)
			return &sums[i];
	return NULL;
}

static void
requests_are_tallied_by_operation_and_outcome(void **state)
{
	struct fixture *f = *state;
	struct tally_sum *sums = calloc(TALLY_SLOTS, sizeof *sums);
	const struct tally_sum *echo, *fail, *unknown;
	uint32_t n = 0;

	assert_non_null(sums);
	for (int i = 0; i < 3; i++)
		ask(f, HEAD("Echo") "Content-Length: 2\r\n\r\n{}");
	ask(f, HEAD("Echo") "Content-Length: 2\r\n\r\n{]");
	ask(f, HEAD("Fail") "Content-Length: 2\r\n\r\n{}");
	ask(f, HEAD("Strange") "Content-Length: 2\r\n\r\n{}");
	ask(f, "GET / HTTP/1.1\r\n\r\n"); /* no operation */
	tally_sum(&f->host.tally, sums, &n);
	tally_sum(&f->host.tally, sums, &n); /* as of two threads */
	assert_int_equal(n, 3);
	echo = tallied(sums, n, "Echo");
	fail = tallied(sums, n, "Fail");
	unknown = tallied(sums, n, "Unknown");
	assert_true(echo != NULL && fail != NULL && unknown != NULL);
	assert_int_equal(echo->codes[TIDE_OK], 6);
	assert_int_equal(echo->codes[TIDE_SERIALIZATION], 2);
	assert_int_equal(echo->n, 8);
	assert_int_equal(fail->codes[TIDE_CONDITION_FAILED], 2);
	assert_int_equal(unknown->codes[TIDE_UNKNOWN_OPERATION], 2);
	assert_int_equal(f->host.requests, 7);
	assert_true(f->host.received > 0 && f->host.sent > 0);
	free(sums);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_are_answered_however_they_are_cut),
	    TEST(a_reply_carries_length_id_and_checksum),
	    TEST(pipelined_requests_are_answered_in_order),
	    TEST(nothing_is_taken_while_an_operation_has_the_request),
	    TEST(the_client_is_told_to_go_on_once),
	    TEST(large_headers_end_the_connection),
	    TEST(a_chunked_body_is_bounded_without_a_length),
	    TEST(a_compressed_body_is_read_and_a_large_reply_compressed),
	    TEST(a_body_over_the_servers_memory_is_turned_away),
	    TEST(a_tree_over_the_servers_memory_is_turned_away),
	    TEST(the_last_reply_of_a_draining_server_says_so),
	    TEST(a_connection_forgets_one_request_before_the_next),
	    TEST(metrics_go_to_their_handler),
	    TEST(requests_are_tallied_by_operation_and_outcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
