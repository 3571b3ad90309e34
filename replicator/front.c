#include "replicator/front.h"

#include <nng/protocol/reqrep0/rep.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "replicator/link_message.h"

#define GUESTS 512 /* requests at a time; more wait in their connections */
#define LOCAL_MS 20000 /* for the API process to answer; it holds some for a second */

/* One request at a time: received, passed on, answered. */
struct guest {
	struct front *front;
	nng_ctx ctx;
	nng_aio *aio;
	bool sending;
};

struct front {
	nng_socket socket;
	struct client *local;
	struct guest *guests;
	uint32_t n_guests;
	atomic_bool closing;
	atomic_uint passed_on; /* calls that the API process has */
	atomic_ullong requests, bytes_plain, bytes_sent;
};

static void
receive(struct guest *guest)
{
	guest->sending = false;
	nng_ctx_recv(guest->ctx, guest->aio);
}

static void
reply(struct guest *guest, nng_msg *message)
{
	if (atomic_load(&guest->front->closing)) {
		nng_msg_free(message);
		return;
	}
	if (message == NULL) {
		receive(guest); /* no memory: the peer's time runs out */
		return;
	}
	atomic_fetch_add(&guest->front->bytes_sent, nng_msg_len(message));
	nng_msg_header_clear(message); /* what routed it to us */
	guest->sending = true;
	nng_aio_set_msg(guest->aio, message);
	nng_ctx_send(guest->ctx, guest->aio);
}

static void
reply_error(struct guest *guest, tide_err code, const char *text)
{
	struct wire_message message = {
	    .type = WIRE_ERROR, .error = {.code = code, .message = bytes_of_string(text)}};

	reply(guest, client_message(&message));
}

/* A large payload is worth compressing. The message itself where it is not, or cannot be. */
static nng_msg *
compressed(nng_msg *answer)
{
	struct buf packed = {0};
	nng_msg *made = NULL;

	if (link_message_compress(bytes_of(nng_msg_body(answer), nng_msg_len(answer)), &packed) &&
	    nng_msg_alloc(&made, 0) == 0 && nng_msg_append(made, packed.at, packed.n) != 0) {
		nng_msg_free(made);
		made = NULL;
	}
	buf_fini(&packed);
	if (made == NULL)
		return answer;
	nng_msg_free(answer);
	return made;
}

/* The API process has answered, or not. */
static void
answered(struct call *call)
{
	struct guest *guest = call->arg;
	struct front *front = guest->front;
	nng_msg *answer = call->answer;

	call->answer = NULL;
	if (answer != NULL) {
		atomic_fetch_add(&front->bytes_plain, nng_msg_len(answer));
		reply(guest, compressed(answer));
	} else
		reply_error(guest, TIDE_UNAVAILABLE, "the region's API process does not answer");
	call_release(call);
	atomic_fetch_sub(&front->passed_on, 1);
}

static void
pass_on(struct guest *guest, struct bytes body)
{
	struct front *front = guest->front;
	nng_msg *copy = NULL;
	tide_err rc;

	if (!client_connected(front->local)) {
		reply_error(guest, TIDE_UNAVAILABLE, "the region's API process is not there");
		return;
	}
	if (nng_msg_alloc(&copy, 0) != 0 || nng_msg_append(copy, body.at, body.n) != 0) {
		nng_msg_free(copy);
		copy = NULL;
	}
	atomic_fetch_add(&front->passed_on, 1);
	if ((rc = client_ask(front->local, copy, LOCAL_MS, 0, answered, guest)) != TIDE_OK) {
		atomic_fetch_sub(&front->passed_on, 1);
		reply_error(guest, TIDE_UNAVAILABLE, tide_err_text(rc));
	}
}

static void
take(struct guest *guest, nng_msg *request)
{
	struct bytes body = bytes_of(nng_msg_body(request), nng_msg_len(request));
	struct wire_message message;
	struct tide_error error;
	struct arena arena;

	atomic_fetch_add(&guest->front->requests, 1);
	arena_init(&arena, WIRE_ARENA_MAX);
	if (wire_decode(&arena, body, &message, &error) != TIDE_OK)
		reply_error(guest, error.code, error.message);
	else if (!link_message_for_peers(message.type))
		reply_error(guest, TIDE_USAGE, "no request for another region's replicator");
	else
		pass_on(guest, body);
	arena_fini(&arena);
	nng_msg_free(request);
}

static void
guest_cb(void *arg)
{
	struct guest *guest = arg;
	int failed = nng_aio_result(guest->aio);

	if (guest->sending) {
		if (failed != 0)
			nng_msg_free(nng_aio_get_msg(guest->aio)); /* the peer is gone */
		if (failed != NNG_ECLOSED)
			receive(guest);
		return;
	}
	if (failed == NNG_ECLOSED || failed == NNG_ECANCELED)
		return;
	if (failed != 0)
		receive(guest);
	else if (atomic_load(&guest->front->closing))
		nng_msg_free(nng_aio_get_msg(guest->aio));
	else
		take(guest, nng_aio_get_msg(guest->aio));
}

static int
listen_at(struct front *front, const char *address)
{
	nng_listener listener;
	int failed = nng_listener_create(&listener, front->socket, address);

	if (failed != 0)
		return failed;
	/* Only TCP knows these. */
	nng_listener_set_bool(listener, NNG_OPT_TCP_NODELAY, true);
	nng_listener_set_bool(listener, NNG_OPT_TCP_KEEPALIVE, true);
	return nng_listener_start(listener, 0);
}

tide_err
front_open(const char *address, struct client *local, struct front **out, struct tide_error *error)
{
	struct front *front = calloc(1, sizeof *front);
	int failed;

	if (front == NULL || (front->guests = calloc(GUESTS, sizeof *front->guests)) == NULL ||
	    nng_rep0_open(&front->socket) != 0) {
		if (front != NULL)
			free(front->guests);
		free(front);
		return tide_fail(error, TIDE_NOMEM, NULL);
	}
	front->local = local;
	nng_socket_set_size(front->socket, NNG_OPT_RECVMAXSZ, WIRE_MESSAGE_MAX);
	if ((failed = listen_at(front, address)) != 0) {
		front_close(front);
		return tide_fail(error, TIDE_IO, "replication.listen: cannot listen at %s: %s", address,
		    nng_strerror(failed));
	}
	for (; front->n_guests < GUESTS; front->n_guests++) {
		struct guest *guest = &front->guests[front->n_guests];

		guest->front = front;
		if (nng_aio_alloc(&guest->aio, guest_cb, guest) != 0)
			break;
		if (nng_ctx_open(&guest->ctx, front->socket) != 0) {
			nng_aio_free(guest->aio);
			break;
		}
		receive(guest);
	}
	if (front->n_guests < GUESTS) {
		front_close(front);
		return tide_fail(error, TIDE_NOMEM, NULL);
	}
	*out = front;
	return TIDE_OK;
}

void
front_close(struct front *front)
{
	struct timespec pause = {.tv_nsec = 1000000};

	if (front == NULL)
		return;
	atomic_store(&front->closing, true);
	for (uint32_t i = 0; i < front->n_guests; i++)
		nng_aio_stop(front->guests[i].aio); /* from here on nothing is passed on */
	while (atomic_load(&front->passed_on) > 0)
		nanosleep(&pause, NULL);
	/* Only now: nng 1.5 panics when a context sends while its socket is being closed. */
	nng_close(front->socket);
	for (uint32_t i = 0; i < front->n_guests; i++)
		nng_aio_free(front->guests[i].aio);
	free(front->guests);
	free(front);
}

struct front_counters
front_counters(struct front *front)
{
	return (struct front_counters){
	    atomic_load(&front->requests), atomic_load(&front->bytes_plain), atomic_load(&front->bytes_sent)};
}
