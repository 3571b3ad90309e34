#include "api/ops/throughput.h"

#include <stdio.h>
#include <time.h>

#define DAY_MS 86400000
#define HOUR_MS 3600000
#define DECREASES_FREE 4

tide_err
throughput_check(const struct region *region, struct throughput asked, struct tide_error *error)
{
	uint64_t most = region->config.table_units_max;
	bool reads = asked.read > most;

	if (most == 0 || (!reads && asked.write <= most))
		return TIDE_OK;
	return tide_fail(error, TIDE_LIMIT_EXCEEDED,
	    "The requested %s, %llu, is above the per table maximum for the account in %s. Per table "
	    "maximum: "
	    "%llu. Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher "
	    "limits.",
	    reads ? "ReadCapacityUnits" : "WriteCapacityUnits",
	    (unsigned long long)(reads ? asked.read : asked.write), region->config.region,
	    (unsigned long long)most);
}

uint64_t
throughput_decreases_today(const struct throughput_changes *changes, uint64_t now_ms)
{
	return changes->decreased_ms / DAY_MS == now_ms / DAY_MS ? changes->decreases : 0;
}

/* "Wednesday, July 25, 2018 at 8:48:14 PM Coordinated Universal Time" */
static void
write_moment(char *out, size_t room, uint64_t ms)
{
	static const char *const days[] = {
	    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
	static const char *const months[] = {"January", "February", "March", "April", "May", "June", "July",
	    "August", "September", "October", "November", "December"};
	time_t at = (time_t)(ms / 1000);
	struct tm tm;

	/* Not strftime: its names follow the locale. */
	if (gmtime_r(&at, &tm) == NULL)
		memset(&tm, 0, sizeof tm);
	snprintf(out, room, "%s, %s %d, %d at %d:%02d:%02d %s Coordinated Universal Time", days[tm.tm_wday],
	    months[tm.tm_mon], tm.tm_mday, tm.tm_year + 1900, tm.tm_hour % 12 == 0 ? 12 : tm.tm_hour % 12,
	    tm.tm_min, tm.tm_sec, tm.tm_hour < 12 ? "AM" : "PM");
}

tide_err
throughput_change(struct throughput_changes *changes, struct throughput from, struct throughput to,
    uint64_t now_ms, struct tide_error *error)
{
	uint64_t today = throughput_decreases_today(changes, now_ms);
	char last[96], next[96];

	if (to.read >= from.read && to.write >= from.write) {
		if (to.read > from.read || to.write > from.write)
			changes->increased_ms = now_ms;
		return TIDE_OK;
	}
	if (today >= DECREASES_FREE && now_ms < changes->decreased_ms + HOUR_MS) {
		write_moment(last, sizeof last, changes->decreased_ms);
		write_moment(next, sizeof next, changes->decreased_ms + HOUR_MS);
		return tide_fail(error, TIDE_LIMIT_EXCEEDED,
		    "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given "
		    "UTC day. After the first %d decreases, each subsequent decrease in the same UTC day can "
		    "be performed at most once every 3600 seconds. Number of decreases today: %llu. Last "
		    "decrease at %s. Next decrease can be made at %s",
		    DECREASES_FREE, (unsigned long long)today, last, next);
	}
	changes->decreases = today + 1;
	changes->decreased_ms = now_ms;
	if (to.read > from.read || to.write > from.write)
		changes->increased_ms = now_ms;
	return TIDE_OK;
}

static void
write_seconds(struct buf *out, const char *name, uint64_t ms)
{
	if (ms != 0)
		buf_append_format(out, ",\"%s\":%llu.%03llu", name, (unsigned long long)(ms / 1000),
		    (unsigned long long)(ms % 1000));
}

void
throughput_write_json(
    struct buf *out, const struct throughput_changes *changes, struct throughput provisioned, uint64_t now_ms)
{
	buf_append_format(out,
	    "{\"NumberOfDecreasesToday\":%llu,\"ReadCapacityUnits\":%llu,\"WriteCapacityUnits\":%llu",
	    (unsigned long long)throughput_decreases_today(changes, now_ms),
	    (unsigned long long)provisioned.read, (unsigned long long)provisioned.write);
	write_seconds(out, "LastIncreaseDateTime", changes->increased_ms);
	write_seconds(out, "LastDecreaseDateTime", changes->decreased_ms);
	buf_append_byte(out, '}');
}
