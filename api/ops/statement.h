/*
 * A PartiQL statement of a request, and what it means for a table. What ExecuteStatement, BatchExecuteStatement and
 * ExecuteTransaction have in common. Any thread.
 */
#ifndef TIDE_API_OPS_STATEMENT_H
#define TIDE_API_OPS_STATEMENT_H

#include "api/ops/item_change.h"
#include "api/ops/ops.h"
#include "api/partiql/partiql.h"

/* The members of a statement that all three take, for their tables. */
#define PARAM_STATEMENT                                                                                      \
	{                                                                                                    \
		.name = "Statement", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .min = 1,                \
		.max = PARTIQL_STATEMENT_MAX                                                                 \
	}
#define PARAM_STATEMENT_PARAMETERS                                                                           \
	{                                                                                                    \
		.name = "Parameters", .type = PARAM_LIST, .min = 1, .members = statement_parameter_shape,    \
		.java = "AttributeValue"                                                                     \
	}

extern const struct param statement_parameter_shape[];

/* A request's Parameters. */
struct statement_parameters {
	struct value *at;
	uint32_t n;
};

/** Parameters of a checked object; there may be none. TIDE_VALIDATION, TIDE_SERIALIZATION: of one of the values. */
tide_err statement_parameters_read(struct arena *arena, const struct json *object,
    struct statement_parameters *out, struct tide_error *error);

/** Its Statement. TIDE_VALIDATION with DynamoDB's sentence, TIDE_NOMEM. */
tide_err statement_parse(struct arena *arena, const struct json *object,
    const struct statement_parameters *parameters, struct partiql_statement *out, struct tide_error *error);

/** The key of a table itself. */
struct expr_key_schema statement_schema(const struct table *table);

/**
 * SELECT: the key of the one item that it reads: an equality for each key attribute, and nothing else. `*whole` false: it is no such
 * statement. The key's values may be of other types than the schema's. TIDE_VALIDATION: what SELECTs of any kind are refused for
 * (parts that overlap, too many of them). TIDE_NOMEM.
 */
tide_err statement_read_key(struct arena *arena, const struct partiql_statement *statement,
    const struct table *table, bool *whole, struct value *key, struct tide_error *error);

/** Statements do not read indexes whose keys have several attributes. TIDE_VALIDATION with DynamoDB's sentence. `index` NULL: none. */
tide_err statement_check_index(const struct table_index *index, struct tide_error *error);

/** Are all key attributes in the item, of the schema's types? With the sentences of statements. TIDE_VALIDATION. */
tide_err statement_check_key(const struct table *table, const struct value *item, struct tide_error *error);

/**
 * INSERT, UPDATE, DELETE, EXISTS: fill in `change` but for its table, which is there already: kind, key, item or update, condition.
 *
 * A condition beside the key is all of WHERE, so that an UPDATE of no item fails its condition.
 * Errors     TIDE_VALIDATION with DynamoDB's sentence: no whole key, of other types, ...; `transaction` chooses the sentences.
 */
tide_err statement_change(struct arena *arena, const struct partiql_statement *statement, bool transaction,
    struct item_change *change, struct tide_error *error);

/** Append the row that a statement returns of a planned change, as JSON; nothing where there is none. TIDE_CORRUPT, TIDE_NOMEM. */
tide_err statement_write_returned(const struct partiql_statement *statement, const struct item_change *change,
    struct arena *arena, struct buf *out);

/**
 * Append a stored item as the row that SELECT makes of it: in a batch and in a transaction as GetItem projects, by itself with its columns'
 * names. `scratch` holds its tree. TIDE_CORRUPT, TIDE_NOMEM.
 */
tide_err statement_write_projected(
    const struct partiql_statement *statement, struct arena *scratch, struct bytes image, struct buf *out);
tide_err statement_write_row(
    const struct partiql_statement *statement, struct arena *scratch, struct bytes image, struct buf *out);

#endif
