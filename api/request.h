/*
 * One API request, from the HTTP front to the operation that answers it.
 *
 * The HTTP front reads and bounds the body, finds the operation by X-Amz-Target, parses the JSON and calls
 * `handle` on an I/O thread. The operation answers exactly once, from any thread, now or later, with request_ok or
 * request_fail; after that the request is no longer its own.
 */
#ifndef TIDE_API_REQUEST_H
#define TIDE_API_REQUEST_H

#include "api/json/json.h"
#include "api/region.h"

struct request {
	struct region *region;
	struct arena arena; /* lives until the reply is sent */
	struct json body; /* the parsed request: an object */
	struct buf reply; /* the operation appends the reply's JSON here */
	const struct operation *operation;
	const char *
	    throttling; /* members of the error that says which limit it met (api/ops/capacity.h); NULL: none */
	void *connection; /* the HTTP front's */
};

struct operation {
	const char *name; /* "PutItem" */
	void (*handle)(struct request *request);
};

/** The operation of that name; NULL: there is none. Covers all of the API: what is not built yet answers with a clear error. */
const struct operation *operation_find(struct bytes name);

/** Send 200 with what is in `reply`. Any thread, exactly once. */
void request_ok(struct request *request);

/**
 * Send an error: {"__type": ..., "message": ...} with its status. `members` (may be NULL) is appended inside the object, e.g.
 * ",\"Item\":{...}" for ReturnValuesOnConditionCheckFailure. Errors without an exception name become InternalServerError
 * and are logged. Without `members`, an error of throughput gets those of request->throttling. Any thread, exactly once.
 */
void request_fail(struct request *request, const struct tide_error *error, const char *members);

#endif
