/* The server on real sockets: threads, bounds, timeouts, draining. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http/http.h"

#define WAIT_SECONDS 20
#define QUEUE_MAX 1024
#define BIG_BYTES (8u << 20)

/* Answers what "Later" left, on a thread of its own, as the committer does. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct request *at[QUEUE_MAX];
	uint32_t n;
	bool held, ending;
	pthread_t thread;
} later = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void
echo(struct request *request)
{
	const struct json *text = json_get(&request->body, "text");

	buf_append_string(&request->reply, "{\"text\":");
	json_write_string(&request->reply, text != NULL ? text->text : BYTES_LITERAL("?"));
	buf_append_byte(&request->reply, '}');
	request_ok(request);
}

static void *
answer_later(void *arg)
{
	struct request *request;

	(void)arg;
	pthread_mutex_lock(&later.lock);
	for (;;) {
		if (later.n > 0 && !later.held) {
			request = later.at[--later.n];
			pthread_mutex_unlock(&later.lock);
			echo(request);
			pthread_mutex_lock(&later.lock);
		} else if (later.ending) {
			break;
		} else {
			pthread_cond_wait(&later.changed, &later.lock);
		}
	}
	pthread_mutex_unlock(&later.lock);
	return NULL;
}

static void
handle_later(struct request *request)
{
	pthread_mutex_lock(&later.lock);
	assert_true(later.n < QUEUE_MAX);
	later.at[later.n++] = request;
	pthread_cond_broadcast(&later.changed);
	pthread_mutex_unlock(&later.lock);
}

static void
hold(bool held)
{
	pthread_mutex_lock(&later.lock);
	later.held = held;
	pthread_cond_broadcast(&later.changed);
	pthread_mutex_unlock(&later.lock);
}

/* Until so many requests wait for their answer. */
static void
await_held(uint32_t n)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_SECONDS;
	pthread_mutex_lock(&later.lock);
	while (later.n < n)
		assert_int_equal(pthread_cond_timedwait(&later.changed, &later.lock, &until), 0);
	pthread_mutex_unlock(&later.lock);
}

static void
handle_big(struct request *request)
{
	uint8_t *at = buf_reserve(&request->reply, BIG_BYTES);

	if (at != NULL) {
		memset(at, 'a', BIG_BYTES);
		request->reply.n = BIG_BYTES;
	}
	request_ok(request);
}

static const struct operation *
find(struct bytes name)
{
	static const struct operation operations[] = {
	    {"Echo", echo}, {"Later", handle_later}, {"Big", handle_big}};

	for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
		if (bytes_is(name, operations[i].name))
			return &operations[i];
	}
	return NULL;
}

/* --- the client --- */

static int
dial(uint16_t port)
{
	struct sockaddr_in to = {
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval wait = {WAIT_SECONDS, 0};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static void
say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void
ask(int fd, const char *operation, const char *text)
{
	char raw[1024];

	snprintf(raw, sizeof raw,
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Date: x\r\n"
	    "Authorization: AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c\r\n"
	    "X-Amz-Target: DynamoDB_20120810.%s\r\nContent-Length: %zu\r\n\r\n{\"text\":\"%s\"}",
	    operation, strlen(text) + 11, text);
	say(fd, raw);
}

/* One whole reply; its length, 0 when the server closed the connection instead. */
static size_t
hear(int fd, char *out, size_t room)
{
	size_t n = 0, want = SIZE_MAX;
	ssize_t got;

	while (n < want && n < room - 1) {
		/* Never into the reply behind it. */
		size_t most = want == SIZE_MAX ? (room - 1 - n < 1024 ? room - 1 - n : 1024) : want - n;

		got = recv(fd, out + n, most < room - 1 - n ? most : room - 1 - n, 0);
		if (got < 0 && errno == ECONNRESET)
			return 0;
		assert_true(got >= 0);
		if (got == 0)
			return 0;
		n += (size_t)got;
		out[n] = '\0';
		if (want == SIZE_MAX && strstr(out, "\r\n\r\n") != NULL &&
		    strstr(out, "Content-Length: ") != NULL)
			want = (size_t)(strstr(out, "\r\n\r\n") + 4 - out) +
			       strtoul(strstr(out, "Content-Length: ") + 16, NULL, 10);
	}
	return n;
}

static void
expect(int fd, const char *part)
{
	char out[4096];

	assert_true(hear(fd, out, sizeof out) > 0);
	if (strstr(out, part) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", part, out);
}

/* Whatever comes, the end of it must come too. */
static void
expect_end(int fd)
{
	char out[65536];
	ssize_t got;

	while ((got = recv(fd, out, sizeof out, 0)) > 0)
		;
	assert_true(got == 0 || errno == ECONNRESET);
}

/* --- fixture --- */

static int
setup(void **state)
{
	(void)state;
	later.n = 0;
	later.held = later.ending = false;
	return pthread_create(&later.thread, NULL, answer_later, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	pthread_mutex_lock(&later.lock);
	later.ending = true;
	later.held = false;
	pthread_cond_broadcast(&later.changed);
	pthread_mutex_unlock(&later.lock);
	return pthread_join(later.thread, NULL);
}

static struct http_server *
serve(struct http_options options)
{
	struct http_server *server;
	struct tide_error error;

	options.host = "127.0.0.1";
	options.find = find;
	if (http_server_start(&options, NULL, &server, &error) != TIDE_OK)
		fail_msg("%s", error.message);
	return server;
}

struct client {
	uint16_t port;
	int number;
	bool fine;
};

/* Not cmocka's assertions: they belong to the main thread. */
static void *
chat(void *arg)
{
	struct client *client = arg;
	int fds[8];

	client->fine = true;
	for (int i = 0; i < 8; i++)
		fds[i] = dial(client->port);
	for (int round = 0; round < 100; round++) {
		char text[32], out[2048], want[64];

		for (int i = 0; i < 8; i++) {
			snprintf(text, sizeof text, "%d-%d-%d", client->number, i, round);
			ask(fds[i], (round + i) % 3 == 0 ? "Echo" : "Later", text);
		}
		for (int i = 0; i < 8; i++) {
			snprintf(want, sizeof want, "{\"text\":\"%d-%d-%d\"}", client->number, i, round);
			if (hear(fds[i], out, sizeof out) == 0 || strstr(out, want) == NULL)
				client->fine = false;
		}
	}
	for (int i = 0; i < 8; i++)
		close(fds[i]);
	return NULL;
}

static void
every_client_gets_its_own_answers(void **state)
{
	struct http_server *server = serve((struct http_options){.threads = 3});
	struct http_counters counters;
	struct client clients[6];
	pthread_t threads[6];

	(void)state;
	for (int i = 0; i < 6; i++) {
		clients[i] = (struct client){http_server_port(server), i, false};
		assert_int_equal(pthread_create(&threads[i], NULL, chat, &clients[i]), 0);
	}
	for (int i = 0; i < 6; i++) {
		pthread_join(threads[i], NULL);
		assert_true(clients[i].fine);
	}
	counters = http_server_counters(server);
	assert_int_equal(counters.requests, 6 * 8 * 100);
	assert_int_equal(counters.accepted, 6 * 8);
	assert_true(counters.wakeups <= counters.requests);
	http_server_stop(server, 5000);
}

static void
a_port_in_use_is_named(void **state)
{
	struct http_server *server = serve((struct http_options){.threads = 2}), *second;
	struct http_options options = {
	    .host = "127.0.0.1", .port = http_server_port(server), .threads = 2, .find = find};
	struct tide_error error;
	char want[128];

	(void)state;
	assert_int_equal(http_server_start(&options, NULL, &second, &error), TIDE_USAGE);
	snprintf(want, sizeof want, "http.listen: cannot listen on 127.0.0.1 port %u: Address already in use",
	    (unsigned)options.port);
	assert_string_equal(error.message, want);
	options.host = "no such host";
	assert_int_equal(http_server_start(&options, NULL, &second, &error), TIDE_USAGE);
	http_server_stop(server, 5000);
}

static void *
stop_server(void *server)
{
	http_server_stop(server, 20000);
	return NULL;
}

static void
a_stop_lets_requests_under_way_finish(void **state)
{
	struct http_server *server = serve((struct http_options){.threads = 2});
	uint16_t port = http_server_port(server);
	int busy = dial(port), idle = dial(port);
	pthread_t stopper;

	(void)state;
	ask(idle, "Echo", "i");
	expect(idle, "\"i\"");
	hold(true);
	ask(busy, "Later", "b");
	await_held(1);
	assert_int_equal(pthread_create(&stopper, NULL, stop_server, server), 0);
	expect_end(idle);
	hold(false);
	expect(busy, "Connection: close\r\n");
	expect_end(busy);
	pthread_join(stopper, NULL);
	close(busy);
	close(idle);
}

static void
half_sent_requests_end_and_stall_nobody(void **state)
{
	struct http_server *server = serve((struct http_options){.header_seconds = 1, .body_seconds = 1});
	uint16_t port = http_server_port(server);
	int head = dial(port), body = dial(port), other = dial(port);

	(void)state;
	say(head, "POST / HTTP/1.1\r\nHo");
	say(body, "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n{");
	ask(other, "Later", "o");
	expect(other, "\"o\"");
	expect(head, "408 Request Timeout");
	expect(body, "408 Request Timeout");
	expect_end(head);
	expect_end(body);
	ask(other, "Echo", "p");
	expect(other, "\"p\"");
	close(head);
	close(body);
	close(other);
	http_server_stop(server, 5000);
}

static void
an_idle_connection_ends(void **state)
{
	struct http_server *server = serve((struct http_options){.idle_seconds = 1});
	int fd = dial(http_server_port(server));

	(void)state;
	expect_end(fd);
	close(fd);
	http_server_stop(server, 5000);
}

static void
a_client_that_does_not_read_ends_and_stalls_nobody(void **state)
{
	struct http_server *server = serve((struct http_options){.write_seconds = 1});
	uint16_t port = http_server_port(server);
	int deaf = dial(port), other = dial(port);
	struct http_counters counters;

	(void)state;
	for (int i = 0; i < 5; i++)
		ask(deaf, "Big", "");
	do {
		ask(other, "Echo", "o");
		expect(other, "\"o\"");
		counters = http_server_counters(server);
	} while (counters.connections == 2);
	assert_int_equal(counters.connections, 1);
	close(deaf);
	close(other);
	http_server_stop(server, 5000);
}

static void
a_large_reply_arrives_whole(void **state)
{
	struct http_server *server = serve((struct http_options){.threads = 1});
	int fd = dial(http_server_port(server));
	size_t room = BIG_BYTES + 4096;
	char *out = malloc(room);

	(void)state;
	assert_non_null(out);
	for (int i = 0; i < 3; i++) {
		ask(fd, "Big", "");
		ask(fd, "Echo", "behind");
		assert_in_range(hear(fd, out, room), BIG_BYTES, BIG_BYTES + 1000);
		expect(fd, "behind");
	}
	free(out);
	close(fd);
	http_server_stop(server, 5000);
}

static void
connections_over_the_bound_are_turned_away(void **state)
{
	struct http_server *server = serve((struct http_options){.connections_max = 2});
	uint16_t port = http_server_port(server);
	int one = dial(port), two = dial(port), three;

	(void)state;
	ask(one, "Echo", "1");
	expect(one, "\"1\"");
	ask(two, "Echo", "2");
	expect(two, "\"2\"");
	three = dial(port);
	expect(three, "503 Service Unavailable");
	expect_end(three);
	ask(one, "Echo", "1");
	expect(one, "\"1\"");
	assert_int_equal(http_server_counters(server).refused, 1);
	close(one);
	close(two);
	close(three);
	http_server_stop(server, 5000);
}

static void
accepting_goes_on_when_file_descriptors_were_short(void **state)
{
	struct http_server *server = serve((struct http_options){.threads = 1});
	uint16_t port = http_server_port(server);
	int known = dial(port), fd;
	struct rlimit normal, none;

	(void)state;
	ask(known, "Echo", "k");
	expect(known, "\"k\"");
	fd = dial(port);
	ask(fd, "Echo", "warm");
	expect(fd, "\"warm\"");
	close(fd);
	/* A socket of ours, but no descriptor for the server's end of it. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &normal), 0);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	none = normal;
	none.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(connect(fd,
			     (struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
			     sizeof(struct sockaddr_in)),
	    0);
	ask(fd, "Echo", "late");
	ask(known, "Echo", "still");
	expect(known, "\"still\"");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &normal), 0);
	expect(fd, "\"late\"");
	close(fd);
	close(known);
	http_server_stop(server, 5000);
}

static void
a_client_that_leaves_in_between_does_no_harm(void **state)
{
	struct http_server *server = serve((struct http_options){.threads = 1});
	uint16_t port = http_server_port(server);
	int other = dial(port);

	(void)state;
	hold(true);
	for (int i = 0; i < 20; i++) {
		int fd = dial(port);
		struct linger reset = {1, 0};

		ask(fd, "Later", "x");
		await_held((uint32_t)i + 1);
		if (i % 2 == 0)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		close(fd);
	}
	hold(false);
	ask(other, "Later", "o");
	expect(other, "\"o\"");
	close(other);
	http_server_stop(server, 5000);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(every_client_gets_its_own_answers),
	    TEST(a_port_in_use_is_named),
	    TEST(a_stop_lets_requests_under_way_finish),
	    TEST(half_sent_requests_end_and_stall_nobody),
	    TEST(an_idle_connection_ends),
	    TEST(a_client_that_does_not_read_ends_and_stalls_nobody),
	    TEST(a_large_reply_arrives_whole),
	    TEST(connections_over_the_bound_are_turned_away),
	    TEST(accepting_goes_on_when_file_descriptors_were_short),
	    TEST(a_client_that_leaves_in_between_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
