#include "api/ops/index_update.h"

#include "api/ops/table_settings.h"
#include "api/ops/throughput.h"

#define INVALID "One or more parameter values were invalid: "

#define OF(name) (int)(name).n, (const char *)(name).at

/* --- shapes --- */

#define PARAM_INDEX_NAME                                                                                     \
	{                                                                                                    \
		.name = "IndexName", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .min = 3, .max = 255,    \
		.pattern = PARAM_PATTERN_NAME                                                                \
	}

static const struct param update_shape[] = {
    PARAM_INDEX_NAME,
    {.name = "ProvisionedThroughput",
	.type = PARAM_STRUCT,
	.members = table_throughput_shape,
	.java = "ProvisionedThroughput"},
    {.name = "OnDemandThroughput",
	.type = PARAM_STRUCT,
	.members = table_maximum_shape,
	.java = "OnDemandThroughput"},
    {.name = "WarmThroughput", .type = PARAM_STRUCT, .members = table_warm_shape, .java = "WarmThroughput"},
    PARAMS_END,
};
static const struct param delete_shape[] = {PARAM_INDEX_NAME, PARAMS_END};
static const struct param action_shape[] = {
    {.name = "Update",
	.type = PARAM_STRUCT,
	.members = update_shape,
	.java = "UpdateGlobalSecondaryIndexAction"},
    {.name = "Create",
	.type = PARAM_STRUCT,
	.members = index_create_shape,
	.java = "CreateGlobalSecondaryIndexAction"},
    {.name = "Delete",
	.type = PARAM_STRUCT,
	.members = delete_shape,
	.java = "DeleteGlobalSecondaryIndexAction"},
    PARAMS_END,
};
const struct param index_updates_element = {
    .name = "", .type = PARAM_STRUCT, .members = action_shape, .java = "GlobalSecondaryIndexUpdate"};

/* --- the request --- */

enum action { ACTION_UPDATE, ACTION_CREATE, ACTION_DELETE };

static const struct json *
action_of(const struct json *entry, enum action *action)
{
	static const char *const names[] = {"Update", "Create", "Delete"};

	for (int a = ACTION_UPDATE; a <= ACTION_DELETE; a++) {
		if (json_get(entry, names[a]) != NULL) {
			*action = (enum action)a;
			return json_get(entry, names[a]);
		}
	}
	return NULL;
}

static tide_err
check_entry(const struct json *list, uint32_t i, struct tide_error *error)
{
	const struct json *entry = &list->array.at[i];
	enum action action;
	struct bytes name;

	if (action_of(entry, &action) == NULL)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
			    "GlobalSecondaryIndexUpdate.Delete must not be null");
	if ((json_get(entry, "Update") != NULL) + (json_get(entry, "Create") != NULL) +
		(json_get(entry, "Delete") != NULL) >
	    1)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID
		    "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate "
		    "object");
	name = params_string(action_of(entry, &action), "IndexName");
	for (uint32_t j = 0; j < i; j++) {
		if (bytes_equal(params_string(action_of(&list->array.at[j], &action), "IndexName"), name))
			return tide_fail(error, TIDE_VALIDATION,
			    INVALID "Only one global secondary index update per index is allowed "
				    "simultaneously. Index: %.*s",
			    OF(name));
	}
	return TIDE_OK;
}

tide_err
index_updates_read(const struct json *body, struct index_updates *out, struct tide_error *error)
{
	const struct json *list = json_get(body, "GlobalSecondaryIndexUpdates");
	tide_err rc;

	*out = (struct index_updates){.attributes = json_get(body, "AttributeDefinitions")};
	if (list == NULL || list->array.n == 0)
		return TIDE_OK;
	out->list = list;
	for (uint32_t i = 0; i < list->array.n; i++) {
		const struct json *action;
		struct index_asked asked;
		enum action kind = ACTION_UPDATE;
		struct bytes name;

		if ((rc = check_entry(list, i, error)) != TIDE_OK)
			return rc;
		action = action_of(&list->array.at[i], &kind);
		name = params_string(action, "IndexName");
		out->online += kind != ACTION_UPDATE;
		out->creates |= kind == ACTION_CREATE;
		if (kind == ACTION_CREATE && (out->attributes == NULL || out->attributes->array.n == 0))
			return tide_fail(error, TIDE_VALIDATION,
			    INVALID "AttributeDefinitions is not specified for index: %.*s", OF(name));
		if (kind != ACTION_DELETE && (rc = index_asked_read(action, name, &asked, error)) != TIDE_OK)
			return rc;
	}
	return TIDE_OK;
}

struct bytes
index_updates_deleted(const struct index_updates *updates)
{
	for (uint32_t i = 0; updates->list != NULL && i < updates->list->array.n; i++) {
		enum action kind = ACTION_UPDATE;
		const struct json *action = action_of(&updates->list->array.at[i], &kind);

		if (kind == ACTION_DELETE)
			return params_string(action, "IndexName");
	}
	return BYTES_NONE;
}

/* --- against the table --- */

bool
index_is_building(struct shard *shard, const struct table *table, const struct table_index **which)
{
	struct index_view view;

	for (uint32_t i = 0; i < table->n_indexes; i++) {
		tide_err rc = shard_index_view(shard, table->id, table->indexes[i].id, &view);

		if (rc == TIDE_NOTFOUND || (rc == TIDE_OK && view.state != INDEX_COMPLETE)) {
			*which = &table->indexes[i];
			return true;
		}
	}
	return false;
}

static tide_err
only_one(struct tide_error *error)
{
	return tide_fail(error, TIDE_LIMIT_EXCEEDED,
	    "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per "
	    "table");
}

/* The global index that an Update or a Delete names. */
static tide_err
find_global(struct table *table, struct bytes name, const char *verb, struct table_index **out,
    struct tide_error *error)
{
	struct table_index *index =
	    (struct table_index *)table_index_find(table, name); /* the caller's alone */

	if (index == NULL)
		return tide_fail(error, TIDE_RESOURCE_NOT_FOUND,
		    "Requested resource not found: Index %.*s for table %s", OF(name), table->name);
	if (index->local)
		return tide_fail(error, TIDE_VALIDATION,
		    "Cannot %s an index that is not a GlobalSecondaryIndex: %.*s", verb, OF(name));
	*out = index;
	return TIDE_OK;
}

/* "[SchemaElement: key{a:S:HASH}, SchemaElement: key{b:N:RANGE}]": as DynamoDB prints a schema. */
static void
print_schema(struct buf *out, const struct table_index *index, const struct table *table)
{
	buf_append_string(out, "Schema:[");
	for (unsigned i = 0; i < (unsigned)index->n_partitions + index->n_sorts; i++) {
		bool hash = i < index->n_partitions;
		const struct key_attribute *key =
		    hash ? &index->partitions[i] : &index->sorts[i - index->n_partitions];
		const struct key_attribute *known =
		    table == NULL ? key : table_key_attribute(table, key->name);

		if (known == NULL)
			continue;
		buf_append_format(out, "%sSchemaElement: key{%.*s:%s:%s}",
		    out->n > strlen("Schema:[") ? ", " : "", OF(key->name), value_type_name(known->type),
		    hash ? "HASH" : "RANGE");
	}
	buf_append_byte(out, ']');
}

static tide_err
check_types(const struct table *table, const struct table_index *index, struct tide_error *error)
{
	struct buf existing = {0}, new = {0};
	bool same = true;
	tide_err rc = TIDE_OK;

	for (unsigned i = 0; i < (unsigned)index->n_partitions + index->n_sorts; i++) {
		const struct key_attribute *key =
		    i < index->n_partitions ? &index->partitions[i] : &index->sorts[i - index->n_partitions];
		const struct key_attribute *known = table_key_attribute(table, key->name);

		same &= known == NULL || known->type == key->type;
	}
	if (same)
		return TIDE_OK;
	print_schema(&existing, index, table);
	print_schema(&new, index, NULL);
	rc = tide_fail(error, TIDE_VALIDATION,
	    INVALID "Attributes cannot be redefined. Please check that your attribute has the same type as "
		    "previously defined. Existing schema: %.*s New schema: %.*s",
	    (int)existing.n, (const char *)existing.at, (int)new.n, (const char *)new.at);
	buf_fini(&existing);
	buf_fini(&new);
	return rc;
}

static tide_err
check_new_capacity(
    const struct table *table, struct bytes name, const struct index_asked *asked, struct tide_error *error)
{
	if (table->on_demand && asked->sets_units)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: "
			    "%.*s when BillingMode is PAY_PER_REQUEST",
		    OF(name));
	if (!table->on_demand && !asked->sets_units)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: %.*s",
		    OF(name));
	return TIDE_OK;
}

static tide_err
plan_create(struct shard *shard, struct table *table, const struct index_updates *updates,
    const struct json *create, uint64_t now_ms, struct index_plan *plan, struct tide_error *error)
{
	struct bytes name = params_string(create, "IndexName");
	struct table_index *index = &plan->created;
	struct index_attributes attributes;
	const struct table_index *building;
	struct index_asked asked;
	uint32_t global = 0;
	tide_err rc;

	if (table_index_find(table, name) != NULL)
		return tide_fail(
		    error, TIDE_VALIDATION, "Attempting to create an index which already exists");
	for (uint32_t i = 0; i < table->n_indexes; i++)
		global += !table->indexes[i].local;
	if (global >= GLOBAL_INDEXES_MAX || table->n_indexes + table->n_shadowed >= INDEXES_MAX)
		return tide_fail(error, TIDE_LIMIT_EXCEEDED,
		    "Subscriber limit exceeded: Number of global secondary indexes exceeds per-table limit "
		    "of %d",
		    GLOBAL_INDEXES_MAX);
	if (index_is_building(shard, table, &building))
		return only_one(error);
	if ((rc = index_attributes_read(&table->arena, updates->attributes, &attributes, error)) != TIDE_OK ||
	    (rc = index_define_one(&table->arena, create, &attributes, now_ms, index, error)) != TIDE_OK ||
	    (rc = check_types(table, index, error)) != TIDE_OK ||
	    (rc = index_asked_read(create, name, &asked, error)) != TIDE_OK ||
	    (rc = check_new_capacity(table, name, &asked, error)) != TIDE_OK ||
	    (rc = index_asked_take(table, index, &asked, true, error)) != TIDE_OK)
		return rc;
	plan->creates = true;
	return TIDE_OK;
}

static tide_err
plan_delete(struct shard *shard, struct table *table, struct bytes name, struct index_plan *plan,
    struct tide_error *error)
{
	const struct table_index *building;
	struct table_index *index = NULL;
	tide_err rc;

	if ((rc = find_global(table, name, "delete", &index, error)) != TIDE_OK)
		return rc;
	if (index_is_building(shard, table, &building) && building != index)
		return only_one(error);
	plan->deletes = true;
	plan->deleted = index->name;
	return TIDE_OK;
}

static tide_err
unchanged(const struct table_index *index, struct tide_error *error)
{
	unsigned long long read = index->read_units, write = index->write_units;

	return tide_fail(error, TIDE_VALIDATION,
	    "The provisioned throughput for the index %.*s will not change. The requested value equals the "
	    "current value. Current ReadCapacityUnits provisioned for index %.*s: %llu. Requested "
	    "ReadCapacityUnits: %llu. Current WriteCapacityUnits provisioned for index %.*s: %llu. Requested "
	    "WriteCapacityUnits: %llu. Refer to the Amazon DynamoDB Developer Guide for current limits and "
	    "how "
	    "to request higher limits.",
	    OF(index->name), OF(index->name), read, read, OF(index->name), write, write);
}

static tide_err
plan_update(struct table *table, const struct json *update, bool switches, uint64_t now_ms,
    struct index_plan *plan, struct tide_error *error)
{
	struct bytes name = params_string(update, "IndexName");
	struct table_index *index = NULL;
	struct index_asked asked;
	struct throughput before;
	tide_err rc;

	if ((rc = find_global(table, name, "update", &index, error)) != TIDE_OK ||
	    (rc = index_asked_read(update, name, &asked, error)) != TIDE_OK)
		return rc;
	if (!asked.sets_units && !asked.sets_maximum && !asked.sets_warm)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "At least one of ProvisionedThroughput, OnDemandThroughput or WarmThroughput is "
			    "required for index: %.*s",
		    OF(name));
	before = (struct throughput){index->read_units, index->write_units};
	if (asked.sets_units && !switches && !table->on_demand && asked.read_units == before.read &&
	    asked.write_units == before.write)
		return unchanged(index, error);
	if ((rc = index_asked_take(table, index, &asked, false, error)) != TIDE_OK)
		return rc;
	if (asked.sets_units && !switches)
		rc = throughput_change(&index->changes, before,
		    (struct throughput){asked.read_units, asked.write_units}, now_ms, error);
	plan->changed[index - table->indexes] = true;
	return rc;
}

/* The table's capacity mode changes: an index stays warm for what it had, and what belongs to the old mode goes. */
static void
switch_mode(struct table *table, bool on_demand, struct index_plan *plan)
{
	for (uint32_t i = 0; i < table->n_indexes; i++) {
		struct table_index *index = &table->indexes[i];
		uint64_t warm_read = index_warm_read(table, index),
			 warm_write = index_warm_write(table, index);

		if (index->local)
			continue;
		index->warm_read_units = warm_read;
		index->warm_write_units = warm_write;
		if (on_demand)
			index->read_units = index->write_units = 0;
		else
			index->read_units_max = index->write_units_max = 0;
		plan->changed[i] = true;
	}
}

/* What was on demand has no throughput of its own: the request has to say it for each. */
static tide_err
check_switched(const struct table *table, struct tide_error *error)
{
	for (uint32_t i = 0; i < table->n_indexes; i++) {
		const struct table_index *index = &table->indexes[i];

		if (!index->local && !table->on_demand && index->read_units == 0)
			return tide_fail(error, TIDE_VALIDATION,
			    INVALID "ProvisionedThroughput must be specified for index: %.*s",
			    OF(index->name));
	}
	return TIDE_OK;
}

static tide_err
plan_all(struct shard *shard, struct table *table, const struct index_updates *updates, bool switches,
    uint64_t now_ms, struct index_plan *plan, struct tide_error *error)
{
	tide_err rc = TIDE_OK;

	if (updates->online > 1)
		return only_one(error);
	for (uint32_t i = 0; updates->list != NULL && i < updates->list->array.n && rc == TIDE_OK; i++) {
		const struct json *action;
		enum action kind = ACTION_UPDATE;

		action = action_of(&updates->list->array.at[i], &kind);
		if (kind == ACTION_CREATE)
			rc = plan_create(shard, table, updates, action, now_ms, plan, error);
		else if (kind == ACTION_DELETE)
			rc = plan_delete(shard, table, params_string(action, "IndexName"), plan, error);
		else
			rc = plan_update(table, action, switches, now_ms, plan, error);
	}
	return rc;
}

tide_err
index_updates_plan(struct shard *shard, struct table *table, const struct index_updates *updates,
    bool on_demand, bool switches, uint64_t now_ms, struct index_plan *out, struct tide_error *error)
{
	bool was = table->on_demand;
	tide_err rc;

	*out = (struct index_plan){0};
	if (switches)
		switch_mode(table, on_demand, out);
	table->on_demand = on_demand;
	rc = plan_all(shard, table, updates, switches, now_ms, out, error);
	if (rc == TIDE_OK && switches)
		rc = check_switched(table, error);
	table->on_demand = was; /* whoever changes it does so himself */
	return rc;
}

tide_err
index_plan_write(
    struct catalog *catalog, struct group *group, const struct table *table, const struct index_plan *plan)
{
	tide_err rc = TIDE_OK;

	for (uint32_t i = 0; i < table->n_indexes && rc == TIDE_OK; i++) {
		if (plan->changed[i] &&
		    !(plan->deletes && bytes_equal(table->indexes[i].name, plan->deleted)))
			rc = catalog_write_index_capacity(group, table, &table->indexes[i]);
	}
	if (rc == TIDE_OK && plan->creates)
		rc = catalog_write_index(catalog, group, table, &plan->created);
	if (rc == TIDE_OK && plan->deletes)
		rc = catalog_write_index_deleted(group, table, plan->deleted);
	return rc;
}
