/* A region loses its disk and is born again under its next incarnation. Only while all that it holds is readable elsewhere. */
#include "api/membership.h"
#include "chaos/sim/registry.h"
#include "store/shard/shard_priv.h"

static bool
may_be_lost(struct world *world, uint8_t region)
{
	const struct fold *fold;

	if (world_api(world, region) == NULL)
		return false;
	fold = &world_api(world, region)->shard->live;
	for (size_t i = 0; i < fold->n_tables; i++) {
		const struct table_fold *table = fold->tables[i];
		bool elsewhere = table->state == REPLICA_ABSENT || table_is_own(table->id);

		for (uint8_t r = 1; r <= world->plan.n_regions && !elsewhere; r++) {
			struct region *api = r == region ? NULL : world_api(world, r);

			elsewhere = api != NULL && region_may_write(api) &&
				    shard_table_state(api->shard, table->id) == REPLICA_ACTIVE;
		}
		if (!elsewhere)
			return false;
	}
	return true;
}

static void
wipe(struct world *world, uint8_t region)
{
	if (world->regions[region].lives >= 3 || !may_be_lost(world, region))
		return;
	world_tell(world, "r%u: the disk is lost", region);
	world_kill_api(world, region);
	world_kill_replicator(world, region);
	ledger_journal_lost(&world->ledger, world->regions[region].journal);
	check_order_wiped(world, region);
	sim_region_wipe(world->regions[region].sim);
	world->regions[region].lives++;
	world->counters.rebirths++;
	world_after(world, rng_below(&world->rng, 2000), world_start_soon, region);
}

const struct sim_fault fault_wipe = {"wipe", 3, 30, wipe};
