#include "api/endpoint_serve.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "api/endpoint_priv.h"
#include "base/log.h"
#include "replicator/wire_server.h"

#define GUESTS 640 /* requests at a time; more wait in their sockets */
#define CONNECTIONS 64 /* a replicator, and commands */
#define WORKERS 4

/* One request at a time: received, asked, answered. */
struct guest {
	struct answer answer; /* first: `reply` gets it */
	struct endpoint_server *server;
	struct wire_request request;
	struct wire_frame *in; /* not NULL: in the endpoint's hands */
	struct guest *next; /* unused */
};

struct endpoint_server {
	struct endpoint *endpoint;
	struct wire_server *socket;
	struct guest *guests;
	pthread_mutex_t lock;
	struct guest *unused; /* under the lock */
	pthread_t workers[WORKERS], ticker;
	uint32_t n_workers;
	bool ticking;
	atomic_bool stopping;
};

/* --- requests --- */

static void
give_back(struct guest *guest)
{
	struct endpoint_server *server = guest->server;

	pthread_mutex_lock(&server->lock);
	guest->next = server->unused;
	server->unused = guest;
	pthread_mutex_unlock(&server->lock);
}

static void
reply(struct answer *answer, struct bytes out)
{
	struct guest *guest = (struct guest *)answer;
	struct wire_request request = guest->request;
	struct wire_frame *frame = out.n > 0 ? wire_frame_of(out) : NULL;

	free(guest->in);
	guest->in = NULL;
	/* First: the answer makes room for a request, which needs a guest. */
	give_back(guest);
	wire_server_answer(request, frame);
}

/* The socket's thread. */
static void
on_request(void *arg, struct wire_request request, struct wire_frame *frame)
{
	struct endpoint_server *server = arg;
	struct guest *guest;

	pthread_mutex_lock(&server->lock);
	if ((guest = server->unused) != NULL)
		server->unused = guest->next;
	pthread_mutex_unlock(&server->lock);
	assert(guest != NULL); /* as many as requests_max */
	guest->request = request;
	guest->in = frame;
	guest->answer.in = wire_frame_bytes(frame);
	endpoint_ask(&guest->answer);
}

/* --- threads --- */

static void *
worker(void *arg)
{
	struct endpoint_server *server = arg;
	struct endpoint *endpoint = server->endpoint;

	pthread_mutex_lock(&endpoint->lock);
	while (!atomic_load(&server->stopping))
		if (!endpoint__work(endpoint))
			pthread_cond_wait(&endpoint->work, &endpoint->lock);
	pthread_mutex_unlock(&endpoint->lock);
	return NULL;
}

/* Under the lock: until the next tick, or sooner where a batch is due to a peer. */
static void
wait_for_tick(struct endpoint *endpoint)
{
	uint64_t now = endpoint__now(endpoint), wake = ship__wake(endpoint), ms = ENDPOINT_TICK_MS;
	struct timespec until;

	if (wake > now && wake - now < ms)
		ms = wake - now;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)ms * 1000000;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_cond_timedwait(&endpoint->tick, &endpoint->lock, &until);
}

static void *
ticker(void *arg)
{
	struct endpoint_server *server = arg;
	struct endpoint *endpoint = server->endpoint;

	while (!atomic_load(&server->stopping)) {
		endpoint_tick(endpoint);
		pthread_mutex_lock(&endpoint->lock);
		if (!atomic_load(&server->stopping))
			wait_for_tick(endpoint);
		pthread_mutex_unlock(&endpoint->lock);
	}
	return NULL;
}

/* --- life --- */

static tide_err
listen_at(struct endpoint_server *server, const char *address, struct tide_error *error)
{
	struct wire_server_options options = {.address = address,
	    .trusting = true, /* whoever may open the socket may ask */
	    .connections_max = CONNECTIONS,
	    .requests_max = GUESTS,
	    .requests_each_max = GUESTS,
	    .request = on_request,
	    .arg = server};
	struct tide_error why;
	tide_err rc = wire_server_open(&options, &server->socket, &why);

	if (rc != TIDE_OK)
		return tide_fail(error, rc, "replication.endpoint: cannot listen at %s", why.message);
	return TIDE_OK;
}

static tide_err
start_threads(struct endpoint_server *server, struct tide_error *error)
{
	for (; server->n_workers < WORKERS; server->n_workers++)
		if (pthread_create(&server->workers[server->n_workers], NULL, worker, server) != 0)
			return tide_fail(error, TIDE_NOMEM, "cannot start a thread");
	if (pthread_create(&server->ticker, NULL, ticker, server) != 0)
		return tide_fail(error, TIDE_NOMEM, "cannot start a thread");
	server->ticking = true;
	return TIDE_OK;
}

tide_err
endpoint_serve(
    struct endpoint *endpoint, const char *address, struct endpoint_server **out, struct tide_error *error)
{
	struct endpoint_server *server = calloc(1, sizeof *server);
	tide_err rc;

	if (server == NULL || (server->guests = calloc(GUESTS, sizeof *server->guests)) == NULL) {
		free(server);
		return tide_fail(error, TIDE_NOMEM, NULL);
	}
	server->endpoint = endpoint;
	pthread_mutex_init(&server->lock, NULL);
	for (uint32_t i = 0; i < GUESTS; i++) {
		server->guests[i].server = server;
		answer_init(&server->guests[i].answer, endpoint, reply);
		give_back(&server->guests[i]);
	}
	*out = server; /* what is there of it is stopped and closed by the caller */
	if ((rc = start_threads(server, error)) != TIDE_OK ||
	    (rc = listen_at(server, address, error)) != TIDE_OK)
		return rc;
	log_info("ENDPOINT-READY", "address=%s", address);
	return TIDE_OK;
}

void
endpoint_serve_stop(struct endpoint_server *server)
{
	struct timespec pause = {.tv_nsec = 1000000};

	if (server == NULL || atomic_exchange(&server->stopping, true))
		return;
	if (server->socket != NULL)
		wire_server_stop(server->socket); /* nothing more is asked */
	pthread_mutex_lock(&server->endpoint->lock);
	pthread_cond_broadcast(&server->endpoint->work);
	pthread_cond_broadcast(&server->endpoint->tick);
	pthread_mutex_unlock(&server->endpoint->lock);
	for (uint32_t i = 0; i < server->n_workers; i++)
		pthread_join(server->workers[i], NULL);
	if (server->ticking)
		pthread_join(server->ticker, NULL);
	while (!endpoint_stop(server->endpoint))
		nanosleep(&pause, NULL);
}

void
endpoint_serve_close(struct endpoint_server *server)
{
	if (server == NULL)
		return;
	for (uint32_t i = 0; i < GUESTS; i++) {
		if (server->guests[i].in != NULL) {
			free(server->guests[i].in);
			wire_server_answer(server->guests[i].request, NULL);
		}
		answer_fini(&server->guests[i].answer);
	}
	wire_server_close(server->socket);
	pthread_mutex_destroy(&server->lock);
	free(server->guests);
	free(server);
}
