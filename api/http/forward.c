#include "api/http/forward.h"

#include <strings.h>

#define HEAD_BYTES_MAX 65536

const struct http_peer *
forward_peer(const struct http_peer *peers, uint32_t n, struct bytes region)
{
	for (uint32_t i = 0; i < n; i++) {
		if (bytes_is(region, peers[i].region))
			return &peers[i];
	}
	return NULL;
}

/* Headers of one connection, not of the message. The length is written anew. */
static bool
is_of_connection(const void *name, size_t n)
{
	static const char *const names[] = {"connection", "content-length", "expect", "http2-settings",
	    "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
	    "x-tidemark-forwarded"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strlen(names[i]) == n && strncasecmp(names[i], name, n) == 0)
			return true;
	}
	return false;
}

void
forward_head(struct bytes head, const char *region, size_t body_n, struct buf *out)
{
	const uint8_t *end = head.at + head.n;
	bool first = true, dropped = false;

	while (head.at < end) {
		const uint8_t *feed = memchr(head.at, '\n', (size_t)(end - head.at));
		const uint8_t *next = feed == NULL ? end : feed + 1, *colon;
		size_t n = (size_t)(next - head.at), text_n = n;

		while (text_n > 0 && (head.at[text_n - 1] == '\n' || head.at[text_n - 1] == '\r'))
			text_n--;
		if (text_n == 0) {
			/* Before the request line empty lines mean nothing; after it, one is the end. */
			if (!first)
				break;
			head.at = next;
			continue;
		}
		/* A line that begins with a space goes on with the header before it. */
		if (!first && *head.at != ' ' && *head.at != '\t') {
			colon = memchr(head.at, ':', text_n);
			dropped = colon != NULL && is_of_connection(head.at, (size_t)(colon - head.at));
		}
		if (!dropped) {
			buf_append(out, head.at, text_n);
			buf_append(out, "\r\n", 2);
		}
		first = false;
		head.at = next;
	}
	buf_append_format(out, "Content-Length: %zu\r\nConnection: close\r\nX-Tidemark-Forwarded: %s\r\n\r\n",
	    body_n, region);
}

/* --- the reply --- */

static int
stop(struct forward_reply *reply, tide_err rc)
{
	reply->failed = rc;
	return rc == TIDE_OK ? 0 : -1;
}

static int
check_head(struct forward_reply *reply)
{
	if (reply->head->n > HEAD_BYTES_MAX)
		return stop(reply, TIDE_REQUEST_TOO_LARGE);
	return stop(reply, buf_check(reply->head));
}

static void
end_line(struct forward_reply *reply)
{
	if (reply->in_value && !reply->dropped)
		buf_append(reply->head, "\r\n", 2);
	reply->in_value = false;
	reply->dropped = false;
	reply->line = reply->head->n;
}

static int
on_status(http_parser *parser, const char *at, size_t n)
{
	struct forward_reply *reply = parser->data;

	if (reply->head->n == 0)
		buf_append_format(reply->head, "HTTP/1.1 %u ", (unsigned)parser->status_code);
	buf_append(reply->head, at, n);
	return check_head(reply);
}

/* Behind the status line, once. */
static int
begin_headers(struct forward_reply *reply)
{
	if (reply->line != 0)
		return 0;
	if (reply->head->n == 0)
		return stop(reply, TIDE_FORMAT);
	buf_append(reply->head, "\r\n", 2);
	reply->line = reply->head->n;
	return 0;
}

static int
on_field(http_parser *parser, const char *at, size_t n)
{
	struct forward_reply *reply = parser->data;

	/* Headers after the body are the connection's, too. */
	if (parser->flags & F_TRAILING)
		return 0;
	if (reply->in_value)
		end_line(reply);
	if (begin_headers(reply) != 0)
		return -1;
	buf_append(reply->head, at, n);
	return check_head(reply);
}

static int
on_value(http_parser *parser, const char *at, size_t n)
{
	struct forward_reply *reply = parser->data;
	struct buf *head = reply->head;

	if (parser->flags & F_TRAILING)
		return 0;
	if (!reply->in_value) {
		reply->in_value = true;
		reply->dropped =
		    head->failed || is_of_connection(head->at + reply->line, head->n - reply->line);
		if (reply->dropped)
			head->n = reply->line;
		else
			buf_append(head, ": ", 2);
	}
	if (!reply->dropped)
		buf_append(head, at, n);
	return check_head(reply);
}

static int
on_headers_complete(http_parser *parser)
{
	struct forward_reply *reply = parser->data;

	parser->upgrade = 0;
	if (begin_headers(reply) != 0)
		return -1;
	end_line(reply);
	/* Nothing was sent that an interim reply would answer. */
	if (parser->status_code < 200)
		return stop(reply, TIDE_FORMAT);
	if (parser->content_length != UINT64_MAX && parser->content_length > HTTP_BODY_BYTES_MAX)
		return stop(reply, TIDE_REQUEST_TOO_LARGE);
	return check_head(reply);
}

static int
on_body(http_parser *parser, const char *at, size_t n)
{
	struct forward_reply *reply = parser->data;

	if (n > HTTP_BODY_BYTES_MAX - reply->body->n)
		return stop(reply, TIDE_REQUEST_TOO_LARGE);
	buf_append(reply->body, at, n);
	return stop(reply, buf_check(reply->body));
}

static int
on_complete(http_parser *parser)
{
	struct forward_reply *reply = parser->data;

	reply->complete = true;
	http_parser_pause(parser, 1);
	return 0;
}

static const http_parser_settings settings = {
    .on_status = on_status,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

void
forward_reply_init(struct forward_reply *reply, struct buf *head, struct buf *body)
{
	memset(reply, 0, sizeof *reply);
	http_parser_init(&reply->parser, HTTP_RESPONSE);
	reply->parser.data = reply;
	reply->head = head;
	reply->body = body;
	buf_clear(head);
	buf_clear(body);
}

tide_err
forward_reply_take(struct forward_reply *reply, const uint8_t *at, size_t n)
{
	if (reply->complete || n == 0)
		return TIDE_OK;
	http_parser_execute(&reply->parser, &settings, (const char *)at, n);
	if (reply->complete)
		return TIDE_OK;
	if (reply->failed != TIDE_OK)
		return reply->failed;
	return HTTP_PARSER_ERRNO(&reply->parser) == HPE_OK ? TIDE_OK : TIDE_FORMAT;
}

void
forward_reply_end(struct forward_reply *reply)
{
	if (!reply->complete && HTTP_PARSER_ERRNO(&reply->parser) == HPE_OK)
		http_parser_execute(&reply->parser, &settings, NULL, 0);
}
