/*
 * DynamoDB expressions: condition, filter, key condition, update and projection.
 *
 * A request goes through four steps:
 *
 *     expr_scope_read          #names and :values of the request (JSON)
 *     expr_*_parse             each expression text becomes a tree in the request's arena
 *     expr_scope_check_used    every #name and :value was used by some expression
 *     expr_*_eval, _apply      against items, as often as needed, on any thread
 *
 * Rules common to all: parsed trees are immutable, so the committer may evaluate what an I/O thread parsed; they live
 * as long as the arena they were parsed in and borrow the :values from the scope. Every client error is TIDE_VALIDATION with
 * DynamoDB's sentence; TIDE_NOMEM when the arena is full. Recursion is bounded everywhere.
 * Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
 */
#ifndef TIDE_API_EXPR_EXPR_H
#define TIDE_API_EXPR_EXPR_H

#include "api/json/json.h"
#include "store/item/value.h"

#define EXPR_BYTES_MAX 4096
#define EXPR_OPERATORS_MAX 300 /* operators and functions in one expression */
#define EXPR_IN_MAX 100
#define EXPR_PATH_DEPTH_MAX 32
#define EXPR_PLACEHOLDER_BYTES_MAX 255

/* The parameter a text came from; expr_kind_name gives "ConditionExpression", ... */
enum expr_kind {
	EXPR_CONDITION,
	EXPR_FILTER,
	EXPR_KEY_CONDITION,
	EXPR_UPDATE,
	EXPR_PROJECTION,
	EXPR_STATEMENT, /* no text of its own: a part of a PartiQL statement. The sentences name no parameter */
};

const char *expr_kind_name(enum expr_kind kind);

/* ---- names and values ---- */

struct expr_name {
	struct bytes placeholder; /* "#x" */
	struct bytes name;
	bool used;
};

struct expr_names {
	struct expr_name *at; /* sorted by placeholder */
	uint32_t n;
};

struct expr_value {
	struct bytes placeholder; /* ":x" */
	struct value value;
	bool used;
};

struct expr_values {
	struct expr_value *at; /* sorted by placeholder */
	uint32_t n;
};

/* What the expressions of one request (or of one action of a transaction) may refer to. One thread at a time. */
struct expr_scope {
	struct expr_names names;
	struct expr_values values;
};

/**
 * Read ExpressionAttributeNames and ExpressionAttributeValues of `request` (a JSON object).
 *
 * `expressions` are the expression parameters that the operation takes and `legacy` those of the old kind that exclude
 * them, both NULL-terminated and in DynamoDB's order, e.g. {"UpdateExpression", "ConditionExpression", NULL} and
 * {"AttributeUpdates", "Expected", "ConditionalOperator", NULL}; `legacy` may be NULL.
 *
 * Ownership  names and values borrow from the JSON tree and the arena.
 * Errors     TIDE_VALIDATION: both kinds of parameters in one request, names or values without an expression, an empty map, a
 *            malformed placeholder, an invalid value. TIDE_SERIALIZATION: wrong JSON types.
 */
tide_err expr_scope_read(struct arena *arena, const struct json *request, const char *const *expressions,
    const char *const *legacy, struct expr_scope *out, struct tide_error *error);

/** The same from parts: either may be NULL (absent). No check against other parameters. */
tide_err expr_scope_init(struct arena *arena, const struct json *names, const struct json *values,
    struct expr_scope *out, struct tide_error *error);

/** After the last parse: TIDE_VALIDATION when a name or a value was used by no expression. */
tide_err expr_scope_check_used(const struct expr_scope *scope, struct tide_error *error);

/* ---- condition, filter, key condition ---- */

struct expr_condition;

/**
 * Parse a condition; `kind` is EXPR_CONDITION, EXPR_FILTER or EXPR_KEY_CONDITION and chooses the sentences.
 * Marks what it uses in `scope`. `*out` only on TIDE_OK.
 */
tide_err expr_condition_parse(struct arena *arena, enum expr_kind kind, struct bytes text,
    struct expr_scope *scope, const struct expr_condition **out, struct tide_error *error);

/** Whether the item (NULL: there is none) meets the condition. Needs no memory. Any thread. */
bool expr_condition_eval(const struct expr_condition *condition, const struct value *item);

/** The distinct top-level attribute names that it refers to, sorted; the count is returned. Valid as long as it is. */
uint32_t expr_condition_names(const struct expr_condition *condition, const struct bytes **names);

#define EXPR_KEYS_MORE_MAX 3

struct expr_key_attribute {
	struct bytes name;
	enum value_type type;
};

/*
 * The key of a table or an index. `sort.at` NULL: there is no sort key. Keys of several attributes, as global indexes may have them: what
 * follows the first partition attribute and the first sort attribute.
 */
struct expr_key_schema {
	struct bytes partition, sort;
	enum value_type partition_type, sort_type;
	struct expr_key_attribute more_partitions[EXPR_KEYS_MORE_MAX], more_sorts[EXPR_KEYS_MORE_MAX];
	uint8_t n_more_partitions, n_more_sorts;
	bool of_index; /* sentences call its attributes "IndexKey" */
	struct bytes index; /* its name */
};

enum expr_range {
	EXPR_RANGE_ALL, /* no sort key, or no condition on it */
	EXPR_RANGE_EQ,
	EXPR_RANGE_LT,
	EXPR_RANGE_LE,
	EXPR_RANGE_GT,
	EXPR_RANGE_GE,
	EXPR_RANGE_BETWEEN, /* low <= sort key <= high */
	EXPR_RANGE_BEGINS_WITH,
};

struct expr_key_condition {
	struct value partition;
	struct value more_partitions[EXPR_KEYS_MORE_MAX]; /* as many as the schema has */
	uint8_t n_more_partitions;
	struct value equal_sorts[EXPR_KEYS_MORE_MAX]; /* of the first sort attributes: each equals this */
	uint8_t n_equal_sorts;
	enum expr_range range; /* of the sort attribute behind those */
	struct value low; /* the operand; the lower bound of BETWEEN; the prefix of BEGINS_WITH */
	struct value high; /* the upper bound of BETWEEN */
};

/**
 * What can be said against a key condition without the schema, before the table is looked up: operators other than AND, =, <,
 * <=, >, >=, BETWEEN and begins_with, nested paths, two conditions on one key. `derive` repeats it, so calling it is optional.
 */
tide_err expr_key_condition_check(const struct expr_condition *condition, struct tide_error *error);

/**
 * What a key condition (parsed with EXPR_KEY_CONDITION) selects in a table or index with that key.
 *
 * Errors     TIDE_VALIDATION: partition key missing or not compared with =, more than one condition per key, other
 *            attributes, unsupported operators, types that differ from the schema, an empty key value.
 */
tide_err expr_key_condition_derive(const struct expr_condition *condition,
    const struct expr_key_schema *schema, struct expr_key_condition *out, struct tide_error *error);

/** Whether a sort key is in the range (of a key of several attributes: the one that it is about); `sort` has the schema's type. */
bool expr_key_condition_matches(const struct expr_key_condition *condition, const struct value *sort);

/** TIDE_VALIDATION when a Query's filter (may be NULL) refers to a key attribute of what is queried. */
tide_err expr_filter_check_keys(
    const struct expr_condition *filter, const struct expr_key_schema *schema, struct tide_error *error);

/** TIDE_VALIDATION when it looks inside a key attribute (pk.x, pk[0]): those are scalars. `condition` may be NULL. */
tide_err expr_condition_check_paths(
    const struct expr_condition *condition, const struct expr_key_schema *schema, struct tide_error *error);

/* ---- update ---- */

struct expr_update;

tide_err expr_update_parse(struct arena *arena, struct bytes text, struct expr_scope *scope,
    const struct expr_update **out, struct tide_error *error);

/** TIDE_VALIDATION when it looks inside a key attribute, or changes something inside. `update` may be NULL. */
tide_err expr_update_check_paths(
    const struct expr_update *update, const struct expr_key_schema *schema, struct tide_error *error);

/** TIDE_VALIDATION when it changes one of the table's key attributes. */
tide_err expr_update_check_keys(
    const struct expr_update *update, const struct bytes *key_names, uint32_t n, struct tide_error *error);

/**
 * Apply an update. `item` is the item before, NULL when there is none; `key` is an item with only the key attributes, what
 * a created item begins with.
 *
 * On TIDE_OK `*out` is the item after, or NULL when there was none and the update only removes (nothing is created). It is
 * in canonical form, lives in `arena` and shares parts with `item`, `key` and the :values. `item` is unchanged. The caller
 * checks ITEM_BYTES_MAX and the key attributes of indexes.
 *
 * Errors     TIDE_VALIDATION: a path that is invalid for update, a missing attribute, wrong operand types, arithmetic
 *            overflow, nesting over NESTING_MAX.
 * Thread     any; one at a time per arena.
 */
tide_err expr_update_apply(const struct expr_update *update, struct arena *arena, const struct value *item,
    const struct value *key, const struct value **out, struct tide_error *error);

/**
 * The Attributes of ReturnValues UPDATED_OLD (`before`) or UPDATED_NEW (`after`; the one wanted, the other is still needed):
 * only the updated paths, nested ones rebuilt as in a projection. Either item may be NULL. `*out` is an item, with
 * n == 0 when there is nothing to return (then the reply has no Attributes).
 */
enum expr_updated { EXPR_UPDATED_OLD, EXPR_UPDATED_NEW };

tide_err expr_update_returned(const struct expr_update *update, struct arena *arena,
    const struct value *before, const struct value *after, enum expr_updated which, struct value *out);

/** The distinct top-level attribute names that it may change, sorted; the count is returned. */
uint32_t expr_update_names(const struct expr_update *update, const struct bytes **names);

/* ---- projection ---- */

struct expr_projection;

tide_err expr_projection_parse(struct arena *arena, struct bytes text, struct expr_scope *scope,
    const struct expr_projection **out, struct tide_error *error);

/** TIDE_VALIDATION when it looks inside a key attribute. `projection` may be NULL. */
tide_err expr_projection_check_paths(
    const struct expr_projection *projection, const struct expr_key_schema *schema, struct tide_error *error);

/** A projection on whole top-level attributes (AttributesToGet). TIDE_VALIDATION: a name twice. Copies the names. */
tide_err expr_projection_of_names(struct arena *arena, const struct bytes *names, uint32_t n,
    const struct expr_projection **out, struct tide_error *error);

/**
 * The projected parts of an item as an item: nested maps keep only what was asked for, list elements are compacted in
 * index order. `*out` shares parts with `item`; n == 0 when the item has none of the paths. TIDE_NOMEM only.
 */
tide_err expr_projection_apply(const struct expr_projection *projection, struct arena *arena,
    const struct value *item, struct value *out);

/** The distinct top-level attribute names, sorted; the count is returned. */
uint32_t expr_projection_names(const struct expr_projection *projection, const struct bytes **names);

#endif
