/*
 * What nobody needs any more: tombstones that the rule lets go, entries of the conflict log that have expired, and old client tokens. Walking the tables
 * takes long, so any thread does that, with a snapshot of the store; the committer gets what was found and decides again.
 */
#include "store/shard/collect.h"

#include <stdlib.h>

#include "store/shard/group_priv.h"

/* Per look. */
#define LOOKED_AT_MAX 20000
#define LOOKED_AT_BYTES_MAX (16u << 20)

void
collect_fini(struct collect *collect)
{
	buf_fini(&collect->cursor);
	buf_fini(&collect->keys);
	*collect = (struct collect){0};
}

/* Which table the walk is at: the one of the cursor, or the next that may have something to collect. 0: the end. */
static uint64_t
table_at(struct shard *shard, uint64_t id)
{
	uint64_t found = 0;

	pthread_mutex_lock(&shard->lock);
	for (size_t i = 0; i < shard->live.n_tables && found == 0; i++)
		if (shard->live.tables[i]->id >= id && shard->live.tables[i]->state == REPLICA_ACTIVE)
			found = shard->live.tables[i]->id;
	pthread_mutex_unlock(&shard->lock);
	return found;
}

static bool
may_go(struct shard *shard, uint64_t now_ms, uint64_t table, struct bytes key, struct version version,
    bool tombstone)
{
	if (tombstone)
		return table != TABLE_CONFLICTS;
	if (table == TABLE_TOKENS)
		return hlc_ms(version.clock) + TOKEN_KEPT_MS < now_ms;
	return table == TABLE_CONFLICTS &&
	       conflict_expiry_ms(key, shard->options.conflict_retention_ms) < now_ms;
}

static void
add(struct collect *collect, uint64_t table, struct bytes key, const struct stored *stored)
{
	collect->items[collect->n++] = (struct collect_item){.table = table,
	    .key_at = collect->keys.n,
	    .key_n = key.n,
	    .version = stored->version,
	    .tombstone = stored->tombstone};
	buf_append(&collect->keys, key.at, key.n);
}

static tide_err
walk(struct shard *shard, struct shard_scan *scan, uint64_t table, struct collect *collect)
{
	uint64_t now = shard_now_ms(shard, NULL), bytes = 0;
	struct stored stored;
	struct bytes key;
	tide_err rc;

	for (uint32_t seen = 0; (rc = shard_scan_next(scan, &key, &stored)) == TIDE_OK; seen++) {
		bytes += key.n + stored.image.n;
		if (seen == LOOKED_AT_MAX || (seen > 0 && bytes > LOOKED_AT_BYTES_MAX) ||
		    collect->n == COLLECT_FOUND_MAX) {
			buf_append_u64(&collect->cursor, table);
			buf_append(&collect->cursor, key.at, key.n);
			break;
		}
		if (may_go(shard, now, table, key, stored.version, stored.tombstone))
			add(collect, table, key, &stored);
	}
	if (rc == TIDE_NOTFOUND) {
		buf_append_u64(&collect->cursor, table + 1);
		rc = TIDE_OK;
	}
	return rc;
}

tide_err
shard_collect_look(struct shard *shard, struct collect *collect)
{
	uint64_t at = collect->cursor.n >= 8 ? bytes_u64(collect->cursor.at) : 0, table;
	struct shard_scan_range range = {.tombstones = true};
	struct shard_scan *scan;
	tide_err rc;

	collect->n = 0;
	buf_clear(&collect->keys);
	collect->ended = (table = table_at(shard, at)) == 0;
	if (collect->ended) {
		buf_clear(&collect->cursor);
		return TIDE_OK;
	}
	range.table = table;
	if (table == at && collect->cursor.n > 8)
		range.from = bytes_of(collect->cursor.at + 8, collect->cursor.n - 8);
	if ((rc = shard_scan_open(shard, &range, &scan)) != TIDE_OK)
		return rc;
	buf_clear(&collect->cursor);
	rc = walk(shard, scan, table, collect);
	shard_scan_close(scan);
	if (rc == TIDE_OK && (rc = buf_check(&collect->cursor)) == TIDE_OK)
		rc = buf_check(&collect->keys);
	if (rc != TIDE_OK)
		collect_fini(collect); /* from the start, next time */
	return rc;
}

static tide_err
collect_one(struct group *group, const struct collect_item *item, struct bytes key, uint32_t *collected)
{
	struct note note = {.kind = NOTE_COLLECT,
	    .table = item->table,
	    .flag = !item->tombstone,
	    .clock = item->version.clock,
	    .origin = item->version.origin};
	struct pending *pending;
	tide_err rc = group__pending(group, item->table, key, &pending);

	/* It was found in a snapshot; the key may have been written since. */
	if (rc != TIDE_OK || !pending->exists || pending->stored.tombstone != item->tombstone ||
	    version_compare(pending->stored.version, item->version) != 0)
		return rc;
	note.key = pending->key;
	note.number = stored_bytes(&pending->stored);
	if ((rc = group__note(group, &note)) != TIDE_OK)
		return rc;
	pending->exists = false;
	pending->dirty = true;
	(*collected)++;
	return TIDE_OK;
}

tide_err
group_collect_found(struct group *group, const struct collect *collect, uint32_t *collected)
{
	struct shard *shard = group->shard;
	tide_err rc = TIDE_OK;

	*collected = 0;
	for (uint32_t i = 0; i < collect->n && rc == TIDE_OK; i++) {
		const struct collect_item *item = &collect->items[i];
		const struct table_fold *table = fold_table(&shard->work, item->table);
		struct bytes key = bytes_of(collect->keys.at + item->key_at, item->key_n);

		if (table == NULL || table->state != REPLICA_ACTIVE ||
		    !may_go(shard, group->now_ms, item->table, key, item->version, item->tombstone) ||
		    (item->tombstone && !shard__tombstone_may_go(shard, item->table, item->version)))
			continue;
		rc = collect_one(group, item, key, collected);
	}
	return rc;
}

tide_err
group_collect(struct group *group, uint32_t max, uint32_t *collected)
{
	struct collect collect = {0};
	uint32_t some = 0;
	tide_err rc = TIDE_OK;

	*collected = 0;
	do {
		if ((rc = shard_collect_look(group->shard, &collect)) == TIDE_OK)
			rc = group_collect_found(group, &collect, &some);
		*collected += some;
	} while (rc == TIDE_OK && !collect.ended && *collected < max);
	collect_fini(&collect);
	return rc;
}
