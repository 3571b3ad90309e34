/* What an answer means to the machine. */
#include "replicator/daemon_priv.h"

static void
release(void *memory)
{
	nng_msg_free(memory);
}

static struct daemon_peer *
peer_of(struct daemon *daemon, const struct client *client)
{
	for (uint32_t i = 0; i < daemon->config.replication.n_peers; i++)
		if (daemon->peers[i].client == client)
			return &daemon->peers[i];
	return NULL;
}

void
daemon__hear(struct daemon *daemon, struct call *call, uint64_t now)
{
	struct link_raw raw = {.memory = call->answer, .release = release};
	struct daemon_peer *peer;

	if (call->ticket == 0)
		return; /* nobody waits for it */
	if (call->answer == NULL) {
		link_message_failed(daemon->link, now, call->ticket,
		    call->failed == NNG_ETIMEDOUT ? TIDE_AGAIN : TIDE_UNAVAILABLE,
		    nng_strerror(call->failed));
		return;
	}
	raw.bytes = bytes_of(nng_msg_body(call->answer), nng_msg_len(call->answer));
	if (link_message_came(daemon->link, now, call->ticket, &raw) == WIRE_HELLO &&
	    (peer = peer_of(daemon, call->client)) != NULL)
		peer->round_trip_us = daemon__now_us() - peer->hello_us;
	call->answer = raw.memory;
}
