/*
 * A server of requests: one listening socket, many connections, on each any number of requests, answered in any order.
 *
 * A connection is a stranger until `wire_server_admit`. Strangers may send little (WIRE_STRANGER_MESSAGE_MAX), stay WIRE_STRANGER_MS, and are the
 * first to go when there are too many connections. Nothing that one connection sends or leaves out keeps another waiting.
 *
 * Thread: one of its own reads; answers are given from any.
 */
#ifndef TIDE_REPLICATOR_WIRE_SERVER_H
#define TIDE_REPLICATOR_WIRE_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "replicator/wire_frame.h"

#define WIRE_STRANGER_MESSAGE_MAX 65536u
#define WIRE_STRANGER_MS 10000
#define WIRE_FROM_MAX 80

struct tls;
struct wire_server;
struct wire_conn;

/* A request that waits for its answer. Copied freely; answered exactly once. */
struct wire_request {
	struct wire_conn *conn;
	uint32_t number; /* the client's */
};

struct wire_server_options {
	const char *address; /* "tcp://HOST:PORT", "tls+tcp://HOST:PORT", "ipc://PATH" (for this user only) */
	struct tls *tls; /* for tls+tcp; outlives the server */
	bool trusting; /* nobody is a stranger */
	uint32_t connections_max;
	uint32_t requests_max; /* under way at a time, of all connections; more wait in their connections */
	uint32_t requests_each_max; /* of one connection */
	/* A request came; `frame` is the callee's. The server's thread: must not block. */
	void (*request)(void *arg, struct wire_request request, struct wire_frame *frame);
	/* Somebody was refused: their address, and why. May be NULL. The server's thread. */
	void (*stranger)(void *arg, const char *from, const char *why);
	void *arg;
};

/** Listen and serve. TIDE_IO (`error`: it cannot be bound), TIDE_USAGE (an address that cannot be), TIDE_NOMEM. */
tide_err wire_server_open(
    const struct wire_server_options *options, struct wire_server **out, struct tide_error *error);

/** Close all connections: no request comes after this, and answers go nowhere. */
void wire_server_stop(struct wire_server *server);

/** Free it, stopping it first; requests that are still to be answered may be, for nothing. Takes NULL. */
void wire_server_close(struct wire_server *server);

/** Answer; takes `frame` over (NULL: no answer, the client's time runs out). Any thread, in the callback too. */
void wire_server_answer(struct wire_request request, struct wire_frame *frame);

/** Not a stranger any more. From the request callback only. */
void wire_server_admit(struct wire_request request);

/**
 * Tell why (the stranger callback), read nothing of its connection any more, and close it once WIRE_STRANGER_MS are over: at once would make
 * an honest peer with a wrong configuration come back at once. The request is still to be answered. From the request callback only.
 */
void wire_server_refuse(struct wire_request request, const char *why);

/** Was its connection admitted? Does its certificate bear `name`? From the request callback only. */
bool wire_server_admitted(struct wire_request request);
bool wire_server_bears_name(struct wire_request request, const char *name);

struct wire_server_counters {
	uint64_t connections, strangers; /* now: all; not admitted */
	uint64_t accepted, refused; /* since it was opened */
};
struct wire_server_counters wire_server_counters(struct wire_server *server);

#endif
