/*
 * A byte stream to somebody: a connected socket, with or without TLS, that never blocks. Beneath wire_channel.c.
 *
 * Thread: one at a time; the owner locks.
 */
#ifndef TIDE_REPLICATOR_WIRE_STREAM_H
#define TIDE_REPLICATOR_WIRE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "replicator/wire_tls.h"

enum stream_result {
	STREAM_DONE,
	STREAM_LATER, /* not now: ask again when the socket is readable or writable (stream_wants_write) */
	STREAM_GONE, /* it has ended, or failed */
};

struct stream {
	int fd;
	struct ssl_st *ssl; /* NULL: plain */
	bool shaking_hands, wants_write;
	const char *reason; /* why TLS ended; NULL: it did not say */
};

/**
 * Take over `fd` (made non-blocking). `tls` NULL: plain. `name`: what the certificate of the other end, which we call, must bear; NULL: we are
 * the one that is called. False: no memory; the fd is closed.
 */
bool stream_init(struct stream *stream, int fd, struct tls *tls, const char *name);

/** Close it. */
void stream_fini(struct stream *stream);

/** Go on with the TLS handshake. `why` is filled when it fails. STREAM_DONE at once for a plain one. */
enum stream_result stream_shake_hands(struct stream *stream, char *why, size_t why_max);

/** Read or write some; `*n` is how many bytes. */
enum stream_result stream_recv(struct stream *stream, void *to, size_t max, size_t *n);
enum stream_result stream_send(struct stream *stream, const void *from, size_t max, size_t *n);

/** Has TLS read what was not asked for yet? Nobody announces that. */
bool stream_holds(const struct stream *stream);

/** The names that the other end's certificate bears: is `name` one? False without TLS. */
bool stream_bears_name(const struct stream *stream, const char *name);

#endif
