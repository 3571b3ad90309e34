/*
 * Any text as a statement, with parameters of every type: refused by a sentence, or something that can be executed: conditions evaluate
 * against an item that has every type and against none, updates and rows make items in canonical form, and what a plan reads is ordered and
 * within its bounds, for a table with a sort key and for one without. Parsing it again says the same.
 */
#include <stdlib.h>

#include "api/partiql/partiql.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n);

static const char item_json[] =
    "{\"pk\":{\"S\":\"k\"},\"sk\":{\"N\":\"5\"},\"a\":{\"S\":\"abc\"},\"n\":{\"N\":\"-1.5\"},"
    "\"l\":{\"L\":[{\"N\":\"1\"},{\"S\":\"c\"}]},\"m\":{\"M\":{\"x\":{\"N\":\"1\"}}},\"ss\":{\"SS\":[\"a\","
    "\"b\"]},"
    "\"ns\":{\"NS\":[\"1\",\"9\"]},\"b\":{\"B\":\"YWI=\"},\"t\":{\"BOOL\":false},\"z\":{\"NULL\":true}}";
static const struct expr_key_schema schemas[] = {
    {.partition = BYTES_LITERAL("pk"), .partition_type = VALUE_S},
    {.partition = BYTES_LITERAL("pk"),
	.partition_type = VALUE_S,
	.sort = BYTES_LITERAL("sk"),
	.sort_type = VALUE_N},
};

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static struct value
parse_item(struct arena *arena)
{
	struct json json;
	struct value item;

	check(json_parse(arena, bytes_of_string(item_json), &json, NULL) == TIDE_OK);
	check(json_to_item(arena, &json, &item, NULL) == TIDE_OK);
	return item;
}

/* A request's text is valid UTF-8: JSON sees to that. */
static bool
is_text(struct arena *arena, const uint8_t *at, size_t n)
{
	struct value text = {.type = VALUE_S, .text = bytes_of(at, n)}, again;
	struct buf stored = {0};
	bool good;

	value_encode(&text, &stored);
	good = value_decode(arena, buf_bytes(&stored), &again) == TIDE_OK;
	buf_fini(&stored);
	return good;
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
check_plan(
    const struct partiql_statement *statement, const struct expr_key_schema *schema, struct arena *arena)
{
	struct tide_error error = {.code = TIDE_OK};
	struct partiql_plan plan;
	const struct bytes *names;
	uint32_t n_names;
	tide_err rc = partiql_plan_make(statement, schema, arena, &plan, &error);

	check(rc == TIDE_OK || (rc == TIDE_VALIDATION && error.message[0] != '\0'));
	if (rc != TIDE_OK)
		return;
	check(plan.keyed ? plan.n_reads > 0 && plan.n_reads <= PARTIQL_READS_MAX : plan.n_reads == 0);
	for (uint32_t i = 0; i < plan.n_reads; i++) {
		const struct expr_key_condition *key = &plan.reads[i].key;

		check(key->partition.type == schema->partition_type && key->partition.text.n > 0);
		check(schema->sort.at != NULL || key->range == EXPR_RANGE_ALL);
		check(key->range == EXPR_RANGE_ALL || key->low.type == schema->sort_type);
		check(partiql_read_filter_names(&plan.reads[i], arena, &names, &n_names) == TIDE_OK);
	}
}

static void
check_statement(const struct partiql_statement *statement, struct arena *arena, const struct value *item)
{
	struct tide_error error;
	const struct value *after;
	struct partiql_key key;
	struct value row;

	if (statement->where != NULL) {
		expr_condition_eval(statement->where, item);
		expr_condition_eval(statement->where, NULL);
	}
	if (statement->kind == PARTIQL_INSERT)
		check_canonical(arena, &statement->item);
	if (statement->n_columns > 0) {
		check(partiql_row(statement, arena, item, &row) == TIDE_OK);
		check_canonical(arena, &row);
	}
	if (statement->update != NULL &&
	    expr_update_apply(statement->update, arena, item, item, &after, &error) == TIDE_OK &&
	    after != NULL)
		check_canonical(arena, after);
	for (size_t i = 0; i < 2; i++) {
		check(partiql_key_find(statement, &schemas[i], arena, &key) == TIDE_OK);
		check_plan(statement, &schemas[i], arena);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	struct tide_error error = {.code = TIDE_OK}, again = {.code = TIDE_OK};
	struct partiql_statement statement;
	struct value item, params[8];
	uint32_t n_params = 0;
	struct arena arena;
	tide_err rc;

	if (n > PARTIQL_STATEMENT_MAX)
		return 0;
	arena_init(&arena, 64 << 20);
	if (!is_text(&arena, at, n)) {
		arena_fini(&arena);
		return 0;
	}
	item = parse_item(&arena);
	for (uint32_t i = 0; i < item.map.n && n_params < 8; i++)
		params[n_params++] = item.map.at[i].value;
	rc = partiql_parse(&arena, bytes_of(at, n), params, n_params, &statement, &error);
	check(rc == TIDE_OK || (rc == TIDE_VALIDATION && error.message[0] != '\0'));
	if (rc == TIDE_OK && statement.kind != PARTIQL_OTHER)
		check_statement(&statement, &arena, &item);
	check(partiql_parse(&arena, bytes_of(at, n), params, n_params, &statement, &again) == rc);
	check(rc == TIDE_OK || strcmp(error.message, again.message) == 0);
	arena_fini(&arena);
	return 0;
}
