/*
 * The conflict log: every write that was replaced by one that had not seen it is in every region's log, and the log names
 * nothing else. All regions have the same log.
 */
#include <stdio.h>
#include <stdlib.h>

#include "chaos/sim/registry.h"
#include "store/item/key.h"
#include "store/shard/shard_priv.h"

static bool
parse_version(struct bytes text, struct version *out)
{
	char copy[32] = "";
	char *end;

	if (text.n != 25)
		return false;
	memcpy(copy, text.at, 25);
	out->clock.v = strtoull(copy, &end, 16);
	if (*end != '-')
		return false;
	out->origin.v = (uint32_t)strtoul(end + 1, NULL, 16);
	return true;
}

/* A conflict: two writes of one key, of two journals, of which neither had seen the other. */
static void
check_entry(struct world *world, uint8_t region, struct bytes key, const struct stored *stored)
{
	struct value partition, sort, image;
	const struct value *winner_text;
	struct version loser_version, winner_version;
	struct write *loser = NULL, *winner = NULL;
	char table[17] = "";
	uint64_t id;

	arena_reset(&world->scratch);
	if (key_decode(&world->scratch, key, VALUE_S, true, VALUE_S, &partition, &sort) != TIDE_OK ||
	    value_decode(&world->scratch, stored->image, &image) != TIDE_OK || partition.text.n < 17 ||
	    (winner_text = value_map_get(&image, BYTES_LITERAL("WinnerVersion"))) == NULL ||
	    !parse_version(sort.text, &loser_version) || !parse_version(winner_text->text, &winner_version)) {
		world_fail(world, "conflicts", "r%u: an entry of the log cannot be read", region);
		return;
	}
	memcpy(table, partition.text.at, 16);
	id = strtoull(table, NULL, 16);
	/* Parts of transactions share their version: the key that both wrote is the one. */
	for (uint32_t k = 0; k < world->plan.n_keys + world->plan.n_accounts; k++) {
		loser = ledger_of_version(&world->ledger, id, (uint8_t)k, loser_version);
		winner = ledger_of_version(&world->ledger, id, (uint8_t)k, winner_version);
		if (loser != NULL && winner != NULL)
			break;
	}
	if (loser == NULL || winner == NULL || version_compare(loser->version, winner->version) >= 0 ||
	    jid_same(loser->version.origin, winner->version.origin) ||
	    write_saw(winner, loser->table, loser->version.origin) >= loser->seq)
		world_fail(world, "conflicts", "r%u logs that #%u lost to #%u, which is no conflict", region,
		    loser == NULL ? 0 : loser->id, winner == NULL ? 0 : winner->id);
}

static void
check_log(struct world *world, uint8_t region, fingerprint_t *sum, uint64_t *n)
{
	struct shard *shard = world_api(world, region)->shard;
	struct shard_scan_range all = {.table = TABLE_CONFLICTS};
	struct shard_scan *scan;
	struct stored stored;
	struct bytes key;
	tide_err rc;

	if (shard_scan_open(shard, &all, &scan) != TIDE_OK) {
		world_fail(world, "memory", "no memory for a scan");
		return;
	}
	while ((rc = shard_scan_next(scan, &key, &stored)) == TIDE_OK && !world_failed(world)) {
		check_entry(world, region, key, &stored);
		*sum += stored_fingerprint(key, &stored);
		++*n;
	}
	if (rc != TIDE_NOTFOUND)
		world_fail(world, "conflicts", "r%u: the log cannot be read: %s", region, tide_err_name(rc));
	shard_scan_close(scan);
}

static bool
is_logged(struct world *world, uint8_t region, const struct write *loser)
{
	struct buf name = {0}, key = {0}, raw = {0};
	struct value partition = {.type = VALUE_S}, sort = {.type = VALUE_S};
	char text[64], item[256];
	struct stored stored;
	tide_err rc;
	int n;

	client_key(loser->key, &key);
	n = snprintf(item, sizeof item, "%016llx#", (unsigned long long)loser->table);
	for (size_t i = 0; i < key.n && n < 200; i++)
		n += snprintf(item + n, sizeof item - (size_t)n, "%02x", key.at[i]);
	snprintf(text, sizeof text, "%016llx-%08x", (unsigned long long)loser->version.clock.v,
	    loser->version.origin.v);
	partition.text = bytes_of_string(item);
	sort.text = bytes_of_string(text);
	key_encode(&partition, &sort, &name);
	rc = shard_get(world_api(world, region)->shard, TABLE_CONFLICTS, buf_bytes(&name), &raw, &stored);
	buf_fini(&name);
	buf_fini(&key);
	buf_fini(&raw);
	return rc == TIDE_OK;
}

/* Two deletes that meet make no entry, so a delete that met another greater one may have gone silently. */
static bool
may_go_silently(struct world *world, const struct write *loser, const struct vector *vector)
{
	for (struct write *w = ledger_last(&world->ledger, loser->table, loser->key); w != NULL;
	     w = ledger_next(&world->ledger, w))
		if (loser->tombstone && w->tombstone && write_counts(w) &&
		    version_compare(w->version, loser->version) > 0 &&
		    vector_get(vector, w->version.origin).seq >= w->seq)
			return true;
	return false;
}

static void
check_losers(struct world *world, const struct world_table *table, const struct vector *vector)
{
	for (uint32_t i = 1; i <= world->ledger.n; i++)
		ledger_write(&world->ledger, i)->built_on = false;
	for (uint32_t i = 1; i <= world->ledger.n; i++) {
		struct write *w = ledger_write(&world->ledger, i);

		if (w->table == table->id && w->before != 0 && write_counts(w) &&
		    vector_get(vector, w->version.origin).seq >= w->seq)
			ledger_write(&world->ledger, w->before)->built_on = true;
	}
	for (uint32_t i = 1; i <= world->ledger.n && !world_failed(world); i++) {
		struct write *w = ledger_write(&world->ledger, i);

		if (w->table != table->id || w->built_on || !write_counts(w) ||
		    vector_get(vector, w->version.origin).seq < w->seq ||
		    ledger_winner(&world->ledger, w->table, w->key, vector) == w ||
		    may_go_silently(world, w, vector))
			continue;
		for (uint8_t r = 1; r <= world->plan.n_regions; r++)
			if (!is_logged(world, r, w))
				world_fail(
				    world, "conflicts", "#%u lost and is not in the log of r%u", w->id, r);
	}
}

static void
settled(struct world *world)
{
	fingerprint_t first = 0, sum;
	uint64_t first_n = 0, n;

	for (uint8_t r = 1; r <= world->plan.n_regions && !world_failed(world); r++) {
		sum = 0;
		n = 0;
		check_log(world, r, &sum, &n);
		if (r == 1) {
			first = sum;
			first_n = n;
		} else if (first != sum || first_n != n)
			world_fail(world, "conflicts", "the logs of r1 (%llu) and r%u (%llu) differ",
			    (unsigned long long)first_n, r, (unsigned long long)n);
	}
	for (uint32_t i = 0; i < world->n_tables && !world_failed(world); i++)
		for (uint8_t r = 1; r <= world->plan.n_regions && !world->tables[i].deleted; r++) {
			const struct table_fold *table =
			    fold_table(&world_api(world, r)->shard->live, world->tables[i].id);

			if (table != NULL && table->state == REPLICA_ACTIVE) {
				check_losers(world, &world->tables[i], &table->vector);
				break;
			}
		}
}

const struct sim_check check_conflicts = {.name = "conflicts", .settled = settled};
