/*
 * Bytes: a borrowed slice (`struct bytes`) and a growing buffer (`struct buf`).
 *
 * Strings from clients may hold NUL, so every string is length-delimited. A buf owns its memory; a slice owns
 * nothing and is valid as long as what it points into. None of these is thread-safe by itself.
 */
#ifndef TIDE_BASE_BYTES_H
#define TIDE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"

struct bytes {
	const uint8_t *at;
	size_t n;
};

#define BYTES_NONE ((struct bytes){NULL, 0})
#define BYTES_LITERAL(s) ((struct bytes){(const uint8_t *)(s), sizeof(s) - 1})

static inline struct bytes
bytes_of(const void *at, size_t n)
{
	return (struct bytes){at, n};
}

static inline struct bytes
bytes_of_string(const char *s)
{
	return (struct bytes){(const uint8_t *)s, strlen(s)};
}

static inline bool
bytes_equal(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.at, b.at, a.n) == 0);
}

/** memcmp order, the shorter first where one is a prefix of the other: <0, 0, >0. */
static inline int
bytes_compare(struct bytes a, struct bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n == 0 ? 0 : memcmp(a.at, b.at, n);

	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

static inline bool
bytes_is(struct bytes a, const char *literal)
{
	return bytes_equal(a, bytes_of_string(literal));
}

/* A growing buffer. A failed growth sets `failed`, drops later appends and leaves what was there: a builder of
 * many steps tests once, at its end. Zero-initialised is empty and valid. */
struct buf {
	uint8_t *at;
	size_t n, room;
	bool failed;
};

/** Release the memory; the buf is empty and usable again. Takes a zeroed buf. */
void buf_fini(struct buf *buf);

/** Make room for `more` bytes past the end and return where they go (not yet counted in `n`); NULL: no memory. */
uint8_t *buf_reserve(struct buf *buf, size_t more);

void buf_append(struct buf *buf, const void *at, size_t n);
void buf_append_byte(struct buf *buf, uint8_t byte);
void buf_append_string(struct buf *buf, const char *s);
void buf_append_format(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fixed-width integers, big-endian so that byte order is numeric order. */
void buf_append_u32(struct buf *buf, uint32_t v);
void buf_append_u64(struct buf *buf, uint64_t v);
uint32_t bytes_u32(const uint8_t *at);
uint64_t bytes_u64(const uint8_t *at);

static inline struct bytes
buf_bytes(const struct buf *buf)
{
	return (struct bytes){buf->at, buf->n};
}

/** TIDE_OK, or TIDE_NOMEM when any append since the buffer was empty did not fit. */
static inline tide_err
buf_check(const struct buf *buf)
{
	return buf->failed ? TIDE_NOMEM : TIDE_OK;
}

/** Forget the content, keep the memory. */
static inline void
buf_clear(struct buf *buf)
{
	buf->n = 0;
	buf->failed = false;
}

#endif
