/* ExecuteStatement: one statement of PartiQL. */
#include "api/ops/return_values.h"
#include "api/ops/statement_select.h"
#include "api/ops/statement_write.h"

static const struct param shape[] = {
    {.name = "ReturnConsumedCapacity", .type = PARAM_STRING, .values = capacity_report_names},
    PARAM_STATEMENT,
    PARAM_STATEMENT_PARAMETERS,
    {.name = "ConsistentRead", .type = PARAM_BOOLEAN},
    {.name = "NextToken", .type = PARAM_STRING, .min = 1, .max = 32768},
    {.name = "Limit", .type = PARAM_INTEGER, .min = 1},
    {.name = "ReturnValuesOnConditionCheckFailure", .type = PARAM_STRING, .values = return_on_failure_names},
    PARAMS_END,
};

/* --- SELECT --- */

static tide_err
write_end(struct statement_select *select, uint64_t token_request)
{
	struct buf *reply = &select->request->reply;
	tide_err rc;

	buf_append_byte(reply, ']');
	if (select->more) {
		buf_append_string(reply, ",\"NextToken\":\"");
		statement_token_write(reply, token_request, &select->next);
		buf_append_byte(reply, '"');
	}
	if (select->more && select->next.after.n > 0) {
		buf_append_string(reply, ",\"LastEvaluatedKey\":");
		if ((rc = page_read_last_key(&select->read, reply)) != TIDE_OK)
			return rc;
	}
	capacity_report_member(reply, &select->used);
	buf_append_byte(reply, '}');
	return buf_check(reply);
}

static tide_err
run_select(
    struct statement_select *select, const struct statement_parameters *parameters, struct tide_error *error)
{
	struct request *request = select->request;
	const struct json *token = json_get(&request->body, "NextToken");
	struct statement_position from = {0};
	uint64_t token_request;
	tide_err rc;

	if ((rc = statement_select_open(select, error)) != TIDE_OK)
		return rc;
	token_request = statement_token_request(&request->body, parameters, select->read.table->id,
	    select->read.index != NULL ? select->read.index->id : 0);
	if (token != NULL &&
	    (rc = statement_token_read(&request->arena, token->text, token_request, &from, error)) != TIDE_OK)
		return rc;
	buf_append_string(&request->reply, "{\"Items\":[");
	if ((rc = statement_select_run(select, &from, error)) != TIDE_OK)
		return rc;
	rc = write_end(select, token_request);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static void
answer_select(struct request *request, const struct partiql_statement *statement,
    const struct statement_parameters *parameters)
{
	const struct json *body = &request->body;
	struct statement_select select = {.request = request, .statement = statement};
	struct tide_error error;
	tide_err rc;

	select.consistent = params_flag(body, "ConsistentRead", false);
	select.limit = (uint64_t)params_number(body, "Limit", 0);
	select.report = capacity_report_read(body);
	rc = run_select(&select, parameters, &error);
	statement_select_close(&select);
	if (rc == TIDE_OK) {
		request_ok(request);
		return;
	}
	buf_clear(&request->reply);
	request_fail(request, &error, NULL);
}

/* --- INSERT, UPDATE, DELETE --- */

static tide_err
write_reply(struct statement_write *write, struct buf *reply)
{
	struct bytes row = buf_bytes(&write->row);

	buf_append_string(reply, "{\"Items\":[");
	buf_append(reply, row.at, row.n);
	buf_append_byte(reply, ']');
	capacity_report_member(reply, &write->used);
	buf_append_byte(reply, '}');
	return buf_check(reply);
}

static void
written(struct statement_write *write)
{
	struct request *request = write->request;
	struct buf members = {0};
	struct tide_error error = write->error;

	if (error.code == TIDE_OK && write_reply(write, &request->reply) != TIDE_OK)
		tide_fail(&error, TIDE_NOMEM, NULL);
	if (write->old.n > 0) {
		buf_append_string(&members, ",\"Item\":");
		buf_append(&members, write->old.at, write->old.n);
		buf_append_byte(&members, '\0');
	}
	statement_write_fini(write);
	if (error.code == TIDE_OK) {
		request_ok(request);
	} else {
		buf_clear(&request->reply);
		request_fail(
		    request, &error, buf_check(&members) == TIDE_OK ? (const char *)members.at : NULL);
	}
	buf_fini(&members);
}

/* --- */

void
op_execute_statement(struct request *request)
{
	struct statement_parameters parameters;
	struct partiql_statement *statement;
	struct statement_write *write;
	struct tide_error error;

	if (!ops_check(request, shape))
		return;
	statement = arena_alloc(&request->arena, sizeof *statement);
	write = arena_calloc(&request->arena, sizeof *write);
	if (statement == NULL || write == NULL) {
		ops_fail(request, TIDE_NOMEM, NULL);
	} else if (statement_parameters_read(&request->arena, &request->body, &parameters, &error) !=
		       TIDE_OK ||
		   statement_parse(&request->arena, &request->body, &parameters, statement, &error) !=
		       TIDE_OK) {
		request_fail(request, &error, NULL);
	} else if (statement->kind == PARTIQL_SELECT) {
		answer_select(request, statement, &parameters);
	} else if (statement->kind == PARTIQL_OTHER) {
		ops_fail(request, TIDE_VALIDATION, "%s", statement->refusal);
	} else if (statement->kind == PARTIQL_EXISTS) {
		ops_fail(request, TIDE_VALIDATION,
		    "EXISTS can only be used in ExecuteTransaction write requests.");
	} else {
		*write = (struct statement_write){.request = request,
		    .statement = statement,
		    .done = written,
		    .report = capacity_report_read(&request->body),
		    .old_on_failure = return_on_failure_read(&request->body)};
		statement_write_begin(write);
	}
}
