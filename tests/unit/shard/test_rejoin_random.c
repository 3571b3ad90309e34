/*
 * Random worlds whose regions rejoin, lose sources and die. They keep a history of every write (what its writer had applied), and compare
 * the conflict log with it. REJOIN_SEED and REJOIN_WORLDS: where to begin, and how many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/item/value.h"
#include "tests/unit/shard/world.h"

#define WRITES_MAX 4000
#define KEYS 6
#define TABLES 3

static const uint64_t tables[TABLES] = {TABLE_CATALOG, TABLE_CONFLICTS, USER_TABLE};

struct write {
	unsigned key;
	struct version version;
	bool tombstone;
	struct vector seen; /* what its region had applied of the table */
};

struct random_world {
	struct world world;
	uint64_t state;
	struct write *writes;
	unsigned n_writes;
	struct {
		struct snapshot *snapshot;
		unsigned from;
		uint64_t id;
	} loads[REGIONS_MAX + 1][TABLES];
	uint64_t last_id;
	unsigned rejoins, kills;
};

static uint64_t
draw(struct random_world *rw, uint64_t below)
{
	rw->state = rw->state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (rw->state >> 33) % below;
}

static void
random_write(struct random_world *rw, unsigned region)
{
	struct world *world = &rw->world;
	struct write *write = &rw->writes[rw->n_writes];
	bool deletes = draw(rw, 3) == 0;
	struct buf key = {0}, raw = {0};
	struct table_view view;
	struct stored stored;
	struct arena arena;
	char name[8], value[32];
	tide_err rc;

	if (rw->n_writes == WRITES_MAX ||
	    shard_table_state(world->shard[region], USER_TABLE) != REPLICA_ACTIVE)
		return;
	arena_init(&arena, 0);
	write->key = (unsigned)draw(rw, KEYS);
	snprintf(name, sizeof name, "k%u", write->key);
	snprintf(value, sizeof value, "%u by %u", rw->n_writes, region);
	assert_int_equal(shard_table_view(world->shard[region], &arena, USER_TABLE, &view), TIDE_OK);
	if (deletes && get(world, region, name) == NULL)
		deletes = false;
	if (deletes)
		delete (world, region, name);
	else
		put(world, region, name, value);
	text_key(name, &key);
	rc = shard_get(world->shard[region], USER_TABLE, buf_bytes(&key), &raw, &stored);
	assert_int_equal(rc, deletes ? TIDE_NOTFOUND : TIDE_OK);
	write->version = stored.version;
	write->tombstone = deletes;
	assert_int_equal(vector_copy(&write->seen, &view.vector), TIDE_OK);
	rw->n_writes++;
	buf_fini(&key);
	buf_fini(&raw);
	arena_fini(&arena);
}

static void
random_load(struct random_world *rw, unsigned region, unsigned t)
{
	struct world *world = &rw->world;
	struct table_view view;
	struct arena arena;
	unsigned from = 1 + (unsigned)draw(rw, world->n);

	arena_init(&arena, 0);
	assert_int_equal(shard_table_view(world->shard[region], &arena, tables[t], &view), TIDE_OK);
	if (view.rejoin == REJOIN_LOADING && rw->loads[region][t].snapshot == NULL && from != region &&
	    snapshot_open(world->shard[from], tables[t], &rw->loads[region][t].snapshot) == TIDE_OK) {
		if (view.boot.under_way) { /* the former source is gone */
			struct group *group = group_open(world->shard[region]);

			assert_int_equal(group_load_restart(group, tables[t]), TIDE_OK);
			assert_int_equal(group_commit(group, NULL), TIDE_OK);
		}
		rw->loads[region][t].from = from;
		rw->loads[region][t].id = ++rw->last_id;
	}
	if (rw->loads[region][t].snapshot != NULL &&
	    load_step(world, region, rw->loads[region][t].snapshot, rw->loads[region][t].from, tables[t],
		rw->loads[region][t].id)) {
		snapshot_close(rw->loads[region][t].snapshot);
		rw->loads[region][t].snapshot = NULL;
	}
	arena_fini(&arena);
}

static void
random_kill(struct random_world *rw, unsigned region)
{
	for (unsigned r = 1; r <= rw->world.n; r++)
		for (unsigned t = 0; t < TABLES; t++)
			if (rw->loads[r][t].snapshot != NULL && rw->loads[r][t].from == region) {
				snapshot_close(rw->loads[r][t].snapshot);
				rw->loads[r][t].snapshot = NULL;
			}
	region_stop(&rw->world, region, draw(rw, 4) == 0);
	region_start(&rw->world, region);
	rw->kills++;
}

static void
random_step(struct random_world *rw)
{
	struct world *world = &rw->world;
	unsigned region = 1 + (unsigned)draw(rw, world->n), other = 1 + (unsigned)draw(rw, world->n);
	unsigned t = (unsigned)draw(rw, TABLES + 1), what = (unsigned)draw(rw, 100);
	uint32_t collected;

	t = t == TABLES ? TABLES - 1 : t;
	world->now_ms += draw(rw, 3);
	if (what < 40) {
		random_write(rw, region);
	} else if (what < 60) {
		if (region != other)
			pull(world, region, other,
			    draw(rw, 4) == 0 ? 1 + (unsigned)draw(rw, world->n) : other);
	} else if (what < 63) {
		enum replica_state state = shard_table_state(world->shard[region], tables[t]);

		if (state == REPLICA_ACTIVE || state == REPLICA_CATCHUP)
			rejoin_start(world, region, tables[t]);
		rw->rejoins++;
	} else if (what < 78) {
		random_load(rw, region, t);
	} else if (what < 90) {
		rejoin_step(world, region, 1 + draw(rw, 200));
	} else if (what < 98) {
		struct group *group = group_open(world->shard[region]);

		assert_int_equal(group_collect(group, 1000, &collected), TIDE_OK);
		assert_int_equal(group_commit(group, NULL), TIDE_OK);
	} else
		random_kill(rw, region);
}

static bool
all_back(struct random_world *rw)
{
	bool all = true;

	for (unsigned r = 1; r <= rw->world.n; r++)
		for (unsigned t = 0; t < TABLES; t++) {
			for (int i = 0; i < 6; i++)
				random_load(rw, r, t);
			rejoin_merge(&rw->world, r);
			all &= rejoin_of(&rw->world, r, tables[t]) == REJOIN_NONE;
		}
	return all;
}

static const struct write *
find_write(const struct random_world *rw, const struct value *item, const char *attribute)
{
	const struct value *v = value_map_get(item, bytes_of_string(attribute));
	char text[40];

	assert_non_null(v);
	snprintf(text, sizeof text, "%.*s", (int)v->text.n, (const char *)v->text.at);
	for (unsigned i = 0; i < rw->n_writes; i++)
		if (rw->writes[i].version.clock.v == strtoull(text, NULL, 16) &&
		    rw->writes[i].version.origin.v == strtoul(text + 17, NULL, 16))
			return &rw->writes[i];
	fail_msg("the log names %s, which nobody wrote", text);
	return NULL;
}

/* Two that did not know of each other. */
static void
check_entry(const struct random_world *rw, struct bytes image, bool *lost)
{
	const struct write *loser, *winner;
	struct value item;
	struct arena arena;

	arena_init(&arena, 0);
	assert_int_equal(value_decode(&arena, image, &item), TIDE_OK);
	loser = find_write(rw, &item, "LoserVersion");
	winner = find_write(rw, &item, "WinnerVersion");
	assert_int_equal(loser->key, winner->key);
	assert_true(version_compare(loser->version, winner->version) < 0);
	if (vector_saw(&winner->seen, loser->version) || vector_saw(&loser->seen, winner->version))
		fail_msg("write %u knew of write %u: no conflict", (unsigned)(winner - rw->writes),
		    (unsigned)(loser - rw->writes));
	lost[loser - rw->writes] = true;
	arena_fini(&arena);
}

static void
check_log(const struct random_world *rw, unsigned region, bool *lost)
{
	struct shard_scan_range range = {.table = TABLE_CONFLICTS};
	struct shard_scan *scan;
	struct stored stored;
	struct bytes key;

	assert_int_equal(shard_scan_open(rw->world.shard[region], &range, &scan), TIDE_OK);
	while (shard_scan_next(scan, &key, &stored) == TIDE_OK)
		check_entry(rw, stored.image, lost);
	shard_scan_close(scan);
}

/* What stands is the greatest version of each key; what nobody replaced knowingly is in the log. */
static void
check_history(struct random_world *rw)
{
	bool lost[WRITES_MAX] = {0};

	for (unsigned r = 1; r <= rw->world.n; r++)
		check_log(rw, r, lost);
	for (unsigned i = 0; i < rw->n_writes; i++) {
		const struct write *write = &rw->writes[i];
		bool greatest = true, replaced = false;
		char name[8], value[32];

		for (unsigned k = 0; k < rw->n_writes; k++) {
			const struct write *other = &rw->writes[k];

			if (k == i || other->key != write->key)
				continue;
			greatest &= version_compare(write->version, other->version) > 0;
			replaced |= vector_saw(&other->seen, write->version);
		}
		snprintf(name, sizeof name, "k%u", write->key);
		snprintf(value, sizeof value, "%u by", i);
		if (greatest && write->tombstone)
			assert_null(get(&rw->world, 1, name));
		else if (greatest)
			assert_memory_equal(get(&rw->world, 1, name), value, strlen(value));
		else if (!replaced && !write->tombstone && !lost[i])
			fail_msg("write %u was lost, and the log does not say so", i);
	}
}

static void
random_worlds_converge_and_their_logs_tell_the_truth(void **state)
{
	const char *from = getenv("REJOIN_SEED"), *n = getenv("REJOIN_WORLDS");
	uint64_t first = from != NULL ? strtoull(from, NULL, 10) : 1;
	uint64_t worlds = n != NULL ? strtoull(n, NULL, 10) : 12;
	unsigned rejoins = 0, kills = 0;

	(void)state;
	for (uint64_t seed = first; seed < first + worlds; seed++) {
		struct random_world rw = {.state = seed * 2654435761u};
		bool back = false;

		print_message("seed %llu\n", (unsigned long long)seed);
		rw.writes = calloc(WRITES_MAX, sizeof *rw.writes);
		assert_non_null(rw.writes);
		world_open(&rw.world, 2 + (unsigned)(seed % 3), "leveldb");
		world_table(&rw.world, USER_TABLE);
		for (int i = 0; i < 400; i++)
			random_step(&rw);
		for (int round = 0; round < 40 && !back; round++) {
			back = all_back(&rw);
			settle(&rw.world);
		}
		assert_true(back);
		settle(&rw.world);
		assert_converged(&rw.world, USER_TABLE);
		assert_converged(&rw.world, TABLE_CATALOG);
		check_history(&rw);
		rejoins += rw.rejoins;
		kills += rw.kills;
		world_close(&rw.world);
		for (unsigned i = 0; i < rw.n_writes; i++)
			vector_fini(&rw.writes[i].seen);
		free(rw.writes);
	}
	assert_true(rejoins > 0 && kills > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_worlds_converge_and_their_logs_tell_the_truth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
