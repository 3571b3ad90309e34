/*
 * Prometheus' text format, version 0.0.4.
 *
 *     # HELP tidemark_table_items Live items.
 *     # TYPE tidemark_table_items gauge
 *     tidemark_table_items{table_name="Orders"} 12
 *
 * All samples of a family stand together behind its two lines; a family without samples may be announced. Appends to a buf:
 * test buf_check at the end. Source: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
#ifndef TIDE_API_METRICS_TEXT_H
#define TIDE_API_METRICS_TEXT_H

#include "base/bytes.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/** Announce a family. `help` is one line without backslashes. */
void metric_family(struct buf *out, enum metric_type type, const char *name, const char *help);

/** Append `name="value"` to a list of labels, escaped; what is no UTF-8 becomes '?'. */
void metric_label(struct buf *labels, const char *name, struct bytes value);

/** One sample. `labels` is such a list, or empty. */
void metric_u64(struct buf *out, const char *name, struct bytes labels, uint64_t value);
void metric_f64(struct buf *out, const char *name, struct bytes labels, double value);

/* Counts by bucket; the one behind the last bound is +Inf's. */
struct metric_histogram {
	const uint32_t *bounds;
	const uint64_t *counts; /* one more than bounds; not summed up */
	uint32_t n_bounds;
	double unit; /* of a bound and of the sum, in the family's unit: 0.001 for milliseconds in seconds */
	uint64_t sum;
};

/** The samples of one histogram: its buckets, summed up, with _sum and _count. */
void metric_histogram(
    struct buf *out, const char *name, struct bytes labels, const struct metric_histogram *histogram);

#endif
