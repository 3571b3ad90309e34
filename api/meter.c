#include "api/meter.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define STRIPES 64
#define MINUTE_MS 60000
#define THOUSANDTHS 1000

/* --- one bucket --- */

static int64_t
full(uint64_t rate)
{
	return (int64_t)(rate * 2 * THOUSANDTHS * METER_BURST_SECONDS);
}

void
meter_bucket_settle(struct meter_bucket *bucket, uint64_t rate, uint64_t now_ms)
{
	uint64_t passed = now_ms - bucket->settled_ms;

	if (rate > METER_RATE_MAX)
		rate = METER_RATE_MAX;
	if (bucket->rate == 0) {
		/* it had no limit until now */
		bucket->balance = full(rate);
	} else {
		if (passed > METER_BURST_SECONDS * 1000)
			passed = METER_BURST_SECONDS * 1000;
		/* half units a second are thousandths of them a millisecond */
		bucket->balance += (int64_t)(bucket->rate * 2 * passed);
		if (bucket->balance > full(rate))
			bucket->balance = full(rate);
	}
	bucket->rate = rate;
	bucket->settled_ms = now_ms;
}

bool
meter_bucket_admits(const struct meter_bucket *bucket)
{
	return bucket->rate == 0 || bucket->balance > 0;
}

void
meter_bucket_take(struct meter_bucket *bucket, uint64_t halves)
{
	/* More than this a single request never takes: it keeps the sum from overflowing. */
	if (halves > UINT32_MAX)
		halves = UINT32_MAX;
	if (bucket->rate != 0 && bucket->balance > -full(METER_RATE_MAX))
		bucket->balance -= (int64_t)(halves * THOUSANDTHS);
}

/* --- all of them --- */

struct entry {
	uint64_t table, index;
	struct meter_bucket buckets[2];
	struct meter_counts counts; /* `minute_*` of the minute before `minute` */
	uint64_t minute; /* the one that is being counted */
	uint64_t consumed_before[2], refused_before[2]; /* when it began */
	struct entry *next;
};

/* All of a table is in one stripe, under its lock. */
struct stripe {
	pthread_mutex_t lock;
	struct entry *first;
};

struct meter {
	struct meter_options options;
	struct stripe stripes[STRIPES];
};

static uint64_t
now_ms(const struct meter *meter)
{
	struct timespec now;

	if (meter->options.now_ms != NULL)
		return meter->options.now_ms(meter->options.now_arg);
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct stripe *
stripe_of(struct meter *meter, uint64_t table)
{
	return &meter->stripes[(table ^ table >> 32) % STRIPES];
}

static struct entry *
find(const struct stripe *stripe, uint64_t table, uint64_t index)
{
	struct entry *entry = stripe->first;

	while (entry != NULL && (entry->table != table || entry->index != index))
		entry = entry->next;
	return entry;
}

/* NULL: no memory. */
static struct entry *
find_or_add(struct stripe *stripe, uint64_t table, uint64_t index, uint64_t now)
{
	struct entry *entry = find(stripe, table, index);

	if (entry != NULL || (entry = calloc(1, sizeof *entry)) == NULL)
		return entry;
	entry->table = table;
	entry->index = index;
	entry->minute = now / MINUTE_MS;
	entry->next = stripe->first;
	stripe->first = entry;
	return entry;
}

/* Close the minutes that have passed since something was last counted. */
static void
roll(struct entry *entry, uint64_t now)
{
	struct meter_counts *counts = &entry->counts;
	uint64_t minute = now / MINUTE_MS;

	if (minute == entry->minute)
		return;
	for (int unit = METER_READ; unit <= METER_WRITE; unit++) {
		bool last = minute == entry->minute + 1;

		counts->minute_consumed[unit] =
		    last ? counts->consumed[unit] - entry->consumed_before[unit] : 0;
		counts->minute_refused[unit] = last ? counts->refused[unit] - entry->refused_before[unit] : 0;
		entry->consumed_before[unit] = counts->consumed[unit];
		entry->refused_before[unit] = counts->refused[unit];
	}
	entry->minute = minute;
}

tide_err
meter_open(const struct meter_options *options, struct meter **out)
{
	struct meter *meter = calloc(1, sizeof *meter);

	if (meter == NULL)
		return TIDE_NOMEM;
	if (options != NULL)
		meter->options = *options;
	for (int i = 0; i < STRIPES; i++)
		pthread_mutex_init(&meter->stripes[i].lock, NULL);
	*out = meter;
	return TIDE_OK;
}

void
meter_close(struct meter *meter)
{
	struct entry *entry, *next;

	if (meter == NULL)
		return;
	for (int i = 0; i < STRIPES; i++) {
		for (entry = meter->stripes[i].first; entry != NULL; entry = next) {
			next = entry->next;
			free(entry);
		}
		pthread_mutex_destroy(&meter->stripes[i].lock);
	}
	free(meter);
}

bool
meter_admit(struct meter *meter, const struct meter_resource *resource, enum meter_unit unit)
{
	struct stripe *stripe;
	struct entry *entry;
	bool admitted = true;
	uint64_t now;

	if (meter == NULL || meter->options.describe_only)
		return true;
	now = now_ms(meter);
	stripe = stripe_of(meter, resource->table);
	pthread_mutex_lock(&stripe->lock);
	if ((entry = find_or_add(stripe, resource->table, resource->index, now)) != NULL) {
		roll(entry, now);
		meter_bucket_settle(&entry->buckets[unit], resource->rate[unit], now);
		if (!(admitted = meter_bucket_admits(&entry->buckets[unit])))
			entry->counts.refused[unit]++;
	}
	pthread_mutex_unlock(&stripe->lock);
	return admitted;
}

void
meter_take(struct meter *meter, const struct meter_resource *resource, enum meter_unit unit, uint64_t halves)
{
	struct stripe *stripe;
	struct entry *entry;
	uint64_t now;

	if (meter == NULL || halves == 0)
		return;
	now = now_ms(meter);
	stripe = stripe_of(meter, resource->table);
	pthread_mutex_lock(&stripe->lock);
	if ((entry = find_or_add(stripe, resource->table, resource->index, now)) != NULL) {
		roll(entry, now);
		meter_bucket_settle(&entry->buckets[unit], resource->rate[unit], now);
		meter_bucket_take(&entry->buckets[unit], halves);
		entry->counts.consumed[unit] += halves;
	}
	pthread_mutex_unlock(&stripe->lock);
}

bool
meter_counts(struct meter *meter, uint64_t table, uint64_t index, struct meter_counts *out)
{
	struct stripe *stripe;
	struct entry *entry;

	*out = (struct meter_counts){0};
	if (meter == NULL)
		return false;
	stripe = stripe_of(meter, table);
	pthread_mutex_lock(&stripe->lock);
	if ((entry = find(stripe, table, index)) != NULL) {
		roll(entry, now_ms(meter));
		*out = entry->counts;
	}
	pthread_mutex_unlock(&stripe->lock);
	return entry != NULL;
}

void
meter_sweep(struct meter *meter, bool (*there)(void *arg, uint64_t table), void *arg)
{
	struct entry **at, *entry;

	if (meter == NULL)
		return;
	for (int i = 0; i < STRIPES; i++) {
		pthread_mutex_lock(&meter->stripes[i].lock);
		at = &meter->stripes[i].first;
		while ((entry = *at) != NULL) {
			if (there(arg, entry->table)) {
				at = &entry->next;
				continue;
			}
			*at = entry->next;
			free(entry);
		}
		pthread_mutex_unlock(&meter->stripes[i].lock);
	}
}
