/*
 * `tidemark region PLACES lost NAME`: tell the regions that remain that one will not come back, so that nobody waits for it:
 * not a new incarnation that wants to be counted, not a tombstone that wants to be forgotten.
 */
#include <stdio.h>
#include <string.h>

#include "deploy/command.h"
#include "deploy/places.h"
#include "replicator/ask.h"

#define TELL_MS 5000

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

int
command_region(int argc, char **argv)
{
	static const struct option options[] = {PLACES_OPTIONS, {0}};
	struct places places = {0};
	struct tide_error error = {0};
	int option, status = COMMAND_OK;

	while (status == COMMAND_OK && (option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (places_take(&places, option, optarg, &error) != TIDE_OK)
			status = command_usage("%s", error.message);
	if (status == COMMAND_OK &&
	    (argc - optind != 2 || strcmp(argv[optind], "lost") != 0 || places.n == 0))
		status = command_usage(
		    "region: needs the regions to tell (--data, --config or --endpoint) and 'lost NAME'");
	if (status == COMMAND_OK)
		status = tell(&places, argv[optind + 1]);
	places_fini(&places);
	return status;
}
