/* Indexes where items come from elsewhere: records of peers, conflicts, snapshots, a rejoin, a new incarnation. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "tests/unit/shard/index_world.h"
#include "tests/unit/shard/world.h"

#define SNAPSHOT 7

static void
write_at_random(struct world *world, unsigned region, int keys)
{
	static const char *const words[] = {"red", "blue", "green", NULL}, *const numbers[] = {
									       "1", "-20", NULL};
	char name[16];

	snprintf(name, sizeof name, "k%d", rand() % keys);
	if (rand() % 4 == 0)
		delete_row(world->shard[region], USER_TABLE, name);
	else
		put_row(world->shard[region], USER_TABLE,
		    &(struct row){name, .g = words[rand() % 4], .h = words[rand() % 4],
			.v = words[rand() % 4], .n = numbers[rand() % 3]});
}

static void
assert_all_sound(struct world *world, const char *when)
{
	for (unsigned r = 1; r <= world->n; r++)
		assert_sound(world->shard[r], when);
}

/* What every region's index says, where they have the same ones. */
static void
assert_same(struct world *world, uint64_t id)
{
	char first[4096];

	snprintf(first, sizeof first, "%s", listed(world->shard[1], USER_TABLE, id));
	for (unsigned r = 2; r <= world->n; r++)
		assert_string_equal(listed(world->shard[r], USER_TABLE, id), first);
}

static void
records_of_peers_move_entries(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 10; seed++) {
		struct world world;
		bool late = seed % 2 == 0; /* region 3 gets an index that others do not have, later */

		srand(seed);
		world_open(&world, 3, "memory");
		world_table(&world, USER_TABLE);
		for (unsigned r = 1; r <= 3; r++)
			for (uint64_t id = 1; id <= 3; id++)
				add_index(world.shard[r], USER_TABLE, id);
		for (int i = 0; i < 120; i++) {
			unsigned to = 1 + (unsigned)rand() % 3, from = 1 + (unsigned)rand() % 3;

			world.now_ms += (unsigned)rand() % 3;
			write_at_random(&world, 1 + (unsigned)rand() % 3, 6);
			if (from != to && rand() % 3 == 0)
				(void)pull(&world, to, from, from);
			if (i == 60 && late)
				add_index(world.shard[3], USER_TABLE, 4);
			if (i > 60 && late && rand() % 4 == 0)
				backfill_some(world.shard[3], USER_TABLE, 4, 1);
			assert_all_sound(&world, "between regions");
		}
		settle(&world);
		backfill_all(world.shard[3], USER_TABLE);
		assert_all_sound(&world, "settled");
		assert_converged(&world, USER_TABLE);
		for (uint64_t id = 1; id <= 3; id++)
			assert_same(&world, id);
		world_close(&world);
	}
}

static void
a_new_replica_has_its_indexes_with_its_items(void **state)
{
	struct snapshot *snapshot;
	struct group *group;
	struct world world;
	struct index_def def = def_of(3);
	int pieces = 0;
	char name[16];
	bool done;

	(void)state;
	srand(3);
	world_open(&world, 2, "leveldb");
	set_state(&world, 1, USER_TABLE, REPLICA_ACTIVE);
	for (uint64_t id = 1; id <= 4; id++)
		add_index(world.shard[1], USER_TABLE, id);
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof name, "k%d", i);
		put_row(world.shard[1], USER_TABLE,
		    &(struct row){name, .g = i % 3 == 0 ? "red" : "blue", .h = "h", .v = "v", .n = "1"});
	}
	/* State and indexes in one group, as a region does it. */
	group = group_open(world.shard[2]);
	assert_int_equal(group_table_state(group, USER_TABLE, REPLICA_CREATING), TIDE_OK);
	assert_int_equal(group_table_shared(group, USER_TABLE, true), TIDE_OK);
	assert_int_equal(group_index_add(group, USER_TABLE, &def), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	assert_int_equal(snapshot_open(world.shard[1], USER_TABLE, &snapshot), TIDE_OK);
	do {
		done = load_step(&world, 2, snapshot, 1, USER_TABLE, SNAPSHOT);
		assert_sound(world.shard[2], "while it loads");
		if (++pieces == 3) {
			/* All over again; and another index meanwhile, which has to be backfilled. */
			group = group_open(world.shard[2]);
			assert_int_equal(group_load_restart(group, USER_TABLE), TIDE_OK);
			assert_int_equal(group_commit(group, NULL), TIDE_OK);
			assert_int_equal(view_of_index(world.shard[2], USER_TABLE, 3).items, 0);
		}
		if (pieces == 6)
			add_index(world.shard[2], USER_TABLE, 1);
		if (pieces % 5 == 0) {
			region_stop(&world, 2, pieces % 2 == 0);
			region_start(&world, 2);
			assert_sound(world.shard[2], "after a restart");
		}
	} while (!done);
	snapshot_close(snapshot);
	assert_true(pieces > 6);
	assert_int_equal(view_of_index(world.shard[2], USER_TABLE, 3).state, INDEX_COMPLETE);
	assert_int_equal(view_of_index(world.shard[2], USER_TABLE, 1).state, INDEX_BACKFILLING);
	backfill_all(world.shard[2], USER_TABLE);
	settle(&world);
	assert_same(&world, 3);
	assert_same(&world, 1);
	assert_int_equal(view_of_index(world.shard[2], USER_TABLE, 3).items, 60);
	world_close(&world);
}

static void
a_merge_moves_entries(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 4; seed++) {
		struct snapshot *snapshot;
		struct world world;

		srand(seed);
		world_open(&world, 2, "leveldb");
		world_table(&world, USER_TABLE);
		for (unsigned r = 1; r <= 2; r++)
			for (uint64_t id = 1; id <= 3; id++)
				add_index(world.shard[r], USER_TABLE, id);
		for (int i = 0; i < 40; i++)
			write_at_random(&world, 1, 30);
		settle(&world);
		for (int i = 0; i < 40; i++) {
			write_at_random(&world, 1, 30);
			write_at_random(&world, 2, 30);
		}
		rejoin_start(&world, 1, USER_TABLE);
		assert_int_equal(snapshot_open(world.shard[2], USER_TABLE, &snapshot), TIDE_OK);
		while (!load_step(&world, 1, snapshot, 2, USER_TABLE, SNAPSHOT))
			assert_sound(world.shard[1], "while the copy loads");
		snapshot_close(snapshot);
		for (int i = 0; rejoin_of(&world, 1, USER_TABLE) != REJOIN_FOLLOWING; i++) {
			rejoin_step(&world, 1, 200);
			assert_sound(world.shard[1], "while it is merged");
			if (i % 3 == 2) {
				region_stop(&world, 1, i % 2 == 0);
				region_start(&world, 1);
				assert_sound(world.shard[1], "after a restart");
			}
		}
		settle(&world);
		assert_all_sound(&world, "merged");
		for (uint64_t id = 1; id <= 3; id++)
			assert_same(&world, id);
		world_close(&world);
	}
}

/* Region 1 tells what it does not hold yet: so region 2 forgets a delete that it has not seen. */
static void
forget_deletes(struct world *world)
{
	struct told_table told = {.table = USER_TABLE, .state = REPLICA_ACTIVE};
	struct table_view view;
	struct group *group;
	struct arena arena;
	uint32_t collected;

	arena_init(&arena, 0);
	assert_int_equal(shard_table_view(world->shard[2], &arena, USER_TABLE, &view), TIDE_OK);
	told.vector = view.vector;
	group = group_open(world->shard[2]);
	assert_int_equal(
	    group_told(group, shard_id(world->shard[1]), (struct hlc){UINT64_MAX}, &told, 1), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	group = group_open(world->shard[2]);
	assert_int_equal(group_collect(group, 100, &collected), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	assert_int_equal(collected, 1);
	arena_fini(&arena);
}

/* Its source has let go of an item: the merge drops it here, and its entries. */
static void
what_a_merge_drops_has_no_entry(void **state)
{
	struct table_view before;
	struct snapshot *snapshot;
	struct world world;
	struct arena arena;
	uint32_t dropped = 0;

	(void)state;
	arena_init(&arena, 0);
	world_open(&world, 2, "leveldb");
	world_table(&world, USER_TABLE);
	for (uint64_t id = 1; id <= 2; id++)
		add_index(world.shard[1], USER_TABLE, id);
	put_row(world.shard[1], USER_TABLE, &(struct row){"gone", .g = "red", .n = "1"});
	put_row(world.shard[1], USER_TABLE, &(struct row){"stays", .g = "red", .n = "2"});
	settle(&world);
	delete_row(world.shard[2], USER_TABLE, "gone");
	forget_deletes(&world);
	rejoin_start(&world, 1, USER_TABLE);
	assert_int_equal(snapshot_open(world.shard[2], USER_TABLE, &snapshot), TIDE_OK);
	while (!load_step(&world, 1, snapshot, 2, USER_TABLE, SNAPSHOT))
		;
	snapshot_close(snapshot);
	while (rejoin_of(&world, 1, USER_TABLE) != REJOIN_FOLLOWING)
		dropped += (uint32_t)rejoin_step(&world, 1, 100000).dropped;
	assert_int_equal(dropped, 1);
	assert_sound(world.shard[1], "merged");
	assert_int_equal(view_of_index(world.shard[1], USER_TABLE, 2).items, 1);
	region_stop(&world, 1, false);
	region_start(&world, 1);
	assert_sound(world.shard[1], "after a restart");
	assert_string_equal(listed(world.shard[1], USER_TABLE, 2), "stays");
	assert_int_equal(shard_table_view(world.shard[1], &arena, USER_TABLE, &before), TIDE_OK);
	assert_int_equal(before.items, 1);
	arena_fini(&arena);
	world_close(&world);
}

static void
a_new_incarnation_carries_indexes(void **state)
{
	struct tide_error error = {0};
	struct world world;
	struct group *group;
	char name[16];

	(void)state;
	world_open(&world, 1, "leveldb");
	group = group_open(world.shard[1]);
	assert_int_equal(group_table_state(group, USER_TABLE, REPLICA_ACTIVE), TIDE_OK); /* regional */
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	add_index(world.shard[1], USER_TABLE, 1);
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof name, "k%d", i);
		put_row(world.shard[1], USER_TABLE,
		    &(struct row){name, .g = i % 3 == 0 ? NULL : "red", .n = "1", .v = "v"});
	}
	add_index(world.shard[1], USER_TABLE, 2);
	backfill_some(world.shard[1], USER_TABLE, 2, 200);
	group = group_open(world.shard[1]);
	assert_int_equal(group_fork(group, FORK_COPY, 2, 5), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	group = group_open(world.shard[1]);
	if (shard_reincarnate(world.shard[1], &error) != TIDE_OK)
		fail_msg("%s", error.message);
	assert_int_equal(group_commit(group, &error), TIDE_OK);
	for (int i = 0; i < 2; i++) {
		assert_sound(world.shard[1], "reborn");
		assert_int_equal(view_of_index(world.shard[1], USER_TABLE, 1).items, 20);
		assert_int_equal(view_of_index(world.shard[1], USER_TABLE, 2).state, INDEX_COMPLETE);
		assert_int_equal(view_of_index(world.shard[1], USER_TABLE, 2).items, 20);
		region_stop(&world, 1, false);
		region_start(&world, 1);
	}
	world_close(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_of_peers_move_entries),
	    cmocka_unit_test(a_new_replica_has_its_indexes_with_its_items),
	    cmocka_unit_test(a_merge_moves_entries),
	    cmocka_unit_test(what_a_merge_drops_has_no_entry),
	    cmocka_unit_test(a_new_incarnation_carries_indexes),
	};

	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
