/*
 * The endpoint's insides. See endpoint.h.
 *
 *     request comes in (endpoint_ask)    ->  answered at once        SHIP_CLOSE, LINKS, LEAVE_GRANTED
 *                                       ->  the committer's queue   APPLY, LOAD, BOOT; answered from its `done`
 *                                       ->  jobs: endpoint_work     everything that reads the journal, the store or the fold
 *                                       ->  held                    SHIP_NEXT, STATE_ASK: until there is news, or for HOLD_MS
 *
 * One lock guards all that is shared; nobody holds it while reading the journal or the store. Order: endpoint lock before
 * nothing else of ours.
 */
#ifndef TIDE_API_ENDPOINT_PRIV_H
#define TIDE_API_ENDPOINT_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/endpoint.h"
#include "api/pace.h"
#include "replicator/wire.h"
#include "store/shard/ship.h"

#define JOB_WORKERS 2 /* at most so many threads do jobs that may block; the others ship */
#define SESSIONS_MAX 128
#define SNAPSHOTS_MAX 8
#define STREAMS_MAX 256
#define HOLD_MS 1000 /* a held request is answered after that, for nothing */
#define SESSION_IDLE_MS 60000
#define SNAPSHOT_IDLE_MS 300000
#define BATCH_BYTES_MIN 4096u
#define BATCH_BYTES_MAX (4u << 20)

struct answer_queue {
	struct answer *first, **last;
};

struct session {
	uint64_t id;
	uint8_t from;
	uint64_t instance;
	struct jid origin;
	struct ship *ship;
	uint64_t index; /* of the next batch */
	struct mark base; /* where the next batch sent begins: empty ones are not always sent */
	bool base_kept;
	struct answer_queue held;
	uint32_t n_held;
	bool busy, queued, wake, urgent, closing;
	struct pace pace;
	uint64_t due; /* has something for the peer, but not before that; 0: not so */
	uint64_t used_at, told_at;
	struct session *next_ready;
};

struct kept_snapshot {
	uint64_t id, table;
	struct snapshot *snapshot;
	bool busy, read_all;
	uint64_t used_at;
};

struct operation_up;

/* Applies of one origin in the order that its replicator numbered them. */
struct stream {
	bool used;
	struct jid origin;
	uint64_t instance, former; /* former: the replicator before; what is left of it comes too late */
	uint64_t number, next;
	bool broken;
	struct answer_queue waiting; /* came before an earlier one */
	uint64_t used_at;
	/* --- the committer's thread --- */
	struct operation_up *pending, **pending_last; /* not yet applied, in order */
};

struct endpoint {
	struct region *region;
	struct endpoint_options options;
	atomic_bool stopping;
	atomic_uint under_way; /* operations with the committer, pending ones too */
	atomic_uint n_pending;
	pthread_mutex_t lock;
	pthread_cond_t work; /* for threads that wait for endpoint__work */
	pthread_cond_t
	    tick; /* for the thread that waits for the next endpoint_tick: it is due sooner; monotonic clock */
	/* --- under the lock --- */
	struct answer_queue jobs, states;
	uint32_t n_jobs; /* being done */
	struct session *sessions[SESSIONS_MAX];
	uint32_t n_sessions; /* all are in the places below it */
	struct session *ready, **ready_last;
	struct kept_snapshot snapshots[SNAPSHOTS_MAX];
	struct stream streams[STREAMS_MAX];
	uint64_t last_id; /* of sessions and snapshots; never one of a former process */
	bool state_dirty;
	uint64_t state_at;
	struct buf links; /* the last LINKS message */
	uint64_t links_at;
	struct mark marks[REGION_NUMBER_MAX + 1]; /* of our journal, that a peer's last hello told */
};

uint64_t endpoint__now(const struct endpoint *endpoint); /* monotonic milliseconds */

/** Under the lock, which is given up while it works: as endpoint_work. */
bool endpoint__work(struct endpoint *endpoint);

void queue_put(struct answer_queue *queue, struct answer *answer);
void queue_put_back(struct answer_queue *queue, struct answer *answer); /* at its front */
struct answer *queue_take(struct answer_queue *queue);

/** Send the answer; it is its owner's again afterwards. Any thread; not with the endpoint's lock held. */
void answer_send(struct answer *answer, const struct wire_message *message);
void answer_done(struct answer *answer);
void answer_error(struct answer *answer, tide_err code, uint64_t table, const char *text);
/** Answer all of a queue with an error. Not with the lock held. */
void answer_error_all(struct answer_queue *queue, tide_err code, const char *text);

/* endpoint_ship.c */
void ship__open(struct answer *answer); /* worker */
void ship__next(struct answer *answer); /* any */
void ship__close(struct answer *answer); /* any */
void ship__serve(struct endpoint *endpoint, struct session *session); /* worker */
void ship__observe(struct endpoint *endpoint, const struct unit *unit);
void ship__tick(struct endpoint *endpoint, uint64_t now);
uint64_t ship__wake(struct endpoint *endpoint); /* under the lock */
void ship__stop(struct endpoint *endpoint);

/* endpoint_snap.c */
void snap__read(struct answer *answer); /* worker */
void snap__tick(struct endpoint *endpoint, uint64_t now);
uint64_t snap__wake(struct endpoint *endpoint); /* under the lock */
void snap__stop(struct endpoint *endpoint);

/* endpoint_apply.c */
void apply__take(struct answer *answer); /* any */
void apply__nudge(struct endpoint *endpoint); /* any: look at pending applies */
void apply__stop(struct endpoint *endpoint);

/* endpoint_load.c */
void load__piece(struct answer *answer); /* any */
void load__boot(struct answer *answer); /* any */
void load__rejoin(struct answer *answer); /* any */

/* endpoint_state.c */
void state__ask(struct answer *answer); /* worker */
void state__leave(struct answer *answer); /* worker */
void state__tick(struct endpoint *endpoint, uint64_t now);
uint64_t state__wake(struct endpoint *endpoint); /* under the lock */
tide_err state__make(struct endpoint *endpoint, struct arena *arena, bool for_peers, struct wire_state *out);

/* endpoint_hello.c */
void hello__came(struct answer *answer); /* worker */
void hello__member(struct answer *answer); /* worker */
void hello__lost(struct answer *answer); /* worker */
void hello__reincarnate(struct answer *answer); /* worker */
/** This region's journal is over: see group_fork. Not the committer's thread. */
void hello__forked(struct endpoint *endpoint, enum fork_reason reason, uint8_t peer, uint64_t seq);

/* endpoint_status.c */
void status__links(struct answer *answer); /* any */
void status__ask(struct answer *answer); /* worker */

/** Append `,"disk":{...}`. Any thread. In endpoint_disk.c. */
void status__trouble(
    struct buf *out, struct region *region, const struct shard_view *view); /* endpoint_trouble.c */
void status__disk(struct buf *out, struct region *region);

#endif
