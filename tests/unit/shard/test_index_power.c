/*
 * Indexes and power cuts: journal and store in memory keep what was synced, and of the rest any part, also from the middle. Whatever is
 * lost, after recovery each index is what its table's items make it; also while it is backfilled, and when it came or went just before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "store/journal/journal_memory.h"
#include "store/kv/kv_memory.h"
#include "store/shard/index_priv.h"
#include "tests/unit/shard/index_world.h"

#define SEEDS 150
#define GROUPS 80
#define KEYS 10
#define TABLE 100

struct place {
	char dir[64], journal[80], store[80];
	struct shard *shard;
	uint64_t next_index;
	unsigned steps, cuts, backfilled;
};

static uint64_t
wall_ms(void *arg)
{
	(void)arg;
	return 1000000;
}

static void
start(struct place *place)
{
	struct shard_options options = {.dir = place->dir,
	    .kv_plugin = "memory",
	    .journal_plugin = "memory",
	    .region = 1,
	    .wall_ms = wall_ms,
	    .create = true};
	struct tide_error error = {0};

	if (shard_open(&options, &place->shard, &error) != TIDE_OK)
		fail_msg("it does not open: %s", error.message);
}

static void
place_make(struct place *place)
{
	struct group *group;

	*place = (struct place){.dir = "/tmp/tidemark-index-XXXXXX", .next_index = 1};
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->journal, sizeof place->journal, "%s/journal", place->dir);
	snprintf(place->store, sizeof place->store, "%s/store", place->dir);
	assert_int_equal(journal_memory_disk_make(place->journal), TIDE_OK);
	assert_int_equal(kv_memory_disk_make(place->store), TIDE_OK);
	start(place);
	group = group_open(place->shard);
	assert_int_equal(group_table_state(group, TABLE, REPLICA_ACTIVE), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
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
	(void)index;
	return rand() % 100 < *(int *)context;
}

static void
power_cut(struct place *place)
{
	int percent = rand() % 3 == 0 ? 90 : rand() % 2 == 0 ? 50 : 10;

	place->cuts++;
	shard_close(place->shard, false);
	assert_int_equal(kv_memory_disk_crash(place->store, keep_some, &percent), TIDE_OK);
	start(place);
}

static const char *
one_of(const char *const *choices, int n)
{
	return choices[rand() % n];
}

/* Few values, so that an item gets a former entry again. */
static struct row
random_row(char name[8])
{
	static const char *const words[] = {"pink", "blue", NULL}, *const numbers[] = {"1", "2", NULL};
	struct row row;

	snprintf(name, 8, "k%d", rand() % KEYS);
	row = (struct row){name, .g = one_of(words, 3), .h = one_of(words, 3), .v = one_of(words, 3),
	    .n = one_of(numbers, 3)};
	if (row.g == NULL && rand() % 2 == 0)
		row.bad_g = "5";
	return row;
}

/* The table's indexes as the group sees them are not to be had: those of before it. */
static uint64_t
some_index(struct place *place)
{
	struct index_view *views;
	struct arena arena;
	uint64_t id = 0;
	uint32_t n = 0;

	arena_init(&arena, 0);
	if (shard_index_views(place->shard, &arena, TABLE, &views, &n) == TIDE_OK && n > 0)
		id = views[rand() % (int)n].id;
	arena_fini(&arena);
	return id;
}

static void
random_operation(struct place *place, struct group *group)
{
	struct index_progress progress;
	struct index_def def;
	struct buf key = {0};
	char name[8];
	struct row row = random_row(name);
	int what = rand() % 100;

	if (what < 50) {
		assert_int_equal(group_put_row(group, TABLE, &row), TIDE_OK);
	} else if (what < 70) {
		row_key(&row, &key);
		assert_int_equal(group_delete(group, TABLE, buf_bytes(&key), false), TIDE_OK);
		buf_fini(&key);
	} else if (what < 88) {
		assert_int_equal(
		    group_index_backfill(group, TABLE, some_index(place), 1, &progress), TIDE_OK);
		place->backfilled += progress.entries > 0;
	} else if (what < 95) {
		def = def_of(1 + place->next_index % INDEX_KINDS);
		def.id = place->next_index++;
		assert_int_equal(group_index_add(group, TABLE, &def), TIDE_OK);
	} else if (what < 98) {
		assert_int_equal(group_index_drop(group, TABLE, some_index(place)), TIDE_OK);
	} else {
		assert_int_equal(group_table_state(group, TABLE, REPLICA_ABSENT), TIDE_OK);
		assert_int_equal(group_table_state(group, TABLE, REPLICA_ACTIVE), TIDE_OK);
	}
}

static void
report(void *arg, const char *fault)
{
	(void)arg;
	print_error("check: %s\n", fault);
}

/* As `tidemark check` does it: also entries of indexes that are not there. */
static void
check_offline(struct place *place)
{
	struct shard_options options = {.dir = place->dir,
	    .kv_plugin = "memory",
	    .journal_plugin = "memory",
	    .region = 1,
	    .wall_ms = wall_ms};
	struct check_counts counts;
	struct tide_error error;

	shard_close(place->shard, false);
	assert_int_equal(shard_check(&options, NULL, report, NULL, &counts, &error), TIDE_OK);
	assert_int_equal(counts.faults, 0);
	start(place);
}

static void
one_seed(unsigned seed, struct place *place)
{
	struct tide_error error;
	char when[64];

	srand(seed);
	place_make(place);
	for (int number = 1; number <= GROUPS; number++) {
		struct group *group = group_open(place->shard);
		int what = rand() % 14, n = 1 + rand() % 4;

		snprintf(when, sizeof when, "seed %u, group %d", seed, number);
		for (int i = 0; i < n; i++)
			random_operation(place, group);
		if (what == 0)
			journal_memory_disk_fail_next(place->journal, TIDE_UNKNOWN, (uint32_t)rand() % 3);
		else if (what == 1)
			journal_memory_disk_fail_next(place->journal, TIDE_FULL, 0);
		(void)group_commit(group, NULL);
		journal_memory_disk_fail_next(place->journal, TIDE_OK, 0);
		if (what == 2)
			assert_int_equal(shard_checkpoint(place->shard, &error), TIDE_OK);
		if (what == 0 || what == 3)
			power_cut(place);
		assert_sound(place->shard, when);
	}
	check_offline(place);
	backfill_all(place->shard, TABLE);
	assert_sound(place->shard, "at the end");
}

static void
indexes_survive_power_cuts(void **state)
{
	const char *only = getenv("TIDEMARK_SEED");
	unsigned first = only != NULL ? (unsigned)atoi(only) : 1, cuts = 0, backfilled = 0;

	(void)state;
	log_set_level(LOG_ERROR);
	for (unsigned seed = first; seed < first + (only != NULL ? 1 : SEEDS); seed++) {
		struct place place;

		one_seed(seed, &place);
		cuts += place.cuts;
		backfilled += place.backfilled;
		place_destroy(&place);
	}
	/* They did happen. */
	assert_true(cuts > (only != NULL ? 0 : SEEDS) && backfilled > (only != NULL ? 0 : SEEDS));
}

/* What is in the store can be made again from the journal alone. */
static void
a_lost_store_gets_its_indexes_back(void **state)
{
	struct index_view before, after;
	struct place place;
	char name[8];

	(void)state;
	log_set_level(LOG_ERROR);
	srand(7);
	place_make(&place);
	for (int i = 0; i < 100; i++) {
		struct row row = random_row(name);

		if (i == 20 || i == 50)
			add_index(place.shard, TABLE, i == 20 ? 1 : 2);
		if (i > 20 && i % 7 == 0)
			backfill_some(place.shard, TABLE, 1, 1);
		put_row(place.shard, TABLE, &row);
	}
	before = view_of_index(place.shard, TABLE, 1);
	shard_close(place.shard, false);
	assert_int_equal(kv_memory_disk_crash(place.store, NULL, NULL), TIDE_OK);
	start(&place);
	after = view_of_index(place.shard, TABLE, 1);
	assert_memory_equal(&before, &after, sizeof before);
	assert_sound(place.shard, "made again");
	place_destroy(&place);
}

/* --- a damaged disk --- */

static void
what_cannot_be_read_fails_and_changes_nothing(void **state)
{
	struct shard_options options = {
	    .kv_plugin = "memory", .journal_plugin = "memory", .region = 1, .wall_ms = wall_ms};
	struct index_scan_range range = {.table = TABLE, .index = 1};
	static const uint8_t items[] = {SPACE_ITEMS, 0, 0, 0, 0, 0, 0, 0, TABLE, 0x80},
			     behind[] = {SPACE_ITEMS + 1};
	static const uint8_t entries[] = {SPACE_INDEXES}, after[] = {SPACE_INDEXES + 1};
	struct index_progress progress;
	struct index_view before, now;
	struct check_counts counts;
	struct index_scan *scan;
	struct index_row row;
	struct tide_error error;
	struct group *group;
	struct place place;
	char name[8];

	(void)state;
	log_set_level(LOG_ERROR);
	place_make(&place);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "k%d", i);
		put_row(place.shard, TABLE, &(struct row){name, .g = "red"});
	}
	add_index(place.shard, TABLE, 1);
	/* Items: the backfill waits for what it cannot read. */
	before = view_of_index(place.shard, TABLE, 1);
	assert_int_equal(kv_memory_disk_damage(
			     place.store, bytes_of(items, sizeof items), bytes_of(behind, sizeof behind)),
	    TIDE_OK);
	group = group_open(place.shard);
	assert_int_equal(group_index_backfill(group, TABLE, 1, 1000000, &progress), TIDE_CORRUPT);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	now = view_of_index(place.shard, TABLE, 1);
	assert_memory_equal(&before, &now, sizeof now);
	assert_int_equal(kv_memory_disk_damage(place.store, BYTES_NONE, BYTES_NONE), TIDE_OK);
	backfill_all(place.shard, TABLE);
	assert_int_equal(view_of_index(place.shard, TABLE, 1).items, 20);
	/* Entries: a scan says so instead of leaving any out. */
	assert_int_equal(kv_memory_disk_damage(
			     place.store, bytes_of(entries, sizeof entries), bytes_of(after, sizeof after)),
	    TIDE_OK);
	assert_int_equal(shard_index_scan_open(place.shard, &range, &scan), TIDE_OK);
	assert_int_equal(shard_index_scan_next(scan, &row), TIDE_CORRUPT);
	shard_index_scan_close(scan);
	assert_int_equal(shard_checkpoint(place.shard, &error), TIDE_OK);
	shard_close(place.shard, false);
	options.dir = place.dir;
	assert_int_equal(shard_check(&options, NULL, report, NULL, &counts, &error), TIDE_OK);
	assert_true(counts.index_faults > 0);
	assert_int_equal(kv_memory_disk_damage(place.store, BYTES_NONE, BYTES_NONE), TIDE_OK);
	start(&place);
	assert_sound(place.shard, "read again");
	place_destroy(&place);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(indexes_survive_power_cuts),
	    cmocka_unit_test(a_lost_store_gets_its_indexes_back),
	    cmocka_unit_test(what_cannot_be_read_fails_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
