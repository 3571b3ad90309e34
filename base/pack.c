#include "base/pack.h"

#define SKIP_DEPTH_MAX 32

static void
pack_sized(struct buf *out, uint8_t tag8, uint64_t v, unsigned bytes)
{
	uint8_t b[9];

	/* The tags of 8, 16, 32 and 64 bits follow each other in every family. */
	b[0] = (uint8_t)(tag8 + (bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : 3));
	for (unsigned i = 0; i < bytes; i++)
		b[1 + i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
	buf_append(out, b, 1 + bytes);
}

void
pack_array(struct buf *out, uint32_t n)
{
	if (n < 16)
		buf_append_byte(out, (uint8_t)(0x90 | n));
	else
		pack_sized(out, 0xdb, n, n <= UINT16_MAX ? 2 : 4); /* 0xdc, 0xdd */
}

void
pack_uint(struct buf *out, uint64_t v)
{
	if (v < 128)
		buf_append_byte(out, (uint8_t)v);
	else
		pack_sized(out, 0xcc, v, v <= UINT8_MAX ? 1 : v <= UINT16_MAX ? 2 : v <= UINT32_MAX ? 4 : 8);
}

void
pack_int(struct buf *out, int64_t v)
{
	if (v >= 0)
		pack_uint(out, (uint64_t)v);
	else if (v >= -32)
		buf_append_byte(out, (uint8_t)v);
	else
		pack_sized(out, 0xd0, (uint64_t)v,
		    v >= INT8_MIN    ? 1
		    : v >= INT16_MIN ? 2
		    : v >= INT32_MIN ? 4
				     : 8);
}

void
pack_bool(struct buf *out, bool v)
{
	buf_append_byte(out, v ? 0xc3 : 0xc2);
}

void
pack_nil(struct buf *out)
{
	buf_append_byte(out, 0xc0);
}

void
pack_bin(struct buf *out, struct bytes v)
{
	pack_sized(out, 0xc4, v.n, v.n <= UINT8_MAX ? 1 : v.n <= UINT16_MAX ? 2 : 4);
	buf_append(out, v.at, v.n);
}

void
pack_str(struct buf *out, const char *v)
{
	size_t n = strlen(v);

	if (n < 32)
		buf_append_byte(out, (uint8_t)(0xa0 | n));
	else
		pack_sized(out, 0xd9, n, n <= UINT8_MAX ? 1 : n <= UINT16_MAX ? 2 : 4);
	buf_append(out, v, n);
}

static void
fail(struct unpack *in)
{
	in->rc = TIDE_CORRUPT;
	in->at = in->end;
}

static const uint8_t *
take(struct unpack *in, uint64_t n)
{
	const uint8_t *at = in->at;

	if (in->rc != TIDE_OK || (uint64_t)(in->end - in->at) < n) {
		fail(in);
		return NULL;
	}
	in->at += n;
	return at;
}

static uint64_t
take_big_endian(struct unpack *in, unsigned n)
{
	const uint8_t *at = take(in, n);
	uint64_t v = 0;

	for (unsigned i = 0; at != NULL && i < n; i++)
		v = v << 8 | at[i];
	return v;
}

static uint8_t
take_tag(struct unpack *in)
{
	const uint8_t *at = take(in, 1);

	return at == NULL ? 0xc1 /* never used by msgpack */ : *at;
}

uint32_t
unpack_array(struct unpack *in)
{
	uint8_t tag = take_tag(in);
	uint64_t n = 0;

	if ((tag & 0xf0) == 0x90)
		n = tag & 0x0f;
	else if (tag == 0xdc || tag == 0xdd)
		n = take_big_endian(in, tag == 0xdc ? 2 : 4);
	else
		fail(in);
	if (n > (uint64_t)(in->end - in->at)) {
		fail(in);
		return 0;
	}
	return (uint32_t)n;
}

uint64_t
unpack_uint_max(struct unpack *in, uint64_t max)
{
	uint8_t tag = take_tag(in);
	uint64_t v = tag;

	if (tag >= 0xcc && tag <= 0xcf)
		v = take_big_endian(in, 1u << (tag - 0xcc));
	else if (tag > 0x7f)
		fail(in);
	if (v > max)
		fail(in);
	return in->rc == TIDE_OK ? v : 0;
}

uint64_t
unpack_uint(struct unpack *in)
{
	return unpack_uint_max(in, UINT64_MAX);
}

bool
unpack_bool(struct unpack *in)
{
	uint8_t tag = take_tag(in);

	if (tag != 0xc2 && tag != 0xc3)
		fail(in);
	return tag == 0xc3;
}

struct bytes
unpack_bin(struct unpack *in)
{
	uint8_t tag = take_tag(in);
	const uint8_t *at;
	uint64_t n = 0;

	if (tag >= 0xc4 && tag <= 0xc6)
		n = take_big_endian(in, 1u << (tag - 0xc4));
	else if (tag >= 0xd9 && tag <= 0xdb)
		n = take_big_endian(in, 1u << (tag - 0xd9));
	else if ((tag & 0xe0) == 0xa0)
		n = tag & 0x1f;
	else
		fail(in);
	at = take(in, n);
	return at == NULL ? BYTES_NONE : bytes_of(at, n);
}

bool
unpack_nil(struct unpack *in)
{
	if (in->rc != TIDE_OK || in->at == in->end || *in->at != 0xc0)
		return false;
	in->at++;
	return true;
}

static void
skip(struct unpack *in, unsigned depth)
{
	uint8_t tag = take_tag(in);
	uint64_t children = 0;

	if (depth > SKIP_DEPTH_MAX) {
		fail(in);
		return;
	}
	if (tag <= 0x7f || tag >= 0xe0 || tag == 0xc0 || tag == 0xc2 || tag == 0xc3)
		return;
	if ((tag & 0xf0) == 0x80)
		children = 2 * (uint64_t)(tag & 0x0f);
	else if ((tag & 0xf0) == 0x90)
		children = tag & 0x0f;
	else if ((tag & 0xe0) == 0xa0)
		take(in, tag & 0x1f);
	else if (tag >= 0xc4 && tag <= 0xc6)
		take(in, take_big_endian(in, 1u << (tag - 0xc4)));
	else if (tag >= 0xc7 && tag <= 0xc9)
		take(in, 1 + take_big_endian(in, 1u << (tag - 0xc7)));
	else if (tag == 0xca || tag == 0xcb)
		take(in, tag == 0xca ? 4 : 8);
	else if (tag >= 0xcc && tag <= 0xd3)
		take(in, 1u << ((tag - 0xcc) & 3));
	else if (tag >= 0xd4 && tag <= 0xd8)
		take(in, 1 + (1u << (tag - 0xd4)));
	else if (tag >= 0xd9 && tag <= 0xdb)
		take(in, take_big_endian(in, 1u << (tag - 0xd9)));
	else if (tag == 0xdc || tag == 0xdd)
		children = take_big_endian(in, tag == 0xdc ? 2 : 4);
	else if (tag == 0xde || tag == 0xdf)
		children = 2 * take_big_endian(in, tag == 0xde ? 2 : 4);
	else
		fail(in);
	for (uint64_t i = 0; i < children && in->rc == TIDE_OK; i++)
		skip(in, depth + 1);
}

void
unpack_skip(struct unpack *in)
{
	skip(in, 0);
}

uint32_t
unpack_open(struct unpack *in, uint32_t least, uint32_t known, uint32_t *present)
{
	uint32_t n = unpack_array(in);

	if (n < least)
		fail(in);
	if (in->rc != TIDE_OK)
		n = 0;
	if (present != NULL)
		*present = n < known ? n : known;
	return n > known ? n - known : 0;
}

void
unpack_skips(struct unpack *in, uint32_t n)
{
	for (uint32_t i = 0; i < n && in->rc == TIDE_OK; i++)
		unpack_skip(in);
}
