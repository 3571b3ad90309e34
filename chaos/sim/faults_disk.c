/* Disks that tear a write, fail a sync, are full for a while, or refuse the store a batch. */
#include "chaos/sim/registry.h"
#include "store/journal/journal_memory.h"
#include "store/kv/kv_memory.h"

static void
start_again(struct world *world, uint64_t region)
{
	struct world_region *r = &world->regions[region];

	journal_memory_disk_fail_next(sim_region_journal_disk(r->sim), TIDE_OK, 0);
	kv_memory_disk_fail_next(sim_region_store_disk(r->sim), KV_MEMORY_WRITE, TIDE_OK);
	kv_memory_disk_fail_next(sim_region_store_disk(r->sim), KV_MEMORY_BARRIER, TIDE_OK);
	kv_memory_disk_full(sim_region_store_disk(r->sim), false);
	journal_memory_disk_full(sim_region_journal_disk(r->sim), false);
	if (world_api(world, (uint8_t)region) != NULL)
		world_kill_api(world, (uint8_t)region);
	world_start(world, (uint8_t)region);
}

/* A power cut in the middle of an append: some of its units reached the disk. */
static void
torn(struct world *world, uint8_t region)
{
	uint32_t survivors = rng_below(&world->rng, 4);

	world_tell(
	    world, "r%u: the next append is torn after %u units, then the power fails", region, survivors);
	journal_memory_disk_fail_next(
	    sim_region_journal_disk(world->regions[region].sim), TIDE_UNKNOWN, survivors);
	world->counters.disk_faults++;
	world_after(world, 1 + rng_below(&world->rng, 300), start_again, region);
}

/* An append that fails once, and then the disk is well again. */
static void
sync_once(struct world *world, uint8_t region)
{
	world_tell(world, "r%u: the next append fails", region);
	journal_memory_disk_fail_next(sim_region_journal_disk(world->regions[region].sim), TIDE_IO, 0);
	world->counters.disk_faults++;
}

static void
no_longer_full(struct world *world, uint64_t region)
{
	journal_memory_disk_full(sim_region_journal_disk(world->regions[region].sim), false);
	world_tell(world, "r%llu: the disk has room again", (unsigned long long)region);
}

static void
full(struct world *world, uint8_t region)
{
	world_tell(world, "r%u: the disk is full", region);
	journal_memory_disk_full(sim_region_journal_disk(world->regions[region].sim), true);
	world->counters.disk_faults++;
	world_after(world, rng_below(&world->rng, 2000), no_longer_full, region);
}

/* The store refuses a batch that the journal has: its process has to be started again. */
static void
store(struct world *world, uint8_t region)
{
	const char *disk = sim_region_store_disk(world->regions[region].sim);
	uint32_t kind = rng_below(&world->rng, 3);

	world_tell(world, "r%u: the store's disk %s", region,
	    kind == 0   ? "fails a write"
	    : kind == 1 ? "fails a barrier"
			: "is full");
	if (kind == 2)
		kv_memory_disk_full(disk, true);
	else
		kv_memory_disk_fail_next(disk, kind == 0 ? KV_MEMORY_WRITE : KV_MEMORY_BARRIER, TIDE_IO);
	world->counters.disk_faults++;
	world_after(world, 1 + rng_below(&world->rng, 600), start_again, region);
}

const struct sim_fault fault_torn = {"torn", 8, 50, torn};
const struct sim_fault fault_sync = {"sync", 5, 40, sync_once};
const struct sim_fault fault_full = {"full", 4, 30, full};
const struct sim_fault fault_store = {"store", 4, 30, store};
