/*
 * Time to live deletes what is over by its region's guarded clock, where the table has it and whose it is to delete; each such delete is
 * a write of its own in the ledger, so that all other checks hold it to the rules of any delete. It is marked as the
 * service's in the region that did it, and nowhere else. When all has settled nothing that is over is left.
 *
 * The deletes are the product's own: two of its functions are wrapped (meson.build), so that the ledger hears of each.
 */
#include <stdio.h>

#include "api/expiry.h"
#include "chaos/sim/registry.h"
#include "store/shard/shard_priv.h"

#define LATE_S 600 /* from then on it is any region's to delete */
#define PAST_MAX_S (5ull * 365 * 24 * 3600) /* what is older is no time to live */

tide_err __real_group_expire(struct group *group, uint64_t table, struct bytes key, bool keep_before);
tide_err __wrap_group_expire(struct group *group, uint64_t table, struct bytes key, bool keep_before);
tide_err __real_expiry_step(
    struct region *region, struct expiry *expiry, uint64_t now_ms, struct tide_error *error);
tide_err __wrap_expiry_step(
    struct region *region, struct expiry *expiry, uint64_t now_ms, struct tide_error *error);

/* Whose shard it is: the world's, and of which region. */
static struct world *
world_of(const struct shard *shard, uint8_t *region)
{
	void *world;

	*region = sim_region_of(shard->options.wall_arg, &world);
	return world;
}

/* --- before a delete --- */

static int
key_number(const struct world *world, struct bytes key)
{
	struct buf name = {0};
	int found = -1;

	for (uint8_t k = 0; k < world->plan.n_keys && found < 0; k++) {
		buf_clear(&name);
		client_key(k, &name);
		if (bytes_equal(buf_bytes(&name), key))
			found = k;
	}
	buf_fini(&name);
	return found;
}

static bool
has_replica(const struct table *table, uint8_t region)
{
	for (uint32_t i = 0; i < table->n_replicas; i++)
		if (table->replicas[i].number == region && table->replicas[i].wanted &&
		    table->replicas[i].status == TABLE_ACTIVE)
			return true;
	return false;
}

/* As the group sees the table: is it this region's to delete that item, which is not over for long? */
static void
check_ours(
    struct world *world, uint8_t region, struct group *group, const struct write *write, bool long_over)
{
	const struct table *table = NULL;
	uint8_t writer = jid_region(write->version.origin);

	if (catalog_read(world_api(world, region)->catalog, group, write->table, &table) != TIDE_OK)
		return;
	if (table->ttl_attribute.n == 0)
		world_fail(world, "expiry", "r%u expires #%u, and table %llx has no time to live", region,
		    write->id, (unsigned long long)write->table);
	/* Where replicas come and go, another one may have been there when it looked. */
	else if (!world->plan.membership && !long_over && table->global && writer != region &&
		 has_replica(table, writer))
		world_fail(
		    world, "expiry", "r%u expires #%u, which is r%u's to expire", region, write->id, writer);
	table_release(table);
}

static void
check_due(struct world *world, uint8_t region, struct group *group, const struct write *write)
{
	struct clock_view clock;
	uint64_t now_s = shard_now_ms(group_shard(group), &clock) / 1000;

	if (clock.trouble != CLOCK_FINE)
		world_fail(world, "expiry", "r%u expires #%u by a clock that is wrong", region, write->id);
	else if (write->expires_s == 0 || write->expires_s >= now_s || write->expires_s + PAST_MAX_S < now_s)
		world_fail(world, "expiry", "r%u expires #%u, whose time is %lld s from now", region,
		    write->id, (long long)(write->expires_s - now_s));
	else
		check_ours(world, region, group, write, write->expires_s + LATE_S <= now_s);
}

tide_err
__wrap_group_expire(struct group *group, uint64_t table, struct bytes key, bool keep_before)
{
	uint8_t region;
	struct world *world = world_of(group_shard(group), &region);
	const struct table_fold *fold = fold_table(&group_shard(group)->work, table);
	struct write *winner = NULL, *write;
	int number = key_number(world, key);
	tide_err rc;

	if (number >= 0 && fold != NULL && !group_shard(group)->sealed)
		winner = ledger_winner(&world->ledger, table, (uint8_t)number, &fold->vector);
	if (winner == NULL || winner->tombstone) {
		if (!group_shard(group)->sealed)
			world_fail(world, "expiry", "r%u expires what is not there", region);
		return __real_group_expire(group, table, key, keep_before);
	}
	check_due(world, region, group, winner);
	if ((rc = __real_group_expire(group, table, key, keep_before)) != TIDE_OK)
		return rc;
	if ((write = client_enter(world, region, group, table, (uint8_t)number)) != NULL) {
		write->expired = true;
		world_tell(world, "r%u: #%u expires key %d of table %llx: %08x/%llu, clock %llx, over #%u",
		    region, write->id, number, (unsigned long long)table, write->version.origin.v,
		    (unsigned long long)write->seq, (unsigned long long)write->version.clock.v,
		    write->before);
	}
	return TIDE_OK;
}

/* --- after it --- */

/* Its group is on disk, or not: then nobody has been told, and the journal knows. */
tide_err
__wrap_expiry_step(struct region *region, struct expiry *expiry, uint64_t now_ms, struct tide_error *error)
{
	uint8_t number;
	struct world *world = world_of(region->shard, &number);
	tide_err rc = __real_expiry_step(region, expiry, now_ms, error);

	for (uint32_t i = 1; i <= world->ledger.n; i++) {
		struct write *write = ledger_write(&world->ledger, i);

		if (!write->expired || write->region != number || write->fate != WRITE_PENDING)
			continue;
		write->fate = rc != TIDE_UNKNOWN                                       ? WRITE_VOID
			      : ledger_in_journal(shard_journal(region->shard), write) ? WRITE_FOUND
										       : WRITE_UNKNOWN;
		world_tell(world, "r%u: #%u: %s", number, i, tide_err_name(rc));
	}
	return rc;
}

static void
on_unit(struct world *world, uint8_t region, const struct unit *unit)
{
	for (uint32_t i = 0; i < unit->n_records; i++) {
		const struct record *record = &unit->records[i];
		struct write *write = ledger_by_version(&world->ledger, record->table, record->version);
		bool own = unit->kind == UNIT_LOCAL && write != NULL && write->expired;

		if (record->table <= TABLE_BUILT_IN_MAX)
			continue;
		if (record->expired != own)
			world_fail(world, "expiry", "r%u keeps #%u as %s delete", region,
			    write == NULL ? 0 : write->id, own ? "anybody's" : "the service's own");
		if (own && write->fate == WRITE_PENDING) {
			write->fate = WRITE_KEPT;
			world->counters.expired++;
		}
	}
}

/* --- at the end --- */

static bool
table_pending(struct world *world, uint8_t region, const struct world_table *at, char *why, size_t room)
{
	struct region *api = world_api(world, region);
	const struct table_fold *fold = fold_table(&api->shard->live, at->id);
	const struct table *table = catalog_find_id(api->catalog, at->id);
	uint64_t now_s = (WORLD_EPOCH_MS + world->now_ms) / 1000;
	bool on = table != NULL && table->ttl_attribute.n != 0, pending = false;

	table_release(table);
	if (!on || fold == NULL || fold->state != REPLICA_ACTIVE)
		return false;
	for (uint8_t key = 0; key < world->plan.n_keys && !pending; key++) {
		const struct write *winner = ledger_winner(&world->ledger, at->id, key, &fold->vector);

		pending = winner != NULL && !winner->tombstone && winner->expires_s != 0 &&
			  winner->expires_s < now_s + EXPIRES_SOON_S;
		if (pending)
			snprintf(why, room, "r%u still has #%u, whose time is %lld s from now", region,
			    winner->id, (long long)(winner->expires_s - now_s));
	}
	return pending;
}

bool
expiry_pending(struct world *world, char *why, size_t room)
{
	for (uint8_t r = 1; r <= world->plan.n_regions; r++)
		for (uint32_t i = 0; i < world->n_tables; i++)
			if (!world->tables[i].deleted &&
			    table_pending(world, r, &world->tables[i], why, room))
				return true;
	return false;
}

const struct sim_check check_expiry = {.name = "expiry", .unit = on_unit};
