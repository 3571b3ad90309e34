#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "replicator/daemon_priv.h"

#define LOCAL_CALLS_MAX 2048
#define PEER_CALLS_MAX 512
#define REQUESTS_TOGETHER 384 /* for batches, over all peers */
#define LINKS_MS 500
#define WAITING_LOG_MS 10000
#define CERTIFICATE_S 3600
#define CERTIFICATE_WARN_S (14 * 86400)

uint64_t
daemon__now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t
daemon__now(void)
{
	return daemon__now_us() / 1000;
}

struct daemon_peer *
daemon__peer(struct daemon *daemon, uint8_t region)
{
	for (uint32_t i = 0; i < daemon->config.replication.n_peers; i++)
		if (daemon->peers[i].region == region)
			return &daemon->peers[i];
	return NULL;
}

/* --- the clients' threads --- */

void
daemon__call_done(struct call *call)
{
	struct daemon *daemon = call->arg;
	bool stopping;

	pthread_mutex_lock(&daemon->lock);
	stopping = daemon->stopping;
	if (!stopping) {
		call->next = NULL;
		*daemon->last = call;
		daemon->last = &call->next;
		pthread_cond_signal(&daemon->wake);
	}
	pthread_mutex_unlock(&daemon->lock);
	if (stopping)
		call_release(call); /* nobody looks at the queue any more, and clients are about to go */
}

static void
on_connected(void *arg, bool up)
{
	struct daemon_peer *peer = arg;
	struct daemon *daemon = peer->daemon;

	atomic_store(&peer->up, up);
	atomic_fetch_add(&peer->changes, 1);
	pthread_mutex_lock(&daemon->lock);
	daemon->poked = true;
	pthread_cond_signal(&daemon->wake);
	pthread_mutex_unlock(&daemon->lock);
}

static void
on_refused(void *arg, const char *why)
{
	const struct daemon_peer *peer = arg;

	log_warn("REPL-UNREACHABLE", "peer=%s why=\"%s\"", peer->name, why);
}

/* --- the daemon's thread --- */

static void
tell_connection(struct daemon *daemon, struct daemon_peer *peer, uint64_t now)
{
	unsigned changes = atomic_load(&peer->changes);
	bool up = atomic_load(&peer->up);

	if (changes == peer->told_changes)
		return;
	peer->told_changes = changes;
	daemon__pace_forget(peer);
	if (peer->told_up) {
		if (peer->region == 0)
			link_local_down(daemon->link, now);
		else
			link_peer_down(daemon->link, now, peer->region);
	}
	if (up && peer->region == 0)
		link_local_up(daemon->link, now);
	else if (up)
		link_peer_up(daemon->link, now, peer->region);
	peer->told_up = up;
}

/* Wait for calls that are over, or until `until`; returns them in order. */
static struct call *
wait_for_calls(struct daemon *daemon, uint64_t until, bool *stopping)
{
	struct timespec at = {.tv_sec = (time_t)(until / 1000), .tv_nsec = (long)(until % 1000) * 1000000};
	struct call *calls;

	pthread_mutex_lock(&daemon->lock);
	while (daemon->first == NULL && !daemon->poked && !daemon->stopping &&
	       pthread_cond_timedwait(&daemon->wake, &daemon->lock, &at) == 0)
		;
	calls = daemon->first;
	daemon->first = NULL;
	daemon->last = &daemon->first;
	daemon->poked = false;
	*stopping = daemon->stopping;
	pthread_mutex_unlock(&daemon->lock);
	return calls;
}

/* A certificate that ends is seen before the peers refuse it. */
static void
watch_certificate(struct daemon *daemon, uint64_t now)
{
	int64_t left;

	if (daemon->tls == NULL || now < daemon->certificate_at)
		return;
	left = tls_seconds_left(daemon->tls);
	daemon->certificate_at =
	    now + (left > 0 && left < CERTIFICATE_S ? (uint64_t)left * 1000 : CERTIFICATE_S * 1000);
	if (left <= 0)
		log_err("REPL-CERTIFICATE", "file=%s why=\"it has expired: peers refuse it\"",
		    daemon->config.replication.tls.certificate);
	else if (left < CERTIFICATE_WARN_S)
		log_warn("REPL-CERTIFICATE", "file=%s why=\"it expires in %lld hours\"",
		    daemon->config.replication.tls.certificate, (long long)left / 3600);
}

static void
now_and_then(struct daemon *daemon, uint64_t now)
{
	watch_certificate(daemon, now);
	if (now >= daemon->links_at) {
		daemon->links_at = now + LINKS_MS;
		daemon__push_links(daemon, now);
	}
	if (!daemon->local.told_up && now >= daemon->waiting_log_at) {
		daemon->waiting_log_at = now + WAITING_LOG_MS;
		log_info("REPL-WAITING", "for=\"the API process\" address=%s",
		    daemon->config.replication.endpoint);
	}
}

static void *
run(void *arg)
{
	struct daemon *daemon = arg;
	struct link_action action;
	struct call *call, *next;
	bool stopping = false;

	while (!stopping) {
		uint64_t now = daemon__now(), wake = link_wake(daemon->link, now);

		if (wake > daemon->links_at)
			wake = daemon->links_at;
		for (uint32_t i = 0; i < daemon->config.replication.n_peers; i++) {
			uint64_t paced = daemon__pace_wake(&daemon->peers[i], now);

			wake = paced < wake ? paced : wake;
		}
		call = wait_for_calls(daemon, wake, &stopping);
		now = daemon__now();
		tell_connection(daemon, &daemon->local, now);
		for (uint32_t i = 0; i < daemon->config.replication.n_peers; i++)
			tell_connection(daemon, &daemon->peers[i], now);
		for (; call != NULL; call = next) {
			next = call->next;
			daemon__hear(daemon, call, now);
			call_release(call);
			/* What one answer makes necessary does not wait for the others: a credit goes back at once. */
			while (!stopping && link_next(daemon->link, now, &action))
				daemon__act(daemon, &action, now);
		}
		while (!stopping && link_next(daemon->link, now, &action))
			daemon__act(daemon, &action, now);
		link_check(daemon->link);
		for (uint32_t i = 0; i < daemon->config.replication.n_peers; i++)
			daemon__pace_turn(&daemon->peers[i], now);
		now_and_then(daemon, now);
	}
	return NULL;
}

/* --- life --- */

static tide_err
make_link(struct daemon *daemon, struct tide_error *error)
{
	struct link_options options = {.region = daemon->config.number,
	    .n_peers = daemon->config.replication.n_peers,
	    .window = daemon->config.replication.window,
	    .seed = daemon->instance};

	/* What a region asks of all its peers at a time must leave the API process at the other end room for everybody. */
	if (options.n_peers > 0 && options.window > REQUESTS_TOGETHER / options.n_peers)
		options.window = REQUESTS_TOGETHER / options.n_peers;
	for (uint32_t i = 0; i < options.n_peers; i++)
		options.peers[i] = daemon->config.replication.peers[i].number;
	if ((daemon->link = link_new(&options)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	daemon->asker.link = daemon->link;
	return TIDE_OK;
}

static tide_err
connect_to(struct daemon *daemon, struct daemon_peer *peer, uint8_t region, const char *address,
    const char *name, uint32_t calls_max, struct tide_error *error)
{
	struct wire_client_options options = {.address = address,
	    .calls_max = calls_max,
	    .tls = region == 0 ? NULL : daemon->tls,
	    .name = name,
	    .connected = on_connected,
	    .refused = region == 0 ? NULL : on_refused,
	    .arg = peer};

	peer->daemon = daemon;
	peer->region = region;
	peer->name = name;
	return wire_client_open(&options, &peer->client, error);
}

static tide_err
start(struct daemon *daemon, struct tide_error *error)
{
	const struct config *config = &daemon->config;
	tide_err rc;

	if (config->replication.tls.ca[0] != 0 &&
	    (rc = tls_open(&config->replication.tls, &daemon->tls, error)) != TIDE_OK)
		return rc;
	if ((rc = make_link(daemon, error)) != TIDE_OK ||
	    (rc = connect_to(daemon, &daemon->local, 0, config->replication.endpoint, config->region,
		 LOCAL_CALLS_MAX, error)) != TIDE_OK)
		return rc;
	if (config->replication.listen[0] != 0 &&
	    (rc = front_open(config, daemon->local.client, daemon->tls, &daemon->front, error)) != TIDE_OK)
		return rc;
	for (uint32_t i = 0; i < config->replication.n_peers; i++) {
		const struct config_peer *peer = &config->replication.peers[i];

		daemon->peers[i].bucket.rate = (uint64_t)peer->bandwidth_kb_per_second << 10;
		if ((rc = connect_to(daemon, &daemon->peers[i], peer->number, peer->replication, peer->region,
			 PEER_CALLS_MAX, error)) != TIDE_OK)
			return rc;
	}
	if (pthread_create(&daemon->thread, NULL, run, daemon) != 0)
		return tide_fail(error, TIDE_NOMEM, "cannot start a thread");
	daemon->started = true;
	return TIDE_OK;
}

tide_err
daemon_start(const struct config *config, struct daemon **out, struct tide_error *error)
{
	struct daemon *daemon = calloc(1, sizeof *daemon);
	pthread_condattr_t monotonic;
	struct timespec now;
	tide_err rc;

	if (daemon == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	daemon->config = *config;
	daemon->last = &daemon->first;
	pthread_mutex_init(&daemon->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&daemon->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	/* Tells the lives of this process apart, for sessions and streams. */
	clock_gettime(CLOCK_REALTIME, &now);
	daemon->instance = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	daemon->asker = (struct link_asker){.region = config->number,
	    .name = daemon->config.region,
	    .cluster = daemon->config.cluster,
	    .instance = daemon->instance,
	    .batch_bytes = (uint64_t)config->replication.batch_kb << 10};
	daemon->waiting_log_at = daemon__now() + 1000;
	if ((rc = start(daemon, error)) != TIDE_OK) {
		daemon_stop(daemon);
		return rc;
	}
	*out = daemon;
	return TIDE_OK;
}

void
daemon_stop(struct daemon *daemon)
{
	if (daemon == NULL)
		return;
	pthread_mutex_lock(&daemon->lock);
	daemon->stopping = true;
	pthread_cond_signal(&daemon->wake);
	pthread_mutex_unlock(&daemon->lock);
	if (daemon->started)
		pthread_join(daemon->thread, NULL);
	if (daemon->local.client != NULL)
		wire_client_stop(daemon->local.client);
	front_close(daemon->front);
	wire_client_close(daemon->local.client);
	for (uint32_t i = 0; i < CONFIG_PEERS_MAX; i++) {
		wire_client_close(daemon->peers[i].client);
		daemon__pace_forget(&daemon->peers[i]);
	}
	tls_close(daemon->tls);
	link_free(daemon->link, link_payload_free);
	pthread_mutex_destroy(&daemon->lock);
	pthread_cond_destroy(&daemon->wake);
	link_asker_fini(&daemon->asker);
	free(daemon);
}
