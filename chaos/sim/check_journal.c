/* Journals are dense and readable to their end, and the store holds nothing that the journal does not add up to. */
#include "chaos/sim/registry.h"
#include "store/shard/shard_priv.h"

static void
check_dense(struct world *world, uint8_t region)
{
	struct journal *journal = shard_journal(world_api(world, region)->shard);
	uint64_t next = journal_first_seq(journal), last = journal_last_seq(journal);
	struct journal_reader *reader;
	struct tide_error error;
	struct bytes payload;
	struct unit unit;
	tide_err rc;

	if (next > last)
		return;
	if (journal_reader_open(journal, next, &reader, &error) != TIDE_OK) {
		world_fail(world, "journal", "r%u: %s", region, error.message);
		return;
	}
	while (
	    (rc = journal_reader_next(reader, &payload, NULL, &error)) == TIDE_OK && !world_failed(world)) {
		arena_reset(&world->scratch);
		if (unit_decode(&world->scratch, payload, &unit, &error) != TIDE_OK)
			world_fail(world, "journal", "r%u: %s", region, error.message);
		else if (unit.first_seq != next)
			world_fail(world, "journal", "r%u: after %llu comes %llu", region,
			    (unsigned long long)next - 1, (unsigned long long)unit.first_seq);
		else
			next = unit_last_seq(&unit) + 1;
	}
	journal_reader_close(reader);
	if (!world_failed(world) && (rc != TIDE_NOTFOUND || next != last + 1))
		world_fail(world, "journal", "r%u: it ends at %llu, not at %llu", region,
		    (unsigned long long)next - 1, (unsigned long long)last);
}

/* Totals of the tables that no ledger knows. */
static void
check_totals(struct world *world, uint8_t region, const struct table_fold *table)
{
	struct shard_scan_range all = {.table = table->id};
	struct shard_scan *scan;
	fingerprint_t sum = 0;
	struct stored stored;
	struct bytes key;
	uint64_t n = 0;
	tide_err rc;

	if (shard_scan_open(world_api(world, region)->shard, &all, &scan) != TIDE_OK)
		return;
	while ((rc = shard_scan_next(scan, &key, &stored)) == TIDE_OK) {
		n++;
		sum += stored_fingerprint(key, &stored);
	}
	shard_scan_close(scan);
	if (rc != TIDE_NOTFOUND || n != table->items ||
	    (table_has_fingerprint(table->id) && sum != table->fingerprint))
		world_fail(world, "journal",
		    "r%u, table %llx: %llu items, %llu counted, or another fingerprint", region,
		    (unsigned long long)table->id, (unsigned long long)table->items, (unsigned long long)n);
}

static void
settled(struct world *world)
{
	for (uint8_t r = 1; r <= world->plan.n_regions && !world_failed(world); r++) {
		const struct fold *fold = &world_api(world, r)->shard->live;

		check_dense(world, r);
		for (size_t i = 0; i < fold->n_tables && !world_failed(world); i++)
			check_totals(world, r, fold->tables[i]);
	}
}

const struct sim_check check_journal = {.name = "journal", .settled = settled};
