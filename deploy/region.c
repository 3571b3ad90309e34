/*
 * `tidemark region PLACES lost NAME`: tell the regions that remain that one will not come back, so that nobody waits for it:
 * not a new incarnation that wants to be counted, not a tombstone that wants to be forgotten. And `rejoin NAME`: rejoin.c.
 * `reincarnate NAME`: a region whose journal is over, as it was restored from an old copy or declared lost, begins the next one.
 */
#include <stdio.h>
#include <string.h>

#include "deploy/command.h"
#include "deploy/places.h"
#include "deploy/rejoin.h"
#include "replicator/ask.h"

#define TELL_MS 5000
#define REINCARNATE_MS 600000 /* its regional tables are written anew */

/* Every region that is named is told, but the lost one itself; one that cannot be told does not keep the rest from it. */
static int
tell(const struct places *places, const char *lost)
{
	struct tide_error error = {0};
	int status = COMMAND_OK, told = 0;

	for (size_t i = 0; i < places->n; i++) {
		const struct place *place = &places->at[i];
		const char *name = place->region[0] != '\0' ? place->region : place->endpoint;

		if (strcmp(place->region, lost) == 0)
			continue;
		if (place->endpoint[0] == '\0') {
			status = command_usage(
			    "region: needs local endpoints (--data, --config or ipc:///DATA/endpoint.sock)");
		} else if (lost_tell(place->endpoint, TELL_MS, lost, &error) != TIDE_OK) {
			fprintf(stderr, "tidemark: %s: %s\n", name, error.message);
			status = COMMAND_FAILED;
		} else {
			printf("%s counts %s as lost\n", name, lost);
			told++;
		}
	}
	if (told == 0 && status == COMMAND_OK)
		return command_usage("region: no region is left to be told");
	return status;
}

static int
bring_back(const struct places *places, const char *name, const char *table, bool wait)
{
	for (size_t i = 0; i < places->n; i++)
		if (strcmp(places->at[i].region, name) == 0)
			return region_rejoin(&places->at[i], table, wait);
	return command_usage("region: %s is not among the regions named", name);
}

static int
begin_anew(const struct places *places, const char *name)
{
	struct tide_error error = {0};

	for (size_t i = 0; i < places->n; i++) {
		const struct place *place = &places->at[i];

		if (strcmp(place->region, name) != 0)
			continue;
		if (place->endpoint[0] == '\0')
			return command_usage("region: %s has no local endpoint", name);
		if (reincarnate_tell(place->endpoint, REINCARNATE_MS, name, &error) != TIDE_OK) {
			fprintf(stderr, "tidemark: %s: %s\n", name, error.message);
			return COMMAND_FAILED;
		}
		printf("%s has begun a new journal and loads its tables from its peers; what only the former "
		       "one "
		       "had will be in the conflict log\n",
		    name);
		return COMMAND_OK;
	}
	return command_usage("region: %s is not among the regions named", name);
}

int
command_region(int argc, char **argv)
{
	static const struct option options[] = {PLACES_OPTIONS, {"table", required_argument, NULL, 't'},
	    {"no-wait", no_argument, NULL, 'n'}, {0}};
	struct places places = {0};
	struct tide_error error = {0};
	const char *table = NULL, *verb = "", *name = NULL;
	int option, status = COMMAND_OK;
	bool wait = true;

	while (status == COMMAND_OK && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 't')
			table = optarg;
		else if (option == 'n')
			wait = false;
		else if (places_take(&places, option, optarg, &error) != TIDE_OK)
			status = command_usage("%s", error.message);
	}
	if (argc - optind == 2) {
		verb = argv[optind];
		name = argv[optind + 1];
	}
	if (status == COMMAND_OK && places.n > 0 && strcmp(verb, "lost") == 0)
		status = tell(&places, name);
	else if (status == COMMAND_OK && places.n > 0 && strcmp(verb, "rejoin") == 0)
		status = bring_back(&places, name, table, wait);
	else if (status == COMMAND_OK && places.n > 0 && strcmp(verb, "reincarnate") == 0)
		status = begin_anew(&places, name);
	else if (status == COMMAND_OK)
		status =
		    command_usage("region: needs regions (--data, --config or --endpoint) and 'lost NAME', "
				  "'rejoin NAME' or 'reincarnate NAME'");
	places_fini(&places);
	return status;
}
