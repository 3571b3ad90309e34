#include "api/scaling/rule.h"

#include <math.h>
#include <string.h>

#define IN_POINTS 20

void
scaling_minutes_add(struct scaling_minutes *minutes, double units)
{
	if (minutes->n == SCALING_MINUTES_IN) {
		memmove(
		    minutes->units, minutes->units + 1, (SCALING_MINUTES_IN - 1) * sizeof *minutes->units);
		minutes->n--;
	}
	minutes->units[minutes->n++] = units;
}

static int64_t
bounded(const struct scaling_rule *rule, double units)
{
	if (units >= (double)rule->max)
		return rule->max;
	return units <= (double)rule->min ? rule->min : (int64_t)units;
}

/* What the busiest of the last `n` minutes needs to be at the target. */
static int64_t
wanted(const struct scaling_rule *rule, const struct scaling_minutes *minutes, uint32_t n)
{
	double most = 0;

	for (uint32_t i = minutes->n - n; i < minutes->n; i++)
		most = fmax(most, minutes->units[i]);
	return bounded(rule, ceil(most * 100 / rule->target));
}

static bool
is_over(uint64_t since_ms, int64_t cooldown_s, uint64_t now_ms)
{
	return since_ms == 0 || cooldown_s <= 0 || now_ms >= since_ms + (uint64_t)cooldown_s * 1000;
}

static bool
all_above(const struct scaling_minutes *minutes, double units)
{
	if (minutes->n < SCALING_MINUTES_OUT)
		return false;
	for (uint32_t i = minutes->n - SCALING_MINUTES_OUT; i < minutes->n; i++)
		if (minutes->units[i] <= units)
			return false;
	return true;
}

static bool
all_below(const struct scaling_minutes *minutes, double units)
{
	if (minutes->n < SCALING_MINUTES_IN)
		return false;
	for (uint32_t i = 0; i < minutes->n; i++)
		if (minutes->units[i] >= units)
			return false;
	return true;
}

int64_t
scaling_rule_decide(const struct scaling_rule *rule, const struct scaling_minutes *minutes,
    const struct scaling_past *past, int64_t current, uint64_t now_ms)
{
	double low = fmax(rule->target - IN_POINTS, rule->target / 2);
	uint64_t last = past->in_ms > past->out_ms ? past->in_ms : past->out_ms;
	int64_t want = current;

	if (!rule->no_out && all_above(minutes, (double)current * rule->target / 100) &&
	    is_over(past->out_ms, rule->out_cooldown_s, now_ms)) {
		want = wanted(rule, minutes, SCALING_MINUTES_OUT);
		return want > current ? want : current;
	}
	if (!rule->no_in && all_below(minutes, (double)current * low / 100) &&
	    is_over(last, rule->in_cooldown_s, now_ms)) {
		want = wanted(rule, minutes, SCALING_MINUTES_IN);
		return want < current ? want : current;
	}
	return current;
}
