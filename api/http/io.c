#include "api/http/io.h"

#include <assert.h>
#include <errno.h>
#include <event2/dns.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "api/http/io_priv.h"

#define ACCEPTS_PER_TURN 64
#define BACKOFF_MS 100
#define BACKOFF_LOG_MS 10000

static _Thread_local struct io *io_self;

uint64_t
io_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- answers from other threads --- */

void
io_wake(struct io *io)
{
	uint64_t one = 1;

	/* EAGAIN: the counter is full, so a wake-up is pending anyway. */
	if (write(io->wake_fd, &one, sizeof one) != (ssize_t)sizeof one)
		assert(errno == EAGAIN || errno == EINTR);
}

/* conn_host.answered: the request has its reply. Any thread. */
static void
answered(struct conn *conn)
{
	struct io_conn *c = (struct io_conn *)conn;
	struct io *io = c->io;
	struct io_conn *head;

	if (io_self == io && conn->dispatching) {
		conn->answered_at_once = true;
		return;
	}
	atomic_fetch_add_explicit(&io->posting, 1, memory_order_relaxed);
	head = atomic_load_explicit(&io->answered, memory_order_relaxed);
	do {
		c->next_answered = head;
	} while (!atomic_compare_exchange_weak(&io->answered, &head, c));
	/* From here on the connection may be gone, and but for `posting` the thread too. */
	if (io_self != io && atomic_exchange(&io->asleep, false)) {
		atomic_fetch_add_explicit(&io->shared->wakeups, 1, memory_order_relaxed);
		io_wake(io);
	}
	atomic_fetch_sub_explicit(&io->posting, 1, memory_order_release);
}

static void
take_answers(struct io *io)
{
	struct io_conn *stack, *list = NULL, *next;

	if (atomic_load(&io->answered) == NULL)
		return;
	stack = atomic_exchange(&io->answered, NULL);
	/* First answered, first sent. */
	for (; stack != NULL; stack = next) {
		next = stack->next_answered;
		stack->next_answered = list;
		list = stack;
	}
	for (; list != NULL; list = next) {
		next = list->next_answered;
		io_conn_answered(list);
	}
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct io *io = arg;
	uint64_t n;

	(void)what;
	atomic_store_explicit(&io->asleep, false, memory_order_relaxed);
	if (read(fd, &n, sizeof n) < 0)
		assert(errno == EAGAIN || errno == EINTR);
}

/* --- accepting --- */

static void
refuse_connection(int fd)
{
	static const char body[] = "{\"__type\":\"" CORAL_AVAILABILITY "ServiceUnavailableException\","
				   "\"message\":\"Service is unavailable. Please try again\"}";
	char reply[512];
	int n;

	n = snprintf(reply, sizeof reply,
	    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/x-amz-json-1.0\r\n"
	    "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
	    sizeof body - 1, body);
	/* A courtesy: a client that does not get it sees a closed connection. */
	if (n > 0 && send(fd, reply, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) == n)
		shutdown(fd, SHUT_WR);
	close(fd);
}

static void
back_off(struct io *io, int why)
{
	struct timeval wait = {0, BACKOFF_MS * 1000};

	event_del(io->accept);
	event_add(io->retry, &wait);
	if (io->backoff_logged_ms != 0 && io->now_ms - io->backoff_logged_ms < BACKOFF_LOG_MS)
		return;
	io->backoff_logged_ms = io->now_ms;
	log_warn("HTTP-ACCEPT-BACKOFF", "reason=\"%s\" connections=%llu retry_ms=%d", strerror(why),
	    (unsigned long long)atomic_load(&io->shared->connections), BACKOFF_MS);
}

void
io_accept_all(struct io *io)
{
	struct io_shared *shared = io->shared;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(io->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			if (atomic_load(&shared->connections) >= shared->options.connections_max) {
				atomic_fetch_add(&shared->refused, 1);
				refuse_connection(fd);
				continue;
			}
			atomic_fetch_add(&shared->accepted, 1);
			io_conn_open(io, fd);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			back_off(io, errno);
			return;
		}
		/* ECONNABORTED and the like: that one client is gone. */
	}
}

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct io *io = arg;

	(void)fd;
	(void)what;
	atomic_store_explicit(&io->asleep, false, memory_order_relaxed);
	io_accept_all(io);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct io *io = arg;

	(void)fd;
	(void)what;
	if (!io->draining)
		event_add(io->accept, NULL);
}

/* --- time --- */

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct io *io = arg;
	struct io_conn *c, *next;
	struct timespec now;

	(void)fd;
	(void)what;
	atomic_store_explicit(&io->asleep, false, memory_order_relaxed);
	clock_gettime(CLOCK_REALTIME, &now);
	http_date((uint64_t)now.tv_sec, io->host.date);
	/* Plain walk, once a second: cheaper than a timer that moves with every request. */
	for (c = io->conns; c != NULL; c = next) {
		next = c->next;
		io_conn_check(c);
	}
}

/* --- the thread --- */

static void
begin_drain(struct io *io)
{
	struct timeval often = {0, 20000};
	struct io_conn *c, *next;

	io->draining = true;
	/* Clients whose connection was made already would otherwise see a reset. */
	io_accept_all(io);
	event_del(io->accept);
	event_del(io->retry);
	close(io->listener);
	io->listener = -1;
	event_del(io->tick);
	event_add(io->tick, &often);
	for (c = io->conns; c != NULL; c = next) {
		next = c->next;
		io_conn_drain(c);
	}
}

static void
cut_off(struct io *io)
{
	struct io_conn *c, *next;

	for (c = io->conns; c != NULL; c = next) {
		next = c->next;
		if (c->forward != NULL)
			io_forward_drop(c);
		if (c->conn.state == CONN_RUNNING)
			io->stuck = true;
		else
			io_conn_close(c);
	}
	if (io->stuck)
		log_err("HTTP-STUCK", "connections=%u", io->n_conns);
}

static void *
run(void *arg)
{
	struct io *io = arg;

	io_self = io;
	for (;;) {
		io->now_ms = io_now_ms();
		/* First, so that an answer given after the stop began says that it is the last. */
		if (!io->draining && atomic_load(&io->shared->stopping))
			begin_drain(io);
		take_answers(io);
		if (io->draining) {
			if (io->n_conns == 0)
				break;
			if (io->now_ms >= atomic_load(&io->shared->stop_by_ms)) {
				cut_off(io);
				break;
			}
		}
		/* Say "asleep" first and look at the stack afterwards, as `answered` pushes first and looks at
		 * "asleep" afterwards: one of the two sees the other. */
		atomic_store(&io->asleep, true);
		if (atomic_load(&io->answered) != NULL) {
			atomic_store_explicit(&io->asleep, false, memory_order_relaxed);
			continue;
		}
		event_base_loop(io->base, EVLOOP_ONCE);
		atomic_store_explicit(&io->asleep, false, memory_order_relaxed);
	}
	return NULL;
}

struct io *
io_new(struct io_shared *shared, struct region *region, int listener)
{
	struct timeval second = {1, 0};
	struct event_config *how;
	struct timespec now;
	struct io *io;

	if ((io = aligned_alloc(64, (sizeof *io + 63) & ~(size_t)63)) == NULL) {
		close(listener);
		return NULL;
	}
	memset(io, 0, sizeof *io);
	io->shared = shared;
	io->listener = listener;
	io->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	io->host.region = region;
	io->host.find = shared->options.find;
	io->host.metrics = shared->options.metrics;
	io->host.peers = shared->options.peers;
	io->host.n_peers = shared->options.n_peers;
	io->host.self = region != NULL ? region->config.region : NULL;
	io->host.forward = io_forward;
	io->host.answered = answered;
	io->host.memory = &shared->memory;
	io->host.memory_max = shared->options.memory_max;
	http_ids_init(&io->host.ids);
	clock_gettime(CLOCK_REALTIME, &now);
	http_date((uint64_t)now.tv_sec, io->host.date);
	io->now_ms = io_now_ms();
	io->scratch = malloc(IO_READ_BYTES);
	if ((how = event_config_new()) != NULL) {
		/* One thread per base; other threads write to the eventfd. */
		event_config_set_flag(how, EVENT_BASE_FLAG_NOLOCK);
		io->base = event_base_new_with_config(how);
		event_config_free(how);
	}
	if (io->base == NULL || io->wake_fd < 0 || io->scratch == NULL)
		goto fail;
	io->accept = event_new(io->base, listener, EV_READ | EV_PERSIST, on_accept, io);
	io->wake = event_new(io->base, io->wake_fd, EV_READ | EV_PERSIST, on_wake, io);
	io->tick = event_new(io->base, -1, EV_PERSIST, on_tick, io);
	io->retry = event_new(io->base, -1, 0, on_retry, io);
	if (io->accept == NULL || io->wake == NULL || io->tick == NULL || io->retry == NULL ||
	    event_add(io->accept, NULL) != 0 || event_add(io->wake, NULL) != 0 ||
	    event_add(io->tick, &second) != 0)
		goto fail;
	return io;
fail:
	io_free(io);
	return NULL;
}

tide_err
io_start(struct io *io)
{
	sigset_t all, before;
	int failed;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&io->thread, NULL, run, io);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	io->started = failed == 0;
	return failed == 0 ? TIDE_OK : TIDE_NOMEM;
}

bool
io_join(struct io *io)
{
	if (!io->started)
		return true;
	pthread_join(io->thread, NULL);
	io->started = false;
	/* Whoever gave the last answer is a few instructions from done with this thread. */
	while (atomic_load_explicit(&io->posting, memory_order_acquire) > 0)
		sched_yield();
	return !io->stuck;
}

void
io_free(struct io *io)
{
	if (io == NULL)
		return;
	assert(!io->started && io->conns == NULL);
	if (io->accept != NULL)
		event_free(io->accept);
	if (io->wake != NULL)
		event_free(io->wake);
	if (io->tick != NULL)
		event_free(io->tick);
	if (io->retry != NULL)
		event_free(io->retry);
	if (io->dns != NULL)
		evdns_base_free(io->dns, 0);
	if (io->base != NULL)
		event_base_free(io->base);
	if (io->listener >= 0)
		close(io->listener);
	if (io->wake_fd >= 0)
		close(io->wake_fd);
	free(io->scratch);
	free(io);
}

void
io_count(const struct io *io, struct http_counters *counters)
{
	counters->requests += atomic_load_explicit(&io->host.requests, memory_order_relaxed);
	counters->errors_client += atomic_load_explicit(&io->host.errors_client, memory_order_relaxed);
	counters->errors_server += atomic_load_explicit(&io->host.errors_server, memory_order_relaxed);
	counters->received += atomic_load_explicit(&io->host.received, memory_order_relaxed);
	counters->sent += atomic_load_explicit(&io->host.sent, memory_order_relaxed);
}

const struct tally *
io_tally(const struct io *io)
{
	return &io->host.tally;
}
