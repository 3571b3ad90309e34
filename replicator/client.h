/*
 * A client: requests to one address, any number at a time, each with its own answer. An nng REQ0 socket with a context per
 * request. It connects and reconnects by itself; a request that was lost with a connection fails, and is never sent twice.
 *
 * Thread: any. Callbacks run on nng's threads and must not block.
 */
#ifndef TIDE_REPLICATOR_CLIENT_H
#define TIDE_REPLICATOR_CLIENT_H

#include <nng/nng.h>

#include "replicator/wire.h"

struct client;
struct call;

/** A request is over: its answer, or why there is none (nng's number). `call_release` gives the call back. */
typedef void (*call_done_fn)(struct call *call);

struct call {
	struct client *client;
	uint64_t ticket; /* the asker's */
	void *arg; /* the asker's */
	nng_msg *answer; /* NULL: failed; the asker's from `done` on (take it, or it goes with the call) */
	int failed; /* nng's number, 0: answered */
	struct call *next; /* the asker's, between done and release */
	/* the client's */
	nng_ctx ctx;
	nng_aio *aio;
	bool receiving;
	uint32_t ms_max;
	call_done_fn done;
};

struct client_options {
	const char *address;
	uint32_t calls_max; /* at a time */
	/* A connection stands or is gone; `arg`. */
	void (*connected)(void *arg, bool up);
	void *arg;
};

/** Begin to connect. TIDE_IO (`error`: an address that cannot be), TIDE_NOMEM. */
tide_err client_open(const struct client_options *options, struct client **out, struct tide_error *error);

/** Fail every call under way (NNG_ECLOSED) and every later one. The client stays, for those that still hold calls. */
void client_stop(struct client *client);

/** Every call is over when this returns, and gone, released or not. Takes NULL. */
void client_close(struct client *client);

/**
 * Send a request; takes `message` over, whatever happens.
 * Errors     TIDE_AGAIN (calls_max under way), TIDE_NOMEM: `done` is not called.
 */
tide_err client_ask(
    struct client *client, nng_msg *message, uint32_t ms_max, uint64_t ticket, call_done_fn done, void *arg);

void call_release(struct call *call);

bool client_connected(struct client *client);

/** A message as nng takes it; NULL: no memory. */
nng_msg *client_message(const struct wire_message *message);

#endif
