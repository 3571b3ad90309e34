/*
 * Document paths, and the columns of SELECT: a column is called by the last name in its path, with the indexes behind it.
 */
#include "api/partiql/tree.h"

#include <stdio.h>

/* ---- paths ---- */

static tide_err
range_fail(struct ql_builder *b, const char *sign, struct bytes digits)
{
	return ql_fail(b, digits, "List index is not within the allowable range; index: [%s%.*s]", sign,
	    (int)digits.n, (const char *)digits.at);
}

static bool
all_digits(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
	}
	return true;
}

static bool
is_zero(struct bytes digits)
{
	for (size_t i = 0; i < digits.n; i++) {
		if (digits.at[i] != '0')
			return false;
	}
	return true;
}

/* What stands in brackets: a number, or a name. */
static tide_err
bracket(struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, struct expr_step **out)
{
	bool negative = node->op == QL_NEGATIVE;
	struct bytes text;

	if (node->op == QL_PATH && node->n == 1) {
		*out = expr_step_name(tree, node->args->name, false);
		return TIDE_OK;
	}
	if (negative)
		node = node->args;
	if (!negative && node->op == QL_LITERAL && node->value.type == VALUE_S) {
		*out = expr_step_name(tree, node->value.text, false);
		return TIDE_OK;
	}
	if (node->op != QL_LITERAL || node->value.type != VALUE_N || !all_digits(node->value.text))
		return ql_fail(b, node->at, "Unexpected path component");
	text = node->value.text;
	if (negative && !is_zero(text))
		return range_fail(b, "-", text);
	if ((*out = expr_step_index(tree, text)) == NULL)
		return TIDE_NOMEM;
	return (*out)->index > INT32_MAX ? range_fail(b, "", text) : TIDE_OK;
}

static tide_err
step_of(struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, struct expr_step **out)
{
	tide_err rc = TIDE_OK;

	*out = NULL;
	if (node->op == QL_STAR)
		return ql_fail(b, BYTES_NONE, "Changing item's hierarchy while reading isn't supported");
	if (node->op == QL_NAME)
		*out = expr_step_name(tree, node->name, false);
	else
		rc = bracket(b, tree, node, out);
	if (rc != TIDE_OK)
		return rc;
	if (*out == NULL)
		return TIDE_NOMEM;
	if (!(*out)->is_index && (*out)->name.n == 0)
		return ql_fail(b, BYTES_NONE, "Path component cannot be an empty string");
	return TIDE_OK;
}

tide_err
ql_path(struct ql_builder *b, struct expr_builder *tree, const struct ql_node *node, struct expr_path **out)
{
	struct expr_path *path = NULL;
	struct expr_step *step;
	tide_err rc;

	for (const struct ql_node *arg = node->args; arg != NULL; arg = arg->next) {
		if ((rc = step_of(b, tree, arg, &step)) != TIDE_OK)
			return rc;
		path = path == NULL ? expr_path_new(tree, step) : expr_path_append(path, step);
		if (path == NULL)
			return TIDE_NOMEM;
	}
	*out = path;
	return TIDE_OK;
}

/* ---- columns ---- */

/* a.b.c[1][2] is called c[1][2]. */
static tide_err
column_name(struct ql_builder *b, const struct expr_path *path, struct bytes *out)
{
	const struct expr_step *last = path->first;
	struct buf text = {0};

	for (const struct expr_step *step = path->first; step != NULL; step = step->next) {
		if (!step->is_index)
			last = step;
	}
	buf_append(&text, last->name.at, last->name.n);
	while ((last = last->next) != NULL)
		buf_append_format(&text, "[%u]", (unsigned)last->index);
	*out = buf_check(&text) == TIDE_OK ? arena_copy(b->arena, buf_bytes(&text)) : BYTES_NONE;
	buf_fini(&text);
	return out->at != NULL ? TIDE_OK : TIDE_NOMEM;
}

static tide_err
check_distinct(struct ql_builder *b, const struct partiql_column *columns, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (bytes_equal(columns[i].name, columns[n].name))
			return ql_fail(b, BYTES_NONE, "Duplicate identifiers in select clause: %.*s",
			    (int)columns[n].name.n, (const char *)columns[n].name.at);
	}
	return TIDE_OK;
}

/* The statement's length bounds the number of columns: comparing each with all is cheap. */
tide_err
ql_columns(struct ql_builder *b, const struct ql_select *select, struct partiql_statement *out)
{
	struct expr_builder tree = ql_expr_builder(b);
	struct partiql_column *at;
	struct expr_path *path;
	uint32_t n = 0;
	tide_err rc;

	if (select->star)
		return TIDE_OK;
	if ((at = arena_calloc(b->arena, select->columns.n * sizeof *at)) == NULL)
		return TIDE_NOMEM;
	for (const struct ql_node *node = select->columns.first; node != NULL; node = node->next) {
		if (node->alias)
			return ql_fail(b, BYTES_NONE, "Aliasing is not supported");
		if (node->op != QL_PATH)
			return ql_fail(b, node->at, "Unexpected path component");
		if ((rc = ql_path(b, &tree, node, &path)) != TIDE_OK ||
		    (rc = expr_check_depth(&tree, path)) != TIDE_OK ||
		    (rc = column_name(b, path, &at[n].name)) != TIDE_OK ||
		    (rc = check_distinct(b, at, n)) != TIDE_OK)
			return rc;
		at[n++].path = path;
		expr_action_append(&tree, path, NULL);
	}
	if (tree.nomem)
		return TIDE_NOMEM;
	out->columns = at;
	out->n_columns = n;
	return expr_projection_new(&tree, &out->projection);
}

struct bytes
partiql_column_attribute(const struct partiql_statement *statement, uint32_t i)
{
	return statement->columns[i].path->first->name;
}

tide_err
partiql_row(const struct partiql_statement *statement, struct arena *arena, const struct value *item,
    struct value *out)
{
	struct member *at = arena_alloc(arena, statement->n_columns * sizeof *at);
	uint32_t n = 0;

	if (at == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < statement->n_columns; i++) {
		const struct partiql_column *column = &statement->columns[i];
		const struct value *value = expr_path_find(column->path, item);

		if (value == NULL)
			continue;
		at[n].name = column->name;
		at[n++].value = *value;
	}
	out->type = VALUE_M;
	out->map.at = at;
	out->map.n = n;
	return value_canonicalize(out, NULL);
}
