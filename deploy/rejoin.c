/*
 * `tidemark region PLACES rejoin NAME [--table T] [--no-wait]`: bring a region back that was away for longer than its peers keep their
 * journals. It answers when its tables stand at one cut again; what happens meanwhile is printed as it changes.
 */
#include "deploy/rejoin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "deploy/command.h"
#include "deploy/tree.h"
#include "replicator/ask.h"

#define ASK_MS 5000
#define LOOK_MS 500
#define SILENT_LOOKS_MAX 120 /* it may be started again meanwhile */
#define LINE_MAX_BYTES 160

static tide_err
look(const struct place *place, struct arena *arena, struct json *out, struct tide_error *error)
{
	struct buf text = {0};
	tide_err rc = status_ask(place->endpoint, ASK_MS, &text, error);

	if (rc == TIDE_OK)
		rc = json_parse(arena, buf_bytes(&text), out, error);
	buf_fini(&text);
	return rc;
}

/* By name or id; 0: there is none. */
static uint64_t
find_table(const struct json *status, const char *name)
{
	const struct json *tables = tree_follow(status, "tables");

	for (uint32_t i = 0; tables != NULL && tables->type == JSON_ARRAY && i < tables->array.n; i++) {
		const struct json *table = &tables->array.at[i];
		struct bytes id = tree_text(table, "id");
		char hex[17];

		if (id.n != 16 || (!bytes_is(tree_text(table, "name"), name) && !bytes_is(id, name)))
			continue;
		memcpy(hex, id.at, 16);
		hex[16] = '\0';
		return strtoull(hex, NULL, 16);
	}
	return 0;
}

/* One line for everything that is under way. */
static void
describe(const struct json *status, char *out, size_t room)
{
	const struct json *tables = tree_follow(status, "tables");
	size_t n = 0;

	out[0] = '\0';
	for (uint32_t i = 0; tables != NULL && tables->type == JSON_ARRAY && i < tables->array.n; i++) {
		const struct json *table = &tables->array.at[i];
		struct bytes step = tree_text(table, "rejoin"), name = tree_text(table, "name");
		int wrote;

		if (step.n == 0 || n + LINE_MAX_BYTES > room)
			continue;
		wrote = snprintf(out + n, room - n, "%s%.*s %.*s", n == 0 ? "" : ", ",
		    name.n > 48 ? 48 : (int)name.n, (const char *)name.at, (int)step.n,
		    (const char *)step.at);
		n += wrote > 0 ? (size_t)wrote : 0;
		if (json_get(table, "bootstrap") == NULL || n + LINE_MAX_BYTES > room)
			continue;
		wrote = snprintf(out + n, room - n, " %" PRIu64 " of %" PRIu64,
		    tree_number(table, "bootstrap.items_loaded"),
		    tree_number(table, "bootstrap.items_expected"));
		n += wrote > 0 ? (size_t)wrote : 0;
	}
}

/* Print what has changed since the last look, until nothing is left to be done. */
static int
watch(const struct place *place)
{
	const struct timespec pause = {0, LOOK_MS * 1000000};
	char line[4096], before[4096] = "";
	struct tide_error error = {0};
	struct arena arena;
	struct json status;
	int silent = 0;

	for (;;) {
		bool over = false;
		tide_err rc;

		nanosleep(&pause, NULL);
		arena_init(&arena, 0);
		if ((rc = look(place, &arena, &status, &error)) == TIDE_OK) {
			silent = 0;
			describe(&status, line, sizeof line);
			over = !tree_true(&status, "rejoining") && !tree_true(&status, "needs_bootstrap");
			/* One more was found when the others were through. */
			if (!tree_true(&status, "rejoining") && tree_true(&status, "needs_bootstrap"))
				rc = rejoin_tell(place->endpoint, ASK_MS, 0, &error);
			if (strcmp(line, before) != 0 && !over)
				printf("%s: %s\n", place->region, line);
			memcpy(before, line, sizeof before);
			fflush(stdout);
		}
		arena_fini(&arena);
		if (over) {
			printf("%s: its tables stand at one cut\n", place->region);
			return COMMAND_OK;
		}
		if (rc != TIDE_OK && ++silent == SILENT_LOOKS_MAX)
			return command_fail(&error);
	}
}

int
region_rejoin(const struct place *place, const char *table, bool wait)
{
	struct tide_error error = {0};
	struct json status;
	struct arena arena;
	uint64_t id = 0;
	int result = COMMAND_OK;
	bool needed;

	if (place->endpoint[0] == '\0')
		return command_usage(
		    "region: needs the local endpoint (--data, --config or ipc:///DATA/endpoint.sock)");
	arena_init(&arena, 0);
	if (look(place, &arena, &status, &error) != TIDE_OK) {
		fprintf(stderr, "tidemark: %s: %s\n", place->region, error.message);
		result = COMMAND_UNREACHABLE;
		goto out;
	}
	needed = tree_true(&status, "needs_bootstrap") || tree_true(&status, "rejoining");
	if (table != NULL && (id = find_table(&status, table)) == 0)
		result = command_usage("region: %s has no table %s", place->region, table);
	else if (table == NULL && !needed)
		printf("%s: no table needs it\n", place->region);
	else if (rejoin_tell(place->endpoint, ASK_MS, id, &error) != TIDE_OK)
		result = command_fail(&error);
	else if (wait)
		result = watch(place);
out:
	arena_fini(&arena);
	return result;
}
