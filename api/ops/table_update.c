#include "api/ops/table_update.h"

#include <stdio.h>

#include "api/ops/table_settings.h"
#include "api/ops/throughput.h"

static const struct param override_shape[] = {
    {.name = "ReadCapacityUnits", .type = PARAM_LONG, .min = 1},
    PARAMS_END,
};
/* Of Create and of Update: the same members. */
static const struct param create_shape[] = {
    {.name = "RegionName", .type = PARAM_STRING, .flags = PARAM_REQUIRED},
    {.name = "KMSMasterKeyId", .flags = PARAM_REFUSED},
    {.name = "ProvisionedThroughputOverride",
	.type = PARAM_STRUCT,
	.members = override_shape,
	.java = "ProvisionedThroughputOverride"},
    {.name = "OnDemandThroughputOverride", .flags = PARAM_REFUSED},
    {.name = "GlobalSecondaryIndexes", .flags = PARAM_REFUSED},
    {.name = "TableClassOverride", .flags = PARAM_REFUSED},
    PARAMS_END,
};
static const struct param delete_shape[] = {
    {.name = "RegionName", .type = PARAM_STRING, .flags = PARAM_REQUIRED},
    PARAMS_END,
};
static const struct param replica_shape[] = {
    {.name = "Create",
	.type = PARAM_STRUCT,
	.members = create_shape,
	.java = "CreateReplicationGroupMemberAction"},
    {.name = "Update",
	.type = PARAM_STRUCT,
	.members = create_shape,
	.java = "UpdateReplicationGroupMemberAction"},
    {.name = "Disassociate", .flags = PARAM_REFUSED},
    {.name = "Delete",
	.type = PARAM_STRUCT,
	.members = delete_shape,
	.java = "DeleteReplicationGroupMemberAction"},
    PARAMS_END,
};
static const struct param replica_element = {
    .name = "", .type = PARAM_STRUCT, .members = replica_shape, .java = "ReplicationGroupUpdate"};
static const char *const consistencies[] = {"EVENTUAL", "STRONG", NULL};

const struct param table_update_shape[] = {
    {.name = "AttributeDefinitions", .type = PARAM_LIST, .members = &index_attributes_element},
    PARAM_TABLE,
    {.name = "BillingMode", .type = PARAM_STRING, .values = table_billing_modes},
    {.name = "ProvisionedThroughput",
	.type = PARAM_STRUCT,
	.members = table_throughput_shape,
	.java = "ProvisionedThroughput"},
    {.name = "GlobalSecondaryIndexUpdates", .type = PARAM_LIST, .members = &index_updates_element},
    {.name = "StreamSpecification",
	.type = PARAM_STRUCT,
	.members = table_stream_shape,
	.java = "StreamSpecification"},
    {.name = "SSESpecification",
	.type = PARAM_STRUCT,
	.members = table_sse_shape,
	.java = "SSESpecification"},
    {.name = "ReplicaUpdates", .type = PARAM_LIST, .min = 1, .members = &replica_element},
    {.name = "TableClass", .type = PARAM_STRING},
    {.name = "DeletionProtectionEnabled", .type = PARAM_BOOLEAN},
    {.name = "MultiRegionConsistency", .type = PARAM_STRING, .values = consistencies},
    {.name = "GlobalTableWitnessUpdates", .flags = PARAM_REFUSED},
    {.name = "OnDemandThroughput",
	.type = PARAM_STRUCT,
	.members = table_maximum_shape,
	.java = "OnDemandThroughput"},
    {.name = "WarmThroughput", .type = PARAM_STRUCT, .members = table_warm_shape, .java = "WarmThroughput"},
    {.name = "GlobalTableSettingsReplicationMode", .flags = PARAM_REFUSED},
    {.name = "DisassociationProtectionEnabled", .flags = PARAM_REFUSED},
    {.name = "VectorIndexUpdates", .flags = PARAM_REFUSED},
    PARAMS_END,
};

#define INVALID "One or more parameter values were invalid: "

/* --- reading the request --- */

static tide_err
read_billing(const struct json *body, struct table_update *out, struct tide_error *error)
{
	const struct json *units = json_get(body, "ProvisionedThroughput");
	struct bytes mode = params_string(body, "BillingMode");

	out->sets_mode = mode.n != 0;
	out->on_demand = bytes_is(mode, "PAY_PER_REQUEST");
	out->sets_units = units != NULL;
	if (out->sets_units) {
		out->read_units = (uint64_t)params_number(units, "ReadCapacityUnits", 1);
		out->write_units = (uint64_t)params_number(units, "WriteCapacityUnits", 1);
	}
	if (out->on_demand && out->sets_units)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when "
			    "BillingMode is PAY_PER_REQUEST");
	if (out->sets_mode && !out->on_demand && !out->sets_units)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "ProvisionedThroughput must be specified when BillingMode is PROVISIONED");
	return TIDE_OK;
}

static tide_err
read_stream(const struct json *body, struct table_update *out, struct tide_error *error)
{
	const struct json *stream = json_get(body, "StreamSpecification");
	struct bytes name;

	if (stream == NULL)
		return TIDE_OK;
	out->sets_stream = true;
	out->stream_enabled = params_flag(stream, "StreamEnabled", false);
	name = params_string(stream, "StreamViewType");
	if (out->stream_enabled && (!stream_view_parse(name, &out->view) || out->view == STREAM_NONE))
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "If stream is being enabled then UpdateViewType is required");
	if (!out->stream_enabled && name.n != 0)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "If stream is being disabled, then UpdateViewType must not be specified");
	return TIDE_OK;
}

/* "Region X is not supported", with those that are: the regions of this cluster. */
static tide_err
region_check(const struct region *region, struct bytes name, struct tide_error *error)
{
	const struct config *config = &region->config;
	struct buf list = {0};
	bool known = false;
	tide_err rc;

	if (bytes_is(name, config->region))
		return tide_fail(error, TIDE_VALIDATION,
		    "Cannot add or delete the local region through ReplicaUpdates. Use CreateTable, "
		    "DeleteTable, or UpdateTable as "
		    "required.");
	buf_append_string(&list, config->region);
	for (uint32_t i = 0; i < config->replication.n_peers; i++) {
		known |= bytes_is(name, config->replication.peers[i].region);
		buf_append_format(&list, ", %s", config->replication.peers[i].region);
	}
	rc = known ? TIDE_OK
		   : tide_fail(error, TIDE_VALIDATION,
			 "Region %.*s is not supported. The latest version of global tables are only "
			 "supported in the following regions: "
			 "[%.*s]",
			 (int)(name.n > 64 ? 64 : name.n), (const char *)name.at, (int)list.n,
			 (const char *)list.at);
	buf_fini(&list);
	return rc;
}

static tide_err
read_replicas(
    struct region *region, const struct json *body, struct table_update *out, struct tide_error *error)
{
	const struct json *list = json_get(body, "ReplicaUpdates"), *action;
	uint32_t creates = 0, updates = 0, deletes = 0;

	if (list == NULL)
		return TIDE_OK;
	for (uint32_t i = 0; i < list->array.n; i++) {
		const struct json *create = json_get(&list->array.at[i], "Create"),
				  *change = json_get(&list->array.at[i], "Update"),
				  *delete = json_get(&list->array.at[i], "Delete");

		if (create == NULL && change == NULL && delete == NULL)
			return tide_fail(error, TIDE_VALIDATION,
			    "There are no actions specified in the Replica Update Action of the request.");
		creates += create != NULL;
		updates += change != NULL;
		deletes += delete != NULL;
		action = create != NULL ? create : change != NULL ? change : delete;
		out->action = create != NULL   ? REPLICA_CREATE
			      : change != NULL ? REPLICA_UPDATE
					       : REPLICA_DELETE;
		out->region = params_string(action, "RegionName");
		out->read_override = (uint64_t)params_number(
		    json_get(action, "ProvisionedThroughputOverride"), "ReadCapacityUnits", 0);
	}
	if ((creates > 0) + (updates > 0) + (deletes > 0) > 1)
		return tide_fail(error, TIDE_VALIDATION,
		    "Update table operation with more than one type of replica actions not allowed.");
	if (creates + deletes > 1)
		return tide_fail(error, TIDE_VALIDATION,
		    "Update table operation with more than one create or delete replica actions not allowed");
	if (updates > 1)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "One replica is updated by a request in this version of Tidemark");
	if (updates > 0 && out->read_override == 0)
		return tide_fail(error, TIDE_VALIDATION,
		    "There are no actions specified in the Replica Update Action of the request.");
	if (updates > 0)
		return TIDE_OK; /* of whichever replica there is, this region's own too */
	return region_check(region, out->region, error);
}

/* An index that is made or deleted goes with few other changes; an empty list with none. */
static tide_err
check_indexes(
    const struct json *body, const struct table_update *update, bool settings, struct tide_error *error)
{
	if (settings && update->indexes.list == NULL && json_get(body, "GlobalSecondaryIndexUpdates") != NULL)
		return tide_fail(
		    error, TIDE_VALIDATION, INVALID "List of GlobalSecondaryIndexUpdates is empty");
	if (update->indexes.online > 0 && update->sets_units && !update->sets_mode)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "You cannot create or delete index while updating table IOPS");
	if (update->indexes.online > 0 && update->sets_stream)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "You cannot create or delete index while changing stream status");
	return TIDE_OK;
}

/* One change per call, except that some go with a change of the billing mode. */
static tide_err
check_alone(const struct table_update *update, bool billing, struct tide_error *error)
{
	const struct table_asked *asked = &update->asked;
	unsigned n = (unsigned)billing + update->sets_stream + update->sets_protection + asked->sets_class +
		     asked->sets_encryption + asked->sets_maximum + asked->sets_warm +
		     (update->indexes.list != NULL);
	const char *what = NULL;

	if (n <= 1)
		return TIDE_OK;
	if (asked->sets_encryption)
		what = "Server-Side Encryption modification";
	else if (asked->sets_class)
		what = "TableClass modification";
	else if (update->sets_protection)
		what = "DeletionProtection modification";
	else if (asked->sets_warm && update->indexes.creates)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Create global secondary index cannot be specified when updating WarmThroughput");
	else if (asked->sets_warm)
		what = "WarmThroughput";
	if (what != NULL)
		return tide_fail(
		    error, TIDE_VALIDATION, INVALID "%s must be the only operation in the request", what);
	if (asked->sets_maximum && (update->sets_stream || !update->sets_mode))
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "OnDemandThroughput can only be combined with BillingMode in an UpdateTable "
			    "request");
	return TIDE_OK;
}

tide_err
table_update_read(
    struct region *region, const struct json *body, struct table_update *out, struct tide_error *error)
{
	struct table_update update = {.now_ms = table_now_ms(region)};
	bool billing, settings;
	tide_err rc;

	if (bytes_is(params_string(body, "MultiRegionConsistency"), "STRONG"))
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "MultiRegionConsistency STRONG is not supported by this version of Tidemark");
	update.sets_protection = json_get(body, "DeletionProtectionEnabled") != NULL;
	update.protection = params_flag(body, "DeletionProtectionEnabled", false);
	if ((rc = read_billing(body, &update, error)) != TIDE_OK ||
	    (rc = read_stream(body, &update, error)) != TIDE_OK ||
	    (rc = table_asked_read(region, body, &update.asked, error)) != TIDE_OK ||
	    (rc = index_updates_read(body, &update.indexes, error)) != TIDE_OK)
		return rc;
	billing = update.sets_mode || update.sets_units;
	settings = billing || update.sets_stream || update.sets_protection || update.asked.sets_class ||
		   update.asked.sets_encryption || update.asked.sets_maximum || update.asked.sets_warm;
	if ((rc = check_indexes(body, &update, settings, error)) != TIDE_OK)
		return rc;
	settings |= update.indexes.list != NULL;
	if (json_get(body, "ReplicaUpdates") == NULL && !settings)
		return tide_fail(error, TIDE_VALIDATION,
		    "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
		    "GlobalSecondaryIndexUpdates, "
		    "SSESpecification, ReplicaUpdates, DeletionProtectionEnabled, OnDemandThroughput, "
		    "WarmThroughput or TableClass is "
		    "required");
	if (json_get(body, "ReplicaUpdates") != NULL && settings)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Requests that modify replicas or witnesses must not also modify other fields");
	if (billing && update.sets_stream)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "You cannot modify stream status while updating table IOPS");
	if ((rc = check_alone(&update, billing, error)) != TIDE_OK)
		return rc;
	if ((rc = read_replicas(region, body, &update, error)) != TIDE_OK)
		return rc;
	*out = update;
	return TIDE_OK;
}

/* --- doing it --- */

static bool
has_others(const struct region *region, const struct table *table)
{
	return table->n_replicas > (table_replica(table, region->config.region) != NULL ? 1 : 0);
}

static tide_err
in_use(const struct table *table, const char *how, struct tide_error *error)
{
	return tide_fail(error, TIDE_RESOURCE_IN_USE,
	    "Attempt to change a resource which is still in use: Table is being %s: %s", how, table->name);
}

static tide_err
apply_stream(struct region *region, struct group *group, struct table *table,
    const struct table_update *update, struct tide_error *error)
{
	if (update->stream_enabled && table->stream != STREAM_NONE)
		return tide_fail(error, TIDE_VALIDATION, "Table already has an enabled stream: TableName: %s",
		    table->name);
	if (!update->stream_enabled && table->stream == STREAM_NONE)
		return tide_fail(
		    error, TIDE_VALIDATION, "Table has no stream to disable: TableName: %s", table->name);
	if (!update->stream_enabled && has_others(region, table))
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Disabling Stream is not allowed for a Global Table replica.");
	if (update->stream_enabled)
		table_stream_start(table, update->view, update->now_ms);
	else
		table->stream = STREAM_NONE;
	return catalog_write_stream(group, table);
}

static tide_err
apply_billing(struct region *region, struct group *group, struct table *table,
    const struct table_update *update, struct tide_error *error)
{
	uint64_t warm_read, warm_write;
	bool overrides;
	tide_err rc;

	if (!update->sets_mode && table->on_demand)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when "
			    "BillingMode is PAY_PER_REQUEST");
	if (update->sets_units && !table->on_demand && update->read_units == table_read_units(table) &&
	    update->write_units == table->write_units)
		return tide_fail(error, TIDE_VALIDATION,
		    "The provisioned throughput for the table will not change. The requested value equals "
		    "the current value. Current "
		    "ReadCapacityUnits provisioned for the table: %llu. Requested ReadCapacityUnits: %llu. "
		    "Current WriteCapacityUnits "
		    "provisioned for the table: %llu. Requested WriteCapacityUnits: %llu. Refer to the "
		    "Amazon DynamoDB Developer Guide for "
		    "current limits and how to request higher limits.",
		    (unsigned long long)table_read_units(table), (unsigned long long)update->read_units,
		    (unsigned long long)table->write_units, (unsigned long long)update->write_units);
	if (update->on_demand && !table->on_demand)
		table->on_demand_since_ms = update->now_ms;
	warm_read = table_warm_read(table);
	warm_write = table_warm_write(table);
	if (!update->on_demand &&
	    (rc = throughput_check(
		 region, (struct throughput){update->read_units, update->write_units}, error)) != TIDE_OK)
		return rc;
	if (!update->on_demand && !table->on_demand &&
	    (rc = throughput_change(&table->changes,
		 (struct throughput){table_read_units(table), table->write_units},
		 (struct throughput){update->read_units, update->write_units}, update->now_ms, error)) !=
		TIDE_OK)
		return rc;
	table->on_demand = update->on_demand;
	/* Where this replica has reads of its own they are what is changed, as AWS does; a new mode is everybody's. */
	overrides = table->read_override != 0 && !update->on_demand;
	if (!overrides || update->sets_mode)
		table->read_units = update->read_units;
	table->write_units = update->write_units;
	if ((rc = catalog_write_billing(group, table)) != TIDE_OK)
		return rc;
	if (overrides) {
		table->read_override = update->read_units;
		rc = catalog_write_override(group, table, region->config.region, update->read_units);
		if (rc != TIDE_OK)
			return rc;
	}
	/* It stays warm for what it had, and the maximums are an on-demand table's. */
	if (warm_read > table_warm_read(table) || warm_write > table_warm_write(table)) {
		table->warm_read_units = warm_read;
		table->warm_write_units = warm_write;
		if ((rc = catalog_write_setting(region->catalog, group, table, SETTING_WARM)) != TIDE_OK)
			return rc;
	}
	if (!table->on_demand)
		table->read_units_max = table->write_units_max = 0;
	return catalog_write_setting(region->catalog, group, table, SETTING_MAXIMUM);
}

static tide_err
check_override(const struct region *region, const struct table *table, const struct table_update *update,
    struct tide_error *error)
{
	if (update->read_override != 0 && table->on_demand)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "ProvisionedThroughputOverride can only be specified when BillingMode is "
			    "PROVISIONED");
	return throughput_check(region, (struct throughput){update->read_override, 0}, error);
}

static tide_err
apply_create(struct region *region, struct group *group, struct table *table,
    const struct table_update *update, const char *target, struct tide_error *error)
{
	tide_err rc;

	if (table_replica(table, target) != NULL)
		return tide_fail(error, TIDE_VALIDATION,
		    "Failed to create a the new replica of table with name: ‘%s’ because one or more "
		    "replicas already existed as tables.",
		    table->name);
	if (table->status == TABLE_UPDATING)
		return in_use(table, "updated", error);
	if (shard_table_state(region->shard, TABLE_CATALOG) != REPLICA_ACTIVE)
		return tide_fail(error, TIDE_UNAVAILABLE, NULL);
	if ((rc = check_override(region, table, update, error)) != TIDE_OK)
		return rc;
	if (table->stream == STREAM_NONE)
		table_stream_start(table, STREAM_NEW_AND_OLD_IMAGES, update->now_ms);
	if (table->global)
		rc = catalog_write_stream(group, table);
	else
		rc = catalog_write_global(region->catalog, group, table);
	if (rc == TIDE_OK)
		rc = group_table_shared(group, table->id, true);
	if (rc == TIDE_OK)
		table->global = true; /* its facts are in the catalog by now */
	if (rc == TIDE_OK && update->read_override != 0)
		rc = catalog_write_override(group, table, target, update->read_override);
	return rc == TIDE_OK ? catalog_write_wanted(group, table, target, true) : rc;
}

/* Two sentences: Terraform takes the first for a replica that is gone already, and goes on. */
static tide_err
not_a_replica(const struct table *table, const char *target, struct tide_error *error)
{
	if (table->n_replicas <= 1)
		return tide_fail(error, TIDE_VALIDATION,
		    "Replica specified in the Replica Update or Replica Delete action of the request was not "
		    "found.");
	return tide_fail(error, TIDE_VALIDATION,
	    "Update global table operation failed because one or more replicas were not part of the global "
	    "table. Please retry the request without these replicas: [%s].",
	    target);
}

static tide_err
apply_change(struct region *region, struct group *group, struct table *table,
    const struct table_update *update, const char *target, struct tide_error *error)
{
	const struct replica *r = table_replica(table, target);
	tide_err rc;

	if (r == NULL || !r->wanted)
		return not_a_replica(table, target, error);
	if ((rc = check_override(region, table, update, error)) != TIDE_OK)
		return rc;
	return catalog_write_override(group, table, target, update->read_override);
}

static tide_err
apply_delete(struct group *group, struct table *table, const char *target, struct tide_error *error)
{
	const struct replica *r = table_replica(table, target);

	if (r == NULL)
		return not_a_replica(table, target, error);
	if (!r->wanted)
		return in_use(table, "updated", error);
	if (r->deletion_protection)
		return tide_fail(error, TIDE_VALIDATION,
		    "Cannot delete table %s in region %s because it has deletion protection enabled. Disable "
		    "deletion protection first.",
		    table->name, target);
	return catalog_write_wanted(group, table, target, false);
}

tide_err
table_update_apply(struct region *region, struct group *group, struct table *table,
    const struct table_update *update, struct tide_error *error)
{
	bool on_demand = update->sets_mode ? update->on_demand : table->on_demand;
	struct index_plan own, *plan = update->plan != NULL ? update->plan : &own;
	enum replica_state state = shard_table_state(region->shard, table->id);
	char target[REGION_NAME_MAX + 1];
	tide_err rc = TIDE_OK;

	/* A table of this very group has no state yet that shows: then the facts say that it is there. */
	if (table->status == TABLE_DELETING || state == REPLICA_LEAVING)
		return in_use(table, "deleted", error);
	if (state == REPLICA_CREATING || state == REPLICA_CATCHUP || state == REPLICA_MERGING)
		return in_use(table, "created", error);
	if (table->global && shard_table_state(region->shard, TABLE_CATALOG) != REPLICA_ACTIVE)
		return tide_fail(error, TIDE_UNAVAILABLE, NULL); /* it is on its way back */
	snprintf(target, sizeof target, "%.*s", (int)update->region.n, (const char *)update->region.at);
	error->code = TIDE_OK;
	/* All that may be refused comes before the first fact is written. */
	rc = index_updates_plan(region->shard, table, &update->indexes, on_demand,
	    on_demand != table->on_demand, update->now_ms, plan, error);
	if (rc != TIDE_OK)
		return rc;
	if (update->sets_stream)
		rc = apply_stream(region, group, table, update, error);
	else if (update->sets_mode || update->sets_units)
		rc = apply_billing(region, group, table, update, error);
	else if (update->sets_protection) {
		table->deletion_protection = update->protection;
		rc = catalog_write_protection(region->catalog, group, table);
	} else if (update->action == REPLICA_CREATE)
		rc = apply_create(region, group, table, update, target, error);
	else if (update->action == REPLICA_UPDATE)
		rc = apply_change(region, group, table, update, target, error);
	else if (update->action == REPLICA_DELETE)
		rc = apply_delete(group, table, target, error);
	if (rc == TIDE_OK)
		rc = table_asked_apply(region, group, table, &update->asked, update->now_ms, error);
	if (rc == TIDE_OK)
		rc = index_plan_write(region->catalog, group, table, plan);
	/* The writers below say what failed by code only. */
	if (rc != TIDE_OK && error->code == TIDE_OK)
		tide_fail(error, rc, NULL);
	return rc;
}
