/* Indexes of one region: entries, projections, scans, backfill, coming and going. */
#include <stdio.h>
#include <stdlib.h>

#include "store/item/key.h"
#include "store/shard/index_priv.h"
#include "tests/unit/shard/index_world.h"
#include "tests/unit/shard/world.h"

/* --- the entry of an item --- */

static void
assert_projected(const struct index_def *def, const struct row *row, const struct row *want)
{
	struct buf key = {0}, image = {0}, entry = {0}, value = {0}, wanted = {0};
	uint64_t bytes = 0;

	row_key(row, &key);
	row_image(row, &image);
	assert_true(index_entry(def, buf_bytes(&key), buf_bytes(&image), &entry, &value, &bytes));
	row_image(want, &wanted);
	if (def->projection == INDEX_ALL)
		assert_int_equal(value.n, 0);
	else
		assert_true(bytes_equal(buf_bytes(&value), buf_bytes(&wanted)));
	assert_int_equal(bytes, item_encoded_size(buf_bytes(&wanted)));
	assert_memory_equal(entry.at + entry.n - key.n, key.at, key.n);
	buf_fini(&key);
	buf_fini(&image);
	buf_fini(&entry);
	buf_fini(&value);
	buf_fini(&wanted);
}

static void
an_entry_holds_what_is_projected(void **state)
{
	struct row whole = {.pk = "a", .g = "red", .h = "tall", .n = "7", .v = "x"};
	struct row keys = {.pk = "a", .g = "red"}, some = {.pk = "a", .g = "red", .n = "7", .v = "x"};
	struct index_def def;

	(void)state;
	def = def_of(1);
	assert_projected(&def, &whole, &keys);
	def = def_of(2);
	assert_projected(&def, &whole, &some);
	def = def_of(3);
	assert_projected(&def, &whole, &whole);
	def = def_of(4);
	assert_projected(&def, &whole, &whole);
}

static bool
has_entry(uint64_t id, const struct row *row)
{
	struct index_def def = def_of(id);
	struct buf key = {0}, image = {0}, entry = {0};
	bool has;

	row_key(row, &key);
	row_image(row, &image);
	has = index_entry(&def, buf_bytes(&key), buf_bytes(&image), &entry, NULL, NULL);
	assert_true(has || entry.n == 0);
	buf_fini(&key);
	buf_fini(&image);
	buf_fini(&entry);
	return has;
}

static void
an_item_without_the_keys_has_no_entry(void **state)
{
	char long_partition[2050], long_sort[1026];
	struct row row = {.pk = "a"};

	(void)state;
	memset(long_partition, 'x', sizeof long_partition);
	long_partition[2049] = 0;
	memset(long_sort, 'x', sizeof long_sort);
	long_sort[1025] = 0;
	assert_false(has_entry(1, &row));
	row.g = "red";
	assert_true(has_entry(1, &row));
	assert_false(has_entry(2, &row)); /* no sort key */
	row.n = "7";
	assert_true(has_entry(2, &row));
	assert_false(has_entry(4, &row));
	row.h = "tall";
	row.v = "x";
	assert_true(has_entry(4, &row));
	row.g = "";
	assert_false(has_entry(1, &row));
	row.g = NULL;
	row.bad_g = "12";
	assert_false(has_entry(1, &row));
	row.bad_g = NULL;
	row.g = long_partition;
	assert_false(has_entry(1, &row));
	long_partition[2048] = 0;
	assert_true(has_entry(1, &row));
	assert_false(has_entry(4, &row)); /* with the other partition attribute it is too long */
	row.g = "red";
	row.v = long_sort;
	assert_false(has_entry(4, &row));
	assert_false(index_entry(&(struct index_def){0}, BYTES_LITERAL("k"), BYTES_LITERAL("\xff\xff"),
	    &(struct buf){0}, NULL, NULL));
}

/* --- writes move entries --- */

static void
writes_move_entries(void **state)
{
	struct world world;
	struct shard *shard;

	(void)state;
	world_open(&world, 1, "leveldb");
	world_table(&world, USER_TABLE);
	shard = world.shard[1];
	for (uint64_t id = 1; id <= INDEX_KINDS; id++) {
		add_index(shard, USER_TABLE, id);
		assert_int_equal(view_of_index(shard, USER_TABLE, id).state, INDEX_COMPLETE);
	}
	put_row(shard, USER_TABLE, &(struct row){"a", .g = "red", .n = "10"});
	put_row(shard, USER_TABLE, &(struct row){"b", .g = "red", .n = "9"});
	put_row(shard, USER_TABLE, &(struct row){"c", .g = "red", .n = "-1", .h = "tall", .v = "x"});
	put_row(shard, USER_TABLE, &(struct row){"d", .n = "5"});
	assert_sound(shard, "after puts");
	assert_string_equal(listed(shard, USER_TABLE, 2), "c b a"); /* by number */
	assert_string_equal(listed(shard, USER_TABLE, 4), "c");
	assert_int_equal(view_of_index(shard, USER_TABLE, 1).items, 3);
	assert_int_equal(view_of_index(shard, USER_TABLE, 5).items, 4);
	/* Another key, another value, and gone from the index while the item stays. */
	put_row(shard, USER_TABLE, &(struct row){"c", .g = "red", .n = "99", .h = "tall", .v = "x"});
	assert_string_equal(listed(shard, USER_TABLE, 2), "b a c");
	put_row(shard, USER_TABLE, &(struct row){"b", .n = "9"});
	assert_string_equal(listed(shard, USER_TABLE, 2), "a c");
	delete_row(shard, USER_TABLE, "a");
	assert_string_equal(listed(shard, USER_TABLE, 2), "c");
	assert_sound(shard, "after changes");
	region_stop(&world, 1, false);
	region_start(&world, 1);
	shard = world.shard[1];
	assert_string_equal(listed(shard, USER_TABLE, 2), "c");
	assert_int_equal(view_of_index(shard, USER_TABLE, 2).items, 1);
	assert_sound(shard, "after replaying");
	region_stop(&world, 1, true);
	region_start(&world, 1);
	shard = world.shard[1];
	assert_string_equal(listed(shard, USER_TABLE, 2), "c");
	assert_sound(shard, "from a checkpoint");
	delete_row(shard, USER_TABLE, "c");
	assert_string_equal(listed(shard, USER_TABLE, 2), "");
	assert_int_equal(view_of_index(shard, USER_TABLE, 2).bytes, 0);
	world_close(&world); /* checks the folder */
}

static void
one_group_leaves_the_last_entry(void **state)
{
	struct group *group;
	struct world world;

	(void)state;
	world_open(&world, 1, "memory");
	world_table(&world, USER_TABLE);
	add_index(world.shard[1], USER_TABLE, 1);
	group = group_open(world.shard[1]);
	assert_int_equal(group_put_row(group, USER_TABLE, &(struct row){"a", .g = "red"}), TIDE_OK);
	assert_int_equal(group_put_row(group, USER_TABLE, &(struct row){"a", .g = "blue"}), TIDE_OK);
	assert_int_equal(group_put_row(group, USER_TABLE, &(struct row){"b", .g = "red"}), TIDE_OK);
	assert_int_equal(group_put_row(group, USER_TABLE, &(struct row){"a", .g = "red"}), TIDE_OK);
	assert_int_equal(group_put_row(group, USER_TABLE, &(struct row){"b"}), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	assert_string_equal(listed(world.shard[1], USER_TABLE, 1), "a");
	assert_sound(world.shard[1], "after a group");
	/* A group that is given up leaves nothing. */
	group = group_open(world.shard[1]);
	assert_int_equal(group_put_row(group, USER_TABLE, &(struct row){"c", .g = "red"}), TIDE_OK);
	group_abandon(group);
	assert_sound(world.shard[1], "after a group was given up");
	assert_int_equal(view_of_index(world.shard[1], USER_TABLE, 1).items, 1);
	world_close(&world);
}

/* --- scans --- */

static void
a_scan_has_bounds_and_a_direction(void **state)
{
	struct value red = {.type = VALUE_S, .text = BYTES_LITERAL("red")};
	struct value five = {.type = VALUE_N, .text = BYTES_LITERAL("5")};
	struct index_scan_range range = {.table = USER_TABLE, .index = 2};
	struct buf from = {0}, to = {0};
	struct index_scan *scan;
	struct index_row row;
	struct world world;
	char name[8], number[8];

	(void)state;
	world_open(&world, 1, "memory");
	world_table(&world, USER_TABLE);
	for (uint64_t id = 1; id <= 3; id++)
		add_index(world.shard[1], USER_TABLE, id);
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof name, "%c", 'a' + i);
		snprintf(number, sizeof number, "%d", i);
		put_row(world.shard[1], USER_TABLE,
		    &(struct row){name, .g = i % 2 ? "red" : "blue", .n = number, .v = "x"});
	}
	key_encode_composite_partition(&red, 1, &from);
	assert_true(key_prefix_end(buf_bytes(&from), &to));
	range.from = buf_bytes(&from);
	range.to = buf_bytes(&to);
	assert_string_equal(listed_range(world.shard[1], &range), "b d f h");
	range.backward = true;
	assert_string_equal(listed_range(world.shard[1], &range), "h f d b");
	key_encode_sort(&five, &from);
	range.from = buf_bytes(&from);
	assert_string_equal(listed_range(world.shard[1], &range), "h f");
	range.backward = false;
	assert_string_equal(listed_range(world.shard[1], &range), "f h");
	/* More than is projected, where it is asked for; and one moment, whatever is written meanwhile. */
	range.whole = true;
	assert_int_equal(shard_index_scan_open(world.shard[1], &range, &scan), TIDE_OK);
	delete_row(world.shard[1], USER_TABLE, "f");
	put_row(world.shard[1], USER_TABLE, &(struct row){"h", .g = "blue", .n = "1"});
	assert_int_equal(shard_index_scan_next(scan, &row), TIDE_OK);
	assert_int_equal(shard_index_scan_next(scan, &row), TIDE_OK);
	assert_int_equal(shard_index_scan_next(scan, &row), TIDE_NOTFOUND);
	shard_index_scan_close(scan);
	assert_string_equal(listed_range(world.shard[1], &range), "");
	range.index = 9;
	assert_int_equal(shard_index_scan_open(world.shard[1], &range, &scan), TIDE_NOTFOUND);
	buf_fini(&from);
	buf_fini(&to);
	world_close(&world);
}

/* --- coming and going --- */

static void
fill(struct shard *shard, int n)
{
	char name[16], number[16];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof name, "k%d", i);
		snprintf(number, sizeof number, "%d", i * 7 % n);
		put_row(shard, USER_TABLE,
		    &(struct row){name,
			.g = i % 5 == 0   ? NULL
			     : i % 2 == 0 ? "red"
					  : "blue",
			.bad_g = i % 5 == 0 ? "1" : NULL, .n = number, .v = "some value"});
	}
}

static void
a_backfill_goes_on_between_writes(void **state)
{
	struct index_scan_range range = {.table = USER_TABLE, .index = 2};
	struct index_scan *scan;
	struct world world;
	struct shard *shard;
	int steps = 0;

	(void)state;
	world_open(&world, 1, "leveldb");
	world_table(&world, USER_TABLE);
	shard = world.shard[1];
	fill(shard, 50);
	for (uint64_t id = 1; id <= INDEX_KINDS; id++)
		add_index(shard, USER_TABLE, id);
	assert_int_equal(view_of_index(shard, USER_TABLE, 2).state, INDEX_BACKFILLING);
	assert_int_equal(shard_index_scan_open(shard, &range, &scan), TIDE_AGAIN);
	while (!backfill_some(shard, USER_TABLE, 2, 100)) {
		char name[16];

		steps++;
		snprintf(name, sizeof name, "k%d", steps * 13 % 50);
		if (steps % 3 == 0)
			delete_row(shard, USER_TABLE, name);
		else
			put_row(shard, USER_TABLE, &(struct row){name, .g = "green", .n = "3"});
		snprintf(name, sizeof name, "new%d", steps);
		put_row(shard, USER_TABLE, &(struct row){name, .g = "green", .n = "4"});
		assert_sound(shard, "during a backfill");
		assert_true(view_of_index(shard, USER_TABLE, 2).looked_at > 0);
		if (steps % 4 == 0) { /* killed */
			region_stop(&world, 1, steps % 8 == 0);
			region_start(&world, 1);
			shard = world.shard[1];
			assert_sound(shard, "after a restart");
		}
	}
	assert_true(steps > 10);
	assert_int_equal(view_of_index(shard, USER_TABLE, 2).state, INDEX_COMPLETE);
	backfill_all(shard, USER_TABLE);
	assert_sound(shard, "after the backfill");
	assert_true(view_of_index(shard, USER_TABLE, 1).items > 30);
	world_close(&world);
}

static void
a_backfill_sees_what_its_group_has_written(void **state)
{
	struct index_progress progress;
	struct group *group;
	struct world world;
	struct buf key = {0};

	(void)state;
	world_open(&world, 1, "memory");
	world_table(&world, USER_TABLE);
	fill(world.shard[1], 6);
	add_index(world.shard[1], USER_TABLE, 1);
	group = group_open(world.shard[1]);
	assert_int_equal(group_put_row(group, USER_TABLE, &(struct row){"k1", .g = "other"}), TIDE_OK);
	assert_int_equal(group_put_row(group, USER_TABLE, &(struct row){"fresh", .g = "other"}), TIDE_OK);
	row_key(&(struct row){"k2"}, &key);
	assert_int_equal(group_delete(group, USER_TABLE, buf_bytes(&key), false), TIDE_OK);
	assert_int_equal(group_index_backfill(group, USER_TABLE, 1, 150, &progress), TIDE_OK);
	assert_false(progress.done);
	assert_int_equal(group_put_row(group, USER_TABLE, &(struct row){"k3", .g = "later"}), TIDE_OK);
	assert_int_equal(group_put_row(group, USER_TABLE, &(struct row){"k4", .g = "later"}), TIDE_OK);
	assert_int_equal(group_put_row(group, USER_TABLE, &(struct row){"k1"}), TIDE_OK);
	/* A second step waits for the next group. */
	assert_int_equal(group_index_backfill(group, USER_TABLE, 1, 1000000, &progress), TIDE_OK);
	assert_false(progress.done);
	assert_int_equal(progress.items, 0);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	assert_sound(world.shard[1], "after a group with a piece");
	backfill_all(world.shard[1], USER_TABLE);
	assert_sound(world.shard[1], "at the end");
	buf_fini(&key);
	world_close(&world);
}

static void
what_is_dropped_leaves_nothing(void **state)
{
	struct index_view *views;
	struct group *group;
	struct world world;
	struct shard *shard;
	struct arena arena;
	uint32_t n;

	(void)state;
	arena_init(&arena, 0);
	world_open(&world, 1, "leveldb");
	world_table(&world, USER_TABLE);
	shard = world.shard[1];
	add_index(shard, USER_TABLE, 1);
	add_index(shard, USER_TABLE, 2);
	fill(shard, 20);
	/* In one group with writes of before and after. */
	group = group_open(shard);
	assert_int_equal(group_put_row(group, USER_TABLE, &(struct row){"x", .g = "red", .n = "1"}), TIDE_OK);
	assert_int_equal(group_index_drop(group, USER_TABLE, 1), TIDE_OK);
	assert_int_equal(group_put_row(group, USER_TABLE, &(struct row){"y", .g = "red", .n = "2"}), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	drop_index(shard, USER_TABLE, 77); /* none */
	assert_int_equal(shard_index_views(shard, &arena, USER_TABLE, &views, &n), TIDE_OK);
	assert_int_equal(n, 1);
	assert_int_equal(views[0].id, 2);
	assert_sound(shard, "after a drop");
	region_stop(&world, 1, false);
	region_check(&world, 1); /* no entries of an index that is not there */
	region_start(&world, 1);
	shard = world.shard[1];
	/* With the table all go, and do not come back with it. */
	set_state(&world, 1, USER_TABLE, REPLICA_ABSENT);
	set_state(&world, 1, USER_TABLE, REPLICA_ACTIVE);
	assert_int_equal(shard_index_views(shard, &arena, USER_TABLE, &views, &n), TIDE_OK);
	assert_int_equal(n, 0);
	fill(shard, 3);
	arena_fini(&arena);
	world_close(&world);
}

static void
definitions_are_checked(void **state)
{
	struct index_def def = def_of(1), wrong;
	struct group *group;
	struct world world;

	(void)state;
	world_open(&world, 1, "memory");
	world_table(&world, USER_TABLE);
	group = group_open(world.shard[1]);
	wrong = def;
	wrong.id = 0;
	assert_int_equal(group_index_add(group, USER_TABLE, &wrong), TIDE_USAGE);
	wrong = def;
	wrong.n_partitions = 0;
	assert_int_equal(group_index_add(group, USER_TABLE, &wrong), TIDE_USAGE);
	wrong = def;
	wrong.partitions[0].type = VALUE_SS;
	assert_int_equal(group_index_add(group, USER_TABLE, &wrong), TIDE_USAGE);
	assert_int_equal(group_index_add(group, 12345, &def), TIDE_NOTFOUND);
	for (uint64_t id = 1; id <= INDEXES_MAX; id++) {
		def.id = id;
		assert_int_equal(group_index_add(group, USER_TABLE, &def), TIDE_OK);
		assert_int_equal(group_index_add(group, USER_TABLE, &def), TIDE_OK); /* again: nothing */
	}
	def.id = INDEXES_MAX + 1;
	assert_int_equal(group_index_add(group, USER_TABLE, &def), TIDE_USAGE);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	world_close(&world);
}

/* --- checking and repairing --- */

struct reported {
	char text[2000];
};

static void
take_report(void *arg, const char *fault)
{
	struct reported *reported = arg;
	size_t n = strlen(reported->text);

	snprintf(reported->text + n, sizeof reported->text - n, "%s\n", fault);
}

static void
check_folder(const char *dir, struct check_counts *counts, struct reported *reported)
{
	struct shard_options options = {.dir = dir, .kv_plugin = "leveldb", .journal_plugin = "segments"};
	struct tide_error error = {0};

	reported->text[0] = 0;
	if (shard_check(&options, NULL, take_report, reported, counts, &error) != TIDE_OK)
		fail_msg("%s", error.message);
}

/* The store key of an item's entry. */
static void
entry_of(uint64_t id, const struct row *row, struct buf *out)
{
	struct index_def def = def_of(id);
	struct buf key = {0}, image = {0}, entry = {0};

	row_key(row, &key);
	row_image(row, &image);
	assert_true(index_entry(&def, buf_bytes(&key), buf_bytes(&image), &entry, NULL, NULL));
	buf_clear(out);
	index_space_key(USER_TABLE, id, buf_bytes(&entry), out);
	buf_fini(&key);
	buf_fini(&image);
	buf_fini(&entry);
}

static void
a_damaged_index_is_named_and_made_again(void **state)
{
	struct row a = {"a", .g = "red", .n = "1"}, b = {"b", .g = "red", .n = "2"}, c = {"c", .g = "red"};
	struct shard_options options = {.kv_plugin = "leveldb", .journal_plugin = "segments"};
	struct reported reported;
	struct check_counts counts;
	struct tide_error error;
	struct kv_batch *batch;
	struct world world;
	struct buf key = {0};
	char dir[128];

	(void)state;
	world_open(&world, 1, "leveldb");
	world_table(&world, USER_TABLE);
	add_index(world.shard[1], USER_TABLE, 1);
	add_index(world.shard[1], USER_TABLE, 2);
	put_row(world.shard[1], USER_TABLE, &a);
	put_row(world.shard[1], USER_TABLE, &b);
	batch = kv_batch_new(shard_kv(world.shard[1]));
	entry_of(1, &a, &key); /* one is missing, */
	kv_batch_delete(batch, buf_bytes(&key));
	entry_of(2, &b, &key); /* one says something else, */
	kv_batch_put(batch, buf_bytes(&key), BYTES_LITERAL("\x80"));
	entry_of(1, &c, &key); /* one is of no item, */
	kv_batch_put(batch, buf_bytes(&key), BYTES_LITERAL("\x80"));
	buf_clear(&key); /* and one of no index */
	index_space_key(USER_TABLE, 9, BYTES_LITERAL("anything"), &key);
	kv_batch_put(batch, buf_bytes(&key), BYTES_LITERAL("\x80"));
	assert_int_equal(kv_write(shard_kv(world.shard[1]), batch), TIDE_OK);
	kv_batch_free(batch);
	buf_fini(&key);
	/* A checkpoint, or recovery would write again what it finds in the journal. */
	region_stop(&world, 1, true);
	snprintf(dir, sizeof dir, "%s/1", world.dir);
	check_folder(dir, &counts, &reported);
	assert_int_equal(counts.index_faults, 4);
	assert_int_equal(counts.faults, 4);
	assert_int_equal(counts.indexes, 2);
	assert_non_null(strstr(reported.text, "has no entry"));
	assert_non_null(strstr(reported.text, "is not its projection"));
	assert_non_null(strstr(reported.text, "which is not so"));
	assert_non_null(strstr(reported.text, "an index that is not there"));
	options.dir = dir;
	assert_int_equal(shard_repair_indexes(&options, &error), TIDE_OK);
	check_folder(dir, &counts, &reported);
	assert_int_equal(counts.faults, 0);
	assert_int_equal(counts.entries, 4);
	region_start(&world, 1);
	assert_string_equal(listed(world.shard[1], USER_TABLE, 2), "a b");
	world_close(&world);
}

/* Bytes of a peer: whatever they are, there is an entry or none. */
static void
any_image_has_an_entry_or_none(void **state)
{
	struct row row = {.pk = "a", .g = "red", .h = "tall", .n = "-12.5", .v = "x"};
	struct buf key = {0}, image = {0}, entry = {0}, value = {0};
	uint64_t bytes;

	(void)state;
	srand(5);
	row_key(&row, &key);
	for (int i = 0; i < 20000; i++) {
		struct index_def def = def_of(1 + (uint64_t)i % INDEX_KINDS);
		uint8_t *exact;
		size_t n;

		buf_clear(&image);
		buf_clear(&entry);
		buf_clear(&value);
		row_image(&row, &image);
		for (int k = rand() % 3; k >= 0; k--)
			image.at[(size_t)rand() % image.n] = (uint8_t)rand();
		n = rand() % 3 == 0 ? (size_t)rand() % image.n : image.n;
		assert_non_null(exact = malloc(n + 1)); /* so that a read behind its end is seen */
		memcpy(exact, image.at, n);
		(void)index_entry(&def, buf_bytes(&key), bytes_of(exact, n), &entry, &value, &bytes);
		free(exact);
	}
	buf_fini(&key);
	buf_fini(&image);
	buf_fini(&entry);
	buf_fini(&value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_entry_holds_what_is_projected),
	    cmocka_unit_test(an_item_without_the_keys_has_no_entry),
	    cmocka_unit_test(writes_move_entries),
	    cmocka_unit_test(one_group_leaves_the_last_entry),
	    cmocka_unit_test(a_scan_has_bounds_and_a_direction),
	    cmocka_unit_test(a_backfill_goes_on_between_writes),
	    cmocka_unit_test(a_backfill_sees_what_its_group_has_written),
	    cmocka_unit_test(what_is_dropped_leaves_nothing),
	    cmocka_unit_test(definitions_are_checked),
	    cmocka_unit_test(a_damaged_index_is_named_and_made_again),
	    cmocka_unit_test(any_image_has_an_entry_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
