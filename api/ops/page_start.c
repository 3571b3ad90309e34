#include "api/ops/page_start.h"

#include "store/item/key.h"

#define BAD_START "The provided starting key is invalid"
#define NO_MATCH "The provided key element does not match the schema"

static bool
is_one_of(const struct key_attribute *keys, unsigned n, struct bytes name)
{
	for (unsigned i = 0; i < n; i++) {
		if (bytes_equal(keys[i].name, name))
			return true;
	}
	return false;
}

bool
page_start_is_key(const struct page_read *read, struct bytes name)
{
	const struct table_index *index = read->index;

	if (is_one_of(&read->table->partition, 1, name) ||
	    (read->table->has_sort && is_one_of(&read->table->sort, 1, name)))
		return true;
	return index != NULL && (is_one_of(index->partitions, index->n_partitions, name) ||
				    is_one_of(index->sorts, index->n_sorts, name));
}

/* How many attributes such a key has: one may be a key of the table and of the index. */
static uint32_t
count_keys(const struct page_read *read)
{
	const struct table *table = read->table;
	const struct table_index *index = read->index;
	uint32_t n = table->has_sort ? 2 : 1;

	for (unsigned i = 0; index != NULL && i < index->n_partitions; i++)
		n += !is_one_of(&table->partition, 1, index->partitions[i].name) &&
		     !(table->has_sort && is_one_of(&table->sort, 1, index->partitions[i].name));
	for (unsigned i = 0; index != NULL && i < index->n_sorts; i++)
		n += !is_one_of(&table->partition, 1, index->sorts[i].name) &&
		     !(table->has_sort && is_one_of(&table->sort, 1, index->sorts[i].name));
	return n;
}

static tide_err
take_keys(const struct value *start, const struct key_attribute *keys, unsigned n, struct value *out,
    struct tide_error *error)
{
	for (unsigned i = 0; i < n; i++) {
		const struct value *v = value_map_get(start, keys[i].name);

		if (v->type != keys[i].type)
			return tide_fail(error, TIDE_VALIDATION, NO_MATCH);
		if (v->type != VALUE_N && v->text.n == 0)
			return tide_fail(error, TIDE_VALIDATION,
			    BAD_START
			    ": One or more parameter values are not valid. The AttributeValue for a "
			    "key attribute cannot contain an empty %s value. Key: %.*s",
			    v->type == VALUE_S ? "string" : "binary", (int)keys[i].name.n,
			    (const char *)keys[i].name.at);
		out[i] = *v;
	}
	return TIDE_OK;
}

static tide_err
entry_key(struct page_read *read, const struct value *start, struct bytes item_key, struct bytes *out,
    struct tide_error *error)
{
	struct value partitions[INDEX_KEYS_MAX], sorts[INDEX_KEYS_MAX];
	const struct table_index *index = read->index;
	struct buf key = {0};
	tide_err rc;

	rc = take_keys(start, index->partitions, index->n_partitions, partitions, error);
	if (rc == TIDE_OK)
		rc = take_keys(start, index->sorts, index->n_sorts, sorts, error);
	if (rc != TIDE_OK)
		return rc;
	key_encode_composite(partitions, index->n_partitions, sorts, index->n_sorts, &key);
	buf_append(&key, item_key.at, item_key.n);
	if ((rc = buf_check(&key)) == TIDE_OK) {
		*out = arena_copy(&read->request->arena, buf_bytes(&key));
		rc = out->at == NULL ? TIDE_NOMEM : TIDE_OK;
	}
	buf_fini(&key);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

tide_err
page_start_read(
    struct page_read *read, const struct value *start, struct page_start *out, struct tide_error *error)
{
	struct arena *arena = &read->request->arena;
	const struct table_index *index = read->index;
	struct tide_error why;
	struct item_key key;
	uint32_t known = 0;
	tide_err rc;

	if (index == NULL) {
		rc = item_key_of_key(arena, read->table, start, &key, &why);
		out->key = key.bytes;
	} else {
		for (uint32_t i = 0; i < start->map.n; i++)
			known += page_start_is_key(read, start->map.at[i].name);
		if (known != start->map.n || known != count_keys(read))
			return tide_fail(error, TIDE_VALIDATION, BAD_START);
		/* The table's own part last: what is wrong with the index's is said without the prefix. */
		rc = entry_key(read, start, BYTES_NONE, &out->key, error);
		if (rc != TIDE_OK)
			return rc;
		rc = item_key_of_start(arena, read->table, start, &key, &why);
		if (rc == TIDE_OK)
			return entry_key(read, start, key.bytes, &out->key, error);
	}
	if (rc == TIDE_OK)
		return TIDE_OK;
	return tide_fail(error, rc, "%s%s", rc == TIDE_VALIDATION ? BAD_START ": " : "", why.message);
}

static bool
in_partition(const struct page_read *read, const struct expr_key_schema *schema,
    const struct expr_key_condition *condition, const struct value *start)
{
	(void)read;
	if (!value_equal(value_map_get(start, schema->partition), &condition->partition))
		return false;
	for (unsigned i = 0; i < condition->n_more_partitions; i++) {
		if (!value_equal(value_map_get(start, schema->more_partitions[i].name),
			&condition->more_partitions[i]))
			return false;
	}
	return true;
}

/* The sort attributes that the condition is about: those given by equality, then the one with the range. */
static bool
in_range(const struct expr_key_schema *schema, const struct expr_key_condition *condition,
    const struct value *start)
{
	for (unsigned i = 0; i <= condition->n_equal_sorts; i++) {
		struct bytes name = i == 0 ? schema->sort : schema->more_sorts[i - 1].name;
		const struct value *v = value_map_get(start, name);

		if (i < condition->n_equal_sorts && !value_equal(v, &condition->equal_sorts[i]))
			return false;
		if (i == condition->n_equal_sorts && !expr_key_condition_matches(condition, v))
			return false;
	}
	return true;
}

tide_err
page_start_check(const struct page_read *read, const struct expr_key_schema *schema,
    const struct expr_key_condition *condition, const struct value *start, struct tide_error *error)
{
	bool here = in_partition(read, schema, condition, start);

	if (read->at_most_one)
		return tide_fail(
		    error, TIDE_VALIDATION, "The query can return at most one row and cannot be restarted");
	if (condition->range == EXPR_RANGE_ALL) {
		if (!here)
			return tide_fail(error, TIDE_VALIDATION,
			    "The provided starting key is outside query boundaries based on provided "
			    "conditions");
		return TIDE_OK;
	}
	if (!in_range(schema, condition, start))
		return tide_fail(error, TIDE_VALIDATION,
		    "The provided starting key does not match the range key predicate");
	if (!here)
		return tide_fail(
		    error, TIDE_VALIDATION, "The query can return at most one row and cannot be restarted");
	return TIDE_OK;
}
