/*
 * What travels is nng's: its REQ0 sockets can ask our server, and our client its REP0 sockets, over TCP and Unix sockets. So tools that
 * speak nng can talk to a region, and the transport can be exchanged for nng's again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "replicator/wire_client.h"
#include "replicator/wire_server.h"

#define ROUNDS 200
#define DEADLINE_MS 20000
#define BODY_MAX 200000

static const char *const schemes[] = {"tcp", "ipc"};

static int
free_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
		    getsockname(fd, (struct sockaddr *)&at, &length) == 0);
	close(fd);
	return ntohs(at.sin_port);
}

static void
make_address(const char *scheme, char *out, size_t room)
{
	if (strcmp(scheme, "ipc") == 0)
		snprintf(out, room, "ipc:///tmp/tidemark-test-nng-%d.sock", (int)getpid());
	else
		snprintf(out, room, "tcp://127.0.0.1:%d", free_port());
}

/* The size of the n-th request: from nothing to more than one read. */
static size_t
size_of(int n)
{
	return (size_t)n * (size_t)n * 7 % BODY_MAX;
}

/* The answer to a request: the same bytes, each one more. */
static void
turn(uint8_t *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		at[i]++;
}

static void
assert_turned(const uint8_t *at, size_t n, int round)
{
	assert_int_equal(n, size_of(round));
	for (size_t i = 0; i < n; i++)
		assert_int_equal(at[i], (uint8_t)(round + 1));
}

/* --- nng asks us --- */

static void
on_request(void *arg, struct wire_request request, struct wire_frame *frame)
{
	(void)arg;
	turn(frame->at, frame->n);
	wire_server_answer(request, frame);
}

static void
nng_asks(const char *address)
{
	struct wire_server_options options = {.address = address,
	    .trusting = true,
	    .connections_max = 4,
	    .requests_max = 16,
	    .requests_each_max = 16,
	    .request = on_request};
	struct wire_server *server;
	struct tide_error error;
	nng_socket socket;
	nng_msg *message;

	if (wire_server_open(&options, &server, &error) != TIDE_OK)
		fail_msg("%s", error.message);
	assert_int_equal(nng_req0_open(&socket), 0);
	nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, DEADLINE_MS);
	nng_socket_set_ms(socket, NNG_OPT_SENDTIMEO, DEADLINE_MS);
	assert_int_equal(nng_dial(socket, address, NULL, 0), 0);
	for (int i = 0; i < ROUNDS; i++) {
		assert_int_equal(nng_msg_alloc(&message, size_of(i)), 0);
		memset(nng_msg_body(message), i, nng_msg_len(message));
		assert_int_equal(nng_sendmsg(socket, message, 0), 0);
		assert_int_equal(nng_recvmsg(socket, &message, 0), 0);
		assert_turned(nng_msg_body(message), nng_msg_len(message), i);
		nng_msg_free(message);
	}
	nng_close(socket);
	wire_server_close(server);
}

/* --- we ask nng --- */

static void *
nng_answers(void *arg)
{
	nng_socket *socket = arg;
	nng_msg *message;

	while (nng_recvmsg(*socket, &message, 0) == 0) {
		turn(nng_msg_body(message), nng_msg_len(message));
		if (nng_sendmsg(*socket, message, 0) != 0)
			nng_msg_free(message);
	}
	return NULL;
}

struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool up;
	struct call *done;
};

static void
on_connected(void *arg, bool up)
{
	struct waiting *waiting = arg;

	pthread_mutex_lock(&waiting->lock);
	waiting->up = up;
	pthread_cond_signal(&waiting->changed);
	pthread_mutex_unlock(&waiting->lock);
}

static void
on_done(struct call *call)
{
	struct waiting *waiting = call->arg;

	pthread_mutex_lock(&waiting->lock);
	waiting->done = call;
	pthread_cond_signal(&waiting->changed);
	pthread_mutex_unlock(&waiting->lock);
}

static void
await(struct waiting *waiting, bool for_answer)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DEADLINE_MS / 1000;
	pthread_mutex_lock(&waiting->lock);
	while (for_answer ? waiting->done == NULL : !waiting->up)
		assert_int_equal(pthread_cond_timedwait(&waiting->changed, &waiting->lock, &until), 0);
	pthread_mutex_unlock(&waiting->lock);
}

static void
we_ask(const char *address)
{
	struct waiting waiting = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	struct wire_client_options options = {
	    .address = address, .calls_max = 4, .connected = on_connected, .arg = &waiting};
	struct wire_client *client;
	struct tide_error error;
	nng_socket socket;
	pthread_t thread;

	assert_int_equal(nng_rep0_open(&socket), 0);
	assert_int_equal(nng_listen(socket, address, NULL, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, nng_answers, &socket), 0);
	assert_int_equal(wire_client_open(&options, &client, &error), TIDE_OK);
	await(&waiting, false);
	for (int i = 0; i < ROUNDS; i++) {
		struct wire_frame *frame = wire_frame_new(size_of(i));

		assert_non_null(frame);
		memset(frame->at, i, frame->n);
		waiting.done = NULL;
		assert_int_equal(wire_client_ask(client, frame, DEADLINE_MS, 0, on_done, &waiting), TIDE_OK);
		await(&waiting, true);
		assert_int_equal(waiting.done->failed, TIDE_OK);
		assert_turned(waiting.done->answer->at, waiting.done->answer->n, i);
		call_release(waiting.done);
	}
	wire_client_close(client);
	nng_close(socket);
	pthread_join(thread, NULL);
}

static void
nng_can_ask_our_server_and_our_client_nng(void **state)
{
	char address[128];

	(void)state;
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		make_address(schemes[i], address, sizeof address);
		nng_asks(address);
		we_ask(address);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nng_can_ask_our_server_and_our_client_nng)};

	return cmocka_run_group_tests_name("nng", tests, NULL, NULL);
}
