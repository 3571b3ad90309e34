/* Projections of items. */
#include "tests/unit/expr/expr_test.h"

#define ITEM                                                                                                 \
	"{'pk':{'S':'k'},'a':{'M':{'b':{'L':[{'N':'2'},{'N':'4'},{'M':{'x':{'S':'hi'},'y':{'S':'yo'}}}]},"   \
	"'c':{'N':'5'}}},'b':{'S':'hello'},'a.b':{'S':'dot'},'e':{'M':{}},'ss':{'SS':['x']},"                \
	"'l':{'L':[{'L':[{'N':'1'},{'N':'2'}]},{'L':[{'N':'3'}]},{'N':'7'}]}}"

static const struct projection_case {
	const char *expression; /* also the name */
	const char *want;
	const char *names;
} cases[] = {
    {"a",
	"{'a':{'M':{'b':{'L':[{'N':'2'},{'N':'4'},{'M':{'x':{'S':'hi'},'y':{'S':'yo'}}}]},'c':{'N':'5'}}}}"},
    {"b, pk", "{'b':{'S':'hello'},'pk':{'S':'k'}}"},
    {" pk  ,   b  ", "{'b':{'S':'hello'},'pk':{'S':'k'}}"},
    {"nothing", "{}"},
    {"nothing, b", "{'b':{'S':'hello'}}"},
    {"a.b", "{'a':{'M':{'b':{'L':[{'N':'2'},{'N':'4'},{'M':{'x':{'S':'hi'},'y':{'S':'yo'}}}]}}}}"},
    {"#d", "{'a.b':{'S':'dot'}}", "{'#d':'a.b'}"},
    {"#a.c", "{'a':{'M':{'c':{'N':'5'}}}}", "{'#a':'a'}"},
    {"a.b[0]", "{'a':{'M':{'b':{'L':[{'N':'2'}]}}}}"},
    {"a.b[2].y", "{'a':{'M':{'b':{'L':[{'M':{'y':{'S':'yo'}}}]}}}}"},
    {"a.b[1], a.b[0]", "{'a':{'M':{'b':{'L':[{'N':'2'},{'N':'4'}]}}}}"},
    {"a.b[0], a.c", "{'a':{'M':{'b':{'L':[{'N':'2'}]},'c':{'N':'5'}}}}"},
    {"a.c, b", "{'a':{'M':{'c':{'N':'5'}}},'b':{'S':'hello'}}"},
    {"a.x, a.b[0], x, a.b[3].x", "{'a':{'M':{'b':{'L':[{'N':'2'}]}}}}"},
    {"a.b[2].x, a.b[2].y, a.b[0]",
	"{'a':{'M':{'b':{'L':[{'N':'2'},{'M':{'x':{'S':'hi'},'y':{'S':'yo'}}}]}}}}"},
    {"a.b[3]", "{}"},
    {"a.x", "{}"},
    {"a.x.y", "{}"},
    {"a.b.x", "{}"},
    {"a[0]", "{}"},
    {"a.b[0].x", "{}"},
    {"a.b[0][0]", "{}"},
    {"ss[0]", "{}"},
    {"e", "{'e':{'M':{}}}"},
    {"e.x", "{}"},
    {"l[0][1], l[1][0]", "{'l':{'L':[{'L':[{'N':'2'}]},{'L':[{'N':'3'}]}]}}"},
    {"l[2], l[0][9], l[1]", "{'l':{'L':[{'L':[{'N':'3'}]},{'N':'7'}]}}"},
};

static void
projection_keeps(void **state)
{
	const struct projection_case *c = *state;
	const struct expr_projection *projection;
	struct value item, got;
	struct world w;

	world_open(&w, c->names, NULL);
	item = read_item(&w, ITEM);
	expect_ok(&w,
	    expr_projection_parse(&w.arena, bytes_of_string(c->expression), &w.scope, &projection, &w.error));
	expect_ok(&w, expr_scope_check_used(&w.scope, &w.error));
	expect_ok(&w, expr_projection_apply(projection, &w.arena, &item, &got));
	expect_item(&w, &got, c->want);
	expect_ok(&w, expr_projection_apply(projection, &w.arena, NULL, &got));
	expect_item(&w, &got, "{}");
	world_close(&w);
}

static void
names_make_a_projection(void **state)
{
	struct bytes names[] = {
	    BYTES_LITERAL("b"), BYTES_LITERAL("size"), BYTES_LITERAL("a.b"), BYTES_LITERAL("b")};
	const struct expr_projection *projection;
	const struct bytes *top;
	struct value item, got;
	struct world w;

	(void)state;
	world_open(&w, NULL, NULL);
	item = read_item(&w, ITEM);
	expect_ok(&w, expr_projection_of_names(&w.arena, names, 3, &projection, &w.error));
	expect_ok(&w, expr_projection_apply(projection, &w.arena, &item, &got));
	expect_item(&w, &got, "{'b':{'S':'hello'},'a.b':{'S':'dot'}}");
	assert_int_equal(expr_projection_names(projection, &top), 3);
	assert_true(bytes_is(top[0], "a.b"));
	assert_true(bytes_is(top[2], "size"));
	expect_error(&w, expr_projection_of_names(&w.arena, names, 4, &projection, &w.error),
	    "One or more parameter values were invalid: Duplicate value in attribute name: b");
	world_close(&w);
}

static void
top_level_names_are_distinct(void **state)
{
	const struct expr_projection *projection;
	const struct bytes *top;
	struct world w;

	(void)state;
	world_open(&w, NULL, NULL);
	expect_ok(&w, expr_projection_parse(&w.arena, BYTES_LITERAL("z.b, a[3], z.a, m, a[1]"), &w.scope,
			  &projection, &w.error));
	assert_int_equal(expr_projection_names(projection, &top), 3);
	assert_true(bytes_is(top[0], "a"));
	assert_true(bytes_is(top[1], "m"));
	assert_true(bytes_is(top[2], "z"));
	world_close(&w);
}

static void
key_attributes_are_scalars(void **state)
{
	const struct expr_key_schema schema = {.partition = BYTES_LITERAL("pk"),
	    .sort = BYTES_LITERAL("sk"),
	    .partition_type = VALUE_S,
	    .sort_type = VALUE_S};
	const struct expr_projection *projection;
	struct world w;

	(void)state;
	world_open(&w, NULL, NULL);
	expect_ok(&w, expr_projection_parse(
			  &w.arena, BYTES_LITERAL("a.pk, pk, sk[1]"), &w.scope, &projection, &w.error));
	expect_error(&w, expr_projection_check_paths(projection, &schema, &w.error),
	    "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
	    "Key: sk");
	expect_ok(&w,
	    expr_projection_parse(&w.arena, BYTES_LITERAL("a.pk, pk, sk"), &w.scope, &projection, &w.error));
	expect_ok(&w, expr_projection_check_paths(projection, &schema, &w.error));
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest others[] = {
	    cmocka_unit_test(names_make_a_projection),
	    cmocka_unit_test(top_level_names_are_distinct),
	    cmocka_unit_test(key_attributes_are_scalars),
	};
	int failed = RUN_ROWS("projection", projection_keeps, cases);

	return failed + cmocka_run_group_tests_name("projection names", others, NULL, NULL);
}
