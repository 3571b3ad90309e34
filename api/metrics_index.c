/* Secondary indexes: what this region has of them, and how far one that is being filled has come. */
#include "api/metrics_priv.h"
#include "store/shard/index.h"

enum family { FAMILY_ITEMS, FAMILY_BYTES, FAMILY_PROGRESS, FAMILIES };

static const struct {
	const char *name, *help;
} families[FAMILIES] = {
    [FAMILY_ITEMS] = {"tidemark_index_items", "Entries."},
    [FAMILY_BYTES] = {"tidemark_index_bytes", "Their size as DynamoDB counts it."},
    [FAMILY_PROGRESS] = {"aws_dynamodb_online_index_percentage_progress",
	"OnlineIndexPercentageProgress of an index that is being filled."},
};

/* Of the items that the table has now: some may have come since, and some gone. */
static double
progress(const struct scrape *scrape, uint64_t table, const struct index_view *view)
{
	const struct shard_view *shard = &scrape->view.shard;

	for (size_t i = 0; i < shard->n_tables; i++) {
		if (shard->tables[i].id != table || shard->tables[i].items == 0)
			continue;
		if (view->looked_at >= shard->tables[i].items)
			return 100;
		return (double)view->looked_at * 100 / (double)shard->tables[i].items;
	}
	return 0;
}

static void
write_index(
    struct scrape *scrape, enum family family, const struct table *table, const struct table_index *index)
{
	struct index_view view;
	struct bytes labels;

	if (shard_index_view(scrape->region->shard, table->id, index->id, &view) != TIDE_OK ||
	    (family == FAMILY_PROGRESS && view.state == INDEX_COMPLETE))
		return;
	scrape_labels(scrape);
	scrape_label_table(scrape, table->id);
	metric_label(&scrape->labels, "index_name", index->name);
	labels = buf_bytes(&scrape->labels);
	if (family == FAMILY_PROGRESS)
		metric_f64(scrape->out, families[family].name, labels, progress(scrape, table->id, &view));
	else
		metric_u64(scrape->out, families[family].name, labels,
		    family == FAMILY_ITEMS ? view.items : view.bytes);
}

tide_err
metrics__indexes(struct scrape *scrape)
{
	const struct table **tables;
	uint32_t n;
	tide_err rc;

	if ((rc = catalog_all(scrape->region->catalog, scrape->arena, &tables, &n)) != TIDE_OK)
		return rc;
	for (int f = 0; f < FAMILIES; f++) {
		metric_family(scrape->out, METRIC_GAUGE, families[f].name, families[f].help);
		for (uint32_t t = 0; t < n; t++) {
			for (uint32_t i = 0; i < tables[t]->n_indexes; i++)
				write_index(scrape, (enum family)f, tables[t], &tables[t]->indexes[i]);
		}
	}
	for (uint32_t t = 0; t < n; t++)
		table_release(tables[t]);
	return TIDE_OK;
}
