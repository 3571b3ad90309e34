/*
 * Target tracking: how much capacity a resource should have, by what it consumed in the last minutes. Pure.
 *
 * Out, when each of the last two minutes was above the target; in, when each of the last fifteen was 20 points or more below
 * it (for a target under 40: below half of it). The new capacity is what puts the busiest of these minutes at the target,
 * within the bounds. Cooldowns begin with the change that they follow.
 *
 * Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.html
 */
#ifndef TIDE_API_SCALING_RULE_H
#define TIDE_API_SCALING_RULE_H

#include <stdbool.h>
#include <stdint.h>

#define SCALING_MINUTES_OUT 2
#define SCALING_MINUTES_IN 15

/* Consumption in whole minutes, the last one at the end. */
struct scaling_minutes {
	double units[SCALING_MINUTES_IN]; /* a second, on average */
	uint32_t n;
};

/** One more minute. */
void scaling_minutes_add(struct scaling_minutes *minutes, double units);

struct scaling_rule {
	double target; /* percent */
	int64_t min, max;
	int64_t in_cooldown_s, out_cooldown_s;
	bool no_in, no_out; /* scaling in that direction is off */
};

struct scaling_past {
	uint64_t in_ms, out_ms; /* the last change in that direction; 0: none */
};

/** Capacity as it should be; `current` when nothing is to be done. */
int64_t scaling_rule_decide(const struct scaling_rule *rule, const struct scaling_minutes *minutes,
    const struct scaling_past *past, int64_t current, uint64_t now_ms);

#endif
