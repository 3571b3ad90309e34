/*
 * One client's connection without its socket: bytes go in, requests reach their operation, replies come out. So the unit tests
 * and the fuzzer run the same code as the server. Private to api/http.
 *
 *            conn_take                     operation answers         conn_sent
 *     IDLE ----------> HEAD --> BODY --> RUNNING ----------> REPLY ----------> IDLE
 *                        \________________________error______/  \-- last one --> LINGER
 *
 * Thread     the connection's I/O thread, all of it; request_ok and request_fail only fill the reply and call `answered`.
 */
#ifndef TIDE_API_HTTP_CONN_H
#define TIDE_API_HTTP_CONN_H

#include <http_parser.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include "api/http/http.h"
#include "api/http/reply.h"
#include "api/http/tally.h"

enum conn_state {
	CONN_IDLE, /* nothing of the next request is here */
	CONN_HEAD, /* its first byte is */
	CONN_BODY, /* its headers are */
	CONN_RUNNING, /* an operation has the request */
	CONN_REPLY, /* the reply is leaving */
	CONN_LINGER, /* the last reply has left: what still comes in is dropped until the client closes */
};

struct conn;

/* What the connections of a thread share. */
struct conn_host {
	struct region *region;
	const struct operation *(*find)(struct bytes name);
	const struct operation *metrics; /* answers GET /metrics; NULL: there is none */
	const struct http_peer
	    *peers; /* other regions' APIs; a request that is signed for one is sent on to it */
	uint32_t n_peers;
	const char *self; /* this region's name; NULL where there are no peers */
	/* Send the head and body on to `conn->peer`; both are borrowed for the call. Answered later like any request. */
	void (*forward)(struct conn *conn, struct bytes head, struct bytes body);
	void (*answered)(struct conn *conn); /* from request_ok and request_fail: any thread */
	_Atomic uint64_t *memory; /* of the whole server */
	uint64_t memory_max;
	struct http_ids ids;
	char date[HTTP_DATE_ROOM]; /* kept fresh by the thread */
	_Atomic uint64_t requests, errors_client, errors_server;
	_Atomic uint64_t received, sent; /* bytes */
	struct tally tally;
};

struct conn {
	struct request request;
	struct conn_host *host;
	enum conn_state state;
	http_parser parser;
	struct http_head head;

	/* The body: a slice of what was read where it came in one piece (nothing is copied), else collected. */
	struct bytes body;
	struct buf body_buf, inflated;
	uint64_t charged; /* of the host's memory */
	bool stopped; /* by a parser callback: a whole message, or a refusal */

	/* The reply. `status` and request.reply are filled by whoever answers. */
	int status;
	tide_err code;
	uint64_t begun_us; /* of a request that is tallied; 0: none is */
	const char *content_type;
	bool dispatching, answered_at_once;
	bool keep_alive; /* go on after this reply */
	bool draining; /* the server stops: this reply is the last */
	bool no_body; /* HEAD */
	bool preflight;

	/* A request for another region: the rest of it is in the headers above. */
	const struct http_peer *peer; /* NULL: it is answered here */
	struct buf raw_head; /* as it came; also of a request whose head came in several reads */
	bool
	    forwarded; /* the reply is the peer's: `reply_head` has its head but for the last lines, request.reply its body */

	bool continue_wanted; /* the client waits for "100 Continue" before it sends the body */
	struct buf reply_head, deflated;
	struct bytes out[2]; /* what of head and body is still to be sent */
};

/** In the caller's zeroed memory. */
void conn_init(struct conn *conn, struct conn_host *host);

/** Release what it holds. Not while an operation has the request. */
void conn_fini(struct conn *conn);

/**
 * Take bytes in IDLE, HEAD or BODY: at most to the end of one request. `*taken` is how many were used. In one call the
 * request is parsed, dispatched and, where the operation answers at once, answered. `at` is not needed afterwards.
 */
void conn_take(struct conn *conn, const uint8_t *at, size_t n, size_t *taken);

/** The request was answered (queued by `answered`): RUNNING to REPLY. */
void conn_answer(struct conn *conn);

/** In REPLY: up to two pieces to send. */
int conn_output(const struct conn *conn, struct iovec out[2]);

/** So much of it was sent. When that was all, the state is IDLE (take on), or LINGER: shut the sending side down. */
void conn_sent(struct conn *conn, size_t n);

/** In HEAD or BODY: answer with an error that ends the connection (a timeout). */
void conn_refuse(struct conn *conn, int status, const char *text);

/** Count what it holds beyond its free share, `bytes` in all. False: the server as a whole holds too much, nothing is counted. */
bool conn_charge(struct conn *conn, uint64_t bytes);

/** In RUNNING, of a request that was sent on and whose answer nobody waits for any more: ready to be closed. */
void conn_abandon(struct conn *conn);

/** True once when "HTTP/1.1 100 Continue" has to be sent now. */
bool conn_continue(struct conn *conn);

static inline bool
conn_wants_input(const struct conn *conn)
{
	return conn->state <= CONN_BODY;
}

#endif
