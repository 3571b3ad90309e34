/* tidemark-api: one region's API process. It owns the store. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api/endpoint.h"
#include "api/http/http.h"
#include "api/maintenance.h"
#include "api/membership.h"
#include "api/naming.h"
#include "base/log.h"

#ifndef TIDEMARK_VERSION
#define TIDEMARK_VERSION "0.1.0"
#endif

#define DRAIN_MS 15000

static const char usage[] =
    "usage: tidemark-api --config FILE [options]\n"
    "\n"
    "Serves one region's DynamoDB API and owns its data.\n"
    "\n"
    "  --config FILE     the region's configuration (docs/configuration.md)\n"
    "  --check-config    read the configuration, say whether it is sound, and exit\n"
    "  --pid-file FILE   write this process's id there while it runs\n"
    "  --help            this text\n"
    "  --version         the version\n"
    "\n"
    "SIGTERM or SIGINT: finish requests under way and close (exit 0); a second one exits at once.\n";

struct arguments {
	const char *config, *pid_file;
	bool check;
};

/* Everything that is open, in the order of opening. */
struct process {
	struct region region;
	const char *pid_file; /* once written */
	struct endpoint *endpoint;
	struct naming *naming;
	struct maintenance *maintenance;
	struct http_server *http;
};

/* --- signals --- */

static sem_t asked_to_stop;
static volatile sig_atomic_t stop_signals;

static void
on_signal(int number)
{
	(void)number;
	if (stop_signals++ > 0)
		_exit(1);
	sem_post(&asked_to_stop);
}

static bool
catch_signals(void)
{
	struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_RESTART},
			 ignore = {.sa_handler = SIG_IGN};

	return sem_init(&asked_to_stop, 0, 0) == 0 && sigaction(SIGTERM, &stop, NULL) == 0 &&
	       sigaction(SIGINT, &stop, NULL) == 0 && sigaction(SIGPIPE, &ignore, NULL) == 0;
}

/* --- start --- */

/* 0: go on with what it read; else exit with that status minus 1. */
static int
read_arguments(int argc, char **argv, struct arguments *out)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"check-config", no_argument, NULL, 'k'},
	    {"pid-file", required_argument, NULL, 'p'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'v'},
	    {NULL, 0, NULL, 0},
	};
	int which;

	while ((which = getopt_long(argc, argv, "c:hv", options, NULL)) != -1) {
		switch (which) {
		case 'c':
			out->config = optarg;
			break;
		case 'k':
			out->check = true;
			break;
		case 'p':
			out->pid_file = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 1;
		case 'v':
			puts("tidemark-api " TIDEMARK_VERSION);
			return 1;
		default:
			fputs("try tidemark-api --help\n", stderr);
			return 3;
		}
	}
	if (optind < argc || out->config == NULL) {
		fprintf(stderr, "tidemark-api: %s\ntry tidemark-api --help\n",
		    optind < argc ? "it takes options only" : "--config FILE is missing");
		return 3;
	}
	return 0;
}

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

/* Complete or not there: a reader never finds half a number. */
static tide_err
write_pid_file(const char *path, struct tide_error *error)
{
	char temporary[4096], text[32];
	int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	int fd = -1;
	bool fine;

	if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
		return tide_fail(error, TIDE_USAGE, "--pid-file: the path is too long");
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	fine = fd >= 0 && write(fd, text, (size_t)n) == n;
	if (fd >= 0 && close(fd) != 0)
		fine = false;
	if (!fine || rename(temporary, path) != 0)
		return tide_fail(error, TIDE_IO, "--pid-file: %s: %s", path, strerror(errno));
	return TIDE_OK;
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
	struct timespec now;
	tide_err rc;

	clock_gettime(CLOCK_REALTIME, &now);
	region->started_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	if ((rc = open_shard(region, error)) != TIDE_OK || (rc = open_catalog(region, error)) != TIDE_OK ||
	    (rc = naming_open(region, &process->naming, error)) != TIDE_OK ||
	    (rc = membership_open(region, error)) != TIDE_OK ||
	    (rc = endpoint_open(region, &process->endpoint, error)) != TIDE_OK)
		return rc;
	/* They observe the shard, so they come before the first commit. */
	if ((rc = committer_start(region->shard, &options, &region->committer)) != TIDE_OK)
		return tide_fail(error, rc, "cannot start the committer");
	/* A region that needs to wait for nobody takes writes from its first request on. Where the step fails (a full
	 * disk), reads are served all the same; the maintenance thread tries again and complains. */
	membership_step(region, NULL);
	return TIDE_OK;
}

static tide_err
start(struct process *process, const struct arguments *arguments, struct tide_error *error)
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
	};
	tide_err rc;

	if ((rc = open_region(process, error)) != TIDE_OK)
		return rc;
	if (arguments->pid_file != NULL) {
		if ((rc = write_pid_file(arguments->pid_file, error)) != TIDE_OK)
			return rc;
		process->pid_file = arguments->pid_file;
	}
	if ((rc = maintenance_start(region, &process->maintenance, error)) != TIDE_OK)
		return rc;
	if ((rc = endpoint_start(process->endpoint, error)) != TIDE_OK)
		return rc;
	if ((rc = http_server_start(&options, region, &process->http, error)) != TIDE_OK)
		return rc;
	log_info("API-READY", "region=%s http=%s:%u data=%s pid=%ld", region->config.region,
	    region->config.http.host, (unsigned)http_server_port(process->http), region->config.data,
	    (long)getpid());
	return TIDE_OK;
}

/* In reverse order; takes a process that did not start wholly. */
static void
stop(struct process *process, bool clean)
{
	struct region *region = &process->region;

	http_server_stop(process->http, DRAIN_MS);
	maintenance_stop(process->maintenance);
	endpoint_stop(process->endpoint);
	committer_stop(region->committer);
	endpoint_close(process->endpoint);
	membership_close(region);
	naming_close(process->naming);
	catalog_close(region->catalog);
	shard_close(region->shard, clean);
	if (process->pid_file != NULL)
		unlink(process->pid_file);
}

int
main(int argc, char **argv)
{
	static struct process process;
	struct arguments arguments = {0};
	struct tide_error error;
	int status = read_arguments(argc, argv, &arguments);

	if (status != 0)
		return status - 1;
	if (config_load(arguments.config, &process.region.config, &error) != TIDE_OK) {
		fprintf(stderr, "tidemark-api: %s\n", error.message);
		return 1;
	}
	if (arguments.check) {
		printf("%s: sound; region %s, number %u, %u peers\n", arguments.config,
		    process.region.config.region, (unsigned)process.region.config.number,
		    (unsigned)process.region.config.replication.n_peers);
		return 0;
	}
	log_set_level(process.region.config.log_level);
	if (!catch_signals()) {
		fprintf(stderr, "tidemark-api: cannot catch signals: %s\n", strerror(errno));
		return 1;
	}
	raise_file_limit();
	if (start(&process, &arguments, &error) != TIDE_OK) {
		fprintf(stderr, "tidemark-api: %s\n", error.message);
		stop(&process, false);
		return 1;
	}
	while (sem_wait(&asked_to_stop) != 0 && errno == EINTR)
		; /* a signal that is not for us */
	log_info("API-STOPPING", "region=%s", process.region.config.region);
	stop(&process, true);
	log_info("API-STOPPED", "region=%s", process.region.config.region);
	return 0;
}
