/* The parameters from before expressions: what their trees do with items, and the sentences of what they refuse. */
#include "api/expr/legacy.h"
#include "tests/unit/expr/expr_test.h"

#include <stdio.h>
#include <stdlib.h>

#define INVALID "One or more parameter values were invalid: "
#define ITEM                                                                                                 \
	"{'pk':{'S':'k'},'n':{'N':'5'},'s':{'S':'hello'},'ss':{'SS':['x','y']},'l':{'L':[{'S':'e'},{'N':'1'" \
	"}"                                                                                                  \
	"]},"                                                                                                \
	"'m':{'M':{'k':{'S':'v'}}},'b':{'B':'YWI='},'t':{'BOOL':true},'z':{'NULL':true},'e':{'S':''}}"
#define ONE(operator) "'ComparisonOperator':'" operator"'"
#define WITH(operator, list) ONE(operator) ",'AttributeValueList':[" list "]"

/* ---- conditions ---- */

static const struct condition_case {
	const char *name;
	const char *condition; /* of the attribute that `name` begins with */
	bool holds;
	const char *error;
} conditions[] = {
    {"n EQ", WITH("EQ", "{'N':'5.0'}"), true},
    {"n EQ another", WITH("EQ", "{'N':'6'}"), false},
    {"n EQ another type", WITH("EQ", "{'S':'5'}"), false},
    {"ss EQ in any order", WITH("EQ", "{'SS':['y','x']}"), true},
    {"l EQ", WITH("EQ", "{'L':[{'S':'e'},{'N':'1'}]}"), true},
    {"m EQ", WITH("EQ", "{'M':{'k':{'S':'v'}}}"), true},
    {"t EQ", WITH("EQ", "{'BOOL':true}"), true},
    {"missing EQ", WITH("EQ", "{'N':'5'}"), false},
    {"n NE", WITH("NE", "{'N':'5'}"), false},
    {"n NE another", WITH("NE", "{'N':'6'}"), true},
    {"n NE another type", WITH("NE", "{'SS':['5']}"), true},
    {"missing NE", WITH("NE", "{'N':'5'}"), true},
    {"n LT", WITH("LT", "{'N':'6'}"), true},
    {"n LT itself", WITH("LT", "{'N':'5'}"), false},
    {"n LT another type", WITH("LT", "{'S':'6'}"), false},
    {"n LE itself", WITH("LE", "{'N':'5'}"), true},
    {"n GT", WITH("GT", "{'N':'4'}"), true},
    {"n GE itself", WITH("GE", "{'N':'5'}"), true},
    {"missing GE", WITH("GE", "{'N':'5'}"), false},
    {"n NULL", ONE("NULL"), false},
    {"missing NULL", ONE("NULL"), true},
    {"z NULL: an attribute of type NULL is there", ONE("NULL"), false},
    {"n NOT_NULL", ONE("NOT_NULL"), true},
    {"missing NOT_NULL with an empty list", WITH("NOT_NULL", ""), false},
    {"s CONTAINS", WITH("CONTAINS", "{'S':'ell'}"), true},
    {"s CONTAINS nothing", WITH("CONTAINS", "{'S':''}"), true},
    {"s CONTAINS another type", WITH("CONTAINS", "{'N':'1'}"), false},
    {"ss CONTAINS", WITH("CONTAINS", "{'S':'x'}"), true},
    {"l CONTAINS", WITH("CONTAINS", "{'N':'1'}"), true},
    {"n CONTAINS", WITH("CONTAINS", "{'N':'5'}"), false},
    {"missing CONTAINS", WITH("CONTAINS", "{'N':'5'}"), false},
    {"s NOT_CONTAINS", WITH("NOT_CONTAINS", "{'S':'ell'}"), false},
    {"ss NOT_CONTAINS", WITH("NOT_CONTAINS", "{'S':'q'}"), true},
    {"n NOT_CONTAINS", WITH("NOT_CONTAINS", "{'N':'5'}"), true},
    {"missing NOT_CONTAINS", WITH("NOT_CONTAINS", "{'N':'5'}"), false},
    {"s BEGINS_WITH", WITH("BEGINS_WITH", "{'S':'he'}"), true},
    {"b BEGINS_WITH", WITH("BEGINS_WITH", "{'B':'YQ=='}"), true},
    {"s BEGINS_WITH another type", WITH("BEGINS_WITH", "{'B':'aA=='}"), false},
    {"n IN", WITH("IN", "{'N':'4'},{'N':'5'},{'N':'5'}"), true},
    {"n IN others", WITH("IN", "{'N':'4'}"), false},
    {"n BETWEEN", WITH("BETWEEN", "{'N':'5'},{'N':'5'}"), true},
    {"n BETWEEN others", WITH("BETWEEN", "{'N':'6'},{'N':'7'}"), false},
    {"n BETWEEN another type", WITH("BETWEEN", "{'S':'4'},{'S':'7'}"), false},
    {"m.k is no path", WITH("EQ", "{'S':'v'}"), false},

    {"n EQ nothing", WITH("EQ", ""), false,
	INVALID "Invalid number of argument(s) for the EQ ComparisonOperator"},
    {"n EQ two", WITH("EQ", "{'N':'5'},{'N':'5'}"), false,
	INVALID "Invalid number of argument(s) for the EQ ComparisonOperator"},
    {"n NULL with a value", WITH("NULL", "{'N':'5'}"), false,
	INVALID "Invalid number of argument(s) for the NULL ComparisonOperator"},
    {"n IN nothing", WITH("IN", ""), false,
	INVALID "Invalid number of argument(s) for the IN ComparisonOperator"},
    {"n BETWEEN one", WITH("BETWEEN", "{'N':'5'}"), false,
	INVALID "Invalid number of argument(s) for the BETWEEN ComparisonOperator"},
    {"n BETWEEN the wrong way round", WITH("BETWEEN", "{'N':'10'},{'N':'9'}"), false,
	"The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"},
    {"n BETWEEN two types", WITH("BETWEEN", "{'N':'10'},{'S':'9'}"), false,
	INVALID "AttributeValues inside AttributeValueList must be of same type"},
    {"n IN two types", WITH("IN", "{'N':'10'},{'N':'1'},{'S':'9'}"), false,
	INVALID "AttributeValues inside AttributeValueList must be of same type"},
    {"n LT a set", WITH("LT", "{'SS':['x']}"), false,
	INVALID "ComparisonOperator LT is not valid for SS AttributeValue type"},
    {"n GE true", WITH("GE", "{'BOOL':true}"), false,
	INVALID "ComparisonOperator GE is not valid for BOOL AttributeValue type"},
    {"n IN lists", WITH("IN", "{'L':[]}"), false,
	INVALID "ComparisonOperator IN is not valid for L AttributeValue type"},
    {"s BEGINS_WITH a number", WITH("BEGINS_WITH", "{'N':'1'}"), false,
	INVALID "ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type"},
    {"l CONTAINS a map", WITH("CONTAINS", "{'M':{}}"), false,
	INVALID "ComparisonOperator CONTAINS is not valid for M AttributeValue type"},
    {"l NOT_CONTAINS a set", WITH("NOT_CONTAINS", "{'NS':['1']}"), false,
	INVALID "ComparisonOperator NOT_CONTAINS is not valid for NS AttributeValue type"},
    {"n XX", WITH("XX", "{'N':'1'}"), false, "Comparison type does not exist in DynamoDB"},
    {"n EQ no value", WITH("EQ", "{}"), false,
	"Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"},
    {"n EQ two, the first of them no number", WITH("EQ", "{'N':'x'},{'N':'5'}"), false,
	"The parameter cannot be converted to a numeric value: x"},
};

/* {'n': {condition}}, n being the first word of the row's name. */
static struct json
condition_json(struct world *w, const struct condition_case *c)
{
	char text[600];

	snprintf(text, sizeof text, "{'%.*s':{%s}}", (int)strcspn(c->name, " "), c->name, c->condition);
	return read_json(w, text);
}

typedef tide_err condition_parser(struct arena *arena, const struct json *map, const struct json *joined,
    const struct expr_condition **out, struct tide_error *error);

static void
check_condition(const struct condition_case *c, condition_parser *parse)
{
	const struct expr_condition *condition;
	struct value item;
	struct json json;
	struct world w;

	world_open(&w, NULL, NULL);
	item = read_item(&w, ITEM);
	json = condition_json(&w, c);
	if (!expect_error(&w, parse(&w.arena, &json, NULL, &condition, &w.error), c->error)) {
		assert_non_null(condition);
		assert_int_equal(expr_condition_eval(condition, &item), c->holds);
		/* no item is an item without attributes */
		(void)expr_condition_eval(condition, NULL);
	}
	world_close(&w);
}

static void
filter_holds(void **state)
{
	check_condition(*state, expr_legacy_filter);
}

static void
expected_holds(void **state)
{
	check_condition(*state, expr_legacy_expected);
}

/* ---- maps of them ---- */

static const struct map_case {
	const char *name; /* the map */
	const char *joined; /* NULL: absent */
	bool expected; /* Expected, else a filter */
	int holds; /* -1: there is no condition */
	const char *error;
} maps[] = {
    {"{}", NULL, true, -1},
    {"{}", NULL, false, -1},
    {"{'n':{'Value':{'N':'5'}}}", NULL, true, 1},
    {"{'n':{'Value':{'N':'5'},'Exists':true}}", NULL, true, 1},
    {"{'n':{'Value':{'N':'5'},'Exists':null}}", NULL, true, 1},
    {"{'n':{'Value':{'N':'6'}}}", NULL, true, 0},
    {"{'n':{'Exists':false}}", NULL, true, 0},
    {"{'q':{'Exists':false}}", NULL, true, 1},
    {"{'n':{'Exists':false},'n':{'Value':{'N':'5'}}}", NULL, true, 1},
    {"{'n':{'ComparisonOperator':'GE','Value':{'N':'5'}}}", NULL, true, 1},
    {"{'n':{'Value':{'N':'5'}},'s':{'Value':{'S':'x'}}}", NULL, true, 0},
    {"{'n':{'Value':{'N':'5'}},'s':{'Value':{'S':'x'}}}", "AND", true, 0},
    {"{'n':{'Value':{'N':'5'}},'s':{'Value':{'S':'x'}}}", "OR", true, 1},
    {"{'a':{'Exists':false},'b':{'Exists':false},'c':{'Exists':false}}", "AND", true, 0},
    {"{'x':{'Exists':false},'y':{'Exists':false},'w':{'Exists':false}}", "AND", true, 1},
    {"{'n':{'ComparisonOperator':'NULL'},'x':{'ComparisonOperator':'NULL'}}", NULL, false, 0},
    {"{'n':{'ComparisonOperator':'NULL'},'x':{'ComparisonOperator':'NULL'}}", "OR", false, 1},

    {"{}", "AND", true, 0, "ConditionalOperator cannot be used without Filter or Expected"},
    {"{'q':{'Exists':false}}", "OR", true, 0,
	"ConditionalOperator can only be used when Filter or Expected has two or more elements"},
    {"{'':{'Exists':false}}", NULL, true, 0, "Empty attribute name"},
    {"{'n':null}", NULL, true, 0, INVALID "ExpectedAttributeValue must not be null for Attribute: n"},
    {"{'n':null}", NULL, false, 0, "The filter condition for an attribute cannot be null: n"},
    {"{'n':{}}", NULL, false, 0, "Comparison type does not exist in DynamoDB"},
    {"{'n':{}}", NULL, true, 0, INVALID "Value must be provided when Exists is null for Attribute: n"},
    {"{'n':{'Exists':true}}", NULL, true, 0,
	INVALID "Value must be provided when Exists is true for Attribute: n"},
    {"{'n':{'Exists':false,'Value':{'N':'5'}}}", NULL, true, 0,
	INVALID "Value cannot be used when Exists is false for Attribute: n"},
    {"{'n':{'Exists':true,'ComparisonOperator':'NULL'}}", NULL, true, 0,
	INVALID "Exists and ComparisonOperator cannot be used together for Attribute: n"},
    {"{'n':{'AttributeValueList':[]}}", NULL, true, 0,
	INVALID "AttributeValueList can only be used with a ComparisonOperator for Attribute: n"},
    {"{'n':{'AttributeValueList':[],'Value':{'N':'5'}}}", NULL, true, 0,
	INVALID "Value and AttributeValueList cannot be used together for Attribute: n"},
    {"{'n':{'ComparisonOperator':'IN'}}", NULL, true, 0,
	INVALID "Value or AttributeValueList must be used with ComparisonOperator: IN for Attribute: n"},
    {"{'n':{'ComparisonOperator':'IN'}}", NULL, false, 0,
	INVALID "Invalid number of argument(s) for the IN ComparisonOperator"},
    {"{'n':{'ComparisonOperator':'NOT_NULL','Value':{'N':'5'}}}", NULL, true, 0,
	INVALID "Invalid number of argument(s) for the NOT_NULL ComparisonOperator"},
};

static void
map_holds(void **state)
{
	const struct map_case *c = *state;
	const struct expr_condition *condition;
	struct json map, joined = {.type = JSON_STRING};
	struct value item;
	struct world w;
	tide_err rc;

	world_open(&w, NULL, NULL);
	item = read_item(&w, ITEM);
	map = read_json(&w, c->name);
	if (c->joined != NULL)
		joined.text = bytes_of_string(c->joined);
	rc = (c->expected ? expr_legacy_expected : expr_legacy_filter)(
	    &w.arena, &map, c->joined != NULL ? &joined : NULL, &condition, &w.error);
	if (!expect_error(&w, rc, c->error)) {
		assert_int_equal(condition == NULL, c->holds < 0);
		if (condition != NULL)
			assert_int_equal(expr_condition_eval(condition, &item), c->holds);
	}
	world_close(&w);
}

/* A tree that leans to one side would overflow the stack here. */
static void
many_conditions_make_a_shallow_tree(void **state)
{
	enum { CONDITIONS = 200000 };
	const struct expr_condition *condition;
	struct json map = {.type = JSON_OBJECT}, exists;
	struct json_member *at = calloc(CONDITIONS, sizeof *at);
	char *names = calloc(CONDITIONS, 8);
	struct value item;
	struct world w;

	(void)state;
	assert_non_null(at);
	assert_non_null(names);
	world_open(&w, NULL, NULL);
	item = read_item(&w, ITEM);
	exists = read_json(&w, "{'Exists':false}");
	for (int i = 0; i < CONDITIONS; i++) {
		snprintf(names + (size_t)i * 8, 8, "a%d", i);
		at[i].name = bytes_of_string(names + (size_t)i * 8);
		at[i].value = exists;
	}
	map.object.at = at;
	map.object.n = CONDITIONS;
	expect_ok(&w, expr_legacy_expected(&w.arena, &map, NULL, &condition, &w.error));
	assert_true(expr_condition_eval(condition, &item));
	at[CONDITIONS - 1].name = BYTES_LITERAL("n");
	expect_ok(&w, expr_legacy_expected(&w.arena, &map, NULL, &condition, &w.error));
	assert_false(expr_condition_eval(condition, &item));
	world_close(&w);
	free(names);
	free(at);
}

/* ---- KeyConditions ---- */

#define PK "'pk':{" WITH("EQ", "{'S':'k'}") "}"
#define NOT_INDEXABLE "Attempted conditional constraint is not an indexable operation"
#define WRONG_TYPE INVALID "Condition parameter type does not match schema type"
#define NO_SORT '+' /* the last character of a name: the table has no sort key */

static const struct key_case {
	const char *name;
	const char *conditions;
	enum expr_range range;
	const char *low, *high;
	const char *error;
} keys[] = {
    {"all", "{" PK "}", EXPR_RANGE_ALL},
    {"all+", "{" PK "}", EXPR_RANGE_ALL},
    {"EQ", "{" PK ",'sk':{" WITH("EQ", "{'S':'a'}") "}}", EXPR_RANGE_EQ, "a"},
    {"LT, the sort key first", "{'sk':{" WITH("LT", "{'S':'a'}") "}," PK "}", EXPR_RANGE_LT, "a"},
    {"LE", "{" PK ",'sk':{" WITH("LE", "{'S':'a'}") "}}", EXPR_RANGE_LE, "a"},
    {"GT", "{" PK ",'sk':{" WITH("GT", "{'S':'a'}") "}}", EXPR_RANGE_GT, "a"},
    {"GE", "{" PK ",'sk':{" WITH("GE", "{'S':'a'}") "}}", EXPR_RANGE_GE, "a"},
    {"BETWEEN", "{" PK ",'sk':{" WITH("BETWEEN", "{'S':'a'},{'S':'b'}") "}}", EXPR_RANGE_BETWEEN, "a", "b"},
    {"BEGINS_WITH", "{" PK ",'sk':{" WITH("BEGINS_WITH", "{'S':'a'}") "}}", EXPR_RANGE_BEGINS_WITH, "a"},

    {"none", "{}", 0, NULL, NULL, "Conditions can be of length 1 or 2 only"},
    {"three", "{" PK ",'sk':{" ONE("NULL") "},'x':{" ONE("NULL") "}}", 0, NULL, NULL,
	"Conditions can be of length 1 or 2 only"},
    {"no sort key+", "{" PK ",'sk':{" WITH("EQ", "{'S':'a'}") "}}", 0, NULL, NULL,
	"Query key condition not supported"},
    {"no partition key", "{'sk':{" WITH("EQ", "{'S':'a'}") "}}", 0, NULL, NULL,
	"Query condition missed key schema element: pk"},
    {"another attribute", "{" PK ",'x':{" ONE("NULL") "}}", 0, NULL, NULL,
	"Query condition missed key schema element: sk"},
    {"partition key GT", "{'pk':{" WITH("GT", "{'S':'a'}") "}}", 0, NULL, NULL,
	"Query key condition not supported"},
    {"partition key IN", "{'pk':{" WITH("IN", "{'S':'a'}") "}}", 0, NULL, NULL, NOT_INDEXABLE},
    {"partition key NULL", "{'pk':{" ONE("NULL") "}}", 0, NULL, NULL, NOT_INDEXABLE},
    {"NE", "{" PK ",'sk':{" WITH("NE", "{'S':'a'}") "}}", 0, NULL, NULL, NOT_INDEXABLE},
    {"IN", "{" PK ",'sk':{" WITH("IN", "{'S':'a'},{'S':'b'}") "}}", 0, NULL, NULL, NOT_INDEXABLE},
    {"NULL", "{" PK ",'sk':{" ONE("NULL") "}}", 0, NULL, NULL, NOT_INDEXABLE},
    {"NOT_NULL", "{" PK ",'sk':{" ONE("NOT_NULL") "}}", 0, NULL, NULL, NOT_INDEXABLE},
    {"CONTAINS", "{" PK ",'sk':{" WITH("CONTAINS", "{'S':'a'}") "}}", 0, NULL, NULL, NOT_INDEXABLE},
    {"NOT_CONTAINS", "{" PK ",'sk':{" WITH("NOT_CONTAINS", "{'S':'a'}") "}}", 0, NULL, NULL, NOT_INDEXABLE},
    {"partition key of another type", "{'pk':{" WITH("EQ", "{'N':'1'}") "}}", 0, NULL, NULL, WRONG_TYPE},
    {"sort key of another type", "{" PK ",'sk':{" WITH("EQ", "{'BOOL':true}") "}}", 0, NULL, NULL,
	WRONG_TYPE},
    {"too few arguments", "{" PK ",'sk':{" WITH("BETWEEN", "{'S':'a'}") "}}", 0, NULL, NULL,
	INVALID "Invalid number of argument(s) for the BETWEEN ComparisonOperator"},
    {"an empty key", "{'pk':{" WITH("EQ", "{'S':''}") "}}", 0, NULL, NULL,
	"One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain "
	"an "
	"empty string value. Key: pk"},
};

static void
keys_select(void **state)
{
	const struct key_case *c = *state;
	struct expr_key_schema schema = {.partition = BYTES_LITERAL("pk"),
	    .sort = BYTES_LITERAL("sk"),
	    .partition_type = VALUE_S,
	    .sort_type = VALUE_S};
	const struct expr_condition *condition;
	struct expr_key_condition derived;
	struct json json;
	struct world w;
	tide_err rc;

	if (c->name[strlen(c->name) - 1] == NO_SORT)
		schema.sort = BYTES_NONE;
	world_open(&w, NULL, NULL);
	json = read_json(&w, c->conditions);
	rc = expr_legacy_keys(&w.arena, &json, 2, &condition, &w.error);
	if (rc == TIDE_OK)
		rc = expr_key_condition_derive(condition, &schema, &derived, &w.error);
	if (!expect_error(&w, rc, c->error)) {
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
filter_leaves_keys_alone(void **state)
{
	const struct expr_key_schema schema = {.partition = BYTES_LITERAL("pk"),
	    .sort = BYTES_LITERAL("sk"),
	    .partition_type = VALUE_S,
	    .sort_type = VALUE_S};
	const struct expr_condition *filter;
	struct json json;
	struct world w;

	(void)state;
	world_open(&w, NULL, NULL);
	json = read_json(&w, "{'a':{" ONE("NULL") "},'sk':{" ONE("NULL") "}}");
	expect_ok(&w, expr_legacy_filter(&w.arena, &json, NULL, &filter, &w.error));
	expect_error(&w, expr_filter_check_keys(filter, &schema, &w.error),
	    "QueryFilter can only contain non-primary key attributes: Primary key attribute: sk");
	json = read_json(&w, "{'pk.a':{" ONE("NULL") "}}");
	expect_ok(&w, expr_legacy_filter(&w.arena, &json, NULL, &filter, &w.error));
	expect_ok(&w, expr_filter_check_keys(filter, &schema, &w.error));
	world_close(&w);
}

/* ---- AttributeUpdates ---- */

#define MISMATCH "Type mismatch for attribute to update"

static const struct update_case {
	const char *name; /* the updates */
	const char *item; /* NULL: absent */
	const char *want; /* NULL: no item afterwards */
	const char *error;
} updates[] = {
    {"{'a':{'Action':'PUT','Value':{'S':'x'}}}", "{'a':{'N':'1'}}", "{'a':{'S':'x'}}"},
    {"{'a':{'Value':{'S':'x'}}}", "{'a':{'N':'1'}}", "{'a':{'S':'x'}}"},
    {"{'a':{'Action':null,'Value':{'S':'x'}}}", NULL, "{'pk':{'S':'k'},'a':{'S':'x'}}"},
    {"{'a.b':{'Action':'PUT','Value':{'S':'x'}}}", "{}", "{'a.b':{'S':'x'}}"},
    {"{'b':{'Action':'PUT','Value':{'S':'x'}},'a':{'Action':'DELETE'}}", "{'a':{'N':'1'}}",
	"{'b':{'S':'x'}}"},
    {"{'a':{'Action':'DELETE'}}", "{'b':{'N':'1'}}", "{'b':{'N':'1'}}"},
    {"{'a':{'Action':'ADD'},'b':{'Action':'DELETE'},'a':{'Action':'PUT','Value':{'S':'last'}}}", "{}",
	"{'a':{'S':'last'}}"},
    {"{'a':{'Action':'DELETE'}}", NULL, NULL},
    {"{'a':{'Action':'DELETE','Value':{'SS':['x']}}}", NULL, NULL},
    {"{'a':{'Action':'DELETE','Value':{'SS':['x']}}}", "{}", "{}"},
    {"{'a':{'Action':'DELETE','Value':{'SS':['x','z']}}}", "{'a':{'SS':['x','y']}}", "{'a':{'SS':['y']}}"},
    {"{'a':{'Action':'DELETE','Value':{'NS':['1']}}}", "{'a':{'NS':['1']},'b':{'N':'1'}}", "{'b':{'N':'1'}}"},
    {"{'a':{'Action':'ADD','Value':{'N':'2'}}}", "{'a':{'N':'1.5'}}", "{'a':{'N':'3.5'}}"},
    {"{'a':{'Action':'ADD','Value':{'N':'-2'}}}", NULL, "{'pk':{'S':'k'},'a':{'N':'-2'}}"},
    {"{'a':{'Action':'ADD','Value':{'BS':['YQ==']}}}", "{'a':{'BS':['YQ==','YWI=']}}",
	"{'a':{'BS':['YQ==','YWI=']}}"},
    {"{'a':{'Action':'ADD','Value':{'SS':['z']}}}", NULL, "{'pk':{'S':'k'},'a':{'SS':['z']}}"},
    {"{'a':{'Action':'ADD','Value':{'L':[{'N':'2'}]}}}", "{'a':{'L':[{'N':'2'}]}}",
	"{'a':{'L':[{'N':'2'},{'N':'2'}]}}"},
    {"{'a':{'Action':'ADD','Value':{'L':[{'N':'2'}]}}}", "{}", "{'a':{'L':[{'N':'2'}]}}"},

    {"{'a':{'Action':'ADD','Value':{'N':'2'}}}", "{'a':{'S':'1'}}", NULL, MISMATCH},
    {"{'a':{'Action':'ADD','Value':{'SS':['2']}}}", "{'a':{'NS':['1']}}", NULL, MISMATCH},
    {"{'a':{'Action':'ADD','Value':{'L':[]}}}", "{'a':{'SS':['1']}}", NULL, MISMATCH},
    {"{'a':{'Action':'DELETE','Value':{'SS':['2']}}}", "{'a':{'N':'1'}}", NULL, MISMATCH},
    {"{'a':{'Action':'ADD','Value':{'N':'9e125'}}}", "{'a':{'N':'9e125'}}", NULL,
	"Number overflow. Attempting to store a number with magnitude larger than supported range"},
    {"{'a':{'Action':'PUT'}}", "{}", NULL,
	INVALID "Only DELETE action is allowed when no attribute value is specified"},
    {"{'a':{'Action':'ADD','Value':null}}", "{}", NULL,
	INVALID "Only DELETE action is allowed when no attribute value is specified"},
    {"{'a':{}}", "{}", NULL, INVALID "Only DELETE action is allowed when no attribute value is specified"},
    {"{'a':null}", "{}", NULL, INVALID "Only DELETE action is allowed when no attribute value is specified"},
    {"{'a':{'Action':'ADD','Value':{'S':'x'}}}", "{}", NULL,
	INVALID "ADD action is not supported for the type S"},
    {"{'a':{'Action':'ADD','Value':{'M':{}}}}", "{}", NULL,
	INVALID "ADD action is not supported for the type M"},
    {"{'a':{'Action':'DELETE','Value':{'N':'1'}}}", "{}", NULL,
	INVALID "DELETE action with value is not supported for the type N"},
    {"{'a':{'Action':'DELETE','Value':{'L':[]}}}", "{}", NULL,
	INVALID "DELETE action with value is not supported for the type L"},
    {"{'a':{'Action':'PUT','Value':{'SS':[]}}}", "{}", NULL, INVALID "An string set  may not be empty"},
    {"{'':{'Action':'DELETE'}}", "{}", NULL, "Empty attribute name"},
};

static void
update_does(void **state)
{
	const struct update_case *c = *state;
	const struct value *after = NULL;
	const struct expr_update *update;
	struct value item, key;
	struct json json;
	struct world w;
	tide_err rc;

	world_open(&w, NULL, NULL);
	key = read_item(&w, "{'pk':{'S':'k'}}");
	if (c->item != NULL)
		item = read_item(&w, c->item);
	json = read_json(&w, c->name);
	rc = expr_legacy_updates(&w.arena, &json, &update, &w.error);
	if (rc == TIDE_OK)
		rc = expr_update_apply(
		    update, &w.arena, c->item != NULL ? &item : NULL, &key, &after, &w.error);
	if (!expect_error(&w, rc, c->error)) {
		if (c->want == NULL)
			assert_null(after);
		else
			expect_item(&w, after, c->want);
	}
	world_close(&w);
}

static void
no_updates_are_no_update(void **state)
{
	const struct expr_update *update;
	struct json json;
	struct world w;

	(void)state;
	world_open(&w, NULL, NULL);
	json = read_json(&w, "{}");
	expect_ok(&w, expr_legacy_updates(&w.arena, &json, &update, &w.error));
	assert_null(update);
	expect_ok(&w, expr_legacy_updates(&w.arena, NULL, &update, &w.error));
	assert_null(update);
	world_close(&w);
}

/* ---- AttributesToGet ---- */

static const struct names_case {
	const char *name; /* the list */
	const char *want, *error;
} names[] = {
    {"['n','missing']", "{'n':{'N':'5'}}"},
    {"['missing']", "{}"},
    {"['t','n','m']", "{'m':{'M':{'k':{'S':'v'}}},'n':{'N':'5'},'t':{'BOOL':true}}"},
    {"['m.k','l[0]']", "{}"},
    {"['n','n']", NULL, INVALID "Duplicate value in attribute name: n"},
    {"['b','a','c','c','a']", NULL, INVALID "Duplicate value in attribute name: c"},
    {"['n','']", NULL, "Empty attribute name"},
    {"[null]", NULL, "Empty attribute name"},
};

static void
names_project(void **state)
{
	const struct names_case *c = *state;
	const struct expr_projection *projection;
	struct value item, part;
	struct json json;
	struct world w;

	world_open(&w, NULL, NULL);
	item = read_item(&w, ITEM);
	json = read_json(&w, c->name);
	if (!expect_error(&w, expr_legacy_projection(&w.arena, &json, &projection, &w.error), c->error)) {
		expect_ok(&w, expr_projection_apply(projection, &w.arena, &item, &part));
		expect_item(&w, &part, c->want);
	}
	world_close(&w);
}

static void
too_long_a_name_is_refused(void **state)
{
	char *text = malloc(65536);
	struct tide_error error;

	(void)state;
	assert_non_null(text);
	memset(text, 'a', 65536);
	assert_int_equal(expr_legacy_check_name(bytes_of(text, 65535), &error), TIDE_OK);
	assert_int_equal(expr_legacy_check_name(bytes_of(text, 65536), &error), TIDE_VALIDATION);
	assert_string_equal(
	    error.message, INVALID "Attribute name is too large, must be less than 65536 bytes");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest others[] = {
	    cmocka_unit_test(many_conditions_make_a_shallow_tree),
	    cmocka_unit_test(filter_leaves_keys_alone),
	    cmocka_unit_test(no_updates_are_no_update),
	    cmocka_unit_test(too_long_a_name_is_refused),
	};
	int failed = RUN_ROWS("filter", filter_holds, conditions);

	failed += RUN_ROWS("expected", expected_holds, conditions);
	failed += RUN_ROWS("maps", map_holds, maps);
	failed += RUN_ROWS("keys", keys_select, keys);
	failed += RUN_ROWS("updates", update_does, updates);
	failed += RUN_ROWS("names", names_project, names);
	return failed + cmocka_run_group_tests_name("bounds", others, NULL, NULL);
}
