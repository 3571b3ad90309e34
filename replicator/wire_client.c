#include "replicator/wire_client.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "replicator/wire_address.h"
#include "replicator/wire_channel.h"

#define RECONNECT_MS_MIN 50
#define RECONNECT_MS_MAX 1000
#define CONNECT_MS 10000 /* until the greeting is heard */
#define DIAL_MS                                                                                              \
	2000 /* to be heard by one address: TCP's own repeats wait longer each time, so a healed cut would go unnoticed */
#define STUCK_MS 60000 /* nothing can be sent for so long: the other end is gone */
#define UNHEARD_MS                                                                                           \
	15000 /* sent, and not acknowledged or not answered for so long: half-open, or out of step */
#define TICK_MS 100
#define STEPS_PER_TURN 256

struct wire_client {
	struct wire_client_options options;
	struct address address;
	struct channel channel; /* its lock guards all that is below, too */
	pthread_t thread;
	bool started;
	int wake;
	atomic_bool connected, stopping;
	struct call **calls; /* calls_max places, made as they are needed; a call's number names its place */
	struct call *unused;
	uint32_t n_calls, serial;
	/* --- the thread's --- */
	unsigned seed;
	char told[160]; /* why no connection comes about, as was told last */
	uint64_t expired_at; /* since the last answer a call's time has run out, first then; 0: none */
	uint64_t heard_bytes, heard_at; /* what had been read in all, and when that changed last */
};

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool
wire_client_connected(struct wire_client *client)
{
	return atomic_load(&client->connected);
}

uint64_t
wire_client_bytes_in(struct wire_client *client)
{
	return atomic_load(&client->channel.bytes_in);
}

static void
wake(struct wire_client *client)
{
	uint64_t one = 1;

	/* It can only fail because it is awake already. */
	if (write(client->wake, &one, sizeof one) < 0)
		assert(errno == EAGAIN);
}

/* Sleep, or until the socket is ready, or somebody wakes. */
static void
wait_for(struct wire_client *client, int fd, short events, int ms)
{
	struct pollfd on[2] = {{.fd = client->wake, .events = POLLIN}, {.fd = fd, .events = events}};
	uint64_t count;

	if (poll(on, fd < 0 ? 1 : 2, ms) > 0 && on[0].revents != 0 &&
	    read(client->wake, &count, sizeof count) < 0)
		assert(errno == EAGAIN);
}

/* --- calls --- */

/* The numbers of one place differ from use to use: an answer that comes too late finds nobody. */
static uint32_t
number_of(struct wire_client *client, uint32_t place)
{
	return CHANNEL_NUMBER_FIRST | (++client->serial << 16 & ~CHANNEL_NUMBER_FIRST) | place;
}

static struct call *
take_call(struct wire_client *client)
{
	struct call *call = client->unused;

	if (call != NULL) {
		client->unused = call->next;
		return call;
	}
	if ((call = calloc(1, sizeof *call)) == NULL)
		return NULL;
	call->client = client;
	call->number = client->n_calls;
	client->calls[client->n_calls++] = call;
	return call;
}

static tide_err
begin_call(struct wire_client *client, struct wire_frame *frame, struct call **out)
{
	bool first = client->channel.first == NULL;
	struct call *call;

	if (atomic_load(&client->stopping))
		return TIDE_CLOSED;
	if (!atomic_load(&client->connected) || !client->channel.open)
		return TIDE_UNAVAILABLE;
	if (client->unused == NULL && client->n_calls == client->options.calls_max)
		return TIDE_AGAIN;
	if (frame == NULL || (call = take_call(client)) == NULL)
		return TIDE_NOMEM;
	call->number = number_of(client, call->number & 0xffff);
	*out = call;
	if (!channel_put(&client->channel, call->number, frame)) {
		call->next = client->unused;
		client->unused = call;
		return TIDE_NOMEM;
	}
	/* Behind others it waits for its turn; what fails here is found by the client's thread. */
	if (first && !channel_flush(&client->channel, now_ms()))
		shutdown(client->channel.stream.fd, SHUT_RDWR);
	if (client->channel.first != NULL)
		wake(client);
	return TIDE_OK;
}

tide_err
wire_client_ask(struct wire_client *client, struct wire_frame *frame, uint32_t ms_max, uint64_t ticket,
    call_done_fn done, void *arg)
{
	struct call *call = NULL;
	tide_err rc;

	pthread_mutex_lock(&client->channel.lock);
	rc = begin_call(client, frame, &call);
	if (rc == TIDE_OK) {
		call->ticket = ticket;
		call->arg = arg;
		call->done = done;
		call->failed = TIDE_OK;
		call->until = now_ms() + ms_max;
		call->under_way = true;
	}
	pthread_mutex_unlock(&client->channel.lock);
	if (rc != TIDE_OK && call == NULL)
		free(frame);
	return rc;
}

void
call_release(struct call *call)
{
	struct wire_client *client = call->client;

	free(call->answer);
	call->answer = NULL;
	pthread_mutex_lock(&client->channel.lock);
	call->next = client->unused;
	client->unused = call;
	pthread_mutex_unlock(&client->channel.lock);
}

/* The calls whose time has run out by `now` are over. */
static void
expire(struct wire_client *client, uint64_t now, tide_err why)
{
	for (uint32_t i = 0;; i++) {
		struct call *call = NULL;

		pthread_mutex_lock(&client->channel.lock);
		for (; i < client->n_calls && call == NULL; i++)
			if (client->calls[i]->under_way && client->calls[i]->until <= now)
				call = client->calls[i];
		if (call != NULL)
			call->under_way = false;
		pthread_mutex_unlock(&client->channel.lock);
		if (call == NULL)
			return;
		i--;
		if (client->expired_at == 0)
			client->expired_at = now;
		call->failed = why;
		call->done(call);
	}
}

static void
answer(struct wire_client *client, uint32_t number, struct wire_frame *frame)
{
	uint32_t place = number & 0xffff;
	struct call *call = NULL;

	client->expired_at = 0;
	pthread_mutex_lock(&client->channel.lock);
	if (place < client->n_calls && client->calls[place]->number == number &&
	    client->calls[place]->under_way)
		call = client->calls[place];
	if (call != NULL)
		call->under_way = false;
	pthread_mutex_unlock(&client->channel.lock);
	if (call == NULL) {
		free(frame); /* nobody waits for it any more */
		return;
	}
	call->answer = frame;
	call->done(call);
}

/* --- connecting --- */

static void
tell(struct wire_client *client, const char *why)
{
	if (client->options.refused == NULL || strcmp(client->told, why) == 0)
		return;
	snprintf(client->told, sizeof client->told, "%s", why);
	client->options.refused(client->options.arg, client->told);
}

static void
tune(int fd)
{
	int on = 1, idle = 30, interval = 10, count = 3;
	unsigned unheard_ms = UNHEARD_MS;

	/* What cannot be set only makes it slower to send, or to notice that the other end is gone. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unheard_ms, sizeof unheard_ms);
}

/* A socket that is connected, or is connecting. -1: errno. */
static int
start_connecting(int family, const struct sockaddr *to, socklen_t n)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), failed;

	if (fd < 0)
		return -1;
	if (family != AF_UNIX)
		tune(fd);
	if (connect(fd, to, n) == 0 || errno == EINPROGRESS)
		return fd;
	failed = errno;
	close(fd);
	errno = failed;
	return -1;
}

/* Wait until it is connected. 0, or errno's number. */
static int
finish_connecting(struct wire_client *client, int fd, uint64_t until)
{
	socklen_t n = sizeof(int);
	int failed = 0;

	for (;;) {
		struct pollfd on = {.fd = fd, .events = POLLOUT};

		if (poll(&on, 1, 0) > 0)
			break;
		if (atomic_load(&client->stopping) || now_ms() >= until)
			return ETIMEDOUT;
		wait_for(client, fd, POLLOUT, TICK_MS);
	}
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &n) == 0 ? failed : errno;
}

/* A connected socket, by `last`; -1: `why`. */
static int
dial(struct wire_client *client, uint64_t last, char *why, size_t why_max)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	int fd = -1, failed;
	uint64_t until;

	if (client->address.ipc) {
		strcpy(local.sun_path, client->address.path);
		if ((fd = start_connecting(AF_UNIX, (struct sockaddr *)&local, sizeof local)) < 0)
			snprintf(why, why_max, "%s", strerror(errno));
		return fd;
	}
	if ((failed = getaddrinfo(client->address.host[0] != 0 ? client->address.host : NULL,
		 client->address.port, &hints, &found)) != 0) {
		snprintf(why, why_max, "%s", gai_strerror(failed));
		return -1;
	}
	for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
		if ((fd = start_connecting(at->ai_family, at->ai_addr, at->ai_addrlen)) < 0) {
			snprintf(why, why_max, "%s", strerror(errno));
			continue;
		}
		until = now_ms() + DIAL_MS;
		if ((failed = finish_connecting(client, fd, until < last ? until : last)) != 0) {
			snprintf(why, why_max, "%s", strerror(failed));
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(found);
	return fd;
}

/* --- a connection's life --- */

/* Read what there is; false: it is over. */
static bool
read_all(struct wire_client *client, char *why, size_t why_max)
{
	struct channel *channel = &client->channel;
	enum stream_result result = STREAM_DONE;
	struct wire_frame *frame;

	for (uint32_t i = 0; result == STREAM_DONE && (i < STEPS_PER_TURN || channel_has_more(channel));
	     i++) {
		result = channel_step(channel, WIRE_MESSAGE_MAX, &frame, why, why_max);
		if (frame != NULL)
			answer(client, channel->number, frame);
	}
	return result != STREAM_GONE;
}

/* Send what waits; what to wait for next; 0: it is over. */
static short
send_all(struct wire_client *client)
{
	struct channel *channel = &client->channel;
	uint64_t now = now_ms();
	short events = POLLIN;

	pthread_mutex_lock(&channel->lock);
	if (channel->state != CHANNEL_HANDS && !channel_flush(channel, now))
		events = 0;
	else if (channel->stuck_since != 0 && now > channel->stuck_since + STUCK_MS)
		events = 0;
	else if (channel_wants_write(channel))
		events |= POLLOUT;
	pthread_mutex_unlock(&channel->lock);
	return events;
}

/*
 * Calls go unanswered, and nothing comes: whatever the other end or the line has lost, a new connection finds it again. Where bytes do
 * come, they may be a large answer on a slow line, which is given more time.
 */
static bool
deaf(struct wire_client *client, uint64_t now)
{
	uint64_t bytes = wire_client_bytes_in(client);

	if (bytes != client->heard_bytes) {
		client->heard_bytes = bytes;
		client->heard_at = now;
	}
	if (client->expired_at == 0)
		return false;
	return now > client->expired_at + STUCK_MS ||
	       (now > client->expired_at + UNHEARD_MS && now > client->heard_at + UNHEARD_MS);
}

/* True: it was connected for a while. */
static bool
live(struct wire_client *client, uint64_t until, char *why, size_t why_max)
{
	struct channel *channel = &client->channel;
	uint64_t tick_at = 0, now;
	bool greeted = false;
	short events;

	client->expired_at = 0;
	while (!atomic_load(&client->stopping) && read_all(client, why, why_max) &&
	       (events = send_all(client)) != 0) {
		now = now_ms();
		if (!greeted && channel->state >= CHANNEL_HEAD) {
			greeted = true;
			client->told[0] = 0;
			atomic_store(&client->connected, true);
			client->options.connected(client->options.arg, true);
		} else if (!greeted && now >= until) {
			snprintf(why, why_max, "no greeting within %d s", CONNECT_MS / 1000);
			break;
		}
		if (now >= tick_at) {
			expire(client, now, TIDE_AGAIN);
			tick_at = now + TICK_MS;
			if (deaf(client, now))
				break;
		}
		wait_for(client, channel->stream.fd, events, TICK_MS);
	}
	return greeted;
}

/* One connection, from the first packet to its end. */
static bool
connect_once(struct wire_client *client)
{
	uint64_t until = now_ms() + CONNECT_MS;
	char why[160] = "";
	struct stream stream;
	bool was_connected;
	int fd = dial(client, until, why, sizeof why);

	if (fd < 0 || !stream_init(&stream, fd, client->options.tls, client->options.name)) {
		tell(client, fd < 0 ? why : "out of memory");
		return false;
	}
	pthread_mutex_lock(&client->channel.lock);
	channel_open(&client->channel, stream);
	pthread_mutex_unlock(&client->channel.lock);
	was_connected = live(client, until, why, sizeof why);
	pthread_mutex_lock(&client->channel.lock);
	atomic_store(&client->connected, false);
	channel_close(&client->channel);
	pthread_mutex_unlock(&client->channel.lock);
	if (was_connected)
		client->options.connected(client->options.arg, false);
	else if (!atomic_load(&client->stopping))
		tell(client, why[0] != 0 ? why : "the connection was closed before the greeting");
	expire(client, UINT64_MAX, TIDE_UNAVAILABLE);
	return was_connected;
}

static void *
run(void *arg)
{
	struct wire_client *client = arg;
	uint64_t pause = RECONNECT_MS_MIN;

	while (!atomic_load(&client->stopping)) {
		uint64_t until;

		if (connect_once(client))
			pause = RECONNECT_MS_MIN;
		/* Not all at the same moment, when a peer comes back. */
		until = now_ms() + pause / 2 + (uint64_t)rand_r(&client->seed) % pause;
		pause = pause * 2 < RECONNECT_MS_MAX ? pause * 2 : RECONNECT_MS_MAX;
		for (uint64_t now; !atomic_load(&client->stopping) && (now = now_ms()) < until;)
			wait_for(client, -1, 0, (int)(until - now));
	}
	expire(client, UINT64_MAX, TIDE_CLOSED);
	return NULL;
}

/* --- life --- */

tide_err
wire_client_open(
    const struct wire_client_options *options, struct wire_client **out, struct tide_error *error)
{
	struct wire_client *client = calloc(1, sizeof *client);
	tide_err rc;

	assert(options->calls_max <= WIRE_CALLS_MAX);
	if (client == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	client->options = *options;
	client->wake = -1;
	rc = address_read(options->address, &client->address, error);
	channel_init(&client->channel, client->address.ipc, CHANNEL_ASKS);
	if (!client->address.tls)
		client->options.tls = NULL;
	client->seed = (unsigned)now_ms() ^ (unsigned)getpid();
	if (rc == TIDE_OK && ((client->calls = calloc(options->calls_max, sizeof(struct call *))) == NULL ||
				 (client->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 ||
				 pthread_create(&client->thread, NULL, run, client) != 0))
		rc = tide_fail(error, TIDE_NOMEM, NULL);
	if (rc != TIDE_OK) {
		wire_client_close(client);
		return rc;
	}
	client->started = true;
	*out = client;
	return TIDE_OK;
}

void
wire_client_stop(struct wire_client *client)
{
	if (atomic_exchange(&client->stopping, true) || !client->started)
		return;
	wake(client);
	pthread_join(client->thread, NULL);
	/* One that was begun while the thread ended. */
	expire(client, UINT64_MAX, TIDE_CLOSED);
}

void
wire_client_close(struct wire_client *client)
{
	if (client == NULL)
		return;
	wire_client_stop(client);
	for (uint32_t i = 0; i < client->n_calls; i++) {
		free(client->calls[i]->answer);
		free(client->calls[i]);
	}
	free(client->calls);
	if (client->wake >= 0)
		close(client->wake);
	channel_fini(&client->channel);
	free(client);
}
