/*
 * A link's bandwidth limit (replication.peers[].bandwidth_kb_per_second). The receiver keeps it: batches and pieces are only asked for while what
 * came before is paid for (bucket.h), and few enough at a time that their answers together are no long burst.
 */
#include "replicator/daemon_priv.h"

#define LEAST_BYTES 4096u
#define BURST_S 2 /* what may be under way, at the rate */

/* A request that waits for its time. */
struct postponed {
	struct postponed *next;
	struct wire_frame *frame;
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

/* An answer that makes room wakes the daemon by itself. */
static bool
has_room(struct daemon_peer *peer)
{
	uint64_t share = bucket_share(&peer->bucket, peer->daemon->config.replication.window, LEAST_BYTES,
	    peer->daemon->asker.batch_bytes);
	uint64_t together = peer->bucket.rate * BURST_S / share;

	return atomic_load(&peer->paced) < (together > 0 ? together : 1);
}

static bool
is_time(struct daemon_peer *peer, uint64_t now)
{
	return has_room(peer) && bucket_ready_at(&peer->bucket, now) <= now;
}

void
daemon__pace_shrink(const struct daemon_peer *peer, struct wire_message *message)
{
	uint64_t share;

	if (!is_paced(peer, message->type))
		return;
	share = bucket_share(&peer->bucket, peer->daemon->config.replication.window, LEAST_BYTES,
	    peer->daemon->asker.batch_bytes);
	if (message->type == WIRE_SHIP_NEXT)
		message->ship_next.bytes_max = share;
	else /* one after the other: there is no window */
		message->snap_read.bytes_max = peer->bucket.rate / 4 < LEAST_BYTES ? LEAST_BYTES
					       : peer->bucket.rate / 4 < message->snap_read.bytes_max
						   ? peer->bucket.rate / 4
						   : message->snap_read.bytes_max;
}

/* The client's thread. */
static void
paced_done(struct call *call)
{
	struct daemon_peer *peer = call->arg;

	atomic_fetch_sub(&peer->paced, 1);
	call->arg = peer->daemon;
	daemon__call_done(call);
}

static tide_err
ask_now(struct daemon_peer *peer, struct wire_frame *frame, uint32_t ms_max, uint64_t ticket)
{
	tide_err rc;

	atomic_fetch_add(&peer->paced, 1);
	if ((rc = wire_client_ask(peer->client, frame, ms_max, ticket, paced_done, peer)) != TIDE_OK)
		atomic_fetch_sub(&peer->paced, 1);
	return rc;
}

tide_err
daemon__pace_ask(struct daemon_peer *peer, enum wire_type type, struct wire_frame *frame, uint32_t ms_max,
    uint64_t ticket, uint64_t now)
{
	struct postponed *one;

	if (!is_paced(peer, type))
		return wire_client_ask(peer->client, frame, ms_max, ticket, daemon__call_done, peer->daemon);
	settle(peer, now);
	if (peer->postponed == NULL && is_time(peer, now))
		return ask_now(peer, frame, ms_max, ticket);
	if (frame == NULL || (one = calloc(1, sizeof *one)) == NULL) {
		free(frame);
		return TIDE_NOMEM;
	}
	*one = (struct postponed){.frame = frame, .ms_max = ms_max, .ticket = ticket};
	if (peer->postponed == NULL)
		peer->postponed_last = &peer->postponed;
	*peer->postponed_last = one;
	peer->postponed_last = &one->next;
	peer->n_postponed++;
	return TIDE_OK;
}

static struct postponed *
take_first(struct daemon_peer *peer)
{
	struct postponed *one = peer->postponed;

	peer->postponed = one->next;
	peer->n_postponed--;
	return one;
}

void
daemon__pace_turn(struct daemon_peer *peer, uint64_t now)
{
	if (peer->bucket.rate == 0)
		return;
	settle(peer, now);
	while (peer->postponed != NULL && is_time(peer, now)) {
		struct postponed *one = take_first(peer);
		tide_err rc = ask_now(peer, one->frame, one->ms_max, one->ticket);

		if (rc != TIDE_OK)
			link_message_failed(
			    peer->daemon->link, now, one->ticket, TIDE_UNAVAILABLE, tide_err_text(rc));
		free(one);
	}
}

uint64_t
daemon__pace_wake(struct daemon_peer *peer, uint64_t now)
{
	return peer->postponed == NULL || !has_room(peer) ? UINT64_MAX : bucket_ready_at(&peer->bucket, now);
}

void
daemon__pace_forget(struct daemon_peer *peer)
{
	while (peer->postponed != NULL) {
		struct postponed *one = take_first(peer);

		free(one->frame);
		free(one);
	}
}
