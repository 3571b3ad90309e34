/* Readers, checkpoints, ships and snapshots beside the thread that commits. Made for the thread sanitizer. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/shard/world.h"

#define GROUPS 600
#define KEYS 40
#define OTHER_TABLE 101

static struct world world;
static atomic_bool done;

/* A failure in another thread: cmocka's assertions may only be used in the test's own. */
#define must(condition)                                                                                      \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                      \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

static void *
read_items(void *arg)
{
	struct shard *shard = world.shard[1];
	struct buf key = {0}, raw = {0};
	unsigned i = 0;

	(void)arg;
	while (!atomic_load(&done)) {
		struct shard_scan_range range = {
		    .table = USER_TABLE, .tombstones = true, .backward = i % 2 == 0};
		struct shard_scan *scan;
		struct stored stored;
		struct bytes at;
		char text[16];
		tide_err rc;

		snprintf(text, sizeof text, "k%u", i++ % KEYS);
		buf_clear(&key);
		text_key(text, &key);
		rc = shard_get(shard, USER_TABLE, buf_bytes(&key), &raw, &stored);
		must(rc == TIDE_OK || rc == TIDE_NOTFOUND);
		if (rc == TIDE_OK)
			must(stored.seq != 0 && stored.seq <= journal_last_seq(shard_journal(shard)));
		must(shard_scan_open(shard, &range, &scan) == TIDE_OK);
		while ((rc = shard_scan_next(scan, &at, &stored)) == TIDE_OK)
			continue;
		must(rc == TIDE_NOTFOUND);
		shard_scan_close(scan);
	}
	buf_fini(&key);
	buf_fini(&raw);
	return NULL;
}

static void *
look_and_save(void *arg)
{
	struct shard *shard = world.shard[1];
	uint64_t last = 0;

	(void)arg;
	while (!atomic_load(&done)) {
		struct tide_error error;
		struct shard_view view;
		struct arena arena;

		arena_init(&arena, 0);
		must(shard_view(shard, &arena, &view) == TIDE_OK);
		must(view.last_seq >= last && view.id.v == shard_id(shard).v &&
		     view.nonce == shard_nonce(shard));
		last = view.last_seq;
		must(shard_last_seq(shard) >= last);
		shard_table_state(shard, OTHER_TABLE);
		must(shard_checkpoint(shard, &error) == TIDE_OK);
		shard_bytes_since_checkpoint(shard);
		arena_fini(&arena);
	}
	return NULL;
}

/* Every own record, once and in order, however the ship and the journal's end meet. */
static void *
ship_all(void *arg)
{
	struct ship_table tables[] = {{TABLE_CATALOG, 0}, {TABLE_CONFLICTS, 0}, {USER_TABLE, 0}};
	struct tide_error error;
	struct ship_batch batch;
	struct buf units = {0};
	struct ship *ship;
	uint64_t last = 0;
	bool finish = false;

	(void)arg;
	must(ship_open(world.shard[1], shard_id(world.shard[1]), tables, 3, 0, &ship, NULL) == TIDE_OK);
	for (bool at_end = false; !finish || !at_end; at_end = batch.at_end) {
		struct arena arena;

		arena_init(&arena, 0);
		finish = atomic_load(&done);
		buf_clear(&units);
		must(ship_next(ship, 1000, &arena, &units, &batch, &error) == TIDE_OK);
		must(batch.base.seq == last && batch.upto.seq >= last);
		last = batch.upto.seq;
		for (size_t at = 0; at < units.n; at += 4 + bytes_u32(units.at + at)) {
			struct unit unit;

			must(unit_decode(&arena, bytes_of(units.at + at + 4, bytes_u32(units.at + at)), &unit,
				 &error) == TIDE_OK);
			must(unit.n_records > 0 && unit.records[unit.n_records - 1].origin_seq <= last);
		}
		arena_fini(&arena);
	}
	must(last == shard_last_seq(world.shard[1]));
	ship_close(ship);
	buf_fini(&units);
	return NULL;
}

/* A snapshot holds what the totals of its moment say, even of a table that comes and goes. */
static void *
load_snapshots(void *arg)
{
	struct buf unit_form = {0}, cursor = {0};
	unsigned i = 0;

	(void)arg;
	while (!atomic_load(&done)) {
		struct snapshot *snapshot;
		struct tide_error error;
		struct arena arena;
		uint64_t items = 0;
		bool last = false;

		if (snapshot_open(world.shard[1], i++ % 2 ? USER_TABLE : OTHER_TABLE, &snapshot) != TIDE_OK)
			continue;
		arena_init(&arena, 0);
		buf_clear(&cursor);
		while (!last) {
			struct unit unit;
			struct buf after = {0};

			buf_append(&after, cursor.at, cursor.n);
			buf_clear(&unit_form);
			must(snapshot_read(snapshot, buf_bytes(&after), 300, &unit_form, &cursor, &last) ==
			     TIDE_OK);
			must(unit_decode(&arena, buf_bytes(&unit_form), &unit, &error) == TIDE_OK);
			for (uint32_t k = 0; k < unit.n_records; k++)
				items += !unit.records[k].tombstone;
			buf_fini(&after);
		}
		must(items == snapshot_info(snapshot)->items);
		snapshot_close(snapshot);
		arena_fini(&arena);
	}
	buf_fini(&unit_form);
	buf_fini(&cursor);
	return NULL;
}

static void
commit_one(unsigned number)
{
	struct group *group = group_open(world.shard[1]);
	struct tide_error error;
	char key[16];

	for (unsigned i = 0; i < 3; i++) {
		uint64_t table = (number + i) % 3 == 0 ? OTHER_TABLE : USER_TABLE;

		snprintf(key, sizeof key, "k%u", (number * 7 + i * 3) % KEYS);
		if ((number + i) % 5 == 0)
			assert_int_equal(group_delete_text(group, table, key), TIDE_OK);
		else
			assert_int_equal(group_put_text(group, table, key, "a value"), TIDE_OK);
	}
	if (number % 20 == 19) {
		assert_int_equal(group_table_state(group, OTHER_TABLE, REPLICA_ABSENT), TIDE_OK);
		assert_int_equal(group_table_state(group, OTHER_TABLE, REPLICA_ACTIVE), TIDE_OK);
	}
	if (number % 11 == 0)
		assert_int_equal(group_clock(group), TIDE_OK);
	assert_int_equal(group_commit(group, &error), TIDE_OK);
}

static void
readers_see_whole_groups_beside_the_committer(void **state)
{
	static void *(*const jobs[])(void *) = {read_items, look_and_save, ship_all, load_snapshots};
	pthread_t threads[4];

	(void)state;
	world_open(&world, 1, "memory");
	world_table(&world, USER_TABLE);
	set_state(&world, 1, OTHER_TABLE, REPLICA_ACTIVE);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, jobs[i], NULL), 0);
	for (unsigned number = 0; number < GROUPS; number++)
		commit_one(number);
	put(&world, 1, "last", "so that the journal ends with a record of its own");
	atomic_store(&done, true);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	world_close(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(readers_see_whole_groups_beside_the_committer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
