/* The clock guard: nothing is applied whose clock is further ahead of the region's own than the bound. */
#include "chaos/sim/registry.h"
#include "store/shard/shard_priv.h"

static void
on_unit(struct world *world, uint8_t region, const struct unit *unit)
{
	struct shard *shard = world_api(world, region)->shard;
	struct hlc bound = hlc_of_ms(shard_now_ms(shard, NULL) + WORLD_GUARD_MS + 2);

	for (uint32_t i = 0; unit->kind == UNIT_REMOTE && i < unit->n_records; i++)
		if (unit->records[i].version.clock.v > bound.v)
			world_fail(world, "guard", "r%u applies %llu of %08x, whose clock is %llu ms ahead",
			    region, (unsigned long long)unit->records[i].origin_seq, unit->origin.v,
			    (unsigned long long)(hlc_ms(unit->records[i].version.clock) - hlc_ms(bound)) +
				WORLD_GUARD_MS);
}

const struct sim_check check_guard = {.name = "guard", .unit = on_unit};
