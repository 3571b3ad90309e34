/* How the region stands with its disk, in its status. */
#include <inttypes.h>

#include "api/endpoint_priv.h"
#include "api/json/json.h"
#include "store/shard/health.h"

static void
put_text(struct buf *out, const char *name, const char *text)
{
	buf_append_format(out, ",\"%s\":", name);
	json_write_string(out, bytes_of_string(text));
}

static void
put_damage(struct buf *out, struct region *region, const struct shard_damage *damage)
{
	const struct table *table = catalog_find_id(region->catalog, damage->table);

	buf_append_format(
	    out, "{\"table\":\"%016" PRIx64 "\",\"found_ms\":%" PRIu64, damage->table, damage->found_ms);
	put_text(out, "name", table != NULL ? table->name : "");
	put_text(out, "after", damage->after);
	put_text(out, "before", damage->before);
	buf_append_byte(out, '}');
	if (table != NULL)
		table_release(table);
}

void
status__disk(struct buf *out, struct region *region)
{
	struct shard_health health;

	shard_health(region->shard, &health);
	buf_append_format(out, ",\"disk\":{\"state\":\"%s\",\"since_ms\":%" PRIu64 ",\"code\":\"%s\"",
	    shard_state_name(health.state), health.since_ms, tide_err_name(health.code));
	put_text(out, "reason", health.reason);
	buf_append_format(out,
	    ",\"writes_refused\":%" PRIu64 ",\"reads_failed\":%" PRIu64 ",\"checkpoints_failed\":%" PRIu64
	    ",\"ranges\":%" PRIu64 ",\"damage\":[",
	    health.writes_refused, health.reads_failed, health.checkpoints_failed, health.ranges);
	for (uint32_t i = 0; i < health.n_damage; i++) {
		buf_append_string(out, i == 0 ? "" : ",");
		put_damage(out, region, &health.damage[i]);
	}
	buf_append_string(out, "],\"journal\":[");
	for (uint32_t i = 0; i < health.n_journal; i++) {
		buf_append_string(out, i == 0 ? "" : ",");
		json_write_string(out, bytes_of_string(health.journal[i]));
	}
	buf_append_string(out, "]}");
}
