/*
 * Causal order over items and tables: a reader in any region who sees a write sees everything that its writer had seen, in every table that
 * both have. Looked at unit by unit, as a crash may leave a region with any first part of a group.
 */
#include "chaos/sim/registry.h"
#include "store/shard/shard_priv.h"

static void
check_write(
    struct world *world, uint8_t region, const struct write *write, const struct fold *fold, uint64_t only)
{
	for (uint32_t i = 0; i < write->n_seen && !world_failed(world); i++) {
		const struct seen *seen = &write->seen[i];
		const struct table_fold *table = fold_table(fold, seen->table);

		if (table == NULL || table->state != REPLICA_ACTIVE || (only != 0 && seen->table != only))
			continue;
		if (check_order_at(world, region, seen->table, seen->origin) >= seen->seq)
			continue;
		/* What was lost with a disk, and is nowhere, is void. */
		if (!check_order_held(world, seen->table, seen->origin, seen->seq))
			continue;
		world_fail(world, "causes",
		    "r%u shows #%u, whose writer had seen %llu of %08x in table %llx; here %llu is the last",
		    region, write->id, (unsigned long long)seen->seq, seen->origin.v,
		    (unsigned long long)seen->table,
		    (unsigned long long)check_order_at(world, region, seen->table, seen->origin));
	}
}

static void
on_unit(struct world *world, uint8_t region, const struct unit *unit)
{
	const struct fold *fold = &world_api(world, region)->shard->live;

	if (unit->kind != UNIT_REMOTE)
		return;
	for (uint32_t i = 0; i < unit->n_records; i++) {
		const struct table_fold *table = fold_table(fold, unit->records[i].table);
		const struct write *write =
		    ledger_by_version(&world->ledger, unit->records[i].table, unit->records[i].version);

		if (write != NULL && table != NULL && table->state == REPLICA_ACTIVE)
			check_write(world, region, write, fold, 0);
		if (write == NULL && unit->records[i].table > TABLE_BUILT_IN_MAX)
			world_fail(world, "causes", "r%u gets record %llu of %08x, which nobody wrote",
			    region, (unsigned long long)unit->records[i].origin_seq, unit->origin.v);
	}
}

static void
settled(struct world *world)
{
	for (uint8_t r = 1; r <= world->plan.n_regions; r++)
		for (uint32_t i = 1; i <= world->ledger.n; i++) {
			const struct write *write = ledger_write(&world->ledger, i);
			const struct fold *fold = &world_api(world, r)->shard->live;
			const struct table_fold *table = fold_table(fold, write->table);

			if (write_counts(write) && table != NULL && table->state == REPLICA_ACTIVE &&
			    check_order_at(world, r, write->table, write->version.origin) >= write->seq)
				check_write(world, r, write, fold, 0);
		}
}

const struct sim_check check_causes = {.name = "causes", .unit = on_unit, .settled = settled};
