/* Coming back from behind the retained journal: a replica is merged with a snapshot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/item/value.h"
#include "tests/unit/shard/world.h"

#define SNAPSHOT 7 /* a snapshot's number, as its source names it */

static void
load_all(struct world *world, unsigned region, unsigned from, uint64_t table)
{
	struct snapshot *snapshot;

	assert_int_equal(snapshot_open(world->shard[from], table, &snapshot), TIDE_OK);
	while (!load_step(world, region, snapshot, from, table, SNAPSHOT))
		continue;
	snapshot_close(snapshot);
}

static void
rejoin(struct world *world, unsigned region, unsigned from, uint64_t table)
{
	rejoin_start(world, region, table);
	load_all(world, region, from, table);
	rejoin_merge(world, region);
}

static tide_err
try_put(struct world *world, unsigned region, const char *key)
{
	struct group *group = group_open(world->shard[region]);
	tide_err rc = group_put_text(group, USER_TABLE, key, "x");

	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	return rc;
}

static void
many(struct world *world, unsigned region, const char *prefix, int n, const char *value)
{
	char key[32];

	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof key, "%s%d", prefix, i);
		put(world, region, key, value);
	}
}

/* Two regions that have written without each other: five keys of both, others of one, deletes. */
static void
apart(struct world *world, unsigned regions)
{
	world_open(world, regions, "leveldb");
	world_table(world, USER_TABLE);
	many(world, 1, "old", 20, "1");
	settle(world);
	many(world, 1, "one", 20, "1");
	many(world, 2, "two", 20, "2");
	many(world, 1, "both", 5, "of 1");
	many(world, 2, "both", 5, "of 2"); /* the same clock or a later one, and the greater journal */
	delete (world, 1, "old0");
	delete (world, 2, "old1");
	delete (world, 1, "old2");
	put(world, 2, "old2", "2");
	delete (world, 1, "old3");
	delete (world, 2, "old3");
	put(world, 1, "old4", "1");
}

static void
finish(struct world *world, unsigned conflicts)
{
	settle(world);
	for (unsigned r = 1; r <= world->n; r++) {
		assert_int_equal(shard_table_state(world->shard[r], USER_TABLE), REPLICA_ACTIVE);
		assert_int_equal(rejoin_of(world, r, USER_TABLE), REJOIN_NONE);
		assert_int_equal(count_items(world, r, TABLE_CONFLICTS, false), conflicts);
	}
	assert_converged(world, USER_TABLE);
	world_close(world);
}

static void
check_contents(struct world *world, unsigned region)
{
	assert_string_equal(get(world, region, "one7"), "1");
	assert_string_equal(get(world, region, "two7"), "2");
	assert_string_equal(get(world, region, "both3"), "of 2");
	assert_null(get(world, region, "old0"));
	assert_null(get(world, region, "old1"));
	assert_string_equal(get(world, region, "old2"), "2");
	assert_null(get(world, region, "old3"));
	assert_string_equal(get(world, region, "old4"), "1");
}

static void
writes_that_nobody_else_has_survive_on_both_sides(void **state)
{
	struct world world;

	(void)state;
	for (unsigned region = 1; region <= 2; region++) {
		apart(&world, 2);
		rejoin(&world, region, 3 - region, USER_TABLE);
		assert_int_equal(shard_table_state(world.shard[region], USER_TABLE), REPLICA_CATCHUP);
		settle(&world);
		check_contents(&world, 1);
		check_contents(&world, 2);
		finish(&world, 6); /* both0 to both4, old2 */
	}
}

static void
it_is_in_service_until_it_is_merged_and_again_when_level(void **state)
{
	struct world world;
	struct group *group;
	bool fresh;

	(void)state;
	apart(&world, 2);
	for (int i = 0; i < 2; i++) {
		group = group_open(world.shard[1]);
		assert_int_equal(group_rejoin_needed(group, USER_TABLE, &fresh), TIDE_OK);
		assert_int_equal(group_commit(group, NULL), TIDE_OK);
		assert_int_equal(fresh, i == 0);
	}
	assert_int_equal(rejoin_of(&world, 1, USER_TABLE), REJOIN_NEEDED);
	region_stop(&world, 1, true);
	region_start(&world, 1);
	assert_int_equal(rejoin_of(&world, 1, USER_TABLE), REJOIN_NEEDED);
	assert_int_equal(try_put(&world, 1, "while needed"), TIDE_OK);
	rejoin_start(&world, 1, 0);
	assert_int_equal(rejoin_of(&world, 1, USER_TABLE), REJOIN_LOADING);
	assert_int_equal(try_put(&world, 1, "while loading"), TIDE_OK);
	load_all(&world, 1, 2, USER_TABLE);
	assert_int_equal(rejoin_of(&world, 1, USER_TABLE), REJOIN_LOADED);
	assert_int_equal(try_put(&world, 1, "while loaded"), TIDE_OK);
	assert_true(rejoin_step(&world, 1, 300).began);
	assert_int_equal(rejoin_of(&world, 1, USER_TABLE), REJOIN_MERGING);
	assert_int_equal(shard_table_state(world.shard[1], USER_TABLE), REPLICA_MERGING);
	assert_int_equal(try_put(&world, 1, "while merging"), TIDE_NOTFOUND);
	rejoin_merge(&world, 1);
	assert_int_equal(rejoin_of(&world, 1, USER_TABLE), REJOIN_FOLLOWING);
	assert_int_equal(try_put(&world, 1, "while following"), TIDE_NOTFOUND);
	settle(&world);
	assert_string_equal(get(&world, 2, "while needed"), "x");
	assert_string_equal(get(&world, 2, "while loading"), "x");
	assert_string_equal(get(&world, 2, "while loaded"), "x");
	finish(&world, 6);
}

/* The other region tells what it does not hold yet: so a delete is forgotten that it has not seen. */
static void
pretend_told(struct world *world, unsigned to, unsigned by)
{
	struct told_table told = {.table = USER_TABLE, .state = REPLICA_ACTIVE};
	struct group *group;
	struct table_view view;
	struct arena arena;
	uint32_t collected;

	arena_init(&arena, 0);
	assert_int_equal(shard_table_view(world->shard[to], &arena, USER_TABLE, &view), TIDE_OK);
	told.vector = view.vector;
	group = group_open(world->shard[to]);
	assert_int_equal(
	    group_told(group, shard_id(world->shard[by]), (struct hlc){UINT64_MAX}, &told, 1), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	for (int i = 0; i < 8; i++) {
		group = group_open(world->shard[to]);
		assert_int_equal(group_collect(group, 1000, &collected), TIDE_OK);
		assert_int_equal(group_commit(group, NULL), TIDE_OK);
	}
	arena_fini(&arena);
}

static void
what_was_deleted_and_forgotten_elsewhere_goes(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2, "leveldb");
	world_table(&world, USER_TABLE);
	many(&world, 1, "k", 10, "1");
	many(&world, 2, "l", 3, "2");
	settle(&world);
	delete (&world, 1, "k3");
	delete (&world, 1, "l1");
	delete (&world, 1, "k4");
	put(&world, 2, "k4", "written again here");
	put(&world, 2, "own", "2");
	pretend_told(&world, 1, 2);
	assert_int_equal(count_items(&world, 1, USER_TABLE, true), 10);
	rejoin(&world, 2, 1, USER_TABLE);
	assert_null(get(&world, 2, "k3"));
	assert_null(get(&world, 2, "l1"));
	assert_string_equal(get(&world, 2, "k4"), "written again here");
	assert_string_equal(get(&world, 2, "own"), "2");
	assert_string_equal(get(&world, 2, "k5"), "1");
	settle(&world);
	assert_converged(&world, USER_TABLE);
	world_close(&world);
}

/* The script of a rejoin, one step per call; false: it is over. */
struct script {
	struct snapshot *snapshot;
	int at;
	bool loaded, begun;
};

static bool
script_step(struct world *world, unsigned region, unsigned from, struct script *script)
{
	if (!script->begun) {
		rejoin_start(world, region, USER_TABLE);
		script->begun = true;
		return true;
	}
	if (!script->loaded) {
		if (script->snapshot == NULL &&
		    snapshot_open(world->shard[from], USER_TABLE, &script->snapshot) != TIDE_OK) {
			settle(world); /* it is out of service for its own merge: that ends without us */
			return true;
		}
		script->loaded = load_step(world, region, script->snapshot, from, USER_TABLE, SNAPSHOT);
		if (script->loaded) {
			snapshot_close(script->snapshot);
			script->snapshot = NULL;
		}
		return true;
	}
	return rejoin_step(world, region, 300).busy;
}

static void
killed_between_any_two_steps_it_goes_on_where_it_was(void **state)
{
	int steps = 1;

	(void)state;
	for (int kill = 0; kill < steps; kill++) {
		struct script script = {0};
		struct world world;
		bool more = true;

		apart(&world, 2);
		for (steps = 0; more; steps++) {
			more = script_step(&world, 2, 1, &script);
			if (steps == kill) {
				/* Now and then from a checkpoint. */
				region_stop(&world, 2, kill % 3 == 0);
				region_check(&world, 2);
				region_start(&world, 2);
			}
		}
		settle(&world);
		check_contents(&world, 2);
		region_stop(&world, 2, false);
		region_start(&world, 2);
		assert_int_equal(count_items(&world, 2, USER_TABLE | 1ULL << 63, true), 0);
		finish(&world, 6);
	}
	assert_true(steps > 12);
}

static void
restart_load(struct world *world, unsigned region)
{
	struct group *group = group_open(world->shard[region]);

	assert_int_equal(group_load_restart(group, USER_TABLE), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
}

static void
a_source_lost_in_the_middle_costs_the_loading_only(void **state)
{
	struct snapshot *snapshot;
	struct world world;

	(void)state;
	apart(&world, 3);
	settle(&world);
	put(&world, 3, "both1", "of 3, who has seen both");
	put(&world, 2, "both1", "of 2, once more");
	put(&world, 1, "late", "1");
	rejoin_start(&world, 2, USER_TABLE);
	assert_int_equal(snapshot_open(world.shard[1], USER_TABLE, &snapshot), TIDE_OK);
	assert_false(load_step(&world, 2, snapshot, 1, USER_TABLE, SNAPSHOT));
	assert_false(load_step(&world, 2, snapshot, 1, USER_TABLE, SNAPSHOT));
	snapshot_close(snapshot);
	restart_load(&world, 2);
	assert_int_equal(rejoin_of(&world, 2, USER_TABLE), REJOIN_LOADING);
	region_stop(&world, 2, false);
	region_check(&world, 2);
	region_start(&world, 2);
	put(&world, 2, "meanwhile", "2");
	load_all(&world, 2, 3, USER_TABLE);
	rejoin_merge(&world, 2);
	settle(&world);
	assert_string_equal(get(&world, 2, "late"), "1");
	assert_string_equal(get(&world, 1, "meanwhile"), "2");
	finish(&world, 7);
}

static void
two_that_need_each_other_both_come_back(void **state)
{
	int steps = 1;

	(void)state;
	for (int kill = 0; kill < steps; kill += 3) {
		struct script one = {0}, two = {0};
		bool more_one = true, more_two = true;
		struct world world;

		apart(&world, 2);
		for (steps = 0; more_one || more_two; steps++) {
			if (more_one)
				more_one = script_step(&world, 1, 2, &one);
			if (more_two && steps % 3 != 0)
				more_two = script_step(&world, 2, 1, &two);
			for (unsigned r = 1; r <= 2 && steps == kill; r++) {
				/* Snapshots die with their source: both load again, from replicas that are still in service. */
				struct script *other = r == 1 ? &two : &one;

				snapshot_close(other->snapshot);
				if (other->snapshot != NULL)
					restart_load(&world, 3 - r);
				other->snapshot = NULL;
				region_stop(&world, r, false);
				region_start(&world, r);
			}
		}
		finish(&world, 6);
	}
}

static void
a_table_that_goes_takes_its_snapshot_along(void **state)
{
	struct world world;

	(void)state;
	for (int step = 0; step < 4; step++) {
		apart(&world, 2);
		rejoin_start(&world, 2, USER_TABLE);
		if (step > 0)
			load_all(&world, 2, 1, USER_TABLE);
		for (int i = 1; i < step; i++)
			rejoin_step(&world, 2, 300);
		set_state(&world, 2, USER_TABLE, REPLICA_ABSENT);
		assert_false(rejoin_step(&world, 2, 300).busy);
		assert_int_equal(count_items(&world, 2, USER_TABLE | 1ULL << 63, true), 0);
		assert_int_equal(count_items(&world, 2, USER_TABLE, true), 0);
		set_state(&world, 2, USER_TABLE, REPLICA_CREATING);
		assert_int_equal(rejoin_of(&world, 2, USER_TABLE), REJOIN_NONE);
		world_close(&world);
	}
}

static void
built_in_tables_are_merged_like_others(void **state)
{
	struct world world;

	(void)state;
	apart(&world, 3);
	put_in(&world, 1, TABLE_CATALOG, "fact", "1");
	put_in(&world, 2, TABLE_CATALOG, "other", "2");
	for (unsigned to = 1; to <= 2;
	     to++) /* regions 1 and 2 find and log the conflicts; region 3 is behind */
		pull(&world, to, 3 - to, 3 - to);
	put_in(&world, 3, TABLE_CATALOG, "third", "3");
	rejoin_start(&world, 3, TABLE_CATALOG);
	rejoin_start(&world, 3, TABLE_CONFLICTS);
	rejoin_start(&world, 3, USER_TABLE);
	load_all(&world, 3, 1, TABLE_CONFLICTS);
	assert_int_equal(rejoin_step(&world, 3, 300).table, 0); /* the others still load */
	load_all(&world, 3, 1, TABLE_CATALOG);
	load_all(&world, 3, 1, USER_TABLE);
	rejoin_merge(&world, 3);
	for (uint64_t table = TABLE_CATALOG; table <= TABLE_CONFLICTS; table++) {
		assert_int_equal(shard_table_state(world.shard[3], table), REPLICA_CATCHUP);
		assert_int_equal(rejoin_of(&world, 3, table), REJOIN_FOLLOWING);
	}
	assert_int_equal(count_items(&world, 3, TABLE_CONFLICTS, false), 6);
	assert_string_equal(get_from(world.shard[3], TABLE_CATALOG, "fact"), "1");
	assert_string_equal(get_from(world.shard[3], TABLE_CATALOG, "third"), "3");
	/* What was merged is not in region 3's journal as records: it must not relay around that. */
	settle(&world);
	assert_int_equal(shard_table_state(world.shard[3], TABLE_CATALOG), REPLICA_ACTIVE);
	assert_int_equal(shard_table_state(world.shard[3], TABLE_CONFLICTS), REPLICA_ACTIVE);
	assert_string_equal(get_from(world.shard[1], TABLE_CATALOG, "third"), "3");
	assert_converged(&world, TABLE_CATALOG);
	finish(&world, 6);
}

static bool
in_service(struct world *world, unsigned region)
{
	struct group *group = group_open(world->shard[region]);
	bool is = group_in_service(group);

	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	return is;
}

static void
a_region_is_new_until_a_table_of_it_is_in_service(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2, "leveldb");
	put_in(&world, 1, TABLE_CATALOG, "fact", "1");
	assert_false(in_service(&world, 1));
	set_state(&world, 1, USER_TABLE, REPLICA_CREATING);
	assert_false(in_service(&world, 1));
	set_state(&world, 1, USER_TABLE, REPLICA_CATCHUP);
	assert_false(in_service(&world, 1));
	set_state(&world, 1, USER_TABLE, REPLICA_ACTIVE);
	assert_true(in_service(&world, 1));
	world_close(&world);
}

/* Region 2 merges what has seen all that it wrote: of the conflicts it never hears but by region 1's log. */
static void
an_empty_log_that_rejoins_takes_what_only_this_merge_finds(void **state)
{
	struct world world;

	(void)state;
	apart(&world, 2);
	assert_int_equal(count_items(&world, 1, TABLE_CONFLICTS, false), 0);
	rejoin_start(&world, 1, TABLE_CONFLICTS);
	rejoin_start(&world, 1, USER_TABLE);
	load_all(&world, 1, 2, TABLE_CONFLICTS);
	load_all(&world, 1, 2, USER_TABLE);
	rejoin_merge(&world, 1);
	assert_true(in_service(&world, 1)); /* in CATCHUP, and on its way back */
	assert_int_equal(count_items(&world, 1, TABLE_CONFLICTS, false), 6);
	rejoin(&world, 2, 1, USER_TABLE);
	assert_int_equal(count_items(&world, 2, TABLE_CONFLICTS, false), 0);
	finish(&world, 6);
}

static void
a_relay_that_merged_does_not_skip_what_it_has_no_records_of(void **state)
{
	struct world world;

	(void)state;
	apart(&world, 3);
	rejoin(&world, 2, 1, USER_TABLE);
	rejoin(&world, 2, 1, TABLE_CONFLICTS);
	pull(&world, 2, 1, 1);
	assert_int_equal(shard_table_state(world.shard[2], USER_TABLE), REPLICA_ACTIVE);
	/* Region 3 has none of region 1's records since, and asks region 2 for them. */
	assert_int_equal(pull(&world, 3, 2, 1), TIDE_NOTFOUND);
	finish(&world, 6);
	world_open(&world, 3, "leveldb");
	put_in(&world, 1, TABLE_CATALOG, "fact", "1");
	rejoin(&world, 2, 1, TABLE_CATALOG);
	assert_int_equal(pull(&world, 2, 1, 1), TIDE_OK);
	assert_int_equal(pull(&world, 3, 2, 1), TIDE_NOTFOUND);
	put_in(&world, 1, TABLE_CATALOG, "later", "1");
	settle(&world);
	assert_converged(&world, TABLE_CATALOG);
	world_close(&world);
}

static void
a_relay_under_way_breaks_off_when_its_replica_is_merged(void **state)
{
	static const uint64_t merged[] = {USER_TABLE, TABLE_CONFLICTS};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct ship_table wanted[] = {{TABLE_CATALOG, 0}, {TABLE_CONFLICTS, 0}, {USER_TABLE, 0}};
		struct tide_error error = {0};
		struct ship_batch batch;
		struct buf units = {0};
		struct world world;
		struct arena arena;
		struct ship *ship;

		apart(&world, 3);
		arena_init(&arena, 0);
		assert_int_equal(
		    ship_open(world.shard[2], shard_id(world.shard[1]), wanted, 3, 0, &ship, NULL), TIDE_OK);
		assert_int_equal(ship_next(ship, 1 << 20, &arena, &units, &batch, &error), TIDE_OK);
		assert_true(batch.at_end);
		rejoin(&world, 2, 1, merged[i]);
		settle(&world);
		assert_int_equal(shard_table_state(world.shard[2], merged[i]), REPLICA_ACTIVE);
		assert_int_equal(ship_next(ship, 1 << 20, &arena, &units, &batch, &error), TIDE_GAP);
		ship_close(ship);
		buf_fini(&units);
		arena_fini(&arena);
		world_close(&world);
	}
}

static void
what_a_relay_had_before_it_still_relays(void **state)
{
	struct world world;
	struct jid dead;

	(void)state;
	apart(&world, 3);
	pull(&world, 1, 2, 2); /* only region 1 gets region 2's last records */
	dead = shard_id(world.shard[2]);
	rejoin(&world, 1, 3, USER_TABLE);
	pull(&world, 1, 3, 3);
	assert_int_equal(shard_table_state(world.shard[1], USER_TABLE), REPLICA_ACTIVE);
	assert_int_equal(pull_journal(&world, 3, 1, dead), TIDE_OK);
	assert_string_equal(get(&world, 3, "two7"), "2");
	finish(&world, 6);
}

/* Write so much in region 1 that old segments may go, and try to let them. */
static uint64_t
trim(struct world *world, uint64_t max_ms)
{
	struct group *group = group_open(world->shard[1]);
	struct tide_error error = {0};
	uint64_t below;

	assert_int_equal(group_trim(group, 1000, max_ms, &below), TIDE_OK);
	assert_int_equal(group_commit(group, &error), TIDE_OK);
	return journal_first_seq(shard_journal(world->shard[1]));
}

static void
the_journal_lets_an_absent_region_go_and_it_comes_back(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 3, "leveldb");
	world_table(&world, USER_TABLE);
	put_in(&world, 1, TABLE_CATALOG, "fact", "1");
	many(&world, 1, "k", 30, "1");
	settle(&world);
	put(&world, 3, "k1", "of 3, when it was alone");
	put(&world, 3, "own", "3");
	delete (&world, 1, "k2");
	for (int round = 0; round < 2; round++) {
		many(&world, 1, "k", 2000, "a value that fills segments, so that some are sealed and may go");
		assert_int_equal(shard_checkpoint(world.shard[1], NULL), TIDE_OK);
	}
	delete (&world, 1, "k3");
	world.now_ms += 100000;
	pull(&world, 2, 1, 1);
	pull(&world, 1, 2, 2);
	assert_int_equal(trim(&world, UINT64_MAX), 1); /* region 3 has not said that it holds any of it */
	assert_int_equal(trim(&world, 200000), 1);
	assert_true(trim(&world, 50000) > 1);
	assert_int_equal(pull(&world, 2, 1, 1), TIDE_OK);
	assert_int_equal(pull(&world, 3, 1, 1), TIDE_NOTFOUND);
	assert_int_equal(count_items(&world, 1, USER_TABLE, true),
	    count_items(&world, 1, USER_TABLE, false) + 1); /* tombstones are never bounded */
	rejoin(&world, 3, 2, USER_TABLE);
	assert_int_equal(pull(&world, 3, 1, 1), TIDE_OK); /* the catalog has missed nothing */
	assert_int_equal(shard_table_state(world.shard[3], USER_TABLE), REPLICA_ACTIVE);
	settle(&world);
	assert_string_equal(get(&world, 1, "own"), "3");
	finish(&world, 1); /* k1 */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_that_nobody_else_has_survive_on_both_sides),
	    cmocka_unit_test(it_is_in_service_until_it_is_merged_and_again_when_level),
	    cmocka_unit_test(what_was_deleted_and_forgotten_elsewhere_goes),
	    cmocka_unit_test(killed_between_any_two_steps_it_goes_on_where_it_was),
	    cmocka_unit_test(a_source_lost_in_the_middle_costs_the_loading_only),
	    cmocka_unit_test(two_that_need_each_other_both_come_back),
	    cmocka_unit_test(a_table_that_goes_takes_its_snapshot_along),
	    cmocka_unit_test(built_in_tables_are_merged_like_others),
	    cmocka_unit_test(a_region_is_new_until_a_table_of_it_is_in_service),
	    cmocka_unit_test(an_empty_log_that_rejoins_takes_what_only_this_merge_finds),
	    cmocka_unit_test(a_relay_that_merged_does_not_skip_what_it_has_no_records_of),
	    cmocka_unit_test(what_a_relay_had_before_it_still_relays),
	    cmocka_unit_test(a_relay_under_way_breaks_off_when_its_replica_is_merged),
	    cmocka_unit_test(the_journal_lets_an_absent_region_go_and_it_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
