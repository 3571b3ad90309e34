/* What auto scaling does: once a minute it measures, and changes what its policies, bounds and schedules ask for. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "api/membership.h"
#include "api/meter.h"
#include "api/ops/table_update.h"
#include "api/ops/throughput.h"
#include "api/scaling/scaling.h"
#include "api/scaling/schedule.h"
#include "base/log.h"

#define MINUTE_MS 60000

/* What is measured of a target; gone with the process. */
struct watch {
	struct bytes resource; /* owned */
	enum scaling_dimension dimension;
	uint64_t consumed; /* half units, when it was last looked at */
	bool begun;
	struct scaling_minutes minutes;
	struct scaling_past past;
	bool there; /* seen in this minute */
	struct watch *next;
};

/* Of the maintenance thread. */
struct scaling_acting {
	struct watch *watches;
	uint64_t minute; /* the last one that was acted in */
	uint64_t wall_ms; /* when that was */
	bool begun;
};

#define MISSED_MINUTES_MAX 5 /* of schedules: a turn of maintenance may be late */

struct scaling_acting *
scaling_acting_new(void)
{
	return calloc(1, sizeof(struct scaling_acting));
}

static void
watch_free(struct watch *w)
{
	free((void *)(uintptr_t)w->resource.at);
	free(w);
}

void
scaling_acting_free(struct scaling_acting *acting)
{
	struct watch *next;

	for (struct watch *w = acting != NULL ? acting->watches : NULL; w != NULL; w = next) {
		next = w->next;
		watch_free(w);
	}
	free(acting);
}

/* --- the resource --- */

static bool
is_read(enum scaling_dimension dimension)
{
	return dimension == SCALING_TABLE_READ || dimension == SCALING_INDEX_READ;
}

bool
scaling_resource_split(struct bytes resource, struct bytes *table, struct bytes *index)
{
	static const char before[] = "table/", between[] = "/index/";
	const uint8_t *slash;

	*index = BYTES_NONE;
	if (resource.n <= sizeof before - 1 || memcmp(resource.at, before, sizeof before - 1) != 0)
		return false;
	*table = bytes_of(resource.at + sizeof before - 1, resource.n - (sizeof before - 1));
	if ((slash = memchr(table->at, '/', table->n)) == NULL)
		return true;
	*index = bytes_of(slash, table->n - (size_t)(slash - table->at));
	table->n = (size_t)(slash - table->at);
	if (index->n <= sizeof between - 1 || memcmp(index->at, between, sizeof between - 1) != 0)
		return false;
	*index = bytes_of(index->at + sizeof between - 1, index->n - (sizeof between - 1));
	return table->n > 0;
}

/* The table, with a reference, and the index in it (NULL: the table itself is meant). */
static tide_err
find(struct region *region, struct bytes resource, enum scaling_dimension dimension,
    const struct table **table, const struct table_index **index)
{
	bool of_index = dimension == SCALING_INDEX_READ || dimension == SCALING_INDEX_WRITE;
	struct bytes table_name, index_name;

	*index = NULL;
	if (!scaling_resource_split(resource, &table_name, &index_name) || of_index != (index_name.n != 0) ||
	    (*table = catalog_find(region->catalog, table_name)) == NULL)
		return TIDE_NOTFOUND;
	if (of_index) {
		*index = table_index_find(*table, index_name);
		if (*index == NULL || (*index)->local) {
			table_release(*table);
			return TIDE_NOTFOUND;
		}
	}
	return TIDE_OK;
}

tide_err
scaling_resource_now(
    struct region *region, struct bytes resource, enum scaling_dimension dimension, int64_t *units)
{
	const struct table *table;
	const struct table_index *index;
	tide_err rc = find(region, resource, dimension, &table, &index);

	if (rc != TIDE_OK)
		return rc;
	if (table->on_demand)
		rc = TIDE_NOTFOUND;
	else if (index != NULL)
		*units = (int64_t)(is_read(dimension) ? index->read_units : index->write_units);
	else
		*units = (int64_t)(is_read(dimension) ? table_read_units(table) : table->write_units);
	table_release(table);
	return rc;
}

/* --- changing capacity --- */

struct resize {
	struct region *region;
	uint64_t table;
	uint64_t index; /* 0: the table itself */
	bool read;
	uint64_t units;
	uint64_t now_ms;
};

static tide_err
resize_index(struct resize *resize, struct group *group, struct table *table, struct tide_error *error)
{
	struct table_index *index = NULL;
	struct throughput from, to;
	tide_err rc;

	for (uint32_t i = 0; i < table->n_indexes; i++)
		if (table->indexes[i].id == resize->index)
			index = &table->indexes[i];
	if (index == NULL || table->on_demand)
		return tide_fail(error, TIDE_RESOURCE_NOT_FOUND, NULL);
	from = to = (struct throughput){index->read_units, index->write_units};
	*(resize->read ? &to.read : &to.write) = resize->units;
	if ((rc = throughput_change(&index->changes, from, to, resize->now_ms, error)) != TIDE_OK)
		return rc;
	index->read_units = to.read;
	index->write_units = to.write;
	rc = catalog_write_index_capacity(group, table, index);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static tide_err
resize_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct resize *resize = ((struct commit_call *)op)->arg;
	const struct table *read;
	struct table *table;
	tide_err rc;

	if ((rc = catalog_read(resize->region->catalog, group, resize->table, &read)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	table = (struct table *)read; /* what catalog_read gives is this caller's alone */
	if (resize->index != 0) {
		rc = resize_index(resize, group, table, error);
	} else {
		struct table_update update = {.sets_units = true,
		    .read_units = resize->read ? resize->units : table_read_units(table),
		    .write_units = resize->read ? table->write_units : resize->units,
		    .now_ms = resize->now_ms};

		rc = table_update_apply(resize->region, group, table, &update, error);
	}
	table_release(read);
	return rc;
}

static void
set_units(struct region *region, const struct scaling_target *target, int64_t units, const char *cause,
    uint64_t now_ms)
{
	struct scaling_activity activity = {
	    .dimension = target->dimension, .begun_ms = now_ms, .ended_ms = now_ms};
	struct resize resize = {.region = region, .read = is_read(target->dimension), .now_ms = now_ms};
	const struct table_index *index;
	const struct table *table;
	struct tide_error error;
	struct arena arena;

	if (find(region, target->resource, target->dimension, &table, &index) != TIDE_OK)
		return;
	resize.table = table->id;
	resize.index = index != NULL ? index->id : 0;
	resize.units = (uint64_t)units;
	table_release(table);
	arena_init(&arena, 0);
	snprintf(activity.id, sizeof activity.id, "%s", (const char *)scaling_id_new(&arena).at);
	arena_fini(&arena);
	snprintf(activity.resource, sizeof activity.resource, "%.*s", (int)target->resource.n,
	    (const char *)target->resource.at);
	snprintf(activity.description, sizeof activity.description, "Setting %s capacity units to %lld.",
	    resize.read ? "read" : "write", (long long)units);
	snprintf(activity.cause, sizeof activity.cause, "%s", cause);
	if (committer_call(region->committer, resize_run, &resize, &error) == TIDE_OK) {
		membership_poke(region);
		snprintf(activity.message, sizeof activity.message,
		    "Successfully set %s capacity units to %lld. Change successfully fulfilled by dynamodb.",
		    resize.read ? "read" : "write", (long long)units);
		log_info("SCALING-SET", "resource=\"%s\" %s=%lld", activity.resource,
		    resize.read ? "read" : "write", (long long)units);
	} else {
		activity.failed = true;
		snprintf(activity.message, sizeof activity.message,
		    "Failed to set %s capacity units to %lld. Reason: %.400s", resize.read ? "read" : "write",
		    (long long)units, error.message);
		log_warn("SCALING-FAILED", "resource=\"%s\" why=\"%s\"", activity.resource, error.message);
	}
	scaling_activity_add(region->scaling, &activity);
}

/* --- measuring --- */

static struct watch *
watch_of(struct scaling_acting *acting, const struct scaling_target *target)
{
	struct watch *w = acting->watches;
	uint8_t *name;

	while (
	    w != NULL && (w->dimension != target->dimension || !bytes_equal(w->resource, target->resource)))
		w = w->next;
	if (w != NULL)
		return w;
	if ((w = calloc(1, sizeof *w)) == NULL || (name = malloc(target->resource.n)) == NULL) {
		free(w);
		return NULL;
	}
	memcpy(name, target->resource.at, target->resource.n);
	w->resource = bytes_of(name, target->resource.n);
	w->dimension = target->dimension;
	w->next = acting->watches;
	acting->watches = w;
	return w;
}

static void
watch_drop_others(struct scaling_acting *acting)
{
	struct watch **at = &acting->watches, *w;

	while ((w = *at) != NULL) {
		if (w->there) {
			w->there = false;
			at = &w->next;
			continue;
		}
		*at = w->next;
		watch_free(w);
	}
}

/* What was consumed since it was last looked at, a minute ago or several. */
static void
measure(struct region *region, struct watch *w, uint64_t minutes)
{
	const struct table_index *index;
	const struct table *table;
	struct meter_counts counts;
	uint64_t now;

	if (find(region, w->resource, w->dimension, &table, &index) != TIDE_OK)
		return;
	meter_counts(region->meter, table->id, index != NULL ? index->id : 0, &counts);
	table_release(table);
	now = counts.consumed[is_read(w->dimension) ? METER_READ : METER_WRITE];
	if (w->begun && now >= w->consumed)
		scaling_minutes_add(&w->minutes,
		    (double)(now - w->consumed) / 2 / (60 * (double)(minutes > 0 ? minutes : 1)));
	w->consumed = now;
	w->begun = true;
}

/* --- what is due --- */

struct due {
	const struct scaling_action *action;
	uint64_t now_ms;
};

/* Note that the action ran, and take its bounds. */
static tide_err
apply_action(struct scaling_change *change, struct scaling_target *target, bool exists, bool *keep,
    struct tide_error *error)
{
	const struct due *due = change->arg;

	*keep = exists;
	(void)error;
	for (uint32_t i = 0; i < target->n_actions; i++) {
		struct scaling_action *a = &target->actions[i];

		if (!bytes_equal(a->name, due->action->name))
			continue;
		a->ran_ms = due->now_ms;
		if (a->min >= 0)
			target->min = a->min;
		if (a->max >= 0)
			target->max = a->max;
		/* One bound alone moves the other along. */
		if (target->min > target->max)
			*(a->max >= 0 ? &target->min : &target->max) =
			    a->max >= 0 ? target->max : target->min;
	}
	return TIDE_OK;
}

static bool
is_due(const struct scaling_action *a, uint64_t last_ms, uint64_t now_ms)
{
	uint64_t since_ms = a->start_ms != 0 ? a->start_ms : a->created_ms, at = last_ms + MINUTE_MS;
	struct scaling_schedule schedule;

	if ((a->start_ms != 0 && now_ms < a->start_ms) || (a->end_ms != 0 && now_ms >= a->end_ms) ||
	    !scaling_schedule_parse(a->schedule, &schedule))
		return false;
	if (at + MISSED_MINUTES_MAX * MINUTE_MS < now_ms)
		at = now_ms;
	for (; at < now_ms; at += MINUTE_MS)
		if (at >= a->created_ms && scaling_schedule_due(&schedule, since_ms, a->ran_ms, at))
			return true;
	return scaling_schedule_due(&schedule, since_ms, a->ran_ms, now_ms);
}

static void
run_actions(struct region *region, struct arena *arena, struct scaling_target *target, uint64_t now_ms)
{
	uint64_t last_ms = scaling_acting(region->scaling)->wall_ms;

	for (uint32_t i = 0; i < target->n_actions && !target->schedule_suspended; i++) {
		struct due due = {&target->actions[i], now_ms};
		struct scaling_change change = {
		    .region = region,
		    .arena = arena,
		    .resource = target->resource,
		    .dimension = target->dimension,
		    .apply = apply_action,
		    .arg = &due,
		};
		struct tide_error error;
		bool keep;

		if (!is_due(due.action, last_ms, now_ms))
			continue;
		if (scaling_change_wait(&change, &error) == TIDE_OK)
			apply_action(&change, target, true, &keep, &error);
		else
			log_warn("SCALING-FAILED", "resource=\"%.*s\" why=\"%s\"", (int)target->resource.n,
			    (const char *)target->resource.at, error.message);
	}
}

static void
act_on(struct region *region, struct arena *arena, struct scaling_target *target, uint64_t minutes,
    uint64_t now_ms)
{
	struct watch *w = watch_of(scaling_acting(region->scaling), target);
	char cause[256];
	int64_t current, want;

	if (w == NULL)
		return;
	w->there = true;
	measure(region, w, minutes);
	run_actions(region, arena, target, now_ms);
	if (scaling_resource_now(region, target->resource, target->dimension, &current) != TIDE_OK)
		return;
	if (current < target->min || current > target->max) {
		want = current < target->min ? target->min : target->max;
		snprintf(cause, sizeof cause, "%s capacity was set to %lld",
		    current < target->min ? "minimum" : "maximum", (long long)want);
		if (want > current ? !target->out_suspended : !target->in_suspended)
			set_units(region, target, want, cause, now_ms);
		return;
	}
	for (uint32_t i = 0; i < target->n_policies; i++) {
		const struct scaling_policy *p = &target->policies[i];
		struct scaling_rule rule = {
		    .target = p->target,
		    .min = target->min,
		    .max = target->max,
		    .in_cooldown_s = p->in_cooldown,
		    .out_cooldown_s = p->out_cooldown,
		    .no_in = p->disable_in || target->in_suspended,
		    .no_out = target->out_suspended,
		};

		want = scaling_rule_decide(&rule, &w->minutes, &w->past, current, now_ms);
		if (want == current)
			continue;
		snprintf(cause, sizeof cause,
		    "policy %.*s triggered by what was consumed in the last %d minutes",
		    (int)(p->name.n > 160 ? 160 : p->name.n), (const char *)p->name.at,
		    want > current ? SCALING_MINUTES_OUT : SCALING_MINUTES_IN);
		*(want > current ? &w->past.out_ms : &w->past.in_ms) = now_ms;
		set_units(region, target, want, cause, now_ms);
		return;
	}
}

/* --- all of them --- */

struct names {
	struct arena *arena;
	struct scaling_target *at; /* resource and dimension only */
	uint32_t n, room;
};

static bool
take_name(void *arg, const struct scaling_target *target)
{
	struct names *names = arg;
	struct bytes resource;

	if (names->n == names->room)
		return false;
	resource = arena_copy(names->arena, target->resource);
	if (resource.at != NULL)
		names->at[names->n++] =
		    (struct scaling_target){.resource = resource, .dimension = target->dimension};
	return true;
}

static bool
table_is_there(void *arg, uint64_t id)
{
	const struct table *table = catalog_find_id(((struct region *)arg)->catalog, id);

	table_release(table);
	return table != NULL;
}

void
scaling_minute(struct region *region, uint64_t wall_ms, uint64_t minute)
{
	struct scaling_acting *acting = scaling_acting(region->scaling);
	uint64_t passed = acting->begun ? minute - acting->minute : 1;
	struct arena arena, each;
	struct names names = {.arena = &arena};
	struct scaling_target target;

	arena_init(&arena, 0);
	names.room = scaling_count(region->scaling);
	names.at = arena_calloc(&arena, (names.room + 1) * sizeof *names.at);
	if (names.at != NULL)
		scaling_each(region->scaling, take_name, &names);
	for (uint32_t i = 0; i < names.n; i++) {
		arena_init(&each, 0);
		if (scaling_find(region->scaling, &each, names.at[i].resource, names.at[i].dimension,
			&target) == TIDE_OK)
			act_on(region, &each, &target, passed, wall_ms);
		arena_fini(&each);
	}
	arena_fini(&arena);
	watch_drop_others(acting);
	meter_sweep(region->meter, table_is_there, region);
	acting->minute = minute;
	acting->wall_ms = wall_ms;
	acting->begun = true;
}

void
scaling_turn(struct region *region)
{
	struct scaling_acting *acting;
	struct timespec now;
	uint64_t minute;

	if (region->scaling == NULL)
		return;
	acting = scaling_acting(region->scaling);
	clock_gettime(CLOCK_MONOTONIC, &now);
	minute = (uint64_t)now.tv_sec / 60;
	if (acting->begun && minute == acting->minute)
		return;
	if (!region_may_write(region))
		return;
	scaling_minute(region, shard_wall_ms(region->shard), minute);
}
