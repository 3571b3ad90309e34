/* Which parts of a table a SELECT reads, and which item a write names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "api/partiql/partiql.h"

static const struct expr_key_schema schema = {
    .partition = BYTES_LITERAL("pk"),
    .partition_type = VALUE_S,
    .sort = BYTES_LITERAL("sk"),
    .sort_type = VALUE_N,
};

#define OVERLAP "Overlapping conditions with range keys are not supported in where clause"
#define MANY "Too many decomposed read operations for a given query."
#define TYPE(key) "Key attribute's data type should match its data type in table's schema: Key " key

static const struct plan_case {
	const char *where; /* also the name; and what follows it */
	const char *plan; /* partition:range per part, "scan", or the sentence */
} plan_cases[] = {
    {"", "scan"},
    {"WHERE a = 1", "scan"},
    {"WHERE pk > 'a'", "scan"},
    {"WHERE pk = 'a'", "a:all"},
    {"WHERE 'a' = pk", "a:all"},
    {"WHERE pk IN ['b', 'a']", "a:all b:all"},
    {"WHERE pk = 'b' OR pk = 'a'", "a:all b:all"},
    {"WHERE pk IN ['b', 'a'] ORDER BY pk DESC", "b:all a:all"},
    {"WHERE pk = 'a' AND sk = 1", "a:=1"},
    {"WHERE pk = 'a' AND sk < 1", "a:<1"},
    {"WHERE pk = 'a' AND 1 < sk", "a:>1"},
    {"WHERE pk = 'a' AND 1 >= sk", "a:<=1"},
    {"WHERE pk = 'a' AND sk > 1 AND sk < 5", "a:1..5"},
    {"WHERE pk = 'a' AND sk BETWEEN 1 AND 5 AND sk >= 3", "a:3..5"},
    {"WHERE pk = 'a' AND sk = 3 AND sk > 1", "a:=3"},
    {"WHERE pk = 'a' AND sk IN [3, 1]", "a:=1 a:=3"},
    {"WHERE pk = 'a' AND sk IN [3, 1] ORDER BY sk DESC", "a:=3 a:=1 backward"},
    {"WHERE pk IN ['a', 'b'] AND sk IN [1, 2] ORDER BY pk, sk DESC", "a:=2 a:=1 b:=2 b:=1 backward"},
    {"WHERE pk IN ['a', 'b'] AND sk IN [1, 2] ORDER BY pk DESC", "b:=1 b:=2 a:=1 a:=2"},
    {"WHERE pk = 'a' AND (sk < 1 OR sk > 1 OR sk = 1)", "a:<1 a:=1 a:>1"},
    {"WHERE (pk = 'a' AND sk = 1) OR (pk = 'b' AND x = 2)", "a:=1 b:all"},
    {"WHERE pk = 'a' AND NOT sk = 1", "a:all"},
    {"WHERE pk = 'a' AND sk <> 1", "a:all"},
    {"WHERE pk = 'a' AND NOT sk = 1 OR pk = 'a' AND sk = 2", "a:all"},
    {"WHERE pk = 'a' OR sk = 1", "scan"},
    {"WHERE pk = 'a' AND pk = 'b'", "scan"},
    {"WHERE pk = 'a' AND (pk = 'b' OR x = 1)", "scan"},
    {"WHERE NOT pk = 'a'", "scan"},
    {"WHERE pk = 'a' AND x IN [1, 2, 3]", "a:all"},
    {"WHERE pk = 'a' AND (x = 1 OR y = 2)", "a:all"},
    {"WHERE pk = 'a' AND (sk = 1 OR x = 2)", OVERLAP},
    {"WHERE pk = 'a' AND (sk > 1 OR sk < 5)", OVERLAP},
    {"WHERE pk = 'a' AND sk >= 1 OR pk = 'a' AND sk <= 1", OVERLAP},
    {"WHERE pk = 'a' AND sk >= 1 OR pk = 'a' AND sk < 1", "a:<1 a:>=1"},
    {"WHERE pk IN ['a', 'a']", OVERLAP},
    {"WHERE pk = 'a' AND x = 1 OR pk = 'a' AND x = 2", OVERLAP},
    {"WHERE pk = 1", TYPE("pk")},
    {"WHERE pk = 'a' AND sk = 'x'", TYPE("sk")},
    {"WHERE pk = 'a' AND begins_with(sk, '1')", TYPE("sk")},
    {"WHERE pk = 1 OR x = 2", "scan"},
    {"WHERE pk = ''", "One or more parameter values are not valid. The AttributeValue for a key attribute "
		      "cannot contain an "
		      "empty string value. Key: pk"},
    {"WHERE x = 1 ORDER BY pk",
	"Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause."},
    {"WHERE pk = 'a' ORDER BY x", "Variable reference x in ORDER BY clause must be part of the primary key"},
    {"WHERE pk IN ['a', 'b'] ORDER BY sk", "Must have hash key in ORDER BY clause when more than one hash "
					   "key condition specified in WHERE clause."},
};

static void
parse(struct arena *arena, const char *before, const char *where, struct partiql_statement *out)
{
	const char *text = arena_format(arena, "%s %s", before, where);
	struct tide_error error = {.code = TIDE_OK};

	assert_non_null(text);
	if (partiql_parse(arena, bytes_of_string(text), NULL, 0, out, &error) != TIDE_OK)
		fail_msg("%s: %s", text, error.message);
}

static void
describe_range(struct buf *out, const struct expr_key_condition *key)
{
	static const char *const signs[] = {
	    [EXPR_RANGE_ALL] = "all",
	    [EXPR_RANGE_EQ] = "=",
	    [EXPR_RANGE_LT] = "<",
	    [EXPR_RANGE_LE] = "<=",
	    [EXPR_RANGE_GT] = ">",
	    [EXPR_RANGE_GE] = ">=",
	    [EXPR_RANGE_BETWEEN] = "",
	    [EXPR_RANGE_BEGINS_WITH] = "^",
	};

	buf_append(out, key->partition.text.at, key->partition.text.n);
	buf_append_format(out, ":%s", signs[key->range]);
	if (key->range != EXPR_RANGE_ALL)
		buf_append(out, key->low.text.at, key->low.text.n);
	if (key->range == EXPR_RANGE_BETWEEN)
		buf_append_format(out, "..%.*s", (int)key->high.text.n, (const char *)key->high.text.at);
}

static void
test_plan(void **state)
{
	const struct plan_case *c = *state;
	struct tide_error error = {.code = TIDE_OK};
	struct partiql_statement statement;
	struct partiql_plan plan;
	struct buf text = {0};
	struct arena arena;

	arena_init(&arena, 0);
	parse(&arena, "SELECT * FROM tab", c->where, &statement);
	if (partiql_plan_make(&statement, &schema, &arena, &plan, &error) != TIDE_OK)
		buf_append_string(&text, error.message);
	else if (!plan.keyed)
		buf_append_string(&text, "scan");
	for (uint32_t i = 0; error.code == TIDE_OK && i < plan.n_reads; i++) {
		buf_append_string(&text, i > 0 ? " " : "");
		describe_range(&text, &plan.reads[i].key);
	}
	if (error.code == TIDE_OK && plan.backward)
		buf_append_string(&text, " backward");
	buf_append_byte(&text, '\0');
	assert_string_equal((char *)text.at, c->plan);
	buf_fini(&text);
	arena_fini(&arena);
}

/* A WHERE with that many values for the partition key and for the sort key. */
static tide_err
plan_values(unsigned partitions, unsigned sorts, const char *after, struct partiql_plan *plan,
    struct arena *arena, struct tide_error *error)
{
	struct partiql_statement statement;
	struct buf text = {0};
	tide_err rc;

	buf_append_string(&text, "SELECT * FROM tab WHERE pk IN [");
	for (unsigned i = 0; i < partitions; i++)
		buf_append_format(&text, "%s'p%u'", i > 0 ? "," : "", i);
	buf_append_string(&text, "] AND sk IN [");
	for (unsigned i = 0; i < sorts; i++)
		buf_append_format(&text, "%s%u", i > 0 ? "," : "", i);
	buf_append_format(&text, "] %s", after);
	rc = partiql_parse(arena, buf_bytes(&text), NULL, 0, &statement, error);
	assert_int_equal(rc, TIDE_OK);
	rc = partiql_plan_make(&statement, &schema, arena, plan, error);
	buf_fini(&text);
	return rc;
}

static void
test_reads_are_bounded(void **state)
{
	struct tide_error error;
	struct partiql_plan plan;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(plan_values(50, 1, "", &plan, &arena, &error), TIDE_OK);
	assert_int_equal(plan.n_reads, 50);
	assert_true(plan.whole_key);
	assert_int_equal(plan_values(51, 1, "", &plan, &arena, &error), TIDE_VALIDATION);
	assert_string_equal(error.message, MANY);
	assert_int_equal(plan_values(26, 2, "", &plan, &arena, &error), TIDE_VALIDATION);
	assert_int_equal(plan_values(100, 100, "", &plan, &arena, &error), TIDE_VALIDATION);
	assert_string_equal(error.message, MANY);
	assert_int_equal(plan_values(100, 100, "OR x = 1", &plan, &arena, &error), TIDE_OK);
	assert_false(plan.keyed);
	arena_fini(&arena);
}

/* Conditions that would multiply out to 2^60 branches. */
static void
test_multiplying_out_ends(void **state)
{
	struct partiql_statement statement;
	struct tide_error error;
	struct partiql_plan plan;
	struct buf text = {0};
	struct arena arena;

	(void)state;
	arena_init(&arena, 64 << 20);
	buf_append_string(&text, "SELECT * FROM tab WHERE pk = 'a'");
	for (unsigned i = 0; i < 60; i++)
		buf_append_format(&text, " AND (sk = %u OR sk > %u)", i, i);
	assert_int_equal(partiql_parse(&arena, buf_bytes(&text), NULL, 0, &statement, &error), TIDE_OK);
	assert_int_equal(partiql_plan_make(&statement, &schema, &arena, &plan, &error), TIDE_VALIDATION);
	assert_string_equal(error.message, MANY);
	buf_fini(&text);
	arena_fini(&arena);
}

static void
test_names_in_filters(void **state)
{
	static const struct {
		const char *where, *names;
	} cases[] = {
	    {"pk = 'a' AND b = 1 AND (a = 2 OR c = 3)", "a b c "},
	    {"pk = 'a' AND (zz = 1 OR aa = 2 OR mm = 3)", "zz aa mm "},
	    {"pk = 'a' AND sk > 1", ""},
	    {"pk = 'a' AND NOT (m.x = 1 AND m.y = 2)", "m "},
	};
	struct partiql_statement statement;
	struct tide_error error;
	struct partiql_plan plan;
	const struct bytes *names;
	struct arena arena;
	uint32_t n;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf text = {0};

		arena_init(&arena, 0);
		parse(&arena, "SELECT * FROM tab WHERE", cases[i].where, &statement);
		assert_int_equal(partiql_plan_make(&statement, &schema, &arena, &plan, &error), TIDE_OK);
		assert_int_equal(partiql_read_filter_names(&plan.reads[0], &arena, &names, &n), TIDE_OK);
		for (uint32_t j = 0; j < n; j++)
			buf_append_format(&text, "%.*s ", (int)names[j].n, (const char *)names[j].at);
		buf_append_byte(&text, '\0');
		assert_string_equal((char *)text.at, cases[i].names);
		buf_fini(&text);
		arena_fini(&arena);
	}
}

/* ---- the key of a write ---- */

static void
test_keys(void **state)
{
	static const struct {
		const char *where;
		enum partiql_key_found found;
		bool in_list;
	} cases[] = {
	    {"", PARTIQL_KEY_NONE, false},
	    {"WHERE pk = 'a'", PARTIQL_KEY_NONE, false},
	    {"WHERE pk = 'a' AND sk > 1", PARTIQL_KEY_NONE, false},
	    {"WHERE pk = 'a' OR sk = 1", PARTIQL_KEY_NONE, false},
	    {"WHERE NOT (pk = 'a' AND sk = 1)", PARTIQL_KEY_NONE, false},
	    {"WHERE pk = 'a' AND sk = 1", PARTIQL_KEY_ALONE, false},
	    {"WHERE 1 = sk AND (pk = 'a' AND pk = 'a')", PARTIQL_KEY_ALONE, false},
	    {"WHERE pk IN ['a'] AND sk = 1", PARTIQL_KEY_ALONE, true},
	    {"WHERE pk IN ['a', 'b'] AND sk = 1", PARTIQL_KEY_NONE, false},
	    {"WHERE pk = 'a' AND sk = 1 AND x = 2", PARTIQL_KEY_AND_MORE, false},
	    {"WHERE (pk = 'a' AND sk = 1) AND (x = 2 OR y = 3)", PARTIQL_KEY_AND_MORE, false},
	    {"WHERE pk = 'a' AND sk = 1 AND pk = 'b'", PARTIQL_KEY_TWICE, false},
	    {"WHERE pk = 'a' AND sk = 1 AND sk = 1.0", PARTIQL_KEY_ALONE, false},
	};
	struct partiql_statement statement;
	struct partiql_key key;
	struct arena arena;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		arena_init(&arena, 0);
		parse(&arena, "DELETE FROM tab", cases[i].where, &statement);
		assert_int_equal(partiql_key_find(&statement, &schema, &arena, &key), TIDE_OK);
		if (key.found != cases[i].found || key.in_list != cases[i].in_list)
			fail_msg("%s: found %d, in a list %d", cases[i].where, key.found, key.in_list);
		if (key.found != PARTIQL_KEY_NONE) {
			assert_true(bytes_is(value_map_get(&key.item, schema.partition)->text, "a"));
			assert_true(bytes_is(value_map_get(&key.item, schema.sort)->text, "1"));
		}
		arena_fini(&arena);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reads_are_bounded),
	    cmocka_unit_test(test_multiplying_out_ends),
	    cmocka_unit_test(test_names_in_filters),
	    cmocka_unit_test(test_keys),
	};
	size_t n = sizeof plan_cases / sizeof *plan_cases;
	struct CMUnitTest *rows = calloc(n, sizeof *rows);
	int failed;

	if (rows == NULL)
		return 1;
	for (size_t i = 0; i < n; i++)
		rows[i] = (struct CMUnitTest){.name = plan_cases[i].where,
		    .test_func = test_plan,
		    .initial_state = (void *)&plan_cases[i]};
	failed = _cmocka_run_group_tests("plans", rows, n, NULL, NULL);
	free(rows);
	return failed + cmocka_run_group_tests_name("keys and bounds", tests, NULL, NULL);
}
