#include "api/ops/statement_transact.h"

#include "api/ops/return_values.h"
#include "api/ops/transact_digest.h"
#include "api/ops/transact_write.h"

/* --- the answer --- */

static void
write_reply(struct transact_write *write, struct buf *reply)
{
	buf_append_string(reply, "{\"Responses\":[]");
	if (write->report != CAPACITY_NONE) {
		buf_append_string(reply, ",\"ConsumedCapacity\":[");
		for (uint32_t i = 0; i < write->n_used; i++) {
			buf_append_string(reply, i == 0 ? "" : ",");
			capacity_report_json(reply, &write->used[i]);
		}
		buf_append_byte(reply, ']');
	}
	buf_append_byte(reply, '}');
}

/* --- the request --- */

/* What is wrong with a statement whose table there is. */
static tide_err
check_statement(const struct partiql_statement *statement, struct tide_error *error)
{
	if (statement->returning != PARTIQL_RETURN_NONE)
		return tide_fail(
		    error, TIDE_VALIDATION, "RETURNING clause is not supported in ExecuteTransaction.");
	if (statement->kind == PARTIQL_EXISTS && statement->index.at != NULL)
		return tide_fail(
		    error, TIDE_VALIDATION, "Operations on indices are not supported in transactions");
	return TIDE_OK;
}

static tide_err
prepare_one(struct statement_transact *transact, struct transact_write *write, uint32_t i, bool *cancelled,
    struct tide_error *error)
{
	struct request *request = transact->request;
	const struct partiql_statement *statement = &transact->statements[i];
	struct transact_action *action = &write->actions[i];
	bool missing;
	tide_err rc;

	action->old_on_failure = return_on_failure_read(&transact->json->array.at[i]);
	action->change.table = ops_table_write(request->region, statement->table, error);
	missing = action->change.table == NULL;
	if (missing && error->code != TIDE_RESOURCE_NOT_FOUND)
		return error->code;
	if (!missing) {
		if (check_statement(statement, error) != TIDE_OK)
			return statement_transact_fail(i, error);
		rc = statement_change(&request->arena, statement, true, &action->change, error);
		if (rc == TIDE_OK)
			return TIDE_OK;
		if (rc != TIDE_VALIDATION || transact_is_upfront(error))
			return rc;
		if (statement->kind == PARTIQL_EXISTS)
			return statement_transact_fail(i, error);
	}
	*cancelled = true;
	rc = transact_reason_set(&action->reason, &request->arena, error);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static tide_err
check_distinct(const struct transact_write *write, struct tide_error *error)
{
	uint64_t tables[TRANSACT_ITEMS_MAX];
	struct bytes keys[TRANSACT_ITEMS_MAX];

	for (uint32_t i = 0; i < write->n; i++) {
		tables[i] = write->actions[i].change.table->id;
		keys[i] = write->actions[i].change.key.bytes;
	}
	return transact_check_distinct(tables, keys, write->n, error);
}

/* All that must be the same in a call with the same token. */
static tide_err
set_token(struct statement_transact *transact, struct transact_write *write)
{
	struct arena *arena = &transact->request->arena;
	struct bytes token = params_string(&transact->request->body, "ClientRequestToken");
	uint8_t digest[TRANSACT_DIGEST_BYTES];
	struct transact_digest *parts;
	tide_err rc;

	if (token.n == 0)
		return TIDE_OK;
	if ((parts = transact_digest_new(arena)) == NULL)
		return TIDE_NOMEM;
	for (uint32_t i = 0; i < transact->n; i++) {
		const struct statement_parameters *parameters = &transact->parameters[i];

		transact_digest_text(parts, params_string(&transact->json->array.at[i], "Statement"));
		transact_digest_number(parts, parameters->n);
		for (uint32_t j = 0; j < parameters->n; j++)
			transact_digest_value(parts, &parameters->at[j]);
	}
	if ((rc = transact_digest_end(parts, digest)) != TIDE_OK)
		return rc;
	return transact_write_token(write, "ExecuteTransaction", token, bytes_of(digest, sizeof digest));
}

static tide_err
prepare(struct statement_transact *transact, struct transact_write *write, bool *cancelled,
    struct tide_error *error)
{
	tide_err rc;

	*cancelled = false;
	for (uint32_t i = 0; i < transact->n; i++) {
		if ((rc = prepare_one(transact, write, i, cancelled, error)) != TIDE_OK)
			return rc;
	}
	if (*cancelled)
		return TIDE_OK;
	if ((rc = check_distinct(write, error)) != TIDE_OK)
		return rc;
	rc = set_token(transact, write);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

void
statement_transact_write(struct statement_transact *transact)
{
	struct request *request = transact->request;
	struct transact_write *write = transact_write_new(request, transact->n);
	struct tide_error error;
	bool cancelled;

	if (write == NULL) {
		ops_fail(request, TIDE_NOMEM, NULL);
		return;
	}
	write->report = capacity_report_read(&request->body);
	write->answer = write_reply;
	if (prepare(transact, write, &cancelled, &error) != TIDE_OK)
		transact_write_drop(request, write, &error);
	else if (cancelled)
		transact_write_cancel(write);
	else
		transact_write_submit(write);
}
