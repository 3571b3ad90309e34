/*
 * PartiQL statements of DynamoDB: from the text and its parameters to what it asks for.
 *
 *     partiql_parse       text -> statement: the table's name, values, and the condition and update trees of api/expr
 *     partiql_key         UPDATE, DELETE, EXISTS: the one item that the WHERE clause names
 *     partiql_plan_make   SELECT: which parts of a table or index are read, and in which order
 *
 * A parsed statement is immutable; it lives as long as the arena that it was parsed in. Every client error is TIDE_VALIDATION with
 * DynamoDB's sentence; TIDE_NOMEM when the arena is full. Recursion is bounded everywhere. Pure; any thread.
 * Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
 */
#ifndef TIDE_API_PARTIQL_PARTIQL_H
#define TIDE_API_PARTIQL_PARTIQL_H

#include "api/expr/expr.h"

#define PARTIQL_STATEMENT_MAX 8192 /* characters; checked with the request's shape */
#define PARTIQL_READS_MAX 50 /* parts that one SELECT may be made of */

enum partiql_kind {
	PARTIQL_SELECT,
	PARTIQL_INSERT,
	PARTIQL_UPDATE,
	PARTIQL_DELETE,
	PARTIQL_EXISTS, /* EXISTS(SELECT ...): a condition check of a transaction */
	PARTIQL_OTHER, /* it can be parsed; `refusal` says why it cannot be executed */
};

enum partiql_returning {
	PARTIQL_RETURN_NONE,
	PARTIQL_RETURN_ALL_OLD,
	PARTIQL_RETURN_ALL_NEW,
	PARTIQL_RETURN_MODIFIED_OLD,
	PARTIQL_RETURN_MODIFIED_NEW,
};

struct expr_path;

/* A column of SELECT: what is looked for in the item, and how it is called in the answer. */
struct partiql_column {
	const struct expr_path *path;
	struct bytes name;
};

struct partiql_order {
	struct bytes name;
	bool descending;
};

struct partiql_statement {
	enum partiql_kind kind;
	struct bytes table, index; /* `index.at` NULL: none */
	const struct partiql_column *columns; /* SELECT; `n_columns` 0: * */
	uint32_t n_columns;
	const struct expr_projection *projection; /* the same columns, for what reads them; NULL: * */
	const struct partiql_order *order; /* ORDER BY */
	uint32_t n_order;
	const struct expr_condition *where; /* NULL: none */
	struct value item; /* INSERT */
	const struct expr_update *update; /* UPDATE */
	enum partiql_returning returning;
	const char *refusal; /* OTHER */
	bool operation; /* OTHER: an expression with an operator or function, as EXISTS is */
};

/**
 * Parse a statement. `params` are the request's Parameters (n of them), already read; what the statement makes of them borrows
 * from them. `*out` only on TIDE_OK.
 */
tide_err partiql_parse(struct arena *arena, struct bytes text, const struct value *params, uint32_t n,
    struct partiql_statement *out, struct tide_error *error);

/** Does it only read? EXISTS counts as a write. */
bool partiql_is_read(const struct partiql_statement *statement);

/** The top-level attribute that a column is part of. */
struct bytes partiql_column_attribute(const struct partiql_statement *statement, uint32_t i);

/** The row that SELECT makes of an item: `*out` shares parts with it. `columns` must not be empty. TIDE_NOMEM. */
tide_err partiql_row(const struct partiql_statement *statement, struct arena *arena, const struct value *item,
    struct value *out);

/* ---- the item that a WHERE clause names ---- */

enum partiql_key_found {
	PARTIQL_KEY_NONE, /* not every key attribute is compared by = at the top */
	PARTIQL_KEY_ALONE, /* the key and nothing else */
	PARTIQL_KEY_AND_MORE, /* the key and other conditions */
	PARTIQL_KEY_TWICE, /* two values for one key attribute; the key holds the first */
};

struct partiql_key {
	enum partiql_key_found found;
	bool in_list; /* an IN of one value stands for a comparison */
	struct value item; /* the key attributes, sorted; of any type. Not for NONE */
	struct bytes twice; /* TWICE: the attribute's name */
};

/** Look for the key. An IN with one value counts as = . TIDE_NOMEM. */
tide_err partiql_key_find(const struct partiql_statement *statement, const struct expr_key_schema *schema,
    struct arena *arena, struct partiql_key *out);

/* ---- the plan of a SELECT ---- */

/* One part: the items of one partition whose sort key is in a range. */
struct partiql_read {
	struct expr_key_condition key;
	const void *filters; /* for partiql_read_filter_names */
};

struct partiql_plan {
	bool keyed; /* false: everything is read and filtered */
	bool backward; /* sort keys descend */
	bool whole_key; /* keyed, and every read holds all of the key equal to one value */
	const struct partiql_read *reads; /* in the order in which they are made */
	uint32_t n_reads;
};

/**
 * Which parts are read, with a key of one partition attribute and at most one sort attribute. What is read is still to be filtered by all of `where`.
 *
 * Errors     TIDE_VALIDATION: key values of other types than the schema's, parts that overlap, too many parts, an ORDER BY that
 *            cannot be followed.
 */
tide_err partiql_plan_make(const struct partiql_statement *statement, const struct expr_key_schema *schema,
    struct arena *arena, struct partiql_plan *out, struct tide_error *error);

/**
 * The attributes that the conditions beside the keys name in one part: what an index must project. Each once, in the order in which
 * DynamoDB lists them (a Java HashSet's). TIDE_NOMEM.
 */
tide_err partiql_read_filter_names(
    const struct partiql_read *read, struct arena *arena, const struct bytes **names, uint32_t *n);

#endif
