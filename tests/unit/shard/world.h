/*
 * A fixture of whole shards in one process: regions that write, read and pull from each other, with real journals and stores
 * and no network. Helpers are the verbs of a story; each fails the test where it stands when something is wrong.
 */
#ifndef TIDE_TESTS_SHARD_WORLD_H
#define TIDE_TESTS_SHARD_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/shard/check.h"
#include "store/shard/ship.h"

#define REGIONS_MAX 4
#define USER_TABLE 100

struct world {
	char dir[64];
	struct shard *shard[REGIONS_MAX + 1]; /* by region number, from 1 */
	const char *kv;
	uint64_t now_ms;
	uint64_t mono_ms; /* of all machines; own clocks are watched in regions with shard_set_peers */
	int64_t skew_ms[REGIONS_MAX + 1];
	unsigned n;
};

void world_open(struct world *world, unsigned regions, const char *kv);
void world_close(struct world *world);

/* The table stands ACTIVE in all regions, empty: as if it had been made before the first write. */
void world_table(struct world *world, uint64_t table);

void region_start(struct world *world, unsigned region);
void region_stop(struct world *world, unsigned region, bool checkpoint);
void region_wipe(struct world *world, unsigned region); /* a lost disk; after region_stop */
void region_check(struct world *world, unsigned region); /* offline, after region_stop */

void put(struct world *world, unsigned region, const char *key, const char *value);
void put_in(struct world *world, unsigned region, uint64_t table, const char *key, const char *value);
void delete (struct world *world, unsigned region, const char *key);
void text_key(const char *text, struct buf *key); /* appends the item key */
tide_err group_put_text(struct group *group, uint64_t table, const char *key, const char *value);
tide_err group_delete_text(struct group *group, uint64_t table, const char *key);

/* The item's attribute "v", or NULL; the string lives until the next call. */
const char *get(struct world *world, unsigned region, const char *key);
const char *get_from(struct shard *shard, uint64_t table, const char *key);

/* `to` pulls `origin`'s journal from `from` and applies it; what the last apply said. */
tide_err pull(struct world *world, unsigned to, unsigned from, unsigned origin);
tide_err pull_journal(
    struct world *world, unsigned to, unsigned from, struct jid origin); /* also of a former life */

/* `to` hears what `from` holds and which deaths it knows, and closes what it can by that. */
void tell(struct world *world, unsigned to, unsigned from);

/* `region` notes the incarnation that `about` has now, or that its first one was declared lost. */
void note(struct world *world, unsigned region, unsigned about, bool lost);

/* Everybody who is there pulls from everybody until nothing moves. */
void settle(struct world *world);

/* All regions: equal vectors, fingerprints, items and conflict entries. */
void assert_converged(struct world *world, uint64_t table);
unsigned count_items(struct world *world, unsigned region, uint64_t table, bool tombstones);

/* One step of a bootstrap of `table` in `to` from `from`; true when it is loaded. */
bool load_step(
    struct world *world, unsigned to, struct snapshot *snapshot, unsigned from, uint64_t table, uint64_t id);
void set_state(struct world *world, unsigned region, uint64_t table, enum replica_state state);

/* A rejoin: how far it is; its start (table 0: of all that need it); a step of the merging; all steps. */
enum table_rejoin rejoin_of(struct world *world, unsigned region, uint64_t table);
void rejoin_start(struct world *world, unsigned region, uint64_t table);
struct rejoin_progress rejoin_step(struct world *world, unsigned region, size_t bytes_max);
void rejoin_merge(struct world *world, unsigned region);

#endif
