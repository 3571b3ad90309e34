/*
 * The network between replicators: it delays, loses, repeats and reorders what each step's generator says, and may be deaf in one
 * direction between any two regions. Within a region messages come a moment later, and none is lost unless a process dies.
 */
#include "chaos/sim/world.h"

static void
tell_checks(struct world *world, struct sim_node from, struct sim_node to, bool answer, struct bytes message)
{
	for (uint32_t i = 0; sim_checks[i] != NULL; i++)
		if (sim_checks[i]->sent != NULL)
			sim_checks[i]->sent(world, from, to, answer, message);
}

static uint64_t
delay(struct world *world)
{
	uint64_t ms =
	    rng_between(&world->rng, world->plan.delay_ms_min, world->plan.delay_ms_max) + world->slow_ms;

	if (rng_below(&world->rng, 1000) < world->plan.reorder && !world->healing)
		ms += rng_below(&world->rng, 300);
	return ms;
}

void
network_send(
    void *arg, struct sim_node from, struct sim_node to, uint64_t call, bool answer, struct bytes message)
{
	struct world *world = arg;
	bool faulty = !world->healing;
	uint64_t at = world->now_ms;

	world->counters.messages++;
	tell_checks(world, from, to, answer, message);
	if (from.region == to.region) {
		events_message(world, at + rng_below(&world->rng, 2), from, to, call, answer, message);
		return;
	}
	if (world->deaf[from.region][to.region] ||
	    (faulty && rng_below(&world->rng, 1000) < world->plan.lose)) {
		world->counters.lost++;
		return;
	}
	events_message(world, at + delay(world), from, to, call, answer, message);
	if (faulty && rng_below(&world->rng, 1000) < world->plan.repeat) {
		world->counters.repeated++;
		events_message(world, at + delay(world), from, to, call, answer, message);
	}
}

static bool
stands(struct world *world, uint8_t a, uint8_t b)
{
	if (a == b)
		return sim_region_api_runs(world->regions[a].sim);
	if (!sim_region_replicator_runs(world->regions[b].sim))
		return false;
	return !world->noticed[a][b];
}

static void
refresh_one(struct world *world, uint8_t a, uint8_t b)
{
	struct world_region *region = &world->regions[a];
	bool up;

	if (!sim_region_replicator_runs(region->sim)) {
		region->connected[b] = false;
		return;
	}
	if ((up = stands(world, a, b)) == region->connected[b])
		return;
	region->connected[b] = up;
	region->ready = true;
	sim_region_connected(region->sim, (struct sim_node){b, a == b ? SIM_API : SIM_REPLICATOR}, up);
}

void
network_refresh(struct world *world)
{
	for (uint8_t a = 1; a <= world->plan.n_regions; a++)
		for (uint8_t b = 1; b <= world->plan.n_regions; b++)
			refresh_one(world, a, b);
}

void
network_heal(struct world *world)
{
	memset(world->deaf, 0, sizeof world->deaf);
	memset(world->noticed, 0, sizeof world->noticed);
	world->slow_ms = 0;
	network_refresh(world);
}
