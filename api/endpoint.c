#include <assert.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/transport/ipc/ipc.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "api/endpoint_priv.h"
#include "api/membership.h"
#include "base/log.h"

#define TICK_MS 20

uint64_t
endpoint__now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- queues --- */

void
queue_put(struct answer_queue *queue, struct answer *answer)
{
	if (queue->first == NULL)
		queue->last = &queue->first;
	answer->next = NULL;
	*queue->last = answer;
	queue->last = &answer->next;
}

void
queue_put_back(struct answer_queue *queue, struct answer *answer)
{
	if (queue->first == NULL)
		queue->last = &answer->next;
	answer->next = queue->first;
	queue->first = answer;
}

struct answer *
queue_take(struct answer_queue *queue)
{
	struct answer *answer = queue->first;

	if (answer != NULL)
		queue->first = answer->next;
	return answer;
}

/* --- answering --- */

static void
receive(struct answer *answer)
{
	answer->sending = false;
	nng_ctx_recv(answer->ctx, answer->aio);
}

static void
clear(struct answer *answer)
{
	nng_msg_free(answer->in);
	answer->in = NULL;
	if (answer->arena.used > 65536)
		arena_fini(&answer->arena);
	else
		arena_reset(&answer->arena);
}

void
answer_send(struct answer *answer, const struct wire_message *message)
{
	struct buf out = {0};
	nng_msg *reply = NULL;

	if (wire_encode(message, &out) == TIDE_OK && nng_msg_alloc(&reply, 0) == 0 &&
	    nng_msg_append(reply, out.at, out.n) != 0) {
		nng_msg_free(reply);
		reply = NULL;
	}
	buf_fini(&out);
	clear(answer);
	if (reply == NULL) {
		/* No memory for an answer: the asker's time runs out, and this one is free for others. */
		log_err("ENDPOINT-MEMORY", "answer=%s", wire_type_name(message->type));
		receive(answer);
		return;
	}
	answer->sending = true;
	nng_aio_set_msg(answer->aio, reply);
	nng_ctx_send(answer->ctx, answer->aio);
}

void
answer_done(struct answer *answer)
{
	answer_send(answer, &(struct wire_message){.type = WIRE_DONE});
}

void
answer_error(struct answer *answer, tide_err code, uint64_t table, const char *text)
{
	struct wire_message message = {.type = WIRE_ERROR,
	    .error = {.code = code,
		.table = table,
		.message = bytes_of_string(text != NULL ? text : tide_err_text(code))}};

	answer_send(answer, &message);
}

void
answer_error_all(struct answer_queue *queue, tide_err code, const char *text)
{
	struct answer *answer;

	while ((answer = queue_take(queue)) != NULL)
		answer_error(answer, code, 0, text);
}

/* --- requests --- */

static void
to_workers(struct answer *answer)
{
	struct endpoint *endpoint = answer->endpoint;

	pthread_mutex_lock(&endpoint->lock);
	queue_put(&endpoint->jobs, answer);
	pthread_cond_signal(&endpoint->work);
	pthread_mutex_unlock(&endpoint->lock);
}

static void
leave_granted(struct answer *answer)
{
	const struct wire_leave_granted *granted = &answer->message.leave_granted;

	membership_leave_granted(answer->endpoint->region, granted->from, granted->table, granted->number);
	answer_done(answer);
}

static void
dispatch(struct answer *answer)
{
	switch (answer->message.type) {
	case WIRE_SHIP_NEXT:
		ship__next(answer);
		break;
	case WIRE_SHIP_CLOSE:
		ship__close(answer);
		break;
	case WIRE_APPLY:
		apply__take(answer);
		break;
	case WIRE_LOAD:
		apply__load(answer);
		break;
	case WIRE_BOOT:
		apply__boot(answer);
		break;
	case WIRE_LINKS:
		status__links(answer);
		break;
	case WIRE_LEAVE_GRANTED:
		leave_granted(answer);
		break;
	case WIRE_HELLO:
	case WIRE_SHIP_OPEN:
	case WIRE_SNAP_READ:
	case WIRE_LEAVE_ASK:
	case WIRE_STATE_ASK:
	case WIRE_MEMBER:
	case WIRE_MEMBER_LOST:
	case WIRE_STATUS_ASK:
		to_workers(answer);
		break;
	default:
		answer_error(answer, TIDE_USAGE, 0, "that is an answer, not a request");
	}
}

static void
do_job(struct answer *answer)
{
	switch (answer->message.type) {
	case WIRE_HELLO:
		state__hello(answer);
		break;
	case WIRE_SHIP_OPEN:
		ship__open(answer);
		break;
	case WIRE_SNAP_READ:
		snap__read(answer);
		break;
	case WIRE_LEAVE_ASK:
		state__leave(answer);
		break;
	case WIRE_STATE_ASK:
		state__ask(answer);
		break;
	case WIRE_MEMBER:
		state__member(answer);
		break;
	case WIRE_MEMBER_LOST:
		state__lost(answer);
		break;
	default:
		assert(answer->message.type == WIRE_STATUS_ASK);
		status__ask(answer);
	}
}

/* nng's threads. An answer is either receiving, sending, or somewhere in our hands. */
static void
answer_cb(void *arg)
{
	struct answer *answer = arg;
	struct tide_error error;
	int failed = nng_aio_result(answer->aio);

	if (answer->sending) {
		if (failed != 0)
			nng_msg_free(nng_aio_get_msg(answer->aio)); /* whoever asked is gone */
		if (failed != NNG_ECLOSED)
			receive(answer);
		return;
	}
	if (failed == NNG_ECLOSED || failed == NNG_ECANCELED || atomic_load(&answer->endpoint->stopping)) {
		if (failed == 0)
			nng_msg_free(nng_aio_get_msg(answer->aio));
		return;
	}
	if (failed != 0) {
		receive(answer);
		return;
	}
	answer->in = nng_aio_get_msg(answer->aio);
	if (wire_decode(&answer->arena, bytes_of(nng_msg_body(answer->in), nng_msg_len(answer->in)),
		&answer->message, &error) != TIDE_OK)
		answer_error(answer, error.code, 0, error.message);
	else
		dispatch(answer);
}

/* --- threads --- */

static struct session *
take_ready(struct endpoint *endpoint)
{
	struct session *session = endpoint->ready;

	if (session == NULL)
		return NULL;
	endpoint->ready = session->next_ready;
	session->queued = false;
	session->busy = true;
	return session;
}

static void *
worker(void *arg)
{
	struct endpoint *endpoint = arg;
	struct session *session;
	struct answer *job;

	pthread_mutex_lock(&endpoint->lock);
	while (!atomic_load(&endpoint->stopping)) {
		if ((session = take_ready(endpoint)) != NULL) {
			pthread_mutex_unlock(&endpoint->lock);
			ship__serve(endpoint, session);
			pthread_mutex_lock(&endpoint->lock);
		} else if (endpoint->n_jobs < JOB_WORKERS && (job = queue_take(&endpoint->jobs)) != NULL) {
			endpoint->n_jobs++;
			pthread_mutex_unlock(&endpoint->lock);
			do_job(job);
			pthread_mutex_lock(&endpoint->lock);
			endpoint->n_jobs--;
		} else {
			pthread_cond_wait(&endpoint->work, &endpoint->lock);
		}
	}
	pthread_mutex_unlock(&endpoint->lock);
	return NULL;
}

/* What happens because time passes: held requests, idle sessions and snapshots. */
static void *
ticker(void *arg)
{
	struct endpoint *endpoint = arg;

	while (!atomic_load(&endpoint->stopping)) {
		struct timespec until;
		uint64_t now = endpoint__now();

		ship__tick(endpoint, now);
		snap__tick(endpoint, now);
		state__tick(endpoint, now);
		apply__nudge(endpoint);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += TICK_MS * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
		pthread_mutex_lock(&endpoint->lock);
		if (!atomic_load(&endpoint->stopping))
			pthread_cond_timedwait(&endpoint->tick, &endpoint->lock, &until);
		pthread_mutex_unlock(&endpoint->lock);
	}
	return NULL;
}

static void
observe(void *arg, const struct unit *unit)
{
	struct endpoint *endpoint = arg;

	ship__observe(endpoint, unit);
	if (unit->note.at != NULL) {
		pthread_mutex_lock(&endpoint->lock);
		endpoint->state_dirty = true;
		pthread_mutex_unlock(&endpoint->lock);
	}
}

/* --- life --- */

tide_err
endpoint_open(struct region *region, struct endpoint **out, struct tide_error *error)
{
	struct endpoint *endpoint = calloc(1, sizeof *endpoint);
	pthread_condattr_t monotonic;
	struct timespec now;

	if (endpoint == NULL || (endpoint->answers = calloc(ANSWERS, sizeof *endpoint->answers)) == NULL) {
		free(endpoint);
		return tide_fail(error, TIDE_NOMEM, NULL);
	}
	endpoint->region = region;
	endpoint->ready_last = &endpoint->ready;
	pthread_mutex_init(&endpoint->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&endpoint->work, NULL);
	pthread_cond_init(&endpoint->tick, &monotonic);
	pthread_condattr_destroy(&monotonic);
	clock_gettime(CLOCK_REALTIME, &now);
	endpoint->last_id = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	shard_observe(region->shard, observe, endpoint);
	*out = endpoint;
	return TIDE_OK;
}

static tide_err
listen_at(struct endpoint *endpoint, const char *address, struct tide_error *error)
{
	nng_listener listener;
	int failed;

	if ((failed = nng_rep0_open(&endpoint->socket)) != 0)
		return tide_fail(error, TIDE_NOMEM, "endpoint: %s", nng_strerror(failed));
	endpoint->listening = true;
	nng_socket_set_size(endpoint->socket, NNG_OPT_RECVMAXSZ, WIRE_MESSAGE_MAX);
	if ((failed = nng_listener_create(&listener, endpoint->socket, address)) == 0) {
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
start_threads(struct endpoint *endpoint, struct tide_error *error)
{
	for (; endpoint->n_workers < WORKERS; endpoint->n_workers++)
		if (pthread_create(&endpoint->workers[endpoint->n_workers], NULL, worker, endpoint) != 0)
			return tide_fail(error, TIDE_NOMEM, "cannot start a thread");
	if (pthread_create(&endpoint->ticker, NULL, ticker, endpoint) != 0)
		return tide_fail(error, TIDE_NOMEM, "cannot start a thread");
	endpoint->ticking = true;
	return TIDE_OK;
}

tide_err
endpoint_start(struct endpoint *endpoint, struct tide_error *error)
{
	const char *address = endpoint->region->config.replication.endpoint;
	tide_err rc;

	if ((rc = listen_at(endpoint, address, error)) != TIDE_OK ||
	    (rc = start_threads(endpoint, error)) != TIDE_OK)
		return rc;
	for (; endpoint->n_answers < ANSWERS; endpoint->n_answers++) {
		struct answer *answer = &endpoint->answers[endpoint->n_answers];

		answer->endpoint = endpoint;
		arena_init(&answer->arena, WIRE_ARENA_MAX);
		if (nng_aio_alloc(&answer->aio, answer_cb, answer) != 0)
			return tide_fail(error, TIDE_NOMEM, NULL);
		if (nng_ctx_open(&answer->ctx, endpoint->socket) != 0) {
			nng_aio_free(answer->aio);
			answer->aio = NULL;
			return tide_fail(error, TIDE_NOMEM, NULL);
		}
		receive(answer);
	}
	log_info("ENDPOINT-READY", "address=%s", address);
	return TIDE_OK;
}

void
endpoint_stop(struct endpoint *endpoint)
{
	struct timespec pause = {.tv_nsec = 1000000};

	if (endpoint == NULL || atomic_exchange(&endpoint->stopping, true))
		return;
	pthread_mutex_lock(&endpoint->lock);
	pthread_cond_broadcast(&endpoint->work);
	pthread_cond_broadcast(&endpoint->tick);
	pthread_mutex_unlock(&endpoint->lock);
	for (uint32_t i = 0; i < endpoint->n_workers; i++)
		pthread_join(endpoint->workers[i], NULL);
	if (endpoint->ticking)
		pthread_join(endpoint->ticker, NULL);
	/* Its operations point into us: the committer is still running and will finish them. */
	while (atomic_load(&endpoint->under_way) > 0) {
		apply__nudge(endpoint); /* those that wait for something give up */
		nanosleep(&pause, NULL);
	}
	for (uint32_t i = 0; i < endpoint->n_answers; i++)
		nng_aio_stop(endpoint->answers[i].aio);
	/* Only now: nng 1.5 panics when a context sends while its socket is being closed. */
	if (endpoint->listening)
		nng_close(endpoint->socket);
}

void
endpoint_close(struct endpoint *endpoint)
{
	if (endpoint == NULL)
		return;
	endpoint_stop(endpoint);
	for (uint32_t i = 0; i < endpoint->n_answers; i++) {
		nng_aio_free(endpoint->answers[i].aio);
		nng_msg_free(endpoint->answers[i].in);
		arena_fini(&endpoint->answers[i].arena);
	}
	ship__stop(endpoint);
	snap__stop(endpoint);
	buf_fini(&endpoint->links);
	pthread_cond_destroy(&endpoint->work);
	pthread_cond_destroy(&endpoint->tick);
	pthread_mutex_destroy(&endpoint->lock);
	free(endpoint->answers);
	free(endpoint);
}
