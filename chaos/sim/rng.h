/* Numbers drawn from a seed: the same ones on every machine. */
#ifndef TIDE_CHAOS_SIM_RNG_H
#define TIDE_CHAOS_SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

/** The next 64 bits. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (SplitMix64). */
static inline uint64_t
rng_next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/** The generator of one part of a seed: parts can be left out without changing the others. */
static inline struct rng
rng_of(uint64_t seed, uint64_t part)
{
	struct rng rng = {seed * 0xd1342543de82ef95u + part};

	rng_next(&rng);
	return rng;
}

/** Below `n`; 0 for 0. */
static inline uint32_t
rng_below(struct rng *rng, uint32_t n)
{
	return n == 0 ? 0 : (uint32_t)((rng_next(rng) >> 32) * n >> 32);
}

/** From `least` to `most`, both possible. */
static inline uint32_t
rng_between(struct rng *rng, uint32_t least, uint32_t most)
{
	return least + rng_below(rng, most - least + 1);
}

static inline bool
rng_percent(struct rng *rng, uint32_t percent)
{
	return rng_below(rng, 100) < percent;
}

#endif
