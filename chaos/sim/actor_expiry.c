/*
 * Time to live: it is switched on and off, items are written whose time is over, and regions look their tables over at moments that hurt:
 * several at once, or just when a rewrite stands before the delete. The walk is the product's (api/expiry.h); each region's maintenance
 * walks besides.
 */
#include <stdlib.h>

#include "api/expiry.h"
#include "api/membership.h"
#include "chaos/sim/registry.h"

#define LATE_S 600 /* from then on every region deletes */
#define HOUR_MS 3600000
#define NEVER_S (EXPIRES_SOON_S + 1000) /* from now: after the world's life, whose ends may take minutes */
#define STEPS 3 /* of a walk: each looks over several tables */

static uint64_t
now_s(const struct world *world)
{
	return (WORLD_EPOCH_MS + world->now_ms) / 1000;
}

static uint64_t
long_over(struct world *world)
{
	return now_s(world) - LATE_S - 1 - rng_below(&world->rng, 3000);
}

uint64_t
expiry_draw(struct world *world)
{
	uint32_t kind = rng_below(&world->rng, 100);

	return kind < 35   ? 0
	       : kind < 60 ? now_s(world) + rng_below(&world->rng, 4)
	       : kind < 75 ? now_s(world) - 1 - rng_below(&world->rng, 5)
	       : kind < 90 ? long_over(world)
			   : now_s(world) + NEVER_S;
}

/* --- UpdateTimeToLive --- */

struct setting {
	uint64_t table;
	bool on;
};

static tide_err
setting_run(struct world *world, uint8_t region, struct group *group, void *arg, struct tide_error *error)
{
	struct region *api = world_api(world, region);
	const struct setting *setting = arg;
	const struct table *table = NULL;
	tide_err rc;

	if ((rc = catalog_read(api->catalog, group, setting->table, &table)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if (table->deleted || !table->here)
		rc = TIDE_RESOURCE_NOT_FOUND;
	else if ((table->ttl_attribute.n != 0) == setting->on)
		rc = TIDE_VALIDATION;
	else {
		((struct table *)table)->ttl_attribute = setting->on ? BYTES_LITERAL("expires") : BYTES_NONE;
		rc = catalog_write_setting(api->catalog, group, table, SETTING_TTL);
	}
	table_release(table);
	world->counters.ttl_changes += rc == TIDE_OK;
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static bool
is_on(struct region *api, uint64_t id)
{
	const struct table *table = catalog_find_id(api->catalog, id);
	bool on = table != NULL && table->ttl_attribute.n != 0;

	table_release(table);
	return on;
}

static void
change(struct world *world, uint8_t region, const struct world_table *table)
{
	struct region *api = world_api(world, region);
	struct setting *setting;

	if (api == NULL || !region_may_write(api) || (setting = calloc(1, sizeof *setting)) == NULL)
		return;
	*setting = (struct setting){table->id, !is_on(api, table->id)};
	world_tell(world, "r%u: switches time to live of table %llx %s", region,
	    (unsigned long long)table->id, setting->on ? "on" : "off");
	client_submit(world, region, "UpdateTimeToLive", setting_run, setting);
}

/* --- a walk at this very moment --- */

static void
walk(struct world *world, uint8_t region)
{
	struct region *api = world_api(world, region);
	struct expiry *expiry;
	struct tide_error error;

	if (api == NULL || world->regions[region].paused_until_ms > world->now_ms)
		return;
	if ((expiry = expiry_new()) == NULL) {
		world_fail(world, "memory", "no memory for a walk");
		return;
	}
	world_tell(world, "r%u: looks for what is over", region);
	for (int i = 0; i < STEPS; i++)
		(void)expiry_step(api, expiry, world->now_ms, &error);
	expiry_free(expiry);
	world->regions[region].ready = true;
}

/* Everywhere at once. */
static void
together(struct world *world, uint8_t region, const struct world_table *table, uint8_t key)
{
	client_write_until(world, region, table, key, CLIENT_PUT, long_over(world));
	world_work(world, 60 + rng_below(&world->rng, 200));
	for (uint8_t r = 1; r <= world->plan.n_regions; r++)
		if (rng_percent(&world->rng, 80))
			walk(world, r);
}

/* A rewrite stands in the queue when the walk looks: here, or in another region, or both. */
static void
rewrite(struct world *world, uint8_t region, const struct world_table *table, uint8_t key)
{
	uint8_t other = world_other_region(world, region);

	client_write_until(world, region, table, key, CLIENT_PUT, long_over(world));
	world_work(world, 60 + rng_below(&world->rng, 200));
	if (rng_percent(&world->rng, 60))
		client_write(
		    world, region, table, key, rng_percent(&world->rng, 80) ? CLIENT_PUT : CLIENT_DELETE);
	if (rng_percent(&world->rng, 60))
		client_write(world, other, table, key, CLIENT_PUT);
	walk(world, region);
	if (rng_percent(&world->rng, 40))
		walk(world, other);
}

/* The switch stands in the queue when the walk looks. */
static void
switched_off(struct world *world, uint8_t region, const struct world_table *table, uint8_t key)
{
	client_write_until(world, region, table, key, CLIENT_PUT, long_over(world));
	world_work(world, 10 + rng_below(&world->rng, 40));
	change(world, region, table);
	walk(world, region);
}

/* For the moment of a walk the clock is an hour ahead; of regions that do not watch it nothing better can be asked than to believe it. */
static void
by_a_wrong_clock(struct world *world, uint8_t region, const struct world_table *table, uint8_t key)
{
	client_write_until(
	    world, region, table, key, CLIENT_PUT, now_s(world) + NEVER_S + rng_below(&world->rng, 1000));
	world_work(world, 10 + rng_below(&world->rng, 40));
	if (!world->plan.watched)
		return;
	world_tell(world, "r%u: the clock jumps by an hour, and back", region);
	world->regions[region].skew_ms += HOUR_MS;
	walk(world, region);
	world->regions[region].skew_ms -= HOUR_MS;
}

static void
act(struct world *world, uint8_t region)
{
	const struct world_table *table = world_any_table(world);
	uint8_t key = (uint8_t)(world->plan.hot ? 0 : rng_below(&world->rng, world->plan.n_keys));
	uint32_t kind = rng_below(&world->rng, 100);
	struct region *api = world_api(world, region);

	if (!world->plan.ttl || table == NULL || api == NULL)
		return;
	if (!is_on(api, table->id) ? kind < 80 : kind < 10)
		change(world, region, table);
	else if (kind < 20)
		switched_off(world, region, table, key);
	else if (kind < 50)
		together(world, region, table, key);
	else if (kind < 80)
		rewrite(world, region, table, key);
	else if (kind < 92)
		by_a_wrong_clock(world, region, table, key);
	else
		walk(world, region);
}

const struct sim_actor actor_expiry = {"expiry", 14, act};
