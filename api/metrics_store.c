/* What this region holds: committer, journal, store, tables. */
#include "api/metrics_priv.h"

static void
write_totals(struct scrape *scrape)
{
	const struct endpoint_view *view = &scrape->view;
	struct journal *journal = shard_journal(scrape->region->shard);
	const struct {
		enum metric_type type;
		const char *name, *help;
		uint64_t value;
	} families[] = {
	    {METRIC_COUNTER, "tidemark_commit_groups_total", "Groups that the committer took.",
		view->committer.groups},
	    {METRIC_COUNTER, "tidemark_commit_syncs_total",
		"Of these groups, so many changed something: one write and one fsync of the journal each.",
		view->committer.syncs},
	    {METRIC_COUNTER, "tidemark_commit_operations_total", "Operations in these groups.",
		view->committer.operations},
	    {METRIC_COUNTER, "tidemark_commit_bytes_total", "Memory that these groups took.",
		view->committer.bytes},
	    {METRIC_GAUGE, "tidemark_commit_queue_operations", "Operations that wait for the committer.",
		view->committer.queued},
	    {METRIC_COUNTER, "tidemark_journal_appended_bytes_total", "Bytes appended to the journal.",
		journal_bytes(journal)},
	    {METRIC_GAUGE, "tidemark_journal_first_sequence", "The oldest sequence that the journal keeps.",
		journal_first_seq(journal)},
	    {METRIC_GAUGE, "tidemark_journal_last_sequence", "The last sequence.", view->shard.last_seq},
	    {METRIC_GAUGE, "tidemark_journal_since_checkpoint_bytes",
		"Journal since the last checkpoint: what a recovery would read.",
		shard_bytes_since_checkpoint(scrape->region->shard)},
	    {METRIC_GAUGE, "tidemark_store_bytes", "Rough size of the store.",
		kv_approximate_size(shard_kv(scrape->region->shard), BYTES_NONE, BYTES_LITERAL("\xff"))},
	    {METRIC_COUNTER, "tidemark_applied_records_total", "Records of other regions applied.",
		view->shard.applied},
	    {METRIC_COUNTER, "tidemark_conflicts_total",
		"Conflicts that this region found and logged, since its journal began.",
		view->shard.conflicts},
	};

	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		scrape_u64(scrape, families[i].type, families[i].name, families[i].help, families[i].value);
}

static bool
is_here(const struct table_view *table)
{
	return table->state != REPLICA_ABSENT;
}

static void
label_table(struct scrape *scrape, uint64_t table)
{
	scrape_labels(scrape);
	scrape_label_table(scrape, table);
}

static void
write_sizes(struct scrape *scrape)
{
	const struct shard_view *shard = &scrape->view.shard;
	static const struct {
		const char *name, *help;
		size_t offset;
	} families[] = {
	    {"tidemark_table_items", "Live items.", offsetof(struct table_view, items)},
	    {"tidemark_table_bytes", "Their size as DynamoDB counts it.", offsetof(struct table_view, bytes)},
	};

	for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
		metric_family(scrape->out, METRIC_GAUGE, families[f].name, families[f].help);
		for (size_t i = 0; i < shard->n_tables; i++) {
			if (!is_here(&shard->tables[i]))
				continue;
			label_table(scrape, shard->tables[i].id);
			metric_u64(scrape->out, families[f].name, buf_bytes(&scrape->labels),
			    *(const uint64_t *)((const char *)&shard->tables[i] + families[f].offset));
		}
	}
}

static void
write_states(struct scrape *scrape)
{
	const struct shard_view *shard = &scrape->view.shard;
	static const char name[] = "tidemark_table_state";

	metric_family(scrape->out, METRIC_GAUGE, name, "1; the state of this region's replica is a label.");
	for (size_t i = 0; i < shard->n_tables; i++) {
		if (!is_here(&shard->tables[i]))
			continue;
		label_table(scrape, shard->tables[i].id);
		metric_label(
		    &scrape->labels, "state", bytes_of_string(endpoint_state_name(shard->tables[i].state)));
		metric_u64(scrape->out, name, buf_bytes(&scrape->labels), 1);
	}
}

/* Of tables that are being loaded from another region. */
static void
write_bootstraps(struct scrape *scrape)
{
	const struct shard_view *shard = &scrape->view.shard;
	static const struct {
		const char *name, *help;
		size_t offset;
	} families[] = {
	    {"tidemark_bootstrap_items_loaded", "Items that a new replica has loaded.",
		offsetof(struct boot_view, items_loaded)},
	    {"tidemark_bootstrap_items_expected", "Items that it will have loaded, about.",
		offsetof(struct boot_view, items_expected)},
	};

	for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
		metric_family(scrape->out, METRIC_GAUGE, families[f].name, families[f].help);
		for (size_t i = 0; i < shard->n_tables; i++) {
			const struct table_view *table = &shard->tables[i];

			if (table->state != REPLICA_CREATING)
				continue;
			label_table(scrape, table->id);
			scrape_label_region(scrape, "source_region", table->boot.source);
			metric_u64(scrape->out, families[f].name, buf_bytes(&scrape->labels),
			    *(const uint64_t *)((const char *)&table->boot + families[f].offset));
		}
	}
}

void
metrics__store(struct scrape *scrape)
{
	write_totals(scrape);
	write_sizes(scrape);
	write_states(scrape);
	write_bootstraps(scrape);
}
