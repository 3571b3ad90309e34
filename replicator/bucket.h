/*
 * A token bucket in debt: bytes are counted when they have come, and nothing more is asked for until the time has paid for them. So the rate
 * holds over any longer time, whatever size an answer turns out to have; a burst is at most what was under way.
 *
 * Thread: one. Time in ms, of a clock that never goes back.
 */
#ifndef TIDE_REPLICATOR_BUCKET_H
#define TIDE_REPLICATOR_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t rate; /* bytes per second; 0: no limit */
	uint64_t debt; /* bytes */
	uint64_t at; /* up to when the debt was paid */
	uint64_t spare; /* paid in part: thousandths of a byte */
};

/** Bytes have come. */
void bucket_take(struct bucket *bucket, uint64_t now, uint64_t bytes);

/** When more may be asked for: `now` or earlier means at once. */
uint64_t bucket_ready_at(struct bucket *bucket, uint64_t now);

#define BUCKET_TOGETHER 8 /* answers to be under way at least: what comes late delays only its part */

/** How much to ask for at a time, so that BUCKET_TOGETHER answers are a second's worth: between `least` and `most`. */
uint64_t bucket_share(const struct bucket *bucket, uint64_t least, uint64_t most);

/** How many answers of that share may be under way: a second's worth, and BUCKET_TOGETHER at least. */
uint64_t bucket_together(const struct bucket *bucket, uint64_t share);

#endif
