#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http/io.h"

#define THREADS_MAX 64
#define BACKLOG 1024

struct http_server {
	struct io_shared shared;
	uint16_t port;
	uint32_t n_threads;
	struct io *threads[THREADS_MAX];
};

static void
set_defaults(struct http_options *options)
{
#define DEFAULT(field, value)                                                                                \
	do {                                                                                                 \
		if (options->field == 0)                                                                     \
			options->field = (value);                                                            \
	} while (0)
	DEFAULT(threads, 1);
	DEFAULT(connections_max, 4096);
	DEFAULT(idle_seconds, 300);
	DEFAULT(header_seconds, 10);
	DEFAULT(body_seconds, 20);
	DEFAULT(write_seconds, 30);
	DEFAULT(memory_max, 1ull << 30);
#undef DEFAULT
	if (options->threads > THREADS_MAX)
		options->threads = THREADS_MAX;
}

static tide_err
resolve(const char *host, struct addrinfo **out, struct tide_error *error)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	int failed = getaddrinfo(host, NULL, &hints, out);

	if (failed != 0)
		return tide_fail(error, TIDE_USAGE, "http.listen: %s: %s", host,
		    failed == EAI_SYSTEM ? strerror(errno) : gai_strerror(failed));
	return TIDE_OK;
}

static void
set_port(struct sockaddr *address, uint16_t port)
{
	if (address->sa_family == AF_INET6)
		((struct sockaddr_in6 *)address)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)address)->sin_port = htons(port);
}

static bool
set_option(int fd, int level, int name)
{
	int one = 1;

	return setsockopt(fd, level, name, &one, sizeof one) == 0;
}

/*
 * The first listener is bound without SO_REUSEPORT, so that a port in use is an error even when its user shares it, and two
 * regions never serve one port by mistake. It shares the port from then on.
 */
static tide_err
listen_on(const struct addrinfo *address, const struct http_options *options, uint16_t port, bool first,
    int *out, struct tide_error *error)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	tide_err rc;

	set_port(address->ai_addr, port);
	/* Options of the listener are inherited by what it accepts: none of them costs a call per connection. */
	if (fd < 0 || !set_option(fd, SOL_SOCKET, SO_REUSEADDR) ||
	    (!first && !set_option(fd, SOL_SOCKET, SO_REUSEPORT)) ||
	    !set_option(fd, IPPROTO_TCP, TCP_NODELAY) || !set_option(fd, SOL_SOCKET, SO_KEEPALIVE) ||
	    bind(fd, address->ai_addr, address->ai_addrlen) != 0 ||
	    (first && !set_option(fd, SOL_SOCKET, SO_REUSEPORT)) || listen(fd, BACKLOG) != 0) {
		rc = tide_fail(error, TIDE_USAGE, "http.listen: cannot listen on %s port %u: %s",
		    options->host, (unsigned)port, strerror(errno));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	*out = fd;
	return TIDE_OK;
}

static uint16_t
port_of(int fd)
{
	struct sockaddr_storage at;
	socklen_t n = sizeof at;

	if (getsockname(fd, (struct sockaddr *)&at, &n) != 0)
		return 0;
	return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
					      : ((struct sockaddr_in *)&at)->sin_port);
}

static tide_err
make_threads(struct http_server *server, struct region *region, const struct addrinfo *address,
    struct tide_error *error)
{
	const struct http_options *options = &server->shared.options;
	struct io *io;
	tide_err rc;
	int fd = -1;

	server->port = options->port;
	for (uint32_t i = 0; i < options->threads; i++) {
		if ((rc = listen_on(address, options, server->port, i == 0, &fd, error)) != TIDE_OK)
			return rc;
		if (i == 0)
			server->port = port_of(fd);
		if ((io = io_new(&server->shared, region, fd)) == NULL)
			return tide_fail(error, TIDE_NOMEM, NULL);
		server->threads[server->n_threads++] = io;
	}
	for (uint32_t i = 0; i < server->n_threads; i++) {
		if ((rc = io_start(server->threads[i])) != TIDE_OK)
			return tide_fail(error, rc, "cannot start an I/O thread");
	}
	return TIDE_OK;
}

tide_err
http_server_start(const struct http_options *options, struct region *region, struct http_server **out,
    struct tide_error *error)
{
	struct http_server *server;
	struct addrinfo *address;
	tide_err rc;

	if ((server = calloc(1, sizeof *server)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	server->shared.options = *options;
	set_defaults(&server->shared.options);
	if ((rc = resolve(options->host, &address, error)) != TIDE_OK) {
		free(server);
		return rc;
	}
	rc = make_threads(server, region, address, error);
	freeaddrinfo(address);
	if (rc != TIDE_OK) {
		http_server_stop(server, 0);
		return rc;
	}
	server->shared.options.host = NULL; /* was borrowed for the call */
	*out = server;
	return TIDE_OK;
}

uint16_t
http_server_port(const struct http_server *server)
{
	return server->port;
}

void
http_server_stop(struct http_server *server, uint32_t drain_ms)
{
	bool stuck = false;

	if (server == NULL)
		return;
	atomic_store(&server->shared.stop_by_ms, io_now_ms() + drain_ms);
	atomic_store(&server->shared.stopping, true);
	for (uint32_t i = 0; i < server->n_threads; i++)
		io_wake(server->threads[i]);
	for (uint32_t i = 0; i < server->n_threads; i++) {
		if (io_join(server->threads[i]))
			io_free(server->threads[i]);
		else
			stuck = true;
	}
	/* An operation that has not answered may still do so, into what it holds. */
	if (!stuck)
		free(server);
}

void
http_server_tally(const struct http_server *server, struct tally_sum *sums, uint32_t *n)
{
	*n = 0;
	for (uint32_t i = 0; i < server->n_threads; i++)
		tally_sum(io_tally(server->threads[i]), sums, n);
}

struct http_counters
http_server_counters(const struct http_server *server)
{
	struct http_counters counters = {
	    .connections = atomic_load(&server->shared.connections),
	    .accepted = atomic_load(&server->shared.accepted),
	    .refused = atomic_load(&server->shared.refused),
	    .wakeups = atomic_load(&server->shared.wakeups),
	    .memory = atomic_load(&server->shared.memory),
	};

	for (uint32_t i = 0; i < server->n_threads; i++)
		io_count(server->threads[i], &counters);
	return counters;
}
