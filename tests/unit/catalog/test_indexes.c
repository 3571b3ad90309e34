#include "tests/unit/shard/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/catalog/catalog.h"

/* Facts about indexes in two regions: what is made in both at the same time, and what every region makes of it. */

#define TABLE 900
static const char *const names[] = {"", "aa-1", "bb-2"};

struct story {
	struct world world;
	struct catalog *catalog[3];
};

static int
start(void **state)
{
	struct story *s = calloc(1, sizeof *s);

	assert_non_null(s);
	world_open(&s->world, 2, "leveldb");
	for (unsigned r = 1; r <= 2; r++) {
		struct catalog_region regions[2] = {{.number = (uint8_t)r}, {.number = (uint8_t)(3 - r)}};
		struct tide_error error;

		snprintf(regions[0].name, sizeof regions[0].name, "%s", names[r]);
		snprintf(regions[1].name, sizeof regions[1].name, "%s", names[3 - r]);
		assert_int_equal(
		    catalog_open(s->world.shard[r], regions, 2, &s->catalog[r], &error), TIDE_OK);
	}
	*state = s;
	return 0;
}

static int
end(void **state)
{
	struct story *s = *state;

	catalog_close(s->catalog[1]);
	catalog_close(s->catalog[2]);
	world_close(&s->world);
	free(s);
	return 0;
}

static struct table_index
made(uint64_t id, const char *name, const char *key, enum value_type type, uint64_t created_ms)
{
	struct table_index index = {.id = id,
	    .name = bytes_of_string(name),
	    .n_partitions = 1,
	    .projection = INDEX_INCLUDE,
	    .n_includes = 1,
	    .created_ms = created_ms,
	    .read_units = 5,
	    .write_units = 6};

	index.partitions[0] = (struct key_attribute){bytes_of_string(key), type};
	index.includes[0] = BYTES_LITERAL("extra");
	return index;
}

/* A global table with replicas in both regions, and an index "first" on attribute "a". */
static void
create(struct story *s)
{
	struct group *group = group_open(s->world.shard[1]);
	struct table *t = table_new();
	const struct table *read;
	struct tide_error error;

	assert_non_null(t);
	t->id = TABLE;
	snprintf(t->name, sizeof t->name, "music");
	t->partition = (struct key_attribute){BYTES_LITERAL("pk"), VALUE_S};
	t->indexes = arena_calloc(&t->arena, sizeof *t->indexes);
	t->indexes[0] = made(1, "first", "a", VALUE_S, 1000);
	t->n_indexes = 1;
	assert_int_equal(table_derive_attributes(t), TIDE_OK);
	assert_int_equal(catalog_write_new(s->catalog[1], group, t, &error), TIDE_OK);
	table_release(t);
	/* What this very group wrote is read through it. */
	assert_int_equal(catalog_read(s->catalog[1], group, TABLE, &read), TIDE_OK);
	assert_int_equal(read->n_indexes, 1);
	assert_int_equal(group_table_state(group, TABLE, REPLICA_ACTIVE), TIDE_OK);
	assert_int_equal(catalog_write_global(s->catalog[1], group, read), TIDE_OK);
	assert_int_equal(catalog_write_wanted(group, read, "bb-2", true), TIDE_OK);
	table_release(read);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	settle(&s->world);
}

static void
add(struct story *s, unsigned region, struct table_index index)
{
	struct group *group = group_open(s->world.shard[region]);
	const struct table *t;

	assert_int_equal(catalog_read(s->catalog[region], group, TABLE, &t), TIDE_OK);
	assert_int_equal(catalog_write_index(s->catalog[region], group, t, &index), TIDE_OK);
	table_release(t);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
}

static void
drop(struct story *s, unsigned region, const char *name)
{
	struct group *group = group_open(s->world.shard[region]);
	const struct table *t;

	assert_int_equal(catalog_read(s->catalog[region], group, TABLE, &t), TIDE_OK);
	assert_int_equal(catalog_write_index_deleted(group, t, bytes_of_string(name)), TIDE_OK);
	table_release(t);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
}

static void
set_units(struct story *s, unsigned region, const char *name, uint64_t units)
{
	struct group *group = group_open(s->world.shard[region]);
	struct table_index index;
	const struct table *t;

	assert_int_equal(catalog_read(s->catalog[region], group, TABLE, &t), TIDE_OK);
	index = *table_index_find(t, bytes_of_string(name));
	index.read_units = units;
	assert_int_equal(catalog_write_index_capacity(group, t, &index), TIDE_OK);
	table_release(t);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
}

/* "first:1 second:2 | a pk": names with ids in order, then the attributes. */
static const char *
shown(struct story *s, unsigned region)
{
	static char text[512];
	const struct table *t = catalog_find_id(s->catalog[region], TABLE);
	size_t n = 0;

	assert_non_null(t);
	text[0] = 0;
	for (uint32_t i = 0; i < t->n_indexes; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%.*s:%llu ", (int)t->indexes[i].name.n,
		    (const char *)t->indexes[i].name.at, (unsigned long long)t->indexes[i].id);
	n += (size_t)snprintf(text + n, sizeof text - n, "|");
	for (uint32_t i = 0; i < t->n_attributes; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, " %.*s", (int)t->attributes[i].name.n,
		    (const char *)t->attributes[i].name.at);
	table_release(t);
	return text;
}

static void
assert_shown(struct story *s, const char *expected)
{
	settle(&s->world);
	for (unsigned r = 1; r <= 2; r++)
		assert_string_equal(shown(s, r), expected);
}

static void
an_index_is_the_same_in_every_region_and_after_reading_all_again(void **state)
{
	struct story *s = *state;
	struct tide_error error;
	const struct table *t;

	create(s);
	add(s, 2, made(2, "second", "b", VALUE_N, 2000));
	assert_shown(s, "first:1 second:2 | a b pk");
	assert_int_equal(catalog_reload(s->catalog[1], &error), TIDE_OK);
	t = catalog_find_id(s->catalog[1], TABLE);
	assert_int_equal(t->n_indexes, 2);
	assert_int_equal(t->indexes[1].read_units, 5);
	assert_int_equal(t->indexes[1].write_units, 6);
	assert_int_equal(t->indexes[1].partitions[0].type, VALUE_N);
	assert_int_equal(t->indexes[1].projection, INDEX_INCLUDE);
	assert_true(table_index_projects(t, &t->indexes[1], BYTES_LITERAL("extra")));
	assert_true(table_index_projects(t, &t->indexes[1], BYTES_LITERAL("pk")));
	assert_false(table_index_projects(t, &t->indexes[1], BYTES_LITERAL("a")));
	table_release(t);
}

static void
of_two_with_one_name_the_older_stands_and_both_go_together(void **state)
{
	struct story *s = *state;

	create(s);
	add(s, 1, made(12, "same", "b", VALUE_S, 3000));
	add(s, 2, made(11, "same", "c", VALUE_S, 2000));
	assert_string_equal(shown(s, 1), "first:1 same:12 | a b pk");
	assert_string_equal(shown(s, 2), "first:1 same:11 | a c pk");
	assert_shown(s, "first:1 same:11 | a c pk");
	drop(s, 1, "same");
	assert_shown(s, "first:1 | a pk");
}

static void
of_two_types_of_one_attribute_the_older_stands(void **state)
{
	struct story *s = *state;

	create(s);
	add(s, 1, made(12, "later", "b", VALUE_N, 3000));
	add(s, 2, made(13, "sooner", "b", VALUE_S, 2000));
	assert_shown(s, "first:1 sooner:13 | a b pk");
	drop(s, 2, "sooner");
	assert_shown(s, "first:1 later:12 | a b pk");
}

static void
what_is_deleted_in_one_region_does_not_come_back_by_a_change_in_another(void **state)
{
	struct story *s = *state;

	create(s);
	set_units(s, 2, "first", 50);
	settle(&s->world);
	drop(s, 1, "first");
	set_units(s, 2, "first", 70);
	assert_shown(s, "| pk");
}

static void
a_fact_that_nobody_can_read_is_left_out_and_the_table_stays(void **state)
{
	struct table_index broken = made(77, "broken", "b", VALUE_S, 2000);
	struct story *s = *state;

	create(s);
	broken.n_partitions = 0;
	add(s, 1, broken);
	assert_shown(s, "first:1 | a pk");
}

static void
a_deleted_table_leaves_no_index(void **state)
{
	struct story *s = *state;
	struct group *group;
	const struct table *t;

	create(s);
	group = group_open(s->world.shard[1]);
	assert_int_equal(catalog_read(s->catalog[1], group, TABLE, &t), TIDE_OK);
	assert_int_equal(catalog_write_deleted(s->catalog[1], group, t), TIDE_OK);
	table_release(t);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	assert_shown(s, "|");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		an_index_is_the_same_in_every_region_and_after_reading_all_again, start, end),
	    cmocka_unit_test_setup_teardown(
		of_two_with_one_name_the_older_stands_and_both_go_together, start, end),
	    cmocka_unit_test_setup_teardown(of_two_types_of_one_attribute_the_older_stands, start, end),
	    cmocka_unit_test_setup_teardown(
		what_is_deleted_in_one_region_does_not_come_back_by_a_change_in_another, start, end),
	    cmocka_unit_test_setup_teardown(
		a_fact_that_nobody_can_read_is_left_out_and_the_table_stays, start, end),
	    cmocka_unit_test_setup_teardown(a_deleted_table_leaves_no_index, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
