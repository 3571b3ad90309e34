/* No acknowledged write is lost: every replica covers every write whose journal was not lost with its disk, and all hold the same. */
#include "chaos/sim/registry.h"
#include "store/shard/shard_priv.h"

static void
check_table(struct world *world, const struct world_table *table)
{
	uint32_t n = 0, written = 0;

	for (uint8_t r = 1; r <= world->plan.n_regions; r++) {
		const struct fold *fold = &world_api(world, r)->shard->live;
		const struct table_fold *replica = fold_table(fold, table->id);

		if (replica == NULL ||
		    (replica->state != REPLICA_ACTIVE && replica->state != REPLICA_LEAVING))
			continue;
		n++;
		for (uint32_t i = 1; i <= world->ledger.n; i++) {
			const struct write *write = ledger_write(&world->ledger, i);

			if (write->table != table->id ||
			    (write->fate != WRITE_KEPT && write->fate != WRITE_FOUND))
				continue;
			written++;
			if (vector_get(&replica->vector, write->version.origin).seq < write->seq) {
				world_fail(world, "kept",
				    "#%u was acknowledged in r%u, and r%u does not have it", write->id,
				    write->region, r);
				return;
			}
		}
	}
	if (n == 0 && written > 0)
		world_fail(world, "kept", "no replica of table %llx is left", (unsigned long long)table->id);
}

static void
settled(struct world *world)
{
	for (uint32_t i = 0; i < world->n_tables; i++)
		if (!world->tables[i].deleted)
			check_table(world, &world->tables[i]);
}

const struct sim_check check_kept = {.name = "kept", .settled = settled};
