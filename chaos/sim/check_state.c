/*
 * The state is a function of the vector, at every moment: of the writes that a replica's vector covers, the one with the greatest
 * version is there, byte for byte; nothing else is; items, and the fingerprint are their sum.
 */
#include <stdlib.h>

#include "chaos/sim/registry.h"
#include "store/shard/shard_priv.h"

struct state {
	uint64_t marks[SIM_REGIONS_MAX + 1][WORLD_TABLES_MAX]; /* of the vector that was looked at last */
};

static struct state *
state_of(struct world *world)
{
	if (world->notes[NOTES_STATE] == NULL &&
	    (world->notes[NOTES_STATE] = calloc(1, sizeof(struct state))) == NULL)
		abort();
	return world->notes[NOTES_STATE];
}

static void
wrong(struct world *world, uint8_t region, const struct table_fold *table, uint8_t key, tide_err rc,
    const struct stored *stored, const struct write *winner)
{
	world_fail(world, "state",
	    "r%u, key %u of table %llx: %s of clock %llx from %08x (%s); by its vector it is #%u%s", region,
	    key, (unsigned long long)table->id,
	    rc == TIDE_OK       ? "an item"
	    : stored->tombstone ? "a tombstone"
				: "nothing",
	    (unsigned long long)stored->version.clock.v, stored->version.origin.v, tide_err_name(rc),
	    winner == NULL ? 0 : winner->id, winner != NULL && winner->tombstone ? ", a delete" : "");
}

static void
check_key(struct world *world, uint8_t region, const struct table_fold *table, uint8_t key,
    fingerprint_t *sum, uint64_t *items)
{
	struct write *winner = ledger_winner(&world->ledger, table->id, key, &table->vector);
	struct buf name = {0}, raw = {0}, image = {0};
	struct stored stored = {0};
	tide_err rc;

	client_key(key, &name);
	rc = shard_get(world_api(world, region)->shard, table->id, buf_bytes(&name), &raw, &stored);
	if (winner == NULL      ? rc != TIDE_NOTFOUND || stored.tombstone
	    : winner->tombstone ? rc != TIDE_NOTFOUND
				: rc != TIDE_OK)
		wrong(world, region, table, key, rc, &stored, winner);
	else if (rc == TIDE_OK || stored.tombstone) {
		/* A tombstone may have been collected; what is there must be the winner. */
		if (version_compare(stored.version, winner->version) != 0)
			wrong(world, region, table, key, rc, &stored, winner);
		else if (rc == TIDE_OK) {
			client_image_until(key, winner->id, winner->expires_s, &image);
			if (!bytes_equal(stored.image, buf_bytes(&image)))
				world_fail(world, "state",
				    "r%u, key %u of table %llx: other bytes than #%u wrote", region, key,
				    (unsigned long long)table->id, winner->id);
			*sum += stored_fingerprint(buf_bytes(&name), &stored);
			++*items;
		}
	}
	buf_fini(&name);
	buf_fini(&raw);
	buf_fini(&image);
}

static void
check_table(struct world *world, uint8_t region, const struct table_fold *table)
{
	fingerprint_t sum = 0;
	uint64_t items = 0;

	for (uint8_t key = 0; key < world->plan.n_keys + world->plan.n_accounts; key++)
		check_key(world, region, table, key, &sum, &items);
	if (!world_failed(world) && (sum != table->fingerprint || items != table->items))
		world_fail(world, "state",
		    "r%u, table %llx: fingerprint or count (%llu, counted %llu) is not the sum", region,
		    (unsigned long long)table->id, (unsigned long long)table->items,
		    (unsigned long long)items);
}

static uint64_t
mark_of(const struct table_fold *table)
{
	uint64_t mark = (uint64_t)table->state + 7;

	for (size_t i = 0; i < table->vector.n; i++)
		mark = mark * 1099511628211u + table->vector.entries[i].origin.v * 31 +
		       table->vector.entries[i].mark.seq;
	return mark;
}

static void
look(struct world *world, uint8_t region, bool all)
{
	const struct fold *fold = &world_api(world, region)->shard->live;
	struct state *state = state_of(world);

	for (uint32_t i = 0; i < world->n_tables; i++) {
		const struct table_fold *table = fold_table(fold, world->tables[i].id);
		uint64_t mark;

		if (table == NULL || !replica_follows(table->state))
			continue;
		mark = mark_of(table);
		if (!all && mark == state->marks[region][i])
			continue;
		state->marks[region][i] = mark;
		check_table(world, region, table);
	}
}

static void
moved(struct world *world, uint8_t region)
{
	look(world, region, false);
}

static void
began(struct world *world, uint8_t region)
{
	look(world, region, true);
}

static void
settled(struct world *world)
{
	for (uint8_t r = 1; r <= world->plan.n_regions; r++)
		look(world, r, true);
}

const struct sim_check check_state = {.name = "state", .began = began, .moved = moved, .settled = settled};
