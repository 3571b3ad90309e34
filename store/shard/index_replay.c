/*
 * Entries in recovery. The store may have lost any of the batches since its last barrier, or be ahead of the record that is replayed. What a
 * record did to entries is in the journal as far as they went, and follows from its image as far as they came; done again in the journal's
 * order, that leaves of each item the last entry only, whatever of it the store had kept.
 */
#include "store/shard/index_priv.h"

void
index_replay_fini(struct index_replay *replay)
{
	buf_fini(&replay->key);
	buf_fini(&replay->entry);
	buf_fini(&replay->value);
}

static tide_err
remove_gone(struct index_replay *replay, uint64_t table, struct bytes item_key,
    const struct index_change *changes, uint32_t n)
{
	tide_err rc = TIDE_OK;

	for (uint32_t i = 0; i < n && rc == TIDE_OK; i++) {
		if (changes[i].gone.at == NULL)
			continue;
		buf_clear(&replay->key);
		index_space_key(table, changes[i].index, changes[i].gone, &replay->key);
		buf_append(&replay->key, item_key.at, item_key.n);
		if ((rc = buf_check(&replay->key)) == TIDE_OK)
			kv_batch_delete(replay->batch, buf_bytes(&replay->key));
		replay->bytes += replay->key.n;
	}
	return rc;
}

static tide_err
put_entry(struct index_replay *replay, uint64_t table, const struct index_def *def, struct bytes item_key,
    struct bytes image)
{
	tide_err rc;

	buf_clear(&replay->key);
	buf_clear(&replay->entry);
	buf_clear(&replay->value);
	if (!index_entry(def, item_key, image, &replay->entry, &replay->value, NULL))
		return TIDE_OK;
	index_space_key(table, def->id, buf_bytes(&replay->entry), &replay->key);
	if ((rc = buf_check(&replay->key)) != TIDE_OK || (rc = buf_check(&replay->entry)) != TIDE_OK ||
	    (rc = buf_check(&replay->value)) != TIDE_OK)
		return rc;
	kv_batch_put(replay->batch, buf_bytes(&replay->key), buf_bytes(&replay->value));
	replay->bytes += replay->key.n + replay->value.n;
	return TIDE_OK;
}

tide_err
index_replay_record(struct index_replay *replay, const struct record *record)
{
	const struct table_fold *table = fold_table(&replay->shard->live, record->table);
	tide_err rc;

	if ((rc = remove_gone(replay, record->table, record->key, record->index_changes,
		 record->n_index_changes)) != TIDE_OK ||
	    table == NULL || record->tombstone)
		return rc;
	/* Also where it kept its entry: the batch that had put it may be lost. */
	for (uint32_t i = 0; i < table->n_indexes && rc == TIDE_OK; i++)
		if (fold_index_covers(&table->indexes[i], record->key))
			rc = put_entry(
			    replay, record->table, &table->indexes[i].def, record->key, record->image);
	return rc;
}

struct refill {
	struct index_replay *replay;
	uint64_t table;
	const struct index_def *def;
};

static tide_err
refill_one(void *arg, struct bytes key, const struct stored *stored, bool *stop)
{
	struct refill *refill = arg;
	tide_err rc = put_entry(refill->replay, refill->table, refill->def, key, stored->image);

	(void)stop;
	return rc == TIDE_OK ? refill->replay->flush(refill->replay->flush_arg) : rc;
}

/* A piece of a backfill: the cursor moves on from where the fold has it. */
static tide_err
refill(struct index_replay *replay, const struct note *note)
{
	const struct table_fold *table = fold_table(&replay->shard->live, note->table);
	const struct index_fold *index = table != NULL ? fold_index(table, note->number) : NULL;
	struct refill refill = {replay, note->table, index != NULL ? &index->def : NULL};
	struct index_walk walk = {.each = refill_one, .arg = &refill};
	bool ended;

	if (index == NULL || index->state == INDEX_COMPLETE)
		return TIDE_OK;
	walk.after = buf_bytes(&index->cursor);
	walk.upto = note->step == INDEX_PIECE ? note->key : BYTES_NONE;
	return index__walk(replay->shard, note->table, &walk, &ended);
}

tide_err
index_replay_note(struct index_replay *replay, const struct note *note)
{
	if (note->kind == NOTE_DROP)
		return remove_gone(
		    replay, note->table, note->key, note->index_changes, note->n_index_changes);
	if (note->kind != NOTE_INDEX || note->step == INDEX_ADD)
		return TIDE_OK;
	if (note->step == INDEX_DROP)
		return index__clear(replay->shard->kv, note->table, note->number);
	if (note->step == INDEX_PIECE || note->step == INDEX_END)
		return refill(replay, note);
	return TIDE_OK;
}
