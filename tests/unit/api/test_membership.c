#include "tests/unit/shard/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/membership.h"

/*
 * Regions without network and threads: the story says who pulls and who takes a step. The committer is this file's: it runs at
 * once, on the story's own thread.
 */

static const char *const names[] = {"", "aa-1", "bb-2", "cc-3"};

struct story {
	struct world world;
	struct region *region[REGIONS_MAX + 1];
};

static struct shard *committing; /* the region that takes a step */

tide_err
committer_call(struct committer *committer, commit_run_fn run, void *arg, struct tide_error *error)
{
	struct group *group = group_open(committing);
	struct commit_call call = {.arg = arg};
	tide_err rc;

	(void)committer;
	assert_non_null(group);
	if ((rc = run(&call.op, group, error)) != TIDE_OK) {
		group_abandon(group);
		return rc;
	}
	return group_commit(group, error);
}

static void
region_open(struct story *s, unsigned n)
{
	struct catalog_region regions[REGIONS_MAX] = {0};
	struct region *r = calloc(1, sizeof *r);
	struct tide_error error;
	uint32_t count = 1;

	assert_non_null(r);
	snprintf(r->config.region, sizeof r->config.region, "%s", names[n]);
	r->config.number = regions[0].number = (uint8_t)n;
	snprintf(regions[0].name, sizeof regions[0].name, "%s", names[n]);
	for (unsigned q = 1; q <= s->world.n; q++) {
		struct config_peer *peer = &r->config.replication.peers[r->config.replication.n_peers];

		if (q == n)
			continue;
		r->config.replication.n_peers++;
		snprintf(peer->region, sizeof peer->region, "%s", names[q]);
		peer->number = regions[count].number = (uint8_t)q;
		snprintf(regions[count++].name, sizeof regions[0].name, "%s", names[q]);
	}
	r->shard = s->world.shard[n];
	assert_int_equal(catalog_open(r->shard, regions, count, &r->catalog, &error), TIDE_OK);
	assert_int_equal(membership_open(r, &error), TIDE_OK);
	s->region[n] = r;
}

static void
region_close(struct story *s, unsigned n)
{
	membership_close(s->region[n]);
	catalog_close(s->region[n]->catalog);
	free(s->region[n]);
}

static void
step(struct story *s, unsigned n)
{
	struct tide_error error;

	committing = s->world.shard[n];
	if (membership_step(s->region[n], &error) != TIDE_OK)
		fail_msg("step of region %u: %s", n, error.message);
}

static void
counted_by(struct story *s, unsigned n, unsigned peer)
{
	struct group *group = group_open(s->world.shard[n]);

	assert_int_equal(group_counted(group, (uint8_t)peer, (struct hlc){0}), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
}

static int
start(void **state)
{
	struct story *s = calloc(1, sizeof *s);

	assert_non_null(s);
	world_open(&s->world, 3, "leveldb");
	for (unsigned r = 1; r <= 3; r++)
		region_open(s, r);
	*state = s;
	return 0;
}

static int
start_counted(void **state)
{
	struct story *s;

	start(state);
	s = *state;
	for (unsigned r = 1; r <= 3; r++) {
		for (unsigned q = 1; q <= 3; q++)
			counted_by(s, r, q);
		step(s, r);
		assert_true(region_may_write(s->region[r]));
	}
	return 0;
}

static int
end(void **state)
{
	struct story *s = *state;

	for (unsigned r = 1; r <= 3; r++)
		region_close(s, r);
	world_close(&s->world);
	free(s);
	return 0;
}

/* --- verbs --- */

static void
create(struct story *s, unsigned n, uint64_t id, const char *name)
{
	struct group *group = group_open(s->world.shard[n]);
	struct table *t = table_new();

	assert_non_null(t);
	t->id = id;
	snprintf(t->name, sizeof t->name, "%s", name);
	t->attributes = arena_calloc(&t->arena, sizeof *t->attributes);
	assert_non_null(t->attributes);
	t->attributes[0] = t->partition = (struct key_attribute){BYTES_LITERAL("pk"), VALUE_S};
	t->n_attributes = 1;
	assert_int_equal(catalog_write_new(s->region[n]->catalog, group, t, NULL), TIDE_OK);
	assert_int_equal(group_table_state(group, id, REPLICA_ACTIVE), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	table_release(t);
}

static void
want(struct story *s, unsigned n, uint64_t id, const char *region, bool wanted)
{
	struct catalog *catalog = s->region[n]->catalog;
	struct group *group = group_open(s->world.shard[n]);
	const struct table *t;

	assert_int_equal(catalog_read(catalog, group, id, &t), TIDE_OK);
	if (!t->global) {
		assert_int_equal(catalog_write_global(catalog, group, t), TIDE_OK);
		assert_int_equal(group_table_shared(group, id, true), TIDE_OK);
	}
	assert_int_equal(catalog_write_wanted(group, t, region, wanted), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	table_release(t);
}

static void
delete_for_ever(struct story *s, unsigned n, uint64_t id)
{
	struct group *group = group_open(s->world.shard[n]);
	const struct table *t;

	assert_int_equal(catalog_read(s->region[n]->catalog, group, id, &t), TIDE_OK);
	assert_int_equal(group_table_state(group, id, REPLICA_ABSENT), TIDE_OK);
	assert_int_equal(catalog_write_deleted(s->region[n]->catalog, group, t), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	table_release(t);
}

static const char *
status(struct story *s, unsigned seen_by, uint64_t id, const char *region)
{
	const struct table *t = catalog_find_id(s->region[seen_by]->catalog, id);
	const struct replica *r = t == NULL ? NULL : table_replica(t, region);
	const char *name = r == NULL ? "none" : table_status_name(r->status);

	table_release(t);
	return name;
}

static enum replica_state
state_of(struct story *s, unsigned n, uint64_t id)
{
	return shard_table_state(s->world.shard[n], id);
}

static void
load(struct story *s, unsigned to, unsigned from, uint64_t id)
{
	struct snapshot *snapshot;

	assert_int_equal(snapshot_open(s->world.shard[from], id, &snapshot), TIDE_OK);
	while (!load_step(&s->world, to, snapshot, from, id, 7))
		continue;
	snapshot_close(snapshot);
}

/* USER_TABLE, made in region 1, with ACTIVE replicas in regions 1 and 2, known to all. */
static void
global_pair(struct story *s)
{
	create(s, 1, USER_TABLE, "music");
	put(&s->world, 1, "k", "v");
	want(s, 1, USER_TABLE, "bb-2", true);
	settle(&s->world);
	step(s, 2);
	assert_int_equal(state_of(s, 2, USER_TABLE), REPLICA_CREATING);
	assert_string_equal(status(s, 2, USER_TABLE, "bb-2"), "CREATING");
	load(s, 2, 1, USER_TABLE);
	settle(&s->world);
	step(s, 2);
	settle(&s->world);
	assert_int_equal(state_of(s, 2, USER_TABLE), REPLICA_ACTIVE);
	for (unsigned r = 1; r <= 3; r++)
		assert_string_equal(status(s, r, USER_TABLE, "bb-2"), "ACTIVE");
}

static uint64_t
question(struct story *s, unsigned n, uint8_t *staying, uint8_t *n_staying)
{
	struct membership_question *questions;
	struct arena arena;
	uint64_t number;
	uint32_t count;

	arena_init(&arena, 0);
	assert_int_equal(membership_questions(s->region[n], &arena, &questions, &count), TIDE_OK);
	if (count == 0) {
		arena_fini(&arena);
		*n_staying = 0;
		return 0;
	}
	assert_int_equal(count, 1);
	number = questions[0].number;
	*n_staying = questions[0].n_staying;
	memcpy(staying, questions[0].staying, questions[0].n_staying);
	arena_fini(&arena);
	return number;
}

static bool
may_go(struct story *s, unsigned asked, unsigned asker)
{
	struct table_view view;
	struct arena arena;
	bool yes;

	arena_init(&arena, 0);
	assert_int_equal(shard_table_view(s->world.shard[asker], &arena, USER_TABLE, &view), TIDE_OK);
	yes = membership_may_go(s->region[asked], (uint8_t)asker, USER_TABLE, &view.vector);
	arena_fini(&arena);
	return yes;
}

/* --- stories --- */

static void
a_new_region_writes_when_all_members_have_counted_it(void **state)
{
	struct story *s = *state;

	assert_false(region_may_write(s->region[1]));
	counted_by(s, 1, 2);
	step(s, 1);
	assert_false(region_may_write(s->region[1]));
	counted_by(s, 1, 3);
	step(s, 1);
	assert_true(region_may_write(s->region[1]));
	/* And once counted it is for good: after a restart no peer need be there. */
	region_close(s, 1);
	region_stop(&s->world, 1, false);
	region_start(&s->world, 1);
	region_open(s, 1);
	assert_true(region_may_write(s->region[1]));
}

static void
a_lost_member_is_not_waited_for(void **state)
{
	struct story *s = *state;
	struct group *group = group_open(s->world.shard[1]);

	assert_int_equal(group_note_member(group, 3, 1, shard_nonce(s->world.shard[3]), true), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	counted_by(s, 1, 2);
	step(s, 1);
	assert_true(region_may_write(s->region[1]));
}

static void
a_wanted_replica_is_made(void **state)
{
	struct story *s = *state;
	const struct table *t;

	global_pair(s);
	assert_string_equal(get(&s->world, 2, "k"), "v");
	t = catalog_find(s->region[2]->catalog, BYTES_LITERAL("music"));
	assert_non_null(t);
	assert_int_equal(t->status, TABLE_ACTIVE);
	table_release(t);
	assert_int_equal(state_of(s, 3, USER_TABLE), REPLICA_ABSENT);
}

static void
a_removed_replica_goes_when_those_who_stay_hold_all_it_holds(void **state)
{
	struct story *s = *state;
	uint8_t staying[REGION_NUMBER_MAX], n;
	uint64_t number;

	global_pair(s);
	put(&s->world, 2, "mine", "not shipped yet");
	want(s, 1, USER_TABLE, "bb-2", false);
	pull(&s->world, 2, 1, 1);
	step(s, 2);
	assert_int_equal(state_of(s, 2, USER_TABLE), REPLICA_LEAVING);
	assert_string_equal(status(s, 2, USER_TABLE, "bb-2"), "DELETING");
	number = question(s, 2, staying, &n);
	assert_int_equal(n, 1);
	assert_int_equal(staying[0], 1);
	assert_false(may_go(s, 1, 2));
	assert_false(may_go(s, 3, 2)); /* it has no replica */
	settle(&s->world);
	assert_true(may_go(s, 1, 2));
	membership_leave_granted(s->region[2], 1, USER_TABLE, number + 1); /* another question */
	membership_leave_granted(s->region[2], 3, USER_TABLE, number); /* somebody who does not stay */
	step(s, 2);
	assert_int_equal(state_of(s, 2, USER_TABLE), REPLICA_LEAVING);
	membership_leave_granted(s->region[2], 1, USER_TABLE, number);
	step(s, 2);
	assert_int_equal(state_of(s, 2, USER_TABLE), REPLICA_ABSENT);
	assert_null(catalog_find(s->region[2]->catalog, BYTES_LITERAL("music")));
	settle(&s->world);
	assert_string_equal(status(s, 1, USER_TABLE, "bb-2"), "none");
	assert_string_equal(get(&s->world, 1, "mine"), "not shipped yet");
	question(s, 2, staying, &n);
	assert_int_equal(n, 0);
}

static void
who_has_not_heard_of_the_removal_lets_nobody_go(void **state)
{
	struct story *s = *state;

	global_pair(s);
	settle(&s->world);
	want(s, 2, USER_TABLE, "bb-2", false);
	step(s, 2);
	assert_int_equal(state_of(s, 2, USER_TABLE), REPLICA_LEAVING);
	/* It holds every item; but a DeleteTable there now would count on the replica that goes. */
	assert_false(may_go(s, 1, 2));
	settle(&s->world);
	assert_true(may_go(s, 1, 2));
}

static void
a_leaving_replica_asks_a_new_question_after_a_restart(void **state)
{
	struct story *s = *state;
	uint8_t staying[REGION_NUMBER_MAX], n;
	uint64_t before, after;

	global_pair(s);
	want(s, 1, USER_TABLE, "bb-2", false);
	settle(&s->world);
	step(s, 2);
	before = question(s, 2, staying, &n);
	region_close(s, 2);
	region_stop(&s->world, 2, false);
	region_start(&s->world, 2);
	s->world.now_ms += 10;
	region_open(s, 2);
	step(s, 2);
	assert_int_equal(state_of(s, 2, USER_TABLE), REPLICA_LEAVING);
	after = question(s, 2, staying, &n);
	assert_int_equal(n, 1);
	assert_true(after != before);
}

static void
a_replica_wanted_again_stays(void **state)
{
	struct story *s = *state;
	uint8_t staying[REGION_NUMBER_MAX], n;

	global_pair(s);
	want(s, 1, USER_TABLE, "bb-2", false);
	settle(&s->world);
	step(s, 2);
	want(s, 1, USER_TABLE, "bb-2", true);
	settle(&s->world);
	step(s, 2);
	assert_int_equal(state_of(s, 2, USER_TABLE), REPLICA_ACTIVE);
	assert_string_equal(status(s, 2, USER_TABLE, "bb-2"), "ACTIVE");
	step(s, 2);
	question(s, 2, staying, &n);
	assert_int_equal(n, 0);
}

static void
when_all_are_removed_one_stays(void **state)
{
	struct story *s = *state;

	global_pair(s);
	want(s, 2, USER_TABLE, "aa-1", false);
	want(s, 1, USER_TABLE, "bb-2", false);
	settle(&s->world);
	for (int turn = 0; turn < 3; turn++) {
		for (unsigned r = 1; r <= 3; r++)
			step(s, r);
		settle(&s->world);
	}
	assert_int_equal(
	    (state_of(s, 1, USER_TABLE) == REPLICA_ACTIVE) + (state_of(s, 2, USER_TABLE) == REPLICA_ACTIVE),
	    1);
	assert_int_equal(
	    (state_of(s, 1, USER_TABLE) == REPLICA_LEAVING) + (state_of(s, 2, USER_TABLE) == REPLICA_LEAVING),
	    1);
}

static void
deletion_drops_the_replicas_everywhere(void **state)
{
	struct story *s = *state;

	global_pair(s);
	delete_for_ever(s, 1, USER_TABLE);
	put(&s->world, 2, "late", "write"); /* it goes with the table */
	settle(&s->world);
	step(s, 2);
	assert_int_equal(state_of(s, 2, USER_TABLE), REPLICA_ABSENT);
	assert_null(catalog_find(s->region[2]->catalog, BYTES_LITERAL("music")));
	create(s, 2, 200, "music"); /* the name is free */
	settle(&s->world);
	step(s, 1);
	step(s, 2);
	assert_int_equal(state_of(s, 2, 200), REPLICA_ACTIVE);
}

static void
a_deleted_table_goes_while_the_catalog_is_on_its_way_back(void **state)
{
	struct story *s = *state;
	struct group *group;

	global_pair(s);
	delete_for_ever(s, 1, USER_TABLE);
	settle(&s->world);
	group = group_open(s->world.shard[2]);
	assert_int_equal(group_table_state(group, TABLE_CATALOG, REPLICA_CATCHUP), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	assert_int_equal(state_of(s, 2, USER_TABLE), REPLICA_ACTIVE);
	/* It cannot come up to anybody's cut any more, and the catalog waits for that cut. */
	step(s, 2);
	assert_int_equal(state_of(s, 2, USER_TABLE), REPLICA_ABSENT);
}

static void
a_taken_name_is_refused_until_it_is_free(void **state)
{
	struct story *s = *state;
	struct group *group;
	const struct table *t;

	create(s, 2, 200, "music");
	create(s, 1, USER_TABLE, "music");
	want(s, 1, USER_TABLE, "bb-2", true);
	settle(&s->world);
	for (int turn = 0; turn < 2; turn++) {
		step(s, 2);
		settle(&s->world);
		assert_string_equal(status(s, 1, USER_TABLE, "bb-2"), "CREATION_FAILED");
		assert_int_equal(state_of(s, 2, USER_TABLE), REPLICA_ABSENT);
	}
	group = group_open(s->world.shard[2]);
	assert_int_equal(catalog_read(s->region[2]->catalog, group, 200, &t), TIDE_OK);
	assert_int_equal(group_table_state(group, 200, REPLICA_ABSENT), TIDE_OK);
	assert_int_equal(catalog_write_deleted(s->region[2]->catalog, group, t), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
	table_release(t);
	step(s, 2);
	settle(&s->world);
	assert_int_equal(state_of(s, 2, USER_TABLE), REPLICA_CREATING);
	assert_string_equal(status(s, 1, USER_TABLE, "bb-2"), "CREATING");
}

static void
a_replica_removed_while_it_is_made_goes_at_once(void **state)
{
	struct story *s = *state;

	create(s, 1, USER_TABLE, "music");
	want(s, 1, USER_TABLE, "bb-2", true);
	settle(&s->world);
	step(s, 2);
	assert_int_equal(state_of(s, 2, USER_TABLE), REPLICA_CREATING);
	want(s, 1, USER_TABLE, "bb-2", false);
	settle(&s->world);
	step(s, 2);
	settle(&s->world);
	assert_int_equal(state_of(s, 2, USER_TABLE), REPLICA_ABSENT);
	assert_string_equal(status(s, 1, USER_TABLE, "bb-2"), "none");
}

static void
a_poke_ends_the_wait(void **state)
{
	struct story *s = *state;

	while (membership_wait(s->region[1], 0))
		continue;
	assert_false(membership_wait(s->region[1], 1));
	membership_poke(s->region[1]);
	assert_true(membership_wait(s->region[1], 60000));
	create(s, 1, USER_TABLE, "music");
	membership_wait(s->region[1], 0);
	want(s, 1, USER_TABLE, "bb-2", true); /* a fact of the catalog pokes by itself */
	assert_true(membership_wait(s->region[1], 60000));
}

/* Some write about the table by a region that still has it, and may not have heard of its deletion. */
static void
write_something(struct story *s, unsigned n)
{
	struct catalog *catalog = s->region[n]->catalog;
	struct group *group = group_open(s->world.shard[n]);
	const struct table *t;

	if (catalog_read(catalog, group, USER_TABLE, &t) == TIDE_OK) {
		tide_err rc = TIDE_OK;

		if (!t->deleted && t->global) {
			switch (rand() % 4) {
			case 0:
				rc = catalog_write_wanted(group, t, names[1 + rand() % 3], rand() % 2 == 0);
				break;
			case 1:
				rc = catalog_write_status(catalog, group, t, TABLE_ACTIVE, 100);
				break;
			case 2:
				rc = catalog_write_billing(group, t);
				break;
			default:
				rc = catalog_write_protection(catalog, group, t);
			}
		}
		assert_int_equal(rc, TIDE_OK);
		table_release(t);
	}
	if (state_of(s, n, USER_TABLE) == REPLICA_ACTIVE)
		assert_int_equal(group_put_text(group, USER_TABLE, "k", "late"), TIDE_OK);
	assert_int_equal(group_commit(group, NULL), TIDE_OK);
}

static void
deletion_beats_whatever_comes_in_any_order(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 15; seed++) {
		unsigned deleter = 1 + seed % 2, when = seed * 3 % 30;
		bool deleted = false;
		struct story *s;
		void *own;

		srand(seed);
		start_counted(&own);
		s = own;
		global_pair(s);
		s->world.skew_ms[3 - deleter] = 400; /* what the others write has the later versions */
		s->world.skew_ms[3] = 300;
		for (unsigned i = 0; i < 60; i++) {
			unsigned n = 1 + (unsigned)rand() % 3, from = 1 + (unsigned)rand() % 3;

			s->world.now_ms++;
			if (i >= when && !deleted && state_of(s, deleter, USER_TABLE) == REPLICA_ACTIVE) {
				delete_for_ever(s, deleter, USER_TABLE);
				deleted = true;
			}
			if (i % 3 == 0)
				write_something(s, n);
			else if (i % 3 == 1 && n != from)
				pull(&s->world, n, from, from);
			else
				step(s, n);
		}
		/* It may have been about to go from there all the time. */
		for (unsigned n = 1; n <= 3 && !deleted; n++)
			if (state_of(s, n, USER_TABLE) == REPLICA_ACTIVE) {
				delete_for_ever(s, n, USER_TABLE);
				deleted = true;
			}
		assert_true(deleted);
		for (int round = 0; round < 3; round++) {
			settle(&s->world);
			for (unsigned n = 1; n <= 3; n++)
				step(s, n);
		}
		for (unsigned n = 1; n <= 3; n++) {
			const struct table *t = catalog_find_id(s->region[n]->catalog, USER_TABLE);

			assert_true(t != NULL && t->deleted && !t->here);
			table_release(t);
			assert_null(catalog_find(s->region[n]->catalog, BYTES_LITERAL("music")));
			assert_int_equal(state_of(s, n, USER_TABLE), REPLICA_ABSENT);
			assert_int_equal(count_items(&s->world, n, USER_TABLE, true), 0);
		}
		end(&own);
	}
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, start_counted, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_new_region_writes_when_all_members_have_counted_it, start, end),
	    cmocka_unit_test_setup_teardown(a_lost_member_is_not_waited_for, start, end),
	    STORY(a_wanted_replica_is_made),
	    STORY(a_removed_replica_goes_when_those_who_stay_hold_all_it_holds),
	    STORY(who_has_not_heard_of_the_removal_lets_nobody_go),
	    STORY(a_leaving_replica_asks_a_new_question_after_a_restart),
	    STORY(a_replica_wanted_again_stays),
	    STORY(when_all_are_removed_one_stays),
	    STORY(deletion_drops_the_replicas_everywhere),
	    STORY(a_deleted_table_goes_while_the_catalog_is_on_its_way_back),
	    STORY(a_taken_name_is_refused_until_it_is_free),
	    STORY(a_replica_removed_while_it_is_made_goes_at_once),
	    STORY(a_poke_ends_the_wait),
	    cmocka_unit_test(deletion_beats_whatever_comes_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
