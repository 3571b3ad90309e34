/* Key conditions on keys of several attributes: partition p, q (S), sort r (N), s (S), t (N). */
#include "tests/unit/expr/expr_test.h"

#define HASHES(names) "HASH key attributes " names " must have equality conditions specified in the query"
#define RANGES(names, at)                                                                                    \
	"RANGE key attributes " names                                                                        \
	" must have equality conditions specified in the query because a condition is present on key "       \
	"attribute " at
#define VALUES "{':a':{'S':'k'},':b':{'S':'l'},':n':{'N':'5'},':m':{'N':'7'}}"

static const struct several_case {
	const char *expression; /* also the name */
	unsigned equal_sorts;
	enum expr_range range;
	const char *low, *high;
	const char *error;
} cases[] = {
    {"p = :a AND q = :b", 0, EXPR_RANGE_ALL},
    {"q = :b AND p = :a", 0, EXPR_RANGE_ALL},
    {"p = :a AND q = :b AND r = :n", 0, EXPR_RANGE_EQ, "5"},
    {"p = :a AND q = :b AND r > :n", 0, EXPR_RANGE_GT, "5"},
    {"p = :a AND q = :b AND r = :n AND s = :b", 1, EXPR_RANGE_EQ, "l"},
    {"s > :b AND r = :n AND p = :a AND q = :b", 1, EXPR_RANGE_GT, "l"},
    {"p = :a AND q = :b AND r = :n AND begins_with(s, :b)", 1, EXPR_RANGE_BEGINS_WITH, "l"},
    {"p = :a AND q = :b AND r = :n AND s = :b AND t BETWEEN :n AND :m", 2, EXPR_RANGE_BETWEEN, "5", "7"},
    {"p = :a", 0, 0, NULL, NULL, HASHES("q")},
    {"q = :b", 0, 0, NULL, NULL, HASHES("p")},
    {"r = :n", 0, 0, NULL, NULL, HASHES("p, q")},
    {"p > :a AND q = :b", 0, 0, NULL, NULL, HASHES("p")},
    {"p = :a AND begins_with(q, :b)", 0, 0, NULL, NULL, HASHES("q")},
    {"p = :a AND q = :b AND s = :b", 0, 0, NULL, NULL, RANGES("r", "s")},
    {"p = :a AND q = :b AND t = :n", 0, 0, NULL, NULL, RANGES("r, s", "t")},
    {"p = :a AND q = :b AND r > :n AND s = :b", 0, 0, NULL, NULL, RANGES("r", "s")},
    {"p = :a AND q = :b AND r > :n AND t = :n", 0, 0, NULL, NULL, RANGES("s", "t")},
    {"p = :a AND q = :b AND x = :b", 0, 0, NULL, NULL, "Query condition missed key schema element: r"},
    {"p = :a AND q = :b AND r = :n AND s = :b AND t = :n AND x = :a", 0, 0, NULL, NULL,
	"Query key condition not supported"},
    {"p = :a AND q = :b AND r = :a", 0, 0, NULL, NULL,
	"One or more parameter values were invalid: Condition parameter type does not match schema type"},
};

static void
conditions_on_several_attributes_are_a_range_of_the_last(void **state)
{
	const struct several_case *c = *state;
	const struct expr_key_schema schema = {
	    .partition = BYTES_LITERAL("p"),
	    .partition_type = VALUE_S,
	    .sort = BYTES_LITERAL("r"),
	    .sort_type = VALUE_N,
	    .more_partitions = {{BYTES_LITERAL("q"), VALUE_S}},
	    .n_more_partitions = 1,
	    .more_sorts = {{BYTES_LITERAL("s"), VALUE_S}, {BYTES_LITERAL("t"), VALUE_N}},
	    .n_more_sorts = 2,
	    .of_index = true,
	    .index = BYTES_LITERAL("several"),
	};
	const struct expr_condition *condition;
	struct expr_key_condition derived;
	struct world w;

	world_open(&w, NULL, VALUES);
	expect_ok(&w, expr_condition_parse(&w.arena, EXPR_KEY_CONDITION, bytes_of_string(c->expression),
			  &w.scope, &condition, &w.error));
	if (!expect_error(&w, expr_key_condition_derive(condition, &schema, &derived, &w.error), c->error)) {
		assert_true(bytes_is(derived.partition.text, "k"));
		assert_int_equal(derived.n_more_partitions, 1);
		assert_true(bytes_is(derived.more_partitions[0].text, "l"));
		assert_int_equal(derived.n_equal_sorts, c->equal_sorts);
		if (c->equal_sorts > 0)
			assert_true(bytes_is(derived.equal_sorts[0].text, "5"));
		assert_int_equal(derived.range, c->range);
		if (c->low != NULL)
			assert_true(bytes_is(derived.low.text, c->low));
		if (c->high != NULL)
			assert_true(bytes_is(derived.high.text, c->high));
	}
	world_close(&w);
}

int
main(void)
{
	return RUN_ROWS(
	    "keys of several attributes", conditions_on_several_attributes_are_a_range_of_the_last, cases);
}
