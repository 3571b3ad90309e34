#include <stdio.h>
#include <stdlib.h>

#include "store/catalog/fact.h"

/* Facts come from other regions, so nothing in them is taken for granted. */

static bool
text_copy(char *to, size_t room, struct bytes text)
{
	if (text.n == 0 || text.n >= room || memchr(text.at, 0, text.n) != NULL)
		return false;
	memcpy(to, text.at, text.n);
	to[text.n] = 0;
	return true;
}

static bool
scalar_parse(struct bytes name, enum value_type *type)
{
	static const enum value_type scalars[] = {VALUE_S, VALUE_N, VALUE_B};

	for (unsigned i = 0; i < 3; i++) {
		if (bytes_is(name, value_type_name(scalars[i]))) {
			*type = scalars[i];
			return true;
		}
	}
	return false;
}

static bool
key_attribute_set(const struct table *table, struct bytes name, struct key_attribute *out)
{
	for (uint32_t i = 0; i < table->n_attributes; i++) {
		if (bytes_equal(table->attributes[i].name, name)) {
			*out = table->attributes[i];
			return true;
		}
	}
	return false;
}

static tide_err
build_schema(struct table *table, const struct value *v)
{
	const struct value *list = v->type == VALUE_M ? value_map_get(v, BYTES_LITERAL("attributes")) : NULL;
	struct bytes sort = fact_member_text(v, "sort", VALUE_S);

	if (list == NULL || list->type != VALUE_L ||
	    !text_copy(table->name, sizeof table->name, fact_member_text(v, "name", VALUE_S)))
		return TIDE_CORRUPT;
	table->created_ms = fact_member_number(v, "created");
	if ((table->attributes =
		    arena_calloc(&table->arena, (list->list.n + 1) * sizeof *table->attributes)) == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < list->list.n; i++) {
		struct key_attribute *a = &table->attributes[i];
		struct bytes name = fact_member_text(&list->list.at[i], "name", VALUE_S);

		if (name.n == 0 ||
		    !scalar_parse(fact_member_text(&list->list.at[i], "type", VALUE_S), &a->type))
			return TIDE_CORRUPT;
		if ((a->name = arena_copy(&table->arena, name)).at == NULL)
			return TIDE_NOMEM;
		table->n_attributes++;
	}
	if (!key_attribute_set(table, fact_member_text(v, "partition", VALUE_S), &table->partition) ||
	    (sort.n != 0 && !key_attribute_set(table, sort, &table->sort)))
		return TIDE_CORRUPT; /* of a table that is deleted it stands all the same, without a sort key */
	table->has_sort = sort.n != 0;
	return TIDE_OK;
}

static void
build_stream(struct table *table, const struct value *v)
{
	if (!stream_view_parse(fact_member_text(v, "view", VALUE_S), &table->stream))
		table->stream = STREAM_NONE;
	text_copy(table->stream_label, sizeof table->stream_label, fact_member_text(v, "label", VALUE_S));
	table->stream_created_ms = fact_member_number(v, "created");
}

static void
build_billing(struct table *table, const struct value *v)
{
	table->on_demand = fact_member_is(v, "on_demand");
	table->on_demand_since_ms = fact_member_number(v, "on_demand_since");
	table->read_units = fact_member_number(v, "read");
	table->write_units = fact_member_number(v, "write");
	table->changes = fact_changes(v);
}

static struct replica *
replica_of(struct table *table, const char *region, const struct catalog_region *regions, uint32_t n_regions)
{
	struct replica *r;
	uint32_t at = 0;

	/* By name: every region lists them in the same order. The array has room for one per fact. */
	while (at < table->n_replicas && strcmp(table->replicas[at].region, region) < 0)
		at++;
	r = &table->replicas[at];
	if (at < table->n_replicas && strcmp(r->region, region) == 0)
		return r;
	memmove(r + 1, r, (table->n_replicas - at) * sizeof *r);
	table->n_replicas++;
	*r = (struct replica){.status = TABLE_CREATING};
	snprintf(r->region, sizeof r->region, "%s", region);
	for (uint32_t i = 0; i < n_regions; i++) {
		if (strcmp(regions[i].name, region) == 0)
			r->number = regions[i].number;
	}
	return r;
}

static void
build_status(struct replica *r, const struct value *v)
{
	struct bytes state = fact_member_text(v, "state", VALUE_S);
	uint64_t percent = fact_member_number(v, "percent");

	for (int s = TABLE_CREATING; s <= TABLE_CREATION_FAILED; s++) {
		if (bytes_is(state, table_status_name((enum table_status)s)))
			r->status = (enum table_status)s;
	}
	r->claimed = r->status != TABLE_CREATION_FAILED;
	r->percent = percent > 100 ? 100 : (uint8_t)percent;
}

/*
 * Of all removals the latest is void: were every replica to go, the data would go with them although nobody deleted the
 * table. A replica that its region refused, or never took on, holds nothing and keeps nothing from being lost.
 */
static void
void_last_removal(struct table *table, const struct facts *facts)
{
	struct replica *last = NULL;
	struct version latest = {{0}, JID_NONE};

	for (uint32_t i = 0; i < table->n_replicas; i++) {
		struct replica *r = &table->replicas[i];
		const struct fact *f = facts_get(facts, FACT_WANTED, r->region);

		if (r->wanted && r->status != TABLE_CREATION_FAILED)
			return;
		if (f != NULL && !r->wanted && r->claimed &&
		    (last == NULL || version_compare(f->version, latest) > 0)) {
			last = r;
			latest = f->version;
		}
	}
	if (last != NULL)
		last->wanted = true;
}

/* What the facts say together: a replica that goes shows DELETING, one that comes back UPDATING; what is neither wanted nor there goes. */
static void
settle_replicas(struct table *table, const struct facts *facts)
{
	uint32_t kept = 0;

	if (!table->deleted)
		void_last_removal(table, facts);
	for (uint32_t i = 0; i < table->n_replicas; i++) {
		struct replica *r = &table->replicas[i];

		if (table->deleted)
			r->wanted = false;
		if (!r->wanted && r->status == TABLE_CREATION_FAILED)
			r->claimed = false;
		if (!r->wanted && !r->claimed)
			continue;
		if (!r->wanted)
			r->status = TABLE_DELETING;
		else if (r->status == TABLE_DELETING)
			r->status = TABLE_UPDATING;
		table->replicas[kept++] = *r;
	}
	table->n_replicas = kept;
}

static tide_err
build_fact(struct table *table, const struct fact *f, const struct value *v,
    const struct catalog_region *regions, uint32_t n_regions)
{
	switch (f->kind) {
	case FACT_SCHEMA:
		return build_schema(table, v);
	case FACT_DELETED:
		table->deleted = true;
		return TIDE_OK;
	case FACT_STREAM:
		build_stream(table, v);
		return TIDE_OK;
	case FACT_BILLING:
		build_billing(table, v);
		return TIDE_OK;
	case FACT_WANTED:
		replica_of(table, f->region, regions, n_regions)->wanted =
		    v->type == VALUE_BOOL && v->boolean;
		return TIDE_OK;
	case FACT_STATUS:
		build_status(replica_of(table, f->region, regions, n_regions), v);
		return TIDE_OK;
	case FACT_PROTECTION:
		replica_of(table, f->region, regions, n_regions)->deletion_protection =
		    v->type == VALUE_BOOL && v->boolean;
		if (strcmp(f->region, regions[0].name) == 0)
			table->deletion_protection = v->type == VALUE_BOOL && v->boolean;
		return TIDE_OK;
	case FACT_OVERRIDE:
		replica_of(table, f->region, regions, n_regions)->read_override =
		    fact_member_number(v, "read");
		if (strcmp(f->region, regions[0].name) == 0)
			table->read_override = fact_member_number(v, "read");
		return TIDE_OK;
	case FACT_NAME:
		/* Without a schema (deleted) it is what tells this region which name to give up. */
		if (strcmp(f->region, regions[0].name) == 0 && table->name[0] == 0 && v->type == VALUE_S)
			text_copy(table->name, sizeof table->name, v->text);
		return TIDE_OK;
	case FACT_INDEX:
	case FACT_CAPACITY:
		return index_fact_build(table, f, v);
	case FACT_TTL:
	case FACT_CLASS:
	case FACT_ENCRYPTION:
	case FACT_MAXIMUM:
	case FACT_WARM:
		return settings_build(table, f, v);
	case FACT_TAGS:
	case FACT_POLICY:
		return strcmp(f->region, regions[0].name) == 0 ? settings_build(table, f, v) : TIDE_OK;
	case FACT_UNKNOWN:
		break;
	}
	return TIDE_OK;
}

static void
settle_here(struct table *table, const char *region)
{
	const struct replica *own = table_replica(table, region);

	table->status = TABLE_ACTIVE;
	if (!table->global) {
		table->here = !table->deleted;
		table->n_replicas = 0;
		return;
	}
	table->here = own != NULL && own->claimed && !table->deleted;
	if (own != NULL)
		table->status = own->status;
	if (table->status != TABLE_ACTIVE)
		return;
	for (uint32_t i = 0; i < table->n_replicas; i++) {
		enum table_status s = table->replicas[i].status;

		if (s == TABLE_CREATING || s == TABLE_DELETING || s == TABLE_UPDATING)
			table->status = TABLE_UPDATING;
	}
}

tide_err
table_build(uint64_t id, const struct facts *facts, const struct catalog_region *regions, uint32_t n_regions,
    struct table **out, struct tide_error *error)
{
	bool deleted = facts_get(facts, FACT_DELETED, "") != NULL;
	struct table *table;
	struct arena arena;
	tide_err rc = TIDE_OK;

	if (facts_get(facts, FACT_SCHEMA, "") == NULL && !deleted)
		return TIDE_NOTFOUND;
	if ((table = table_new()) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	arena_init(&arena, 0);
	table->id = id;
	if ((table->replicas = arena_calloc(&table->arena, (facts->n + 1) * sizeof *table->replicas)) == NULL)
		rc = tide_fail(error, TIDE_NOMEM, NULL);
	for (uint32_t i = 0; i < facts->n && rc == TIDE_OK; i++) {
		const struct fact *f = &facts->at[i];
		struct value v;

		table->global |= f->table == TABLE_CATALOG;
		if ((rc = fact_item_decode(&arena, bytes_of(f->image, f->image_n), &v)) == TIDE_OK)
			rc = build_fact(table, f, &v, regions, n_regions);
		if (rc == TIDE_CORRUPT && deleted) {
			table->deleted = true; /* beats all other facts, also those that nobody can read */
			rc = TIDE_OK;
		}
		if (rc != TIDE_OK) {
			char name[FACT_NAME_MAX + 1] = "unknown";

			if (f->kind != FACT_UNKNOWN)
				fact_name_format(f->kind, f->region, name);
			tide_fail(error, rc, "table %016llx: fact %s: %s", (unsigned long long)id, name,
			    tide_err_text(rc));
		}
	}
	arena_fini(&arena);
	if (rc == TIDE_OK && index_facts_settle(table) != TIDE_OK)
		rc = tide_fail(error, TIDE_NOMEM, NULL);
	if (rc != TIDE_OK) {
		table_release(table);
		return rc;
	}
	settle_replicas(table, facts);
	settle_here(table, regions[0].name);
	*out = table;
	return TIDE_OK;
}
