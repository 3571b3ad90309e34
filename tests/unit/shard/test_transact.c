/* Transactions: all in one unit, applied whole elsewhere, and the tokens by which a second call is known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/item/value.h"
#include "store/shard/collect.h"
#include "tests/unit/shard/world.h"

#define OTHER_TABLE 101

/* What to write: a put of `value`, or with NULL a delete. */
struct part {
	uint64_t table;
	const char *key, *value;
};

struct texts {
	struct buf keys[8], images[8];
};

static struct group_write
make(struct texts *texts, uint32_t i, const struct part *part)
{
	struct member members[] = {
	    {BYTES_LITERAL("pk"), {.type = VALUE_S, .text = bytes_of_string(part->key)}},
	    {BYTES_LITERAL("v"),
		{.type = VALUE_S, .text = bytes_of_string(part->value != NULL ? part->value : "")}},
	};
	struct value item = {.type = VALUE_M, .map = {members, 2}};

	text_key(part->key, &texts->keys[i]);
	value_encode(&item, &texts->images[i]);
	return (struct group_write){.table = part->table,
	    .key = buf_bytes(&texts->keys[i]),
	    .image = part->value != NULL ? buf_bytes(&texts->images[i]) : BYTES_NONE,
	    .tombstone = part->value == NULL};
}

static tide_err
transact_in(struct group *group, const struct part *parts, uint32_t n, const char *token)
{
	struct texts texts = {0};
	struct group_write writes[8], aside;
	tide_err rc;

	for (uint32_t i = 0; i < n; i++)
		writes[i] = make(&texts, i, &parts[i]);
	if (token != NULL)
		aside = make(&texts, 7, &(struct part){TABLE_TOKENS, token, "digest"});
	rc = group_transact(group, writes, n, token != NULL ? &aside : NULL);
	for (uint32_t i = 0; i < 8; i++) {
		buf_fini(&texts.keys[i]);
		buf_fini(&texts.images[i]);
	}
	return rc;
}

static void
transact(struct world *world, unsigned region, const struct part *parts, uint32_t n, const char *token)
{
	struct group *group = group_open(world->shard[region]);

	assert_int_equal(transact_in(group, parts, n, token), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
}

static tide_err
token_of(struct world *world, unsigned region, const char *token)
{
	struct group *group = group_open(world->shard[region]);
	struct stored stored;
	struct buf key = {0};
	tide_err rc;

	text_key(token, &key);
	rc = group_token(group, buf_bytes(&key), &stored);
	buf_fini(&key);
	group_abandon(group);
	return rc;
}

/* --- the unit --- */

struct seen {
	unsigned units, records, parts[8], with_list;
	uint64_t clocks[8];
	bool lists_all;
};

static void
observe(void *arg, const struct unit *unit)
{
	struct seen *seen = arg;

	if (unit->kind != UNIT_LOCAL)
		return;
	seen->units++;
	seen->lists_all = true;
	for (uint32_t i = 0; i < unit->n_records && seen->records < 8; i++) {
		const struct record *record = &unit->records[i];

		seen->clocks[seen->records] = record->version.clock.v;
		seen->parts[seen->records++] = record->n_parts;
		for (uint32_t k = 0; k < record->n_parts; k++)
			if (record->parts[k].origin_seq != unit->records[k].origin_seq ||
			    record->parts[k].table != unit->records[k].table)
				seen->lists_all = false;
	}
}

static void
all_parts_are_in_one_unit_with_one_version(void **state)
{
	static const struct part parts[] = {{USER_TABLE, "a", "1"}, {OTHER_TABLE, "a", "1"},
	    {USER_TABLE, "nothing", NULL}, {USER_TABLE, "b", "1"}};
	struct seen seen = {0};
	struct world world;

	(void)state;
	world_open(&world, 1, "memory");
	world_table(&world, USER_TABLE);
	world_table(&world, OTHER_TABLE);
	shard_observe(world.shard[1], observe, &seen);
	transact(&world, 1, parts, 4, "token");
	assert_int_equal(seen.units, 1);
	assert_int_equal(seen.records, 4); /* three parts and the token: a delete of nothing is none */
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(seen.parts[i], i < 3 ? 3 : 0);
		assert_true(seen.clocks[i] == seen.clocks[0]);
	}
	assert_true(seen.lists_all);
	assert_string_equal(get_from(world.shard[1], OTHER_TABLE, "a"), "1");
	region_stop(&world, 1, false);
	region_check(&world, 1);
	region_start(&world, 1);
	assert_string_equal(get(&world, 1, "b"), "1");
	world_close(&world);
}

static void
a_transaction_that_changes_one_item_lists_no_parts(void **state)
{
	static const struct part parts[] = {{USER_TABLE, "a", "1"}, {USER_TABLE, "nothing", NULL}};
	struct seen seen = {0};
	struct world world;

	(void)state;
	world_open(&world, 1, "memory");
	world_table(&world, USER_TABLE);
	shard_observe(world.shard[1], observe, &seen);
	transact(&world, 1, parts, 2, NULL);
	assert_int_equal(seen.records, 1);
	assert_int_equal(seen.parts[0], 0);
	world_close(&world);
}

static void
it_is_one_unit_beside_notes_about_its_tables_too(void **state)
{
	static const struct part parts[] = {{USER_TABLE, "a", "1"}, {OTHER_TABLE, "a", "1"}};
	struct seen seen = {0};
	struct group *group;
	struct world world;

	(void)state;
	world_open(&world, 1, "memory");
	world_table(&world, USER_TABLE);
	shard_observe(world.shard[1], observe, &seen);
	group = group_open(world.shard[1]);
	assert_int_equal(group_put_text(group, USER_TABLE, "before", "1"), TIDE_OK);
	assert_int_equal(group_table_state(group, OTHER_TABLE, REPLICA_ACTIVE), TIDE_OK);
	assert_int_equal(transact_in(group, parts, 2, NULL), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	assert_int_equal(seen.units, 2);
	assert_int_equal(seen.parts[1], 2);
	assert_int_equal(seen.parts[2], 2);
	world_close(&world);
}

static void
nothing_is_written_where_a_part_cannot_be(void **state)
{
	static const struct part parts[] = {{USER_TABLE, "a", "1"}, {OTHER_TABLE, "a", "1"}};
	struct group *group;
	struct world world;

	(void)state;
	world_open(&world, 1, "memory");
	world_table(&world, USER_TABLE);
	group = group_open(world.shard[1]);
	assert_int_equal(transact_in(group, parts, 2, "token"), TIDE_NOTFOUND);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	assert_null(get(&world, 1, "a"));
	assert_int_equal(token_of(&world, 1, "token"), TIDE_NOTFOUND);
	world_close(&world);
}

/* --- in other regions --- */

/* `origin`'s units beyond nothing, as they travel, for both tables. */
static void
ship(struct world *world, unsigned origin, struct buf *units, struct arena *arena)
{
	static const struct ship_table tables[] = {
	    {TABLE_CATALOG, 0}, {TABLE_CONFLICTS, 0}, {USER_TABLE, 0}, {OTHER_TABLE, 0}};
	struct ship_batch batch;
	struct tide_error error;
	struct ship *ship;

	assert_int_equal(
	    ship_open(world->shard[origin], shard_id(world->shard[origin]), tables, 4, 0, &ship, NULL),
	    TIDE_OK);
	assert_int_equal(ship_next(ship, 1 << 20, arena, units, &batch, &error), TIDE_OK);
	ship_close(ship);
}

/* Apply the only unit of region 1 to region 2 with only its first `n` records, as if `via` had sent it. */
static tide_err
apply_cut(struct world *world, uint32_t n, uint16_t via, uint64_t *table)
{
	struct buf units = {0}, cut = {0};
	struct apply_stop stop = {0};
	struct tide_error error;
	struct arena arena;
	struct group *group;
	struct unit unit;
	tide_err rc;

	arena_init(&arena, 0);
	ship(world, 1, &units, &arena);
	assert_int_equal(
	    unit_decode(&arena, bytes_of(units.at + 4, bytes_u32(units.at)), &unit, &error), TIDE_OK);
	assert_true(unit.n_records >= n);
	unit.n_records = n;
	unit_encode_wire(&unit, &cut);
	group = group_open(world->shard[2]);
	rc = group_apply(group, buf_bytes(&cut), via, &stop, &error);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	*table = stop.table;
	buf_fini(&units);
	buf_fini(&cut);
	arena_fini(&arena);
	return rc;
}

static const struct part transfer[] = {{USER_TABLE, "a", "1"}, {OTHER_TABLE, "b", "2"}};

static void
half_a_transaction_is_not_applied(void **state)
{
	uint64_t table;
	struct world world;

	(void)state;
	world_open(&world, 2, "memory");
	world_table(&world, USER_TABLE);
	world_table(&world, OTHER_TABLE);
	transact(&world, 1, transfer, 2, NULL);
	assert_int_equal(apply_cut(&world, 1, 1, &table), TIDE_GAP);
	assert_true(table == OTHER_TABLE);
	assert_null(get(&world, 2, "a"));
	settle(&world);
	assert_string_equal(get(&world, 2, "a"), "1");
	assert_string_equal(get_from(world.shard[2], OTHER_TABLE, "b"), "2");
	assert_converged(&world, USER_TABLE);
	assert_converged(&world, OTHER_TABLE);
	world_close(&world);
}

static void
a_part_in_a_table_that_is_not_here_is_not_waited_for(void **state)
{
	uint64_t table;
	struct world world;

	(void)state;
	world_open(&world, 2, "memory");
	world_table(&world, USER_TABLE);
	set_state(&world, 1, OTHER_TABLE, REPLICA_ACTIVE);
	transact(&world, 1, transfer, 2, NULL);
	assert_int_equal(apply_cut(&world, 1, 1, &table), TIDE_OK);
	assert_string_equal(get(&world, 2, "a"), "1");
	world_close(&world);
}

static void
a_part_of_a_dead_journal_that_nobody_holds_is_void(void **state)
{
	struct world world;
	uint64_t table;

	(void)state;
	world_open(&world, 3, "memory");
	world_table(&world, USER_TABLE);
	world_table(&world, OTHER_TABLE);
	transact(&world, 1, transfer, 2, NULL);
	for (unsigned region = 2; region <= 3; region++) {
		note(&world, region, 1, false);
		note(&world, region, 5 - region, false);
		note(&world, region, 1, true);
	}
	/* Region 3 may have the other part: it has not said yet that it knows of the death, nor what it holds. */
	assert_int_equal(apply_cut(&world, 1, 3, &table), TIDE_GAP);
	tell(&world, 2, 3);
	assert_int_equal(apply_cut(&world, 1, 3, &table), TIDE_OK);
	assert_string_equal(get(&world, 2, "a"), "1");
	assert_null(get_from(world.shard[2], OTHER_TABLE, "b"));
	world_close(&world);
}

static void
a_relay_passes_a_transaction_on_whole(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 3, "leveldb");
	world_table(&world, USER_TABLE);
	world_table(&world, OTHER_TABLE);
	transact(&world, 1, transfer, 2, "token");
	assert_int_equal(pull(&world, 2, 1, 1), TIDE_OK);
	region_stop(&world, 2, false);
	region_start(&world, 2);
	assert_int_equal(pull(&world, 3, 2, 1), TIDE_OK);
	assert_string_equal(get(&world, 3, "a"), "1");
	assert_string_equal(get_from(world.shard[3], OTHER_TABLE, "b"), "2");
	assert_int_equal(count_items(&world, 3, TABLE_TOKENS, true), 0);
	settle(&world);
	assert_converged(&world, USER_TABLE);
	world_close(&world);
}

static void
parts_meet_other_writes_item_by_item(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2, "memory");
	world_table(&world, USER_TABLE);
	world_table(&world, OTHER_TABLE);
	transact(&world, 1, transfer, 2, NULL);
	world.now_ms += 10;
	put(&world, 2, "a", "later");
	settle(&world);
	assert_string_equal(get(&world, 1, "a"), "later");
	assert_string_equal(get_from(world.shard[2], OTHER_TABLE, "b"), "2");
	assert_int_equal(count_items(&world, 1, TABLE_CONFLICTS, false), 1);
	assert_converged(&world, USER_TABLE);
	assert_converged(&world, OTHER_TABLE);
	world_close(&world);
}

/* --- tokens --- */

static void
a_token_is_known_for_ten_minutes_over_restarts_and_then_goes(void **state)
{
	struct group *group;
	struct world world;
	uint32_t gone;

	(void)state;
	world_open(&world, 1, "leveldb");
	world_table(&world, USER_TABLE);
	transact(&world, 1, transfer, 1, "token");
	transact(&world, 1, NULL, 0, "only checks");
	region_stop(&world, 1, false);
	region_start(&world, 1);
	world.now_ms += TOKEN_KEPT_MS;
	assert_int_equal(token_of(&world, 1, "token"), TIDE_OK);
	assert_int_equal(token_of(&world, 1, "only checks"), TIDE_OK);
	assert_int_equal(token_of(&world, 1, "another"), TIDE_NOTFOUND);
	group = group_open(world.shard[1]);
	assert_int_equal(group_collect(group, 100, &gone), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	assert_int_equal(gone, 0);

	world.now_ms += 1;
	assert_int_equal(token_of(&world, 1, "token"), TIDE_NOTFOUND);
	group = group_open(world.shard[1]);
	assert_int_equal(group_collect(group, 100, &gone), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	assert_int_equal(gone, 2);
	assert_int_equal(count_items(&world, 1, TABLE_TOKENS, true), 0);
	region_stop(&world, 1, true);
	region_check(&world, 1);
	region_start(&world, 1);
	world_close(&world);
}

/* --- reading several items --- */

static void
several_reads_are_of_one_moment(void **state)
{
	struct shard_get_one reads[3] = {
	    {.table = USER_TABLE}, {.table = OTHER_TABLE}, {.table = USER_TABLE}};
	struct buf keys[3] = {0};
	struct world world;

	(void)state;
	world_open(&world, 1, "memory");
	world_table(&world, USER_TABLE);
	world_table(&world, OTHER_TABLE);
	transact(&world, 1, transfer, 2, NULL);
	delete (&world, 1, "a");
	text_key("a", &keys[0]);
	text_key("b", &keys[1]);
	text_key("never", &keys[2]);
	for (int i = 0; i < 3; i++)
		reads[i].key = buf_bytes(&keys[i]);
	assert_int_equal(shard_get_all(world.shard[1], reads, 3), TIDE_OK);
	assert_int_equal(reads[0].outcome, TIDE_NOTFOUND);
	assert_true(reads[0].stored.tombstone);
	assert_int_equal(reads[1].outcome, TIDE_OK);
	assert_int_equal(reads[2].outcome, TIDE_NOTFOUND);
	shard_get_all_fini(reads, 3);
	for (int i = 0; i < 3; i++)
		buf_fini(&keys[i]);
	world_close(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_parts_are_in_one_unit_with_one_version),
	    cmocka_unit_test(a_transaction_that_changes_one_item_lists_no_parts),
	    cmocka_unit_test(it_is_one_unit_beside_notes_about_its_tables_too),
	    cmocka_unit_test(nothing_is_written_where_a_part_cannot_be),
	    cmocka_unit_test(half_a_transaction_is_not_applied),
	    cmocka_unit_test(a_part_in_a_table_that_is_not_here_is_not_waited_for),
	    cmocka_unit_test(a_part_of_a_dead_journal_that_nobody_holds_is_void),
	    cmocka_unit_test(a_relay_passes_a_transaction_on_whole),
	    cmocka_unit_test(parts_meet_other_writes_item_by_item),
	    cmocka_unit_test(a_token_is_known_for_ten_minutes_over_restarts_and_then_goes),
	    cmocka_unit_test(several_reads_are_of_one_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
