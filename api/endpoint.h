/*
 * The endpoint: what the API process answers to its region's replicator, and to `tidemark status`. Messages: replicator/wire.h. It
 * reads the journal for peers, keeps their sessions and snapshots, and puts what they send on the committer's queue.
 *
 * `tidemark status` asks by status_ask (replicator/ask.h) and gets one JSON document.
 *
 * It owns no socket and no thread: requests come by endpoint_ask, and its work is done by whoever calls endpoint_work and
 * endpoint_tick. In a process that is api/endpoint_serve.h. Everything it holds is bounded: sessions, snapshots, streams; requests by
 * who asks.
 */
#ifndef TIDE_API_ENDPOINT_H
#define TIDE_API_ENDPOINT_H

#include "api/region.h"
#include "replicator/wire.h"

struct endpoint;

struct endpoint_options {
	uint64_t (*now_ms)(void *arg); /* milliseconds that only grow; NULL: the system's monotonic clock */
	void *now_arg;
	uint64_t first_id; /* above every id of a former process; 0: nanoseconds since 1970 */
};

/* A request and its answer, in its owner's memory: one at a time, any number after each other. */
struct answer {
	/* --- its owner's --- */
	struct bytes in; /* the request; stays as it is until `reply` */
	/*
	 * Called exactly once per endpoint_ask that is answered; the answer is its owner's again, and may be asked with before this
	 * returns. `out` is borrowed; BYTES_NONE: there is no memory for one. Any thread; must not block.
	 */
	void (*reply)(struct answer *answer, struct bytes out);
	/* --- the endpoint's --- */
	struct endpoint *endpoint;
	struct arena arena;
	struct wire_message message; /* borrows from `in` and the arena */
	struct answer *next; /* in the queue that it waits in */
	uint64_t until; /* held: answered then, for nothing */
};

void answer_init(
    struct answer *answer, struct endpoint *endpoint, void (*reply)(struct answer *answer, struct bytes out));

/** Not while it is being asked with. */
void answer_fini(struct answer *answer);

/**
 * Before committer_start: register what wakes held requests on a commit. `options` NULL: all by default. TIDE_NOMEM.
 */
tide_err endpoint_open(struct region *region, const struct endpoint_options *options, struct endpoint **out,
    struct tide_error *error);

/** A request. Answered from within, or later from endpoint_work, endpoint_tick or the committer. After committer_start. Any thread. */
void endpoint_ask(struct answer *answer);

/** Do one job, or serve one session that has news. False: there is none now. Any thread. */
bool endpoint_work(struct endpoint *endpoint);

/** Is there something for endpoint_work? Any thread. */
bool endpoint_has_work(struct endpoint *endpoint);

/** What happens because time passes: held requests, idle sessions and snapshots. Every ENDPOINT_TICK_MS; one thread at a time. */
void endpoint_tick(struct endpoint *endpoint);
#define ENDPOINT_TICK_MS 20

/** When endpoint_tick has something to do next although nothing comes; UINT64_MAX: never. Any thread. */
uint64_t endpoint_wake(struct endpoint *endpoint);

/**
 * Wait for nothing any more. True when none of its operations is with the committer, which must still run; call it again until then.
 */
bool endpoint_stop(struct endpoint *endpoint);

/**
 * Release it. After committer_stop or committer_drop. What is not answered yet never is: its owner releases it after this.
 * Takes NULL.
 */
void endpoint_close(struct endpoint *endpoint);

#endif
