/* A server and its clients over real sockets: requests and answers, bounds, ends, and those who go away in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "replicator/wire_client.h"
#include "replicator/wire_server.h"

#define REQUESTS_MAX 8
#define SECONDS 30

struct world {
	char address[64];
	struct wire_server *server;
	struct wire_client *client;
	pthread_mutex_t lock;
	pthread_cond_t news;
	/* --- under the lock --- */
	bool up, keep; /* keep: requests are not answered */
	unsigned ups, downs, refused, strangers, asked, most;
	struct wire_request kept[REQUESTS_MAX];
	unsigned n_kept, answered, failed;
	tide_err why;
	uint64_t sum;
};

static void
wait_until(struct world *w, bool (*true_now)(struct world *w))
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SECONDS;
	pthread_mutex_lock(&w->lock);
	while (!true_now(w))
		assert_int_equal(pthread_cond_timedwait(&w->news, &w->lock, &until), 0);
	pthread_mutex_unlock(&w->lock);
}

static bool
is_up(struct world *w)
{
	return w->up;
}

static bool
has_come_back(struct world *w)
{
	return w->up && w->downs > 0;
}

static bool
all_kept(struct world *w)
{
	return w->n_kept == REQUESTS_MAX;
}

static bool
ten_over(struct world *w)
{
	return w->answered + w->failed == 10;
}

static bool
thousand_over(struct world *w)
{
	return w->answered + w->failed == 1000;
}

static void
on_connected(void *arg, bool up)
{
	struct world *w = arg;

	pthread_mutex_lock(&w->lock);
	w->up = up;
	*(up ? &w->ups : &w->downs) += 1;
	pthread_cond_broadcast(&w->news);
	pthread_mutex_unlock(&w->lock);
}

static void
on_stranger(void *arg, const char *from, const char *why)
{
	struct world *w = arg;

	(void)from;
	(void)why;
	pthread_mutex_lock(&w->lock);
	w->strangers++;
	pthread_cond_broadcast(&w->news);
	pthread_mutex_unlock(&w->lock);
}

/* Answers with what it was asked. */
static void
on_request(void *arg, struct wire_request request, struct wire_frame *frame)
{
	struct world *w = arg;
	bool keep;

	pthread_mutex_lock(&w->lock);
	w->asked++;
	if ((keep = w->keep)) {
		assert_true(w->n_kept < REQUESTS_MAX);
		w->kept[w->n_kept++] = request;
	}
	pthread_cond_broadcast(&w->news);
	pthread_mutex_unlock(&w->lock);
	if (keep)
		free(frame);
	else
		wire_server_answer(request, frame);
}

static void
on_done(struct call *call)
{
	struct world *w = call->arg;

	pthread_mutex_lock(&w->lock);
	if (call->answer != NULL) {
		w->answered++;
		assert_int_equal(call->answer->n, call->ticket);
		for (size_t i = 0; i < call->answer->n; i++)
			assert_int_equal(call->answer->at[i], (uint8_t)(i * 7 + call->ticket));
	} else {
		w->failed++;
		w->why = call->failed;
	}
	pthread_cond_broadcast(&w->news);
	pthread_mutex_unlock(&w->lock);
	call_release(call);
}

static tide_err
ask(struct world *w, size_t n, uint32_t ms)
{
	struct wire_frame *frame = wire_frame_new(n);

	assert_non_null(frame);
	for (size_t i = 0; i < n; i++)
		frame->at[i] = (uint8_t)(i * 7 + n);
	return wire_client_ask(w->client, frame, ms, n, on_done, w);
}

static void
open_server(struct world *w)
{
	struct wire_server_options options = {.address = w->address,
	    .trusting = true,
	    .connections_max = 16,
	    .requests_max = REQUESTS_MAX,
	    .requests_each_max = REQUESTS_MAX,
	    .request = on_request,
	    .stranger = on_stranger,
	    .arg = w};
	struct tide_error error;

	if (wire_server_open(&options, &w->server, &error) != TIDE_OK)
		fail_msg("%s", error.message);
}

static int
setup(void **state)
{
	struct wire_client_options options = {.calls_max = 1100, .connected = on_connected};
	struct world *w = calloc(1, sizeof *w);
	struct tide_error error;

	assert_non_null(w);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->news, NULL);
	snprintf(w->address, sizeof w->address, "ipc:///tmp/test_server_%ld.sock", (long)getpid());
	open_server(w);
	options.address = w->address;
	options.arg = w;
	assert_int_equal(wire_client_open(&options, &w->client, &error), TIDE_OK);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	wire_client_close(w->client);
	wire_server_close(w->server);
	assert_int_not_equal(access(w->address + 6, F_OK), 0); /* the socket's file is gone */
	pthread_cond_destroy(&w->news);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return 0;
}

static void
every_request_gets_its_own_answer(void **state)
{
	struct world *w = *state;

	wait_until(w, is_up);
	/* Many more at a time than the server takes, from nothing to large. */
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(ask(w, i % 100 == 99 ? 300000 + i : i, 60000), TIDE_OK);
	wait_until(w, thousand_over);
	assert_int_equal(w->answered, 1000);
}

static void
only_this_user_may_open_the_socket(void **state)
{
	struct world *w = *state;
	struct stat status;

	assert_int_equal(stat(w->address + 6, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
}

static void
requests_beyond_the_bound_wait_for_answers(void **state)
{
	struct world *w = *state;

	wait_until(w, is_up);
	w->keep = true;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(ask(w, 100 + i, 60000), TIDE_OK);
	wait_until(w, all_kept); /* on_request asserts that no more come */
	pthread_mutex_lock(&w->lock);
	w->keep = false;
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < REQUESTS_MAX; i++) {
		struct wire_frame *frame = wire_frame_new(100 + i);

		assert_non_null(frame);
		for (size_t j = 0; j < frame->n; j++)
			frame->at[j] = (uint8_t)(j * 7 + frame->n);
		wire_server_answer(w->kept[i], frame);
	}
	wait_until(w, ten_over);
	assert_int_equal(w->answered, 10);
}

static void
a_request_that_is_not_answered_times_out(void **state)
{
	struct world *w = *state;

	wait_until(w, is_up);
	w->keep = true;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(ask(w, i, 20), TIDE_OK);
	wait_until(w, ten_over);
	assert_int_equal(w->failed, 10);
	assert_int_equal(w->why, TIDE_AGAIN);
	wait_until(w, all_kept);
	pthread_mutex_lock(&w->lock);
	w->keep = false;
	pthread_mutex_unlock(&w->lock);
	/* Answers that come too late are nobody's. */
	for (unsigned i = 0; i < REQUESTS_MAX; i++)
		wire_server_answer(w->kept[i], wire_frame_new(3));
	assert_int_equal(w->answered, 0);
}

static void
requests_fail_with_their_connection_and_the_next_one_comes(void **state)
{
	struct world *w = *state;

	wait_until(w, is_up);
	w->keep = true;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(ask(w, i, 60000), TIDE_OK);
	wait_until(w, all_kept);
	wire_server_stop(w->server);
	wait_until(w, ten_over);
	assert_int_equal(w->failed, 10);
	assert_int_equal(w->why, TIDE_UNAVAILABLE);
	/* Requests outlive their server. */
	wire_server_close(w->server);
	for (unsigned i = 0; i < REQUESTS_MAX; i++)
		wire_server_answer(w->kept[i], wire_frame_new(9));
	w->keep = false;
	open_server(w);
	wait_until(w, has_come_back);
	w->answered = w->failed = 0;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(ask(w, i, 60000), TIDE_OK);
	wait_until(w, ten_over);
	assert_int_equal(w->answered, 10);
}

/* What made nng's listener deaf for good. */
static void
those_who_go_away_at_once_do_no_harm(void **state)
{
	struct world *w = *state;
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	wait_until(w, is_up);
	strcpy(at.sun_path, w->address + 6);
	for (unsigned i = 0; i < 3000; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		assert_true(fd >= 0);
		if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0 && i % 3 != 0)
			(void)!send(fd, "\0SP\0\0\x30\0\0", i % 9, MSG_NOSIGNAL);
		close(fd);
	}
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(ask(w, i, 60000), TIDE_OK);
	wait_until(w, ten_over);
	assert_int_equal(w->answered, 10);
	/* A new connection is accepted, too. */
	wire_client_close(w->client);
	w->up = false;
	w->client = NULL;
	{
		struct wire_client_options options = {
		    .address = w->address, .calls_max = 10, .connected = on_connected, .arg = w};
		struct tide_error error;

		assert_int_equal(wire_client_open(&options, &w->client, &error), TIDE_OK);
	}
	wait_until(w, is_up);
}

static void
after_its_stop_a_client_fails_at_once(void **state)
{
	struct world *w = *state;

	wait_until(w, is_up);
	w->keep = true;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(ask(w, i, 60000), TIDE_OK);
	wire_client_stop(w->client);
	assert_int_equal(w->failed, 10);
	assert_int_equal(ask(w, 1, 60000), TIDE_CLOSED);
	wire_server_stop(w->server);
	for (unsigned i = 0; i < w->n_kept; i++)
		wire_server_answer(w->kept[i], NULL);
}

static void
addresses_that_cannot_be_are_refused(void **state)
{
	static const char *const wrong[] = {
	    "", "tcp://", "tcp://host", "udp://h:1", "ipc://", "tls+tcp://127.0.0.1:1"};
	struct wire_server_options options = {
	    .connections_max = 1, .requests_max = 1, .requests_each_max = 1};
	struct wire_server *server;
	struct tide_error error;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		options.address = wrong[i];
		assert_int_equal(wire_server_open(&options, &server, &error), TIDE_USAGE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(every_request_gets_its_own_answer, setup, teardown),
	    cmocka_unit_test_setup_teardown(only_this_user_may_open_the_socket, setup, teardown),
	    cmocka_unit_test_setup_teardown(requests_beyond_the_bound_wait_for_answers, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_request_that_is_not_answered_times_out, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		requests_fail_with_their_connection_and_the_next_one_comes, setup, teardown),
	    cmocka_unit_test_setup_teardown(those_who_go_away_at_once_do_no_harm, setup, teardown),
	    cmocka_unit_test_setup_teardown(after_its_stop_a_client_fails_at_once, setup, teardown),
	    cmocka_unit_test(addresses_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
