/*
 * Transfers between accounts, each one transaction: one account gets what another one loses, so the sum over all is zero wherever a
 * transaction is there whole. Accounts are keys that nobody else writes. What an account holds is known to the ledger: an item names the
 * write that left it. An account that is back at zero is deleted, as a part of the transaction.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/membership.h"
#include "chaos/sim/registry.h"
#include "store/shard/shard_priv.h"

struct account {
	uint64_t table;
	uint8_t key;
	int32_t balance; /* after the transfer */
	bool deletes;
};

struct transfer {
	struct commit_op op; /* first */
	struct world *world;
	uint8_t region;
	struct account accounts[TRANSFER_PARTS_MAX];
	uint32_t n;
	uint32_t txn; /* the first of its writes in the ledger; 0: none */
	uint32_t n_writes;
};

/* What the account holds as this region sees it, which must be what the ledger says for its vectors. */
static tide_err
read_account(struct transfer *transfer, struct group *group, struct account *account, bool *present)
{
	const struct table_fold *table = fold_table(&group_shard(group)->work, account->table);
	struct world *world = transfer->world;
	struct write *winner;
	struct stored stored;
	struct buf key = {0};
	tide_err rc;

	client_key(account->key, &key);
	rc = group_get(group, account->table, buf_bytes(&key), &stored);
	buf_fini(&key);
	if (rc != TIDE_OK && rc != TIDE_NOTFOUND)
		return rc;
	*present = rc == TIDE_OK;
	winner = ledger_winner(&world->ledger, account->table, account->key, &table->vector);
	if (!group_shard(group)->sealed &&
	    (*present != (winner != NULL && !winner->tombstone) ||
		(*present && version_compare(stored.version, winner->version) != 0)))
		world_fail(world, "read", "r%u reads account %u of table %llx, it must be #%u",
		    transfer->region, account->key, (unsigned long long)account->table,
		    winner == NULL ? 0 : winner->id);
	account->balance = winner == NULL ? 0 : winner->balance;
	return TIDE_OK;
}

static void
enter(struct transfer *transfer, struct group *group, const struct account *account)
{
	struct write *write = client_enter_part(
	    transfer->world, transfer->region, group, account->table, account->key, transfer->txn);

	if (write == NULL)
		return;
	if (transfer->txn == 0)
		transfer->txn = write->txn = write->id;
	write->balance = account->balance;
	transfer->n_writes++;
}

static tide_err
write_all(struct transfer *transfer, struct group *group, const bool *present, struct tide_error *error)
{
	struct group_write writes[TRANSFER_PARTS_MAX] = {0};
	struct buf keys[TRANSFER_PARTS_MAX] = {0}, images[TRANSFER_PARTS_MAX] = {0};
	uint32_t entered = 0;
	tide_err rc;

	for (uint32_t i = 0; i < transfer->n; i++) {
		const struct account *account = &transfer->accounts[i];
		bool changes = !account->deletes || present[i];

		client_key(account->key, &keys[i]);
		if (!account->deletes)
			client_image(account->key, transfer->world->ledger.n + 1 + entered, &images[i]);
		entered += changes;
		writes[i] = (struct group_write){.table = account->table,
		    .key = buf_bytes(&keys[i]),
		    .image = buf_bytes(&images[i]),
		    .tombstone = account->deletes};
	}
	rc = group_transact(group, writes, transfer->n, NULL);
	for (uint32_t i = 0; i < transfer->n; i++) {
		if (rc == TIDE_OK && (!transfer->accounts[i].deletes || present[i]))
			enter(transfer, group, &transfer->accounts[i]);
		buf_fini(&keys[i]);
		buf_fini(&images[i]);
	}
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static tide_err
transfer_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct transfer *transfer = (struct transfer *)op;
	struct region *api = world_api(transfer->world, transfer->region);
	int32_t amount[TRANSFER_PARTS_MAX], left = 0;
	bool present[TRANSFER_PARTS_MAX];
	tide_err rc;

	if (api == NULL) /* it is being stopped */
		return tide_fail(error, TIDE_CLOSED, NULL);
	if (!region_may_write(api))
		return tide_fail(error, TIDE_UNAVAILABLE, NULL);
	for (uint32_t i = 0; i < transfer->n; i++) {
		struct account *account = &transfer->accounts[i];
		const struct table_fold *table = fold_table(&group_shard(group)->work, account->table);

		if (table == NULL || table->state != REPLICA_ACTIVE)
			return tide_fail(error, TIDE_RESOURCE_NOT_FOUND, NULL);
		amount[i] = account->balance;
		if ((rc = read_account(transfer, group, account, &present[i])) != TIDE_OK)
			return tide_fail(error, rc, NULL);
		/* The last one gets what the others give. */
		if (i == transfer->n - 1)
			amount[i] = -left;
		left += amount[i];
		account->balance += amount[i];
		account->deletes = account->balance == 0;
	}
	return write_all(transfer, group, present, error);
}

static void
transfer_done(struct commit_op *op, const struct tide_error *error)
{
	struct transfer *transfer = (struct transfer *)op;
	struct world *world = transfer->world;

	for (uint32_t i = 0; i < transfer->n_writes; i++) {
		struct write *write = ledger_write(&world->ledger, transfer->txn + i);

		write->fate = client_fate(world, transfer->region, write, error->code);
		world->counters.writes += error->code == TIDE_OK;
		world_tell(world, "r%u: #%u of transfer #%u: account %u of table %llx: %08x/%llu, has %d: %s",
		    transfer->region, write->id, transfer->txn, write->key, (unsigned long long)write->table,
		    write->version.origin.v, (unsigned long long)write->seq, write->balance,
		    tide_err_name(error->code));
	}
	world->counters.transfers += error->code == TIDE_OK && transfer->n_writes > 0;
	free(transfer);
}

/* Account `i` of a transfer: none that the transfer has already. False: there is none. */
static bool
draw_account(struct world *world, struct transfer *transfer)
{
	struct account *account = &transfer->accounts[transfer->n];
	const struct world_table *table = world_any_table(world);

	if (table == NULL)
		return false;
	account->table = table->id;
	account->key = (uint8_t)(world->plan.n_keys + rng_below(&world->rng, world->plan.n_accounts));
	account->balance = (int32_t)rng_between(&world->rng, 1, 3) * (rng_percent(&world->rng, 50) ? 1 : -1);
	for (uint32_t i = 0; i < transfer->n; i++)
		if (transfer->accounts[i].table == account->table &&
		    transfer->accounts[i].key == account->key)
			return false;
	transfer->n++;
	return true;
}

static void
transfer_in(struct world *world, uint8_t region)
{
	struct region *api = world_api(world, region);
	struct transfer *transfer;

	if (api == NULL || !region_may_write(api))
		return;
	if ((transfer = calloc(1, sizeof *transfer)) == NULL) {
		world_fail(world, "memory", "no memory for a transfer");
		return;
	}
	transfer->op.run = transfer_run;
	transfer->op.done = transfer_done;
	transfer->world = world;
	transfer->region = region;
	for (uint32_t i = rng_between(&world->rng, 4, 8); i > 0 && transfer->n < TRANSFER_PARTS_MAX; i--)
		(void)draw_account(world, transfer);
	world->regions[region].ready = true;
	if (transfer->n < 2 || committer_submit(api->committer, &transfer->op) != TIDE_OK)
		free(transfer);
}

static void
tell(struct world *world, uint8_t region)
{
	uint32_t n = rng_between(&world->rng, 1, 3);

	if (world->plan.n_accounts == 0)
		return;
	transfer_in(world, region);
	while (n-- > 1)
		transfer_in(world, rng_percent(&world->rng, 50) ? region : world_any_region(world));
}

const struct sim_actor actor_teller = {"teller", 20, tell};
