#include "replicator/client.h"

#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define RECONNECT_MS_MIN 50
#define RECONNECT_MS_MAX 1000

struct client {
	nng_socket socket;
	struct client_options options;
	atomic_int pipes;
	pthread_mutex_t lock;
	struct call **calls; /* calls_max places, made as they are needed */
	struct call **unused;
	uint32_t n_calls, n_unused;
};

static void
on_pipe(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct client *client = arg;

	(void)pipe;
	if (event == NNG_PIPE_EV_ADD_POST && atomic_fetch_add(&client->pipes, 1) == 0)
		client->options.connected(client->options.arg, true);
	else if (event == NNG_PIPE_EV_REM_POST && atomic_fetch_sub(&client->pipes, 1) == 1)
		client->options.connected(client->options.arg, false);
}

bool
client_connected(struct client *client)
{
	return atomic_load(&client->pipes) > 0;
}

static int
dial(struct client *client)
{
	nng_dialer dialer;
	int failed = nng_dialer_create(&dialer, client->socket, client->options.address);

	if (failed != 0)
		return failed;
	/* nng adds chance to its own waiting times. */
	nng_dialer_set_ms(dialer, NNG_OPT_RECONNMINT, RECONNECT_MS_MIN);
	nng_dialer_set_ms(dialer, NNG_OPT_RECONNMAXT, RECONNECT_MS_MAX);
	/* Only TCP knows these. */
	nng_dialer_set_bool(dialer, NNG_OPT_TCP_NODELAY, true);
	nng_dialer_set_bool(dialer, NNG_OPT_TCP_KEEPALIVE, true);
	return nng_dialer_start(dialer, NNG_FLAG_NONBLOCK);
}

tide_err
client_open(const struct client_options *options, struct client **out, struct tide_error *error)
{
	struct client *client = calloc(1, sizeof *client);
	int failed;

	if (client == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	client->options = *options;
	pthread_mutex_init(&client->lock, NULL);
	client->calls = calloc(options->calls_max, sizeof *client->calls);
	client->unused = calloc(options->calls_max, sizeof *client->unused);
	if (client->calls == NULL || client->unused == NULL ||
	    (failed = nng_req0_open(&client->socket)) != 0) {
		pthread_mutex_destroy(&client->lock);
		free(client->calls);
		free(client->unused);
		free(client);
		return tide_fail(error, TIDE_NOMEM, NULL);
	}
	/* A lost request is asked again by whoever still wants to know, never by the socket. */
	nng_socket_set_ms(client->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
	nng_socket_set_size(client->socket, NNG_OPT_RECVMAXSZ, WIRE_MESSAGE_MAX);
	nng_pipe_notify(client->socket, NNG_PIPE_EV_ADD_POST, on_pipe, client);
	nng_pipe_notify(client->socket, NNG_PIPE_EV_REM_POST, on_pipe, client);
	if ((failed = dial(client)) != 0) {
		client_close(client);
		return tide_fail(
		    error, TIDE_IO, "cannot dial %s: %s", options->address, nng_strerror(failed));
	}
	*out = client;
	return TIDE_OK;
}

void
client_stop(struct client *client)
{
	nng_close(client->socket);
}

void
client_close(struct client *client)
{
	if (client == NULL)
		return;
	nng_close(client->socket);
	for (uint32_t i = 0; i < client->n_calls; i++) {
		nng_aio_stop(client->calls[i]->aio);
		nng_aio_free(client->calls[i]->aio);
		nng_msg_free(client->calls[i]->answer);
		free(client->calls[i]);
	}
	free(client->calls);
	free(client->unused);
	pthread_mutex_destroy(&client->lock);
	free(client);
}

static void
call_cb(void *arg)
{
	struct call *call = arg;
	int failed = nng_aio_result(call->aio);

	if (!call->receiving) {
		if (failed == 0) {
			call->receiving = true;
			nng_aio_set_timeout(call->aio, (nng_duration)call->ms_max);
			nng_ctx_recv(call->ctx, call->aio);
			return;
		}
		nng_msg_free(nng_aio_get_msg(call->aio)); /* not sent: still ours */
		nng_aio_set_msg(call->aio, NULL);
	} else if (failed == 0) {
		call->answer = nng_aio_get_msg(call->aio);
		nng_aio_set_msg(call->aio, NULL);
	}
	call->failed = failed;
	call->done(call);
}

static struct call *
make_call(struct client *client)
{
	struct call *call = calloc(1, sizeof *call);

	if (call == NULL)
		return NULL;
	call->client = client;
	if (nng_aio_alloc(&call->aio, call_cb, call) != 0) {
		free(call);
		return NULL;
	}
	if (nng_ctx_open(&call->ctx, client->socket) != 0) {
		nng_aio_free(call->aio);
		free(call);
		return NULL;
	}
	client->calls[client->n_calls++] = call;
	return call;
}

tide_err
client_ask(
    struct client *client, nng_msg *message, uint32_t ms_max, uint64_t ticket, call_done_fn done, void *arg)
{
	struct call *call = NULL;
	bool full;

	pthread_mutex_lock(&client->lock);
	full = client->n_unused == 0 && client->n_calls == client->options.calls_max;
	if (client->n_unused > 0)
		call = client->unused[--client->n_unused];
	else if (!full)
		call = make_call(client);
	pthread_mutex_unlock(&client->lock);
	if (call == NULL || message == NULL) {
		if (call != NULL)
			call_release(call);
		nng_msg_free(message);
		return full ? TIDE_AGAIN : TIDE_NOMEM;
	}
	call->ticket = ticket;
	call->arg = arg;
	call->done = done;
	call->receiving = false;
	call->failed = 0;
	call->ms_max = ms_max;
	nng_aio_set_msg(call->aio, message);
	nng_aio_set_timeout(call->aio, (nng_duration)ms_max);
	nng_ctx_send(call->ctx, call->aio);
	return TIDE_OK;
}

void
call_release(struct call *call)
{
	struct client *client = call->client;

	nng_msg_free(call->answer);
	call->answer = NULL;
	pthread_mutex_lock(&client->lock);
	client->unused[client->n_unused++] = call;
	pthread_mutex_unlock(&client->lock);
}

nng_msg *
client_message(const struct wire_message *message)
{
	struct buf out = {0};
	nng_msg *made = NULL;

	if (wire_encode(message, &out) == TIDE_OK && nng_msg_alloc(&made, 0) == 0 &&
	    nng_msg_append(made, out.at, out.n) != 0) {
		nng_msg_free(made);
		made = NULL;
	}
	buf_fini(&out);
	return made;
}
