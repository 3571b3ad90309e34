#include "store/shard/ship.h"

#include <stdlib.h>

#include "store/shard/shard_priv.h"

#define RECORD_OVERHEAD 48 /* about what a record's msgpack form takes beside key and image */
#define ITEMS_MAX 4096 /* records in one piece */

struct snapshot {
	struct shard *shard;
	struct kv_snapshot *kv;
	uint64_t table;
	struct snapshot_info info;
};

void
snapshot_close(struct snapshot *snapshot)
{
	if (snapshot == NULL)
		return;
	if (snapshot->kv != NULL)
		kv_snapshot_release(snapshot->shard->kv, snapshot->kv);
	vector_fini(&snapshot->info.vector);
	vector_fini(&snapshot->info.position);
	free(snapshot);
}

/* Store and fold at one sequence. Called with the lock held. */
static tide_err
take(struct snapshot *snapshot, const struct table_fold *table)
{
	const struct fold *live = &snapshot->shard->live;
	struct mark own = fold_own_last(live);
	tide_err rc;

	if ((rc = vector_copy(&snapshot->info.vector, &table->vector)) != TIDE_OK ||
	    (rc = vector_copy(&snapshot->info.position,
		 table->state == REPLICA_CATCHUP ? &table->position : &live->position)) != TIDE_OK ||
	    (rc = vector_set(&snapshot->info.position, live->id, own)) != TIDE_OK)
		return rc;
	snapshot->info.clock = live->clock;
	snapshot->info.items = table->items;
	snapshot->kv = kv_snapshot_take(snapshot->shard->kv);
	return snapshot->kv == NULL ? TIDE_NOMEM : TIDE_OK;
}

tide_err
snapshot_open(struct shard *shard, uint64_t id, struct snapshot **out)
{
	struct snapshot *snapshot = calloc(1, sizeof *snapshot);
	const struct table_fold *table;
	tide_err rc;

	if (snapshot == NULL)
		return TIDE_NOMEM;
	snapshot->shard = shard;
	snapshot->table = id;
	pthread_mutex_lock(&shard->lock);
	table = fold_table(&shard->live, id);
	/* One that catches up is as exact as one that can be read, and may have what no other has. */
	if (table == NULL || is_staged(id) || !replica_follows(table->state))
		rc = TIDE_NOTFOUND;
	else
		rc = take(snapshot, table);
	pthread_mutex_unlock(&shard->lock);
	if (rc != TIDE_OK) {
		snapshot_close(snapshot);
		return rc;
	}
	*out = snapshot;
	return TIDE_OK;
}

const struct snapshot_info *
snapshot_info(const struct snapshot *snapshot)
{
	return &snapshot->info;
}

static tide_err
add_record(
    struct arena *arena, struct record *record, uint64_t table, struct bytes key, const struct stored *stored)
{
	record->version = stored->version;
	record->table = table;
	record->tombstone = stored->tombstone;
	record->key = arena_copy(arena, key);
	record->image = stored->tombstone ? BYTES_NONE : arena_copy(arena, stored->image);
	return record->key.at == NULL || (!stored->tombstone && record->image.at == NULL) ? TIDE_NOMEM
											  : TIDE_OK;
}

static tide_err
read_piece(struct snapshot *snapshot, struct shard_scan *scan, struct bytes after, size_t bytes_max,
    struct arena *arena, struct unit *unit, bool *done)
{
	struct stored stored;
	struct bytes key;
	size_t bytes = 0;
	tide_err rc = TIDE_OK;

	while (bytes < bytes_max && unit->n_records < ITEMS_MAX) {
		if ((rc = shard_scan_next(scan, &key, &stored)) != TIDE_OK)
			break;
		if (after.n > 0 && bytes_equal(key, after))
			continue; /* the cursor's own item is the first that the range gives */
		rc = add_record(arena, &unit->records[unit->n_records], snapshot->table, key, &stored);
		if (rc != TIDE_OK)
			return rc;
		unit->n_records++;
		bytes += key.n + stored.image.n + RECORD_OVERHEAD;
	}
	*done = rc == TIDE_NOTFOUND;
	return *done ? TIDE_OK : rc;
}

tide_err
snapshot_read(struct snapshot *snapshot, struct bytes after, size_t bytes_max, struct buf *wire_unit,
    struct buf *cursor, bool *done)
{
	struct shard_scan_range range = {.table = snapshot->table, .from = after, .tombstones = true};
	struct unit unit = {.kind = UNIT_SNAPSHOT, .first_seq = 1};
	struct shard_scan *scan;
	struct arena arena;
	tide_err rc;

	if ((rc = shard__scan_open(snapshot->shard, snapshot->kv, &range, &scan)) != TIDE_OK)
		return rc;
	arena_init(&arena, 0);
	if ((unit.records = arena_calloc(&arena, ITEMS_MAX * sizeof *unit.records)) == NULL)
		rc = TIDE_NOMEM;
	if (rc == TIDE_OK)
		rc = read_piece(snapshot, scan, after, bytes_max, &arena, &unit, done);
	if (rc == TIDE_OK) {
		struct bytes last = unit.n_records > 0 ? unit.records[unit.n_records - 1].key : after;

		unit_encode_wire(&unit, wire_unit);
		buf_clear(cursor);
		buf_append(cursor, last.at, last.n);
		if ((rc = buf_check(wire_unit)) == TIDE_OK)
			rc = buf_check(cursor);
	}
	shard_scan_close(scan);
	arena_fini(&arena);
	return rc;
}
