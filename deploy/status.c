/*
 * `tidemark status`: every region asked for its own status, and what follows from all of them together.
 *
 * Two replicas that have applied the same writes (equal vectors) must hold the same items (equal fingerprints). Where they do
 * not, data has been damaged or we have a bug: the exit status says so, whatever the output is for.
 */
#include "deploy/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "deploy/command.h"
#include "deploy/places.h"
#include "deploy/tree.h"
#include "replicator/ask.h"

#define ASK_MS 5000
#define WAIT_PAUSE_MS 50

struct view {
	struct arena arena;
	struct report *reports; /* one per place */
	size_t n;
	struct table_report *tables;
	size_t n_tables;
};

static tide_err
ask(const struct place *place, struct arena *arena, struct report *out)
{
	struct buf text = {0};
	struct tide_error error = {0};
	tide_err rc = TIDE_OK;

	out->name = place->region[0] != '\0' ? place->region : place->endpoint;
	if (place->endpoint[0] == '\0')
		rc = tide_fail(
		    &error, TIDE_USAGE, "status needs the local endpoint: ipc:///DATA/endpoint.sock");
	else
		rc = status_ask(place->endpoint, ASK_MS, &text, &error);
	if (rc == TIDE_OK)
		rc = json_parse(arena, buf_bytes(&text), &out->status, &error);
	buf_fini(&text);
	out->reached = rc == TIDE_OK;
	if (rc != TIDE_OK)
		out->why = arena_format(arena, "%s", error.message);
	return rc == TIDE_NOMEM ? rc : TIDE_OK;
}

static tide_err
look(const struct places *places, struct view *out)
{
	tide_err rc = TIDE_OK;

	arena_init(&out->arena, 0);
	out->n = places->n;
	out->reports = arena_calloc(&out->arena, places->n * sizeof *out->reports);
	if (out->reports == NULL)
		return TIDE_NOMEM;
	for (size_t i = 0; i < places->n && rc == TIDE_OK; i++)
		rc = ask(&places->at[i], &out->arena, &out->reports[i]);
	if (rc == TIDE_OK)
		rc = status_compare(&out->arena, out->reports, out->n, &out->tables, &out->n_tables);
	return rc;
}

/* --- for people --- */

static void
print_number(const char *format, uint64_t number)
{
	char text[32];

	snprintf(text, sizeof text, "%" PRIu64, number);
	printf(format, text);
}

static bool
disk_is_sound(const struct report *report)
{
	return !report->reached || json_get(&report->status, "disk") == NULL ||
	       bytes_is(tree_text(&report->status, "disk.state"), "ok");
}

/* What is wrong with its disk: docs/operations.md, "Damaged or full disks". */
static void
print_disk(const struct report *report)
{
	struct bytes state = tree_text(&report->status, "disk.state");
	struct bytes reason = tree_text(&report->status, "disk.reason");
	const struct json *damage = tree_follow(&report->status, "disk.damage");

	printf("    its disk: %.*s: %.*s\n", (int)state.n, (const char *)state.at, (int)reason.n,
	    (const char *)reason.at);
	for (uint32_t i = 0; damage != NULL && damage->type == JSON_ARRAY && i < damage->array.n; i++) {
		const struct json *range = &damage->array.at[i];
		struct bytes name = tree_text(range, "name"), table = tree_text(range, "table");
		struct bytes after = tree_text(range, "after"), before = tree_text(range, "before");

		printf("        table %.*s (%.*s): keys after %.*s and before %.*s cannot be read\n",
		    (int)name.n, (const char *)name.at, (int)table.n, (const char *)table.at, (int)after.n,
		    (const char *)after.at, (int)before.n, (const char *)before.at);
	}
	damage = tree_follow(&report->status, "disk.journal");
	for (uint32_t i = 0; damage != NULL && damage->type == JSON_ARRAY && i < damage->array.n; i++)
		if (damage->array.at[i].type == JSON_STRING)
			printf("        %.*s\n", (int)damage->array.at[i].text.n,
			    (const char *)damage->array.at[i].text.at);
}

static void
print_links(const struct report *report)
{
	const struct json *links = tree_follow(&report->status, "replicator.links");

	if (!disk_is_sound(report))
		print_disk(report);
	if (!tree_true(&report->status, "replicator.running"))
		printf("    its replicator does not run\n");
	for (uint32_t i = 0; links != NULL && links->type == JSON_ARRAY && i < links->array.n; i++) {
		const struct json *link = &links->array.at[i];
		struct bytes region = tree_text(link, "region"), reason = tree_text(link, "reason");
		struct bytes state = tree_text(link, "state");

		printf("    from %-16.*s %-10.*s", (int)region.n, (const char *)region.at, (int)state.n,
		    (const char *)state.at);
		print_number(" behind %s records", tree_number(link, "behind_records"));
		print_number(", %s ms", tree_number(link, "behind_ms"));
		print_number("; %s B/s", tree_number(link, "bytes_per_second"));
		print_number(", round trip %s us", tree_number(link, "round_trip_us"));
		if (!tree_true(link, "connected") && reason.n > 0)
			printf(" (%.*s)", (int)reason.n, (const char *)reason.at);
		printf("\n");
	}
}

static void
print_fork(const struct report *report)
{
	struct bytes peer = tree_text(&report->status, "forked.peer");

	if (bytes_is(tree_text(&report->status, "forked.reason"), "declared-lost"))
		printf(", DECLARED LOST, REFUSES WRITES");
	else
		printf(
		    ", FORKED, REFUSES WRITES (restored from an old copy: %.*s knows another history of it)",
		    (int)peer.n, (const char *)peer.at);
	printf(": run tidemark region reincarnate %s", report->name);
}

static void
print_clock(const struct report *report)
{
	struct bytes clock = tree_text(&report->status, "own_clock");

	if (clock.n == 0 || bytes_is(clock, "CLOCK-RIGHT"))
		return;
	printf(", %.*s, REFUSES WRITES until its clock is right", (int)clock.n, (const char *)clock.at);
	print_number(" (off by %s ms)", tree_number(&report->status, "own_clock_off_ms"));
}

static void
print_region(const struct report *report)
{
	struct bytes journal;

	if (!report->reached) {
		printf("%s: not reached: %s\n", report->name,
		    report->why != NULL ? report->why : "out of memory");
		return;
	}
	journal = tree_text(&report->status, "journal");
	printf("%s: journal %.*s", report->name, (int)journal.n, (const char *)journal.at);
	print_number(", sequence %s", tree_number(&report->status, "last_seq"));
	print_number(", conflicts logged %s", tree_number(&report->status, "conflicts"));
	if (tree_text(&report->status, "forked.reason").n > 0)
		print_fork(report);
	else if (!tree_true(&report->status, "may_write"))
		printf(", REFUSES WRITES (a member has not counted it yet)");
	print_clock(report);
	if (tree_true(&report->status, "needs_bootstrap"))
		printf(", NEEDS BOOTSTRAP (tidemark region rejoin %s)", report->name);
	if (tree_true(&report->status, "rejoining"))
		printf(", REJOINING (its tables do not stand at one cut)");
	printf("\n");
	print_links(report);
}

static void
print_vector(const struct json *vector)
{
	if (vector == NULL || vector->type != JSON_ARRAY || vector->array.n == 0)
		printf("-");
	for (uint32_t i = 0; vector != NULL && vector->type == JSON_ARRAY && i < vector->array.n; i++) {
		struct bytes journal = tree_text(&vector->array.at[i], "journal");

		printf("%s%.*s:", i == 0 ? "" : " ", (int)journal.n, (const char *)journal.at);
		print_number("%s", tree_number(&vector->array.at[i], "seq"));
	}
}

static void
print_table(const struct table_report *table)
{
	printf("table %.*s: %s\n", (int)table->name.n, (const char *)table->name.at,
	    !table->sound          ? "EQUAL VECTORS, DIFFERENT FINGERPRINTS: the replicas have diverged"
	    : table->replicas == 1 ? "one replica"
	    : table->converged && table->fingerprinted ? "converged: vectors and fingerprints are equal"
	    : table->converged ? "converged: vectors are equal (it has no fingerprint)"
			       : "on its way: regions differ in what they have applied");
	for (size_t i = 0; i < table->n_rows; i++) {
		const struct json *row = table->rows[i].table;
		struct bytes state = tree_text(row, "state"), fingerprint = tree_text(row, "fingerprint");

		printf("    %-16s %-8.*s", table->rows[i].report->name, (int)state.n, (const char *)state.at);
		print_number(" %10s items", tree_number(row, "items"));
		printf("  %.*s  ", (int)fingerprint.n, (const char *)fingerprint.at);
		print_vector(json_get(row, "vector"));
		if (json_get(row, "rejoin") != NULL) {
			struct bytes rejoin = tree_text(row, "rejoin");

			printf("  rejoin: %.*s", (int)rejoin.n, (const char *)rejoin.at);
		}
		if (json_get(row, "bootstrap") != NULL) {
			print_number("  loading %s", tree_number(row, "bootstrap.items_loaded"));
			print_number(" of %s", tree_number(row, "bootstrap.items_expected"));
		}
		printf("\n");
	}
}

/* --- for programs --- */

static void
write_json(const struct view *view, struct buf *out)
{
	buf_append_string(out, "{\"regions\":[");
	for (size_t i = 0; i < view->n; i++) {
		const struct report *report = &view->reports[i];

		buf_append_string(out, i == 0 ? "{\"region\":" : ",{\"region\":");
		json_write_string(out, bytes_of_string(report->name));
		buf_append_format(out, ",\"reached\":%s", report->reached ? "true" : "false");
		if (report->reached) {
			buf_append_string(out, ",\"status\":");
			tree_write(out, &report->status);
		} else {
			buf_append_string(out, ",\"reason\":");
			json_write_string(out, bytes_of_string(report->why != NULL ? report->why : ""));
		}
		buf_append_string(out, "}");
	}
	buf_append_string(out, "],\"tables\":[");
	for (size_t i = 0; i < view->n_tables; i++) {
		const struct table_report *table = &view->tables[i];

		buf_append_string(out, i == 0 ? "{\"id\":" : ",{\"id\":");
		json_write_string(out, table->id);
		buf_append_string(out, ",\"name\":");
		json_write_string(out, table->name);
		buf_append_format(out, ",\"replicas\":%zu,\"converged\":%s,\"sound\":%s}", table->replicas,
		    table->converged ? "true" : "false", table->sound ? "true" : "false");
	}
	buf_append_format(out, "],\"converged\":%s,\"sound\":%s}\n",
	    status_converged(view->reports, view->n, view->tables, view->n_tables) ? "true" : "false",
	    status_sound(view->tables, view->n_tables) ? "true" : "false");
}

static int
print_view(const struct view *view, bool as_json)
{
	struct buf out = {0};
	int status = COMMAND_OK;

	if (as_json) {
		write_json(view, &out);
		if (out.failed || fwrite(out.at, 1, out.n, stdout) != out.n)
			status = COMMAND_FAILED;
		buf_fini(&out);
	} else {
		for (size_t i = 0; i < view->n; i++)
			print_region(&view->reports[i]);
		for (size_t i = 0; i < view->n_tables; i++)
			print_table(&view->tables[i]);
	}
	for (size_t i = 0; i < view->n; i++) {
		if (!view->reports[i].reached && status == COMMAND_OK)
			status = COMMAND_UNREACHABLE;
		if (!disk_is_sound(&view->reports[i]))
			status = COMMAND_FAILED;
	}
	return status_sound(view->tables, view->n_tables) ? status : COMMAND_FAILED;
}

static long
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Look until all regions agree, or until the time is over. */
static int
watch(const struct places *places, long wait_seconds, bool as_json)
{
	const struct timespec pause = {0, WAIT_PAUSE_MS * 1000000};
	long deadline = now_ms() + wait_seconds * 1000;
	struct view view = {0};
	bool agreed;
	int status;

	for (;;) {
		if (look(places, &view) != TIDE_OK) {
			arena_fini(&view.arena);
			return command_usage("out of memory");
		}
		agreed = status_converged(view.reports, view.n, view.tables, view.n_tables);
		if (agreed || now_ms() >= deadline)
			break;
		arena_fini(&view.arena);
		view = (struct view){0};
		nanosleep(&pause, NULL);
	}
	status = print_view(&view, as_json);
	if (status == COMMAND_OK && wait_seconds > 0 && !agreed)
		status = COMMAND_FAILED;
	arena_fini(&view.arena);
	return status;
}

int
command_status(int argc, char **argv)
{
	static const struct option options[] = {
	    PLACES_OPTIONS, {"json", no_argument, NULL, 'j'}, {"wait", required_argument, NULL, 'w'}, {0}};
	struct places places = {0};
	struct tide_error error = {0};
	long wait_seconds = 0;
	bool as_json = false;
	int option, status = COMMAND_OK;

	while (status == COMMAND_OK && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'j')
			as_json = true;
		else if (option == 'w') {
			if (!command_number(optarg, 1, 1000000, &wait_seconds))
				status = command_usage("status: --wait is a number of seconds");
		} else if (places_take(&places, option, optarg, &error) != TIDE_OK)
			status = command_usage("%s", error.message);
	}
	if (status == COMMAND_OK && (places.n == 0 || optind != argc))
		status = command_usage(
		    "status: needs regions (--data, --config or --endpoint ipc:///DATA/endpoint.sock)");
	if (status == COMMAND_OK)
		status = watch(&places, wait_seconds, as_json);
	places_fini(&places);
	return status;
}
