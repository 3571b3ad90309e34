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
	return fold_progress(work, origin, next);
}
