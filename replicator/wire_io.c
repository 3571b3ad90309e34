#include "replicator/wire_io.h"

static void
fail(struct io *io, tide_err rc)
{
	if (io->rc == TIDE_OK)
		io->rc = rc;
	io->in.rc = TIDE_CORRUPT; /* so that no later read succeeds */
	io->in.at = io->in.end;
	io->n = 0;
}

/* Account for one field of the open array; false: there is none left to read. */
static bool
field(struct io *io)
{
	if (io_writing(io)) {
		io->n++;
		return true;
	}
	if (io->n == 0 || io->in.rc != TIDE_OK) {
		fail(io, TIDE_CORRUPT);
		return false;
	}
	io->n--;
	return true;
}

struct io_array
io_open(struct io *io)
{
	struct io_array around;

	if (!field(io))
		return (struct io_array){0, 0};
	around = (struct io_array){io_writing(io) ? io->out->n : 0, io->n};
	if (io_writing(io)) {
		buf_append(io->out, "\xdc\0", 3); /* the number of fields is filled in by io_close */
		io->n = 0;
	} else {
		io->n = unpack_array(&io->in);
	}
	return around;
}

void
io_close(struct io *io, struct io_array around)
{
	if (io_writing(io)) {
		if (!io->out->failed) {
			io->out->at[around.at + 1] = (uint8_t)(io->n >> 8);
			io->out->at[around.at + 2] = (uint8_t)io->n;
		}
	} else {
		unpack_skips(&io->in, io->n);
		if (io->in.rc != TIDE_OK)
			fail(io, TIDE_CORRUPT);
	}
	io->n = around.n;
}

static void
io_uint(struct io *io, uint64_t *v, uint64_t max)
{
	if (!field(io))
		return;
	if (io_writing(io))
		pack_uint(io->out, *v);
	else
		*v = unpack_uint_max(&io->in, max);
}

void
io_u64(struct io *io, uint64_t *v)
{
	io_uint(io, v, UINT64_MAX);
}

void
io_u32(struct io *io, uint32_t *v)
{
	uint64_t wide = *v;

	io_uint(io, &wide, UINT32_MAX);
	*v = (uint32_t)wide;
}

void
io_u16(struct io *io, uint16_t *v)
{
	uint64_t wide = *v;

	io_uint(io, &wide, UINT16_MAX);
	*v = (uint16_t)wide;
}

void
io_u8(struct io *io, uint8_t *v)
{
	uint64_t wide = *v;

	io_uint(io, &wide, UINT8_MAX);
	*v = (uint8_t)wide;
}

void
io_bool(struct io *io, bool *v)
{
	if (!field(io))
		return;
	if (io_writing(io))
		pack_bool(io->out, *v);
	else
		*v = unpack_bool(&io->in);
}

void
io_bytes(struct io *io, struct bytes *v)
{
	if (!field(io))
		return;
	if (io_writing(io))
		pack_bin(io->out, *v);
	else
		*v = unpack_bin(&io->in);
}

void
io_jid(struct io *io, struct jid *v)
{
	io_u32(io, &v->v);
}

void
io_hlc(struct io *io, struct hlc *v)
{
	io_u64(io, &v->v);
}

void
io_mark(struct io *io, struct mark *v)
{
	io_u64(io, &v->seq);
	io_hlc(io, &v->clock);
}

struct io_array
io_items(struct io *io, void **items, uint32_t *n, uint32_t max, size_t size)
{
	struct io_array around;

	if (!field(io))
		goto none;
	around = (struct io_array){0, io->n};
	if (io_writing(io)) {
		pack_array(io->out, *n);
		io->n = 0;
		return around;
	}
	io->n = unpack_array(&io->in);
	if (io->in.rc != TIDE_OK || io->n > max) {
		fail(io, TIDE_CORRUPT);
		goto none;
	}
	*n = io->n;
	if (io->n > 0 && (*items = arena_calloc(io->arena, io->n * size)) == NULL) {
		fail(io, TIDE_NOMEM);
		goto none;
	}
	return around;
none:
	*n = 0;
	return (struct io_array){0, 0};
}

/* The end of what io_items began: nothing is filled in or skipped. */
void
io_items_end(struct io *io, struct io_array around)
{
	io->n = around.n;
}

void
io_vector(struct io *io, struct vector *v)
{
	uint32_t n = (uint32_t)v->n * 3;
	struct io_array around;

	if (!field(io))
		return;
	around = (struct io_array){0, io->n};
	if (io_writing(io)) {
		pack_array(io->out, n);
	} else {
		n = unpack_array(&io->in);
		if (io->in.rc != TIDE_OK || n % 3 != 0) {
			fail(io, TIDE_CORRUPT);
			return;
		}
		*v = (struct vector){.n = n / 3, .room = n / 3};
		if (n > 0 && (v->entries = arena_calloc(io->arena, v->n * sizeof *v->entries)) == NULL) {
			v->n = 0;
			fail(io, TIDE_NOMEM);
			return;
		}
	}
	io->n = n;
	for (size_t i = 0; i < v->n; i++) {
		io_jid(io, &v->entries[i].origin);
		io_mark(io, &v->entries[i].mark);
		if (i > 0 && v->entries[i].origin.v <= v->entries[i - 1].origin.v && !io_writing(io))
			fail(io, TIDE_CORRUPT); /* ascending, none twice */
	}
	if (io->in.rc != TIDE_OK && !io_writing(io))
		v->n = 0;
	io->n = around.n;
}

void
io_u64s(struct io *io, uint64_t **v, uint32_t *n, uint32_t max)
{
	void *items = *v;
	struct io_array around = io_items(io, &items, n, max, sizeof **v);

	*v = items;
	for (uint32_t i = 0; i < *n; i++)
		io_u64(io, &(*v)[i]);
	io_items_end(io, around);
}

void
io_code(struct io *io, tide_err *v)
{
	struct bytes name = bytes_of_string(io_writing(io) ? tide_err_name(*v) : "");

	io_bytes(io, &name);
	if (io_writing(io))
		return;
	*v = TIDE_INTERNAL;
#define X(code, exception, http, text)                                                                       \
	if (bytes_is(name, #code))                                                                           \
		*v = TIDE_##code;
	TIDE_ERRORS(X)
#undef X
}
