/*
 * One description of a message serves both ways: each field function writes the field, or reads it, by what the io is for.
 * Within replicator/ only.
 *
 * Arrays are opened and closed around their fields. Writing, the number of fields is filled in at the close; reading, a
 * missing field is TIDE_CORRUPT and what follows the known ones is skipped.
 */
#ifndef TIDE_REPLICATOR_WIRE_IO_H
#define TIDE_REPLICATOR_WIRE_IO_H

#include "base/arena.h"
#include "base/pack.h"
#include "conflict/vector.h"

struct io {
	struct buf *out; /* writing; NULL: reading */
	struct unpack in;
	struct arena *arena;
	uint32_t n; /* of the open array: fields written, or left to read */
	tide_err rc; /* beside in.rc: TIDE_NOMEM */
};

/* What io_close needs of the array around the one that was opened. */
struct io_array {
	size_t at;
	uint32_t n;
};

static inline bool
io_writing(const struct io *io)
{
	return io->out != NULL;
}

struct io_array io_open(struct io *io);
void io_close(struct io *io, struct io_array around);

void io_u64(struct io *io, uint64_t *v);
void io_u32(struct io *io, uint32_t *v);
void io_u16(struct io *io, uint16_t *v);
void io_u8(struct io *io, uint8_t *v);
void io_bool(struct io *io, bool *v);
void io_bytes(struct io *io, struct bytes *v);
void io_jid(struct io *io, struct jid *v);
void io_hlc(struct io *io, struct hlc *v);
void io_mark(struct io *io, struct mark *v);
void io_vector(struct io *io, struct vector *v);
void io_code(struct io *io, tide_err *v);
/** An array of numbers, at most `max`. */
void io_u64s(struct io *io, uint64_t **v, uint32_t *n, uint32_t max);

/**
 * Begin an array of `*n` structs: afterwards as many elements as it says follow. Reading, `*items` becomes zeroed memory for them. The
 * caller then does each element between io_open and io_close, and ends with io_items_end.
 */
struct io_array io_items(struct io *io, void **items, uint32_t *n, uint32_t max, size_t size);
void io_items_end(struct io *io, struct io_array around);

#endif
