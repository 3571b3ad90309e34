/*
 * Key conditions: of all that the grammar of conditions can say, a Query takes one equality on the partition key and
 * at most one condition on the sort key, joined by AND.
 */
#include "api/expr/ast.h"

/* ---- without the schema ---- */

struct conditions {
	const struct expr_node *at[EXPR_OPERATORS_MAX]; /* an AND stands between any two */
	uint32_t n;
};

static tide_err
operator_fail(const struct expr_node *node, struct tide_error *error)
{
	return tide_fail(error, TIDE_VALIDATION, "Invalid operator used in KeyConditionExpression: %s",
	    expr_op_name(node->op));
}

/* The one path in a condition; NULL: none. */
static const struct expr_path *
key_path(const struct expr_node *node)
{
	for (const struct expr_node *arg = node->args; arg != NULL; arg = arg->next) {
		if (arg->op == EXPR_OP_PATH)
			return arg->path;
	}
	return NULL;
}

static tide_err
check_operands(const struct expr_node *node, struct tide_error *error)
{
	const struct expr_path *path = NULL;

	for (const struct expr_node *arg = node->args; arg != NULL; arg = arg->next) {
		if (arg->op == EXPR_OP_SIZE)
			return tide_fail(error, TIDE_VALIDATION,
			    "KeyConditionExpressions cannot contain nested operations");
		if (arg->op != EXPR_OP_PATH)
			continue;
		if (path != NULL)
			return tide_fail(error, TIDE_VALIDATION,
			    "Invalid condition in KeyConditionExpression: Multiple attribute names used in "
			    "one condition");
		path = arg->path;
		if (path->n > 1)
			return tide_fail(error, TIDE_VALIDATION,
			    "KeyConditionExpressions cannot have conditions on nested attributes");
	}
	if (path == NULL)
		return tide_fail(error, TIDE_VALIDATION,
		    "Invalid condition in KeyConditionExpression: No key attribute specified");
	return TIDE_OK;
}

static tide_err
check_condition(const struct expr_node *node, struct tide_error *error)
{
	switch (node->op) {
	case EXPR_OP_EQ:
	case EXPR_OP_LT:
	case EXPR_OP_LE:
	case EXPR_OP_GT:
	case EXPR_OP_GE:
		break;
	case EXPR_OP_BETWEEN:
	case EXPR_OP_BEGINS_WITH:
		if (node->args->op != EXPR_OP_PATH)
			return tide_fail(error, TIDE_VALIDATION,
			    "Invalid condition in KeyConditionExpression: %s operator must have the key "
			    "attribute as its "
			    "first operand",
			    expr_op_name(node->op));
		break;
	default:
		return operator_fail(node, error);
	}
	return check_operands(node, error);
}

static tide_err
check_once(const struct conditions *conditions, const struct expr_node *node, struct tide_error *error)
{
	struct bytes name = key_path(node)->first->name;

	for (uint32_t i = 0; i < conditions->n; i++) {
		if (bytes_equal(key_path(conditions->at[i])->first->name, name))
			return tide_fail(error, TIDE_VALIDATION,
			    "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one "
			    "condition per key");
	}
	return TIDE_OK;
}

/*
 * Recursion is as deep as the tree, which the parser's stack bounds. KeyConditions (`legacy`) are one path, an operator and
 * values each, no two of one name: the rest is checked against the schema.
 */
static tide_err
collect(const struct expr_node *node, bool legacy, struct conditions *conditions, struct tide_error *error)
{
	tide_err rc;

	if (node->op == EXPR_OP_AND) {
		if ((rc = collect(node->args, legacy, conditions, error)) != TIDE_OK)
			return rc;
		return collect(node->args->next, legacy, conditions, error);
	}
	if (legacy) {
		conditions->at[conditions->n++] = node;
		return TIDE_OK;
	}
	if ((rc = check_condition(node, error)) != TIDE_OK ||
	    (rc = check_once(conditions, node, error)) != TIDE_OK)
		return rc;
	conditions->at[conditions->n++] = node;
	return TIDE_OK;
}

tide_err
expr_key_condition_check(const struct expr_condition *condition, struct tide_error *error)
{
	struct conditions conditions;

	conditions.n = 0;
	return collect(condition->root, condition->legacy, &conditions, error);
}

/* ---- with the schema ---- */

static const struct expr_node *
condition_on(const struct conditions *conditions, struct bytes name)
{
	for (uint32_t i = 0; i < conditions->n; i++) {
		if (bytes_equal(key_path(conditions->at[i])->first->name, name))
			return conditions->at[i];
	}
	return NULL;
}

static tide_err
missed_fail(struct bytes name, struct tide_error *error)
{
	return tide_fail(error, TIDE_VALIDATION, "Query condition missed key schema element: %.*s",
	    (int)name.n, (const char *)name.at);
}

static tide_err
check_value(const struct value *value, const struct expr_key_schema *schema,
    const struct expr_key_attribute *key, bool partition, struct tide_error *error)
{
	enum value_type type = key->type;

	if (value->type != type)
		return tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values were invalid: Condition parameter type does not match "
		    "schema type");
	if (type != VALUE_N && value->text.n == 0 && schema->of_index)
		return tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values are not valid. A value specified for a secondary index key "
		    "is "
		    "not supported. The AttributeValue for a key attribute cannot contain an empty %s value. "
		    "IndexName: %.*s, IndexKey: %.*s",
		    type == VALUE_S ? "string" : "binary", (int)schema->index.n,
		    (const char *)schema->index.at, (int)key->name.n, (const char *)key->name.at);
	if (type != VALUE_N && value->text.n == 0)
		return tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values are not valid. The AttributeValue for a key attribute "
		    "cannot contain an "
		    "empty %s value. Key: %.*s",
		    type == VALUE_S ? "string" : "binary", (int)key->name.n, (const char *)key->name.at);
	if (type != VALUE_N && partition && value->text.n > PARTITION_KEY_BYTES_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values were invalid: Size of hashkey has exceeded the maximum "
		    "size limit of2048 "
		    "bytes");
	if (type != VALUE_N && !partition && value->text.n > SORT_KEY_BYTES_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values were invalid: Aggregated size of all range keys has "
		    "exceeded the size "
		    "limit of 1024 bytes");
	return TIDE_OK;
}

static tide_err
check_values(const struct expr_node *node, const struct expr_key_schema *schema,
    const struct expr_key_attribute *key, bool partition, struct tide_error *error)
{
	tide_err rc;

	for (const struct expr_node *arg = node->args; arg != NULL; arg = arg->next) {
		if (arg->op != EXPR_OP_VALUE)
			continue;
		if ((rc = check_value(arg->value, schema, key, partition, error)) != TIDE_OK)
			return rc;
	}
	return TIDE_OK;
}

static enum expr_range
range_of(const struct expr_node *node)
{
	bool flipped = node->args->op == EXPR_OP_VALUE; /* :v < key */

	switch (node->op) {
	case EXPR_OP_LT:
		return flipped ? EXPR_RANGE_GT : EXPR_RANGE_LT;
	case EXPR_OP_LE:
		return flipped ? EXPR_RANGE_GE : EXPR_RANGE_LE;
	case EXPR_OP_GT:
		return flipped ? EXPR_RANGE_LT : EXPR_RANGE_GT;
	case EXPR_OP_GE:
		return flipped ? EXPR_RANGE_LE : EXPR_RANGE_GE;
	case EXPR_OP_BETWEEN:
		return EXPR_RANGE_BETWEEN;
	case EXPR_OP_BEGINS_WITH:
		return EXPR_RANGE_BEGINS_WITH;
	default:
		return EXPR_RANGE_EQ;
	}
}

/* The first value among the operands. */
static const struct value *
value_of(const struct expr_node *node)
{
	return node->args->op == EXPR_OP_VALUE ? node->args->value : node->args->next->value;
}

/* Of KeyConditions: any operator may stand there. */
static tide_err
check_indexable(const struct expr_node *node, struct tide_error *error)
{
	switch (node->op) {
	case EXPR_OP_EQ:
	case EXPR_OP_LT:
	case EXPR_OP_LE:
	case EXPR_OP_GT:
	case EXPR_OP_GE:
	case EXPR_OP_BETWEEN:
	case EXPR_OP_BEGINS_WITH:
		return TIDE_OK;
	default:
		return tide_fail(
		    error, TIDE_VALIDATION, "Attempted conditional constraint is not an indexable operation");
	}
}

/* The key's attributes in the order of the schema: partition attributes, then sort attributes. */
struct keys {
	struct expr_key_attribute at[2 * (1 + EXPR_KEYS_MORE_MAX)];
	const struct expr_node *conditions[2 * (1 + EXPR_KEYS_MORE_MAX)]; /* NULL: none on it */
	uint32_t n_partitions, n;
};

static void
keys_of(const struct expr_key_schema *schema, const struct conditions *conditions, struct keys *keys)
{
	keys->n = 0;
	keys->at[keys->n++] = (struct expr_key_attribute){schema->partition, schema->partition_type};
	for (uint32_t i = 0; i < schema->n_more_partitions; i++)
		keys->at[keys->n++] = schema->more_partitions[i];
	keys->n_partitions = keys->n;
	if (schema->sort.at != NULL)
		keys->at[keys->n++] = (struct expr_key_attribute){schema->sort, schema->sort_type};
	for (uint32_t i = 0; i < schema->n_more_sorts; i++)
		keys->at[keys->n++] = schema->more_sorts[i];
	for (uint32_t i = 0; i < keys->n; i++)
		keys->conditions[i] = condition_on(conditions, keys->at[i].name);
}

static bool
is_equal(const struct expr_node *node)
{
	return node != NULL && node->op == EXPR_OP_EQ;
}

/* The names of keys in [from, to) with no condition, or (`loose`) with one that is no equality. */
static void
list_names(const struct keys *keys, uint32_t from, uint32_t to, bool loose, struct buf *out)
{
	for (uint32_t i = from; i < to; i++) {
		bool missing = keys->conditions[i] == NULL;

		if (is_equal(keys->conditions[i]) || (!loose && !missing))
			continue;
		if (out->n > 0)
			buf_append_string(out, ", ");
		buf_append(out, keys->at[i].name.at, keys->at[i].name.n);
	}
}

#define EQUALITY "%s key attributes %.*s must have equality conditions specified in the query"

/* Every partition attribute of several has its equality. */
static tide_err
check_partitions(const struct keys *keys, struct tide_error *error)
{
	struct buf names = {0};
	tide_err rc = TIDE_OK;

	list_names(keys, 0, keys->n_partitions, true, &names);
	if (names.n > 0)
		rc =
		    tide_fail(error, TIDE_VALIDATION, EQUALITY, "HASH", (int)names.n, (const char *)names.at);
	buf_fini(&names);
	return rc;
}

/* Conditions on sort attributes have no gap, and only the last is no equality. */
static tide_err
check_sorts(const struct keys *keys, struct tide_error *error)
{
	struct buf names = {0};
	tide_err rc = TIDE_OK;

	for (unsigned loose = 0; loose < 2 && rc == TIDE_OK; loose++) {
		for (uint32_t i = keys->n_partitions; i < keys->n && rc == TIDE_OK; i++) {
			if (keys->conditions[i] == NULL)
				continue;
			list_names(keys, keys->n_partitions, i, loose == 1, &names);
			if (names.n > 0)
				rc = tide_fail(error, TIDE_VALIDATION,
				    EQUALITY " because a condition is present on key attribute %.*s", "RANGE",
				    (int)names.n, (const char *)names.at, (int)keys->at[i].name.n,
				    (const char *)keys->at[i].name.at);
		}
	}
	buf_fini(&names);
	return rc;
}

/* As many conditions as were found on attributes of the key, and not more than it has. */
static tide_err
check_names(
    const struct conditions *conditions, const struct keys *keys, bool legacy, struct tide_error *error)
{
	bool several = keys->n_partitions > 1 || keys->n > keys->n_partitions + 1;
	uint32_t known = 0;

	if (conditions->n > keys->n && (legacy || several))
		return tide_fail(error, TIDE_VALIDATION, "Query key condition not supported");
	if (conditions->n > keys->n)
		return tide_fail(error, TIDE_VALIDATION,
		    "The number of query conditions (%u) exceeds the number of key attributes defined in the "
		    "schema (%u)",
		    (unsigned)conditions->n, (unsigned)keys->n);
	if (keys->n_partitions == 1 && keys->conditions[0] == NULL)
		return missed_fail(keys->at[0].name, error);
	if (keys->n_partitions > 1) {
		tide_err rc = check_partitions(keys, error);

		if (rc != TIDE_OK)
			return rc;
	}
	for (uint32_t i = 0; i < keys->n; i++)
		known += keys->conditions[i] != NULL;
	for (uint32_t i = keys->n_partitions; known < conditions->n && i < keys->n; i++) {
		if (keys->conditions[i] == NULL)
			return missed_fail(keys->at[i].name, error);
	}
	return TIDE_OK;
}

static tide_err
check_key(const struct keys *keys, uint32_t i, const struct expr_key_schema *schema, bool legacy,
    struct tide_error *error)
{
	tide_err rc = TIDE_OK;

	if (legacy)
		rc = check_indexable(keys->conditions[i], error);
	if (rc != TIDE_OK)
		return rc;
	return check_values(keys->conditions[i], schema, &keys->at[i], i < keys->n_partitions, error);
}

tide_err
expr_key_condition_derive(const struct expr_condition *condition, const struct expr_key_schema *schema,
    struct expr_key_condition *out, struct tide_error *error)
{
	struct expr_key_condition derived = {.range = EXPR_RANGE_ALL};
	struct conditions conditions;
	const struct expr_node *last = NULL;
	struct keys keys;
	tide_err rc;

	conditions.n = 0;
	if ((rc = collect(condition->root, condition->legacy, &conditions, error)) != TIDE_OK)
		return rc;
	keys_of(schema, &conditions, &keys);
	if ((rc = check_names(&conditions, &keys, condition->legacy, error)) != TIDE_OK)
		return rc;
	for (uint32_t i = 0; i < keys.n; i++) {
		if (keys.conditions[i] == NULL)
			continue;
		if ((rc = check_key(&keys, i, schema, condition->legacy, error)) != TIDE_OK)
			return rc;
		if (i == 0 && !is_equal(keys.conditions[0]))
			return tide_fail(error, TIDE_VALIDATION, "Query key condition not supported");
	}
	if ((rc = check_sorts(&keys, error)) != TIDE_OK)
		return rc;
	derived.partition = *value_of(keys.conditions[0]);
	for (uint32_t i = 1; i < keys.n_partitions; i++)
		derived.more_partitions[derived.n_more_partitions++] = *value_of(keys.conditions[i]);
	for (uint32_t i = keys.n_partitions; i < keys.n && keys.conditions[i] != NULL; i++) {
		if (last != NULL)
			derived.equal_sorts[derived.n_equal_sorts++] = *value_of(last);
		last = keys.conditions[i];
	}
	if (last != NULL) {
		derived.range = range_of(last);
		derived.low = *value_of(last);
		if (last->op == EXPR_OP_BETWEEN)
			derived.high = *last->args->next->next->value;
	}
	*out = derived;
	return TIDE_OK;
}

bool
expr_key_condition_matches(const struct expr_key_condition *condition, const struct value *sort)
{
	int order;

	if (condition->range == EXPR_RANGE_ALL)
		return true;
	if (sort == NULL || sort->type != condition->low.type)
		return false;
	if (condition->range == EXPR_RANGE_BEGINS_WITH) {
		struct bytes prefix = condition->low.text;

		return sort->text.n >= prefix.n && bytes_equal(bytes_of(sort->text.at, prefix.n), prefix);
	}
	order = value_compare(sort, &condition->low);
	switch (condition->range) {
	case EXPR_RANGE_EQ:
		return order == 0;
	case EXPR_RANGE_LT:
		return order < 0;
	case EXPR_RANGE_LE:
		return order <= 0;
	case EXPR_RANGE_GT:
		return order > 0;
	case EXPR_RANGE_GE:
		return order >= 0;
	default:
		return order >= 0 && value_compare(sort, &condition->high) <= 0;
	}
}

/* ---- key attributes in other expressions ---- */

static bool
is_one_of(const struct expr_key_attribute *keys, uint32_t n, struct bytes name)
{
	for (uint32_t i = 0; i < n; i++) {
		if (bytes_equal(keys[i].name, name))
			return true;
	}
	return false;
}

static bool
is_key(const struct expr_key_schema *schema, struct bytes name)
{
	return bytes_equal(name, schema->partition) ||
	       (schema->sort.at != NULL && bytes_equal(name, schema->sort)) ||
	       is_one_of(schema->more_partitions, schema->n_more_partitions, name) ||
	       is_one_of(schema->more_sorts, schema->n_more_sorts, name);
}

tide_err
expr_filter_check_keys(
    const struct expr_condition *filter, const struct expr_key_schema *schema, struct tide_error *error)
{
	for (uint32_t i = 0; filter != NULL && i < filter->names_n; i++) {
		if (is_key(schema, filter->names[i]))
			return tide_fail(error, TIDE_VALIDATION,
			    "%s can only contain non-primary key attributes: Primary key attribute: %.*s",
			    filter->legacy ? "QueryFilter" : "Filter Expression", (int)filter->names[i].n,
			    (const char *)filter->names[i].at);
	}
	return TIDE_OK;
}

static tide_err
check_path(const struct expr_path *path, const struct expr_key_schema *schema, struct tide_error *error)
{
	struct bytes name = path->first->name;

	if (path->n == 1 || !is_key(schema, name))
		return TIDE_OK;
	return tide_fail(error, TIDE_VALIDATION,
	    "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
	    "%s: %.*s",
	    schema->of_index ? "IndexKey" : "Key", (int)name.n, (const char *)name.at);
}

static tide_err
check_paths(const struct expr_node *node, const struct expr_key_schema *schema, struct tide_error *error)
{
	tide_err rc;

	if (node->op == EXPR_OP_PATH)
		return check_path(node->path, schema, error);
	if (node->op == EXPR_OP_VALUE)
		return TIDE_OK;
	for (node = node->args; node != NULL; node = node->next) {
		if ((rc = check_paths(node, schema, error)) != TIDE_OK)
			return rc;
	}
	return TIDE_OK;
}

tide_err
expr_condition_check_paths(
    const struct expr_condition *condition, const struct expr_key_schema *schema, struct tide_error *error)
{
	return condition != NULL ? check_paths(condition->root, schema, error) : TIDE_OK;
}

tide_err
expr_projection_check_paths(
    const struct expr_projection *projection, const struct expr_key_schema *schema, struct tide_error *error)
{
	tide_err rc;

	for (const struct expr_action *a = projection != NULL ? projection->paths : NULL; a != NULL;
	     a = a->next) {
		if ((rc = check_path(a->path, schema, error)) != TIDE_OK)
			return rc;
	}
	return TIDE_OK;
}

tide_err
expr_update_check_paths(
    const struct expr_update *update, const struct expr_key_schema *schema, struct tide_error *error)
{
	tide_err rc;

	for (const struct expr_action *a = update != NULL ? update->actions : NULL; a != NULL; a = a->next) {
		if ((rc = check_path(a->path, schema, error)) != TIDE_OK)
			return rc;
		if (a->value != NULL && (rc = check_paths(a->value, schema, error)) != TIDE_OK)
			return rc;
	}
	return TIDE_OK;
}
