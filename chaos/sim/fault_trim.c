/* A journal keeps as little as it may, so that whoever is away falls behind it. */
#include <stdlib.h>

#include "chaos/sim/registry.h"

struct trim {
	uint64_t below;
};

static tide_err
trim_run(struct world *world, uint8_t region, struct group *group, void *arg, struct tide_error *error)
{
	struct trim *trim = arg;
	uint64_t first = journal_first_seq(shard_journal(world_api(world, region)->shard));
	tide_err rc = group_trim(group, 0, UINT64_MAX, &trim->below);

	if (rc == TIDE_OK && trim->below > first)
		world->counters.trims++;
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static void
trim(struct world *world, uint8_t region)
{
	struct trim *trim;

	if (!world->plan.trims || world_api(world, region) == NULL ||
	    (trim = calloc(1, sizeof *trim)) == NULL)
		return;
	shard_checkpoint(world_api(world, region)->shard, NULL);
	client_submit(world, region, "trims its journal", trim_run, trim);
}

const struct sim_fault fault_trim = {"trim", 8, 40, trim};
