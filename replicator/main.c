/* tidemark-replicator: one region's replicator process. It keeps nothing and may be killed at any time. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "replicator/daemon.h"

#ifndef TIDEMARK_VERSION
#define TIDEMARK_VERSION "0.1.0"
#endif

static const char usage[] = "usage: tidemark-replicator --config FILE [options]\n"
			    "\n"
			    "Ships changes between one region's API process and its peers.\n"
			    "\n"
			    "  --config FILE     the region's configuration (docs/configuration.md)\n"
			    "  --check-config    read the configuration, say whether it is sound, and exit\n"
			    "  --pid-file FILE   write this process's id there while it runs\n"
			    "  --help            this text\n"
			    "  --version         the version\n"
			    "\n"
			    "SIGTERM or SIGINT: close and exit 0; a second one exits at once. It holds no "
			    "state: killing it loses nothing.\n";

struct arguments {
	const char *config, *pid_file;
	bool check;
};

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
			puts("tidemark-replicator " TIDEMARK_VERSION);
			return 1;
		default:
			fputs("try tidemark-replicator --help\n", stderr);
			return 3;
		}
	}
	if (optind < argc || out->config == NULL) {
		fprintf(stderr, "tidemark-replicator: %s\ntry tidemark-replicator --help\n",
		    optind < argc ? "it takes options only" : "--config FILE is missing");
		return 3;
	}
	return 0;
}

/* Complete or not there: a reader never finds half a number. */
static bool
write_pid_file(const char *path)
{
	char temporary[4096], text[32];
	int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	bool fine;
	int fd;

	if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
		return false;
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	fine = fd >= 0 && write(fd, text, (size_t)n) == n;
	if (fd >= 0 && close(fd) != 0)
		fine = false;
	return fine && rename(temporary, path) == 0;
}

int
main(int argc, char **argv)
{
	static struct config config;
	struct arguments arguments = {0};
	struct daemon *daemon;
	struct tide_error error;
	int status = read_arguments(argc, argv, &arguments);

	if (status != 0)
		return status - 1;
	if (config_load(arguments.config, &config, &error) != TIDE_OK) {
		fprintf(stderr, "tidemark-replicator: %s\n", error.message);
		return 1;
	}
	if (arguments.check) {
		printf("%s: sound; region %s, number %u, %u peers\n", arguments.config, config.region,
		    (unsigned)config.number, (unsigned)config.replication.n_peers);
		return 0;
	}
	log_set_level(config.log_level);
	if (!catch_signals()) {
		fprintf(stderr, "tidemark-replicator: cannot catch signals: %s\n", strerror(errno));
		return 1;
	}
	if (daemon_start(&config, &daemon, &error) != TIDE_OK) {
		fprintf(stderr, "tidemark-replicator: %s\n", error.message);
		return 1;
	}
	if (arguments.pid_file != NULL && !write_pid_file(arguments.pid_file)) {
		fprintf(
		    stderr, "tidemark-replicator: --pid-file: %s: %s\n", arguments.pid_file, strerror(errno));
		daemon_stop(daemon);
		return 1;
	}
	log_info("REPL-READY", "region=%s listen=%s endpoint=%s peers=%u pid=%ld", config.region,
	    config.replication.listen, config.replication.endpoint, (unsigned)config.replication.n_peers,
	    (long)getpid());
	while (sem_wait(&asked_to_stop) != 0 && errno == EINTR)
		; /* a signal that is not for us */
	log_info("REPL-STOPPING", "region=%s", config.region);
	daemon_stop(daemon);
	if (arguments.pid_file != NULL)
		unlink(arguments.pid_file);
	log_info("REPL-STOPPED", "region=%s", config.region);
	return 0;
}
