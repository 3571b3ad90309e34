#include "replicator/front.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "replicator/link_message.h"
#include "replicator/stranger.h"
#include "replicator/wire_server.h"

#define REQUESTS_MAX 512 /* at a time; more wait in their connections */
#define CONNECTIONS_MAX 256 /* 31 peers, and those that are not */
#define LOCAL_MS 20000 /* for the API process to answer; it holds some for a second */

/* One request at a time: received, passed on, answered. */
struct guest {
	struct front *front;
	struct wire_request request;
	struct guest *next; /* unused */
};

struct front {
	const struct config *config;
	struct wire_server *server;
	struct wire_client *local;
	struct guest *guests, *unused;
	pthread_mutex_t lock; /* of `unused` */
	struct stranger_log strangers; /* the server's thread */
	atomic_uint passed_on; /* calls that the API process has */
	atomic_ullong requests, bytes_plain, bytes_sent;
};

static void
reply(struct front *front, struct wire_request request, struct wire_frame *frame)
{
	if (frame != NULL)
		atomic_fetch_add(&front->bytes_sent, frame->n);
	wire_server_answer(request, frame); /* no memory for one: the peer's time runs out */
}

static void
reply_error(struct front *front, struct wire_request request, tide_err code, const char *text)
{
	struct wire_message message = {
	    .type = WIRE_ERROR, .error = {.code = code, .message = bytes_of_string(text)}};

	reply(front, request, wire_frame_encode(&message));
}

/* A large payload is worth compressing. The message itself where it is not, or cannot be. */
static struct wire_frame *
compressed(struct wire_frame *answer)
{
	struct wire_frame *made = NULL;
	struct buf packed = {0};

	if (link_message_compress(wire_frame_bytes(answer), &packed))
		made = wire_frame_of(buf_bytes(&packed));
	buf_fini(&packed);
	if (made == NULL)
		return answer;
	free(answer);
	return made;
}

static struct guest *
take_guest(struct front *front)
{
	struct guest *guest;

	pthread_mutex_lock(&front->lock);
	if ((guest = front->unused) != NULL)
		front->unused = guest->next;
	pthread_mutex_unlock(&front->lock);
	return guest;
}

static void
give_back(struct guest *guest)
{
	struct front *front = guest->front;

	pthread_mutex_lock(&front->lock);
	guest->next = front->unused;
	front->unused = guest;
	pthread_mutex_unlock(&front->lock);
}

/* The API process has answered, or not. */
static void
answered(struct call *call)
{
	struct guest *guest = call->arg;
	struct front *front = guest->front;
	struct wire_request request = guest->request;
	struct wire_frame *answer = call->answer;

	call->answer = NULL;
	give_back(guest);
	if (answer != NULL) {
		atomic_fetch_add(&front->bytes_plain, answer->n);
		reply(front, request, compressed(answer));
	} else
		reply_error(front, request, TIDE_UNAVAILABLE, "the region's API process does not answer");
	call_release(call);
	atomic_fetch_sub(&front->passed_on, 1);
}

static void
pass_on(struct front *front, struct wire_request request, struct wire_frame *frame)
{
	struct guest *guest = NULL;
	tide_err rc;

	if (!wire_client_connected(front->local) || (guest = take_guest(front)) == NULL) {
		free(frame);
		reply_error(front, request, TIDE_UNAVAILABLE, "the region's API process is not there");
		return;
	}
	guest->request = request;
	atomic_fetch_add(&front->passed_on, 1);
	if ((rc = wire_client_ask(front->local, frame, LOCAL_MS, 0, answered, guest)) != TIDE_OK) {
		atomic_fetch_sub(&front->passed_on, 1);
		give_back(guest);
		reply_error(front, request, TIDE_UNAVAILABLE, tide_err_text(rc));
	}
}

/* Why a hello does not fit; NULL: it does. */
static const char *
misfit(const struct front *front, struct wire_request request, const struct wire_hello *hello)
{
	const struct config *config = front->config;
	const struct config_peer *peer = NULL;

	if (!bytes_is(hello->cluster, config->cluster))
		return "a region of another cluster";
	for (uint32_t i = 0; i < config->replication.n_peers; i++)
		if (config->replication.peers[i].number == hello->from)
			peer = &config->replication.peers[i];
	if (peer == NULL || !bytes_is(hello->name, peer->region))
		return "a region that is not one of our peers";
	if (hello->to != config->number)
		return "it takes us for another region";
	if (config->replication.tls.ca[0] != 0 && !wire_server_bears_name(request, peer->region))
		return "its certificate does not bear its region's name";
	return NULL;
}

/* Why its connection may not ask this; NULL: it may. */
static const char *
judge(const struct front *front, struct wire_request request, const struct wire_message *message)
{
	const char *why;

	if (!link_message_for_peers(message->type))
		return "no request for another region's replicator";
	if (message->type != WIRE_HELLO)
		return wire_server_admitted(request) ? NULL : "it asks before it has said hello";
	if ((why = misfit(front, request, &message->hello)) == NULL)
		wire_server_admit(request);
	return why;
}

static void
refuse(struct front *front, struct wire_request request, tide_err code, const char *why)
{
	wire_server_refuse(request, why);
	reply_error(front, request, code, why);
}

/* The server's thread. */
static void
on_request(void *arg, struct wire_request request, struct wire_frame *frame)
{
	struct front *front = arg;
	struct wire_message message;
	struct tide_error error;
	struct arena arena;
	const char *why = NULL;
	tide_err rc;

	atomic_fetch_add(&front->requests, 1);
	arena_init(&arena, WIRE_ARENA_MAX);
	rc = wire_decode(&arena, wire_frame_bytes(frame), &message, &error);
	if (rc == TIDE_OK)
		why = judge(front, request, &message);
	arena_fini(&arena);
	if (rc == TIDE_OK && why == NULL) {
		pass_on(front, request, frame);
		return;
	}
	free(frame);
	refuse(front, request, rc == TIDE_OK ? TIDE_FENCED : rc, rc == TIDE_OK ? why : error.message);
}

static void
on_stranger(void *arg, const char *from, const char *why)
{
	struct front *front = arg;

	stranger_log(&front->strangers, from, why);
}

tide_err
front_open(const struct config *config, struct wire_client *local, struct tls *tls, struct front **out,
    struct tide_error *error)
{
	struct front *front = calloc(1, sizeof *front);
	struct wire_server_options options = {.address = config->replication.listen,
	    .tls = tls,
	    .connections_max = CONNECTIONS_MAX,
	    .requests_max = REQUESTS_MAX,
	    .requests_each_max = REQUESTS_MAX,
	    .request = on_request,
	    .stranger = on_stranger,
	    .arg = front};
	struct tide_error why;
	tide_err rc;

	if (front == NULL || (front->guests = calloc(REQUESTS_MAX, sizeof *front->guests)) == NULL) {
		free(front);
		return tide_fail(error, TIDE_NOMEM, NULL);
	}
	front->config = config;
	front->local = local;
	pthread_mutex_init(&front->lock, NULL);
	for (uint32_t i = 0; i < REQUESTS_MAX; i++) {
		front->guests[i].front = front;
		give_back(&front->guests[i]);
	}
	if ((rc = wire_server_open(&options, &front->server, &why)) != TIDE_OK) {
		front_close(front);
		return tide_fail(error, rc, "replication.listen: cannot listen at %s", why.message);
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
	if (front->server != NULL)
		wire_server_stop(front->server); /* from here on nothing is passed on */
	while (atomic_load(&front->passed_on) > 0)
		nanosleep(&pause, NULL);
	wire_server_close(front->server);
	pthread_mutex_destroy(&front->lock);
	free(front->guests);
	free(front);
}

struct front_counters
front_counters(struct front *front)
{
	return (struct front_counters){
	    atomic_load(&front->requests), atomic_load(&front->bytes_plain), atomic_load(&front->bytes_sent)};
}
