/* request_ok and request_fail: the operations' side of the front. */
#include "api/request.h"

#include "api/http/conn.h"

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
	buf_fini(&conn->request.reply);
	buf_append(&conn->request.reply, text, sizeof text - 1);
}

void
request_ok(struct request *request)
{
	struct conn *conn = conn_of(request);

	conn->status = 200;
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

void
request_fail(struct request *request, const struct tide_error *error, const char *members)
{
	struct conn *conn = conn_of(request);
	struct buf *reply = &request->reply;
	tide_err code = error->code;
	const char *message = error->message;

	if (is_internal(code)) {
		log_err("API-INTERNAL", "operation=%s error=%s message=\"%s\"",
		    request->operation != NULL ? request->operation->name : "?", tide_err_name(code),
		    message);
		code = TIDE_INTERNAL;
		message = tide_err_text(code);
		members = NULL;
	}
	conn->status = tide_err_http(code);
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
	buf_append_byte(reply, '}');
	if (buf_check(reply) != TIDE_OK)
		fail_small(conn);
	conn->host->answered(conn);
}
