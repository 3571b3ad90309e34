/*
 * A connection that has a peer: bytes of a client, and where its request is sent on, bytes of the peer. The first byte chooses how
 * both are cut into reads; a line "@@@" parts them.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/http/conn.h"
#include "api/http/forward.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n);

static bool sent_on;

static void
handle(struct request *request)
{
	buf_append_string(&request->reply, "{}");
	request_ok(request);
}

static const struct operation *
find(struct bytes name)
{
	static const struct operation any = {"PutItem", handle};

	return name.n > 0 ? &any : NULL;
}

static void
answered(struct conn *conn)
{
	if (conn->dispatching)
		conn->answered_at_once = true;
}

/* Whatever came in: one head, one empty line, at its end. */
static void
take_on(struct conn *conn, struct bytes head, struct bytes body)
{
	assert(conn->peer != NULL && head.n > 4);
	assert(memcmp(head.at + head.n - 4, "\r\n\r\n", 4) == 0);
	for (size_t i = 0; i + 4 < head.n; i++)
		assert(memcmp(head.at + i, "\r\n\r\n", 4) != 0);
	assert(body.n <= HTTP_BODY_BYTES_MAX);
	sent_on = true;
}

/* The peer's bytes, then its end. */
static void
relay(struct conn *conn, const uint8_t *at, size_t n, size_t step)
{
	struct forward_reply reply;
	struct tide_error error;
	tide_err rc = TIDE_OK;

	forward_reply_init(&reply, &conn->reply_head, &conn->request.reply);
	while (n > 0 && rc == TIDE_OK && !reply.complete) {
		size_t part = n < step ? n : step;
		uint8_t *read = malloc(part);

		assert(read != NULL);
		memcpy(read, at, part);
		rc = forward_reply_take(&reply, read, part);
		free(read);
		at += part;
		n -= part;
	}
	if (rc == TIDE_OK)
		forward_reply_end(&reply);
	conn->forwarded = rc == TIDE_OK && reply.complete;
	if (conn->forwarded) {
		assert(conn->reply_head.n > 2 && conn->request.reply.n <= HTTP_BODY_BYTES_MAX);
		conn->status = reply.parser.status_code;
	} else {
		tide_fail(&error, TIDE_REGION_LOST, NULL);
		request_fail(&conn->request, &error, NULL);
	}
	conn_answer(conn);
}

static void
send_all(struct conn *conn)
{
	struct iovec out[2];

	while (conn->state == CONN_REPLY) {
		assert(conn_output(conn, out) > 0);
		conn_sent(conn, out[0].iov_len);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	static const size_t steps[] = {1, 2, 7, 64, 1000, 65536};
	static const struct http_peer peer = {"eu", "h", 1};
	_Atomic uint64_t memory = 0;
	struct conn_host host = {.find = find,
	    .answered = answered,
	    .forward = take_on,
	    .peers = &peer,
	    .n_peers = 1,
	    .self = "us",
	    .memory = &memory,
	    .memory_max = 8 << 20};
	struct conn conn = {0};
	const uint8_t *theirs;
	size_t step, taken, theirs_n = 0;

	if (n == 0)
		return 0;
	log_set_level(LOG_ERROR);
	step = steps[*at % (sizeof steps / sizeof steps[0])];
	at++;
	n--;
	theirs = at + n;
	for (size_t i = 0; i + 4 <= n; i++) {
		if (memcmp(at + i, "@@@\n", 4) == 0) {
			theirs = at + i + 4;
			theirs_n = n - i - 4;
			n = i;
		}
	}
	http_date(0, host.date);
	host.ids.state[0] = 1;
	conn_init(&conn, &host);
	while (n > 0 && conn_wants_input(&conn)) {
		size_t part = n < step ? n : step;
		uint8_t *read = malloc(part);

		assert(read != NULL);
		memcpy(read, at, part);
		sent_on = false;
		conn_take(&conn, read, part, &taken);
		free(read);
		assert(taken > 0 && taken <= part);
		at += taken;
		n -= taken;
		assert(sent_on == (conn.state == CONN_RUNNING));
		if (sent_on)
			relay(&conn, theirs, theirs_n, step);
		send_all(&conn);
		conn_continue(&conn);
	}
	conn_fini(&conn);
	assert(memory == 0);
	return 0;
}
