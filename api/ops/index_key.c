#include "api/ops/index_key.h"

#define INVALID "One or more parameter values were invalid: "
#define NOT_VALID "One or more parameter values are not valid. "

#define OF(name) (int)((name).n < 1024 ? (name).n : 1024), (const char *)(name).at

static struct expr_key_attribute
attribute_of(const struct key_attribute *key)
{
	return (struct expr_key_attribute){key->name, key->type};
}

struct expr_key_schema
index_key_schema(const struct table_index *index)
{
	struct expr_key_schema schema = {
	    .partition = index->partitions[0].name,
	    .partition_type = index->partitions[0].type,
	    .of_index = true,
	    .index = index->name,
	};

	if (index->n_sorts > 0) {
		schema.sort = index->sorts[0].name;
		schema.sort_type = index->sorts[0].type;
	}
	for (unsigned i = 1; i < index->n_partitions; i++)
		schema.more_partitions[schema.n_more_partitions++] = attribute_of(&index->partitions[i]);
	for (unsigned i = 1; i < index->n_sorts; i++)
		schema.more_sorts[schema.n_more_sorts++] = attribute_of(&index->sorts[i]);
	return schema;
}

/* --- values --- */

/* Of an update: what was there before, and is as it was, is let be. */
struct values {
	const struct value *before, *after;
	bool update;
};

static const struct value *
changed(const struct values *values, struct bytes name)
{
	const struct value *after = value_map_get(values->after, name), *before = NULL;

	if (after != NULL && values->before != NULL)
		before = value_map_get(values->before, name);
	return before != NULL && value_equal(before, after) ? NULL : after;
}

static tide_err
check_one(const struct table_index *index, const struct key_attribute *key, const struct values *values,
    struct tide_error *error)
{
	const struct value *v = changed(values, key->name);
	const char *kind = key->type == VALUE_S ? "string" : "binary";

	if (v == NULL)
		return TIDE_OK;
	if (v->type != key->type)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Type mismatch for Index Key %.*s Expected: %s Actual: %s IndexName: %.*s",
		    OF(key->name), value_type_name(key->type), value_type_name(v->type), OF(index->name));
	if (v->type == VALUE_N || v->text.n > 0)
		return TIDE_OK;
	if (values->update)
		return tide_fail(error, TIDE_VALIDATION,
		    NOT_VALID
		    "The update expression attempted to update a secondary index key to a value that "
		    "is not supported. The AttributeValue for a key attribute cannot contain an empty "
		    "%s value.",
		    kind);
	return tide_fail(error, TIDE_VALIDATION,
	    NOT_VALID
	    "A value specified for a secondary index key is not supported. The AttributeValue for a "
	    "key attribute cannot contain an empty %s value. IndexName: %.*s, IndexKey: %.*s",
	    kind, OF(index->name), OF(key->name));
}

/* All values of a key together keep within the bound of a single one. */
static size_t
total(const struct key_attribute *keys, unsigned n, const struct values *values, bool *is_changed)
{
	size_t size = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct value *v = value_map_get(values->after, keys[i].name);

		if (v == NULL || v->type != keys[i].type)
			continue;
		size += value_size(v);
		*is_changed |= changed(values, keys[i].name) != NULL;
	}
	return size;
}

static tide_err
too_long(const struct table_index *index, const struct key_attribute *keys, unsigned n,
    const struct values *values, bool hash, size_t size, struct tide_error *error)
{
	int max = hash ? PARTITION_KEY_BYTES_MAX : SORT_KEY_BYTES_MAX;
	struct buf names = {0};
	unsigned present = 0;
	tide_err rc;

	for (unsigned i = 0; i < n; i++) {
		if (value_map_get(values->after, keys[i].name) == NULL)
			continue;
		buf_append_string(&names, present++ == 0 ? "" : ", ");
		buf_append(&names, keys[i].name.at, keys[i].name.n);
	}
	if (present > 1)
		rc = tide_fail(error, TIDE_VALIDATION,
		    "Aggregate size for %s key attributes %.*s of index %.*s has exceeded limit %d bytes, "
		    "with actual size %zu bytes",
		    hash ? "HASH" : "RANGE", (int)names.n, (const char *)names.at, OF(index->name), max,
		    size);
	else if (hash)
		rc = tide_fail(error, TIDE_VALIDATION,
		    INVALID "Size of hashkey has exceeded the maximum size limit of%d bytes", max);
	else
		rc = tide_fail(error, TIDE_VALIDATION,
		    INVALID "Aggregated size of all range keys has exceeded the size limit of %d bytes", max);
	buf_fini(&names);
	return rc;
}

static tide_err
check_sizes(const struct table_index *index, const struct values *values, struct tide_error *error)
{
	bool hash = false, range = false;
	size_t size = total(index->partitions, index->n_partitions, values, &hash);

	if (size > PARTITION_KEY_BYTES_MAX && hash)
		return too_long(index, index->partitions, index->n_partitions, values, true, size, error);
	size = total(index->sorts, index->n_sorts, values, &range);
	if (size > SORT_KEY_BYTES_MAX && range)
		return too_long(index, index->sorts, index->n_sorts, values, false, size, error);
	return TIDE_OK;
}

static tide_err
check(const struct table *table, const struct values *values, struct tide_error *error)
{
	tide_err rc = TIDE_OK;

	for (uint32_t i = 0; i < table->n_indexes && rc == TIDE_OK; i++) {
		const struct table_index *index = &table->indexes[i];

		for (unsigned k = 0; k < index->n_partitions && rc == TIDE_OK; k++)
			rc = check_one(index, &index->partitions[k], values, error);
		for (unsigned k = 0; k < index->n_sorts && rc == TIDE_OK; k++)
			rc = check_one(index, &index->sorts[k], values, error);
		if (rc == TIDE_OK)
			rc = check_sizes(index, values, error);
	}
	return rc;
}

tide_err
index_key_check_put(const struct table *table, const struct value *item, struct tide_error *error)
{
	struct values values = {.after = item};

	return table->n_indexes == 0 ? TIDE_OK : check(table, &values, error);
}

tide_err
index_key_check_update(const struct table *table, const struct value *before, const struct value *after,
    struct tide_error *error)
{
	struct values values = {.before = before, .after = after, .update = true};

	return table->n_indexes == 0 ? TIDE_OK : check(table, &values, error);
}

/* --- paths --- */

static tide_err
check_paths(const struct expr_key_schema *schema, const struct expr_condition *condition,
    const struct expr_projection *projection, const struct expr_update *update, struct tide_error *error)
{
	tide_err rc;

	if ((rc = expr_condition_check_paths(condition, schema, error)) != TIDE_OK ||
	    (rc = expr_projection_check_paths(projection, schema, error)) != TIDE_OK)
		return rc;
	return expr_update_check_paths(update, schema, error);
}

tide_err
index_key_check_paths(const struct table *table, const struct expr_condition *condition,
    const struct expr_projection *projection, const struct expr_update *update, struct tide_error *error)
{
	struct expr_key_schema schema = {.partition = table->partition.name,
	    .partition_type = table->partition.type,
	    .sort = table->has_sort ? table->sort.name : BYTES_NONE,
	    .sort_type = table->sort.type};
	tide_err rc = check_paths(&schema, condition, projection, update, error);

	for (uint32_t i = 0; i < table->n_indexes && rc == TIDE_OK; i++) {
		schema = index_key_schema(&table->indexes[i]);
		rc = check_paths(&schema, condition, projection, update, error);
	}
	return rc;
}
