#include "api/ops/index_describe.h"

#include "api/ops/index_define.h"
#include "api/ops/throughput.h"

void
index_sight_now(struct shard *shard, const struct table *table, struct index_sight *out)
{
	struct index_view view;

	for (uint32_t i = 0; i < table->n_indexes && i < INDEXES_MAX; i++) {
		tide_err rc = shard_index_view(shard, table->id, table->indexes[i].id, &view);

		out[i] = (struct index_sight){.status = INDEX_CREATING, .backfilling = INDEX_ALLOCATING};
		if (rc != TIDE_OK)
			continue; /* the shard hears of it in a moment */
		out[i].items = view.items;
		out[i].bytes = view.bytes;
		out[i].backfilling = view.state == INDEX_COMPLETE ? INDEX_NEVER : INDEX_FILLING;
		if (view.state == INDEX_COMPLETE)
			out[i].status = INDEX_ACTIVE;
	}
}

static void
write_keys(struct buf *out, const struct table_index *index)
{
	buf_append_string(out, ",\"KeySchema\":[");
	for (unsigned i = 0; i < (unsigned)index->n_partitions + index->n_sorts; i++) {
		bool hash = i < index->n_partitions;

		buf_append_string(out, i == 0 ? "{\"AttributeName\":" : ",{\"AttributeName\":");
		json_write_string(
		    out, hash ? index->partitions[i].name : index->sorts[i - index->n_partitions].name);
		buf_append_format(out, ",\"KeyType\":\"%s\"}", hash ? "HASH" : "RANGE");
	}
	buf_append_byte(out, ']');
}

static void
write_projection(struct buf *out, const struct table_index *index)
{
	buf_append_format(
	    out, ",\"Projection\":{\"ProjectionType\":\"%s\"", index_projection_name(index->projection));
	for (unsigned i = 0; i < index->n_includes; i++) {
		buf_append_string(out, i == 0 ? ",\"NonKeyAttributes\":[" : ",");
		json_write_string(out, index->includes[i]);
	}
	buf_append_string(out, index->n_includes > 0 ? "]}" : "}");
}

static void
write_warm(struct buf *out, const struct table *table, const struct table_index *index, bool ready)
{
	buf_append_format(out,
	    ",\"WarmThroughput\":{\"ReadUnitsPerSecond\":%llu,\"Status\":\"%s\",\"WriteUnitsPerSecond\":%"
	    "llu}",
	    (unsigned long long)index_warm_read(table, index), ready ? "ACTIVE" : "UPDATING",
	    (unsigned long long)index_warm_write(table, index));
}

static void
write_maximum(struct buf *out, const struct table_index *index)
{
	const char *comma = "";

	if (index->read_units_max == 0 && index->write_units_max == 0)
		return;
	buf_append_string(out, ",\"OnDemandThroughput\":{");
	if (index->read_units_max != 0) {
		buf_append_format(
		    out, "\"MaxReadRequestUnits\":%llu", (unsigned long long)index->read_units_max);
		comma = ",";
	}
	if (index->write_units_max != 0)
		buf_append_format(out, "%s\"MaxWriteRequestUnits\":%llu", comma,
		    (unsigned long long)index->write_units_max);
	buf_append_byte(out, '}');
}

/* What only global indexes have: they have a life of their own. */
static void
write_global(struct buf *out, const struct table *table, const struct table_index *index,
    const struct index_sight *sight, uint64_t now_ms)
{
	static const char *const names[] = {
	    [INDEX_CREATING] = "CREATING",
	    [INDEX_UPDATING] = "UPDATING",
	    [INDEX_DELETING] = "DELETING",
	    [INDEX_ACTIVE] = "ACTIVE",
	};
	struct throughput provisioned = {index->read_units, index->write_units}, none = {0, 0};

	buf_append_format(out, ",\"IndexStatus\":\"%s\"", names[sight->status]);
	if (sight->status == INDEX_CREATING && sight->backfilling != INDEX_NEVER)
		buf_append_format(
		    out, ",\"Backfilling\":%s", sight->backfilling == INDEX_FILLING ? "true" : "false");
	buf_append_string(out, ",\"ProvisionedThroughput\":");
	throughput_write_json(out, &index->changes, table->on_demand ? none : provisioned, now_ms);
	write_maximum(out, index);
	write_warm(out, table, index, sight->status != INDEX_CREATING);
}

static void
write_one(struct buf *out, const struct config *config, const struct table *table,
    const struct table_index *index, const struct index_sight *sight, uint64_t now_ms)
{
	buf_append_string(out, "{\"IndexName\":");
	json_write_string(out, index->name);
	write_keys(out, index);
	write_projection(out, index);
	if (!index->local)
		write_global(out, table, index, sight, now_ms);
	buf_append_format(out, ",\"IndexSizeBytes\":%llu,\"ItemCount\":%llu,\"IndexArn\":\"",
	    (unsigned long long)sight->bytes, (unsigned long long)sight->items);
	ops_table_arn(out, config, config->region, bytes_of_string(table->name));
	buf_append_format(out, "/index/%.*s\"}", (int)index->name.n, (const char *)index->name.at);
}

void
index_describe(
    struct buf *out, const struct config *config, const struct table *table, const struct table_sight *sight)
{
	for (int local = 1; local >= 0; local--) {
		uint32_t n = 0;

		for (uint32_t i = 0; i < table->n_indexes && i < INDEXES_MAX; i++) {
			if (table->indexes[i].local != (local == 1))
				continue;
			if (n++ == 0)
				buf_append_string(out, local == 1 ? ",\"LocalSecondaryIndexes\":["
								  : ",\"GlobalSecondaryIndexes\":[");
			else
				buf_append_byte(out, ',');
			write_one(out, config, table, &table->indexes[i], &sight->indexes[i], sight->now_ms);
		}
		if (n > 0)
			buf_append_byte(out, ']');
	}
}

void
index_describe_of_replica(struct buf *out, const struct table *table)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < table->n_indexes; i++) {
		if (table->indexes[i].local)
			continue;
		buf_append_string(
		    out, n++ == 0 ? ",\"GlobalSecondaryIndexes\":[{\"IndexName\":" : ",{\"IndexName\":");
		json_write_string(out, table->indexes[i].name);
		write_warm(out, table, &table->indexes[i], true);
		buf_append_byte(out, '}');
	}
	if (n > 0)
		buf_append_byte(out, ']');
}
