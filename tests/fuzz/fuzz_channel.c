/* Any bytes as what a stranger sends: greeting, heads, bodies. The first byte says how: a Unix socket or not, all at once or piece by piece. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "replicator/wire_channel.h"

#define BODY_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n);

/* Read all that has come; false: it is over. */
static bool
read_all(struct channel *channel)
{
	enum stream_result result = STREAM_DONE;
	struct wire_frame *frame;
	char why[128];

	while (result == STREAM_DONE) {
		result = channel_step(channel, BODY_MAX, &frame, why, sizeof why);
		if (frame != NULL && (result != STREAM_DONE || frame->n > BODY_MAX ||
					 (channel->number & CHANNEL_NUMBER_FIRST) == 0))
			abort();
		free(frame);
	}
	return result != STREAM_GONE;
}

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	struct channel channel;
	struct stream stream;
	int ends[2];
	bool open = true;
	size_t piece;

	if (n < 1 || n > 65536 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
		return 0;
	channel_init(&channel, (at[0] & 1) != 0, (at[0] & 2) != 0 ? CHANNEL_ASKS : CHANNEL_ANSWERS);
	piece = at[0] >> 2 != 0 ? at[0] >> 2 : n;
	if (!stream_init(&stream, ends[0], NULL, NULL))
		abort();
	channel_open(&channel, stream);
	for (size_t i = 1; i < n && open; i += piece) {
		size_t some = n - i < piece ? n - i : piece;

		open = send(ends[1], at + i, some, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 && read_all(&channel);
	}
	close(ends[1]);
	if (open && read_all(&channel))
		abort(); /* it has ended */
	channel_close(&channel);
	channel_fini(&channel);
	return 0;
}
