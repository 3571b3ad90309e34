/*
 * From the parsed text to the statement: what the grammar lets through and DynamoDB refuses, in the order in which it does.
 */
#include "api/partiql/tree.h"

#include <stdio.h>

/* ---- the table ---- */

static tide_err
check_name(struct ql_builder *b, struct bytes name)
{
	bool good = name.n >= 3 && name.n <= 255;

	for (size_t i = 0; i < name.n && good; i++) {
		uint8_t c = name.at[i];

		good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		       c == '-' || c == '_' || c == '.';
	}
	if (good)
		return TIDE_OK;
	return ql_fail(b, BYTES_NONE,
	    "Table name should be within the length [3, 255] and only contain 'a-z', 'A-Z', '0-9', '-', '_', "
	    "'.'.");
}

static tide_err
read_source(struct ql_builder *b, const struct ql_node *node, struct partiql_statement *out)
{
	struct bytes *part[] = {&out->table, &out->index};
	uint32_t n = 0;
	tide_err rc;

	if (node->op != QL_PATH)
		return ql_fail(b, BYTES_NONE, "Unexpected from source");
	if (node->n > 2)
		return ql_fail(b, BYTES_NONE, "A path may contain at most 2 components in the FROM clause");
	for (const struct ql_node *step = node->args; step != NULL; step = step->next) {
		if (step->op != QL_NAME)
			return ql_fail(b, BYTES_NONE, "Invalid list expression in source.");
		if (step->name.n == 0)
			return ql_fail(b, BYTES_NONE, "Path component cannot be an empty string");
		*part[n++] = step->name;
	}
	if ((rc = check_name(b, out->table)) != TIDE_OK)
		return rc;
	return n == 2 ? check_name(b, out->index) : TIDE_OK;
}

static tide_err
read_from(struct ql_builder *b, const struct ql_select *select, struct partiql_statement *out)
{
	if (select->from.n > 1)
		return ql_fail(b, BYTES_NONE, "Only select from a single table or index is supported.");
	if (select->alias)
		return ql_fail(b, BYTES_NONE, "Aliasing is not supported");
	return read_source(b, select->from.first, out);
}

/* ---- SELECT ---- */

static tide_err
check_clauses(struct ql_builder *b, const struct ql_select *select)
{
	if (select->distinct)
		return ql_fail(b, BYTES_NONE, "Unsupported token in expression: DISTINCT");
	if (select->value)
		return ql_fail(b, BYTES_NONE, "Select projection doesn't support value or pivot keywords");
	if (select->group)
		return ql_fail(b, BYTES_NONE, "Unsupported clause: GROUP BY");
	if (select->having != NULL)
		return ql_fail(b, select->having->at, "Unsupported clause: HAVING");
	if (select->limit != NULL)
		return ql_fail(b, select->limit->at, "Unsupported clause: LIMIT");
	return TIDE_OK;
}

static tide_err
read_order(struct ql_builder *b, const struct ql_select *select, struct partiql_statement *out)
{
	struct partiql_order *at;
	uint32_t n = 0;

	if (select->order.n == 0)
		return TIDE_OK;
	if (select->where == NULL)
		return ql_fail(
		    b, BYTES_NONE, "Must have WHERE clause in the statement when using ORDER BY clause.");
	if ((at = arena_calloc(b->arena, select->order.n * sizeof *at)) == NULL)
		return TIDE_NOMEM;
	for (const struct ql_node *node = select->order.first; node != NULL; node = node->next) {
		if (node->op != QL_PATH || node->n != 1)
			return ql_fail(b, node->at, "Unexpected path component");
		at[n].name = node->args->name;
		at[n++].descending = node->negated;
	}
	out->order = at;
	out->n_order = n;
	return TIDE_OK;
}

static tide_err
read_select(struct ql_builder *b, const struct ql_select *select, struct partiql_statement *out)
{
	tide_err rc;

	if ((rc = check_clauses(b, select)) != TIDE_OK || (rc = read_from(b, select, out)) != TIDE_OK ||
	    (rc = ql_columns(b, select, out)) != TIDE_OK ||
	    (rc = ql_where(b, select->where, &out->where)) != TIDE_OK)
		return rc;
	return read_order(b, select, out);
}

/* ---- INSERT, UPDATE, DELETE ---- */

static tide_err
read_returning(struct ql_builder *b, struct partiql_statement *out)
{
	static const char *const names[] = {
	    [PARTIQL_RETURN_ALL_OLD] = "ALL OLD",
	    [PARTIQL_RETURN_ALL_NEW] = "ALL NEW",
	    [PARTIQL_RETURN_MODIFIED_OLD] = "MODIFIED OLD",
	    [PARTIQL_RETURN_MODIFIED_NEW] = "MODIFIED NEW",
	};
	const struct ql_returning *returning = &b->statement.returning;

	if (returning->n == 0)
		return TIDE_OK;
	if (out->kind == PARTIQL_INSERT)
		return ql_fail(b, BYTES_NONE, "RETURNING is not supported in INSERT");
	if (returning->n > 1)
		return ql_fail(
		    b, BYTES_NONE, "Invalid syntax with multiple returning elements in RETURNING clause");
	if (!returning->star)
		return ql_fail(
		    b, BYTES_NONE, "Expected '*' after ( MODIFIED | ALL ) ( NEW | OLD ) in RETURNING clause");
	if (out->kind == PARTIQL_DELETE && returning->what != PARTIQL_RETURN_ALL_OLD)
		return ql_fail(b, BYTES_NONE,
		    "Invalid returning clause: RETURNING %s *. Only RETURNING ALL OLD * is allowed in DELETE "
		    "statements.",
		    names[returning->what]);
	out->returning = returning->what;
	return TIDE_OK;
}

static tide_err
read_insert(struct ql_builder *b, struct partiql_statement *out)
{
	const struct ql_statement *statement = &b->statement;
	tide_err rc;

	if (statement->target->n > 1)
		return ql_fail(b, BYTES_NONE,
		    "FROM clause may only contain a single table name in data manipulation statements");
	if ((rc = read_returning(b, out)) != TIDE_OK ||
	    (rc = read_source(b, statement->target, out)) != TIDE_OK)
		return rc;
	return ql_item(b, statement->item, &out->item);
}

static tide_err
read_change(struct ql_builder *b, struct partiql_statement *out)
{
	const struct ql_select *select = b->statement.select;
	tide_err rc;

	if ((rc = read_returning(b, out)) != TIDE_OK || (rc = read_from(b, select, out)) != TIDE_OK)
		return rc;
	if (out->index.at != NULL)
		return ql_fail(b, BYTES_NONE, "This operation is not supported on an index");
	if (out->kind == PARTIQL_UPDATE && (rc = ql_update(b, &out->update)) != TIDE_OK)
		return rc;
	return ql_where(b, select->where, &out->where);
}

/* ---- all ---- */

static tide_err
read_expression(struct ql_builder *b, struct partiql_statement *out)
{
	const struct ql_node *node = b->statement.expression;

	if (node->op == QL_CALL && bytes_is(node->name, "exists") && node->n == 1 &&
	    node->args->op == QL_SELECT) {
		out->kind = PARTIQL_EXISTS;
		return read_select(b, node->args->select, out);
	}
	out->kind = PARTIQL_OTHER;
	out->operation = strcmp(ql_node_class(node), "NAry") == 0;
	out->refusal = out->operation
			   ? "EXISTS can only be used in ExecuteTransaction write requests."
			   : arena_format(b->arena, "Unsupported operation: %s", ql_node_class(node));
	return out->refusal != NULL ? TIDE_OK : TIDE_NOMEM;
}

static tide_err
read_statement(struct ql_builder *b, struct partiql_statement *out)
{
	switch (b->statement.kind) {
	case QL_IS_SELECT:
		out->kind = PARTIQL_SELECT;
		return read_select(b, b->statement.select, out);
	case QL_IS_INSERT:
		out->kind = PARTIQL_INSERT;
		return read_insert(b, out);
	case QL_IS_UPDATE:
		out->kind = PARTIQL_UPDATE;
		return read_change(b, out);
	case QL_IS_DELETE:
		out->kind = PARTIQL_DELETE;
		return read_change(b, out);
	case QL_IS_EXPRESSION:
		return read_expression(b, out);
	case QL_IS_UNSUPPORTED:
		break;
	}
	out->kind = PARTIQL_OTHER;
	out->refusal = arena_format(b->arena, "Unsupported operation: %s", b->statement.unsupported);
	return out->refusal != NULL ? TIDE_OK : TIDE_NOMEM;
}

tide_err
partiql_parse(struct arena *arena, struct bytes text, const struct value *params, uint32_t n,
    struct partiql_statement *out, struct tide_error *error)
{
	struct ql_builder b = {.arena = arena, .error = error, .params = params, .n_params = n};
	struct partiql_statement statement = {.kind = PARTIQL_OTHER};
	tide_err rc;

	/* The copy ends with a NUL, which the lexer needs, and lives as long as the names that point into it. */
	if ((b.text = arena_copy(arena, text)).at == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	rc = ql_grammar_run(&b);
	if (rc == TIDE_OK)
		rc = read_statement(&b, &statement);
	if (rc == TIDE_OK)
		*out = statement;
	return rc != TIDE_NOMEM ? rc : tide_fail(error, TIDE_NOMEM, NULL);
}

bool
partiql_is_read(const struct partiql_statement *statement)
{
	return statement->kind == PARTIQL_SELECT;
}
