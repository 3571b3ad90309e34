/*
 * The one error type of the code base.
 *
 * A function that can fail returns `tide_err`. A function whose failure may reach a person (a client, an
 * operator) also takes a `struct tide_error` and leaves there the code and the full sentence. For errors that
 * reach a DynamoDB client the table carries the exception name and HTTP status.
 * Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
 */
#ifndef TIDE_BASE_ERROR_H
#define TIDE_BASE_ERROR_H

#define CORAL "com.amazon.coral.service#"
#define CORAL_VALIDATE "com.amazon.coral.validate#"
#define CORAL_AVAILABILITY "com.amazon.coral.availability#"
#define DYNAMODB "com.amazonaws.dynamodb.v20120810#"

/* X(code, exception with its namespace or NULL, HTTP status, default sentence) */
#define TIDE_ERRORS(X)                                                                                       \
	X(OK, NULL, 200, "success")                                                                          \
	/* inside the process; a client sees an InternalServerError */                                       \
	X(NOMEM, DYNAMODB "InternalServerError", 500, "out of memory")                                       \
	X(IO, DYNAMODB "InternalServerError", 500, "input/output error")                                     \
	X(CORRUPT, DYNAMODB "InternalServerError", 500, "damaged data")                                      \
	X(FULL, DYNAMODB "InternalServerError", 500, "no space left on device")                              \
	X(UNKNOWN, DYNAMODB "InternalServerError", 500, "the outcome of the append is unknown")              \
	X(FENCED, DYNAMODB "InternalServerError", 500, "another process owns this shard")                    \
	X(NOTFOUND, DYNAMODB "InternalServerError", 500, "not found")                                        \
	X(AGAIN, DYNAMODB "InternalServerError", 500, "not yet")                                             \
	X(FORMAT, DYNAMODB "InternalServerError", 500, "unreadable format")                                  \
	X(USAGE, NULL, 0, "wrong usage")                                                                     \
	X(CLOCK, DYNAMODB "InternalServerError", 500,                                                        \
	    "The clock of this region is wrong: it takes no writes until it is right again")                 \
	X(CLOSED, DYNAMODB "InternalServerError", 503, "shutting down")                                      \
	/* replication: what an apply may answer */                                                          \
	X(GAP, NULL, 0, "records are missing before this one")                                               \
	X(HELD, NULL, 0, "must wait for another journal or for the clock")                                   \
	X(FORKED, NULL, 0, "the origin's journal has forked")                                                \
	/* what a DynamoDB client sees */                                                                    \
	X(INTERNAL, DYNAMODB "InternalServerError", 500, "Internal server error")                            \
	X(UNAVAILABLE, CORAL_AVAILABILITY "ServiceUnavailableException", 503,                                \
	    "Service is unavailable. Please try again")                                                      \
	X(VALIDATION, CORAL_VALIDATE "ValidationException", 400, "Invalid request")                          \
	X(SERIALIZATION, CORAL "SerializationException", 400, "Unable to parse the request")                 \
	X(UNKNOWN_OPERATION, CORAL "UnknownOperationException", 400, "")                                     \
	X(INCOMPLETE_SIGNATURE, CORAL "IncompleteSignatureException", 400,                                   \
	    "The request signature does not conform to AWS standards")                                       \
	X(MISSING_TOKEN, CORAL "MissingAuthenticationTokenException", 400,                                   \
	    "Request is missing Authentication Token")                                                       \
	X(CONDITION_FAILED, DYNAMODB "ConditionalCheckFailedException", 400,                                 \
	    "The conditional request failed")                                                                \
	X(DUPLICATE_ITEM, DYNAMODB "DuplicateItemException", 400, "Duplicate primary key exists in table")   \
	X(RESOURCE_NOT_FOUND, DYNAMODB "ResourceNotFoundException", 400, "Requested resource not found")     \
	X(TABLE_NOT_FOUND, DYNAMODB "TableNotFoundException", 400, "Table not found")                        \
	X(RESOURCE_IN_USE, DYNAMODB "ResourceInUseException", 400, "Resource is in use")                     \
	X(LIMIT_EXCEEDED, DYNAMODB "LimitExceededException", 400, "Limit exceeded")                          \
	X(ITEM_COLLECTION_SIZE, DYNAMODB "ItemCollectionSizeLimitExceededException", 400, "")                \
	X(GLOBAL_TABLE_NOT_FOUND, DYNAMODB "GlobalTableNotFoundException", 400, "")                          \
	X(POLICY_NOT_FOUND, DYNAMODB "PolicyNotFoundException", 400, "")                                     \
	X(THROUGHPUT_EXCEEDED, DYNAMODB "ProvisionedThroughputExceededException", 400,                       \
	    "The level of configured provisioned throughput for the table was exceeded. Consider "           \
	    "increasing your provisioning level with the UpdateTable API.")                                  \
	X(THROTTLED, CORAL_AVAILABILITY "ThrottlingException", 400,                                          \
	    "Rate of requests exceeds the allowed throughput")                                               \
	X(REQUEST_TOO_LARGE, CORAL "RequestEntityTooLargeException", 413, "Request is too large")            \
	X(REGION_LOST, DYNAMODB "InternalServerError", 500,                                                  \
	    "The request was sent on to another region, and no answer came from there")                      \
	/* Application Auto Scaling's own */                                                                 \
	X(SCALING_VALIDATION, "ValidationException", 400, "")                                                \
	X(SCALING_NOT_FOUND, "ObjectNotFoundException", 400, "")                                             \
	X(SCALING_LIMIT, "LimitExceededException", 400, "")                                                  \
	X(SCALING_TOKEN, "InvalidNextTokenException", 400, "")                                               \
	X(SCALING_RESOURCE, "ResourceNotFoundException", 400, "")                                            \
	X(SCALING_TAGS, "TooManyTagsException", 400, "")                                                     \
	X(KEY_NOT_FOUND, "NotFoundException", 400, "")                                                       \
	X(TRANSACTION_CANCELED, DYNAMODB "TransactionCanceledException", 400, "")                            \
	X(IDEMPOTENT_MISMATCH, DYNAMODB "IdempotentParameterMismatchException", 400, "")

typedef enum tide_err {
#define X(code, exception, http, text) TIDE_##code,
	TIDE_ERRORS(X)
#undef X
} tide_err;

#define TIDE_MESSAGE_MAX 2048

/* A failure with its sentence. `code` TIDE_OK means that nothing failed. */
struct tide_error {
	tide_err code;
	char message[TIDE_MESSAGE_MAX]; /* UTF-8, NUL-terminated, cut at the end where it does not fit */
};

/**
 * Fill `error` (may be NULL) with a code and a formatted sentence, and return the code, so that a caller can
 * write `return tide_fail(error, TIDE_VALIDATION, "...")`. NULL `format` takes the table's default sentence.
 *
 * Thread     any.
 */
tide_err tide_fail(struct tide_error *error, tide_err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** The code's name, e.g. "VALIDATION". Never NULL. Any thread. */
const char *tide_err_name(tide_err code);

/** The table's default sentence. Never NULL. Any thread. */
const char *tide_err_text(tide_err code);

/** The `__type` of DynamoDB's error body, e.g. "com.amazon.coral.validate#ValidationException"; NULL if none. */
const char *tide_err_exception(tide_err code);

/** HTTP status of the answer that carries this error; 0 where it never reaches a client. */
int tide_err_http(tide_err code);

#endif
