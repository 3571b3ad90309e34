/* ExecuteTransaction: the request, and its statements as a transaction of reads or of writes. */
#include "api/ops/capacity.h"
#include "api/ops/return_values.h"
#include "api/ops/statement_transact.h"

static const struct param statement_shape[] = {
    PARAM_STATEMENT,
    PARAM_STATEMENT_PARAMETERS,
    {.name = "ReturnValuesOnConditionCheckFailure", .type = PARAM_STRING, .values = return_on_failure_names},
    PARAMS_END,
};

static const struct param element_shape[] = {
    {.name = "", .type = PARAM_STRUCT, .members = statement_shape, .java = "ParameterizedStatement"},
    PARAMS_END,
};

static const struct param shape[] = {
    {.name = "ClientRequestToken", .type = PARAM_STRING, .min = 1, .max = 36},
    {.name = "ReturnConsumedCapacity", .type = PARAM_STRING, .values = capacity_report_names},
    {.name = "TransactStatements",
	.type = PARAM_LIST,
	.flags = PARAM_REQUIRED,
	.min = 1,
	.max = TRANSACT_ITEMS_MAX,
	.members = element_shape,
	.java = "ParameterizedStatement"},
    PARAMS_END,
};

/* Whatever is wrong with one statement is told with its place among them. */
tide_err
statement_transact_fail(uint32_t i, struct tide_error *error)
{
	struct tide_error why = *error;

	if (why.code != TIDE_VALIDATION)
		return why.code;
	return tide_fail(error, TIDE_VALIDATION, "Validation failed in TransactStatements[%u]: %s",
	    (unsigned)i, why.message);
}

static tide_err
parse(struct statement_transact *transact, const struct json *statements, struct tide_error *error)
{
	struct arena *arena = &transact->request->arena;
	tide_err rc;

	for (uint32_t i = 0; i < transact->n; i++) {
		rc = statement_parameters_read(
		    arena, &statements->array.at[i], &transact->parameters[i], error);
		if (rc != TIDE_OK)
			return rc;
	}
	for (uint32_t i = 0; i < transact->n; i++) {
		rc = statement_parse(arena, &statements->array.at[i], &transact->parameters[i],
		    &transact->statements[i], error);
		if (rc != TIDE_OK)
			return statement_transact_fail(i, error);
	}
	return TIDE_OK;
}

static tide_err
check_kinds(struct statement_transact *transact, struct tide_error *error)
{
	bool reads = false, writes = false;

	for (uint32_t i = 0; i < transact->n; i++) {
		const struct partiql_statement *statement = &transact->statements[i];

		if (statement->kind == PARTIQL_OTHER)
			return tide_fail(error, TIDE_VALIDATION, "%s",
			    statement->operation ? "Unsupported operation in transaction."
						 : statement->refusal);
		reads |= partiql_is_read(statement);
		writes |= !partiql_is_read(statement);
	}
	transact->reads = reads;
	if (!reads || !writes)
		return TIDE_OK;
	return tide_fail(error, TIDE_VALIDATION,
	    "ExecuteTransaction API does not support both read and write operations in the same request.");
}

static struct statement_transact *
transact_new(struct request *request, const struct json *statements)
{
	struct arena *arena = &request->arena;
	struct statement_transact *transact = arena_calloc(arena, sizeof *transact);
	uint32_t n = statements->array.n;

	if (transact == NULL)
		return NULL;
	transact->request = request;
	transact->json = statements;
	transact->n = n;
	transact->statements = arena_calloc(arena, n * sizeof *transact->statements);
	transact->parameters = arena_calloc(arena, n * sizeof *transact->parameters);
	return transact->statements != NULL && transact->parameters != NULL ? transact : NULL;
}

void
op_execute_transaction(struct request *request)
{
	struct statement_transact *transact;
	const struct json *statements;
	struct tide_error error;

	if (!ops_check(request, shape))
		return;
	statements = json_get(&request->body, "TransactStatements");
	if ((transact = transact_new(request, statements)) == NULL)
		ops_fail(request, TIDE_NOMEM, NULL);
	else if (parse(transact, statements, &error) != TIDE_OK || check_kinds(transact, &error) != TIDE_OK)
		request_fail(request, &error, NULL);
	else if (transact->reads)
		statement_transact_read(transact);
	else
		statement_transact_write(transact);
}
