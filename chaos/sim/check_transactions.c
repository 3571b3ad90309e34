/*
 * Transactions are whole. In every region, after every step: of the parts in tables that are readable there, all are there, or none. And
 * what follows from that for transfers: wherever no conflict has taken a part of one, the accounts add up to zero.
 */
#include "chaos/sim/registry.h"
#include "store/shard/shard_priv.h"

/* Is that part of a transaction in the replica? Where it has no readable one, nobody sees. */
static bool
shows(const struct fold *fold, const struct write *part, bool *there)
{
	const struct table_fold *table = fold_table(fold, part->table);

	if (table == NULL || table->state != REPLICA_ACTIVE)
		return false;
	*there = vector_get(&table->vector, part->version.origin).seq >= part->seq;
	return true;
}

static void
check_whole(struct world *world, uint8_t region, const struct fold *fold, uint32_t txn)
{
	const struct write *have = NULL, *miss = NULL;

	for (uint32_t id = txn; id <= world->ledger.n; id++) {
		const struct write *part = ledger_write(&world->ledger, id);
		bool there;

		if (part->txn != txn)
			break;
		if (version_compare(part->version, ledger_write(&world->ledger, txn)->version) != 0)
			world_fail(world, "whole", "#%u has another version than #%u of its transaction",
			    part->id, txn);
		if (!write_counts(part) || !shows(fold, part, &there))
			continue;
		if (there)
			have = part;
		/* A part of a journal that was lost with its disk, which nobody holds, is void. */
		else if (part->fate != WRITE_LOST ||
			 check_order_held(world, part->table, part->version.origin, part->seq))
			miss = part;
	}
	if (have != NULL && miss != NULL)
		world_fail(world, "whole", "r%u shows #%u and not #%u of transaction #%u", region, have->id,
		    miss->id, txn);
}

/* Do the account's writes that are here follow one from the other, or has one of them lost, or been lost? */
static bool
is_one_chain(struct world *world, const struct table_fold *table, uint8_t key, const struct write *winner)
{
	const struct write *write = ledger_last(&world->ledger, table->id, key);

	for (; write != NULL; write = ledger_next(&world->ledger, write)) {
		const struct write *at = winner;

		if (write->fate == WRITE_LOST)
			return false;
		if (!write_counts(write) ||
		    vector_get(&table->vector, write->version.origin).seq < write->seq)
			continue;
		while (at != NULL && at != write)
			at = at->before == 0 ? NULL : ledger_write(&world->ledger, at->before);
		if (at == NULL)
			return false;
	}
	return true;
}

/* The sum over all accounts; false: it says nothing here. */
static bool
add_up(struct world *world, const struct fold *fold, int64_t *sum)
{
	*sum = 0;
	for (uint32_t t = 0; t < world->n_tables; t++) {
		const struct table_fold *table = fold_table(fold, world->tables[t].id);

		for (uint32_t i = 0; i < world->plan.n_accounts; i++) {
			uint8_t key = (uint8_t)(world->plan.n_keys + i);
			const struct write *winner;

			if (ledger_last(&world->ledger, world->tables[t].id, key) == NULL)
				continue;
			if (table == NULL || table->state != REPLICA_ACTIVE)
				return false;
			winner = ledger_winner(&world->ledger, table->id, key, &table->vector);
			if (!is_one_chain(world, table, key, winner))
				return false;
			*sum += winner == NULL ? 0 : winner->balance;
		}
	}
	return true;
}

static void
look(struct world *world, uint8_t region)
{
	const struct fold *fold = &world_api(world, region)->shard->live;
	int64_t sum;

	/* Until its tables stand at one cut again, parts may be here and others not. */
	if (world->plan.n_accounts == 0 || fold_rejoining(fold))
		return;
	for (uint32_t id = 1; id <= world->ledger.n && !world_failed(world); id++)
		if (ledger_write(&world->ledger, id)->txn == id)
			check_whole(world, region, fold, id);
	if (world_failed(world) || !add_up(world, fold, &sum))
		return;
	world->counters.sums++;
	if (sum != 0)
		world_fail(world, "sum", "r%u: the accounts add up to %lld", region, (long long)sum);
}

static void
settled(struct world *world)
{
	for (uint8_t r = 1; r <= world->plan.n_regions && !world_failed(world); r++)
		look(world, r);
}

const struct sim_check check_transactions = {
    .name = "whole", .began = look, .moved = look, .settled = settled};
