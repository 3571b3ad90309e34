/* All scalable targets of a region, and changing one. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "api/scaling/scaling.h"
#include "base/log.h"
#include "store/catalog/regional.h"

#define KIND "scaling" /* of its records */
#define NAME_MAX_BYTES 640

struct entry {
	struct scaling_target target; /* its lists and texts are in the arena */
	struct arena arena;
};

struct scaling {
	pthread_mutex_t lock;
	struct entry **entries; /* by resource and dimension */
	uint32_t n, room;
	struct scaling_activity *activities; /* a ring: the next one goes to `next` */
	uint32_t n_activities, next;
	struct scaling_acting *acting;
};

static int
order(struct bytes resource, enum scaling_dimension dimension, const struct scaling_target *target)
{
	int by_name = bytes_compare(resource, target->resource);

	return by_name != 0 ? by_name : (int)dimension - (int)target->dimension;
}

/* Where it is, or would be. */
static uint32_t
place(const struct scaling *s, struct bytes resource, enum scaling_dimension dimension, bool *there)
{
	uint32_t low = 0, high = s->n;

	*there = false;
	while (low < high) {
		uint32_t mid = (low + high) / 2;
		int by = order(resource, dimension, &s->entries[mid]->target);

		if (by == 0) {
			*there = true;
			return mid;
		}
		if (by < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static void
entry_free(struct entry *entry)
{
	if (entry == NULL)
		return;
	arena_fini(&entry->arena);
	free(entry);
}

/* Take a record into memory, in place of what was there. */
static tide_err
take(struct scaling *s, struct bytes text)
{
	struct entry *entry = calloc(1, sizeof *entry), **grown;
	tide_err rc;
	uint32_t at;
	bool there;

	if (entry == NULL)
		return TIDE_NOMEM;
	if ((rc = scaling_target_read(&entry->arena, text, &entry->target)) != TIDE_OK) {
		entry_free(entry);
		return rc;
	}
	at = place(s, entry->target.resource, entry->target.dimension, &there);
	if (there) {
		entry_free(s->entries[at]);
		s->entries[at] = entry;
		return TIDE_OK;
	}
	if (s->n == s->room) {
		uint32_t room = s->room == 0 ? 16 : 2 * s->room;

		if ((grown = realloc(s->entries, room * sizeof *grown)) == NULL) {
			entry_free(entry);
			return TIDE_NOMEM;
		}
		s->entries = grown;
		s->room = room;
	}
	memmove(s->entries + at + 1, s->entries + at, (s->n - at) * sizeof *s->entries);
	s->entries[at] = entry;
	s->n++;
	return TIDE_OK;
}

static void
drop(struct scaling *s, struct bytes resource, enum scaling_dimension dimension)
{
	bool there;
	uint32_t at = place(s, resource, dimension, &there);

	if (!there)
		return;
	entry_free(s->entries[at]);
	memmove(s->entries + at, s->entries + at + 1, (s->n - at - 1) * sizeof *s->entries);
	s->n--;
}

static tide_err
take_record(void *arg, struct bytes name, struct bytes text)
{
	tide_err rc = take(arg, text);

	/* One that cannot be understood is not there, but the others are. */
	if (rc != TIDE_CORRUPT)
		return rc;
	log_warn(
	    "SCALING-RECORD", "name=\"%.*s\" reason=\"not understood\"", (int)name.n, (const char *)name.at);
	return TIDE_OK;
}

tide_err
scaling_open(struct region *region, struct scaling **out, struct tide_error *error)
{
	struct scaling *s = calloc(1, sizeof *s);
	tide_err rc;

	if (s == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	pthread_mutex_init(&s->lock, NULL);
	s->activities = calloc(SCALING_ACTIVITIES_MAX, sizeof *s->activities);
	s->acting = scaling_acting_new();
	rc = s->activities == NULL || s->acting == NULL ? TIDE_NOMEM
							: regional_each(region->shard, KIND, take_record, s);
	if (rc != TIDE_OK) {
		scaling_close(s);
		return tide_fail(error, rc, "cannot read the scalable targets: %s", tide_err_text(rc));
	}
	*out = s;
	return TIDE_OK;
}

void
scaling_close(struct scaling *s)
{
	if (s == NULL)
		return;
	for (uint32_t i = 0; i < s->n; i++)
		entry_free(s->entries[i]);
	free(s->entries);
	free(s->activities);
	scaling_acting_free(s->acting);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* --- looking --- */

void
scaling_each(struct scaling *s, bool (*each)(void *arg, const struct scaling_target *target), void *arg)
{
	pthread_mutex_lock(&s->lock);
	for (uint32_t i = 0; i < s->n; i++)
		if (!each(arg, &s->entries[i]->target))
			break;
	pthread_mutex_unlock(&s->lock);
}

tide_err
scaling_find(struct scaling *s, struct arena *arena, struct bytes resource, enum scaling_dimension dimension,
    struct scaling_target *out)
{
	struct buf text = {0};
	tide_err rc = TIDE_NOTFOUND;
	uint32_t at;
	bool there;

	pthread_mutex_lock(&s->lock);
	at = place(s, resource, dimension, &there);
	if (there)
		scaling_target_write(&text, &s->entries[at]->target);
	pthread_mutex_unlock(&s->lock);
	if (there && (rc = buf_check(&text)) == TIDE_OK)
		rc = scaling_target_read(arena, buf_bytes(&text), out);
	buf_fini(&text);
	return rc;
}

struct scaling_acting *
scaling_acting(struct scaling *s)
{
	return s->acting;
}

uint32_t
scaling_count(struct scaling *s)
{
	uint32_t n;

	pthread_mutex_lock(&s->lock);
	n = s->n;
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* --- activities --- */

void
scaling_activities_each(
    struct scaling *s, bool (*each)(void *arg, const struct scaling_activity *activity), void *arg)
{
	pthread_mutex_lock(&s->lock);
	for (uint32_t i = 1; i <= s->n_activities; i++)
		if (!each(
			arg, &s->activities[(s->next + SCALING_ACTIVITIES_MAX - i) % SCALING_ACTIVITIES_MAX]))
			break;
	pthread_mutex_unlock(&s->lock);
}

void
scaling_activity_add(struct scaling *s, const struct scaling_activity *activity)
{
	pthread_mutex_lock(&s->lock);
	s->activities[s->next] = *activity;
	s->next = (s->next + 1) % SCALING_ACTIVITIES_MAX;
	if (s->n_activities < SCALING_ACTIVITIES_MAX)
		s->n_activities++;
	pthread_mutex_unlock(&s->lock);
}

/* --- changing --- */

static bool
name_of(const struct scaling_change *change, char name[NAME_MAX_BYTES])
{
	int n = snprintf(name, NAME_MAX_BYTES, "%.*s#%s", (int)change->resource.n,
	    (const char *)change->resource.at, scaling_dimension_name(change->dimension));

	return n > 0 && n < NAME_MAX_BYTES;
}

static tide_err
run(struct group *group, struct scaling_change *change, struct tide_error *error)
{
	struct scaling_target target = {.resource = change->resource, .dimension = change->dimension};
	char name[NAME_MAX_BYTES];
	bool exists, keep = true;
	struct bytes text;
	tide_err rc;

	if (!name_of(change, name))
		return tide_fail(error, TIDE_INTERNAL, NULL);
	rc = regional_read(group, change->arena, KIND, name, &text);
	exists = rc == TIDE_OK;
	/* Without a record an empty one makes the lists' room. */
	if (rc == TIDE_NOTFOUND) {
		scaling_target_write(&change->text, &target);
		text = arena_copy(change->arena, buf_bytes(&change->text));
		rc = text.at == NULL || buf_check(&change->text) != TIDE_OK ? TIDE_NOMEM : TIDE_OK;
		buf_clear(&change->text);
	}
	if (rc != TIDE_OK || (rc = scaling_target_read(change->arena, text, &target)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if ((rc = change->apply(change, &target, exists, &keep, error)) != TIDE_OK)
		return rc;
	if (!keep) {
		rc = regional_delete(group, KIND, name);
	} else {
		scaling_target_write(&change->text, &target);
		if ((rc = buf_check(&change->text)) == TIDE_OK)
			rc = regional_write(group, KIND, name, buf_bytes(&change->text));
	}
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

/* On disk: into memory, as it is by now; a later change may have come in between. */
static void
settle(struct scaling_change *change)
{
	struct scaling *s = change->region->scaling;
	char name[NAME_MAX_BYTES];
	struct arena arena;
	struct bytes text;
	tide_err rc;

	arena_init(&arena, 0);
	pthread_mutex_lock(&s->lock);
	name_of(change, name);
	rc = regional_find(change->region->shard, &arena, KIND, name, &text);
	if (rc == TIDE_OK)
		rc = take(s, text);
	else if (rc == TIDE_NOTFOUND)
		drop(s, change->resource, change->dimension);
	pthread_mutex_unlock(&s->lock);
	arena_fini(&arena);
	if (rc != TIDE_OK && rc != TIDE_NOTFOUND)
		log_err("SCALING-STALE", "resource=\"%.*s\" reason=\"%s\"", (int)change->resource.n,
		    (const char *)change->resource.at, tide_err_text(rc));
}

static tide_err
submitted_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	return run(group, (struct scaling_change *)op, error);
}

static void
submitted_done(struct commit_op *op, const struct tide_error *error)
{
	struct scaling_change *change = (struct scaling_change *)op;

	if (error->code == TIDE_OK)
		settle(change);
	buf_fini(&change->text);
	change->done(change, error);
}

void
scaling_change_submit(struct scaling_change *change)
{
	struct tide_error error;
	tide_err rc;

	change->op.run = submitted_run;
	change->op.done = submitted_done;
	if ((rc = committer_submit(change->region->committer, &change->op)) == TIDE_OK)
		return;
	tide_fail(&error, rc, NULL);
	change->done(change, &error);
}

static tide_err
waiting_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	return run(group, ((struct commit_call *)op)->arg, error);
}

tide_err
scaling_change_wait(struct scaling_change *change, struct tide_error *error)
{
	tide_err rc = committer_call(change->region->committer, waiting_run, change, error);

	if (rc == TIDE_OK)
		settle(change);
	buf_fini(&change->text);
	return rc;
}

struct bytes
scaling_id_new(struct arena *arena)
{
	uint8_t random[16];
	struct timespec now;
	char *text;

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
		/* Ids must only differ. */
		clock_gettime(CLOCK_REALTIME, &now);
		memcpy(random, &now, sizeof random);
	}
	text = arena_format(arena, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
	    random[0], random[1], random[2], random[3], random[4], random[5], random[6] % 16 + 64, random[7],
	    random[8] % 64 + 128, random[9], random[10], random[11], random[12], random[13], random[14],
	    random[15]);
	return text == NULL ? BYTES_NONE : bytes_of_string(text);
}
