/*
 * The bare journal and store: PutItem's and GetItem's work on the shard without HTTP, JSON, expressions and threads.
 *
 *     bench_store [--op put|get] [--unit N] [--seconds N] [--keys N] [--fill N] [--dir DIR]
 *
 * One thread writes groups of N items (default 76), each group with one journal write, one fsync and one store batch: what
 * the committer does at best. It prints one line of key=value pairs, as tidemark-bench does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_client.h"
#include "store/item/key.h"
#include "store/shard/group.h"

#define TABLE 100

struct run {
	struct shard *shard;
	struct buf image, key, raw;
	uint64_t keys, random, unit;
};

static void
fail(const char *what, tide_err rc, const struct tide_error *error)
{
	fprintf(stderr, "%s: %s %s\n", what, tide_err_name(rc), error != NULL ? error->message : "");
	exit(1);
}

static void
make_key(struct run *run, uint64_t number, struct value *pk, char text[32])
{
	int n = snprintf(text, 32, "user%012llu", (unsigned long long)number);

	*pk = (struct value){.type = VALUE_S, .text = bytes_of(text, (size_t)n)};
	buf_clear(&run->key);
	key_encode(pk, NULL, &run->key);
}

/* The same item as the load generator's: ten attributes and the key, in canonical order. */
static void
make_item(struct run *run, uint64_t number)
{
	static const char names[10][3] = {"f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9"};
	struct member members[11];
	struct value item = {.type = VALUE_M, .map = {members, 11}};
	char text[32];

	for (uint64_t i = 0; i < 10; i++) {
		members[i].name = bytes_of(names[i], 2);
		members[i].value = (struct value){.type = VALUE_S, .text = bench_attribute(number, i)};
	}
	members[10].name = BYTES_LITERAL("pk");
	make_key(run, number, &members[10].value, text);
	buf_clear(&run->image);
	value_encode(&item, &run->image);
}

static uint64_t
pick(struct run *run)
{
	run->random ^= run->random << 13;
	run->random ^= run->random >> 7;
	run->random ^= run->random << 17;
	return run->random % run->keys;
}

/* One group. Like PutItem it looks at the item first. */
static void
put_unit(struct run *run, uint64_t first, bool sequential)
{
	struct group *group = group_open(run->shard);
	struct tide_error error = {0};
	struct stored before;
	tide_err rc;

	if (group == NULL)
		fail("group_open", TIDE_NOMEM, NULL);
	for (uint64_t i = 0; i < run->unit; i++) {
		make_item(run, sequential ? first + i : pick(run));
		rc = group_get(group, TABLE, buf_bytes(&run->key), &before);
		if (rc != TIDE_OK && rc != TIDE_NOTFOUND)
			fail("group_get", rc, NULL);
		if ((rc = group_put(group, TABLE, buf_bytes(&run->key), buf_bytes(&run->image), false)) !=
		    TIDE_OK)
			fail("group_put", rc, NULL);
	}
	if ((rc = group_commit(group, &error)) != TIDE_OK)
		fail("group_commit", rc, &error);
}

static void
get_unit(struct run *run)
{
	struct stored stored;
	struct value pk;
	char text[32];
	tide_err rc;

	for (uint64_t i = 0; i < run->unit; i++) {
		make_key(run, pick(run), &pk, text);
		rc = shard_get(run->shard, TABLE, buf_bytes(&run->key), &run->raw, &stored);
		if (rc != TIDE_OK && rc != TIDE_NOTFOUND)
			fail("shard_get", rc, NULL);
	}
}

static void
open_shard(struct run *run, const char *dir)
{
	struct shard_options options = {
	    .dir = dir,
	    .kv_plugin = "leveldb",
	    .journal_plugin = "segments",
	    .kv = {.cache_bytes = 128u << 20, .write_buffer_bytes = 64u << 20, .create = true},
	    .region = 1,
	    .segment_bytes = 64u << 20,
	    .create = true,
	};
	struct tide_error error = {0};
	struct group *group;
	tide_err rc;

	if ((rc = shard_open(&options, &run->shard, &error)) != TIDE_OK)
		fail("shard_open", rc, &error);
	if (shard_table_state(run->shard, TABLE) == REPLICA_ACTIVE)
		return;
	if ((group = group_open(run->shard)) == NULL)
		fail("group_open", TIDE_NOMEM, NULL);
	if ((rc = group_table_state(group, TABLE, REPLICA_ACTIVE)) != TIDE_OK)
		fail("group_table_state", rc, NULL);
	if ((rc = group_commit(group, &error)) != TIDE_OK)
		fail("group_commit", rc, &error);
}

int
main(int argc, char **argv)
{
	struct run run = {.keys = 100000, .random = 88172645463325252u, .unit = 76};
	uint64_t fill = 0, ops = 0, began, until, us, cpu;
	const char *dir = NULL;
	double seconds = 10;
	bool get = false;

	for (int i = 1; i + 1 < argc; i += 2) {
		const char *name = argv[i], *value = argv[i + 1];

		if (strcmp(name, "--op") == 0)
			get = strcmp(value, "get") == 0;
		else if (strcmp(name, "--unit") == 0)
			run.unit = strtoull(value, NULL, 10);
		else if (strcmp(name, "--seconds") == 0)
			seconds = strtod(value, NULL);
		else if (strcmp(name, "--keys") == 0)
			run.keys = strtoull(value, NULL, 10);
		else if (strcmp(name, "--fill") == 0)
			fill = strtoull(value, NULL, 10);
		else if (strcmp(name, "--dir") == 0)
			dir = value;
	}
	if (dir == NULL || run.unit == 0 || run.keys == 0) {
		fprintf(stderr, "usage: bench_store --dir DIR [--op put|get] [--unit N] [--seconds N] "
				"[--keys N] [--fill N]\n");
		return 2;
	}
	open_shard(&run, dir);
	for (uint64_t n = 0; n < fill; n += run.unit)
		put_unit(&run, n, true);
	cpu = bench_cpu_us((long)getpid());
	began = bench_now_us();
	until = began + (uint64_t)(seconds * 1e6);
	while (bench_now_us() < until) {
		if (get)
			get_unit(&run);
		else
			put_unit(&run, 0, false);
		ops += run.unit;
	}
	us = bench_now_us() - began;
	cpu = bench_cpu_us((long)getpid()) - cpu;
	printf("op=%s unit=%llu seconds=%.2f ops=%llu errors=0 ops_per_s=%.0f server_cpu_us_per_op=%.1f\n",
	    get ? "get" : "put", (unsigned long long)run.unit, (double)us / 1e6, (unsigned long long)ops,
	    (double)ops * 1e6 / (double)us, (double)cpu / (double)ops);
	shard_close(run.shard, false);
	buf_fini(&run.image);
	buf_fini(&run.key);
	buf_fini(&run.raw);
	return 0;
}
