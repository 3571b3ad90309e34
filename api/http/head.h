/*
 * What the front keeps of a request's line and headers, and the parsers of single header values. No I/O.
 */
#ifndef TIDE_API_HTTP_HEAD_H
#define TIDE_API_HTTP_HEAD_H

#include "base/bytes.h"

/* X(field, header in lower case). `x-amz-date` and `date` share a field: one of them must be there. */
#define HTTP_FIELDS(X)                                                                                       \
	X(TARGET, "x-amz-target")                                                                            \
	X(AUTHORIZATION, "authorization")                                                                    \
	X(AMZ_DATE, "x-amz-date")                                                                            \
	X(DATE, "date")                                                                                      \
	X(CONTENT_TYPE, "content-type")                                                                      \
	X(CONTENT_ENCODING, "content-encoding")                                                              \
	X(ACCEPT_ENCODING, "accept-encoding")                                                                \
	X(ORIGIN, "origin")                                                                                  \
	X(REQUEST_HEADERS, "access-control-request-headers")                                                 \
	X(REQUEST_METHOD, "access-control-request-method")                                                   \
	X(HOST, "host")                                                                                      \
	X(EXPECT, "expect")                                                                                  \
	X(FORWARDED, "x-tidemark-forwarded")

enum http_field {
#define X(field, name) HTTP_##field,
	HTTP_FIELDS(X)
#undef X
	    HTTP_FIELD_COUNT
};

struct http_span {
	uint32_t at, n;
	bool present;
};

/* Collected piece by piece: headers may come in any number of reads. Zero-initialised is empty and valid. */
struct http_head {
	struct buf text; /* the URL and the values of known headers, one after the other */
	struct http_span url, fields[HTTP_FIELD_COUNT];
	uint32_t bytes; /* of the URL and of all headers, known or not */
	char name[32]; /* the header that is being read, in lower case */
	uint8_t name_n; /* over sizeof name: not a known header */
	bool in_value;
	enum http_field current; /* HTTP_FIELD_COUNT: not a known one */
};

void http_head_fini(struct http_head *head);
void http_head_clear(struct http_head *head);

/** Add a piece. TIDE_REQUEST_TOO_LARGE over HTTP_HEADER_BYTES_MAX, TIDE_NOMEM. */
tide_err http_head_url(struct http_head *head, const char *at, size_t n);
tide_err http_head_field(struct http_head *head, const char *at, size_t n);
tide_err http_head_value(struct http_head *head, const char *at, size_t n);

/** A header's value without spaces around it; `at` NULL: absent. Borrows from the head until it is cleared. */
struct bytes http_head_get(const struct http_head *head, enum http_field field);
struct bytes http_head_path(const struct http_head *head);

/**
 * "DynamoDB_20120810.PutItem" or "DynamoDBStreams_20120810.GetRecords" to the operation's name; a target of another service
 * that is answered here ("TrentService.DescribeKey") is its operation's name as it stands. False: an unknown service.
 */
bool http_target_parse(struct bytes target, struct bytes *operation);

/**
 * Whether the request is signed at all and the header has Signature Version 4's parts. The signature is not verified here.
 * Errors     TIDE_MISSING_TOKEN, TIDE_INCOMPLETE_SIGNATURE with AWS's sentences.
 */
tide_err http_authorization_check(const struct http_head *head, struct tide_error *error);

/** The region in the credential scope of an Authorization header (KEY/DATE/REGION/SERVICE/aws4_request); n 0: there is none. */
struct bytes http_scope_region(struct bytes authorization);

/* How a body is to be read. */
enum http_type { HTTP_TYPE_UNKNOWN, HTTP_TYPE_JSON, HTTP_TYPE_JSON_1_0, HTTP_TYPE_JSON_1_1, HTTP_TYPE_FORM };

/** Of a Content-Type: application/json, application/x-amz-json-1.0, -1.1, application/x-www-form-urlencoded; parameters allowed. */
enum http_type http_content_type(struct bytes type);

enum http_coding { HTTP_IDENTITY, HTTP_GZIP, HTTP_DEFLATE, HTTP_CODING_UNKNOWN };

/** Content-Encoding of a request. */
enum http_coding http_content_coding(struct bytes value);

/** The coding to answer with, from Accept-Encoding: gzip, deflate or identity. q=0 refuses. */
enum http_coding http_accepted_coding(struct bytes value);

#endif
