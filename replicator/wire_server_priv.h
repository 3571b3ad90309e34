/* The server's insides, shared by its files. See wire_server.h. */
#ifndef TIDE_REPLICATOR_WIRE_SERVER_PRIV_H
#define TIDE_REPLICATOR_WIRE_SERVER_PRIV_H

#include <sys/stat.h>

#include "replicator/wire_channel.h"
#include "replicator/wire_server.h"

struct wire_conn {
	struct wire_server *server;
	atomic_uint references; /* the server's, and one per request under way */
	char from[WIRE_FROM_MAX];
	struct channel channel;
	/* --- the server's thread --- */
	struct wire_conn *next, *previous;
	bool admitted, refused;
	uint64_t since; /* ms, when it was accepted */
	/* --- under the channel's lock --- */
	uint32_t events; /* what epoll was told */
	bool paused; /* too many requests: not read */
	uint32_t under_way;
};

struct wire_server {
	struct wire_server_options options;
	bool ipc;
	char path[108];
	struct stat socket_file;
	int listener, poll, wake;
	pthread_t thread;
	bool started;
	atomic_bool stopping;
	atomic_uint references; /* the owner's, and each connection's */
	atomic_uint under_way, n_paused;
	atomic_ullong connections, strangers, accepted, refused;
	/* --- its thread --- */
	struct wire_conn *conns; /* newest first */
	uint64_t accept_at; /* ms: no more files: not before then */
	bool accepting;
};

uint64_t server__now(void); /* monotonic ms */
void server__wake(struct wire_server *server);
void server__release(struct wire_server *server);
void server__stranger(struct wire_server *server, const struct wire_conn *conn, const char *why);

/* wire_conn.c */
struct wire_conn *conn_new(struct wire_server *server, int fd, const char *from);
void conn_release(struct wire_conn *conn);
/** Close it and drop what it was to be sent. The server's thread. */
void conn_close(struct wire_conn *conn);
/** Read what there is, send what can be sent. False: it is over, `why` (may stay empty) says why. */
bool conn_serve(struct wire_conn *conn, char *why, size_t why_max);
/** Has it been unable to send for too long? */
bool conn_stuck(struct wire_conn *conn, uint64_t now);

#endif
