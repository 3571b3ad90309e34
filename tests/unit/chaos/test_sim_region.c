/*
 * Two or three simulated regions over a network that loses nothing: what a world can rely on. The world of this file is a queue of messages in
 * the order of their time, a clock, and one line of trace per step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/membership.h"
#include "base/bytes.h"
#include "base/log.h"
#include "chaos/sim/sim_region.h"
#include "store/item/key.h"
#include "store/journal/journal_memory.h"

#define N_MAX 3
#define TABLE 4242
#define LOCAL_MS 1
#define FAR_MS 10

struct post {
	struct post *next;
	uint64_t at, order;
	struct sim_node from, to;
	uint64_t call;
	bool answer;
	size_t n;
	uint8_t bytes[];
};

static struct {
	char dir[64];
	uint8_t n;
	struct sim_region *region[N_MAX + 1];
	bool connected[N_MAX + 1][N_MAX + 1];
	struct post *posts; /* by time, then in order */
	uint64_t now, order, random, steps;
	uint64_t slow_ms; /* what messages from r1 to r3 take more */
	bool disk_fails; /* r3's, now and then */
	struct buf trace;
	/* What dies when so many steps are done; 0: nothing. */
	uint64_t api_dies, replicator_dies;
	bool died;
} w;

static uint64_t
next_random(void)
{
	w.random ^= w.random << 13;
	w.random ^= w.random >> 7;
	w.random ^= w.random << 17;
	return w.random;
}

/* --- what the world does for a region --- */

static uint64_t
now_ms(void *arg)
{
	(void)arg;
	return w.now;
}

static uint64_t
wall_ms(void *arg, uint8_t region)
{
	(void)arg;
	return 1700000000000 + w.now + 30 * region;
}

static void
send(void *arg, struct sim_node from, struct sim_node to, uint64_t call, bool answer, struct bytes message)
{
	struct post *post = malloc(sizeof *post + message.n), **at = &w.posts;

	(void)arg;
	assert_non_null(post);
	*post = (struct post){.at = w.now + (from.region == to.region ? LOCAL_MS : FAR_MS) +
				    (from.region == 1 && to.region == 3 ? w.slow_ms : 0),
	    .order = ++w.order,
	    .from = from,
	    .to = to,
	    .call = call,
	    .answer = answer,
	    .n = message.n};
	memcpy(post->bytes, message.at, message.n);
	while (*at != NULL && (*at)->at <= post->at)
		at = &(*at)->next;
	post->next = *at;
	*at = post;
}

static void
say(void *arg, uint8_t region, const char *text)
{
	(void)arg;
	buf_append_format(&w.trace, "%llu r%u %s\n", (unsigned long long)w.now, region, text);
}

/* --- the world --- */

static void
refresh(void)
{
	for (uint8_t a = 1; a <= w.n; a++)
		for (uint8_t b = 1; b <= w.n; b++) {
			bool up = a == b ? sim_region_api_runs(w.region[b])
					 : sim_region_replicator_runs(w.region[b]);

			if (!sim_region_replicator_runs(w.region[a]))
				w.connected[a][b] = false;
			else if (up != w.connected[a][b]) {
				w.connected[a][b] = up;
				sim_region_connected(
				    w.region[a], (struct sim_node){b, a == b ? SIM_API : SIM_REPLICATOR}, up);
			}
		}
}

static void
start_api(uint8_t region)
{
	struct tide_error error = {0};

	if (sim_region_start_api(w.region[region], &error) != TIDE_OK)
		fail_msg("region %u does not start: %s", region, error.message);
	refresh();
}

static void
kill_api(uint8_t region)
{
	sim_region_kill_api(w.region[region], NULL, NULL);
	refresh();
}

static void
restart_replicator(uint8_t region)
{
	sim_region_kill_replicator(w.region[region]);
	refresh();
	sim_region_start_replicator(w.region[region]);
	refresh();
}

static void
world_open_of(uint8_t n, uint64_t seed)
{
	struct sim_env env = {.now_ms = now_ms, .wall_ms = wall_ms, .send = send, .say = say};

	memset(&w, 0, sizeof w);
	log_set_level(LOG_INFO);
	strcpy(w.dir, "/dev/shm/tidemark-sim-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	w.n = n;
	w.random = seed * 2 + 1;
	w.now = 1000;
	for (uint8_t r = 1; r <= w.n; r++) {
		char dir[80];
		struct sim_region_options options = {.region = r,
		    .n_regions = w.n,
		    .dir = dir,
		    .seed = seed + r,
		    .skew_ms_max = 500,
		    .retention_ms = 60000,
		    .segment_bytes = 8192,
		    .window = 4,
		    .batch_bytes = 8192};

		snprintf(dir, sizeof dir, "%s/%u", w.dir, r);
		w.region[r] = sim_region_new(&env, &options);
		assert_non_null(w.region[r]);
	}
	for (uint8_t r = 1; r <= w.n; r++) {
		start_api(r);
		sim_region_start_replicator(w.region[r]);
	}
	refresh();
}

static void
world_open(uint64_t seed)
{
	world_open_of(2, seed);
}

static void
world_close(void)
{
	char command[128];
	struct post *post;

	for (uint8_t r = 1; r <= w.n; r++)
		sim_region_free(w.region[r]);
	while ((post = w.posts) != NULL) {
		w.posts = post->next;
		free(post);
	}
	buf_fini(&w.trace);
	snprintf(command, sizeof command, "rm -rf %s", w.dir);
	assert_int_equal(system(command), 0);
	log_redirect(NULL);
}

static void
deliver(void)
{
	struct post *post = w.posts;

	w.posts = post->next;
	sim_region_deliver(w.region[post->to.region], post->from, post->to.part, post->call, post->answer,
	    bytes_of(post->bytes, post->n));
	free(post);
}

/* One step of one region, or the next message, or time goes on. */
static void
step_once(void)
{
	uint8_t first = (uint8_t)(next_random() % w.n);
	uint64_t wake = UINT64_MAX;

	w.steps++;
	if (w.steps == w.api_dies) {
		kill_api(2);
		start_api(2);
		w.died = true;
	}
	if (w.steps == w.replicator_dies) {
		restart_replicator(2);
		w.died = true;
	}
	/* What comes may wait for the step of a region, or be there before it. */
	if (w.posts != NULL && w.posts->at <= w.now && next_random() % 2 == 0) {
		deliver();
		return;
	}
	for (uint8_t i = 0; i < w.n; i++) {
		uint8_t r = (uint8_t)((first + i) % w.n + 1);

		if (sim_region_step(w.region[r], next_random())) {
			buf_append_format(&w.trace, "%llu r%u steps\n", (unsigned long long)w.now, r);
			return;
		}
	}
	if (w.posts != NULL && w.posts->at <= w.now) {
		deliver();
		return;
	}
	for (uint8_t r = 1; r <= w.n; r++)
		if (sim_region_wake(w.region[r]) < wake)
			wake = sim_region_wake(w.region[r]);
	if (w.posts != NULL && w.posts->at < wake)
		wake = w.posts->at;
	assert_true(wake > w.now); /* nothing was ready, says the step */
	w.now = wake;
}

/* What is appended within a step fails, or not. */
static void
step(void)
{
	bool fails = w.disk_fails && next_random() % 16 == 0;

	if (fails)
		journal_memory_disk_fail_next(sim_region_journal_disk(w.region[3]), TIDE_FULL, 0);
	step_once();
	if (fails)
		journal_memory_disk_fail_next(sim_region_journal_disk(w.region[3]), TIDE_OK, 0);
}

static void
never_came(const char *condition)
{
	size_t n = w.trace.n < 4000 ? w.trace.n : 4000;

	print_error("%.*s", (int)n, (const char *)w.trace.at + w.trace.n - n);
	fail_msg("%s never came", condition);
}

#define UNTIL(condition)                                                                                     \
	do {                                                                                                 \
		uint64_t deadline = w.now + 60000;                                                           \
		while (!(condition)) {                                                                       \
			if (w.now > deadline)                                                                \
				never_came(#condition);                                                      \
			step();                                                                              \
		}                                                                                            \
	} while (0)

/* --- operations --- */

struct work {
	struct commit_op op;
	struct region *region;
	const char *key, *text;
	bool done;
	tide_err outcome;
};

static void
work_done(struct commit_op *op, const struct tide_error *error)
{
	struct work *work = (struct work *)op;

	work->done = true;
	work->outcome = error->code;
}

static tide_err
submit(struct work *work, uint8_t region, commit_run_fn run)
{
	work->op.run = run;
	work->op.done = work_done;
	work->region = sim_region_api(w.region[region]);
	return committer_submit(work->region->committer, &work->op);
}

/* Done or dropped with its process. */
static tide_err
call(uint8_t region, commit_run_fn run, const char *key, const char *text)
{
	struct work work = {.key = key, .text = text};

	assert_int_equal(submit(&work, region, run), TIDE_OK);
	UNTIL(work.done);
	return work.outcome;
}

/* A global table with a replica in both regions, made as CreateTable and UpdateTable do. */
static tide_err
make_table(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct region *region = ((struct work *)op)->region;
	struct table *table = table_new();
	tide_err rc;

	assert_non_null(table);
	table->id = TABLE;
	snprintf(table->name, sizeof table->name, "orders");
	table->attributes = arena_calloc(&table->arena, sizeof *table->attributes);
	table->attributes[0] = table->partition = (struct key_attribute){BYTES_LITERAL("pk"), VALUE_S};
	table->n_attributes = 1;
	if ((rc = catalog_write_new(region->catalog, group, table, error)) == TIDE_OK &&
	    (rc = group_table_state(group, TABLE, REPLICA_ACTIVE)) == TIDE_OK &&
	    (rc = group_table_shared(group, TABLE, true)) == TIDE_OK &&
	    (rc = catalog_write_global(region->catalog, group, table)) == TIDE_OK)
		rc = catalog_write_wanted(group, table, "r2", true);
	if (rc == TIDE_OK && w.n > 2)
		rc = catalog_write_wanted(group, table, "r3", true);
	table_release(table);
	return rc;
}

static tide_err
put(struct commit_op *op, struct group *group, struct tide_error *error)
{
	const struct work *work = (const struct work *)op;
	struct value partition = {.type = VALUE_S, .text = bytes_of_string(work->key)};
	struct member members[] = {{BYTES_LITERAL("pk"), partition},
	    {BYTES_LITERAL("v"), {.type = VALUE_S, .text = bytes_of_string(work->text)}}};
	struct value item = {.type = VALUE_M, .map = {members, 2}};
	struct buf key = {0}, image = {0};
	tide_err rc;

	(void)error;
	key_encode(&partition, NULL, &key);
	value_encode(&item, &image);
	rc = group_put(group, TABLE, buf_bytes(&key), buf_bytes(&image), false);
	buf_fini(&key);
	buf_fini(&image);
	return rc;
}

static bool
holds(uint8_t region, const char *key_text, const char *text)
{
	struct region *api = sim_region_api(w.region[region]);
	struct value partition = {.type = VALUE_S, .text = bytes_of_string(key_text)};
	struct buf key = {0}, raw = {0};
	struct stored stored;
	bool found;

	key_encode(&partition, NULL, &key);
	found = shard_get(api->shard, TABLE, buf_bytes(&key), &raw, &stored) == TIDE_OK &&
		memmem(stored.image.at, stored.image.n, text, strlen(text)) != NULL;
	buf_fini(&key);
	buf_fini(&raw);
	return found;
}

static bool
may_write(uint8_t region)
{
	return region_may_write(sim_region_api(w.region[region]));
}

static enum replica_state
state(uint8_t region)
{
	return shard_table_state(sim_region_api(w.region[region])->shard, TABLE);
}

/* Status of r2's replica, as region `in` sees it. */
static enum table_status
status_in(uint8_t in)
{
	const struct table *table = catalog_find_id(sim_region_api(w.region[in])->catalog, TABLE);
	const struct replica *replica = table != NULL ? table_replica(table, "r2") : NULL;
	enum table_status status = replica != NULL ? replica->status : TABLE_DELETING;

	if (table != NULL)
		table_release(table);
	return status;
}

static void
both_have_the_table(void)
{
	UNTIL(may_write(1) && may_write(2));
	assert_int_equal(call(1, make_table, NULL, NULL), TIDE_OK);
	UNTIL(state(1) == REPLICA_ACTIVE && state(2) == REPLICA_ACTIVE);
}

/* --- tests --- */

static void
regions_greet_each_other_and_may_write(void **context)
{
	(void)context;
	world_open(1);
	assert_false(may_write(1));
	UNTIL(may_write(1) && may_write(2));
	assert_true(w.now < 10000);
	world_close();
}

static void
a_region_alone_may_not_write(void **context)
{
	(void)context;
	world_open(1);
	sim_region_kill_replicator(w.region[2]);
	refresh();
	while (w.now < 20000)
		step();
	assert_false(may_write(1));
	world_close();
}

static void
a_global_table_is_creating_then_active(void **context)
{
	(void)context;
	world_open(2);
	UNTIL(may_write(1) && may_write(2));
	assert_int_equal(call(1, make_table, NULL, NULL), TIDE_OK);
	UNTIL(state(2) == REPLICA_CREATING);
	UNTIL(state(2) == REPLICA_ACTIVE);
	UNTIL(status_in(1) == TABLE_ACTIVE && status_in(2) == TABLE_ACTIVE);
	world_close();
}

static void
a_write_appears_in_the_other_region(void **context)
{
	(void)context;
	world_open(3);
	both_have_the_table();
	assert_int_equal(call(1, put, "a", "from-one"), TIDE_OK);
	assert_int_equal(call(2, put, "b", "from-two"), TIDE_OK);
	assert_false(holds(2, "a", "from-one") && holds(1, "b", "from-two"));
	UNTIL(holds(2, "a", "from-one") && holds(1, "b", "from-two"));
	world_close();
}

static void
a_clean_stop_loses_nothing(void **context)
{
	(void)context;
	world_open(4);
	both_have_the_table();
	assert_int_equal(call(1, put, "a", "kept"), TIDE_OK);
	sim_region_stop_api(w.region[1]);
	refresh();
	start_api(1);
	assert_true(holds(1, "a", "kept"));
	UNTIL(holds(2, "a", "kept") && may_write(1));
	world_close();
}

static void
queued_operations_die_with_the_process(void **context)
{
	struct work work = {.key = "a", .text = "never"};

	(void)context;
	world_open(5);
	both_have_the_table();
	assert_int_equal(submit(&work, 1, put), TIDE_OK);
	kill_api(1);
	assert_true(work.done);
	assert_int_equal(work.outcome, TIDE_CLOSED);
	start_api(1);
	assert_false(holds(1, "a", "never"));
	world_close();
}

static void
a_start_that_fails_may_be_tried_again(void **context)
{
	struct journal_options options = {0};
	struct journal *journal;
	struct tide_error error;

	(void)context;
	world_open(11);
	both_have_the_table();
	options.id = shard_id(sim_region_api(w.region[1])->shard);
	kill_api(1);
	/* Somebody else has the journal. */
	assert_int_equal(
	    journal_open("memory", sim_region_journal_disk(w.region[1]), &options, &journal, &error),
	    TIDE_OK);
	assert_int_equal(sim_region_start_api(w.region[1], &error), TIDE_FENCED);
	assert_false(sim_region_api_runs(w.region[1]));
	journal_close(journal);
	start_api(1);
	UNTIL(may_write(1) && state(1) == REPLICA_ACTIVE);
	world_close();
}

static void
a_lost_disk_is_born_again(void **context)
{
	(void)context;
	world_open(6);
	both_have_the_table();
	assert_int_equal(call(1, put, "a", "kept"), TIDE_OK);
	UNTIL(holds(2, "a", "kept"));
	kill_api(1);
	sim_region_wipe(w.region[1]);
	start_api(1);
	UNTIL(jid_incarnation(shard_id(sim_region_api(w.region[1])->shard)) == 2);
	UNTIL(may_write(1) && state(1) == REPLICA_ACTIVE && holds(1, "a", "kept"));
	/* The second life's journal is there after a crash. */
	kill_api(1);
	start_api(1);
	assert_int_equal(jid_incarnation(shard_id(sim_region_api(w.region[1])->shard)), 2);
	assert_true(holds(1, "a", "kept"));
	world_close();
}

/* A short story; what dies in it dies after so many steps. */
static uint64_t
story(uint64_t seed, uint64_t api_dies, uint64_t replicator_dies)
{
	uint64_t steps;

	world_open(seed);
	w.api_dies = api_dies;
	w.replicator_dies = replicator_dies;
	UNTIL(may_write(1) && may_write(2));
	assert_int_equal(call(1, make_table, NULL, NULL), TIDE_OK);
	UNTIL(state(2) == REPLICA_ACTIVE);
	assert_int_equal(call(1, put, "a", "from-one"), TIDE_OK);
	UNTIL(holds(2, "a", "from-one"));
	UNTIL(may_write(2));
	assert_int_equal(call(1, put, "b", "again"), TIDE_OK);
	UNTIL(holds(2, "a", "from-one") && holds(2, "b", "again"));
	steps = w.steps;
	assert_true(w.died || (api_dies == 0 && replicator_dies == 0));
	return steps;
}

static void
a_process_may_die_between_any_two_steps(void **context)
{
	uint64_t steps = story(7, 0, 0);

	(void)context;
	world_close();
	assert_true(steps > 100);
	for (uint64_t at = 1; at <= steps; at += 5) {
		story(7, at, 0);
		world_close();
		story(7, 0, at);
		world_close();
	}
}

static void
the_same_seed_gives_the_same_trace(void **context)
{
	struct buf first;

	(void)context;
	story(8, 200, 0);
	first = w.trace;
	w.trace = (struct buf){0};
	world_close();
	story(8, 200, 0);
	assert_true(first.n > 1000);
	assert_int_equal(first.n, w.trace.n);
	assert_memory_equal(first.at, w.trace.at, first.n);
	world_close();
	story(9, 200, 0);
	assert_false(first.n == w.trace.n && memcmp(first.at, w.trace.at, first.n) == 0);
	world_close();
	buf_fini(&first);
}

/* r3 hears of r2's writes before those of r1 that they saw: they wait there, and groups fail around them. */
static void
what_waits_outlives_groups_that_fail(void **context)
{
	struct work one, two;
	char text[16];

	(void)context;
	for (uint64_t seed = 20; seed < 40; seed++) {
		world_open_of(3, seed);
		UNTIL(may_write(1) && may_write(2) && may_write(3));
		assert_int_equal(call(1, make_table, NULL, NULL), TIDE_OK);
		UNTIL(state(1) == REPLICA_ACTIVE && state(2) == REPLICA_ACTIVE && state(3) == REPLICA_ACTIVE);
		w.slow_ms = 20;
		w.disk_fails = true;
		for (int i = 0; i < 150; i++) {
			uint64_t next = w.now + 1 + next_random() % 3;

			snprintf(text, sizeof text, "text-%d", i);
			one = (struct work){.key = "a", .text = text};
			two = (struct work){.key = "b", .text = text};
			assert_int_equal(submit(&one, 1, put), TIDE_OK);
			assert_int_equal(submit(&two, 2, put), TIDE_OK);
			UNTIL(one.done && two.done && w.now >= next);
		}
		w.disk_fails = false;
		UNTIL(holds(3, "a", text) && holds(3, "b", text));
		world_close();
	}
}

static void
nothing_stays_behind_in_a_quiet_world(void **context)
{
	uint64_t until;

	(void)context;
	world_open(10);
	both_have_the_table();
	for (int i = 0; i < 50; i++)
		assert_int_equal(call(1, put, "a", "again"), TIDE_OK);
	until = w.now + 120000;
	while (w.now < until)
		step();
	for (uint8_t r = 1; r <= w.n; r++) {
		assert_true(sim_region_load(w.region[r]).requests < 40);
		assert_true(sim_region_load(w.region[r]).bytes_held < 20000);
	}
	world_close();
}

static tide_err
put_token(struct commit_op *op, struct group *group, struct tide_error *error)
{
	const struct work *work = (const struct work *)op;
	struct group_write token = {
	    .table = TABLE_TOKENS, .key = bytes_of_string(work->key), .image = bytes_of_string(work->text)};

	(void)error;
	return group_transact(group, NULL, 0, &token);
}

static unsigned
tokens(uint8_t region)
{
	struct shard_scan_range range = {.table = TABLE_TOKENS, .tombstones = true};
	struct shard_scan *scan;
	struct stored stored;
	struct bytes key;
	unsigned n = 0;

	assert_int_equal(shard_scan_open(sim_region_api(w.region[region])->shard, &range, &scan), TIDE_OK);
	while (shard_scan_next(scan, &key, &stored) == TIDE_OK)
		n++;
	shard_scan_close(scan);
	return n;
}

static void
client_tokens_go_by_themselves(void **context)
{
	(void)context;
	world_open(6);
	both_have_the_table();
	assert_int_equal(call(1, put_token, "one", "1"), TIDE_OK);
	w.now += TOKEN_KEPT_MS / 2;
	assert_int_equal(call(1, put_token, "two", "2"), TIDE_OK);
	w.now += TOKEN_KEPT_MS / 2;
	UNTIL(tokens(1) == 1);
	w.now += TOKEN_KEPT_MS / 2;
	UNTIL(tokens(1) == 0);
	world_close();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(regions_greet_each_other_and_may_write),
	    cmocka_unit_test(a_region_alone_may_not_write),
	    cmocka_unit_test(a_global_table_is_creating_then_active),
	    cmocka_unit_test(a_write_appears_in_the_other_region),
	    cmocka_unit_test(a_clean_stop_loses_nothing),
	    cmocka_unit_test(queued_operations_die_with_the_process),
	    cmocka_unit_test(a_start_that_fails_may_be_tried_again),
	    cmocka_unit_test(a_lost_disk_is_born_again),
	    cmocka_unit_test(a_process_may_die_between_any_two_steps),
	    cmocka_unit_test(the_same_seed_gives_the_same_trace),
	    cmocka_unit_test(what_waits_outlives_groups_that_fail),
	    cmocka_unit_test(nothing_stays_behind_in_a_quiet_world),
	    cmocka_unit_test(client_tokens_go_by_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
