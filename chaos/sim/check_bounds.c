/* Queues and memory stay within bounds that do not grow with what is written. */
#include "chaos/sim/registry.h"

#define REQUESTS_MAX 2000
#define BYTES_MAX (1u << 20)

static void
moved(struct world *world, uint8_t region)
{
	struct sim_load load = sim_region_load(world->regions[region].sim);

	if (load.requests > REQUESTS_MAX || load.bytes_held > BYTES_MAX)
		world_fail(world, "bounds", "r%u has %llu requests under way and holds %llu bytes", region,
		    (unsigned long long)load.requests, (unsigned long long)load.bytes_held);
}

const struct sim_check check_bounds = {.name = "bounds", .moved = moved};
