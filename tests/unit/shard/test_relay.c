/* Relays: regions that send on what others wrote, while tables come and go and processes die. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/item/value.h"
#include "tests/unit/shard/world.h"

#define OTHER_TABLE 101

/* Make the table ACTIVE in `region` from a snapshot that `from` gives. */
static void
load(struct world *world, unsigned region, unsigned from, uint64_t table)
{
	struct snapshot *snapshot;

	set_state(world, region, table, REPLICA_CREATING);
	assert_int_equal(snapshot_open(world->shard[from], table, &snapshot), TIDE_OK);
	while (!load_step(world, region, snapshot, from, table, 7))
		continue;
	snapshot_close(snapshot);
	for (unsigned r = 1; r <= world->n; r++)
		if (r != region)
			pull(world, region, r, r);
	assert_int_equal(shard_table_state(world->shard[region], table), REPLICA_ACTIVE);
}

/* Regions 1 and 2 have the table with ten items of region 1; region 3 has loaded it. */
static void
three_of_whom_one_loaded(struct world *world, unsigned regions, bool origin_goes_on)
{
	world_open(world, regions, "leveldb");
	set_state(world, 1, USER_TABLE, REPLICA_ACTIVE);
	set_state(world, 2, USER_TABLE, REPLICA_ACTIVE);
	for (int i = 0; i < 10; i++) {
		char key[16];

		snprintf(key, sizeof key, "k%d", i);
		put(world, 1, key, "1");
	}
	settle(world);
	if (origin_goes_on) {
		put_in(world, 1, TABLE_CATALOG, "fact", "but not in that table");
		settle(world);
	}
	load(world, 3, 2, USER_TABLE);
}

static void
who_stands_at_the_floor_gets_what_comes_after_it(void **state)
{
	struct world world;

	(void)state;
	three_of_whom_one_loaded(&world, 3, true);
	put(&world, 1, "k1", "later");
	assert_int_equal(pull(&world, 3, 1, 1), TIDE_OK);
	/* Region 2's last record of the table is older than what region 3 loaded; it has missed nothing. */
	assert_int_equal(pull(&world, 2, 3, 1), TIDE_OK);
	assert_string_equal(get(&world, 2, "k1"), "later");
	settle(&world);
	assert_converged(&world, USER_TABLE);
	world_close(&world);
}

static void
what_was_loaded_is_not_relayed_as_records_even_after_a_crash(void **state)
{
	struct world world;

	(void)state;
	for (int crash = 0; crash < 2; crash++) {
		three_of_whom_one_loaded(&world, 4, false);
		if (crash) {
			region_stop(&world, 3, false);
			region_start(&world, 3);
		}
		/* Region 4 has seen nothing yet and asks region 3, which has the ten items but not their records. */
		region_stop(&world, 4, false);
		region_wipe(&world, 4);
		region_start(&world, 4);
		set_state(&world, 4, USER_TABLE, REPLICA_ACTIVE);
		assert_int_equal(pull(&world, 4, 3, 1), TIDE_NOTFOUND);
		for (int round = 0; round < 4; round++)
			for (unsigned r = 1; r <= 3; r++)
				pull(&world, 4, r, r);
		assert_int_equal(count_items(&world, 4, USER_TABLE, false), 10);
		world_close(&world);
	}
}

static void
a_loaded_item_is_seen_by_its_next_writer_even_after_a_crash(void **state)
{
	struct world world;

	(void)state;
	three_of_whom_one_loaded(&world, 3, false);
	region_stop(&world, 3, false);
	region_start(&world, 3);
	put(&world, 3, "k5", "over what was loaded");
	settle(&world);
	for (unsigned r = 1; r <= 3; r++) {
		assert_string_equal(get(&world, r, "k5"), "over what was loaded");
		assert_int_equal(count_items(&world, r, TABLE_CONFLICTS, false), 0);
	}
	world_close(&world);
}

static void
a_relay_whose_replica_goes_says_so(void **state)
{
	struct ship_table tables[] = {{TABLE_CATALOG, 0}, {TABLE_CONFLICTS, 0}, {USER_TABLE, 0}};
	struct tide_error error = {0};
	struct ship_batch batch;
	struct world world;
	struct buf units = {0};
	struct arena arena;
	struct ship *ship;

	(void)state;
	arena_init(&arena, 0);
	world_open(&world, 2, "leveldb");
	world_table(&world, USER_TABLE);
	put(&world, 1, "k", "1");
	assert_int_equal(pull(&world, 2, 1, 1), TIDE_OK);
	assert_int_equal(
	    ship_open(world.shard[2], shard_id(world.shard[1]), tables, 3, 0, &ship, NULL), TIDE_OK);
	assert_int_equal(ship_next(ship, 10000, &arena, &units, &batch, &error), TIDE_OK);
	assert_int_equal(batch.n_records, 1);
	set_state(&world, 2, USER_TABLE, REPLICA_ABSENT);
	put(&world, 1, "k", "2");
	put_in(&world, 1, TABLE_CATALOG, "fact", "1");
	assert_int_equal(pull(&world, 2, 1, 1), TIDE_OK);
	/* It has passed over k=2: to go on with the fact would make a hole. */
	buf_clear(&units);
	assert_int_equal(ship_next(ship, 10000, &arena, &units, &batch, &error), TIDE_GAP);
	ship_close(ship);
	assert_int_equal(
	    ship_open(world.shard[2], shard_id(world.shard[1]), tables, 3, 0, &ship, NULL), TIDE_NOTFOUND);
	world_close(&world);
	buf_fini(&units);
	arena_fini(&arena);
}

/* Write until segments are full, and let them go. */
static void
trim(struct world *world, unsigned region)
{
	struct tide_error error = {0};
	uint64_t below = 0;
	char key[16];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 2000; i++) {
			snprintf(key, sizeof key, "k%d", i);
			put(world, region, key,
			    "a value that fills segments, so that some are sealed and may go");
		}
		assert_int_equal(shard_checkpoint(world->shard[region], &error), TIDE_OK);
	}
	settle(world);
	world->now_ms += 100000;
	{
		struct group *group = group_open(world->shard[region]);

		assert_int_equal(group_trim(group, 1000, UINT64_MAX, &below), TIDE_OK);
		assert_int_equal(group_commit(group, &error), TIDE_OK);
	}
}

static void
a_replica_that_comes_back_knows_what_was_trimmed(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 3, "leveldb");
	world_table(&world, USER_TABLE);
	trim(&world, 1);
	assert_true(journal_first_seq(shard_journal(world.shard[1])) > 1);
	set_state(&world, 1, USER_TABLE, REPLICA_ABSENT);
	load(&world, 1, 2, USER_TABLE);
	region_stop(&world, 3, false);
	region_wipe(&world, 3);
	region_start(&world, 3);
	set_state(&world, 3, USER_TABLE, REPLICA_ACTIVE);
	assert_int_equal(pull(&world, 3, 1, 1), TIDE_NOTFOUND);
	world_close(&world);
}

static void
a_dead_journal_does_not_keep_segments(void **state)
{
	struct world world;
	struct group *group;

	(void)state;
	world_open(&world, 3, "leveldb");
	world_table(&world, USER_TABLE);
	settle(&world); /* region 3 has told that it holds nothing of what comes */
	region_stop(&world, 3, false);
	region_wipe(&world, 3);
	region_start(&world, 3);
	group = group_open(world.shard[3]);
	assert_int_equal(shard_take_incarnation(world.shard[3], 2, NULL), TIDE_OK);
	for (uint8_t r = 1; r <= 2; r++)
		assert_int_equal(group_note_member(group, r, 1, r, false), TIDE_OK);
	assert_int_equal(group_table_state(group, USER_TABLE, REPLICA_ACTIVE), TIDE_OK);
	assert_int_equal(group_table_shared(group, USER_TABLE, true), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	group = group_open(world.shard[1]);
	assert_int_equal(group_note_member(group, 3, 2, shard_nonce(world.shard[3]), false), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	/* What the others saw of the former life comes first. */
	assert_int_equal(pull_journal(&world, 3, 1, jid_make(3, 1, 0)), TIDE_OK);
	trim(&world, 1);
	assert_true(journal_first_seq(shard_journal(world.shard[1])) > 1);
	world_close(&world);
}

/* A unit of a journal that is nobody's, with one record, as a peer would send it. */
static tide_err
apply_foreign(struct world *world, unsigned region, struct bytes image, uint64_t seq, struct mark prev)
{
	struct jid origin = jid_make(9, 1, 0);
	struct unit unit = {.kind = UNIT_LOCAL, .origin = origin, .first_seq = 1, .n_records = 1};
	struct record record = {.version = {{0}, origin},
	    .origin_seq = seq,
	    .origin_prev = prev,
	    .table = USER_TABLE,
	    .image = image};
	struct group *group = group_open(world->shard[region]);
	struct buf key = {0}, wire = {0};
	struct tide_error error = {0};
	struct apply_stop stop;
	tide_err rc;

	text_key("k", &key);
	record.version.clock = hlc_of_ms(world->now_ms + seq);
	record.key = buf_bytes(&key);
	unit.records = &record;
	unit_encode_wire(&unit, &wire);
	rc = group_apply(group, buf_bytes(&wire), 9, &stop, &error);
	assert_int_equal(group_commit(group, &error), TIDE_OK);
	buf_fini(&key);
	buf_fini(&wire);
	return rc;
}

/* The entries of the log can be read, every one. */
static void
check_log(struct world *world, unsigned region, unsigned want)
{
	struct shard_scan_range range = {.table = TABLE_CONFLICTS};
	struct shard_scan *scan;
	struct stored stored;
	struct value entry;
	struct arena arena;
	struct bytes key;
	unsigned n = 0;

	arena_init(&arena, 0);
	assert_int_equal(shard_scan_open(world->shard[region], &range, &scan), TIDE_OK);
	while (shard_scan_next(scan, &key, &stored) == TIDE_OK) {
		assert_int_equal(value_decode(&arena, stored.image, &entry), TIDE_OK);
		assert_non_null(value_map_get(&entry, BYTES_LITERAL("Loser")));
		n++;
	}
	assert_int_equal(n, want);
	shard_scan_close(scan);
	arena_fini(&arena);
}

static void
an_image_that_cannot_be_read_loses_its_conflict_like_any_other(void **state)
{
	struct buf deep = {0};
	struct world world;

	(void)state;
	world_open(&world, 1, "leveldb");
	world_table(&world, USER_TABLE);
	put(&world, 1, "k", "ours");
	assert_int_equal(
	    apply_foreign(&world, 1, BYTES_LITERAL("\xc1 no item"), 1, (struct mark){0}), TIDE_OK);
	check_log(&world, 1, 1);
	put(&world, 1, "k", "ours again"); /* the shard is not sealed */
	/* An item as deep as one may be: {"a": [[...[nil]...]]} */
	buf_append(&deep,
	    "\x81\xa1"
	    "a",
	    3);
	for (int i = 0; i < NESTING_MAX - 1; i++)
		buf_append_byte(&deep, 0x91);
	buf_append_byte(&deep, 0xc0);
	world.now_ms += 10;
	assert_int_equal(
	    apply_foreign(&world, 1, buf_bytes(&deep), 2, (struct mark){1, hlc_of_ms(world.now_ms - 10 + 1)}),
	    TIDE_OK);
	check_log(&world, 1, 2);
	buf_fini(&deep);
	world_close(&world);
}

static void
while_the_conflict_log_is_loaded_nothing_gets_in_between(void **state)
{
	struct snapshot *snapshot;
	struct world world;

	(void)state;
	world_open(&world, 2, "leveldb");
	world_table(&world, USER_TABLE);
	put(&world, 1, "k", "early");
	world.now_ms += 10;
	put(&world, 2, "k", "late");
	set_state(&world, 2, TABLE_CONFLICTS, REPLICA_CREATING);
	assert_int_equal(snapshot_open(world.shard[1], TABLE_CONFLICTS, &snapshot), TIDE_OK);
	assert_int_equal(pull(&world, 2, 1, 1), TIDE_OK); /* region 2 finds the conflict */
	assert_int_equal(count_items(&world, 2, TABLE_CONFLICTS, true), 0);
	/* An entry of its own would have to be in the snapshot, which was taken before. */
	while (!load_step(&world, 2, snapshot, 1, TABLE_CONFLICTS, 3))
		continue;
	snapshot_close(snapshot);
	settle(&world);
	for (unsigned r = 1; r <= 2; r++)
		assert_int_equal(count_items(&world, r, TABLE_CONFLICTS, false), 1);
	world_close(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_stands_at_the_floor_gets_what_comes_after_it),
	    cmocka_unit_test(what_was_loaded_is_not_relayed_as_records_even_after_a_crash),
	    cmocka_unit_test(a_loaded_item_is_seen_by_its_next_writer_even_after_a_crash),
	    cmocka_unit_test(a_relay_whose_replica_goes_says_so),
	    cmocka_unit_test(a_replica_that_comes_back_knows_what_was_trimmed),
	    cmocka_unit_test(a_dead_journal_does_not_keep_segments),
	    cmocka_unit_test(an_image_that_cannot_be_read_loses_its_conflict_like_any_other),
	    cmocka_unit_test(while_the_conflict_log_is_loaded_nothing_gets_in_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
