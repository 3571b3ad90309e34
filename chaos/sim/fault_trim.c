/* A journal keeps as little as it may, or less than those who are away need: they fall behind it, and have to rejoin. */
#include <stdlib.h>

#include "chaos/sim/registry.h"

struct trim {
	uint64_t max_ms;
};

static tide_err
trim_run(struct world *world, uint8_t region, struct group *group, void *arg, struct tide_error *error)
{
	const struct trim *trim = arg;
	uint64_t first = journal_first_seq(shard_journal(world_api(world, region)->shard)), below = 0;
	tide_err rc = group_trim(group, 0, trim->max_ms, &below);

	if (rc == TIDE_OK && below > first)
		world->counters.trims++;
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static void
trim(struct world *world, uint8_t region)
{
	struct region *api = world_api(world, region);
	struct trim *trim;

	if (!world->plan.trims || api == NULL || (trim = calloc(1, sizeof *trim)) == NULL)
		return;
	trim->max_ms = rng_percent(&world->rng, 50) ? UINT64_MAX : rng_below(&world->rng, 2000);
	/* What the older of two checkpoints needs stays. */
	shard_checkpoint(api->shard, NULL);
	shard_checkpoint(api->shard, NULL);
	client_submit(world, region,
	    trim->max_ms == UINT64_MAX ? "trims its journal" : "trims what others need", trim_run, trim);
}

const struct sim_fault fault_trim = {"trim", 8, 40, trim};
