/*
 * What starts each daemon: its command line, its configuration, its signals, its pid file.
 */
#ifndef TIDE_CONFIG_PROGRAM_H
#define TIDE_CONFIG_PROGRAM_H

#include "config/config.h"

struct program {
	const char *name; /* "tidemark-api" */
	const char *summary; /* what --help says it does: one line */
	const char *farewell; /* what --help says of SIGTERM and SIGINT */
	const char *version;
	const char *pid_file; /* --pid-file, or NULL */
};

/**
 * Read the command line (--config FILE, --check-config, --pid-file FILE, --help, --version) and the configuration, set the log's level and
 * catch SIGTERM and SIGINT (SIGPIPE is ignored). What went wrong, or was asked for, has been printed.
 *
 * Thread     the main one, before others start.
 * Returns    -1: go on. Else the status to exit with.
 */
int program_begin(struct program *program, int argc, char **argv, struct config *config);

/** Write this process's id to --pid-file, if it was given: complete or not there. TIDE_IO, TIDE_USAGE. */
tide_err program_write_pid(const struct program *program, struct tide_error *error);

/** Remove the pid file, if it was given. */
void program_remove_pid(const struct program *program);

/**
 * From now on the process ends after `seconds` with status 0, even if its clean stop hangs (a transport that does not close): what was
 * acknowledged is in the journal, and the next start recovers.
 */
void program_stop_within(unsigned seconds);

/** Wait until SIGTERM or SIGINT. A second one ends the process at once. */
void program_wait(void);

#endif
