/*
 * I/O threads: sockets, timeouts and the way back from the operations. Private to api/http.
 *
 * A thread sleeps in epoll only. Whoever answers a request pushes its connection on the thread's stack and writes the
 * eventfd only if the thread sleeps (or is about to): a committer that completes a group of hundreds wakes each thread once.
 */
#ifndef TIDE_API_HTTP_IO_H
#define TIDE_API_HTTP_IO_H

#include <event2/event.h>
#include <pthread.h>

#include "api/http/conn.h"

struct io;

/* Shared by the threads of a server. */
struct io_shared {
	struct http_options options; /* with its defaults filled in */
	_Atomic uint64_t memory;
	_Atomic uint64_t connections, accepted, refused, wakeups;
	_Atomic bool stopping;
	_Atomic uint64_t stop_by_ms; /* monotonic */
};

/** A thread that will serve `listener` (which it owns from now on). NULL: no memory, and the listener is closed. */
struct io *io_new(struct io_shared *shared, struct region *region, int listener);

/** TIDE_NOMEM when the thread cannot be started. */
tide_err io_start(struct io *io);

/** Wake it so that it sees `stopping`. Any thread. */
void io_wake(struct io *io);

/** Wait for its end. False: some operation has not answered, and `io` must stay. True: io_free it. */
bool io_join(struct io *io);

/** Release a thread that ended or never started. Takes NULL. */
void io_free(struct io *io);

/** Add its counts. Any thread. */
void io_count(const struct io *io, struct http_counters *counters);

/** Its tally, for as long as the thread lives. Any thread. */
const struct tally *io_tally(const struct io *io);

uint64_t io_now_ms(void);

#endif
