#include "store/shard/group_priv.h"

struct mark
group_position(const struct group *group, struct jid origin)
{
	const struct fold *work = &group->shard->work;
	struct mark least = {UINT64_MAX, {UINT64_MAX}};

	for (size_t i = 0; i < work->n_tables; i++) {
		const struct table_fold *table = work->tables[i];
		struct mark at;

		if (!table->shared || !replica_follows(table->state))
			continue;
		at = fold_position(work, table, origin);
		if (at.seq < least.seq)
			least = at;
	}
	return least.seq == UINT64_MAX ? (struct mark){0} : least;
}

/* The sequence goes up to `to`; a clock never goes back, for it says which versions have been seen. */
static tide_err
raise(struct vector *vector, struct jid origin, struct mark to)
{
	struct mark at = vector_get(vector, origin);

	to.clock = hlc_max(to.clock, at.clock);
	return vector_raise(vector, origin, to);
}

tide_err
group_progress_before(
    struct group *group, struct jid origin, const uint64_t *tables, uint32_t n, struct mark next)
{
	struct fold *work = &group->shard->work;
	tide_err rc;

	if (next.seq == 0 || jid_same(origin, work->id))
		return TIDE_OK;
	if ((rc = group_tables_current(group, tables, n)) != TIDE_OK)
		return rc;
	next.seq--;
	for (uint32_t i = 0; i < n; i++) {
		struct table_fold *table = fold_table(work, tables[i]);

		if (table != NULL && table->state == REPLICA_CATCHUP &&
		    (rc = raise(&table->position, origin, next)) != TIDE_OK)
			return rc;
	}
	return raise(&work->position, origin, next);
}
