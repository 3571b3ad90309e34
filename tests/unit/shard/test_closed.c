/* Dead journals: when they are closed, and what follows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/shard/world.h"

#define OTHER_TABLE 101

static unsigned
closed(struct world *world, unsigned at, unsigned region)
{
	struct shard_view view;
	struct arena arena;
	unsigned through = 0;

	arena_init(&arena, 0);
	assert_int_equal(shard_view(world->shard[at], &arena, &view), TIDE_OK);
	if (at == region)
		through = view.own_closed;
	for (size_t i = 0; i < view.n_members && at != region; i++)
		if (view.members[i].region == region)
			through = view.members[i].closed;
	arena_fini(&arena);
	return through;
}

static void
tell_all(struct world *world)
{
	for (unsigned to = 1; to <= world->n; to++)
		for (unsigned from = 1; from <= world->n; from++)
			if (to != from && world->shard[to] != NULL && world->shard[from] != NULL)
				tell(world, to, from);
}

/* Region 1's folder is lost; it comes back under its second journal and holds the table, empty. */
static void
lose(struct world *world)
{
	struct tide_error error = {0};
	struct group *group;

	region_stop(world, 1, false);
	region_wipe(world, 1);
	region_start(world, 1);
	group = group_open(world->shard[1]);
	assert_int_equal(shard_take_incarnation(world->shard[1], 2, &error), TIDE_OK);
	assert_int_equal(group_commit(group, &error), TIDE_OK);
	set_state(world, 1, USER_TABLE, REPLICA_ACTIVE);
	for (unsigned r = 2; r <= world->n; r++)
		note(world, 1, r, false);
}

/* Region 1 wrote five items, of which region 2 has all and region 3 two; then its folder is lost. */
static struct jid
a_lost_region_of(struct world *world, unsigned regions)
{
	struct jid dead;

	world_open(world, regions, "leveldb");
	world_table(world, USER_TABLE);
	put(world, 1, "a", "1");
	put(world, 1, "b", "1");
	settle(world);
	put(world, 1, "c", "1");
	delete (world, 1, "a");
	put(world, 1, "d", "1");
	assert_int_equal(pull(world, 2, 1, 1), TIDE_OK);
	dead = shard_id(world->shard[1]);
	lose(world);
	return dead;
}

static struct jid
a_lost_region(struct world *world)
{
	return a_lost_region_of(world, 3);
}

static void
a_journal_is_closed_when_all_know_and_nobody_has_more(void **state)
{
	struct world world;
	struct jid dead = a_lost_region(&world);

	(void)state;
	note(&world, 2, 1, false);
	tell_all(&world);
	assert_int_equal(
	    closed(&world, 2, 1), 0); /* region 3 may still take records of it from its own region */
	note(&world, 3, 1, false);
	tell_all(&world);
	assert_int_equal(closed(&world, 2, 1), 1);
	assert_int_equal(closed(&world, 3, 1), 0); /* region 2 has more */
	assert_int_equal(closed(&world, 1, 1), 0);
	assert_int_equal(pull_journal(&world, 3, 2, dead), TIDE_OK);
	tell_all(&world);
	assert_int_equal(closed(&world, 3, 1), 1);
	assert_int_equal(closed(&world, 1, 1), 0);
	assert_int_equal(pull_journal(&world, 1, 3, dead), TIDE_OK);
	tell_all(&world);
	assert_int_equal(closed(&world, 1, 1), 1);
	settle(&world);
	assert_converged(&world, USER_TABLE);
	world_close(&world);
}

/* Region 4 has loaded from region 2 what region 2 alone had of the dead journal; then region 2 is lost, too. */
static void
nothing_is_closed_while_a_replica_loads(void **state)
{
	struct snapshot *snapshot;
	struct world world;
	char key[8];

	(void)state;
	a_lost_region_of(&world, 4);
	for (unsigned i = 0; i < 30; i++) {
		snprintf(key, sizeof key, "f%u", i);
		put(&world, 2, key, "what makes a snapshot of more than one piece");
	}
	for (unsigned r = 2; r <= 4; r++)
		note(&world, r, 1, false);
	set_state(&world, 4, USER_TABLE, REPLICA_CREATING);
	assert_int_equal(snapshot_open(world.shard[2], USER_TABLE, &snapshot), TIDE_OK);
	assert_false(load_step(&world, 4, snapshot, 2, USER_TABLE, 7));
	snapshot_close(snapshot);
	region_stop(&world, 2, false);
	for (unsigned r = 1; r <= 4; r++)
		if (r != 2)
			note(&world, r, 2, true);
	tell_all(&world);
	assert_int_equal(closed(&world, 3, 1), 0);
	set_state(&world, 4, USER_TABLE, REPLICA_ABSENT); /* it was in vain */
	tell_all(&world);
	assert_int_equal(closed(&world, 3, 1), 1);
	region_start(&world, 2);
	world_close(&world);
}

static void
load_all(struct world *world, unsigned to, unsigned from, uint64_t table, uint64_t id)
{
	struct snapshot *snapshot;

	assert_int_equal(snapshot_open(world->shard[from], table, &snapshot), TIDE_OK);
	while (!load_step(world, to, snapshot, from, table, id))
		;
	snapshot_close(snapshot);
}

static bool
alone_with(struct world *world, unsigned region)
{
	struct group *group = group_open(world->shard[region]);
	bool alone = group_alone_with(group, USER_TABLE);

	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	return alone;
}

/* Region 4 has loaded what region 2 alone had of the dead journal; then region 2 is lost, too, and region 4 has no such records to send. */
static void
what_only_a_replica_that_catches_up_has_is_loaded_from_it(void **state)
{
	struct world world;

	(void)state;
	a_lost_region_of(&world, 4);
	for (unsigned r = 2; r <= 4; r++)
		note(&world, r, 1, false);
	set_state(&world, 4, USER_TABLE, REPLICA_CREATING);
	load_all(&world, 4, 2, USER_TABLE, 7);
	assert_int_equal(shard_table_state(world.shard[4], USER_TABLE), REPLICA_CATCHUP);
	note(&world, 4, 2, false);
	tell(&world, 4, 2);
	assert_false(alone_with(&world, 4)); /* region 2 can be read */
	region_stop(&world, 2, false);
	for (unsigned r = 1; r <= 4; r++)
		if (r != 2)
			note(&world, r, 2, true);
	tell_all(&world);
	assert_true(alone_with(&world, 4));
	assert_int_equal(closed(&world, 3, 1), 0);
	rejoin_start(&world, 3, USER_TABLE);
	load_all(&world, 3, 4, USER_TABLE, 8);
	rejoin_merge(&world, 3);
	assert_string_equal(get(&world, 3, "d"), "1");
	assert_null(get(&world, 3, "a"));
	tell_all(&world);
	assert_int_equal(closed(&world, 3, 1), 1);
	region_start(&world, 2);
	world_close(&world);
}

/* Nothing can be read there yet, and nobody has more of the dead journal: nobody will tell how far it is complete. */
static void
a_region_whose_tables_all_catch_up_stands_where_they_do(void **state)
{
	static const uint64_t tables[] = {TABLE_CATALOG, TABLE_CONFLICTS, USER_TABLE};
	struct tide_error error = {0};
	struct world world;
	struct group *group;
	bool changed;

	(void)state;
	a_lost_region_of(&world, 4);
	for (unsigned r = 2; r <= 4; r++)
		note(&world, r, 1, false);
	region_stop(&world, 4, false);
	region_wipe(&world, 4);
	region_start(&world, 4);
	note(&world, 4, 1, false);
	for (unsigned i = 0; i < 3; i++)
		set_state(&world, 4, tables[i], REPLICA_CREATING);
	for (unsigned i = 0; i < 3; i++)
		load_all(&world, 4, 2, tables[i], 7 + i);
	put(&world, 2, "x", "2"); /* its writer had seen all that region 2 has of the dead journal */
	group = group_open(world.shard[4]);
	assert_int_equal(group_align(group, &changed), TIDE_OK);
	assert_int_equal(group_commit(group, &error), TIDE_OK);
	assert_int_equal(pull(&world, 4, 2, 2), TIDE_OK);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(shard_table_state(world.shard[4], tables[i]), REPLICA_ACTIVE);
	assert_string_equal(get(&world, 4, "x"), "2");
	world_close(&world);
}

static void
what_is_closed_is_durable(void **state)
{
	struct tide_error error;
	struct world world;

	(void)state;
	for (int checkpoint = 0; checkpoint < 2; checkpoint++) {
		a_lost_region(&world);
		note(&world, 2, 1, false);
		note(&world, 3, 1, false);
		tell_all(&world);
		assert_int_equal(closed(&world, 2, 1), 1);
		if (checkpoint)
			assert_int_equal(shard_checkpoint(world.shard[2], &error), TIDE_OK);
		region_stop(&world, 2, false);
		region_start(&world, 2);
		assert_int_equal(closed(&world, 2, 1), 1);
		world_close(&world);
	}
}

/* A region of the configuration that was never heard of may have more. */
static void
a_region_not_yet_heard_of_is_waited_for(void **state)
{
	static const uint8_t others[] = {1, 3, 4};
	struct world world;

	(void)state;
	a_lost_region(&world);
	shard_set_peers(world.shard[2], others, 3);
	note(&world, 2, 1, false);
	note(&world, 3, 1, false);
	tell_all(&world);
	assert_int_equal(closed(&world, 2, 1), 0);
	world_close(&world);
}

/* Who knew less of deaths may have taken records from somebody whom we do not wait for. */
static void
an_answer_that_knew_fewer_deaths_does_not_count(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 4, "leveldb");
	world_table(&world, USER_TABLE);
	put(&world, 1, "a", "1");
	settle(&world);
	lose(&world);
	for (unsigned r = 2; r <= 4; r++)
		note(&world, r, 1, false);
	pull_journal(&world, 1, 2, jid_make(1, 1, 0));
	tell(&world, 2, 1);
	tell(&world, 2, 3);
	note(&world, 2, 4, true); /* only region 2 knows that region 4 is lost */
	tell(&world, 2, 1);
	assert_int_equal(closed(&world, 2, 1), 0);
	note(&world, 1, 4, true);
	note(&world, 3, 4, true);
	tell(&world, 2, 1);
	tell(&world, 2, 3);
	assert_int_equal(closed(&world, 2, 1), 1);
	assert_int_equal(closed(&world, 2, 4), 1);
	world_close(&world);
}

static void
a_death_is_learned_from_others(void **state)
{
	struct shard_view view;
	struct world world;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	world_open(&world, 3, "leveldb");
	note(&world, 2, 1, true);
	tell(&world, 3, 2);
	assert_int_equal(shard_view(world.shard[3], &arena, &view), TIDE_OK);
	assert_true(view.members[0].region == 1 && view.members[0].lost);
	/* The one that it is about hears that its journal is over, and writes no more; also after a crash. */
	tell(&world, 1, 2);
	region_stop(&world, 1, false);
	region_start(&world, 1);
	assert_int_equal(shard_view(world.shard[1], &arena, &view), TIDE_OK);
	assert_int_equal(view.fork.reason, FORK_LOST);
	world_close(&world);
	arena_fini(&arena);
}

/* Region 3 hears from region 2 that region 1 was born again, before it hears region 1 itself. */
static void
a_death_that_the_next_incarnation_told_is_no_loss(void **state)
{
	struct shard_view view;
	struct world world;
	struct arena arena;
	struct jid dead = a_lost_region(&world);

	(void)state;
	arena_init(&arena, 0);
	note(&world, 2, 1, false);
	assert_int_equal(pull_journal(&world, 3, 2, dead), TIDE_OK);
	tell(&world, 3, 2);
	assert_int_equal(shard_view(world.shard[3], &arena, &view), TIDE_OK);
	assert_true(view.members[0].region == 1 && view.members[0].incarnation == 2 &&
		    view.members[0].nonce == shard_nonce(world.shard[1]) && !view.members[0].lost);
	/* What it holds by now is not known: nothing is closed without its word. */
	assert_int_equal(closed(&world, 3, 1), 0);
	tell(&world, 3, 1);
	assert_int_equal(closed(&world, 3, 1), 1);
	world_close(&world);
	arena_fini(&arena);
}

/*
 * Region 1 is a member under its second journal and alone has a record of region 3, which is lost. Region 2 has not met region 1 since and
 * hears of its death from region 4: not of a region that is lost, but of one to wait for.
 */
static void
a_region_born_again_is_waited_for_before_it_is_met(void **state)
{
	enum { UNKNOWN, FORMER_KNOWN, DECLARED_LOST, CASES };

	(void)state;
	for (int had = 0; had < CASES; had++) {
		struct shard_view view;
		struct world world;
		struct arena arena;
		struct jid dead;

		arena_init(&arena, 0);
		world_open(&world, 4, "leveldb");
		world_table(&world, USER_TABLE);
		if (had == FORMER_KNOWN)
			note(&world, 2, 1, false);
		if (had == DECLARED_LOST)
			note(&world, 2, 1, true);
		lose(&world);
		dead = shard_id(world.shard[3]);
		put(&world, 3, "a", "1");
		assert_int_equal(pull(&world, 1, 3, 3), TIDE_OK);
		region_stop(&world, 3, false);
		note(&world, 1, 3, true);
		note(&world, 2, 3, true);
		note(&world, 4, 3, true);
		note(&world, 4, 1, false);
		tell(&world, 2, 4);
		assert_int_equal(shard_view(world.shard[2], &arena, &view), TIDE_OK);
		assert_int_equal(view.members[0].region, 1);
		assert_int_equal(view.members[0].incarnation, 2);
		assert_true(view.members[0].nonce == shard_nonce(world.shard[1]));
		assert_false(view.members[0].lost);
		assert_int_equal(closed(&world, 2, 3), 0);
		tell(&world, 2, 1);
		assert_int_equal(closed(&world, 2, 3), 0);
		assert_int_equal(pull_journal(&world, 2, 1, dead), TIDE_OK);
		assert_string_equal(get(&world, 2, "a"), "1");
		tell(&world, 2, 1);
		assert_int_equal(closed(&world, 2, 3), 1);
		region_start(&world, 3);
		world_close(&world);
		arena_fini(&arena);
	}
}

/* Nothing of a region that was declared lost is taken, so that its return cannot open what was closed. */
static void
a_lost_region_that_comes_back_is_not_listened_to(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 3, "leveldb");
	world_table(&world, USER_TABLE);
	put(&world, 1, "a", "1");
	settle(&world);
	put(&world, 1, "b", "only there");
	put(&world, 3, "c", "1");
	assert_int_equal(pull(&world, 1, 3, 3), TIDE_OK);
	note(&world, 2, 1, true);
	note(&world, 3, 1, true);
	tell(&world, 2, 3);
	tell(&world, 3, 2);
	assert_int_equal(closed(&world, 2, 1), 1);
	assert_int_equal(pull(&world, 2, 1, 1), TIDE_HELD);
	assert_null(get(&world, 2, "b"));
	assert_int_equal(pull(&world, 2, 1, 3), TIDE_HELD); /* not as a relay either */
	assert_int_equal(pull(&world, 2, 3, 3), TIDE_OK);
	assert_string_equal(get(&world, 2, "c"), "1");
	world_close(&world);
}

/* Region 2 has seen a record of a table that region 3 does not hold; then its writer is lost. */
static void
a_dependency_on_a_closed_journal_is_void(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 3, "leveldb");
	world_table(&world, USER_TABLE);
	set_state(&world, 1, OTHER_TABLE, REPLICA_ACTIVE);
	set_state(&world, 2, OTHER_TABLE, REPLICA_ACTIVE);
	put_in(&world, 1, OTHER_TABLE, "x", "1");
	assert_int_equal(pull(&world, 2, 1, 1), TIDE_OK);
	put(&world, 2, "y", "after x");
	assert_int_equal(pull(&world, 3, 2, 2), TIDE_HELD);
	note(&world, 2, 1, true);
	note(&world, 3, 1, true);
	assert_int_equal(pull(&world, 3, 2, 2), TIDE_HELD);
	tell(&world, 3, 2);
	assert_int_equal(closed(&world, 3, 1), 1);
	assert_int_equal(pull(&world, 3, 2, 2), TIDE_OK);
	assert_string_equal(get(&world, 3, "y"), "after x");
	world_close(&world);
}

static unsigned
collect(struct world *world, unsigned region)
{
	struct group *group = group_open(world->shard[region]);
	uint32_t collected;

	assert_int_equal(group_collect(group, 100, &collected), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	return collected;
}

static void
tombstones_go_in_later_incarnations_too(void **state)
{
	struct world world;
	struct jid dead = a_lost_region(&world);

	(void)state;
	note(&world, 2, 1, false);
	note(&world, 3, 1, false);
	pull_journal(&world, 1, 2, dead);
	delete (&world, 2, "c");
	settle(&world);
	settle(&world);
	tell_all(&world);
	/* Region 3 lacks a dead journal's records, and whoever collected before it has them would have them come to life. */
	assert_int_equal(closed(&world, 2, 1), 1);
	assert_int_equal(closed(&world, 3, 1), 0);
	assert_int_equal(collect(&world, 3), 0);
	pull_journal(&world, 3, 2, dead);
	settle(&world);
	settle(&world);
	tell_all(&world);
	for (unsigned r = 1; r <= 3; r++) {
		assert_int_equal(collect(&world, r), 2); /* "a" and "c" */
		assert_int_equal(count_items(&world, r, USER_TABLE, true), 2);
	}
	assert_converged(&world, USER_TABLE);
	world_close(&world);
}

static void
a_lost_region_is_not_waited_for(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 3, "leveldb");
	world_table(&world, USER_TABLE);
	put(&world, 2, "a", "1");
	settle(&world);
	region_stop(&world, 1, false);
	delete (&world, 2, "a");
	settle(&world);
	assert_int_equal(collect(&world, 2), 0);
	note(&world, 2, 1, true);
	assert_int_equal(collect(&world, 2), 0); /* its journal is not closed yet */
	note(&world, 3, 1, true);
	tell(&world, 2, 3);
	tell(&world, 3, 2);
	settle(&world);
	assert_int_equal(collect(&world, 2), 1);
	assert_int_equal(collect(&world, 3), 1);
	region_start(&world, 1);
	world_close(&world);
}

/*
 * Random worlds: three regions write, delete, pull, tell and collect in any order while the first is lost and comes back. In the end
 * all hold the same, whatever went when.
 */
static void
random_worlds_converge(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 25; seed++) {
		struct world world;
		struct jid dead = JID_NONE;

		srand(seed);
		world_open(&world, 3, "memory");
		world_table(&world, USER_TABLE);
		for (int i = 0; i < 150; i++) {
			unsigned to = 1 + (unsigned)rand() % 3, from = 1 + (unsigned)rand() % 3;
			char key[8];

			world.now_ms++;
			snprintf(key, sizeof key, "k%d", rand() % 6);
			if (i == 60) {
				dead = shard_id(world.shard[1]);
				lose(&world);
			}
			switch (rand() % 6) {
			case 0:
				/* A region that came back writes when it is counted; here, when it has its past again. */
				if (to != 1 || i < 60)
					put(&world, to, key, "v");
				break;
			case 1:
				if (to != 1 || i < 60)
					delete (&world, to, key);
				break;
			case 2:
				collect(&world, to);
				break;
			case 3:
				if (to != from && i > 60 && to != 1)
					note(&world, to, 1, false);
				if (to != from)
					tell(&world, to, from);
				break;
			default:
				if (to == from)
					break;
				pull(&world, to, from, from);
				if (i > 60)
					pull_journal(&world, to, from, dead);
			}
		}
		note(&world, 2, 1, false);
		note(&world, 3, 1, false);
		for (int round = 0; round < 3; round++) {
			for (unsigned to = 1; to <= 3; to++)
				for (unsigned from = 1; from <= 3; from++)
					if (to != from)
						pull_journal(&world, to, from, dead);
			settle(&world);
			tell_all(&world);
		}
		assert_int_equal(closed(&world, 2, 1), 1);
		assert_int_equal(closed(&world, 3, 1), 1);
		assert_converged(&world, USER_TABLE);
		for (unsigned r = 1; r <= 3; r++)
			collect(&world, r);
		assert_converged(&world, USER_TABLE);
		for (unsigned r = 1; r <= 3; r++)
			assert_int_equal(count_items(&world, r, USER_TABLE, true),
			    count_items(&world, r, USER_TABLE, false));
		world_close(&world);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_journal_is_closed_when_all_know_and_nobody_has_more),
	    cmocka_unit_test(nothing_is_closed_while_a_replica_loads),
	    cmocka_unit_test(what_is_closed_is_durable),
	    cmocka_unit_test(what_only_a_replica_that_catches_up_has_is_loaded_from_it),
	    cmocka_unit_test(a_region_whose_tables_all_catch_up_stands_where_they_do),
	    cmocka_unit_test(a_region_not_yet_heard_of_is_waited_for),
	    cmocka_unit_test(an_answer_that_knew_fewer_deaths_does_not_count),
	    cmocka_unit_test(a_death_is_learned_from_others),
	    cmocka_unit_test(a_death_that_the_next_incarnation_told_is_no_loss),
	    cmocka_unit_test(a_region_born_again_is_waited_for_before_it_is_met),
	    cmocka_unit_test(a_lost_region_that_comes_back_is_not_listened_to),
	    cmocka_unit_test(a_dependency_on_a_closed_journal_is_void),
	    cmocka_unit_test(tombstones_go_in_later_incarnations_too),
	    cmocka_unit_test(a_lost_region_is_not_waited_for),
	    cmocka_unit_test(random_worlds_converge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
