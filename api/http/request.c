/* request_ok and request_fail: the operations' side of the front. */
#include "api/request.h"

#include "api/http/io.h"

static struct conn *
conn_of(struct request *request)
{
	return request->connection;
}

/* A reply that did not fit in memory becomes an error that does. */
static void
fail_small(struct conn *conn)
{
	static const char text[] =
	    "{\"__type\":\"" DYNAMODB "InternalServerError\",\"message\":\"Internal server error\"}";

	conn->status = 500;
	conn->code = TIDE_NOMEM;
	buf_fini(&conn->request.reply);
	buf_append(&conn->request.reply, text, sizeof text - 1);
}

void
request_ok(struct request *request)
{
	struct conn *conn = conn_of(request);

	conn->status = 200;
	conn->code = TIDE_OK;
	if (buf_check(&request->reply) != TIDE_OK) {
		log_err(
		    "API-NOMEM", "operation=%s", request->operation != NULL ? request->operation->name : "?");
		fail_small(conn);
	}
	conn->host->answered(conn);
}

/* What is the matter inside is for the log, not for the client. */
static bool
is_internal(tide_err code)
{
	return tide_err_exception(code) == NULL || tide_err_http(code) == 0 || code <= TIDE_AGAIN ||
	       code == TIDE_FORMAT;
}

/* What went wrong inside goes wrong for every request (a full disk): one line a second for each code. */
#define LOG_EVERY_MS 1000

static void
log_internal(const struct request *request, tide_err code, const char *message)
{
#define X(name, exception, http, text) +1
	static struct {
		_Atomic uint64_t logged_ms, left_out;
	} lines[TIDE_ERRORS(X)];
#undef X
	uint64_t now = io_now_ms(), last = atomic_load_explicit(&lines[code].logged_ms, memory_order_relaxed);

	if ((last != 0 && now - last < LOG_EVERY_MS) ||
	    !atomic_compare_exchange_strong(&lines[code].logged_ms, &last, now)) {
		atomic_fetch_add_explicit(&lines[code].left_out, 1, memory_order_relaxed);
		return;
	}
	log_err("API-INTERNAL", "operation=%s error=%s left_out=%llu message=\"%s\"",
	    request->operation != NULL ? request->operation->name : "?", tide_err_name(code),
	    (unsigned long long)atomic_exchange(&lines[code].left_out, 0), message);
}

void
request_fail(struct request *request, const struct tide_error *error, const char *members)
{
	struct conn *conn = conn_of(request);
	struct buf *reply = &request->reply;
	tide_err code = error->code;
	const char *message = error->message;

	if (is_internal(code)) {
		log_internal(request, code, message);
		code = TIDE_INTERNAL;
		message = tide_err_text(code);
		members = NULL;
	}
	conn->status = tide_err_http(code);
	conn->code = error->code;
	buf_clear(reply);
	buf_append_string(reply, "{\"__type\":\"");
	buf_append_string(reply, tide_err_exception(code));
	buf_append_byte(reply, '"');
	if (message[0] != '\0') {
		buf_append_string(reply, code == TIDE_SERIALIZATION ? ",\"Message\":" : ",\"message\":");
		json_write_string(reply, bytes_of_string(message));
	}
	if (members != NULL)
		buf_append_string(reply, members);
	else if (request->throttling != NULL && (code == TIDE_THROTTLED || code == TIDE_THROUGHPUT_EXCEEDED))
		buf_append_string(reply, request->throttling);
	buf_append_byte(reply, '}');
	if (buf_check(reply) != TIDE_OK)
		fail_small(conn);
	conn->host->answered(conn);
}
