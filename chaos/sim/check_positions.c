/* "Everything of that origin up to here is applied": a position claims nothing that a readable table here lacks. */
#include <stdlib.h>

#include "chaos/sim/registry.h"
#include "store/shard/shard_priv.h"

struct positions {
	uint64_t marks[SIM_REGIONS_MAX + 1];
};

static uint64_t
mark_of(const struct fold *fold)
{
	uint64_t mark = fold->id.v;

	for (size_t i = 0; i < fold->position.n; i++)
		mark = mark * 1099511628211u + fold->position.entries[i].mark.seq;
	for (size_t i = 0; i < fold->n_tables; i++)
		mark = mark * 1099511628211u + (uint64_t)fold->tables[i]->state;
	return mark;
}

static void
moved(struct world *world, uint8_t region)
{
	const struct fold *fold = &world_api(world, region)->shard->live;
	struct positions *positions = world->notes[NOTES_POSITIONS];

	if (positions == NULL &&
	    (positions = world->notes[NOTES_POSITIONS] = calloc(1, sizeof *positions)) == NULL)
		abort();
	if (positions->marks[region] == mark_of(fold))
		return;
	positions->marks[region] = mark_of(fold);
	for (uint32_t i = 1; i <= world->ledger.n; i++) {
		const struct write *write = ledger_write(&world->ledger, i);
		const struct table_fold *table = fold_table(fold, write->table);
		struct mark at;

		if (!write_counts(write) || write->fate == WRITE_PENDING || table == NULL ||
		    table->state != REPLICA_ACTIVE || !table->shared)
			continue;
		at = vector_get(&fold->position, write->version.origin);
		if (at.seq < write->seq ||
		    vector_get(&table->vector, write->version.origin).seq >= write->seq)
			continue;
		if (write->fate == WRITE_LOST &&
		    !check_order_held(world, write->table, write->version.origin, write->seq))
			continue; /* lost with a disk, and nowhere: void */
		world_fail(world, "positions",
		    "r%u stands at %llu of %08x and lacks #%u (%llu) of table %llx", region,
		    (unsigned long long)at.seq, write->version.origin.v, write->id,
		    (unsigned long long)write->seq, (unsigned long long)write->table);
		return;
	}
}

const struct sim_check check_positions = {.name = "positions", .moved = moved};
