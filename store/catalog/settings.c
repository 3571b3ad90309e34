#include <stdlib.h>

#include "store/catalog/fact.h"

#define POLICY_BYTES_MAX 65536 /* of what is taken from a fact; the API's own bound is lower */
#define TAGS_READ_MAX 1000

static bool
is_own(enum fact_kind kind)
{
	return kind == FACT_TAGS || kind == FACT_POLICY;
}

/* --- writing --- */

static tide_err
put_tags(struct group *group, uint64_t in, const char *region, const struct table *table)
{
	struct member *members = calloc(table->n_tags, sizeof *members);
	struct value v = {.type = VALUE_M, .map = {members, table->n_tags}};
	tide_err rc;

	if (members == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < table->n_tags; i++)
		members[i] =
		    (struct member){table->tags[i].key, {.type = VALUE_S, .text = table->tags[i].value}};
	if ((rc = value_canonicalize(&v, NULL)) == TIDE_OK)
		rc = fact_put(group, in, table->id, FACT_TAGS, region, &v);
	free(members);
	return rc;
}

static tide_err
put_policy(struct group *group, uint64_t in, const char *region, const struct table *table)
{
	struct fact_number revision;
	struct member members[] = {
	    {BYTES_LITERAL("revision"), fact_number(table->policy_revision, &revision)},
	    {BYTES_LITERAL("text"), {.type = VALUE_S, .text = table->policy}},
	};
	struct value v = {.type = VALUE_M, .map = {members, table->policy.n != 0 ? 2 : 1}};

	return fact_put(group, in, table->id, FACT_POLICY, region, &v);
}

static tide_err
put_ttl(struct group *group, uint64_t in, const struct table *table)
{
	struct member members[] = {
	    {BYTES_LITERAL("attribute"), {.type = VALUE_S, .text = table->ttl_attribute}},
	};
	struct value v = {.type = VALUE_M, .map = {members, 1}};

	return fact_put(group, in, table->id, FACT_TTL, "", &v);
}

static tide_err
put_class(struct group *group, uint64_t in, const struct table *table)
{
	struct fact_number changed;
	struct member members[] = {
	    {BYTES_LITERAL("changed"), fact_number(table->class_changed_ms, &changed)},
	    {BYTES_LITERAL("infrequent"), fact_bool(table->infrequent_access)},
	};
	struct value v = {.type = VALUE_M, .map = {members, 2}};

	return fact_put(group, in, table->id, FACT_CLASS, "", &v);
}

static tide_err
put_encryption(struct group *group, uint64_t in, const struct table *table)
{
	struct value v = fact_bool(table->encrypted);

	return fact_put(group, in, table->id, FACT_ENCRYPTION, "", &v);
}

static tide_err
put_units(struct group *group, uint64_t in, const struct table *table, enum fact_kind kind, uint64_t read,
    uint64_t write)
{
	struct fact_number texts[2];
	struct member members[] = {
	    {BYTES_LITERAL("read"), fact_number(read, &texts[0])},
	    {BYTES_LITERAL("write"), fact_number(write, &texts[1])},
	};
	struct value v = {.type = VALUE_M, .map = {members, 2}};

	return fact_put(group, in, table->id, kind, "", &v);
}

static bool
has(const struct table *table, enum fact_kind kind)
{
	switch (kind) {
	case FACT_TTL:
		return table->ttl_attribute.n != 0;
	case FACT_CLASS:
		return table->class_changed_ms != 0;
	case FACT_ENCRYPTION:
		return table->encrypted;
	case FACT_MAXIMUM:
		return table->read_units_max != 0 || table->write_units_max != 0;
	case FACT_WARM:
		return table->warm_read_units != 0 || table->warm_write_units != 0;
	case FACT_TAGS:
		return table->n_tags != 0;
	case FACT_POLICY:
		return table->policy_revision != 0;
	default:
		return false;
	}
}

static tide_err
put(struct group *group, uint64_t in, const char *region, const struct table *table, enum fact_kind kind)
{
	switch (kind) {
	case FACT_TTL:
		return put_ttl(group, in, table);
	case FACT_CLASS:
		return put_class(group, in, table);
	case FACT_ENCRYPTION:
		return put_encryption(group, in, table);
	case FACT_MAXIMUM:
		return put_units(group, in, table, kind, table->read_units_max, table->write_units_max);
	case FACT_WARM:
		return put_units(group, in, table, kind, table->warm_read_units, table->warm_write_units);
	case FACT_TAGS:
		return put_tags(group, in, region, table);
	case FACT_POLICY:
		return put_policy(group, in, region, table);
	default:
		return TIDE_OK;
	}
}

tide_err
settings_put(struct group *group, uint64_t in, const char *region, const struct table *table)
{
	tide_err rc = TIDE_OK;

	for (int k = FACT_TTL; k <= FACT_POLICY && rc == TIDE_OK; k++) {
		if (has(table, (enum fact_kind)k))
			rc = put(group, in, region, table, (enum fact_kind)k);
	}
	return rc;
}

static tide_err
delete_some(struct group *group, uint64_t in, uint64_t id, const char *region, bool own)
{
	tide_err rc = TIDE_OK;

	for (int k = FACT_TTL; k <= FACT_POLICY && rc == TIDE_OK; k++) {
		if (is_own((enum fact_kind)k) == own)
			rc = fact_delete(group, in, id, (enum fact_kind)k, own ? region : "");
	}
	return rc;
}

tide_err
settings_delete_shared(struct group *group, uint64_t in, uint64_t id)
{
	return delete_some(group, in, id, "", false);
}

tide_err
settings_delete_own(struct group *group, uint64_t in, uint64_t id, const char *region)
{
	return delete_some(group, in, id, region, true);
}

tide_err
catalog_write_setting(
    struct catalog *catalog, struct group *group, const struct table *table, enum table_setting setting)
{
	uint64_t in = table->global ? TABLE_CATALOG : TABLE_REGIONAL;
	enum fact_kind kind = (enum fact_kind)(FACT_TTL + (int)setting);
	const char *region = catalog_region_name(catalog);

	if (has(table, kind))
		return put(group, in, region, table, kind);
	return fact_delete(group, in, table->id, kind, is_own(kind) ? region : "");
}

/* --- reading --- */

static tide_err
take(struct table *table, struct bytes text, struct bytes *out)
{
	if (text.n == 0)
		return TIDE_OK;
	*out = arena_copy(&table->arena, text);
	return out->at == NULL ? TIDE_NOMEM : TIDE_OK;
}

static tide_err
build_tags(struct table *table, const struct value *v)
{
	uint32_t n = v->type == VALUE_M ? v->map.n : 0;
	tide_err rc = TIDE_OK;

	if (n > TAGS_READ_MAX)
		n = TAGS_READ_MAX;
	if ((table->tags = arena_calloc(&table->arena, ((size_t)n + 1) * sizeof *table->tags)) == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < n && rc == TIDE_OK; i++) {
		struct tag *tag = &table->tags[table->n_tags];

		if (v->map.at[i].value.type != VALUE_S || v->map.at[i].name.n == 0)
			continue;
		if ((rc = take(table, v->map.at[i].name, &tag->key)) == TIDE_OK)
			rc = take(table, v->map.at[i].value.text, &tag->value);
		table->n_tags++;
	}
	return rc;
}

static tide_err
build_policy(struct table *table, const struct value *v)
{
	struct bytes text = fact_member_text(v, "text", VALUE_S);

	table->policy_revision = fact_member_number(v, "revision");
	return text.n > POLICY_BYTES_MAX ? TIDE_CORRUPT : take(table, text, &table->policy);
}

tide_err
settings_build(struct table *table, const struct fact *fact, const struct value *v)
{
	switch (fact->kind) {
	case FACT_TTL:
		return take(table, fact_member_text(v, "attribute", VALUE_S), &table->ttl_attribute);
	case FACT_CLASS:
		table->infrequent_access = fact_member_is(v, "infrequent");
		table->class_changed_ms = fact_member_number(v, "changed");
		return TIDE_OK;
	case FACT_ENCRYPTION:
		table->encrypted = v->type == VALUE_BOOL && v->boolean;
		return TIDE_OK;
	case FACT_MAXIMUM:
		table->read_units_max = fact_member_number(v, "read");
		table->write_units_max = fact_member_number(v, "write");
		return TIDE_OK;
	case FACT_WARM:
		table->warm_read_units = fact_member_number(v, "read");
		table->warm_write_units = fact_member_number(v, "write");
		return TIDE_OK;
	case FACT_TAGS:
		return build_tags(table, v);
	case FACT_POLICY:
		return build_policy(table, v);
	default:
		return TIDE_OK;
	}
}
