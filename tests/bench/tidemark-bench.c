/*
 * A load generator: N keep-alive connections, each with one request on items of 645 bytes under way.
 *
 * It works against every server that speaks DynamoDB's JSON protocol and prints one line of key=value pairs.
 */
#include <errno.h>
#include <http_parser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_client.h"

#define READ_BYTES 65536
#define TAIL_BYTES 64

static const char usage[] = "usage: tidemark-bench --port N [options]\n"
			    "  --host HOST          default 127.0.0.1\n"
			    "  --op NAME            put (default), get; on the indexed table: query10,\n"
			    "                       query100, update, batch, transact\n"
			    "  --connections N      default 256\n"
			    "  --seconds N          default 10\n"
			    "  --rate N             at most N operations a second\n"
			    "  --count N            end after N operations\n"
			    "  --table NAME         default bench or bench-indexed\n"
			    "  --keys N             keys are drawn from 0..N-1; default 100000; of the\n"
			    "                       indexed table a multiple of 100\n"
			    "  --first N            the first key of --sequential; default 0\n"
			    "  --sequential         keys in order instead of at random: fills a table\n"
			    "  --create             create the table first and wait until it is ACTIVE\n"
			    "  --server-pid PID     report that process's CPU time per operation\n"
			    "  --every SECONDS      a line for each interval, too\n";

struct worker {
	int fd;
	enum bench_op op;
	http_parser parser;
	struct buf request;
	size_t sent;
	uint64_t began_us;
	bool blocked, done, failed;
	char tail[TAIL_BYTES]; /* the end of the reply */
	struct worker *next_idle;
};

struct run {
	const char *host, *port, *table;
	enum bench_op op;
	uint32_t connections;
	double seconds, every, rate;
	uint64_t count, keys, random, next_key;
	bool sequential, create;
	long pid;

	int epoll;
	bool ending;
	uint64_t started, finished, errors, salt;
	struct bench_latency latency;
	struct worker *workers, *idle;
	uint64_t began_us;
	char first_error[512];
};

static struct run run;

static int
on_complete(http_parser *parser)
{
	struct worker *w = parser->data;
	const char *text = bench_op_reply(w->op);

	w->done = true;
	w->failed = parser->status_code != 200 ||
		    (text != NULL && memmem(w->tail, sizeof w->tail, text, strlen(text)) == NULL);
	return 0;
}

/* A reply may come in pieces, and long ones do. */
static int
on_body(http_parser *parser, const char *at, size_t n)
{
	struct worker *w = parser->data;

	if (n < sizeof w->tail) {
		memmove(w->tail, w->tail + n, sizeof w->tail - n);
		memcpy(w->tail + sizeof w->tail - n, at, n);
	} else {
		memcpy(w->tail, at + n - sizeof w->tail, sizeof w->tail);
	}
	return 0;
}

static const http_parser_settings settings = {.on_body = on_body, .on_message_complete = on_complete};

static int
open_socket(void)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *at;
	int fd, one = 1;

	if (getaddrinfo(run.host, run.port, &hints, &at) != 0)
		return -1;
	fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && (connect(fd, at->ai_addr, at->ai_addrlen) != 0 ||
			   setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(at);
	return fd;
}

/* One request on a blocking socket of its own; the status, and the reply's text. */
static int
call(enum bench_op op, char *reply, size_t room)
{
	struct worker w = {.fd = open_socket(), .op = op};
	struct bench_request request = {.op = op, .host = run.host, .table = run.table};
	size_t n = 0;
	ssize_t got;

	if (w.fd < 0)
		return -1;
	bench_request_write(&request, &w.request);
	http_parser_init(&w.parser, HTTP_RESPONSE);
	w.parser.data = &w;
	if (w.request.failed || send(w.fd, w.request.at, w.request.n, MSG_NOSIGNAL) != (ssize_t)w.request.n)
		n = room;
	while (n < room - 1 && !w.done && (got = recv(w.fd, reply + n, room - 1 - n, 0)) > 0) {
		http_parser_execute(&w.parser, &settings, reply + n, (size_t)got);
		n += (size_t)got;
	}
	reply[n < room ? n : 0] = '\0';
	close(w.fd);
	buf_fini(&w.request);
	return w.done ? (int)w.parser.status_code : -1;
}

static bool
create_table(void)
{
	static char reply[65536];
	uint64_t until = bench_now_us() + 30000000;
	int status =
	    call(bench_op_is_indexed(run.op) ? BENCH_CREATE_INDEXED : BENCH_CREATE, reply, sizeof reply);

	if (status != 200 && strstr(reply, "ResourceInUseException") == NULL) {
		fprintf(stderr, "CreateTable answered %d: %s\n", status, reply);
		return false;
	}
	while (bench_now_us() < until) {
		if (call(BENCH_DESCRIBE, reply, sizeof reply) == 200 &&
		    strstr(reply, "\"TableStatus\":\"ACTIVE\"") != NULL)
			return true;
		usleep(20000);
	}
	fprintf(stderr, "the table is not ACTIVE after 30 s\n");
	return false;
}

static uint64_t
pick_key(void)
{
	if (run.sequential)
		return (run.op == BENCH_BATCH ? BENCH_BATCH_ITEMS : 1) * run.next_key++ % run.keys;
	run.random ^= run.random << 13;
	run.random ^= run.random >> 7;
	run.random ^= run.random << 17;
	return run.random % run.keys;
}

static bool
watch(struct worker *w, int how, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = w};

	return epoll_ctl(run.epoll, how, w->fd, &event) == 0;
}

static bool
push(struct worker *w)
{
	while (w->sent < w->request.n) {
		ssize_t n =
		    send(w->fd, w->request.at + w->sent, w->request.n - w->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			w->sent += (size_t)n;
		} else if (errno == EAGAIN) {
			w->blocked = true;
			return watch(w, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
		} else if (errno != EINTR) {
			return false;
		}
	}
	if (w->blocked) {
		w->blocked = false;
		return watch(w, EPOLL_CTL_MOD, EPOLLIN);
	}
	return true;
}

static bool
too_fast(void)
{
	return run.rate > 0 &&
	       (double)run.started * 1e6 >= run.rate * (double)(bench_now_us() - run.began_us);
}

static bool
begin(struct worker *w)
{
	struct bench_request request;

	if (run.ending || (run.count > 0 && run.started >= run.count))
		return true;
	if (too_fast()) {
		w->next_idle = run.idle;
		run.idle = w;
		return true;
	}
	run.started++;
	request = (struct bench_request){.op = run.op,
	    .host = run.host,
	    .table = run.table,
	    .key = pick_key(),
	    .keys = run.keys,
	    .salt = run.salt++,
	    .in_order = run.sequential};
	buf_clear(&w->request);
	bench_request_write(&request, &w->request);
	w->sent = 0;
	w->done = false;
	w->began_us = bench_now_us();
	return !w->request.failed && push(w);
}

static bool
receive(struct worker *w)
{
	static char text[READ_BYTES];
	ssize_t n = recv(w->fd, text, sizeof text, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0 || http_parser_execute(&w->parser, &settings, text, (size_t)n) != (size_t)n)
		return false;
	if (!w->done)
		return true;
	bench_latency_add(&run.latency, bench_now_us() - w->began_us);
	run.finished++;
	if (w->failed && run.errors++ == 0)
		snprintf(run.first_error, sizeof run.first_error, "%.*s", (int)(n < 500 ? n : 500), text);
	w->done = false;
	return begin(w);
}

static bool
connect_all(void)
{
	if ((run.workers = calloc(run.connections, sizeof *run.workers)) == NULL ||
	    (run.epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
		return false;
	for (uint32_t i = 0; i < run.connections; i++) {
		struct worker *w = &run.workers[i];

		if ((w->fd = open_socket()) < 0 || !watch(w, EPOLL_CTL_ADD, EPOLLIN)) {
			fprintf(
			    stderr, "connection %u to %s:%s: %s\n", i, run.host, run.port, strerror(errno));
			return false;
		}
		http_parser_init(&w->parser, HTTP_RESPONSE);
		w->parser.data = w;
		w->op = run.op;
	}
	return true;
}

static void
print_interval(uint64_t n, uint64_t us, uint64_t cpu_us)
{
	printf("interval ops=%llu ops_per_s=%.0f server_cpu_us_per_op=%.1f total=%llu\n",
	    (unsigned long long)n, (double)n * 1e6 / (double)us, n > 0 ? (double)cpu_us / (double)n : 0.0,
	    (unsigned long long)run.finished);
	fflush(stdout);
}

static bool
drive(void)
{
	uint64_t began = bench_now_us(), until = began + (uint64_t)(run.seconds * 1e6);
	uint64_t mark_us = began, mark_n = 0, mark_cpu = bench_cpu_us(run.pid);
	struct epoll_event events[256];

	run.began_us = began;
	for (uint32_t i = 0; i < run.connections; i++) {
		if (!begin(&run.workers[i]))
			return false;
	}
	while (run.finished < run.started || (run.idle != NULL && !run.ending)) {
		int n = epoll_wait(run.epoll, events, 256, run.idle != NULL ? 1 : 1000);
		uint64_t now;

		for (int i = 0; i < n; i++) {
			struct worker *w = events[i].data.ptr;

			if (((events[i].events & EPOLLOUT) != 0 && !push(w)) ||
			    ((events[i].events & ~(uint32_t)EPOLLOUT) != 0 && !receive(w))) {
				fprintf(stderr, "connection lost after %llu operations\n",
				    (unsigned long long)run.finished);
				return false;
			}
		}
		now = bench_now_us();
		run.ending = run.count == 0 ? now >= until : run.started >= run.count;
		while (run.idle != NULL && !run.ending && !too_fast()) {
			struct worker *w = run.idle;

			run.idle = w->next_idle;
			if (!begin(w))
				return false;
		}
		if (now >= until + 60000000 && run.count == 0) {
			fprintf(stderr, "%llu operations without an answer for 60 s\n",
			    (unsigned long long)(run.started - run.finished));
			return false;
		}
		if (run.every > 0 && now - mark_us >= (uint64_t)(run.every * 1e6)) {
			uint64_t cpu = bench_cpu_us(run.pid);

			print_interval(run.finished - mark_n, now - mark_us, cpu - mark_cpu);
			mark_us = now;
			mark_n = run.finished;
			mark_cpu = cpu;
		}
	}
	return true;
}

static bool
parse_arguments(int argc, char **argv)
{
	run = (struct run){.host = "127.0.0.1",
	    .connections = 256,
	    .seconds = 10,
	    .keys = 100000,
	    .random = 88172645463325252u,
	    .salt = bench_now_us()}; /* a token is used once, in later runs too */
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], *value;

		if (strcmp(name, "--sequential") == 0 || strcmp(name, "--create") == 0) {
			*(name[2] == 's' ? &run.sequential : &run.create) = true;
			continue;
		}
		if (i + 1 == argc)
			return false;
		value = argv[++i];
		if (strcmp(name, "--host") == 0)
			run.host = value;
		else if (strcmp(name, "--port") == 0)
			run.port = value;
		else if (strcmp(name, "--table") == 0)
			run.table = value;
		else if (strcmp(name, "--op") == 0)
			run.op = bench_op_named(value);
		else if (strcmp(name, "--connections") == 0)
			run.connections = (uint32_t)strtoul(value, NULL, 10);
		else if (strcmp(name, "--seconds") == 0)
			run.seconds = strtod(value, NULL);
		else if (strcmp(name, "--every") == 0)
			run.every = strtod(value, NULL);
		else if (strcmp(name, "--rate") == 0)
			run.rate = strtod(value, NULL);
		else if (strcmp(name, "--count") == 0)
			run.count = strtoull(value, NULL, 10);
		else if (strcmp(name, "--keys") == 0)
			run.keys = strtoull(value, NULL, 10);
		else if (strcmp(name, "--first") == 0)
			run.next_key = strtoull(value, NULL, 10);
		else if (strcmp(name, "--server-pid") == 0)
			run.pid = strtol(value, NULL, 10);
		else
			return false;
	}
	if (run.table == NULL)
		run.table = bench_op_is_indexed(run.op) ? "bench-indexed" : "bench";
	return run.port != NULL && run.connections > 0 && run.keys > 0 && run.op <= BENCH_TRANSACT &&
	       (!bench_op_is_indexed(run.op) || run.keys % BENCH_PARTITION_ITEMS == 0);
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	uint64_t began, us, cpu, own;
	bool ok;

	if (!parse_arguments(argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if ((run.create && !create_table()) || !connect_all())
		return 1;
	cpu = bench_cpu_us(run.pid);
	own = bench_cpu_us((long)getpid());
	began = bench_now_us();
	ok = drive();
	us = bench_now_us() - began;
	cpu = bench_cpu_us(run.pid) - cpu;
	own = bench_cpu_us((long)getpid()) - own;
	printf(
	    "op=%s connections=%u seconds=%.2f ops=%llu errors=%llu ops_per_s=%.0f p50_us=%llu p99_us=%llu "
	    "server_cpu_us_per_op=%.1f client_cpu_us_per_op=%.1f\n",
	    bench_op_name(run.op), run.connections, (double)us / 1e6, (unsigned long long)run.finished,
	    (unsigned long long)run.errors, (double)run.finished * 1e6 / (double)us,
	    (unsigned long long)bench_latency_at(&run.latency, 0.5),
	    (unsigned long long)bench_latency_at(&run.latency, 0.99),
	    run.finished > 0 ? (double)cpu / (double)run.finished : 0.0,
	    run.finished > 0 ? (double)own / (double)run.finished : 0.0);
	if (run.errors > 0)
		fprintf(stderr, "first error:\n%s\n", run.first_error);
	for (uint32_t i = 0; i < run.connections; i++) {
		close(run.workers[i].fd);
		buf_fini(&run.workers[i].request);
	}
	free(run.workers);
	return ok && run.errors == 0 ? 0 : 1;
}
