#include "api/ops/capacity.h"

#include <assert.h>
#include <pthread.h>

#include "api/ops/ops.h"

#define WRITE_UNIT_BYTES 1024
#define READ_UNIT_BYTES 4096
#define SCAN_PARTITIONS 4

const char *const capacity_report_names[] = {"INDEXES", "TOTAL", "NONE", NULL};

enum capacity_report
capacity_report_read(const struct json *body)
{
	struct bytes text = params_string(body, "ReturnConsumedCapacity");

	if (bytes_is(text, "TOTAL"))
		return CAPACITY_TOTAL;
	if (bytes_is(text, "INDEXES"))
		return CAPACITY_INDEXES;
	return CAPACITY_NONE;
}

/* --- how much --- */

static uint64_t
units(uint64_t bytes, uint64_t unit)
{
	return bytes == 0 ? 1 : (bytes + unit - 1) / unit;
}

uint64_t
capacity_write(size_t bytes_before, size_t bytes_after)
{
	return 2 * units(bytes_before > bytes_after ? bytes_before : bytes_after, WRITE_UNIT_BYTES);
}

uint64_t
capacity_read(uint64_t bytes, bool consistent)
{
	return units(bytes, READ_UNIT_BYTES) * (consistent ? 2 : 1);
}

uint64_t
capacity_scan(uint64_t bytes, bool consistent, bool segmented)
{
	uint64_t n = units(bytes, READ_UNIT_BYTES);

	if (!segmented && n < SCAN_PARTITIONS)
		n = SCAN_PARTITIONS;
	return n * (consistent ? 2 : 1);
}

/* --- what an operation uses --- */

void
capacity_begin(
    struct capacity *use, const struct table *table, enum meter_unit unit, enum capacity_report report)
{
	*use = (struct capacity){.table = table, .unit = unit, .report = report};
	use->counted = report != CAPACITY_NONE || table_is_limited(table);
}

void
capacity_add(struct capacity *use, uint64_t halves)
{
	use->halves += use->transaction ? 2 * halves : halves;
}

/* The entry of an index, made where it is not there yet; NULL without memory. */
static struct capacity_index *
entry_of(struct capacity *use, struct arena *arena, const struct table_index *index)
{
	uint32_t room = use->room == 0 ? 4 : 2 * use->room;
	struct capacity_index *at;

	for (uint32_t i = 0; i < use->n_indexes; i++)
		if (use->indexes[i].index->id == index->id)
			return &use->indexes[i];
	if (use->n_indexes == use->room) {
		if ((at = arena_alloc(arena, room * sizeof *at)) == NULL)
			return NULL;
		if (use->n_indexes > 0)
			memcpy(at, use->indexes, use->n_indexes * sizeof *at);
		use->indexes = at;
		use->room = room;
	}
	at = &use->indexes[use->n_indexes++];
	*at = (struct capacity_index){.index = index};
	return at;
}

tide_err
capacity_add_index(
    struct capacity *use, struct arena *arena, const struct table_index *index, uint64_t halves)
{
	struct capacity_index *entry = entry_of(use, arena, index);

	if (entry == NULL)
		return TIDE_NOMEM;
	entry->halves += use->transaction ? 2 * halves : halves;
	return TIDE_OK;
}

tide_err
capacity_add_all(struct capacity *use, struct arena *arena, const struct capacity *other)
{
	struct capacity_index *entry;

	use->halves += other->halves;
	for (uint32_t i = 0; i < other->n_indexes; i++) {
		if ((entry = entry_of(use, arena, other->indexes[i].index)) == NULL)
			return TIDE_NOMEM;
		entry->halves += other->indexes[i].halves;
	}
	return TIDE_OK;
}

/* --- whether it may --- */

static struct meter_resource
resource_of(const struct table *table, const struct table_index *index)
{
	struct meter_resource resource = {.table = table->id};

	if (index != NULL && !index->local) {
		resource.index = index->id;
		resource.rate[METER_READ] = table->on_demand ? index->read_units_max : index->read_units;
		resource.rate[METER_WRITE] = table->on_demand ? index->write_units_max : index->write_units;
	} else {
		resource.rate[METER_READ] = table_read_limit(table);
		resource.rate[METER_WRITE] = table_write_limit(table);
	}
	return resource;
}

/* The member of the exception that says which limit it was; NULL without memory. */
static const char *
reasons(struct request *request, const struct capacity *use, const struct table_index *index)
{
	/* The writes of one batch may be refused on several threads at once. */
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct buf text = {0};
	struct bytes copy = BYTES_NONE;
	bool provisioned = !use->table->on_demand;

	/* As the model spells it: only ThrottlingException's begins with a small letter. */
	buf_append_format(&text, ",\"%s\":[{\"reason\":\"%s%s%sExceeded\",\"resource\":\"",
	    provisioned ? "ThrottlingReasons" : "throttlingReasons", index != NULL ? "Index" : "Table",
	    use->unit == METER_READ ? "Read" : "Write",
	    provisioned ? "ProvisionedThroughput" : "MaxOnDemandThroughput");
	ops_table_arn(&text, &request->region->config, request->region->config.region,
	    bytes_of_string(use->table->name));
	if (index != NULL) {
		buf_append_string(&text, "/index/");
		buf_append(&text, index->name.at, index->name.n);
	}
	buf_append_string(&text, "\"}]");
	buf_append_byte(&text, '\0');
	pthread_mutex_lock(&lock);
	if (buf_check(&text) == TIDE_OK)
		copy = arena_copy(&request->arena, buf_bytes(&text));
	pthread_mutex_unlock(&lock);
	buf_fini(&text);
	return (const char *)copy.at;
}

tide_err
capacity_admit(struct request *request, const struct capacity *use, const struct table_index *index,
    struct tide_error *error)
{
	struct meter_resource resource;

	if (!table_is_limited(use->table))
		return TIDE_OK;
	if (index != NULL && index->local)
		index = NULL;
	resource = resource_of(use->table, index);
	if (meter_admit(request->region->meter, &resource, use->unit))
		return TIDE_OK;
	request->throttling = reasons(request, use, index);
	if (use->table->on_demand)
		return tide_fail(error, TIDE_THROTTLED,
		    "Throughput exceeds the maximum OnDemandThroughput configured on table or index");
	if (index != NULL)
		return tide_fail(error, TIDE_THROUGHPUT_EXCEEDED,
		    "The level of configured provisioned throughput for one or more global secondary "
		    "indexes of the table was exceeded. Consider increasing your provisioning level for the "
		    "under-provisioned global secondary indexes with the UpdateTable API");
	return tide_fail(error, TIDE_THROUGHPUT_EXCEEDED, NULL);
}

void
capacity_take(struct region *region, const struct capacity *use)
{
	struct meter_resource resource;
	uint64_t halves = use->halves;

	if (!use->counted || region->meter == NULL || !table_is_limited(use->table))
		return;
	for (uint32_t i = 0; i < use->n_indexes; i++) {
		const struct capacity_index *index = &use->indexes[i];

		if (index->index->local) {
			halves += index->halves;
			continue;
		}
		resource = resource_of(use->table, index->index);
		meter_take(region->meter, &resource, use->unit, index->halves);
	}
	resource = resource_of(use->table, NULL);
	meter_take(region->meter, &resource, use->unit, halves);
}

/* --- how it is told --- */

static void
write_units(struct buf *out, uint64_t halves)
{
	buf_append_format(out, "%llu.%c", (unsigned long long)(halves / 2), halves % 2 == 0 ? '0' : '5');
}

/* "CapacityUnits":1.0, with the kind in a transaction */
static void
write_amount(struct buf *out, const struct capacity *use, uint64_t halves)
{
	buf_append_string(out, "\"CapacityUnits\":");
	write_units(out, halves);
	if (!use->transaction)
		return;
	buf_append_string(
	    out, use->unit == METER_READ ? ",\"ReadCapacityUnits\":" : ",\"WriteCapacityUnits\":");
	write_units(out, halves);
}

/* The map of the local indexes, or of the global ones; nothing if none was used. */
static void
write_indexes(struct buf *out, const struct capacity *use, bool local)
{
	const char *before = local ? ",\"LocalSecondaryIndexes\":{" : ",\"GlobalSecondaryIndexes\":{";
	bool any = false;

	for (uint32_t i = 0; i < use->n_indexes; i++) {
		if (use->indexes[i].index->local != local || use->indexes[i].halves == 0)
			continue;
		buf_append_string(out, any ? "," : before);
		json_write_string(out, use->indexes[i].index->name);
		buf_append_string(out, ":{");
		write_amount(out, use, use->indexes[i].halves);
		buf_append_byte(out, '}');
		any = true;
	}
	if (any)
		buf_append_byte(out, '}');
}

static void
write_object(struct buf *out, struct bytes table, const struct capacity *use)
{
	uint64_t all = use->halves;

	assert(use->report != CAPACITY_NONE);
	for (uint32_t i = 0; i < use->n_indexes; i++)
		all += use->indexes[i].halves;
	buf_append_string(out, "{\"TableName\":");
	json_write_string(out, table);
	buf_append_byte(out, ',');
	write_amount(out, use, all);
	if (use->report == CAPACITY_INDEXES) {
		buf_append_string(out, ",\"Table\":{");
		write_amount(out, use, use->halves);
		buf_append_byte(out, '}');
		write_indexes(out, use, true);
		write_indexes(out, use, false);
	}
	buf_append_byte(out, '}');
}

static void
write_member(struct buf *out, struct bytes table, const struct capacity *use)
{
	if (use->report == CAPACITY_NONE)
		return;
	if (out->n != 0 && out->at[out->n - 1] != '{')
		buf_append_byte(out, ',');
	buf_append_string(out, "\"ConsumedCapacity\":");
	write_object(out, table, use);
}

void
capacity_report_json(struct buf *out, const struct capacity *use)
{
	write_object(out, bytes_of_string(use->table->name), use);
}

void
capacity_report_member(struct buf *out, const struct capacity *use)
{
	if (use->report != CAPACITY_NONE)
		write_member(out, bytes_of_string(use->table->name), use);
}

void
capacity_write_json(struct buf *out, struct bytes table, enum capacity_report report, uint64_t halves)
{
	write_object(out, table, &(struct capacity){.report = report, .halves = halves});
}

void
capacity_write_member(struct buf *out, struct bytes table, enum capacity_report report, uint64_t halves)
{
	write_member(out, table, &(struct capacity){.report = report, .halves = halves});
}
