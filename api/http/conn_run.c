#include <assert.h>
#include <stdio.h>

#include "api/http/coding.h"
#include "api/http/conn_priv.h"
#include "api/http/forward.h"

#define TREE_BYTES_BASE (4u << 20)
#define TREE_BYTES_PER_BODY_BYTE 32 /* far over what requests take; only texts like "[[],[]," go over */
#define OPERATION_BYTES_MAX (256u << 20)

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define STS_NAMESPACE "https://sts.amazonaws.com/doc/2011-06-15/"

static void
begin(struct conn *conn, const char *type)
{
	conn->content_type = type;
	conn->answered_at_once = false;
	conn->dispatching = true;
	conn->state = CONN_RUNNING;
}

static void
end(struct conn *conn)
{
	conn->dispatching = false;
	if (conn->answered_at_once)
		conn_answer(conn);
}

/* --- an operation --- */

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
	return conn_charge(conn, conn->body_buf.room + conn->inflated.room)
		   ? TIDE_OK
		   : tide_fail(error, TIDE_UNAVAILABLE, NULL);
}

static tide_err
parse_body(struct conn *conn, struct tide_error *error)
{
	struct request *request = &conn->request;
	struct bytes body;
	tide_err rc;

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
	conn_shrink(&conn->body_buf);
	conn_shrink(&conn->inflated);
	return conn_charge(conn, request->arena.used) ? TIDE_OK : tide_fail(error, TIDE_UNAVAILABLE, NULL);
}

/* DynamoDB reads a body before anything else: one that is no JSON is what it complains of, whatever else is wrong. */
static tide_err
complain_of_body(struct conn *conn, tide_err rc, struct tide_error *error)
{
	struct tide_error bad;

	if (conn->body.n == 0 || parse_body(conn, &bad) != TIDE_SERIALIZATION)
		return rc;
	*error = bad;
	return bad.code;
}

static tide_err
parse_request(struct conn *conn, struct tide_error *error)
{
	struct request *request = &conn->request;
	struct bytes name;
	tide_err rc;

	if (!http_target_parse(http_head_get(&conn->head, HTTP_TARGET), &name) ||
	    (request->operation = conn->host->find(name)) == NULL)
		return complain_of_body(conn, tide_fail(error, TIDE_UNKNOWN_OPERATION, NULL), error);
	if ((rc = http_authorization_check(&conn->head, error)) != TIDE_OK)
		return complain_of_body(conn, rc, error);
	if ((rc = parse_body(conn, error)) != TIDE_OK)
		return rc;
	if (request->body.type != JSON_OBJECT)
		return tide_fail(error, TIDE_SERIALIZATION, NULL);
	return TIDE_OK;
}

static void
run(struct conn *conn, const char *type)
{
	struct tide_error error;

	conn->begun_us = conn_now_us();
	begin(conn, type);
	if (parse_request(conn, &error) == TIDE_OK)
		conn->request.operation->handle(&conn->request);
	else
		request_fail(&conn->request, &error, NULL);
	end(conn);
}

/* Like an operation, but for what it is not: neither parsed nor tallied. */
static void
run_metrics(struct conn *conn)
{
	begin(conn, METRICS_TYPE);
	conn->request.operation = conn->host->metrics;
	conn->request.arena.limit = OPERATION_BYTES_MAX;
	conn->host->metrics->handle(&conn->request);
	end(conn);
}

/* --- the query protocol: a form goes in, XML comes out (STS) --- */

static void
refuse_form(struct conn *conn, int status, const char *code, const char *message)
{
	char text[512];

	snprintf(text, sizeof text,
	    "<ErrorResponse xmlns=\"" STS_NAMESPACE "\"><Error><Type>Sender</Type><Code>%s</Code>"
	    "<Message>%s</Message></Error></ErrorResponse>\n",
	    code, message);
	conn_answer_text(conn, status, "text/xml", text);
}

/* The value of Action as it stands: those that are known have no escapes. */
static struct bytes
form_action(struct bytes form)
{
	static const char name[] = "Action=";

	while (form.n > 0) {
		const uint8_t *and = memchr(form.at, '&', form.n);
		size_t n = and == NULL ? form.n : (size_t)(and-form.at);

		if (n >= sizeof name - 1 && memcmp(form.at, name, sizeof name - 1) == 0)
			return bytes_of(form.at + sizeof name - 1, n - (sizeof name - 1));
		form.at += n + (and != NULL);
		form.n -= n + (and != NULL);
	}
	return BYTES_NONE;
}

static void
run_form(struct conn *conn)
{
	static const struct bytes known = BYTES_LITERAL("GetCallerIdentity");
	struct tide_error error;
	struct bytes body;

	if (decode_body(conn, &body, &error) != TIDE_OK) {
		refuse_form(conn, 400, "MalformedInput", "The request body cannot be read");
		return;
	}
	conn->request.operation = conn->host->find(BYTES_LITERAL("STS.GetCallerIdentity"));
	if (!bytes_equal(form_action(body), known) || conn->request.operation == NULL) {
		refuse_form(
		    conn, 400, "InvalidAction", "Could not find this operation for version 2011-06-15");
		return;
	}
	if (http_authorization_check(&conn->head, &error) != TIDE_OK) {
		refuse_form(conn, 403,
		    error.code == TIDE_MISSING_TOKEN ? "MissingAuthenticationToken" : "IncompleteSignature",
		    tide_err_text(error.code));
		return;
	}
	conn->begun_us = conn_now_us();
	begin(conn, "text/xml");
	conn->request.arena.limit = OPERATION_BYTES_MAX;
	conn->request.operation->handle(&conn->request);
	end(conn);
}

/* --- another region's request --- */

bool
conn_is_foreign(struct conn *conn)
{
	struct bytes region;

	/* It came from a region that took this one for the right one: it goes no further. */
	if (conn->head.fields[HTTP_FORWARDED].present)
		return false;
	region = http_scope_region(http_head_get(&conn->head, HTTP_AUTHORIZATION));
	conn->peer = forward_peer(conn->host->peers, conn->host->n_peers, region);
	return conn->peer != NULL;
}

static void
send_on(struct conn *conn)
{
	struct tide_error error;
	struct buf head = {0};

	begin(conn, CONN_JSON_1_0);
	conn->request.operation = NULL;
	forward_head(buf_bytes(&conn->raw_head), conn->peer->region, conn->body.n, &head);
	if (buf_check(&conn->raw_head) == TIDE_OK && buf_check(&head) == TIDE_OK) {
		conn->host->forward(conn, buf_bytes(&head), conn->body);
	} else {
		tide_fail(&error, TIDE_UNAVAILABLE, NULL);
		request_fail(&conn->request, &error, NULL);
	}
	buf_fini(&head);
	conn_shrink(&conn->body_buf);
	end(conn);
}

/* Somebody's configuration takes this region for another. To serve the request would be to read or write the wrong region. */
static void
refuse_misdirected(struct conn *conn, struct bytes region)
{
	struct tide_error error;

	begin(conn, CONN_JSON_1_0);
	tide_fail(&error, TIDE_UNAVAILABLE,
	    "This is region %s, not %.*s: the configuration of the region that sent the request on has a "
	    "wrong "
	    "api for %.*s",
	    conn->host->self, (int)region.n, (const char *)region.at, (int)region.n, (const char *)region.at);
	request_fail(&conn->request, &error, NULL);
	end(conn);
}

/* --- all of them --- */

static void
answer_unknown(struct conn *conn)
{
	conn_answer_text(conn, 404, "text/xml", "<UnknownOperationException/>\n");
}

/* AWS JSON 1.1 is what the other services speak; DynamoDB does not. */
static bool
is_of_another_service(const struct conn *conn)
{
	struct bytes target = http_head_get(&conn->head, HTTP_TARGET), name;

	return http_target_parse(target, &name) && name.at == target.at;
}

static void
post(struct conn *conn)
{
	struct bytes forwarded = http_head_get(&conn->head, HTTP_FORWARDED);

	if (conn->peer != NULL) {
		send_on(conn);
		return;
	}
	if (forwarded.n > 0 && conn->host->self != NULL && !bytes_is(forwarded, conn->host->self)) {
		refuse_misdirected(conn, forwarded);
		return;
	}
	switch (http_content_type(http_head_get(&conn->head, HTTP_CONTENT_TYPE))) {
	case HTTP_TYPE_JSON_1_0:
		run(conn, CONN_JSON_1_0);
		return;
	case HTTP_TYPE_JSON:
		run(conn, CONN_JSON);
		return;
	case HTTP_TYPE_FORM:
		run_form(conn);
		return;
	case HTTP_TYPE_JSON_1_1:
		if (is_of_another_service(conn)) {
			run(conn, CONN_JSON_1_1);
			return;
		}
		break;
	case HTTP_TYPE_UNKNOWN:
		break;
	}
	/* What has no body needs no type. */
	if (conn->body.n == 0)
		run(conn, CONN_JSON);
	else
		answer_unknown(conn);
}

static void
get(struct conn *conn)
{
	struct bytes host = http_head_get(&conn->head, HTTP_HOST), path = http_head_path(&conn->head);
	char text[300];

	if (conn->host->metrics != NULL && bytes_is(path, "/metrics")) {
		run_metrics(conn);
		return;
	}
	if (!bytes_is(path, "/")) {
		answer_unknown(conn);
		return;
	}
	snprintf(text, sizeof text, "healthy: %.*s ", (int)(host.n < 256 ? host.n : 256),
	    host.n > 0 ? (const char *)host.at : "");
	conn_answer_text(conn, 200, "text/plain", text);
}

void
conn_dispatch(struct conn *conn)
{
	conn->keep_alive = http_should_keep_alive(&conn->parser) != 0;
	switch (conn->parser.method) {
	case HTTP_POST:
		post(conn);
		return;
	case HTTP_GET:
		get(conn);
		return;
	case HTTP_OPTIONS:
		/* Only a page of another origin asks before it asks. */
		if (!conn->head.fields[HTTP_ORIGIN].present)
			break;
		conn->preflight = true;
		conn_answer_text(conn, 200, NULL, "");
		return;
	case HTTP_HEAD:
		conn->no_body = true;
		break;
	default:
		break;
	}
	answer_unknown(conn);
}
