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

/* The defaults of an AWS account: nothing is throttled by them here. */
void
op_describe_limits(struct request *request)
{
	buf_append_string(&request->reply,
	    "{\"AccountMaxReadCapacityUnits\":80000,\"AccountMaxWriteCapacityUnits\":80000,"
	    "\"TableMaxReadCapacityUnits\":40000,"
	    "\"TableMaxWriteCapacityUnits\":40000}");
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
