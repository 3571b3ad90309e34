/* The daemon's insides, shared by its files. */
#ifndef TIDE_REPLICATOR_DAEMON_PRIV_H
#define TIDE_REPLICATOR_DAEMON_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "replicator/bucket.h"
#include "replicator/daemon.h"
#include "replicator/front.h"
#include "replicator/link_message.h"
#include "replicator/wire_client.h"
#include "replicator/wire_tls.h"

/* A connection to somebody, and whether it stands, as its client says and as the machine was told. */
struct postponed;

/* Requests for batches under way, of one session. */
struct paced_session {
	uint64_t ticket; /* 0: unused */
	uint32_t under_way;
};

struct daemon_peer {
	struct daemon *daemon;
	uint8_t region; /* 0: our own API process */
	const char *name; /* the region's */
	struct wire_client *client;
	atomic_bool up;
	bool told_up;
	atomic_uint changes; /* of `up`: a short break must not pass unseen */
	unsigned told_changes;
	/* The bandwidth limit (daemon_pace.c). */
	struct bucket bucket;
	uint64_t bytes_counted; /* of the client's bytes */
	struct paced_session paced[LINK_PULLS_MAX];
	struct postponed *postponed, **postponed_last; /* requests that wait for their time */
	uint32_t n_postponed;
	uint64_t hello_us, round_trip_us; /* when the last hello went out; how long the last answer took */
};

struct daemon {
	struct config config;
	uint64_t instance;
	struct link *link; /* the daemon's thread only */
	struct daemon_peer local;
	struct daemon_peer peers[CONFIG_PEERS_MAX];
	struct front *front;
	struct tls *tls; /* NULL: without */
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* --- under the lock --- */
	struct call *first, **last; /* calls that are over */
	bool poked, stopping;
	/* --- the thread's --- */
	uint64_t links_at, waiting_log_at, certificate_at;
	struct link_asker asker;
};

uint64_t daemon__now(void);
uint64_t daemon__now_us(void);
struct daemon_peer *daemon__peer(struct daemon *daemon, uint8_t region);

/* daemon_act.c: carry out one action. */
void daemon__act(struct daemon *daemon, const struct link_action *action, uint64_t now);
void daemon__push_links(struct daemon *daemon, uint64_t now);
void daemon__call_done(struct call *call); /* daemon.c: any thread */

/* daemon_pace.c: the peer's bandwidth limit. */
/** Ask for no more at a time than the limit lets come in a moment. */
void daemon__pace_shrink(const struct daemon_peer *peer, struct wire_message *message);
/** wire_client_ask, or later. */
tide_err daemon__pace_ask(struct daemon_peer *peer, enum wire_type type, struct wire_frame *frame,
    uint32_t ms_max, uint64_t ticket, uint64_t now);
/** One is over. Once per call that came back. */
void daemon__pace_heard(struct daemon_peer *peer, uint64_t ticket);
/** Ask what may be asked now. */
void daemon__pace_turn(struct daemon_peer *peer, uint64_t now);
/** When there may be something to ask; UINT64_MAX: nothing waits. */
uint64_t daemon__pace_wake(struct daemon_peer *peer, uint64_t now);
/** Drop what waits: its connection is gone. */
void daemon__pace_forget(struct daemon_peer *peer);

/* daemon_hear.c: one call is over. */
void daemon__hear(struct daemon *daemon, struct call *call, uint64_t now);

#endif
