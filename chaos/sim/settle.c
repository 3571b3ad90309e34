/* The end of all faults: what is left to do gets done within a bounded time, then nothing travels any more. */
#include <stdio.h>

#include "api/membership.h"
#include "chaos/sim/registry.h"
#include "store/shard/shard_priv.h"

#define SETTLE_MS_MAX 90000
#define LINKS_MS 8000 /* until every session is at its best source again: the rest of a retry may travel */
#define QUIET_MS 2500

static void
heal(struct world *world)
{
	world->healing = true;
	events_fire_all(world); /* what does not start meanwhile starts below: its disk is well then */
	network_heal(world);
	for (uint8_t r = 1; r <= world->plan.n_regions; r++) {
		struct world_region *region = &world->regions[r];

		region->skew_ms = region->drift_per_mille = 0;
		region->frozen_at_ms = region->paused_until_ms = 0;
		world_start(world, r);
	}
	world_tell(world, "-- everything heals");
}

/* Ready, and said to be so: that fact is written a while after, and later still where the clock is wrong. */
static bool
is_ready(const struct table *table, const struct replica *own, enum replica_state state)
{
	return state == REPLICA_ACTIVE && (!table->global || (own->status == TABLE_ACTIVE && own->claimed));
}

/* Why this region's replica of a table is not yet what the facts say; false: it is. */
static bool
replica_pending(struct world *world, uint8_t r, const struct table *table, char *why, size_t room)
{
	struct region *api = world_api(world, r);
	const struct replica *own = table_replica(table, api->config.region);
	enum replica_state state = shard_table_state(api->shard, table->id);
	bool others = false;

	for (uint32_t i = 0; i < table->n_replicas; i++)
		others |= &table->replicas[i] != own && table->replicas[i].wanted;
	if (table->deleted ? state == REPLICA_ABSENT
	    : own == NULL  ? state == REPLICA_ABSENT || !table->global
	    : own->wanted  ? is_ready(table, own, state) || own->status == TABLE_CREATION_FAILED
			   : state == REPLICA_ABSENT || (state == REPLICA_LEAVING && !others))
		return false;
	snprintf(why, room, "r%u's replica of table %llx is in state %d%s", r, (unsigned long long)table->id,
	    state,
	    table->deleted                ? ", and it is deleted"
	    : own == NULL || !own->wanted ? ", and it is not wanted"
	    : state == REPLICA_ACTIVE     ? ", and no fact says so"
					  : "");
	return true;
}

static bool
replicas_pending(struct world *world, uint8_t r, char *why, size_t room)
{
	struct region *api = world_api(world, r);
	const struct table **tables;
	bool pending = false;
	uint32_t n;

	arena_reset(&world->scratch);
	if (catalog_all(api->catalog, &world->scratch, &tables, &n) != TIDE_OK)
		return true;
	for (uint32_t i = 0; i < n; i++) {
		if (!tables[i]->built_in && !pending)
			pending = replica_pending(world, r, tables[i], why, room);
		table_release(tables[i]);
	}
	return pending;
}

static void
say_marks(const struct vector *vector, const char *whose, char *why, size_t room)
{
	snprintf(why + strlen(why), room - strlen(why), "; %s", whose);
	for (size_t k = 0; k < vector->n; k++)
		snprintf(why + strlen(why), room - strlen(why), " %08x:%llu", vector->entries[k].origin.v,
		    (unsigned long long)vector->entries[k].mark.seq);
}

static bool
same_vectors(struct world *world, uint8_t a, uint8_t b, char *why, size_t room)
{
	const struct fold *one = &world_api(world, a)->shard->live,
			  *other = &world_api(world, b)->shard->live;

	for (size_t i = 0; i < one->n_tables; i++) {
		const struct table_fold *table = one->tables[i], *there = fold_table(other, table->id);

		if (table_is_own(table->id) || there == NULL || table->state != REPLICA_ACTIVE ||
		    there->state != REPLICA_ACTIVE || vector_equal(&table->vector, &there->vector))
			continue;
		snprintf(why, room, "r%u and r%u have not the same of table %llx", a, b,
		    (unsigned long long)table->id);
		say_marks(&table->vector, "the first", why, room);
		say_marks(&there->vector, "the second", why, room);
		return false;
	}
	return true;
}

static tide_err
rejoin_run(struct world *world, uint8_t region, struct group *group, void *arg, struct tide_error *error)
{
	uint32_t n;
	tide_err rc = group_rejoin_start(group, 0, &n);

	(void)arg;
	(void)region;
	world->counters.rejoins += n;
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static tide_err
reincarnate_run(struct world *world, uint8_t region, struct group *group, void *arg, struct tide_error *error)
{
	struct jid former = shard_id(group_shard(group));
	tide_err rc = shard_reincarnate(group_shard(group), error);

	(void)arg;
	if (rc != TIDE_OK)
		return rc;
	/* No folder is restored here: a region that was born again has not written before everybody knew its journal. */
	for (uint32_t i = 1; i <= world->ledger.n; i++)
		if (ledger_write(&world->ledger, i)->fate == WRITE_KEPT &&
		    jid_same(ledger_write(&world->ledger, i)->version.origin, former))
			world_fail(
			    world, "forked", "r%u acknowledged #%u in a journal that is over", region, i);
	ledger_journal_lost(&world->ledger, former);
	check_order_wiped(world, region);
	world->counters.rebirths++;
	return TIDE_OK;
}

/* What an operator does when status says so. */
void
world_rejoin(struct world *world, uint8_t region)
{
	const struct fold *fold;
	bool needed = false;

	if (world_api(world, region) == NULL)
		return;
	fold = &world_api(world, region)->shard->live;
	for (size_t i = 0; i < fold->n_tables; i++)
		needed |= fold->tables[i]->rejoin == REJOIN_NEEDED;
	if (needed)
		client_submit(world, region, "region rejoin", rejoin_run, NULL);
	if (fold->fork.reason != FORK_NONE)
		client_submit(world, region, "region reincarnate", reincarnate_run, NULL);
}

/* One that began while its clock was wrong trusts the right one after a while. */
static bool
clock_is_right(struct world *world, uint8_t region)
{
	struct clock_view clock;

	shard_now_ms(world_api(world, region)->shard, &clock);
	return clock.trouble == CLOCK_FINE;
}

static bool
converged(struct world *world, char *why, size_t room)
{
	for (uint8_t r = 1; r <= world->plan.n_regions; r++) {
		if (world_api(world, r) == NULL || !sim_region_replicator_runs(world->regions[r].sim)) {
			snprintf(why, room, "r%u does not run", r);
			return false;
		}
		if (!region_may_write(world_api(world, r))) {
			snprintf(why, room, "r%u may not write", r);
			return false;
		}
		if (!clock_is_right(world, r)) {
			snprintf(why, room, "r%u takes its clock for wrong", r);
			return false;
		}
		if (fold_rejoining(&world_api(world, r)->shard->live)) {
			snprintf(why, room, "r%u is on its way back", r);
			return false;
		}
		if (replicas_pending(world, r, why, room))
			return false;
	}
	if (expiry_pending(world, why, room))
		return false;
	why[0] = 0;
	if (index_pending(world, why, room))
		return false;
	for (uint8_t a = 1; a <= world->plan.n_regions; a++)
		for (uint8_t b = 1; b <= world->plan.n_regions; b++)
			if (a != b && !same_vectors(world, a, b, why, room))
				return false;
	return true;
}

/* Nothing is applied or shipped when nothing is written. */
static void
stay_quiet(struct world *world)
{
	uint64_t shipped, pieces;
	char why[256] = "";

	world_work(world, LINKS_MS);
	shipped = world->counters.records_shipped;
	pieces = world->counters.pieces;
	world_work(world, QUIET_MS);
	if (world_failed(world))
		return;
	if (world->counters.records_shipped != shipped || world->counters.pieces != pieces)
		world_fail(world, "quiet", "%llu records and %llu pieces travel although nothing is written",
		    (unsigned long long)(world->counters.records_shipped - shipped),
		    (unsigned long long)(world->counters.pieces - pieces));
	else if (!converged(world, why, sizeof why))
		world_fail(world, "quiet", "it had converged, and now: %s", why);
}

void
world_settle(struct world *world)
{
	uint64_t until = world->now_ms + SETTLE_MS_MAX;
	char why[256] = "it still works";

	heal(world);
	world_work(world, 300);
	while (!world_failed(world) && !converged(world, why, sizeof why)) {
		if (world->now_ms > until) {
			world_fail(world, "converge", "%s", why);
			return;
		}
		for (uint8_t r = 1; r <= world->plan.n_regions; r++)
			world_rejoin(world, r);
		world_work(world, 100);
	}
	if (!world_failed(world))
		world_tell(world, "-- converged");
	stay_quiet(world);
	for (uint32_t i = 0; sim_checks[i] != NULL && !world_failed(world); i++)
		if (sim_checks[i]->settled != NULL)
			sim_checks[i]->settled(world);
}
