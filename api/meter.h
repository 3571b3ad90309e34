/*
 * What tables and their global indexes consume in this region, and what they may: token buckets.
 *
 * A resource is a table or a global index; reads and writes have a bucket each. A bucket fills at the provisioned rate (or
 * the on-demand maximum), up to what 300 seconds give: what was not used is left for a burst. A request is let through while
 * there is anything in it, and takes what it turned out to need, so a bucket may go below zero; it is then refused until
 * that is filled up again. So the rate holds over time, whatever the size of a single request.
 *
 * Buckets are in memory only: they are full after a start. The limit is this region's; each region has its own. Rates come
 * with every call, from the description of the table as it is now, so a change takes effect at once.
 *
 * Any thread. Units of capacity are counted in halves, so that sums are exact (api/ops/capacity.h).
 * Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
 */
#ifndef TIDE_API_METER_H
#define TIDE_API_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define METER_BURST_SECONDS 300
#define METER_RATE_MAX 1000000000u /* units a second; what is above counts as this */

enum meter_unit { METER_READ, METER_WRITE };

/* --- one bucket: pure --- */

struct meter_bucket {
	uint64_t rate; /* units a second; 0: no limit */
	int64_t balance; /* thousandths of half units */
	uint64_t settled_ms; /* filled up to that moment */
};

/** Take the rate that holds now and fill up to this moment; a new bucket is full. `now_ms` only grows. */
void meter_bucket_settle(struct meter_bucket *bucket, uint64_t rate, uint64_t now_ms);

/** Is there anything in it? After settling. */
bool meter_bucket_admits(const struct meter_bucket *bucket);

/** Take that much. After settling. */
void meter_bucket_take(struct meter_bucket *bucket, uint64_t halves);

/* --- all of a region --- */

struct meter;

struct meter_options {
	bool describe_only; /* let everything through, and count only */
	uint64_t (*now_ms)(void *arg); /* milliseconds that only grow; NULL: the system's monotonic clock */
	void *now_arg;
};

/* A table, or one of its global indexes. */
struct meter_resource {
	uint64_t table;
	uint64_t index; /* 0: the table itself */
	uint64_t rate[2]; /* by enum meter_unit; units a second, 0: no limit */
};

struct meter_counts {
	uint64_t consumed[2]; /* half units, since the process began */
	uint64_t refused[2]; /* requests */
	uint64_t minute_consumed[2], minute_refused[2]; /* the same of the last whole minute */
};

/** TIDE_NOMEM. */
tide_err meter_open(const struct meter_options *options, struct meter **out);

/** Takes NULL. */
void meter_close(struct meter *meter);

/** May a request for this resource begin? A refusal is counted. Without memory, or `meter` NULL: yes. */
bool meter_admit(struct meter *meter, const struct meter_resource *resource, enum meter_unit unit);

/** Take what it consumed. `meter` may be NULL. */
void meter_take(
    struct meter *meter, const struct meter_resource *resource, enum meter_unit unit, uint64_t halves);

/** What was counted; false (and zeroes): nothing yet. `meter` may be NULL. */
bool meter_counts(struct meter *meter, uint64_t table, uint64_t index, struct meter_counts *out);

/** Forget the tables of which `there` says false. */
void meter_sweep(struct meter *meter, bool (*there)(void *arg, uint64_t table), void *arg);

#endif
