/*
 * msgpack, written into a buf and read back with bounds: for units, notes, checkpoints and messages. Every head that is
 * written is the shortest; failed growth shows in buf_check.
 *
 * The reader keeps its first failure; later reads do nothing and give zeros, so that a decoder of many steps tests once,
 * at its end. Nothing is believed before it is known to fit: a count read from outside is checked against the bytes left.
 * Source: the msgpack specification, https://github.com/msgpack/msgpack/blob/master/spec.md
 */
#ifndef TIDE_BASE_PACK_H
#define TIDE_BASE_PACK_H

#include "base/bytes.h"

void pack_array(struct buf *out, uint32_t n);
void pack_uint(struct buf *out, uint64_t v);
void pack_int(struct buf *out, int64_t v);
void pack_bool(struct buf *out, bool v);
void pack_nil(struct buf *out);
void pack_bin(struct buf *out, struct bytes v);
void pack_str(struct buf *out, const char *v);

struct unpack {
	const uint8_t *at, *end;
	tide_err rc; /* TIDE_OK, or TIDE_CORRUPT from the first failure on */
};

static inline struct unpack
unpack_of(struct bytes in)
{
	return (struct unpack){in.at, in.at + in.n, TIDE_OK};
}

/** The number of elements; each takes a byte at least, so it is never more than the bytes left. */
uint32_t unpack_array(struct unpack *in);
uint64_t unpack_uint(struct unpack *in);
/** The same, TIDE_CORRUPT when it is above `max`. */
uint64_t unpack_uint_max(struct unpack *in, uint64_t max);
bool unpack_bool(struct unpack *in);
/** Borrows from the input. Takes bin and str. */
struct bytes unpack_bin(struct unpack *in);
/** Is the next element nil? It is taken if so. */
bool unpack_nil(struct unpack *in);
/** Pass over one element of any kind, nested to 32 levels. */
void unpack_skip(struct unpack *in);

/**
 * Begin an array of which this reader knows `known` elements and needs `least`; returns how many unknown ones follow them (to be
 * skipped with unpack_skips afterwards). TIDE_CORRUPT when there are fewer than `least`.
 */
uint32_t unpack_open(struct unpack *in, uint32_t least, uint32_t known, uint32_t *present);
void unpack_skips(struct unpack *in, uint32_t n);

#endif
