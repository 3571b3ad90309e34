/*
 * A process that dies at any moment: a child writes groups and takes checkpoints, and is killed; what a power cut does to files
 * that nobody synced is done to the store's log and to the journal's last frame; then the folder must hold exactly the groups
 * that were acknowledged, and at most the one that was under way, whole.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/shard/world.h"

#define SEEDS 20
#define LIVES 4 /* of one folder */
#define GROUPS_MAX 120 /* of one life */
#define TABLES 2
#define KEYS 30
#define OPERATIONS_MAX 6
#define OTHER_TABLE 101

/* What the folder must hold, kept by the parent: the number of the write that made each item, 0: none. */
struct model {
	uint64_t at[TABLES][KEYS];
};

/* Shared by the two processes. */
struct progress {
	_Atomic uint64_t acknowledged; /* groups of this folder, over all its lives */
};

enum what { PUT, DELETE, CLEAR };

struct operation {
	enum what what;
	unsigned table, key;
	uint64_t value;
};

static uint64_t
mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* The operations of group `number` of this seed: always the same. */
static unsigned
operations_of(uint64_t seed, uint64_t number, struct operation out[OPERATIONS_MAX])
{
	uint64_t random = mix(seed * 1000003 + number);
	unsigned n = 1 + (unsigned)(random % OPERATIONS_MAX);

	for (unsigned i = 0; i < n; i++) {
		random = mix(random);
		out[i] = (struct operation){random % 5 == 0 ? DELETE : PUT, (unsigned)(random >> 8) % TABLES,
		    (unsigned)(random >> 16) % KEYS, number * OPERATIONS_MAX + i + 1};
		if (random % 97 == 0)
			out[i].what = CLEAR;
	}
	return n;
}

static void
model_apply(struct model *model, uint64_t seed, uint64_t number)
{
	struct operation operations[OPERATIONS_MAX];
	unsigned n = operations_of(seed, number, operations);

	for (unsigned i = 0; i < n; i++) {
		const struct operation *o = &operations[i];

		if (o->what == CLEAR)
			memset(model->at[o->table], 0, sizeof model->at[o->table]);
		else
			model->at[o->table][o->key] = o->what == PUT ? o->value : 0;
	}
}

static tide_err
run_one(struct group *group, const struct operation *o)
{
	uint64_t table = o->table == 0 ? USER_TABLE : OTHER_TABLE;
	char key[16], value[200];
	tide_err rc;

	if (o->what == CLEAR) {
		if ((rc = group_table_state(group, table, REPLICA_ABSENT)) != TIDE_OK)
			return rc;
		return group_table_state(group, table, REPLICA_ACTIVE);
	}
	snprintf(key, sizeof key, "k%u", o->key);
	if (o->what == DELETE)
		return group_delete_text(group, table, key);
	snprintf(
	    value, sizeof value, "%llu %0*d", (unsigned long long)o->value, (int)(o->value % 150) + 1, 0);
	return group_put_text(group, table, key, value);
}

static struct progress *
map_progress(const char *dir)
{
	struct progress *progress;
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/progress", dir);
	if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0 || ftruncate(fd, sizeof *progress) != 0)
		return NULL;
	progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return progress != MAP_FAILED ? progress : NULL;
}

/* --- the child --- */

struct child {
	struct shard *shard;
	atomic_bool done;
};

static void *
take_checkpoints(void *arg)
{
	struct child *child = arg;
	struct tide_error error;

	while (!atomic_load(&child->done))
		if (shard_checkpoint(child->shard, &error) != TIDE_OK)
			_exit(5);
	return NULL;
}

/* A program of its own (LevelDB's background thread does not survive a fork): test_crash FOLDER SEED. */
static int
child_main(const char *dir, uint64_t seed)
{
	struct world world = {.kv = "leveldb", .n = 1, .now_ms = 2000000};
	struct progress *progress;
	struct tide_error error;
	struct child child;
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(world.dir, sizeof world.dir, "%s", dir);
	if ((progress = map_progress(dir)) == NULL)
		return 1;
	log_set_level(LOG_ERROR);
	region_start(&world, 1);
	child.shard = world.shard[1];
	atomic_init(&child.done, false);
	if (seed % 3 != 0 && pthread_create(&thread, NULL, take_checkpoints, &child) != 0)
		_exit(2);
	for (unsigned i = 0; i < GROUPS_MAX; i++) {
		struct operation operations[OPERATIONS_MAX];
		uint64_t number = atomic_load(&progress->acknowledged) + 1;
		unsigned n = operations_of(seed, number, operations);
		struct group *group = group_open(child.shard);

		for (unsigned k = 0; k < n; k++)
			if (run_one(group, &operations[k]) != TIDE_OK)
				_exit(3);
		if (group_commit(group, &error) != TIDE_OK)
			_exit(4);
		atomic_store(&progress->acknowledged, number);
	}
	for (;;)
		pause(); /* the checkpoints go on until the kill */
}

/* --- the parent --- */

/* Let it get so many groups further, then kill it, wherever it is. */
static void
live_and_die(struct world *world, uint64_t seed, uint64_t random, struct progress *progress)
{
	uint64_t until = atomic_load(&progress->acknowledged) + random % GROUPS_MAX;
	struct timespec pause_a_little = {0, (long)(random >> 32) % (random >> 31 & 1 ? 200000 : 10000000)},
			deadline, now;
	char number[24];
	int status;
	pid_t pid;

	snprintf(number, sizeof number, "%llu", (unsigned long long)seed);
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	if ((pid = fork()) == 0) {
		execl("/proc/self/exe", "test_crash", world->dir, number, NULL);
		_exit(6);
	}
	assert_true(pid > 0);
	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (atomic_load(&progress->acknowledged) >= until)
			break;
		if (now.tv_sec > deadline.tv_sec + 60 || waitpid(pid, &status, WNOHANG) == pid)
			fail_msg("seed %llu: the child ended by itself or hangs", (unsigned long long)seed);
		nanosleep(&(struct timespec){0, 20000}, NULL);
	}
	nanosleep(&pause_a_little, NULL);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

/* What a power cut may do to what was not synced. */
static void
damage(struct world *world, uint64_t random)
{
	static const char *const how[] = {
	    "true",
	    "truncate -s $(($(stat -c %s \"$f\")*2/3)) \"$f\"",
	    "truncate -s 0 \"$f\"",
	    "n=$(stat -c %s \"$f\"); truncate -s $((n/3)) \"$f\"; truncate -s $n \"$f\"",
	    ("n=$(stat -c %s \"$f\"); dd if=/dev/zero of=\"$f\" bs=1 seek=$((n/2)) count=$((n/16)) "
	     "conv=notrunc 2>/dev/null"),
	};
	char command[512];

	snprintf(command, sizeof command, "for f in %s/1/store/*.log; do if [ -f \"$f\" ]; then %s; fi; done",
	    world->dir, how[random % 5]);
	assert_int_equal(system(command), 0);
	/* The beginning of a frame that was never finished: any bytes behind the last one. */
	snprintf(command, sizeof command,
	    "f=$(ls %s/1/journal/*.seg | tail -n 1); head -c %u /dev/urandom >> \"$f\"", world->dir,
	    (unsigned)(random >> 8) % 3000);
	if (random >> 40 & 1)
		assert_int_equal(system(command), 0);
}

static bool
matches(struct shard *shard, const struct model *model)
{
	char key[16];

	for (unsigned t = 0; t < TABLES; t++)
		for (unsigned k = 0; k < KEYS; k++) {
			const char *text;

			snprintf(key, sizeof key, "k%u", k);
			text = get_from(shard, t == 0 ? USER_TABLE : OTHER_TABLE, key);
			if ((text != NULL ? strtoull(text, NULL, 10) : 0) != model->at[t][k])
				return false;
		}
	return true;
}

/* Also what the totals say: they come from checkpoint and deltas, not from the items. */
static void
check_totals(struct shard *shard, const struct model *model)
{
	struct table_view view;
	struct arena arena;

	arena_init(&arena, 0);
	for (unsigned t = 0; t < TABLES; t++) {
		uint64_t items = 0;

		for (unsigned k = 0; k < KEYS; k++)
			items += model->at[t][k] != 0;
		assert_int_equal(
		    shard_table_view(shard, &arena, t == 0 ? USER_TABLE : OTHER_TABLE, &view), TIDE_OK);
		assert_int_equal(view.items, items);
	}
	arena_fini(&arena);
}

static void
one_folder(uint64_t seed)
{
	struct model model = {0};
	struct progress *progress;
	struct world world;
	uint64_t random = mix(seed), applied = 0;

	world_open(&world, 1, "leveldb");
	progress = map_progress(world.dir);
	assert_non_null(progress);
	world_table(&world, USER_TABLE);
	set_state(&world, 1, OTHER_TABLE, REPLICA_ACTIVE);
	region_stop(&world, 1, false);
	for (int life = 0; life < LIVES; life++) {
		live_and_die(&world, seed, random = mix(random), progress);
		damage(&world, random = mix(random));
		region_start(&world, 1);
		while (applied < atomic_load(&progress->acknowledged))
			model_apply(&model, seed, ++applied);
		if (!matches(world.shard[1], &model)) {
			/* The one under way: in the journal, but not answered. */
			model_apply(&model, seed, ++applied);
			if (!matches(world.shard[1], &model))
				fail_msg("seed %llu, life %d: not what was acknowledged up to group %llu",
				    (unsigned long long)seed, life, (unsigned long long)applied);
			atomic_store(&progress->acknowledged, applied);
		}
		check_totals(world.shard[1], &model);
		region_stop(&world, 1, random % 4 == 0);
		region_check(&world, 1);
	}
	region_start(&world, 1);
	world_close(&world);
	munmap(progress, sizeof *progress);
}

static void
what_was_acknowledged_survives_any_death(void **state)
{
	const char *only = getenv("TIDEMARK_SEED"), *many = getenv("TIDEMARK_LONG");
	uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1,
		 n = many != NULL && *many != 0 ? 50 * SEEDS : SEEDS;

	(void)state;
	log_set_level(LOG_ERROR);
	for (uint64_t seed = first; seed < first + (only != NULL ? 1 : n); seed++)
		one_folder(seed);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_acknowledged_survives_any_death),
	};

	if (argc == 3)
		return child_main(argv[1], strtoull(argv[2], NULL, 10));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
