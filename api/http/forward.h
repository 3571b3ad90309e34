/*
 * What another region's request and its reply look like between two regions: heads without the headers that belong to one
 * connection (RFC 9110, 7.6.1), everything else as it came. No I/O.
 */
#ifndef TIDE_API_HTTP_FORWARD_H
#define TIDE_API_HTTP_FORWARD_H

#include <http_parser.h>

#include "api/http/http.h"

/** The peer of that region; NULL: it is none, or its address is not known. */
const struct http_peer *forward_peer(const struct http_peer *peers, uint32_t n, struct bytes region);

/**
 * Append `head` (request line, headers, empty line) as it goes to `region`, for a body of `body_n` bytes without a transfer
 * coding. It asks the other end to close, and says that it was sent on, so that nobody sends it on again. Test buf_check.
 */
void forward_head(struct bytes head, const char *region, size_t body_n, struct buf *out);

/* A reply as it comes in. */
struct forward_reply {
	http_parser parser;
	struct buf *head, *body; /* borrowed */
	size_t line; /* where the header that is being read begins in `head` */
	bool in_value, dropped;
	bool complete;
	tide_err failed;
};

void forward_reply_init(struct forward_reply *reply, struct buf *head, struct buf *body);

/**
 * Take bytes. Afterwards `complete` tells whether it is whole: then `head` has status line and headers, without the empty line and
 * without those of the connection; `body` the body without transfer coding. Bytes after its end are dropped.
 *
 * Errors     TIDE_FORMAT (no reply), TIDE_REQUEST_TOO_LARGE (over HTTP_BODY_BYTES_MAX), TIDE_NOMEM.
 */
tide_err forward_reply_take(struct forward_reply *reply, const uint8_t *at, size_t n);

/** The other end has closed: `complete` where that ends the reply. */
void forward_reply_end(struct forward_reply *reply);

#endif
