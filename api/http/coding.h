/* gzip and deflate of bodies, through zlib. Any thread. */
#ifndef TIDE_API_HTTP_CODING_H
#define TIDE_API_HTTP_CODING_H

#include "api/http/head.h"

/**
 * Inflate a request body, gzip or deflate (with zlib's header, or raw), into `out` (replacing its content), at most `max` bytes of it.
 * Errors     TIDE_SERIALIZATION (not that coding, cut short), TIDE_REQUEST_TOO_LARGE (a bomb), TIDE_NOMEM.
 */
tide_err http_inflate(enum http_coding coding, struct bytes body, size_t max, struct buf *out);

/** Compress a reply body into `out` (replacing its content), fast rather than small. TIDE_NOMEM. */
tide_err http_deflate(enum http_coding coding, struct bytes body, struct buf *out);

#endif
