/* What a write uses of a table's indexes: what changes in each. */
#include "api/ops/capacity.h"

/* Does the item have an entry? As in store/shard/index.h: every key attribute, of its type, not empty. */
static bool
has_keys(const struct key_attribute *keys, uint32_t n, const struct value *item)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct value *v = value_map_get(item, keys[i].name);

		if (v == NULL || v->type != keys[i].type || (v->type != VALUE_N && v->text.n == 0))
			return false;
	}
	return true;
}

static bool
has_entry(const struct table_index *index, const struct value *item)
{
	return item != NULL && has_keys(index->partitions, index->n_partitions, item) &&
	       has_keys(index->sorts, index->n_sorts, item);
}

static bool
is_one_of(const struct key_attribute *keys, uint32_t n, struct bytes name)
{
	for (uint32_t i = 0; i < n; i++)
		if (bytes_equal(keys[i].name, name))
			return true;
	return false;
}

static bool
is_projected(const struct table *table, const struct table_index *index, struct bytes name)
{
	if (index->projection == INDEX_ALL || bytes_equal(name, table->partition.name) ||
	    (table->has_sort && bytes_equal(name, table->sort.name)) ||
	    is_one_of(index->partitions, index->n_partitions, name) ||
	    is_one_of(index->sorts, index->n_sorts, name))
		return true;
	for (uint32_t i = 0; index->projection == INDEX_INCLUDE && i < index->n_includes; i++)
		if (bytes_equal(index->includes[i], name))
			return true;
	return false;
}

static size_t
projected_size(const struct table *table, const struct table_index *index, const struct value *item)
{
	size_t size = 0;

	for (uint32_t i = 0; i < item->map.n; i++)
		if (is_projected(table, index, item->map.at[i].name))
			size += item->map.at[i].name.n + value_size(&item->map.at[i].value);
	return size;
}

static bool
same_keys(const struct key_attribute *keys, uint32_t n, const struct value *a, const struct value *b)
{
	for (uint32_t i = 0; i < n; i++)
		if (!value_equal(value_map_get(a, keys[i].name), value_map_get(b, keys[i].name)))
			return false;
	return true;
}

/* Is every projected attribute of `a` in `b`, with the same value? */
static bool
projection_within(
    const struct table *table, const struct table_index *index, const struct value *a, const struct value *b)
{
	for (uint32_t i = 0; i < a->map.n; i++) {
		const struct member *m = &a->map.at[i];
		const struct value *other;

		if (!is_projected(table, index, m->name))
			continue;
		if ((other = value_map_get(b, m->name)) == NULL || !value_equal(&m->value, other))
			return false;
	}
	return true;
}

/*
 * An entry that comes or goes is one write, one that changes in place one of the greater size, one whose key changes
 * two: the old goes, the new comes. Nothing projected has changed: nothing.
 */
static uint64_t
index_halves(const struct table *table, const struct table_index *index, const struct value *before,
    const struct value *after)
{
	bool was = has_entry(index, before), is = has_entry(index, after);
	size_t old = was ? projected_size(table, index, before) : 0,
	       new = is ? projected_size(table, index, after) : 0;

	if (!was && !is)
		return 0;
	if (was != is)
		return capacity_write(old, new);
	if (!same_keys(index->partitions, index->n_partitions, before, after) ||
	    !same_keys(index->sorts, index->n_sorts, before, after))
		return capacity_write(old, 0) + capacity_write(0, new);
	if (projection_within(table, index, before, after) && projection_within(table, index, after, before))
		return 0;
	return capacity_write(old, new);
}

tide_err
capacity_add_write(
    struct capacity *use, struct arena *arena, const struct value *before, const struct value *after)
{
	const struct table *table = use->table;
	uint64_t halves;
	tide_err rc = TIDE_OK;

	capacity_add(use,
	    capacity_write(before == NULL ? 0 : item_size(before), after == NULL ? 0 : item_size(after)));
	for (uint32_t i = 0; i < table->n_indexes && rc == TIDE_OK; i++) {
		halves = index_halves(table, &table->indexes[i], before, after);
		if (halves != 0)
			rc = capacity_add_index(use, arena, &table->indexes[i], halves);
	}
	return rc;
}

tide_err
capacity_admit_write(struct request *request, const struct capacity *use, struct tide_error *error)
{
	tide_err rc = capacity_admit(request, use, NULL, error);

	for (uint32_t i = 0; i < use->n_indexes && rc == TIDE_OK; i++)
		if (!use->indexes[i].index->local)
			rc = capacity_admit(request, use, use->indexes[i].index, error);
	return rc;
}
