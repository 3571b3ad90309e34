#include "replicator/link_message.h"

#include <assert.h>
#include <stdlib.h>

#define HELLO_MS 4000
#define OPEN_MS 10000
#define NEXT_MS 8000 /* held for a second there */
#define READ_MS 30000
#define STATE_MS 10000
#define APPLY_MS 120000 /* a store may stall for half a minute */

/* A batch or a piece: what the machine holds a pointer to. */
struct link_payload {
	struct arena arena;
	struct wire_message message; /* borrows from `raw` */
	struct link_raw raw;
};

/* --- asking --- */

void
link_asker_fini(struct link_asker *asker)
{
	free(asker->wanted);
	free(asker->tables);
}

void
link_request_fini(struct link_request *request)
{
	buf_fini(&request->plain);
}

/* Room to list all tables of a state. */
static tide_err
make_room(struct link_asker *asker, uint32_t n)
{
	struct wire_wanted *wanted;
	uint64_t *tables;

	if (n < asker->room)
		return TIDE_OK;
	if ((wanted = realloc(asker->wanted, (n + 1) * 2 * sizeof *wanted)) == NULL)
		return TIDE_NOMEM;
	asker->wanted = wanted;
	if ((tables = realloc(asker->tables, (n + 1) * 2 * sizeof *tables)) == NULL)
		return TIDE_NOMEM;
	asker->tables = tables;
	asker->room = (n + 1) * 2;
	return TIDE_OK;
}

static void
ask_hello(struct link_asker *asker, const struct link_action *action, struct wire_message *out)
{
	const struct wire_state *ours = action->state->state;

	out->type = WIRE_HELLO;
	out->hello = (struct wire_hello){.from = asker->region,
	    .to = action->source,
	    .name = bytes_of_string(asker->name),
	    .id = ours->id,
	    .nonce = ours->nonce,
	    .clock = ours->clock};
	if (asker->cluster != NULL)
		out->hello.cluster = bytes_of_string(asker->cluster);
	for (uint32_t i = 0; i < ours->n_members; i++) {
		if (ours->members[i].region != action->source)
			continue;
		out->hello.known_incarnation = ours->members[i].incarnation;
		out->hello.known_nonce = ours->members[i].nonce;
		out->hello.known_lost = ours->members[i].lost;
		out->hello.ahead_ms = ours->members[i].ahead_ms;
		out->hello.mark = wire_state_last(ours,
		    jid_make(action->source, ours->members[i].incarnation, jid_shard(ours->id)),
		    &out->hello.mark_table);
	}
	out->hello.wall_ms = asker->wall_ms;
}

static tide_err
ask_open(struct link_asker *asker, const struct link_action *action, struct wire_message *out)
{
	uint32_t n = action->state->n_following;

	if (make_room(asker, n) != TIDE_OK)
		return TIDE_NOMEM;
	out->type = WIRE_SHIP_OPEN;
	out->ship_open = (struct wire_ship_open){.from = asker->region,
	    .instance = asker->instance,
	    .origin = action->origin,
	    .position = link_state_wanted(action->state, action->origin, asker->wanted),
	    .tables = asker->wanted,
	    .n_tables = n};
	for (uint32_t i = 0; i < n; i++)
		if (asker->link != NULL && link_level(asker->link, action->origin, asker->wanted[i].table))
			asker->wanted[i].after = WIRE_WANTED_ALL;
	return TIDE_OK;
}

static void
ask_leave(struct link_asker *asker, const struct link_action *action, struct wire_message *out)
{
	const struct wire_state *ours = action->state->state;

	out->type = WIRE_LEAVE_ASK;
	out->leave_ask =
	    (struct wire_leave_ask){.from = asker->region, .table = action->table, .number = action->number};
	for (uint32_t i = 0; i < ours->n_tables; i++)
		if (ours->tables[i].id == action->table)
			out->leave_ask.vector = ours->tables[i].vector;
}

/* Payloads travel compressed; the API process gets them plain. */
static tide_err
unpack(struct bytes *payload, uint64_t *plain_bytes, struct buf *plain)
{
	tide_err rc;

	if (*plain_bytes == 0)
		return TIDE_OK;
	if ((rc = wire_decompress(*payload, *plain_bytes, plain)) != TIDE_OK)
		return rc;
	*payload = buf_bytes(plain);
	*plain_bytes = 0;
	return TIDE_OK;
}

static tide_err
ask_apply(struct link_asker *asker, const struct link_action *action, struct link_request *out)
{
	const struct link_payload *payload = action->payload;
	struct wire_apply *apply = &out->message.apply;
	uint32_t n = action->state->n_following;

	if (make_room(asker, n) != TIDE_OK)
		return TIDE_NOMEM;
	link_state_wanted(action->state, action->origin, asker->wanted);
	for (uint32_t i = 0; i < n; i++)
		asker->tables[i] = asker->wanted[i].table;
	out->message.type = WIRE_APPLY;
	*apply = (struct wire_apply){.instance = asker->instance,
	    .stream = action->stream,
	    .index = action->index,
	    .origin = action->origin,
	    .via = action->source,
	    .tables = asker->tables,
	    .n_tables = n,
	    .records = payload->message.records,
	    .later = action->later};
	return unpack(&apply->records.units, &apply->records.plain_bytes, &out->plain);
}

static tide_err
ask_load(const struct link_action *action, struct link_request *out)
{
	const struct link_payload *payload = action->payload;
	struct wire_load *load = &out->message.load;

	out->message.type = WIRE_LOAD;
	*load = (struct wire_load){.source = action->source, .piece = payload->message.piece};
	return unpack(&load->piece.unit, &load->piece.plain_bytes, &out->plain);
}

/* To our own API process. */
static tide_err
ask_local(struct link_asker *asker, const struct link_action *action, struct link_request *out)
{
	struct wire_message *message = &out->message;

	out->to = 0;
	out->ms_max = APPLY_MS;
	switch (action->kind) {
	case LINK_ASK_STATE:
		out->ms_max = STATE_MS;
		message->type = WIRE_STATE_ASK;
		message->state_ask.signature = action->signature;
		return TIDE_OK;
	case LINK_APPLY:
		return ask_apply(asker, action, out);
	case LINK_LOAD:
		return ask_load(action, out);
	case LINK_BOOT:
		message->type = WIRE_BOOT;
		message->boot = (struct wire_boot_ask){action->table, action->restart};
		return TIDE_OK;
	case LINK_MEMBER:
		message->type = WIRE_MEMBER;
		message->member.hello = action->state->message.hello;
		message->member.hello.has_state = action->whole;
		return TIDE_OK;
	default:
		assert(action->kind == LINK_LEAVE_GRANTED);
		message->type = WIRE_LEAVE_GRANTED;
		message->leave_granted =
		    (struct wire_leave_granted){action->source, action->table, action->number};
		return TIDE_OK;
	}
}

static tide_err
ask(struct link_asker *asker, const struct link_action *action, struct link_request *out)
{
	struct wire_message *message = &out->message;

	out->to = action->source;
	out->ms_max = HELLO_MS;
	switch (action->kind) {
	case LINK_HELLO:
		ask_hello(asker, action, message);
		return TIDE_OK;
	case LINK_OPEN:
		out->ms_max = OPEN_MS;
		return ask_open(asker, action, message);
	case LINK_NEXT:
		out->ms_max = NEXT_MS;
		message->type = WIRE_SHIP_NEXT;
		message->ship_next = (struct wire_ship_next){.session = action->session,
		    .bytes_max = asker->batch_bytes,
		    .urgent = action->urgent,
		    .got = action->got};
		return TIDE_OK;
	case LINK_CLOSE:
		message->type = WIRE_SHIP_CLOSE;
		message->ship_close.session = action->session;
		return TIDE_OK;
	case LINK_READ:
		out->ms_max = READ_MS;
		message->type = WIRE_SNAP_READ;
		message->snap_read = (struct wire_snap_read){.table = action->table,
		    .snapshot = action->snapshot,
		    .after = action->cursor,
		    .bytes_max = asker->batch_bytes};
		return TIDE_OK;
	case LINK_LEAVE_ASK:
		ask_leave(asker, action, message);
		return TIDE_OK;
	default:
		return ask_local(asker, action, out);
	}
}

tide_err
link_message_ask(struct link_asker *asker, const struct link_action *action, struct link_request *out,
    struct tide_error *error)
{
	tide_err rc;

	memset(out, 0, sizeof *out);
	if ((rc = ask(asker, action, out)) != TIDE_OK)
		return tide_fail(error, rc, rc == TIDE_NOMEM ? NULL : "a batch that cannot be unpacked");
	return TIDE_OK;
}

/* --- hearing --- */

void
link_payload_free(void *payload)
{
	struct link_payload *p = payload;

	if (p == NULL)
		return;
	arena_fini(&p->arena);
	if (p->raw.memory != NULL)
		p->raw.release(p->raw.memory);
	free(p);
}

void
link_message_failed(struct link *link, uint64_t now, uint64_t ticket, tide_err code, const char *text)
{
	struct wire_error error = {.code = code, .message = bytes_of_string(text)};

	link_failed(link, now, ticket, &error);
}

/* A STATE or HELLO is copied out of the message: the machine keeps it. */
static void
hear_state(struct link *link, uint64_t now, uint64_t ticket, struct bytes bytes, enum wire_type type)
{
	struct link_state *state;
	struct tide_error error;

	if (link_state_decode(bytes, &state, &error) != TIDE_OK)
		link_message_failed(link, now, ticket, error.code, error.message);
	else if (type == WIRE_STATE)
		link_state_came(link, now, ticket, state);
	else
		link_hello_came(link, now, ticket, state);
}

static bool
hear_records(struct link *link, uint64_t now, uint64_t ticket, struct link_payload *payload)
{
	const struct wire_records *records = &payload->message.records;
	struct link_batch batch = {.index = records->index,
	    .n_records = records->n_records,
	    .bytes = payload->raw.bytes.n,
	    .at_end = records->at_end,
	    .empty = records->n_records == 0,
	    .upto_seq = records->upto.seq,
	    .behind = records->behind,
	    .payload = payload};

	return link_records(link, now, ticket, &batch);
}

static bool
hear_piece(struct link *link, uint64_t now, uint64_t ticket, struct link_payload *payload)
{
	const struct wire_piece *from = &payload->message.piece;
	struct link_piece piece = {.snapshot = from->snapshot,
	    .cursor = from->cursor,
	    .done = from->done,
	    .bytes = payload->raw.bytes.n,
	    .payload = payload};

	return link_piece_came(link, now, ticket, &piece);
}

/* True: the machine holds the payload now. What else there is was understood by the time this returns. */
static bool
hear(struct link *link, uint64_t now, uint64_t ticket, struct link_payload *payload)
{
	const struct wire_message *message = &payload->message;

	switch (message->type) {
	case WIRE_ERROR:
		link_failed(link, now, ticket, &message->error);
		return false;
	case WIRE_DONE:
		link_done(link, now, ticket);
		return false;
	case WIRE_STATE:
	case WIRE_HELLO:
		hear_state(link, now, ticket, payload->raw.bytes, message->type);
		return false;
	case WIRE_SHIP_OPENED:
		link_opened(link, now, ticket, message->ship_opened.session);
		return false;
	case WIRE_APPLIED:
		link_applied(link, now, ticket, &message->applied);
		return false;
	case WIRE_LEAVE_ANSWER:
		link_leave_answer(link, now, ticket, message->leave_answer.yes);
		return false;
	case WIRE_RECORDS:
		return hear_records(link, now, ticket, payload);
	case WIRE_PIECE:
		return hear_piece(link, now, ticket, payload);
	default:
		link_message_failed(link, now, ticket, TIDE_CORRUPT, "an answer of a wrong kind");
		return false;
	}
}

enum wire_type
link_message_came(struct link *link, uint64_t now, uint64_t ticket, struct link_raw *raw)
{
	struct link_payload *payload = calloc(1, sizeof *payload);
	enum wire_type type = WIRE_TYPES_N;
	struct tide_error error;

	if (payload == NULL) {
		link_message_failed(link, now, ticket, TIDE_NOMEM, "out of memory");
		return type;
	}
	arena_init(&payload->arena, WIRE_ARENA_MAX);
	payload->raw = *raw;
	raw->memory = NULL;
	if (wire_decode(&payload->arena, raw->bytes, &payload->message, &error) != TIDE_OK) {
		link_message_failed(link, now, ticket, error.code, error.message);
		link_payload_free(payload);
		return type;
	}
	type = payload->message.type;
	if (!hear(link, now, ticket, payload))
		link_payload_free(payload);
	return type;
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

const char *
link_message_note(const struct link_action *action, const char *(*name)(void *arg, uint8_t region), void *arg,
    enum log_level *level, struct buf *out)
{
	const char *id = note_ids[action->note].id;

	*level = note_ids[action->note].level;
	if (action->source != 0)
		buf_append_format(out, " peer=%s", name(arg, action->source));
	if (!jid_same(action->origin, JID_NONE))
		buf_append_format(out, " origin=%u.%u.%u", jid_region(action->origin),
		    jid_incarnation(action->origin), jid_shard(action->origin));
	if (action->note == NOTE_HELD && jid_same(action->held_for, JID_NONE))
		buf_append_string(out, " for=clock");
	else if (action->note == NOTE_HELD)
		buf_append_format(out, " for=%u.%u.%u", jid_region(action->held_for),
		    jid_incarnation(action->held_for), jid_shard(action->held_for));
	if (action->table != 0)
		buf_append_format(out, " table=%016llx", (unsigned long long)action->table);
	if (action->reason[0] != 0)
		buf_append_format(out, " why=\"%s\"", action->reason);
	if (out->n == 0)
		buf_append_format(out, " region=%s", name(arg, 0));
	return id;
}

/* --- what peers ask --- */

bool
link_message_for_peers(enum wire_type type)
{
	return type == WIRE_HELLO || type == WIRE_SHIP_OPEN || type == WIRE_SHIP_NEXT ||
	       type == WIRE_SHIP_CLOSE || type == WIRE_SNAP_READ || type == WIRE_LEAVE_ASK;
}

bool
link_message_compress(struct bytes answer, struct buf *out)
{
	struct wire_message message;
	struct buf packed = {0};
	struct arena arena;
	bool smaller = false;

	if (answer.n < WIRE_COMPRESS_MIN)
		return false;
	arena_init(&arena, WIRE_ARENA_MAX);
	if (wire_decode(&arena, answer, &message, NULL) == TIDE_OK) {
		if (message.type == WIRE_RECORDS && message.records.plain_bytes == 0) {
			smaller = wire_compress(message.records.units, &packed, &message.records.plain_bytes);
			if (smaller)
				message.records.units = buf_bytes(&packed);
		} else if (message.type == WIRE_PIECE && message.piece.plain_bytes == 0) {
			smaller = wire_compress(message.piece.unit, &packed, &message.piece.plain_bytes);
			if (smaller)
				message.piece.unit = buf_bytes(&packed);
		}
		smaller = smaller && wire_encode(&message, out) == TIDE_OK;
	}
	arena_fini(&arena);
	buf_fini(&packed);
	return smaller;
}
