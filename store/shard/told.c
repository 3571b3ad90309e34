/* What the other regions told about their replicas, and which tombstones may go by it. */
#include <stdlib.h>

#include "store/shard/group_priv.h"

const struct told *
shard__told(const struct shard *shard, struct jid origin)
{
	for (uint32_t i = 0; i < shard->n_told; i++)
		if (jid_same(shard->told[i].origin, origin))
			return &shard->told[i];
	return NULL;
}

void
shard__told_release(struct told *told)
{
	for (uint32_t t = 0; t < told->n; t++)
		vector_fini(&told->tables[t].vector);
	free(told->tables);
	*told = (struct told){0};
}

void
shard__told_fini(struct shard *shard)
{
	for (uint32_t i = 0; i < shard->n_told; i++)
		shard__told_release(&shard->told[i]);
	free(shard->told);
	shard->told = NULL;
	shard->n_told = 0;
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
	const struct told *told;

	if (!fold_table(&shard->work, table)->shared)
		return true;
	if (!shard__all_closed(shard))
		return false;
	for (unsigned r = 1; r <= REGION_NUMBER_MAX; r++)
		if (shard__waited_for(shard, (uint8_t)r, &told) &&
		    (told == NULL || !is_past(told, table, version)))
			return false;
	return shard->work.n_members > 0;
}
