/*
 * A link's bandwidth limit (replication.peers[].bandwidth_kb_per_second). The receiver keeps it: batches and pieces are only asked for while what
 * came before is paid for (bucket.h), and few enough batches of a session at a time that their answers together are no long burst.
 *
 * All requests of a session bear one ticket.
 */
#include "replicator/daemon_priv.h"

#define LEAST_BYTES 4096u

/* A request that waits for its time. */
struct postponed {
	struct postponed *next;
	struct wire_frame *frame;
	bool in_session;
	uint32_t ms_max;
	uint64_t ticket;
};

static bool
is_paced(const struct daemon_peer *peer, enum wire_type type)
{
	return peer->bucket.rate > 0 && (type == WIRE_SHIP_NEXT || type == WIRE_SNAP_READ);
}

/* Count what has come since the last time. */
static void
settle(struct daemon_peer *peer, uint64_t now)
{
	uint64_t bytes = wire_client_bytes_in(peer->client);

	bucket_take(&peer->bucket, now, bytes - peer->bytes_counted);
	peer->bytes_counted = bytes;
}

static uint64_t
share_of(const struct daemon_peer *peer)
{
	return bucket_share(&peer->bucket, LEAST_BYTES, peer->daemon->asker.batch_bytes);
}

static struct paced_session *
session_of(struct daemon_peer *peer, uint64_t ticket)
{
	for (uint32_t i = 0; i < LINK_PULLS_MAX; i++)
		if (peer->paced[i].ticket == ticket)
			return &peer->paced[i];
	return NULL;
}

/* May it be asked, as far as others of its session go? Their answers wake the daemon. */
static bool
has_room(struct daemon_peer *peer, bool in_session, uint64_t ticket)
{
	const struct paced_session *session = in_session ? session_of(peer, ticket) : NULL;

	return session == NULL || session->under_way < bucket_together(&peer->bucket, share_of(peer));
}

void
daemon__pace_shrink(const struct daemon_peer *peer, struct wire_message *message)
{
	if (!is_paced(peer, message->type))
		return;
	if (message->type == WIRE_SHIP_NEXT)
		message->ship_next.bytes_max = share_of(peer);
	else
		message->snap_read.bytes_max = share_of(peer);
}

static tide_err
ask_now(struct daemon_peer *peer, struct wire_frame *frame, bool in_session, uint32_t ms_max, uint64_t ticket)
{
	struct paced_session *session = NULL;
	tide_err rc;

	/* No free place: then it is not counted, which only makes the burst longer. */
	if (in_session && (session = session_of(peer, ticket)) == NULL &&
	    (session = session_of(peer, 0)) != NULL)
		session->ticket = ticket;
	if (session != NULL)
		session->under_way++;
	rc = wire_client_ask(peer->client, frame, ms_max, ticket, daemon__call_done, peer->daemon);
	if (rc != TIDE_OK)
		daemon__pace_heard(peer, ticket);
	return rc;
}

void
daemon__pace_heard(struct daemon_peer *peer, uint64_t ticket)
{
	struct paced_session *session = session_of(peer, ticket);

	if (session != NULL && session->under_way > 0 && --session->under_way == 0)
		session->ticket = 0;
}

tide_err
daemon__pace_ask(struct daemon_peer *peer, enum wire_type type, struct wire_frame *frame, uint32_t ms_max,
    uint64_t ticket, uint64_t now)
{
	bool in_session = type == WIRE_SHIP_NEXT;
	struct postponed *one;

	if (!is_paced(peer, type))
		return wire_client_ask(peer->client, frame, ms_max, ticket, daemon__call_done, peer->daemon);
	settle(peer, now);
	if (has_room(peer, in_session, ticket) && bucket_ready_at(&peer->bucket, now) <= now)
		return ask_now(peer, frame, in_session, ms_max, ticket);
	if (frame == NULL || (one = calloc(1, sizeof *one)) == NULL) {
		free(frame);
		return TIDE_NOMEM;
	}
	*one =
	    (struct postponed){.frame = frame, .in_session = in_session, .ms_max = ms_max, .ticket = ticket};
	if (peer->postponed == NULL)
		peer->postponed_last = &peer->postponed;
	*peer->postponed_last = one;
	peer->postponed_last = &one->next;
	peer->n_postponed++;
	return TIDE_OK;
}

/* Take it out of the list, in which `at` points to it. */
static struct postponed *
take(struct daemon_peer *peer, struct postponed **at)
{
	struct postponed *one = *at;

	if ((*at = one->next) == NULL)
		peer->postponed_last = at;
	peer->n_postponed--;
	return one;
}

void
daemon__pace_turn(struct daemon_peer *peer, uint64_t now)
{
	struct postponed **at = &peer->postponed, *one;
	tide_err rc;

	if (peer->bucket.rate == 0)
		return;
	settle(peer, now);
	while (*at != NULL && bucket_ready_at(&peer->bucket, now) <= now) {
		if (!has_room(peer, (*at)->in_session, (*at)->ticket)) {
			at = &(*at)->next;
			continue;
		}
		one = take(peer, at);
		rc = ask_now(peer, one->frame, one->in_session, one->ms_max, one->ticket);
		if (rc != TIDE_OK)
			link_message_failed(
			    peer->daemon->link, now, one->ticket, TIDE_UNAVAILABLE, tide_err_text(rc));
		free(one);
	}
}

uint64_t
daemon__pace_wake(struct daemon_peer *peer, uint64_t now)
{
	for (const struct postponed *one = peer->postponed; one != NULL; one = one->next)
		if (has_room(peer, one->in_session, one->ticket))
			return bucket_ready_at(&peer->bucket, now);
	return UINT64_MAX;
}

void
daemon__pace_forget(struct daemon_peer *peer)
{
	while (peer->postponed != NULL) {
		struct postponed *one = take(peer, &peer->postponed);

		free(one->frame);
		free(one);
	}
	memset(peer->paced, 0, sizeof peer->paced); /* their answers are nobody's any more */
}
