/*
 * The replicator of a simulated region: the machine, the requests it has under way, and peers' requests on their way through to the
 * API process. What replicator/daemon.c and front.c do with sockets.
 */
#include <stdlib.h>

#include "chaos/sim/sim_region_priv.h"

#define BATCH_BYTES 65536
#define GUEST_MS 20000 /* for the API process to answer a peer's request */

/* A request under way: the machine's (a ticket), or a peer's that was passed on. */
struct call {
	uint64_t number, ticket, until;
	struct sim_node to;
	struct sim_node guest; /* region 0: the machine's */
	uint64_t guest_call;
};

/* An answer whose memory the machine may take. */
struct raw {
	struct sim_region *owner;
	size_t n;
	uint8_t at[];
};

struct sim_replicator {
	struct sim_region *owner;
	struct link *link;
	struct link_asker asker;
	char name[16];
	struct call *calls;
	uint32_t n_calls, room;
	uint64_t until; /* no call is over by time before then */
	bool local; /* the API process can be reached */
	bool busy; /* the machine may have something to do now */
	uint64_t wake; /* else then */
};

/* --- life --- */

struct sim_replicator *
sim_replicator_new(struct sim_region *region)
{
	struct sim_replicator *replicator = calloc(1, sizeof *replicator);
	struct link_options options = {.region = region->options.region,
	    .window = region->options.window,
	    .seed = sim__random(region) >> 1};

	if (replicator == NULL)
		return NULL;
	for (uint8_t r = 1; r <= region->options.n_regions; r++)
		if (r != region->options.region)
			options.peers[options.n_peers++] = r;
	replicator->owner = region;
	replicator->until = UINT64_MAX;
	replicator->asker = (struct link_asker){.region = region->options.region,
	    .name = sim__name(region->options.region, replicator->name),
	    .instance = region->lives,
	    .batch_bytes = region->options.batch_bytes != 0 ? region->options.batch_bytes : BATCH_BYTES};
	if ((replicator->link = link_new(&options)) == NULL) {
		sim_replicator_free(replicator);
		return NULL;
	}
	replicator->asker.link = replicator->link;
	return replicator;
}

void
sim_replicator_free(struct sim_replicator *replicator)
{
	if (replicator == NULL)
		return;
	link_free(replicator->link, link_payload_free);
	link_asker_fini(&replicator->asker);
	free(replicator->calls);
	free(replicator);
}

/* --- calls --- */

/* NULL: no memory. */
static struct call *
call_add(struct sim_replicator *replicator, struct sim_node to, uint32_t ms_max)
{
	struct call *call;

	if (replicator->n_calls == replicator->room) {
		uint32_t room = replicator->room == 0 ? 64 : replicator->room * 2;
		struct call *calls = realloc(replicator->calls, room * sizeof *calls);

		if (calls == NULL)
			return NULL;
		replicator->calls = calls;
		replicator->room = room;
	}
	call = &replicator->calls[replicator->n_calls++];
	*call = (struct call){
	    .number = ++replicator->owner->calls, .to = to, .until = sim__now(replicator->owner) + ms_max};
	if (call->until < replicator->until)
		replicator->until = call->until;
	return call;
}

static struct call
call_take(struct sim_replicator *replicator, uint32_t i)
{
	struct call call = replicator->calls[i];

	replicator->calls[i] = replicator->calls[--replicator->n_calls];
	return call;
}

static void
answer_guest(struct sim_replicator *replicator, struct sim_node guest, uint64_t call, struct bytes answer)
{
	struct buf packed = {0};
	bool smaller = link_message_compress(answer, &packed);

	sim__send(
	    replicator->owner, SIM_REPLICATOR, guest, call, true, smaller ? buf_bytes(&packed) : answer);
	buf_fini(&packed);
}

static void
refuse_guest(
    struct sim_replicator *replicator, struct sim_node guest, uint64_t call, tide_err code, const char *text)
{
	struct wire_message message = {
	    .type = WIRE_ERROR, .error = {.code = code, .message = bytes_of_string(text)}};
	struct buf out = {0};

	if (wire_encode(&message, &out) == TIDE_OK)
		sim__send(replicator->owner, SIM_REPLICATOR, guest, call, true, buf_bytes(&out));
	buf_fini(&out);
}

/* No answer came, nor will. */
static void
call_failed(struct sim_replicator *replicator, const struct call *call, tide_err code, const char *text)
{
	if (call->guest.region != 0)
		refuse_guest(replicator, call->guest, call->guest_call, TIDE_UNAVAILABLE,
		    "the region's API process does not answer");
	else if (call->ticket != 0) {
		link_message_failed(replicator->link, sim__now(replicator->owner), call->ticket, code, text);
		replicator->busy = true;
	}
}

static bool
fail_late(struct sim_replicator *replicator)
{
	uint64_t now = sim__now(replicator->owner), until = UINT64_MAX;
	bool any = false;

	for (uint32_t i = 0; i < replicator->n_calls;) {
		if (now < replicator->calls[i].until) {
			if (replicator->calls[i].until < until)
				until = replicator->calls[i].until;
			i++;
			continue;
		}
		struct call call = call_take(replicator, i);

		call_failed(replicator, &call, TIDE_AGAIN, "Timed out");
		any = true;
	}
	replicator->until = until;
	return any;
}

/* --- what comes --- */

static void
release_raw(void *memory)
{
	struct raw *raw = memory;

	raw->owner->bytes_held -= raw->n;
	free(raw);
}

static void
hear(struct sim_replicator *replicator, uint64_t ticket, struct bytes message)
{
	struct raw *raw = malloc(sizeof *raw + message.n);
	struct link_raw answer;

	if (raw == NULL)
		return;
	raw->owner = replicator->owner;
	raw->n = message.n;
	raw->owner->bytes_held += message.n;
	if (message.n > 0)
		memcpy(raw->at, message.at, message.n);
	answer = (struct link_raw){bytes_of(raw->at, raw->n), raw, release_raw};
	link_message_came(replicator->link, sim__now(replicator->owner), ticket, &answer);
	if (answer.memory != NULL)
		release_raw(answer.memory);
	replicator->busy = true;
}

static void
take_answer(struct sim_replicator *replicator, struct sim_node from, uint64_t number, struct bytes message)
{
	for (uint32_t i = 0; i < replicator->n_calls; i++) {
		const struct call *at = &replicator->calls[i];
		struct call call;

		if (at->number != number || at->to.region != from.region || at->to.part != from.part)
			continue;
		call = call_take(replicator, i);
		if (call.guest.region != 0)
			answer_guest(replicator, call.guest, call.guest_call, message);
		else if (call.ticket != 0)
			hear(replicator, call.ticket, message);
		return;
	}
	/* Else it comes a second time, too late, or to a former process. */
}

/* A peer asks: pass it on. */
static void
take_request(struct sim_replicator *replicator, struct sim_node from, uint64_t number, struct bytes message)
{
	struct sim_node api = {replicator->owner->options.region, SIM_API};
	struct wire_message decoded;
	struct tide_error error;
	struct arena arena;
	struct call *call;

	arena_init(&arena, WIRE_ARENA_MAX);
	if (wire_decode(&arena, message, &decoded, &error) != TIDE_OK)
		refuse_guest(replicator, from, number, error.code, error.message);
	else if (!link_message_for_peers(decoded.type))
		refuse_guest(
		    replicator, from, number, TIDE_USAGE, "no request for another region's replicator");
	else if (!replicator->local)
		refuse_guest(
		    replicator, from, number, TIDE_UNAVAILABLE, "the region's API process is not there");
	else if ((call = call_add(replicator, api, GUEST_MS)) != NULL) {
		call->guest = from;
		call->guest_call = number;
		sim__send(replicator->owner, SIM_REPLICATOR, api, call->number, false, message);
	}
	arena_fini(&arena);
}

void
sim_replicator_deliver(
    struct sim_replicator *replicator, struct sim_node from, uint64_t call, bool answer, struct bytes message)
{
	if (answer)
		take_answer(replicator, from, call, message);
	else
		take_request(replicator, from, call, message);
}

void
sim_replicator_connected(struct sim_replicator *replicator, struct sim_node from, bool up)
{
	uint64_t now = sim__now(replicator->owner);
	bool own = from.region == replicator->owner->options.region;

	if (own)
		replicator->local = up;
	if (own && up)
		link_local_up(replicator->link, now);
	else if (own)
		link_local_down(replicator->link, now);
	else if (up)
		link_peer_up(replicator->link, now, from.region);
	else
		link_peer_down(replicator->link, now, from.region);
	replicator->busy = true;
	/* What was asked of a node that is gone fails; its answers have no way back. */
	for (uint32_t i = 0; !up && i < replicator->n_calls;) {
		if (replicator->calls[i].to.region != from.region) {
			i++;
			continue;
		}
		struct call call = call_take(replicator, i);

		call_failed(replicator, &call, TIDE_UNAVAILABLE, "Connection reset");
	}
}

/* --- what is to be done --- */

static const char *
name_of(void *arg, uint8_t region)
{
	struct sim_replicator *replicator = arg;
	static _Thread_local char name[16];

	return sim__name(region == 0 ? replicator->owner->options.region : region, name);
}

static void
note(struct sim_replicator *replicator, const struct link_action *action)
{
	struct buf line = {0};
	enum log_level level;
	const char *id;

	if (replicator->owner->env.say == NULL)
		return;
	id = link_message_note(action, name_of, replicator, &level, &line);
	if (buf_check(&line) == TIDE_OK && line.n > 0)
		log_line(level, id, "%.*s", (int)line.n - 1, (const char *)line.at + 1);
	buf_fini(&line);
}

static void
ask(struct sim_replicator *replicator, const struct link_action *action)
{
	uint64_t now = sim__now(replicator->owner);
	struct link_request request;
	struct tide_error error;
	struct buf out = {0};
	struct sim_node to;
	struct call *call;
	tide_err rc;

	replicator->asker.wall_ms = action->kind == LINK_HELLO
					? replicator->owner->env.wall_ms(
					      replicator->owner->env.arg, replicator->owner->options.region)
					: 0;
	if ((rc = link_message_ask(&replicator->asker, action, &request, &error)) == TIDE_OK &&
	    (rc = wire_encode(&request.message, &out)) == TIDE_OK) {
		to = request.to == 0 ? (struct sim_node){replicator->owner->options.region, SIM_API}
				     : (struct sim_node){request.to, SIM_REPLICATOR};
		if ((call = call_add(replicator, to, request.ms_max)) != NULL) {
			call->ticket = action->ticket;
			sim__send(
			    replicator->owner, SIM_REPLICATOR, to, call->number, false, buf_bytes(&out));
		} else
			rc = TIDE_NOMEM;
	}
	if (rc != TIDE_OK)
		link_message_failed(replicator->link, now, action->ticket, rc, tide_err_text(rc));
	buf_fini(&out);
	link_request_fini(&request);
}

/* Up to the first request: what is released or said on the way nobody else sees. */
static bool
act(struct sim_replicator *replicator)
{
	uint64_t now = sim__now(replicator->owner);
	struct link_action action;

	while (link_next(replicator->link, now, &action)) {
		replicator->busy = true;
		if (action.kind == LINK_DROP)
			link_payload_free(action.payload);
		else if (action.kind == LINK_NOTE)
			note(replicator, &action);
		else {
			ask(replicator, &action);
			return true;
		}
	}
	link_check(replicator->link);
	replicator->busy = false;
	replicator->wake = link_wake(replicator->link, now);
	return false;
}

unsigned
sim_replicator_ready(struct sim_replicator *replicator)
{
	uint64_t now = sim__now(replicator->owner);

	return (replicator->busy || now >= replicator->wake ? SIM_LINK : 0) |
	       (now >= replicator->until ? SIM_LATE : 0);
}

bool
sim_replicator_do(struct sim_replicator *replicator, enum sim_work work)
{
	return work == SIM_LATE ? fail_late(replicator) : act(replicator);
}

uint64_t
sim_replicator_wake(struct sim_replicator *replicator)
{
	if (replicator->busy)
		return sim__now(replicator->owner);
	return replicator->until < replicator->wake ? replicator->until : replicator->wake;
}

struct sim_load
sim_replicator_load(const struct sim_replicator *replicator)
{
	return (struct sim_load){.requests = replicator->n_calls};
}
