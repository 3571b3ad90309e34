#include "api/expiry.h"

#include <stdlib.h>

#include "api/membership.h"
#include "store/shard/expire.h"

#define ROUND_EVERY_MS 5000 /* between the end of one round over all tables and the next */
#define LOOKS_MAX 4 /* per step */
#define OTHERS_AFTER_S 600 /* when another region than the item's own steps in */

struct expiry {
	uint64_t table; /* where the round is: this table or the next one that has time to live */
	uint64_t round_ms; /* not before */
	struct expire walk;
};

struct expiry *
expiry_new(void)
{
	return calloc(1, sizeof(struct expiry));
}

void
expiry_free(struct expiry *expiry)
{
	if (expiry == NULL)
		return;
	expire_fini(&expiry->walk);
	free(expiry);
}

struct piece {
	struct region *region;
	struct expiry *expiry;
	const struct table *table;
	struct expire_rule rule;
	uint32_t expired;
};

static const struct replica *
replica_numbered(const struct table *table, uint8_t number)
{
	for (uint32_t i = 0; i < table->n_replicas; i++) {
		if (table->replicas[i].number == number && table->replicas[i].wanted &&
		    table->replicas[i].status == TABLE_ACTIVE)
			return &table->replicas[i];
	}
	return NULL;
}

/* Whose it is now: the writer's; or, when that has left, the first replica's that is ACTIVE. */
static uint8_t
region_of(const struct table *table, struct version version)
{
	uint8_t writer = jid_region(version.origin);

	if (replica_numbered(table, writer) != NULL)
		return writer;
	for (uint32_t i = 0; i < table->n_replicas; i++) {
		if (replica_numbered(table, table->replicas[i].number) != NULL)
			return table->replicas[i].number;
	}
	return writer;
}

static bool
is_ours(void *arg, struct version version, uint64_t overdue_s)
{
	const struct piece *piece = arg;

	return !piece->table->global || overdue_s >= OTHERS_AFTER_S ||
	       region_of(piece->table, version) == piece->region->config.number;
}

/* The next table of the round, with a reference; NULL: the round is over. */
static tide_err
next_table(struct region *region, uint64_t from, const struct table **out)
{
	const struct table **all, *found = NULL;
	struct arena arena;
	uint32_t n = 0;
	tide_err rc;

	arena_init(&arena, 0);
	if ((rc = catalog_all(region->catalog, &arena, &all, &n)) == TIDE_OK) {
		for (uint32_t i = 0; i < n; i++) {
			const struct table *t = all[i];

			if (found == NULL && t->id >= from && !t->built_in && t->here &&
			    t->ttl_attribute.n != 0 &&
			    shard_table_state(region->shard, t->id) == REPLICA_ACTIVE)
				found = t;
			else
				table_release(t);
		}
		*out = found;
	}
	arena_fini(&arena);
	return rc;
}

static tide_err
expire_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct piece *piece = ((struct commit_call *)op)->arg;
	const struct table *now = NULL;
	tide_err rc = catalog_read(piece->region->catalog, group, piece->table->id, &now);

	/* Since it was looked over the table may have been given up, dropped, or its time to live switched off. */
	if (rc == TIDE_OK && !now->deleted && now->here &&
	    bytes_equal(now->ttl_attribute, piece->rule.attribute) &&
	    shard_table_state(group_shard(group), now->id) == REPLICA_ACTIVE)
		rc = group_expire_found(
		    group, &piece->rule, &piece->expiry->walk, table_keeps_before(now), &piece->expired);
	table_release(now);
	return rc == TIDE_OK || rc == TIDE_NOTFOUND ? TIDE_OK : tide_fail(error, rc, NULL);
}

static tide_err
look(struct region *region, struct expiry *expiry, const struct table *table, uint64_t now_s,
    struct tide_error *error)
{
	struct piece piece = {.region = region, .expiry = expiry, .table = table};
	tide_err rc;

	piece.rule = (struct expire_rule){.table = table->id,
	    .attribute = table->ttl_attribute,
	    .now_s = now_s,
	    .is_ours = is_ours,
	    .arg = &piece};
	if ((rc = shard_expire_look(region->shard, &piece.rule, &expiry->walk)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if (expiry->walk.n > 0)
		rc = committer_call(region->committer, expire_run, &piece, error);
	if (rc == TIDE_OK && expiry->walk.ended)
		expiry->table = table->id + 1;
	return rc;
}

tide_err
expiry_step(struct region *region, struct expiry *expiry, uint64_t now_ms, struct tide_error *error)
{
	struct clock_view clock;
	uint64_t now_s = shard_now_ms(region->shard, &clock) / 1000;
	tide_err rc = TIDE_OK;

	/* By a clock that is wrong nothing is over; the delete would be refused besides. */
	if (now_ms < expiry->round_ms || !region_may_write(region) || clock.trouble != CLOCK_FINE)
		return TIDE_OK;
	for (int i = 0; i < LOOKS_MAX && rc == TIDE_OK; i++) {
		const struct table *table = NULL;
		uint64_t at = expiry->table;

		if ((rc = next_table(region, at, &table)) != TIDE_OK)
			return tide_fail(error, rc, NULL);
		if (table == NULL) {
			expiry->table = 0;
			expiry->round_ms = now_ms + ROUND_EVERY_MS;
			return TIDE_OK;
		}
		if (table->id != at)
			expire_fini(&expiry->walk); /* a cursor of another table */
		expiry->table = table->id;
		rc = look(region, expiry, table, now_s, error);
		table_release(table);
	}
	/* The next table first: one that cannot be read must not keep the others from their turn. */
	if (rc != TIDE_OK) {
		expire_fini(&expiry->walk);
		expiry->table++;
	}
	return rc;
}
