/*
 * Where the regions are that a subcommand speaks to: read from configuration files, from a folder of regions as
 * deploy/quickstart lays it out (DIR/REGION/tidemark.conf), or from addresses on the command line.
 */
#ifndef TIDE_DEPLOY_PLACES_H
#define TIDE_DEPLOY_PLACES_H

#include <getopt.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct place {
	char region[64]; /* empty: only an address is known */
	uint8_t number; /* 0: not known */
	char url[96]; /* of its DynamoDB API, "http://127.0.0.1:8001"; empty: not known */
	char endpoint[256]; /* address of its API process's local endpoint; empty: not known */
	char data[4096]; /* folder of its journal and store; empty: not known */
};

struct places {
	struct place *at;
	size_t n;
};

/* The options that name places; a subcommand appends its own. */
#define PLACES_OPTIONS                                                                                       \
	{"config", required_argument, NULL, 'c'}, {"data", required_argument, NULL, 'd'},                    \
	{                                                                                                    \
		"endpoint", required_argument, NULL, 'e'                                                     \
	}

/**
 * Take one of PLACES_OPTIONS, with its value.
 *
 * Ownership  zero-initialise `places`; release it with places_fini, after errors too.
 * Errors     TIDE_USAGE (unreadable file, no region in the folder, malformed address), TIDE_NOMEM.
 */
tide_err places_take(struct places *places, int option, const char *value, struct tide_error *error);

void places_fini(struct places *places);

#endif
