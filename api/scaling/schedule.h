/*
 * Schedules of scheduled actions: at(yyyy-mm-ddThh:mm:ss), rate(5 minutes), cron(minutes hours days months weekdays years). Pure.
 * Times are UTC. Of cron, the fields take numbers, names, lists, ranges, steps, * and ?; not L, W and #.
 *
 * Source: https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html
 */
#ifndef TIDE_API_SCALING_SCHEDULE_H
#define TIDE_API_SCALING_SCHEDULE_H

#include "base/bytes.h"

enum scaling_schedule_kind { SCHEDULE_AT, SCHEDULE_RATE, SCHEDULE_CRON };

struct scaling_schedule {
	enum scaling_schedule_kind kind;
	uint64_t at_ms; /* AT */
	uint64_t every_ms; /* RATE */
	uint64_t minutes; /* CRON: sets, by bit */
	uint32_t hours, days, months, weekdays; /* weekdays: bit 1 is Sunday */
	bool any_day, any_weekday; /* the field is "?" or "*" */
	uint32_t year_first, year_last, year_step;
};

/** False: no such schedule. */
bool scaling_schedule_parse(struct bytes text, struct scaling_schedule *out);

/** Is it due now, when it ran last at `ran_ms` (0: never) and was made at `since_ms`? Asked once a minute or more often. */
bool scaling_schedule_due(
    const struct scaling_schedule *schedule, uint64_t since_ms, uint64_t ran_ms, uint64_t now_ms);

#endif
