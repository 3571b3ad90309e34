/*
 * Backfill: the entries of the items that a table has already when it is given an index, a piece at a time. A piece is journaled by its
 * cursor alone. Recovery makes its entries again from what the store holds at that moment, which may be later images than the piece saw:
 * their own records follow in the journal, and name the entries that went.
 */
#include "store/shard/index_priv.h"

#define LOOKED_AT_MAX 1000 /* items in a step: the committer must not stand still */

tide_err
index__walk(struct shard *shard, uint64_t table, const struct index_walk *walk, bool *ended)
{
	struct shard_scan_range range = {.table = table, .from = walk->after};
	struct shard_scan *scan;
	struct stored stored;
	struct bytes key;
	bool stop = false;
	tide_err rc;

	if ((rc = shard_scan_open(shard, &range, &scan)) != TIDE_OK)
		return rc;
	while (!stop && (rc = shard_scan_next(scan, &key, &stored)) == TIDE_OK) {
		if (walk->after.n > 0 && bytes_equal(key, walk->after))
			continue; /* the cursor's own item is the first that the range gives */
		if (walk->upto.n > 0 && bytes_compare(key, walk->upto) > 0) {
			rc = TIDE_NOTFOUND;
			break;
		}
		if ((rc = walk->each(walk->arg, key, &stored, &stop)) != TIDE_OK)
			break;
	}
	shard_scan_close(scan);
	*ended = rc == TIDE_NOTFOUND;
	return *ended ? TIDE_OK : rc;
}

struct piece {
	struct group *group;
	const struct table_fold *table;
	const struct index_fold *index;
	struct index_ops ops;
	struct buf last; /* key of the last item that was looked at */
	size_t bytes_max;
	struct index_progress *progress;
	uint64_t entry_bytes;
};

static tide_err
add_entry(struct piece *piece, struct bytes item_key, const struct stored *stored)
{
	struct buf *key = &piece->group->index_scratch[0], *value = &piece->group->index_scratch[1];
	uint64_t bytes = 0;
	tide_err rc;

	piece->progress->items++;
	buf_clear(key);
	buf_clear(value);
	if (!index_entry(&piece->index->def, item_key, stored->image, key, value, &bytes))
		return TIDE_OK;
	if ((rc = buf_check(key)) != TIDE_OK || (rc = buf_check(value)) != TIDE_OK)
		return rc;
	piece->progress->entries++;
	piece->entry_bytes += bytes;
	return index__op(piece->group, &piece->ops, piece->table->id, piece->index->def.id, true,
	    buf_bytes(key), buf_bytes(value));
}

/* The pending change of an item in this group; NULL: there is none. */
static const struct pending *
changed(const struct piece *piece, struct bytes key)
{
	const struct pending *pending =
	    group__find(piece->group, group__hash(piece->table->id, key), piece->table->id, key);

	return pending != NULL && pending->dirty ? pending : NULL;
}

static tide_err
look_at(void *arg, struct bytes key, const struct stored *stored, bool *stop)
{
	struct piece *piece = arg;
	struct index_progress *progress = piece->progress;
	tide_err rc = TIDE_OK;

	/* What the group has changed is looked at afterwards, with what it has put where nothing was. */
	if (changed(piece, key) == NULL)
		rc = add_entry(piece, key, stored);
	buf_clear(&piece->last);
	buf_append(&piece->last, key.at, key.n);
	progress->bytes += key.n + stored->image.n;
	*stop = progress->bytes >= piece->bytes_max || progress->items >= LOOKED_AT_MAX;
	return rc == TIDE_OK ? buf_check(&piece->last) : rc;
}

/* Items that the group itself has written in this stretch of the table. */
static tide_err
look_at_changed(struct piece *piece, bool ended)
{
	struct bytes after = buf_bytes(&piece->index->cursor), last = buf_bytes(&piece->last);
	const struct group *group = piece->group;
	tide_err rc = TIDE_OK;

	for (size_t i = 0; i < group->n_buckets; i++)
		for (const struct pending *p = group->buckets[i]; p != NULL && rc == TIDE_OK; p = p->next)
			if (p->table == piece->table->id && p->dirty && p->exists && !p->stored.tombstone &&
			    (after.n == 0 || bytes_compare(p->key, after) > 0) &&
			    (ended || bytes_compare(p->key, last) <= 0))
				rc = add_entry(piece, p->key, &p->stored);
	return rc;
}

static tide_err
make_piece(struct piece *piece)
{
	const struct index_walk walk = {
	    .after = buf_bytes(&piece->index->cursor), .each = look_at, .arg = piece};
	struct note note = {.kind = NOTE_INDEX, .table = piece->table->id, .number = piece->index->def.id};
	struct index_ops *all = &piece->group->index_ops;
	bool ended;
	tide_err rc;

	if ((rc = index__walk(piece->group->shard, piece->table->id, &walk, &ended)) != TIDE_OK ||
	    (rc = look_at_changed(piece, ended)) != TIDE_OK)
		return rc;
	note.step = ended ? INDEX_END : INDEX_PIECE;
	note.key = ended ? BYTES_NONE : buf_bytes(&piece->last);
	note.items = piece->progress->items;
	note.entries = piece->progress->entries;
	note.bytes = piece->entry_bytes;
	if ((rc = group__note(piece->group, &note)) != TIDE_OK)
		return rc;
	if (all->last == NULL)
		*all = piece->ops;
	else if (piece->ops.first != NULL) {
		all->last->next = piece->ops.first;
		all->last = piece->ops.last;
	}
	piece->progress->done = ended;
	return TIDE_OK;
}

/* As the committed state has it: the store shows what that says, not what this group has noted. */
static const struct index_fold *
visible(const struct shard *shard, uint64_t table_id, uint64_t id)
{
	const struct table_fold *table = fold_table(&shard->live, table_id);

	return table != NULL ? fold_index(table, id) : NULL;
}

tide_err
group_index_backfill(
    struct group *group, uint64_t table, uint64_t index, size_t bytes_max, struct index_progress *progress)
{
	struct piece piece = {.group = group,
	    .table = fold_table(&group->shard->work, table),
	    .bytes_max = bytes_max,
	    .progress = progress};
	const struct index_fold *live = visible(group->shard, table, index);
	tide_err rc;

	*progress = (struct index_progress){0};
	piece.index = piece.table != NULL ? fold_index(piece.table, index) : NULL;
	if (piece.index == NULL || piece.index->state == INDEX_COMPLETE) {
		progress->done = true;
		return TIDE_OK;
	}
	if (live == NULL || live->state != INDEX_BACKFILLING ||
	    !bytes_equal(buf_bytes(&live->cursor), buf_bytes(&piece.index->cursor)))
		return TIDE_OK; /* what this group has begun, the next one goes on with */
	for (uint32_t i = 0; i < group->n_cleared; i++)
		if (group->cleared[i] == table)
			return TIDE_OK; /* the store still has what this group lets go */
	rc = make_piece(&piece);
	buf_fini(&piece.last);
	return rc;
}
