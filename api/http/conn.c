#include "api/http/conn.h"

#include <assert.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "api/http/coding.h"

#define KEEP_BYTES 16384 /* a buffer over this is released when its request is done */
#define CHARGE_FREE 65536 /* what every connection may hold without being counted */
#define TREE_BYTES_BASE (4u << 20)
#define TREE_BYTES_PER_BODY_BYTE 32 /* far over what requests take; only texts like "[[],[]," go over */
#define OPERATION_BYTES_MAX (256u << 20)
#define DEFLATE_MIN 4096

#define JSON_TYPE "application/x-amz-json-1.0"
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

void
conn_init(struct conn *conn, struct conn_host *host)
{
	conn->host = host;
	conn->state = CONN_IDLE;
	conn->request.region = host->region;
	conn->request.connection = conn;
	arena_init(&conn->request.arena, 0);
	http_parser_init(&conn->parser, HTTP_REQUEST);
	conn->parser.data = conn;
}

/* Count what this connection holds beyond its free share. False: the server as a whole holds too much. */
static bool
charge(struct conn *conn, uint64_t bytes)
{
	uint64_t want = bytes > CHARGE_FREE ? bytes : 0;
	uint64_t now;

	if (want == conn->charged)
		return true;
	if (want < conn->charged) {
		atomic_fetch_sub_explicit(conn->host->memory, conn->charged - want, memory_order_relaxed);
		conn->charged = want;
		return true;
	}
	now = atomic_fetch_add_explicit(conn->host->memory, want - conn->charged, memory_order_relaxed);
	if (now + (want - conn->charged) > conn->host->memory_max) {
		atomic_fetch_sub_explicit(conn->host->memory, want - conn->charged, memory_order_relaxed);
		return false;
	}
	conn->charged = want;
	return true;
}

void
conn_fini(struct conn *conn)
{
	charge(conn, 0);
	http_head_fini(&conn->head);
	buf_fini(&conn->body_buf);
	buf_fini(&conn->inflated);
	buf_fini(&conn->deflated);
	buf_fini(&conn->reply_head);
	buf_fini(&conn->request.reply);
	arena_fini(&conn->request.arena);
}

static void
shrink(struct buf *buf)
{
	if (buf->room > KEEP_BYTES)
		buf_fini(buf);
	else
		buf_clear(buf);
}

/* --- making a reply --- */

/* Compress the body where the client takes it and it is worth it. */
static struct bytes
encode_body(struct conn *conn, enum http_coding *coding)
{
	struct bytes body = buf_bytes(&conn->request.reply);

	*coding = HTTP_IDENTITY;
	if (body.n < DEFLATE_MIN)
		return body;
	*coding = http_accepted_coding(http_head_get(&conn->head, HTTP_ACCEPT_ENCODING));
	if (*coding == HTTP_IDENTITY)
		return body;
	if (http_deflate(*coding, body, &conn->deflated) == TIDE_OK)
		return buf_bytes(&conn->deflated);
	*coding = HTTP_IDENTITY;
	return body;
}

static uint64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* On the thread's own counters. */
static void
count(struct conn *conn)
{
	struct conn_host *host = conn->host;

	tally_count(&host->requests, 1);
	if (conn->status >= 500)
		tally_count(&host->errors_server, 1);
	else if (conn->status >= 400)
		tally_count(&host->errors_client, 1);
	if (conn->begun_us != 0)
		tally_add(&host->tally, conn->request.operation, conn->code, now_us() - conn->begun_us);
	conn->begun_us = 0;
}

/* Nothing can be sent, so the connection ends without a reply. */
static void
give_up(struct conn *conn)
{
	conn->out[0] = BYTES_NONE;
	conn->out[1] = BYTES_NONE;
	conn->keep_alive = false;
	conn->state = CONN_REPLY;
	conn_sent(conn, 0);
}

void
conn_answer(struct conn *conn)
{
	struct http_reply reply = {
	    .status = conn->status,
	    .content_type = conn->content_type,
	    .keep_alive = conn->keep_alive && !conn->draining,
	    .http_1_0 = conn->parser.http_major == 1 && conn->parser.http_minor == 0,
	    .checksum = conn->content_type != NULL,
	    .cors = conn->head.fields[HTTP_ORIGIN].present || conn->preflight,
	    .date = conn->host->date,
	};
	char id[HTTP_REQUEST_ID_LENGTH];

	conn->keep_alive = reply.keep_alive;
	http_ids_next(&conn->host->ids, id);
	reply.id = id;
	reply.body = encode_body(conn, &reply.coding);
	if (conn->preflight) {
		reply.preflight = http_head_get(&conn->head, HTTP_REQUEST_HEADERS);
		if (reply.preflight.at == NULL)
			reply.preflight = BYTES_LITERAL("");
	}
	buf_clear(&conn->reply_head);
	http_reply_head(&conn->reply_head, &reply);
	count(conn);
	if (buf_check(&conn->reply_head) != TIDE_OK) {
		give_up(conn);
		return;
	}
	conn->out[0] = buf_bytes(&conn->reply_head);
	conn->out[1] = conn->no_body ? BYTES_NONE : reply.body;
	conn->state = CONN_REPLY;
}

static void
answer_text(struct conn *conn, int status, const char *type, const char *text)
{
	conn->status = status;
	conn->content_type = type;
	buf_clear(&conn->request.reply);
	buf_append_string(&conn->request.reply, text);
	conn_answer(conn);
}

/* An error that leaves the position in the byte stream unknown or not worth finding. */
static void
refuse_error(struct conn *conn, const struct tide_error *error)
{
	conn->keep_alive = false;
	conn->dispatching = true;
	request_fail(&conn->request, error, NULL);
	conn->dispatching = false;
	conn->answered_at_once = false;
	conn_answer(conn);
}

void
conn_refuse(struct conn *conn, int status, const char *text)
{
	assert(conn_wants_input(conn));
	conn->keep_alive = false;
	answer_text(conn, status, "text/plain", text);
}

/* --- running a request --- */

/* The body as it was before Content-Encoding. */
static tide_err
decode_body(struct conn *conn, struct bytes *body, struct tide_error *error)
{
	enum http_coding coding = http_content_coding(http_head_get(&conn->head, HTTP_CONTENT_ENCODING));
	tide_err rc;

	*body = conn->body;
	if (coding == HTTP_IDENTITY)
		return TIDE_OK;
	if (coding == HTTP_CODING_UNKNOWN)
		return tide_fail(error, TIDE_INTERNAL, NULL);
	if ((rc = http_inflate(coding, conn->body, HTTP_BODY_BYTES_MAX, &conn->inflated)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	*body = buf_bytes(&conn->inflated);
	return charge(conn, conn->body_buf.room + conn->inflated.room)
		   ? TIDE_OK
		   : tide_fail(error, TIDE_UNAVAILABLE, NULL);
}

static tide_err
parse_request(struct conn *conn, struct tide_error *error)
{
	struct request *request = &conn->request;
	struct bytes name, body;
	tide_err rc;

	if (!http_target_parse(http_head_get(&conn->head, HTTP_TARGET), &name) ||
	    (request->operation = conn->host->find(name)) == NULL)
		return tide_fail(error, TIDE_UNKNOWN_OPERATION, NULL);
	if ((rc = http_authorization_check(&conn->head, error)) != TIDE_OK)
		return rc;
	if ((rc = decode_body(conn, &body, error)) != TIDE_OK)
		return rc;
	request->arena.limit = TREE_BYTES_BASE + (size_t)TREE_BYTES_PER_BODY_BYTE * body.n;
	rc = json_parse(&request->arena, body, &request->body, error);
	/* Near the limit it was the text's doing, and the same text cannot succeed later: not an error to retry. */
	if (rc == TIDE_NOMEM && request->arena.used > request->arena.limit / 4)
		return tide_fail(error, TIDE_REQUEST_TOO_LARGE, NULL);
	if (rc != TIDE_OK)
		return rc;
	request->arena.limit = request->arena.used + OPERATION_BYTES_MAX;
	/* The tree borrows nothing from the body. */
	shrink(&conn->body_buf);
	shrink(&conn->inflated);
	if (!charge(conn, request->arena.used))
		return tide_fail(error, TIDE_UNAVAILABLE, NULL);
	if (request->body.type != JSON_OBJECT)
		return tide_fail(error, TIDE_SERIALIZATION, NULL);
	return TIDE_OK;
}

static void
run(struct conn *conn)
{
	struct tide_error error;

	conn->begun_us = now_us();
	conn->content_type = JSON_TYPE;
	conn->answered_at_once = false;
	conn->dispatching = true;
	conn->state = CONN_RUNNING;
	if (parse_request(conn, &error) == TIDE_OK)
		conn->request.operation->handle(&conn->request);
	else
		request_fail(&conn->request, &error, NULL);
	conn->dispatching = false;
	if (conn->answered_at_once)
		conn_answer(conn);
}

/* Like an operation, but for what it is not: neither parsed nor tallied. */
static void
run_metrics(struct conn *conn)
{
	conn->content_type = METRICS_TYPE;
	conn->answered_at_once = false;
	conn->dispatching = true;
	conn->state = CONN_RUNNING;
	conn->request.operation = conn->host->metrics;
	conn->request.arena.limit = OPERATION_BYTES_MAX;
	conn->host->metrics->handle(&conn->request);
	conn->dispatching = false;
	if (conn->answered_at_once)
		conn_answer(conn);
}

static void
dispatch(struct conn *conn)
{
	struct bytes host = http_head_get(&conn->head, HTTP_HOST);
	char text[300];

	conn->keep_alive = http_should_keep_alive(&conn->parser) != 0;
	switch (conn->parser.method) {
	case HTTP_POST:
		if (http_content_type_known(http_head_get(&conn->head, HTTP_CONTENT_TYPE))) {
			run(conn);
			return;
		}
		break;
	case HTTP_GET:
		if (bytes_is(http_head_path(&conn->head), "/")) {
			snprintf(text, sizeof text, "healthy: %.*s \n", (int)(host.n < 256 ? host.n : 256),
			    host.n > 0 ? (const char *)host.at : "");
			answer_text(conn, 200, "text/plain", text);
			return;
		}
		if (conn->host->metrics != NULL && bytes_is(http_head_path(&conn->head), "/metrics")) {
			run_metrics(conn);
			return;
		}
		break;
	case HTTP_OPTIONS:
		conn->preflight = true;
		answer_text(conn, 200, NULL, "");
		return;
	case HTTP_HEAD:
		conn->no_body = true;
		break;
	default:
		break;
	}
	answer_text(conn, 404, "text/xml", "<UnknownOperationException/>\n");
}

/* --- the parser's callbacks: zero goes on, -1 ends (1 would mean something else in on_headers_complete) --- */

static int
refuse_in_parser(struct conn *conn, tide_err rc)
{
	struct tide_error error;

	if (rc == TIDE_OK)
		return 0;
	conn->stopped = true;
	if (rc == TIDE_REQUEST_TOO_LARGE && conn->state == CONN_HEAD) {
		conn_refuse(conn, 400, "Request headers are too large\n");
		return -1;
	}
	tide_fail(&error, rc == TIDE_NOMEM ? TIDE_UNAVAILABLE : rc, NULL);
	conn->content_type = JSON_TYPE;
	refuse_error(conn, &error);
	return -1;
}

static int
on_message_begin(http_parser *parser)
{
	struct conn *conn = parser->data;

	conn->state = CONN_HEAD;
	return 0;
}

static int
on_url(http_parser *parser, const char *at, size_t n)
{
	struct conn *conn = parser->data;

	return refuse_in_parser(conn, http_head_url(&conn->head, at, n));
}

/* Trailers of a chunked body are counted by the parser's own bound and otherwise ignored. */
static int
on_header_field(http_parser *parser, const char *at, size_t n)
{
	struct conn *conn = parser->data;

	return conn->state == CONN_BODY ? 0 : refuse_in_parser(conn, http_head_field(&conn->head, at, n));
}

static int
on_header_value(http_parser *parser, const char *at, size_t n)
{
	struct conn *conn = parser->data;

	return conn->state == CONN_BODY ? 0 : refuse_in_parser(conn, http_head_value(&conn->head, at, n));
}

static int
on_headers_complete(http_parser *parser)
{
	struct conn *conn = parser->data;
	struct bytes expect = http_head_get(&conn->head, HTTP_EXPECT);

	/* An offer to speak another protocol (Java's client offers h2c) is declined by going on with this one. */
	if (parser->method != HTTP_CONNECT)
		parser->upgrade = 0;
	conn->state = CONN_BODY;
	if (parser->content_length != UINT64_MAX) {
		if (parser->content_length > HTTP_BODY_BYTES_MAX)
			return refuse_in_parser(conn, TIDE_REQUEST_TOO_LARGE);
		if (!charge(conn, parser->content_length))
			return refuse_in_parser(conn, TIDE_NOMEM);
	}
	conn->continue_wanted =
	    expect.n == 12 && strncasecmp((const char *)expect.at, "100-continue", 12) == 0;
	return 0;
}

static int
on_body(http_parser *parser, const char *at, size_t n)
{
	struct conn *conn = parser->data;

	conn->continue_wanted = false;
	/* After this piece nothing is missing: `content_length` counts down before the call. */
	if (conn->body_buf.n == 0 && (parser->flags & F_CHUNKED) == 0 && parser->content_length == 0) {
		conn->body = bytes_of(at, n);
		return 0;
	}
	if (n > HTTP_BODY_BYTES_MAX - conn->body_buf.n)
		return refuse_in_parser(conn, TIDE_REQUEST_TOO_LARGE);
	if (conn->body_buf.n == 0 && parser->content_length != UINT64_MAX &&
	    (parser->flags & F_CHUNKED) == 0 &&
	    buf_reserve(&conn->body_buf, n + parser->content_length) == NULL)
		return refuse_in_parser(conn, TIDE_NOMEM);
	buf_append(&conn->body_buf, at, n);
	if (conn->body_buf.failed || !charge(conn, conn->body_buf.room))
		return refuse_in_parser(conn, TIDE_NOMEM);
	conn->body = buf_bytes(&conn->body_buf);
	return 0;
}

static int
on_message_complete(http_parser *parser)
{
	struct conn *conn = parser->data;

	conn->continue_wanted = false;
	conn->stopped = true;
	http_parser_pause(parser, 1);
	return 0;
}

static const http_parser_settings settings = {
    .on_message_begin = on_message_begin,
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void
conn_take(struct conn *conn, const uint8_t *at, size_t n, size_t *taken)
{
	enum http_errno failed;

	assert(conn_wants_input(conn));
	*taken = n;
	if (n == 0)
		return;
	conn->stopped = false;
	*taken = http_parser_execute(&conn->parser, &settings, (const char *)at, n);
	tally_count(&conn->host->received, *taken);
	failed = HTTP_PARSER_ERRNO(&conn->parser);
	if (failed == HPE_PAUSED) {
		http_parser_pause(&conn->parser, 0);
		dispatch(conn);
		return;
	}
	if (conn->stopped) {
		*taken = n; /* refused: what follows is not looked at */
		return;
	}
	if (failed == HPE_OK && *taken == n)
		return; /* more has to come; empty lines between requests do not begin one */
	*taken = n;
	if (failed == HPE_INVALID_METHOD)
		conn_refuse(conn, 404, "<UnknownOperationException/>\n");
	else
		conn_refuse(conn, 400, "Bad request\n");
}

bool
conn_continue(struct conn *conn)
{
	bool wanted = conn->state == CONN_BODY && conn->continue_wanted;

	conn->continue_wanted = false;
	return wanted;
}

/* --- sending --- */

int
conn_output(const struct conn *conn, struct iovec out[2])
{
	int n = 0;

	for (int i = 0; i < 2; i++) {
		if (conn->out[i].n > 0)
			out[n++] = (struct iovec){(void *)conn->out[i].at, conn->out[i].n};
	}
	return n;
}

/* Ready for the next request on the same connection, with its small buffers kept. */
static void
reset(struct conn *conn)
{
	http_head_clear(&conn->head);
	shrink(&conn->body_buf);
	shrink(&conn->inflated);
	shrink(&conn->deflated);
	shrink(&conn->reply_head);
	shrink(&conn->request.reply);
	if (conn->request.arena.used > KEEP_BYTES)
		arena_fini(&conn->request.arena);
	else
		arena_reset(&conn->request.arena);
	charge(conn, 0);
	conn->body = BYTES_NONE;
	conn->preflight = false;
	conn->no_body = false;
	conn->request.operation = NULL;
	conn->state = CONN_IDLE;
}

void
conn_sent(struct conn *conn, size_t n)
{
	assert(conn->state == CONN_REPLY);
	tally_count(&conn->host->sent, n);
	for (int i = 0; i < 2; i++) {
		size_t part = n < conn->out[i].n ? n : conn->out[i].n;

		if (part == 0)
			continue; /* a reply without a body has no address to move */
		conn->out[i].at += part;
		conn->out[i].n -= part;
		n -= part;
	}
	assert(n == 0);
	if (conn->out[0].n > 0 || conn->out[1].n > 0)
		return;
	reset(conn);
	if (!conn->keep_alive)
		conn->state = CONN_LINGER;
}
