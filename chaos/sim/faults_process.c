/* Processes that die between any two steps, or get no turn for a while. */
#include "chaos/sim/registry.h"

static uint64_t
a_while(struct world *world)
{
	return rng_percent(&world->rng, 50) ? rng_below(&world->rng, 30) : rng_below(&world->rng, 3000);
}

static void
crash(struct world *world, uint8_t region)
{
	if (rng_percent(&world->rng, 25)) {
		world->regions[region].ambushed = true;
		return;
	}
	world_tell(world, "r%u: the API process is killed", region);
	world_kill_api(world, region);
	world_after(world, a_while(world), world_start_soon, region);
}

static void
crash_replicator(struct world *world, uint8_t region)
{
	world_tell(world, "r%u: the replicator is killed", region);
	world_kill_replicator(world, region);
	world_after(world, a_while(world), world_start_soon, region);
}

static void
crash_both(struct world *world, uint8_t region)
{
	world_tell(world, "r%u: both processes are killed", region);
	world_kill_api(world, region);
	world_kill_replicator(world, region);
	world_after(world, a_while(world), world_start_soon, region);
}

/* A clean stop, with a checkpoint. */
static void
stop(struct world *world, uint8_t region)
{
	if (world_api(world, region) == NULL)
		return;
	world_tell(world, "r%u: the API process is stopped", region);
	world->counters.restarts++;
	sim_region_stop_api(world->regions[region].sim);
	world->generation[region][SIM_API]++;
	network_refresh(world);
	world_after(world, a_while(world), world_start_soon, region);
}

static void
pause(struct world *world, uint8_t region)
{
	uint64_t ms =
	    rng_percent(&world->rng, 70) ? rng_below(&world->rng, 500) : rng_below(&world->rng, 9000);

	world_tell(world, "r%u: stands still for %llu ms", region, (unsigned long long)ms);
	world->regions[region].paused_until_ms = world->now_ms + ms;
}

const struct sim_fault fault_crash = {"crash", 14, 60, crash};
const struct sim_fault fault_crash_replicator = {"crash-replicator", 8, 40, crash_replicator};
const struct sim_fault fault_crash_both = {"crash-both", 8, 40, crash_both};
const struct sim_fault fault_stop = {"stop", 4, 30, stop};
const struct sim_fault fault_pause = {"pause", 5, 30, pause};
