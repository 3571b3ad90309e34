/*
 * Transactions of this region. One unit holds all of one: a unit is in the journal whole or not at all, travels whole, and is applied
 * whole. What a receiver has to look at before it applies parts of one is in parts.c.
 */
#include "store/shard/group_priv.h"

/* Everything that may fail, before the first change. `pending[i]` NULL: that write changes nothing. */
static tide_err
look(struct group *group, const struct group_write *writes, uint32_t n, struct pending **pending)
{
	tide_err rc;

	for (uint32_t i = 0; i < n; i++) {
		if ((rc = group__may_write(group, writes[i].table)) != TIDE_OK ||
		    (rc = group__pending(group, writes[i].table, writes[i].key, &pending[i])) != TIDE_OK)
			return rc;
		if (!group__changes(&writes[i], pending[i]))
			pending[i] = NULL;
	}
	return TIDE_OK;
}

/* The unit for all of them: one that has no note of any of their tables. */
static struct unit_build *
unit_for(struct group *group, const struct group_write *writes, uint32_t n)
{
	struct fold *work = &group->shard->work;

	for (uint32_t i = 0; group->last != NULL && i < n; i++)
		if (group__is_noted(group->last, writes[i].table))
			return group__unit(group, UNIT_LOCAL, work->id, &work->position);
	return group__local_unit(group, writes[0].table);
}

/* What each record lists. A transaction that changes one item is whole anyway. */
static tide_err
list_parts(struct group *group, const struct group_write *writes, struct pending *const *pending, uint32_t n,
    uint64_t first_seq, struct group_txn *txn)
{
	struct txn_part *parts;
	uint32_t changes = 0;

	for (uint32_t i = 0; i < n; i++)
		changes += pending[i] != NULL;
	if (changes < 2)
		return TIDE_OK;
	if ((parts = arena_alloc(&group->arena, changes * sizeof *parts)) == NULL)
		return TIDE_NOMEM;
	txn->parts = parts;
	for (uint32_t i = 0; i < n; i++)
		if (pending[i] != NULL) {
			parts[txn->n_parts] = (struct txn_part){writes[i].table, first_seq + txn->n_parts};
			txn->n_parts++;
		}
	group->bytes += txn->n_parts * sizeof *parts;
	return TIDE_OK;
}

tide_err
group_transact(
    struct group *group, const struct group_write *writes, uint32_t n, const struct group_write *aside)
{
	struct shard *shard = group->shard;
	struct group_txn txn = {.clock = hlc_tick(shard->work.clock, group->now_ms)},
			 alone = {.clock = txn.clock};
	uint32_t all = n + (aside != NULL ? 1 : 0), changes = 0;
	struct group_write *list = arena_alloc(&group->arena, (all + 1) * sizeof *list);
	struct pending **pending = arena_calloc(&group->arena, (all + 1) * sizeof *pending);
	struct unit_build *unit;
	tide_err rc;

	if (list == NULL || pending == NULL)
		return TIDE_NOMEM;
	if (n > 0)
		memcpy(list, writes, n * sizeof *list);
	if (aside != NULL)
		list[n] = *aside;
	if (aside != NULL && aside->table == TABLE_TOKENS &&
	    fold_table(&shard->work, TABLE_TOKENS)->items >= TOKENS_MAX)
		return TIDE_UNAVAILABLE;
	if ((rc = look(group, list, all, pending)) != TIDE_OK)
		return rc;
	for (uint32_t i = 0; i < all; i++)
		changes += pending[i] != NULL;
	if (changes == 0)
		return TIDE_OK;
	if ((unit = unit_for(group, list, all)) == NULL)
		return TIDE_NOMEM;
	rc = list_parts(group, list, pending, n, unit->unit.first_seq + unit->unit.n_records, &txn);
	for (uint32_t i = 0; i < all && rc == TIDE_OK; i++)
		if (pending[i] != NULL)
			rc = group__write(group, unit, pending[i], &list[i], i < n ? &txn : &alone);
	if (rc != TIDE_OK)
		shard->sealed = true; /* half of it is in `work`: only memory can fail here */
	return rc;
}

tide_err
group_token(struct group *group, struct bytes key, struct stored *out)
{
	tide_err rc = group_get(group, TABLE_TOKENS, key, out);

	if (rc == TIDE_OK && hlc_ms(out->version.clock) + TOKEN_KEPT_MS < group->now_ms)
		return TIDE_NOTFOUND;
	return rc;
}
