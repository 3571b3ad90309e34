/*
 * `tidemark check [--repair] DIR...`: is a stopped region's folder whole? DIR is a region's folder with its tidemark.conf, a folder of such
 * folders, or a data folder itself.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "deploy/command.h"
#include "deploy/places.h"
#include "store/catalog/catalog.h"
#include "store/shard/check.h"

static void
print_fault(void *arg, const char *fault)
{
	printf("%s: %s\n", (const char *)arg, fault);
}

/* --- the tables' names --- */

struct naming {
	struct catalog *catalog;
	const struct table *table; /* the last one described */
};

static bool
describe(void *arg, uint64_t id, struct shard_naming *out)
{
	struct naming *naming = arg;
	const struct table *table = naming->catalog != NULL ? catalog_find_id(naming->catalog, id) : NULL;

	if (table == NULL)
		return false;
	if (naming->table != NULL)
		table_release(naming->table);
	naming->table = table;
	out->table = bytes_of_string(table->name);
	return table->name[0] != 0;
}

static const char *
no_region(void *arg, uint8_t number)
{
	(void)arg;
	(void)number;
	return NULL;
}

/* Without a catalog that can be read the tables have their ids for names. */
static void
opened(void *arg, struct shard *shard)
{
	struct catalog_region here = {.name = "here", .number = jid_region(shard_id(shard))};
	struct naming *naming = arg;
	struct tide_error ignored;

	if (catalog_open(shard, &here, 1, &naming->catalog, &ignored) != TIDE_OK)
		naming->catalog = NULL;
	shard_set_naming(shard, describe, no_region, naming);
}

static void
closing(void *arg)
{
	struct naming *naming = arg;

	if (naming->table != NULL)
		table_release(naming->table);
	if (naming->catalog != NULL)
		catalog_close(naming->catalog);
	*naming = (struct naming){0};
}

/* --- one folder --- */

/* What a person can do about it: docs/operations.md, "Damaged or full disks". */
static void
print_advice(const char *name, const struct check_counts *counts)
{
	if (counts->store_faults > 0 && counts->store_can_be_made_again)
		printf("%s: the store can be made again from the journal: tidemark check --repair\n", name);
	else if (counts->store_faults > 0)
		printf(
		    "%s: the store cannot be made again from the journal: start with an empty folder to load "
		    "everything from its peers\n",
		    name);
	if (counts->store_faults == 0 && counts->index_faults > 0)
		printf(
		    "%s: the indexes can be made again from their tables' items: tidemark check --repair\n",
		    name);
	if (counts->journal_faults > 0)
		printf("%s: what the journal has lost cannot be made again; the region serves what it holds, "
		       "and peers "
		       "that still need it load a snapshot from another region\n",
		    name);
}

/* COMMAND_FAILED when anything is wrong with it. */
static int
check_folder(const char *name, const char *data, bool repair)
{
	const struct shard_options options = {
	    .dir = data, .kv_plugin = "leveldb", .journal_plugin = "segments"};
	struct naming naming = {0};
	const struct check_names names = {opened, closing, &naming};
	struct check_counts counts = {0};
	struct tide_error error = {0};
	tide_err rc;

	rc = shard_check(&options, &names, print_fault, (void *)(uintptr_t)name, &counts, &error);
	if (rc == TIDE_OK && repair && counts.store_faults > 0) {
		printf("%s: making the store again from the journal\n", name);
		if ((rc = shard_repair(&options, &error)) == TIDE_OK)
			rc = shard_check(
			    &options, &names, print_fault, (void *)(uintptr_t)name, &counts, &error);
	} else if (rc == TIDE_OK && repair && counts.index_faults > 0) {
		printf("%s: making indexes again from their tables' items\n", name);
		rc = shard_repair_indexes(&options, &error);
		/* Blocks of the store that cannot be read cannot be written anew. */
		if ((rc == TIDE_CORRUPT || rc == TIDE_IO) && counts.store_can_be_made_again)
			rc = shard_repair(&options, &error);
		if (rc == TIDE_OK)
			rc = shard_check(
			    &options, &names, print_fault, (void *)(uintptr_t)name, &counts, &error);
	}
	if (rc == TIDE_FENCED)
		fprintf(stderr, "tidemark: %s: in use: stop the region first\n", data);
	else if (rc != TIDE_OK)
		fprintf(stderr, "tidemark: %s: %s\n", data, error.message);
	if (rc != TIDE_OK)
		return COMMAND_FAILED;
	if (counts.rebuilt)
		printf("%s: the store was lost or could not be opened: it has been made again from the "
		       "journal\n",
		    name);
	print_advice(name, &counts);
	if (counts.indexes > 0)
		printf("%s: %" PRIu64 " secondary indexes, %" PRIu64 " entries; %" PRIu64 " faults\n", name,
		    counts.indexes, counts.entries, counts.index_faults);
	printf("%s: %s: journal %" PRIu64 "-%" PRIu64 ", %" PRIu64 " units, %" PRIu64 " records; %" PRIu64
	       " tables, %" PRIu64 " items, %" PRIu64 " tombstones; %" PRIu64 " faults\n",
	    name, counts.faults == 0 ? "sound" : "DAMAGED", counts.segments_from, counts.segments_to,
	    counts.units, counts.records, counts.tables, counts.items, counts.tombstones, counts.faults);
	return counts.faults == 0 ? COMMAND_OK : COMMAND_FAILED;
}

static int
check_argument(const char *dir, bool repair)
{
	struct places places = {0};
	struct tide_error error = {0};
	struct stat found;
	char identity[4096 + 16];
	int status = COMMAND_OK;

	snprintf(identity, sizeof identity, "%s/identity", dir);
	if (stat(identity, &found) == 0)
		return check_folder(dir, dir, repair);
	if (places_take(&places, 'd', dir, &error) != TIDE_OK)
		status = command_usage("check: %s", error.message);
	for (size_t i = 0; i < places.n; i++)
		if (check_folder(places.at[i].region, places.at[i].data, repair) != COMMAND_OK)
			status = COMMAND_FAILED;
	places_fini(&places);
	return status;
}

int
command_check(int argc, char **argv)
{
	static const struct option options[] = {{"repair", no_argument, NULL, 'r'}, {0}};
	int status = COMMAND_OK, one, option;
	bool repair = false;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'r')
			return command_usage("check: takes folders, and --repair");
		repair = true;
	}
	if (optind == argc)
		return command_usage("check: needs a region's folder");
	/* Recovery, which comes first, has much to say when all is well. */
	log_set_level(LOG_ERROR);
	for (int i = optind; i < argc; i++)
		if ((one = check_argument(argv[i], repair)) != COMMAND_OK)
			status = one;
	return status;
}
