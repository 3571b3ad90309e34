/*
 * GET /metrics: this process, its region and its links in Prometheus' text format. docs/metrics.md lists the families.
 *
 * Everything is gathered when it is asked for, from what `tidemark status` shows too (api/endpoint_view.h), from the counters of the
 * HTTP front and from api/lag.h.
 */
#ifndef TIDE_API_METRICS_H
#define TIDE_API_METRICS_H

#include "api/request.h"

struct endpoint;
struct http_server;
struct metrics;

/** Make region->metrics. `version` is borrowed. Needs region->lag; after endpoint_open. TIDE_NOMEM. */
tide_err metrics_open(struct region *region, struct endpoint *endpoint, const char *version);

/** The HTTP front, whose counters are shown from then on; NULL: it is going to stop. Any thread. */
void metrics_set_http(struct region *region, struct http_server *http);

/** After the HTTP front and the endpoint have stopped. Takes a region without metrics. */
void metrics_close(struct region *region);

/** Append all of it. Any thread. TIDE_NOMEM, TIDE_UNAVAILABLE (still starting). */
tide_err metrics_write(struct region *region, struct buf *out);

/** Answers GET /metrics. An I/O thread. */
extern const struct operation metrics_operation;

#endif
