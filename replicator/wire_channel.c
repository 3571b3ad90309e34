#include "replicator/wire_channel.h"

#include <assert.h>
#include <stdio.h>

#include "replicator/wire.h"

#define NUMBER_BYTES 4
#define PIECE_BYTES 16384 /* what is sent at a time where head and body go together: a TLS record */

/* A frame on its way out. */
struct channel_out {
	struct channel_out *next;
	struct wire_frame *frame;
	uint8_t head[CHANNEL_HEAD_MAX];
	size_t head_n, sent; /* sent: of head and body together */
};

struct wire_frame *
wire_frame_encode(const struct wire_message *message)
{
	struct wire_frame *frame = NULL;
	struct buf out = {0};

	if (wire_encode(message, &out) == TIDE_OK)
		frame = wire_frame_of(buf_bytes(&out));
	buf_fini(&out);
	return frame;
}

void
channel_init(struct channel *channel, bool ipc, enum channel_role role)
{
	*channel = (struct channel){.ipc = ipc, .role = role, .last = &channel->first};
	pthread_mutex_init(&channel->lock, NULL);
}

void
channel_fini(struct channel *channel)
{
	assert(!channel->open);
	pthread_mutex_destroy(&channel->lock);
}

void
channel_open(struct channel *channel, struct stream stream)
{
	channel->state = CHANNEL_HANDS;
	channel->got = channel->in_at = channel->in_n = 0;
	channel->stream = stream;
	channel->stuck_since = 0;
	channel->open = true;
}

static void
free_first(struct channel *channel)
{
	struct channel_out *out = channel->first;

	if ((channel->first = out->next) == NULL)
		channel->last = &channel->first;
	free(out->frame);
	free(out);
}

void
channel_close(struct channel *channel)
{
	if (!channel->open)
		return;
	channel->open = false;
	stream_fini(&channel->stream);
	while (channel->first != NULL)
		free_first(channel);
	free(channel->frame);
	channel->frame = NULL;
}

/* --- out --- */

/* The next bytes to send: where they are, or gathered in `piece` so that a head does not travel alone. */
static size_t
next_piece(const struct channel_out *out, uint8_t *piece, const uint8_t **at)
{
	size_t n, some;

	if (out->sent >= out->head_n) {
		*at = out->frame->at + (out->sent - out->head_n);
		return out->frame->n - (out->sent - out->head_n);
	}
	n = out->head_n - out->sent;
	memcpy(piece, out->head + out->sent, n);
	some = out->frame->n < PIECE_BYTES - n ? out->frame->n : PIECE_BYTES - n;
	memcpy(piece + n, out->frame->at, some);
	*at = piece;
	return n + some;
}

bool
channel_flush(struct channel *channel, uint64_t now)
{
	uint8_t piece[PIECE_BYTES];
	const uint8_t *at;
	size_t n, sent;

	while (channel->first != NULL) {
		struct channel_out *out = channel->first;

		n = next_piece(out, piece, &at);
		switch (stream_send(&channel->stream, at, n, &sent)) {
		case STREAM_GONE:
			return false;
		case STREAM_LATER:
			if (channel->stuck_since == 0)
				channel->stuck_since = now;
			return true;
		case STREAM_DONE:
			break;
		}
		channel->stuck_since = 0;
		atomic_fetch_add_explicit(&channel->bytes_out, sent, memory_order_relaxed);
		out->sent += sent;
		if (out->sent == out->head_n + out->frame->n)
			free_first(channel);
	}
	channel->stuck_since = 0;
	return true;
}

bool
channel_put(struct channel *channel, uint32_t number, struct wire_frame *frame)
{
	struct channel_out *out = calloc(1, sizeof *out);
	uint64_t length = frame->n + NUMBER_BYTES;
	uint8_t *at;

	if (out == NULL) {
		free(frame);
		return false;
	}
	at = out->head;
	if (channel->ipc)
		*at++ = 1; /* a message */
	for (int shift = 56; shift >= 0; shift -= 8)
		*at++ = (uint8_t)(length >> shift);
	for (int shift = 24; shift >= 0; shift -= 8)
		*at++ = (uint8_t)(number >> shift);
	out->head_n = (size_t)(at - out->head);
	out->frame = frame;
	*channel->last = out;
	channel->last = &out->next;
	return true;
}

/* --- in --- */

/* Up to `max` bytes, small reads by way of `in`. */
static enum stream_result
take(struct channel *channel, void *to, size_t max, size_t *n)
{
	enum stream_result result;

	if (channel->in_at == channel->in_n) {
		bool direct = max >= CHANNEL_IN_BYTES;

		pthread_mutex_lock(&channel->lock);
		result = stream_recv(
		    &channel->stream, direct ? to : channel->in, direct ? max : CHANNEL_IN_BYTES, n);
		pthread_mutex_unlock(&channel->lock);
		if (result != STREAM_DONE)
			return result;
		atomic_fetch_add_explicit(&channel->bytes_in, *n, memory_order_relaxed);
		if (direct)
			return STREAM_DONE;
		channel->in_at = 0;
		channel->in_n = *n;
	}
	*n = channel->in_n - channel->in_at < max ? channel->in_n - channel->in_at : max;
	memcpy(to, channel->in + channel->in_at, *n);
	channel->in_at += *n;
	return STREAM_DONE;
}

/* Fill `to` up to `whole` bytes; channel->got counts. */
static enum stream_result
fill(struct channel *channel, uint8_t *to, size_t whole)
{
	while (channel->got < whole) {
		size_t n;
		enum stream_result result = take(channel, to + channel->got, whole - channel->got, &n);

		if (result != STREAM_DONE)
			return result;
		channel->got += n;
	}
	channel->got = 0;
	return STREAM_DONE;
}

bool
channel_has_more(struct channel *channel)
{
	bool more;

	if (channel->in_at < channel->in_n)
		return true;
	pthread_mutex_lock(&channel->lock);
	more = stream_holds(&channel->stream);
	pthread_mutex_unlock(&channel->lock);
	return more;
}

enum stream_result
channel_swallow(struct channel *channel)
{
	uint8_t nothing[CHANNEL_IN_BYTES];
	size_t n;

	return take(channel, nothing, sizeof nothing, &n);
}

static enum stream_result
shake_hands(struct channel *channel, char *why, size_t why_max)
{
	const uint8_t ours[CHANNEL_GREETING_BYTES] = {0, 'S', 'P', 0, 0, (uint8_t)channel->role, 0, 0};
	enum stream_result result;
	size_t n = 0;

	pthread_mutex_lock(&channel->lock);
	if ((result = stream_shake_hands(&channel->stream, why, why_max)) == STREAM_DONE) {
		channel->state = CHANNEL_GREETING;
		/* A fresh connection takes eight bytes, or never will. */
		result = stream_send(&channel->stream, ours, sizeof ours, &n);
		if (result != STREAM_DONE || n != sizeof ours)
			result = STREAM_GONE;
	}
	pthread_mutex_unlock(&channel->lock);
	return result;
}

static enum stream_result
hear_greeting(struct channel *channel, char *why, size_t why_max)
{
	uint8_t role = channel->role == CHANNEL_ASKS ? CHANNEL_ANSWERS : CHANNEL_ASKS;
	const uint8_t theirs[CHANNEL_GREETING_BYTES] = {0, 'S', 'P', 0, 0, role, 0, 0};
	enum stream_result result = fill(channel, channel->head, sizeof theirs);

	/* With TLS 1.3 the end that calls hears only now what the other one thinks of its certificate. */
	if (result == STREAM_GONE && channel->stream.reason != NULL)
		snprintf(why, why_max, "TLS handshake: %s", channel->stream.reason);
	if (result != STREAM_DONE)
		return result;
	channel->state = CHANNEL_HEAD;
	if (memcmp(channel->head, theirs, sizeof theirs) == 0)
		return STREAM_DONE;
	snprintf(why, why_max, "garbage instead of a greeting");
	return STREAM_GONE;
}

/* A frame's head is complete: is it one that we take? */
static bool
understand_head(struct channel *channel, uint64_t max, char *why, size_t why_max)
{
	const uint8_t *at = channel->head;
	bool message = !channel->ipc || *at++ == 1;
	uint64_t length = bytes_u64(at);

	channel->number = bytes_u32(at + 8);
	if (!message || length < NUMBER_BYTES || (channel->number & CHANNEL_NUMBER_FIRST) == 0) {
		snprintf(why, why_max, "garbage where a message should begin");
		return false;
	}
	if (length - NUMBER_BYTES > max) {
		snprintf(why, why_max, "a message of %llu bytes is too large", (unsigned long long)length);
		return false;
	}
	if ((channel->frame = wire_frame_new((size_t)length - NUMBER_BYTES)) == NULL) {
		snprintf(why, why_max, "out of memory");
		return false;
	}
	return true;
}

enum stream_result
channel_step(struct channel *channel, uint64_t max, struct wire_frame **frame, char *why, size_t why_max)
{
	enum stream_result result;

	*frame = NULL;
	switch (channel->state) {
	case CHANNEL_HANDS:
		return shake_hands(channel, why, why_max);
	case CHANNEL_GREETING:
		return hear_greeting(channel, why, why_max);
	case CHANNEL_HEAD:
		result = fill(channel, channel->head, CHANNEL_HEAD_MAX - (channel->ipc ? 0 : 1));
		if (result != STREAM_DONE)
			return result;
		channel->state = CHANNEL_BODY;
		return understand_head(channel, max, why, why_max) ? STREAM_DONE : STREAM_GONE;
	default:
		assert(channel->state == CHANNEL_BODY);
		result = fill(channel, channel->frame->at, channel->frame->n);
		if (result != STREAM_DONE)
			return result;
		channel->state = CHANNEL_HEAD;
		*frame = channel->frame;
		channel->frame = NULL;
		return STREAM_DONE;
	}
}
