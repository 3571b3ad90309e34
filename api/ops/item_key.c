#include "api/ops/item_key.h"

#include <stdlib.h>

#include "api/json/json.h"
#include "api/ops/index_key.h"

#define NO_MATCH "The provided key element does not match the schema"

/* Names may be longer than an error message: what is printed of them. */
static int
printed(struct bytes name)
{
	return name.n < 1024 ? (int)name.n : 1024;
}

static tide_err
check_bounds(const struct key_attribute *attribute, const struct value *value, bool partition,
    struct tide_error *error)
{
	if (value->type == VALUE_N)
		return TIDE_OK;
	if (value->text.n == 0)
		return tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values are not valid. The AttributeValue for a key attribute "
		    "cannot "
		    "contain an empty %s value. Key: %.*s",
		    value->type == VALUE_S ? "string" : "binary", printed(attribute->name),
		    attribute->name.at);
	/* "of2048": the service prints it without the blank */
	if (partition && value->text.n > PARTITION_KEY_BYTES_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values were invalid: Size of hashkey has exceeded the maximum "
		    "size limit "
		    "of%d bytes",
		    PARTITION_KEY_BYTES_MAX);
	if (!partition && value->text.n > SORT_KEY_BYTES_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values were invalid: Aggregated size of all range keys has "
		    "exceeded the "
		    "size limit of %d bytes",
		    SORT_KEY_BYTES_MAX);
	return TIDE_OK;
}

static tide_err
find_in_item(const struct value *item, const struct key_attribute *attribute, bool partition,
    const struct value **out, struct tide_error *error)
{
	const struct value *value = value_map_get(item, attribute->name);

	if (value == NULL)
		return tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values were invalid: Missing the key %.*s in the item",
		    printed(attribute->name), attribute->name.at);
	if (value->type != attribute->type)
		return tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values were invalid: Type mismatch for key %.*s expected: %s "
		    "actual: %s",
		    printed(attribute->name), attribute->name.at, value_type_name(attribute->type),
		    value_type_name(value->type));
	*out = value;
	return check_bounds(attribute, value, partition, error);
}

static tide_err
find_in_key(const struct value *key, const struct key_attribute *attribute, bool partition,
    const struct value **out, struct tide_error *error)
{
	const struct value *value = value_map_get(key, attribute->name);

	if (value == NULL || value->type != attribute->type)
		return tide_fail(error, TIDE_VALIDATION, NO_MATCH);
	*out = value;
	return check_bounds(attribute, value, partition, error);
}

static tide_err
encode(struct arena *arena, const struct value *partition, const struct value *sort, struct item_key *out,
    struct tide_error *error)
{
	struct buf buf = {0};
	tide_err rc;

	key_encode(partition, sort, &buf);
	if ((rc = buf_check(&buf)) == TIDE_OK) {
		out->bytes = arena_copy(arena, buf_bytes(&buf));
		if (out->bytes.at == NULL)
			rc = TIDE_NOMEM;
		else
			out->hash = bytes_u64(out->bytes.at);
	}
	buf_fini(&buf);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

tide_err
item_key_of_item(struct arena *arena, const struct table *table, const struct value *item,
    struct item_key *out, struct tide_error *error)
{
	const struct value *partition = NULL, *sort = NULL;
	tide_err rc;

	if ((rc = find_in_item(item, &table->partition, true, &partition, error)) != TIDE_OK)
		return rc;
	if (table->has_sort && (rc = find_in_item(item, &table->sort, false, &sort, error)) != TIDE_OK)
		return rc;
	if ((rc = index_key_check_put(table, item, error)) != TIDE_OK)
		return rc;
	return encode(arena, partition, sort, out, error);
}

static tide_err
key_in(struct arena *arena, const struct table *table, const struct value *item, struct item_key *out,
    struct tide_error *error)
{
	const struct value *partition = NULL, *sort = NULL;
	tide_err rc;

	if ((rc = find_in_key(item, &table->partition, true, &partition, error)) != TIDE_OK)
		return rc;
	if (table->has_sort && (rc = find_in_key(item, &table->sort, false, &sort, error)) != TIDE_OK)
		return rc;
	return encode(arena, partition, sort, out, error);
}

tide_err
item_key_of_batch_put(struct arena *arena, const struct table *table, const struct value *item,
    struct item_key *out, struct tide_error *error)
{
	tide_err rc = key_in(arena, table, item, out, error);

	return rc == TIDE_OK ? index_key_check_put(table, item, error) : rc;
}

tide_err
item_key_of_start(struct arena *arena, const struct table *table, const struct value *start,
    struct item_key *out, struct tide_error *error)
{
	return key_in(arena, table, start, out, error);
}

tide_err
item_key_of_key(struct arena *arena, const struct table *table, const struct value *key, struct item_key *out,
    struct tide_error *error)
{
	if (key->map.n != (table->has_sort ? 2 : 1))
		return tide_fail(error, TIDE_VALIDATION, NO_MATCH);
	return key_in(arena, table, key, out, error);
}

tide_err
item_key_write(struct arena *arena, const struct table *table, struct bytes key, struct buf *out)
{
	struct value partition, sort;
	tide_err rc;

	rc = key_decode(
	    arena, key, table->partition.type, table->has_sort, table->sort.type, &partition, &sort);
	if (rc != TIDE_OK)
		return rc;
	buf_append_byte(out, '{');
	json_write_string(out, table->partition.name);
	buf_append_byte(out, ':');
	json_write_value(out, &partition);
	if (table->has_sort) {
		buf_append_byte(out, ',');
		json_write_string(out, table->sort.name);
		buf_append_byte(out, ':');
		json_write_value(out, &sort);
	}
	buf_append_byte(out, '}');
	return buf_check(out);
}

static int
by_bytes(const void *a, const void *b)
{
	return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

tide_err
item_keys_check_distinct(struct bytes *keys, size_t n, struct tide_error *error)
{
	size_t i;

	qsort(keys, n, sizeof *keys, by_bytes);
	for (i = 1; i < n; i++)
		if (bytes_equal(keys[i - 1], keys[i]))
			return tide_fail(
			    error, TIDE_VALIDATION, "Provided list of item keys contains duplicates");
	return TIDE_OK;
}
