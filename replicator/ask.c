#include "replicator/ask.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>

#include "replicator/wire.h"

/* One question, one answer of the type wanted; `answer` borrows from `*in`, which is the caller's to nng_free. */
static tide_err
exchange(nng_socket socket, const struct wire_message *question, enum wire_type wanted, struct arena *arena,
    void **in, size_t *n, struct wire_message *answer, struct tide_error *error)
{
	struct buf out = {0};
	tide_err rc = wire_encode(question, &out);
	int failed = 0;

	if (rc == TIDE_OK && ((failed = nng_send(socket, out.at, out.n, 0)) != 0 ||
				 (failed = nng_recv(socket, in, n, NNG_FLAG_ALLOC)) != 0))
		rc = tide_fail(error, TIDE_UNAVAILABLE, "no answer: %s", nng_strerror(failed));
	if (rc == TIDE_OK)
		rc = wire_decode(arena, bytes_of(*in, *n), answer, error);
	if (rc == TIDE_OK && answer->type == WIRE_ERROR)
		rc = tide_fail(error, answer->error.code, "%.*s", (int)answer->error.message.n,
		    (const char *)answer->error.message.at);
	else if (rc == TIDE_OK && answer->type != wanted)
		rc = tide_fail(error, TIDE_CORRUPT, "%s came for an answer", wire_type_name(answer->type));
	buf_fini(&out);
	return rc;
}

/* With a connection of its own. `json` (may be NULL) gets what a STATUS carries. */
static tide_err
ask(const char *address, uint32_t ms_max, const struct wire_message *question, enum wire_type wanted,
    struct buf *json, struct tide_error *error)
{
	struct wire_message answer;
	struct arena arena;
	nng_socket socket;
	void *in = NULL;
	size_t n = 0;
	tide_err rc;
	int failed;

	if (nng_req0_open(&socket) != 0)
		return tide_fail(error, TIDE_NOMEM, NULL);
	nng_socket_set_ms(socket, NNG_OPT_SENDTIMEO, (nng_duration)ms_max);
	nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, (nng_duration)ms_max);
	nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, WIRE_MESSAGE_MAX);
	arena_init(&arena, WIRE_ARENA_MAX);
	if ((failed = nng_dial(socket, address, NULL, 0)) != 0)
		rc = tide_fail(
		    error, TIDE_UNAVAILABLE, "nobody answers at %s: %s", address, nng_strerror(failed));
	else
		rc = exchange(socket, question, wanted, &arena, &in, &n, &answer, error);
	if (rc == TIDE_OK && json != NULL) {
		buf_append(json, answer.status.json.at, answer.status.json.n);
		rc = buf_check(json);
	}
	if (in != NULL)
		nng_free(in, n);
	arena_fini(&arena);
	nng_close(socket);
	return rc;
}

tide_err
status_ask(const char *address, uint32_t ms_max, struct buf *json, struct tide_error *error)
{
	const struct wire_message question = {.type = WIRE_STATUS_ASK};

	return ask(address, ms_max, &question, WIRE_STATUS, json, error);
}

tide_err
lost_tell(const char *address, uint32_t ms_max, const char *region, struct tide_error *error)
{
	const struct wire_message question = {
	    .type = WIRE_MEMBER_LOST, .member_lost = {.name = bytes_of_string(region)}};

	return ask(address, ms_max, &question, WIRE_DONE, NULL, error);
}
