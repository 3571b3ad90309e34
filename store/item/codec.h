/*
 * The stored form of values, one head at a time (docs/item-format.md). value_decode builds trees with it; a writer
 * that needs no tree walks the bytes.
 *
 *     S     str                          SS    ext 2 (array of str)
 *     N     ext 1 (canonical text)       NS    ext 3 (array of str)
 *     B     bin                          BS    ext 4 (array of bin)
 *     NULL  nil                          L     array of values
 *     BOOL  true, false                  M     map of str to values
 *
 * All heads are the shortest that msgpack has. Pure; any thread.
 */
#ifndef TIDE_STORE_ITEM_CODEC_H
#define TIDE_STORE_ITEM_CODEC_H

#include "store/item/value.h"

enum codec_ext { CODEC_N = 1, CODEC_SS = 2, CODEC_NS = 3, CODEC_BS = 4 };

struct codec_head {
	enum value_type type;
	bool boolean; /* BOOL */
	uint32_t n; /* how many elements or members: SS, NS, BS, L, M */
	struct bytes
	    text; /* S, N, B: the content; SS, NS, BS: the elements, one str or bin head after the other */
};

/**
 * Read the head of one value from the front of `in` and advance it: past the whole value for scalars and sets, to the
 * first element or member for L and M. `n` never exceeds what the rest of `in` (or `text`) can hold.
 * False: no such head, or not the shortest. Contents (UTF-8, canonical numbers, order) are not checked.
 */
bool codec_read(struct bytes *in, struct codec_head *out);

/** The same for a member's name or a set's element: a str, or a bin where `binary`. */
bool codec_read_text(struct bytes *in, bool binary, struct bytes *out);

/** Pass over one whole value, nested as deep as an item may be. False: there is none. */
bool codec_skip(struct bytes *in);

/** Append the head of a map of `n` members, for a writer that copies members as they are stored. */
void codec_append_map(struct buf *out, uint32_t n);

/** The length of the UTF-8 character at the front of `n` > 0 bytes: 1 to 4; 0: none (overlong, surrogate, cut). */
unsigned codec_utf8_character(const uint8_t *at, size_t n);

/** Whether bytes are UTF-8 (no surrogates, nothing overlong). */
bool codec_utf8_valid(struct bytes text);

#endif
