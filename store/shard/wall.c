/*
 * This region's own clock, watched. Its writes carry it, so a clock that is wrong makes writes that no peer takes (their guard holds
 * them) or that lose to everything: such writes are refused instead. Two witnesses:
 *
 *     the monotonic clock   real time must go on as it does. A difference of at most max_clock_skew is taken over slowly, a thousandth
 *                           of the time that passes: what NTP slews never adds up. A larger one is a jump (CLOCK-JUMPED). Until it is
 *                           taken back, everything here goes by the monotonic clock: the hybrid clock never moves with the bad time.
 *     the peers             each hello tells the sender's real time. It is older when it is heard, so how far the sender is ahead of us
 *                           is known at least; how far we are ahead of it, it tells us. Ahead of every peer: nobody takes what we
 *                           write (CLOCK-AHEAD). Behind all, of two or more: it is not they who are wrong (CLOCK-BEHIND).
 *
 * After a jump the peers decide: if for TRUST_MS none of them, and there is one, finds the new time wrong, then it was the old one that
 * was (a machine that slept; a clock set right). A region without peers is not watched.
 */
#include <time.h>

#include "base/log.h"
#include "store/shard/group_priv.h"

#define TRUST_MS 10000 /* a peer's word holds so long, and a jump must be good for so long */
#define SLEW 1000 /* one in so many milliseconds is taken over */

void
wall__init(struct wall *wall)
{
	pthread_mutex_init(&wall->lock, NULL);
}

void
wall__fini(struct wall *wall)
{
	pthread_mutex_destroy(&wall->lock);
}

static uint64_t
mono_ms(const struct shard *shard)
{
	struct timespec now;

	if (shard->options.mono_ms != NULL)
		return shard->options.mono_ms(shard->options.wall_arg);
	/* It counts the time that the machine sleeps, too. */
	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool
watched(const struct shard *shard)
{
	return shard->n_peers > 0 && (shard->options.mono_ms != NULL || shard->options.wall_ms == NULL);
}

static uint64_t
apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* What the peers that were heard of late say: every one of them that we are ahead, that we are behind, or one of them either. */
struct word {
	unsigned n;
	bool all_ahead, all_behind, any;
	uint64_t ahead_ms, behind_ms; /* the least */
};

static struct word
ask_peers(const struct shard *shard, uint64_t mono)
{
	struct word word = {
	    .all_ahead = true, .all_behind = true, .ahead_ms = UINT64_MAX, .behind_ms = UINT64_MAX};
	uint64_t bound = shard->options.skew_ms_max;

	for (unsigned i = 0; i < shard->n_peers; i++) {
		const struct wall_peer *peer = &shard->wall.peers[shard->peers[i]];

		if (!peer->heard || mono - peer->heard_at > TRUST_MS)
			continue;
		word.n++;
		word.all_ahead &= peer->we_ahead_ms > bound;
		word.all_behind &= peer->ahead_ms > bound;
		word.any |= peer->we_ahead_ms > bound || peer->ahead_ms > bound;
		if (peer->we_ahead_ms < word.ahead_ms)
			word.ahead_ms = peer->we_ahead_ms;
		if (peer->ahead_ms < word.behind_ms)
			word.behind_ms = peer->ahead_ms;
	}
	return word;
}

/* Under the lock: what the time should be, after taking over what may be taken over. */
static uint64_t
follow(struct shard *shard, uint64_t real, uint64_t mono, const struct word *word)
{
	struct wall *wall = &shard->wall;
	uint64_t passed = mono - wall->base_mono, expected = wall->base_real + passed, step = passed / SLEW;

	if (apart(real, expected) <= shard->options.skew_ms_max) {
		wall->jumped = false;
		if (step == 0)
			return real;
		if (step > apart(real, expected))
			step = apart(real, expected);
		wall->base_real = real > expected ? expected + step : expected - step;
		wall->base_mono = mono;
		return real;
	}
	if (!wall->jumped) {
		wall->jumped = true;
		wall->jumped_at = mono;
	}
	if (mono - wall->jumped_at > TRUST_MS && word->n > 0 && !word->any) {
		log_warn("CLOCK-TRUSTED", "by_ms=%llu why=\"the peers agree with it\"",
		    (unsigned long long)apart(real, expected));
		wall->jumped = false;
		wall->base_real = real;
		wall->base_mono = mono;
		return real;
	}
	return expected;
}

static void
say(struct wall *wall, enum clock_trouble trouble, uint64_t off_ms)
{
	if (trouble == wall->now.trouble)
		return;
	if (trouble == CLOCK_FINE)
		log_warn("CLOCK-RIGHT", "was=%s", clock_trouble_name(wall->now.trouble));
	else
		log_err(
		    clock_trouble_name(trouble), "off_ms=%llu writes=refused", (unsigned long long)off_ms);
}

const char *
clock_trouble_name(enum clock_trouble trouble)
{
	static const char *const names[] = {"CLOCK-RIGHT", "CLOCK-JUMPED", "CLOCK-AHEAD", "CLOCK-BEHIND"};

	return names[trouble];
}

uint64_t
shard_now_ms(struct shard *shard, struct clock_view *view)
{
	struct wall *wall = &shard->wall;
	uint64_t real = shard_wall_ms(shard), mono, now;
	struct clock_view found = {0};
	struct word word;

	if (!watched(shard)) {
		if (view != NULL)
			*view = found;
		return real;
	}
	mono = mono_ms(shard);
	pthread_mutex_lock(&wall->lock);
	if (!wall->begun) {
		wall->begun = true;
		wall->base_real = real;
		wall->base_mono = mono;
	}
	word = ask_peers(shard, mono);
	now = follow(shard, real, mono, &word);
	if (wall->jumped)
		found = (struct clock_view){CLOCK_JUMPED, apart(real, now)};
	else if (word.n > 0 && word.all_ahead)
		found = (struct clock_view){CLOCK_AHEAD, word.ahead_ms};
	else if (word.n > 1 && word.all_behind)
		found = (struct clock_view){CLOCK_BEHIND, word.behind_ms};
	say(wall, found.trouble, found.off_ms);
	wall->now = found;
	pthread_mutex_unlock(&wall->lock);
	if (view != NULL)
		*view = found;
	return now;
}

void
shard_clock_heard(struct shard *shard, uint8_t region, uint64_t wall_ms, uint64_t we_ahead_ms)
{
	uint64_t real = shard_wall_ms(shard), mono;
	struct wall_peer *peer = &shard->wall.peers[region];

	if (!watched(shard))
		return;
	mono = mono_ms(shard);
	pthread_mutex_lock(&shard->wall.lock);
	*peer = (struct wall_peer){.heard = true,
	    .heard_at = mono,
	    .ahead_ms = wall_ms > real ? wall_ms - real : 0,
	    .we_ahead_ms = we_ahead_ms};
	pthread_mutex_unlock(&shard->wall.lock);
}

uint64_t
wall__ahead(struct shard *shard, uint8_t region)
{
	const struct wall_peer *peer = &shard->wall.peers[region];
	uint64_t ahead = 0, mono;

	if (!watched(shard))
		return 0;
	mono = mono_ms(shard);
	pthread_mutex_lock(&shard->wall.lock);
	if (peer->heard && mono - peer->heard_at <= TRUST_MS)
		ahead = peer->ahead_ms;
	pthread_mutex_unlock(&shard->wall.lock);
	return ahead;
}
