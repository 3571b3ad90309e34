#include "store/shard/group_priv.h"

struct mark
group_position(const struct group *group, struct jid origin)
{
	const struct fold *work = &group->shard->work;
	struct mark least = vector_get(&work->position, origin);

	for (size_t i = 0; i < work->n_tables; i++) {
		const struct table_fold *table = work->tables[i];
		struct mark at;

		if (!table->shared || table->state != REPLICA_CATCHUP)
			continue;
		at = vector_get(&table->position, origin);
		if (at.seq < least.seq)
			least = at;
	}
	return least;
}
