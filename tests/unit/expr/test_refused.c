/* Texts that are refused, with the sentence. */
#include "tests/unit/expr/expr_test.h"

#include <stdio.h>

static const struct refused_case {
	const char *expression; /* also the name */
	enum expr_kind kind;
	const char *error; /* behind "Invalid <kind>: "; NULL: accepted */
	const char *values, *names;
} cases[] = {
    /* size and emptiness */
    {"", EXPR_CONDITION, "The expression can not be empty;"},
    {" \t", EXPR_UPDATE, "The expression can not be empty;"},
    {"", EXPR_PROJECTION, "The expression can not be empty;"},
    /* syntax: the token, and what stands around it */
    {"foo", EXPR_CONDITION, "Syntax error; token: \"<EOF>\", near: \"foo\""},
    {"foo ", EXPR_CONDITION, "Syntax error; token: \"<EOF>\", near: \"foo \""},
    {"SET", EXPR_UPDATE, "Syntax error; token: \"<EOF>\", near: \"SET\""},
    {"SET foo bar", EXPR_UPDATE, "Syntax error; token: \"bar\", near: \"foo bar\""},
    {"SET _123 = :v", EXPR_UPDATE, "Syntax error; token: \"_\", near: \"SET _123\""},
    {"SET a = _f(b,c,d)", EXPR_UPDATE, "Syntax error; token: \"_\", near: \"= _f\""},
    {"SET 123a = :v", EXPR_UPDATE, "Syntax error; token: \"123\", near: \"SET 123a\""},
    {"SET hi-there = :v", EXPR_UPDATE, "Syntax error; token: \"-\", near: \"hi-there\""},
    {"SET hi$there = :v", EXPR_UPDATE, "Syntax error; token: \"$\", near: \"hi$there\""},
    {"SET # = :v", EXPR_UPDATE, "Syntax error; token: \"#\", near: \"SET # =\""},
    {"SET a = :", EXPR_UPDATE, "Syntax error; token: \":\", near: \"= :\""},
    {"SET :a = :b", EXPR_UPDATE, "Syntax error; token: \":a\", near: \"SET :a =\""},
    {"SET a = :v + :v + :v", EXPR_UPDATE, "Syntax error; token: \"+\", near: \":v + :v\""},
    {"SET a = f(b, :v+:v)", EXPR_UPDATE, "Syntax error; token: \"+\", near: \":v+:v\""},
    {"SET a[:x] = :v", EXPR_UPDATE, "Syntax error; token: \":x\", near: \"[:x]\""},
    {"SET a[#x] = :v", EXPR_UPDATE, "Syntax error; token: \"#x\", near: \"[#x]\""},
    {"SET a[01] = :v", EXPR_UPDATE, "Syntax error; token: \"1\", near: \"01]\""},
    {"SET a = VALUE 1", EXPR_UPDATE, "Syntax error; token: \"1\", near: \"VALUE 1\""},
    {"HELLO b = :v", EXPR_UPDATE, "Syntax error; token: \"HELLO\", near: \"HELLO b\""},
    {"SET a = :v,", EXPR_UPDATE, "Syntax error; token: \"<EOF>\", near: \",\""},
    {"ADD a b", EXPR_UPDATE, "Syntax error; token: \"b\", near: \"a b\""},
    {"SET (a) = :v", EXPR_UPDATE, "Syntax error; token: \"(\", near: \"SET (a\""},
    {"a = = b", EXPR_CONDITION, "Syntax error; token: \"=\", near: \"= = b\""},
    {"a != :v", EXPR_CONDITION, "Syntax error; token: \"!\", near: \"a !=\""},
    {"a > 4", EXPR_CONDITION, "Syntax error; token: \"4\", near: \"> 4\""},
    {"a IN ()", EXPR_CONDITION, "Syntax error; token: \")\", near: \"()\""},
    {"contains()", EXPR_CONDITION, "Syntax error; token: \")\", near: \"()\""},
    {"a", EXPR_CONDITION, "Syntax error; token: \"<EOF>\", near: \"a\""},
    {":v", EXPR_CONDITION, "Syntax error; token: \"<EOF>\", near: \":v\"", "{':v':{'N':'1'}}"},
    {"(size(a))[0] > a", EXPR_FILTER, "Syntax error; token: \"[\", near: \")[0\""},
    {"a = :v AND", EXPR_FILTER, "Syntax error; token: \"<EOF>\", near: \"AND\"", "{':v':{'N':'1'}}"},
    {"a = :v)", EXPR_FILTER, "Syntax error; token: \")\", near: \":v)\"", "{':v':{'N':'1'}}"},
    {"a = :v b", EXPR_KEY_CONDITION, "Syntax error; token: \"b\", near: \":v b\"", "{':v':{'N':'1'}}"},
    {"in = :v", EXPR_CONDITION, "Syntax error; token: \"in\", near: \"in =\""},
    {"set = :v", EXPR_CONDITION, "Syntax error; token: \"set\", near: \"set =\""},
    {"a \xc3\xa9 b", EXPR_CONDITION, "Syntax error; token: \"\xc3\xa9\", near: \"a \xc3\xa9 b\""},
    {"a,", EXPR_PROJECTION, "Syntax error; token: \"<EOF>\", near: \",\""},
    {",a", EXPR_PROJECTION, "Syntax error; token: \",\", near: \",a\""},
    {"a,,b", EXPR_PROJECTION, "Syntax error; token: \",\", near: \",,b\""},
    {"a b", EXPR_PROJECTION, "Syntax error; token: \"b\", near: \"a b\""},
    {"\"a b\"", EXPR_PROJECTION, "Syntax error; token: \"\"\", near: \"\"a\""},
    {"[0]", EXPR_PROJECTION, "Syntax error; token: \"[\", near: \"[0\""},
    /* parentheses */
    {"((a = :v))", EXPR_CONDITION, "The expression has redundant parentheses;", "{':v':{'N':'1'}}"},
    {"((attribute_exists(a)))", EXPR_CONDITION, "The expression has redundant parentheses;"},
    {"((a)) = :v", EXPR_CONDITION, "The expression has redundant parentheses;", "{':v':{'N':'1'}}"},
    {"a = ((:v))", EXPR_CONDITION, "The expression has redundant parentheses;", "{':v':{'N':'1'}}"},
    {"((c=:v) AND ((p=:v)))", EXPR_KEY_CONDITION, "The expression has redundant parentheses;",
	"{':v':{'N':'1'}}"},
    {"((a = :v)) AND", EXPR_CONDITION, "The expression has redundant parentheses;", "{':v':{'N':'1'}}"},
    {"((c=:v) AND (p=:v))", EXPR_KEY_CONDITION, NULL, "{':v':{'N':'1'}}"},
    {"SET c = ((c - :v))", EXPR_UPDATE, "The expression has redundant parentheses;", "{':v':{'N':'1'}}"},
    {"SET c = ((:v))", EXPR_UPDATE, "The expression has redundant parentheses;", "{':v':{'N':'1'}}"},
    /* names */
    {"status = :v", EXPR_CONDITION, "Attribute name is a reserved keyword; reserved keyword: status"},
    {"a.Name = :v", EXPR_FILTER, "Attribute name is a reserved keyword; reserved keyword: Name"},
    {"SET a = :v, size = :v", EXPR_UPDATE, "Attribute name is a reserved keyword; reserved keyword: size"},
    {"SET a = abort", EXPR_UPDATE, "Attribute name is a reserved keyword; reserved keyword: abort"},
    {"a, zone", EXPR_PROJECTION, "Attribute name is a reserved keyword; reserved keyword: zone"},
    {"a, zones, localtimestam, localtimestampp, specifictypes", EXPR_PROJECTION, NULL},
    {"#a = :v", EXPR_CONDITION,
	"An expression attribute name used in the document path is not defined; attribute name: #a",
	"{':v':{'N':'1'}}"},
    {"a.#b", EXPR_PROJECTION,
	"An expression attribute name used in the document path is not defined; attribute name: #b", NULL,
	"{'#c':'x'}"},
    {"SET #a = :v", EXPR_UPDATE,
	"An expression attribute name used in the document path is not defined; attribute name: #a"},
    {"SET a = #a", EXPR_UPDATE,
	"An expression attribute name used in the document path is not defined; attribute name: #a"},
    {"a = :v", EXPR_CONDITION,
	"An expression attribute value used in expression is not defined; attribute value: :v"},
    {"SET a = if_not_exists(:w, :v)", EXPR_UPDATE,
	"An expression attribute value used in expression is not defined; attribute value: :w",
	"{':v':{'N':'1'}}"},
    {"a[2147483648]", EXPR_PROJECTION, "List index is not within the allowable range; index: [2147483648]"},
    {"a[99999999999999999999999]", EXPR_PROJECTION,
	"List index is not within the allowable range; index: [99999999999999999999999]"},
    {"a[2147483647]", EXPR_PROJECTION, NULL},
    {"b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b", EXPR_PROJECTION,
	"The document path has too many nesting levels; nesting levels: 33"},
    {"b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b", EXPR_PROJECTION, NULL},
    {"SET b[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0] "
     "= :v",
	EXPR_UPDATE, "The document path has too many nesting levels; nesting levels: 33", "{':v':{'N':'1'}}"},
    /* functions */
    {"dog(a) = :v", EXPR_CONDITION, "Invalid function name; function: dog"},
    {"BEGINS_WITH(a, :v)", EXPR_CONDITION, "Invalid function name; function: BEGINS_WITH"},
    {"SET a = f123_hi(b,c,d)", EXPR_UPDATE, "Invalid function name; function: f123_hi"},
    {"SET a = LIST_APPEND(b, c)", EXPR_UPDATE, "Invalid function name; function: LIST_APPEND"},
    {"size(a)", EXPR_CONDITION,
	"The function is not allowed to be used this way in an expression; function: size"},
    {"NOT (size(a))", EXPR_CONDITION,
	"The function is not allowed to be used this way in an expression; function: size"},
    {"attribute_exists(a) < :v", EXPR_CONDITION,
	"The function is not allowed to be used this way in an expression; function: attribute_exists"},
    {"contains(a, begins_with(b, :v))", EXPR_CONDITION,
	"The function is not allowed to be used this way in an expression; function: begins_with"},
    {"if_not_exists(a, b) = :v", EXPR_CONDITION,
	"The function is not allowed in a condition expression; function: if_not_exists"},
    {"SET a = size(b)", EXPR_UPDATE, "The function is not allowed in an update expression; function: size"},
    {"SET a = list_append(list_append(:v, :v), :v)", EXPR_UPDATE,
	"The function is not allowed to be used this way in an expression; function: list_append"},
    {"contains(a)", EXPR_FILTER,
	"Incorrect number of operands for operator or function; operator or function: contains, number of "
	"operands: 1"},
    {"size(a, b) = :v", EXPR_FILTER,
	"Incorrect number of operands for operator or function; operator or function: size, number of "
	"operands: 2"},
    {"SET a = list_append(b)", EXPR_UPDATE,
	"Incorrect number of operands for operator or function; operator or function: list_append, number of "
	"operands: 1"},
    {"SET a = if_not_exists(b, c, d)", EXPR_UPDATE,
	"Incorrect number of operands for operator or function; operator or function: if_not_exists, number "
	"of operands: 3"},
    {"attribute_exists(:v)", EXPR_CONDITION,
	"Operator or function requires a document path; operator or function: attribute_exists",
	"{':v':{'N':'1'}}"},
    {"attribute_not_exists(size(a))", EXPR_CONDITION,
	"Operator or function requires a document path; operator or function: attribute_not_exists"},
    {"SET a = if_not_exists(if_not_exists(a, :v), :v)", EXPR_UPDATE,
	"Operator or function requires a document path; operator or function: if_not_exists",
	"{':v':{'N':'1'}}"},
    /* operand types */
    {"begins_with(a, :v)", EXPR_CONDITION,
	"Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
	"{':v':{'N':'1'}}"},
    {"begins_with(size(a), :v)", EXPR_CONDITION,
	"Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
	"{':v':{'S':'1'}}"},
    {"a < :v", EXPR_KEY_CONDITION,
	"Incorrect operand type for operator or function; operator or function: <, operand type: BOOL",
	"{':v':{'BOOL':true}}"},
    {":v >= a", EXPR_CONDITION,
	"Incorrect operand type for operator or function; operator or function: >=, operand type: L",
	"{':v':{'L':[]}}"},
    {"a BETWEEN :v AND :v", EXPR_CONDITION,
	"Incorrect operand type for operator or function; operator or function: BETWEEN, operand type: M",
	"{':v':{'M':{}}}"},
    {"size(:v) > a", EXPR_CONDITION,
	"Incorrect operand type for operator or function; operator or function: size, operand type: N",
	"{':v':{'N':'1'}}"},
    {"attribute_type(a, :v)", EXPR_CONDITION,
	"Incorrect operand type for operator or function; operator or function: attribute_type, operand "
	"type: N",
	"{':v':{'N':'1'}}"},
    {"attribute_type(a, :v) ", EXPR_CONDITION,
	"Invalid attribute type name found; type: DOG, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
	"{':v':{'S':'DOG'}}"},
    {"SET a = list_append(b, :v)", EXPR_UPDATE,
	"Incorrect operand type for operator or function; operator or function: list_append, operand type: S",
	"{':v':{'S':'x'}}"},
    {"SET a = b + :v", EXPR_UPDATE,
	"Incorrect operand type for operator or function; operator or function: +, operand type: S",
	"{':v':{'S':'x'}}"},
    {"SET a = :v - b", EXPR_UPDATE,
	"Incorrect operand type for operator or function; operator or function: -, operand type: NS",
	"{':v':{'NS':['1']}}"},
    {"ADD a :v", EXPR_UPDATE,
	"Incorrect operand type for operator or function; operator: ADD, operand type: STRING, "
	"typeSet: ALLOWED_FOR_ADD_OPERAND",
	"{':v':{'S':'x'}}"},
    {"ADD a :v ", EXPR_UPDATE,
	"Incorrect operand type for operator or function; operator: ADD, operand type: LIST, "
	"typeSet: ALLOWED_FOR_ADD_OPERAND",
	"{':v':{'L':[]}}"},
    {"DELETE a :v", EXPR_UPDATE,
	"Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER, "
	"typeSet: ALLOWED_FOR_DELETE_OPERAND",
	"{':v':{'N':'1'}}"},
    {"a BETWEEN :v AND :w", EXPR_CONDITION,
	"The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: "
	"AttributeValue: {N:1}, "
	"upper bound operand: AttributeValue: {S:a}",
	"{':v':{'N':'1'},':w':{'S':'a'}}"},
    {"a BETWEEN :v AND :w ", EXPR_KEY_CONDITION,
	"The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound "
	"operand: "
	"AttributeValue: {S:b}, upper bound operand: AttributeValue: {S:a}",
	"{':v':{'S':'b'},':w':{'S':'a'}}"},
    /* distinct operands */
    {"a = a", EXPR_CONDITION,
	"The first operand must be distinct from the remaining operands for this operator or function; "
	"operator: =, first "
	"operand: [a]"},
    {"a.b[3] <> #a.b[3]", EXPR_CONDITION,
	"The first operand must be distinct from the remaining operands for this operator or function; "
	"operator: <>, first "
	"operand: [a, b, [3]]",
	NULL, "{'#a':'a'}"},
    {"contains(a, a)", EXPR_CONDITION,
	"The first operand must be distinct from the remaining operands for this operator or function; "
	"operator: contains, "
	"first operand: [a]"},
    {"a IN (b, a)", EXPR_CONDITION,
	"The first operand must be distinct from the remaining operands for this operator or function; "
	"operator: IN, first "
	"operand: [a]"},
    {"a BETWEEN b AND a", EXPR_CONDITION,
	"The first operand must be distinct from the remaining operands for this operator or function; "
	"operator: BETWEEN, "
	"first operand: [a]"},
    {"size(a) = size(a)", EXPR_CONDITION, NULL},
    /* sections and paths */
    {"SET a = :v SET b = :v", EXPR_UPDATE,
	"The \"SET\" section can only be used once in an update expression;"},
    {"SET a = :v REMOVE c SET b = :v", EXPR_UPDATE,
	"The \"SET\" section can only be used once in an update expression;"},
    {"REMOVE a REMOVE b", EXPR_UPDATE,
	"The \"REMOVE\" section can only be used once in an update expression;"},
    {"ADD a :v ADD b :v", EXPR_UPDATE, "The \"ADD\" section can only be used once in an update expression;"},
    {"DELETE a :v DELETE b :v", EXPR_UPDATE,
	"The \"DELETE\" section can only be used once in an update expression;"},
    {"SET a = :v REMOVE a", EXPR_UPDATE,
	"Two document paths overlap with each other; must remove or rewrite one of these paths; path one: "
	"[a], path two: [a]"},
    {"SET a = :v, a.b = :v", EXPR_UPDATE,
	"Two document paths overlap with each other; must remove or rewrite one of these paths; path one: "
	"[a], path two: "
	"[a, b]"},
    {"SET a[1][1] = :v, b = :v, a[1] = :v", EXPR_UPDATE,
	"Two document paths overlap with each other; must remove or rewrite one of these paths; path one: "
	"[a, [1], [1]], "
	"path two: [a, [1]]"},
    {"SET #x = :v, #y = :v", EXPR_UPDATE,
	"Two document paths overlap with each other; must remove or rewrite one of these paths; path one: "
	"[a], path two: [a]",
	NULL, "{'#x':'a','#y':'a'}"},
    {"SET a.b = :v, a[1] = :v", EXPR_UPDATE,
	"Two document paths conflict with each other; must remove or rewrite one of these paths; path one: "
	"[a, b], path two: "
	"[a, [1]]"},
    {"a, a.b[0]", EXPR_PROJECTION,
	"Two document paths overlap with each other; must remove or rewrite one of these paths; path one: "
	"[a], path two: "
	"[a, b, [0]]"},
    {"a.b.c, d, a.b[2]", EXPR_PROJECTION,
	"Two document paths conflict with each other; must remove or rewrite one of these paths; path one: "
	"[a, b, c], path "
	"two: [a, b, [2]]"},
    {"a.b, a.c, a.d[1], a.d[2], ab, b.b", EXPR_PROJECTION, NULL},
};

static tide_err
parse(struct world *w, enum expr_kind kind, struct bytes text)
{
	const struct expr_condition *condition;
	const struct expr_projection *projection;
	const struct expr_update *update;

	if (kind == EXPR_UPDATE)
		return expr_update_parse(&w->arena, text, &w->scope, &update, &w->error);
	if (kind == EXPR_PROJECTION)
		return expr_projection_parse(&w->arena, text, &w->scope, &projection, &w->error);
	return expr_condition_parse(&w->arena, kind, text, &w->scope, &condition, &w->error);
}

static void
expect_refused(struct world *w, enum expr_kind kind, struct bytes text, const char *error)
{
	char want[TIDE_MESSAGE_MAX];

	snprintf(want, sizeof want, "Invalid %s: %s", expr_kind_name(kind), error != NULL ? error : "");
	expect_error(w, parse(w, kind, text), error != NULL ? want : NULL);
}

static void
text_is_refused(void **state)
{
	const struct refused_case *c = *state;
	struct world w;

	world_open(&w, c->names, c->values);
	expect_refused(&w, c->kind, bytes_of_string(c->expression), c->error);
	world_close(&w);
}

/* `head`, then `n` times `part`, then `tail`. */
static struct bytes
repeat(struct world *w, const char *head, const char *part, size_t n, const char *tail)
{
	struct buf text = {0};
	struct bytes copy;

	buf_append_string(&text, head);
	for (size_t i = 0; i < n; i++)
		buf_append_string(&text, part);
	buf_append_string(&text, tail);
	copy = arena_copy(&w->arena, buf_bytes(&text));
	buf_fini(&text);
	assert_non_null(copy.at);
	return copy;
}

static const char value_v[] = "{':v':{'N':'1'}}";

static void
size_is_bounded(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, NULL, value_v);
	expect_refused(&w, EXPR_CONDITION, repeat(&w, "a = :v", " AND a = :v", 373, ""),
	    "Expression size has exceeded the maximum allowed size; expression size: 4109");
	expect_refused(&w, EXPR_UPDATE, repeat(&w, "SET a = :v", ", b = :v", 600, ""),
	    "Expression size has exceeded the maximum allowed size;");
	expect_refused(&w, EXPR_PROJECTION, repeat(&w, "a", "b", EXPR_BYTES_MAX - 1, ""), NULL);
	expect_refused(&w, EXPR_PROJECTION, repeat(&w, "a", "b", EXPR_BYTES_MAX, ""),
	    "Expression size has exceeded the maximum allowed size; expression size: 4097");
	world_close(&w);
}

static void
operators_are_bounded(void **state)
{
	static const char too_many[] = "The expression contains too many operators; operator count: 301";
	struct world w;

	(void)state;
	world_open(&w, NULL, value_v);
	expect_refused(&w, EXPR_CONDITION, repeat(&w, "a<:v", " OR a<:v", 149, ""), NULL); /* 299 */
	expect_refused(&w, EXPR_CONDITION, repeat(&w, "NOT a<:v", " OR a<:v", 149, ""), NULL);
	expect_refused(&w, EXPR_CONDITION, repeat(&w, "NOT NOT a<:v", " OR a<:v", 149, ""), too_many);
	expect_refused(&w, EXPR_CONDITION, repeat(&w, "a<:v", " or a<:v", 450, ""), too_many);
	/* IN is one operator, however many operands it has */
	expect_refused(&w, EXPR_CONDITION, repeat(&w, "a IN (:v", ",:v", 99, ")"), NULL);
	expect_refused(&w, EXPR_CONDITION, repeat(&w, "a IN (:v", ",:v", 100, ")"),
	    "The IN operator is provided with too many operands; number of operands: 101");
	world_close(&w);
}

static void
nesting_is_bounded(void **state)
{
	struct bytes open;
	struct world w;

	(void)state;
	world_open(&w, NULL, value_v);
	expect_refused(
	    &w, EXPR_CONDITION, repeat(&w, "", "(", 4000, ""), "The expression has redundant parentheses;");
	expect_refused(&w, EXPR_CONDITION, repeat(&w, "", "NOT ", 1000, ""),
	    "Syntax error; token: \"<EOF>\", near: \"NOT \"");
	expect_refused(&w, EXPR_CONDITION, repeat(&w, "", "NOT ", 299, "a = :v"), NULL);
	expect_refused(&w, EXPR_CONDITION, repeat(&w, "", "NOT (", 299, ""),
	    "Syntax error; token: \"<EOF>\", near: \"(\"");
	open = repeat(&w, "", "a=:v AND (", 280, "");
	expect_refused(&w, EXPR_CONDITION, repeat(&w, (const char *)open.at, ")", 0, "a=:v"),
	    "Syntax error; token: \"<EOF>\", near: \":v\"");
	open = repeat(&w, (const char *)open.at, ")", 0, "a=:v");
	expect_refused(&w, EXPR_CONDITION, repeat(&w, (const char *)open.at, ")", 280, ""),
	    "The expression contains too many operators; operator count: 301");
	open = repeat(&w, "", "a=:v AND (", 149, "a=:v");
	expect_refused(&w, EXPR_CONDITION, repeat(&w, (const char *)open.at, ")", 149, ""), NULL);
	expect_refused(&w, EXPR_CONDITION, repeat(&w, "a = ", "size(", 800, ""),
	    "The expression has redundant parentheses;");
	expect_refused(&w, EXPR_UPDATE, repeat(&w, "SET a = ", "(", 4000, ""),
	    "The expression has redundant parentheses;");
	expect_refused(&w, EXPR_UPDATE, repeat(&w, "SET a = ", "if_not_exists(x, ", 230, ""),
	    "Syntax error; token: \"<EOF>\", near: \", \"");
	world_close(&w);
}

/* Whatever byte of memory is missing, the parse says so and nothing else happens. */
static void
no_memory_is_reported(void **state)
{
	static const struct {
		enum expr_kind kind;
		const char *text;
	} texts[] = {
	    {EXPR_CONDITION,
		"(a.b[3] = :v OR NOT (size(c)) IN (:v, :v)) AND x BETWEEN :v AND y AND contains(#n, :v)"},
	    {EXPR_UPDATE,
		"SET a.b = if_not_exists(#n, :v) + :v, c[1] = list_append(d, e) REMOVE f.#n ADD g :v"},
	    {EXPR_PROJECTION, "a.b, c[1].#n, d, e.f.g[3]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		tide_err rc = TIDE_NOMEM;

		for (size_t spare = 0; rc == TIDE_NOMEM; spare += 16) {
			struct world w;

			assert_true(spare < 100000);
			world_open(&w, "{'#n':'name'}", value_v);
			w.arena.limit = w.arena.used + spare;
			rc = parse(&w, texts[i].kind, bytes_of_string(texts[i].text));
			if (rc != TIDE_NOMEM)
				expect_ok(&w, rc);
			world_close(&w);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest others[] = {
	    cmocka_unit_test(size_is_bounded),
	    cmocka_unit_test(operators_are_bounded),
	    cmocka_unit_test(nesting_is_bounded),
	    cmocka_unit_test(no_memory_is_reported),
	};
	int failed = RUN_ROWS("refused", text_is_refused, cases);

	return failed + cmocka_run_group_tests_name("bounds", others, NULL, NULL);
}
