#include "replicator/wire.h"

#include <xxhash.h>
#include <zstd.h>

#include "replicator/wire_io.h"

#define COMPRESS_LEVEL 1 /* a link's bytes cost less than a region's processor */
#define MEMBERS_MAX 256
#define ORIGINS_MAX 4096

/* One function per struct: its fields in their order on the wire, for writing and reading. */

static void
message_error(struct io *io, struct wire_error *m)
{
	io_code(io, &m->code);
	io_u64(io, &m->table);
	io_bytes(io, &m->message);
}

static void
message_done(struct io *io, struct wire_done *m)
{
	(void)io;
	m->nothing = 0;
}

static void
fields_boot(struct io *io, struct wire_boot *b)
{
	struct io_array around = io_open(io);

	io_bool(io, &b->under_way);
	io_u8(io, &b->source);
	io_u64(io, &b->snapshot);
	io_bytes(io, &b->cursor);
	io_u64(io, &b->items_loaded);
	io_u64(io, &b->items_expected);
	io_close(io, around);
}

static void
fields_table(struct io *io, struct wire_table *t)
{
	struct io_array around = io_open(io);

	io_u64(io, &t->id);
	io_u8(io, &t->state);
	io_bool(io, &t->shared);
	io_vector(io, &t->vector);
	io_vector(io, &t->position);
	fields_boot(io, &t->boot);
	io_u8(io, &t->rejoin);
	io_close(io, around);
}

static void
fields_member(struct io *io, struct wire_member *m)
{
	struct io_array around = io_open(io);

	io_u8(io, &m->region);
	io_u16(io, &m->incarnation);
	io_u64(io, &m->nonce);
	io_bool(io, &m->counted);
	io_bool(io, &m->lost);
	io_u64(io, &m->ahead_ms);
	io_close(io, around);
}

static void
fields_question(struct io *io, struct wire_question *q)
{
	struct io_array around = io_open(io);

	io_u64(io, &q->table);
	io_u64(io, &q->number);
	io_bytes(io, &q->staying);
	io_close(io, around);
}

static void
fields_through(struct io *io, struct wire_through *t)
{
	struct io_array around = io_open(io);

	io_u8(io, &t->region);
	io_u16(io, &t->incarnation);
	io_close(io, around);
}

static void
fields_dead(struct io *io, struct wire_dead *d)
{
	struct io_array around = io_open(io);

	io_u8(io, &d->region);
	io_u16(io, &d->incarnation);
	io_u64(io, &d->nonce);
	io_close(io, around);
}

/* An array of structs: what is around each is the same for all. */
#define ITEMS(io, items, n, max, fields)                                                                     \
	do {                                                                                                 \
		void *items_ = (items);                                                                      \
		struct io_array around_ = io_items((io), &items_, &(n), (max), sizeof *(items));             \
		(items) = items_;                                                                            \
		for (uint32_t i_ = 0; i_ < (n); i_++)                                                        \
			fields((io), &(items)[i_]);                                                          \
		io_items_end((io), around_);                                                                 \
	} while (0)

static void
message_state(struct io *io, struct wire_state *s)
{
	io_jid(io, &s->id);
	io_u64(io, &s->nonce);
	io_hlc(io, &s->clock);
	io_u64(io, &s->signature);
	ITEMS(io, s->tables, s->n_tables, WIRE_TABLES_MAX, fields_table);
	ITEMS(io, s->members, s->n_members, MEMBERS_MAX, fields_member);
	ITEMS(io, s->questions, s->n_questions, WIRE_TABLES_MAX, fields_question);
	ITEMS(io, s->closed, s->n_closed, MEMBERS_MAX, fields_through);
	ITEMS(io, s->dead, s->n_dead, MEMBERS_MAX, fields_dead);
}

static void
message_hello(struct io *io, struct wire_hello *h)
{
	struct io_array around;

	io_u8(io, &h->from);
	io_u8(io, &h->to);
	io_bytes(io, &h->name);
	io_jid(io, &h->id);
	io_u64(io, &h->nonce);
	io_hlc(io, &h->clock);
	io_u16(io, &h->known_incarnation);
	io_u64(io, &h->known_nonce);
	io_bool(io, &h->has_state);
	if (h->has_state) {
		around = io_open(io);
		message_state(io, &h->state);
		io_close(io, around);
	}
	io_bool(io, &h->known_lost);
	io_u64(io, &h->mark_table);
	io_mark(io, &h->mark);
	io_u64(io, &h->wall_ms);
	io_u64(io, &h->ahead_ms);
	io_bytes(io, &h->cluster);
}

static void
fields_wanted(struct io *io, struct wire_wanted *w)
{
	struct io_array around = io_open(io);

	io_u64(io, &w->table);
	io_u64(io, &w->after);
	io_close(io, around);
}

static void
message_ship_open(struct io *io, struct wire_ship_open *m)
{
	io_u8(io, &m->from);
	io_u64(io, &m->instance);
	io_jid(io, &m->origin);
	io_u64(io, &m->position);
	ITEMS(io, m->tables, m->n_tables, WIRE_TABLES_MAX, fields_wanted);
}

static void
message_ship_opened(struct io *io, struct wire_ship_opened *m)
{
	io_u64(io, &m->session);
}

static void
message_ship_next(struct io *io, struct wire_ship_next *m)
{
	io_u64(io, &m->session);
	io_u64(io, &m->bytes_max);
	io_bool(io, &m->urgent);
	io_u64(io, &m->got);
}

static void
fields_told(struct io *io, struct wire_told *t)
{
	struct io_array around = io_open(io);

	io_u64(io, &t->table);
	io_u8(io, &t->state);
	io_vector(io, &t->vector);
	io_close(io, around);
}

static void
message_records(struct io *io, struct wire_records *m)
{
	io_u64(io, &m->session);
	io_u64(io, &m->index);
	io_mark(io, &m->base);
	io_mark(io, &m->upto);
	io_bool(io, &m->at_end);
	io_u64(io, &m->behind);
	io_bool(io, &m->tells);
	io_hlc(io, &m->promise);
	ITEMS(io, m->told, m->n_told, WIRE_TABLES_MAX, fields_told);
	io_u32(io, &m->n_units);
	io_u32(io, &m->n_records);
	io_u64(io, &m->plain_bytes);
	io_bytes(io, &m->units);
}

static void
message_ship_close(struct io *io, struct wire_ship_close *m)
{
	io_u64(io, &m->session);
}

static void
message_snap_read(struct io *io, struct wire_snap_read *m)
{
	io_u64(io, &m->table);
	io_u64(io, &m->snapshot);
	io_bytes(io, &m->after);
	io_u64(io, &m->bytes_max);
}

static void
message_piece(struct io *io, struct wire_piece *m)
{
	io_u64(io, &m->table);
	io_u64(io, &m->snapshot);
	io_bytes(io, &m->after);
	io_bytes(io, &m->cursor);
	io_bool(io, &m->done);
	io_vector(io, &m->vector);
	io_vector(io, &m->position);
	io_hlc(io, &m->clock);
	io_u64(io, &m->items_expected);
	io_u64(io, &m->plain_bytes);
	io_bytes(io, &m->unit);
}

static void
message_leave_ask(struct io *io, struct wire_leave_ask *m)
{
	io_u8(io, &m->from);
	io_u64(io, &m->table);
	io_u64(io, &m->number);
	io_vector(io, &m->vector);
}

static void
message_leave_answer(struct io *io, struct wire_leave_answer *m)
{
	io_u64(io, &m->table);
	io_u64(io, &m->number);
	io_bool(io, &m->yes);
}

static void
message_leave_granted(struct io *io, struct wire_leave_granted *m)
{
	io_u8(io, &m->from);
	io_u64(io, &m->table);
	io_u64(io, &m->number);
}

static void
message_state_ask(struct io *io, struct wire_state_ask *m)
{
	io_u64(io, &m->signature);
}

static void
message_apply(struct io *io, struct wire_apply *m)
{
	struct io_array around;

	io_u64(io, &m->instance);
	io_u64(io, &m->stream);
	io_u64(io, &m->index);
	io_jid(io, &m->origin);
	io_u8(io, &m->via);
	io_u64s(io, &m->tables, &m->n_tables, WIRE_TABLES_MAX);
	around = io_open(io);
	message_records(io, &m->records);
	io_close(io, around);
	io_bool(io, &m->later);
}

static void
message_applied(struct io *io, struct wire_applied *m)
{
	io_u64(io, &m->index);
	io_code(io, &m->result);
	io_jid(io, &m->held_for);
	io_u64(io, &m->table);
	io_u32(io, &m->n_records);
	io_bytes(io, &m->message);
}

static void
message_load(struct io *io, struct wire_load *m)
{
	struct io_array around;

	io_u8(io, &m->source);
	around = io_open(io);
	message_piece(io, &m->piece);
	io_close(io, around);
}

static void
message_boot(struct io *io, struct wire_boot_ask *m)
{
	io_u64(io, &m->table);
	io_bool(io, &m->restart);
}

static void
message_member(struct io *io, struct wire_member_heard *m)
{
	struct io_array around = io_open(io);

	message_hello(io, &m->hello);
	io_close(io, around);
}

static void
fields_link(struct io *io, struct wire_link *l)
{
	struct io_array around = io_open(io);

	io_u8(io, &l->region);
	io_bool(io, &l->connected);
	io_bytes(io, &l->state);
	io_bytes(io, &l->reason);
	io_u64(io, &l->round_trip_us);
	io_u64(io, &l->bytes_per_second);
	io_u64(io, &l->records_per_second);
	io_u64(io, &l->retries);
	io_u64(io, &l->bytes);
	io_u64(io, &l->records);
	io_u64(io, &l->limit_bytes_per_second);
	io_u64(io, &l->postponed);
	io_close(io, around);
}

static void
fields_origin(struct io *io, struct wire_origin *o)
{
	struct io_array around = io_open(io);

	io_jid(io, &o->origin);
	io_u8(io, &o->via);
	io_bytes(io, &o->state);
	io_bytes(io, &o->reason);
	io_jid(io, &o->held_for);
	io_u64(io, &o->behind_records);
	io_u64(io, &o->behind_ms);
	io_u64(io, &o->applied_seq);
	io_close(io, around);
}

static void
fields_loading(struct io *io, struct wire_loading *l)
{
	struct io_array around = io_open(io);

	io_u64(io, &l->table);
	io_u8(io, &l->source);
	io_bytes(io, &l->state);
	io_u64(io, &l->items_per_second);
	io_close(io, around);
}

static void
message_links(struct io *io, struct wire_links *m)
{
	io_u64(io, &m->instance);
	ITEMS(io, m->links, m->n_links, MEMBERS_MAX, fields_link);
	ITEMS(io, m->origins, m->n_origins, ORIGINS_MAX, fields_origin);
	ITEMS(io, m->loadings, m->n_loadings, WIRE_TABLES_MAX, fields_loading);
}

static void
message_status_ask(struct io *io, struct wire_status_ask *m)
{
	(void)io;
	m->nothing = 0;
}

static void
message_status(struct io *io, struct wire_status *m)
{
	io_bytes(io, &m->json);
}

static void
message_rejoin(struct io *io, struct wire_rejoin *m)
{
	io_u64(io, &m->table);
}

static void
message_member_lost(struct io *io, struct wire_member_lost *m)
{
	io_bytes(io, &m->name);
}

static void
message_reincarnate(struct io *io, struct wire_reincarnate *m)
{
	io_bytes(io, &m->name);
}

static void
message_fields(struct io *io, struct wire_message *m)
{
	switch (m->type) {
#define X(type, member)                                                                                      \
	case WIRE_##type:                                                                                    \
		message_##member(io, &m->member);                                                            \
		break;
		WIRE_TYPES(X)
#undef X
	case WIRE_TYPES_N:
		break;
	}
}

struct mark
wire_state_last(const struct wire_state *state, struct jid origin, uint64_t *table)
{
	struct mark last = {0};

	*table = 0;
	for (uint32_t i = 0; i < state->n_tables; i++) {
		struct mark mark = vector_get(&state->tables[i].vector, origin);

		if (mark.seq <= last.seq)
			continue;
		last = mark;
		*table = state->tables[i].id;
	}
	return last;
}

tide_err
wire_encode(const struct wire_message *message, struct buf *out)
{
	struct wire_message copy =
	    *message; /* the field functions take what they may fill in; writing, they only read */
	struct io io = {.out = out};
	uint64_t protocol = WIRE_PROTOCOL, type = message->type;
	size_t begin = out->n;
	struct io_array around = io_open(&io);

	io_u64(&io, &protocol);
	io_u64(&io, &type);
	message_fields(&io, &copy);
	io_close(&io, around);
	if (buf_check(out) == TIDE_OK)
		buf_append_u64(out, XXH3_64bits(out->at + begin, out->n - begin));
	return buf_check(out);
}

tide_err
wire_decode(struct arena *arena, struct bytes in, struct wire_message *out, struct tide_error *error)
{
	memset(out, 0, sizeof *out);
	if (in.n < WIRE_SUM_BYTES)
		return tide_fail(error, TIDE_CORRUPT, "a message of %zu bytes", in.n);
	in.n -= WIRE_SUM_BYTES;
	if (bytes_u64(in.at + in.n) != XXH3_64bits(in.at, in.n))
		return tide_fail(
		    error, TIDE_CORRUPT, "a message of %zu bytes that was changed on its way", in.n);
	return wire_decode_body(arena, in, out, error);
}

tide_err
wire_decode_body(struct arena *arena, struct bytes in, struct wire_message *out, struct tide_error *error)
{
	struct io io = {.in = unpack_of(in), .arena = arena, .n = 1};
	uint64_t protocol = 0, type = 0;
	struct io_array around;

	memset(out, 0, sizeof *out);
	if (in.n == 0)
		return tide_fail(error, TIDE_CORRUPT, "an empty message");
	around = io_open(&io);
	io_u64(&io, &protocol);
	if (io.in.rc == TIDE_OK && protocol != WIRE_PROTOCOL)
		return tide_fail(error, TIDE_FORMAT,
		    "the peer speaks replication protocol %llu, this one speaks %d",
		    (unsigned long long)protocol, WIRE_PROTOCOL);
	io_u64(&io, &type);
	if (io.in.rc == TIDE_OK && type >= WIRE_TYPES_N)
		return tide_fail(
		    error, TIDE_FORMAT, "a message of type %llu is not known here", (unsigned long long)type);
	out->type = (enum wire_type)type;
	if (io.in.rc == TIDE_OK)
		message_fields(&io, out);
	io_close(&io, around);
	if (io.rc != TIDE_OK || io.in.rc != TIDE_OK || io.in.at != io.in.end)
		return tide_fail(error, io.rc != TIDE_OK ? io.rc : TIDE_CORRUPT,
		    "an unreadable %s message of %zu bytes", wire_type_name(out->type), in.n);
	return TIDE_OK;
}

const char *
wire_type_name(enum wire_type type)
{
	static const char *const names[] = {
#define X(type, member) #type,
	    WIRE_TYPES(X)
#undef X
	};

	return type < WIRE_TYPES_N ? names[type] : "unknown";
}

bool
wire_compress(struct bytes plain, struct buf *out, uint64_t *plain_bytes)
{
	size_t bound = ZSTD_compressBound(plain.n), n;
	uint8_t *to;

	if (plain.n < WIRE_COMPRESS_MIN || (to = buf_reserve(out, bound)) == NULL)
		return false;
	n = ZSTD_compress(to, bound, plain.at, plain.n, COMPRESS_LEVEL);
	if (ZSTD_isError(n) || n >= plain.n)
		return false;
	out->n += n;
	*plain_bytes = plain.n;
	return true;
}

tide_err
wire_decompress(struct bytes packed, uint64_t plain_bytes, struct buf *out)
{
	uint8_t *to;
	size_t n;

	if (plain_bytes > WIRE_UNITS_MAX)
		return TIDE_CORRUPT;
	if ((to = buf_reserve(out, (size_t)plain_bytes)) == NULL)
		return TIDE_NOMEM;
	n = ZSTD_decompress(to, (size_t)plain_bytes, packed.at, packed.n);
	if (ZSTD_isError(n) || n != plain_bytes)
		return TIDE_CORRUPT;
	out->n += n;
	return TIDE_OK;
}
