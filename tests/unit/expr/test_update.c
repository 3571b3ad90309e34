/* Updates of items, and what UPDATED_OLD and UPDATED_NEW return of them. */
#include "tests/unit/expr/expr_test.h"

#define INVALID_PATH "The document path provided in the update expression is invalid for update"
#define MISSING "The provided expression refers to an attribute that does not exist in the item"
#define WRONG_TYPE "An operand in the update expression has an incorrect data type"
#define TOO_DEEP                                                                                             \
	"Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond "   \
	"supported "                                                                                         \
	"limit"

static const struct update_case {
	const char *expression; /* also the name */
	const char *item; /* NULL: absent; the key attribute pk is added */
	const char *values;
	const char *want; /* NULL: no item afterwards */
	const char *error;
	const char *names;
} cases[] = {
    /* SET */
    {"SET b = :v", "{}", "{':v':{'N':'4'}}", "{'b':{'N':'4'}}"},
    {"SET b = :v ", NULL, "{':v':{'N':'4'}}", "{'b':{'N':'4'}}"},
    {"set  b=:v,a = :v", "{'c':{'S':'x'}}", "{':v':{'N':'4'}}",
	"{'a':{'N':'4'},'b':{'N':'4'},'c':{'S':'x'}}"},
    {"SET a = :v", "{'a':{'S':'x'}}", "{':v':{'L':[]}}", "{'a':{'L':[]}}"},
    {"SET b = a", "{'a':{'S':'x'}}", NULL, "{'a':{'S':'x'},'b':{'S':'x'}}"},
    {"SET a = b, b = a", "{'a':{'S':'x'},'b':{'S':'y'}}", NULL, "{'a':{'S':'y'},'b':{'S':'x'}}"},
    {"SET x = :v, y = x", "{}", "{':v':{'N':'4'}}", NULL, MISSING},
    {"SET c = z", "{'a':{'S':'x'}}", NULL, NULL, MISSING},
    {"SET c = z ", NULL, NULL, NULL, MISSING},
    {"SET c = pk", "{}", NULL, "{'c':{'S':'k'}}"},
    {"SET #n = :v", "{}", "{':v':{'N':'4'}}", "{'a.b #':{'N':'4'}}", NULL, "{'#n':'a.b #'}"},
    /* arithmetic */
    {"SET b = :v + :w", "{}", "{':v':{'N':'4'},':w':{'N':'3'}}", "{'b':{'N':'7'}}"},
    {"SET a = a - :w", "{'a':{'N':'1'}}", "{':w':{'N':'1.5'}}", "{'a':{'N':'-0.5'}}"},
    {"SET a = (a - :w)", "{'a':{'N':'1'}}", "{':w':{'N':'1.5'}}", "{'a':{'N':'-0.5'}}"},
    {"SET a = (a) - (:w)", "{'a':{'N':'1'}}", "{':w':{'N':'1.5'}}", "{'a':{'N':'-0.5'}}"},
    {"SET a = b + a", "{'a':{'N':'9'},'b':{'N':'10'}}", NULL, "{'a':{'N':'19'},'b':{'N':'10'}}"},
    {"SET a = a + :w", "{'a':{'S':'1'}}", "{':w':{'N':'1'}}", NULL, WRONG_TYPE},
    {"SET a = a + :w ", "{}", "{':w':{'N':'1'}}", NULL, MISSING},
    {"SET a = if_not_exists(a, :z)+:w", "{}", "{':z':{'N':'2'},':w':{'N':'3'}}", "{'a':{'N':'5'}}"},
    {"SET a = if_not_exists(a, :z) + :w", "{'a':{'N':'7'}}", "{':z':{'N':'2'},':w':{'N':'3'}}",
	"{'a':{'N':'10'}}"},
    {"SET a = if_not_exists(b, :z) + :w", "{}", "{':z':{'S':'2'},':w':{'N':'3'}}", NULL, WRONG_TYPE},
    {"SET a = a + :v", "{'a':{'N':'9.9999999999999999999999999999999999999E125'}}",
	"{':v':{'N':'9.9999999999999999999999999999999999999E125'}}", NULL,
	"Number overflow. Attempting to store a number with magnitude larger than supported range"},
    /* functions */
    {"SET a = if_not_exists(a, :v)", "{}", "{':v':{'N':'4'}}", "{'a':{'N':'4'}}"},
    {"SET a = if_not_exists(a, :v) ", "{'a':{'S':'x'}}", "{':v':{'N':'4'}}", "{'a':{'S':'x'}}"},
    {"SET a = if_not_exists(b, c)", "{'b':{'S':'x'}}", NULL, "{'a':{'S':'x'},'b':{'S':'x'}}"},
    {"SET a = if_not_exists(b, c) ", "{}", NULL, NULL, MISSING},
    {"SET a = if_not_exists(b, if_not_exists(c, :v))", "{'c':{'S':'x'}}", "{':v':{'N':'4'}}",
	"{'a':{'S':'x'},'c':{'S':'x'}}"},
    {"SET a = if_not_exists(m.x, :v)", NULL, "{':v':{'N':'4'}}", "{'a':{'N':'4'}}"},
    {"SET a = list_append(:v, :w)", "{}", "{':v':{'L':[{'N':'4'}]},':w':{'L':[{'S':'x'}]}}",
	"{'a':{'L':[{'N':'4'},{'S':'x'}]}}"},
    {"SET a = list_append(a, :v)", "{'a':{'L':[{'N':'1'}]}}", "{':v':{'L':[{'N':'4'}]}}",
	"{'a':{'L':[{'N':'1'},{'N':'4'}]}}"},
    {"SET a = list_append(:v, a)", "{'a':{'L':[]}}", "{':v':{'L':[{'N':'4'}]}}", "{'a':{'L':[{'N':'4'}]}}"},
    {"SET a = list_append(a, a)", "{'a':{'L':[{'N':'1'}]}}", NULL, "{'a':{'L':[{'N':'1'},{'N':'1'}]}}"},
    {"SET a = list_append(if_not_exists(a, :e), :v)", "{}", "{':e':{'L':[]},':v':{'L':[{'N':'4'}]}}",
	"{'a':{'L':[{'N':'4'}]}}"},
    {"SET a = list_append(a, :v) ", "{'a':{'S':'x'}}", "{':v':{'L':[]}}", NULL, WRONG_TYPE},
    {"SET a = list_append(a, :v)  ", "{}", "{':v':{'L':[]}}", NULL, MISSING},
    /* nested SET */
    {"SET a.c = :v", "{'a':{'M':{'b':{'N':'3'},'c':{'N':'4'}}}}", "{':v':{'N':'7'}}",
	"{'a':{'M':{'b':{'N':'3'},'c':{'N':'7'}}}}"},
    {"SET a.d = :v", "{'a':{'M':{'b':{'N':'3'}}}}", "{':v':{'N':'7'}}",
	"{'a':{'M':{'b':{'N':'3'},'d':{'N':'7'}}}}"},
    {"SET a[1] = :v", "{'a':{'L':[{'N':'1'},{'N':'2'},{'N':'3'}]}}", "{':v':{'S':'x'}}",
	"{'a':{'L':[{'N':'1'},{'S':'x'},{'N':'3'}]}}"},
    {"SET a.c[1].#x.y[1] = :v",
	"{'a':{'M':{'b':{'N':'3'},'c':{'L':[{'S':'hi'},{'M':{'x':{'M':{'y':{'L':[{'N':'3'},{'N':'5'},{'N':'7'"
	"}]}}}}}]}}}}",
	"{':v':{'N':'9'}}",
	"{'a':{'M':{'b':{'N':'3'},'c':{'L':[{'S':'hi'},{'M':{'x':{'M':{'y':{'L':[{'N':'3'},{'N':'9'},{'N':'7'"
	"}]}}}}}]}}}}",
	NULL, "{'#x':'x'}"},
    {"SET a[7] = :v", "{'a':{'L':[{'N':'1'}]}}", "{':v':{'S':'x'}}", "{'a':{'L':[{'N':'1'},{'S':'x'}]}}"},
    {"SET a[84] = :a, a[37] = :b, a[17] = :c, a[50] = :d", "{'a':{'L':[{'N':'1'}]}}",
	"{':a':{'S':'a'},':b':{'S':'b'},':c':{'S':'c'},':d':{'S':'d'}}",
	"{'a':{'L':[{'N':'1'},{'S':'c'},{'S':'b'},{'S':'d'},{'S':'a'}]}}"},
    {"SET a.b = :v, a.c.d = :w, b.x = :x REMOVE a.x, b.y",
	"{'a':{'M':{'x':{'N':'3'},'y':{'N':'4'},'c':{'M':{'y':{'N':'3'}}}}},'b':{'M':{'x':{'N':'1'},'y':{'N':"
	"'2'}}}}",
	"{':v':{'N':'10'},':w':{'S':'dog'},':x':{'N':'17'}}",
	"{'a':{'M':{'y':{'N':'4'},'b':{'N':'10'},'c':{'M':{'y':{'N':'3'},'d':{'S':'dog'}}}}},'b':{'M':{'x':{'"
	"N':'17'}}}}"},
    {"SET a.c = :v ", "{'a':{'S':'x'}}", "{':v':{'N':'7'}}", NULL, INVALID_PATH},
    {"SET a.c = :v  ", "{'a':{'L':[]}}", "{':v':{'N':'7'}}", NULL, INVALID_PATH},
    {"SET a.c = :v   ", "{}", "{':v':{'N':'7'}}", NULL, INVALID_PATH},
    {"SET a.c = :v    ", NULL, "{':v':{'N':'7'}}", NULL, INVALID_PATH},
    {"SET a[0] = :v", "{}", "{':v':{'N':'7'}}", NULL, INVALID_PATH},
    {"SET a[0] = :v ", "{'a':{'M':{}}}", "{':v':{'N':'7'}}", NULL, INVALID_PATH},
    {"SET a[0] = :v  ", "{'a':{'SS':['x']}}", "{':v':{'N':'7'}}", NULL, INVALID_PATH},
    {"SET a[5].b = :v", "{'a':{'L':[]}}", "{':v':{'N':'7'}}", NULL, INVALID_PATH},
    /* REMOVE */
    {"REMOVE a", "{'a':{'S':'x'},'b':{'S':'y'}}", NULL, "{'b':{'S':'y'}}"},
    {"REMOVE a, b", "{'a':{'S':'x'},'b':{'S':'y'}}", NULL, "{}"},
    {"REMOVE z", "{'a':{'S':'x'}}", NULL, "{'a':{'S':'x'}}"},
    {"REMOVE a ", NULL, NULL, NULL},
    {"REMOVE x.y", NULL, NULL, NULL},
    {"REMOVE x[0], y", NULL, NULL, NULL},
    {"SET a = :v REMOVE x.y", NULL, "{':v':{'N':'7'}}", "{'a':{'N':'7'}}"},
    {"REMOVE x.y ", "{}", NULL, NULL, INVALID_PATH},
    {"REMOVE x[0]", "{'x':{'S':'x'}}", NULL, NULL, INVALID_PATH},
    {"REMOVE a.c", "{'a':{'L':[]}}", NULL, NULL, INVALID_PATH},
    {"REMOVE a.y", "{'a':{'M':{'x':{'N':'3'}}}}", NULL, "{'a':{'M':{'x':{'N':'3'}}}}"},
    {"REMOVE a.b", "{'a':{'M':{'b':{'N':'3'}}}}", NULL, "{'a':{'M':{}}}"},
    {"REMOVE a[0]", "{'a':{'L':[{'N':'1'}]}}", NULL, "{'a':{'L':[]}}"},
    {"REMOVE a[17]", "{'a':{'L':[{'N':'1'}]}}", NULL, "{'a':{'L':[{'N':'1'}]}}"},
    {"REMOVE a[2], a[0]", "{'a':{'L':[{'N':'1'},{'N':'2'},{'N':'3'},{'N':'4'}]}}", NULL,
	"{'a':{'L':[{'N':'2'},{'N':'4'}]}}"},
    {"REMOVE a[1] SET a[3] = :v", "{'a':{'L':[{'N':'2'},{'N':'3'},{'N':'4'},{'N':'5'},{'N':'6'},{'N':'7'}]}}",
	"{':v':{'N':'17'}}", "{'a':{'L':[{'N':'2'},{'N':'4'},{'N':'17'},{'N':'6'},{'N':'7'}]}}"},
    {"SET a[9] = :v REMOVE a[0]", "{'a':{'L':[{'N':'2'},{'N':'3'}]}}", "{':v':{'N':'17'}}",
	"{'a':{'L':[{'N':'3'},{'N':'17'}]}}"},
    {"REMOVE a SET b = a", "{'a':{'S':'x'}}", NULL, "{'b':{'S':'x'}}"},
    {"REMOVE a.c[1].x.y[1], a.c[1].q",
	"{'a':{'M':{'c':{'L':[{'S':'hi'},{'M':{'x':{'M':{'y':{'L':[{'N':'3'},{'N':'5'}]}}},'q':{'N':'2'}}}]}}"
	"}}",
	NULL, "{'a':{'M':{'c':{'L':[{'S':'hi'},{'M':{'x':{'M':{'y':{'L':[{'N':'3'}]}}}}}]}}}}"},
    /* ADD */
    {"ADD a :v", "{'a':{'N':'3'}}", "{':v':{'N':'4'}}", "{'a':{'N':'7'}}"},
    {"ADD a :v ", "{}", "{':v':{'N':'4'}}", "{'a':{'N':'4'}}"},
    {"ADD a :v  ", NULL, "{':v':{'N':'4'}}", "{'a':{'N':'4'}}"},
    {"ADD a :v, b :w", "{'a':{'N':'3'}}", "{':v':{'N':'-4'},':w':{'SS':['x']}}",
	"{'a':{'N':'-1'},'b':{'SS':['x']}}"},
    {"ADD a :v   ", "{'a':{'S':'x'}}", "{':v':{'N':'4'}}", NULL, WRONG_TYPE},
    {"ADD a :v    ", "{'a':{'SS':['d','b']}}", "{':v':{'SS':['a','b','e']}}",
	"{'a':{'SS':['a','b','d','e']}}"},
    {"ADD a :v     ", "{'a':{'NS':['10','9']}}", "{':v':{'NS':['9.0','11','1']}}",
	"{'a':{'NS':['1','9','10','11']}}"},
    {"ADD a :v      ", "{'a':{'SS':['x']}}", "{':v':{'NS':['1']}}", NULL, WRONG_TYPE},
    {"ADD a :v       ", "{'a':{'L':[]}}", "{':v':{'NS':['1']}}", NULL, WRONG_TYPE},
    {"ADD m.n :v", "{'m':{'M':{}}}", "{':v':{'N':'1'}}", "{'m':{'M':{'n':{'N':'1'}}}}"},
    {"ADD m.n :v ", "{}", "{':v':{'N':'1'}}", NULL, INVALID_PATH},
    {"ADD l[0] :v", "{'l':{'L':[{'N':'1'}]}}", "{':v':{'N':'1'}}", "{'l':{'L':[{'N':'2'}]}}"},
    /* DELETE */
    {"DELETE a :v", "{'a':{'SS':['a','b','c']}}", "{':v':{'SS':['b','c','z']}}", "{'a':{'SS':['a']}}"},
    {"DELETE a :v ", "{'a':{'SS':['a','b']}}", "{':v':{'SS':['a','b','c']}}", "{}"},
    {"DELETE a :v  ", "{}", "{':v':{'SS':['a']}}", "{}"},
    {"DELETE a :v   ", NULL, "{':v':{'SS':['a']}}", NULL},
    {"DELETE a :v    ", "{'a':{'NS':['1']}}", "{':v':{'SS':['1']}}", NULL, WRONG_TYPE},
    {"DELETE a :v     ", "{'a':{'S':'a'}}", "{':v':{'SS':['1']}}", NULL, WRONG_TYPE},
    {"DELETE m.s :v", "{'m':{'M':{'s':{'BS':['YQ==','Yg==']}}}}", "{':v':{'BS':['YQ==']}}",
	"{'m':{'M':{'s':{'BS':['Yg==']}}}}"},
    {"DELETE m.s :v ", "{'m':{'M':{'s':{'BS':['YQ==']}}}}", "{':v':{'BS':['YQ==']}}", "{'m':{'M':{}}}"},
    /* all at once */
    {"ADD a :n DELETE s :d SET x = a REMOVE y", "{'a':{'N':'1'},'s':{'SS':['p','q']},'y':{'N':'0'}}",
	"{':n':{'N':'1'},':d':{'SS':['p']}}", "{'a':{'N':'2'},'s':{'SS':['q']},'x':{'N':'1'}}"},
};

static struct value
with_key(struct world *w, const char *text)
{
	struct buf whole = {0};
	struct value item;

	buf_append_string(&whole, "{'pk':{'S':'k'}");
	if (strcmp(text, "{}") != 0)
		buf_append_byte(&whole, ',');
	buf_append_string(&whole, text + 1);
	buf_append_byte(&whole, 0);
	item = read_item(w, (const char *)whole.at);
	buf_fini(&whole);
	return item;
}

static void
update_does(void **state)
{
	const struct update_case *c = *state;
	const struct expr_update *update;
	const struct value *after;
	struct value item, before, key, want;
	struct buf text = {0};
	struct world w;
	tide_err rc;

	world_open(&w, c->names, c->values);
	key = with_key(&w, "{}");
	if (c->item != NULL) {
		item = with_key(&w, c->item);
		before = with_key(&w, c->item);
	}
	expect_ok(
	    &w, expr_update_parse(&w.arena, bytes_of_string(c->expression), &w.scope, &update, &w.error));
	expect_ok(&w, expr_scope_check_used(&w.scope, &w.error));
	rc = expr_update_apply(update, &w.arena, c->item != NULL ? &item : NULL, &key, &after, &w.error);
	if (!expect_error(&w, rc, c->error)) {
		if (c->want == NULL) {
			assert_null(after);
		} else {
			want = with_key(&w, c->want);
			assert_non_null(after);
			json_write_item(&text, after);
			buf_append_byte(&text, 0);
			if (!value_equal(after, &want))
				fail_msg("got %s, want %s", (const char *)text.at, c->want);
			buf_fini(&text);
		}
	}
	if (c->item != NULL)
		assert_true(value_equal(&item, &before));
	world_close(&w);
}

static const struct returned_case {
	const char *expression; /* also the name */
	const char *item, *values;
	const char *old, *new; /* "{}": nothing */
} returned[] = {
    {"SET b = :v, c = :v", "{'a':{'S':'hi'},'b':{'S':'dog'}}", "{':v':{'S':'cat'}}", "{'b':{'S':'dog'}}",
	"{'b':{'S':'cat'},'c':{'S':'cat'}}"},
    {"SET b = :v", "{}", "{':v':{'S':'cat'}}", "{}", "{'b':{'S':'cat'}}"},
    {"SET b = :v ", NULL, "{':v':{'S':'cat'}}", "{}", "{'b':{'S':'cat'}}"},
    {"REMOVE b", "{'b':{'S':'cat'}}", NULL, "{'b':{'S':'cat'}}", "{}"},
    {"REMOVE b ", NULL, NULL, "{}", "{}"},
    {"SET a.b = :v", "{'a':{'M':{'b':{'S':'dog'},'c':{'L':[{'N':'1'}]}}}}", "{':v':{'S':'hi'}}",
	"{'a':{'M':{'b':{'S':'dog'}}}}", "{'a':{'M':{'b':{'S':'hi'}}}}"},
    {"SET a.c[1] = :v, a.b = :w", "{'a':{'M':{'b':{'S':'yo'},'c':{'L':[{'N':'1'},{'N':'7'},{'N':'3'}]}}}}",
	"{':v':{'N':'8'},':w':{'S':'dog'}}", "{'a':{'M':{'b':{'S':'yo'},'c':{'L':[{'N':'7'}]}}}}",
	"{'a':{'M':{'b':{'S':'dog'},'c':{'L':[{'N':'8'}]}}}}"},
    {"REMOVE a.c[1], a.c[3]", "{'a':{'M':{'c':{'L':[{'N':'1'},{'N':'3'}]}}}}", NULL,
	"{'a':{'M':{'c':{'L':[{'N':'3'}]}}}}", "{}"},
    {"SET a.x = :v", "{'a':{'M':{}}}", "{':v':{'N':'8'}}", "{}", "{'a':{'M':{'x':{'N':'8'}}}}"},
    {"SET a.c[100] = :v", "{'a':{'M':{'c':{'L':[{'N':'1'}]}}}}", "{':v':{'N':'8'}}", "{}", "{}"},
    {"REMOVE a.c[1]", "{'a':{'M':{'c':{'L':[{'N':'1'},{'N':'2'},{'N':'70'}]}}}}", NULL,
	"{'a':{'M':{'c':{'L':[{'N':'2'}]}}}}", "{'a':{'M':{'c':{'L':[{'N':'70'}]}}}}"},
    {"SET a = a + :v", "{'a':{'N':'1'}}", "{':v':{'N':'1'}}", "{'a':{'N':'1'}}", "{'a':{'N':'2'}}"},
};

static void
update_returns(void **state)
{
	const struct returned_case *c = *state;
	const struct expr_update *update;
	const struct value *after, *before = NULL;
	struct value item, key, old, new;
	struct world w;

	world_open(&w, NULL, c->values);
	key = with_key(&w, "{}");
	if (c->item != NULL) {
		item = with_key(&w, c->item);
		before = &item;
	}
	expect_ok(
	    &w, expr_update_parse(&w.arena, bytes_of_string(c->expression), &w.scope, &update, &w.error));
	expect_ok(&w, expr_update_apply(update, &w.arena, before, &key, &after, &w.error));
	expect_ok(&w, expr_update_returned(update, &w.arena, before, after, EXPR_UPDATED_OLD, &old));
	expect_ok(&w, expr_update_returned(update, &w.arena, before, after, EXPR_UPDATED_NEW, &new));
	expect_item(&w, &old, c->old);
	expect_item(&w, &new, c->new);
	world_close(&w);
}

static void
key_attributes_are_not_updated(void **state)
{
	static const char *const expressions[] = {"SET pk = :v", "ADD a :v, pk :v", "SET pk.x = :v"};
	const struct bytes keys[] = {BYTES_LITERAL("pk"), BYTES_LITERAL("sk")};
	const struct expr_update *update;
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++) {
		world_open(&w, NULL, "{':v':{'N':'1'}}");
		expect_ok(&w, expr_update_parse(
				  &w.arena, bytes_of_string(expressions[i]), &w.scope, &update, &w.error));
		expect_error(&w, expr_update_check_keys(update, keys, 2, &w.error),
		    "One or more parameter values were invalid: Cannot update attribute pk. This attribute "
		    "is part of the key");
		world_close(&w);
	}
	world_open(&w, NULL, "{':v':{'N':'1'}}");
	expect_ok(&w,
	    expr_update_parse(&w.arena, BYTES_LITERAL("SET a = pk, b.sk = :v"), &w.scope, &update, &w.error));
	expect_ok(&w, expr_update_check_keys(update, keys, 2, &w.error));
	world_close(&w);
}

/* A value of `depth` maps inside each other. */
static struct value *
nest(struct world *w, uint32_t depth)
{
	struct value *value = arena_calloc(&w->arena, sizeof *value);

	assert_non_null(value);
	if (depth == 0) {
		*value = (struct value){.type = VALUE_S, .text = BYTES_LITERAL("leaf")};
		return value;
	}
	value->type = VALUE_M;
	value->map.at = arena_calloc(&w->arena, sizeof *value->map.at);
	assert_non_null(value->map.at);
	value->map.n = 1;
	value->map.at->name = BYTES_LITERAL("n");
	value->map.at->value = *nest(w, depth - 1);
	return value;
}

static void
nesting_is_bounded(void **state)
{
	const struct expr_update *update;
	const struct value *after;
	struct value item, key;
	struct world w;

	(void)state;
	for (uint32_t depth = NESTING_MAX - 2; depth <= NESTING_MAX; depth++) {
		world_open(&w, NULL, "{':v':{'N':'1'}}");
		w.scope.values.at[0].value = *nest(&w, depth);
		key = with_key(&w, "{}");
		item = with_key(&w, "{'a':{'M':{'b':{'L':[{'N':'1'}]}}}}");
		expect_ok(&w, expr_update_parse(
				  &w.arena, BYTES_LITERAL("SET a.b[0] = :v"), &w.scope, &update, &w.error));
		expect_error(&w, expr_update_apply(update, &w.arena, &item, &key, &after, &w.error),
		    depth + 2 > NESTING_MAX ? TOO_DEEP : NULL);
		world_close(&w);
	}
}

static void
names_are_the_top_level_ones(void **state)
{
	const struct expr_update *update;
	const struct bytes *names;
	struct world w;

	(void)state;
	world_open(&w, NULL, "{':v':{'N':'1'}}");
	expect_ok(&w, expr_update_parse(&w.arena, BYTES_LITERAL("SET z.b = y, a[3] = :v REMOVE z.a, m"),
			  &w.scope, &update, &w.error));
	assert_int_equal(expr_update_names(update, &names), 3);
	assert_true(bytes_is(names[0], "a"));
	assert_true(bytes_is(names[1], "m"));
	assert_true(bytes_is(names[2], "z"));
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest others[] = {
	    cmocka_unit_test(key_attributes_are_not_updated),
	    cmocka_unit_test(nesting_is_bounded),
	    cmocka_unit_test(names_are_the_top_level_ones),
	};
	int failed = RUN_ROWS("update", update_does, cases);

	failed += RUN_ROWS("updated attributes", update_returns, returned);
	return failed + cmocka_run_group_tests_name("update limits", others, NULL, NULL);
}
