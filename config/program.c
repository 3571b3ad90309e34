#include "config/program.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GO_ON (-1)

static const char usage[] = "usage: %s --config FILE [options]\n"
			    "\n"
			    "%s\n"
			    "\n"
			    "  --config FILE     the region's configuration (docs/configuration.md)\n"
			    "  --check-config    read the configuration, say whether it is sound, and exit\n"
			    "  --pid-file FILE   write this process's id there while it runs\n"
			    "  --help            this text\n"
			    "  --version         the version\n"
			    "\n"
			    "SIGTERM or SIGINT: %s; a second one exits at once.\n";

#define ARGUMENTS_MAX 32
#define ARGUMENT_BYTES_MAX 8192
#define RENEWALS "TIDEMARK_RENEWALS" /* in the environment: how often in a row */
#define RENEWALS_MAX 100
#define CALM_SECONDS 600 /* a life so long ends the row */

static sem_t asked_to_stop;
static volatile sig_atomic_t renew; /* at the end, instead of ending */
static struct timespec began;
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

static int
read_arguments(struct program *program, int argc, char **argv, const char **config, bool *check)
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
			*config = optarg;
			break;
		case 'k':
			*check = true;
			break;
		case 'p':
			program->pid_file = optarg;
			break;
		case 'h':
			printf(usage, program->name, program->summary, program->farewell);
			return 0;
		case 'v':
			printf("%s %s\n", program->name, program->version);
			return 0;
		default:
			fprintf(stderr, "try %s --help\n", program->name);
			return 2;
		}
	}
	if (optind == argc && *config != NULL)
		return GO_ON;
	fprintf(stderr, "%s: %s\ntry %s --help\n", program->name,
	    optind < argc ? "it takes options only" : "--config FILE is missing", program->name);
	return 2;
}

int
program_begin(struct program *program, int argc, char **argv, struct config *config)
{
	const char *path = NULL;
	struct tide_error error;
	bool check = false;
	int status = read_arguments(program, argc, argv, &path, &check);

	if (status != GO_ON)
		return status;
	if (config_load(path, config, &error) != TIDE_OK) {
		fprintf(stderr, "%s: %s\n", program->name, error.message);
		return 1;
	}
	if (check) {
		printf("%s: sound; region %s, number %u, %u peers\n", path, config->region,
		    (unsigned)config->number, (unsigned)config->replication.n_peers);
		return 0;
	}
	log_set_level(config->log_level);
	clock_gettime(CLOCK_MONOTONIC, &began);
	if (!catch_signals()) {
		fprintf(stderr, "%s: cannot catch signals: %s\n", program->name, strerror(errno));
		return 1;
	}
	return GO_ON;
}

tide_err
program_write_pid(const struct program *program, struct tide_error *error)
{
	const char *path = program->pid_file;
	char temporary[4096], text[32];
	int n = snprintf(text, sizeof text, "%ld\n", (long)getpid()), fd;
	bool fine;

	if (path == NULL)
		return TIDE_OK;
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

void
program_remove_pid(const struct program *program)
{
	if (program->pid_file != NULL)
		unlink(program->pid_file);
}

void
program_wait(void)
{
	while (sem_wait(&asked_to_stop) != 0 && errno == EINTR)
		; /* a signal that is not for us */
}

bool
program_wait_for(unsigned seconds)
{
	struct timespec until;
	int rc;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += seconds;
	while ((rc = sem_timedwait(&asked_to_stop, &until)) != 0 && errno == EINTR)
		;
	return rc == 0;
}

void
program_ask_stop(void)
{
	sem_post(&asked_to_stop);
}

static void
on_alarm(int number)
{
	static const char line[] = "the clean stop hangs: ending without it\n";

	(void)number;
	if (write(STDERR_FILENO, line, sizeof line - 1) < 0)
		_exit(0);
	if (renew)
		program_renew();
	_exit(0);
}

void
program_stop_within(unsigned seconds)
{
	struct sigaction give_up = {.sa_handler = on_alarm};
	sigset_t alarms;

	sigaction(SIGALRM, &give_up, NULL);
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
	alarm(seconds);
}

unsigned
program_renewals(void)
{
	const char *text = getenv(RENEWALS);
	int n = text == NULL ? 0 : atoi(text);

	return n < 0 ? 0 : n > RENEWALS_MAX ? RENEWALS_MAX : (unsigned)n;
}

void
program_renew_at_end(void)
{
	struct timespec now;
	char text[16];

	/* Now, as the environment may not be changed in a signal's handler. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(
	    text, sizeof text, "%u", now.tv_sec - began.tv_sec < CALM_SECONDS ? program_renewals() + 1 : 1);
	setenv(RENEWALS, text, 1);
	renew = 1;
}

void
program_renew(void)
{
	static char text[ARGUMENT_BYTES_MAX];
	char *arguments[ARGUMENTS_MAX + 1] = {NULL};
	unsigned n = 0;
	sigset_t none;
	ssize_t got;
	int fd;

	if (stop_signals > 0 || (fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC)) < 0)
		return;
	got = read(fd, text, sizeof text - 1);
	close(fd);
	for (ssize_t i = 0; i < got && n < ARGUMENTS_MAX; i += (ssize_t)strlen(text + i) + 1)
		arguments[n++] = text + i;
	/* Closed by exec, not now: other threads may still use them. An alarm and the mask would outlive it. */
	if (n == 0 || close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
		return;
	alarm(0);
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	execv("/proc/self/exe", arguments);
}
