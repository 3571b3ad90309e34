/* One shard alone: writing, reading back, recovering. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/item/key.h"
#include "tests/unit/shard/world.h"

static void
what_was_written_is_there_after_a_restart(void **state)
{
	struct table_view before, after;
	struct world world;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	world_open(&world, 1, "leveldb");
	world_table(&world, USER_TABLE);
	put(&world, 1, "a", "1");
	put(&world, 1, "b", "2");
	put(&world, 1, "a", "3");
	delete (&world, 1, "b");
	assert_int_equal(shard_table_view(world.shard[1], &arena, USER_TABLE, &before), TIDE_OK);
	assert_int_equal(before.items, 1);
	region_stop(&world, 1, false);
	region_start(&world, 1);
	assert_string_equal(get(&world, 1, "a"), "3");
	assert_null(get(&world, 1, "b"));
	assert_int_equal(shard_table_view(world.shard[1], &arena, USER_TABLE, &after), TIDE_OK);
	assert_true(before.fingerprint == after.fingerprint);
	assert_int_equal(before.bytes, after.bytes);
	assert_true(vector_equal(&before.vector, &after.vector));
	world_close(&world);
	arena_fini(&arena);
}

/* The store may lose any of what it was not made to sync; the journal mends it. */
static void
a_lost_store_is_made_again_from_the_journal(void **state)
{
	char command[256], key[16];
	struct world world;

	(void)state;
	world_open(&world, 1, "leveldb");
	world_table(&world, USER_TABLE);
	for (int i = 0; i < 500; i++) {
		snprintf(key, sizeof key, "k%d", i % 100);
		put(&world, 1, key, "value");
		if (i % 7 == 0)
			delete (&world, 1, key);
	}
	region_stop(&world, 1, false);
	snprintf(command, sizeof command, "rm -rf %s/1/store %s/1/checkpoint-*", world.dir, world.dir);
	assert_int_equal(system(command), 0);
	region_start(&world, 1);
	world_close(&world); /* checks the folder */
}

/* What a power cut does to files that nobody synced: the store's log after its last barrier is cut, zeroed or full of holes. */
static void
damage_store_log(struct world *world, unsigned kind)
{
	char command[512];
	static const char *const how[] = {
	    "truncate -s $(($(stat -c %s \"$f\")/2)) \"$f\"",
	    "truncate -s 0 \"$f\"",
	    "n=$(stat -c %s \"$f\"); truncate -s $((n/3)) \"$f\"; truncate -s $n \"$f\"",
	    ("n=$(stat -c %s \"$f\"); for at in 1 3 5; do dd if=/dev/zero of=\"$f\" bs=1 seek=$((n*at/8)) "
	     "count=$((n/16)) "
	     "conv=notrunc 2>/dev/null; done"),
	};

	snprintf(command, sizeof command, "for f in %s/1/store/*.log; do %s; done", world->dir, how[kind]);
	assert_int_equal(system(command), 0);
}

static void
a_power_cut_in_the_store_is_mended_from_the_journal(void **state)
{
	struct tide_error error;
	struct world world;
	char key[16];

	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		struct table_view before, after;
		struct arena arena;

		arena_init(&arena, 0);
		world_open(&world, 1, "leveldb");
		world_table(&world, USER_TABLE);
		for (int i = 0; i < 400; i++) {
			snprintf(key, sizeof key, "k%d", i % 90);
			put(&world, 1, key, "a value that takes some room in the log");
			if (i % 11 == 0)
				delete (&world, 1, key);
			if (i == 150)
				assert_int_equal(shard_checkpoint(world.shard[1], &error), TIDE_OK);
		}
		assert_int_equal(shard_table_view(world.shard[1], &arena, USER_TABLE, &before), TIDE_OK);
		region_stop(&world, 1, false);
		damage_store_log(&world, kind);
		region_start(&world, 1);
		assert_int_equal(shard_table_view(world.shard[1], &arena, USER_TABLE, &after), TIDE_OK);
		assert_int_equal(before.items, after.items);
		assert_true(before.fingerprint == after.fingerprint);
		assert_int_equal(count_items(&world, 1, USER_TABLE, false), before.items);
		world_close(&world);
		arena_fini(&arena);
	}
}

static void
a_checkpoint_shortens_recovery_and_changes_nothing(void **state)
{
	struct tide_error error;
	struct world world;
	char key[16];

	(void)state;
	world_open(&world, 1, "leveldb");
	world_table(&world, USER_TABLE);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 100; i++) {
			snprintf(key, sizeof key, "k%d", i);
			put(&world, 1, key, round % 2 ? "odd" : "even");
		}
		assert_int_equal(shard_checkpoint(world.shard[1], &error), TIDE_OK);
		region_stop(&world, 1, round == 1);
		region_start(&world, 1);
		assert_string_equal(get(&world, 1, "k42"), round % 2 ? "odd" : "even");
	}
	world_close(&world);
}

static void
operations_of_one_group_see_each_other(void **state)
{
	struct value partition = {.type = VALUE_S, .text = BYTES_LITERAL("k")};
	struct world world;
	struct group *group;
	struct stored seen;
	struct buf key = {0};

	(void)state;
	world_open(&world, 1, "memory");
	world_table(&world, USER_TABLE);
	key_encode(&partition, NULL, &key);
	group = group_open(world.shard[1]);
	assert_int_equal(group_get(group, USER_TABLE, buf_bytes(&key), &seen), TIDE_NOTFOUND);
	assert_int_equal(
	    group_put(group, USER_TABLE, buf_bytes(&key), BYTES_LITERAL("\x80"), false), TIDE_OK);
	assert_int_equal(group_get(group, USER_TABLE, buf_bytes(&key), &seen), TIDE_OK);
	assert_int_equal(group_delete(group, USER_TABLE, buf_bytes(&key), false), TIDE_OK);
	assert_int_equal(group_get(group, USER_TABLE, buf_bytes(&key), &seen), TIDE_NOTFOUND);
	assert_true(seen.tombstone);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	assert_int_equal(count_items(&world, 1, USER_TABLE, false), 0);
	assert_int_equal(count_items(&world, 1, USER_TABLE, true), 1);
	buf_fini(&key);
	world_close(&world);
}

static void
a_read_ahead_counts_only_while_nobody_has_written_since(void **state)
{
	struct value partition = {.type = VALUE_S, .text = BYTES_LITERAL("k")};
	struct read_ahead before = {0}, current = {0};
	struct stored seen;
	struct world world;
	struct group *group;
	struct buf key = {0};

	(void)state;
	world_open(&world, 1, "memory");
	world_table(&world, USER_TABLE);
	key_encode(&partition, NULL, &key);
	shard_read_ahead(world.shard[1], USER_TABLE, buf_bytes(&key), &before);
	assert_int_equal(before.outcome, TIDE_NOTFOUND);
	put(&world, 1, "k", "1");
	shard_read_ahead(world.shard[1], USER_TABLE, buf_bytes(&key), &current);
	group = group_open(world.shard[1]);
	assert_int_equal(group_take_ahead(group, USER_TABLE, buf_bytes(&key), &before), TIDE_OK);
	assert_int_equal(group_get(group, USER_TABLE, buf_bytes(&key), &seen), TIDE_OK);
	group_abandon(group);
	group = group_open(world.shard[1]);
	assert_int_equal(group_take_ahead(group, USER_TABLE, buf_bytes(&key), &current), TIDE_OK);
	assert_int_equal(group_delete(group, USER_TABLE, buf_bytes(&key), false), TIDE_OK);
	/* What the group itself has written is newer than any read. */
	assert_int_equal(group_take_ahead(group, USER_TABLE, buf_bytes(&key), &current), TIDE_OK);
	assert_int_equal(group_get(group, USER_TABLE, buf_bytes(&key), &seen), TIDE_NOTFOUND);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	assert_null(get(&world, 1, "k"));
	read_ahead_fini(&before);
	read_ahead_fini(&current);
	buf_fini(&key);
	world_close(&world);
}

static void
an_abandoned_group_leaves_no_trace(void **state)
{
	struct value partition = {.type = VALUE_S, .text = BYTES_LITERAL("k")};
	struct world world;
	struct group *group;
	struct buf key = {0};
	uint64_t before;

	(void)state;
	world_open(&world, 1, "memory");
	world_table(&world, USER_TABLE);
	before = shard_last_seq(world.shard[1]);
	key_encode(&partition, NULL, &key);
	group = group_open(world.shard[1]);
	assert_int_equal(
	    group_put(group, USER_TABLE, buf_bytes(&key), BYTES_LITERAL("\x80"), false), TIDE_OK);
	group_abandon(group);
	assert_int_equal(shard_last_seq(world.shard[1]), before);
	put(&world, 1, "other", "1");
	assert_int_equal(shard_last_seq(world.shard[1]), before + 1);
	assert_null(get(&world, 1, "k"));
	buf_fini(&key);
	world_close(&world);
}

static void
a_table_that_goes_takes_its_items_along(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 1, "leveldb");
	world_table(&world, USER_TABLE);
	put(&world, 1, "a", "1");
	set_state(&world, 1, USER_TABLE, REPLICA_ABSENT);
	assert_int_equal(count_items(&world, 1, USER_TABLE, true), 0);
	region_stop(&world, 1, false);
	region_start(&world, 1);
	assert_int_equal(count_items(&world, 1, USER_TABLE, true), 0);
	world_close(&world);
}

/* The newest is not the only one, and a damaged one does not push a good one out. */
static void
a_damaged_checkpoint_is_set_aside(void **state)
{
	struct tide_error error;
	struct world world;
	char command[512];

	(void)state;
	world_open(&world, 1, "leveldb");
	world_table(&world, USER_TABLE);
	put(&world, 1, "a", "1");
	assert_int_equal(shard_checkpoint(world.shard[1], &error), TIDE_OK);
	put(&world, 1, "b", "2");
	assert_int_equal(shard_checkpoint(world.shard[1], &error), TIDE_OK);
	region_stop(&world, 1, false);
	snprintf(command, sizeof command,
	    "f=$(ls %s/1/checkpoint-* | tail -n 1); printf x | dd of=$f bs=1 seek=30 conv=notrunc "
	    "2>/dev/null",
	    world.dir);
	assert_int_equal(system(command), 0);
	region_start(&world, 1);
	assert_string_equal(get(&world, 1, "b"), "2");
	put(&world, 1, "c", "3");
	assert_int_equal(shard_checkpoint(world.shard[1], &error), TIDE_OK);
	snprintf(command, sizeof command,
	    "test $(ls %s/1/checkpoint-* | grep -c damaged) = 1 && test $(ls %s/1/checkpoint-* | grep -vc "
	    "damaged) = 2",
	    world.dir, world.dir);
	assert_int_equal(system(command), 0);
	world_close(&world);
}

static void
what_was_replayed_counts_towards_the_next_checkpoint(void **state)
{
	struct tide_error error;
	struct world world;
	uint64_t bytes;

	(void)state;
	world_open(&world, 1, "leveldb");
	world_table(&world, USER_TABLE);
	for (int i = 0; i < 100; i++)
		put(&world, 1, "k", "a value");
	bytes = shard_bytes_since_checkpoint(world.shard[1]);
	region_stop(&world, 1, false);
	region_start(&world, 1);
	assert_true(shard_bytes_since_checkpoint(world.shard[1]) > bytes / 2);
	assert_int_equal(shard_checkpoint(world.shard[1], &error), TIDE_OK);
	assert_int_equal(shard_bytes_since_checkpoint(world.shard[1]), 0);
	world_close(&world);
}

/* Or 65,536 queued writes whose conditions fail would read as many items into one arena. */
static void
what_a_group_reads_counts_towards_its_bound(void **state)
{
	static char large[100000];
	struct stored stored;
	struct world world;
	struct group *group;
	struct buf key = {0};

	(void)state;
	world_open(&world, 1, "leveldb");
	world_table(&world, USER_TABLE);
	memset(large, 'x', sizeof large - 1);
	put(&world, 1, "k", large);
	text_key("k", &key);
	group = group_open(world.shard[1]);
	assert_int_equal(group_get(group, USER_TABLE, buf_bytes(&key), &stored), TIDE_OK);
	assert_true(group_bytes(group) >= sizeof large);
	group_abandon(group);
	buf_fini(&key);
	world_close(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_written_is_there_after_a_restart),
	    cmocka_unit_test(a_lost_store_is_made_again_from_the_journal),
	    cmocka_unit_test(a_power_cut_in_the_store_is_mended_from_the_journal),
	    cmocka_unit_test(a_checkpoint_shortens_recovery_and_changes_nothing),
	    cmocka_unit_test(operations_of_one_group_see_each_other),
	    cmocka_unit_test(a_read_ahead_counts_only_while_nobody_has_written_since),
	    cmocka_unit_test(an_abandoned_group_leaves_no_trace),
	    cmocka_unit_test(a_table_that_goes_takes_its_items_along),
	    cmocka_unit_test(a_damaged_checkpoint_is_set_aside),
	    cmocka_unit_test(what_was_replayed_counts_towards_the_next_checkpoint),
	    cmocka_unit_test(what_a_group_reads_counts_towards_its_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
