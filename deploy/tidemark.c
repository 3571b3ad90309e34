/*
 * tidemark: the operator's command.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "deploy/command.h"

static const struct command commands[] = {
    {"status", "PLACES [--json] [--wait SECONDS]",
	"regions, links, tables: who is behind, and whether regions agree", command_status},
    {"conflicts", "PLACE [--table T] [--limit N] [--json]", "what last-writer-wins has discarded",
	command_conflicts},
    {"lag", "PLACES --table T [--samples N] [--json]",
	"measure replication lag per link, by writing and reading", command_lag},
    {"check", "[--repair] DIR...", "verify folders of stopped regions: journal, store, totals",
	command_check},
    {"call", "PLACE OPERATION [JSON] [--get PATH]", "one DynamoDB request, signed", command_call},
    {"region", "PLACES lost NAME | PLACES rejoin NAME [--table T] [--no-wait] | PLACES reincarnate NAME",
	"declare a region lost; bring one back that was away for longer than journals are kept, or whose "
	"folder was "
	"an old copy",
	command_region},
};
#define N_COMMANDS (sizeof commands / sizeof *commands)

static void
help(FILE *out)
{
	fprintf(out, "usage: tidemark COMMAND ...\n\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  tidemark %s %s\n        %s\n", commands[i].name, commands[i].arguments,
		    commands[i].summary);
	fprintf(out,
	    "\nPLACES are the regions to ask, by any of these, repeated at will (PLACE: one):\n"
	    "  --data DIR       the regions of a folder, DIR/REGION/tidemark.conf, as deploy/quickstart "
	    "makes it\n"
	    "  --config FILE    the region of a configuration file\n"
	    "  --endpoint ADDR  http://HOST:PORT of a region's API, or the address of its local endpoint\n"
	    "                   (ipc:///DATA/endpoint.sock) for status and region\n"
	    "\nRequests are signed with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY where they are set.\n"
	    "Exit status: 0 done, 1 failed or something is wrong, 2 wrong usage, 3 not reached.\n");
}

int
command_usage(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "tidemark: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return COMMAND_USAGE;
}

int
command_fail(const struct tide_error *error)
{
	fprintf(stderr, "tidemark: %s\n", error->message);
	return error->code == TIDE_USAGE ? COMMAND_USAGE
	       : error->code == TIDE_IO  ? COMMAND_UNREACHABLE
					 : COMMAND_FAILED;
}

int
command_number(const char *text, long min, long max, long *out)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value < min || value > max)
		return 0;
	*out = value;
	return 1;
}

int
main(int argc, char **argv)
{
	int status;

	if (argc < 2) {
		help(stderr);
		return COMMAND_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		help(stdout);
		return COMMAND_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("tidemark %s\n", TIDEMARK_VERSION);
		return COMMAND_OK;
	}
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		if (argc > 2 && strcmp(argv[2], "--help") == 0) {
			printf("usage: tidemark %s %s\n        %s\n", commands[i].name, commands[i].arguments,
			    commands[i].summary);
			return COMMAND_OK;
		}
		if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
			return command_usage("libcurl cannot start");
		status = commands[i].run(argc - 1, argv + 1);
		curl_global_cleanup();
		/* A full disk behind a redirection must not look like success. */
		return fflush(stdout) != 0 && status == COMMAND_OK ? COMMAND_FAILED : status;
	}
	return command_usage("unknown command '%s' (try tidemark --help)", argv[1]);
}
