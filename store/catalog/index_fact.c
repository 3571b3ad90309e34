#include <stdio.h>
#include <stdlib.h>

#include "store/catalog/fact.h"

/*
 * What an index is, is written once, under its id; what changes of it is a fact of its own. So an index that is deleted in one region
 * while its capacity is changed in another stays deleted: a capacity without an index is nothing.
 */

static void
id_format(uint64_t id, char text[REGION_NAME_MAX + 1])
{
	snprintf(text, REGION_NAME_MAX + 1, "%016llx", (unsigned long long)id);
}

/* --- writing --- */

/* Keys as a list of maps; `members` has room for two each. */
static struct value
keys_value(const struct key_attribute *keys, unsigned n, struct value *list, struct member *members)
{
	for (unsigned i = 0; i < n; i++) {
		struct member *pair = &members[2 * i];

		pair[0] = (struct member){BYTES_LITERAL("name"), {.type = VALUE_S, .text = keys[i].name}};
		pair[1] = (struct member){BYTES_LITERAL("type"), fact_text(value_type_name(keys[i].type))};
		list[i] = (struct value){.type = VALUE_M, .map = {pair, 2}};
	}
	return (struct value){.type = VALUE_L, .list = {list, n}};
}

static tide_err
put_definition(struct group *group, uint64_t in, uint64_t table, const struct table_index *index)
{
	struct value includes[INDEX_INCLUDES_MAX], partitions[INDEX_KEYS_MAX], sorts[INDEX_KEYS_MAX];
	struct member partition_members[2 * INDEX_KEYS_MAX], sort_members[2 * INDEX_KEYS_MAX];
	struct fact_number created, order;
	char id[REGION_NAME_MAX + 1];
	struct member members[] = {
	    {BYTES_LITERAL("created"), fact_number(index->created_ms, &created)},
	    {BYTES_LITERAL("includes"), {.type = VALUE_L, .list = {includes, index->n_includes}}},
	    {BYTES_LITERAL("local"), fact_bool(index->local)},
	    {BYTES_LITERAL("name"), {.type = VALUE_S, .text = index->name}},
	    {BYTES_LITERAL("order"), fact_number(index->order, &order)},
	    {BYTES_LITERAL("partitions"),
		keys_value(index->partitions, index->n_partitions, partitions, partition_members)},
	    {BYTES_LITERAL("projection"), fact_text(index_projection_name(index->projection))},
	    {BYTES_LITERAL("sorts"), keys_value(index->sorts, index->n_sorts, sorts, sort_members)},
	};
	struct value v = {.type = VALUE_M, .map = {members, sizeof members / sizeof *members}};

	for (unsigned i = 0; i < index->n_includes; i++)
		includes[i] = (struct value){.type = VALUE_S, .text = index->includes[i]};
	id_format(index->id, id);
	return fact_put(group, in, table, FACT_INDEX, id, &v);
}

static bool
has_capacity(const struct table_index *index)
{
	return index->read_units != 0 || index->write_units != 0 || index->read_units_max != 0 ||
	       index->write_units_max != 0 || index->warm_read_units != 0 || index->warm_write_units != 0;
}

static tide_err
put_capacity(struct group *group, uint64_t in, uint64_t table, const struct table_index *index)
{
	struct fact_number texts[6], changes[3];
	char id[REGION_NAME_MAX + 1];
	struct member members[] = {
	    FACT_CHANGES(&index->changes, changes),
	    {BYTES_LITERAL("max_read"), fact_number(index->read_units_max, &texts[0])},
	    {BYTES_LITERAL("max_write"), fact_number(index->write_units_max, &texts[1])},
	    {BYTES_LITERAL("read"), fact_number(index->read_units, &texts[2])},
	    {BYTES_LITERAL("warm_read"), fact_number(index->warm_read_units, &texts[3])},
	    {BYTES_LITERAL("warm_write"), fact_number(index->warm_write_units, &texts[4])},
	    {BYTES_LITERAL("write"), fact_number(index->write_units, &texts[5])},
	};
	struct value v = {.type = VALUE_M, .map = {members, sizeof members / sizeof *members}};

	id_format(index->id, id);
	return fact_put(group, in, table, FACT_CAPACITY, id, &v);
}

static tide_err
put_one(struct group *group, uint64_t in, const struct table *table, const struct table_index *index)
{
	tide_err rc = put_definition(group, in, table->id, index);

	return rc == TIDE_OK && has_capacity(index) ? put_capacity(group, in, table->id, index) : rc;
}

static tide_err
delete_one(struct group *group, uint64_t in, uint64_t table, uint64_t index)
{
	char id[REGION_NAME_MAX + 1];
	tide_err rc;

	id_format(index, id);
	rc = fact_delete(group, in, table, FACT_INDEX, id);
	return rc == TIDE_OK ? fact_delete(group, in, table, FACT_CAPACITY, id) : rc;
}

tide_err
index_facts_put(struct catalog *catalog, struct group *group, uint64_t in, const struct table *table)
{
	tide_err rc = TIDE_OK;

	for (uint32_t i = 0; i < table->n_indexes + table->n_shadowed && rc == TIDE_OK; i++) {
		rc = catalog__index_written(catalog, table->id, table->indexes[i].id);
		if (rc == TIDE_OK)
			rc = put_one(group, in, table, &table->indexes[i]);
	}
	return rc;
}

tide_err
index_facts_delete(struct group *group, uint64_t in, const struct table *table)
{
	tide_err rc = TIDE_OK;

	for (uint32_t i = 0; i < table->n_indexes + table->n_shadowed && rc == TIDE_OK; i++)
		rc = delete_one(group, in, table->id, table->indexes[i].id);
	return rc;
}

static uint64_t
home_of(const struct table *table)
{
	return table->global ? TABLE_CATALOG : TABLE_REGIONAL;
}

tide_err
catalog_write_index(
    struct catalog *catalog, struct group *group, const struct table *table, const struct table_index *index)
{
	tide_err rc = catalog__index_written(catalog, table->id, index->id);

	return rc == TIDE_OK ? put_one(group, home_of(table), table, index) : rc;
}

tide_err
catalog_write_index_capacity(struct group *group, const struct table *table, const struct table_index *index)
{
	return put_capacity(group, home_of(table), table->id, index);
}

tide_err
catalog_write_index_deleted(struct group *group, const struct table *table, struct bytes name)
{
	tide_err rc = TIDE_OK;

	/* Those that it stood in front of go too, or one would come up in its place. */
	for (uint32_t i = 0; i < table->n_indexes + table->n_shadowed && rc == TIDE_OK; i++) {
		if (bytes_equal(table->indexes[i].name, name))
			rc = delete_one(group, home_of(table), table->id, table->indexes[i].id);
	}
	return rc;
}

/* --- reading: facts come from other regions, nothing in them is taken for granted --- */

static tide_err
take(struct table *table, struct bytes text, struct bytes *out)
{
	if (text.n == 0)
		return TIDE_CORRUPT;
	*out = arena_copy(&table->arena, text);
	return out->at == NULL ? TIDE_NOMEM : TIDE_OK;
}

static const struct value *
list_member(const struct value *map, const char *name, uint32_t max)
{
	const struct value *v = map->type == VALUE_M ? value_map_get(map, bytes_of_string(name)) : NULL;

	return v != NULL && v->type == VALUE_L && v->list.n <= max ? v : NULL;
}

static tide_err
build_keys(
    struct table *table, const struct value *v, const char *name, struct key_attribute *out, uint8_t *n)
{
	const struct value *list = list_member(v, name, INDEX_KEYS_MAX);
	tide_err rc = TIDE_OK;

	if (list == NULL)
		return TIDE_CORRUPT;
	for (uint32_t i = 0; i < list->list.n && rc == TIDE_OK; i++) {
		struct bytes type = fact_member_text(&list->list.at[i], "type", VALUE_S);

		if (bytes_is(type, "S"))
			out[i].type = VALUE_S;
		else if (bytes_is(type, "N"))
			out[i].type = VALUE_N;
		else if (bytes_is(type, "B"))
			out[i].type = VALUE_B;
		else
			return TIDE_CORRUPT;
		rc = take(table, fact_member_text(&list->list.at[i], "name", VALUE_S), &out[i].name);
	}
	*n = (uint8_t)list->list.n;
	return rc;
}

static tide_err
build_projection(struct table *table, const struct value *v, struct table_index *index)
{
	const struct value *list = list_member(v, "includes", INDEX_INCLUDES_MAX);
	struct bytes name = fact_member_text(v, "projection", VALUE_S);
	int p = INDEX_KEYS_ONLY;
	tide_err rc = TIDE_OK;

	while (p <= INDEX_ALL && !bytes_is(name, index_projection_name((enum index_projection)p)))
		p++;
	if (p > INDEX_ALL || list == NULL)
		return TIDE_CORRUPT;
	index->projection = (enum index_projection)p;
	index->n_includes = 0;
	for (uint32_t i = 0; i < list->list.n && rc == TIDE_OK; i++) {
		if (list->list.at[i].type != VALUE_S)
			return TIDE_CORRUPT;
		rc = take(table, list->list.at[i].text, &index->includes[index->n_includes++]);
	}
	return rc;
}

static tide_err
build_definition(struct table *table, const struct value *v, struct table_index *index)
{
	tide_err rc;

	index->local = fact_member_is(v, "local");
	index->created_ms = fact_member_number(v, "created");
	index->order = (uint32_t)fact_member_number(v, "order");
	if ((rc = build_keys(table, v, "partitions", index->partitions, &index->n_partitions)) != TIDE_OK ||
	    (rc = build_keys(table, v, "sorts", index->sorts, &index->n_sorts)) != TIDE_OK ||
	    (rc = build_projection(table, v, index)) != TIDE_OK)
		return rc;
	if (index->n_partitions == 0)
		return TIDE_CORRUPT;
	return take(table, fact_member_text(v, "name", VALUE_S), &index->name);
}

static void
build_capacity(const struct value *v, struct table_index *index)
{
	index->read_units_max = fact_member_number(v, "max_read");
	index->write_units_max = fact_member_number(v, "max_write");
	index->read_units = fact_member_number(v, "read");
	index->warm_read_units = fact_member_number(v, "warm_read");
	index->warm_write_units = fact_member_number(v, "warm_write");
	index->write_units = fact_member_number(v, "write");
	index->changes = fact_changes(v);
}

tide_err
index_fact_build(struct table *table, const struct fact *fact, const struct value *v)
{
	struct table_index *index = table->indexes;
	uint64_t id;
	tide_err rc;

	if (!fact_id_parse(bytes_of_string(fact->region), &id) || id == 0)
		return TIDE_OK;
	if (table->indexes == NULL) {
		table->indexes = arena_calloc(&table->arena, FACT_INDEXES_MAX * sizeof *table->indexes);
		if ((index = table->indexes) == NULL)
			return TIDE_NOMEM;
	}
	while (index < table->indexes + table->n_indexes && index->id != id)
		index++;
	if (index == table->indexes + table->n_indexes) {
		if (table->n_indexes == FACT_INDEXES_MAX)
			return TIDE_OK;
		table->n_indexes++;
		index->id = id;
	}
	if (fact->kind == FACT_CAPACITY) {
		build_capacity(v, index);
		return TIDE_OK;
	}
	if ((rc = build_definition(table, v, index)) != TIDE_CORRUPT)
		return rc;
	index->n_partitions = 0; /* of a later version, or damaged: not there, but the table is */
	return TIDE_OK;
}

static int
by_age(const void *a, const void *b)
{
	const struct table_index *x = a, *y = b;

	if (x->created_ms != y->created_ms)
		return x->created_ms < y->created_ms ? -1 : 1;
	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return x->id < y->id ? -1 : 1;
}

static bool
contradicts(const struct table *table, const struct key_attribute *keys, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct key_attribute *known = table_key_attribute(table, keys[i].name);

		if (known != NULL && known->type != keys[i].type)
			return true;
	}
	return false;
}

/*
 * Two regions may have made indexes of one name, or with one attribute under two types, at the same time: the older one stands. Every
 * region finds the same, as the facts are the same.
 */
tide_err
index_facts_settle(struct table *table)
{
	struct table_index *all = table->indexes, *apart = NULL;
	uint32_t n = table->n_indexes, n_apart = 0;

	table->n_indexes = 0;
	if (n != 0) {
		if ((apart = arena_calloc(&table->arena, n * sizeof *apart)) == NULL)
			return TIDE_NOMEM;
		qsort(all, n, sizeof *all, by_age);
	}
	for (uint32_t i = 0; i < n; i++) {
		if (all[i].n_partitions == 0)
			continue; /* a capacity only: the index is deleted */
		if (table_index_find(table, all[i].name) != NULL ||
		    contradicts(table, all[i].partitions, all[i].n_partitions) ||
		    contradicts(table, all[i].sorts, all[i].n_sorts))
			apart[n_apart++] = all[i];
		else
			all[table->n_indexes++] = all[i];
	}
	if (n_apart != 0)
		memcpy(&all[table->n_indexes], apart, n_apart * sizeof *apart);
	table->n_shadowed = n_apart;
	return table_derive_attributes(table);
}
