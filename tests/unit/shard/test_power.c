/*
 * Power cuts in one process: journal and store in memory keep what was synced, and of the rest any part. The append that
 * was under way may leave some of its units; an operation is in one of them, whole, or gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/journal/journal_memory.h"
#include "store/kv/kv_memory.h"
#include "store/shard/stored.h"
#include "tests/unit/shard/world.h"

#define SEEDS 150
#define GROUPS 60
#define KEYS 12
#define OTHER_TABLE 101

struct place {
	char dir[64], journal[80], store[80];
	struct shard *shard;
	uint64_t now_ms;
};

static uint64_t
wall_ms(void *arg)
{
	return ((struct place *)arg)->now_ms;
}

static void
start(struct place *place)
{
	struct shard_options options = {.dir = place->dir,
	    .kv_plugin = "memory",
	    .journal_plugin = "memory",
	    .region = 1,
	    .wall_ms = wall_ms,
	    .wall_arg = place,
	    .create = true};
	struct tide_error error = {0};

	if (shard_open(&options, &place->shard, &error) != TIDE_OK)
		fail_msg("it does not open: %s", error.message);
}

static void
place_make(struct place *place)
{
	*place = (struct place){.dir = "/tmp/tidemark-power-XXXXXX", .now_ms = 1000000};
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->journal, sizeof place->journal, "%s/journal", place->dir);
	snprintf(place->store, sizeof place->store, "%s/store", place->dir);
	assert_int_equal(journal_memory_disk_make(place->journal), TIDE_OK);
	assert_int_equal(kv_memory_disk_make(place->store), TIDE_OK);
	start(place);
}

static void
place_destroy(struct place *place)
{
	char command[128];

	shard_close(place->shard, false);
	journal_memory_disk_destroy(place->journal);
	kv_memory_disk_destroy(place->store);
	snprintf(command, sizeof command, "rm -rf %s", place->dir);
	assert_int_equal(system(command), 0);
}

static bool
keep_some(void *context, size_t index)
{
	(void)context;
	(void)index;
	return rand() % 2 == 0;
}

static void
power_cut(struct place *place)
{
	shard_close(place->shard, false);
	assert_int_equal(kv_memory_disk_crash(place->store, keep_some, NULL), TIDE_OK);
	start(place);
}

static tide_err
commit_state(struct place *place, uint64_t table, enum replica_state state)
{
	struct group *group = group_open(place->shard);

	assert_int_equal(group_table_state(group, table, state), TIDE_OK);
	return group_commit(group, NULL);
}

/* Recount a table: what the store holds is what the totals say. */
static void
check_totals(struct place *place, uint64_t table)
{
	struct shard_scan_range range = {.table = table};
	struct shard_scan *scan;
	struct table_view view;
	struct stored stored;
	struct arena arena;
	struct bytes key;
	fingerprint_t fingerprint = 0;
	uint64_t items = 0;

	arena_init(&arena, 0);
	assert_int_equal(shard_table_view(place->shard, &arena, table, &view), TIDE_OK);
	assert_int_equal(shard_scan_open(place->shard, &range, &scan), TIDE_OK);
	for (; shard_scan_next(scan, &key, &stored) == TIDE_OK; items++)
		fingerprint += stored_fingerprint(key, &stored);
	shard_scan_close(scan);
	assert_int_equal(items, view.items);
	assert_true(fingerprint == view.fingerprint);
	arena_fini(&arena);
}

/* --- a full disk, a failing sync --- */

static void
a_full_disk_refuses_and_goes_on(void **state)
{
	struct tide_error error;
	struct place place;
	struct group *group;

	(void)state;
	place_make(&place);
	assert_int_equal(commit_state(&place, USER_TABLE, REPLICA_ACTIVE), TIDE_OK);
	assert_int_equal(journal_memory_disk_fail_next(place.journal, TIDE_FULL, 0), TIDE_OK);
	group = group_open(place.shard);
	assert_int_equal(group_put_text(group, USER_TABLE, "k", "1"), TIDE_OK);
	assert_int_equal(group_table_state(group, OTHER_TABLE, REPLICA_ACTIVE), TIDE_OK);
	assert_int_equal(group_commit(group, &error), TIDE_FULL);
	assert_null(get_from(place.shard, USER_TABLE, "k"));
	assert_int_equal(shard_table_state(place.shard, OTHER_TABLE), REPLICA_ABSENT);
	group = group_open(place.shard);
	assert_int_equal(group_put_text(group, OTHER_TABLE, "k", "1"), TIDE_NOTFOUND);
	assert_int_equal(group_put_text(group, USER_TABLE, "l", "2"), TIDE_OK);
	assert_int_equal(group_commit(group, &error), TIDE_OK);
	check_totals(&place, USER_TABLE);
	power_cut(&place);
	assert_string_equal(get_from(place.shard, USER_TABLE, "l"), "2");
	check_totals(&place, USER_TABLE);
	place_destroy(&place);
}

static void
after_a_failing_sync_nothing_is_taken_until_it_is_opened_again(void **state)
{
	struct tide_error error;
	struct place place;

	(void)state;
	for (uint32_t survivors = 0; survivors < 2; survivors++) {
		struct group *group;

		place_make(&place);
		assert_int_equal(commit_state(&place, USER_TABLE, REPLICA_ACTIVE), TIDE_OK);
		assert_int_equal(
		    journal_memory_disk_fail_next(place.journal, TIDE_UNKNOWN, survivors), TIDE_OK);
		for (int i = 0; i < 2; i++) {
			group = group_open(place.shard);
			assert_int_equal(group_put_text(group, USER_TABLE, "k", "1"), TIDE_OK);
			assert_int_equal(group_commit(group, &error), TIDE_UNKNOWN);
			assert_null(get_from(place.shard, USER_TABLE, "k"));
		}
		power_cut(&place);
		if (survivors > 0)
			assert_string_equal(get_from(place.shard, USER_TABLE, "k"), "1");
		else
			assert_null(get_from(place.shard, USER_TABLE, "k"));
		check_totals(&place, USER_TABLE);
		place_destroy(&place);
	}
}

/* --- operations that write items and notes --- */

static void
an_operation_of_items_and_notes_is_whole_or_gone(void **state)
{
	struct tide_error error;
	struct place place;

	(void)state;
	for (int order = 0; order < 4; order++)
		for (uint32_t survivors = 0; survivors < 4; survivors++) {
			struct group *group;
			bool there;

			place_make(&place);
			assert_int_equal(
			    journal_memory_disk_fail_next(place.journal, TIDE_UNKNOWN, survivors), TIDE_OK);
			group = group_open(place.shard);
			/* As a table is made: facts, the replica's state, another fact; in any order. */
			if (order != 1)
				assert_int_equal(group_put_text(group, TABLE_REGIONAL, "fact", "1"), TIDE_OK);
			assert_int_equal(group_table_state(group, USER_TABLE, REPLICA_ACTIVE), TIDE_OK);
			if (order >= 2)
				assert_int_equal(group_table_shared(group, USER_TABLE, true), TIDE_OK);
			if (order != 2)
				assert_int_equal(
				    group_put_text(group, TABLE_REGIONAL, "another fact", "2"), TIDE_OK);
			if (order == 3)
				assert_int_equal(
				    group_put_text(group, TABLE_CATALOG, "third fact", "3"), TIDE_OK);
			assert_int_equal(group_commit(group, &error), TIDE_UNKNOWN);
			power_cut(&place);
			there = shard_table_state(place.shard, USER_TABLE) == REPLICA_ACTIVE;
			assert_int_equal(there, survivors > 0);
			if (order != 1)
				assert_int_equal(
				    there, get_from(place.shard, TABLE_REGIONAL, "fact") != NULL);
			if (order != 2)
				assert_int_equal(
				    there, get_from(place.shard, TABLE_REGIONAL, "another fact") != NULL);
			if (order == 3)
				assert_int_equal(
				    there, get_from(place.shard, TABLE_CATALOG, "third fact") != NULL);
			check_totals(&place, TABLE_REGIONAL);
			place_destroy(&place);
		}
}

static void
what_follows_a_note_about_its_table_comes_after_it(void **state)
{
	struct place place;
	struct group *group;

	(void)state;
	place_make(&place);
	assert_int_equal(commit_state(&place, USER_TABLE, REPLICA_ACTIVE), TIDE_OK);
	group = group_open(place.shard);
	assert_int_equal(group_put_text(group, USER_TABLE, "before", "1"), TIDE_OK);
	assert_int_equal(group_put_text(group, TABLE_REGIONAL, "fact", "1"), TIDE_OK);
	assert_int_equal(group_table_state(group, USER_TABLE, REPLICA_ABSENT), TIDE_OK);
	assert_int_equal(group_table_state(group, USER_TABLE, REPLICA_ACTIVE), TIDE_OK);
	assert_int_equal(group_put_text(group, USER_TABLE, "after", "1"), TIDE_OK);
	assert_int_equal(group_put_text(group, TABLE_REGIONAL, "fact", "2"), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	for (int i = 0; i < 2; i++) {
		assert_null(get_from(place.shard, USER_TABLE, "before"));
		assert_string_equal(get_from(place.shard, USER_TABLE, "after"), "1");
		assert_string_equal(get_from(place.shard, TABLE_REGIONAL, "fact"), "2");
		check_totals(&place, USER_TABLE);
		check_totals(&place, TABLE_REGIONAL);
		power_cut(&place);
	}
	place_destroy(&place);
}

/* --- random --- */

struct model {
	int at[KEYS];
};

/* Random writes of one group: all of one unit, so that they are there together or not at all. */
static tide_err
random_group(struct place *place, struct model *model, int number)
{
	struct group *group = group_open(place->shard);
	int n = 1 + rand() % 4;

	for (int i = 0; i < n; i++) {
		int k = rand() % KEYS;
		bool deletes = rand() % 4 == 0;
		char key[16], value[16];

		snprintf(key, sizeof key, "k%d", k);
		snprintf(value, sizeof value, "%d", number);
		if (deletes)
			assert_int_equal(group_delete_text(group, USER_TABLE, key), TIDE_OK);
		else
			assert_int_equal(group_put_text(group, USER_TABLE, key, value), TIDE_OK);
		model->at[k] = deletes ? 0 : number;
		if (rand() % 8 == 0)
			assert_int_equal(group_clock(group), TIDE_OK);
	}
	return group_commit(group, NULL);
}

static bool
matches(struct place *place, const struct model *model)
{
	char key[16];

	for (int k = 0; k < KEYS; k++) {
		const char *text;

		snprintf(key, sizeof key, "k%d", k);
		text = get_from(place->shard, USER_TABLE, key);
		if ((text != NULL ? atoi(text) : 0) != model->at[k])
			return false;
	}
	return true;
}

static void
what_was_acknowledged_survives_power_cuts(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		struct model model = {0}, next;
		struct tide_error error;
		struct place place;

		srand(seed);
		place_make(&place);
		assert_int_equal(commit_state(&place, USER_TABLE, REPLICA_ACTIVE), TIDE_OK);
		for (int number = 1; number <= GROUPS; number++) {
			int what = rand() % 12;

			next = model;
			if (what == 0)
				journal_memory_disk_fail_next(
				    place.journal, TIDE_UNKNOWN, (uint32_t)rand() % 2);
			else if (what == 1)
				journal_memory_disk_fail_next(place.journal, TIDE_FULL, 0);
			if (random_group(&place, &next, number) == TIDE_OK)
				model = next;
			journal_memory_disk_fail_next(place.journal, TIDE_OK, 0);
			if (what == 2)
				assert_int_equal(shard_checkpoint(place.shard, &error), TIDE_OK);
			if (what == 0 || what == 3) {
				power_cut(&place);
				if (what == 0 && !matches(&place, &model))
					model = next; /* it had reached the disk: whole */
			}
			if (!matches(&place, &model))
				fail_msg("seed %u, group %d: not what was acknowledged", seed, number);
			check_totals(&place, USER_TABLE);
		}
		place_destroy(&place);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_full_disk_refuses_and_goes_on),
	    cmocka_unit_test(after_a_failing_sync_nothing_is_taken_until_it_is_opened_again),
	    cmocka_unit_test(an_operation_of_items_and_notes_is_whole_or_gone),
	    cmocka_unit_test(what_follows_a_note_about_its_table_comes_after_it),
	    cmocka_unit_test(what_was_acknowledged_survives_power_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
