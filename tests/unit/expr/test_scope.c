/* ExpressionAttributeNames and ExpressionAttributeValues, and what they may stand beside. */
#include "tests/unit/expr/expr_test.h"

#include <stdio.h>

static const struct scope_case {
	const char *name;
	const char *request;
	const char *error;
	tide_err code; /* 0: TIDE_VALIDATION when there is an error */
} cases[] = {
    {"nothing at all", "{}", NULL},
    {"an update with both",
	"{'UpdateExpression':'SET #a = :v','ExpressionAttributeNames':{'#a':'x'},"
	"'ExpressionAttributeValues':{':v':{'S':'y'}}}",
	NULL},
    {"names without expressions", "{'ExpressionAttributeNames':{'#a':'x'}}",
	"ExpressionAttributeNames can only be specified when using expressions"},
    {"values without expressions", "{'ExpressionAttributeValues':{':v':{'S':'y'}}}",
	"ExpressionAttributeValues can only be specified when using expressions: UpdateExpression and "
	"ConditionExpression are "
	"null"},
    {"both kinds of parameters",
	"{'ConditionExpression':'a','UpdateExpression':'b','Expected':{},'AttributeUpdates':{}}",
	"Can not use both expression and non-expression parameters in the same request: Non-expression "
	"parameters: "
	"{AttributeUpdates, Expected} Expression parameters: {UpdateExpression, ConditionExpression}"},
    {"empty names", "{'UpdateExpression':'','ExpressionAttributeNames':{}}",
	"ExpressionAttributeNames must not be empty"},
    {"empty values", "{'UpdateExpression':'','ExpressionAttributeValues':{}}",
	"ExpressionAttributeValues must not be empty"},
    {"a name without #", "{'UpdateExpression':'','ExpressionAttributeNames':{'foo':'x'}}",
	"ExpressionAttributeNames contains invalid key: Syntax error; key: \"foo\""},
    {"a lone #", "{'UpdateExpression':'','ExpressionAttributeNames':{'#':'x'}}",
	"ExpressionAttributeNames contains invalid key: Syntax error; key: \"#\""},
    {"a name with a dash", "{'UpdateExpression':'','ExpressionAttributeNames':{'#hi-there':'x'}}",
	"ExpressionAttributeNames contains invalid key: Syntax error; key: \"#hi-there\""},
    {"digits and underscores are fine",
	"{'UpdateExpression':'','ExpressionAttributeNames':{'#_':'x','#1':'y'}}", NULL},
    {"a value without :", "{'UpdateExpression':'','ExpressionAttributeValues':{'a':{'S':'y'}}}",
	"ExpressionAttributeValues contains invalid key: Syntax error; key: \"a\""},
    {"an empty attribute name", "{'UpdateExpression':'','ExpressionAttributeNames':{'#a':''}}",
	"ExpressionAttributeNames contains invalid value: Empty attribute name for key #a"},
    {"a name that is no string", "{'UpdateExpression':'','ExpressionAttributeNames':{'#a':{}}}",
	"Unexpected token received from parser", TIDE_SERIALIZATION},
    {"names that are no object", "{'UpdateExpression':'','ExpressionAttributeNames':[]}",
	"Unexpected token received from parser", TIDE_SERIALIZATION},
    {"null is absent", "{'UpdateExpression':'','ExpressionAttributeNames':null}", NULL},
};

static const char *const expressions[] = {"UpdateExpression", "ConditionExpression", NULL};
static const char *const legacy[] = {"AttributeUpdates", "Expected", "ConditionalOperator", NULL};

static void
scope_is_read(void **state)
{
	const struct scope_case *c = *state;
	struct json request;
	struct world w;
	tide_err rc;

	world_open(&w, NULL, NULL);
	request = read_json(&w, c->request);
	rc = expr_scope_read(&w.arena, &request, expressions, legacy, &w.scope, &w.error);
	if (c->error == NULL) {
		expect_ok(&w, rc);
	} else {
		assert_string_equal(w.error.message, c->error);
		assert_int_equal(rc, c->code != 0 ? c->code : TIDE_VALIDATION);
	}
	world_close(&w);
}

static void
invalid_value_names_its_key(void **state)
{
	const char prefix[] = "ExpressionAttributeValues contains invalid value: ", suffix[] = " for key :b";
	struct json request;
	struct world w;
	size_t n;

	(void)state;
	world_open(&w, NULL, NULL);
	request = read_json(
	    &w, "{'UpdateExpression':'','ExpressionAttributeValues':{':a':{'S':'x'},':b':{'N':'zero'}}}");
	assert_int_equal(
	    expr_scope_read(&w.arena, &request, expressions, legacy, &w.scope, &w.error), TIDE_VALIDATION);
	n = strlen(w.error.message);
	assert_true(n > sizeof prefix + sizeof suffix);
	assert_memory_equal(w.error.message, prefix, sizeof prefix - 1);
	assert_string_equal(w.error.message + n - (sizeof suffix - 1), suffix);
	world_close(&w);
}

static void
key_conditions_go_with_expressions_until_there_is_a_key_expression(void **state)
{
	static const char *const query[] = {
	    "ProjectionExpression", "FilterExpression", "KeyConditionExpression", NULL};
	static const char *const old[] = {
	    "AttributesToGet", "QueryFilter", "ConditionalOperator", "KeyConditions", NULL};
	struct json request;
	struct world w;

	(void)state;
	world_open(&w, NULL, NULL);
	request = read_json(&w, "{'KeyConditions':{},'FilterExpression':'a = b'}");
	expect_ok(&w, expr_scope_read(&w.arena, &request, query, old, &w.scope, &w.error));
	request = read_json(&w, "{'KeyConditions':{},'KeyConditionExpression':'a = b'}");
	expect_error(&w, expr_scope_read(&w.arena, &request, query, old, &w.scope, &w.error),
	    "Can not use both expression and non-expression parameters in the same request: Non-expression "
	    "parameters: "
	    "{KeyConditions} Expression parameters: {KeyConditionExpression}");
	world_close(&w);
}

static void
too_long_a_placeholder_is_refused(void **state)
{
	char request[600], key[300], want[200];
	struct json json;
	struct world w;

	(void)state;
	for (int n = 255; n <= 256; n++) {
		world_open(&w, NULL, NULL);
		memset(key, 'a', sizeof key);
		snprintf(request, sizeof request,
		    "{'UpdateExpression':'','ExpressionAttributeNames':{'#%.*s':'x'}}", n - 1, key);
		snprintf(want, sizeof want,
		    "ExpressionAttributeNames contains invalid key: The expression attribute map contains a "
		    "key that is too "
		    "long; size of key: %d",
		    n);
		json = read_json(&w, request);
		expect_error(&w, expr_scope_read(&w.arena, &json, expressions, legacy, &w.scope, &w.error),
		    n > 255 ? want : NULL);
		world_close(&w);
	}
}

static void
unused_placeholders_are_named(void **state)
{
	const struct expr_condition *condition;
	struct world w;

	(void)state;
	world_open(&w, "{'#c':'x','#b':'y','#a':'z'}", "{':v':{'N':'1'},':w':{'N':'1'}}");
	expect_ok(&w, expr_condition_parse(&w.arena, EXPR_CONDITION, BYTES_LITERAL("#b = :v OR q = :v"),
			  &w.scope, &condition, &w.error));
	expect_error(&w, expr_scope_check_used(&w.scope, &w.error),
	    "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a, #c}");
	expect_ok(&w, expr_condition_parse(&w.arena, EXPR_CONDITION, BYTES_LITERAL("#a = #c"), &w.scope,
			  &condition, &w.error));
	expect_error(&w, expr_scope_check_used(&w.scope, &w.error),
	    "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}");
	expect_ok(&w, expr_condition_parse(
			  &w.arena, EXPR_CONDITION, BYTES_LITERAL("a = :w"), &w.scope, &condition, &w.error));
	expect_ok(&w, expr_scope_check_used(&w.scope, &w.error));
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest others[] = {
	    cmocka_unit_test(invalid_value_names_its_key),
	    cmocka_unit_test(key_conditions_go_with_expressions_until_there_is_a_key_expression),
	    cmocka_unit_test(too_long_a_placeholder_is_refused),
	    cmocka_unit_test(unused_placeholders_are_named),
	};
	int failed = RUN_ROWS("scope", scope_is_read, cases);

	return failed + cmocka_run_group_tests_name("placeholders", others, NULL, NULL);
}
