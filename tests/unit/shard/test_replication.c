/* Several shards: what the rules of replication promise, without a network in between. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/shard/world.h"

static void
a_write_reaches_the_others(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 3, "leveldb");
	world_table(&world, USER_TABLE);
	put(&world, 1, "k", "from 1");
	assert_int_equal(pull(&world, 2, 1, 1), TIDE_OK);
	assert_string_equal(get(&world, 2, "k"), "from 1");
	settle(&world);
	assert_converged(&world, USER_TABLE);
	assert_int_equal(count_items(&world, 3, TABLE_CONFLICTS, false), 0);
	world_close(&world);
}

static void
of_two_concurrent_writes_the_later_stays_and_the_loser_is_logged(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 3, "leveldb");
	world_table(&world, USER_TABLE);
	put(&world, 1, "k", "early");
	world.now_ms += 10;
	put(&world, 2, "k", "late");
	settle(&world);
	for (unsigned r = 1; r <= 3; r++) {
		assert_string_equal(get(&world, r, "k"), "late");
		assert_int_equal(count_items(&world, r, TABLE_CONFLICTS, false), 1);
	}
	assert_converged(&world, USER_TABLE);
	world_close(&world);
}

static void
a_write_that_has_seen_another_is_no_conflict(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2, "leveldb");
	world_table(&world, USER_TABLE);
	world.skew_ms[2] = -300; /* the later writer's clock is behind */
	put(&world, 1, "k", "first");
	assert_int_equal(pull(&world, 2, 1, 1), TIDE_OK);
	put(&world, 2, "k", "second");
	settle(&world);
	assert_string_equal(get(&world, 1, "k"), "second");
	assert_int_equal(count_items(&world, 1, TABLE_CONFLICTS, false), 0);
	assert_converged(&world, USER_TABLE);
	world_close(&world);
}

static void
an_effect_waits_for_its_cause(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 3, "leveldb");
	world_table(&world, USER_TABLE);
	put(&world, 1, "x", "cause");
	assert_int_equal(pull(&world, 2, 1, 1), TIDE_OK);
	put(&world, 2, "y", "effect");
	assert_int_equal(pull(&world, 3, 2, 2), TIDE_HELD);
	assert_null(get(&world, 3, "y"));
	/* The sender always has the missing part. */
	assert_int_equal(pull(&world, 3, 2, 1), TIDE_OK);
	assert_string_equal(get(&world, 3, "x"), "cause");
	assert_int_equal(pull(&world, 3, 2, 2), TIDE_OK);
	assert_string_equal(get(&world, 3, "y"), "effect");
	settle(&world);
	assert_converged(&world, USER_TABLE);
	world_close(&world);
}

static void
records_travel_round_a_cut(void **state)
{
	struct world world;
	char key[16];

	(void)state;
	world_open(&world, 3, "leveldb");
	world_table(&world, USER_TABLE);
	for (int i = 0; i < 50; i++) {
		snprintf(key, sizeof key, "k%d", i);
		put(&world, 1, key, "1");
		if (i % 10 == 9)
			assert_int_equal(pull(&world, 2, 1, 1), TIDE_OK);
		if (i % 20 == 19)
			assert_int_equal(pull(&world, 3, 2, 1), TIDE_OK);
	}
	assert_int_equal(pull(&world, 3, 2, 1), TIDE_OK);
	assert_int_equal(count_items(&world, 3, USER_TABLE, false), 50);
	/* Healed: nothing comes twice. */
	assert_int_equal(pull(&world, 3, 1, 1), TIDE_OK);
	settle(&world);
	assert_converged(&world, USER_TABLE);
	world_close(&world);
}

static void
a_clock_too_far_ahead_holds_its_origin(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2, "leveldb");
	world_table(&world, USER_TABLE);
	world.skew_ms[1] = 5000;
	put(&world, 1, "k", "tomorrow");
	assert_int_equal(pull(&world, 2, 1, 1), TIDE_HELD);
	assert_null(get(&world, 2, "k"));
	world.now_ms += 5000;
	assert_int_equal(pull(&world, 2, 1, 1), TIDE_OK);
	assert_string_equal(get(&world, 2, "k"), "tomorrow");
	world_close(&world);
}

static void
a_restart_between_pulls_loses_and_repeats_nothing(void **state)
{
	struct world world;
	char key[16];

	(void)state;
	world_open(&world, 2, "leveldb");
	world_table(&world, USER_TABLE);
	for (int i = 0; i < 30; i++) {
		snprintf(key, sizeof key, "k%d", i % 7);
		put(&world, 1 + (unsigned)i % 2, key, i % 3 ? "x" : "y");
		if (i % 5 == 0) {
			pull(&world, 2, 1, 1);
			region_stop(&world, 2, i % 2);
			region_start(&world, 2);
		}
	}
	settle(&world);
	assert_converged(&world, USER_TABLE);
	world_close(&world);
}

static void
a_new_replica_loads_resumes_and_becomes_readable(void **state)
{
	struct snapshot *snapshot;
	struct world world;
	char key[16];
	int steps = 0;

	(void)state;
	world_open(&world, 3, "leveldb");
	set_state(&world, 1, USER_TABLE, REPLICA_ACTIVE);
	set_state(&world, 2, USER_TABLE, REPLICA_ACTIVE);
	for (int i = 0; i < 200; i++) {
		snprintf(key, sizeof key, "k%d", i);
		put(&world, 1 + (unsigned)i % 2, key, "old");
	}
	delete (&world, 1, "k0");
	pull(&world, 2, 1, 1);
	pull(&world, 1, 2, 2);
	set_state(&world, 3, USER_TABLE, REPLICA_CREATING);
	assert_int_equal(snapshot_open(world.shard[1], USER_TABLE, &snapshot), TIDE_OK);
	for (bool done = false; !done; steps++) {
		done = load_step(&world, 3, snapshot, 1, USER_TABLE, 7);
		snprintf(key, sizeof key, "k%d", steps);
		put(&world, 2, key, "meanwhile");
		if (steps == 3) { /* the loader is killed: its cursor is durable */
			region_stop(&world, 3, false);
			region_start(&world, 3);
		}
	}
	snapshot_close(snapshot);
	assert_true(steps > 5);
	assert_int_equal(shard_table_state(world.shard[3], USER_TABLE), REPLICA_CATCHUP);
	settle(&world);
	assert_int_equal(shard_table_state(world.shard[3], USER_TABLE), REPLICA_ACTIVE);
	put(&world, 3, "k0", "mine");
	settle(&world);
	assert_converged(&world, USER_TABLE);
	world_close(&world);
}

static void
tombstones_go_when_everybody_is_past_them(void **state)
{
	struct world world;
	uint32_t collected = 0, total = 0;

	(void)state;
	world_open(&world, 3, "leveldb");
	world_table(&world, USER_TABLE);
	put(&world, 1, "k", "1");
	settle(&world);
	delete (&world, 1, "k");
	pull(&world, 2, 1, 1);
	assert_int_equal(count_items(&world, 1, USER_TABLE, true), 1);
	for (int i = 0; i < 10; i++) {
		struct group *group = group_open(world.shard[1]);

		assert_int_equal(group_collect(group, 100, &collected), TIDE_OK);
		assert_int_equal(group_commit(group, NULL), TIDE_OK);
		assert_int_equal(collected, 0); /* region 3 has not heard */
	}
	settle(&world);
	for (int i = 0; i < 10; i++) {
		struct group *group = group_open(world.shard[1]);

		assert_int_equal(group_collect(group, 100, &collected), TIDE_OK);
		assert_int_equal(group_commit(group, NULL), TIDE_OK);
		total += collected;
	}
	assert_int_equal(total, 1);
	assert_int_equal(count_items(&world, 1, USER_TABLE, true), 0);
	settle(&world);
	assert_converged(&world, USER_TABLE);
	world_close(&world);
}

static void
segments_go_when_everybody_has_them(void **state)
{
	struct tide_error error = {0};
	struct world world;
	uint64_t below = 0;
	char key[16];

	(void)state;
	world_open(&world, 3, "leveldb");
	world_table(&world, USER_TABLE);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 2000; i++) {
			snprintf(key, sizeof key, "k%d", i);
			put(&world, 1, key,
			    "a value that fills segments, so that some are sealed and may go");
		}
		assert_int_equal(shard_checkpoint(world.shard[1], &error), TIDE_OK);
	}
	world.now_ms += 100000;
	for (int round = 0; round < 2; round++) {
		struct group *group = group_open(world.shard[1]);

		assert_int_equal(group_trim(group, 1000, UINT64_MAX, &below), TIDE_OK);
		assert_int_equal(group_commit(group, &error), TIDE_OK);
		if (round == 0) {
			assert_int_equal(
			    journal_first_seq(shard_journal(world.shard[1])), 1); /* nobody has told yet */
			settle(&world);
		}
	}
	assert_true(journal_first_seq(shard_journal(world.shard[1])) > 1);
	put(&world, 1, "after", "1");
	settle(&world);
	assert_converged(&world, USER_TABLE);
	region_stop(&world, 1, false);
	region_start(&world, 1);
	assert_string_equal(get(&world, 2, "after"), "1");
	/* A replica that starts from nothing has to load a snapshot. */
	region_stop(&world, 3, false);
	region_wipe(&world, 3);
	region_start(&world, 3);
	set_state(&world, 3, USER_TABLE, REPLICA_ACTIVE);
	assert_int_equal(pull(&world, 3, 1, 1), TIDE_NOTFOUND);
	world_close(&world);
}

static void
a_reborn_region_takes_a_new_incarnation_and_gets_everything_back(void **state)
{
	struct tide_error error = {0};
	struct group *group;
	struct world world;

	(void)state;
	world_open(&world, 2, "leveldb");
	world_table(&world, USER_TABLE);
	put(&world, 1, "k", "old life");
	put(&world, 2, "l", "other");
	settle(&world);
	region_stop(&world, 1, false);
	region_wipe(&world, 1);
	region_start(&world, 1);
	group = group_open(world.shard[1]);
	assert_int_equal(shard_take_incarnation(world.shard[1], 2, &error), TIDE_OK);
	assert_int_equal(group_commit(group, &error), TIDE_OK);
	assert_int_equal(jid_incarnation(shard_id(world.shard[1])), 2);
	region_stop(&world, 1, false);
	region_start(&world, 1);
	assert_int_equal(jid_incarnation(shard_id(world.shard[1])), 2);
	set_state(&world, 1, USER_TABLE, REPLICA_CREATING);
	{
		struct snapshot *snapshot;

		assert_int_equal(snapshot_open(world.shard[2], USER_TABLE, &snapshot), TIDE_OK);
		while (!load_step(&world, 1, snapshot, 2, USER_TABLE, 9))
			continue;
		snapshot_close(snapshot);
	}
	assert_int_equal(count_items(&world, 1, USER_TABLE, false), 2);
	world_close(&world);
}

/* Random worlds: writes, deletes, pulls in any direction, restarts, clocks apart; then everything settles. */
static void
random_world(unsigned seed)
{
	struct world world;
	char key[16], value[32];

	srand(seed);
	world_open(&world, 3, "leveldb");
	world_table(&world, USER_TABLE);
	for (unsigned r = 1; r <= 3; r++)
		world.skew_ms[r] = rand() % 100 - 50;
	for (int step = 0; step < 150; step++) {
		unsigned r = 1 + (unsigned)rand() % 3, q = 1 + (unsigned)rand() % 3,
			 o = 1 + (unsigned)rand() % 3;

		snprintf(key, sizeof key, "k%d", rand() % 5);
		snprintf(value, sizeof value, "%u.%d", r, step);
		world.now_ms += (uint64_t)rand() % 5;
		switch (rand() % 8) {
		case 0:
			delete (&world, r, key);
			break;
		case 1:
			if (rand() % 10 == 0) {
				region_stop(&world, r, rand() % 2);
				region_start(&world, r);
			}
			break;
		case 2:
		case 3:
		case 4:
			if (r != q && r != o)
				pull(&world, r, q, o);
			break;
		default:
			put(&world, r, key, value);
		}
	}
	settle(&world);
	assert_converged(&world, USER_TABLE);
	world_close(&world);
}

static void
random_worlds_converge(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++)
		random_world(seed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_write_reaches_the_others),
	    cmocka_unit_test(of_two_concurrent_writes_the_later_stays_and_the_loser_is_logged),
	    cmocka_unit_test(a_write_that_has_seen_another_is_no_conflict),
	    cmocka_unit_test(an_effect_waits_for_its_cause),
	    cmocka_unit_test(records_travel_round_a_cut),
	    cmocka_unit_test(a_clock_too_far_ahead_holds_its_origin),
	    cmocka_unit_test(a_restart_between_pulls_loses_and_repeats_nothing),
	    cmocka_unit_test(a_new_replica_loads_resumes_and_becomes_readable),
	    cmocka_unit_test(tombstones_go_when_everybody_is_past_them),
	    cmocka_unit_test(segments_go_when_everybody_has_them),
	    cmocka_unit_test(a_reborn_region_takes_a_new_incarnation_and_gets_everything_back),
	    cmocka_unit_test(random_worlds_converge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
