/* PutScalingPolicy, DeleteScalingPolicy, DescribeScalingPolicies, DescribeScalingActivities. */
#include <stdio.h>
#include <stdlib.h>

#include "api/ops/table_settings.h"
#include "api/scaling/op_shared.h"

#define TARGET_MIN 20 /* percent, of DynamoDB's metrics */
#define TARGET_MAX 90

static const char *const policy_types[] = {"TargetTrackingScaling", "PredictiveScaling", "StepScaling", NULL};
static const struct param predefined_shape[] = {
    {.name = "PredefinedMetricType", .type = PARAM_STRING, .flags = PARAM_REQUIRED},
    {.name = "ResourceLabel", .type = PARAM_STRING, .min = 1, .max = 1023},
    PARAMS_END,
};
static const struct param tracking_shape[] = {
    {.name = "TargetValue", .type = PARAM_LONG, .flags = PARAM_REQUIRED},
    {.name = "PredefinedMetricSpecification", .type = PARAM_STRUCT, .members = predefined_shape},
    {.name = "CustomizedMetricSpecification", .flags = PARAM_REFUSED},
    {.name = "ScaleOutCooldown", .type = PARAM_INTEGER},
    {.name = "ScaleInCooldown", .type = PARAM_INTEGER},
    {.name = "DisableScaleIn", .type = PARAM_BOOLEAN},
    PARAMS_END,
};

static const char *
metric_of(enum scaling_dimension dimension)
{
	return dimension == SCALING_TABLE_READ || dimension == SCALING_INDEX_READ
		   ? "DynamoDBReadCapacityUtilization"
		   : "DynamoDBWriteCapacityUtilization";
}

static double
real(const struct json *object, const char *name)
{
	const struct json *v = json_get(object, name);
	char text[64];

	if (v == NULL || v->text.n >= sizeof text)
		return 0;
	memcpy(text, v->text.at, v->text.n);
	text[v->text.n] = '\0';
	return strtod(text, NULL);
}

static void
write_policy_arn(
    struct buf *out, const struct config *config, struct bytes resource, struct bytes id, struct bytes name)
{
	buf_append_format(out,
	    "arn:aws:autoscaling:%s:%s:scalingPolicy:%.*s:resource/dynamodb/%.*s:policyName/", config->region,
	    config->account, (int)id.n, (const char *)id.at, (int)resource.n, (const char *)resource.at);
	buf_append(out, name.at, name.n);
}

bool
scaling_tracking_is_sound(const struct json *tracking)
{
	double target = real(tracking, "TargetValue");

	return target >= TARGET_MIN && target <= TARGET_MAX &&
	       params_number(tracking, "ScaleInCooldown", 0) >= 0 &&
	       params_number(tracking, "ScaleOutCooldown", 0) >= 0;
}

/* What a target's metric may be, and which values make sense. */
static tide_err
check_tracking(enum scaling_dimension dimension, const struct json *tracking, struct tide_error *error)
{
	const struct json *predefined = json_get(tracking, "PredefinedMetricSpecification");

	if (predefined == NULL)
		return tide_fail(error, TIDE_SCALING_VALIDATION,
		    "Exactly one of CustomizedMetricSpecification and PredefinedMetricSpecification must be "
		    "specified.");
	if (!bytes_is(params_string(predefined, "PredefinedMetricType"), metric_of(dimension)))
		return tide_fail(error, TIDE_SCALING_VALIDATION,
		    "The scalable dimension %s does not support the specified predefined metric type.",
		    scaling_dimension_name(dimension));
	if (!scaling_tracking_is_sound(tracking))
		return tide_fail(error, TIDE_SCALING_VALIDATION,
		    "Target value must be between %d and %d for predefined metric type %s, and cooldowns "
		    "must "
		    "not be negative",
		    TARGET_MIN, TARGET_MAX, metric_of(dimension));
	return TIDE_OK;
}

/* The policy of that name, or room for it; NULL with `error`: another policy has the metric already. */
static struct scaling_policy *
place_of(
    struct scaling_change *change, struct scaling_target *target, struct bytes name, struct tide_error *error)
{
	char *own;

	if (name.n == 0 && target->n_policies > 0)
		return &target->policies[0];
	for (uint32_t i = 0; i < target->n_policies; i++)
		if (bytes_equal(target->policies[i].name, name))
			return &target->policies[i];
	if (target->n_policies > 0) {
		tide_fail(error, TIDE_SCALING_VALIDATION,
		    "Only one TargetTrackingScaling policy for a given metric specification is allowed.");
		return NULL;
	}
	if (name.n == 0) {
		own = arena_format(change->arena, "%s:%.*s", metric_of(target->dimension),
		    (int)(target->resource.n > 200 ? 200 : target->resource.n),
		    (const char *)target->resource.at);
		if (own == NULL) {
			tide_fail(error, TIDE_NOMEM, NULL);
			return NULL;
		}
		name = bytes_of_string(own);
	}
	target->policies[target->n_policies] = (struct scaling_policy){.name = name};
	return &target->policies[target->n_policies++];
}

static tide_err
put(struct scaling_change *change, struct scaling_target *target, struct bytes name,
    const struct json *tracking, struct scaling_policy **out, struct tide_error *error)
{
	struct scaling_policy *policy = place_of(change, target, name, error);

	if (policy == NULL)
		return error->code;
	/* One that is there keeps what is not said. */
	if (tracking != NULL) {
		policy->target = real(tracking, "TargetValue");
		policy->in_cooldown = params_number(tracking, "ScaleInCooldown", -1);
		policy->out_cooldown = params_number(tracking, "ScaleOutCooldown", -1);
		policy->says_disable_in = json_get(tracking, "DisableScaleIn") != NULL;
		policy->disable_in = params_flag(tracking, "DisableScaleIn", false);
	} else if (policy->id.n == 0) {
		return tide_fail(error, TIDE_SCALING_VALIDATION,
		    "TargetTrackingScalingPolicyConfiguration must be specified.");
	}
	if (policy->id.n == 0) {
		policy->created_ms = table_now_ms(change->region);
		if ((policy->id = scaling_id_new(change->arena)).at == NULL)
			return tide_fail(error, TIDE_NOMEM, NULL);
	}
	*out = policy;
	return TIDE_OK;
}

tide_err
scaling_policy_put(struct scaling_change *change, struct scaling_target *target, struct bytes name,
    const struct json *tracking, struct tide_error *error)
{
	struct scaling_policy *policy;

	return put(change, target, name, tracking, &policy, error);
}

static tide_err
apply_put(struct scaling_change *change, struct scaling_target *target, bool exists, bool *keep,
    struct tide_error *error)
{
	struct request *request = change->arg;
	const struct json *tracking = json_get(&request->body, "TargetTrackingScalingPolicyConfiguration");
	struct buf *reply = &request->reply, arn = {0};
	struct scaling_policy *policy = NULL;
	tide_err rc;

	(void)keep;
	if (!exists)
		return scaling_no_target(change, error);
	rc = put(change, target, params_string(&request->body, "PolicyName"), tracking, &policy, error);
	if (rc != TIDE_OK)
		return rc;
	write_policy_arn(&arn, &change->region->config, target->resource, policy->id, policy->name);
	rc = buf_check(&arn);
	buf_append_string(reply, "{\"PolicyARN\":");
	json_write_string(reply, buf_bytes(&arn));
	buf_append_string(reply, ",\"Alarms\":[]}");
	buf_fini(&arn);
	return rc == TIDE_OK && buf_check(reply) == TIDE_OK ? TIDE_OK : tide_fail(error, TIDE_NOMEM, NULL);
}

void
op_scaling_put_policy(struct request *request)
{
	static const struct param shape[] = {
	    {.name = "PolicyName", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .min = 1, .max = 256},
	    PARAM_SCALING_NAMESPACE,
	    PARAM_SCALING_RESOURCE(PARAM_REQUIRED),
	    PARAM_SCALING_DIMENSION(PARAM_REQUIRED),
	    {.name = "PolicyType", .type = PARAM_STRING, .values = policy_types},
	    {.name = "StepScalingPolicyConfiguration", .flags = PARAM_REFUSED},
	    {.name = "PredictiveScalingPolicyConfiguration", .flags = PARAM_REFUSED},
	    {.name = "TargetTrackingScalingPolicyConfiguration",
		.type = PARAM_STRUCT,
		.members = tracking_shape},
	    PARAMS_END,
	};
	const struct json *tracking;
	struct scaling_change *change;
	struct tide_error error;
	struct bytes type;

	if (!ops_check(request, shape) || (change = scaling_change_of(request)) == NULL)
		return;
	type = params_string(&request->body, "PolicyType");
	if (type.n != 0 && !bytes_is(type, "TargetTrackingScaling")) {
		ops_fail(request, TIDE_SCALING_VALIDATION,
		    "Policy type %.*s is not supported for service namespace dynamodb", (int)type.n,
		    (const char *)type.at);
		return;
	}
	tracking = json_get(&request->body, "TargetTrackingScalingPolicyConfiguration");
	if (tracking != NULL && check_tracking(change->dimension, tracking, &error) != TIDE_OK) {
		request_fail(request, &error, NULL);
		return;
	}
	change->apply = apply_put;
	scaling_submit(request, change);
}

static tide_err
apply_delete(struct scaling_change *change, struct scaling_target *target, bool exists, bool *keep,
    struct tide_error *error)
{
	struct request *request = change->arg;
	struct bytes name = params_string(&request->body, "PolicyName");

	*keep = exists;
	for (uint32_t i = 0; i < target->n_policies; i++) {
		if (!bytes_equal(target->policies[i].name, name))
			continue;
		memmove(&target->policies[i], &target->policies[i + 1],
		    (target->n_policies - i - 1) * sizeof *target->policies);
		target->n_policies--;
		buf_append_string(&request->reply, "{}");
		return TIDE_OK;
	}
	return tide_fail(error, TIDE_SCALING_NOT_FOUND,
	    "No scaling policy found for service namespace: dynamodb, resource ID: %.*s, scalable dimension: "
	    "%s, policy name: %.*s",
	    (int)change->resource.n, (const char *)change->resource.at,
	    scaling_dimension_name(change->dimension), (int)(name.n > 256 ? 256 : name.n),
	    (const char *)name.at);
}

void
op_scaling_delete_policy(struct request *request)
{
	static const struct param shape[] = {
	    {.name = "PolicyName", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .min = 1, .max = 1600},
	    PARAM_SCALING_NAMESPACE,
	    PARAM_SCALING_RESOURCE(PARAM_REQUIRED),
	    PARAM_SCALING_DIMENSION(PARAM_REQUIRED),
	    PARAMS_END,
	};
	struct scaling_change *change;

	if (!ops_check(request, shape) || (change = scaling_change_of(request)) == NULL)
		return;
	change->apply = apply_delete;
	scaling_submit(request, change);
}

/* --- describing --- */

static void
write_policy(struct buf *out, const struct config *config, const struct scaling_target *t,
    const struct scaling_policy *p)
{
	struct buf arn = {0};

	write_policy_arn(&arn, config, t->resource, p->id, p->name);
	buf_append_string(out, "{\"PolicyARN\":");
	json_write_string(out, buf_bytes(&arn));
	buf_append_string(out, ",\"PolicyName\":");
	json_write_string(out, p->name);
	scaling_write_name(out, t->resource, t->dimension);
	buf_append_format(out,
	    ",\"PolicyType\":\"TargetTrackingScaling\",\"TargetTrackingScalingPolicyConfiguration\":{"
	    "\"PredefinedMetricSpecification\":{\"PredefinedMetricType\":\"%s\"},\"TargetValue\":%.15g",
	    metric_of(t->dimension), p->target);
	if (p->out_cooldown >= 0)
		buf_append_format(out, ",\"ScaleOutCooldown\":%lld", (long long)p->out_cooldown);
	if (p->in_cooldown >= 0)
		buf_append_format(out, ",\"ScaleInCooldown\":%lld", (long long)p->in_cooldown);
	if (p->says_disable_in)
		buf_append_format(out, ",\"DisableScaleIn\":%s", p->disable_in ? "true" : "false");
	buf_append_string(out, "},\"Alarms\":[]");
	scaling_write_moment(out, "CreationTime", p->created_ms);
	buf_append_byte(out, '}');
	buf_fini(&arn);
}

static bool
add_policies(void *arg, const struct scaling_target *target)
{
	struct scaling_page *page = arg;

	if (!scaling_page_wants(page, target->resource, target->dimension))
		return true;
	for (uint32_t i = 0; i < target->n_policies && !page->more; i++) {
		const struct scaling_policy *p = &target->policies[i];

		if (scaling_page_takes_of(page, target, p->name))
			write_policy(&page->request->reply, &page->request->region->config, target, p);
	}
	return !page->more;
}

void
op_scaling_policies(struct request *request)
{
	static const struct param name = {.name = "", .type = PARAM_STRING, .min = 1, .max = 1600};
	static const struct param shape[] = {
	    {.name = "PolicyNames", .type = PARAM_LIST, .members = &name},
	    PARAM_SCALING_NAMESPACE,
	    PARAM_SCALING_RESOURCE(0),
	    PARAM_SCALING_DIMENSION(0),
	    {.name = "MaxResults", .type = PARAM_INTEGER},
	    {.name = "NextToken", .type = PARAM_STRING},
	    PARAMS_END,
	};
	struct scaling_page page;

	if (!ops_check(request, shape) ||
	    !scaling_page_begin(&page, request, "ScalingPolicies", "PolicyNames"))
		return;
	scaling_each(request->region->scaling, add_policies, &page);
	scaling_page_end(&page);
}

static bool
add_activity(void *arg, const struct scaling_activity *a)
{
	struct scaling_page *page = arg;
	struct buf *out = &page->request->reply;

	if (!scaling_page_wants(page, bytes_of_string(a->resource), a->dimension))
		return true;
	if (scaling_page_takes(page, a->id)) {
		buf_append_format(out, "{\"ActivityId\":\"%s\"", a->id);
		scaling_write_name(out, bytes_of_string(a->resource), a->dimension);
		buf_append_format(out, ",\"Description\":\"%s\",\"Cause\":", a->description);
		json_write_string(out, bytes_of_string(a->cause));
		scaling_write_moment(out, "StartTime", a->begun_ms);
		scaling_write_moment(out, "EndTime", a->ended_ms);
		buf_append_format(
		    out, ",\"StatusCode\":\"%s\",\"StatusMessage\":", a->failed ? "Failed" : "Successful");
		json_write_string(out, bytes_of_string(a->message));
		buf_append_byte(out, '}');
	}
	return !page->more;
}

void
op_scaling_activities(struct request *request)
{
	static const struct param shape[] = {
	    PARAM_SCALING_NAMESPACE,
	    PARAM_SCALING_RESOURCE(0),
	    PARAM_SCALING_DIMENSION(0),
	    {.name = "MaxResults", .type = PARAM_INTEGER},
	    {.name = "NextToken", .type = PARAM_STRING},
	    {.name = "IncludeNotScaledActivities", .type = PARAM_BOOLEAN},
	    PARAMS_END,
	};
	struct scaling_page page;

	if (!ops_check(request, shape) || !scaling_page_begin(&page, request, "ScalingActivities", ""))
		return;
	scaling_activities_each(request->region->scaling, add_activity, &page);
	scaling_page_end(&page);
}
