/*
 * A transaction of another region is applied whole: before a part of it changes anything, every part in tables that this region follows
 * is at hand, in the same unit, or was applied before. Its origin's unit holds all of them, and what was asked for names all of our
 * tables; but a relay that held only some of them may have only those parts. Then the rest is missing: TIDE_GAP, ask elsewhere.
 *
 * A part is void where it is nowhere: of a journal that is closed here, or of one that is dead and of which no other region
 * has more in that table. Of tables that are not here, or not followed yet, a snapshot will bring it.
 */
#include "store/shard/group_priv.h"

static bool
in_unit(const struct record *const *todo, uint32_t n, const struct txn_part *part)
{
	uint32_t low = 0, high = n;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (todo[middle]->origin_seq < part->origin_seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && todo[low]->origin_seq == part->origin_seq && todo[low]->table == part->table;
}

static bool
is_at_hand(const struct group *group, struct jid origin, const struct record *const *todo, uint32_t n,
    const struct txn_part *part)
{
	const struct fold *work = &group->shard->work;
	const struct table_fold *table = fold_table(work, part->table);

	if (table == NULL || !table->shared || !replica_follows(table->state))
		return true;
	return vector_get(&table->vector, origin).seq >= part->origin_seq || in_unit(todo, n, part) ||
	       fold_closed(work, origin) || shard__nobody_has_more(group->shard, origin, part->table);
}

tide_err
group__check_parts(const struct group *group, struct jid origin, const struct record *const *todo, uint32_t n,
    struct apply_stop *stop)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct record *record = todo[i];

		if (i > 0 && record->parts == todo[i - 1]->parts)
			continue; /* the same transaction */
		for (uint32_t k = 0; k < record->n_parts; k++) {
			if (is_at_hand(group, origin, todo, n, &record->parts[k]))
				continue;
			stop->table = record->parts[k].table;
			return TIDE_GAP;
		}
	}
	return TIDE_OK;
}
