/*
 * Frames over a stream, both ways, as nng's REQ0 and REP0 sockets speak (SP over TCP, TLS and Unix sockets):
 *
 *     HANDS -> GREETING -> HEAD <-> BODY
 *
 *     greeting   00 'S' 'P' 00 00 ROLE 00 00                   each end's, at once
 *     frame      [01, on a Unix socket] length:u64 number:u32 body    length counts number and body; the number's highest bit is set
 *
 * Within replicator/ only: beneath the server and the client. Thread: one reads (channel_step); any writes; the lock guards what both use.
 */
#ifndef TIDE_REPLICATOR_WIRE_CHANNEL_H
#define TIDE_REPLICATOR_WIRE_CHANNEL_H

#include <pthread.h>
#include <stdatomic.h>

#include "replicator/wire_frame.h"
#include "replicator/wire_stream.h"

#define CHANNEL_HEAD_MAX 13
#define CHANNEL_IN_BYTES 4096
#define CHANNEL_NUMBER_FIRST 0x80000000u
#define CHANNEL_GREETING_BYTES 8

enum channel_state { CHANNEL_HANDS, CHANNEL_GREETING, CHANNEL_HEAD, CHANNEL_BODY };
enum channel_role { CHANNEL_ASKS = 0x30, CHANNEL_ANSWERS = 0x31 };

struct channel_out;

struct channel {
	bool ipc;
	enum channel_role role; /* ours */
	/* --- the reader's --- */
	enum channel_state state;
	uint8_t head[CHANNEL_HEAD_MAX];
	size_t got; /* of the greeting, the head or the body */
	uint32_t number;
	struct wire_frame *frame; /* as it comes */
	uint8_t in[CHANNEL_IN_BYTES]; /* read, not yet understood */
	size_t in_at, in_n;
	/* --- under the lock --- */
	pthread_mutex_t lock;
	struct stream stream;
	bool open;
	struct channel_out *first, **last;
	uint64_t stuck_since; /* ms: something waits to be sent and nothing goes; 0: not so */
	/* --- */
	atomic_ullong bytes_in, bytes_out;
};

/** Once, before it is opened the first time. */
void channel_init(struct channel *channel, bool ipc, enum channel_role role);
void channel_fini(struct channel *channel);

/** Speak over a stream, which is taken over; closed again by channel_close, and to be opened again. With the lock held, or alone. */
void channel_open(struct channel *channel, struct stream stream);
/** Close the stream; what waits to be sent and what has come in part is dropped. The reader, with the lock held. */
void channel_close(struct channel *channel);

/**
 * The next step of reading, without the lock. STREAM_DONE: go on; with `*frame` not NULL a frame is complete (the caller's; channel->number is its
 * number). STREAM_LATER: when the socket is ready. STREAM_GONE: it is over, `why` may say why. `max`: the largest body that is taken.
 */
enum stream_result channel_step(
    struct channel *channel, uint64_t max, struct wire_frame **frame, char *why, size_t why_max);

/** Read and forget. */
enum stream_result channel_swallow(struct channel *channel);

/** Is there something that was read and not used up? Nobody announces that. The reader, without the lock. */
bool channel_has_more(struct channel *channel);

/** Queue a frame, which is taken over. False: no memory, it is dropped. With the lock held. */
bool channel_put(struct channel *channel, uint32_t number, struct wire_frame *frame);

/** Send what can be sent. False: the stream is gone. `now` in ms. With the lock held. */
bool channel_flush(struct channel *channel, uint64_t now);

/** Is there something to send that the socket must be waited for? With the lock held. */
static inline bool
channel_wants_write(const struct channel *channel)
{
	return channel->first != NULL || channel->stream.wants_write;
}

#endif
