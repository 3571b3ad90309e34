#include "api/scaling/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#define MINUTE_MS 60000
#define TEXT_MAX 256
#define CRON_FIELDS 6
#define YEAR_FIRST 1970
#define YEAR_LAST 2199

/* One field's numbers: `low` to `high`, and names for some of them (from `low` on). */
struct field {
	unsigned low, high;
	const char *const *names;
};

static const char *const months[] = {
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC", NULL};
static const char *const weekdays[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", NULL};

/* A number or a name at the front of `*at`, which moves on. */
static bool
take_number(const char **at, const struct field *field, unsigned *out)
{
	char *end;

	for (unsigned i = 0; field->names != NULL && field->names[i] != NULL; i++) {
		if (strncasecmp(*at, field->names[i], 3) != 0)
			continue;
		*at += 3;
		*out = field->low + i;
		return true;
	}
	if (**at < '0' || **at > '9')
		return false;
	*out = (unsigned)strtoul(*at, &end, 10);
	*at = end;
	return *out >= field->low && *out <= field->high;
}

/* One part of a list: a star, a number or a range, with a step or without. */
static bool
take_part(const char **at, const struct field *field, uint64_t *set)
{
	unsigned from = field->low, to = field->high, step = 1;
	struct field steps = {1, 1000, NULL};
	bool star = **at == '*';

	if (star)
		(*at)++;
	else if (!take_number(at, field, &from))
		return false;
	if (!star && **at == '-') {
		(*at)++;
		if (!take_number(at, field, &to) || to < from)
			return false;
	} else if (!star && **at != '/') {
		to = from;
	}
	if (**at == '/') {
		(*at)++;
		if (!take_number(at, &steps, &step))
			return false;
	}
	for (unsigned i = from; i <= to; i += step)
		*set |= UINT64_C(1) << i;
	return true;
}

static bool
parse_set(const char *text, const struct field *field, uint64_t *set)
{
	*set = 0;
	while (take_part(&text, field, set)) {
		if (*text == '\0')
			return true;
		if (*text++ != ',')
			return false;
	}
	return false;
}

/* Years are more than a set of 64: all, one, a range, or all in steps. */
static bool
parse_years(const char *text, struct scaling_schedule *out)
{
	struct field years = {YEAR_FIRST, YEAR_LAST, NULL}, steps = {1, 1000, NULL};
	bool star = *text == '*';

	out->year_first = YEAR_FIRST;
	out->year_last = YEAR_LAST;
	out->year_step = 1;
	if (star)
		text++;
	else if (!take_number(&text, &years, &out->year_first))
		return false;
	if (!star && *text == '-') {
		text++;
		if (!take_number(&text, &years, &out->year_last) || out->year_last < out->year_first)
			return false;
	} else if (!star && *text != '/') {
		out->year_last = out->year_first;
	}
	if (*text == '/') {
		text++;
		if (!take_number(&text, &steps, &out->year_step))
			return false;
	}
	return *text == '\0';
}

static bool
is_any(const char *text)
{
	return strcmp(text, "*") == 0 || strcmp(text, "?") == 0;
}

static bool
parse_cron(char *text, struct scaling_schedule *out)
{
	static const struct field minute = {0, 59, NULL}, hour = {0, 23, NULL}, day = {1, 31, NULL},
				  month = {1, 12, months}, weekday = {1, 7, weekdays};
	char *fields[CRON_FIELDS + 1], *rest = NULL;
	uint64_t set[5];
	unsigned n = 0;

	for (char *f = strtok_r(text, " ", &rest); f != NULL && n <= CRON_FIELDS;
	     f = strtok_r(NULL, " ", &rest))
		fields[n++] = f;
	if (n != CRON_FIELDS)
		return false;
	out->kind = SCHEDULE_CRON;
	out->any_day = is_any(fields[2]);
	out->any_weekday = is_any(fields[4]);
	/* One of the two has to be "?", as in AWS. */
	if ((strcmp(fields[2], "?") == 0) == (strcmp(fields[4], "?") == 0))
		return false;
	if (!parse_set(fields[0], &minute, &set[0]) || !parse_set(fields[1], &hour, &set[1]) ||
	    !parse_set(out->any_day ? "*" : fields[2], &day, &set[2]) ||
	    !parse_set(fields[3], &month, &set[3]) ||
	    !parse_set(out->any_weekday ? "*" : fields[4], &weekday, &set[4]) || !parse_years(fields[5], out))
		return false;
	out->minutes = set[0];
	out->hours = (uint32_t)set[1];
	out->days = (uint32_t)set[2];
	out->months = (uint32_t)set[3];
	out->weekdays = (uint32_t)set[4];
	return true;
}

static bool
parse_at(const char *text, struct scaling_schedule *out)
{
	struct tm tm = {0};
	int n = 0;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
		&tm.tm_min, &tm.tm_sec, &n) != 6 ||
	    text[n] != '\0' || tm.tm_year < YEAR_FIRST || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
	    tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 ||
	    tm.tm_sec < 0 || tm.tm_sec > 59)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	out->kind = SCHEDULE_AT;
	out->at_ms = (uint64_t)timegm(&tm) * 1000;
	return true;
}

static bool
parse_rate(const char *text, struct scaling_schedule *out)
{
	static const struct {
		const char *name;
		uint64_t ms;
		bool one;
	} periods[] = {{"minute", MINUTE_MS, true}, {"minutes", MINUTE_MS, false},
	    {"hour", 60 * MINUTE_MS, true}, {"hours", 60 * MINUTE_MS, false}, {"day", 1440 * MINUTE_MS, true},
	    {"days", 1440 * MINUTE_MS, false}};
	unsigned count;
	char unit[16];
	int n = 0;

	if (sscanf(text, "%8u %15[a-z]%n", &count, unit, &n) != 2 || text[n] != '\0' || count == 0)
		return false;
	for (size_t i = 0; i < sizeof periods / sizeof periods[0]; i++) {
		if (strcmp(unit, periods[i].name) != 0 || (count == 1) != periods[i].one)
			continue;
		out->kind = SCHEDULE_RATE;
		out->every_ms = count * periods[i].ms;
		return true;
	}
	return false;
}

bool
scaling_schedule_parse(struct bytes text, struct scaling_schedule *out)
{
	char copy[TEXT_MAX], *open, *close;

	*out = (struct scaling_schedule){0};
	if (text.n == 0 || text.n >= sizeof copy || memchr(text.at, 0, text.n) != NULL)
		return false;
	memcpy(copy, text.at, text.n);
	copy[text.n] = '\0';
	open = strchr(copy, '(');
	close = strrchr(copy, ')');
	if (open == NULL || close == NULL || close < open || close[1] != '\0')
		return false;
	*open = *close = '\0';
	if (strcmp(copy, "at") == 0)
		return parse_at(open + 1, out);
	if (strcmp(copy, "rate") == 0)
		return parse_rate(open + 1, out);
	return strcmp(copy, "cron") == 0 && parse_cron(open + 1, out);
}

static bool
cron_matches(const struct scaling_schedule *s, uint64_t now_ms)
{
	time_t at = (time_t)(now_ms / 1000);
	unsigned year;
	struct tm tm;

	if (gmtime_r(&at, &tm) == NULL)
		return false;
	year = (unsigned)tm.tm_year + 1900;
	return (s->minutes >> tm.tm_min & 1) != 0 && (s->hours >> tm.tm_hour & 1) != 0 &&
	       (s->days >> tm.tm_mday & 1) != 0 && (s->months >> (tm.tm_mon + 1) & 1) != 0 &&
	       (s->weekdays >> (tm.tm_wday + 1) & 1) != 0 && year >= s->year_first && year <= s->year_last &&
	       (year - s->year_first) % s->year_step == 0;
}

bool
scaling_schedule_due(
    const struct scaling_schedule *schedule, uint64_t since_ms, uint64_t ran_ms, uint64_t now_ms)
{
	switch (schedule->kind) {
	case SCHEDULE_AT:
		return ran_ms == 0 && now_ms >= schedule->at_ms;
	case SCHEDULE_RATE:
		return now_ms >= (ran_ms != 0 ? ran_ms : since_ms) + schedule->every_ms;
	case SCHEDULE_CRON:
		return now_ms / MINUTE_MS != ran_ms / MINUTE_MS && cron_matches(schedule, now_ms);
	}
	return false;
}
