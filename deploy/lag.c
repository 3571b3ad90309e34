/*
 * `tidemark lag`: how long a write takes from its acknowledgement in one region until it can be read in another, for each
 * link, measured by writing marks and reading them. The truth as a client sees it, against what `status` reports.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "deploy/client.h"
#include "deploy/command.h"

#define SAMPLES 100
#define WAIT_MS_MAX 10000
#define POLL_PAUSE_NS 100000

struct probe {
	struct client *from, *to;
	const char *from_name, *to_name;
	const char *table;
	char key[512]; /* the mark's key as JSON members: "pk":{"S":"..."} */
	double *lag_ms; /* sorted once measured */
	long samples;
};

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int
by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* Is the mark with this number readable where the link leads? */
static tide_err
arrived(struct probe *probe, struct arena *arena, long number, bool *out, struct tide_error *error)
{
	struct json reply;
	const struct json *at;
	char *body = arena_format(arena, "{\"TableName\":\"%s\",\"Key\":{%s}}", probe->table, probe->key);
	tide_err rc;

	if (body == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	rc = client_call(probe->to, "GetItem", bytes_of_string(body), arena, &reply, error);
	if (rc != TIDE_OK)
		return rc;
	at = json_get(json_get(json_get(&reply, "Item"), "mark"), "N");
	*out = at != NULL && at->type == JSON_STRING && strtol((const char *)at->text.at, NULL, 10) >= number;
	return TIDE_OK;
}

static tide_err
measure_one(struct probe *probe, struct arena *arena, long number, struct tide_error *error)
{
	const struct timespec pause = {0, POLL_PAUSE_NS};
	struct json reply;
	double start;
	bool here = false;
	tide_err rc;
	char *body = arena_format(arena, "{\"TableName\":\"%s\",\"Item\":{%s,\"mark\":{\"N\":\"%ld\"}}}",
	    probe->table, probe->key, number);

	if (body == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	rc = client_call(probe->from, "PutItem", bytes_of_string(body), arena, &reply, error);
	start = now_ms();
	while (rc == TIDE_OK) {
		arena_reset(arena);
		rc = arrived(probe, arena, number, &here, error);
		probe->lag_ms[number - 1] = now_ms() - start;
		if (rc != TIDE_OK || here)
			break;
		if (probe->lag_ms[number - 1] > WAIT_MS_MAX)
			rc = tide_fail(error, TIDE_UNKNOWN, "%s -> %s: a write did not arrive within %d s",
			    probe->from_name, probe->to_name, WAIT_MS_MAX / 1000);
		nanosleep(&pause, NULL);
	}
	return rc;
}

/* The mark's key, from the table's own key names. Tables with string keys only: a probe must not guess at numbers. */
static tide_err
find_key(struct probe *probe, struct tide_error *error)
{
	struct arena arena;
	struct json reply;
	const struct json *keys, *name;
	size_t n = 0;
	tide_err rc;
	char body[512];

	arena_init(&arena, 0);
	snprintf(body, sizeof body, "{\"TableName\":\"%.255s\"}", probe->table);
	rc = client_call(probe->from, "DescribeTable", bytes_of_string(body), &arena, &reply, error);
	keys = rc == TIDE_OK ? json_get(json_get(&reply, "Table"), "KeySchema") : NULL;
	for (uint32_t i = 0;
	     keys != NULL && keys->type == JSON_ARRAY && i < keys->array.n && n < sizeof probe->key; i++) {
		name = json_get(&keys->array.at[i], "AttributeName");
		if (name != NULL && name->type == JSON_STRING)
			n += (size_t)snprintf(probe->key + n, sizeof probe->key - n,
			    "%s\"%.*s\":{\"S\":\"tidemark lag %s %s\"}", n == 0 ? "" : ",", (int)name->text.n,
			    (const char *)name->text.at, probe->from_name, probe->to_name);
	}
	if (rc == TIDE_OK && (n == 0 || n >= sizeof probe->key))
		rc = tide_fail(error, TIDE_UNKNOWN, "%s: table %s: cannot make a key for the probe",
		    probe->from_name, probe->table);
	arena_fini(&arena);
	return rc;
}

static tide_err
measure(struct probe *probe, struct tide_error *error)
{
	struct arena arena;
	struct json reply;
	tide_err rc = find_key(probe, error);
	char *body;

	if (rc != TIDE_OK)
		return rc;
	arena_init(&arena, 0);
	for (long i = 1; i <= probe->samples && rc == TIDE_OK; i++) {
		arena_reset(&arena);
		rc = measure_one(probe, &arena, i, error);
	}
	body = arena_format(&arena, "{\"TableName\":\"%s\",\"Key\":{%s}}", probe->table, probe->key);
	/* The mark goes whatever happened; its own failure must not hide an earlier one. */
	if (body == NULL)
		rc = rc != TIDE_OK ? rc : tide_fail(error, TIDE_NOMEM, NULL);
	else
		rc = client_call(probe->from, "DeleteItem", bytes_of_string(body), &arena, &reply,
			 rc == TIDE_OK ? error : NULL) != TIDE_OK &&
			     rc == TIDE_OK
			 ? error->code
			 : rc;
	arena_fini(&arena);
	if (rc == TIDE_OK)
		qsort(probe->lag_ms, (size_t)probe->samples, sizeof *probe->lag_ms, by_value);
	return rc;
}

static const char *
name_of(const struct place *place)
{
	return place->region[0] != '\0' ? place->region : place->url;
}

static void
report(const struct probe *probe, bool as_json, bool first)
{
	const double *lag = probe->lag_ms;
	long n = probe->samples;
	double median = lag[n / 2], p99 = lag[(n * 99 + 99) / 100 - 1];

	if (as_json)
		printf("%s{\"from\":\"%s\",\"to\":\"%s\",\"samples\":%ld,\"min_ms\":%.3f,\"median_ms\":%.3f,"
		       "\"p99_ms\":%.3f,"
		       "\"max_ms\":%.3f}",
		    first ? "" : ",", probe->from_name, probe->to_name, n, lag[0], median, p99, lag[n - 1]);
	else
		printf("  %-16s -> %-16s %9.2f %9.2f %9.2f\n", probe->from_name, probe->to_name, lag[0],
		    median, p99);
	fflush(stdout);
}

static int
run(const struct places *places, const char *table, long samples, bool as_json)
{
	struct probe probe = {.table = table, .samples = samples};
	struct tide_error error = {0};
	tide_err rc = TIDE_OK;
	bool first = true;

	probe.lag_ms = calloc((size_t)samples, sizeof *probe.lag_ms);
	if (probe.lag_ms == NULL)
		return command_usage("out of memory");
	if (as_json)
		printf("{\"links\":[");
	else
		printf("  %-16s    %-16s %9s %9s %9s  (ms, %ld writes each)\n", "from", "to", "min", "median",
		    "p99", samples);
	for (size_t i = 0; i < places->n * places->n && rc == TIDE_OK; i++) {
		const struct place *from = &places->at[i / places->n], *to = &places->at[i % places->n];

		if (from == to)
			continue;
		probe.from_name = name_of(from);
		probe.to_name = name_of(to);
		rc = client_open(from, &probe.from, &error);
		if (rc == TIDE_OK)
			rc = client_open(to, &probe.to, &error);
		if (rc == TIDE_OK)
			rc = measure(&probe, &error);
		if (rc == TIDE_OK)
			report(&probe, as_json, first);
		first = false;
		client_close(probe.from);
		client_close(probe.to);
		probe.from = probe.to = NULL;
	}
	if (as_json)
		printf("]}\n");
	free(probe.lag_ms);
	return rc == TIDE_OK ? COMMAND_OK : command_fail(&error);
}

int
command_lag(int argc, char **argv)
{
	static const struct option options[] = {PLACES_OPTIONS, {"table", required_argument, NULL, 't'},
	    {"samples", required_argument, NULL, 'n'}, {"json", no_argument, NULL, 'j'}, {0}};
	struct places places = {0};
	struct tide_error error = {0};
	const char *table = NULL;
	long samples = SAMPLES;
	bool as_json = false;
	int option, status = COMMAND_OK;

	while (status == COMMAND_OK && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 't')
			table = optarg;
		else if (option == 'j')
			as_json = true;
		else if (option == 'n' && !command_number(optarg, 1, 1000000, &samples))
			status = command_usage("lag: --samples is a number from 1 to 1000000");
		else if (option != 'n' && places_take(&places, option, optarg, &error) != TIDE_OK)
			status = command_usage("%s", error.message);
	}
	if (status == COMMAND_OK && (table == NULL || places.n < 2 || optind != argc))
		status = command_usage(
		    "lag: needs --table and two or more regions (--data, --config or --endpoint)");
	/* The name goes into JSON as it stands. */
	else if (status == COMMAND_OK && (strlen(table) > 255 || strpbrk(table, "\"\\") != NULL))
		status = command_usage("lag: '%s' is not a table's name", table);
	if (status == COMMAND_OK)
		status = run(&places, table, samples, as_json);
	places_fini(&places);
	return status;
}
