/*
 * Lag and backlog per table. Where AWS has a metric, its CloudWatch name stands here as Prometheus' exporter for CloudWatch writes
 * it, with that exporter's labels and unit, so that rules and dashboards for global tables keep working.
 */
#include "api/metrics_priv.h"

typedef void (*write_arrivals_fn)(
    struct scrape *scrape, const char *name, const struct lag_arrivals *arrivals);

/* One family over all tables and source regions. */
static void
each_arrivals(
    struct scrape *scrape, enum metric_type type, const char *name, const char *help, write_arrivals_fn write)
{
	metric_family(scrape->out, type, name, help);
	for (uint32_t t = 0; t < scrape->lag.n_tables; t++) {
		const struct lag_table_view *table = &scrape->lag.tables[t];

		for (uint32_t i = 0; i < table->n_arrivals; i++) {
			scrape_labels(scrape);
			scrape_label_table(scrape, table->table);
			scrape_label_region(scrape, "source_region", table->arrivals[i].source);
			scrape_label_region(scrape, "receiving_region", scrape->region->config.number);
			write(scrape, name, &table->arrivals[i]);
		}
	}
}

static void
write_histogram(struct scrape *scrape, const char *name, const struct lag_arrivals *arrivals)
{
	struct metric_histogram histogram = {.bounds = lag_bounds_ms,
	    .counts = arrivals->buckets,
	    .n_bounds = LAG_BUCKETS,
	    .unit = 1e-3,
	    .sum = arrivals->ms};

	metric_histogram(scrape->out, name, buf_bytes(&scrape->labels), &histogram);
}

static void
write_bytes(struct scrape *scrape, const char *name, const struct lag_arrivals *arrivals)
{
	metric_u64(scrape->out, name, buf_bytes(&scrape->labels), arrivals->bytes);
}

static void
write_average(struct scrape *scrape, const char *name, const struct lag_arrivals *arrivals)
{
	if (arrivals->recent_n > 0) /* as in CloudWatch: no records, no data */
		metric_f64(scrape->out, name, buf_bytes(&scrape->labels),
		    (double)arrivals->recent_ms / (double)arrivals->recent_n);
}

static void
write_maximum(struct scrape *scrape, const char *name, const struct lag_arrivals *arrivals)
{
	if (arrivals->recent_n > 0)
		metric_u64(scrape->out, name, buf_bytes(&scrape->labels), arrivals->recent_ms_max);
}

static void
write_waiting(struct scrape *scrape)
{
	static const char name[] = "aws_dynamodb_pending_replication_count_average";

	metric_family(scrape->out, METRIC_GAUGE, name,
	    "AWS's PendingReplicationCount: writes of this region that the receiving region has not applied, "
	    "as it "
	    "said last.");
	for (uint32_t t = 0; t < scrape->lag.n_tables; t++) {
		const struct lag_table_view *table = &scrape->lag.tables[t];

		for (uint32_t i = 0; i < table->n_waiting; i++) {
			scrape_labels(scrape);
			scrape_label_table(scrape, table->table);
			scrape_label_region(scrape, "source_region", scrape->region->config.number);
			scrape_label_region(scrape, "receiving_region", table->waiting[i].peer);
			metric_u64(scrape->out, name, buf_bytes(&scrape->labels), table->waiting[i].records);
		}
	}
}

static void
write_conflicts(struct scrape *scrape)
{
	static const char name[] = "tidemark_table_conflicts_total";

	metric_family(scrape->out, METRIC_COUNTER, name,
	    "Conflicts of this table that this region found and logged, since the process began.");
	for (uint32_t t = 0; t < scrape->lag.n_tables; t++) {
		if (scrape->lag.tables[t].table <= TABLE_BUILT_IN_MAX)
			continue;
		scrape_labels(scrape);
		scrape_label_table(scrape, scrape->lag.tables[t].table);
		metric_u64(scrape->out, name, buf_bytes(&scrape->labels), scrape->lag.tables[t].conflicts);
	}
}

void
metrics__lag(struct scrape *scrape)
{
	each_arrivals(scrape, METRIC_HISTOGRAM, "tidemark_replication_latency_seconds",
	    "From a write in the source region to its being visible here, by the clocks of both.",
	    write_histogram);
	each_arrivals(scrape, METRIC_GAUGE, "aws_dynamodb_replication_latency_average",
	    "AWS's ReplicationLatency: milliseconds, average of the last minute.", write_average);
	each_arrivals(scrape, METRIC_GAUGE, "aws_dynamodb_replication_latency_maximum",
	    "AWS's ReplicationLatency: milliseconds, maximum of the last minute.", write_maximum);
	each_arrivals(scrape, METRIC_COUNTER, "tidemark_replicated_bytes_total",
	    "Bytes of keys and images of the records applied.", write_bytes);
	write_waiting(scrape);
	write_conflicts(scrape);
}
