/* A request on its way to another region: one connection of its own, on the client's I/O thread, never blocking it. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/http/forward.h"
#include "api/http/io_priv.h"

#define FORWARDS_MAX 256 /* under way, per thread */
#define CONNECT_MS 5000
#define PROGRESS_MS 30000 /* of the request or the reply */
#define WHOLE_MS 120000
#define READ_AHEAD 65536
#define LOG_MS 10000

struct io_forward {
	struct io_conn *c;
	struct bufferevent *link;
	struct forward_reply reply;
	bool connected;
	uint64_t request_n;
	uint64_t deadline_ms, end_ms;
};

static void
release(struct io_forward *f)
{
	struct io_conn *c = f->c;

	if (f->link != NULL)
		bufferevent_free(f->link);
	c->forward = NULL;
	c->io->n_forwards--;
	free(f);
}

static void
log_failure(struct io *io, const char *region, const char *why)
{
	if (io->forward_logged_ms != 0 && io->now_ms - io->forward_logged_ms < LOG_MS)
		return;
	io->forward_logged_ms = io->now_ms;
	log_warn("HTTP-FORWARD", "region=%s reason=\"%s\"", region, why);
}

/* Before the connection stands nothing was asked of the region; afterwards nobody knows what it has done. */
static void
fail(struct io_forward *f, const char *why)
{
	struct request *request = &f->c->conn.request;
	const struct http_peer *peer = f->c->conn.peer;
	struct tide_error error;

	log_failure(f->c->io, peer->region, why);
	if (f->connected)
		tide_fail(&error, TIDE_REGION_LOST,
		    "The request was sent on to region %s, and no answer came from there: %s", peer->region,
		    why);
	else
		tide_fail(
		    &error, TIDE_UNAVAILABLE, "Region %s cannot be reached from here: %s", peer->region, why);
	release(f);
	request_fail(request, &error, NULL);
}

static void
succeed(struct io_forward *f)
{
	struct conn *conn = &f->c->conn;

	conn->status = f->reply.parser.status_code;
	conn->code = TIDE_OK;
	conn->forwarded = true;
	release(f);
	conn->host->answered(conn);
}

static void
on_event(struct bufferevent *link, short what, void *arg)
{
	struct io_forward *f = arg;
	struct io *io = f->c->io;
	int dns;

	atomic_store_explicit(&io->asleep, false, memory_order_relaxed);
	if (what & BEV_EVENT_CONNECTED) {
		f->connected = true;
		f->deadline_ms = io->now_ms + PROGRESS_MS;
		return;
	}
	if (what & BEV_EVENT_EOF) {
		forward_reply_end(&f->reply);
		if (f->reply.complete)
			succeed(f);
		else
			fail(f, "the connection was closed");
		return;
	}
	if ((dns = bufferevent_socket_get_dns_error(link)) != 0)
		fail(f, evutil_gai_strerror(dns));
	else
		fail(f, evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
}

static void
on_read(struct bufferevent *link, void *arg)
{
	struct io_forward *f = arg;
	struct conn *conn = &f->c->conn;
	struct evbuffer *in = bufferevent_get_input(link);
	tide_err rc = TIDE_OK;
	size_t n;

	atomic_store_explicit(&f->c->io->asleep, false, memory_order_relaxed);
	f->deadline_ms = f->c->io->now_ms + PROGRESS_MS;
	while (rc == TIDE_OK && !f->reply.complete && (n = evbuffer_get_contiguous_space(in)) > 0) {
		rc = forward_reply_take(&f->reply, evbuffer_pullup(in, (ssize_t)n), n);
		evbuffer_drain(in, n);
		if (rc == TIDE_OK && !conn_charge(conn, f->request_n + conn->request.reply.room))
			rc = TIDE_NOMEM;
	}
	if (rc != TIDE_OK)
		fail(f, rc == TIDE_FORMAT ? "it did not answer in HTTP" : tide_err_text(rc));
	else if (f->reply.complete)
		succeed(f);
}

/* Some of the request has left. */
static void
on_written(struct evbuffer *out, const struct evbuffer_cb_info *info, void *arg)
{
	struct io_forward *f = arg;

	(void)out;
	if (info->n_deleted > 0)
		f->deadline_ms = f->c->io->now_ms + PROGRESS_MS;
}

static bool
is_address(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static bool
open_link(struct io_forward *f, struct bytes head, struct bytes body)
{
	const struct http_peer *peer = f->c->conn.peer;
	struct io *io = f->c->io;
	bool named = !is_address(peer->host);
	struct evbuffer *out;

	if (named && io->dns == NULL)
		io->dns = evdns_base_new(
		    io->base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	/* Deferred: nothing is called back before this function has returned. */
	f->link = bufferevent_socket_new(io->base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (f->link == NULL || (named && io->dns == NULL))
		return false;
	bufferevent_setcb(f->link, on_read, NULL, on_event, f);
	bufferevent_setwatermark(f->link, EV_READ, 0, READ_AHEAD);
	out = bufferevent_get_output(f->link);
	return evbuffer_add(out, head.at, head.n) == 0 && evbuffer_add(out, body.at, body.n) == 0 &&
	       evbuffer_add_cb(out, on_written, f) != NULL && bufferevent_enable(f->link, EV_READ) == 0 &&
	       bufferevent_socket_connect_hostname(
		   f->link, named ? io->dns : NULL, AF_UNSPEC, peer->host, peer->port) == 0;
}

void
io_forward(struct conn *conn, struct bytes head, struct bytes body)
{
	struct io_conn *c = (struct io_conn *)conn;
	struct io *io = c->io;
	struct tide_error error;
	struct io_forward *f = NULL;

	if (io->n_forwards >= FORWARDS_MAX || (f = calloc(1, sizeof *f)) == NULL) {
		log_failure(io, conn->peer->region, f == NULL ? "too many at once" : "out of memory");
		tide_fail(&error, TIDE_UNAVAILABLE, NULL);
		request_fail(&conn->request, &error, NULL);
		return;
	}
	f->c = c;
	f->request_n = head.n + body.n;
	f->deadline_ms = io->now_ms + CONNECT_MS;
	f->end_ms = io->now_ms + WHOLE_MS;
	forward_reply_init(&f->reply, &conn->reply_head, &conn->request.reply);
	c->forward = f;
	io->n_forwards++;
	if (!open_link(f, head, body))
		fail(f, "no connection can be made");
}

void
io_forward_check(struct io_conn *c)
{
	struct io_forward *f = c->forward;
	uint64_t now = c->io->now_ms;

	if (now >= f->deadline_ms || now >= f->end_ms)
		fail(f, f->connected ? "it takes too long" : "no connection in time");
}

void
io_forward_drop(struct io_conn *c)
{
	release(c->forward);
	conn_abandon(&c->conn);
}
