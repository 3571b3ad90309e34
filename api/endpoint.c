#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "api/endpoint_priv.h"
#include "api/membership.h"
#include "base/log.h"

uint64_t
endpoint__now(const struct endpoint *endpoint)
{
	struct timespec now;

	if (endpoint->options.now_ms != NULL)
		return endpoint->options.now_ms(endpoint->options.now_arg);
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

void
answer_init(
    struct answer *answer, struct endpoint *endpoint, void (*reply)(struct answer *answer, struct bytes out))
{
	*answer = (struct answer){.endpoint = endpoint, .reply = reply};
	arena_init(&answer->arena, WIRE_ARENA_MAX);
}

void
answer_fini(struct answer *answer)
{
	arena_fini(&answer->arena);
}

static void
clear(struct answer *answer)
{
	if (answer->arena.used > 65536)
		arena_fini(&answer->arena);
	else
		arena_reset(&answer->arena);
}

void
answer_send(struct answer *answer, const struct wire_message *message)
{
	struct buf out = {0};
	tide_err rc = wire_encode(message, &out);

	if (rc != TIDE_OK) /* the asker's time runs out, and this one is free for others */
		log_err("ENDPOINT-MEMORY", "answer=%s", wire_type_name(message->type));
	clear(answer);
	answer->reply(answer, rc == TIDE_OK ? buf_bytes(&out) : BYTES_NONE);
	buf_fini(&out);
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
		load__piece(answer);
		break;
	case WIRE_BOOT:
		load__boot(answer);
		break;
	case WIRE_REJOIN:
		load__rejoin(answer);
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
	case WIRE_REINCARNATE:
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
		hello__came(answer);
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
		hello__member(answer);
		break;
	case WIRE_MEMBER_LOST:
		hello__lost(answer);
		break;
	case WIRE_REINCARNATE:
		hello__reincarnate(answer);
		break;
	default:
		assert(answer->message.type == WIRE_STATUS_ASK);
		status__ask(answer);
	}
}

void
endpoint_ask(struct answer *answer)
{
	struct tide_error error;

	if (wire_decode(&answer->arena, answer->in, &answer->message, &error) != TIDE_OK)
		answer_error(answer, error.code, 0, error.message);
	else
		dispatch(answer);
}

/* --- work --- */

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

bool
endpoint__work(struct endpoint *endpoint)
{
	struct session *session;
	struct answer *job;

	if ((session = take_ready(endpoint)) != NULL) {
		pthread_mutex_unlock(&endpoint->lock);
		ship__serve(endpoint, session);
		pthread_mutex_lock(&endpoint->lock);
		return true;
	}
	if (endpoint->n_jobs == JOB_WORKERS || (job = queue_take(&endpoint->jobs)) == NULL)
		return false;
	endpoint->n_jobs++;
	pthread_mutex_unlock(&endpoint->lock);
	do_job(job);
	pthread_mutex_lock(&endpoint->lock);
	endpoint->n_jobs--;
	return true;
}

bool
endpoint_work(struct endpoint *endpoint)
{
	bool did;

	pthread_mutex_lock(&endpoint->lock);
	did = endpoint__work(endpoint);
	pthread_mutex_unlock(&endpoint->lock);
	return did;
}

bool
endpoint_has_work(struct endpoint *endpoint)
{
	bool has;

	pthread_mutex_lock(&endpoint->lock);
	has = endpoint->ready != NULL || (endpoint->jobs.first != NULL && endpoint->n_jobs < JOB_WORKERS);
	pthread_mutex_unlock(&endpoint->lock);
	return has;
}

void
endpoint_tick(struct endpoint *endpoint)
{
	uint64_t now = endpoint__now(endpoint);

	ship__tick(endpoint, now);
	snap__tick(endpoint, now);
	state__tick(endpoint, now);
	apply__nudge(endpoint);
}

static uint64_t
sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t
endpoint_wake(struct endpoint *endpoint)
{
	uint64_t at;

	pthread_mutex_lock(&endpoint->lock);
	at = sooner(ship__wake(endpoint), sooner(snap__wake(endpoint), state__wake(endpoint)));
	pthread_mutex_unlock(&endpoint->lock);
	return atomic_load(&endpoint->n_pending) > 0 ? 0 : at;
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
endpoint_open(struct region *region, const struct endpoint_options *options, struct endpoint **out,
    struct tide_error *error)
{
	struct endpoint *endpoint = calloc(1, sizeof *endpoint);
	pthread_condattr_t monotonic;
	struct timespec now;

	if (endpoint == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	endpoint->region = region;
	if (options != NULL)
		endpoint->options = *options;
	endpoint->ready_last = &endpoint->ready;
	pthread_mutex_init(&endpoint->lock, NULL);
	pthread_cond_init(&endpoint->work, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&endpoint->tick, &monotonic);
	pthread_condattr_destroy(&monotonic);
	clock_gettime(CLOCK_REALTIME, &now);
	endpoint->last_id = endpoint->options.first_id != 0
				? endpoint->options.first_id
				: (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	shard_observe(region->shard, observe, endpoint);
	*out = endpoint;
	return TIDE_OK;
}

bool
endpoint_stop(struct endpoint *endpoint)
{
	atomic_store(&endpoint->stopping, true);
	/* Its operations point into us: the committer is still running and will finish them. */
	if (atomic_load(&endpoint->under_way) == 0)
		return true;
	apply__nudge(endpoint); /* those that wait for something give up */
	return false;
}

void
endpoint_close(struct endpoint *endpoint)
{
	if (endpoint == NULL)
		return;
	ship__stop(endpoint);
	snap__stop(endpoint);
	apply__stop(endpoint);
	buf_fini(&endpoint->links);
	pthread_cond_destroy(&endpoint->work);
	pthread_cond_destroy(&endpoint->tick);
	pthread_mutex_destroy(&endpoint->lock);
	free(endpoint);
}
