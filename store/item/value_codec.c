#include "store/item/codec.h"

#include <assert.h>

#include "store/item/number.h"

#define HEAD_MAX 6 /* longest msgpack head: ext 32 */

/* msgpack's first bytes. Source: https://github.com/msgpack/msgpack/blob/master/spec.md */
enum {
	FIXMAP = 0x80,
	FIXARRAY = 0x90,
	FIXSTR = 0xa0,
	NIL = 0xc0,
	FALSE_ = 0xc2,
	TRUE_ = 0xc3,
	BIN8 = 0xc4,
	EXT8 = 0xc7,
	FIXEXT1 = 0xd4,
	STR8 = 0xd9,
	ARRAY16 = 0xdc,
	MAP16 = 0xde,
};

/* A length behind a first byte that exists for 1 (optional), 2 and 4 bytes of length, in this order. */
static uint8_t *
put_length(uint8_t *at, uint8_t first, bool has8, uint32_t n)
{
	if (has8 && n <= UINT8_MAX) {
		*at++ = first;
	} else if (n <= UINT16_MAX) {
		*at++ = first + has8;
		*at++ = (uint8_t)(n >> 8);
	} else {
		*at++ = first + has8 + 1;
		*at++ = (uint8_t)(n >> 24);
		*at++ = (uint8_t)(n >> 16);
		*at++ = (uint8_t)(n >> 8);
	}
	*at++ = (uint8_t)n;
	return at;
}

static uint8_t *
put_str(uint8_t *at, uint32_t n)
{
	if (n < 32) {
		*at = (uint8_t)(FIXSTR | n);
		return at + 1;
	}
	return put_length(at, STR8, true, n);
}

static uint8_t *
put_array(uint8_t *at, uint32_t n)
{
	if (n < 16) {
		*at = (uint8_t)(FIXARRAY | n);
		return at + 1;
	}
	return put_length(at, ARRAY16, false, n);
}

static uint8_t *
put_ext(uint8_t *at, enum codec_ext ext, uint32_t n)
{
	if (n != 0 && n <= 16 && (n & (n - 1)) == 0)
		*at++ = (uint8_t)(FIXEXT1 + __builtin_ctz(n));
	else
		at = put_length(at, EXT8, true, n);
	*at++ = ext;
	return at;
}

static void
append_text(struct buf *out, enum value_type type, struct bytes text)
{
	uint8_t *start, *at;

	assert(text.n <= UINT32_MAX);
	if ((start = buf_reserve(out, HEAD_MAX + text.n)) == NULL)
		return;
	if (type == VALUE_S)
		at = put_str(start, (uint32_t)text.n);
	else if (type == VALUE_B)
		at = put_length(start, BIN8, true, (uint32_t)text.n);
	else
		at = put_ext(start, CODEC_N, (uint32_t)text.n);
	if (text.n > 0)
		memcpy(at, text.at, text.n);
	out->n += (size_t)(at - start) + text.n;
}

static void
append_head(struct buf *out, uint8_t *(*put)(uint8_t *, uint32_t), uint32_t n)
{
	uint8_t *at = buf_reserve(out, HEAD_MAX);

	if (at != NULL)
		out->n += (size_t)(put(at, n) - at);
}

static uint8_t *
put_map(uint8_t *at, uint32_t n)
{
	if (n < 16) {
		*at = (uint8_t)(FIXMAP | n);
		return at + 1;
	}
	return put_length(at, MAP16, false, n);
}

void
codec_append_map(struct buf *out, uint32_t n)
{
	append_head(out, put_map, n);
}

/* An ext needs its length in front, so the elements are measured first. */
static void
append_set(struct buf *out, const struct value *set)
{
	enum value_type element = set->type == VALUE_BS ? VALUE_B : VALUE_S;
	uint8_t head[HEAD_MAX], *at;
	size_t size = (size_t)(put_array(head, set->list.n) - head);
	uint32_t i;

	for (i = 0; i < set->list.n; i++) {
		uint32_t n = (uint32_t)set->list.at[i].text.n;

		size += (size_t)((element == VALUE_B ? put_length(head, BIN8, true, n) : put_str(head, n)) -
				 head);
		size += n;
	}
	assert(size <= UINT32_MAX);
	if ((at = buf_reserve(out, HEAD_MAX)) == NULL)
		return;
	out->n += (size_t)(put_ext(at, CODEC_SS + (set->type - VALUE_SS), (uint32_t)size) - at);
	append_head(out, put_array, set->list.n);
	for (i = 0; i < set->list.n; i++)
		append_text(out, element, set->list.at[i].text);
}

void
value_encode(const struct value *value, struct buf *out)
{
	uint32_t i;

	switch (value->type) {
	case VALUE_S:
	case VALUE_N:
	case VALUE_B:
		append_text(out, value->type, value->text);
		break;
	case VALUE_SS:
	case VALUE_NS:
	case VALUE_BS:
		append_set(out, value);
		break;
	case VALUE_M:
		append_head(out, put_map, value->map.n);
		for (i = 0; i < value->map.n; i++) {
			append_text(out, VALUE_S, value->map.at[i].name);
			value_encode(&value->map.at[i].value, out);
		}
		break;
	case VALUE_L:
		append_head(out, put_array, value->list.n);
		for (i = 0; i < value->list.n; i++)
			value_encode(&value->list.at[i], out);
		break;
	case VALUE_NULL:
		buf_append_byte(out, NIL);
		break;
	case VALUE_BOOL:
		buf_append_byte(out, value->boolean ? TRUE_ : FALSE_);
		break;
	}
}

/* The length of `width` bytes behind a first byte; `least`: smaller ones have a shorter head. */
static bool
get_length(struct bytes *in, unsigned width, uint32_t least, uint32_t *n)
{
	unsigned i;

	if (in->n < width)
		return false;
	*n = 0;
	for (i = 0; i < width; i++)
		*n = *n << 8 | in->at[i];
	*in = bytes_of(in->at + width, in->n - width);
	return *n >= least;
}

static bool
take(struct bytes *in, uint32_t n, struct bytes *out)
{
	if (in->n < n)
		return false;
	*out = bytes_of(in->at, n);
	*in = bytes_of(in->at + n, in->n - n);
	return true;
}

static bool
take_byte(struct bytes *in, uint8_t *out)
{
	if (in->n == 0)
		return false;
	*out = in->at[0];
	*in = bytes_of(in->at + 1, in->n - 1);
	return true;
}

bool
codec_read_text(struct bytes *in, bool binary, struct bytes *out)
{
	uint8_t first;
	uint32_t n;

	if (!take_byte(in, &first))
		return false;
	if (binary) {
		if (first < BIN8 || first > BIN8 + 2)
			return false;
		return get_length(
			   in, 1u << (first - BIN8), first == BIN8 ? 0 : 1u << (4 << (first - BIN8)), &n) &&
		       take(in, n, out);
	}
	if ((first & 0xe0) == FIXSTR)
		return take(in, first & 0x1f, out);
	if (first < STR8 || first > STR8 + 2)
		return false;
	return get_length(in, 1u << (first - STR8), first == STR8 ? 32 : 1u << (4 << (first - STR8)), &n) &&
	       take(in, n, out);
}

/* How many elements an array or map has; each takes `element` bytes at least. */
static bool
read_count(struct bytes *in, uint8_t first, uint8_t fix, uint8_t first16, uint32_t element, uint32_t *n)
{
	if ((first & 0xf0) == fix)
		*n = first & 0x0f;
	else if (first == first16 ? !get_length(in, 2, 16, n) : !get_length(in, 4, UINT16_MAX + 1, n))
		return false;
	return *n <= in->n / element;
}

static bool
read_ext(struct bytes *in, uint8_t first, struct codec_head *out)
{
	uint8_t ext, array;
	uint32_t n;

	if (first >= FIXEXT1 && first <= FIXEXT1 + 4) {
		n = 1u << (first - FIXEXT1);
	} else {
		uint32_t least = first == EXT8 ? 0 : 1u << (4 << (first - EXT8));

		if (!get_length(in, 1u << (first - EXT8), least, &n) ||
		    (n != 0 && n <= 16 && (n & (n - 1)) == 0))
			return false;
	}
	if (!take_byte(in, &ext) || !take(in, n, &out->text))
		return false;
	if (ext == CODEC_N) {
		out->type = VALUE_N;
		return true;
	}
	if (ext < CODEC_SS || ext > CODEC_BS || !take_byte(&out->text, &array))
		return false;
	if ((array & 0xf0) != FIXARRAY && array != ARRAY16 && array != ARRAY16 + 1)
		return false;
	out->type = VALUE_SS + (ext - CODEC_SS);
	return read_count(&out->text, array, FIXARRAY, ARRAY16, 1, &out->n);
}

bool
codec_read(struct bytes *in, struct codec_head *out)
{
	uint8_t first;

	if (in->n == 0)
		return false;
	first = in->at[0];
	if ((first & 0xe0) == FIXSTR || (first >= STR8 && first <= STR8 + 2)) {
		out->type = VALUE_S;
		return codec_read_text(in, false, &out->text);
	}
	if (first >= BIN8 && first <= BIN8 + 2) {
		out->type = VALUE_B;
		return codec_read_text(in, true, &out->text);
	}
	*in = bytes_of(in->at + 1, in->n - 1);
	if ((first >= EXT8 && first <= EXT8 + 2) || (first >= FIXEXT1 && first <= FIXEXT1 + 4))
		return read_ext(in, first, out);
	if ((first & 0xf0) == FIXMAP || first == MAP16 || first == MAP16 + 1) {
		out->type = VALUE_M;
		return read_count(in, first, FIXMAP, MAP16, 2, &out->n);
	}
	if ((first & 0xf0) == FIXARRAY || first == ARRAY16 || first == ARRAY16 + 1) {
		out->type = VALUE_L;
		return read_count(in, first, FIXARRAY, ARRAY16, 1, &out->n);
	}
	out->boolean = first == TRUE_;
	out->type = first == NIL ? VALUE_NULL : VALUE_BOOL;
	return first == NIL || first == TRUE_ || first == FALSE_;
}

static bool
skip_value(struct bytes *in, unsigned depth)
{
	struct codec_head head;
	struct bytes name;

	if (depth > NESTING_MAX + 1 || !codec_read(in, &head))
		return false;
	if (head.type != VALUE_M && head.type != VALUE_L)
		return true;
	for (uint32_t i = 0; i < head.n; i++) {
		if (head.type == VALUE_M && !codec_read_text(in, false, &name))
			return false;
		if (!skip_value(in, depth + 1))
			return false;
	}
	return true;
}

bool
codec_skip(struct bytes *in)
{
	return skip_value(in, 0);
}

static tide_err
decode_set(struct arena *arena, const struct codec_head *head, struct value *out)
{
	struct bytes rest = head->text;
	struct value *at;
	uint32_t i;

	if (head->n == 0)
		return TIDE_CORRUPT;
	if ((at = arena_alloc(arena, head->n * sizeof *at)) == NULL)
		return TIDE_NOMEM;
	for (i = 0; i < head->n; i++) {
		at[i].type = head->type - VALUE_SS + VALUE_S;
		if (!codec_read_text(&rest, head->type == VALUE_BS, &at[i].text))
			return TIDE_CORRUPT;
		if (head->type == VALUE_SS ? !codec_utf8_valid(at[i].text)
					   : head->type == VALUE_NS && !number_text_is_canonical(at[i].text))
			return TIDE_CORRUPT;
		if (i > 0 && value_compare(&at[i - 1], &at[i]) >= 0)
			return TIDE_CORRUPT;
	}
	if (rest.n != 0)
		return TIDE_CORRUPT;
	out->list.at = at;
	out->list.n = head->n;
	return TIDE_OK;
}

static tide_err decode(struct arena *arena, struct bytes *in, unsigned depth, struct value *out);

static tide_err
decode_list(struct arena *arena, struct bytes *in, unsigned depth, uint32_t n, struct value *out)
{
	struct value *at = arena_alloc(arena, n * sizeof *at);
	uint32_t i;
	tide_err rc;

	if (at == NULL)
		return TIDE_NOMEM;
	for (i = 0; i < n; i++) {
		if ((rc = decode(arena, in, depth + 1, &at[i])) != TIDE_OK)
			return rc;
	}
	out->list.at = at;
	out->list.n = n;
	return TIDE_OK;
}

static tide_err
decode_map(struct arena *arena, struct bytes *in, unsigned depth, uint32_t n, struct value *out)
{
	struct member *at = arena_alloc(arena, n * sizeof *at);
	uint32_t i;
	tide_err rc;

	if (at == NULL)
		return TIDE_NOMEM;
	for (i = 0; i < n; i++) {
		if (!codec_read_text(in, false, &at[i].name) || !codec_utf8_valid(at[i].name) ||
		    (i > 0 && bytes_compare(at[i - 1].name, at[i].name) >= 0))
			return TIDE_CORRUPT;
		if ((rc = decode(arena, in, depth + 1, &at[i].value)) != TIDE_OK)
			return rc;
	}
	out->map.at = at;
	out->map.n = n;
	return TIDE_OK;
}

static tide_err
decode(struct arena *arena, struct bytes *in, unsigned depth, struct value *out)
{
	struct codec_head head;

	if (depth > NESTING_MAX + 1 || !codec_read(in, &head))
		return TIDE_CORRUPT;
	out->type = head.type;
	switch (head.type) {
	case VALUE_S:
		out->text = head.text;
		return codec_utf8_valid(head.text) ? TIDE_OK : TIDE_CORRUPT;
	case VALUE_N:
		out->text = head.text;
		return number_text_is_canonical(head.text) ? TIDE_OK : TIDE_CORRUPT;
	case VALUE_B:
		out->text = head.text;
		return TIDE_OK;
	case VALUE_SS:
	case VALUE_NS:
	case VALUE_BS:
		return decode_set(arena, &head, out);
	case VALUE_M:
		return decode_map(arena, in, depth, head.n, out);
	case VALUE_L:
		return decode_list(arena, in, depth, head.n, out);
	case VALUE_BOOL:
		out->boolean = head.boolean;
		return TIDE_OK;
	case VALUE_NULL:
		return TIDE_OK;
	}
	return TIDE_CORRUPT;
}

tide_err
value_decode(struct arena *arena, struct bytes in, struct value *out)
{
	struct value value;
	tide_err rc = decode(arena, &in, 1, &value);

	if (rc != TIDE_OK)
		return rc;
	if (in.n != 0)
		return TIDE_CORRUPT;
	*out = value;
	return TIDE_OK;
}
