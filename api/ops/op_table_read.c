#include "api/ops/table_describe.h"

#define LIST_MAX 100

void
op_describe_table(struct request *request)
{
	static const struct param shape[] = {PARAM_TABLE, PARAMS_END};
	const struct table *table;
	struct table_sight sight;
	struct tide_error error;
	tide_err rc;

	if (!ops_check(request, shape))
		return;
	if ((table = table_named(request->region, &request->body, &error)) == NULL) {
		request_fail(request, &error, NULL);
		return;
	}
	if ((rc = table_sight_now(request->region, table, &sight)) == TIDE_OK) {
		buf_append_string(&request->reply, "{\"Table\":");
		table_describe(&request->reply, &request->region->config, table, &sight);
		buf_append_byte(&request->reply, '}');
		rc = buf_check(&request->reply);
	}
	table_release(table);
	if (rc == TIDE_OK)
		request_ok(request);
	else
		ops_fail(request, rc, NULL);
}

void
op_list_tables(struct request *request)
{
	static const struct param shape[] = {
	    {.name = "ExclusiveStartTableName",
		.type = PARAM_STRING,
		.min = 3,
		.max = 255,
		.pattern = PARAM_PATTERN_NAME},
	    {.name = "Limit", .type = PARAM_INTEGER, .min = 1, .max = LIST_MAX},
	    PARAMS_END,
	};
	struct bytes names[LIST_MAX + 1], after;
	uint32_t max, n;

	if (!ops_check(request, shape))
		return;
	after = params_string(&request->body, "ExclusiveStartTableName");
	max = (uint32_t)params_number(&request->body, "Limit", LIST_MAX);
	/* One more than asked for tells whether there is a next page. */
	if (catalog_list(request->region->catalog, &request->arena, after, max + 1, names, &n) != TIDE_OK) {
		ops_fail(request, TIDE_NOMEM, NULL);
		return;
	}
	buf_append_string(&request->reply, "{\"TableNames\":[");
	for (uint32_t i = 0; i < n && i < max; i++) {
		if (i != 0)
			buf_append_byte(&request->reply, ',');
		json_write_string(&request->reply, names[i]);
	}
	buf_append_byte(&request->reply, ']');
	if (n > max) {
		buf_append_string(&request->reply, ",\"LastEvaluatedTableName\":");
		json_write_string(&request->reply, names[max - 1]);
	}
	buf_append_byte(&request->reply, '}');
	if (buf_check(&request->reply) == TIDE_OK)
		request_ok(request);
	else
		ops_fail(request, TIDE_NOMEM, NULL);
}
