/* Whole worlds of link machines: what must come true whatever the network does. */
#include "link_world.h"

#include <stdlib.h>

/* Everybody writes now and then; afterwards all of it has to be everywhere. */
static void
live(struct world *world, unsigned regions, unsigned ms, uint64_t seed)
{
	unsigned waited = 0;

	srand((unsigned)seed);
	for (unsigned t = 0; t < ms; t += 5) {
		for (unsigned r = 1; r <= regions; r++)
			if (rand() % 3 == 0)
				world_write(world, r);
		world_run(world, 5);
	}
	world_calm(world);
	while (!world_converged(world) && waited < 60000) {
		world_run(world, 100);
		waited += 100;
	}
	if (!world_converged(world)) {
		print_error("seed %llu\n", (unsigned long long)seed);
		world_print(world);
	}
	assert_true(world_converged(world));
}

static void
a_sound_network_ships_each_record_once_to_each_region(void **state)
{
	struct world_options options = {.seed = 1, .regions = 3, .delay_ms = 5, .window = 8};
	struct world *world = world_new(&options);

	(void)state;
	world_run(world, 500);
	live(world, 3, 2000, 1);
	assert_int_equal(world_shipped(world), world_written(world) * 2);
	world_free(world);
}

static void
a_record_arrives_one_network_delay_later(void **state)
{
	struct world_options options = {.seed = 1, .regions = 2, .delay_ms = 1, .window = 8};
	struct world *world = world_new(&options);

	(void)state;
	world_run(world, 1000);
	world_write(world, 1);
	world_run(world, 5);
	assert_int_equal(world_applied(world, 2, 1), 1);
	world_free(world);
}

static void
throughput_does_not_fall_with_the_round_trip(void **state)
{
	struct world_options options = {.seed = 1, .regions = 2, .delay_ms = 1, .window = 16};
	struct world *world;
	uint64_t fast;

	(void)state;
	world = world_new(&options);
	world_run(world, 1000);
	for (int i = 0; i < WORLD_RECORDS; i++)
		world_write(world, 1);
	world_run(world, 100);
	fast = world_applied(world, 2, 1);
	world_free(world);
	assert_true(fast > 500);
	/* 16 batches of 5 under way: a round trip of some 20 ms still moves 80 records. */
	options.delay_ms = 20;
	world = world_new(&options);
	world_run(world, 1000);
	for (int i = 0; i < WORLD_RECORDS; i++)
		world_write(world, 1);
	world_run(world, 1000);
	assert_true(world_applied(world, 2, 1) > 2000);
	world_free(world);
}

static void
a_cut_link_is_gone_around(void **state)
{
	struct world_options options = {.seed = 3, .regions = 3, .delay_ms = 3, .window = 8};
	struct world *world = world_new(&options);

	(void)state;
	world_run(world, 500);
	world_cut(world, 1, 2, true);
	for (int i = 0; i < 50; i++)
		world_write(world, 1);
	world_run(world, 3000);
	assert_int_equal(world_applied(world, 2, 1), 50);
	world_cut(world, 1, 2, false);
	world_write(world, 1);
	world_run(world, 1000);
	assert_int_equal(world_applied(world, 2, 1), 51);
	world_free(world);
}

static void
a_region_cut_off_from_all_catches_up(void **state)
{
	struct world_options options = {.seed = 4, .regions = 3, .delay_ms = 3, .window = 8};
	struct world *world = world_new(&options);

	(void)state;
	world_run(world, 500);
	world_cut(world, 1, 3, true);
	world_cut(world, 2, 3, true);
	for (int i = 0; i < 200; i++) {
		world_write(world, (unsigned)(1 + i % 3));
		world_run(world, 10);
	}
	assert_int_equal(world_applied(world, 3, 1), 0);
	world_calm(world);
	world_run(world, 3000);
	assert_true(world_converged(world));
	world_free(world);
}

/* Worlds per test; LINK_WORLDS in the environment sets another number for a longer search. */
static uint64_t
worlds_wanted(void)
{
	const char *wanted = getenv("LINK_WORLDS");

	return wanted != NULL ? strtoull(wanted, NULL, 10) : 40;
}

static void
many_worlds(bool cuts, bool crashes, unsigned loss, uint64_t first)
{
	uint64_t worlds = worlds_wanted();

	for (uint64_t seed = first; seed < first + worlds; seed++) {
		unsigned regions = 2 + (unsigned)(seed % 3);
		struct world_options options = {.seed = seed,
		    .regions = regions,
		    .loss_percent = loss,
		    .delay_ms = 1 + (unsigned)(seed % 20),
		    .window = 2 + (unsigned)(seed % 15),
		    .cuts = cuts,
		    .crashes = crashes};
		struct world *world = world_new(&options);

		live(world, regions, 4000, seed);
		world_free(world);
	}
}

static void
loss_and_reordering_end_in_the_same_state(void **state)
{
	(void)state;
	many_worlds(false, false, 5, 100);
}

static void
cuts_end_in_the_same_state(void **state)
{
	(void)state;
	many_worlds(true, false, 2, 1000);
}

static void
crashes_end_in_the_same_state(void **state)
{
	(void)state;
	many_worlds(true, true, 2, 2000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_sound_network_ships_each_record_once_to_each_region),
	    cmocka_unit_test(a_record_arrives_one_network_delay_later),
	    cmocka_unit_test(throughput_does_not_fall_with_the_round_trip),
	    cmocka_unit_test(a_cut_link_is_gone_around),
	    cmocka_unit_test(a_region_cut_off_from_all_catches_up),
	    cmocka_unit_test(loss_and_reordering_end_in_the_same_state),
	    cmocka_unit_test(cuts_end_in_the_same_state),
	    cmocka_unit_test(crashes_end_in_the_same_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
