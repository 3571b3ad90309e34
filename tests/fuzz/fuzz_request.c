/*
 * Bytes as a client sends them, through parser, JSON and dispatch to an operation that answers at once, or one that
 * answers between two reads. The first byte chooses how the rest is cut into reads.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/http/conn.h"

#define REPLY_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n);

static struct request *left;

/* Reads every value that it is given, and says one of them. */
static void
handle_value(struct request *request)
{
	const struct json *item = json_get(&request->body, "Item");
	struct tide_error error;
	struct value value;

	if (item != NULL && json_to_item(&request->arena, item, &value, &error) == TIDE_OK) {
		json_write_item(&request->reply, &value);
		request_ok(request);
	} else if (item != NULL) {
		request_fail(request, &error, NULL);
	} else {
		buf_append_string(&request->reply, "{}");
		request_ok(request);
	}
}

static void
handle_later(struct request *request)
{
	left = request;
}

static const struct operation *
find(struct bytes name)
{
	static const struct operation at_once = {"PutItem", handle_value}, later = {"GetItem", handle_later};

	if (bytes_is(name, later.name))
		return &later;
	return bytes_is(name, at_once.name) ? &at_once : NULL;
}

static void
answered(struct conn *conn)
{
	if (conn->dispatching)
		conn->answered_at_once = true;
}

static void
send_all(struct conn *conn)
{
	struct iovec out[2];

	while (conn->state == CONN_REPLY) {
		int pieces = conn_output(conn, out);

		assert(pieces > 0);
		assert(conn->out[0].n == 0 || memcmp(conn->reply_head.at, "HTTP/1.1 ", 9) == 0);
		conn_sent(conn, out[0].iov_len < REPLY_MAX ? out[0].iov_len : REPLY_MAX);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	static const size_t steps[] = {1, 2, 7, 64, 1000, 65536};
	_Atomic uint64_t memory = 0;
	struct conn_host host = {
	    .find = find, .answered = answered, .memory = &memory, .memory_max = 8 << 20};
	struct conn conn = {0};
	size_t step, taken;

	if (n == 0)
		return 0;
	log_set_level(LOG_ERROR);
	step = steps[*at % (sizeof steps / sizeof steps[0])];
	at++;
	n--;
	http_date(0, host.date);
	host.ids.state[0] = 1;
	conn_init(&conn, &host);
	left = NULL;
	while (n > 0 && conn_wants_input(&conn)) {
		size_t part = n < step ? n : step;
		/* A block of its own: reading past it is seen. */
		uint8_t *read = malloc(part);

		assert(read != NULL);
		memcpy(read, at, part);
		conn_take(&conn, read, part, &taken);
		free(read);
		assert(taken > 0 && taken <= part);
		at += taken;
		n -= taken;
		if (conn.state == CONN_RUNNING) {
			assert(left == &conn.request);
			handle_value(left);
			conn_answer(&conn);
		}
		send_all(&conn);
		conn_continue(&conn);
	}
	conn_fini(&conn);
	assert(memory == 0);
	return 0;
}
