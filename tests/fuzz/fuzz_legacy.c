/*
 * A byte that chooses the parameter, then any text as JSON of that parameter: refused, or a tree that evaluates against an
 * item that has every type and against none. What an update or a projection makes is an item in canonical form, and the
 * item before is unchanged. Key conditions select what their tree lets through.
 */
#include <stdlib.h>

#include "api/expr/legacy.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n);

static const char item_json[] =
    "{\"pk\":{\"S\":\"k\"},\"sk\":{\"N\":\"5\"},\"a\":{\"S\":\"abc\"},\"n\":{\"N\":\"-1.5\"},"
    "\"l\":{\"L\":[{\"N\":\"1\"},{\"S\":\"c\"}]},\"m\":{\"M\":{\"x\":{\"N\":\"1\"}}},\"ss\":{\"SS\":[\"a\","
    "\"b\"]},"
    "\"ns\":{\"NS\":[\"1\",\"9\"]},\"b\":{\"B\":\"YWI=\"},\"t\":{\"BOOL\":false},\"z\":{\"NULL\":true}}";
static const char key_json[] = "{\"pk\":{\"S\":\"k\"},\"sk\":{\"N\":\"5\"}}";
static const struct expr_key_schema schema = {.partition = BYTES_LITERAL("pk"),
    .sort = BYTES_LITERAL("sk"),
    .partition_type = VALUE_S,
    .sort_type = VALUE_N};

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static struct value
parse_item(struct arena *arena, const char *text)
{
	struct json json;
	struct value item;

	check(json_parse(arena, bytes_of_string(text), &json, NULL) == TIDE_OK);
	check(json_to_item(arena, &json, &item, NULL) == TIDE_OK);
	return item;
}

static void
check_canonical(struct arena *arena, const struct value *item)
{
	struct buf stored = {0};
	struct value again;

	value_encode(item, &stored);
	check(buf_check(&stored) == TIDE_OK);
	check(value_decode(arena, buf_bytes(&stored), &again) == TIDE_OK);
	check(value_equal(item, &again));
	buf_fini(&stored);
}

static void
try_condition(struct arena *arena, bool expected, const struct json *json, const struct value *item)
{
	const struct json *map = json_get(json, "conditions"), *joined = json_get(json, "joined");
	const struct expr_condition *condition;
	struct tide_error error;
	tide_err rc;

	if (joined != NULL && joined->type != JSON_STRING)
		joined = NULL;
	rc = expected ? expr_legacy_expected(arena, map != NULL ? map : json, joined, &condition, &error)
		      : expr_legacy_filter(arena, map != NULL ? map : json, joined, &condition, &error);
	if (rc != TIDE_OK || condition == NULL)
		return;
	expr_condition_eval(condition, item);
	expr_condition_eval(condition, NULL);
	expr_filter_check_keys(condition, &schema, &error);
}

static void
try_keys(struct arena *arena, const struct json *json, const struct value *item)
{
	const struct expr_condition *condition;
	struct expr_key_condition derived;
	struct tide_error error;
	bool same;

	if (expr_legacy_keys(arena, json, 2, &condition, &error) != TIDE_OK ||
	    expr_key_condition_derive(condition, &schema, &derived, &error) != TIDE_OK)
		return;
	same = value_equal(value_map_get(item, schema.partition), &derived.partition);
	check(expr_condition_eval(condition, item) ==
	      (same && expr_key_condition_matches(&derived, value_map_get(item, schema.sort))));
}

static void
try_updates(struct arena *arena, const struct json *json, const struct value *item, const struct value *key)
{
	struct value before = parse_item(arena, item_json), returned;
	const struct expr_update *update;
	const struct value *after;
	struct tide_error error;

	if (expr_legacy_updates(arena, json, &update, &error) != TIDE_OK || update == NULL)
		return;
	if (expr_update_apply(update, arena, item, key, &after, &error) == TIDE_OK) {
		check_canonical(arena, after);
		check(
		    expr_update_returned(update, arena, item, after, EXPR_UPDATED_NEW, &returned) == TIDE_OK);
		check_canonical(arena, &returned);
	}
	check(value_equal(item, &before));
	if (expr_update_apply(update, arena, NULL, key, &after, &error) == TIDE_OK && after != NULL)
		check_canonical(arena, after);
}

static void
try_projection(struct arena *arena, const struct json *json, const struct value *item)
{
	const struct expr_projection *projection;
	struct tide_error error;
	struct value out;

	if (expr_legacy_projection(arena, json, &projection, &error) != TIDE_OK || projection == NULL)
		return;
	check(expr_projection_apply(projection, arena, item, &out) == TIDE_OK);
	check_canonical(arena, &out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	struct arena arena;
	struct value item, key;
	struct json json;

	if (n == 0)
		return 0;
	arena_init(&arena, 0);
	item = parse_item(&arena, item_json);
	key = parse_item(&arena, key_json);
	if (json_parse(&arena, bytes_of(at + 1, n - 1), &json, NULL) == TIDE_OK) {
		switch (at[0] % 5) {
		case 0:
		case 1:
			try_condition(&arena, at[0] % 5 == 0, &json, &item);
			break;
		case 2:
			try_keys(&arena, &json, &item);
			break;
		case 3:
			try_updates(&arena, &json, &item, &key);
			break;
		default:
			try_projection(&arena, &json, &item);
			break;
		}
	}
	arena_fini(&arena);
	return 0;
}
