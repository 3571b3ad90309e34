/* Readers of indexes beside the thread that commits, while indexes come, are backfilled, and go. Made for the thread sanitizer. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/shard/index_world.h"
#include "tests/unit/shard/world.h"

#define GROUPS 500
#define KEYS 40

static struct world world;
static atomic_bool done;
static _Atomic uint64_t newest; /* the index that was added last */
static _Atomic uint64_t scanned, checked;

/* A failure in another thread: cmocka's assertions may only be used in the test's own. */
#define must(condition)                                                                                      \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                      \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

static void
report(void *arg, const char *fault)
{
	(void)arg;
	fprintf(stderr, "%s\n", fault);
}

/* At any moment an index is what its items make it. */
static void *
check_indexes(void *arg)
{
	(void)arg;
	while (!atomic_load(&done)) {
		uint64_t faults = 0, id = atomic_load(&newest);
		tide_err rc = shard_index_check(world.shard[1], USER_TABLE, id, report, NULL, &faults);

		must((rc == TIDE_OK || rc == TIDE_NOTFOUND) && faults == 0);
		atomic_fetch_add(&checked, rc == TIDE_OK);
	}
	return NULL;
}

/* A scan gives items of its moment, each once; nothing of an index that has gone, or is not complete. */
static void *
scan_indexes(void *arg)
{
	unsigned i = 0;

	(void)arg;
	for (; !atomic_load(&done); i++) {
		struct index_scan_range range = {.table = USER_TABLE,
		    .index = atomic_load(&newest),
		    .backward = i % 2 == 0,
		    .whole = i % 3 == 0};
		struct index_scan *scan;
		struct index_row row;
		struct arena arena;
		uint64_t n = 0;
		tide_err rc = shard_index_scan_open(world.shard[1], &range, &scan);

		must(rc == TIDE_OK || rc == TIDE_NOTFOUND || rc == TIDE_AGAIN);
		if (rc != TIDE_OK)
			continue;
		arena_init(&arena, 0);
		while ((rc = shard_index_scan_next(scan, &row)) == TIDE_OK) {
			struct value item;

			must(value_decode(&arena, row.image, &item) == TIDE_OK);
			must(value_map_get(&item, BYTES_LITERAL("pk")) != NULL);
			n++;
		}
		must(rc == TIDE_NOTFOUND && n <= KEYS);
		shard_index_scan_close(scan);
		arena_fini(&arena);
		atomic_fetch_add(&scanned, n);
	}
	return NULL;
}

static void *
look_and_save(void *arg)
{
	(void)arg;
	while (!atomic_load(&done)) {
		uint64_t table = 0, id = 0;
		struct index_view *views;
		struct tide_error error;
		struct arena arena;
		uint32_t n;

		arena_init(&arena, 0);
		must(shard_index_views(world.shard[1], &arena, USER_TABLE, &views, &n) == TIDE_OK);
		(void)shard_index_backfilling(world.shard[1], &table, &id);
		must(shard_checkpoint(world.shard[1], &error) == TIDE_OK);
		arena_fini(&arena);
	}
	return NULL;
}

static void
commit_one(unsigned number)
{
	static const char *const words[] = {"red", "blue", NULL};
	struct group *group = group_open(world.shard[1]);
	uint64_t id = atomic_load(&newest);
	struct index_progress progress;
	struct index_def def;
	char name[16], n[16];

	for (unsigned i = 0; i < 3; i++) {
		struct row row = {name, .g = words[(number + i) % 3], .n = n, .v = "x"};

		snprintf(name, sizeof name, "k%u", (number * 7 + i * 3) % KEYS);
		snprintf(n, sizeof n, "%u", number % 9);
		assert_int_equal(group_put_row(group, USER_TABLE, &row), TIDE_OK);
	}
	assert_int_equal(group_index_backfill(group, USER_TABLE, id, 100, &progress), TIDE_OK);
	if (number % 40 == 39) {
		assert_int_equal(group_index_drop(group, USER_TABLE, id), TIDE_OK);
		def = def_of(1 + number / 40 % 3);
		def.id = id + 1;
		assert_int_equal(group_index_add(group, USER_TABLE, &def), TIDE_OK);
		atomic_store(&newest, id + 1);
	}
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
}

static void
readers_see_indexes_whole_beside_the_committer(void **state)
{
	static void *(*const jobs[])(void *) = {check_indexes, scan_indexes, look_and_save};
	pthread_t threads[3];

	(void)state;
	world_open(&world, 1, "memory");
	world_table(&world, USER_TABLE);
	add_index(world.shard[1], USER_TABLE, 1);
	atomic_store(&newest, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, jobs[i], NULL), 0);
	/* They get somewhere, however fast the commits are. */
	for (unsigned number = 0; number < GROUPS || atomic_load(&scanned) == 0 || atomic_load(&checked) == 0;
	     number++)
		commit_one(number);
	atomic_store(&done, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_sound(world.shard[1], "at the end");
	world_close(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(readers_see_indexes_whole_beside_the_committer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
