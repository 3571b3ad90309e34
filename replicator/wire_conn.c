/* One connection of a server: its requests, in bounds, and their answers. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "replicator/wire.h"
#include "replicator/wire_server_priv.h"

#define STEPS_PER_TURN 128 /* then other connections have their turn */
#define STUCK_MS 60000

struct wire_conn *
conn_new(struct wire_server *server, int fd, const char *from)
{
	struct wire_conn *conn = calloc(1, sizeof *conn);
	struct stream stream;

	if (!stream_init(&stream, fd, server->options.tls, NULL)) {
		free(conn);
		return NULL;
	}
	if (conn == NULL) {
		stream_fini(&stream);
		return NULL;
	}
	channel_init(&conn->channel, server->ipc, CHANNEL_ANSWERS);
	channel_open(&conn->channel, stream);
	conn->server = server;
	atomic_fetch_add(&server->references, 1);
	conn->since = server__now();
	conn->admitted = server->options.trusting;
	snprintf(conn->from, sizeof conn->from, "%s", from);
	atomic_init(&conn->references, 1);
	return conn;
}

void
conn_release(struct wire_conn *conn)
{
	if (atomic_fetch_sub(&conn->references, 1) != 1)
		return;
	channel_fini(&conn->channel);
	server__release(conn->server);
	free(conn);
}

void
conn_close(struct wire_conn *conn)
{
	pthread_mutex_lock(&conn->channel.lock);
	if (conn->paused)
		atomic_fetch_sub(&conn->server->n_paused, 1);
	conn->paused = false;
	channel_close(&conn->channel);
	pthread_mutex_unlock(&conn->channel.lock);
}

bool
conn_stuck(struct wire_conn *conn, uint64_t now)
{
	uint64_t since;

	pthread_mutex_lock(&conn->channel.lock);
	since = conn->channel.stuck_since;
	pthread_mutex_unlock(&conn->channel.lock);
	return since != 0 && now > since + STUCK_MS;
}

/* Tell epoll what the connection waits for. Under the lock. */
static void
arm(struct wire_conn *conn)
{
	struct epoll_event event = {.data.ptr = conn};

	if (!conn->paused)
		event.events |= EPOLLIN;
	if (channel_wants_write(&conn->channel))
		event.events |= EPOLLOUT;
	if (event.events == conn->events)
		return;
	conn->events = event.events;
	epoll_ctl(conn->server->poll, EPOLL_CTL_MOD, conn->channel.stream.fd, &event);
}

void
wire_server_answer(struct wire_request request, struct wire_frame *frame)
{
	struct wire_conn *conn = request.conn;
	struct wire_server *server = conn->server; /* stays as long as the connection */
	struct channel *channel = &conn->channel;
	bool first;

	pthread_mutex_lock(&channel->lock);
	conn->under_way--;
	if (frame != NULL && channel->open) {
		first = channel->first == NULL;
		/* Without memory the client's time runs out. Behind others it waits for its turn. */
		if (channel_put(channel, request.number, frame) && first &&
		    !channel_flush(channel, server__now()))
			shutdown(channel->stream.fd, SHUT_RDWR); /* the server's thread finds it */
		arm(conn);
	} else {
		free(frame);
	}
	pthread_mutex_unlock(&channel->lock);
	atomic_fetch_sub(&server->under_way, 1);
	if (atomic_load(&server->n_paused) > 0)
		server__wake(server); /* who waits for room reads on */
	conn_release(conn);
}

/* A request is complete: give it on. */
static void
deliver(struct wire_conn *conn, struct wire_frame *frame)
{
	struct wire_server *server = conn->server;
	struct wire_request request = {conn, conn->channel.number};

	atomic_fetch_add(&conn->references, 1);
	atomic_fetch_add(&server->under_way, 1);
	pthread_mutex_lock(&conn->channel.lock);
	conn->under_way++;
	pthread_mutex_unlock(&conn->channel.lock);
	server->options.request(server->options.arg, request, frame);
}

/* May it ask more now? Else it is not read until others were answered. */
static bool
has_room(struct wire_conn *conn)
{
	struct wire_server *server = conn->server;
	uint32_t each_max = conn->admitted ? server->options.requests_each_max : 1;
	bool room;

	pthread_mutex_lock(&conn->channel.lock);
	if (!conn->paused) {
		/* Counted before it is looked: an answer given meanwhile wakes us. */
		atomic_fetch_add(&server->n_paused, 1);
		conn->paused = true;
	}
	room = conn->under_way < each_max && atomic_load(&server->under_way) < server->options.requests_max;
	if (room) {
		atomic_fetch_sub(&server->n_paused, 1);
		conn->paused = false;
	}
	pthread_mutex_unlock(&conn->channel.lock);
	return room;
}

/* STREAM_LATER: nothing to do now. */
static enum stream_result
step(struct wire_conn *conn, char *why, size_t why_max)
{
	struct channel *channel = &conn->channel;
	struct wire_frame *frame;
	enum stream_result result;

	if (conn->refused)
		return channel_swallow(channel); /* they may say what they like */
	if (channel->state == CHANNEL_HEAD && channel->got == 0 && !has_room(conn))
		return STREAM_LATER;
	result = channel_step(
	    channel, conn->admitted ? WIRE_MESSAGE_MAX : WIRE_STRANGER_MESSAGE_MAX, &frame, why, why_max);
	if (frame != NULL)
		deliver(conn, frame);
	return result;
}

bool
conn_serve(struct wire_conn *conn, char *why, size_t why_max)
{
	struct channel *channel = &conn->channel;
	enum stream_result result = STREAM_DONE;
	bool fine;

	why[0] = 0;
	for (uint32_t i = 0; result == STREAM_DONE && (i < STEPS_PER_TURN || channel_has_more(channel)); i++)
		result = step(conn, why, why_max);
	pthread_mutex_lock(&channel->lock);
	fine = result != STREAM_GONE &&
	       (channel->state == CHANNEL_HANDS || channel_flush(channel, server__now()));
	if (fine)
		arm(conn);
	pthread_mutex_unlock(&channel->lock);
	return fine;
}

/* --- strangers --- */

void
wire_server_admit(struct wire_request request)
{
	struct wire_conn *conn = request.conn;

	if (!conn->admitted)
		atomic_fetch_sub(&conn->server->strangers, 1);
	conn->admitted = true;
}

bool
wire_server_admitted(struct wire_request request)
{
	return request.conn->admitted;
}

bool
wire_server_bears_name(struct wire_request request, const char *name)
{
	struct channel *channel = &request.conn->channel;
	bool bears;

	pthread_mutex_lock(&channel->lock);
	bears = stream_bears_name(&channel->stream, name);
	pthread_mutex_unlock(&channel->lock);
	return bears;
}

void
wire_server_refuse(struct wire_request request, const char *why)
{
	struct wire_conn *conn = request.conn;

	server__stranger(conn->server, conn, why);
	conn->refused = true;
	if (conn->admitted)
		atomic_fetch_add(&conn->server->strangers, 1);
	conn->admitted = false;
}
