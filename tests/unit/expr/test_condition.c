/* Conditions against items. */
#include "tests/unit/expr/expr_test.h"

#define ITEM                                                                                                 \
	"{'s':{'S':'hello'},'n':{'N':'5'},'m1':{'N':'-1.50'},'bin':{'B':'aGkgdGhlcmU='},'t':{'BOOL':true},"  \
	"'nil':{'NULL':true},'ss':{'SS':['b','a']},'ns':{'NS':['2','4','7']},'bs':{'BS':['aGk=']},"          \
	"'l':{'L':[{'N':'2'},{'S':'dog'},{'SS':['x']},{'L':[{'N':'3'},{'N':'4'}]}]},"                        \
	"'mm':{'M':{'x':{'N':'1'},'y':{'L':[{'N':'-1'},{'N':'2'}]},'z':{'M':{}}}},'uni':{'S':'"              \
	"a\\u00e9\\ud83d\\ude00'},"                                                                          \
	"'five':{'N':'5.0'},'and':{'M':{'or':{'N':'2'}}}}"

static const struct eval_case {
	const char *expression; /* also the name */
	const char *values;
	bool want;
	const char *names;
} cases[] = {
    /* = and <> */
    {"n = :v", "{':v':{'N':'5'}}", true},
    {"n = :v ", "{':v':{'N':'5.00'}}", true},
    {"n = :v  ", "{':v':{'S':'5'}}", false},
    {"n = five", NULL, true},
    {"s = :v", "{':v':{'S':'hello'}}", true},
    {"bin = :v", "{':v':{'B':'aGkgdGhlcmU='}}", true},
    {"t = :v", "{':v':{'BOOL':true}}", true},
    {"t = :v ", "{':v':{'BOOL':false}}", false},
    {"nil = :v", "{':v':{'NULL':true}}", true},
    {"ss = :v", "{':v':{'SS':['a','b']}}", true},
    {"ns = :v", "{':v':{'NS':['7.0','2','4']}}", true},
    {"l = :v", "{':v':{'L':[{'N':'2'}]}}", false},
    {"mm.z = :v", "{':v':{'M':{}}}", true},
    {"lacking = :v", "{':v':{'N':'5'}}", false},
    {"lacking = nowhere", NULL, false},
    {"lacking <> nowhere", NULL, true},
    {"lacking <> :v", "{':v':{'N':'5'}}", true},
    {"n <> :v", "{':v':{'S':'5'}}", true},
    {"n <> five", NULL, false},
    {":a = :b", "{':a':{'N':'1'},':b':{'N':'1.0'}}", true},
    /* order */
    {"n < :v", "{':v':{'N':'10'}}", true},
    {"n < :v ", "{':v':{'N':'5'}}", false},
    {"n <= :v", "{':v':{'N':'5'}}", true},
    {"n > m1", NULL, true},
    {"m1 >= n", NULL, false},
    {"s > :v", "{':v':{'S':'Hello'}}", true},
    {"bin >= :v", "{':v':{'B':'aGk='}}", true},
    {"n < :v  ", "{':v':{'S':'9'}}", false},
    {"lacking < :v", "{':v':{'N':'9'}}", false},
    {":v < lacking", "{':v':{'N':'9'}}", false},
    {"lacking >= nowhere", NULL, false},
    {"l < :v", "{':v':{'N':'9'}}", false},
    {"mm.x < mm.y[1]", NULL, true},
    {"mm.x < mm.y[0]", NULL, false},
    {"mm.q < mm.y[100]", NULL, false},
    /* BETWEEN */
    {"n BETWEEN :a AND :b", "{':a':{'N':'5'},':b':{'N':'6'}}", true},
    {"n between :a and :b", "{':a':{'N':'6'},':b':{'N':'7'}}", false},
    {"n BETWEEN m1 AND five AND s = :v", "{':v':{'S':'hello'}}", true},
    {"n BETWEEN :a AND :b ", "{':a':{'S':'0'},':b':{'S':'9'}}", false},
    {"lacking BETWEEN :a AND :b", "{':a':{'S':'0'},':b':{'S':'9'}}", false},
    {"n BETWEEN :a AND lacking", "{':a':{'N':'0'}}", false},
    {"size(s) BETWEEN :a AND :b", "{':a':{'N':'5'},':b':{'N':'5'}}", true},
    /* IN */
    {"n IN (:a, :b)", "{':a':{'S':'5'},':b':{'N':'5'}}", true},
    {"n IN (:a)", "{':a':{'N':'6'}}", false},
    {"lacking IN (:a)", "{':a':{'N':'6'}}", false},
    {"lacking IN (nowhere)", NULL, false},
    {"n in (lacking, five)", NULL, true},
    {"l IN (:a)", "{':a':{'L':[{'N':'2'},{'S':'dog'},{'SS':['x']},{'L':[{'N':'3'},{'N':'4'}]}]}}", true},
    /* functions */
    {"attribute_exists(n)", NULL, true},
    {"attribute_exists (mm.y[1])", NULL, true},
    {"attribute_exists(mm.y[2])", NULL, false},
    {"attribute_exists(s.x)", NULL, false},
    {"attribute_exists(ss[0])", NULL, false},
    {"attribute_not_exists(lacking)", NULL, true},
    {"attribute_not_exists(n)", NULL, false},
    {"attribute_type(n, :t)", "{':t':{'S':'N'}}", true},
    {"attribute_type(l, :t)", "{':t':{'S':'L'}}", true},
    {"attribute_type(nil, :t)", "{':t':{'S':'NULL'}}", true},
    {"attribute_type(t, :t)", "{':t':{'S':'N'}}", false},
    {"attribute_type(lacking, :t)", "{':t':{'S':'N'}}", false},
    {"attribute_type(:v, :t)", "{':v':{'N':'1'},':t':{'S':'N'}}", true},
    {"begins_with(s, :p)", "{':p':{'S':'hell'}}", true},
    {"begins_with(s, :p) ", "{':p':{'S':'hello!'}}", false},
    {"begins_with(s, :p)  ", "{':p':{'S':''}}", true},
    {"begins_with(bin, :p)", "{':p':{'B':'aGk='}}", true},
    {"begins_with(s, :p)   ", "{':p':{'B':'aGk='}}", false},
    {"begins_with(n, :p)", "{':p':{'S':'5'}}", false},
    {"begins_with(lacking, :p)", "{':p':{'S':'5'}}", false},
    {"begins_with(:v, s)", "{':v':{'S':'hello world'}}", true},
    {"contains(s, :p)", "{':p':{'S':'ell'}}", true},
    {"contains(s, :p) ", "{':p':{'S':''}}", true},
    {"contains(s, :p)  ", "{':p':{'S':'world'}}", false},
    {"contains(bin, :p)", "{':p':{'B':'dGhl'}}", true},
    {"contains(ns, :p)", "{':p':{'N':'4.0'}}", true},
    {"contains(ns, :p) ", "{':p':{'S':'4'}}", false},
    {"contains(ss, :p)", "{':p':{'S':'a'}}", true},
    {"contains(bs, :p)", "{':p':{'B':'aGk='}}", true},
    {"contains(l, :p)", "{':p':{'SS':['x']}}", true},
    {"contains(l, :p) ", "{':p':{'L':[{'N':'3'},{'N':'4'}]}}", true},
    {"contains(l, :p)  ", "{':p':{'S':'cat'}}", false},
    {"contains(n, :p)", "{':p':{'N':'5'}}", false},
    {"contains(lacking, :p)", "{':p':{'N':'5'}}", false},
    {"contains(:v, s)", "{':v':{'S':'oh hello'}}", true},
    {"size(s) = :v", "{':v':{'N':'5'}}", true},
    {"size(uni) = :v", "{':v':{'N':'4'}}", true},
    {"size(bin) = :v", "{':v':{'N':'8'}}", true},
    {"size(ns) >= :v", "{':v':{'N':'3'}}", true},
    {"size(l) < :v", "{':v':{'N':'5'}}", true},
    {"size(mm) = :v", "{':v':{'N':'3'}}", true},
    {"size(s) = n", NULL, true},
    {"size(s) = size(s)", NULL, true},
    {"size(n) = :v", "{':v':{'N':'1'}}", false},
    {"size(lacking) <> :v", "{':v':{'N':'1'}}", true},
    {"size(s) = :v ", "{':v':{'S':'5'}}", false},
    {"size(:v) = n", "{':v':{'S':'12345'}}", true},
    /* logic */
    {"n = five AND s = :v", "{':v':{'S':'hello'}}", true},
    {"n = five aNd s = :v", "{':v':{'S':'bye'}}", false},
    {"n <> five oR s = :v", "{':v':{'S':'hello'}}", true},
    {"nOt n = five", NULL, false},
    {"NOT NOT NOT NOT n = five", NULL, true},
    {"NOT n = m1 AND n = m1", NULL, false},
    {"n = five OR n = m1 AND n = m1", NULL, true},
    {"(n = five OR n = m1) AND n = m1", NULL, false},
    {"(n = five) AND (attribute_exists(s) AND (n = m1 OR (size(s)) = n))", NULL, true},
    {"(attribute_exists(s)) AND NOT (attribute_exists(lacking))", NULL, true},
    {"(n) = (:v)", "{':v':{'N':'5'}}", true},
    {"(mm.y)[1] > (mm).x", NULL, true},
    {"attribute_exists((n))", NULL, true},
    {"#a.#o = :v", "{':v':{'N':'2'}}", true, "{'#a':'and','#o':'or'}"},
    {"  n\t=\r\n:v ", "{':v':{'N':'5'}}", true},
};

static void
condition_says(void **state)
{
	const struct eval_case *c = *state;
	const struct expr_condition *condition;
	struct value item;
	struct world w;

	world_open(&w, c->names, c->values);
	item = read_item(&w, ITEM);
	expect_ok(&w, expr_condition_parse(&w.arena, EXPR_CONDITION, bytes_of_string(c->expression), &w.scope,
			  &condition, &w.error));
	expect_ok(&w, expr_scope_check_used(&w.scope, &w.error));
	assert_int_equal(expr_condition_eval(condition, &item), c->want);
	world_close(&w);
}

static const struct eval_case absent[] = {
    {"attribute_not_exists(pk)", NULL, true},
    {"attribute_exists(pk)", NULL, false},
    {"pk = :v", "{':v':{'S':'x'}}", false},
    {"pk <> :v", "{':v':{'S':'x'}}", true},
    {"NOT pk = :v", "{':v':{'S':'x'}}", true},
    {"size(pk) > :v", "{':v':{'N':'0'}}", false},
    {"contains(pk, :v)", "{':v':{'S':'x'}}", false},
    {":v = :w", "{':v':{'S':'x'},':w':{'S':'x'}}", true},
};

static void
condition_on_no_item_says(void **state)
{
	const struct eval_case *c = *state;
	const struct expr_condition *condition;
	struct world w;

	world_open(&w, c->names, c->values);
	expect_ok(&w, expr_condition_parse(&w.arena, EXPR_CONDITION, bytes_of_string(c->expression), &w.scope,
			  &condition, &w.error));
	assert_int_equal(expr_condition_eval(condition, NULL), c->want);
	world_close(&w);
}

static void
names_are_distinct_and_sorted(void **state)
{
	const struct expr_condition *condition;
	const struct bytes *names;
	struct world w;

	(void)state;
	world_open(&w, "{'#c':'aaa'}", "{':v':{'N':'1'}}");
	expect_ok(&w, expr_condition_parse(&w.arena, EXPR_FILTER,
			  BYTES_LITERAL("zz.b = :v AND size(#c[1]) > :v OR zz = :v AND contains(m, zz)"),
			  &w.scope, &condition, &w.error));
	assert_int_equal(expr_condition_names(condition, &names), 3);
	assert_true(bytes_is(names[0], "aaa"));
	assert_true(bytes_is(names[1], "m"));
	assert_true(bytes_is(names[2], "zz"));
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest others[] = {cmocka_unit_test(names_are_distinct_and_sorted)};
	int failed = RUN_ROWS("condition", condition_says, cases);

	failed += RUN_ROWS("condition on no item", condition_on_no_item_says, absent);
	return failed + cmocka_run_group_tests_name("condition names", others, NULL, NULL);
}
