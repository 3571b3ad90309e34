/* What the files of the connection share: conn.c (bytes in, bytes out) and conn_run.c (what a whole request asks for). */
#ifndef TIDE_API_HTTP_CONN_PRIV_H
#define TIDE_API_HTTP_CONN_PRIV_H

#include "api/http/conn.h"

#define CONN_JSON "application/json"
#define CONN_JSON_1_0 "application/x-amz-json-1.0"
#define CONN_JSON_1_1 "application/x-amz-json-1.1"

/** Release a large buffer, empty a small one. */
void conn_shrink(struct buf *buf);

/** Monotonic. */
uint64_t conn_now_us(void);

/** Answer with a text. `type` NULL: without a body. */
void conn_answer_text(struct conn *conn, int status, const char *type, const char *text);

/** A whole request is here: run it. */
void conn_dispatch(struct conn *conn);

/** Whether the head asks for a region whose API is known; then `peer` is set. */
bool conn_is_foreign(struct conn *conn);

#endif
