#include "api/ops/index_define.h"

#include <stdlib.h>
#include <sys/random.h>

#include "api/ops/table_settings.h"

#define INVALID "One or more parameter values were invalid: "
#define INCLUDES_IN_ALL_MAX 100 /* NonKeyAttributes of all indexes of a table */

/* --- shapes --- */

/* In the order in which DynamoDB prints them. */
static const char *const key_types[] = {"HASH", "RANGE", NULL};
static const char *const scalar_types[] = {"S", "N", "B", NULL};
static const char *const projections[] = {"ALL", "INCLUDE", "KEYS_ONLY", NULL};

static const struct param attribute_shape[] = {
    {.name = "AttributeName", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .min = 1, .max = 255},
    {.name = "AttributeType", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .values = scalar_types},
    PARAMS_END,
};
const struct param index_attributes_element = {
    .name = "", .type = PARAM_STRUCT, .members = attribute_shape, .java = "AttributeDefinition"};

static const struct param key_shape[] = {
    {.name = "AttributeName", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .min = 1, .max = 255},
    {.name = "KeyType", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .values = key_types},
    PARAMS_END,
};
static const struct param key_element = {
    .name = "", .type = PARAM_STRUCT, .members = key_shape, .java = "KeySchemaElement"};

static const struct param include_element = {.name = "", .type = PARAM_STRING, .min = 1, .max = 255};
static const struct param projection_shape[] = {
    {.name = "ProjectionType", .type = PARAM_STRING, .values = projections},
    {.name = "NonKeyAttributes",
	.type = PARAM_LIST,
	.min = 1,
	.max = INDEX_INCLUDES_MAX,
	.members = &include_element},
    PARAMS_END,
};

#define PARAM_INDEX_NAME                                                                                     \
	{                                                                                                    \
		.name = "IndexName", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .min = 3, .max = 255,    \
		.pattern = PARAM_PATTERN_NAME                                                                \
	}
#define PARAM_PROJECTION                                                                                     \
	{                                                                                                    \
		.name = "Projection", .type = PARAM_STRUCT, .flags = PARAM_REQUIRED,                         \
		.members = projection_shape, .java = "Projection"                                            \
	}
#define PARAM_INDEX_CAPACITY                                                                                 \
	{.name = "ProvisionedThroughput",                                                                    \
	    .type = PARAM_STRUCT,                                                                            \
	    .members = table_throughput_shape,                                                               \
	    .java = "ProvisionedThroughput"},                                                                \
	    {.name = "OnDemandThroughput",                                                                   \
		.type = PARAM_STRUCT,                                                                        \
		.members = table_maximum_shape,                                                              \
		.java = "OnDemandThroughput"},                                                               \
	{                                                                                                    \
		.name = "WarmThroughput", .type = PARAM_STRUCT, .members = table_warm_shape,                 \
		.java = "WarmThroughput"                                                                     \
	}

static const struct param local_shape[] = {
    PARAM_INDEX_NAME,
    {.name = "KeySchema",
	.type = PARAM_LIST,
	.flags = PARAM_REQUIRED,
	.min = 1,
	.max = 2,
	.members = &key_element},
    PARAM_PROJECTION,
    PARAMS_END,
};
const struct param index_local_element = {
    .name = "", .type = PARAM_STRUCT, .members = local_shape, .java = "LocalSecondaryIndex"};

const struct param index_create_shape[] = {
    PARAM_INDEX_NAME,
    {.name = "KeySchema", .type = PARAM_LIST, .flags = PARAM_REQUIRED, .min = 1, .members = &key_element},
    PARAM_PROJECTION,
    PARAM_INDEX_CAPACITY,
    PARAMS_END,
};
const struct param index_global_element = {
    .name = "", .type = PARAM_STRUCT, .members = index_create_shape, .java = "GlobalSecondaryIndex"};

/* --- attributes --- */

static enum value_type
scalar_of(struct bytes name)
{
	return bytes_is(name, "S") ? VALUE_S : bytes_is(name, "N") ? VALUE_N : VALUE_B;
}

const struct key_attribute *
index_attribute_find(const struct index_attributes *attributes, struct bytes name)
{
	for (uint32_t i = 0; i < attributes->n; i++) {
		if (bytes_equal(attributes->at[i].name, name))
			return &attributes->at[i];
	}
	return NULL;
}

tide_err
index_attributes_read(
    struct arena *arena, const struct json *list, struct index_attributes *out, struct tide_error *error)
{
	*out = (struct index_attributes){0};
	if ((out->at = arena_calloc(arena, ((size_t)list->array.n + 1) * sizeof *out->at)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	for (uint32_t i = 0; i < list->array.n; i++) {
		struct bytes name = params_string(&list->array.at[i], "AttributeName");

		if (name.n == 0)
			return tide_fail(error, TIDE_VALIDATION, NULL); /* a null element */
		if (index_attribute_find(out, name) != NULL)
			return tide_fail(error, TIDE_VALIDATION, "Attribute Name is duplicated: %.*s",
			    (int)name.n, (const char *)name.at);
		if ((name = arena_copy(arena, name)).at == NULL)
			return tide_fail(error, TIDE_NOMEM, NULL);
		out->at[out->n++] = (struct key_attribute){
		    name, scalar_of(params_string(&list->array.at[i], "AttributeType"))};
	}
	return TIDE_OK;
}

/* Names in brackets, as Java prints a list; as many as an error message has room for. */
static void
append_name(struct buf *list, struct bytes name)
{
	if (list->n > TIDE_MESSAGE_MAX / 3)
		return;
	if (list->n > 0)
		buf_append_string(list, ", ");
	buf_append(list, name.at, name.n);
}

static tide_err
not_defined(const struct json *keys, const struct index_attributes *attributes, struct tide_error *error)
{
	struct buf wanted = {0}, defined = {0};
	tide_err rc;

	for (uint32_t i = 0; i < keys->array.n; i++)
		append_name(&wanted, params_string(&keys->array.at[i], "AttributeName"));
	for (uint32_t i = 0; i < attributes->n; i++)
		append_name(&defined, attributes->at[i].name);
	rc = tide_fail(error, TIDE_VALIDATION,
	    INVALID "Some index key attributes are not defined in AttributeDefinitions. Keys: [%.*s], "
		    "AttributeDefinitions: [%.*s]",
	    (int)wanted.n, (const char *)wanted.at, (int)defined.n, (const char *)defined.at);
	buf_fini(&wanted);
	buf_fini(&defined);
	return rc;
}

/* --- keys --- */

static bool
is_hash(const struct json *key)
{
	return bytes_is(params_string(key, "KeyType"), "HASH");
}

static tide_err
check_local_keys(const struct json *keys, struct tide_error *error)
{
	const struct json *at = keys->array.at;

	if (keys->array.n == 2 &&
	    bytes_equal(params_string(&at[0], "AttributeName"), params_string(&at[1], "AttributeName")))
		return tide_fail(error, TIDE_VALIDATION,
		    "Both the Hash Key and the Range Key element in the KeySchema have the same name");
	if (!is_hash(&at[0]))
		return tide_fail(error, TIDE_VALIDATION,
		    "Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
	if (keys->array.n == 2 && is_hash(&at[1]))
		return tide_fail(error, TIDE_VALIDATION,
		    "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
	return TIDE_OK;
}

static tide_err
check_global_keys(const struct json *keys, struct tide_error *error)
{
	const struct json *at = keys->array.at;
	uint32_t hashes = 0, ranges = 0;

	if (!is_hash(&at[0]))
		return tide_fail(error, TIDE_VALIDATION,
		    "Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
	for (uint32_t i = 0; i < keys->array.n; i++) {
		if (is_hash(&at[i]) && ranges > 0)
			return tide_fail(error, TIDE_VALIDATION,
			    INVALID "All HASH key attributes must precede RANGE key attributes in the "
				    "KeySchema");
		*(is_hash(&at[i]) ? &hashes : &ranges) += 1;
		if (hashes > INDEX_KEYS_MAX || ranges > INDEX_KEYS_MAX)
			return tide_fail(error, TIDE_VALIDATION,
			    INVALID "The KeySchema exceeds the maximum allowed number of %s key attributes",
			    hashes > INDEX_KEYS_MAX ? "HASH" : "RANGE");
		for (uint32_t j = 0; j < i; j++) {
			if (bytes_equal(params_string(&at[i], "AttributeName"),
				params_string(&at[j], "AttributeName")))
				return tide_fail(error, TIDE_VALIDATION,
				    "The KeySchema contains multiple key attributes with the same name");
		}
	}
	return TIDE_OK;
}

static tide_err
read_keys(const struct json *definition, const struct index_attributes *attributes, struct table_index *out,
    struct tide_error *error)
{
	const struct json *keys = json_get(definition, "KeySchema");
	tide_err rc;

	for (uint32_t i = 0; i < keys->array.n; i++) {
		if (index_attribute_find(attributes, params_string(&keys->array.at[i], "AttributeName")) ==
		    NULL)
			return not_defined(keys, attributes, error);
	}
	rc = out->local ? check_local_keys(keys, error) : check_global_keys(keys, error);
	if (rc != TIDE_OK)
		return rc;
	for (uint32_t i = 0; i < keys->array.n; i++) {
		const struct key_attribute *found =
		    index_attribute_find(attributes, params_string(&keys->array.at[i], "AttributeName"));

		if (is_hash(&keys->array.at[i]))
			out->partitions[out->n_partitions++] = *found;
		else
			out->sorts[out->n_sorts++] = *found;
	}
	return TIDE_OK;
}

/* --- projection --- */

static int
by_bytes(const void *a, const void *b)
{
	return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static tide_err
read_includes(
    struct arena *arena, const struct json *names, struct table_index *out, struct tide_error *error)
{
	for (uint32_t i = 0; i < names->array.n; i++) {
		struct bytes name = names->array.at[i].text;

		for (uint32_t j = 0; j < i; j++) {
			if (bytes_equal(out->includes[j], name))
				return tide_fail(error, TIDE_VALIDATION,
				    INVALID "Duplicate element in NonKeyAttributes: %.*s", (int)name.n,
				    (const char *)name.at);
		}
		if ((out->includes[out->n_includes++] = arena_copy(arena, name)).at == NULL)
			return tide_fail(error, TIDE_NOMEM, NULL);
	}
	qsort(out->includes, out->n_includes, sizeof *out->includes, by_bytes);
	return TIDE_OK;
}

static tide_err
read_projection(
    struct arena *arena, const struct json *definition, struct table_index *out, struct tide_error *error)
{
	const struct json *projection = json_get(definition, "Projection");
	const struct json *names = json_get(projection, "NonKeyAttributes");
	struct bytes type = params_string(projection, "ProjectionType");

	if (type.n == 0)
		return tide_fail(error, TIDE_VALIDATION, INVALID "Unknown ProjectionType: null");
	out->projection = bytes_is(type, "ALL")       ? INDEX_ALL
			  : bytes_is(type, "INCLUDE") ? INDEX_INCLUDE
						      : INDEX_KEYS_ONLY;
	if ((out->projection == INDEX_INCLUDE) != (names != NULL))
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "ProjectionType is %s, but NonKeyAttributes is %sspecified",
		    index_projection_name(out->projection), names == NULL ? "not " : "");
	return names == NULL ? TIDE_OK : read_includes(arena, names, out, error);
}

tide_err
table_new_id(uint64_t *id)
{
	do {
		if (getrandom(id, sizeof *id, 0) != sizeof *id)
			return TIDE_IO;
		*id &= INT64_MAX;
	} while (*id <= TABLE_BUILT_IN_MAX);
	return TIDE_OK;
}

static tide_err
begin(struct arena *arena, const struct json *definition, bool local, uint64_t now_ms,
    struct table_index *out, struct tide_error *error)
{
	*out = (struct table_index){.local = local, .created_ms = now_ms};
	if ((out->name = arena_copy(arena, params_string(definition, "IndexName"))).at == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	return table_new_id(&out->id) == TIDE_OK ? TIDE_OK : tide_fail(error, TIDE_IO, NULL);
}

tide_err
index_define_one(struct arena *arena, const struct json *create, const struct index_attributes *attributes,
    uint64_t now_ms, struct table_index *out, struct tide_error *error)
{
	tide_err rc;

	if ((rc = begin(arena, create, false, now_ms, out, error)) != TIDE_OK ||
	    (rc = read_keys(create, attributes, out, error)) != TIDE_OK)
		return rc;
	return read_projection(arena, create, out, error);
}

/* --- all of a new table's --- */

static tide_err
check_lists(
    const struct table *table, const struct json *local, const struct json *global, struct tide_error *error)
{
	if ((local != NULL && local->array.n == 0) || (global != NULL && global->array.n == 0))
		return tide_fail(error, TIDE_VALIDATION, INVALID "List of %s is empty",
		    local != NULL && local->array.n == 0 ? "LocalSecondaryIndexes"
							 : "GlobalSecondaryIndexes");
	if (local != NULL && !table->has_sort)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Table KeySchema does not have a range key, which is required when specifying a "
			    "LocalSecondaryIndex");
	return TIDE_OK;
}

static tide_err
check_all_used(const struct table *table, const struct index_attributes *attributes, struct tide_error *error)
{
	struct buf defined = {0}, used = {0};
	bool all = true;
	tide_err rc = TIDE_OK;

	for (uint32_t i = 0; i < attributes->n; i++) {
		append_name(&defined, attributes->at[i].name);
		if (table_key_attribute(table, attributes->at[i].name) != NULL)
			append_name(&used, attributes->at[i].name);
		else
			all = false;
	}
	if (!all)
		rc = tide_fail(error, TIDE_VALIDATION,
		    INVALID
		    "Some AttributeDefinitions are not used. AttributeDefinitions: [%.*s], keys used: "
		    "[%.*s]",
		    (int)defined.n, (const char *)defined.at, (int)used.n, (const char *)used.at);
	buf_fini(&defined);
	buf_fini(&used);
	return rc;
}

static tide_err
check_local(const struct table *table, const struct table_index *index, struct tide_error *error)
{
	struct bytes hash = index->partitions[0].name;

	if (index->n_sorts == 0)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Index KeySchema does not have a range key for index: %.*s", (int)index->name.n,
		    (const char *)index->name.at);
	if (bytes_equal(hash, table->partition.name))
		return TIDE_OK;
	return tide_fail(error, TIDE_VALIDATION,
	    INVALID "Index KeySchema does not have the same leading hash key as table KeySchema for index: "
		    "%.*s. index hash key: %.*s, table hash key: %.*s",
	    (int)index->name.n, (const char *)index->name.at, (int)hash.n, (const char *)hash.at,
	    (int)table->partition.name.n, (const char *)table->partition.name.at);
}

/* Keys of all before anything else of any: an attribute that no key uses hides other mistakes at DynamoDB too. */
static tide_err
define_keys(struct table *table, const struct json *list, bool local,
    const struct index_attributes *attributes, uint64_t now_ms, struct tide_error *error)
{
	tide_err rc;

	for (uint32_t i = 0; list != NULL && i < list->array.n; i++) {
		struct table_index *index = &table->indexes[table->n_indexes];

		rc = begin(&table->arena, &list->array.at[i], local, now_ms, index, error);
		if (rc == TIDE_OK)
			rc = read_keys(&list->array.at[i], attributes, index, error);
		if (rc != TIDE_OK)
			return rc;
		index->order = table->n_indexes++;
	}
	return TIDE_OK;
}

static tide_err
define_rest(struct table *table, const struct json *list, uint32_t first, struct tide_error *error)
{
	struct index_asked asked;
	tide_err rc;

	for (uint32_t i = 0; list != NULL && i < list->array.n; i++) {
		struct table_index *index = &table->indexes[first + i];
		const struct json *definition = &list->array.at[i];

		if (index->local && (rc = check_local(table, index, error)) != TIDE_OK)
			return rc;
		if ((rc = read_projection(&table->arena, definition, index, error)) != TIDE_OK)
			return rc;
		if (table_index_find(table, index->name) != index)
			return tide_fail(error, TIDE_VALIDATION, INVALID "Duplicate index name: %.*s",
			    (int)index->name.n, (const char *)index->name.at);
		if (index->local)
			continue;
		if ((rc = index_asked_read(definition, index->name, &asked, error)) != TIDE_OK ||
		    (rc = index_asked_take(table, index, &asked, true, error)) != TIDE_OK)
			return rc;
	}
	return TIDE_OK;
}

static tide_err
check_counts(const struct table *table, uint32_t n_local, struct tide_error *error)
{
	uint32_t includes = 0;

	if (n_local > LOCAL_INDEXES_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Number of LocalSecondaryIndexes exceeds per-table limit of %d",
		    LOCAL_INDEXES_MAX);
	if (table->n_indexes - n_local > GLOBAL_INDEXES_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "GlobalSecondaryIndex count exceeds the per-table limit of %d",
		    GLOBAL_INDEXES_MAX);
	for (uint32_t i = 0; i < table->n_indexes; i++)
		includes += table->indexes[i].n_includes;
	if (includes > INCLUDES_IN_ALL_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Number of projected attributes of all indexes exceeds per-table limit of %d",
		    INCLUDES_IN_ALL_MAX);
	return TIDE_OK;
}

tide_err
index_define_all(struct table *table, const struct json *body, const struct index_attributes *attributes,
    uint64_t now_ms, struct tide_error *error)
{
	const struct json *local = json_get(body, "LocalSecondaryIndexes"),
			  *global = json_get(body, "GlobalSecondaryIndexes");
	uint32_t n_local = local == NULL ? 0 : local->array.n;
	uint32_t n = n_local + (global == NULL ? 0 : global->array.n);
	tide_err rc;

	if ((rc = check_lists(table, local, global, error)) != TIDE_OK)
		return rc;
	if ((table->indexes = arena_calloc(&table->arena, (n + 1) * sizeof *table->indexes)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	if ((rc = define_keys(table, local, true, attributes, now_ms, error)) != TIDE_OK ||
	    (rc = define_keys(table, global, false, attributes, now_ms, error)) != TIDE_OK ||
	    (rc = check_all_used(table, attributes, error)) != TIDE_OK ||
	    (rc = define_rest(table, local, 0, error)) != TIDE_OK ||
	    (rc = define_rest(table, global, n_local, error)) != TIDE_OK ||
	    (rc = check_counts(table, n_local, error)) != TIDE_OK)
		return rc;
	return table_derive_attributes(table) == TIDE_OK ? TIDE_OK : tide_fail(error, TIDE_NOMEM, NULL);
}
