/*
 * `tidemark check DIR...`: is a stopped region's folder whole? DIR is a region's folder with its tidemark.conf, a folder of such
 * folders, or a data folder itself.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "deploy/command.h"
#include "deploy/places.h"
#include "store/shard/check.h"

static void
print_fault(void *arg, const char *fault)
{
	printf("%s: %s\n", (const char *)arg, fault);
}

/* COMMAND_FAILED when anything is wrong with it. */
static int
check_folder(const char *name, const char *data)
{
	const struct shard_options options = {
	    .dir = data, .kv_plugin = "leveldb", .journal_plugin = "segments"};
	struct check_counts counts = {0};
	struct tide_error error = {0};
	tide_err rc;

	rc = shard_check(&options, print_fault, (void *)(uintptr_t)name, &counts, &error);
	if (rc == TIDE_FENCED)
		fprintf(stderr, "tidemark: %s: in use: stop the region first\n", data);
	else if (rc != TIDE_OK)
		fprintf(stderr, "tidemark: %s: %s\n", data, error.message);
	if (rc != TIDE_OK)
		return COMMAND_FAILED;
	printf("%s: %s: journal %" PRIu64 "-%" PRIu64 ", %" PRIu64 " units, %" PRIu64 " records; %" PRIu64
	       " tables, %" PRIu64 " items, %" PRIu64 " tombstones; %" PRIu64 " faults\n",
	    name, counts.faults == 0 ? "sound" : "DAMAGED", counts.segments_from, counts.segments_to,
	    counts.units, counts.records, counts.tables, counts.items, counts.tombstones, counts.faults);
	return counts.faults == 0 ? COMMAND_OK : COMMAND_FAILED;
}

static int
check_argument(const char *dir)
{
	struct places places = {0};
	struct tide_error error = {0};
	struct stat found;
	char identity[4096 + 16];
	int status = COMMAND_OK;

	snprintf(identity, sizeof identity, "%s/identity", dir);
	if (stat(identity, &found) == 0)
		return check_folder(dir, dir);
	if (places_take(&places, 'd', dir, &error) != TIDE_OK)
		status = command_usage("check: %s", error.message);
	for (size_t i = 0; i < places.n; i++)
		if (check_folder(places.at[i].region, places.at[i].data) != COMMAND_OK)
			status = COMMAND_FAILED;
	places_fini(&places);
	return status;
}

int
command_check(int argc, char **argv)
{
	static const struct option options[] = {{0}};
	int status = COMMAND_OK, one;

	if (getopt_long(argc, argv, "", options, NULL) != -1)
		return command_usage("check: takes folders only");
	if (optind == argc)
		return command_usage("check: needs a region's folder");
	/* Recovery, which comes first, has much to say when all is well. */
	log_set_level(LOG_ERROR);
	for (int i = optind; i < argc; i++)
		if ((one = check_argument(argv[i])) != COMMAND_OK)
			status = one;
	return status;
}
