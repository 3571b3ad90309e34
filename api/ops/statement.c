#include "api/ops/statement.h"

#include "api/ops/item_read.h"

const struct param statement_parameter_shape[] = {
    {.name = "", .type = PARAM_VALUE, .java = "AttributeValue"},
    PARAMS_END,
};

/* --- numbers in parameters --- */

/*
 * A parameter's number is read as Java's BigDecimal reads one: what does not fit 32 bits is no number, and a magnitude that does not fit them
 * comes out as an underflow. Captured against AWS (paritysuite/dynamodb-conformance, partiqlParameterNumbers); PutItem answers otherwise.
 */
static tide_err
check_number(struct bytes text, struct tide_error *error)
{
	int64_t digits = 0, places = 0, exponent = 0, scale;
	bool point = false, negative = false;
	size_t i = 0;

	for (; i < text.n && (text.at[i] | 0x20) != 'e'; i++) {
		point |= text.at[i] == '.';
		places += point && text.at[i] != '.';
		digits += (digits > 0 || (text.at[i] > '0' && text.at[i] <= '9')) && text.at[i] != '.';
	}
	if (++i < text.n && (text.at[i] == '+' || text.at[i] == '-'))
		negative = text.at[i++] == '-';
	for (; i < text.n && exponent <= INT32_MAX; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return TIDE_OK; /* whatever it is, others say so */
		exponent = exponent * 10 + (text.at[i] - '0');
	}
	scale = places - (negative ? -exponent : exponent);
	if (exponent > INT32_MAX || scale > INT32_MAX || scale < INT32_MIN)
		return tide_fail(error, TIDE_VALIDATION,
		    "The parameter cannot be converted to a numeric value: %.*s", (int)text.n,
		    (const char *)text.at);
	if (digits - scale > INT32_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    "Number underflow. Attempting to store a number with magnitude smaller than supported "
		    "range");
	return TIDE_OK;
}

static tide_err
check_numbers_in(const struct json *list, struct tide_error *error)
{
	tide_err rc = TIDE_OK;

	for (uint32_t i = 0; list->type == JSON_ARRAY && i < list->array.n && rc == TIDE_OK; i++) {
		if (list->array.at[i].type == JSON_STRING)
			rc = check_number(list->array.at[i].text, error);
	}
	return rc;
}

/* An AttributeValue that may be of wrong types, too. Recursion is as deep as JSON may be. */
static tide_err
check_numbers(const struct json *value, struct tide_error *error)
{
	const struct json *n = json_get(value, "N"), *ns = json_get(value, "NS"), *l = json_get(value, "L"),
			  *m = json_get(value, "M");
	tide_err rc = TIDE_OK;

	if (n != NULL && n->type == JSON_STRING)
		rc = check_number(n->text, error);
	if (rc == TIDE_OK && ns != NULL)
		rc = check_numbers_in(ns, error);
	for (uint32_t i = 0; l != NULL && l->type == JSON_ARRAY && i < l->array.n && rc == TIDE_OK; i++)
		rc = check_numbers(&l->array.at[i], error);
	for (uint32_t i = 0; m != NULL && m->type == JSON_OBJECT && i < m->object.n && rc == TIDE_OK; i++)
		rc = check_numbers(&m->object.at[i].value, error);
	return rc;
}

tide_err
statement_parameters_read(struct arena *arena, const struct json *object, struct statement_parameters *out,
    struct tide_error *error)
{
	const struct json *list = json_get(object, "Parameters");
	tide_err rc;

	*out = (struct statement_parameters){0};
	if (list == NULL)
		return TIDE_OK;
	if ((out->at = arena_calloc(arena, (list->array.n + 1) * sizeof *out->at)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	for (; out->n < list->array.n; out->n++) {
		if ((rc = check_numbers(&list->array.at[out->n], error)) != TIDE_OK ||
		    (rc = json_to_value(arena, &list->array.at[out->n], &out->at[out->n], error)) != TIDE_OK)
			return rc;
	}
	return TIDE_OK;
}

tide_err
statement_parse(struct arena *arena, const struct json *object, const struct statement_parameters *parameters,
    struct partiql_statement *out, struct tide_error *error)
{
	return partiql_parse(
	    arena, params_string(object, "Statement"), parameters->at, parameters->n, out, error);
}

struct expr_key_schema
statement_schema(const struct table *table)
{
	struct expr_key_schema schema = {
	    .partition = table->partition.name,
	    .partition_type = table->partition.type,
	};

	if (table->has_sort) {
		schema.sort = table->sort.name;
		schema.sort_type = table->sort.type;
	}
	return schema;
}

/* --- SELECT --- */

tide_err
statement_check_index(const struct table_index *index, struct tide_error *error)
{
	if (index == NULL || (index->n_partitions == 1 && index->n_sorts <= 1))
		return TIDE_OK;
	return tide_fail(error, TIDE_VALIDATION,
	    "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or "
	    "multi-attribute RANGE keys.");
}

tide_err
statement_read_key(struct arena *arena, const struct partiql_statement *statement, const struct table *table,
    bool *whole, struct value *key, struct tide_error *error)
{
	struct expr_key_schema schema = statement_schema(table);
	struct partiql_plan plan;
	struct partiql_key found;
	tide_err rc;

	*whole = false;
	if ((rc = expr_condition_check_paths(statement->where, &schema, error)) != TIDE_OK ||
	    (rc = expr_projection_check_paths(statement->projection, &schema, error)) != TIDE_OK)
		return rc;
	if ((rc = partiql_key_find(statement, &schema, arena, &found)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if (found.found == PARTIQL_KEY_ALONE && statement->index.at == NULL) {
		*whole = true;
		*key = found.item;
		return TIDE_OK;
	}
	return partiql_plan_make(statement, &schema, arena, &plan, error);
}

/* --- changes --- */

#define NO_KEY "Where clause does not contain a mandatory equality on all key attributes"
#define KEY_MISMATCH "The provided key element does not match the schema"

/* The sentences of a statement; those of items and keys come after, for what is left. */
static tide_err
check_key(const struct key_attribute *attribute, const struct value *item, struct tide_error *error)
{
	const struct value *value = value_map_get(item, attribute->name);

	if (value == NULL)
		return tide_fail(error, TIDE_VALIDATION,
		    "Key attribute should be present in the item: Key %.*s", (int)attribute->name.n,
		    (const char *)attribute->name.at);
	if (value->type != attribute->type)
		return tide_fail(error, TIDE_VALIDATION,
		    "Key attribute's data type should match its data type in table's schema: Key %.*s",
		    (int)attribute->name.n, (const char *)attribute->name.at);
	return TIDE_OK;
}

tide_err
statement_check_key(const struct table *table, const struct value *item, struct tide_error *error)
{
	tide_err rc = check_key(&table->partition, item, error);

	return rc == TIDE_OK && table->has_sort ? check_key(&table->sort, item, error) : rc;
}

static tide_err
insert(struct arena *arena, const struct partiql_statement *statement, bool transaction,
    struct item_change *change, struct tide_error *error)
{
	tide_err rc;

	change->kind = ITEM_PUT;
	change->must_be_new = true;
	change->attributes = statement->item;
	if (!transaction && (rc = statement_check_key(change->table, &statement->item, error)) != TIDE_OK)
		return rc;
	rc = item_key_of_item(arena, change->table, &change->attributes, &change->key, error);
	if (rc != TIDE_OK || (rc = item_change_measure(change, error)) != TIDE_OK)
		return rc;
	return item_change_encode(change, error);
}

/* Is it a key that this kind of statement takes? */
static tide_err
check_found(const struct partiql_statement *statement, const struct partiql_key *key, bool transaction,
    struct tide_error *error)
{
	bool none = key->found == PARTIQL_KEY_NONE || key->in_list;

	if (statement->kind == PARTIQL_EXISTS) {
		if (none || key->found == PARTIQL_KEY_ALONE)
			return tide_fail(error, TIDE_VALIDATION,
			    "EXISTS() must contain a single item read with additional condition");
		return TIDE_OK;
	}
	if (transaction && (none || key->found == PARTIQL_KEY_TWICE))
		return tide_fail(error, TIDE_VALIDATION, KEY_MISMATCH);
	if (none)
		return tide_fail(error, TIDE_VALIDATION, NO_KEY);
	if (key->found == PARTIQL_KEY_TWICE)
		return tide_fail(error, TIDE_VALIDATION,
		    "Multiple conditions on same key %.*s. Only single item Update/Insert/Delete are "
		    "supported",
		    (int)key->twice.n, (const char *)key->twice.at);
	return TIDE_OK;
}

static tide_err
change_of_key(struct arena *arena, const struct partiql_statement *statement, bool transaction,
    struct item_change *change, struct tide_error *error)
{
	struct expr_key_schema schema = statement_schema(change->table);
	struct bytes names[] = {schema.partition, schema.sort};
	struct partiql_key key;
	tide_err rc;

	if ((rc = partiql_key_find(statement, &schema, arena, &key)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if ((rc = check_found(statement, &key, transaction, error)) != TIDE_OK)
		return rc;
	if (!transaction && (rc = statement_check_key(change->table, &key.item, error)) != TIDE_OK)
		return rc;
	change->attributes = key.item;
	rc = item_key_of_key(arena, change->table, &change->attributes, &change->key, error);
	if (rc != TIDE_OK || (rc = expr_condition_check_paths(statement->where, &schema, error)) != TIDE_OK)
		return rc;
	change->condition = statement->where;
	change->update = statement->update;
	if (statement->update == NULL)
		return TIDE_OK;
	return expr_update_check_keys(statement->update, names, change->table->has_sort ? 2 : 1, error);
}

tide_err
statement_change(struct arena *arena, const struct partiql_statement *statement, bool transaction,
    struct item_change *change, struct tide_error *error)
{
	if (statement->kind == PARTIQL_INSERT)
		return insert(arena, statement, transaction, change, error);
	change->kind = statement->kind == PARTIQL_UPDATE   ? ITEM_UPDATE
		       : statement->kind == PARTIQL_DELETE ? ITEM_DELETE
							   : ITEM_CHECK;
	change->absent_is_fine = change->kind == ITEM_DELETE;
	change->wants_before = statement->returning != PARTIQL_RETURN_NONE;
	return change_of_key(arena, statement, transaction, change, error);
}

/* --- rows --- */

tide_err
statement_write_returned(const struct partiql_statement *statement, const struct item_change *change,
    struct arena *arena, struct buf *out)
{
	bool old = statement->returning == PARTIQL_RETURN_MODIFIED_OLD;
	struct value part = {.type = VALUE_M};
	tide_err rc = TIDE_OK;

	switch (statement->returning) {
	case PARTIQL_RETURN_NONE:
		break;
	case PARTIQL_RETURN_ALL_OLD:
		if (change->found)
			rc = json_write_encoded_item(out, change->before);
		break;
	case PARTIQL_RETURN_ALL_NEW:
		if (change->after != NULL)
			json_write_item(out, change->after);
		break;
	case PARTIQL_RETURN_MODIFIED_OLD:
	case PARTIQL_RETURN_MODIFIED_NEW:
		if (change->update == NULL)
			break;
		rc = expr_update_returned(change->update, arena, change->tree, change->after,
		    old ? EXPR_UPDATED_OLD : EXPR_UPDATED_NEW, &part);
		if (rc == TIDE_OK && part.map.n > 0)
			json_write_item(out, &part);
		break;
	}
	return rc == TIDE_OK ? buf_check(out) : rc;
}

tide_err
statement_write_row(
    const struct partiql_statement *statement, struct arena *scratch, struct bytes image, struct buf *out)
{
	struct value item, row;
	tide_err rc;

	if (statement->n_columns == 0)
		return json_write_encoded_item(out, image);
	if ((rc = value_decode(scratch, image, &item)) != TIDE_OK ||
	    (rc = partiql_row(statement, scratch, &item, &row)) != TIDE_OK)
		return rc;
	json_write_item(out, &row);
	return buf_check(out);
}

tide_err
statement_write_projected(
    const struct partiql_statement *statement, struct arena *scratch, struct bytes image, struct buf *out)
{
	tide_err rc = item_read_write(scratch, image, statement->projection, out);

	return rc == TIDE_OK ? buf_check(out) : rc;
}
