/* Statements: those that are refused, with the sentence, and what the others ask for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "api/partiql/partiql.h"

#define MALFORMED "Statement wasn't well formed, can't be processed: "
#define KEYS "List index is not within the allowable range; index: "
#define BAG "Unsupported data type in Bag. DynamoDB only supports either numbers or strings in bags"
#define NAME                                                                                                 \
	"Table name should be within the length [3, 255] and only contain 'a-z', 'A-Z', '0-9', '-', '_', "   \
	"'.'."

static const struct refused_case {
	const char *text; /* also the name */
	const char *error;
} refused_cases[] = {
    /* where a text stops to make sense */
    {" ", MALFORMED "Unexpected term"},
    {"SELECT", MALFORMED "Unexpected term"},
    {"SELECT *", MALFORMED "Expected FROM after SELECT list"},
    {"SELECT * FROM", MALFORMED "Unexpected term"},
    {"SELECT * FROM tab WHERE", MALFORMED "Unexpected term"},
    {"SELECT * FROM tab WHERE a = 1 AND", MALFORMED "Missing right-hand side expression of infix operator"},
    {"SELECT * FROM tab WHERE a = 1 b", MALFORMED "Unexpected token after expression"},
    {"SELECT * FROM tab WHERE a == 1", MALFORMED "Unexpected operator"},
    {"SELECT * FROM tab WHERE data IS", MALFORMED "Expected type name"},
    {"SELECT * FROM tab WHERE a IS 1", MALFORMED "Expected type name"},
    {"SELECT * FROM tab WHERE (a = 1", MALFORMED "Expected RIGHT_PAREN"},
    {"SELECT * FROM tab WHERE size = 1", MALFORMED "Unexpected keyword"},
    {"SELECT * FROM tab WHERE m.all = 1", MALFORMED "Invalid path dot component"},
    {"SELECT * FROM tab WHERE a = 'x", MALFORMED},
    {"SELECT * FROM tab WHERE a = \"x", MALFORMED},
    {"SELECT * FROM tab WHERE a = 1.5.5", MALFORMED},
    {"SELECT * FROM tab WHERE a = 0x1", MALFORMED},
    {"SELECT * FROM tab WHERE a = :x", MALFORMED "Unexpected term"},
    {"SELECT * FROM tab WHERE \xc3\xa9 = 1", MALFORMED},
    {"UPDATE tab", MALFORMED "Expected data manipulation"},
    {"UPDATE tab REMOVE a, b", MALFORMED "Unexpected token after expression"},
    {"DELETE tab", MALFORMED "Unexpected term"},
    {"INSERT INTO tab", MALFORMED "Unexpected term"},
    /* what can be read and is refused */
    {"SELECT DISTINCT a FROM tab", "Unsupported token in expression: DISTINCT"},
    {"SELECT VALUE a FROM tab", "Select projection doesn't support value or pivot keywords"},
    {"SELECT a AS b FROM tab", "Aliasing is not supported"},
    {"SELECT a b FROM tab", "Aliasing is not supported"},
    {"SELECT * FROM tab, hsh", "Only select from a single table or index is supported."},
    {"SELECT * FROM tab LIMIT 1", "Unsupported clause: LIMIT at 1:25:1"},
    {"SELECT * FROM tab GROUP BY a", "Unsupported clause: GROUP BY"},
    {"SELECT * FROM tab HAVING a = 1", "Unsupported clause: HAVING at 1:28:1"},
    {"SELECT * FROM ab", NAME},
    {"SELECT * FROM \"a b c\"", NAME},
    {"SELECT * FROM tab.x", NAME},
    {"SELECT * FROM tab[0]", "Invalid list expression in source."},
    {"SELECT * FROM 'tab'", "Unexpected from source"},
    {"SELECT 1 FROM tab", "Unexpected path component at 1:8:1"},
    {"SELECT count(*) FROM tab", "Unexpected path component at 1:8:5"},
    {"SELECT a + 1 FROM tab", "Unexpected path component at 1:10:1"},
    {"SELECT m.* FROM tab", "Changing item's hierarchy while reading isn't supported"},
    {"SELECT l[1.5] FROM tab", "Unexpected path component at 1:10:3"},
    {"SELECT l[-1] FROM tab", KEYS "[-1] at 1:11:1"},
    {"SELECT m.k, k FROM tab", "Duplicate identifiers in select clause: k"},
    {"SELECT m, m.k FROM tab",
	"Two document paths overlap with each other; must remove or rewrite one of these paths; path one: "
	"[m], path two: [m, k]"},
    {"SELECT * FROM tab WHERE a", "WHERE clause must contain an expression that resolves to a boolean"},
    {"SELECT * FROM tab WHERE size(a)", "WHERE clause must contain an expression that resolves to a boolean"},
    {"SELECT * FROM tab WHERE a = 1 AND b", "The arguments to AND/OR must be Expressions"},
    {"SELECT * FROM tab WHERE NOT a", "The argument to NOT must be a Type or Expression"},
    {"SELECT * FROM tab WHERE a = 1 AND size(b)",
	"Incorrect operand type for operator or function; operator or function: AND, operand type: N"},
    {"SELECT * FROM tab WHERE a LIKE 'x'", "Unsupported operator in Condition Expression. Operator: like"},
    {"SELECT * FROM tab WHERE a = 1 + 1", "Unsupported operator in Condition Expression. Operator: +"},
    {"SELECT * FROM tab WHERE a = missing", "MISSING must be compared using IS operator"},
    {"SELECT * FROM tab WHERE foo(a)", "Unrecognized function: foo at 1:25:3"},
    {"SELECT * FROM tab WHERE\n  a = 1 AND\n\tfoo(a)", "Unrecognized function: foo at 3:2:3"},
    {"SELECT * FROM tab WHERE '\xc3\xa9' = a AND foo(a)", "Unrecognized function: foo at 1:37:3"},
    {"SELECT * FROM tab WHERE a IS INT", "Unsupported data type for IS operator: INTEGER. Supported data "
					 "types are [MISSING, NULL, BOOLEAN, BLOB, "
					 "STRING, NUMERIC, STRUCT, TUPLE, LIST] at 1:27:2"},
    {"SELECT * FROM tab WHERE a IN 'x'", "IN operator must have a left hand argument of type Variable "
					 "Reference and right hand argument of type "
					 "Seq with at least one member"},
    {"SELECT * FROM tab WHERE a = (SELECT * FROM tab)", "Unsupported token in expression: SELECT at 1:30:6"},
    {"SELECT * FROM tab WHERE a = a", "The first operand must be distinct from the remaining operands for "
				      "this operator or function; operator: "
				      "=, first operand: [a]"},
    {"SELECT * FROM tab WHERE a > null",
	"Incorrect operand type for operator or function; operator or function: >, operand type: NULL"},
    {"SELECT * FROM tab WHERE a BETWEEN 2 AND 1",
	"The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound "
	"operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}"},
    {"SELECT * FROM tab WHERE a = if_not_exists(a, 1)",
	"The function is not allowed in a condition expression; function: if_not_exists"},
    {"SELECT * FROM tab ORDER BY a", "Must have WHERE clause in the statement when using ORDER BY clause."},
    {"INSERT INTO tab VALUE [1]", "Unsupported format in item expression. Please use struct format {...} to "
				  "express item values for insert "
				  "statement. at 1:23:1"},
    {"INSERT INTO tab VALUE {a: 1}",
	"Tuple keys must be of type String. Actual type: VariableReference under root at 1:24:1"},
    {"INSERT INTO tab VALUE {1: 1}",
	"Tuple keys must be of type String. Actual type: INT under root at 1:24:1"},
    {"INSERT INTO tab VALUE {'a': 1, 'a': 2}", "Duplicate keys in tuple. Key: a under root at 1:32:3"},
    {"INSERT INTO tab VALUE {'a': {'b': 1, 'b': 2}}", "Duplicate keys in tuple. Key: b under root at 1:29:1"},
    {"INSERT INTO tab VALUE {'': 1}", "Path component cannot be an empty string"},
    {"INSERT INTO tab VALUE {'a': x}", "Unsupported data type: x under key root at 1:29:1"},
    {"INSERT INTO tab VALUE {'a': x.y}", "Unsupported data type: PATH under key root"},
    {"INSERT INTO tab VALUE {'a': 1 + 1}", "Unsupported data type: + under key root at 1:31:1"},
    {"INSERT INTO tab VALUE {'a': missing}", "Unsupported data type: MISSING under key root at 1:29:7"},
    {"INSERT INTO tab VALUE {'a': [x]}",
	"Unsupported data type: VariableReference under key root[0] at 1:30:1"},
    {"INSERT INTO tab VALUE {'a': `x`}", "Ion Literals are not supported: SYMBOL under key root at 1:29:3"},
    {"INSERT INTO tab VALUE {'a': <<true>>}", BAG " at 1:31:4"},
    {"INSERT INTO tab VALUE {'a': <<1, 'x'>>}", BAG},
    {"INSERT INTO tab VALUE {'a': 1} RETURNING ALL OLD *", "RETURNING is not supported in INSERT"},
    {"INSERT INTO tab.hsh VALUE {'a': 1}",
	"FROM clause may only contain a single table name in data manipulation statements"},
    {"UPDATE tab SET a = 1 WHERE k = 1 RETURNING ALL OLD *, ALL NEW *",
	"Invalid syntax with multiple returning elements in RETURNING clause"},
    {"UPDATE tab SET a = 1 WHERE k = 1 RETURNING ALL OLD a",
	"Expected '*' after ( MODIFIED | ALL ) ( NEW | OLD ) in RETURNING clause"},
    {"UPDATE tab SET a = n * 2", "Unsupported operator in Update Expression. Operator: *"},
    {"UPDATE tab SET a = n IS MISSING", "IS operator is not supported in update expressions"},
    {"UPDATE tab SET a = -n", "Incorrect number of operands for operator or function; operator or function: "
			      "-, number of operands: 1"},
    {"UPDATE tab SET a = size(b)", "The function is not allowed in an update expression; function: size"},
    {"UPDATE tab SET a = list_append(b)",
	"Incorrect number of operands for operator or function; operator or function: list_append, number of "
	"operands: 1"},
    {"UPDATE tab SET a = if_not_exists(5, 6)",
	"Operator or function requires a document path; operator or function: if_not_exists"},
    {"UPDATE tab SET a.b = 1, a = 2",
	"Two document paths overlap with each other; must remove or rewrite one of these paths; path one: "
	"[a, b], path two: [a]"},
    {"UPDATE tab SET a = ?", "Number of parameters in request and statement don't match."},
};

static void
test_refused(void **state)
{
	const struct refused_case *c = *state;
	struct partiql_statement statement;
	struct tide_error error = {.code = TIDE_OK};
	struct arena arena;

	arena_init(&arena, 0);
	assert_int_equal(
	    partiql_parse(&arena, bytes_of_string(c->text), NULL, 0, &statement, &error), TIDE_VALIDATION);
	assert_string_equal(error.message, c->error);
	arena_fini(&arena);
}

/* ---- what can be read ---- */

static void
parse(struct arena *arena, const char *text, struct partiql_statement *out)
{
	struct tide_error error = {.code = TIDE_OK};

	if (partiql_parse(arena, bytes_of_string(text), NULL, 0, out, &error) != TIDE_OK)
		fail_msg("%s: %s", text, error.message);
}

static void
expect_item(const struct value *got, const char *want)
{
	struct buf text = {0};

	json_write_item(&text, got);
	buf_append_byte(&text, '\0');
	assert_int_equal(buf_check(&text), TIDE_OK);
	assert_string_equal((char *)text.at, want);
	buf_fini(&text);
}

static void
test_an_insert_has_an_item(void **state)
{
	struct partiql_statement statement;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	parse(&arena,
	    "insert into \"t.-_9\" value {'b': [- - 1, +2e1, .5, (1, 'it''s')], 'a': <<'y', 'x'>>, 'c': "
	    "{'z': null, "
	    "'y': true}} -- end",
	    &statement);
	assert_int_equal(statement.kind, PARTIQL_INSERT);
	assert_true(bytes_is(statement.table, "t.-_9"));
	expect_item(&statement.item,
	    "{\"a\":{\"SS\":[\"x\",\"y\"]},\"b\":{\"L\":[{\"N\":\"1\"},{\"N\":\"20\"},{\"N\":\"0.5\"},{\"L\":"
	    "[{\"N\":\"1\"},{"
	    "\"S\":\"it's\"}]}]},\"c\":{\"M\":{\"y\":{\"BOOL\":true},\"z\":{\"NULL\":true}}}}");
	arena_fini(&arena);
}

static void
test_a_row_is_named_by_the_end_of_its_path(void **state)
{
	struct partiql_statement statement, insert;
	struct value row;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	parse(&arena, "SELECT m.k[0][1], \"a b\", m['z'], nope FROM tab.idx", &statement);
	assert_int_equal(statement.n_columns, 4);
	assert_true(bytes_is(statement.index, "idx"));
	parse(&arena, "INSERT INTO tab VALUE {'a b': 1, 'm': {'k': [[1, 2]], 'z': 'x'}}", &insert);
	assert_int_equal(partiql_row(&statement, &arena, &insert.item, &row), TIDE_OK);
	expect_item(&row, "{\"a b\":{\"N\":\"1\"},\"k[0][1]\":{\"N\":\"2\"},\"z\":{\"S\":\"x\"}}");
	arena_fini(&arena);
}

static void
test_other_expressions_say_what_they_are(void **state)
{
	static const struct {
		const char *text, *refusal;
	} cases[] = {
	    {"pk", "Unsupported operation: VariableReference"},
	    {"1", "Unsupported operation: Literal"},
	    {"{'a': 1}", "Unsupported operation: Struct"},
	    {"<<1>>", "Unsupported operation: Seq"},
	    {"x IS DOUBLE PRECISION", "Unsupported operation: IsType"},
	    {"CREATE TABLE foo", "Unsupported operation: CreateTable"},
	    {"DROP TABLE foo", "Unsupported operation: DropTable"},
	    {"INSERT INTO tab VALUES ({'pk': 1})", "Unsupported operation: InsertOp"},
	    {"x = 1", "EXISTS can only be used in ExecuteTransaction write requests."},
	};
	struct partiql_statement statement;
	struct arena arena;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		arena_init(&arena, 0);
		parse(&arena, cases[i].text, &statement);
		assert_int_equal(statement.kind, PARTIQL_OTHER);
		assert_string_equal(statement.refusal, cases[i].refusal);
		arena_fini(&arena);
	}
}

/* However deep or long: an answer, no crash. */
static void
test_nesting_is_bounded(void **state)
{
	static const char *const opens[] = {
	    "(", "[", "<<", "{'a':", "NOT ", "- ", "a = 1 OR ", "a.b AND ", "l["};
	struct partiql_statement statement;
	struct tide_error error;
	struct arena arena;
	char text[PARTIQL_STATEMENT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof opens / sizeof *opens; i++) {
		size_t n = (size_t)snprintf(text, sizeof text, "SELECT * FROM tab WHERE a = 1 AND ");

		while (n + strlen(opens[i]) < PARTIQL_STATEMENT_MAX)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s", opens[i]);
		arena_init(&arena, 0);
		assert_int_equal(
		    partiql_parse(&arena, bytes_of(text, n), NULL, 0, &statement, &error), TIDE_VALIDATION);
		arena_fini(&arena);
	}
}

static void
test_no_memory_is_an_error(void **state)
{
	static const char *const texts[] = {
	    "SELECT a.b, c[1] FROM tab WHERE pk = 'a' AND (sk IN [1, 2] OR size(x) > 1) ORDER BY sk DESC",
	    "INSERT INTO tab VALUE {'a': [1, <<'x', 'y'>>, {'b': null}]}",
	    "UPDATE tab SET a = list_append(b, [1]), s = set_add(s, <<1>>) REMOVE c WHERE pk = 'a'",
	};
	struct partiql_statement statement;
	struct tide_error error;
	struct arena arena;
	tide_err rc;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		for (size_t limit = 1; limit < 1 << 20; limit += 64) {
			arena_init(&arena, limit);
			rc = partiql_parse(&arena, bytes_of_string(texts[i]), NULL, 0, &statement, &error);
			arena_fini(&arena);
			if (rc == TIDE_OK)
				break;
			assert_int_equal(rc, TIDE_NOMEM);
		}
		assert_int_equal(rc, TIDE_OK);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_insert_has_an_item),
	    cmocka_unit_test(test_a_row_is_named_by_the_end_of_its_path),
	    cmocka_unit_test(test_other_expressions_say_what_they_are),
	    cmocka_unit_test(test_nesting_is_bounded),
	    cmocka_unit_test(test_no_memory_is_an_error),
	};
	size_t n = sizeof refused_cases / sizeof *refused_cases;
	struct CMUnitTest *rows = calloc(n, sizeof *rows);
	int failed;

	if (rows == NULL)
		return 1;
	for (size_t i = 0; i < n; i++)
		rows[i] = (struct CMUnitTest){.name = refused_cases[i].text,
		    .test_func = test_refused,
		    .initial_state = (void *)&refused_cases[i]};
	failed = _cmocka_run_group_tests("statements that are refused", rows, n, NULL, NULL);
	free(rows);
	return failed + cmocka_run_group_tests_name("statements", tests, NULL, NULL);
}
