/* The fold of indexes: what NOTE_INDEX and the changes in records add up to. */
#include <stdlib.h>

#include "store/shard/index_priv.h"

#define INDEX_FIELDS 6

bool
fold_index_covers(const struct index_fold *index, struct bytes item_key)
{
	return index->state == INDEX_COMPLETE ||
	       (index->cursor.n > 0 && bytes_compare(item_key, buf_bytes(&index->cursor)) <= 0);
}

struct index_fold *
fold_index(const struct table_fold *table, uint64_t id)
{
	for (uint32_t i = 0; i < table->n_indexes; i++)
		if (table->indexes[i].def.id == id)
			return &table->indexes[i];
	return NULL;
}

static void
index_fini(struct index_fold *index)
{
	buf_fini(&index->form);
	buf_fini(&index->cursor);
}

void
fold__indexes_fini(struct table_fold *table)
{
	for (uint32_t i = 0; i < table->n_indexes; i++)
		index_fini(&table->indexes[i]);
	free(table->indexes);
	table->indexes = NULL;
	table->n_indexes = 0;
}

void
fold__index_drop(struct table_fold *table, uint64_t id)
{
	struct index_fold *index = fold_index(table, id);
	uint32_t i;

	if (index == NULL)
		return;
	i = (uint32_t)(index - table->indexes);
	index_fini(index);
	memmove(index, index + 1, (table->n_indexes - i - 1) * sizeof *index);
	if (--table->n_indexes == 0)
		fold__indexes_fini(table);
}

void
fold__indexes_empty(struct table_fold *table)
{
	for (uint32_t i = 0; i < table->n_indexes; i++) {
		struct index_fold *index = &table->indexes[i];

		index->items = index->bytes = index->looked_at = 0;
		index->state = INDEX_COMPLETE;
		buf_fini(&index->cursor);
	}
}

/* A place for one more, in the order of ids; its definition is taken over. */
static tide_err
add(struct table_fold *table, struct bytes form, struct index_fold **out)
{
	struct index_fold fresh = {0}, *indexes;
	uint32_t at = 0;
	tide_err rc;

	if (table->n_indexes == INDEXES_MAX)
		return TIDE_CORRUPT;
	buf_append(&fresh.form, form.at, form.n);
	if ((rc = buf_check(&fresh.form)) != TIDE_OK ||
	    (rc = index_def_decode(buf_bytes(&fresh.form), &fresh.def)) != TIDE_OK ||
	    fold_index(table, fresh.def.id) != NULL) {
		buf_fini(&fresh.form);
		return rc == TIDE_OK ? TIDE_CORRUPT : rc;
	}
	indexes = realloc(table->indexes, (table->n_indexes + 1) * sizeof *indexes);
	if (indexes == NULL) {
		buf_fini(&fresh.form);
		return TIDE_NOMEM;
	}
	table->indexes = indexes;
	while (at < table->n_indexes && indexes[at].def.id < fresh.def.id)
		at++;
	memmove(indexes + at + 1, indexes + at, (table->n_indexes - at) * sizeof *indexes);
	table->n_indexes++;
	indexes[at] = fresh;
	*out = &indexes[at];
	return TIDE_OK;
}

static tide_err
move_on(struct index_fold *index, const struct note *note)
{
	index->items += note->entries;
	index->bytes += note->bytes;
	index->looked_at += note->items;
	if (note->step == INDEX_END) {
		index->state = INDEX_COMPLETE;
		buf_fini(&index->cursor);
		return TIDE_OK;
	}
	buf_clear(&index->cursor);
	buf_append(&index->cursor, note->key.at, note->key.n);
	return buf_check(&index->cursor);
}

tide_err
fold__index(struct table_fold *table, const struct note *note)
{
	struct index_fold *index = fold_index(table, note->number);
	tide_err rc;

	switch (note->step) {
	case INDEX_ADD:
		if ((rc = add(table, note->key, &index)) != TIDE_OK)
			return rc;
		index->state = note->flag ? INDEX_COMPLETE : INDEX_BACKFILLING;
		return TIDE_OK;
	case INDEX_DROP:
		fold__index_drop(table, note->number);
		return TIDE_OK;
	case INDEX_PIECE:
	case INDEX_END:
		return index != NULL ? move_on(index, note) : TIDE_OK;
	}
	return TIDE_OK; /* of a later version */
}

void
fold__index_changes(struct table_fold *table, const struct index_change *changes, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct index_fold *index = fold_index(table, changes[i].index);

		if (index == NULL)
			continue;
		index->items += (uint64_t)(int64_t)changes[i].count_delta;
		index->bytes += (uint64_t)changes[i].bytes_delta;
	}
}

void
fold__indexes_encode(const struct table_fold *table, struct buf *out)
{
	pack_array(out, table->n_indexes);
	for (uint32_t i = 0; i < table->n_indexes; i++) {
		const struct index_fold *index = &table->indexes[i];

		pack_array(out, INDEX_FIELDS);
		pack_bin(out, buf_bytes(&index->form));
		pack_uint(out, index->state);
		pack_bin(out, buf_bytes(&index->cursor));
		pack_uint(out, index->items);
		pack_uint(out, index->bytes);
		pack_uint(out, index->looked_at);
	}
}

static void
decode_index(struct unpack *in, struct table_fold *table)
{
	uint32_t more = unpack_open(in, INDEX_FIELDS, INDEX_FIELDS, NULL);
	struct bytes form = unpack_bin(in), cursor;
	struct index_fold *index;

	if (in->rc != TIDE_OK || (in->rc = add(table, form, &index)) != TIDE_OK)
		return;
	index->state = (enum index_state)unpack_uint_max(in, INDEX_COMPLETE);
	cursor = unpack_bin(in);
	buf_append(&index->cursor, cursor.at, cursor.n);
	index->items = unpack_uint(in);
	index->bytes = unpack_uint(in);
	index->looked_at = unpack_uint(in);
	unpack_skips(in, more);
	if (index->cursor.failed)
		in->rc = TIDE_NOMEM;
}

void
fold__indexes_decode(struct unpack *in, struct table_fold *table)
{
	uint32_t n = unpack_array(in);

	for (uint32_t i = 0; i < n && in->rc == TIDE_OK; i++)
		decode_index(in, table);
}
