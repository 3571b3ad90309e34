/* Partitions of every shape. The two ends of a cut may notice it, at once or never. */
#include "chaos/sim/registry.h"

static void
cut(struct world *world, uint8_t from, uint8_t to)
{
	world->deaf[from][to] = true;
	world->counters.cuts++;
	if (rng_percent(&world->rng, 50))
		world->noticed[from][to] = world->noticed[to][from] = true;
}

static void
heal_all(struct world *world, uint64_t arg)
{
	(void)arg;
	world_tell(world, "the network heals");
	network_heal(world);
}

static void
for_a_while(struct world *world)
{
	network_refresh(world);
	world_after(world,
	    rng_percent(&world->rng, 60) ? rng_below(&world->rng, 600) : rng_below(&world->rng, 8000),
	    heal_all, 0);
}

/* One region on its own. */
static void
alone(struct world *world, uint8_t region)
{
	world_tell(world, "r%u: cut off", region);
	for (uint8_t r = 1; r <= world->plan.n_regions; r++)
		if (r != region) {
			cut(world, r, region);
			cut(world, region, r);
		}
	for_a_while(world);
}

static void
one_way(struct world *world, uint8_t region)
{
	uint8_t other = world_other_region(world, region);

	world_tell(world, "r%u: what it sends to r%u is lost", region, other);
	cut(world, region, other);
	for_a_while(world);
}

/* Two halves that see each other through one region only. */
static void
bridge(struct world *world, uint8_t region)
{
	uint8_t other = world_other_region(world, region);

	world_tell(world, "r%u is the only one that sees both sides", region);
	for (uint8_t a = 1; a <= world->plan.n_regions; a++)
		for (uint8_t b = 1; b <= world->plan.n_regions; b++)
			if (a != b && a != region && b != region && (a <= other) != (b <= other))
				cut(world, a, b);
	for_a_while(world);
}

/* Each sees its neighbours only. */
static void
ring(struct world *world, uint8_t region)
{
	uint8_t n = world->plan.n_regions;

	(void)region;
	world_tell(world, "each region sees its neighbours only");
	for (uint8_t a = 1; a <= n; a++)
		for (uint8_t b = 1; b <= n; b++)
			if (a != b && (a % n) + 1 != b && (b % n) + 1 != a)
				cut(world, a, b);
	for_a_while(world);
}

static void
flap_again(struct world *world, uint64_t arg)
{
	uint8_t a = (uint8_t)(arg >> 8), b = (uint8_t)arg;
	uint64_t left = arg >> 16;

	world->deaf[a][b] = world->deaf[b][a] = left % 2 == 1;
	world->noticed[a][b] = world->noticed[b][a] = left % 2 == 1;
	network_refresh(world);
	if (left > 0)
		world_after(
		    world, 5 + rng_below(&world->rng, 120), flap_again, (left - 1) << 16 | (arg & 0xffff));
}

static void
flap(struct world *world, uint8_t region)
{
	uint8_t other = world_other_region(world, region);

	world_tell(world, "the link between r%u and r%u flaps", region, other);
	world->counters.cuts++;
	flap_again(world, (uint64_t)(3 + rng_below(&world->rng, 8)) << 16 | (uint64_t)region << 8 | other);
}

static void
slow(struct world *world, uint8_t region)
{
	(void)region;
	world->slow_ms = rng_between(&world->rng, 50, 900);
	world_tell(world, "the network is slow: %u ms more", world->slow_ms);
	for_a_while(world);
}

const struct sim_fault fault_cut = {"cut", 8, 50, alone};
const struct sim_fault fault_one_way = {"one-way", 6, 40, one_way};
const struct sim_fault fault_bridge = {"bridge", 4, 30, bridge};
const struct sim_fault fault_ring = {"ring", 3, 20, ring};
const struct sim_fault fault_flap = {"flap", 4, 30, flap};
const struct sim_fault fault_slow = {"slow", 4, 30, slow};
