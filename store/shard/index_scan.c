/* Reading indexes: views of them, and scans. */
#include <stdlib.h>

#include "store/shard/index_priv.h"
#include "store/shard/walk.h"

static struct index_view
view_of(const struct index_fold *index)
{
	return (struct index_view){.id = index->def.id,
	    .state = index->state,
	    .items = index->items,
	    .bytes = index->bytes,
	    .looked_at = index->looked_at};
}

/* Committed; the lock is held. NULL: none. */
static const struct index_fold *
find(const struct shard *shard, uint64_t table_id, uint64_t id)
{
	const struct table_fold *table = fold_table(&shard->live, table_id);

	return table != NULL && table->state != REPLICA_ABSENT ? fold_index(table, id) : NULL;
}

tide_err
shard_index_view(struct shard *shard, uint64_t table, uint64_t index, struct index_view *out)
{
	const struct index_fold *found;

	pthread_mutex_lock(&shard->lock);
	if ((found = find(shard, table, index)) != NULL)
		*out = view_of(found);
	pthread_mutex_unlock(&shard->lock);
	return found != NULL ? TIDE_OK : TIDE_NOTFOUND;
}

tide_err
shard_index_views(
    struct shard *shard, struct arena *arena, uint64_t table_id, struct index_view **out, uint32_t *n)
{
	const struct table_fold *table;
	struct index_view *views;
	tide_err rc = TIDE_OK;

	pthread_mutex_lock(&shard->lock);
	table = fold_table(&shard->live, table_id);
	if (table == NULL || table->state == REPLICA_ABSENT)
		rc = TIDE_NOTFOUND;
	else if ((views = arena_alloc(arena, (table->n_indexes + 1) * sizeof *views)) == NULL)
		rc = TIDE_NOMEM;
	else {
		for (uint32_t i = 0; i < table->n_indexes; i++)
			views[i] = view_of(&table->indexes[i]);
		*out = views;
		*n = table->n_indexes;
	}
	pthread_mutex_unlock(&shard->lock);
	return rc;
}

bool
shard_index_backfilling(struct shard *shard, uint64_t *table_id, uint64_t *id)
{
	const struct fold *live = &shard->live;
	bool found = false;

	pthread_mutex_lock(&shard->lock);
	for (size_t t = 0; t < live->n_tables && !found; t++) {
		const struct table_fold *table = live->tables[t];

		for (uint32_t i = 0; i < table->n_indexes && table->id >= *table_id && !found; i++) {
			if (table->indexes[i].state != INDEX_BACKFILLING ||
			    (table->id == *table_id && table->indexes[i].def.id <= *id))
				continue;
			*table_id = table->id;
			*id = table->indexes[i].def.id;
			found = true;
		}
	}
	pthread_mutex_unlock(&shard->lock);
	return found;
}

struct index_scan {
	struct walk walk;
	struct kv_snapshot *snapshot;
	uint64_t table;
	struct buf form;
	struct index_def def; /* borrows from `form` */
	struct buf key, item; /* of the item */
	bool whole;
};

void
shard_index_scan_close(struct index_scan *scan)
{
	if (scan == NULL)
		return;
	walk__fini(&scan->walk);
	if (scan->snapshot != NULL)
		kv_snapshot_release(scan->walk.shard->kv, scan->snapshot);
	buf_fini(&scan->form);
	buf_fini(&scan->key);
	buf_fini(&scan->item);
	free(scan);
}

/* The snapshot is taken while the index is known to be there and whole: its entries go only after it is gone from the fold. */
static tide_err
take(struct index_scan *scan, const struct index_scan_range *range)
{
	const struct index_fold *index = find(scan->walk.shard, range->table, range->index);

	if (index == NULL)
		return TIDE_NOTFOUND;
	if (index->state != INDEX_COMPLETE)
		return TIDE_AGAIN;
	buf_append(&scan->form, index->form.at, index->form.n);
	scan->snapshot = kv_snapshot_take(scan->walk.shard->kv);
	if (buf_check(&scan->form) != TIDE_OK || scan->snapshot == NULL)
		return TIDE_NOMEM;
	return index_def_decode(buf_bytes(&scan->form), &scan->def);
}

tide_err
shard_index_scan_open(struct shard *shard, const struct index_scan_range *range, struct index_scan **out)
{
	struct index_scan *scan = calloc(1, sizeof *scan);
	struct buf *to;
	tide_err rc;

	if (scan == NULL)
		return TIDE_NOMEM;
	to = &scan->walk.to;
	scan->walk.shard = shard;
	scan->walk.backward = range->backward;
	scan->table = range->table;
	pthread_mutex_lock(&shard->lock);
	rc = take(scan, range);
	pthread_mutex_unlock(&shard->lock);
	if (rc == TIDE_OK) {
		scan->whole = range->whole || scan->def.projection == INDEX_ALL;
		index_space_key(range->table, range->index, range->from, &scan->walk.from);
		index_space_key(range->table, range->index, range->to, to);
		/* Ids are not the greatest there are: what comes behind all of the index's keys is the next id. */
		if (range->to.n == 0)
			for (size_t i = INDEX_PREFIX; i > 1 && !to->failed && ++to->at[i - 1] == 0; i--)
				;
		rc = walk__open(&scan->walk, scan->snapshot);
	}
	if (rc != TIDE_OK) {
		shard_index_scan_close(scan);
		return rc;
	}
	*out = scan;
	return TIDE_OK;
}

/* The item beside its entry. An entry without one is damage: both change in one batch. */
static tide_err
read_item(struct index_scan *scan, struct bytes item_key, struct bytes *image)
{
	struct stored stored;
	tide_err rc;

	buf_clear(&scan->key);
	space_key(scan->table, item_key, &scan->key);
	if ((rc = buf_check(&scan->key)) != TIDE_OK)
		return rc;
	rc = kv_get(scan->walk.shard->kv, scan->snapshot, buf_bytes(&scan->key), &scan->item);
	if (rc == TIDE_CORRUPT || rc == TIDE_IO)
		shard__damaged(scan->walk.shard, buf_bytes(&scan->key));
	if (rc == TIDE_OK)
		rc = stored_decode(buf_bytes(&scan->item), &stored);
	if (rc == TIDE_NOTFOUND || (rc == TIDE_OK && stored.tombstone))
		rc = TIDE_CORRUPT;
	if (rc == TIDE_OK)
		*image = stored.image;
	return rc;
}

tide_err
shard_index_scan_next(struct index_scan *scan, struct index_row *out)
{
	struct bytes store_key;
	tide_err rc;

	if ((rc = walk__next(&scan->walk, &store_key)) != TIDE_OK)
		return rc;
	out->entry_key = index_space_entry(store_key);
	if (!index_item_key(&scan->def, out->entry_key, &out->item_key))
		return TIDE_CORRUPT;
	if (scan->whole)
		return read_item(scan, out->item_key, &out->image);
	out->image = kv_iterator_value(scan->walk.it);
	return TIDE_OK;
}
