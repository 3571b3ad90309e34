/*
 * The HTTP front: HTTP/1.1 on libevent, one event base per I/O thread, each with its own SO_REUSEPORT listener.
 *
 *     socket -> connection (parser, bounds) -> X-Amz-Target, JSON -> operation->handle(request)
 *     request_ok / request_fail, from any thread -> the connection's I/O thread -> one send
 *
 * Rules:
 *
 *   1. A connection belongs to one I/O thread. Only request_ok and request_fail come from outside, through a queue.
 *   2. One request per connection is under way; what a client pipelines behind it waits in the socket (at most one
 *      read buffer of it waits here).
 *   3. Everything that a client can make grow is bounded: connections, header bytes, body bytes, memory of all requests
 *      together, time for headers, body and reply.
 */
#ifndef TIDE_API_HTTP_HTTP_H
#define TIDE_API_HTTP_HTTP_H

#include "api/request.h"

struct http_server;

#define HTTP_BODY_BYTES_MAX (17u << 20) /* a BatchWriteItem has up to 16 MB; the rest is slack */
#define HTTP_HEADER_BYTES_MAX 8192

/* Another region's API: what is signed for that region is sent on there. */
struct http_peer {
	const char *region;
	const char *host; /* a name or an address, without brackets */
	uint16_t port;
};

struct http_options {
	const char *host; /* address to listen on */
	uint16_t port; /* 0: any free port (http_server_port tells) */
	uint32_t threads; /* 0: 1 */
	uint32_t connections_max; /* of the whole server; 0: 4096 */
	uint32_t idle_seconds; /* between requests; 0: 300 */
	uint32_t header_seconds; /* from a request's first byte to the end of its headers; 0: 10 */
	uint32_t body_seconds; /* for the whole body, plus one second per 64 KB; 0: 20 */
	uint32_t write_seconds; /* a reply that makes no progress; 0: 30 */
	uint64_t memory_max; /* bytes that bodies and request trees may hold together; 0: 1 GB */
	const struct operation *(*find)(struct bytes name); /* operation_find */
	const struct operation *metrics; /* answers GET /metrics with Prometheus' text; NULL: a 404 does */
	const struct http_peer *peers; /* borrowed until the stop */
	uint32_t n_peers;
};

/**
 * Listen and serve until http_server_stop. Returns when every listener listens.
 *
 * Ownership  `options` and what it points to are borrowed for the call; `region` is borrowed until the stop.
 * Errors     TIDE_USAGE (no such address, port in use: `error` says which), TIDE_NOMEM, TIDE_IO. Nothing is left behind.
 */
tide_err http_server_start(const struct http_options *options, struct region *region,
    struct http_server **out, struct tide_error *error);

/** The port that it listens on. Any thread. */
uint16_t http_server_port(const struct http_server *server);

/**
 * Drain: accept nothing more, close idle connections, let requests under way finish and their replies leave, then end
 * the threads and release everything. Waits for operations that have not answered, at most `drain_ms`; then the rest is
 * cut off and, because an operation may still hold its request, left allocated. Takes NULL. Not from an I/O thread.
 */
void http_server_stop(struct http_server *server, uint32_t drain_ms);

struct http_counters {
	uint64_t connections; /* open now */
	uint64_t accepted, refused; /* since start; refused: over connections_max */
	uint64_t requests; /* answered since start */
	uint64_t errors_client, errors_server; /* of these, answered 4xx and 5xx */
	uint64_t received, sent; /* bytes of requests and replies */
	uint64_t wakeups; /* eventfd writes by request_ok and request_fail */
	uint64_t memory; /* of memory_max, now */
};

/** Any thread. */
struct http_counters http_server_counters(const struct http_server *server);

struct tally_sum;

/** Per operation, summed over the threads (api/http/tally.h): `sums` has room for TALLY_SLOTS, `*n` are filled. Any thread. */
void http_server_tally(const struct http_server *server, struct tally_sum *sums, uint32_t *n);

#endif
