#include "replicator/ask.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "replicator/wire_client.h"

/* One question with a client of its own: what its thread tells us. */
struct asking {
	pthread_mutex_t lock;
	pthread_cond_t news;
	bool connected, over;
	struct call *call; /* once it is over */
	char why[160];
};

static void
on_connected(void *arg, bool up)
{
	struct asking *asking = arg;

	pthread_mutex_lock(&asking->lock);
	asking->connected = up;
	pthread_cond_signal(&asking->news);
	pthread_mutex_unlock(&asking->lock);
}

static void
on_refused(void *arg, const char *why)
{
	struct asking *asking = arg;

	pthread_mutex_lock(&asking->lock);
	snprintf(asking->why, sizeof asking->why, "%s", why);
	pthread_cond_signal(&asking->news);
	pthread_mutex_unlock(&asking->lock);
}

static void
on_done(struct call *call)
{
	struct asking *asking = call->arg;

	pthread_mutex_lock(&asking->lock);
	asking->call = call;
	asking->over = true;
	pthread_cond_signal(&asking->news);
	pthread_mutex_unlock(&asking->lock);
}

static struct timespec
after(uint32_t ms)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += ms / 1000;
	at.tv_nsec += (long)(ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}

/* The answer's bytes into `call`, which the client keeps. */
static tide_err
exchange(struct asking *asking, struct wire_client *client, const char *address, uint32_t ms_max,
    const struct wire_message *question, struct call **call, struct tide_error *error)
{
	struct timespec until = after(ms_max);
	tide_err rc = TIDE_OK;

	pthread_mutex_lock(&asking->lock);
	while (!asking->connected && asking->why[0] == 0 &&
	       pthread_cond_timedwait(&asking->news, &asking->lock, &until) == 0)
		;
	if (!asking->connected)
		rc = tide_fail(error, TIDE_UNAVAILABLE, "nobody answers at %s: %s", address,
		    asking->why[0] != 0 ? asking->why : "timed out");
	pthread_mutex_unlock(&asking->lock);
	if (rc != TIDE_OK)
		return rc;
	rc = wire_client_ask(client, wire_frame_encode(question), ms_max, 0, on_done, asking);
	if (rc != TIDE_OK)
		return tide_fail(error, rc, "no answer: %s", tide_err_text(rc));
	pthread_mutex_lock(&asking->lock);
	while (!asking->over)
		pthread_cond_wait(&asking->news, &asking->lock); /* at the latest its time runs out */
	*call = asking->call;
	pthread_mutex_unlock(&asking->lock);
	if ((*call)->answer == NULL)
		return tide_fail(error, TIDE_UNAVAILABLE, "no answer: %s",
		    (*call)->failed == TIDE_AGAIN ? "timed out" : "the connection is gone");
	return TIDE_OK;
}

/* `json` (may be NULL) gets what a STATUS carries. */
static tide_err
understand(struct bytes in, enum wire_type wanted, struct buf *json, struct tide_error *error)
{
	struct wire_message answer;
	struct arena arena;
	tide_err rc;

	arena_init(&arena, WIRE_ARENA_MAX);
	rc = wire_decode(&arena, in, &answer, error);
	if (rc == TIDE_OK && answer.type == WIRE_ERROR)
		rc = tide_fail(error, answer.error.code, "%.*s", (int)answer.error.message.n,
		    (const char *)answer.error.message.at);
	else if (rc == TIDE_OK && answer.type != wanted)
		rc = tide_fail(error, TIDE_CORRUPT, "%s came for an answer", wire_type_name(answer.type));
	if (rc == TIDE_OK && json != NULL) {
		buf_append(json, answer.status.json.at, answer.status.json.n);
		if ((rc = buf_check(json)) != TIDE_OK)
			tide_fail(error, rc, NULL);
	}
	arena_fini(&arena);
	return rc;
}

static tide_err
ask(const char *address, uint32_t ms_max, const struct wire_message *question, enum wire_type wanted,
    struct buf *json, struct tide_error *error)
{
	struct asking asking = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct wire_client_options options = {.address = address,
	    .calls_max = 1,
	    .connected = on_connected,
	    .refused = on_refused,
	    .arg = &asking};
	pthread_condattr_t monotonic;
	struct wire_client *client = NULL;
	struct call *call = NULL;
	tide_err rc;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&asking.news, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if ((rc = wire_client_open(&options, &client, error)) == TIDE_OK &&
	    (rc = exchange(&asking, client, address, ms_max, question, &call, error)) == TIDE_OK)
		rc = understand(wire_frame_bytes(call->answer), wanted, json, error);
	wire_client_close(client);
	pthread_cond_destroy(&asking.news);
	pthread_mutex_destroy(&asking.lock);
	return rc;
}

tide_err
status_ask(const char *address, uint32_t ms_max, struct buf *json, struct tide_error *error)
{
	const struct wire_message question = {.type = WIRE_STATUS_ASK};

	return ask(address, ms_max, &question, WIRE_STATUS, json, error);
}

tide_err
lost_tell(const char *address, uint32_t ms_max, const char *region, struct tide_error *error)
{
	const struct wire_message question = {
	    .type = WIRE_MEMBER_LOST, .member_lost = {.name = bytes_of_string(region)}};

	return ask(address, ms_max, &question, WIRE_DONE, NULL, error);
}

tide_err
rejoin_tell(const char *address, uint32_t ms_max, uint64_t table, struct tide_error *error)
{
	const struct wire_message question = {.type = WIRE_REJOIN, .rejoin = {.table = table}};

	return ask(address, ms_max, &question, WIRE_DONE, NULL, error);
}

tide_err
reincarnate_tell(const char *address, uint32_t ms_max, const char *region, struct tide_error *error)
{
	const struct wire_message question = {
	    .type = WIRE_REINCARNATE, .reincarnate = {.name = bytes_of_string(region)}};

	return ask(address, ms_max, &question, WIRE_DONE, NULL, error);
}
