/* The daemon's insides, shared by its files. */
#ifndef TIDE_REPLICATOR_DAEMON_PRIV_H
#define TIDE_REPLICATOR_DAEMON_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "replicator/client.h"
#include "replicator/daemon.h"
#include "replicator/front.h"
#include "replicator/link_message.h"

/* A connection to somebody, and whether it stands, as nng's threads say and as the machine was told. */
struct daemon_peer {
	struct daemon *daemon;
	uint8_t region; /* 0: our own API process */
	struct client *client;
	atomic_bool up;
	bool told_up;
	atomic_uint changes; /* of `up`: a short break must not pass unseen */
	unsigned told_changes;
	uint64_t hello_us, round_trip_us; /* when the last hello went out; how long the last answer took */
};

struct daemon {
	struct config config;
	uint64_t instance;
	struct link *link; /* the daemon's thread only */
	struct daemon_peer local;
	struct daemon_peer peers[CONFIG_PEERS_MAX];
	struct front *front;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* --- under the lock --- */
	struct call *first, **last; /* calls that are over */
	bool poked, stopping;
	/* --- the thread's --- */
	uint64_t links_at, waiting_log_at;
	uint64_t down_since; /* no connection to the API process since then */
	struct link_asker asker;
};

uint64_t daemon__now(void);
uint64_t daemon__now_us(void);
struct daemon_peer *daemon__peer(struct daemon *daemon, uint8_t region);

/* daemon_act.c: carry out one action. */
void daemon__act(struct daemon *daemon, const struct link_action *action, uint64_t now);
void daemon__push_links(struct daemon *daemon, uint64_t now);
void daemon__call_done(struct call *call); /* daemon.c: any thread */

/* daemon_hear.c: one call is over. */
void daemon__hear(struct daemon *daemon, struct call *call, uint64_t now);

#endif
