/* What io.c (the thread) and io_conn.c (its sockets) share. */
#ifndef TIDE_API_HTTP_IO_PRIV_H
#define TIDE_API_HTTP_IO_PRIV_H

#include "api/http/io.h"

#define IO_READ_BYTES 65536

struct io_conn {
	struct conn conn; /* first: a conn of this thread is cast to it */
	struct io *io;
	struct io_conn *next, *previous; /* of all connections of the thread */
	struct io_conn *next_answered;
	struct event *read, *write;
	int fd;
	bool reading; /* `read` is added; it stays so while an operation runs, unless bytes come */
	struct buf waiting; /* read, but behind a request that is under way */
	uint64_t deadline_ms; /* of the state it is in; 0: none */
	uint64_t body_by_ms; /* for the whole body */
	uint64_t lingered; /* bytes dropped */
	struct io_forward *forward; /* its request is under way to another region */
};

struct io {
	struct conn_host host; /* first: a host is cast to it */
	struct io_shared *shared;
	struct event_base *base;
	struct event *accept, *tick, *wake, *retry;
	int listener, wake_fd;
	pthread_t thread;
	bool started, draining, stuck;
	uint64_t now_ms, backoff_logged_ms;
	struct io_conn *conns;
	uint32_t n_conns, n_forwards;
	struct evdns_base *dns; /* made with the first peer that is named */
	uint64_t forward_logged_ms;
	uint8_t *scratch; /* IO_READ_BYTES: every read of the thread */

	/* Written by other threads. */
	_Alignas(64) _Atomic(struct io_conn *) answered;
	_Atomic uint32_t posting; /* threads that are giving an answer right now */
	_Atomic bool asleep; /* in epoll or about to be: an answer must write wake_fd */
};

/** Take over a socket. Closes it when there is no memory. */
void io_conn_open(struct io *io, int fd);

void io_conn_close(struct io_conn *c);

/** Go on after its request was answered. May close it. */
void io_conn_answered(struct io_conn *c);

/** Act on its deadline when it has passed. May close it. */
void io_conn_check(struct io_conn *c);

/** The server stops: close it if nothing is under way, else make its next reply the last. May close it. */
void io_conn_drain(struct io_conn *c);

/** conn_host.forward: send the request on, and answer it when the reply is here or cannot come. */
void io_forward(struct conn *conn, struct bytes head, struct bytes body);

/** Fail it when it took too long. */
void io_forward_check(struct io_conn *c);

/** Give it up unanswered: its connection can be closed. */
void io_forward_drop(struct io_conn *c);

/** Accept what waits at the listener; also used for a last time when draining. */
void io_accept_all(struct io *io);

#endif
