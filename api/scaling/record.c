/* A scalable target as a JSON text: what is kept on disk. */
#include <stdlib.h>

#include "api/scaling/scaling.h"

static const char *const dimensions[] = {
    [SCALING_TABLE_READ] = "dynamodb:table:ReadCapacityUnits",
    [SCALING_TABLE_WRITE] = "dynamodb:table:WriteCapacityUnits",
    [SCALING_INDEX_READ] = "dynamodb:index:ReadCapacityUnits",
    [SCALING_INDEX_WRITE] = "dynamodb:index:WriteCapacityUnits",
};

const char *
scaling_dimension_name(enum scaling_dimension dimension)
{
	return dimensions[dimension];
}

bool
scaling_dimension_parse(struct bytes name, enum scaling_dimension *out)
{
	for (int i = SCALING_TABLE_READ; i <= SCALING_INDEX_WRITE; i++) {
		if (!bytes_is(name, dimensions[i]))
			continue;
		*out = (enum scaling_dimension)i;
		return true;
	}
	return false;
}

/* --- writing --- */

static void
put_name(struct buf *out, const char *name)
{
	uint8_t last = out->n > 0 ? out->at[out->n - 1] : '{';

	if (last != '{' && last != '[')
		buf_append_byte(out, ',');
	buf_append_format(out, "\"%s\":", name);
}

static void
put_text(struct buf *out, const char *name, struct bytes text)
{
	put_name(out, name);
	json_write_string(out, text);
}

static void
put_number(struct buf *out, const char *name, int64_t n)
{
	put_name(out, name);
	buf_append_format(out, "%lld", (long long)n);
}

static void
put_flag(struct buf *out, const char *name, bool flag)
{
	put_name(out, name);
	buf_append_string(out, flag ? "true" : "false");
}

static void
put_policy(struct buf *out, const struct scaling_policy *p)
{
	buf_append_byte(out, '{');
	put_text(out, "name", p->name);
	put_text(out, "id", p->id);
	put_name(out, "target");
	buf_append_format(out, "%.17g", p->target);
	put_number(out, "in_cooldown", p->in_cooldown);
	put_number(out, "out_cooldown", p->out_cooldown);
	put_flag(out, "disable_in", p->disable_in);
	put_flag(out, "says_disable_in", p->says_disable_in);
	put_number(out, "created", (int64_t)p->created_ms);
	buf_append_byte(out, '}');
}

static void
put_action(struct buf *out, const struct scaling_action *a)
{
	buf_append_byte(out, '{');
	put_text(out, "name", a->name);
	put_text(out, "id", a->id);
	put_text(out, "schedule", a->schedule);
	put_text(out, "timezone", a->timezone);
	put_number(out, "start", (int64_t)a->start_ms);
	put_number(out, "end", (int64_t)a->end_ms);
	put_number(out, "min", a->min);
	put_number(out, "max", a->max);
	put_number(out, "created", (int64_t)a->created_ms);
	put_number(out, "ran", (int64_t)a->ran_ms);
	buf_append_byte(out, '}');
}

void
scaling_target_write(struct buf *out, const struct scaling_target *t)
{
	buf_append_byte(out, '{');
	put_text(out, "resource", t->resource);
	put_text(out, "dimension", bytes_of_string(dimensions[t->dimension]));
	put_text(out, "id", t->id);
	put_number(out, "min", t->min);
	put_number(out, "max", t->max);
	put_flag(out, "in_suspended", t->in_suspended);
	put_flag(out, "out_suspended", t->out_suspended);
	put_flag(out, "schedule_suspended", t->schedule_suspended);
	put_number(out, "created", (int64_t)t->created_ms);
	put_name(out, "policies");
	for (uint32_t i = 0; i < t->n_policies; i++) {
		buf_append_byte(out, i == 0 ? '[' : ',');
		put_policy(out, &t->policies[i]);
	}
	buf_append_string(out, t->n_policies == 0 ? "[]" : "]");
	put_name(out, "actions");
	for (uint32_t i = 0; i < t->n_actions; i++) {
		buf_append_byte(out, i == 0 ? '[' : ',');
		put_action(out, &t->actions[i]);
	}
	buf_append_string(out, t->n_actions == 0 ? "[]" : "]");
	put_name(out, "tags");
	buf_append_byte(out, '[');
	for (uint32_t i = 0; i < t->n_tags; i++) {
		buf_append_string(out, i == 0 ? "{" : ",{");
		put_text(out, "key", t->tags[i].key);
		put_text(out, "value", t->tags[i].value);
		buf_append_byte(out, '}');
	}
	buf_append_string(out, "]}");
}

/* --- reading --- */

static double
real_of(const struct json *object, const char *name)
{
	const struct json *v = json_get(object, name);
	char text[64];

	if (v == NULL || v->type != JSON_NUMBER || v->text.n >= sizeof text)
		return 0;
	memcpy(text, v->text.at, v->text.n);
	text[v->text.n] = '\0';
	return strtod(text, NULL);
}

static struct bytes
text_of(const struct json *object, const char *name)
{
	const struct json *v = json_get(object, name);

	return v != NULL && v->type == JSON_STRING ? v->text : BYTES_NONE;
}

static const struct json *
list_of(const struct json *object, const char *name, uint32_t *n)
{
	const struct json *v = json_get(object, name);

	*n = v != NULL && v->type == JSON_ARRAY ? v->array.n : 0;
	return v;
}

static void
read_policy(const struct json *from, struct scaling_policy *to)
{
	*to = (struct scaling_policy){
	    .name = text_of(from, "name"),
	    .id = text_of(from, "id"),
	    .target = real_of(from, "target"),
	    .in_cooldown = params_number(from, "in_cooldown", -1),
	    .out_cooldown = params_number(from, "out_cooldown", -1),
	    .disable_in = params_flag(from, "disable_in", false),
	    .says_disable_in = params_flag(from, "says_disable_in", false),
	    .created_ms = (uint64_t)params_number(from, "created", 0),
	};
}

static void
read_action(const struct json *from, struct scaling_action *to)
{
	*to = (struct scaling_action){
	    .name = text_of(from, "name"),
	    .id = text_of(from, "id"),
	    .schedule = text_of(from, "schedule"),
	    .timezone = text_of(from, "timezone"),
	    .start_ms = (uint64_t)params_number(from, "start", 0),
	    .end_ms = (uint64_t)params_number(from, "end", 0),
	    .min = params_number(from, "min", -1),
	    .max = params_number(from, "max", -1),
	    .created_ms = (uint64_t)params_number(from, "created", 0),
	    .ran_ms = (uint64_t)params_number(from, "ran", 0),
	};
}

/* The lists, each with room for one more: a change may add one. */
static tide_err
read_lists(struct arena *arena, const struct json *from, struct scaling_target *t)
{
	const struct json *policies = list_of(from, "policies", &t->n_policies),
			  *actions = list_of(from, "actions", &t->n_actions),
			  *tags = list_of(from, "tags", &t->n_tags);

	t->policies = arena_calloc(arena, (t->n_policies + 1) * sizeof *t->policies);
	t->actions = arena_calloc(arena, (t->n_actions + 1) * sizeof *t->actions);
	t->tags = arena_calloc(arena, (t->n_tags + SCALING_TAGS_MAX) * sizeof *t->tags);
	if (t->policies == NULL || t->actions == NULL || t->tags == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < t->n_policies; i++)
		read_policy(&policies->array.at[i], &t->policies[i]);
	for (uint32_t i = 0; i < t->n_actions; i++)
		read_action(&actions->array.at[i], &t->actions[i]);
	for (uint32_t i = 0; i < t->n_tags; i++)
		t->tags[i] = (struct scaling_tag){
		    text_of(&tags->array.at[i], "key"), text_of(&tags->array.at[i], "value")};
	return TIDE_OK;
}

tide_err
scaling_target_read(struct arena *arena, struct bytes text, struct scaling_target *out)
{
	struct scaling_target t = {0};
	struct json json;
	tide_err rc;

	if ((rc = json_parse(arena, text, &json, NULL)) != TIDE_OK)
		return rc == TIDE_NOMEM ? rc : TIDE_CORRUPT;
	t.resource = text_of(&json, "resource");
	t.id = text_of(&json, "id");
	if (t.resource.n == 0 || !scaling_dimension_parse(text_of(&json, "dimension"), &t.dimension))
		return TIDE_CORRUPT;
	t.min = params_number(&json, "min", 0);
	t.max = params_number(&json, "max", 0);
	t.in_suspended = params_flag(&json, "in_suspended", false);
	t.out_suspended = params_flag(&json, "out_suspended", false);
	t.schedule_suspended = params_flag(&json, "schedule_suspended", false);
	t.created_ms = (uint64_t)params_number(&json, "created", 0);
	if ((rc = read_lists(arena, &json, &t)) == TIDE_OK)
		*out = t;
	return rc;
}
