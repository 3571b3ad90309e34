/* What the machine wants done, done. */
#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "replicator/daemon_priv.h"

#define HELLO_MS 4000
#define OPEN_MS 10000
#define NEXT_MS 8000 /* held for a second there */
#define READ_MS 30000
#define STATE_MS 10000
#define APPLY_MS 120000 /* a store may stall for half a minute */

/* Send; a request that could not be sent fails like one that got no answer. */
static void
ask(struct daemon *daemon, struct daemon_peer *peer, const struct wire_message *message, uint32_t ms_max,
    uint64_t ticket, uint64_t now)
{
	struct wire_error error = {.code = TIDE_UNAVAILABLE};
	tide_err rc;

	if (peer == NULL) {
		error.message = bytes_of_string("no such peer");
		link_failed(daemon->link, now, ticket, &error);
		return;
	}
	rc = client_ask(peer->client, client_message(message), ms_max, ticket, daemon__call_done, daemon);
	if (rc != TIDE_OK && ticket != 0) {
		error.message =
		    bytes_of_string(rc == TIDE_AGAIN ? "too many requests are under way" : tide_err_text(rc));
		link_failed(daemon->link, now, ticket, &error);
	}
}

/* Room to list all tables of a state. */
static bool
make_room(struct daemon *daemon, uint32_t n)
{
	struct wire_wanted *wanted;
	uint64_t *tables;

	if (n < daemon->wanted_room)
		return true;
	if ((wanted = realloc(daemon->wanted, (n + 1) * 2 * sizeof *wanted)) == NULL)
		return false;
	daemon->wanted = wanted;
	if ((tables = realloc(daemon->tables, (n + 1) * 2 * sizeof *tables)) == NULL)
		return false;
	daemon->tables = tables;
	daemon->wanted_room = (n + 1) * 2;
	return true;
}

static const struct wire_member *
member_of(const struct wire_state *state, uint8_t region)
{
	for (uint32_t i = 0; i < state->n_members; i++)
		if (state->members[i].region == region)
			return &state->members[i];
	return NULL;
}

static void
act_hello(struct daemon *daemon, const struct link_action *action, uint64_t now)
{
	struct daemon_peer *peer = daemon__peer(daemon, action->source);
	const struct wire_state *ours = action->state->state;
	const struct wire_member *known = member_of(ours, action->source);
	struct wire_message message = {.type = WIRE_HELLO,
	    .hello = {.from = daemon->config.number,
		.to = action->source,
		.name = bytes_of_string(daemon->config.region),
		.id = ours->id,
		.nonce = ours->nonce,
		.clock = ours->clock}};

	if (known != NULL) {
		message.hello.known_incarnation = known->incarnation;
		message.hello.known_nonce = known->nonce;
	}
	if (peer != NULL)
		peer->hello_us = daemon__now_us();
	ask(daemon, peer, &message, HELLO_MS, action->ticket, now);
}

static void
act_member(struct daemon *daemon, const struct link_action *action, uint64_t now)
{
	struct wire_message message = {.type = WIRE_MEMBER, .member = {action->state->message.hello}};

	message.member.hello.has_state = false;
	ask(daemon, &daemon->local, &message, APPLY_MS, action->ticket, now);
}

static void
act_open(struct daemon *daemon, const struct link_action *action, uint64_t now)
{
	struct wire_message message = {.type = WIRE_SHIP_OPEN,
	    .ship_open = {
		.from = daemon->config.number, .instance = daemon->instance, .origin = action->origin}};

	if (!make_room(daemon, action->state->n_following)) {
		struct wire_error error = {.code = TIDE_NOMEM, .message = bytes_of_string("out of memory")};

		link_failed(daemon->link, now, action->ticket, &error);
		return;
	}
	message.ship_open.position = link_state_wanted(action->state, action->origin, daemon->wanted);
	message.ship_open.tables = daemon->wanted;
	message.ship_open.n_tables = action->state->n_following;
	ask(daemon, daemon__peer(daemon, action->source), &message, OPEN_MS, action->ticket, now);
}

static void
act_next(struct daemon *daemon, const struct link_action *action, uint64_t now)
{
	struct wire_message message = {.type = WIRE_SHIP_NEXT,
	    .ship_next = {.session = action->session,
		.bytes_max = (uint64_t)daemon->config.replication.batch_kb << 10,
		.urgent = action->urgent}};

	ask(daemon, daemon__peer(daemon, action->source), &message, NEXT_MS, action->ticket, now);
}

static void
act_close(struct daemon *daemon, const struct link_action *action, uint64_t now)
{
	struct wire_message message = {.type = WIRE_SHIP_CLOSE, .ship_close = {.session = action->session}};

	ask(daemon, daemon__peer(daemon, action->source), &message, HELLO_MS, action->ticket, now);
}

static void
act_read(struct daemon *daemon, const struct link_action *action, uint64_t now)
{
	struct wire_message message = {.type = WIRE_SNAP_READ,
	    .snap_read = {.table = action->table,
		.snapshot = action->snapshot,
		.after = action->cursor,
		.bytes_max = (uint64_t)daemon->config.replication.batch_kb << 10}};

	ask(daemon, daemon__peer(daemon, action->source), &message, READ_MS, action->ticket, now);
}

static void
act_leave_ask(struct daemon *daemon, const struct link_action *action, uint64_t now)
{
	struct wire_message message = {.type = WIRE_LEAVE_ASK,
	    .leave_ask = {.from = daemon->config.number, .table = action->table, .number = action->number}};

	for (uint32_t i = 0; i < action->state->state->n_tables; i++)
		if (action->state->state->tables[i].id == action->table)
			message.leave_ask.vector = action->state->state->tables[i].vector;
	ask(daemon, daemon__peer(daemon, action->source), &message, HELLO_MS, action->ticket, now);
}

/* Payloads travel compressed; the API process gets them plain. False: it cannot be unpacked, and the request has failed. */
static bool
unpack(struct daemon *daemon, const struct link_action *action, struct bytes *payload, uint64_t *plain_bytes,
    struct buf *plain, uint64_t now)
{
	struct wire_error error;
	tide_err rc;

	if (*plain_bytes == 0)
		return true;
	if ((rc = wire_decompress(*payload, *plain_bytes, plain)) == TIDE_OK) {
		*payload = buf_bytes(plain);
		*plain_bytes = 0;
		return true;
	}
	error =
	    (struct wire_error){.code = rc, .message = bytes_of_string("a batch that cannot be unpacked")};
	link_failed(daemon->link, now, action->ticket, &error);
	return false;
}

static void
act_apply(struct daemon *daemon, const struct link_action *action, uint64_t now)
{
	const struct payload *payload = action->payload;
	struct wire_message message = {.type = WIRE_APPLY,
	    .apply = {.instance = daemon->instance,
		.stream = action->stream,
		.index = action->index,
		.origin = action->origin,
		.via = action->source,
		.records = payload->message.records}};
	struct buf plain = {0};

	if (!make_room(daemon, action->state->n_following)) {
		struct wire_error error = {.code = TIDE_NOMEM, .message = bytes_of_string("out of memory")};

		link_failed(daemon->link, now, action->ticket, &error);
		return;
	}
	link_state_wanted(action->state, action->origin, daemon->wanted);
	for (uint32_t i = 0; i < action->state->n_following; i++)
		daemon->tables[i] = daemon->wanted[i].table;
	message.apply.tables = daemon->tables;
	message.apply.n_tables = action->state->n_following;
	if (unpack(daemon, action, &message.apply.records.units, &message.apply.records.plain_bytes, &plain,
		now))
		ask(daemon, &daemon->local, &message, APPLY_MS, action->ticket, now);
	buf_fini(&plain);
}

static void
act_load(struct daemon *daemon, const struct link_action *action, uint64_t now)
{
	const struct payload *payload = action->payload;
	struct wire_message message = {
	    .type = WIRE_LOAD, .load = {.source = action->source, .piece = payload->message.piece}};
	struct buf plain = {0};

	if (unpack(daemon, action, &message.load.piece.unit, &message.load.piece.plain_bytes, &plain, now))
		ask(daemon, &daemon->local, &message, APPLY_MS, action->ticket, now);
	buf_fini(&plain);
}

/* --- the log --- */

static const struct {
	enum log_level level;
	const char *id;
} note_ids[] = {
    [NOTE_CONNECTED] = {LOG_INFO, "REPL-CONNECTED"},
    [NOTE_DISCONNECTED] = {LOG_WARN, "REPL-DISCONNECTED"},
    [NOTE_REFUSED] = {LOG_ERROR, "REPL-REFUSED"},
    [NOTE_SESSION] = {LOG_INFO, "REPL-SESSION"},
    [NOTE_SESSION_LOST] = {LOG_INFO, "REPL-SESSION-LOST"},
    [NOTE_GAP] = {LOG_INFO, "REPL-GAP"},
    [NOTE_HELD] = {LOG_WARN, "REPL-HELD"},
    [NOTE_FORKED] = {LOG_ERROR, "REPL-FORKED"},
    [NOTE_BELOW_FLOOR] = {LOG_WARN, "REPL-BELOW-FLOOR"},
    [NOTE_BOOT_START] = {LOG_INFO, "REPL-BOOT"},
    [NOTE_BOOT_DONE] = {LOG_INFO, "REPL-BOOT-DONE"},
    [NOTE_BOOT_FAILED] = {LOG_WARN, "REPL-BOOT-FAILED"},
    [NOTE_LOCAL_DOWN] = {LOG_WARN, "REPL-API-DOWN"},
    [NOTE_LOCAL_UP] = {LOG_INFO, "REPL-API-UP"},
};

static const char *
name_of(const struct daemon *daemon, uint8_t region)
{
	for (uint32_t i = 0; i < daemon->config.replication.n_peers; i++)
		if (daemon->config.replication.peers[i].number == region)
			return daemon->config.replication.peers[i].region;
	return region == daemon->config.number ? daemon->config.region : "-";
}

static void
act_note(struct daemon *daemon, const struct link_action *action)
{
	char text[512];
	struct buf line = {0};

	if (action->source != 0)
		buf_append_format(&line, " peer=%s", name_of(daemon, action->source));
	if (!jid_same(action->origin, JID_NONE))
		buf_append_format(&line, " origin=%u.%u.%u", jid_region(action->origin),
		    jid_incarnation(action->origin), jid_shard(action->origin));
	if (action->note == NOTE_HELD && jid_same(action->held_for, JID_NONE))
		buf_append_string(&line, " for=clock");
	else if (action->note == NOTE_HELD)
		buf_append_format(&line, " for=%u.%u.%u", jid_region(action->held_for),
		    jid_incarnation(action->held_for), jid_shard(action->held_for));
	if (action->table != 0)
		buf_append_format(&line, " table=%016llx", (unsigned long long)action->table);
	if (action->reason[0] != 0)
		buf_append_format(&line, " why=\"%s\"", action->reason);
	if (line.n > 0 && line.n < sizeof text) {
		memcpy(text, line.at + 1, line.n - 1);
		text[line.n - 1] = 0;
		log_line(note_ids[action->note].level, note_ids[action->note].id, "%s", text);
	} else
		log_line(note_ids[action->note].level, note_ids[action->note].id, "region=%s",
		    daemon->config.region);
	buf_fini(&line);
}

/* --- */

static void
act_local(struct daemon *daemon, const struct link_action *action, uint64_t now)
{
	struct wire_message message = {0};

	switch (action->kind) {
	case LINK_ASK_STATE:
		message.type = WIRE_STATE_ASK;
		message.state_ask.signature = action->signature;
		ask(daemon, &daemon->local, &message, STATE_MS, action->ticket, now);
		break;
	case LINK_BOOT:
		message.type = WIRE_BOOT;
		message.boot = (struct wire_boot_ask){action->table, action->restart};
		ask(daemon, &daemon->local, &message, APPLY_MS, action->ticket, now);
		break;
	default:
		assert(action->kind == LINK_LEAVE_GRANTED);
		message.type = WIRE_LEAVE_GRANTED;
		message.leave_granted =
		    (struct wire_leave_granted){action->source, action->table, action->number};
		ask(daemon, &daemon->local, &message, APPLY_MS, action->ticket, now);
	}
}

void
daemon__act(struct daemon *daemon, const struct link_action *action, uint64_t now)
{
	switch (action->kind) {
	case LINK_ASK_STATE:
	case LINK_BOOT:
	case LINK_LEAVE_GRANTED:
		act_local(daemon, action, now);
		break;
	case LINK_APPLY:
		act_apply(daemon, action, now);
		break;
	case LINK_LOAD:
		act_load(daemon, action, now);
		break;
	case LINK_MEMBER:
		act_member(daemon, action, now);
		break;
	case LINK_HELLO:
		act_hello(daemon, action, now);
		break;
	case LINK_OPEN:
		act_open(daemon, action, now);
		break;
	case LINK_NEXT:
		act_next(daemon, action, now);
		break;
	case LINK_CLOSE:
		act_close(daemon, action, now);
		break;
	case LINK_READ:
		act_read(daemon, action, now);
		break;
	case LINK_LEAVE_ASK:
		act_leave_ask(daemon, action, now);
		break;
	case LINK_DROP:
		payload_free(action->payload);
		break;
	case LINK_NOTE:
		act_note(daemon, action);
		break;
	}
}

void
daemon__push_links(struct daemon *daemon, uint64_t now)
{
	struct wire_message message = {.type = WIRE_LINKS, .links = {.instance = daemon->instance}};
	struct arena arena;

	arena_init(&arena, 0);
	if (daemon->local.told_up && link_view(daemon->link, now, &arena, &message.links) == TIDE_OK) {
		for (uint32_t i = 0; i < message.links.n_links; i++)
			message.links.links[i].round_trip_us =
			    daemon__peer(daemon, message.links.links[i].region)->round_trip_us;
		ask(daemon, &daemon->local, &message, HELLO_MS, 0, now);
	}
	arena_fini(&arena);
}
