/* PutScheduledAction, DeleteScheduledAction, DescribeScheduledActions. */
#include <stdio.h>
#include <stdlib.h>

#include "api/ops/table_settings.h"
#include "api/scaling/op_shared.h"
#include "api/scaling/schedule.h"

static const struct param capacity_shape[] = {
    {.name = "MinCapacity", .type = PARAM_INTEGER},
    {.name = "MaxCapacity", .type = PARAM_INTEGER},
    PARAMS_END,
};

/* A timestamp in seconds, with a fraction or without. */
static uint64_t
moment(const struct json *body, const char *name, uint64_t fallback)
{
	const struct json *v = json_get(body, name);
	char text[64];
	double seconds;

	if (v == NULL || v->text.n >= sizeof text)
		return fallback;
	memcpy(text, v->text.at, v->text.n);
	text[v->text.n] = '\0';
	seconds = strtod(text, NULL);
	return seconds <= 0 || seconds > 1e12 ? 0 : (uint64_t)(seconds * 1000);
}

static bool
is_utc(struct bytes timezone)
{
	static const char *const names[] = {
	    "UTC", "Etc/UTC", "Etc/GMT", "GMT", "Etc/UCT", "Zulu", "Etc/Zulu"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (bytes_is(timezone, names[i]))
			return true;
	return timezone.n == 0;
}

static tide_err
check(const struct json *body, struct tide_error *error)
{
	const struct json *capacity = json_get(body, "ScalableTargetAction");
	struct bytes schedule = params_string(body, "Schedule"), zone = params_string(body, "Timezone");
	uint64_t start = moment(body, "StartTime", 0), end = moment(body, "EndTime", 0);
	struct scaling_schedule parsed;
	int64_t min = params_number(capacity, "MinCapacity", -1),
		max = params_number(capacity, "MaxCapacity", -1);

	if (schedule.n != 0 && !scaling_schedule_parse(schedule, &parsed))
		return tide_fail(error, TIDE_SCALING_VALIDATION, "Invalid schedule expression: %.*s",
		    (int)(schedule.n > 256 ? 256 : schedule.n), (const char *)schedule.at);
	if (!is_utc(zone))
		return tide_fail(error, TIDE_SCALING_VALIDATION,
		    "Timezone %.*s is not supported by this version of Tidemark: schedules are in UTC",
		    (int)(zone.n > 64 ? 64 : zone.n), (const char *)zone.at);
	if (start != 0 && end != 0 && end <= start)
		return tide_fail(error, TIDE_SCALING_VALIDATION, "End time must be after start time");
	if (capacity != NULL && min < 0 && max < 0)
		return tide_fail(error, TIDE_SCALING_VALIDATION,
		    "At least one of MinCapacity and MaxCapacity must be specified");
	if (min == 0 || max == 0 || (min > 0 && max > 0 && min > max))
		return tide_fail(error, TIDE_SCALING_VALIDATION,
		    "Maximum capacity cannot be less than minimum capacity, nor either of them less than 1");
	return TIDE_OK;
}

static struct scaling_action *
find(struct scaling_target *target, struct bytes name)
{
	for (uint32_t i = 0; i < target->n_actions; i++)
		if (bytes_equal(target->actions[i].name, name))
			return &target->actions[i];
	return NULL;
}

/* What is said replaces what was there; without a start or an end there is none, as in AWS. */
static void
fill(struct scaling_action *action, const struct json *body)
{
	const struct json *capacity = json_get(body, "ScalableTargetAction");

	if (json_get(body, "Schedule") != NULL) {
		action->schedule = params_string(body, "Schedule");
		action->ran_ms = 0;
	}
	action->timezone = params_string(body, "Timezone");
	action->start_ms = moment(body, "StartTime", 0);
	action->end_ms = moment(body, "EndTime", 0);
	if (capacity != NULL) {
		action->min = params_number(capacity, "MinCapacity", -1);
		action->max = params_number(capacity, "MaxCapacity", -1);
	}
}

static tide_err
apply_put(struct scaling_change *change, struct scaling_target *target, bool exists, bool *keep,
    struct tide_error *error)
{
	struct request *request = change->arg;
	const struct json *body = &request->body;
	struct bytes name = params_string(body, "ScheduledActionName");
	struct scaling_action *action;

	(void)keep;
	if (!exists)
		return scaling_no_target(change, error);
	if ((action = find(target, name)) == NULL) {
		if (target->n_actions >= SCALING_ACTIONS_MAX)
			return tide_fail(error, TIDE_SCALING_LIMIT,
			    "Too many scheduled actions for this scalable target: at most %d",
			    SCALING_ACTIONS_MAX);
		if (json_get(body, "Schedule") == NULL || json_get(body, "ScalableTargetAction") == NULL)
			return tide_fail(error, TIDE_SCALING_VALIDATION,
			    "Schedule and ScalableTargetAction must be specified for a new scheduled action");
		action = &target->actions[target->n_actions++];
		*action = (struct scaling_action){.name = name,
		    .id = scaling_id_new(change->arena),
		    .created_ms = table_now_ms(change->region),
		    .min = -1,
		    .max = -1};
		if (action->id.at == NULL)
			return tide_fail(error, TIDE_NOMEM, NULL);
	}
	fill(action, body);
	buf_append_string(&request->reply, "{}");
	return TIDE_OK;
}

void
op_scaling_put_action(struct request *request)
{
	static const struct param shape[] = {
	    PARAM_SCALING_NAMESPACE,
	    {.name = "Schedule", .type = PARAM_STRING, .min = 1, .max = 1600},
	    {.name = "Timezone", .type = PARAM_STRING, .min = 1, .max = 1600},
	    {.name = "ScheduledActionName",
		.type = PARAM_STRING,
		.flags = PARAM_REQUIRED,
		.min = 1,
		.max = 256},
	    PARAM_SCALING_RESOURCE(PARAM_REQUIRED),
	    PARAM_SCALING_DIMENSION(PARAM_REQUIRED),
	    {.name = "StartTime", .type = PARAM_LONG},
	    {.name = "EndTime", .type = PARAM_LONG},
	    {.name = "ScalableTargetAction", .type = PARAM_STRUCT, .members = capacity_shape},
	    PARAMS_END,
	};
	struct scaling_change *change;
	struct tide_error error;

	if (!ops_check(request, shape) || (change = scaling_change_of(request)) == NULL)
		return;
	if (check(&request->body, &error) != TIDE_OK) {
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
	struct bytes name = params_string(&request->body, "ScheduledActionName");
	struct scaling_action *action = find(target, name);

	*keep = exists;
	if (action == NULL)
		return tide_fail(error, TIDE_SCALING_NOT_FOUND,
		    "No scheduled action found for service namespace: dynamodb, resource ID: %.*s, scalable "
		    "dimension: %s, scheduled action name: %.*s",
		    (int)change->resource.n, (const char *)change->resource.at,
		    scaling_dimension_name(change->dimension), (int)(name.n > 256 ? 256 : name.n),
		    (const char *)name.at);
	memmove(action, action + 1,
	    (target->n_actions - (uint32_t)(action - target->actions) - 1) * sizeof *action);
	target->n_actions--;
	buf_append_string(&request->reply, "{}");
	return TIDE_OK;
}

void
op_scaling_delete_action(struct request *request)
{
	static const struct param shape[] = {
	    PARAM_SCALING_NAMESPACE,
	    {.name = "ScheduledActionName",
		.type = PARAM_STRING,
		.flags = PARAM_REQUIRED,
		.min = 1,
		.max = 1600},
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
write_action(struct buf *out, const struct config *config, const struct scaling_target *t,
    const struct scaling_action *a)
{
	struct buf arn = {0};

	buf_append_format(&arn,
	    "arn:aws:autoscaling:%s:%s:scheduledAction:%.*s:resource/dynamodb/%.*s:scheduledActionName/",
	    config->region, config->account, (int)a->id.n, (const char *)a->id.at, (int)t->resource.n,
	    (const char *)t->resource.at);
	buf_append(&arn, a->name.at, a->name.n);
	buf_append_string(out, "{\"ScheduledActionName\":");
	json_write_string(out, a->name);
	buf_append_string(out, ",\"ScheduledActionARN\":");
	json_write_string(out, buf_bytes(&arn));
	scaling_write_name(out, t->resource, t->dimension);
	buf_append_string(out, ",\"Schedule\":");
	json_write_string(out, a->schedule);
	if (a->timezone.n != 0) {
		buf_append_string(out, ",\"Timezone\":");
		json_write_string(out, a->timezone);
	}
	if (a->start_ms != 0)
		scaling_write_moment(out, "StartTime", a->start_ms);
	if (a->end_ms != 0)
		scaling_write_moment(out, "EndTime", a->end_ms);
	buf_append_string(out, ",\"ScalableTargetAction\":{");
	if (a->min >= 0)
		buf_append_format(out, "\"MinCapacity\":%lld%s", (long long)a->min, a->max >= 0 ? "," : "");
	if (a->max >= 0)
		buf_append_format(out, "\"MaxCapacity\":%lld", (long long)a->max);
	buf_append_byte(out, '}');
	scaling_write_moment(out, "CreationTime", a->created_ms);
	buf_append_byte(out, '}');
	buf_fini(&arn);
}

static bool
add_actions(void *arg, const struct scaling_target *target)
{
	struct scaling_page *page = arg;

	if (!scaling_page_wants(page, target->resource, target->dimension))
		return true;
	for (uint32_t i = 0; i < target->n_actions && !page->more; i++) {
		const struct scaling_action *a = &target->actions[i];

		if (scaling_page_takes_of(page, target, a->name))
			write_action(&page->request->reply, &page->request->region->config, target, a);
	}
	return !page->more;
}

void
op_scaling_actions(struct request *request)
{
	static const struct param name = {.name = "", .type = PARAM_STRING, .min = 1, .max = 1600};
	static const struct param shape[] = {
	    {.name = "ScheduledActionNames", .type = PARAM_LIST, .members = &name},
	    PARAM_SCALING_NAMESPACE,
	    PARAM_SCALING_RESOURCE(0),
	    PARAM_SCALING_DIMENSION(0),
	    {.name = "MaxResults", .type = PARAM_INTEGER},
	    {.name = "NextToken", .type = PARAM_STRING},
	    PARAMS_END,
	};
	struct scaling_page page;

	if (!ops_check(request, shape) ||
	    !scaling_page_begin(&page, request, "ScheduledActions", "ScheduledActionNames"))
		return;
	scaling_each(request->region->scaling, add_actions, &page);
	scaling_page_end(&page);
}

void
op_scaling_not_supported(struct request *request)
{
	ops_fail(request, TIDE_SCALING_VALIDATION, "%s is not supported by this version of Tidemark",
	    strrchr(request->operation->name, '.') + 1);
}
