/* A folder that takes a new incarnation, and the crashes on the way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/shard/shard_priv.h"
#include "tests/unit/shard/world.h"

/* Region 1 has lost its disk, and has taken some of region 2's items again before it learns that it had a former life. */
static void
lose_a_disk(struct world *world, bool checkpoint)
{
	struct tide_error error;

	world_open(world, 2, "leveldb");
	world_table(world, USER_TABLE);
	for (int i = 0; i < 20; i++) {
		char key[16];

		snprintf(key, sizeof key, "k%d", i);
		put(world, 2, key, "from 2");
	}
	region_stop(world, 1, false);
	region_wipe(world, 1);
	region_start(world, 1);
	set_state(world, 1, USER_TABLE, REPLICA_ACTIVE);
	assert_int_equal(pull(world, 1, 2, 2), TIDE_OK);
	assert_int_equal(count_items(world, 1, USER_TABLE, true), 20);
	if (checkpoint)
		assert_int_equal(shard_checkpoint(world->shard[1], &error), TIDE_OK);
}

static void
take_incarnation(struct world *world)
{
	struct tide_error error = {0};
	struct group *group = group_open(world->shard[1]);

	if (shard_take_incarnation(world->shard[1], 2, &error) != TIDE_OK)
		fail_msg("%s", error.message);
	assert_int_equal(group_commit(group, &error), TIDE_OK);
}

/* Nothing of the former life is left, and everything can come again. */
static void
check_reborn(struct world *world)
{
	struct table_view view;
	struct arena arena;

	arena_init(&arena, 0);
	assert_int_equal(jid_incarnation(shard_id(world->shard[1])), 2);
	assert_int_equal(count_items(world, 1, USER_TABLE, true), 0);
	set_state(world, 1, USER_TABLE, REPLICA_ACTIVE);
	assert_int_equal(pull(world, 1, 2, 2), TIDE_OK);
	put(world, 1, "mine", "1");
	region_stop(world, 1, false);
	region_start(world, 1);
	assert_int_equal(count_items(world, 1, USER_TABLE, true), 21);
	assert_int_equal(shard_table_view(world->shard[1], &arena, USER_TABLE, &view), TIDE_OK);
	assert_int_equal(view.items, 21);
	arena_fini(&arena);
}

static void
checkpoints_of_the_former_life_do_not_count(void **state)
{
	struct world world;

	(void)state;
	lose_a_disk(&world, true);
	take_incarnation(&world);
	region_stop(&world, 1, false);
	region_start(&world, 1);
	check_reborn(&world);
	world_close(&world);
}

static void
a_crash_on_the_way_is_finished_by_the_next_start(void **state)
{
	struct tide_error error;
	struct world world;
	char dir[128], command[512];

	(void)state;
	for (int step = 0; step < 3; step++) {
		struct identity identity = {jid_make(1, 2, 0), 4711};

		lose_a_disk(&world, true);
		region_stop(&world, 1, false);
		snprintf(dir, sizeof dir, "%s/1", world.dir);
		assert_int_equal(identity_write(dir, &identity, &error), TIDE_OK);
		snprintf(
		    command, sizeof command, "cd %s && mv journal journal.%08x", dir, jid_make(1, 1, 0).v);
		if (step >= 1)
			assert_int_equal(system(command), 0);
		snprintf(command, sizeof command, "rm %s/checkpoint-*", dir);
		if (step >= 2)
			assert_int_equal(system(command), 0);
		region_start(&world, 1);
		assert_int_equal(shard_nonce(world.shard[1]), 4711);
		check_reborn(&world);
		world_close(&world);
	}
}

static void
what_a_group_knew_before_is_forgotten(void **state)
{
	struct tide_error error = {0};
	struct shard_view view;
	struct stored stored;
	struct buf key = {0};
	struct world world;
	struct arena arena;
	struct group *group;

	(void)state;
	arena_init(&arena, 0);
	lose_a_disk(&world, false);
	text_key("k3", &key);
	group = group_open(world.shard[1]);
	assert_int_equal(group_get(group, USER_TABLE, buf_bytes(&key), &stored), TIDE_OK);
	assert_int_equal(group_counted(group, 2, (struct hlc){0}), TIDE_OK);
	assert_int_equal(shard_take_incarnation(world.shard[1], 2, &error), TIDE_OK);
	assert_int_equal(group_get(group, USER_TABLE, buf_bytes(&key), &stored), TIDE_NOTFOUND);
	assert_int_equal(group_table_state(group, USER_TABLE, REPLICA_ACTIVE), TIDE_OK);
	assert_int_equal(group_note_member(group, 2, 1, 1, false), TIDE_OK);
	assert_int_equal(group_put_text(group, USER_TABLE, "k3", "mine"), TIDE_OK);
	assert_int_equal(group_commit(group, &error), TIDE_OK);
	assert_int_equal(shard_view(world.shard[1], &arena, &view), TIDE_OK);
	assert_int_equal(view.tables[view.n_tables - 1].id, USER_TABLE);
	assert_int_equal(view.tables[view.n_tables - 1].items, 1);
	assert_int_equal(view.n_members, 1);
	assert_false(view.members[0].counted); /* it was the former journal that region 2 counted */
	world_close(&world);
	arena_fini(&arena);
	buf_fini(&key);
}

static void
the_new_journal_is_not_trimmed_by_old_checkpoints(void **state)
{
	struct tide_error error = {0};
	struct world world;
	uint64_t below = 0;

	(void)state;
	lose_a_disk(&world, true);
	set_state(&world, 1, USER_TABLE, REPLICA_ACTIVE);
	for (int i = 0; i < 2000; i++)
		set_state(&world, 1, USER_TABLE, REPLICA_ACTIVE);
	assert_int_equal(shard_checkpoint(world.shard[1], &error), TIDE_OK);
	set_state(&world, 1, USER_TABLE, REPLICA_ACTIVE);
	assert_int_equal(shard_checkpoint(world.shard[1], &error), TIDE_OK);
	take_incarnation(&world);
	for (int i = 0; i < 4000; i++)
		set_state(&world, 1, USER_TABLE, REPLICA_ACTIVE);
	world.now_ms += 100000;
	{
		struct group *group = group_open(world.shard[1]);

		assert_int_equal(group_trim(group, 1000, UINT64_MAX, &below), TIDE_OK);
		assert_int_equal(group_commit(group, &error), TIDE_OK);
	}
	assert_int_equal(journal_first_seq(shard_journal(world.shard[1])), 1);
	world_close(&world);
}

static void
a_folder_without_its_journal_is_damage(void **state)
{
	struct shard_options options = {.kv_plugin = "leveldb", .journal_plugin = "segments", .create = true};
	struct tide_error error = {0};
	char dir[128], command[512];
	struct shard *shard;
	struct world world;

	(void)state;
	world_open(&world, 1, "leveldb");
	region_stop(&world, 1, true);
	snprintf(dir, sizeof dir, "%s/1", world.dir);
	snprintf(command, sizeof command, "mv %s/journal %s/away", dir, dir);
	assert_int_equal(system(command), 0);
	options.dir = dir;
	assert_int_equal(shard_open(&options, &shard, &error), TIDE_CORRUPT);
	assert_non_null(strstr(error.message, "no journal"));
	snprintf(command, sizeof command, "mv %s/away %s/journal", dir, dir);
	assert_int_equal(system(command), 0);
	region_start(&world, 1);
	world_close(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(checkpoints_of_the_former_life_do_not_count),
	    cmocka_unit_test(a_crash_on_the_way_is_finished_by_the_next_start),
	    cmocka_unit_test(what_a_group_knew_before_is_forgotten),
	    cmocka_unit_test(the_new_journal_is_not_trimmed_by_old_checkpoints),
	    cmocka_unit_test(a_folder_without_its_journal_is_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
