#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http/io_priv.h"

#define LINGER_MS 2000
#define LINGER_DRAINING_MS 200
#define LINGER_BYTES_MAX (64u << 20)
#define BODY_BYTES_PER_SECOND 65536

static void
arm(struct io_conn *c, uint64_t ms)
{
	c->deadline_ms = c->io->now_ms + ms;
}

static void
stop_reading(struct io_conn *c)
{
	if (c->reading)
		event_del(c->read);
	c->reading = false;
}

static bool
start_reading(struct io_conn *c)
{
	if (!c->reading && event_add(c->read, NULL) != 0)
		return false;
	c->reading = true;
	return true;
}

/* --- sending --- */

enum sent { SENT_ALL, SENT_BLOCKED, SENT_FAILED };

/* Headers and body leave in one call: a client that reads the head never finds the body missing. */
static enum sent
send_reply(struct io_conn *c)
{
	struct iovec out[2];
	struct msghdr message = {.msg_iov = out};
	ssize_t n;

	while (c->conn.state == CONN_REPLY) {
		message.msg_iovlen = (size_t)conn_output(&c->conn, out);
		n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
		if (n >= 0) {
			conn_sent(&c->conn, (size_t)n);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			/* Each time the client has made room, it gets that long again. */
			arm(c, c->io->shared->options.write_seconds * 1000ull);
			return event_add(c->write, NULL) == 0 ? SENT_BLOCKED : SENT_FAILED;
		} else if (errno != EINTR) {
			return SENT_FAILED;
		}
	}
	return SENT_ALL;
}

/* Closing at once would reset the connection while the client still sends, and the reply with it. */
static void
linger(struct io_conn *c)
{
	buf_fini(&c->waiting);
	if (shutdown(c->fd, SHUT_WR) != 0 || !start_reading(c)) {
		io_conn_close(c);
		return;
	}
	arm(c, c->io->draining ? LINGER_DRAINING_MS : LINGER_MS);
}

/* --- requests --- */

/* Bytes behind a request under way wait here, and no more are read until it is answered. */
static bool
keep_waiting(struct io_conn *c, const uint8_t *at, size_t n)
{
	struct buf rest = {0};

	if (n == 0) {
		buf_fini(&c->waiting);
		return true;
	}
	stop_reading(c);
	/* `at` may point into `waiting` itself. */
	buf_append(&rest, at, n);
	buf_fini(&c->waiting);
	c->waiting = rest;
	return !rest.failed;
}

static void
set_deadline(struct io_conn *c, enum conn_state before)
{
	const struct http_options *options = &c->io->shared->options;
	enum conn_state state = c->conn.state;

	if (state == CONN_IDLE && before != CONN_IDLE)
		arm(c, options->idle_seconds * 1000ull);
	else if (state == CONN_HEAD && before != CONN_HEAD)
		arm(c, options->header_seconds * 1000ull);
	else if (state == CONN_BODY && before != CONN_BODY)
		arm(c, options->body_seconds * 1000ull + (c->conn.parser.content_length < HTTP_BODY_BYTES_MAX
								 ? c->conn.parser.content_length
								 : HTTP_BODY_BYTES_MAX) *
							     1000ull / BODY_BYTES_PER_SECOND);
	else if (state == CONN_RUNNING)
		c->deadline_ms = 0;
}

/* Work through bytes until they are used up or a request is under way. May close the connection. */
static void
serve(struct io_conn *c, const uint8_t *at, size_t n)
{
	enum conn_state before;
	enum sent sent;
	size_t taken;

	for (;;) {
		if (c->conn.state == CONN_REPLY) {
			sent = send_reply(c);
			if (sent == SENT_FAILED) {
				io_conn_close(c);
				return;
			}
			if (sent == SENT_BLOCKED)
				break;
			if (c->conn.state == CONN_IDLE)
				set_deadline(c, CONN_REPLY);
		}
		if (c->conn.state == CONN_LINGER) {
			linger(c);
			return;
		}
		if (!conn_wants_input(&c->conn) || n == 0)
			break;
		before = c->conn.state;
		conn_take(&c->conn, at, n, &taken);
		at += taken;
		n -= taken;
		set_deadline(c, before);
	}
	if (!keep_waiting(c, at, n)) {
		io_conn_close(c);
		return;
	}
	if (!conn_wants_input(&c->conn))
		return;
	if (conn_continue(&c->conn) && send(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL) != 25) {
		/* The socket's buffer is empty at this point: less than all of it means that the client is gone. */
		io_conn_close(c);
		return;
	}
	if (!start_reading(c))
		io_conn_close(c);
}

static void
drop_input(struct io_conn *c, size_t n)
{
	c->lingered += n;
	if (n == 0 || c->lingered > LINGER_BYTES_MAX)
		io_conn_close(c);
}

static void
on_read(evutil_socket_t fd, short what, void *arg)
{
	struct io_conn *c = arg;
	struct io *io = c->io;
	ssize_t n;

	(void)what;
	atomic_store_explicit(&io->asleep, false, memory_order_relaxed);
	if (!conn_wants_input(&c->conn) && c->conn.state != CONN_LINGER) {
		/* Pipelined, or the client is gone: either way it waits until the request is answered. */
		stop_reading(c);
		return;
	}
	n = recv(fd, io->scratch, IO_READ_BYTES, 0);
	if (n < 0) {
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			io_conn_close(c);
		return;
	}
	if (c->conn.state == CONN_LINGER) {
		drop_input(c, (size_t)n);
		return;
	}
	if (n == 0) {
		io_conn_close(c);
		return;
	}
	serve(c, io->scratch, (size_t)n);
}

static void
on_write(evutil_socket_t fd, short what, void *arg)
{
	struct io_conn *c = arg;

	(void)fd;
	(void)what;
	atomic_store_explicit(&c->io->asleep, false, memory_order_relaxed);
	serve(c, c->waiting.at, c->waiting.n);
}

void
io_conn_answered(struct io_conn *c)
{
	conn_answer(&c->conn);
	serve(c, c->waiting.at, c->waiting.n);
}

/* --- life --- */

void
io_conn_open(struct io *io, int fd)
{
	struct io_conn *c = calloc(1, sizeof *c);

	if (c == NULL) {
		close(fd);
		return;
	}
	c->io = io;
	c->fd = fd;
	conn_init(&c->conn, &io->host);
	c->conn.draining = io->draining;
	c->read = event_new(io->base, fd, EV_READ | EV_PERSIST, on_read, c);
	c->write = event_new(io->base, fd, EV_WRITE, on_write, c);
	c->next = io->conns;
	if (io->conns != NULL)
		io->conns->previous = c;
	io->conns = c;
	io->n_conns++;
	atomic_fetch_add_explicit(&io->shared->connections, 1, memory_order_relaxed);
	if (c->read == NULL || c->write == NULL || !start_reading(c)) {
		io_conn_close(c);
		return;
	}
	arm(c, io->shared->options.idle_seconds * 1000ull);
}

void
io_conn_close(struct io_conn *c)
{
	struct io *io = c->io;

	assert(c->conn.state != CONN_RUNNING);
	if (c->read != NULL)
		event_free(c->read);
	if (c->write != NULL)
		event_free(c->write);
	close(c->fd);
	if (c->next != NULL)
		c->next->previous = c->previous;
	if (c->previous != NULL)
		c->previous->next = c->next;
	else
		io->conns = c->next;
	io->n_conns--;
	atomic_fetch_sub_explicit(&io->shared->connections, 1, memory_order_relaxed);
	buf_fini(&c->waiting);
	conn_fini(&c->conn);
	free(c);
}

void
io_conn_check(struct io_conn *c)
{
	if (c->forward != NULL) {
		io_forward_check(c);
		return;
	}
	if (c->deadline_ms == 0 || c->io->now_ms < c->deadline_ms)
		return;
	switch (c->conn.state) {
	case CONN_HEAD:
	case CONN_BODY:
		conn_refuse(&c->conn, 408, "Request timed out\n");
		arm(c, LINGER_MS);
		serve(c, NULL, 0);
		return;
	case CONN_IDLE:
	case CONN_REPLY:
	case CONN_LINGER:
		io_conn_close(c);
		return;
	case CONN_RUNNING:
		return; /* the operation has its own deadline */
	}
}

void
io_conn_drain(struct io_conn *c)
{
	ssize_t n;

	c->conn.draining = true;
	if (c->conn.state != CONN_IDLE)
		return;
	/* A request may have arrived that nobody has read yet: it is answered, as the last one. */
	n = recv(c->fd, c->io->scratch, IO_READ_BYTES, 0);
	if (n > 0)
		serve(c, c->io->scratch, (size_t)n);
	else
		io_conn_close(c);
}
