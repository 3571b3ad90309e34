/* The fold of a rejoin: rejoin.c does it, this is what its notes add up to. */
#include "store/shard/fold.h"

/* A copy of a snapshot is to be loaded beside the replica. */
static tide_err
begin_load(struct fold *fold, struct table_fold *table)
{
	struct table_fold *staged = fold_table_make(fold, staged_id(table->id));
	tide_err rc = staged == NULL ? TIDE_NOMEM : fold__forget(fold, staged);

	if (rc != TIDE_OK)
		return rc;
	staged->state = REPLICA_CREATING;
	table->rejoin = REJOIN_LOADING;
	return TIDE_OK;
}

/*
 * Below this mark the journal here does not have all of an origin's records of the table, or not in their order: what came by the merge
 * is in none, and where table and region stood apart the records of the one come after later ones of the other. Where neither is so, nothing
 * has changed: a relay may be the only one that still has a dead journal's records.
 */
static tide_err
raise_floor(const struct fold *fold, struct table_fold *table, const struct vector *merged)
{
	const struct vector *both[] = {&table->position, &fold->position};
	tide_err rc = TIDE_OK;

	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < both[side]->n && rc == TIDE_OK; i++) {
			struct jid origin = both[side]->entries[i].origin;
			struct mark ours = vector_get(&table->position, origin);
			struct mark regions = vector_get(&fold->position, origin);

			if (jid_same(origin, fold->id) ||
			    (merged != NULL && ours.seq == regions.seq &&
				vector_get(merged, origin).seq <= vector_get(&table->vector, origin).seq))
				continue;
			rc = vector_raise(&table->floor, origin, ours.seq > regions.seq ? ours : regions);
		}
	return rc;
}

/* All of the snapshot is here. A replica that can be read stands at the region's cut; from here on it has a place of its own. */
static tide_err
begin_merge(struct fold *fold, struct table_fold *table, const struct note *note)
{
	tide_err rc = TIDE_OK;

	table->boot.under_way = true;
	table->boot.source = note->region;
	table->boot.expected = note->expected;
	table->boot.loaded = 0;
	buf_clear(&table->boot.cursor);
	table->rejoin = REJOIN_MERGING;
	if (table->state == REPLICA_CATCHUP)
		rc = raise_floor(fold, table, NULL); /* it was never level: all before is out of order */
	else
		rc = vector_copy(&table->position, &fold->position);
	table->state = REPLICA_MERGING;
	return rc;
}

/* Everything of other journals that either side had. */
static tide_err
raise_all(const struct fold *fold, struct vector *vector, const struct vector *by)
{
	tide_err rc = TIDE_OK;

	for (size_t i = 0; i < by->n && rc == TIDE_OK; i++)
		if (!jid_same(by->entries[i].origin, fold->id))
			rc = vector_raise(vector, by->entries[i].origin, by->entries[i].mark);
	return rc;
}

static tide_err
end_merge(struct fold *fold, struct table_fold *table)
{
	struct table_fold *staged = fold_table(fold, staged_id(table->id));
	tide_err rc;

	if (staged == NULL)
		return TIDE_CORRUPT;
	if ((rc = raise_all(fold, &table->position, &staged->position)) == TIDE_OK &&
	    (rc = raise_floor(fold, table, &staged->vector)) == TIDE_OK &&
	    (rc = raise_all(fold, &table->vector, &staged->vector)) == TIDE_OK)
		rc = fold__forget(fold, staged);
	if (rc != TIDE_OK)
		return rc;
	staged->state = REPLICA_ABSENT;
	boot_fini(&table->boot);
	table->state = REPLICA_CATCHUP;
	table->rejoin = REJOIN_FOLLOWING;
	return TIDE_OK;
}

tide_err
fold__rejoin(struct fold *fold, struct table_fold *table, const struct note *note)
{
	switch (note->step) {
	case REJOIN_NEED:
		table->rejoin = REJOIN_NEEDED;
		return TIDE_OK;
	case REJOIN_LOAD:
		return begin_load(fold, table);
	case REJOIN_MERGE:
		return begin_merge(fold, table, note);
	case REJOIN_PIECE:
		table->boot.loaded += note->count;
		buf_clear(&table->boot.cursor);
		buf_append(&table->boot.cursor, note->key.at, note->key.n);
		return buf_check(&table->boot.cursor);
	case REJOIN_END:
		return end_merge(fold, table);
	}
	return TIDE_OK; /* of a later version */
}

bool
fold_rejoining(const struct fold *fold)
{
	for (size_t i = 0; i < fold->n_tables; i++)
		if (fold->tables[i]->rejoin >= REJOIN_LOADING)
			return true;
	return false;
}
