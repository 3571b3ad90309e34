/*
 * The committer: one thread per shard that runs every change. It takes all that is queued, runs each operation against
 * the store plus the group so far, commits the group (one write, one fsync), and completes every operation.
 * One writer makes conditional writes serializable with no locks and gives the journal its total order.
 */
#ifndef TIDE_API_COMMITTER_H
#define TIDE_API_COMMITTER_H

#include "store/shard/group.h"

struct committer;
struct commit_op;

/**
 * Run an operation: read through the group, check, write. On an error nothing may have been written.
 * Committer thread.
 */
typedef tide_err (*commit_run_fn)(struct commit_op *op, struct group *group, struct tide_error *error);

/**
 * Called exactly once per submitted operation, after the group is on disk and visible (or failed): `error->code` is the
 * run's error, or the commit's, or TIDE_OK. Committer thread; must not block. The op belongs to the callee again.
 */
typedef void (*commit_done_fn)(struct commit_op *op, const struct tide_error *error);

/* Embedded in the caller's own struct. */
struct commit_op {
	commit_run_fn run;
	commit_done_fn done;
	struct commit_op *next; /* the committer's */
	struct tide_error *error; /* the committer's: set where run failed */
};

struct committer_options {
	uint32_t queue_max; /* operations queued at most; over it submit answers TIDE_UNAVAILABLE. 0: 65536 */
	uint64_t group_bytes_max; /* a group is closed when it passes this; 0: 8 MB */
	bool stepped; /* no thread: whoever submits also calls committer_step, all on one thread */
};

tide_err committer_start(
    struct shard *shard, const struct committer_options *options, struct committer **out);

/** Take an operation. Any thread. TIDE_UNAVAILABLE (queue full), TIDE_CLOSED (stopping): done is not called. */
tide_err committer_submit(struct committer *committer, struct commit_op *op);

/**
 * Run and wait; for maintenance and start-up. Any thread but the committer's; a stepped committer commits groups until it is done,
 * those of others among them.
 */
tide_err committer_call(struct committer *committer, commit_run_fn run, void *arg, struct tide_error *error);

/** What committer_call's run gets as its op. */
struct commit_call {
	struct commit_op op;
	void *arg;
};

/** A stepped committer: commit one group of what is queued. False: nothing is. */
bool committer_step(struct committer *committer);

/** Operations queued. Any thread. */
uint32_t committer_queued(struct committer *committer);

/** End a stepped committer as a crash does: what is queued is done with TIDE_CLOSED and was not run. Takes NULL. */
void committer_drop(struct committer *committer);

/** Refuse new operations, finish the queued ones, end the thread. Takes NULL. */
void committer_stop(struct committer *committer);

struct committer_counters {
	uint64_t groups, operations, bytes; /* since start */
	uint64_t syncs; /* of these groups, so many went to the journal: one write and one fsync each */
	uint64_t queued; /* operations that wait, now */
};
struct committer_counters committer_counters(struct committer *committer);

#endif
