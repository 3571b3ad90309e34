#include "base/bytes.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
buf_fini(struct buf *buf)
{
	free(buf->at);
	*buf = (struct buf){0};
}

static __attribute__((noinline)) uint8_t *
grow(struct buf *buf, size_t more)
{
	size_t room = buf->room == 0 ? 256 : buf->room;
	uint8_t *at;

	if (buf->failed || more > SIZE_MAX / 4 || buf->n > SIZE_MAX / 4) {
		buf->failed = true;
		return NULL;
	}
	if (buf->room - buf->n < more || buf->at == NULL) {
		while (room - buf->n < more)
			room *= 2;
		if ((at = realloc(buf->at, room)) == NULL) {
			buf->failed = true;
			return NULL;
		}
		buf->at = at;
		buf->room = room;
	}
	return buf->at + buf->n;
}

/* A reply is hundreds of small appends: nearly always there is room, and what grows stays out of the way. */
static inline uint8_t *
reserve(struct buf *buf, size_t more)
{
	if (__builtin_expect(more < buf->room - buf->n && !buf->failed, 1))
		return buf->at + buf->n;
	return grow(buf, more);
}

uint8_t *
buf_reserve(struct buf *buf, size_t more)
{
	return reserve(buf, more);
}

void
buf_append(struct buf *buf, const void *from, size_t n)
{
	uint8_t *to;

	if (n == 0 || (to = reserve(buf, n)) == NULL)
		return;
	memcpy(to, from, n);
	buf->n += n;
}

void
buf_append_byte(struct buf *buf, uint8_t byte)
{
	uint8_t *to = reserve(buf, 1);

	if (to == NULL)
		return;
	*to = byte;
	buf->n++;
}

void
buf_append_string(struct buf *buf, const char *s)
{
	buf_append(buf, s, strlen(s));
}

void
buf_append_format(struct buf *buf, const char *format, ...)
{
	va_list args;
	uint8_t *to;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	assert(n >= 0);
	if ((to = buf_reserve(buf, (size_t)n + 1)) == NULL)
		return;
	va_start(args, format);
	vsnprintf((char *)to, (size_t)n + 1, format, args);
	va_end(args);
	buf->n += (size_t)n;
}

void
buf_append_u32(struct buf *buf, uint32_t v)
{
	uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
	uint8_t *to = reserve(buf, sizeof b);

	if (to == NULL)
		return;
	memcpy(to, b, sizeof b);
	buf->n += sizeof b;
}

void
buf_append_u64(struct buf *buf, uint64_t v)
{
	buf_append_u32(buf, (uint32_t)(v >> 32));
	buf_append_u32(buf, (uint32_t)v);
}

uint32_t
bytes_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

uint64_t
bytes_u64(const uint8_t *at)
{
	return (uint64_t)bytes_u32(at) << 32 | bytes_u32(at + 4);
}
