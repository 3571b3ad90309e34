/* What the other regions told about their replicas, and which tombstones may go by it. */
#include <stdlib.h>

#include "store/shard/group_priv.h"

static const struct told *
find(const struct told_list *list, struct jid origin)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (jid_same(list->at[i].origin, origin))
			return &list->at[i];
	return NULL;
}

const struct told *
shard__told(const struct shard *shard, struct jid origin)
{
	return find(&shard->told, origin);
}

const struct told *
shard__heard(const struct shard *shard, struct jid origin)
{
	return find(&shard->heard, origin);
}

static void
release(struct told *told)
{
	for (uint32_t t = 0; t < told->n; t++)
		vector_fini(&told->tables[t].vector);
	free(told->tables);
	*told = (struct told){0};
}

void
told_list__fini(struct told_list *list)
{
	for (uint32_t i = 0; i < list->n; i++)
		release(&list->at[i]);
	free(list->at);
	*list = (struct told_list){0};
}

void
told_list__take(struct told_list *list, struct told_list *fresh)
{
	for (uint32_t i = 0; i < fresh->n; i++) {
		struct told *slot = (struct told *)find(list, fresh->at[i].origin), *array, old;

		if (slot == NULL) {
			array = realloc(list->at, (list->n + 1) * sizeof *array);
			if (array == NULL)
				continue; /* told again soon */
			list->at = array;
			slot = &array[list->n++];
			*slot = (struct told){0};
		}
		old = *slot;
		*slot = fresh->at[i];
		fresh->at[i] = old; /* released with the group */
	}
}

static tide_err
add(struct told_list *list, struct jid origin, const struct told_table *tables, uint32_t n, struct told **out)
{
	struct told *array = realloc(list->at, (list->n + 1) * sizeof *array), *told;
	tide_err rc;

	if (array == NULL)
		return TIDE_NOMEM;
	list->at = array;
	told = &array[list->n];
	*told = (struct told){.origin = origin};
	if ((told->tables = calloc(n + 1, sizeof *told->tables)) == NULL)
		return TIDE_NOMEM;
	for (; told->n < n; told->n++) {
		told->tables[told->n].table = tables[told->n].table;
		told->tables[told->n].state = tables[told->n].state;
		told->tables[told->n].loading = tables[told->n].loading;
		if ((rc = vector_copy(&told->tables[told->n].vector, &tables[told->n].vector)) != TIDE_OK) {
			/* Half of it would say that the other tables are not there. */
			release(told);
			return rc;
		}
	}
	list->n++;
	*out = told;
	return TIDE_OK;
}

tide_err
group_told(
    struct group *group, struct jid origin, struct hlc promise, const struct told_table *tables, uint32_t n)
{
	struct told *told;
	tide_err rc = add(&group->told, origin, tables, n, &told);

	if (rc == TIDE_OK)
		told->promise = promise;
	return rc;
}

tide_err
group_heard(struct group *group, struct jid origin, const struct told_table *tables, uint32_t n,
    const struct told_dead *dead, uint32_t n_dead)
{
	struct told *told;
	tide_err rc = add(&group->heard, origin, tables, n, &told);

	for (uint32_t i = 0; i < n_dead && rc == TIDE_OK; i++) {
		told->dead[dead[i].region] = dead[i].through;
		told->lives[dead[i].region] = dead[i].nonce;
	}
	return rc;
}

/* Has this member applied the version, or promised never to send anything older? */
static bool
is_past(const struct told *told, uint64_t table, struct version version)
{
	for (uint32_t i = 0; i < told->n; i++) {
		if (told->tables[i].table != table)
			continue;
		switch (told->tables[i].state) {
		case REPLICA_ACTIVE:
		case REPLICA_LEAVING:
			return vector_saw(&told->tables[i].vector, version);
		case REPLICA_ABSENT:
			return told->promise.v >= version.clock.v;
		default:
			return false; /* a replica that is loading counts */
		}
	}
	return told->promise.v >= version.clock.v; /* it holds nothing of that table */
}

/*
 * A tombstone goes when no other region can still send something older than it: the living are past it, and of the dead nobody has
 * what we have not.
 */
bool
shard__tombstone_may_go(const struct shard *shard, uint64_t table, struct version version)
{
	struct jid journal;

	if (!fold_table(&shard->work, table)->shared)
		return true;
	if (!shard__all_closed(shard))
		return false;
	for (unsigned r = 1; r <= REGION_NUMBER_MAX; r++)
		if (shard__waited_for(shard, (uint8_t)r, &journal)) {
			const struct told *told = shard__told(shard, journal);

			if (told == NULL || !is_past(told, table, version))
				return false;
		}
	return shard->work.n_members > 0;
}
