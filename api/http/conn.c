#include "api/http/conn.h"

#include <assert.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "api/http/coding.h"
#include "api/http/conn_priv.h"

#define KEEP_BYTES 16384 /* a buffer over this is released when its request is done */
#define CHARGE_FREE 65536 /* what every connection may hold without being counted */
#define DEFLATE_MIN 4096

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

bool
conn_charge(struct conn *conn, uint64_t bytes)
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
	conn_charge(conn, 0);
	http_head_fini(&conn->head);
	buf_fini(&conn->body_buf);
	buf_fini(&conn->inflated);
	buf_fini(&conn->deflated);
	buf_fini(&conn->reply_head);
	buf_fini(&conn->raw_head);
	buf_fini(&conn->request.reply);
	arena_fini(&conn->request.arena);
}

void
conn_shrink(struct buf *buf)
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

uint64_t
conn_now_us(void)
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
		tally_add(&host->tally, conn->request.operation, conn->code, conn_now_us() - conn->begun_us);
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

/* The head is in `reply_head`. */
static void
send_out(struct conn *conn, struct bytes body)
{
	count(conn);
	if (buf_check(&conn->reply_head) != TIDE_OK) {
		give_up(conn);
		return;
	}
	conn->out[0] = buf_bytes(&conn->reply_head);
	conn->out[1] = conn->no_body ? BYTES_NONE : body;
	conn->state = CONN_REPLY;
}

/* Another region's reply goes out as it came, but for what belongs to its connection. */
static void
answer_forwarded(struct conn *conn)
{
	bool http_1_0 = conn->parser.http_major == 1 && conn->parser.http_minor == 0;

	conn->keep_alive = conn->keep_alive && !conn->draining;
	buf_append_format(&conn->reply_head, "Content-Length: %zu\r\n%s\r\n", conn->request.reply.n,
	    !conn->keep_alive ? "Connection: close\r\n"
	    : http_1_0        ? "Connection: keep-alive\r\n"
			      : "");
	send_out(conn, buf_bytes(&conn->request.reply));
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
	    .cors = conn->head.fields[HTTP_ORIGIN].present,
	    .preflight = conn->preflight,
	    .date = conn->host->date,
	};
	char id[HTTP_REQUEST_ID_LENGTH];

	if (conn->forwarded) {
		answer_forwarded(conn);
		return;
	}
	conn->keep_alive = reply.keep_alive;
	http_ids_next(&conn->host->ids, id);
	reply.id = id;
	reply.body = encode_body(conn, &reply.coding);
	if (conn->preflight) {
		reply.allow_headers = http_head_get(&conn->head, HTTP_REQUEST_HEADERS);
		reply.allow_methods = http_head_get(&conn->head, HTTP_REQUEST_METHOD);
	}
	buf_clear(&conn->reply_head);
	http_reply_head(&conn->reply_head, &reply);
	send_out(conn, reply.body);
}

void
conn_answer_text(struct conn *conn, int status, const char *type, const char *text)
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
	conn_answer_text(conn, status, "text/plain", text);
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
	conn->content_type = CONN_JSON_1_0;
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
		if (!conn_charge(conn, parser->content_length))
			return refuse_in_parser(conn, TIDE_NOMEM);
	}
	conn->continue_wanted =
	    expect.n == 12 && strncasecmp((const char *)expect.at, "100-continue", 12) == 0;
	if (conn->host->n_peers > 0 && parser->method == HTTP_POST && conn_is_foreign(conn))
		http_parser_pause(parser, 1);
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
	if (conn->body_buf.failed || !conn_charge(conn, conn->body_buf.room))
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

/*
 * Where other regions' requests are sent on, their heads are kept as they came: the parser stops behind such a head. It stands
 * at its last byte then. All others are parsed where they lie, unless the head comes in several reads.
 */
static size_t
parse(struct conn *conn, const uint8_t *at, size_t n)
{
	http_parser *parser = &conn->parser;
	size_t taken = http_parser_execute(parser, &settings, (const char *)at, n);

	if (conn->host->n_peers == 0 || conn->stopped)
		return taken;
	if (conn->state == CONN_HEAD) {
		buf_append(&conn->raw_head, at, taken);
	} else if (HTTP_PARSER_ERRNO(parser) == HPE_PAUSED) {
		buf_append(&conn->raw_head, at, taken + 1);
		http_parser_pause(parser, 0);
		taken += http_parser_execute(parser, &settings, (const char *)at + taken, n - taken);
	}
	return taken;
}

void
conn_take(struct conn *conn, const uint8_t *at, size_t n, size_t *taken)
{
	enum http_errno failed;

	assert(conn_wants_input(conn));
	*taken = n;
	if (n == 0)
		return;
	conn->stopped = false;
	*taken = parse(conn, at, n);
	tally_count(&conn->host->received, *taken);
	failed = HTTP_PARSER_ERRNO(&conn->parser);
	if (failed == HPE_PAUSED) {
		http_parser_pause(&conn->parser, 0);
		conn_dispatch(conn);
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

void
conn_abandon(struct conn *conn)
{
	assert(conn->state == CONN_RUNNING && conn->peer != NULL);
	conn->state = CONN_LINGER;
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
	conn_shrink(&conn->body_buf);
	conn_shrink(&conn->inflated);
	conn_shrink(&conn->deflated);
	conn_shrink(&conn->reply_head);
	conn_shrink(&conn->raw_head);
	conn_shrink(&conn->request.reply);
	if (conn->request.arena.used > KEEP_BYTES)
		arena_fini(&conn->request.arena);
	else
		arena_reset(&conn->request.arena);
	conn_charge(conn, 0);
	conn->body = BYTES_NONE;
	conn->preflight = false;
	conn->no_body = false;
	conn->peer = NULL;
	conn->forwarded = false;
	conn->request.operation = NULL;
	conn->request.throttling = NULL;
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
