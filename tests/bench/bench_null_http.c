/*
 * An HTTP server with Tidemark's own front and an operation that does nothing: what the front alone costs.
 *
 *     bench_null_http [--port N] [--threads N] [--thread-hop]
 *
 * It prints "listening on PORT" and serves until SIGTERM. With --thread-hop another thread answers, as the committer
 * does, so that the way back through the completion queue is in the measure.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/http.h"

#define QUEUE_MAX 4096

static bool hop;
static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct request *at[QUEUE_MAX];
	uint32_t n;
	bool ending;
} queue = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, {NULL}, 0, false};

static void
answer(struct request *request)
{
	buf_append_string(&request->reply, "{}");
	request_ok(request);
}

static void *
answer_all(void *arg)
{
	static struct request *batch[QUEUE_MAX];
	uint32_t n;

	(void)arg;
	for (;;) {
		pthread_mutex_lock(&queue.lock);
		while (queue.n == 0 && !queue.ending)
			pthread_cond_wait(&queue.filled, &queue.lock);
		n = queue.n;
		memcpy(batch, queue.at, n * sizeof batch[0]);
		queue.n = 0;
		pthread_mutex_unlock(&queue.lock);
		if (n == 0)
			return NULL;
		for (uint32_t i = 0; i < n; i++)
			answer(batch[i]);
	}
}

static void
handle(struct request *request)
{
	bool queued = false;

	if (hop) {
		pthread_mutex_lock(&queue.lock);
		if (queue.n < QUEUE_MAX) {
			queue.at[queue.n++] = request;
			queued = true;
			if (queue.n == 1)
				pthread_cond_signal(&queue.filled);
		}
		pthread_mutex_unlock(&queue.lock);
	}
	if (!queued)
		answer(request);
}

static const struct operation *
find(struct bytes name)
{
	static const struct operation nothing = {"Nothing", handle};

	(void)name;
	return &nothing;
}

int
main(int argc, char **argv)
{
	struct http_options options = {
	    .host = "127.0.0.1", .threads = 1, .connections_max = 100000, .find = find};
	struct http_counters counters;
	struct http_server *server;
	struct tide_error error;
	pthread_t answerer;
	sigset_t signals;
	int which;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--port") == 0 && i + 1 < argc)
			options.port = (uint16_t)atoi(argv[++i]);
		else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
			options.threads = (uint32_t)atoi(argv[++i]);
		else if (strcmp(argv[i], "--thread-hop") == 0)
			hop = true;
		else {
			fprintf(stderr, "usage: bench_null_http [--port N] [--threads N] [--thread-hop]\n");
			return 2;
		}
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	if (pthread_create(&answerer, NULL, answer_all, NULL) != 0)
		return 1;
	if (http_server_start(&options, NULL, &server, &error) != TIDE_OK) {
		fprintf(stderr, "%s\n", error.message);
		return 1;
	}
	printf("listening on %u\n", (unsigned)http_server_port(server));
	fflush(stdout);
	sigwait(&signals, &which);
	counters = http_server_counters(server);
	printf("requests %llu, wake-ups %llu\n", (unsigned long long)counters.requests,
	    (unsigned long long)counters.wakeups);
	http_server_stop(server, 5000);
	pthread_mutex_lock(&queue.lock);
	queue.ending = true;
	pthread_cond_signal(&queue.filled);
	pthread_mutex_unlock(&queue.lock);
	pthread_join(answerer, NULL);
	return 0;
}
