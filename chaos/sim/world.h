/*
 * A world: two to seven regions in one process, one seed, virtual time. A world is a list of steps; each step lets one actor act or
 * one fault strike, and then lets the regions work for a while. Every step draws from a generator of its own, (seed, step), so
 * that a failing world can be minimised by leaving steps out.
 *
 *     steps ──► heal everything, settle, check ──► collect here and there, write each key once more ──► settle, check
 *
 * To add an actor, a fault or a check: one file with one struct, and its line in registry.c. docs/simulator.md.
 */
#ifndef TIDE_CHAOS_SIM_WORLD_H
#define TIDE_CHAOS_SIM_WORLD_H

#include "base/arena.h"
#include "chaos/sim/ledger.h"
#include "chaos/sim/rng.h"
#include "chaos/sim/sim_region.h"

#define WORLD_TABLES_MAX 12
#define WORLD_KEYS_MAX 8
#define WORLD_STEPS_MAX 1024
#define WORLD_EPOCH_MS 1700000000000u /* wall clock at virtual time 0 */
#define WORLD_GUARD_MS 50 /* max_clock_skew of every region */

struct world;

/* Somebody who uses the regions: a client, an operator. */
struct sim_actor {
	const char *name;
	unsigned weight; /* how often, against the other actors */
	void (*act)(struct world *world, uint8_t region);
};

/* Something that goes wrong. It heals itself by a timer (world_after): those are all fired before a world settles. */
struct sim_fault {
	const char *name;
	unsigned weight;
	unsigned percent; /* of the worlds that have faults have this one */
	void (*strike)(struct world *world, uint8_t region);
};

/* Something that must hold. Any function may be NULL. */
struct sim_check {
	const char *name;
	void (*began)(struct world *world, uint8_t region); /* its API process has recovered */
	void (*unit)(struct world *world, uint8_t region, const struct unit *unit); /* it is on disk there */
	void (*moved)(struct world *world, uint8_t region); /* something of the region has changed */
	void (*sent)(
	    struct world *world, struct sim_node from, struct sim_node to, bool answer, struct bytes message);
	void (*settled)(struct world *world); /* all faults are over and everything has converged */
};

extern const struct sim_actor *const sim_actors[];
extern const struct sim_fault *const sim_faults[];
extern const struct sim_check *const sim_checks[]; /* each list ends with NULL */

struct world_options {
	uint64_t seed;
	bool large; /* up to seven regions, more steps */
	bool trace; /* every line at once on standard output */
	const uint8_t *left_out; /* one byte per step; NULL: none */
	uint32_t n_left_out;
	const char *dir; /* where regions keep their small files: a tmpfs */
};

/* What the seed makes of a world. */
struct world_plan {
	uint8_t n_regions;
	uint32_t n_tables, n_keys, n_steps;
	uint32_t n_accounts; /* keys above the others, which only transfers write; 0: no transactions */
	uint32_t pace_ms_max; /* the regions' time after a step */
	uint32_t delay_ms_min, delay_ms_max; /* between regions */
	uint32_t faults; /* bits by place in sim_faults */
	uint32_t lose, repeat, reorder; /* per thousand messages between regions */
	bool collect, hot;
	bool membership; /* tables and replicas come and go */
	bool trims; /* journals keep as little as they may */
	bool ttl; /* items expire */
	bool indexes; /* come and go */
	bool watched; /* regions watch their own clocks: they go by them only while they are right */
};

struct world_counters {
	uint64_t events, messages, lost, repeated, writes, refused, deletes, conflicts, collected, bootstraps,
	    rebirths, crashes, restarts, cuts, holds, trims, records_shipped, pieces, disk_faults,
	    clock_faults, rejoins, tables_made, tables_deleted, replicas_added, replicas_removed, expired,
	    ttl_changes, transfers, sums, indexes_made, indexes_deleted, indexes_seen;
};

/* A table as its clients know it. */
struct world_table {
	uint64_t id;
	char name[24];
	bool deleted; /* somebody asked for it */
};

struct world_region {
	struct sim_region *sim;
	int64_t skew_ms; /* of its wall clock */
	int32_t drift_per_mille;
	uint64_t drift_since_ms, frozen_at_ms; /* frozen_at_ms 0: runs */
	uint64_t paused_until_ms; /* its processes get no turn before */
	struct jid journal; /* last known; JID_NONE: none yet */
	bool ambushed; /* its API process is killed in the middle of its next bootstrap */
	uint16_t lives; /* disks lost so far */
	uint64_t mark; /* of what checks look at, when they last did */
	struct observed {
		struct world *world;
		uint8_t region;
	} observed;
	bool
	    connected[SIM_REGIONS_MAX +
		      1]; /* our replicator believes: to that region's (our own number: to our API process) */
	bool ready;
};

struct event;

struct world {
	struct world_options options;
	uint32_t nth; /* of this process's worlds: names its folder */
	struct world_plan plan;
	struct rng rng; /* of the step under way */
	uint64_t now_ms;
	uint32_t step;
	struct world_region regions[SIM_REGIONS_MAX + 1]; /* by number, from 1 */
	struct event *heap;
	uint32_t n_heap, heap_room;
	uint64_t last_event;
	bool healing; /* no fault strikes any more */
	bool deaf[SIM_REGIONS_MAX + 1]
		 [SIM_REGIONS_MAX + 1]; /* [a][b]: what a's replicator sends to b's is lost */
	bool noticed[SIM_REGIONS_MAX + 1]
		    [SIM_REGIONS_MAX + 1]; /* a has seen that its connection to b is gone */
	uint32_t generation[SIM_REGIONS_MAX + 1]
			   [2]; /* of each process: what was under way to one that died is lost */
	uint32_t slow_ms; /* added to each message between regions */
	struct world_table tables[WORLD_TABLES_MAX];
	uint32_t n_tables;
	uint32_t tables_named;
	uint64_t indexes_named;
	struct ledger ledger;
	struct client_op *ops; /* under way */
	struct world_counters counters;
	void *notes[16]; /* of the checks, by place in sim_checks; freed with the world */
	struct arena scratch;
	/* --- what a person reads --- */
	struct buf story; /* actors, faults and what came of them */
	char failure[512];
	const char *failed_check;
};

/** A world that has not begun. NULL: no memory. */
struct world *world_new(const struct world_options *options);
void world_free(struct world *world);

/** Live it to its end. True: every check held. */
bool world_run(struct world *world);

struct world_plan world_plan_of(const struct world_options *options);

/* --- for actors, faults and checks --- */

/** A check does not hold: the first one is kept, and the world ends. */
void world_fail(struct world *world, const char *check, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** A line of the story: who did what. */
void world_tell(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline bool
world_failed(const struct world *world)
{
	return world->failure[0] != 0;
}

/** Call `fn` once, after so many virtual milliseconds, or when everything heals. */
void world_after(
    struct world *world, uint64_t ms, void (*fn)(struct world *world, uint64_t arg), uint64_t arg);

/** Let everything run for so long. */
void world_work(struct world *world, uint64_t ms);

/** Let a region's replicas rejoin that fell behind what its peers keep, if there are any. */
void world_rejoin(struct world *world, uint8_t region);

/** Let a region drop the tombstones that it may. */
void world_collect(struct world *world, uint8_t region);

/** A region by chance, and another one than `than`. */
uint8_t world_any_region(struct world *world);
uint8_t world_other_region(struct world *world, uint8_t than);

/** The API process of a region; NULL: it does not run. */
struct region *world_api(struct world *world, uint8_t region);

/** Processes end and begin. Ending one that does not run changes nothing; of unsynced batches some survive by chance. */
void world_kill_api(struct world *world, uint8_t region);
void world_kill_replicator(struct world *world, uint8_t region);
void world_start(struct world *world, uint8_t region);
void world_start_soon(struct world *world, uint64_t region); /* for world_after */

/** A table that is not deleted, by chance; NULL: there is none. */
struct world_table *world_any_table(struct world *world);
const struct world_table *world_table(const struct world *world, uint64_t id);

/** "r2" */
const char *world_region_name(uint8_t region, char text[8]);

/* --- settle.c --- */

/** Heal everything and let it work until it has converged; then nothing may travel any more, and all checks must hold. */
void world_settle(struct world *world);

/* --- network.c --- */

/** sim_env.send */
void network_send(
    void *arg, struct sim_node from, struct sim_node to, uint64_t call, bool answer, struct bytes message);

/** Tell replicators which connections stand now. After anything that may have changed that. */
void network_refresh(struct world *world);

/** No cut, no delay beyond the plan's, nothing lost any more. */
void network_heal(struct world *world);

/* --- events.c --- */

/** A message for the queue; copies it. */
void events_message(struct world *world, uint64_t at_ms, struct sim_node from, struct sim_node to,
    uint64_t call, bool answer, struct bytes message);

/** Do what is due by now; false: nothing was. `*next_ms`: when something will be, UINT64_MAX: never. */
bool events_do_one(struct world *world, uint64_t *next_ms);

/** Fire every timer now, also those that others set while it happens. */
void events_fire_all(struct world *world);
void events_fini(struct world *world);

/* --- client.c --- */

enum client_kind { CLIENT_PUT, CLIENT_DELETE, CLIENT_PUT_NEW, CLIENT_UPDATE };

/** A client's write of one item by the region's committer. What comes of it is in the ledger. */
void client_write(
    struct world *world, uint8_t region, const struct world_table *table, uint8_t key, enum client_kind kind);

/** The same, of an item that expires then (0: never). client_write draws when, in worlds with time to live. */
void client_write_until(struct world *world, uint8_t region, const struct world_table *table, uint8_t key,
    enum client_kind kind, uint64_t expires_s);

/** Enter into the ledger what the group holds under a key since just now. NULL: it holds nothing there, or no memory. */
struct write *client_enter(
    struct world *world, uint8_t region, struct group *group, uint64_t table, uint8_t key);

#define TRANSFER_PARTS_MAX 4

/** client_enter of a part of a transaction, whose other parts the group holds, too. `txn`: its first part's number, 0: this is it. */
struct write *client_enter_part(
    struct world *world, uint8_t region, struct group *group, uint64_t table, uint8_t key, uint32_t txn);

/** What became of a write whose operation ended so. */
enum write_fate client_fate(struct world *world, uint8_t region, const struct write *write, tide_err outcome);

/** Any other operation on the committer; `run` as in committer.h, `arg` freed afterwards. False: it was not taken. */
bool client_submit(struct world *world, uint8_t region, const char *what,
    tide_err (*run)(
	struct world *world, uint8_t region, struct group *group, void *arg, struct tide_error *error),
    void *arg);

/** A new regional table, and another region's replica of it or of a table that is there: as CreateTable and UpdateTable do it. */
void client_make_table(struct world *world, uint8_t region, const char *name);
void client_change_replica(
    struct world *world, uint8_t region, const struct world_table *table, uint8_t target, bool add);
void client_delete_table(struct world *world, uint8_t region, struct world_table *table);

/** The encoded key of a number, and the item that a write leaves. */
void client_key(uint8_t key, struct buf *out);
void client_image(uint8_t key, uint32_t write, struct buf *out);
void client_image_until(uint8_t key, uint32_t write, uint64_t expires_s, struct buf *out);

/* --- actor_expiry.c, check_expiry.c --- */

#define EXPIRES_SOON_S 20 /* what expires later than that does not in a world's life */

/** When the item of a write of this moment shall expire; 0: never. In worlds with time to live. */
uint64_t expiry_draw(struct world *world);

/** Is something over that no region has deleted yet, or soon over? False: nothing expires from now on. */
bool expiry_pending(struct world *world, char *why, size_t room);

/* --- check_index.c --- */

/** Has a region not yet all indexes that the facts say, complete? `why` is empty before. */
bool index_pending(struct world *world, char *why, size_t room);

#endif
