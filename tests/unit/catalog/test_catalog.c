#include "tests/unit/shard/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/catalog/catalog.h"

/* Regions with catalogs, no network and no membership: each story writes the facts itself. */

static const char *const names[] = {"", "aa-1", "bb-2", "cc-3"};

struct story {
	struct world world;
	struct catalog *catalog[REGIONS_MAX + 1];
};

static void
open_catalog(struct story *s, unsigned region)
{
	struct catalog_region regions[REGIONS_MAX];
	struct tide_error error;
	uint32_t n = 0;

	snprintf(regions[n].name, sizeof regions[n].name, "%s", names[region]);
	regions[n++].number = (uint8_t)region;
	for (unsigned r = 1; r <= s->world.n && r < sizeof names / sizeof *names; r++) {
		if (r == region)
			continue;
		snprintf(regions[n].name, sizeof regions[n].name, "%s", names[r]);
		regions[n++].number = (uint8_t)r;
	}
	assert_int_equal(
	    catalog_open(s->world.shard[region], regions, n, &s->catalog[region], &error), TIDE_OK);
}

static int
start(void **state)
{
	struct story *s = calloc(1, sizeof *s);

	assert_non_null(s);
	world_open(&s->world, 3, "leveldb");
	for (unsigned r = 1; r <= 3; r++)
		open_catalog(s, r);
	*state = s;
	return 0;
}

static int
end(void **state)
{
	struct story *s = *state;

	for (unsigned r = 1; r <= 3; r++)
		catalog_close(s->catalog[r]);
	world_close(&s->world);
	free(s);
	return 0;
}

static struct table *
described(uint64_t id, const char *name)
{
	struct table *t = table_new();

	assert_non_null(t);
	t->id = id;
	snprintf(t->name, sizeof t->name, "%s", name);
	t->attributes = arena_calloc(&t->arena, 2 * sizeof *t->attributes);
	assert_non_null(t->attributes);
	t->attributes[0] = (struct key_attribute){BYTES_LITERAL("pk"), VALUE_S};
	t->attributes[1] = (struct key_attribute){BYTES_LITERAL("sk"), VALUE_N};
	t->n_attributes = 2;
	t->partition = t->attributes[0];
	t->sort = t->attributes[1];
	t->has_sort = true;
	t->read_units = 5;
	t->write_units = 7;
	t->created_ms = 1234567;
	return t;
}

static tide_err
create(struct story *s, unsigned region, uint64_t id, const char *name)
{
	struct group *group = group_open(s->world.shard[region]);
	struct table *t = described(id, name);
	struct tide_error error;
	tide_err rc = catalog_write_new(s->catalog[region], group, t, &error);

	table_release(t);
	if (rc == TIDE_OK)
		assert_int_equal(group_table_state(group, id, REPLICA_ACTIVE), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	return rc;
}

typedef tide_err (*change_fn)(
    struct catalog *catalog, struct group *group, const struct table *table, const char *arg);

static void
change(struct story *s, unsigned region, uint64_t id, change_fn fn, const char *arg)
{
	struct group *group = group_open(s->world.shard[region]);
	const struct table *t;

	assert_int_equal(catalog_read(s->catalog[region], group, id, &t), TIDE_OK);
	assert_int_equal(fn(s->catalog[region], group, t, arg), TIDE_OK);
	table_release(t);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
}

static tide_err
make_global(struct catalog *catalog, struct group *group, const struct table *table, const char *arg)
{
	(void)arg;
	return catalog_write_global(catalog, group, table);
}

static tide_err
want(struct catalog *catalog, struct group *group, const struct table *table, const char *region)
{
	(void)catalog;
	return catalog_write_wanted(group, table, region, true);
}

static tide_err
unwant(struct catalog *catalog, struct group *group, const struct table *table, const char *region)
{
	(void)catalog;
	return catalog_write_wanted(group, table, region, false);
}

static tide_err
take_on(struct catalog *catalog, struct group *group, const struct table *table, const char *arg)
{
	(void)arg;
	assert_int_equal(catalog_write_claim(catalog, group, table, NULL), TIDE_OK);
	return catalog_write_status(catalog, group, table, TABLE_ACTIVE, 100);
}

static tide_err
change_units(struct catalog *catalog, struct group *group, const struct table *table, const char *arg)
{
	(void)catalog;
	((struct table *)table)->read_units = (uint64_t)atoi(arg);
	return catalog_write_billing(group, table);
}

static tide_err
start_stream(struct catalog *catalog, struct group *group, const struct table *table, const char *arg)
{
	struct table *t = (struct table *)table;

	(void)catalog;
	assert_true(stream_view_parse(bytes_of_string(arg), &t->stream));
	snprintf(t->stream_label, sizeof t->stream_label, "label");
	return catalog_write_stream(group, t);
}

static tide_err
remove_for_ever(struct catalog *catalog, struct group *group, const struct table *table, const char *arg)
{
	(void)arg;
	return catalog_write_deleted(catalog, group, table);
}

static tide_err
gone(struct catalog *catalog, struct group *group, const struct table *table, const char *arg)
{
	(void)arg;
	return catalog_write_gone(catalog, group, table);
}

/* "aa-1:ACTIVE bb-2:CREATING" */
static const char *
replicas(struct story *s, unsigned region, uint64_t id)
{
	static char text[256];
	const struct table *t = catalog_find_id(s->catalog[region], id);

	text[0] = 0;
	if (t == NULL)
		return "none";
	for (uint32_t i = 0; i < t->n_replicas; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s:%s", i == 0 ? "" : " ",
		    t->replicas[i].region, table_status_name(t->replicas[i].status));
	table_release(t);
	return text;
}

static bool
found(struct story *s, unsigned region, const char *name, uint64_t id)
{
	const struct table *t = catalog_find(s->catalog[region], bytes_of_string(name));
	bool same = t != NULL && t->id == id;

	table_release(t);
	return same;
}

/* Two replicas, both ACTIVE, of table `id` named `name`. */
static void
global_pair(struct story *s, uint64_t id, const char *name)
{
	assert_int_equal(create(s, 1, id, name), TIDE_OK);
	change(s, 1, id, make_global, NULL);
	change(s, 1, id, want, "bb-2");
	settle(&s->world);
	change(s, 2, id, take_on, NULL);
	settle(&s->world);
}

/* Every setting, as region `arg` would have it. */
static tide_err
set_all(struct catalog *catalog, struct group *group, const struct table *table, const char *arg)
{
	struct table *t = (struct table *)table;
	struct tag tags[] = {
	    {BYTES_LITERAL("a"), BYTES_LITERAL("")}, {BYTES_LITERAL("where"), bytes_of_string(arg)}};
	tide_err rc = TIDE_OK;

	t->ttl_attribute = BYTES_LITERAL("expires");
	t->infrequent_access = t->encrypted = true;
	t->class_changed_ms = 77;
	t->read_units_max = 5;
	t->warm_write_units = 6;
	t->tags = tags;
	t->n_tags = 2;
	t->policy = bytes_of_string(arg);
	t->policy_revision = 88;
	for (int k = SETTING_TTL; k <= SETTING_POLICY && rc == TIDE_OK; k++)
		rc = catalog_write_setting(catalog, group, t, (enum table_setting)k);
	t->tags = NULL;
	t->n_tags = 0;
	return rc;
}

static tide_err
unset_some(struct catalog *catalog, struct group *group, const struct table *table, const char *arg)
{
	struct table *t = (struct table *)table;
	tide_err rc;

	(void)arg;
	t->ttl_attribute = BYTES_NONE;
	t->n_tags = 0;
	if ((rc = catalog_write_setting(catalog, group, t, SETTING_TTL)) != TIDE_OK)
		return rc;
	return catalog_write_setting(catalog, group, t, SETTING_TAGS);
}

/* All settings stand in that region; its own are `own` (NULL: it has none). */
static void
assert_settings(struct story *s, unsigned region, uint64_t id, const char *own)
{
	const struct table *t = catalog_find_id(s->catalog[region], id);

	assert_non_null(t);
	assert_true(bytes_is(t->ttl_attribute, "expires"));
	assert_true(t->infrequent_access && t->encrypted);
	assert_int_equal(t->class_changed_ms, 77);
	assert_int_equal(t->read_units_max, 5);
	assert_int_equal(t->write_units_max, 0);
	assert_int_equal(t->warm_write_units, 6);
	assert_int_equal(t->n_tags, own != NULL ? 2 : 0);
	assert_int_equal(t->policy_revision, own != NULL ? 88 : 0);
	if (own != NULL) {
		assert_true(bytes_is(t->tags[0].key, "a") && t->tags[0].value.n == 0);
		assert_true(bytes_is(t->tags[1].value, own));
		assert_true(bytes_is(t->policy, own));
	}
	table_release(t);
}

/* --- stories --- */

static void
settings_go_with_their_table(void **state)
{
	struct story *s = *state;
	const struct table *t;

	assert_int_equal(create(s, 1, 100, "music"), TIDE_OK);
	change(s, 1, 100, set_all, "one");
	assert_settings(s, 1, 100, "one");
	change(s, 1, 100, make_global, NULL);
	change(s, 1, 100, want, "bb-2");
	settle(&s->world);
	change(s, 2, 100, take_on, NULL);
	settle(&s->world);
	assert_settings(s, 1, 100, "one");
	assert_settings(s, 2, 100, NULL);
	change(s, 2, 100, set_all, "two");
	settle(&s->world);
	assert_settings(s, 1, 100, "one");
	assert_settings(s, 2, 100, "two");
	change(s, 2, 100, unset_some, NULL);
	settle(&s->world);
	t = catalog_find_id(s->catalog[1], 100);
	assert_int_equal(t->ttl_attribute.n, 0);
	assert_int_equal(t->n_tags, 2);
	table_release(t);
	t = catalog_find_id(s->catalog[2], 100);
	assert_int_equal(t->n_tags, 0);
	table_release(t);
	/* Only "deleted" stays of it. */
	change(s, 2, 100, gone, NULL);
	change(s, 1, 100, remove_for_ever, NULL);
	settle(&s->world);
	assert_int_equal(count_items(&s->world, 2, TABLE_CATALOG, false), 1);
	assert_int_equal(count_items(&s->world, 1, TABLE_REGIONAL, false), 0);
}

static void
facts_make_the_table_that_was_written(void **state)
{
	struct story *s = *state;
	const struct table *t;

	assert_int_equal(create(s, 1, 100, "music"), TIDE_OK);
	change(s, 1, 100, start_stream, "OLD_IMAGE");
	t = catalog_find(s->catalog[1], BYTES_LITERAL("music"));
	assert_non_null(t);
	assert_int_equal(t->id, 100);
	assert_true(bytes_is(t->partition.name, "pk"));
	assert_int_equal(t->partition.type, VALUE_S);
	assert_true(t->has_sort && bytes_is(t->sort.name, "sk"));
	assert_int_equal(t->sort.type, VALUE_N);
	assert_int_equal(t->n_attributes, 2);
	assert_int_equal(t->read_units, 5);
	assert_int_equal(t->write_units, 7);
	assert_int_equal(t->created_ms, 1234567);
	assert_int_equal(t->stream, STREAM_OLD_IMAGE);
	assert_string_equal(t->stream_label, "label");
	assert_int_equal(t->status, TABLE_ACTIVE);
	assert_false(t->global || t->on_demand || t->deletion_protection || t->built_in);
	assert_int_equal(t->n_replicas, 0);
	table_release(t);
}

static void
a_catalog_that_opens_again_reads_the_same(void **state)
{
	struct story *s = *state;

	global_pair(s, 100, "music");
	assert_int_equal(create(s, 1, 101, "local"), TIDE_OK);
	catalog_close(s->catalog[1]);
	region_stop(&s->world, 1, false);
	region_start(&s->world, 1);
	open_catalog(s, 1);
	assert_true(found(s, 1, "music", 100));
	assert_true(found(s, 1, "local", 101));
	assert_string_equal(replicas(s, 1, 100), "aa-1:ACTIVE bb-2:ACTIVE");
}

static void
a_name_is_taken_once_even_in_one_group(void **state)
{
	struct story *s = *state;
	struct group *group = group_open(s->world.shard[1]);
	struct table *first = described(100, "music"), *second = described(101, "music");
	struct tide_error error;

	assert_int_equal(catalog_write_new(s->catalog[1], group, first, &error), TIDE_OK);
	assert_int_equal(catalog_write_new(s->catalog[1], group, second, &error), TIDE_RESOURCE_IN_USE);
	assert_string_equal(error.message, "Table already exists: music");
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	assert_int_equal(create(s, 1, 102, "music"), TIDE_RESOURCE_IN_USE);
	assert_true(found(s, 1, "music", 100));
	/* Another region knows nothing of it. */
	assert_int_equal(create(s, 2, 103, "music"), TIDE_OK);
	table_release(first);
	table_release(second);
}

static void
a_deleted_name_is_free_at_once(void **state)
{
	struct story *s = *state;
	struct group *group;
	const struct table *t;
	struct table *second = described(101, "music");

	assert_int_equal(create(s, 1, 100, "music"), TIDE_OK);
	group = group_open(s->world.shard[1]);
	assert_int_equal(catalog_read(s->catalog[1], group, 100, &t), TIDE_OK);
	assert_int_equal(catalog_write_deleted(s->catalog[1], group, t), TIDE_OK);
	assert_int_equal(catalog_write_new(s->catalog[1], group, second, NULL), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	assert_true(found(s, 1, "music", 101));
	assert_null(catalog_find_id(s->catalog[1], 100));
	table_release(t);
	table_release(second);
}

static void
the_first_replica_moves_the_facts_to_the_catalog(void **state)
{
	struct story *s = *state;

	assert_int_equal(create(s, 1, 100, "music"), TIDE_OK);
	assert_int_equal(count_items(&s->world, 1, TABLE_CATALOG, false), 0);
	settle(&s->world);
	assert_null(catalog_find_id(s->catalog[2], 100));
	change(s, 1, 100, make_global, NULL);
	change(s, 1, 100, want, "bb-2");
	/* The claim of the name stays: it is this region's own. */
	assert_int_equal(count_items(&s->world, 1, TABLE_REGIONAL, false), 1);
	assert_true(found(s, 1, "music", 100));
	assert_string_equal(replicas(s, 1, 100), "aa-1:ACTIVE bb-2:CREATING");
	settle(&s->world);
	assert_string_equal(replicas(s, 2, 100), "aa-1:ACTIVE bb-2:CREATING");
	assert_false(found(s, 2, "music", 100)); /* not before that region has taken it on */
	change(s, 2, 100, take_on, NULL);
	assert_true(found(s, 2, "music", 100));
	settle(&s->world);
	assert_string_equal(replicas(s, 1, 100), "aa-1:ACTIVE bb-2:ACTIVE");
	assert_string_equal(replicas(s, 3, 100), "aa-1:ACTIVE bb-2:ACTIVE");
	assert_converged(&s->world, TABLE_CATALOG);
}

static void
changes_of_two_settings_in_two_regions_both_hold(void **state)
{
	struct story *s = *state;

	global_pair(s, 100, "music");
	change(s, 1, 100, change_units, "50");
	change(s, 2, 100, start_stream, "NEW_AND_OLD_IMAGES");
	change(s, 2, 100, want, "cc-3");
	settle(&s->world);
	for (unsigned r = 1; r <= 3; r++) {
		const struct table *t = catalog_find_id(s->catalog[r], 100);

		assert_non_null(t);
		assert_int_equal(t->read_units, 50);
		assert_int_equal(t->stream, STREAM_NEW_AND_OLD_IMAGES);
		table_release(t);
		assert_string_equal(replicas(s, r, 100), "aa-1:ACTIVE bb-2:ACTIVE cc-3:CREATING");
	}
	assert_converged(&s->world, TABLE_CATALOG);
}

static void
of_all_removals_the_latest_is_void(void **state)
{
	struct story *s = *state;

	global_pair(s, 100, "music");
	change(s, 1, 100, unwant, "bb-2");
	s->world.now_ms += 1000;
	change(s, 2, 100, unwant, "aa-1"); /* later: it does not hold */
	settle(&s->world);
	for (unsigned r = 1; r <= 3; r++)
		assert_string_equal(replicas(s, r, 100), "aa-1:ACTIVE bb-2:DELETING");
	change(s, 2, 100, gone, NULL);
	settle(&s->world);
	assert_false(found(s, 2, "music", 100));
	for (unsigned r = 1; r <= 3; r++)
		assert_string_equal(replicas(s, r, 100), "aa-1:ACTIVE");
	/* The name in that region is free again. */
	assert_int_equal(create(s, 2, 200, "music"), TIDE_OK);
}

static void
deletion_is_terminal(void **state)
{
	struct story *s = *state;

	global_pair(s, 100, "music");
	change(s, 1, 100, remove_for_ever, NULL);
	s->world.now_ms += 1000;
	change(s, 2, 100, change_units, "50"); /* later, but of a table that is deleted */
	change(s, 2, 100, want, "cc-3");
	settle(&s->world);
	for (unsigned r = 1; r <= 3; r++) {
		const struct table *t = catalog_find_id(s->catalog[r], 100);

		assert_non_null(t);
		assert_true(t->deleted);
		assert_false(t->here);
		table_release(t);
		assert_false(found(s, r, "music", 100));
	}
	/* Region 2 can still tell which name it gives up. */
	change(s, 2, 100, gone, NULL);
	assert_int_equal(create(s, 2, 200, "music"), TIDE_OK);
}

static void
a_taken_name_refuses_the_replica(void **state)
{
	struct story *s = *state;
	struct group *group;
	const struct table *t;
	struct tide_error error;

	assert_int_equal(create(s, 2, 200, "music"), TIDE_OK);
	assert_int_equal(create(s, 1, 100, "music"), TIDE_OK);
	change(s, 1, 100, make_global, NULL);
	change(s, 1, 100, want, "bb-2");
	settle(&s->world);
	group = group_open(s->world.shard[2]);
	assert_int_equal(catalog_read(s->catalog[2], group, 100, &t), TIDE_OK);
	assert_int_equal(catalog_write_claim(s->catalog[2], group, t, &error), TIDE_RESOURCE_IN_USE);
	assert_int_equal(catalog_write_status(s->catalog[2], group, t, TABLE_CREATION_FAILED, 0), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	table_release(t);
	settle(&s->world);
	assert_true(found(s, 2, "music", 200));
	assert_string_equal(replicas(s, 1, 100), "aa-1:ACTIVE bb-2:CREATION_FAILED");
	/* It holds nothing, so the last one that does cannot be removed beside it. */
	change(s, 1, 100, unwant, "aa-1");
	assert_string_equal(replicas(s, 1, 100), "aa-1:ACTIVE bb-2:CREATION_FAILED");
	change(s, 1, 100, unwant, "bb-2");
	assert_string_equal(replicas(s, 1, 100), "aa-1:ACTIVE");
}

static void
names_are_listed_in_order_in_pages(void **state)
{
	static const char *const all[] = {"Zebra", "ant", "bee", "cat"};
	struct story *s = *state;
	struct bytes page[3];
	struct arena arena;
	uint32_t n;

	assert_int_equal(create(s, 1, 101, "cat"), TIDE_OK);
	assert_int_equal(create(s, 1, 102, "ant"), TIDE_OK);
	assert_int_equal(create(s, 1, 103, "Zebra"), TIDE_OK);
	assert_int_equal(create(s, 1, 104, "bee"), TIDE_OK);
	arena_init(&arena, 0);
	assert_int_equal(catalog_list(s->catalog[1], &arena, BYTES_NONE, 3, page, &n), TIDE_OK);
	assert_int_equal(n, 3);
	for (uint32_t i = 0; i < n; i++)
		assert_true(bytes_is(page[i], all[i]));
	assert_int_equal(catalog_list(s->catalog[1], &arena, page[2], 3, page, &n), TIDE_OK);
	assert_int_equal(n, 1);
	assert_true(bytes_is(page[0], all[3]));
	assert_int_equal(catalog_list(s->catalog[1], &arena, BYTES_LITERAL("azure"), 3, page, &n), TIDE_OK);
	assert_int_equal(n, 2);
	arena_fini(&arena);
}

static void
the_conflict_log_is_found_and_not_listed(void **state)
{
	struct story *s = *state;
	const struct table *t = catalog_find(s->catalog[1], BYTES_LITERAL("tidemark.conflicts"));
	struct bytes page[4];
	struct arena arena;
	uint32_t n;

	assert_non_null(t);
	assert_true(t->built_in);
	assert_int_equal(t->id, TABLE_CONFLICTS);
	assert_true(bytes_is(t->partition.name, "Item") && bytes_is(t->sort.name, "Version"));
	table_release(t);
	assert_null(catalog_find(s->catalog[1], BYTES_LITERAL("tidemark.catalog")));
	arena_init(&arena, 0);
	assert_int_equal(catalog_list(s->catalog[1], &arena, BYTES_NONE, 4, page, &n), TIDE_OK);
	assert_int_equal(n, 0);
	arena_fini(&arena);
}

static void
being_counted_is_kept_for_one_incarnation(void **state)
{
	struct story *s = *state;
	struct group *group = group_open(s->world.shard[1]);
	int32_t incarnation;

	assert_int_equal(catalog_read_counted(s->world.shard[1], &incarnation), TIDE_OK);
	assert_int_equal(incarnation, -1);
	assert_int_equal(catalog_write_counted(group, 65535), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	assert_int_equal(catalog_read_counted(s->world.shard[1], &incarnation), TIDE_OK);
	assert_int_equal(incarnation, 65535);
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, start, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    STORY(facts_make_the_table_that_was_written),
	    STORY(settings_go_with_their_table),
	    STORY(a_catalog_that_opens_again_reads_the_same),
	    STORY(a_name_is_taken_once_even_in_one_group),
	    STORY(a_deleted_name_is_free_at_once),
	    STORY(the_first_replica_moves_the_facts_to_the_catalog),
	    STORY(changes_of_two_settings_in_two_regions_both_hold),
	    STORY(of_all_removals_the_latest_is_void),
	    STORY(deletion_is_terminal),
	    STORY(a_taken_name_refuses_the_replica),
	    STORY(names_are_listed_in_order_in_pages),
	    STORY(the_conflict_log_is_found_and_not_listed),
	    STORY(being_counted_is_kept_for_one_incarnation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
