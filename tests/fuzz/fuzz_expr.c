/*
 * A byte that chooses the kind, then any text as an expression: refused, or evaluated against an item that has every type
 * and against none. What an update or a projection makes is an item in canonical form, and the item before is unchanged.
 */
#include <stdlib.h>

#include "api/expr/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n);

static const char names_json[] = "{\"#a\":\"a\",\"#l\":\"l\",\"#m\":\"m\",\"#x\":\"size\"}";
static const char values_json[] =
    "{\":n\":{\"N\":\"1\"},\":s\":{\"S\":\"b\"},\":b\":{\"B\":\"YQ==\"},\":l\":{\"L\":[{\"N\":\"1\"}]},"
    "\":m\":{\"M\":{\"x\":{\"S\":\"y\"}}},\":ss\":{\"SS\":[\"a\",\"c\"]},\":ns\":{\"NS\":[\"1\",\"2\"]},"
    "\":t\":{\"BOOL\":true},\":z\":{\"NULL\":true},\":bs\":{\"BS\":[\"YQ==\"]}}";
static const char item_json[] =
    "{\"pk\":{\"S\":\"k\"},\"sk\":{\"N\":\"5\"},\"a\":{\"S\":\"abc\"},\"n\":{\"N\":\"-1.5\"},"
    "\"l\":{\"L\":[{\"N\":\"1\"},{\"M\":{\"x\":{\"L\":[{\"S\":\"a\"}]}}},{\"S\":\"c\"}]},"
    "\"m\":{\"M\":{\"x\":{\"M\":{\"y\":{\"N\":\"1\"}}},\"size\":{\"S\":\"q\"}}},\"ss\":{\"SS\":[\"a\",\"b\"]}"
    ","
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

static struct json
parse_json(struct arena *arena, const char *text)
{
	struct json json;

	check(json_parse(arena, bytes_of_string(text), &json, NULL) == TIDE_OK);
	return json;
}

static struct value
parse_item(struct arena *arena, const char *text)
{
	struct json json = parse_json(arena, text);
	struct value item;

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
try_condition(struct arena *arena, enum expr_kind kind, struct bytes text, struct expr_scope *scope,
    const struct value *item)
{
	const struct expr_condition *condition;
	struct expr_key_condition derived;
	struct tide_error error;

	if (expr_condition_parse(arena, kind, text, scope, &condition, &error) != TIDE_OK)
		return;
	expr_condition_eval(condition, item);
	expr_condition_eval(condition, NULL);
	expr_filter_check_keys(condition, &schema, &error);
	expr_condition_check_paths(condition, &schema, &error);
	if (expr_key_condition_derive(condition, &schema, &derived, &error) == TIDE_OK) {
		const struct value *partition = value_map_get(item, schema.partition);
		bool same = value_equal(partition, &derived.partition);

		check(expr_key_condition_check(condition, &error) == TIDE_OK);
		check(expr_condition_eval(condition, item) ==
		      (same && expr_key_condition_matches(&derived, value_map_get(item, schema.sort))));
	}
}

static void
try_update(struct arena *arena, struct bytes text, struct expr_scope *scope, const struct value *item,
    const struct value *key)
{
	struct value before = parse_item(arena, item_json), returned;
	const struct expr_update *update;
	const struct value *after;
	struct tide_error error;

	if (expr_update_parse(arena, text, scope, &update, &error) != TIDE_OK)
		return;
	if (expr_update_apply(update, arena, item, key, &after, &error) == TIDE_OK) {
		check_canonical(arena, after);
		for (int which = EXPR_UPDATED_OLD; which <= EXPR_UPDATED_NEW; which++) {
			check(expr_update_returned(update, arena, item, after, (enum expr_updated)which,
				  &returned) == TIDE_OK);
			check_canonical(arena, &returned);
		}
	}
	check(value_equal(item, &before));
	if (expr_update_apply(update, arena, NULL, key, &after, &error) == TIDE_OK && after != NULL)
		check_canonical(arena, after);
}

static void
try_projection(struct arena *arena, struct bytes text, struct expr_scope *scope, const struct value *item)
{
	const struct expr_projection *projection;
	struct tide_error error;
	struct value out;

	if (expr_projection_parse(arena, text, scope, &projection, &error) != TIDE_OK)
		return;
	check(expr_projection_apply(projection, arena, item, &out) == TIDE_OK);
	check_canonical(arena, &out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	struct arena arena;
	struct json names, values;
	struct expr_scope scope;
	struct value item, key;
	struct bytes text;

	if (n == 0)
		return 0;
	text = bytes_of(at + 1, n - 1);
	arena_init(&arena, 0);
	names = parse_json(&arena, names_json);
	values = parse_json(&arena, values_json);
	item = parse_item(&arena, item_json);
	key = parse_item(&arena, key_json);
	check(expr_scope_init(&arena, &names, &values, &scope, NULL) == TIDE_OK);
	switch (at[0] % 3) {
	case 0:
		try_condition(
		    &arena, at[0] % 2 == 0 ? EXPR_CONDITION : EXPR_KEY_CONDITION, text, &scope, &item);
		break;
	case 1:
		try_update(&arena, text, &scope, &item, &key);
		break;
	default:
		try_projection(&arena, text, &scope, &item);
		break;
	}
	arena_fini(&arena);
	return 0;
}
