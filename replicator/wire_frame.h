/* One message's bytes on their way: what a transport takes over and gives on. Thread: one at a time. */
#ifndef TIDE_REPLICATOR_WIRE_FRAME_H
#define TIDE_REPLICATOR_WIRE_FRAME_H

#include <stdlib.h>

#include "base/bytes.h"

struct wire_message;

struct wire_frame {
	size_t n;
	uint8_t at[];
};

/** `n` bytes to be filled in. NULL: no memory. */
static inline struct wire_frame *
wire_frame_new(size_t n)
{
	struct wire_frame *frame = malloc(sizeof *frame + n);

	if (frame != NULL)
		frame->n = n;
	return frame;
}

/** A copy. NULL: no memory. */
static inline struct wire_frame *
wire_frame_of(struct bytes bytes)
{
	struct wire_frame *frame = wire_frame_new(bytes.n);

	if (frame != NULL && bytes.n > 0)
		memcpy(frame->at, bytes.at, bytes.n);
	return frame;
}

static inline struct bytes
wire_frame_bytes(const struct wire_frame *frame)
{
	return bytes_of(frame->at, frame->n);
}

/** The message as it travels. NULL: no memory. Any thread. */
struct wire_frame *wire_frame_encode(const struct wire_message *message);

#endif
