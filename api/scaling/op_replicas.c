/*
 * DescribeTableReplicaAutoScaling, UpdateTableReplicaAutoScaling: of global tables only. What they set are the scalable targets of this
 * region: those of another region are its own, and it has to be asked for them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/membership.h"
#include "api/ops/table_describe.h"
#include "api/ops/table_settings.h"
#include "api/scaling/op_shared.h"
#include "store/shard/index.h"

#define FAILED "Failed to update settings for global table with name: ‘%s’"
#define STEPS_MAX 128 /* one call: the table, and each index for reads and for writes */

/* --- both --- */

/* With a reference; NULL: the request is answered. */
static const struct table *
begin(struct request *request, const struct param *shape)
{
	const struct table *table;
	struct tide_error error;

	if (!ops_check(request, shape))
		return NULL;
	table = table_named(request->region, &request->body, &error);
	if (table != NULL && table->n_replicas <= 1) {
		tide_fail(&error, TIDE_RESOURCE_NOT_FOUND, "Global table with name: %s does not exist.",
		    table->name);
		table_release(table);
		table = NULL;
	}
	if (table == NULL)
		request_fail(request, &error, NULL);
	return table;
}

/* "table/NAME" or "table/NAME/index/INDEX", in the arena; empty without memory. */
static struct bytes
resource_of(struct arena *arena, const struct table *table, struct bytes index)
{
	char *text = index.n == 0 ? arena_format(arena, "table/%s", table->name)
				  : arena_format(arena, "table/%s/index/%.*s", table->name, (int)index.n,
					(const char *)index.at);

	return text == NULL ? BYTES_NONE : bytes_of_string(text);
}

/* --- describing --- */

static void
write_policy(struct buf *out, const struct scaling_policy *p)
{
	buf_append_string(out, "{\"PolicyName\":");
	json_write_string(out, p->name);
	buf_append_format(
	    out, ",\"TargetTrackingScalingPolicyConfiguration\":{\"TargetValue\":%.15g", p->target);
	if (p->says_disable_in)
		buf_append_format(out, ",\"DisableScaleIn\":%s", p->disable_in ? "true" : "false");
	if (p->in_cooldown >= 0)
		buf_append_format(out, ",\"ScaleInCooldown\":%lld", (long long)p->in_cooldown);
	if (p->out_cooldown >= 0)
		buf_append_format(out, ",\"ScaleOutCooldown\":%lld", (long long)p->out_cooldown);
	buf_append_string(out, "}}");
}

/* An AutoScalingSettingsDescription. */
static void
write_settings(struct request *request, struct bytes resource, enum scaling_dimension dimension)
{
	struct buf *out = &request->reply;
	struct scaling_target target;

	if (request->region->scaling == NULL || scaling_find(request->region->scaling, &request->arena,
						    resource, dimension, &target) != TIDE_OK) {
		buf_append_string(out, "{\"AutoScalingDisabled\":true,\"ScalingPolicies\":[]}");
		return;
	}
	buf_append_format(out,
	    "{\"MinimumUnits\":%lld,\"MaximumUnits\":%lld,\"AutoScalingDisabled\":false,"
	    "\"AutoScalingRoleArn\":\"",
	    (long long)target.min, (long long)target.max);
	scaling_write_role(out, &request->region->config);
	buf_append_string(out, "\",\"ScalingPolicies\":[");
	for (uint32_t i = 0; i < target.n_policies; i++) {
		if (i > 0)
			buf_append_byte(out, ',');
		write_policy(out, &target.policies[i]);
	}
	buf_append_string(out, "]}");
}

static void
write_index(struct request *request, const struct table *table, const struct table_index *index)
{
	struct bytes resource = resource_of(&request->arena, table, index->name);
	struct buf *out = &request->reply;
	struct index_view view;
	bool complete = shard_index_view(request->region->shard, table->id, index->id, &view) == TIDE_OK &&
			view.state == INDEX_COMPLETE;

	buf_append_string(out, "{\"IndexName\":");
	json_write_string(out, index->name);
	buf_append_format(out, ",\"IndexStatus\":\"%s\",\"ProvisionedReadCapacityAutoScalingSettings\":",
	    complete ? "ACTIVE" : "CREATING");
	write_settings(request, resource, SCALING_INDEX_READ);
	buf_append_string(out, ",\"ProvisionedWriteCapacityAutoScalingSettings\":");
	write_settings(request, resource, SCALING_INDEX_WRITE);
	buf_append_byte(out, '}');
}

/* This region's replica: what is registered here. */
static void
write_own(struct request *request, const struct table *table)
{
	struct bytes resource = resource_of(&request->arena, table, BYTES_NONE);
	struct buf *out = &request->reply;
	bool first = true;

	buf_append_string(out, ",\"GlobalSecondaryIndexes\":[");
	for (uint32_t i = 0; i < table->n_indexes; i++) {
		if (table->indexes[i].local)
			continue;
		if (!first)
			buf_append_byte(out, ',');
		first = false;
		write_index(request, table, &table->indexes[i]);
	}
	buf_append_string(out, "],\"ReplicaProvisionedReadCapacityAutoScalingSettings\":");
	write_settings(request, resource, SCALING_TABLE_READ);
	buf_append_string(out, ",\"ReplicaProvisionedWriteCapacityAutoScalingSettings\":");
	write_settings(request, resource, SCALING_TABLE_WRITE);
}

static void
write_description(struct request *request, const struct table *table)
{
	struct buf *out = &request->reply;

	buf_append_string(out, "{\"TableAutoScalingDescription\":{\"TableName\":");
	json_write_string(out, bytes_of_string(table->name));
	buf_append_format(out, ",\"TableStatus\":\"%s\",\"Replicas\":[", table_status_name(table->status));
	for (uint32_t i = 0; i < table->n_replicas; i++) {
		const struct replica *r = &table->replicas[i];

		buf_append_format(out, "%s{\"RegionName\":\"%s\",\"ReplicaStatus\":\"%s\"", i == 0 ? "" : ",",
		    r->region, table_status_name(r->status));
		if (strcmp(r->region, request->region->config.region) == 0)
			write_own(request, table);
		buf_append_byte(out, '}');
	}
	buf_append_string(out, "]}}");
	if (buf_check(out) == TIDE_OK)
		request_ok(request);
	else
		ops_fail(request, TIDE_NOMEM, NULL);
}

void
op_describe_replica_auto_scaling(struct request *request)
{
	static const struct param shape[] = {PARAM_TABLE, PARAMS_END};
	const struct table *table = begin(request, shape);

	if (table == NULL)
		return;
	write_description(request, table);
	table_release(table);
}

/* --- updating --- */

static const struct param tracking_shape[] = {
    {.name = "DisableScaleIn", .type = PARAM_BOOLEAN},
    {.name = "ScaleInCooldown", .type = PARAM_INTEGER},
    {.name = "ScaleOutCooldown", .type = PARAM_INTEGER},
    {.name = "TargetValue", .type = PARAM_LONG, .flags = PARAM_REQUIRED},
    PARAMS_END,
};
static const struct param policy_shape[] = {
    {.name = "PolicyName", .type = PARAM_STRING, .min = 1, .max = 256},
    {.name = "TargetTrackingScalingPolicyConfiguration",
	.type = PARAM_STRUCT,
	.flags = PARAM_REQUIRED,
	.members = tracking_shape},
    PARAMS_END,
};
static const struct param settings_shape[] = {
    {.name = "MinimumUnits", .type = PARAM_LONG, .min = 1},
    {.name = "MaximumUnits", .type = PARAM_LONG, .min = 1},
    {.name = "AutoScalingDisabled", .type = PARAM_BOOLEAN},
    {.name = "AutoScalingRoleArn", .type = PARAM_STRING, .min = 1, .max = 1600},
    {.name = "ScalingPolicyUpdate", .type = PARAM_STRUCT, .members = policy_shape},
    PARAMS_END,
};
#define PARAM_SETTINGS(of)                                                                                   \
	{                                                                                                    \
		.name = of, .type = PARAM_STRUCT, .members = settings_shape,                                 \
		.java = "AutoScalingSettingsUpdate"                                                          \
	}
#define PARAM_INDEX                                                                                          \
	{                                                                                                    \
		.name = "IndexName", .type = PARAM_STRING, .min = 3, .max = 255,                             \
		.pattern = PARAM_PATTERN_NAME                                                                \
	}
static const struct param index_read_shape[] = {
    PARAM_INDEX, PARAM_SETTINGS("ProvisionedReadCapacityAutoScalingUpdate"), PARAMS_END};
static const struct param index_read_element = {.name = "",
    .type = PARAM_STRUCT,
    .members = index_read_shape,
    .java = "ReplicaGlobalSecondaryIndexAutoScalingUpdate"};
static const struct param index_write_shape[] = {
    PARAM_INDEX, PARAM_SETTINGS("ProvisionedWriteCapacityAutoScalingUpdate"), PARAMS_END};
static const struct param index_write_element = {.name = "",
    .type = PARAM_STRUCT,
    .members = index_write_shape,
    .java = "GlobalSecondaryIndexAutoScalingUpdate"};
static const struct param replica_shape[] = {
    {.name = "RegionName", .type = PARAM_STRING, .flags = PARAM_REQUIRED},
    {.name = "ReplicaGlobalSecondaryIndexUpdates", .type = PARAM_LIST, .members = &index_read_element},
    PARAM_SETTINGS("ReplicaProvisionedReadCapacityAutoScalingUpdate"),
    PARAMS_END,
};
static const struct param replica_element = {
    .name = "", .type = PARAM_STRUCT, .members = replica_shape, .java = "ReplicaAutoScalingUpdate"};

/* One target that is to be changed. */
struct step {
	struct bytes resource;
	enum scaling_dimension dimension;
	const struct json *settings;
};

/* One call under way: a change after the other. */
struct update {
	struct scaling_change change; /* first: the registry's pointer is ours */
	struct request *request;
	const struct table *table; /* a reference */
	struct step steps[STEPS_MAX];
	uint32_t n, at;
};

static tide_err
check_settings(const struct json *settings, const struct table *table, struct tide_error *error)
{
	const struct json *min = json_get(settings, "MinimumUnits"),
			  *max = json_get(settings, "MaximumUnits"),
			  *policy = json_get(settings, "ScalingPolicyUpdate");
	const struct json *tracking = json_get(policy, "TargetTrackingScalingPolicyConfiguration");

	if (params_flag(settings, "AutoScalingDisabled", false)) {
		if (min == NULL && max == NULL && policy == NULL)
			return TIDE_OK;
		return tide_fail(error, TIDE_VALIDATION,
		    FAILED ": Parameters 'MinimumUnits, MaximumUnits, ScalingPolicyUpdate' must be left "
			   "blank when disabling auto scaling.",
		    table->name);
	}
	if (min != NULL && max != NULL &&
	    params_number(settings, "MinimumUnits", 0) > params_number(settings, "MaximumUnits", 0))
		return tide_fail(error, TIDE_VALIDATION,
		    FAILED ": Maximum capacity cannot be less than minimum capacity", table->name);
	if (policy != NULL && !scaling_tracking_is_sound(tracking))
		return tide_fail(error, TIDE_VALIDATION,
		    FAILED ": target values are between 20 and 90, cooldowns not negative", table->name);
	return TIDE_OK;
}

static tide_err
add_step(struct update *update, struct bytes index, enum scaling_dimension dimension,
    const struct json *settings, struct tide_error *error)
{
	const struct table_index *found = index.n == 0 ? NULL : table_index_find(update->table, index);
	struct step *step = &update->steps[update->n];
	tide_err rc;

	if (settings == NULL)
		return TIDE_OK;
	if (index.n != 0 && (found == NULL || found->local))
		return tide_fail(error, TIDE_RESOURCE_NOT_FOUND,
		    "Requested resource not found: Index: %.*s not found for table: %s", (int)index.n,
		    (const char *)index.at, update->table->name);
	if ((rc = check_settings(settings, update->table, error)) != TIDE_OK)
		return rc;
	if (update->n == STEPS_MAX)
		return tide_fail(
		    error, TIDE_VALIDATION, FAILED ": too many settings in one request", update->table->name);
	step->resource = resource_of(&update->request->arena, update->table, index);
	step->dimension = dimension;
	step->settings = settings;
	update->n++;
	return step->resource.at == NULL ? tide_fail(error, TIDE_NOMEM, NULL) : TIDE_OK;
}

/* The list of updates of indexes in `object`. */
static tide_err
add_indexes(struct update *update, const struct json *object, const char *list, const char *settings,
    enum scaling_dimension dimension, struct tide_error *error)
{
	const struct json *indexes = json_get(object, list);
	tide_err rc = TIDE_OK;

	for (uint32_t i = 0; indexes != NULL && i < indexes->array.n && rc == TIDE_OK; i++) {
		const struct json *one = &indexes->array.at[i];
		struct bytes name = params_string(one, "IndexName");

		if (name.n == 0)
			rc = tide_fail(error, TIDE_VALIDATION, FAILED ": IndexName must be specified",
			    update->table->name);
		else
			rc = add_step(update, name, dimension, json_get(one, settings), error);
	}
	return rc;
}

static tide_err
add_replica(struct update *update, const struct json *replica, struct tide_error *error)
{
	const struct table *table = update->table;
	struct bytes name = params_string(replica, "RegionName");
	char region[REGION_NAME_MAX + 1];
	tide_err rc;

	snprintf(region, sizeof region, "%.*s", (int)(name.n > REGION_NAME_MAX ? 0 : name.n),
	    (const char *)name.at);
	if (table_replica(table, region) == NULL)
		return tide_fail(error, TIDE_VALIDATION,
		    "Update global table operation failed because one or more replicas were not part of the "
		    "global table. Please retry the request without these replicas: [%.*s].",
		    (int)(name.n > 255 ? 255 : name.n), (const char *)name.at);
	if (strcmp(region, update->request->region->config.region) != 0)
		return tide_fail(error, TIDE_VALIDATION,
		    FAILED ": auto scaling of the replica in %s is changed by asking region %s", table->name,
		    region, region);
	rc = add_step(update, BYTES_NONE, SCALING_TABLE_READ,
	    json_get(replica, "ReplicaProvisionedReadCapacityAutoScalingUpdate"), error);
	if (rc != TIDE_OK)
		return rc;
	return add_indexes(update, replica, "ReplicaGlobalSecondaryIndexUpdates",
	    "ProvisionedReadCapacityAutoScalingUpdate", SCALING_INDEX_READ, error);
}

static tide_err
read_request(struct update *update, struct tide_error *error)
{
	const struct json *body = &update->request->body,
			  *write = json_get(body, "ProvisionedWriteCapacityAutoScalingUpdate"),
			  *indexes = json_get(body, "GlobalSecondaryIndexUpdates"),
			  *replicas = json_get(body, "ReplicaUpdates");
	tide_err rc;

	if (write == NULL && replicas == NULL && indexes == NULL)
		return tide_fail(error, TIDE_VALIDATION,
		    FAILED " because at least one update parameter must be specified.", update->table->name);
	rc = add_step(update, BYTES_NONE, SCALING_TABLE_WRITE, write, error);
	if (rc == TIDE_OK)
		rc = add_indexes(update, body, "GlobalSecondaryIndexUpdates",
		    "ProvisionedWriteCapacityAutoScalingUpdate", SCALING_INDEX_WRITE, error);
	for (uint32_t i = 0; replicas != NULL && i < replicas->array.n && rc == TIDE_OK; i++)
		rc = add_replica(update, &replicas->array.at[i], error);
	return rc;
}

/* --- on the committer's thread --- */

static tide_err
apply(struct scaling_change *change, struct scaling_target *target, bool exists, bool *keep,
    struct tide_error *error)
{
	struct update *update = (struct update *)change;
	const struct json *settings = update->steps[update->at].settings,
			  *policy = json_get(settings, "ScalingPolicyUpdate");

	if (params_flag(settings, "AutoScalingDisabled", false)) {
		*keep = false;
		return TIDE_OK;
	}
	target->min = params_number(settings, "MinimumUnits", exists ? target->min : -1);
	target->max = params_number(settings, "MaximumUnits", exists ? target->max : -1);
	if (target->min < 1 || target->max < target->min)
		return tide_fail(error, TIDE_VALIDATION,
		    FAILED
		    ": MinimumUnits and MaximumUnits must be specified, the first not above the second",
		    update->table->name);
	if (!exists) {
		target->created_ms = table_now_ms(change->region);
		if ((target->id = scaling_id_new(change->arena)).at == NULL)
			return tide_fail(error, TIDE_NOMEM, NULL);
	}
	if (policy == NULL)
		return TIDE_OK;
	return scaling_policy_put(change, target, params_string(policy, "PolicyName"),
	    json_get(policy, "TargetTrackingScalingPolicyConfiguration"), error);
}

static void
next(struct update *update)
{
	struct step *step = &update->steps[update->at];

	update->change.resource = step->resource;
	update->change.dimension = step->dimension;
	scaling_change_submit(&update->change);
}

static void
done(struct scaling_change *change, const struct tide_error *error)
{
	struct update *update = (struct update *)change;
	const struct table *table = update->table;

	if (error->code == TIDE_OK && ++update->at < update->n) {
		next(update);
		return;
	}
	if (error->code == TIDE_OK)
		write_description(update->request, table);
	else
		request_fail(update->request, error, NULL);
	table_release(table);
}

void
op_update_replica_auto_scaling(struct request *request)
{
	static const struct param shape[] = {
	    {.name = "GlobalSecondaryIndexUpdates",
		.type = PARAM_LIST,
		.min = 1,
		.members = &index_write_element},
	    PARAM_TABLE,
	    PARAM_SETTINGS("ProvisionedWriteCapacityAutoScalingUpdate"),
	    {.name = "ReplicaUpdates", .type = PARAM_LIST, .min = 1, .members = &replica_element},
	    PARAMS_END,
	};
	const struct table *table = begin(request, shape);
	struct update *update;
	struct tide_error error;
	tide_err rc;

	if (table == NULL)
		return;
	if ((update = arena_calloc(&request->arena, sizeof *update)) == NULL) {
		table_release(table);
		ops_fail(request, TIDE_NOMEM, NULL);
		return;
	}
	update->request = request;
	update->table = table;
	update->change = (struct scaling_change){
	    .region = request->region, .arena = &request->arena, .apply = apply, .done = done};
	if ((rc = read_request(update, &error)) == TIDE_OK &&
	    (request->region->scaling == NULL || !region_may_write(request->region)))
		rc = tide_fail(&error, TIDE_UNAVAILABLE, NULL);
	if (rc == TIDE_OK && update->n > 0) {
		next(update);
		return;
	}
	if (rc == TIDE_OK)
		write_description(request, table);
	else
		request_fail(request, &error, NULL);
	table_release(table);
}
