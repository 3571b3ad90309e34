/*
 * Capacity of tables and global indexes that have a limit: what was consumed, refused, and what is provisioned. By CloudWatch's names
 * for the last whole minute, as Prometheus' exporter for CloudWatch writes them, and as counters.
 */
#include "api/meter.h"
#include "api/metrics_priv.h"

enum column {
	MINUTE_READ,
	MINUTE_WRITE,
	MINUTE_REFUSED,
	PROVISIONED_READ,
	PROVISIONED_WRITE,
	TOTAL_CONSUMED,
	TOTAL_REFUSED,
};

static const struct {
	enum metric_type type;
	const char *name, *help;
} families[] = {
    [MINUTE_READ] = {METRIC_GAUGE, "aws_dynamodb_consumed_read_capacity_units_sum",
	"AWS's ConsumedReadCapacityUnits of the last whole minute."},
    [MINUTE_WRITE] = {METRIC_GAUGE, "aws_dynamodb_consumed_write_capacity_units_sum",
	"AWS's ConsumedWriteCapacityUnits of the last whole minute."},
    [MINUTE_REFUSED] = {METRIC_GAUGE, "aws_dynamodb_throttled_requests_sum",
	"AWS's ThrottledRequests of the last whole minute."},
    [PROVISIONED_READ] = {METRIC_GAUGE, "aws_dynamodb_provisioned_read_capacity_units_average",
	"AWS's ProvisionedReadCapacityUnits, now."},
    [PROVISIONED_WRITE] = {METRIC_GAUGE, "aws_dynamodb_provisioned_write_capacity_units_average",
	"AWS's ProvisionedWriteCapacityUnits, now."},
    [TOTAL_CONSUMED] = {METRIC_COUNTER, "tidemark_consumed_capacity_units_total",
	"Capacity units consumed of tables and indexes that have a limit."},
    [TOTAL_REFUSED] = {METRIC_COUNTER, "tidemark_throttled_requests_total",
	"Requests refused for a limit of throughput."},
};

/* A table, or one of its indexes (NULL: the table itself). */
struct metered {
	const struct table *table;
	const struct table_index *index;
	struct meter_counts counts;
};

static void
write_by_unit(struct scrape *scrape, enum column column, const uint64_t *of, double scale)
{
	static const char *const units[] = {[METER_READ] = "read", [METER_WRITE] = "write"};
	size_t n = scrape->labels.n;

	for (int unit = METER_READ; unit <= METER_WRITE; unit++) {
		scrape->labels.n = n;
		metric_label(&scrape->labels, "unit", bytes_of_string(units[unit]));
		metric_f64(
		    scrape->out, families[column].name, buf_bytes(&scrape->labels), (double)of[unit] * scale);
	}
}

static void
write_provisioned(struct scrape *scrape, enum column column, const struct metered *m)
{
	bool read = column == PROVISIONED_READ;
	uint64_t units;

	if (m->table->on_demand)
		return;
	if (m->index != NULL)
		units = read ? m->index->read_units : m->index->write_units;
	else
		units = read ? table_read_units(m->table) : m->table->write_units;
	metric_u64(scrape->out, families[column].name, buf_bytes(&scrape->labels), units);
}

static void
write_one(struct scrape *scrape, enum column column, const struct metered *m)
{
	const struct meter_counts *counts = &m->counts;
	struct bytes labels;

	scrape_labels(scrape);
	metric_label(&scrape->labels, "table_name", bytes_of_string(m->table->name));
	if (m->index != NULL)
		metric_label(&scrape->labels, "global_secondary_index_name", m->index->name);
	labels = buf_bytes(&scrape->labels);
	switch (column) {
	case MINUTE_READ:
		metric_f64(scrape->out, families[column].name, labels,
		    (double)counts->minute_consumed[METER_READ] / 2);
		break;
	case MINUTE_WRITE:
		metric_f64(scrape->out, families[column].name, labels,
		    (double)counts->minute_consumed[METER_WRITE] / 2);
		break;
	case MINUTE_REFUSED:
		metric_u64(scrape->out, families[column].name, labels,
		    counts->minute_refused[METER_READ] + counts->minute_refused[METER_WRITE]);
		break;
	case PROVISIONED_READ:
	case PROVISIONED_WRITE:
		write_provisioned(scrape, column, m);
		break;
	case TOTAL_CONSUMED:
		write_by_unit(scrape, column, counts->consumed, 0.5);
		break;
	case TOTAL_REFUSED:
		write_by_unit(scrape, column, counts->refused, 1);
		break;
	}
}

static void
write_table(struct scrape *scrape, enum column column, const struct table *table)
{
	struct metered m = {.table = table};

	if (!table_is_limited(table))
		return;
	meter_counts(scrape->region->meter, table->id, 0, &m.counts);
	write_one(scrape, column, &m);
	for (uint32_t i = 0; i < table->n_indexes; i++) {
		m.index = &table->indexes[i];
		if (m.index->local)
			continue;
		meter_counts(scrape->region->meter, table->id, m.index->id, &m.counts);
		write_one(scrape, column, &m);
	}
}

void
metrics__capacity(struct scrape *scrape)
{
	const struct shard_view *shard = &scrape->view.shard;

	for (int column = MINUTE_READ; column <= TOTAL_REFUSED; column++) {
		metric_family(
		    scrape->out, families[column].type, families[column].name, families[column].help);
		for (size_t i = 0; i < shard->n_tables; i++) {
			const struct table *table =
			    catalog_find_id(scrape->region->catalog, shard->tables[i].id);

			if (table != NULL && table->here)
				write_table(scrape, (enum column)column, table);
			table_release(table);
		}
	}
}
