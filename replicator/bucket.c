#include "replicator/bucket.h"

/* Time pays the debt; it saves nothing up. */
static void
pay(struct bucket *bucket, uint64_t now)
{
	uint64_t passed = now > bucket->at ? now - bucket->at : 0, paid;

	bucket->at = now > bucket->at ? now : bucket->at;
	/* What a day pays is more than anybody owes: no overflow. */
	if (passed > 86400000)
		passed = 86400000;
	paid = passed * bucket->rate + bucket->spare;
	bucket->spare = paid % 1000;
	if (paid / 1000 >= bucket->debt) {
		bucket->debt = 0;
		bucket->spare = 0;
	} else {
		bucket->debt -= paid / 1000;
	}
}

void
bucket_take(struct bucket *bucket, uint64_t now, uint64_t bytes)
{
	if (bucket->rate == 0)
		return;
	pay(bucket, now);
	bucket->debt += bytes;
}

uint64_t
bucket_ready_at(struct bucket *bucket, uint64_t now)
{
	uint64_t owed;

	if (bucket->rate == 0)
		return now;
	pay(bucket, now);
	if (bucket->debt == 0)
		return now;
	owed = bucket->debt * 1000 - bucket->spare;
	return now + (owed + bucket->rate - 1) / bucket->rate;
}

uint64_t
bucket_share(const struct bucket *bucket, uint64_t least, uint64_t most)
{
	uint64_t share = bucket->rate / BUCKET_TOGETHER;

	if (bucket->rate == 0 || share > most)
		return most;
	return share < least ? least : share;
}

uint64_t
bucket_together(const struct bucket *bucket, uint64_t share)
{
	uint64_t together = bucket->rate / (share > 0 ? share : 1);

	return together < BUCKET_TOGETHER ? BUCKET_TOGETHER : together;
}
