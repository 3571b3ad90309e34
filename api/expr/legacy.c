/*
 * Conditions from before expressions. One fault at a time, in DynamoDB's order: how the members of a condition go
 * together, its values, their number, their types.
 */
#include "api/expr/legacy.h"

#include "api/expr/ast.h"

#include <stdio.h>
#include <stdlib.h>

#define INVALID "One or more parameter values were invalid: "
#define NAME_BYTES_MAX 65535

/* ---- the operators ---- */

#define ANY_TYPE UINT32_MAX
#define ANY_NUMBER UINT32_MAX
#define ELEMENTS (~(EXPR_SETS | EXPR_TYPE(L) | EXPR_TYPE(M))) /* what a set, a list or a string may contain */

struct comparison {
	const char *name;
	enum expr_op op;
	uint32_t min, max; /* arguments */
	uint32_t types; /* of an argument */
};

/* NOT_CONTAINS has no comparison of its own: `not_contains` makes it. */
static const struct comparison comparisons[] = {
    {"EQ", EXPR_OP_EQ, 1, 1, ANY_TYPE},
    {"NE", EXPR_OP_NE, 1, 1, ANY_TYPE},
    {"LE", EXPR_OP_LE, 1, 1, EXPR_ORDERED},
    {"LT", EXPR_OP_LT, 1, 1, EXPR_ORDERED},
    {"GE", EXPR_OP_GE, 1, 1, EXPR_ORDERED},
    {"GT", EXPR_OP_GT, 1, 1, EXPR_ORDERED},
    {"NOT_NULL", EXPR_OP_ATTRIBUTE_EXISTS, 0, 0, ANY_TYPE},
    {"NULL", EXPR_OP_ATTRIBUTE_NOT_EXISTS, 0, 0, ANY_TYPE},
    {"CONTAINS", EXPR_OP_CONTAINS, 1, 1, ELEMENTS},
    {"NOT_CONTAINS", EXPR_OP_NOT, 1, 1, ELEMENTS},
    {"BEGINS_WITH", EXPR_OP_BEGINS_WITH, 1, 1, EXPR_TYPE(S) | EXPR_TYPE(B)},
    {"IN", EXPR_OP_IN, 1, ANY_NUMBER, EXPR_ORDERED},
    {"BETWEEN", EXPR_OP_BETWEEN, 2, 2, EXPR_ORDERED},
};

/* What the conditions without a ComparisonOperator mean. */
#define EQUAL (&comparisons[0])
#define ABSENT (&comparisons[7])

static const struct comparison *
comparison_find(struct bytes name)
{
	for (size_t i = 0; i < sizeof comparisons / sizeof comparisons[0]; i++) {
		if (bytes_is(name, comparisons[i].name))
			return &comparisons[i];
	}
	return NULL;
}

/* ---- one condition ---- */

struct condition {
	struct bytes name;
	const struct comparison *comparison;
	struct value *values;
	uint32_t n;
};

static const struct json *
member(const struct json *object, const char *name, enum json_type type)
{
	const struct json *found = json_get(object, name);

	return found != NULL && found->type == type ? found : NULL;
}

static tide_err
read_values(
    struct arena *arena, const struct json *at, uint32_t n, struct condition *out, struct tide_error *error)
{
	tide_err rc;

	if ((out->values = arena_calloc(arena, ((size_t)n + 1) * sizeof *out->values)) == NULL)
		return TIDE_NOMEM;
	for (; out->n < n; out->n++) {
		if ((rc = json_to_value(arena, &at[out->n], &out->values[out->n], error)) != TIDE_OK)
			return rc;
	}
	return TIDE_OK;
}

static tide_err
check_values(const struct condition *condition, struct tide_error *error)
{
	const struct comparison *comparison = condition->comparison;

	if (condition->n < comparison->min || condition->n > comparison->max)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Invalid number of argument(s) for the %s ComparisonOperator", comparison->name);
	for (uint32_t i = 0; i < condition->n; i++) {
		enum value_type type = condition->values[i].type;

		if ((comparison->types & UINT32_C(1) << type) == 0)
			return tide_fail(error, TIDE_VALIDATION,
			    INVALID "ComparisonOperator %s is not valid for %s AttributeValue type",
			    comparison->name, value_type_name(type));
		if (type != condition->values[0].type)
			return tide_fail(error, TIDE_VALIDATION,
			    INVALID "AttributeValues inside AttributeValueList must be of same type");
	}
	if (comparison->op == EXPR_OP_BETWEEN &&
	    value_compare(&condition->values[0], &condition->values[1]) > 0)
		return tide_fail(error, TIDE_VALIDATION,
		    "The BETWEEN condition was provided a range where the lower bound is greater than the "
		    "upper bound");
	return TIDE_OK;
}

/* A condition of KeyConditions, QueryFilter or ScanFilter. */
static tide_err
read_condition(struct arena *arena, const struct json *json, struct condition *out, struct tide_error *error)
{
	const struct json *comparison = member(json, "ComparisonOperator", JSON_STRING);
	const struct json *list = member(json, "AttributeValueList", JSON_ARRAY);
	tide_err rc;

	if (json->type != JSON_OBJECT)
		return tide_fail(error, TIDE_VALIDATION,
		    "The filter condition for an attribute cannot be null: %.*s", (int)out->name.n,
		    (const char *)out->name.at);
	out->comparison = comparison != NULL ? comparison_find(comparison->text) : NULL;
	if (out->comparison == NULL)
		return tide_fail(error, TIDE_VALIDATION, "Comparison type does not exist in DynamoDB");
	if (list != NULL && (rc = read_values(arena, list->array.at, list->array.n, out, error)) != TIDE_OK)
		return rc;
	return check_values(out, error);
}

static tide_err
expected_fail(const struct condition *condition, const char *text, struct tide_error *error)
{
	return tide_fail(error, TIDE_VALIDATION, INVALID "%s for Attribute: %.*s", text,
	    (int)condition->name.n, (const char *)condition->name.at);
}

/* Exists and Value, without a ComparisonOperator. */
static tide_err
read_existence(struct arena *arena, const struct json *exists, const struct json *value,
    struct condition *out, struct tide_error *error)
{
	bool absent = exists != NULL && exists->type == JSON_FALSE;

	out->comparison = absent ? ABSENT : EQUAL;
	if (absent && value != NULL)
		return expected_fail(out, "Value cannot be used when Exists is false", error);
	if (absent)
		return TIDE_OK;
	if (value == NULL)
		return expected_fail(out,
		    exists != NULL ? "Value must be provided when Exists is true"
				   : "Value must be provided when Exists is null",
		    error);
	return read_values(arena, value, 1, out, error);
}

/* A condition of Expected. */
static tide_err
read_expected(struct arena *arena, const struct json *json, struct condition *out, struct tide_error *error)
{
	const struct json *comparison = member(json, "ComparisonOperator", JSON_STRING);
	const struct json *list = member(json, "AttributeValueList", JSON_ARRAY);
	const struct json *exists = json_get(json, "Exists"), *value = json_get(json, "Value");
	char text[96];
	tide_err rc;

	if (json->type != JSON_OBJECT)
		return expected_fail(out, "ExpectedAttributeValue must not be null", error);
	if (value != NULL && list != NULL)
		return expected_fail(out, "Value and AttributeValueList cannot be used together", error);
	if (comparison == NULL && list != NULL)
		return expected_fail(
		    out, "AttributeValueList can only be used with a ComparisonOperator", error);
	if (comparison == NULL)
		return read_existence(arena, exists, value, out, error);
	if (exists != NULL)
		return expected_fail(out, "Exists and ComparisonOperator cannot be used together", error);
	if ((out->comparison = comparison_find(comparison->text)) == NULL)
		return tide_fail(error, TIDE_VALIDATION, "Comparison type does not exist in DynamoDB");
	if (out->comparison->min > 0 && value == NULL && list == NULL) {
		snprintf(text, sizeof text,
		    "Value or AttributeValueList must be used with ComparisonOperator: %s",
		    out->comparison->name);
		return expected_fail(out, text, error);
	}
	rc = list != NULL    ? read_values(arena, list->array.at, list->array.n, out, error)
	     : value != NULL ? read_values(arena, value, 1, out, error)
			     : TIDE_OK;
	return rc != TIDE_OK ? rc : check_values(out, error);
}

/* ---- trees ---- */

static struct expr_node *
path_node(struct expr_builder *b, struct bytes name)
{
	return expr_node_path(b, expr_path_new(b, expr_step_name(b, name, false)));
}

static struct expr_node *
operator_node(struct expr_builder *b, enum expr_op op, struct expr_node *left, struct expr_node *right)
{
	struct expr_list args = expr_list_append((struct expr_list){0}, left);

	return expr_node_operator(b, op, right != NULL ? expr_list_append(args, right) : args);
}

/* The attribute must be there, unlike with NOT contains(). */
static struct expr_node *
not_contains(struct expr_builder *b, const struct condition *condition, struct expr_node *contains)
{
	struct expr_node *exists =
	    operator_node(b, EXPR_OP_ATTRIBUTE_EXISTS, path_node(b, condition->name), NULL);

	contains = operator_node(b, EXPR_OP_NOT, contains, NULL);
	return exists != NULL && contains != NULL ? operator_node(b, EXPR_OP_AND, exists, contains) : NULL;
}

static struct expr_node *
condition_node(struct expr_builder *b, const struct condition *condition, bool key)
{
	bool negated = condition->comparison->op == EXPR_OP_NOT;
	struct expr_list args = expr_list_append((struct expr_list){0}, path_node(b, condition->name));
	struct expr_node *node;

	for (uint32_t i = 0; i < condition->n; i++) {
		if ((node = expr_node_value(b, BYTES_NONE)) != NULL)
			node->value = &condition->values[i];
		args = expr_list_append(args, node);
	}
	node = expr_node_operator(b, negated ? EXPR_OP_CONTAINS : condition->comparison->op, args);
	/* neither contains() nor its negation is a key condition */
	return negated && !key ? not_contains(b, condition, node) : node;
}

/* Halves, so that the tree is shallow however many conditions there are: evaluation recurses. */
static struct expr_node *
join(struct expr_builder *b, enum expr_op op, struct expr_node **at, uint32_t n)
{
	struct expr_node *left, *right;

	if (n == 1)
		return at[0];
	left = join(b, op, at, n / 2);
	right = join(b, op, at + n / 2, n - n / 2);
	return left != NULL && right != NULL ? operator_node(b, op, left, right) : NULL;
}

/* ---- maps of conditions ---- */

static int
member_compare(const void *left, const void *right)
{
	const struct json_member *a = *(const struct json_member *const *)left,
				 *b = *(const struct json_member *const *)right;
	int order = bytes_compare(a->name, b->name);

	return order != 0 ? order : (a > b) - (a < b);
}

static int
place_compare(const void *left, const void *right)
{
	const struct json_member *a = *(const struct json_member *const *)left,
				 *b = *(const struct json_member *const *)right;

	return (a > b) - (a < b);
}

tide_err
expr_legacy_members(struct arena *arena, const struct json *map, struct expr_legacy_members *out)
{
	uint32_t n = map != NULL && map->type == JSON_OBJECT ? map->object.n : 0, kept = 0;
	const struct json_member **at = arena_alloc(arena, ((size_t)n + 1) * sizeof(*at));

	if (at == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < n; i++)
		at[i] = &map->object.at[i];
	if (n > 1) {
		qsort(at, n, sizeof(*at), member_compare);
		for (uint32_t i = 0; i < n; i++) {
			if (i + 1 == n || !bytes_equal(at[i]->name, at[i + 1]->name))
				at[kept++] = at[i];
		}
		n = kept;
		qsort(at, n, sizeof(*at), place_compare);
	}
	*out = (struct expr_legacy_members){at, n};
	return TIDE_OK;
}

typedef tide_err condition_reader(
    struct arena *arena, const struct json *json, struct condition *out, struct tide_error *error);

static tide_err
read_map(struct arena *arena, const struct json *map, condition_reader *read, struct condition **out,
    uint32_t *n, struct tide_error *error)
{
	struct expr_legacy_members members;
	struct condition *at;
	tide_err rc;

	if ((rc = expr_legacy_members(arena, map, &members)) != TIDE_OK)
		return rc;
	if ((at = arena_calloc(arena, ((size_t)members.n + 1) * sizeof *at)) == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < members.n; i++) {
		at[i].name = members.at[i]->name;
		if ((rc = expr_legacy_check_name(at[i].name, error)) != TIDE_OK ||
		    (rc = read(arena, &members.at[i]->value, &at[i], error)) != TIDE_OK)
			return rc;
	}
	*out = at;
	*n = members.n;
	return TIDE_OK;
}

static tide_err
build(struct arena *arena, const struct condition *conditions, uint32_t n, enum expr_op op, bool key,
    const struct expr_condition **out)
{
	struct expr_builder b = {.arena = arena, .legacy = true};
	struct expr_node **nodes = arena_alloc(arena, n * sizeof(*nodes));

	if (nodes == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < n; i++) {
		if ((nodes[i] = condition_node(&b, &conditions[i], key)) == NULL)
			return TIDE_NOMEM;
	}
	if ((b.root = join(&b, op, nodes, n)) == NULL)
		return TIDE_NOMEM;
	return expr_condition_new(&b, out);
}

static tide_err
read_joined(struct arena *arena, const struct json *map, const struct json *joined, condition_reader *read,
    const struct expr_condition **out, struct tide_error *error)
{
	bool any = joined != NULL && bytes_is(joined->text, "OR");
	struct condition *conditions;
	uint32_t n;
	tide_err rc;

	*out = NULL;
	if (map == NULL && joined == NULL) /* most requests: no memory for nothing */
		return TIDE_OK;
	if ((rc = read_map(arena, map, read, &conditions, &n, error)) != TIDE_OK)
		return rc;
	if (joined != NULL && n == 0)
		return tide_fail(
		    error, TIDE_VALIDATION, "ConditionalOperator cannot be used without Filter or Expected");
	if (joined != NULL && n == 1)
		return tide_fail(error, TIDE_VALIDATION,
		    "ConditionalOperator can only be used when Filter or Expected has two or more elements");
	if (n == 0)
		return TIDE_OK;
	return build(arena, conditions, n, any ? EXPR_OP_OR : EXPR_OP_AND, false, out);
}

tide_err
expr_legacy_expected(struct arena *arena, const struct json *expected, const struct json *joined,
    const struct expr_condition **out, struct tide_error *error)
{
	return read_joined(arena, expected, joined, read_expected, out, error);
}

tide_err
expr_legacy_filter(struct arena *arena, const struct json *filter, const struct json *joined,
    const struct expr_condition **out, struct tide_error *error)
{
	return read_joined(arena, filter, joined, read_condition, out, error);
}

tide_err
expr_legacy_keys(struct arena *arena, const struct json *conditions, uint32_t max,
    const struct expr_condition **out, struct tide_error *error)
{
	struct condition *at;
	uint32_t n;
	tide_err rc;

	if ((rc = read_map(arena, conditions, read_condition, &at, &n, error)) != TIDE_OK)
		return rc;
	if (n < 1 || n > max)
		return tide_fail(error, TIDE_VALIDATION, "Conditions can be of length 1 or 2 only");
	return build(arena, at, n, EXPR_OP_AND, true, out);
}

tide_err
expr_legacy_check_name(struct bytes name, struct tide_error *error)
{
	if (name.n == 0)
		return tide_fail(error, TIDE_VALIDATION, "Empty attribute name");
	if (name.n > NAME_BYTES_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Attribute name is too large, must be less than 65536 bytes");
	return TIDE_OK;
}
