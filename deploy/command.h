/*
 * The operator's command, `tidemark`: one file per subcommand, this table's entries in the order of --help.
 *
 * Every subcommand takes argc and argv from its own name on and returns the process's exit status. What people read
 * goes to stdout, what went wrong to stderr, in one line where it can be said in one.
 */
#ifndef TIDE_DEPLOY_COMMAND_H
#define TIDE_DEPLOY_COMMAND_H

#include <getopt.h>
#include <stddef.h>

#include "base/error.h"

enum { COMMAND_OK = 0, COMMAND_FAILED = 1, COMMAND_USAGE = 2, COMMAND_UNREACHABLE = 3 };

struct command {
	const char *name;
	const char *arguments;
	const char *summary;
	int (*run)(int argc, char **argv);
};

int command_status(int argc, char **argv);
int command_conflicts(int argc, char **argv);
int command_check(int argc, char **argv);
int command_lag(int argc, char **argv);
int command_call(int argc, char **argv);
int command_region(int argc, char **argv);

/** Say on stderr what is wrong with the arguments, and return COMMAND_USAGE. */
int command_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Say on stderr what failed, and return COMMAND_FAILED, or COMMAND_UNREACHABLE for TIDE_IO. */
int command_fail(const struct tide_error *error);

/** A whole number in [min, max] from an option's text; `*out` is written only on true. */
int command_number(const char *text, long min, long max, long *out);

#endif
