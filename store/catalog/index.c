#include "store/catalog/table.h"

#include <stdlib.h>

/* --- of a description --- */

const struct table_index *
table_index_find(const struct table *table, struct bytes name)
{
	for (uint32_t i = 0; i < table->n_indexes; i++) {
		if (bytes_equal(table->indexes[i].name, name))
			return &table->indexes[i];
	}
	return NULL;
}

const char *
index_projection_name(enum index_projection projection)
{
	static const char *const names[] = {
	    [INDEX_KEYS_ONLY] = "KEYS_ONLY",
	    [INDEX_INCLUDE] = "INCLUDE",
	    [INDEX_ALL] = "ALL",
	};

	return names[projection];
}

static struct index_key
key_of(const struct key_attribute *attribute)
{
	return (struct index_key){attribute->name, attribute->type};
}

void
table_index_def(const struct table *table, const struct table_index *index, struct index_def *out)
{
	*out = (struct index_def){
	    .id = index->id,
	    .n_partitions = index->n_partitions,
	    .n_sorts = index->n_sorts,
	    .projection = index->projection,
	    .n_includes = index->n_includes,
	    .n_table_keys = table->has_sort ? 2 : 1,
	};
	for (unsigned i = 0; i < index->n_partitions; i++)
		out->partitions[i] = key_of(&index->partitions[i]);
	for (unsigned i = 0; i < index->n_sorts; i++)
		out->sorts[i] = key_of(&index->sorts[i]);
	for (unsigned i = 0; i < index->n_includes; i++)
		out->includes[i] = index->includes[i];
	out->table_keys[0] = table->partition.name;
	if (table->has_sort)
		out->table_keys[1] = table->sort.name;
}

/* --- attributes: of all keys --- */

static const struct key_attribute *
find_in(const struct key_attribute *keys, unsigned n, struct bytes name)
{
	for (unsigned i = 0; i < n; i++) {
		if (bytes_equal(keys[i].name, name))
			return &keys[i];
	}
	return NULL;
}

const struct key_attribute *
table_key_attribute(const struct table *table, struct bytes name)
{
	const struct key_attribute *found;

	if (bytes_equal(table->partition.name, name))
		return &table->partition;
	if (table->has_sort && bytes_equal(table->sort.name, name))
		return &table->sort;
	for (uint32_t i = 0; i < table->n_indexes; i++) {
		const struct table_index *index = &table->indexes[i];

		if ((found = find_in(index->partitions, index->n_partitions, name)) != NULL ||
		    (found = find_in(index->sorts, index->n_sorts, name)) != NULL)
			return found;
	}
	return NULL;
}

bool
table_index_projects(const struct table *table, const struct table_index *index, struct bytes name)
{
	if (index->projection == INDEX_ALL || bytes_equal(name, table->partition.name) ||
	    (table->has_sort && bytes_equal(name, table->sort.name)) ||
	    find_in(index->partitions, index->n_partitions, name) != NULL ||
	    find_in(index->sorts, index->n_sorts, name) != NULL)
		return true;
	for (unsigned i = 0; i < index->n_includes; i++) {
		if (bytes_equal(index->includes[i], name))
			return true;
	}
	return false;
}

static int
by_name(const void *a, const void *b)
{
	return bytes_compare(
	    ((const struct key_attribute *)a)->name, ((const struct key_attribute *)b)->name);
}

static void
add_new(struct table *table, const struct key_attribute *keys, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (find_in(table->attributes, table->n_attributes, keys[i].name) == NULL)
			table->attributes[table->n_attributes++] = keys[i];
	}
}

tide_err
table_derive_attributes(struct table *table)
{
	size_t room = 2 + (size_t)table->n_indexes * 2 * INDEX_KEYS_MAX;
	struct key_attribute *attributes = arena_calloc(&table->arena, room * sizeof *attributes);

	if (attributes == NULL)
		return TIDE_NOMEM;
	table->attributes = attributes;
	table->n_attributes = 0;
	if (table->partition.name.n == 0)
		return TIDE_OK; /* deleted: nothing is left to define */
	add_new(table, &table->partition, 1);
	if (table->has_sort)
		add_new(table, &table->sort, 1);
	for (uint32_t i = 0; i < table->n_indexes; i++) {
		add_new(table, table->indexes[i].partitions, table->indexes[i].n_partitions);
		add_new(table, table->indexes[i].sorts, table->indexes[i].n_sorts);
	}
	qsort(table->attributes, table->n_attributes, sizeof *table->attributes, by_name);
	return TIDE_OK;
}
