#include <stdio.h>
#include <stdlib.h>

#include "store/catalog/fact.h"

#define NAME_ITEMS "names" /* TABLE_REGIONAL: (this, NAME) -> id */
#define REGION_ITEMS "region" /* TABLE_REGIONAL: (this, "counted") -> incarnation */

static uint64_t
home_of(const struct table *table)
{
	return table->global ? TABLE_CATALOG : TABLE_REGIONAL;
}

/* --- items --- */

static tide_err
item_put(struct group *group, uint64_t in, const char *partition, const char *sort, const struct value *value)
{
	struct buf key = {0}, image = {0};
	tide_err rc;

	fact_key_of(partition, sort, &key);
	fact_item_encode(partition, sort, value, &image);
	if ((rc = buf_check(&key)) == TIDE_OK && (rc = buf_check(&image)) == TIDE_OK)
		rc = group_put(group, in, buf_bytes(&key), buf_bytes(&image), false);
	buf_fini(&key);
	buf_fini(&image);
	return rc;
}

static tide_err
item_delete(struct group *group, uint64_t in, const char *partition, const char *sort)
{
	struct buf key = {0};
	tide_err rc;

	fact_key_of(partition, sort, &key);
	if ((rc = buf_check(&key)) == TIDE_OK)
		rc = group_delete(group, in, buf_bytes(&key), false);
	buf_fini(&key);
	return rc;
}

static void
id_format(uint64_t id, char text[17])
{
	snprintf(text, 17, "%016llx", (unsigned long long)id);
}

tide_err
fact_put(struct group *group, uint64_t in, uint64_t id, enum fact_kind kind, const char *region,
    const struct value *value)
{
	char partition[17], sort[FACT_NAME_MAX + 1];

	id_format(id, partition);
	fact_name_format(kind, region, sort);
	return item_put(group, in, partition, sort, value);
}

tide_err
fact_delete(struct group *group, uint64_t in, uint64_t id, enum fact_kind kind, const char *region)
{
	char partition[17], sort[FACT_NAME_MAX + 1];

	id_format(id, partition);
	fact_name_format(kind, region, sort);
	return item_delete(group, in, partition, sort);
}

/* --- reading through the group --- */

static tide_err
read_fact(struct group *group, struct facts *facts, uint64_t in, uint64_t id, enum fact_kind kind,
    const char *region)
{
	struct buf key = {0};
	struct stored stored;
	tide_err rc;

	fact_key(id, kind, region, &key);
	if ((rc = buf_check(&key)) == TIDE_OK)
		rc = group_get(group, in, buf_bytes(&key), &stored);
	buf_fini(&key);
	if (rc != TIDE_OK)
		return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
	return facts_set(facts, kind, region, in, stored.version, stored.image);
}

tide_err
catalog_read(struct catalog *catalog, struct group *group, uint64_t id, const struct table **out)
{
	static const uint64_t homes[] = {TABLE_CATALOG, TABLE_REGIONAL};
	const struct catalog_region *regions;
	struct index_names indexes = {0};
	struct facts facts = {0};
	struct table *table;
	uint32_t n;
	tide_err rc;

	regions = catalog__regions(catalog, &n);
	rc = catalog__index_names(catalog, id, &indexes);
	for (unsigned h = 0; h < 2; h++) {
		for (unsigned k = 0; k < FACT_UNKNOWN; k++) {
			bool each = fact_kind_has_region((enum fact_kind)k);
			bool index = fact_kind_has_index((enum fact_kind)k);
			uint32_t times = index ? indexes.n : each ? n : 1;

			for (uint32_t i = 0; rc == TIDE_OK && i < times; i++)
				rc = read_fact(group, &facts, homes[h], id, (enum fact_kind)k,
				    index  ? indexes.at[i]
				    : each ? regions[i].name
					   : "");
		}
	}
	if (rc == TIDE_OK && (rc = table_build(id, &facts, regions, n, &table, NULL)) == TIDE_OK)
		*out = table;
	facts_fini(&facts);
	free(indexes.at);
	return rc;
}

/* --- names --- */

static tide_err
claim_read(struct group *group, const char *name, uint64_t *id)
{
	struct buf key = {0};
	struct stored stored;
	struct arena arena;
	struct value v;
	tide_err rc;

	fact_key_of(NAME_ITEMS, name, &key);
	if ((rc = buf_check(&key)) == TIDE_OK)
		rc = group_get(group, TABLE_REGIONAL, buf_bytes(&key), &stored);
	buf_fini(&key);
	if (rc != TIDE_OK)
		return rc;
	arena_init(&arena, 0);
	if ((rc = fact_item_decode(&arena, stored.image, &v)) == TIDE_OK &&
	    (v.type != VALUE_S || !fact_id_parse(v.text, id)))
		rc = TIDE_CORRUPT;
	arena_fini(&arena);
	return rc;
}

/*
 * The claim of a region that lost its disk is gone with it, and comes back when membership takes the replica on again.
 * Until then the catalog still says what this region held under that name.
 */
static tide_err
claimed_before(struct catalog *catalog, struct group *group, const char *name, uint64_t id, bool *taken)
{
	const struct table *known = catalog_find(catalog, bytes_of_string(name)), *now = NULL;
	tide_err rc;

	*taken = false;
	if (known == NULL || known->id == id) {
		table_release(known);
		return TIDE_OK;
	}
	/* What is cached may be undone by this very group. */
	if ((rc = catalog_read(catalog, group, known->id, &now)) == TIDE_OK)
		*taken = now->here;
	table_release(now);
	table_release(known);
	return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
}

static tide_err
claim_check(struct catalog *catalog, struct group *group, const struct table *table, bool *held,
    struct tide_error *error)
{
	uint64_t owner = 0;
	bool taken = false;
	tide_err rc;

	rc = claim_read(group, table->name, &owner);
	*held = rc == TIDE_OK && owner == table->id;
	taken = rc == TIDE_OK && owner != table->id;
	if (rc == TIDE_NOTFOUND)
		rc = claimed_before(catalog, group, table->name, table->id, &taken);
	if (rc != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if (taken)
		return tide_fail(error, TIDE_RESOURCE_IN_USE, "Table already exists: %s", table->name);
	return TIDE_OK;
}

static tide_err
claim_put(struct group *group, const struct table *table)
{
	char id[17];
	struct value v;

	id_format(table->id, id);
	v = fact_text(id);
	return item_put(group, TABLE_REGIONAL, NAME_ITEMS, table->name, &v);
}

static tide_err
claim_release(struct group *group, const struct table *table)
{
	uint64_t owner;
	tide_err rc;

	if (table->name[0] == 0)
		return TIDE_OK;
	if ((rc = claim_read(group, table->name, &owner)) != TIDE_OK)
		return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
	return owner == table->id ? item_delete(group, TABLE_REGIONAL, NAME_ITEMS, table->name) : TIDE_OK;
}

tide_err
catalog_write_claim(
    struct catalog *catalog, struct group *group, const struct table *table, struct tide_error *error)
{
	struct value v = fact_text(table->name);
	bool held;
	tide_err rc;

	if ((rc = claim_check(catalog, group, table, &held, error)) != TIDE_OK)
		return rc;
	if (!held && (rc = claim_put(group, table)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if (table->global)
		rc = fact_put(group, TABLE_CATALOG, table->id, FACT_NAME, catalog_region_name(catalog), &v);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

/* --- settings --- */

static tide_err
write_schema(struct group *group, uint64_t in, const struct table *table)
{
	struct value *list = calloc(table->n_attributes + 1, sizeof *list);
	struct member *pairs = calloc(2 * (size_t)table->n_attributes + 1, sizeof *pairs);
	struct fact_number created;
	tide_err rc = TIDE_NOMEM;

	if (list != NULL && pairs != NULL) {
		struct member members[] = {
		    {BYTES_LITERAL("attributes"), {.type = VALUE_L, .list = {list, table->n_attributes}}},
		    {BYTES_LITERAL("created"), fact_number(table->created_ms, &created)},
		    {BYTES_LITERAL("name"), fact_text(table->name)},
		    {BYTES_LITERAL("partition"), {.type = VALUE_S, .text = table->partition.name}},
		    {BYTES_LITERAL("sort"), {.type = VALUE_S, .text = table->sort.name}},
		};
		struct value v = {.type = VALUE_M, .map = {members, table->has_sort ? 5 : 4}};

		for (uint32_t i = 0; i < table->n_attributes; i++) {
			struct member *pair = &pairs[2 * (size_t)i];

			pair[0] = (struct member){
			    BYTES_LITERAL("name"), {.type = VALUE_S, .text = table->attributes[i].name}};
			pair[1] = (struct member){
			    BYTES_LITERAL("type"), fact_text(value_type_name(table->attributes[i].type))};
			list[i] = (struct value){.type = VALUE_M, .map = {pair, 2}};
		}
		rc = fact_put(group, in, table->id, FACT_SCHEMA, "", &v);
	}
	free(list);
	free(pairs);
	return rc;
}

static tide_err
write_stream(struct group *group, uint64_t in, const struct table *table)
{
	struct fact_number created;
	struct member members[] = {
	    {BYTES_LITERAL("created"), fact_number(table->stream_created_ms, &created)},
	    {BYTES_LITERAL("label"), fact_text(table->stream_label)},
	    {BYTES_LITERAL("view"), fact_text(stream_view_name(table->stream))},
	};
	struct value v = {.type = VALUE_M, .map = {members, 3}};

	return fact_put(group, in, table->id, FACT_STREAM, "", &v);
}

static tide_err
write_billing(struct group *group, uint64_t in, const struct table *table)
{
	struct fact_number since, read, write, changes[3];
	struct member members[] = {
	    FACT_CHANGES(&table->changes, changes),
	    {BYTES_LITERAL("on_demand"), fact_bool(table->on_demand)},
	    {BYTES_LITERAL("on_demand_since"), fact_number(table->on_demand_since_ms, &since)},
	    {BYTES_LITERAL("read"), fact_number(table->read_units, &read)},
	    {BYTES_LITERAL("write"), fact_number(table->write_units, &write)},
	};
	struct value v = {.type = VALUE_M, .map = {members, sizeof members / sizeof *members}};

	return fact_put(group, in, table->id, FACT_BILLING, "", &v);
}

static tide_err
write_protection(struct catalog *catalog, struct group *group, uint64_t in, const struct table *table)
{
	struct value v = fact_bool(table->deletion_protection);

	return fact_put(group, in, table->id, FACT_PROTECTION, catalog_region_name(catalog), &v);
}

/* What every table has, wherever its facts are. */
static tide_err
write_all(struct catalog *catalog, struct group *group, uint64_t in, const struct table *table)
{
	tide_err rc;

	if ((rc = write_schema(group, in, table)) != TIDE_OK ||
	    (rc = write_billing(group, in, table)) != TIDE_OK)
		return rc;
	if (table->stream_label[0] != 0 && (rc = write_stream(group, in, table)) != TIDE_OK)
		return rc;
	if (table->deletion_protection && (rc = write_protection(catalog, group, in, table)) != TIDE_OK)
		return rc;
	if ((rc = index_facts_put(catalog, group, in, table)) != TIDE_OK)
		return rc;
	return settings_put(group, in, catalog_region_name(catalog), table);
}

tide_err
catalog_write_new(
    struct catalog *catalog, struct group *group, const struct table *table, struct tide_error *error)
{
	bool held;
	tide_err rc;

	if ((rc = claim_check(catalog, group, table, &held, error)) != TIDE_OK)
		return rc;
	if ((rc = claim_put(group, table)) == TIDE_OK)
		rc = write_all(catalog, group, TABLE_REGIONAL, table);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

tide_err
catalog_write_stream(struct group *group, const struct table *table)
{
	return write_stream(group, home_of(table), table);
}

tide_err
catalog_write_billing(struct group *group, const struct table *table)
{
	return write_billing(group, home_of(table), table);
}

tide_err
catalog_write_override(
    struct group *group, const struct table *table, const char *region, uint64_t read_units)
{
	struct fact_number read;
	struct member members[] = {{BYTES_LITERAL("read"), fact_number(read_units, &read)}};
	struct value v = {.type = VALUE_M, .map = {members, 1}};

	return fact_put(group, home_of(table), table->id, FACT_OVERRIDE, region, &v);
}

tide_err
catalog_write_protection(struct catalog *catalog, struct group *group, const struct table *table)
{
	return write_protection(catalog, group, home_of(table), table);
}

/* --- replicas --- */

static tide_err
drop_settings(struct group *group, uint64_t in, const struct table *table)
{
	static const enum fact_kind settings[] = {FACT_SCHEMA, FACT_BILLING, FACT_STREAM};
	tide_err rc = TIDE_OK;

	for (unsigned i = 0; i < 3 && rc == TIDE_OK; i++)
		rc = fact_delete(group, in, table->id, settings[i], "");
	if (rc == TIDE_OK)
		rc = index_facts_delete(group, in, table);
	return rc == TIDE_OK ? settings_delete_shared(group, in, table->id) : rc;
}

/* What a region says of its own replica, and nobody else. */
static tide_err
drop_own(struct group *group, uint64_t in, uint64_t id, const char *region)
{
	tide_err rc = fact_delete(group, in, id, FACT_PROTECTION, region);

	if (rc == TIDE_OK)
		rc = fact_delete(group, in, id, FACT_OVERRIDE, region);
	return rc == TIDE_OK ? settings_delete_own(group, in, id, region) : rc;
}

tide_err
catalog_write_global(struct catalog *catalog, struct group *group, const struct table *table)
{
	const char *self = catalog_region_name(catalog);
	struct value name = fact_text(table->name);
	tide_err rc;

	if ((rc = write_all(catalog, group, TABLE_CATALOG, table)) != TIDE_OK ||
	    (rc = drop_settings(group, TABLE_REGIONAL, table)) != TIDE_OK ||
	    (rc = drop_own(group, TABLE_REGIONAL, table->id, self)) != TIDE_OK ||
	    (rc = fact_put(group, TABLE_CATALOG, table->id, FACT_NAME, self, &name)) != TIDE_OK ||
	    (rc = catalog_write_wanted(group, table, self, true)) != TIDE_OK)
		return rc;
	return catalog_write_status(catalog, group, table, TABLE_ACTIVE, 100);
}

tide_err
catalog_write_wanted(struct group *group, const struct table *table, const char *region, bool wanted)
{
	struct value v = fact_bool(wanted);

	return fact_put(group, TABLE_CATALOG, table->id, FACT_WANTED, region, &v);
}

tide_err
catalog_write_status(struct catalog *catalog, struct group *group, const struct table *table,
    enum table_status status, uint8_t percent)
{
	struct fact_number text;
	struct member members[] = {
	    {BYTES_LITERAL("percent"), fact_number(percent, &text)},
	    {BYTES_LITERAL("state"), fact_text(table_status_name(status))},
	};
	struct value v = {.type = VALUE_M, .map = {members, 2}};

	return fact_put(group, TABLE_CATALOG, table->id, FACT_STATUS, catalog_region_name(catalog), &v);
}

tide_err
catalog_write_gone(struct catalog *catalog, struct group *group, const struct table *table)
{
	const char *self = catalog_region_name(catalog);
	uint64_t in = home_of(table);
	tide_err rc;

	if ((rc = claim_release(group, table)) != TIDE_OK ||
	    (rc = drop_own(group, in, table->id, self)) != TIDE_OK || !table->global)
		return rc;
	if ((rc = fact_delete(group, TABLE_CATALOG, table->id, FACT_NAME, self)) != TIDE_OK)
		return rc;
	return fact_delete(group, TABLE_CATALOG, table->id, FACT_STATUS, self);
}

tide_err
catalog_write_deleted(struct catalog *catalog, struct group *group, const struct table *table)
{
	struct value v = fact_bool(true);
	tide_err rc;

	if ((rc = catalog_write_gone(catalog, group, table)) != TIDE_OK)
		return rc;
	if (table->global) {
		if ((rc = fact_put(group, TABLE_CATALOG, table->id, FACT_DELETED, "", &v)) != TIDE_OK)
			return rc;
		for (uint32_t i = 0; i < table->n_replicas && rc == TIDE_OK; i++)
			rc = fact_delete(
			    group, TABLE_CATALOG, table->id, FACT_WANTED, table->replicas[i].region);
		if (rc != TIDE_OK)
			return rc;
	}
	return drop_settings(group, home_of(table), table);
}

/* --- this region --- */

tide_err
catalog_read_counted(struct shard *shard, int32_t *incarnation)
{
	struct buf key = {0}, raw = {0};
	struct stored stored;
	struct arena arena;
	struct value v;
	tide_err rc;

	*incarnation = -1;
	arena_init(&arena, 0);
	fact_key_of(REGION_ITEMS, "counted", &key);
	if ((rc = buf_check(&key)) == TIDE_OK)
		rc = shard_get(shard, TABLE_REGIONAL, buf_bytes(&key), &raw, &stored);
	if (rc == TIDE_OK && (rc = fact_item_decode(&arena, stored.image, &v)) == TIDE_OK) {
		int32_t n = 0;

		if (v.type != VALUE_N || v.text.n > 5)
			rc = TIDE_CORRUPT;
		for (size_t i = 0; rc == TIDE_OK && i < v.text.n; i++)
			n = n * 10 + (v.text.at[i] - '0');
		if (rc == TIDE_OK)
			*incarnation = n;
	}
	arena_fini(&arena);
	buf_fini(&key);
	buf_fini(&raw);
	return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
}

tide_err
catalog_write_counted(struct group *group, uint16_t incarnation)
{
	struct fact_number text;
	struct value v = fact_number(incarnation, &text);

	return item_put(group, TABLE_REGIONAL, REGION_ITEMS, "counted", &v);
}
