/* What an answer means to the machine. */
#include <stdlib.h>

#include "base/log.h"
#include "replicator/daemon_priv.h"

void
payload_free(void *payload)
{
	struct payload *p = payload;

	if (p == NULL)
		return;
	arena_fini(&p->arena);
	nng_msg_free(p->raw);
	free(p);
}

static void
fail(struct daemon *daemon, uint64_t now, uint64_t ticket, tide_err code, const char *text)
{
	struct wire_error error = {.code = code, .message = bytes_of_string(text)};

	link_failed(daemon->link, now, ticket, &error);
}

/* A STATE or HELLO is copied out of the message: the machine keeps it. */
static void
hear_state(struct daemon *daemon, struct call *call, enum wire_type type, uint64_t now)
{
	struct daemon_peer *peer;
	struct link_state *state;
	struct tide_error error;

	if (link_state_decode(
		bytes_of(nng_msg_body(call->answer), nng_msg_len(call->answer)), &state, &error) != TIDE_OK)
		fail(daemon, now, call->ticket, error.code, error.message);
	else if (type == WIRE_STATE)
		link_state_came(daemon->link, now, call->ticket, state);
	else {
		if ((peer = daemon__peer(daemon, state->message.hello.from)) != NULL &&
		    peer->client == call->client)
			peer->round_trip_us = daemon__now_us() - peer->hello_us;
		link_hello_came(daemon->link, now, call->ticket, state);
	}
}

static void
hear_records(struct daemon *daemon, uint64_t ticket, struct payload *payload, uint64_t now)
{
	const struct wire_records *records = &payload->message.records;
	struct link_batch batch = {.index = records->index,
	    .n_records = records->n_records,
	    .bytes = nng_msg_len(payload->raw),
	    .at_end = records->at_end,
	    .empty = records->n_records == 0,
	    .upto_seq = records->upto.seq,
	    .behind = records->behind,
	    .payload = payload};

	if (!link_records(daemon->link, now, ticket, &batch))
		payload_free(payload);
}

static void
hear_piece(struct daemon *daemon, uint64_t ticket, struct payload *payload, uint64_t now)
{
	const struct wire_piece *from = &payload->message.piece;
	struct link_piece piece = {.snapshot = from->snapshot,
	    .cursor = from->cursor,
	    .done = from->done,
	    .bytes = nng_msg_len(payload->raw),
	    .payload = payload};

	if (!link_piece_came(daemon->link, now, ticket, &piece))
		payload_free(payload);
}

/* Batches and pieces keep their message; what else there is was understood by the time this returns. */
static void
hear_payload(struct daemon *daemon, struct call *call, struct payload *payload, uint64_t now)
{
	payload->raw = call->answer;
	call->answer = NULL;
	if (payload->message.type == WIRE_RECORDS)
		hear_records(daemon, call->ticket, payload, now);
	else
		hear_piece(daemon, call->ticket, payload, now);
}

void
daemon__hear(struct daemon *daemon, struct call *call, uint64_t now)
{
	struct payload *payload;
	struct tide_error error;
	struct wire_message *message;

	if (call->ticket == 0)
		return; /* nobody waits for it */
	if (call->answer == NULL) {
		fail(daemon, now, call->ticket, call->failed == NNG_ETIMEDOUT ? TIDE_AGAIN : TIDE_UNAVAILABLE,
		    nng_strerror(call->failed));
		return;
	}
	if ((payload = calloc(1, sizeof *payload)) == NULL) {
		fail(daemon, now, call->ticket, TIDE_NOMEM, "out of memory");
		return;
	}
	arena_init(&payload->arena, WIRE_ARENA_MAX);
	message = &payload->message;
	if (wire_decode(&payload->arena, bytes_of(nng_msg_body(call->answer), nng_msg_len(call->answer)),
		message, &error) != TIDE_OK) {
		fail(daemon, now, call->ticket, error.code, error.message);
		payload_free(payload);
		return;
	}
	switch (message->type) {
	case WIRE_ERROR:
		link_failed(daemon->link, now, call->ticket, &message->error);
		break;
	case WIRE_DONE:
		link_done(daemon->link, now, call->ticket);
		break;
	case WIRE_STATE:
	case WIRE_HELLO:
		hear_state(daemon, call, message->type, now);
		break;
	case WIRE_SHIP_OPENED:
		link_opened(daemon->link, now, call->ticket, message->ship_opened.session);
		break;
	case WIRE_APPLIED:
		link_applied(daemon->link, now, call->ticket, &message->applied);
		break;
	case WIRE_LEAVE_ANSWER:
		link_leave_answer(daemon->link, now, call->ticket, message->leave_answer.yes);
		break;
	case WIRE_RECORDS:
	case WIRE_PIECE:
		hear_payload(daemon, call, payload, now);
		return;
	default:
		fail(daemon, now, call->ticket, TIDE_CORRUPT, "an answer of a wrong kind");
	}
	payload_free(payload);
}
