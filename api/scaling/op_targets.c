/* RegisterScalableTarget, DeregisterScalableTarget, DescribeScalableTargets, and the tags of targets. */
#include <stdio.h>

#include "api/ops/table_settings.h"
#include "api/scaling/op_shared.h"

#define CAPACITY_MAX 2147483647

static const struct param suspended_shape[] = {
    {.name = "DynamicScalingInSuspended", .type = PARAM_BOOLEAN},
    {.name = "DynamicScalingOutSuspended", .type = PARAM_BOOLEAN},
    {.name = "ScheduledScalingSuspended", .type = PARAM_BOOLEAN},
    PARAMS_END,
};
static const struct param tag_value = {.name = "", .type = PARAM_STRING, .min = 0, .max = 256};

/* --- tags --- */

/* Put the members of a map of tags into the target, which has room for them. */
static tide_err
merge_tags(struct scaling_target *target, const struct json *tags, struct tide_error *error)
{
	for (uint32_t i = 0; tags != NULL && i < tags->object.n; i++) {
		const struct json_member *m = &tags->object.at[i];
		uint32_t at = 0;

		while (at < target->n_tags && !bytes_equal(target->tags[at].key, m->name))
			at++;
		if (at == target->n_tags && target->n_tags >= SCALING_TAGS_MAX)
			return tide_fail(
			    error, TIDE_SCALING_TAGS, "Too many tags: at most %d", SCALING_TAGS_MAX);
		if (at == target->n_tags)
			target->n_tags++;
		target->tags[at] = (struct scaling_tag){m->name, m->value.text};
	}
	return TIDE_OK;
}

static tide_err
check_tags(const struct json *tags, struct tide_error *error)
{
	for (uint32_t i = 0; tags != NULL && i < tags->object.n; i++) {
		const struct json_member *m = &tags->object.at[i];

		if (m->name.n < 1 || m->name.n > 128 * 4 || m->value.type != JSON_STRING)
			return tide_fail(error, TIDE_SCALING_VALIDATION, "Invalid tag key or value");
	}
	return TIDE_OK;
}

/* --- registering --- */

static tide_err
check_bounds(const struct scaling_target *target, struct tide_error *error)
{
	if (target->min < 1 || target->max < 1)
		return tide_fail(error, TIDE_SCALING_VALIDATION,
		    "Minimum and maximum capacity of a DynamoDB table or index must be at least 1");
	if (target->min > target->max)
		return tide_fail(
		    error, TIDE_SCALING_VALIDATION, "Maximum capacity cannot be less than minimum capacity");
	return TIDE_OK;
}

static tide_err
apply_register(struct scaling_change *change, struct scaling_target *target, bool exists, bool *keep,
    struct tide_error *error)
{
	struct request *request = change->arg;
	const struct json *body = &request->body, *suspended = json_get(body, "SuspendedState");
	bool has_min = json_get(body, "MinCapacity") != NULL, has_max = json_get(body, "MaxCapacity") != NULL;
	tide_err rc;

	(void)keep;
	if (!exists && !(has_min && has_max))
		return tide_fail(error, TIDE_SCALING_VALIDATION,
		    "Both MinCapacity and MaxCapacity must be specified when registering a new scalable "
		    "target");
	if (!exists && scaling_count(change->region->scaling) >= SCALING_TARGETS_MAX)
		return tide_fail(
		    error, TIDE_SCALING_LIMIT, "Too many scalable targets: at most %d", SCALING_TARGETS_MAX);
	if (!exists) {
		target->created_ms = table_now_ms(change->region);
		if ((target->id = scaling_id_new(change->arena)).at == NULL)
			return tide_fail(error, TIDE_NOMEM, NULL);
	}
	target->min = params_number(body, "MinCapacity", target->min);
	target->max = params_number(body, "MaxCapacity", target->max);
	target->in_suspended = params_flag(suspended, "DynamicScalingInSuspended", target->in_suspended);
	target->out_suspended = params_flag(suspended, "DynamicScalingOutSuspended", target->out_suspended);
	target->schedule_suspended =
	    params_flag(suspended, "ScheduledScalingSuspended", target->schedule_suspended);
	if ((rc = check_bounds(target, error)) != TIDE_OK ||
	    (rc = merge_tags(target, json_get(body, "Tags"), error)) != TIDE_OK)
		return rc;
	buf_append_string(&request->reply, "{\"ScalableTargetARN\":\"");
	scaling_write_arn(&request->reply, &change->region->config, target->id);
	buf_append_string(&request->reply, "\"}");
	return TIDE_OK;
}

/* The table or index must be there; whether it is provisioned matters only when it is acted on. */
static bool
is_there(struct request *request, const struct scaling_change *change)
{
	const struct table *table;
	struct bytes name, index;
	bool there;

	if (!scaling_resource_split(change->resource, &name, &index))
		name = index = BYTES_NONE;
	table = catalog_find(request->region->catalog, name);
	there = table != NULL && (index.n == 0 || table_index_find(table, index) != NULL);
	if (table == NULL)
		ops_fail(request, TIDE_SCALING_VALIDATION, "DynamoDB table does not exist: table/%.*s",
		    (int)name.n, (const char *)name.at);
	else if (!there)
		ops_fail(request, TIDE_SCALING_VALIDATION, "DynamoDB index does not exist: %.*s",
		    (int)change->resource.n, (const char *)change->resource.at);
	table_release(table);
	return there;
}

void
op_scaling_register(struct request *request)
{
	static const struct param shape[] = {
	    PARAM_SCALING_NAMESPACE,
	    PARAM_SCALING_RESOURCE(PARAM_REQUIRED),
	    PARAM_SCALING_DIMENSION(PARAM_REQUIRED),
	    {.name = "MinCapacity", .type = PARAM_INTEGER, .min = 0, .max = CAPACITY_MAX},
	    {.name = "MaxCapacity", .type = PARAM_INTEGER, .min = 0, .max = CAPACITY_MAX},
	    {.name = "RoleARN", .type = PARAM_STRING, .min = 1, .max = 1600},
	    {.name = "SuspendedState", .type = PARAM_STRUCT, .members = suspended_shape},
	    {.name = "Tags", .type = PARAM_MAP, .members = &tag_value},
	    PARAMS_END,
	};
	struct scaling_change *change;
	struct tide_error error;

	if (!ops_check(request, shape) || (change = scaling_change_of(request)) == NULL)
		return;
	if (check_tags(json_get(&request->body, "Tags"), &error) != TIDE_OK) {
		request_fail(request, &error, NULL);
		return;
	}
	if (!is_there(request, change))
		return;
	change->apply = apply_register;
	scaling_submit(request, change);
}

static tide_err
apply_deregister(struct scaling_change *change, struct scaling_target *target, bool exists, bool *keep,
    struct tide_error *error)
{
	(void)target;
	*keep = false;
	if (!exists)
		return scaling_no_target(change, error);
	buf_append_string(&((struct request *)change->arg)->reply, "{}");
	return TIDE_OK;
}

void
op_scaling_deregister(struct request *request)
{
	static const struct param shape[] = {
	    PARAM_SCALING_NAMESPACE,
	    PARAM_SCALING_RESOURCE(PARAM_REQUIRED),
	    PARAM_SCALING_DIMENSION(PARAM_REQUIRED),
	    PARAMS_END,
	};
	struct scaling_change *change;

	if (!ops_check(request, shape) || (change = scaling_change_of(request)) == NULL)
		return;
	change->apply = apply_deregister;
	scaling_submit(request, change);
}

/* --- describing --- */

static const char *
text_of(bool flag)
{
	return flag ? "true" : "false";
}

static void
write_target(struct buf *out, const struct config *config, const struct scaling_target *t)
{
	buf_append_format(
	    out, "{\"MinCapacity\":%lld,\"MaxCapacity\":%lld", (long long)t->min, (long long)t->max);
	scaling_write_name(out, t->resource, t->dimension);
	buf_append_string(out, ",\"RoleARN\":\"");
	scaling_write_role(out, config);
	buf_append_byte(out, '"');
	scaling_write_moment(out, "CreationTime", t->created_ms);
	buf_append_format(out,
	    ",\"SuspendedState\":{\"DynamicScalingInSuspended\":%s,\"DynamicScalingOutSuspended\":%s,"
	    "\"ScheduledScalingSuspended\":%s},\"ScalableTargetARN\":\"",
	    text_of(t->in_suspended), text_of(t->out_suspended), text_of(t->schedule_suspended));
	scaling_write_arn(out, config, t->id);
	buf_append_string(out, "\"}");
}

static bool
add_target(void *arg, const struct scaling_target *target)
{
	struct scaling_page *page = arg;
	char key[700];

	if (!scaling_page_wants(page, target->resource, target->dimension) ||
	    !scaling_page_names(page, target->resource))
		return true;
	snprintf(key, sizeof key, "%.*s#%s", (int)target->resource.n, (const char *)target->resource.at,
	    scaling_dimension_name(target->dimension));
	if (scaling_page_takes(page, key))
		write_target(&page->request->reply, &page->request->region->config, target);
	return !page->more;
}

void
op_scaling_targets(struct request *request)
{
	static const struct param name = {.name = "", .type = PARAM_STRING, .min = 1, .max = 1600};
	static const struct param shape[] = {
	    PARAM_SCALING_NAMESPACE,
	    {.name = "ResourceIds", .type = PARAM_LIST, .members = &name},
	    PARAM_SCALING_DIMENSION(0),
	    {.name = "MaxResults", .type = PARAM_INTEGER},
	    {.name = "NextToken", .type = PARAM_STRING},
	    PARAMS_END,
	};
	struct scaling_page page;

	if (!ops_check(request, shape) ||
	    !scaling_page_begin(&page, request, "ScalableTargets", "ResourceIds"))
		return;
	page.resource = BYTES_NONE;
	scaling_each(request->region->scaling, add_target, &page);
	scaling_page_end(&page);
}

/* --- tags by operations of their own --- */

/* Which target an ARN names. */
struct by_arn {
	struct bytes id;
	struct request *request;
	struct scaling_target found; /* resource and dimension, in the request's arena */
	bool is_found;
	bool writes; /* write its tags into the reply */
};

static bool
look_at(void *arg, const struct scaling_target *target)
{
	struct by_arn *by = arg;
	struct buf *reply = &by->request->reply;

	if (!bytes_equal(by->id, target->id))
		return true;
	by->is_found = true;
	by->found.dimension = target->dimension;
	by->found.resource = arena_copy(&by->request->arena, target->resource);
	for (uint32_t i = 0; by->writes && i < target->n_tags; i++) {
		if (i > 0)
			buf_append_byte(reply, ',');
		json_write_string(reply, target->tags[i].key);
		buf_append_byte(reply, ':');
		json_write_string(reply, target->tags[i].value);
	}
	return false;
}

static bool
find_by_arn(struct request *request, struct by_arn *by)
{
	struct bytes arn = params_string(&request->body, "ResourceARN");
	struct buf prefix = {0};

	scaling_write_arn(&prefix, &request->region->config, BYTES_NONE);
	if (buf_check(&prefix) == TIDE_OK && request->region->scaling != NULL && arn.n > prefix.n &&
	    memcmp(arn.at, prefix.at, prefix.n) == 0) {
		by->id = bytes_of(arn.at + prefix.n, arn.n - prefix.n);
		scaling_each(request->region->scaling, look_at, by);
	}
	buf_fini(&prefix);
	if (!by->is_found || by->found.resource.at == NULL) {
		buf_clear(&request->reply);
		ops_fail(request, TIDE_SCALING_RESOURCE, "Unable to find the ARN: %.*s",
		    (int)(arn.n > 1011 ? 1011 : arn.n), (const char *)arn.at);
		return false;
	}
	return true;
}

#define PARAM_SCALING_ARN                                                                                    \
	{                                                                                                    \
		.name = "ResourceARN", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .min = 1, .max = 1011  \
	}

void
op_scaling_tags(struct request *request)
{
	static const struct param shape[] = {PARAM_SCALING_ARN, PARAMS_END};
	struct by_arn by = {.request = request, .writes = true};

	if (!ops_check(request, shape))
		return;
	buf_append_string(&request->reply, "{\"Tags\":{");
	if (!find_by_arn(request, &by))
		return;
	buf_append_string(&request->reply, "}}");
	if (buf_check(&request->reply) == TIDE_OK)
		request_ok(request);
	else
		ops_fail(request, TIDE_NOMEM, NULL);
}

static tide_err
apply_tags(struct scaling_change *change, struct scaling_target *target, bool exists, bool *keep,
    struct tide_error *error)
{
	struct request *request = change->arg;
	const struct json *keys = json_get(&request->body, "TagKeys");
	uint32_t kept = 0;

	(void)keep;
	if (!exists)
		return tide_fail(error, TIDE_SCALING_RESOURCE, "Unable to find the scalable target");
	buf_append_string(&request->reply, "{}");
	if (keys == NULL)
		return merge_tags(target, json_get(&request->body, "Tags"), error);
	for (uint32_t i = 0; i < target->n_tags; i++) {
		bool goes = false;

		for (uint32_t k = 0; k < keys->array.n && !goes; k++)
			goes = bytes_equal(keys->array.at[k].text, target->tags[i].key);
		if (!goes)
			target->tags[kept++] = target->tags[i];
	}
	target->n_tags = kept;
	return TIDE_OK;
}

static void
change_tags(struct request *request)
{
	struct by_arn by = {.request = request};
	struct scaling_change *change;

	if (!find_by_arn(request, &by))
		return;
	if ((change = arena_calloc(&request->arena, sizeof *change)) == NULL) {
		ops_fail(request, TIDE_NOMEM, NULL);
		return;
	}
	change->region = request->region;
	change->arena = &request->arena;
	change->arg = request;
	change->resource = by.found.resource;
	change->dimension = by.found.dimension;
	change->apply = apply_tags;
	scaling_submit(request, change);
}

void
op_scaling_tag(struct request *request)
{
	static const struct param shape[] = {
	    PARAM_SCALING_ARN,
	    {.name = "Tags", .type = PARAM_MAP, .flags = PARAM_REQUIRED, .members = &tag_value},
	    PARAMS_END,
	};
	struct tide_error error;

	if (!ops_check(request, shape))
		return;
	if (check_tags(json_get(&request->body, "Tags"), &error) != TIDE_OK)
		request_fail(request, &error, NULL);
	else
		change_tags(request);
}

void
op_scaling_untag(struct request *request)
{
	static const struct param key = {.name = "", .type = PARAM_STRING, .min = 1, .max = 128};
	static const struct param shape[] = {
	    PARAM_SCALING_ARN,
	    {.name = "TagKeys", .type = PARAM_LIST, .flags = PARAM_REQUIRED, .members = &key},
	    PARAMS_END,
	};

	if (ops_check(request, shape))
		change_tags(request);
}
