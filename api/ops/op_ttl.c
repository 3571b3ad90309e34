/* UpdateTimeToLive, DescribeTimeToLive. What expires is deleted by api/expiry.h. */
#include "api/ops/table_change.h"
#include "api/ops/table_describe.h"

struct ttl_change {
	struct table_change change;
	struct bytes attribute;
	bool enable;
};

static tide_err
apply_ttl(struct table_change *change, struct group *group, struct table *table, struct tide_error *error)
{
	const struct ttl_change *ttl = (const struct ttl_change *)change;
	bool enabled = table->ttl_attribute.n != 0;

	if (!ttl->enable && !enabled)
		return tide_fail(error, TIDE_VALIDATION, "TimeToLive is already disabled");
	if (enabled && !bytes_equal(ttl->attribute, table->ttl_attribute))
		return tide_fail(error, TIDE_VALIDATION,
		    "TimeToLive is active on a different AttributeName: current AttributeName is %.*s",
		    (int)table->ttl_attribute.n, (const char *)table->ttl_attribute.at);
	if (ttl->enable && enabled)
		return tide_fail(error, TIDE_VALIDATION, "TimeToLive is already enabled");
	table->ttl_attribute = ttl->enable ? ttl->attribute : BYTES_NONE;
	return catalog_write_setting(change->request->region->catalog, group, table, SETTING_TTL);
}

static void
reply_ttl(struct table_change *change)
{
	const struct ttl_change *ttl = (const struct ttl_change *)change;
	struct buf *reply = &change->request->reply;

	buf_append_string(reply, "{\"TimeToLiveSpecification\":{\"AttributeName\":");
	json_write_string(reply, ttl->attribute);
	buf_append_format(reply, ",\"Enabled\":%s}}", ttl->enable ? "true" : "false");
}

void
op_update_time_to_live(struct request *request)
{
	static const struct param specification[] = {
	    {.name = "Enabled", .type = PARAM_BOOLEAN, .flags = PARAM_REQUIRED},
	    {.name = "AttributeName", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .min = 1, .max = 255},
	    PARAMS_END,
	};
	static const struct param shape[] = {
	    PARAM_TABLE,
	    {.name = "TimeToLiveSpecification",
		.type = PARAM_STRUCT,
		.flags = PARAM_REQUIRED,
		.members = specification,
		.java = "TimeToLiveSpecification"},
	    PARAMS_END,
	};
	struct ttl_change *ttl;
	const struct json *asked;
	struct tide_error error;

	if (!ops_check(request, shape))
		return;
	if ((ttl = arena_calloc(&request->arena, sizeof *ttl)) == NULL) {
		ops_fail(request, TIDE_NOMEM, NULL);
		return;
	}
	asked = json_get(&request->body, "TimeToLiveSpecification");
	ttl->attribute = params_string(asked, "AttributeName");
	ttl->enable = params_flag(asked, "Enabled", false);
	ttl->change.request = request;
	ttl->change.apply = apply_ttl;
	ttl->change.reply = reply_ttl;
	ttl->change.before = table_named(request->region, &request->body, &error);
	if (ttl->change.before == NULL)
		request_fail(request, &error, NULL);
	else
		table_change_submit(&ttl->change);
}

void
op_describe_time_to_live(struct request *request)
{
	static const struct param shape[] = {PARAM_TABLE, PARAMS_END};
	struct table_sight sight = {.status = TABLE_ACTIVE};
	struct buf *reply = &request->reply;
	const struct table *table;
	struct tide_error error;
	tide_err rc;

	if (!ops_check(request, shape))
		return;
	if ((table = table_named(request->region, &request->body, &error)) == NULL) {
		request_fail(request, &error, NULL);
		return;
	}
	rc = table->built_in ? TIDE_OK : table_sight_now(request->region, table, &sight);
	if (rc != TIDE_OK || sight.status == TABLE_CREATING || sight.status == TABLE_DELETING) {
		const char *status = table_status_name(sight.status);

		table_release(table);
		if (rc != TIDE_OK)
			ops_fail(request, rc, NULL);
		else
			ops_fail(request, TIDE_VALIDATION,
			    "Cannot describe time to live while table is in %s state: Current table state "
			    "is %s",
			    status, status);
		return;
	}
	if (table->ttl_attribute.n == 0) {
		buf_append_string(reply, "{\"TimeToLiveDescription\":{\"TimeToLiveStatus\":\"DISABLED\"}}");
	} else {
		buf_append_string(
		    reply, "{\"TimeToLiveDescription\":{\"TimeToLiveStatus\":\"ENABLED\",\"AttributeName\":");
		json_write_string(reply, table->ttl_attribute);
		buf_append_string(reply, "}}");
	}
	table_release(table);
	if (buf_check(reply) == TIDE_OK)
		request_ok(request);
	else
		ops_fail(request, TIDE_NOMEM, NULL);
}
