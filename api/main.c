/* tidemark-api: one region's API process. It owns the store. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api/endpoint_serve.h"
#include "api/http/http.h"
#include "api/lag.h"
#include "api/maintenance.h"
#include "api/membership.h"
#include "api/meter.h"
#include "api/metrics.h"
#include "api/naming.h"
#include "api/ops/item_collection.h"
#include "api/scaling/scaling.h"
#include "base/log.h"
#include "config/program.h"

#define DRAIN_MS 15000
#define STOP_SECONDS 45 /* draining, the last checkpoint, and room */
#define WAIT_SECONDS_MAX 10 /* between two starts on a bad disk */

/* Everything that is open, in the order of opening. */
struct process {
	struct region region;
	bool pid_written;
	struct endpoint *endpoint;
	struct endpoint_server *server;
	struct naming *naming;
	struct maintenance *maintenance;
	struct http_server *http;
	struct http_peer peers[CONFIG_PEERS_MAX];
	char peer_hosts[CONFIG_PEERS_MAX][256];
};

/* mkdir -p, and see whether it can be written to. */
static tide_err
make_folder(const char *path, struct tide_error *error)
{
	char part[4096];
	size_t n = strlen(path);

	for (size_t i = 1; i <= n && n < sizeof part; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0777) != 0 && errno != EEXIST)
			return tide_fail(error, errno == ENOSPC ? TIDE_FULL : TIDE_IO,
			    "cannot make folder %s: %s", part, strerror(errno));
	}
	if (access(path, R_OK | W_OK | X_OK) != 0)
		return tide_fail(error, TIDE_IO, "folder %s cannot be written to: %s", path, strerror(errno));
	return TIDE_OK;
}

static void
raise_file_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		log_warn("API-FILES", "limit=%llu reason=\"%s\"", (unsigned long long)files.rlim_cur,
		    strerror(errno));
}

static tide_err
open_shard(struct region *region, struct tide_error *error)
{
	const struct config *config = &region->config;
	struct shard_options options = {
	    .dir = config->data,
	    .kv_plugin = config->store.plugin,
	    .journal_plugin = config->journal.plugin,
	    .kv =
		{
		    .cache_bytes = (size_t)config->store.cache_mb << 20,
		    .write_buffer_bytes = (size_t)config->store.write_buffer_mb << 20,
		    .create = true,
		},
	    .region = config->number,
	    .segment_bytes = (uint64_t)config->journal.segment_mb << 20,
	    .skew_ms_max = config->replication.max_clock_skew_ms,
	    .conflict_retention_ms = (uint64_t)config->store.conflict_retention_days * 86400000,
	    .create = true,
	};
	tide_err rc;

	if ((rc = make_folder(config->data, error)) != TIDE_OK)
		return rc;
	return shard_open(&options, &region->shard, error);
}

static tide_err
open_catalog(struct region *region, struct tide_error *error)
{
	const struct config *config = &region->config;
	struct catalog_region regions[CONFIG_PEERS_MAX + 1] = {0};
	uint32_t n = 0;

	snprintf(regions[n].name, sizeof regions[n].name, "%s", config->region);
	regions[n++].number = config->number;
	for (uint32_t i = 0; i < config->replication.n_peers; i++) {
		snprintf(regions[n].name, sizeof regions[n].name, "%s", config->replication.peers[i].region);
		regions[n++].number = config->replication.peers[i].number;
	}
	return catalog_open(region->shard, regions, n, &region->catalog, error);
}

static tide_err
open_region(struct process *process, struct tide_error *error)
{
	struct region *region = &process->region;
	struct committer_options options = {0};
	struct meter_options meter = {.describe_only = strcmp(region->config.throttling, "off") == 0};
	struct timespec now;
	tide_err rc;

	item_collection_set_max((uint64_t)region->config.item_collection_mb << 20);
	clock_gettime(CLOCK_REALTIME, &now);
	region->started_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	if ((rc = open_shard(region, error)) != TIDE_OK || (rc = open_catalog(region, error)) != TIDE_OK ||
	    (rc = naming_open(region, &process->naming, error)) != TIDE_OK ||
	    (rc = membership_open(region, error)) != TIDE_OK ||
	    (rc = endpoint_open(region, NULL, &process->endpoint, error)) != TIDE_OK)
		return rc;
	if ((rc = scaling_open(region, &region->scaling, error)) != TIDE_OK)
		return rc;
	region->every_turn = scaling_turn;
	if ((rc = meter_open(&meter, &region->meter)) != TIDE_OK ||
	    (rc = lag_open(&region->config, region->shard, &region->lag)) != TIDE_OK ||
	    (rc = metrics_open(region, process->endpoint, TIDEMARK_VERSION)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	/* They observe the shard, so they come before the first commit. */
	if ((rc = committer_start(region->shard, &options, &region->committer)) != TIDE_OK)
		return tide_fail(error, rc, "cannot start the committer");
	/* A region that needs to wait for nobody takes writes from its first request on. Where the step fails (a full
	 * disk), reads are served all the same; the maintenance thread tries again and complains. */
	membership_step(region, NULL);
	return TIDE_OK;
}

/* Where requests that are signed for other regions are sent. Returns how many regions are known so. */
static uint32_t
find_peers(struct process *process)
{
	const struct config *config = &process->region.config;
	uint32_t n = 0;

	for (uint32_t i = 0; i < config->replication.n_peers; i++) {
		const struct config_peer *peer = &config->replication.peers[i];

		if (!config_url_split(peer->api, process->peer_hosts[n], sizeof process->peer_hosts[n],
			&process->peers[n].port))
			continue;
		process->peers[n].host = process->peer_hosts[n];
		process->peers[n].region = peer->region;
		n++;
	}
	return n;
}

static tide_err
start(struct process *process, const struct program *program, struct tide_error *error)
{
	struct region *region = &process->region;
	struct http_options options = {
	    .host = region->config.http.host,
	    .port = region->config.http.port,
	    .threads = region->config.http.threads,
	    .connections_max = region->config.http.connections_max,
	    .idle_seconds = region->config.http.idle_seconds,
	    .memory_max = (uint64_t)region->config.http.memory_mb << 20,
	    .find = operation_find,
	    .metrics = region->config.http.metrics ? &metrics_operation : NULL,
	    .peers = process->peers,
	    .n_peers = find_peers(process),
	};
	tide_err rc;

	if ((rc = open_region(process, error)) != TIDE_OK)
		return rc;
	if ((rc = program_write_pid(program, error)) != TIDE_OK)
		return rc;
	process->pid_written = true;
	if ((rc = maintenance_start(region, &process->maintenance, error)) != TIDE_OK)
		return rc;
	if ((rc = endpoint_serve(
		 process->endpoint, region->config.replication.endpoint, &process->server, error)) != TIDE_OK)
		return rc;
	if ((rc = http_server_start(&options, region, &process->http, error)) != TIDE_OK)
		return rc;
	metrics_set_http(region, process->http);
	log_info("API-READY", "region=%s http=%s:%u data=%s pid=%ld", region->config.region,
	    region->config.http.host, (unsigned)http_server_port(process->http), region->config.data,
	    (long)getpid());
	return TIDE_OK;
}

/* In reverse order; takes a process that did not start wholly. */
static void
stop(struct process *process, const struct program *program, bool clean)
{
	struct region *region = &process->region;

	http_server_stop(process->http, DRAIN_MS);
	maintenance_stop(process->maintenance);
	endpoint_serve_stop(process->server);
	committer_stop(region->committer);
	endpoint_close(process->endpoint);
	endpoint_serve_close(process->server);
	metrics_close(region);
	scaling_close(region->scaling);
	meter_close(region->meter);
	lag_close(region->lag);
	membership_close(region);
	naming_close(process->naming);
	catalog_close(region->catalog);
	shard_close(region->shard, clean);
	if (process->pid_written && !atomic_load(&region->renew))
		program_remove_pid(program);
}

/* A start that failed for want of a disk, which a person may mend without a thought of this process: wait, and start over in place. */
static int
wait_for_disk(const struct tide_error *error)
{
	unsigned seconds = program_renewals() < WAIT_SECONDS_MAX ? program_renewals() + 1 : WAIT_SECONDS_MAX;

	log_err("API-WAITS", "for=\"the disk\" seconds=%u why=\"%s\"", seconds, error->message);
	if (program_wait_for(seconds))
		return 0;
	program_renew_at_end();
	program_renew();
	return 1;
}

int
main(int argc, char **argv)
{
	static struct process process;
	struct program program = {.name = "tidemark-api",
	    .summary = "Serves one region's DynamoDB API and owns its data.",
	    .farewell = "finish requests under way, close and exit 0",
	    .version = TIDEMARK_VERSION};
	struct tide_error error;
	bool renew;
	int status = program_begin(&program, argc, argv, &process.region.config);

	if (status >= 0)
		return status;
	raise_file_limit();
	if (start(&process, &program, &error) != TIDE_OK) {
		fprintf(stderr, "tidemark-api: %s\n", error.message);
		stop(&process, &program, false);
		/* A process that was started over must not end for what it has just come back from. */
		if (error.code == TIDE_FULL || (error.code == TIDE_IO && program_renewals() > 0))
			return wait_for_disk(&error);
		return 1;
	}
	program_wait();
	renew = atomic_load(&process.region.renew);
	log_info("API-STOPPING", "region=%s", process.region.config.region);
	if (renew)
		program_renew_at_end();
	program_stop_within(STOP_SECONDS);
	/* What is sealed is not checkpointed: its end is not known. */
	stop(&process, &program, !renew);
	log_info("API-STOPPED", "region=%s", process.region.config.region);
	if (renew)
		program_renew(); /* comes back only when it was asked to stop, or cannot */
	return 0;
}
