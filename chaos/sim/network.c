/*
 * The network between replicators: it delays, loses, repeats and reorders what each step's generator says, and may be deaf in one
 * direction between any two regions. Within a region messages come a moment later, and none is lost unless a process dies.
 */
#include <stdio.h>

#include "chaos/sim/world.h"
#include "replicator/wire.h"

static void
tell_checks(struct world *world, struct sim_node from, struct sim_node to, bool answer, struct bytes message)
{
	for (uint32_t i = 0; sim_checks[i] != NULL; i++)
		if (sim_checks[i]->sent != NULL)
			sim_checks[i]->sent(world, from, to, answer, message);
}

/* With --trace: what goes where. */
static void
print(struct world *world, struct sim_node from, struct sim_node to, bool answer, struct bytes bytes)
{
	static const char *const names[] = {
#define X(type, member) #type,
	    WIRE_TYPES(X)
#undef X
	};
	struct wire_message message;
	struct tide_error error;

	arena_reset(&world->scratch);
	if (wire_decode(&world->scratch, bytes, &message, &error) != TIDE_OK)
		return;
	if (message.type == WIRE_STATE_ASK || message.type == WIRE_STATE || message.type == WIRE_LINKS ||
	    message.type == WIRE_DONE)
		return;
	printf("%4u %7llu      r%u%s %s r%u%s %s", world->step, (unsigned long long)world->now_ms,
	    from.region, from.part == SIM_API ? "a" : "", answer ? "=>" : "->", to.region,
	    to.part == SIM_API ? "a" : "", names[message.type]);
	if (message.type == WIRE_ERROR)
		printf(" %s %.*s", tide_err_name(message.error.code), (int)message.error.message.n,
		    (const char *)message.error.message.at);
	else if (message.type == WIRE_APPLIED)
		printf(" %s for %08x %.*s", tide_err_name(message.applied.result), message.applied.held_for.v,
		    (int)message.applied.message.n, (const char *)message.applied.message.at);
	else if (message.type == WIRE_RECORDS)
		printf(" %u: base %llu, upto %llu", message.records.n_records,
		    (unsigned long long)message.records.base.seq,
		    (unsigned long long)message.records.upto.seq);
	else if (message.type == WIRE_APPLY)
		printf(" %08x: %u: base %llu, upto %llu", message.apply.origin.v,
		    message.apply.records.n_records, (unsigned long long)message.apply.records.base.seq,
		    (unsigned long long)message.apply.records.upto.seq);
	else if (message.type == WIRE_SHIP_OPEN)
		printf(" %08x from %llu", message.ship_open.origin.v,
		    (unsigned long long)message.ship_open.position);
	printf("\n");
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
	if (world->options.trace)
		print(world, from, to, answer, message);
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
