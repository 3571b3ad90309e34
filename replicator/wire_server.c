/* Listening, accepting, and one thread that serves all connections. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "replicator/wire_address.h"
#include "replicator/wire_server_priv.h"

#define BACKLOG 512
#define EVENTS 64
#define TICK_MS 500
#define ACCEPT_PAUSE_MS 100 /* when there are no files left */
#define KEEP_IDLE_S 30
#define KEEP_INTERVAL_S 10
#define KEEP_COUNT 3
#define UNHEARD_MS                                                                                           \
	15000 /* sent, and not acknowledged for so long: half-open; the kernel alone would wait 15 minutes */

uint64_t
server__now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void
server__wake(struct wire_server *server)
{
	uint64_t one = 1;

	/* It can only fail because it is awake already. */
	if (write(server->wake, &one, sizeof one) < 0)
		assert(errno == EAGAIN);
}

void
server__stranger(struct wire_server *server, const struct wire_conn *conn, const char *why)
{
	atomic_fetch_add(&server->refused, 1);
	if (server->options.stranger != NULL)
		server->options.stranger(server->options.arg, conn->from, why);
}

/* --- listening --- */

static int
bind_tcp(const struct addrinfo *at)
{
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd < 0)
		return -1;
	/* So that a restart does not wait for the old connections' ends. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	close(fd);
	return -1;
}

static tide_err
listen_tcp(struct wire_server *server, const struct address *at, struct tide_error *error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
	const char *text = server->options.address;
	int failed = getaddrinfo(at->host[0] != 0 ? at->host : NULL, at->port, &hints, &found);

	if (failed != 0)
		return tide_fail(error, TIDE_IO, "%s: %s", text, gai_strerror(failed));
	errno = EADDRNOTAVAIL;
	for (struct addrinfo *one = found; one != NULL && server->listener < 0; one = one->ai_next)
		server->listener = bind_tcp(one);
	freeaddrinfo(found);
	if (server->listener < 0)
		return tide_fail(error, TIDE_IO, "%s: %s", text, strerror(errno));
	return TIDE_OK;
}

/* A socket's file that is left of a process that was killed. */
static void
remove_stale(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)at, sizeof *at) != 0 && errno == ECONNREFUSED)
		unlink(at->sun_path);
	close(fd);
}

static tide_err
listen_ipc(struct wire_server *server, const char *path, struct tide_error *error)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd;

	strcpy(at.sun_path, path);
	if ((fd = server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
		return tide_fail(error, TIDE_IO, "%s: %s", path, strerror(errno));
	if (bind(fd, (const struct sockaddr *)&at, sizeof at) != 0) {
		if (errno != EADDRINUSE)
			return tide_fail(error, TIDE_IO, "%s: %s", path, strerror(errno));
		remove_stale(&at);
		if (bind(fd, (const struct sockaddr *)&at, sizeof at) != 0)
			return tide_fail(error, TIDE_IO, "%s: %s", path, strerror(errno));
	}
	strcpy(server->path, path);
	/* Nobody can connect before it listens: the mode holds for everybody. */
	if (lstat(path, &server->socket_file) != 0 || chmod(path, S_IRUSR | S_IWUSR) != 0 ||
	    listen(fd, BACKLOG) != 0)
		return tide_fail(error, TIDE_IO, "%s: %s", path, strerror(errno));
	return TIDE_OK;
}

static tide_err
listen_at(struct wire_server *server, struct tide_error *error)
{
	struct address at;
	tide_err rc = address_read(server->options.address, &at, error);

	if (rc != TIDE_OK)
		return rc;
	if (at.tls && server->options.tls == NULL)
		return tide_fail(error, TIDE_USAGE, "%s: needs certificates", server->options.address);
	if (!at.tls)
		server->options.tls = NULL;
	server->ipc = at.ipc;
	return at.ipc ? listen_ipc(server, at.path, error) : listen_tcp(server, &at, error);
}

/* --- connections --- */

static void
forget(struct wire_server *server, struct wire_conn *conn)
{
	if (conn->previous != NULL)
		conn->previous->next = conn->next;
	else
		server->conns = conn->next;
	if (conn->next != NULL)
		conn->next->previous = conn->previous;
	if (!conn->admitted)
		atomic_fetch_sub(&server->strangers, 1);
	atomic_fetch_sub(&server->connections, 1);
	conn_close(conn);
	conn_release(conn);
}

static void
serve(struct wire_server *server, struct wire_conn *conn)
{
	char why[160];

	if (conn_serve(conn, why, sizeof why))
		return;
	if (why[0] != 0)
		server__stranger(server, conn, why);
	forget(server, conn);
}

/* Too many: the stranger that has been here longest goes. False: there is none. */
static bool
make_place(struct wire_server *server)
{
	struct wire_conn *oldest = NULL;

	for (struct wire_conn *conn = server->conns; conn != NULL; conn = conn->next)
		if (!conn->admitted)
			oldest = conn;
	if (oldest == NULL)
		return false;
	server__stranger(server, oldest, "too many connections: the oldest that has not said who it is goes");
	forget(server, oldest);
	return true;
}

static void
name_from(const struct sockaddr_storage *at, char *text, size_t max)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (at->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)at;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
		snprintf(text, max, "%s:%u", host, (unsigned)ntohs(in->sin_port));
	} else if (at->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)at;

		inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
		snprintf(text, max, "[%s]:%u", host, (unsigned)ntohs(in->sin6_port));
	} else {
		snprintf(text, max, "local");
	}
}

static void
tune(const struct wire_server *server, int fd)
{
	int on = 1, idle = KEEP_IDLE_S, interval = KEEP_INTERVAL_S, count = KEEP_COUNT;
	unsigned unheard_ms = UNHEARD_MS;

	if (server->ipc)
		return;
	/* What cannot be set only makes it slower to answer, or to notice a dead peer. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unheard_ms, sizeof unheard_ms);
}

static void
welcome(struct wire_server *server, int fd, const struct sockaddr_storage *at)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct wire_conn *conn;
	char from[WIRE_FROM_MAX];

	name_from(at, from, sizeof from);
	if (atomic_load(&server->connections) >= server->options.connections_max && !make_place(server)) {
		atomic_fetch_add(&server->refused, 1);
		if (server->options.stranger != NULL)
			server->options.stranger(server->options.arg, from, "too many connections");
		close(fd);
		return;
	}
	tune(server, fd);
	if ((conn = conn_new(server, fd, from)) == NULL)
		return;
	if ((conn->next = server->conns) != NULL)
		conn->next->previous = conn;
	server->conns = conn;
	atomic_fetch_add(&server->accepted, 1);
	atomic_fetch_add(&server->connections, 1);
	if (!conn->admitted)
		atomic_fetch_add(&server->strangers, 1);
	event.data.ptr = conn;
	conn->events = event.events;
	if (epoll_ctl(server->poll, EPOLL_CTL_ADD, fd, &event) != 0)
		forget(server, conn);
	else
		serve(server, conn);
}

static void
listen_for(struct wire_server *server, bool accepting)
{
	struct epoll_event event = {.events = accepting ? EPOLLIN : 0, .data.ptr = server};

	server->accepting = accepting;
	epoll_ctl(server->poll, EPOLL_CTL_MOD, server->listener, &event);
}

static void
accept_all(struct wire_server *server)
{
	for (uint32_t i = 0; i < EVENTS; i++) {
		struct sockaddr_storage at = {0};
		socklen_t n = sizeof at;
		int fd = accept4(server->listener, (struct sockaddr *)&at, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			welcome(server, fd, &at);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			if (make_place(server))
				continue;
			server->accept_at = server__now() + ACCEPT_PAUSE_MS;
			listen_for(server, false);
			return;
		}
		/* Else the one that knocked has gone again: the next. */
	}
}

/* --- the thread --- */

/* Connections end here that wait for something that does not come. */
static void
tick(struct wire_server *server, uint64_t now)
{
	struct wire_conn *next;

	for (struct wire_conn *conn = server->conns; conn != NULL; conn = next) {
		next = conn->next;
		if (!conn->admitted && now > conn->since + WIRE_STRANGER_MS) {
			if (!conn->refused)
				server__stranger(server, conn, "does not say who it is in time");
		} else if (!conn_stuck(conn, now)) {
			continue;
		}
		forget(server, conn);
	}
	if (!server->accepting && now >= server->accept_at)
		listen_for(server, true);
}

static void
resume(struct wire_server *server)
{
	struct wire_conn *next;
	uint64_t count;

	if (read(server->wake, &count, sizeof count) < 0)
		assert(errno == EAGAIN);
	for (struct wire_conn *conn = server->conns; conn != NULL; conn = next) {
		next = conn->next;
		if (conn->paused)
			serve(server, conn);
	}
}

/* A connection may go while events of others are looked at, never one whose event is still to come. */
static void
look(struct wire_server *server, const struct epoll_event *events, int n)
{
	bool knocked = false;

	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr == server)
			knocked = true;
		else if (events[i].data.ptr != NULL)
			serve(server, events[i].data.ptr);
	}
	for (int i = 0; i < n; i++)
		if (events[i].data.ptr == NULL)
			resume(server);
	if (knocked)
		accept_all(server);
}

static void *
run(void *arg)
{
	struct wire_server *server = arg;
	struct epoll_event events[EVENTS];
	uint64_t tick_at = server__now() + TICK_MS, now;

	while (!atomic_load(&server->stopping)) {
		look(server, events,
		    epoll_wait(server->poll, events, EVENTS, server->accepting ? TICK_MS : ACCEPT_PAUSE_MS));
		if ((now = server__now()) >= tick_at || !server->accepting) {
			tick(server, now);
			tick_at = now + TICK_MS;
		}
	}
	while (server->conns != NULL)
		forget(server, server->conns);
	return NULL;
}

/* --- life --- */

static tide_err
start(struct wire_server *server, struct tide_error *error)
{
	struct epoll_event knock = {.events = EPOLLIN, .data.ptr = server}, wake = {.events = EPOLLIN};
	tide_err rc;

	if ((server->poll = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
	    (server->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 ||
	    epoll_ctl(server->poll, EPOLL_CTL_ADD, server->wake, &wake) != 0)
		return tide_fail(error, TIDE_IO, "%s: %s", server->options.address, strerror(errno));
	if ((rc = listen_at(server, error)) != TIDE_OK)
		return rc;
	if (epoll_ctl(server->poll, EPOLL_CTL_ADD, server->listener, &knock) != 0)
		return tide_fail(error, TIDE_IO, "%s: %s", server->options.address, strerror(errno));
	server->accepting = true;
	if (pthread_create(&server->thread, NULL, run, server) != 0)
		return tide_fail(error, TIDE_NOMEM, "cannot start a thread");
	server->started = true;
	return TIDE_OK;
}

tide_err
wire_server_open(
    const struct wire_server_options *options, struct wire_server **out, struct tide_error *error)
{
	struct wire_server *server = calloc(1, sizeof *server);
	tide_err rc;

	if (server == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	server->options = *options;
	server->listener = server->poll = server->wake = -1;
	atomic_init(&server->references, 1);
	if ((rc = start(server, error)) != TIDE_OK) {
		wire_server_close(server);
		return rc;
	}
	*out = server;
	return TIDE_OK;
}

void
wire_server_stop(struct wire_server *server)
{
	struct stat now;

	if (atomic_exchange(&server->stopping, true))
		return;
	if (server->started) {
		server__wake(server);
		pthread_join(server->thread, NULL);
	}
	if (server->listener >= 0)
		close(server->listener);
	/* Not a file that somebody else has put there since. */
	if (server->path[0] != 0 && lstat(server->path, &now) == 0 &&
	    now.st_ino == server->socket_file.st_ino && now.st_dev == server->socket_file.st_dev)
		unlink(server->path);
}

void
server__release(struct wire_server *server)
{
	if (atomic_fetch_sub(&server->references, 1) != 1)
		return;
	if (server->poll >= 0)
		close(server->poll);
	if (server->wake >= 0)
		close(server->wake);
	free(server);
}

void
wire_server_close(struct wire_server *server)
{
	if (server == NULL)
		return;
	wire_server_stop(server);
	server__release(server);
}

struct wire_server_counters
wire_server_counters(struct wire_server *server)
{
	return (struct wire_server_counters){.connections = atomic_load(&server->connections),
	    .strangers = atomic_load(&server->strangers),
	    .accepted = atomic_load(&server->accepted),
	    .refused = atomic_load(&server->refused)};
}
