/* Seeded random numbers and value trees for property tests. A failing test prints the seed. */
#ifndef TIDE_TESTS_ITEM_RANDOM_VALUE_H
#define TIDE_TESTS_ITEM_RANDOM_VALUE_H

#include "store/item/number.h"
#include "store/item/value.h"

struct random {
	uint64_t state;
};

uint64_t random_next(struct random *random);

/** 0 .. n - 1. */
uint32_t random_below(struct random *random, uint32_t n);

/** Any DynamoDB number: zero, the extremes, near neighbours and the whole range. */
struct number random_number(struct random *random);

/** A canonical scalar of type S, N or B with at most `max` bytes of S or B, rich in 00 and ff bytes. */
struct value random_scalar(struct random *random, struct arena *arena, enum value_type type, uint32_t max);

/** A canonical value whose depth is at most `depth`. */
struct value random_value(struct random *random, struct arena *arena, unsigned depth);

/** A canonical map with up to `n` members of random names. */
struct value random_item(struct random *random, struct arena *arena, uint32_t n, unsigned depth);

#endif
