/* TagResource, UntagResource, ListTagsOfResource */
#include "api/ops/resource_arn.h"
#include "api/ops/table_change.h"
#include "api/ops/tags.h"

struct tag_change {
	struct table_change change;
	const struct json *list; /* of Tag, or of keys */
};

/* An answer without members. */
static void
reply_empty(struct table_change *change)
{
	buf_append_string(&change->request->reply, "{}");
}

static void
submit(struct request *request, const struct json *list,
    tide_err (*apply)(struct table_change *, struct group *, struct table *, struct tide_error *))
{
	struct tag_change *change = arena_calloc(&request->arena, sizeof *change);
	struct tide_error error;

	if (change == NULL) {
		ops_fail(request, TIDE_NOMEM, NULL);
		return;
	}
	change->change.before = resource_table(request->region, &request->body, RESOURCE_TAGS, &error);
	if (change->change.before == NULL) {
		request_fail(request, &error, NULL);
		return;
	}
	change->change.request = request;
	change->change.apply = apply;
	change->change.reply = reply_empty;
	change->list = list;
	table_change_submit(&change->change);
}

static tide_err
apply_tag(struct table_change *change, struct group *group, struct table *table, struct tide_error *error)
{
	tide_err rc = tags_merge(table, ((struct tag_change *)change)->list, error);

	if (rc != TIDE_OK)
		return rc;
	return catalog_write_setting(change->request->region->catalog, group, table, SETTING_TAGS);
}

void
op_tag_resource(struct request *request)
{
	static const struct param shape[] = {
	    PARAM_RESOURCE_ARN,
	    {.name = "Tags", .type = PARAM_LIST, .flags = PARAM_REQUIRED, .members = &tags_element},
	    PARAMS_END,
	};
	const struct json *list;
	struct tide_error error;

	if (!ops_check(request, shape))
		return;
	list = json_get(&request->body, "Tags");
	if (list->array.n == 0)
		ops_fail(request, TIDE_VALIDATION, "Atleast one Tag needs to be provided as Input.");
	else if (tags_check(list, &error) != TIDE_OK)
		request_fail(request, &error, NULL);
	else
		submit(request, list, apply_tag);
}

static tide_err
apply_untag(struct table_change *change, struct group *group, struct table *table, struct tide_error *error)
{
	const struct json *keys = ((struct tag_change *)change)->list;
	uint32_t kept = 0;

	(void)error;
	for (uint32_t i = 0; i < table->n_tags; i++) {
		bool goes = false;

		for (uint32_t k = 0; k < keys->array.n && !goes; k++)
			goes = bytes_equal(keys->array.at[k].text, table->tags[i].key);
		if (!goes)
			table->tags[kept++] = table->tags[i];
	}
	if (kept == table->n_tags)
		return TIDE_OK;
	table->n_tags = kept;
	return catalog_write_setting(change->request->region->catalog, group, table, SETTING_TAGS);
}

static tide_err
check_keys(const struct json *keys, struct tide_error *error)
{
	tide_err rc = TIDE_OK;

	if (keys->array.n == 0)
		return tide_fail(
		    error, TIDE_VALIDATION, "Atleast one Tag Key needs to be provided as Input.");
	for (uint32_t i = 0; i < keys->array.n && rc == TIDE_OK; i++) {
		const struct json *key = &keys->array.at[i];

		rc = tag_key_check(key->type == JSON_STRING ? key->text : BYTES_NONE, error);
	}
	if (rc == TIDE_OK && keys->array.n > TAGS_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    "Number of Tags exceed the current limit for the provided ResourceArn");
	return rc;
}

void
op_untag_resource(struct request *request)
{
	static const struct param key_element = {.name = "", .type = PARAM_STRING};
	static const struct param shape[] = {
	    PARAM_RESOURCE_ARN,
	    {.name = "TagKeys", .type = PARAM_LIST, .flags = PARAM_REQUIRED, .members = &key_element},
	    PARAMS_END,
	};
	const struct json *keys;
	struct tide_error error;

	if (!ops_check(request, shape))
		return;
	keys = json_get(&request->body, "TagKeys");
	if (check_keys(keys, &error) != TIDE_OK)
		request_fail(request, &error, NULL);
	else
		submit(request, keys, apply_untag);
}

/* All of them are one page; a token is nobody's who got it from here. */
void
op_list_tags_of_resource(struct request *request)
{
	static const struct param shape[] = {
	    PARAM_RESOURCE_ARN,
	    {.name = "NextToken", .type = PARAM_STRING},
	    PARAMS_END,
	};
	struct buf *reply = &request->reply;
	const struct table *table;
	struct tide_error error;

	if (!ops_check(request, shape))
		return;
	if (json_get(&request->body, "NextToken") != NULL) {
		ops_fail(
		    request, TIDE_VALIDATION, "One or more parameter values were invalid: Invalid NextToken");
		return;
	}
	table = resource_table(request->region, &request->body, RESOURCE_TAGS, &error);
	if (table == NULL) {
		request_fail(request, &error, NULL);
		return;
	}
	buf_append_string(reply, "{\"Tags\":[");
	for (uint32_t i = 0; i < table->n_tags; i++) {
		buf_append_string(reply, i == 0 ? "{\"Key\":" : ",{\"Key\":");
		json_write_string(reply, table->tags[i].key);
		buf_append_string(reply, ",\"Value\":");
		json_write_string(reply, table->tags[i].value);
		buf_append_byte(reply, '}');
	}
	buf_append_string(reply, "]}");
	table_release(table);
	if (buf_check(reply) == TIDE_OK)
		request_ok(request);
	else
		ops_fail(request, TIDE_NOMEM, NULL);
}
