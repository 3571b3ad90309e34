/* A folder restored from an old copy, and a region that was declared lost: found out, begun anew, and nothing that it wrote is gone unseen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/shard/salvage.h"
#include "tests/unit/shard/world.h"

#define REGIONAL_TABLE 102

static void
run_in(struct world *world, const char *format, unsigned region)
{
	char command[512];

	snprintf(command, sizeof command, "cd %s && ", world->dir);
	snprintf(command + strlen(command), sizeof command - strlen(command), format, region, region);
	assert_int_equal(system(command), 0);
}

static struct fork
fork_of(struct world *world, unsigned region)
{
	struct shard_view view;
	struct arena arena;
	struct fork fork;

	arena_init(&arena, 0);
	assert_int_equal(shard_view(world->shard[region], &arena, &view), TIDE_OK);
	fork = view.fork;
	arena_fini(&arena);
	return fork;
}

/* What a hello from `from` does: does the last record that it holds of ours stand in our journal? */
static tide_err
hello(struct world *world, unsigned to, unsigned from)
{
	struct jid id = shard_id(world->shard[to]);
	struct mark last = {0};
	struct tide_error error;
	struct shard_view view;
	struct arena arena;
	uint64_t table = 0;
	tide_err rc;

	arena_init(&arena, 0);
	assert_int_equal(shard_view(world->shard[from], &arena, &view), TIDE_OK);
	for (size_t i = 0; i < view.n_tables; i++) {
		struct mark mark = vector_get(&view.tables[i].vector, id);

		if (mark.seq > last.seq) {
			last = mark;
			table = view.tables[i].id;
		}
	}
	arena_fini(&arena);
	rc = shard_own_record(world->shard[to], table, last, &error);
	if (rc == TIDE_FORKED) {
		struct group *group = group_open(world->shard[to]);

		assert_int_equal(group_fork(group, FORK_COPY, (uint8_t)from, last.seq), TIDE_OK);
		assert_int_equal(group_commit(group, NULL), TIDE_OK);
	}
	return rc;
}

static tide_err
try_put(struct world *world, unsigned region, const char *key)
{
	struct group *group = group_open(world->shard[region]);
	tide_err rc = group_put_text(group, USER_TABLE, key, "x");

	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	return rc;
}

/*
 * Region 1's folder is copied with "a" in it; region 2 gets "b" and "c" after that; then the copy is put back, and `more` items are
 * written to it that nobody else has.
 */
static void
restore_an_old_copy(struct world *world, unsigned more)
{
	world_open(world, 2, "leveldb");
	world_table(world, USER_TABLE);
	put(world, 1, "a", "1");
	settle(world);
	set_state(world, 1, REGIONAL_TABLE, REPLICA_ACTIVE);
	{
		struct group *group = group_open(world->shard[1]);

		assert_int_equal(group_table_shared(group, REGIONAL_TABLE, false), TIDE_OK);
		assert_int_equal(group_put_text(group, REGIONAL_TABLE, "mine", "kept"), TIDE_OK);
		assert_int_equal(group_commit(group, NULL), TIDE_OK);
	}
	region_stop(world, 1, true);
	run_in(world, "cp -r %u copy", 1);
	region_start(world, 1);
	world->now_ms += 1000;
	put(world, 1, "b", "2");
	put(world, 1, "c", "2");
	settle(world);
	region_stop(world, 1, false);
	run_in(world, "rm -r %u && mv copy %u", 1);
	region_start(world, 1);
	world->now_ms += 1000;
	for (unsigned i = 0; i < more; i++) {
		char key[16];

		snprintf(key, sizeof key, "fork%u", i);
		put(world, 1, key, "3");
	}
}

static void
it_is_found_out_whatever_was_written_since(void **state)
{
	(void)state;
	for (unsigned more = 0; more < 6; more++) {
		struct world world;

		restore_an_old_copy(&world, more);
		assert_int_equal(fork_of(&world, 1).reason, FORK_NONE);
		assert_int_equal(hello(&world, 1, 2), TIDE_FORKED);
		assert_int_equal(fork_of(&world, 1).reason, FORK_COPY);
		assert_int_equal(fork_of(&world, 1).peer, 2);
		assert_int_equal(try_put(&world, 1, "no"), TIDE_UNAVAILABLE);
		assert_null(get(&world, 1, "no"));
		assert_string_equal(get(&world, 1, "a"), "1"); /* reads go on */
		region_stop(&world, 1, more % 2 == 0);
		region_start(&world, 1);
		assert_int_equal(try_put(&world, 1, "no"), TIDE_UNAVAILABLE);
		world_close(&world);
	}
}

static void
a_folder_that_is_what_peers_know_is_no_fork(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2, "leveldb");
	world_table(&world, USER_TABLE);
	for (int i = 0; i < 5; i++) {
		put(&world, 1, "a", "1");
		assert_int_equal(hello(&world, 1, 2), TIDE_OK);
		settle(&world);
		put(&world, 1, "a", "1");
		assert_int_equal(hello(&world, 1, 2), TIDE_OK);
	}
	assert_int_equal(fork_of(&world, 1).reason, FORK_NONE);
	{
		struct group *group = group_open(world.shard[1]);
		struct tide_error error;

		assert_int_equal(shard_reincarnate(world.shard[1], &error), TIDE_USAGE);
		assert_int_equal(group_commit(group, NULL), TIDE_OK);
	}
	world_close(&world);
}

/* A unit that has seen more of ours than we have written says it, too. */
static void
a_writer_that_has_seen_more_finds_it_out(void **state)
{
	struct world world;

	(void)state;
	restore_an_old_copy(&world, 0);
	put(&world, 2, "d", "after c");
	assert_int_equal(pull(&world, 1, 2, 2), TIDE_FORKED);
	assert_int_equal(fork_of(&world, 1).reason, FORK_COPY);
	world_close(&world);
}

static void
reincarnate(struct world *world)
{
	struct group *group = group_open(world->shard[1]);
	struct tide_error error = {0};

	if (shard_reincarnate(world->shard[1], &error) != TIDE_OK)
		fail_msg("%s", error.message);
	assert_int_equal(group_commit(group, &error), TIDE_OK);
}

/* Back among the others: it is noted, gets everything, and all know that its former journal is dead. */
static void
come_back(struct world *world, struct jid former)
{
	assert_int_equal(jid_incarnation(shard_id(world->shard[1])), 2);
	set_state(world, 1, USER_TABLE, REPLICA_ACTIVE);
	for (unsigned r = 2; r <= world->n; r++) {
		note(world, 1, r, false);
		note(world, r, 1, false);
	}
	for (unsigned r = 2; r <= world->n; r++)
		pull_journal(world, 1, r, former);
	settle(world);
	for (unsigned to = 1; to <= world->n; to++)
		for (unsigned from = 1; from <= world->n; from++)
			if (to != from)
				tell(world, to, from);
}

static unsigned
salvage(struct world *world)
{
	struct salvage *walk = salvage_new();
	struct tide_error error = {0};
	unsigned all = 0;
	bool found = true;

	while (found) {
		struct group *group = group_open(world->shard[1]);
		uint32_t logged = 0;

		assert_int_equal(shard_salvage_look(world->shard[1], walk, &found, &error), TIDE_OK);
		if (found)
			assert_int_equal(group_salvage_found(group, walk, &logged, &error), TIDE_OK);
		assert_int_equal(group_commit(group, NULL), TIDE_OK);
		all += logged;
	}
	salvage_free(walk);
	return all;
}

static bool
former_journal_is_there(struct world *world)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof path, "%s/1/journal.01000100", world->dir);
	if ((f = fopen(path, "r")) == NULL)
		return false;
	fclose(f);
	return true;
}

static void
check_back(struct world *world, unsigned lost)
{
	struct table_view view;
	struct arena arena;

	arena_init(&arena, 0);
	assert_int_equal(salvage(world), lost);
	settle(world);
	assert_converged(world, USER_TABLE);
	assert_string_equal(get(world, 1, "c"), "2");
	assert_int_equal(count_items(world, 2, TABLE_CONFLICTS, false), lost);
	/* What only this region has stays, through a restart, too. */
	for (int i = 0; i < 2; i++) {
		assert_string_equal(get_from(world->shard[1], REGIONAL_TABLE, "mine"), "kept");
		assert_int_equal(shard_table_view(world->shard[1], &arena, REGIONAL_TABLE, &view), TIDE_OK);
		assert_int_equal(view.items, 1);
		region_stop(world, 1, i == 1);
		region_start(world, 1);
	}
	assert_int_equal(try_put(world, 1, "new"), TIDE_OK);
	settle(world);
	assert_converged(world, USER_TABLE);
	assert_false(former_journal_is_there(world));
	assert_int_equal(salvage(world), 0);
	arena_fini(&arena);
}

static void
it_comes_back_and_what_only_it_had_is_in_the_conflict_log(void **state)
{
	(void)state;
	for (unsigned more = 0; more < 450; more = more * 15 + 1) {
		struct world world;
		struct jid former;

		restore_an_old_copy(&world, more);
		assert_int_equal(hello(&world, 1, 2), TIDE_FORKED);
		former = shard_id(world.shard[1]);
		reincarnate(&world);
		assert_int_equal(count_items(&world, 1, USER_TABLE, true), 0);
		/* Not before it is known what the others have of it. */
		assert_int_equal(salvage(&world), 0);
		region_stop(&world, 1, false);
		region_start(&world, 1);
		assert_true(former_journal_is_there(&world));
		come_back(&world, former);
		check_back(&world, more);
		world_close(&world);
	}
}

/* An item that others have changed since, and one that the fork deleted. */
static void
the_log_names_what_stands_in_its_place(void **state)
{
	struct world world;
	struct jid former;

	(void)state;
	restore_an_old_copy(&world, 0);
	put(&world, 1, "c", "fork");
	delete (&world, 1, "a");
	delete (&world, 1, "c");
	assert_int_equal(hello(&world, 1, 2), TIDE_FORKED);
	former = shard_id(world.shard[1]);
	reincarnate(&world);
	come_back(&world, former);
	assert_string_equal(get(&world, 1, "a"), "1");
	check_back(&world, 3);
	world_close(&world);
}

static void
a_crash_on_the_way_is_finished_by_the_next_start(void **state)
{
	(void)state;
	for (int step = 0; step < 3; step++) {
		struct world world;
		struct jid former;

		restore_an_old_copy(&world, 3);
		assert_int_equal(hello(&world, 1, 2), TIDE_FORKED);
		former = shard_id(world.shard[1]);
		region_stop(&world, 1, true);
		run_in(&world, "cp -r %u before", 1);
		region_start(&world, 1);
		reincarnate(&world);
		region_stop(&world, 1, false);
		if (step <= 1)
			run_in(&world, "mv %u/journal %u/journal.next", 1);
		if (step == 0)
			run_in(&world, "mv %u/journal.01000100 %u/journal", 1);
		if (step <= 1) /* the store and its checkpoints are still the former life's */
			run_in(&world, "rm -r %u/store && cp -r before/store before/checkpoint* %u/", 1);
		region_start(&world, 1);
		come_back(&world, former);
		check_back(&world, 3);
		world_close(&world);
	}
}

/* Before the identity says so, nothing has happened. */
static void
a_new_journal_that_was_never_taken_is_forgotten(void **state)
{
	struct world world;

	(void)state;
	restore_an_old_copy(&world, 1);
	assert_int_equal(hello(&world, 1, 2), TIDE_FORKED);
	region_stop(&world, 1, false);
	run_in(&world, "cp -r %u/journal %u/journal.next", 1);
	region_start(&world, 1);
	assert_int_equal(jid_incarnation(shard_id(world.shard[1])), 1);
	assert_int_equal(fork_of(&world, 1).reason, FORK_COPY);
	reincarnate(&world);
	come_back(&world, jid_make(1, 1, 0));
	check_back(&world, 1);
	world_close(&world);
}

/* Its folder is whole; but the others have stopped waiting for it, and it had written what they do not have. */
static void
a_region_that_was_declared_lost_comes_back(void **state)
{
	struct world world;
	struct jid former;

	(void)state;
	world_open(&world, 3, "leveldb");
	world_table(&world, USER_TABLE);
	put(&world, 1, "a", "1");
	put(&world, 1, "c", "2");
	settle(&world);
	put(&world, 1, "only", "there");
	note(&world, 2, 1, true);
	tell(&world, 3, 2);
	tell(&world, 1, 2);
	assert_int_equal(fork_of(&world, 1).reason, FORK_LOST);
	assert_int_equal(try_put(&world, 1, "no"), TIDE_UNAVAILABLE);
	former = shard_id(world.shard[1]);
	reincarnate(&world);
	come_back(&world, former);
	assert_int_equal(salvage(&world), 1);
	settle(&world);
	assert_converged(&world, USER_TABLE);
	assert_null(get(&world, 1, "only"));
	assert_int_equal(count_items(&world, 3, TABLE_CONFLICTS, false), 1);
	world_close(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_found_out_whatever_was_written_since),
	    cmocka_unit_test(a_folder_that_is_what_peers_know_is_no_fork),
	    cmocka_unit_test(a_writer_that_has_seen_more_finds_it_out),
	    cmocka_unit_test(it_comes_back_and_what_only_it_had_is_in_the_conflict_log),
	    cmocka_unit_test(the_log_names_what_stands_in_its_place),
	    cmocka_unit_test(a_crash_on_the_way_is_finished_by_the_next_start),
	    cmocka_unit_test(a_new_journal_that_was_never_taken_is_forgotten),
	    cmocka_unit_test(a_region_that_was_declared_lost_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
