/* Who uses the regions. */
#include <stdio.h>

#include "chaos/sim/registry.h"

/* --- one write of any kind --- */

static uint8_t
some_key(struct world *world)
{
	/* Hot keys make conflicts. */
	return (uint8_t)(world->plan.hot ? 0 : rng_below(&world->rng, world->plan.n_keys));
}

/* One that this region holds, as a rule. */
static const struct world_table *
some_table(struct world *world, uint8_t region)
{
	struct region *api = world_api(world, region);
	const struct world_table *table = NULL;

	for (uint32_t i = 0; i < 4 && api != NULL; i++) {
		table = world_any_table(world);
		if (table == NULL || shard_table_state(api->shard, table->id) == REPLICA_ACTIVE)
			break;
	}
	return table;
}

static void
write_one(struct world *world, uint8_t region)
{
	uint32_t kind = rng_below(&world->rng, 100);

	client_write(world, region, some_table(world, region), some_key(world),
	    kind < 55   ? CLIENT_PUT
	    : kind < 75 ? CLIENT_DELETE
	    : kind < 85 ? CLIENT_PUT_NEW
			: CLIENT_UPDATE);
}

const struct sim_actor actor_writer = {"writer", 40, write_one};

/* --- several regions at once, on the same key --- */

static void
race(struct world *world, uint8_t region)
{
	const struct world_table *table = world_any_table(world);
	uint8_t key = some_key(world);

	client_write(world, region, table, key, rng_percent(&world->rng, 30) ? CLIENT_DELETE : CLIENT_PUT);
	for (uint8_t r = 1; r <= world->plan.n_regions; r++)
		if (r != region && rng_percent(&world->rng, 60))
			client_write(
			    world, r, table, key, rng_percent(&world->rng, 30) ? CLIENT_DELETE : CLIENT_PUT);
}

const struct sim_actor actor_racer = {"racer", 16, race};

/* --- one region, many items: groups with several operations --- */

static void
burst(struct world *world, uint8_t region)
{
	uint32_t n = rng_between(&world->rng, 2, 8);

	for (uint32_t i = 0; i < n; i++)
		write_one(world, region);
}

const struct sim_actor actor_burst = {"burst", 10, burst};

/* --- a write here, and what builds on it there: causality over items and tables --- */

static void
chain(struct world *world, uint8_t region)
{
	for (uint32_t i = 0; i < 3; i++) {
		write_one(world, region);
		world_work(world, rng_below(&world->rng, 80));
		region = world_any_region(world);
	}
}

const struct sim_actor actor_chain = {"chain", 8, chain};

/* --- nobody: time goes by --- */

static void
wait(struct world *world, uint8_t region)
{
	(void)region;
	world_work(world, rng_percent(&world->rng, 85) ? 100 + rng_below(&world->rng, 400) : 3000);
}

const struct sim_actor actor_waiter = {"waiter", 8, wait};

/* --- tombstones that may go --- */

static void
sweep(struct world *world, uint8_t region)
{
	if (world->plan.collect)
		world_collect(world, region);
	world_rejoin(world, region);
}

const struct sim_actor actor_sweeper = {"sweeper", 8, sweep};

/* --- tables and replicas come and go --- */

static void
operate(struct world *world, uint8_t region)
{
	uint32_t kind = rng_below(&world->rng, 100);
	struct world_table *table = world_any_table(world);
	char name[24];

	if (!world->plan.membership)
		return;
	snprintf(name, sizeof name, "t%u", rng_below(&world->rng, 4)); /* names clash, and come again */
	if (kind < 15 || table == NULL)
		client_make_table(world, region, name);
	else if (kind < 60)
		client_change_replica(world, region, table, world_other_region(world, region), true);
	else if (kind < 94)
		client_change_replica(world, region, table, world_other_region(world, region), false);
	else
		client_delete_table(world, region, table);
}

const struct sim_actor actor_operator = {"operator", 12, operate};

/* --- a replica is removed while nobody hears what it has written --- */

static void
hear_again(struct world *world, uint64_t arg)
{
	(void)arg;
	network_heal(world);
}

static void
leave(struct world *world, uint8_t region)
{
	const struct world_table *table = some_table(world, region);
	uint8_t other = world_other_region(world, region);

	if (!world->plan.membership || world->plan.faults == 0 || table == NULL)
		return;
	world_tell(world, "r%u: nobody hears it, and it shall go", region);
	for (uint8_t r = 1; r <= world->plan.n_regions; r++)
		world->deaf[region][r] = r != region;
	world_after(world, 300 + rng_below(&world->rng, 2500), hear_again, 0);
	client_write(world, region, table, some_key(world), CLIENT_PUT);
	world_work(world, 20);
	client_change_replica(world, other, table, region, false);
	world_work(world, 200);
}

const struct sim_actor actor_leaver = {"leaver", 5, leave};
