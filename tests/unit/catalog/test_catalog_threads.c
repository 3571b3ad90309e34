#include "tests/unit/shard/world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/catalog/catalog.h"

/*
 * One thread commits, others look: a table that is there before and after a commit is there at every moment between, also while its facts
 * move to the catalog.
 */

#define READERS 3
#define ROUNDS 60

static struct world world;
static struct catalog *catalog;
static atomic_bool done;
static atomic_uint looked;

static struct table *
described(uint64_t id, const char *name)
{
	struct table *t = table_new();

	assert_non_null(t);
	t->id = id;
	snprintf(t->name, sizeof t->name, "%s", name);
	t->attributes = arena_calloc(&t->arena, sizeof *t->attributes);
	assert_non_null(t->attributes);
	t->attributes[0] = t->partition = (struct key_attribute){BYTES_LITERAL("pk"), VALUE_S};
	t->n_attributes = 1;
	return t;
}

static void
create(uint64_t id, const char *name)
{
	struct group *group = group_open(world.shard[1]);
	struct table *t = described(id, name);

	assert_int_equal(catalog_write_new(catalog, group, t, NULL), TIDE_OK);
	assert_int_equal(group_table_state(group, id, REPLICA_ACTIVE), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	table_release(t);
}

static void
change(uint64_t id, tide_err (*write)(struct catalog *, struct group *, const struct table *))
{
	struct group *group = group_open(world.shard[1]);
	const struct table *t;

	assert_int_equal(catalog_read(catalog, group, id, &t), TIDE_OK);
	assert_int_equal(write(catalog, group, t), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	table_release(t);
}

static tide_err
turn_billing(struct catalog *c, struct group *group, const struct table *table)
{
	(void)c;
	((struct table *)table)->read_units++;
	return catalog_write_billing(group, table);
}

static void *
look(void *arg)
{
	(void)arg;
	while (!atomic_load(&done)) {
		const struct table *t = catalog_find(catalog, BYTES_LITERAL("stays"));
		const struct table **all;
		struct bytes names[8];
		struct arena arena;
		uint32_t n;

		if (t == NULL || strcmp(t->name, "stays") != 0 || !bytes_is(t->partition.name, "pk"))
			abort();
		table_release(t);
		table_release(catalog_find(catalog, BYTES_LITERAL("comes and goes")));
		arena_init(&arena, 0);
		if (catalog_list(catalog, &arena, BYTES_NONE, 8, names, &n) != TIDE_OK || n == 0)
			abort();
		if (catalog_all(catalog, &arena, &all, &n) != TIDE_OK)
			abort();
		for (uint32_t i = 0; i < n; i++)
			table_release(all[i]);
		arena_fini(&arena);
		atomic_fetch_add(&looked, 1);
	}
	return NULL;
}

static void
tables_are_whole_at_every_moment(void **state)
{
	struct catalog_region regions[] = {{"aa-1", 1}, {"bb-2", 2}};
	pthread_t readers[READERS];
	struct tide_error error;

	(void)state;
	world_open(&world, 1, "memory");
	assert_int_equal(catalog_open(world.shard[1], regions, 2, &catalog, &error), TIDE_OK);
	create(100, "stays");
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, look, NULL), 0);
	for (uint64_t i = 0; i < ROUNDS; i++) {
		create(1000 + i, "comes and goes");
		change(100, turn_billing);
		if (i == ROUNDS / 2)
			change(100, catalog_write_global);
		if (i % 10 == 0)
			assert_int_equal(catalog_reload(catalog, &error), TIDE_OK);
		change(1000 + i, catalog_write_deleted);
	}
	while (atomic_load(&looked) < READERS * 100)
		sched_yield();
	atomic_store(&done, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	catalog_close(catalog);
	world_close(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tables_are_whole_at_every_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
