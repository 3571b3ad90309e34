#include "api/endpoint_serve.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/transport/ipc/ipc.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "api/endpoint_priv.h"
#include "base/log.h"

#define GUESTS 640 /* requests at a time; more wait in their sockets */
#define WORKERS 4

/* One request at a time: received, asked, answered. */
struct guest {
	struct answer answer; /* first: `reply` gets it */
	struct endpoint_server *server;
	nng_ctx ctx;
	nng_aio *aio;
	bool sending;
	nng_msg *in;
};

struct endpoint_server {
	struct endpoint *endpoint;
	bool listening;
	nng_socket socket;
	struct guest *guests;
	uint32_t n_guests;
	pthread_t workers[WORKERS], ticker;
	uint32_t n_workers;
	bool ticking;
	atomic_bool stopping;
	pthread_cond_t tick; /* with the endpoint's lock */
};

/* --- requests --- */

static void
receive(struct guest *guest)
{
	guest->sending = false;
	nng_ctx_recv(guest->ctx, guest->aio);
}

static void
reply(struct answer *answer, struct bytes out)
{
	struct guest *guest = (struct guest *)answer;
	nng_msg *message = NULL;

	if (out.n > 0 && nng_msg_alloc(&message, 0) == 0 && nng_msg_append(message, out.at, out.n) != 0) {
		nng_msg_free(message);
		message = NULL;
	}
	nng_msg_free(guest->in);
	guest->in = NULL;
	if (message == NULL) {
		receive(guest);
		return;
	}
	guest->sending = true;
	nng_aio_set_msg(guest->aio, message);
	nng_ctx_send(guest->ctx, guest->aio);
}

/* nng's threads. A guest is either receiving, sending, or in the endpoint's hands. */
static void
guest_cb(void *arg)
{
	struct guest *guest = arg;
	int failed = nng_aio_result(guest->aio);

	if (guest->sending) {
		if (failed != 0)
			nng_msg_free(nng_aio_get_msg(guest->aio)); /* whoever asked is gone */
		if (failed != NNG_ECLOSED)
			receive(guest);
		return;
	}
	if (failed == NNG_ECLOSED || failed == NNG_ECANCELED || atomic_load(&guest->server->stopping)) {
		if (failed == 0)
			nng_msg_free(nng_aio_get_msg(guest->aio));
		return;
	}
	if (failed != 0) {
		receive(guest);
		return;
	}
	guest->in = nng_aio_get_msg(guest->aio);
	guest->answer.in = bytes_of(nng_msg_body(guest->in), nng_msg_len(guest->in));
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

static void *
ticker(void *arg)
{
	struct endpoint_server *server = arg;
	struct endpoint *endpoint = server->endpoint;

	while (!atomic_load(&server->stopping)) {
		struct timespec until;

		endpoint_tick(endpoint);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += ENDPOINT_TICK_MS * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
		pthread_mutex_lock(&endpoint->lock);
		if (!atomic_load(&server->stopping))
			pthread_cond_timedwait(&server->tick, &endpoint->lock, &until);
		pthread_mutex_unlock(&endpoint->lock);
	}
	return NULL;
}

/* --- life --- */

static tide_err
listen_at(struct endpoint_server *server, const char *address, struct tide_error *error)
{
	nng_listener listener;
	int failed;

	if ((failed = nng_rep0_open(&server->socket)) != 0)
		return tide_fail(error, TIDE_NOMEM, "endpoint: %s", nng_strerror(failed));
	server->listening = true;
	nng_socket_set_size(server->socket, NNG_OPT_RECVMAXSZ, WIRE_MESSAGE_MAX);
	if ((failed = nng_listener_create(&listener, server->socket, address)) == 0) {
		/* Only this user may talk to the store. Transports without permissions refuse the option: no harm. */
		nng_listener_set_int(listener, NNG_OPT_IPC_PERMISSIONS, S_IRUSR | S_IWUSR);
		failed = nng_listener_start(listener, 0);
	}
	if (failed != 0)
		return tide_fail(error, TIDE_IO, "replication.endpoint: cannot listen at %s: %s", address,
		    nng_strerror(failed));
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

static tide_err
start_guests(struct endpoint_server *server, struct tide_error *error)
{
	for (; server->n_guests < GUESTS; server->n_guests++) {
		struct guest *guest = &server->guests[server->n_guests];

		guest->server = server;
		answer_init(&guest->answer, server->endpoint, reply);
		if (nng_aio_alloc(&guest->aio, guest_cb, guest) != 0)
			return tide_fail(error, TIDE_NOMEM, NULL);
		if (nng_ctx_open(&guest->ctx, server->socket) != 0) {
			nng_aio_free(guest->aio);
			guest->aio = NULL;
			return tide_fail(error, TIDE_NOMEM, NULL);
		}
		receive(guest);
	}
	return TIDE_OK;
}

tide_err
endpoint_serve(
    struct endpoint *endpoint, const char *address, struct endpoint_server **out, struct tide_error *error)
{
	struct endpoint_server *server = calloc(1, sizeof *server);
	pthread_condattr_t monotonic;
	tide_err rc;

	if (server == NULL || (server->guests = calloc(GUESTS, sizeof *server->guests)) == NULL) {
		free(server);
		return tide_fail(error, TIDE_NOMEM, NULL);
	}
	server->endpoint = endpoint;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&server->tick, &monotonic);
	pthread_condattr_destroy(&monotonic);
	*out = server; /* what is there of it is stopped and closed by the caller */
	if ((rc = listen_at(server, address, error)) != TIDE_OK ||
	    (rc = start_threads(server, error)) != TIDE_OK || (rc = start_guests(server, error)) != TIDE_OK)
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
	pthread_mutex_lock(&server->endpoint->lock);
	pthread_cond_broadcast(&server->endpoint->work);
	pthread_cond_broadcast(&server->tick);
	pthread_mutex_unlock(&server->endpoint->lock);
	for (uint32_t i = 0; i < server->n_workers; i++)
		pthread_join(server->workers[i], NULL);
	if (server->ticking)
		pthread_join(server->ticker, NULL);
	while (!endpoint_stop(server->endpoint))
		nanosleep(&pause, NULL);
	for (uint32_t i = 0; i < server->n_guests; i++)
		nng_aio_stop(server->guests[i].aio);
	/* Only now: nng 1.5 panics when a context sends while its socket is being closed. */
	if (server->listening)
		nng_close(server->socket);
}

void
endpoint_serve_close(struct endpoint_server *server)
{
	if (server == NULL)
		return;
	for (uint32_t i = 0; i < server->n_guests; i++) {
		nng_aio_free(server->guests[i].aio);
		nng_msg_free(server->guests[i].in);
		answer_fini(&server->guests[i].answer);
	}
	pthread_cond_destroy(&server->tick);
	free(server->guests);
	free(server);
}
