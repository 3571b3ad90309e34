/*
 * One region of a simulated world: its API process and its replicator, the real code over the memory store and the memory journal,
 * with a clock, disks and a network that belong to the world. Nothing here sleeps, draws a number or starts a thread.
 *
 *     world  --sim_region_deliver-->  API process: endpoint, committer, membership, catalog, shard
 *            <-------- env.send ----  replicator: the link machine; peers' requests pass through it to the API process
 *
 * A request goes from a node to a node and its answer comes back by the same number. The world may lose, delay, double and reorder both.
 */
#ifndef TIDE_CHAOS_SIM_REGION_H
#define TIDE_CHAOS_SIM_REGION_H

#include "api/region.h"

#define SIM_REGIONS_MAX 7

enum sim_part { SIM_API, SIM_REPLICATOR };

struct sim_node {
	uint8_t region; /* number, from 1 */
	enum sim_part part;
};

/* What the world does for a region. `arg` is the world's. */
struct sim_env {
	void *arg;
	/* Virtual milliseconds that only grow: timers of links and endpoints. */
	uint64_t (*now_ms)(void *arg);
	/* That region's wall clock: may be skewed, drift and jump. */
	uint64_t (*wall_ms)(void *arg, uint8_t region);
	/* Carry a request (or, with `answer`, the answer to one) between two nodes; copies `message`. */
	void (*send)(void *arg, struct sim_node from, struct sim_node to, uint64_t call, bool answer,
	    struct bytes message);
	/* A line for the trace; may be NULL. */
	void (*say)(void *arg, uint8_t region, const char *text);
};

struct sim_region_options {
	uint8_t region, n_regions;
	const char *
	    dir; /* a folder of this region's own, there and empty: identity and checkpoints (a tmpfs is best) */
	uint64_t seed; /* of the link's jitter */
	bool watched; /* the region watches its own clock (store/shard/wall.c) */
	uint64_t skew_ms_max, retention_ms, conflict_retention_ms, segment_bytes;
	uint32_t window, batch_bytes;
	uint64_t
	    retention_max_ms; /* how long the journal is kept for a member that is away; 0: without bound */
};

struct sim_region;

/** A region whose processes do not run yet, on empty disks. NULL: no memory. */
struct sim_region *sim_region_new(const struct sim_env *env, const struct sim_region_options *options);
void sim_region_free(struct sim_region *region);

/** Start the API process: recovery included. TIDE_CORRUPT and others as shard_open. */
tide_err sim_region_start_api(struct sim_region *region, struct tide_error *error);

/**
 * The API process dies where it stands: nothing is committed or checkpointed, everything volatile is gone. Of the store's unsynced batches
 * those survive for which `keep` says so (NULL: none).
 */
void sim_region_kill_api(struct sim_region *region, bool (*keep)(void *context, size_t index), void *context);

/** A clean stop: with a checkpoint. */
void sim_region_stop_api(struct sim_region *region);

/** The disk is lost: store, journal, identity, checkpoints. While no API process runs. */
void sim_region_wipe(struct sim_region *region);

void sim_region_start_replicator(struct sim_region *region);
void sim_region_kill_replicator(struct sim_region *region);

bool sim_region_api_runs(const struct sim_region *region);
bool sim_region_replicator_runs(const struct sim_region *region);

/** A request or an answer has come to this region. To a process that does not run it is lost. */
void sim_region_deliver(struct sim_region *region, struct sim_node from, enum sim_part to, uint64_t call,
    bool answer, struct bytes message);

/**
 * The connection between our replicator and that node stands or is gone (`from.part` SIM_API: our own API process). A replicator that
 * starts has none; one to a process that dies and starts again has to be gone in between.
 */
void sim_region_connected(struct sim_region *region, struct sim_node from, bool up);

/**
 * One step of whatever is ready, chosen by `choice` among the kinds of work that are: one group of the committer, one job or session of the
 * endpoint, one action of the link, one turn of maintenance. False: nothing is ready before sim_region_wake.
 */
bool sim_region_step(struct sim_region *region, uint64_t choice);

/** When something is ready although nothing comes: virtual ms. */
uint64_t sim_region_wake(const struct sim_region *region);

/** The API process's insides, for workloads and checks; NULL while it does not run. Operations go through committer_submit. */
struct region *sim_region_api(struct sim_region *region);

/** Whose shard it is that has this `wall_arg`: its region's number, and in `*env_arg` what its world gave. */
uint8_t sim_region_of(const void *wall_arg, void **env_arg);

/** Names of the region's disks, for the faults of journal_memory.h and kv_memory.h. */
const char *sim_region_journal_disk(const struct sim_region *region);
const char *sim_region_store_disk(const struct sim_region *region);

/** Requests under way and bytes held by link and endpoint: what must stay bounded. */
struct sim_load {
	uint64_t requests, bytes_held;
};
struct sim_load sim_region_load(const struct sim_region *region);

#endif
