#include "api/ops/table_describe.h"

#include <time.h>

#include "api/ops/index_describe.h"
#include "api/ops/table_settings.h"
#include "api/ops/throughput.h"

tide_err
table_not_found(struct bytes name, struct tide_error *error)
{
	return tide_fail(error, TIDE_RESOURCE_NOT_FOUND,
	    "Requested resource not found: Table: %.*s not found", (int)name.n, (const char *)name.at);
}

const struct table *
table_named(struct region *region, const struct json *body, struct tide_error *error)
{
	const struct table *table;
	struct bytes name;

	if (ops_table_name(region, params_string(body, "TableName"), &name, error) != TIDE_OK)
		return NULL;
	if ((table = catalog_find(region->catalog, name)) == NULL)
		table_not_found(name, error);
	return table;
}

tide_err
table_sight_now(struct region *region, const struct table *table, struct table_sight *out)
{
	struct table_sight sight = {.status = table->status, .now_ms = table_now_ms(region)};
	struct table_view view;
	struct arena arena;
	tide_err rc;

	arena_init(&arena, 0);
	rc = shard_table_view(region->shard, &arena, table->id, &view);
	if (rc == TIDE_OK) {
		sight.items = view.items;
		sight.bytes = view.bytes;
		if (view.state == REPLICA_LEAVING)
			sight.status = TABLE_DELETING;
		else if (view.state != REPLICA_ACTIVE)
			sight.status = TABLE_CREATING;
		else if (sight.status == TABLE_CREATING)
			sight.status = TABLE_ACTIVE; /* the catalog hears of it in a moment */
		index_sight_now(region->shard, table, sight.indexes);
	} else if (rc == TIDE_NOTFOUND) {
		sight.status = TABLE_CREATING; /* the folder was lost: it is loaded again */
		rc = TIDE_OK;
	}
	arena_fini(&arena);
	if (rc == TIDE_OK)
		*out = sight;
	return rc;
}

static void
write_seconds(struct buf *out, uint64_t ms)
{
	buf_append_format(
	    out, "%llu.%03llu", (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000));
}

/* A table id is 63 bits; AWS's has the form of a UUID. The other half follows from the id. */
static void
write_id(struct buf *out, uint64_t id)
{
	uint64_t x = id + 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	x ^= x >> 31;
	buf_append_format(out, "\"%08x-%04x-%04x-%04x-%012llx\"", (unsigned)(id >> 32),
	    (unsigned)(id >> 16 & 0xffff), (unsigned)(id & 0xffff), (unsigned)(x >> 48),
	    (unsigned long long)(x & 0xffffffffffffu));
}

static void
write_keys(struct buf *out, const struct table *table)
{
	buf_append_string(out, "\"AttributeDefinitions\":[");
	for (uint32_t i = 0; i < table->n_attributes; i++) {
		buf_append_string(out, i == 0 ? "{\"AttributeName\":" : ",{\"AttributeName\":");
		json_write_string(out, table->attributes[i].name);
		buf_append_format(
		    out, ",\"AttributeType\":\"%s\"}", value_type_name(table->attributes[i].type));
	}
	buf_append_string(out, "],\"KeySchema\":[{\"AttributeName\":");
	json_write_string(out, table->partition.name);
	buf_append_string(out, ",\"KeyType\":\"HASH\"}");
	if (table->has_sort) {
		buf_append_string(out, ",{\"AttributeName\":");
		json_write_string(out, table->sort.name);
		buf_append_string(out, ",\"KeyType\":\"RANGE\"}");
	}
	buf_append_string(out, "],");
}

static void
write_throughput(struct buf *out, const struct table *table, uint64_t now_ms)
{
	struct throughput provisioned = {table_read_units(table), table->write_units}, none = {0, 0};

	buf_append_string(out, ",\"ProvisionedThroughput\":");
	throughput_write_json(out, &table->changes, table->on_demand ? none : provisioned, now_ms);
	/* Also after a change back to PROVISIONED, with the time of the last change to on-demand. */
	if (table->on_demand || table->on_demand_since_ms != 0) {
		buf_append_format(out, ",\"BillingModeSummary\":{\"BillingMode\":\"%s\"",
		    table->on_demand ? "PAY_PER_REQUEST" : "PROVISIONED");
		if (table->on_demand_since_ms != 0) {
			buf_append_string(out, ",\"LastUpdateToPayPerRequestDateTime\":");
			write_seconds(out, table->on_demand_since_ms);
		}
		buf_append_byte(out, '}');
	}
}

static void
write_warm(struct buf *out, const struct table *table)
{
	buf_append_format(out,
	    "{\"ReadUnitsPerSecond\":%llu,\"Status\":\"ACTIVE\",\"WriteUnitsPerSecond\":%llu}",
	    (unsigned long long)table_warm_read(table), (unsigned long long)table_warm_write(table));
}

/* Each is shown only where it was set. */
static void
write_settings(struct buf *out, const struct config *config, const struct table *table)
{
	if (table->encrypted) {
		buf_append_string(out,
		    ",\"SSEDescription\":{\"Status\":\"ENABLED\",\"SSEType\":\"KMS\",\"KMSMasterKeyArn\":\"");
		table_default_key_arn(out, config);
		buf_append_string(out, "\"}");
	}
	if (table->class_changed_ms != 0) {
		buf_append_format(out, ",\"TableClassSummary\":{\"TableClass\":\"%s\"",
		    table->infrequent_access ? "STANDARD_INFREQUENT_ACCESS" : "STANDARD");
		if (table->class_changed_ms != table->created_ms) {
			buf_append_string(out, ",\"LastUpdateDateTime\":");
			write_seconds(out, table->class_changed_ms);
		}
		buf_append_byte(out, '}');
	}
	if (table->read_units_max != 0 || table->write_units_max != 0) {
		const char *comma = "";

		buf_append_string(out, ",\"OnDemandThroughput\":{");
		if (table->read_units_max != 0) {
			buf_append_format(
			    out, "\"MaxReadRequestUnits\":%llu", (unsigned long long)table->read_units_max);
			comma = ",";
		}
		if (table->write_units_max != 0)
			buf_append_format(out, "%s\"MaxWriteRequestUnits\":%llu", comma,
			    (unsigned long long)table->write_units_max);
		buf_append_byte(out, '}');
	}
}

static void
write_stream(struct buf *out, const struct config *config, const struct table *table)
{
	if (table->stream != STREAM_NONE)
		buf_append_format(out,
		    ",\"StreamSpecification\":{\"StreamEnabled\":true,\"StreamViewType\":\"%s\"}",
		    stream_view_name(table->stream));
	/* The latest stream stays known after it was disabled. */
	if (table->stream_label[0] != 0) {
		buf_append_format(
		    out, ",\"LatestStreamLabel\":\"%s\",\"LatestStreamArn\":\"", table->stream_label);
		ops_table_arn(out, config, config->region, bytes_of_string(table->name));
		buf_append_format(out, "/stream/%s\"", table->stream_label);
	}
}

static void
write_replica(
    struct buf *out, const struct config *config, const struct table *table, const struct replica *r)
{
	buf_append_format(out, "{\"RegionName\":\"%s\",\"ReplicaStatus\":\"%s\",\"ReplicaArn\":\"", r->region,
	    table_status_name(r->status));
	ops_table_arn(out, config, r->region, bytes_of_string(table->name));
	buf_append_byte(out, '"');
	if (r->status == TABLE_CREATING)
		buf_append_format(out, ",\"ReplicaStatusPercentProgress\":\"%u\"", r->percent);
	if (r->status == TABLE_CREATION_FAILED)
		buf_append_format(out,
		    ",\"ReplicaStatusDescription\":\"A table with the name %s already exists in %s. Delete "
		    "it, or delete this replica.\"",
		    table->name, r->region);
	if (r->read_override != 0 && !table->on_demand)
		buf_append_format(out, ",\"ProvisionedThroughputOverride\":{\"ReadCapacityUnits\":%llu}",
		    (unsigned long long)r->read_override);
	if (r->status == TABLE_ACTIVE) {
		index_describe_of_replica(out, table);
		buf_append_string(out, ",\"WarmThroughput\":");
		write_warm(out, table);
	}
	buf_append_byte(out, '}');
}

/* A replica never lists itself; without others the table is shown as a regional one. */
static void
write_replicas(struct buf *out, const struct config *config, const struct table *table)
{
	uint32_t others = 0;

	for (uint32_t i = 0; i < table->n_replicas; i++) {
		if (strcmp(table->replicas[i].region, config->region) == 0)
			continue;
		buf_append_string(
		    out, others++ == 0 ? ",\"GlobalTableVersion\":\"2019.11.21\",\"Replicas\":[" : ",");
		write_replica(out, config, table, &table->replicas[i]);
	}
	if (others != 0)
		buf_append_string(out, "],\"GlobalTableSettingsReplicationMode\":\"ENABLED_WITH_OVERRIDES\"");
}

void
table_describe(
    struct buf *out, const struct config *config, const struct table *table, const struct table_sight *sight)
{
	struct bytes name = bytes_of_string(table->name);

	buf_append_byte(out, '{');
	write_keys(out, table);
	buf_append_string(out, "\"TableName\":");
	json_write_string(out, name);
	buf_append_format(
	    out, ",\"TableStatus\":\"%s\",\"CreationDateTime\":", table_status_name(sight->status));
	write_seconds(out, table->created_ms);
	write_throughput(out, table, sight->now_ms);
	buf_append_format(out, ",\"TableSizeBytes\":%llu,\"ItemCount\":%llu,\"TableArn\":\"",
	    (unsigned long long)sight->bytes, (unsigned long long)sight->items);
	ops_table_arn(out, config, config->region, name);
	buf_append_string(out, "\",\"TableId\":");
	write_id(out, table->id);
	index_describe(out, config, table, sight);
	write_stream(out, config, table);
	write_replicas(out, config, table);
	write_settings(out, config, table);
	buf_append_format(out, ",\"DeletionProtectionEnabled\":%s,\"WarmThroughput\":",
	    table->deletion_protection ? "true" : "false");
	write_warm(out, table);
	buf_append_byte(out, '}');
}

void
table_describe_deleted(
    struct buf *out, const struct config *config, const struct table *table, const struct table_sight *sight)
{
	struct bytes name = bytes_of_string(table->name);

	buf_append_string(out, "{\"TableName\":");
	json_write_string(out, name);
	buf_append_string(out, ",\"TableStatus\":\"DELETING\"");
	write_throughput(out, table, sight->now_ms);
	buf_append_format(out, ",\"TableSizeBytes\":%llu,\"ItemCount\":%llu,\"TableArn\":\"",
	    (unsigned long long)sight->bytes, (unsigned long long)sight->items);
	ops_table_arn(out, config, config->region, name);
	buf_append_string(out, "\",\"TableId\":");
	write_id(out, table->id);
	buf_append_string(out, ",\"DeletionProtectionEnabled\":false}");
}
