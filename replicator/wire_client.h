/*
 * A client: requests to one address, any number at a time, each with its own answer. It connects and reconnects by itself; a
 * request that was lost with a connection fails, and is never sent twice.
 *
 * Its own connection and not nng's: version 1.5's gives up for good when the other end goes away in the middle of the greeting,
 * has been seen to hang at its end, and cannot say why TLS refused.
 *
 * Thread: any. Callbacks run on the client's own thread (wire_client_stop's caller's may run the last ones) and must not block.
 */
#ifndef TIDE_REPLICATOR_WIRE_CLIENT_H
#define TIDE_REPLICATOR_WIRE_CLIENT_H

#include "replicator/wire.h"
#include "replicator/wire_frame.h"

struct wire_client;
struct call;
struct tls;

/** A request is over: its answer, or why there is none. `call_release` gives the call back. */
typedef void (*call_done_fn)(struct call *call);

struct call {
	struct wire_client *client;
	uint64_t ticket; /* the asker's */
	void *arg; /* the asker's */
	struct wire_frame
	    *answer; /* NULL: failed; the asker's from `done` on (take it, or it goes with the call) */
	tide_err
	    failed; /* AGAIN: its time ran out; UNAVAILABLE: the connection is gone; CLOSED: the client is; OK: answered */
	struct call *next; /* the asker's, between done and release; then the client's */
	/* the client's */
	uint32_t number;
	bool under_way;
	uint64_t until;
	call_done_fn done;
};

struct wire_client_options {
	const char *address; /* "tcp://HOST:PORT", "tls+tcp://HOST:PORT", "ipc://PATH" */
	uint32_t calls_max; /* at a time, up to WIRE_CALLS_MAX */
	struct tls *tls; /* for tls+tcp; outlives the client */
	const char *name; /* what the other end's certificate must bear */
	/* A connection stands or is gone; `arg`. */
	void (*connected)(void *arg, bool up);
	/* No connection comes about: why. NULL: nobody wants to know. Once for each reason between two connections. */
	void (*refused)(void *arg, const char *why);
	void *arg;
};

#define WIRE_CALLS_MAX 65536

/** Begin to connect. TIDE_USAGE (`error`: an address that cannot be), TIDE_NOMEM. */
tide_err wire_client_open(
    const struct wire_client_options *options, struct wire_client **out, struct tide_error *error);

/** Fail every call under way and every later one (TIDE_CLOSED). The client stays, for those that still hold calls. */
void wire_client_stop(struct wire_client *client);

/** Every call is over when this returns, and gone, released or not. Takes NULL. */
void wire_client_close(struct wire_client *client);

/**
 * Send a request; takes `frame` over (NULL: there was no memory for it), whatever happens.
 * Errors     TIDE_UNAVAILABLE (no connection), TIDE_AGAIN (calls_max under way), TIDE_CLOSED, TIDE_NOMEM: `done` is not called.
 */
tide_err wire_client_ask(struct wire_client *client, struct wire_frame *frame, uint32_t ms_max,
    uint64_t ticket, call_done_fn done, void *arg);

void call_release(struct call *call);

bool wire_client_connected(struct wire_client *client);

/** Bytes of answers since it was opened, as they were on the wire (without TLS's own). */
uint64_t wire_client_bytes_in(struct wire_client *client);

#endif
