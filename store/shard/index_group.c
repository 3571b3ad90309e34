/*
 * Indexes in a group. Each record knows what it did to each index of its table: by how much the totals move, and which entry went. That is
 * journaled with it, as recovery cannot find it out: the store may have lost any of the group's batches, so the image that the record
 * replaced, and with it the old entry's key, may be in no place but there.
 */
#include "store/shard/index_priv.h"

tide_err
index__op(struct group *group, struct index_ops *ops, uint64_t table, uint64_t index, bool put,
    struct bytes entry_key, struct bytes value)
{
	struct index_op *op = arena_calloc(&group->arena, sizeof *op);

	buf_clear(&group->key);
	index_space_key(table, index, entry_key, &group->key);
	if (op == NULL || buf_check(&group->key) != TIDE_OK ||
	    (op->key = arena_copy(&group->arena, buf_bytes(&group->key))).at == NULL ||
	    (value.n > 0 && (op->value = arena_copy(&group->arena, value)).at == NULL))
		return TIDE_NOMEM;
	op->table = table;
	op->index = index;
	op->put = put;
	if (ops->last == NULL)
		ops->first = op;
	else
		ops->last->next = op;
	ops->last = op;
	group->bytes += op->key.n + op->value.n;
	return TIDE_OK;
}

/* One side of a change. */
struct side {
	bool there;
	struct buf *key, *value;
	uint64_t bytes;
};

static void
look(const struct index_fold *index, struct bytes item_key, const struct stored *stored, struct side *side)
{
	buf_clear(side->key);
	buf_clear(side->value);
	side->bytes = 0;
	side->there = stored != NULL && !stored->tombstone &&
		      index_entry(&index->def, item_key, stored->image, side->key, side->value, &side->bytes);
}

static tide_err
change_one(struct group *group, uint64_t table, const struct index_fold *index, struct bytes item_key,
    struct side *before, struct side *after, struct index_change *change)
{
	bool same_key =
	    before->there && after->there && bytes_equal(buf_bytes(before->key), buf_bytes(after->key));
	tide_err rc = TIDE_OK;

	*change = (struct index_change){.index = index->def.id,
	    .count_delta = after->there - before->there,
	    .bytes_delta = (int64_t)after->bytes - (int64_t)before->bytes};
	if (before->there && !same_key) {
		struct bytes gone = bytes_of(before->key->at, before->key->n - item_key.n);

		if ((change->gone = arena_copy(&group->arena, gone)).at == NULL)
			return TIDE_NOMEM;
		group->bytes += gone.n;
		rc = index__op(group, &group->index_ops, table, index->def.id, false, buf_bytes(before->key),
		    BYTES_NONE);
	}
	if (rc == TIDE_OK && after->there &&
	    (!same_key || !bytes_equal(buf_bytes(before->value), buf_bytes(after->value))))
		rc = index__op(group, &group->index_ops, table, index->def.id, true, buf_bytes(after->key),
		    buf_bytes(after->value));
	return rc;
}

tide_err
index__change(struct group *group, const struct table_fold *table, struct bytes item_key,
    const struct stored *before, const struct stored *after, const struct index_change **changes, uint32_t *n)
{
	struct index_change *all = arena_alloc(&group->arena, table->n_indexes * sizeof *all);
	struct side was = {.key = &group->index_scratch[0], .value = &group->index_scratch[1]};
	struct side is = {.key = &group->index_scratch[2], .value = &group->index_scratch[3]};
	uint32_t found = 0;
	tide_err rc = TIDE_OK;

	if (all == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < table->n_indexes && rc == TIDE_OK; i++) {
		const struct index_fold *index = &table->indexes[i];
		struct index_change *change = &all[found];

		if (!fold_index_covers(index, item_key))
			continue;
		look(index, item_key, before, &was);
		look(index, item_key, after, &is);
		for (int b = 0; b < 4 && rc == TIDE_OK; b++)
			rc = buf_check(&group->index_scratch[b]);
		if (rc == TIDE_OK && (was.there || is.there))
			rc = change_one(group, table->id, index, item_key, &was, &is, change);
		else
			continue;
		if (change->count_delta != 0 || change->bytes_delta != 0 || change->gone.at != NULL)
			found++;
	}
	*changes = all;
	*n = found;
	return rc;
}

void
index__forget(struct group *group, uint64_t table, uint64_t index)
{
	struct index_op **at = &group->index_ops.first, *op;

	group->index_ops.last = NULL;
	while ((op = *at) != NULL) {
		if (op->table == table && (index == 0 || op->index == index)) {
			*at = op->next;
			continue;
		}
		group->index_ops.last = op;
		at = &op->next;
	}
}

void
index__write(const struct group *group, struct kv_batch *batch)
{
	for (const struct index_op *op = group->index_ops.first; op != NULL; op = op->next)
		if (op->put)
			kv_batch_put(batch, op->key, op->value);
		else
			kv_batch_delete(batch, op->key);
}

tide_err
group_index_add(struct group *group, uint64_t table_id, const struct index_def *def)
{
	const struct table_fold *table = fold_table(&group->shard->work, table_id);
	struct note note = {.kind = NOTE_INDEX, .table = table_id, .number = def->id, .step = INDEX_ADD};
	struct buf form = {0};
	tide_err rc;

	if (table == NULL || table->state == REPLICA_ABSENT || is_staged(table_id))
		return TIDE_NOTFOUND;
	if (fold_index(table, def->id) != NULL)
		return TIDE_OK;
	if (!index_def_is_sound(def) || table->n_indexes == INDEXES_MAX)
		return TIDE_USAGE;
	index_def_encode(def, &form);
	note.key = buf_bytes(&form);
	note.flag = table->items == 0;
	if ((rc = buf_check(&form)) == TIDE_OK)
		rc = group__note(group, &note);
	buf_fini(&form);
	return rc;
}

tide_err
group_index_drop(struct group *group, uint64_t table_id, uint64_t index)
{
	const struct table_fold *table = fold_table(&group->shard->work, table_id);
	struct note note = {.kind = NOTE_INDEX, .table = table_id, .number = index, .step = INDEX_DROP};
	struct index_dropped *dropped;
	tide_err rc;

	if (table == NULL || fold_index(table, index) == NULL)
		return TIDE_OK;
	if ((dropped = arena_alloc(&group->arena, sizeof *dropped)) == NULL)
		return TIDE_NOMEM;
	if ((rc = group__note(group, &note)) != TIDE_OK)
		return rc;
	*dropped = (struct index_dropped){group->dropped, table_id, index};
	group->dropped = dropped;
	index__forget(group, table_id, index);
	return TIDE_OK;
}

void
index__hide_dropped(struct group *group)
{
	for (const struct index_dropped *d = group->dropped; d != NULL; d = d->next) {
		struct table_fold *table = fold_table(&group->shard->live, d->table);

		if (table != NULL)
			fold__index_drop(table, d->index);
	}
}

tide_err
index__clear_dropped(struct group *group)
{
	tide_err rc = TIDE_OK;

	for (const struct index_dropped *d = group->dropped; d != NULL && rc == TIDE_OK; d = d->next)
		rc = index__clear(group->shard->kv, d->table, d->index);
	return rc;
}
