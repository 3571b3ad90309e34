/* What key conditions select, and which are refused. */
#include "tests/unit/expr/expr_test.h"

#define INVALID_OPERATOR "Invalid operator used in KeyConditionExpression: "
#define NESTED_OPERATIONS "KeyConditionExpressions cannot contain nested operations"
#define NESTED_ATTRIBUTES "KeyConditionExpressions cannot have conditions on nested attributes"
#define MULTIPLE "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"
#define NO_KEY "Invalid condition in KeyConditionExpression: No key attribute specified"
#define ONCE "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key"
#define FIRST(op)                                                                                            \
	"Invalid condition in KeyConditionExpression: " op                                                   \
	" operator must have the key attribute as its first operand"
#define SCHEMA                                                                                               \
	"One or more parameter values were invalid: Condition parameter type does not match schema type"
#define UNSUPPORTED "Query key condition not supported"

/* pk is S, sk is N; a name that ends in "+" asks for a schema without a sort key, in "$" for one of type S. */
static const struct key_case {
	const char *expression; /* also the name */
	const char *values;
	enum expr_range range;
	const char *low, *high;
	const char *error;
} cases[] = {
    {"pk = :p", "{':p':{'S':'k'}}", EXPR_RANGE_ALL},
    {":p = pk", "{':p':{'S':'k'}}", EXPR_RANGE_ALL},
    {"pk = :p AND sk = :v", "{':p':{'S':'k'},':v':{'N':'5'}}", EXPR_RANGE_EQ, "5"},
    {"sk = :v AND pk = :p", "{':p':{'S':'k'},':v':{'N':'5'}}", EXPR_RANGE_EQ, "5"},
    {"(pk = :p) and (sk < :v)", "{':p':{'S':'k'},':v':{'N':'5'}}", EXPR_RANGE_LT, "5"},
    {"pk = :p AND sk <= :v", "{':p':{'S':'k'},':v':{'N':'5'}}", EXPR_RANGE_LE, "5"},
    {"pk = :p AND sk > :v", "{':p':{'S':'k'},':v':{'N':'5'}}", EXPR_RANGE_GT, "5"},
    {"pk = :p AND sk >= :v", "{':p':{'S':'k'},':v':{'N':'5'}}", EXPR_RANGE_GE, "5"},
    {"pk = :p AND :v >= sk", "{':p':{'S':'k'},':v':{'N':'5'}}", EXPR_RANGE_LE, "5"},
    {"pk = :p AND :v < sk", "{':p':{'S':'k'},':v':{'N':'5'}}", EXPR_RANGE_GT, "5"},
    {"pk = :p AND sk BETWEEN :v AND :w", "{':p':{'S':'k'},':v':{'N':'4'},':w':{'N':'7'}}", EXPR_RANGE_BETWEEN,
	"4", "7"},
    {"pk = :p AND begins_with(sk, :v) $", "{':p':{'S':'k'},':v':{'S':'00'}}", EXPR_RANGE_BEGINS_WITH, "00"},
    /* without the schema */
    {"pk = :p OR sk = :v", "{':p':{'S':'k'},':v':{'N':'5'}}", 0, NULL, NULL, INVALID_OPERATOR "OR"},
    {"NOT pk = :p", "{':p':{'S':'k'}}", 0, NULL, NULL, INVALID_OPERATOR "NOT"},
    {"pk = :p AND sk <> :v", "{':p':{'S':'k'},':v':{'N':'5'}}", 0, NULL, NULL, INVALID_OPERATOR "<>"},
    {"pk = :p AND sk IN (:v)", "{':p':{'S':'k'},':v':{'N':'5'}}", 0, NULL, NULL, INVALID_OPERATOR "IN"},
    {"attribute_exists(pk)", NULL, 0, NULL, NULL, INVALID_OPERATOR "attribute_exists"},
    {"attribute_type(pk, :p)", "{':p':{'S':'S'}}", 0, NULL, NULL, INVALID_OPERATOR "attribute_type"},
    {"contains(a.d, b)", NULL, 0, NULL, NULL, INVALID_OPERATOR "contains"},
    {"a > b and size(b) > c or a > c", NULL, 0, NULL, NULL, INVALID_OPERATOR "OR"},
    {"size(b) > a AND a.b > b AND b > c", NULL, 0, NULL, NULL, NESTED_OPERATIONS},
    {"a > size(b.d)", NULL, 0, NULL, NULL, NESTED_OPERATIONS},
    {"a between size(b) and size(a)", NULL, 0, NULL, NULL, NESTED_OPERATIONS},
    {"b > a.b", NULL, 0, NULL, NULL, MULTIPLE},
    {"b between c[1] and d", NULL, 0, NULL, NULL, MULTIPLE},
    {"a between b and size(a)", NULL, 0, NULL, NULL, MULTIPLE},
    {"begins_with(a, b)", NULL, 0, NULL, NULL, MULTIPLE},
    {"b.d > a AND c.d > e.f", NULL, 0, NULL, NULL, NESTED_ATTRIBUTES},
    {"b[0] > a", NULL, 0, NULL, NULL, NESTED_ATTRIBUTES},
    {"pk = :p AND a.b < :p", "{':p':{'S':'k'}}", 0, NULL, NULL, NESTED_ATTRIBUTES},
    {":p > :v AND a < :v", "{':p':{'N':'1'},':v':{'N':'5'}}", 0, NULL, NULL, NO_KEY},
    {":p between :p and :p", "{':p':{'N':'1'}}", 0, NULL, NULL, FIRST("BETWEEN")},
    {"begins_with(:p, b) and a > :p", "{':p':{'S':'1'}}", 0, NULL, NULL, FIRST("begins_with")},
    {"pk = :p AND sk > :v AND sk < :v", "{':p':{'S':'k'},':v':{'N':'5'}}", 0, NULL, NULL, ONCE},
    {"pk = :p AND pk = :p", "{':p':{'S':'k'}}", 0, NULL, NULL, ONCE},
    /* with it */
    {"pk = :p AND sk > :v AND extra = :v", "{':p':{'S':'k'},':v':{'N':'5'}}", 0, NULL, NULL,
	"The number of query conditions (3) exceeds the number of key attributes defined in the schema (2)"},
    {"pk = :p AND sk = :v +", "{':p':{'S':'k'},':v':{'N':'5'}}", 0, NULL, NULL,
	"The number of query conditions (2) exceeds the number of key attributes defined in the schema (1)"},
    {"sk = :v", "{':v':{'N':'5'}}", 0, NULL, NULL, "Query condition missed key schema element: pk"},
    {"pk = :p AND extra < :v", "{':p':{'S':'k'},':v':{'N':'5'}}", 0, NULL, NULL,
	"Query condition missed key schema element: sk"},
    {"pk > :p", "{':p':{'S':'k'}}", 0, NULL, NULL, UNSUPPORTED},
    {"pk BETWEEN :p AND :p", "{':p':{'S':'k'}}", 0, NULL, NULL, UNSUPPORTED},
    {"begins_with(pk, :p) AND sk = :v", "{':p':{'S':'k'},':v':{'N':'5'}}", 0, NULL, NULL, UNSUPPORTED},
    {"pk = :p ", "{':p':{'N':'5'}}", 0, NULL, NULL, SCHEMA},
    {"pk = :p AND sk = :v ", "{':p':{'S':'k'},':v':{'BOOL':true}}", 0, NULL, NULL, SCHEMA},
    {"pk = :p AND begins_with(sk, :v)", "{':p':{'S':'k'},':v':{'S':'a'}}", 0, NULL, NULL, SCHEMA},
    {"pk = :p  ", "{':p':{'S':''}}", 0, NULL, NULL,
	"One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain "
	"an empty string "
	"value. Key: pk"},
};

static void
key_condition_selects(void **state)
{
	const struct key_case *c = *state;
	char last = c->expression[strlen(c->expression) - 1];
	struct expr_key_schema schema = {.partition = BYTES_LITERAL("pk"),
	    .sort = BYTES_LITERAL("sk"),
	    .partition_type = VALUE_S,
	    .sort_type = VALUE_N};
	struct bytes text = bytes_of_string(c->expression);
	const struct expr_condition *condition;
	struct expr_key_condition derived;
	struct world w;

	if (last == '+' || last == '$')
		text.n--;
	if (last == '+')
		schema.sort = BYTES_NONE;
	if (last == '$')
		schema.sort_type = VALUE_S;
	world_open(&w, NULL, c->values);
	expect_ok(
	    &w, expr_condition_parse(&w.arena, EXPR_KEY_CONDITION, text, &w.scope, &condition, &w.error));
	if (!expect_error(&w, expr_key_condition_derive(condition, &schema, &derived, &w.error), c->error)) {
		expect_ok(&w, expr_key_condition_check(condition, &w.error));
		assert_true(bytes_is(derived.partition.text, "k"));
		assert_int_equal(derived.range, c->range);
		if (c->low != NULL)
			assert_true(bytes_is(derived.low.text, c->low));
		if (c->high != NULL)
			assert_true(bytes_is(derived.high.text, c->high));
	}
	world_close(&w);
}

static void
range_matches_as_its_condition_does(void **state)
{
	static const char *const expressions[] = {"pk = :p AND sk = :a", "pk = :p AND sk < :a",
	    "pk = :p AND sk <= :a", "pk = :p AND sk > :a", "pk = :p AND sk >= :a",
	    "pk = :p AND sk BETWEEN :a AND :b", "pk = :p AND begins_with(sk, :a)", "pk = :p"};
	static const char *const keys[] = {"a", "b", "ba", "bz", "c", "ca", "d"};
	const struct expr_key_schema schema = {.partition = BYTES_LITERAL("pk"),
	    .sort = BYTES_LITERAL("sk"),
	    .partition_type = VALUE_S,
	    .sort_type = VALUE_S};
	const struct expr_condition *condition;
	struct expr_key_condition derived;
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++) {
		world_open(&w, NULL, "{':p':{'S':'k'},':a':{'S':'b'},':b':{'S':'c'}}");
		expect_ok(&w, expr_condition_parse(&w.arena, EXPR_KEY_CONDITION,
				  bytes_of_string(expressions[i]), &w.scope, &condition, &w.error));
		expect_ok(&w, expr_key_condition_derive(condition, &schema, &derived, &w.error));
		for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
			struct value item = read_item(&w, "{'pk':{'S':'k'},'sk':{'S':'x'}}");

			item.map.at[1].value.text = bytes_of_string(keys[k]);
			assert_int_equal(expr_key_condition_matches(&derived, &item.map.at[1].value),
			    expr_condition_eval(condition, &item));
		}
		world_close(&w);
	}
}

static void
filter_leaves_keys_alone(void **state)
{
	const struct expr_key_schema schema = {.partition = BYTES_LITERAL("pk"),
	    .sort = BYTES_LITERAL("sk"),
	    .partition_type = VALUE_S,
	    .sort_type = VALUE_N};
	const struct expr_condition *filter;
	struct world w;

	(void)state;
	world_open(&w, NULL, "{':v':{'N':'1'}}");
	expect_ok(&w, expr_condition_parse(&w.arena, EXPR_FILTER, BYTES_LITERAL("a = :v AND sk > :v"),
			  &w.scope, &filter, &w.error));
	expect_error(&w, expr_filter_check_keys(filter, &schema, &w.error),
	    "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk");
	expect_ok(&w, expr_condition_parse(
			  &w.arena, EXPR_FILTER, BYTES_LITERAL("a.pk = :v"), &w.scope, &filter, &w.error));
	expect_ok(&w, expr_filter_check_keys(filter, &schema, &w.error));
	expect_ok(&w, expr_condition_check_paths(filter, &schema, &w.error));
	expect_ok(&w, expr_filter_check_keys(NULL, &schema, &w.error));
	expect_ok(&w, expr_condition_parse(&w.arena, EXPR_FILTER, BYTES_LITERAL("NOT size(pk.a) = :v"),
			  &w.scope, &filter, &w.error));
	expect_error(&w, expr_condition_check_paths(filter, &schema, &w.error),
	    "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
	    "Key: pk");
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest others[] = {
	    cmocka_unit_test(range_matches_as_its_condition_does),
	    cmocka_unit_test(filter_leaves_keys_alone),
	};
	int failed = RUN_ROWS("key condition", key_condition_selects, cases);

	return failed + cmocka_run_group_tests_name("key ranges", others, NULL, NULL);
}
