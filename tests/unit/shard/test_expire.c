#include "tests/unit/shard/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/item/value.h"
#include "store/shard/expire.h"

#define NOW_S 1795000000ull
#define YEAR_S (365ull * 24 * 3600)

/* {"a": [{"ttl": 1}], "ttl": value} */
static void
encode(struct value ttl, struct buf *out)
{
	struct member inner[] = {{BYTES_LITERAL("ttl"), {.type = VALUE_N, .text = BYTES_LITERAL("1")}}};
	struct value map = {.type = VALUE_M, .map = {inner, 1}};
	struct member members[] = {
	    {BYTES_LITERAL("a"), {.type = VALUE_L, .list = {&map, 1}}},
	    {BYTES_LITERAL("ttl"), ttl},
	    {BYTES_LITERAL("z"), {.type = VALUE_N, .text = BYTES_LITERAL("7")}},
	};
	struct value item = {.type = VALUE_M, .map = {members, 3}};

	value_encode(&item, out);
	assert_int_equal(buf_check(out), TIDE_OK);
}

static struct value
number(const char *text)
{
	return (struct value){.type = VALUE_N, .text = bytes_of_string(text)};
}

static void
only_a_number_of_seconds_that_is_past_and_not_years_past_is_over(void **state)
{
	static const struct {
		const char *text;
		bool over;
	} cases[] = {
	    {"1794999999", true},
	    {"1795000000", false},
	    {"1795000001", false},
	    {"1794999999.5", true},
	    {"1637320001", true},
	    {"1637319999", false},
	    {"0", false},
	    {"-5", false},
	    {"1795000000000", false},
	    {"17949999990000000000000000000000000000000000000000000000000000", false},
	};
	struct buf image = {0};
	uint64_t overdue;

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		buf_clear(&image);
		encode(number(cases[i].text), &image);
		if (expire_is_over(buf_bytes(&image), BYTES_LITERAL("ttl"), NOW_S, &overdue) != cases[i].over)
			fail_msg("%s", cases[i].text);
	}
	buf_clear(&image);
	encode(number("1794999990"), &image);
	assert_true(expire_is_over(buf_bytes(&image), BYTES_LITERAL("ttl"), NOW_S, &overdue));
	assert_int_equal(overdue, 10);
	assert_false(expire_is_over(buf_bytes(&image), BYTES_LITERAL("a"), NOW_S, &overdue));
	assert_false(expire_is_over(buf_bytes(&image), BYTES_LITERAL("b"), NOW_S, &overdue));
	/* Not an item, or one that was cut: never over, and nothing is read past it. */
	for (size_t n = 0; n < image.n; n++) {
		uint8_t *cut = malloc(n + 1);

		assert_non_null(cut);
		memcpy(cut, image.at, n);
		(void)expire_is_over(bytes_of(cut, n), BYTES_LITERAL("ttl"), NOW_S, &overdue);
		(void)expire_is_over(bytes_of(cut, n), BYTES_LITERAL("zz"), NOW_S, &overdue);
		free(cut);
	}
	buf_clear(&image);
	encode((struct value){.type = VALUE_S, .text = BYTES_LITERAL("1794999999")}, &image);
	assert_false(expire_is_over(buf_bytes(&image), BYTES_LITERAL("ttl"), NOW_S, &overdue));
	buf_fini(&image);
}

static void
put_ttl(struct world *world, unsigned region, const char *name, const char *ttl)
{
	struct group *group = group_open(world->shard[region]);
	struct buf key = {0}, image = {0};

	text_key(name, &key);
	encode(number(ttl), &image);
	assert_int_equal(group_put(group, USER_TABLE, buf_bytes(&key), buf_bytes(&image), false), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	buf_fini(&key);
	buf_fini(&image);
}

static const struct expire_rule rule = {
    .table = USER_TABLE, .attribute = {(const uint8_t *)"ttl", 3}, .now_s = NOW_S};

static uint32_t
expire_found(struct world *world, unsigned region, const struct expire *expire)
{
	struct group *group = group_open(world->shard[region]);
	uint32_t n = 0;

	assert_int_equal(group_expire_found(group, &rule, expire, false, &n), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	return n;
}

static void
what_was_written_again_since_it_was_found_stays(void **state)
{
	struct expire expire = {0};
	struct world world;

	(void)state;
	world_open(&world, 1, "leveldb");
	world_table(&world, USER_TABLE);
	put_ttl(&world, 1, "rewritten", "1794999999");
	put_ttl(&world, 1, "deleted", "1794999999");
	put_ttl(&world, 1, "goes", "1794999999");
	put_ttl(&world, 1, "future", "1795000999");
	assert_int_equal(shard_expire_look(world.shard[1], &rule, &expire), TIDE_OK);
	assert_int_equal(expire.n, 3);
	assert_true(expire.ended);
	put_ttl(&world, 1, "rewritten", "1794999998");
	delete (&world, 1, "deleted");
	assert_int_equal(expire_found(&world, 1, &expire), 1);
	assert_int_equal(count_items(&world, 1, USER_TABLE, false), 2);
	expire_fini(&expire);
	world_close(&world);
}

static void
a_long_table_is_walked_in_pieces_and_nothing_is_left_out(void **state)
{
	struct expire expire = {0};
	struct world world;
	uint32_t expired = 0;
	unsigned looks = 0;
	char name[16];

	(void)state;
	world_open(&world, 1, "leveldb");
	world_table(&world, USER_TABLE);
	for (unsigned i = 0; i < EXPIRE_FOUND_MAX + 200; i++) {
		snprintf(name, sizeof name, "%05u", i);
		put_ttl(&world, 1, name, "1794999999");
	}
	do {
		assert_int_equal(shard_expire_look(world.shard[1], &rule, &expire), TIDE_OK);
		expired += expire_found(&world, 1, &expire);
		looks++;
	} while (!expire.ended);
	assert_int_equal(looks, 2);
	assert_int_equal(expired, EXPIRE_FOUND_MAX + 200);
	assert_int_equal(count_items(&world, 1, USER_TABLE, false), 0);
	expire_fini(&expire);
	world_close(&world);
}

/* Records of the table in a region's journal that say that time to live did it: of its own, and of others. */
static void
count_expired(struct world *world, unsigned region, unsigned *own, unsigned *others)
{
	struct journal *journal = shard_journal(world->shard[region]);
	struct journal_reader *reader;
	struct bytes payload;
	struct arena arena;
	struct unit unit;

	*own = *others = 0;
	arena_init(&arena, 0);
	assert_int_equal(journal_reader_open(journal, journal_first_seq(journal), &reader, NULL), TIDE_OK);
	while (journal_reader_next(reader, &payload, NULL, NULL) == TIDE_OK) {
		assert_int_equal(unit_decode(&arena, payload, &unit, NULL), TIDE_OK);
		for (uint32_t i = 0; i < unit.n_records; i++)
			*(unit.kind == UNIT_LOCAL ? own : others) += unit.records[i].expired;
	}
	journal_reader_close(reader);
	arena_fini(&arena);
}

static void
two_regions_that_expire_one_item_make_no_conflict(void **state)
{
	struct expire expire = {0};
	unsigned own, others;
	struct world world;

	(void)state;
	world_open(&world, 2, "leveldb");
	world_table(&world, USER_TABLE);
	put_ttl(&world, 1, "item", "1794999999");
	settle(&world);
	for (unsigned r = 1; r <= 2; r++) {
		assert_int_equal(shard_expire_look(world.shard[r], &rule, &expire), TIDE_OK);
		assert_int_equal(expire_found(&world, r, &expire), 1);
		expire_fini(&expire);
	}
	settle(&world);
	assert_converged(&world, USER_TABLE);
	assert_int_equal(count_items(&world, 1, USER_TABLE, false), 0);
	assert_int_equal(count_items(&world, 1, TABLE_CONFLICTS, false), 0);
	for (unsigned r = 1; r <= 2; r++) {
		count_expired(&world, r, &own, &others);
		assert_int_equal(own, 1);
		assert_int_equal(others, 0);
	}
	world_close(&world);
}

static void
a_delete_that_came_from_another_region_is_not_marked_again(void **state)
{
	struct expire expire = {0};
	unsigned own, others;
	struct world world;

	(void)state;
	world_open(&world, 2, "leveldb");
	world_table(&world, USER_TABLE);
	put_ttl(&world, 1, "item", "1794999999");
	settle(&world);
	assert_int_equal(shard_expire_look(world.shard[1], &rule, &expire), TIDE_OK);
	assert_int_equal(expire_found(&world, 1, &expire), 1);
	expire_fini(&expire);
	settle(&world);
	assert_int_equal(count_items(&world, 2, USER_TABLE, false), 0);
	count_expired(&world, 1, &own, &others);
	assert_int_equal(own, 1);
	count_expired(&world, 2, &own, &others);
	assert_int_equal(own + others, 0);
	world_close(&world);
}

static bool
late_only(void *arg, struct version version, uint64_t overdue_s)
{
	(void)arg;
	(void)version;
	return overdue_s > 100;
}

static void
what_is_another_regions_is_left_to_it(void **state)
{
	struct expire_rule ours = rule;
	struct expire expire = {0};
	struct world world;

	(void)state;
	ours.is_ours = late_only;
	world_open(&world, 1, "leveldb");
	world_table(&world, USER_TABLE);
	put_ttl(&world, 1, "late", "1794999000");
	put_ttl(&world, 1, "just now", "1794999999");
	assert_int_equal(shard_expire_look(world.shard[1], &ours, &expire), TIDE_OK);
	assert_int_equal(expire.n, 1);
	expire_fini(&expire);
	world_close(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_a_number_of_seconds_that_is_past_and_not_years_past_is_over),
	    cmocka_unit_test(what_was_written_again_since_it_was_found_stays),
	    cmocka_unit_test(a_long_table_is_walked_in_pieces_and_nothing_is_left_out),
	    cmocka_unit_test(two_regions_that_expire_one_item_make_no_conflict),
	    cmocka_unit_test(a_delete_that_came_from_another_region_is_not_marked_again),
	    cmocka_unit_test(what_is_another_regions_is_left_to_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
