#include "api/ops/ops.h"

static void
answer(struct request *request)
{
	if (buf_check(&request->reply) == TIDE_OK)
		request_ok(request);
	else
		ops_fail(request, TIDE_NOMEM, NULL);
}

/* The address that this region listens on: a client that discovers endpoints stays where it is. */
void
op_describe_endpoints(struct request *request)
{
	const struct config *config = &request->region->config;

	buf_append_format(&request->reply,
	    "{\"Endpoints\":[{\"Address\":\"%s:%u\",\"CachePeriodInMinutes\":1440}]}", config->http.host,
	    config->http.port);
	answer(request);
}

/* What a table may have here. For an account there is no limit: it is told to be twice that, as an AWS account's is. */
void
op_describe_limits(struct request *request)
{
	unsigned long long most = request->region->config.table_units_max;

	buf_append_format(&request->reply,
	    "{\"AccountMaxReadCapacityUnits\":%llu,\"AccountMaxWriteCapacityUnits\":%llu,"
	    "\"TableMaxReadCapacityUnits\":%llu,\"TableMaxWriteCapacityUnits\":%llu}",
	    2 * most, 2 * most, most, most);
	answer(request);
}

/*
 * A ValidationException and not an UnknownOperationException: the operation is one of DynamoDB's, and clients do not
 * retry this one.
 */
void
op_not_supported(struct request *request)
{
	ops_fail(request, TIDE_VALIDATION, "%s is not supported by this version of Tidemark",
	    request->operation->name);
}
