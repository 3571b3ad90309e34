/* What the machine wants done, done. */
#include "base/log.h"
#include "replicator/daemon_priv.h"

#define LINKS_ANSWER_MS 4000

/* Send; a request that could not be sent fails like one that got no answer. */
static void
ask(struct daemon *daemon, struct daemon_peer *peer, const struct wire_message *message, uint32_t ms_max,
    uint64_t ticket, uint64_t now)
{
	tide_err rc;

	if (peer == NULL) {
		link_message_failed(daemon->link, now, ticket, TIDE_UNAVAILABLE, "no such peer");
		return;
	}
	if (message->type == WIRE_HELLO)
		peer->hello_us = daemon__now_us();
	rc = daemon__pace_ask(peer, message->type, wire_frame_encode(message), ms_max, ticket, now);
	if (rc != TIDE_OK && ticket != 0)
		link_message_failed(daemon->link, now, ticket, TIDE_UNAVAILABLE,
		    rc == TIDE_AGAIN ? "too many requests are under way" : tide_err_text(rc));
}

static const char *
name_of(void *arg, uint8_t region)
{
	const struct daemon *daemon = arg;

	for (uint32_t i = 0; i < daemon->config.replication.n_peers; i++)
		if (daemon->config.replication.peers[i].number == region)
			return daemon->config.replication.peers[i].region;
	return region == 0 || region == daemon->config.number ? daemon->config.region : "-";
}

static void
act_note(struct daemon *daemon, const struct link_action *action)
{
	struct buf line = {0};
	enum log_level level;
	const char *id = link_message_note(action, name_of, daemon, &level, &line);

	if (buf_check(&line) == TIDE_OK && line.n > 0) /* it begins with a space */
		log_line(level, id, "%.*s", (int)line.n - 1, (const char *)line.at + 1);
	buf_fini(&line);
}

static uint64_t
wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void
daemon__act(struct daemon *daemon, const struct link_action *action, uint64_t now)
{
	struct link_request request;
	struct daemon_peer *peer;
	struct tide_error error;

	if (action->kind == LINK_DROP) {
		link_payload_free(action->payload);
		return;
	}
	if (action->kind == LINK_NOTE) {
		act_note(daemon, action);
		return;
	}
	daemon->asker.wall_ms = action->kind == LINK_HELLO ? wall_ms() : 0;
	if (link_message_ask(&daemon->asker, action, &request, &error) != TIDE_OK) {
		link_message_failed(daemon->link, now, action->ticket, error.code, error.message);
	} else {
		peer = request.to == 0 ? &daemon->local : daemon__peer(daemon, request.to);
		if (peer != NULL)
			daemon__pace_shrink(peer, &request.message);
		ask(daemon, peer, &request.message, request.ms_max, action->ticket, now);
	}
	link_request_fini(&request);
}

void
daemon__push_links(struct daemon *daemon, uint64_t now)
{
	struct wire_message message = {.type = WIRE_LINKS, .links = {.instance = daemon->instance}};
	struct arena arena;

	arena_init(&arena, 0);
	if (daemon->local.told_up && link_view(daemon->link, now, &arena, &message.links) == TIDE_OK) {
		for (uint32_t i = 0; i < message.links.n_links; i++) {
			struct wire_link *link = &message.links.links[i];
			const struct daemon_peer *peer = daemon__peer(daemon, link->region);

			link->round_trip_us = peer->round_trip_us;
			link->limit_bytes_per_second = peer->bucket.rate;
			link->postponed = peer->n_postponed;
		}
		ask(daemon, &daemon->local, &message, LINKS_ANSWER_MS, 0, now);
	}
	arena_fini(&arena);
}
