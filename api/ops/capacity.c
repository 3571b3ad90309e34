#include "api/ops/capacity.h"

#include <assert.h>

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

static void
write_units(struct buf *out, uint64_t halves)
{
	buf_append_format(out, "%llu.%c", (unsigned long long)(halves / 2), halves % 2 == 0 ? '0' : '5');
}

void
capacity_write_json(struct buf *out, struct bytes table, enum capacity_report report, uint64_t halves)
{
	assert(report != CAPACITY_NONE);
	buf_append_string(out, "{\"TableName\":");
	json_write_string(out, table);
	buf_append_string(out, ",\"CapacityUnits\":");
	write_units(out, halves);
	if (report == CAPACITY_INDEXES) {
		buf_append_string(out, ",\"Table\":{\"CapacityUnits\":");
		write_units(out, halves);
		buf_append_byte(out, '}');
	}
	buf_append_byte(out, '}');
}

void
capacity_write_member(struct buf *out, struct bytes table, enum capacity_report report, uint64_t halves)
{
	if (report == CAPACITY_NONE)
		return;
	if (out->n != 0 && out->at[out->n - 1] != '{')
		buf_append_byte(out, ',');
	buf_append_string(out, "\"ConsumedCapacity\":");
	capacity_write_json(out, table, report, halves);
}
