/*
 * The head of a reply, as text. No I/O.
 */
#ifndef TIDE_API_HTTP_REPLY_H
#define TIDE_API_HTTP_REPLY_H

#include "api/http/head.h"

#define HTTP_REQUEST_ID_LENGTH 52
#define HTTP_DATE_ROOM 32

/* xoshiro-like state of a thread: request ids need to be distinct, not secret. */
struct http_ids {
	uint64_t state[2];
};

/** Seed from the system's random source. */
void http_ids_init(struct http_ids *ids);

/** The next request id: 52 of [0-9A-Z]. */
void http_ids_next(struct http_ids *ids, char out[HTTP_REQUEST_ID_LENGTH]);

/** "Sun, 06 Nov 1994 08:49:37 GMT" */
void http_date(uint64_t seconds, char out[HTTP_DATE_ROOM]);

struct http_reply {
	int status;
	const char *content_type; /* NULL: none */
	struct bytes body; /* for its length and checksum; not written */
	enum http_coding coding; /* that `body` is in */
	bool keep_alive, http_1_0;
	bool checksum; /* x-amz-crc32: of the body as it is sent */
	bool cors; /* the request came from a page of another origin */
	bool preflight; /* answer to OPTIONS */
	struct bytes allow_headers, allow_methods; /* of a preflight: what was asked for; at NULL: was not */
	const char *date;
	const char *id; /* HTTP_REQUEST_ID_LENGTH bytes */
};

/** Append the status line and headers, with the empty line. Test buf_check. */
void http_reply_head(struct buf *out, const struct http_reply *reply);

#endif
