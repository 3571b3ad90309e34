/*
 * When to answer a peer's next request for a batch. A peer far away has only so many requests under way; where each commit
 * takes one, the first commits take all, and what is written then waits for most of a round trip. Spread over the round trip, no
 * write waits for more than a round trip divided by the requests.
 *
 * The round trip is measured: each request says how many batches its sender had when it asked. Batches are spread only at the
 * journal's end: a peer that catches up gets its batches as fast as it asks. Pure; one thread at a time. Milliseconds.
 */
#ifndef TIDE_API_PACE_H
#define TIDE_API_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_SENT_MAX 256 /* answers on their way that are remembered */

struct pace {
	uint64_t sent, heard; /* batches sent; batches that the peer is known to have */
	uint64_t sent_at[PACE_SENT_MAX];
	uint64_t trip; /* from an answer to the request that followed it; 0: not known */
	uint64_t last; /* when the last batch was sent */
	bool level; /* it was at the journal's end */
};

/** A request came, from a peer that had `got` batches of this session. */
void pace_heard(struct pace *pace, uint64_t now, uint64_t got);

/** A batch was sent; `level`: nothing was left behind it. */
void pace_sent(struct pace *pace, uint64_t now, bool level);

/** When the next batch should go, with `waiting` requests here that can be answered; a moment that is past: now. */
uint64_t pace_due(const struct pace *pace, uint64_t waiting);

#endif
