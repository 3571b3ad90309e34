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

/** Wait until SIGTERM or SIGINT, or program_ask_stop. A second signal ends the process at once. */
void program_wait(void);

/** The same for `seconds` at most; false: nobody asked meanwhile. */
bool program_wait_for(unsigned seconds);

/** End the wait, as a signal would, from within. Any thread. */
void program_ask_stop(void);

/**
 * Start over in place: run this program again with its own arguments under the same id, all files but the standard ones closed. For what can
 * only be mended by a fresh process. A program that was asked by a signal to stop is not run again. From now on, if its clean stop hangs
 * (program_stop_within), it is run again instead of ended; program_renew, called at its end, does it.
 * Returns only when it failed, or was asked to stop. Any thread.
 */
void program_renew_at_end(void);
void program_renew(void);

/** How often in a row this program was run again, each time within minutes. */
unsigned program_renewals(void);

#endif
