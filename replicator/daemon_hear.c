/* What an answer means to the machine. */
#include "replicator/daemon_priv.h"

static void
release(void *memory)
{
	free(memory);
}

static struct daemon_peer *
peer_of(struct daemon *daemon, const struct wire_client *client)
{
	for (uint32_t i = 0; i < daemon->config.replication.n_peers; i++)
		if (daemon->peers[i].client == client)
			return &daemon->peers[i];
	return NULL;
}

static const char *
failure_text(tide_err failed)
{
	return failed == TIDE_AGAIN ? "no answer in time" : "the connection is gone";
}

void
daemon__hear(struct daemon *daemon, struct call *call, uint64_t now)
{
	struct link_raw raw = {.memory = call->answer, .release = release};
	struct daemon_peer *peer = peer_of(daemon, call->client);

	if (call->ticket == 0)
		return; /* nobody waits for it */
	if (peer != NULL)
		daemon__pace_heard(peer, call->ticket);
	if (call->answer == NULL) {
		link_message_failed(
		    daemon->link, now, call->ticket, call->failed, failure_text(call->failed));
		return;
	}
	raw.bytes = wire_frame_bytes(call->answer);
	if (link_message_came(daemon->link, now, call->ticket, &raw) == WIRE_HELLO && peer != NULL)
		peer->round_trip_us = daemon__now_us() - peer->hello_us;
	call->answer = raw.memory;
}
