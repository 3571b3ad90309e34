/*
 * `tidemark conflicts`: what last-writer-wins has discarded, from the built-in global table `tidemark.conflicts`. Any region
 * shows all of them; the table may as well be read with any DynamoDB client.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conflict/version.h"
#include "deploy/client.h"
#include "deploy/command.h"
#include "deploy/tree.h"

struct listing {
	const char *table; /* NULL: all */
	long limit; /* 0: none */
	long shown;
	bool as_json;
	struct json page; /* the last one; the next page's start key points into it */
	const struct json *start; /* NULL before the first page and after the last */
};

/* "Scan what, from where": the next page's request. */
static void
write_request(struct buf *out, const struct listing *listing)
{
	buf_append_string(out, "{\"TableName\":\"tidemark.conflicts\",\"ConsistentRead\":true");
	if (listing->table != NULL) {
		buf_append_string(out,
		    ",\"FilterExpression\":\"#t = :t\",\"ExpressionAttributeNames\":{\"#t\":\"Table\"},"
		    "\"ExpressionAttributeValues\":{\":t\":{\"S\":");
		json_write_string(out, bytes_of_string(listing->table));
		buf_append_string(out, "}}");
	}
	if (listing->start != NULL) {
		buf_append_string(out, ",\"ExclusiveStartKey\":");
		tree_write(out, listing->start);
	}
	buf_append_string(out, "}");
}

/* When a version was written: its clock is the first 16 hex digits. */
static void
print_time(struct bytes version)
{
	char hex[17] = "0", when[32];
	struct tm utc;
	uint64_t ms;
	time_t seconds;

	if (version.n >= 16)
		memcpy(hex, version.at, 16);
	ms = hlc_ms((struct hlc){strtoull(hex, NULL, 16)});
	seconds = (time_t)(ms / 1000);
	gmtime_r(&seconds, &utc);
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);
	printf("%s.%03uZ", when, (unsigned)(ms % 1000));
}

static void
print_side(
    const char *word, const struct json *entry, const char *region, const char *version, const char *image)
{
	const struct json *map = tree_follow(entry, image);
	struct bytes name = tree_text(entry, region);
	struct buf out = {0};

	printf("    %s  ", word);
	print_time(tree_text(entry, version));
	printf("  %-14.*s  ", (int)name.n, (const char *)name.at);
	if (map == NULL)
		buf_append_string(&out, "deleted");
	else
		tree_write(&out, map);
	printf("%.*s\n", (int)out.n, (const char *)out.at);
	buf_fini(&out);
}

static void
print_entry(const struct listing *listing, const struct json *entry)
{
	const struct json *key = tree_follow(entry, "Key.M");
	struct bytes table = tree_text(entry, "Table.S");
	struct buf out = {0};

	tree_write(&out, listing->as_json || key == NULL ? entry : key);
	if (listing->as_json) {
		printf("%.*s\n", (int)out.n, (const char *)out.at);
	} else {
		printf("%.*s %.*s\n", (int)table.n, (const char *)table.at, (int)out.n, (const char *)out.at);
		print_side("kept", entry, "WinnerRegion.S", "WinnerVersion.S", "Winner.M");
		print_side("lost", entry, "LoserRegion.S", "LoserVersion.S", "Loser.M");
	}
	buf_fini(&out);
}

static tide_err
list_page(struct client *client, struct listing *listing, struct arena *arena, struct tide_error *error)
{
	struct buf request = {0};
	const struct json *items;
	tide_err rc;

	write_request(&request, listing);
	rc = buf_check(&request) == TIDE_OK ? TIDE_OK : tide_fail(error, TIDE_NOMEM, NULL);
	arena_reset(arena); /* the last page goes: its start key is in the request now */
	if (rc == TIDE_OK)
		rc = client_call(client, "Scan", buf_bytes(&request), arena, &listing->page, error);
	buf_fini(&request);
	if (rc != TIDE_OK)
		return rc;
	items = json_get(&listing->page, "Items");
	for (uint32_t i = 0; items != NULL && items->type == JSON_ARRAY && i < items->array.n; i++) {
		if (listing->limit != 0 && listing->shown == listing->limit)
			break;
		print_entry(listing, &items->array.at[i]);
		listing->shown++;
	}
	listing->start = json_get(&listing->page, "LastEvaluatedKey");
	return TIDE_OK;
}

static int
list(const struct place *place, struct listing *listing)
{
	struct client *client = NULL;
	struct arena arena;
	struct tide_error error = {0};
	tide_err rc;

	arena_init(&arena, 0);
	rc = client_open(place, &client, &error);
	while (rc == TIDE_OK) {
		rc = list_page(client, listing, &arena, &error);
		if (listing->start == NULL || (listing->limit != 0 && listing->shown == listing->limit))
			break;
	}
	client_close(client);
	arena_fini(&arena);
	if (rc != TIDE_OK)
		return command_fail(&error);
	if (listing->shown == 0 && !listing->as_json)
		printf("no conflicts\n");
	return COMMAND_OK;
}

int
command_conflicts(int argc, char **argv)
{
	static const struct option options[] = {PLACES_OPTIONS, {"table", required_argument, NULL, 't'},
	    {"limit", required_argument, NULL, 'n'}, {"json", no_argument, NULL, 'j'}, {0}};
	struct listing listing = {0};
	struct places places = {0};
	struct tide_error error = {0};
	int option, status = COMMAND_OK;

	while (status == COMMAND_OK && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 't')
			listing.table = optarg;
		else if (option == 'j')
			listing.as_json = true;
		else if (option == 'n') {
			if (!command_number(optarg, 1, 1000000000, &listing.limit))
				status = command_usage("conflicts: --limit is a number from 1");
		} else if (places_take(&places, option, optarg, &error) != TIDE_OK)
			status = command_usage("%s", error.message);
	}
	if (status == COMMAND_OK && (places.n == 0 || optind != argc))
		status = command_usage(
		    "conflicts: needs a region (--data, --config or --endpoint http://HOST:PORT)");
	/* Every region holds the same log: the first that answers is enough. */
	if (status == COMMAND_OK)
		status = COMMAND_UNREACHABLE;
	for (size_t i = 0; i < places.n && status == COMMAND_UNREACHABLE && listing.shown == 0; i++)
		status = list(&places.at[i], &listing);
	places_fini(&places);
	return status;
}
