/* Wall clocks that are wrong: a little, up to the guard, beyond it; that drift, jump or stand still. */
#include <stdlib.h>

#include "chaos/sim/registry.h"

static int64_t
some_skew(struct world *world)
{
	static const int32_t sizes[] = {3, 20, 45, 200};
	int32_t most = sizes[rng_below(&world->rng, 4)];

	return (int64_t)rng_below(&world->rng, (uint32_t)most * 2 + 1) - most;
}

static void
right_again(struct world *world, uint64_t number)
{
	struct world_region *region = &world->regions[number];

	world_tell(world, "r%llu: the clock is right again", (unsigned long long)number);
	region->skew_ms = region->drift_per_mille = 0;
	region->frozen_at_ms = 0;
}

static void
skew(struct world *world, uint8_t number)
{
	world->regions[number].skew_ms = some_skew(world);
	world_tell(
	    world, "r%u: the clock is off by %lld ms", number, (long long)world->regions[number].skew_ms);
	world->counters.clock_faults++;
	world_after(world, 500 + rng_below(&world->rng, 8000), right_again, number);
}

static void
back_again(struct world *world, uint64_t arg)
{
	world->regions[arg & 255].skew_ms -= (int64_t)(arg >> 8) - 1000;
}

/* There and back in no time. */
static void
jump(struct world *world, uint8_t number)
{
	int64_t by = some_skew(world);

	world_tell(world, "r%u: the clock jumps by %lld ms, and soon back", number, (long long)by);
	world->regions[number].skew_ms += by;
	world->counters.clock_faults++;
	world_after(world, 1 + rng_below(&world->rng, 100), back_again, (uint64_t)(by + 1000) << 8 | number);
}

static void
drift(struct world *world, uint8_t number)
{
	struct world_region *region = &world->regions[number];

	region->drift_per_mille = (int32_t)rng_below(&world->rng, 101) - 50;
	region->drift_since_ms = world->now_ms;
	world_tell(world, "r%u: the clock drifts by %d per mille", number, region->drift_per_mille);
	world->counters.clock_faults++;
	world_after(world, 500 + rng_below(&world->rng, 4000), right_again, number);
}

static void
frozen(struct world *world, uint8_t number)
{
	world->regions[number].frozen_at_ms = world->now_ms;
	world_tell(world, "r%u: the clock stands still", number);
	world->counters.clock_faults++;
	world_after(world, 50 + rng_below(&world->rng, 2000), right_again, number);
}

const struct sim_fault fault_skew = {"skew", 5, 35, skew};
const struct sim_fault fault_jump = {"jump", 4, 30, jump};
const struct sim_fault fault_drift = {"drift", 3, 25, drift};
const struct sim_fault fault_frozen = {"frozen", 3, 25, frozen};
