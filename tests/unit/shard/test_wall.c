/* A region's own clock: what it is compared with, and what it does when it is wrong. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/shard/world.h"

#define BOUND 500

static const uint8_t peers_of_1[] = {2, 3};

/* Region 1 of three, watched; time goes on as it should for a while. */
static void
open_watched(struct world *world)
{
	world_open(world, 3, "memory");
	world_table(world, USER_TABLE);
	world->mono_ms = 5000;
	shard_set_peers(world->shard[1], peers_of_1, 2);
	put(world, 1, "a", "1");
}

static void
pass(struct world *world, uint64_t ms)
{
	world->now_ms += ms;
	world->mono_ms += ms;
}

static tide_err
try_put(struct world *world)
{
	struct group *group = group_open(world->shard[1]);
	tide_err rc = group_put_text(group, USER_TABLE, "k", "v");

	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	return rc;
}

static enum clock_trouble
trouble(struct world *world)
{
	struct clock_view view;

	shard_now_ms(world->shard[1], &view);
	return view.trouble;
}

static uint64_t
hybrid_ms(struct world *world)
{
	struct shard_view view;
	struct arena arena;
	uint64_t ms;

	arena_init(&arena, 0);
	assert_int_equal(shard_view(world->shard[1], &arena, &view), TIDE_OK);
	ms = hlc_ms(view.clock);
	arena_fini(&arena);
	return ms;
}

/* Both peers say hello, with right clocks and without delay. */
static void
hellos(struct world *world)
{
	for (uint8_t r = 2; r <= 3; r++) {
		uint64_t ours = shard_wall_ms(world->shard[1]), theirs = world->now_ms;

		shard_clock_heard(world->shard[1], r, theirs, ours > theirs ? ours - theirs : 0);
	}
}

static const struct jump {
	int64_t ms;
	tide_err want;
} jumps[] = {{BOUND, TIDE_OK}, {-BOUND, TIDE_OK}, {BOUND + 1, TIDE_CLOCK}, {-BOUND - 1, TIDE_CLOCK},
    {3600000, TIDE_CLOCK}, {-900000, TIDE_CLOCK}};

static void
a_jump_stops_writes_until_it_is_taken_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
		struct world world;

		open_watched(&world);
		pass(&world, 1000);
		assert_int_equal(try_put(&world), TIDE_OK);
		world.skew_ms[1] = jumps[i].ms;
		assert_int_equal(try_put(&world), jumps[i].want);
		if (jumps[i].want != TIDE_OK) {
			assert_int_equal(trouble(&world), CLOCK_JUMPED);
			/* Reads go on, and so do notes; the hybrid clock stays with the true time. */
			assert_string_equal(get(&world, 1, "a"), "1");
			{
				struct group *group = group_open(world.shard[1]);

				assert_int_equal(group_clock(group), TIDE_OK);
				assert_int_equal(group_commit(group, NULL), TIDE_OK);
			}
			assert_int_equal(hybrid_ms(&world), world.now_ms);
			pass(&world, 60000);
			assert_int_equal(try_put(&world), TIDE_CLOCK); /* nobody vouches for it */
			world.skew_ms[1] = 0;
			assert_int_equal(try_put(&world), TIDE_OK);
			assert_int_equal(trouble(&world), CLOCK_FINE);
			assert_int_equal(hybrid_ms(&world), world.now_ms);
		}
		world_close(&world);
	}
}

static void
what_is_slewed_never_adds_up(void **state)
{
	struct world world;

	(void)state;
	open_watched(&world);
	/* Half a second in every thousand, for two weeks' worth of drift. */
	for (int i = 0; i < 2000; i++) {
		pass(&world, 1000);
		world.skew_ms[1] += i % 2;
		assert_int_equal(try_put(&world), TIDE_OK);
	}
	assert_int_equal(world.skew_ms[1], 1000);
	/* But many small steps are as good as a large one. */
	for (int i = 0; i < 20 && trouble(&world) == CLOCK_FINE; i++) {
		pass(&world, 1000);
		world.skew_ms[1] += 100;
	}
	assert_int_equal(trouble(&world), CLOCK_JUMPED);
	world_close(&world);
}

static void
peers_vouch_for_a_clock_that_was_set_right(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 3, "memory");
	world_table(&world, USER_TABLE);
	world.skew_ms[1] = -20000; /* it starts with a wrong clock */
	shard_set_peers(world.shard[1], peers_of_1, 2);
	hellos(&world);
	assert_int_equal(try_put(&world), TIDE_CLOCK);
	assert_int_equal(trouble(&world), CLOCK_BEHIND);
	world.skew_ms[1] = 0;
	for (int i = 0; i < 10; i++) {
		pass(&world, 1000);
		hellos(&world);
		assert_int_equal(trouble(&world), CLOCK_JUMPED);
	}
	pass(&world, 1001);
	hellos(&world);
	assert_int_equal(trouble(&world), CLOCK_FINE);
	assert_int_equal(try_put(&world), TIDE_OK);
	world_close(&world);
}

/* A peer's word is old: how far we are ahead is known at least, and one of them that does not find it is enough. */
static void
ahead_is_whom_every_peer_finds_ahead(void **state)
{
	struct world world;

	(void)state;
	open_watched(&world);
	shard_clock_heard(world.shard[1], 2, world.now_ms, BOUND + 1);
	assert_int_equal(trouble(&world), CLOCK_AHEAD);
	assert_int_equal(try_put(&world), TIDE_CLOCK);
	shard_clock_heard(world.shard[1], 3, world.now_ms, BOUND);
	assert_int_equal(try_put(&world), TIDE_OK);
	shard_clock_heard(world.shard[1], 3, world.now_ms, BOUND + 7);
	assert_int_equal(try_put(&world), TIDE_CLOCK);
	/* Nobody is there who would not take it. */
	pass(&world, 10001);
	assert_int_equal(try_put(&world), TIDE_OK);
	world_close(&world);
}

static void
one_peer_alone_does_not_make_us_late(void **state)
{
	struct world world;

	(void)state;
	open_watched(&world);
	shard_clock_heard(world.shard[1], 2, world.now_ms + 5000, 0);
	assert_int_equal(try_put(&world), TIDE_OK);
	shard_clock_heard(world.shard[1], 3, world.now_ms + 5000, 0);
	assert_int_equal(try_put(&world), TIDE_CLOCK);
	assert_int_equal(trouble(&world), CLOCK_BEHIND);
	world_close(&world);
}

/* What peers send is held or taken by the true time, whatever our clock shows. */
static void
a_jump_does_not_loosen_the_guard_of_origins(void **state)
{
	struct world world;

	(void)state;
	open_watched(&world);
	settle(&world);
	world.skew_ms[2] = 3600000;
	put(&world, 2, "far", "ahead");
	world.skew_ms[1] = 3600000;
	assert_int_equal(pull(&world, 1, 2, 2), TIDE_HELD);
	world.skew_ms[1] = 0;
	world.skew_ms[2] = 0;
	world_close(&world);
}

static void
a_region_without_peers_is_not_watched(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 1, "memory");
	world_table(&world, USER_TABLE);
	shard_set_peers(world.shard[1], NULL, 0);
	assert_int_equal(try_put(&world), TIDE_OK);
	world.skew_ms[1] = 3600000;
	assert_int_equal(try_put(&world), TIDE_OK);
	world_close(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_jump_stops_writes_until_it_is_taken_back),
	    cmocka_unit_test(what_is_slewed_never_adds_up),
	    cmocka_unit_test(peers_vouch_for_a_clock_that_was_set_right),
	    cmocka_unit_test(ahead_is_whom_every_peer_finds_ahead),
	    cmocka_unit_test(one_peer_alone_does_not_make_us_late),
	    cmocka_unit_test(a_jump_does_not_loosen_the_guard_of_origins),
	    cmocka_unit_test(a_region_without_peers_is_not_watched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
