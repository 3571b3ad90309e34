#include "api/json/json_priv.h"

#include "store/item/codec.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD: a reply is always JSON, whatever went into a sentence */

/* Whether some of eight bytes may need an escape or is not ASCII. Now and then true without need, never the reverse. */
static bool
maybe_special(uint64_t eight)
{
	const uint64_t ones = 0x0101010101010101ull, tops = 0x8080808080808080ull;
	uint64_t quote = eight ^ ones * '"', backslash = eight ^ ones * '\\';

	return (((eight - ones * 0x20) & ~eight) | ((quote - ones) & ~quote) |
		   ((backslash - ones) & ~backslash) | eight) &
	       tops;
}

/* The first byte from `i` on that cannot be copied as it is. */
static size_t
plain_until(struct bytes text, size_t i)
{
	uint64_t eight;

	for (; text.n - i >= sizeof eight; i += sizeof eight) {
		memcpy(&eight, text.at + i, sizeof eight);
		if (maybe_special(eight))
			break;
	}
	while (
	    i < text.n && text.at[i] >= 0x20 && text.at[i] < 0x80 && text.at[i] != '"' && text.at[i] != '\\')
		i++;
	return i;
}

static void
append_escape(struct buf *out, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";
	static const char shorts[0x20] = {
	    ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
	char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

	if (c == '"' || c == '\\' || shorts[c & 0x1f] != 0) {
		escape[1] = c == '"' || c == '\\' ? (char)c : shorts[c];
		buf_append(out, escape, 2);
	} else {
		buf_append(out, escape, sizeof escape);
	}
}

void
json_write_string(struct buf *out, struct bytes text)
{
	size_t i = 0, start = 0;
	unsigned length;

	buf_reserve(out, text.n + 2);
	buf_append_byte(out, '"');
	while ((i = plain_until(text, i)) < text.n) {
		length = text.at[i] < 0x80 ? 0 : codec_utf8_character(text.at + i, text.n - i);
		if (length > 0) {
			i += length;
			continue;
		}
		buf_append(out, text.at + start, i - start);
		if (text.at[i] < 0x80)
			append_escape(out, text.at[i]);
		else
			buf_append_string(out, REPLACEMENT);
		start = ++i;
	}
	buf_append(out, text.n > 0 ? text.at + start : NULL, text.n - start);
	buf_append_byte(out, '"');
}

static void
write_text(struct buf *out, enum value_type type, struct bytes text)
{
	if (type == VALUE_S) {
		json_write_string(out, text);
		return;
	}
	buf_append_byte(out, '"');
	if (type == VALUE_N)
		buf_append(out, text.at, text.n); /* digits, sign and point */
	else
		json__base64_encode(text, out);
	buf_append_byte(out, '"');
}

static enum value_type
element_type(enum value_type set)
{
	return set == VALUE_SS ? VALUE_S : set == VALUE_NS ? VALUE_N : VALUE_B;
}

/* {"TYPE": up to where the content begins */
static void
open_value(struct buf *out, enum value_type type)
{
	static const char *const heads[] = {"{\"S\":", "{\"N\":", "{\"B\":", "{\"SS\":[", "{\"NS\":[",
	    "{\"BS\":[", "{\"M\":", "{\"L\":[", "{\"NULL\":true", "{\"BOOL\":"};

	buf_append_string(out, heads[type]);
}

static void
close_value(struct buf *out, enum value_type type)
{
	bool list = type == VALUE_SS || type == VALUE_NS || type == VALUE_BS || type == VALUE_L;

	buf_append_string(out, list ? "]}" : "}");
}

static void
write_name(struct buf *out, uint32_t index, struct bytes name)
{
	if (index > 0)
		buf_append_byte(out, ',');
	json_write_string(out, name);
	buf_append_byte(out, ':');
}

void
json_write_item(struct buf *out, const struct value *item)
{
	uint32_t i;

	buf_append_byte(out, '{');
	for (i = 0; i < item->map.n; i++) {
		write_name(out, i, item->map.at[i].name);
		json_write_value(out, &item->map.at[i].value);
	}
	buf_append_byte(out, '}');
}

void
json_write_value(struct buf *out, const struct value *value)
{
	uint32_t i;

	open_value(out, value->type);
	switch (value->type) {
	case VALUE_S:
	case VALUE_N:
	case VALUE_B:
		write_text(out, value->type, value->text);
		break;
	case VALUE_SS:
	case VALUE_NS:
	case VALUE_BS:
		for (i = 0; i < value->list.n; i++) {
			if (i > 0)
				buf_append_byte(out, ',');
			write_text(out, value->list.at[i].type, value->list.at[i].text);
		}
		break;
	case VALUE_L:
		for (i = 0; i < value->list.n; i++) {
			if (i > 0)
				buf_append_byte(out, ',');
			json_write_value(out, &value->list.at[i]);
		}
		break;
	case VALUE_M:
		json_write_item(out, value);
		break;
	case VALUE_BOOL:
		buf_append_string(out, value->boolean ? "true" : "false");
		break;
	case VALUE_NULL:
		break;
	}
	close_value(out, value->type);
}

static bool write_encoded_value(struct buf *out, struct bytes *in, unsigned depth);

static bool
write_encoded_members(struct buf *out, struct bytes *in, uint32_t n, unsigned depth)
{
	struct bytes name;
	uint32_t i;

	buf_append_byte(out, '{');
	for (i = 0; i < n; i++) {
		if (!codec_read_text(in, false, &name))
			return false;
		write_name(out, i, name);
		if (!write_encoded_value(out, in, depth + 1))
			return false;
	}
	buf_append_byte(out, '}');
	return true;
}

static bool
write_encoded_set(struct buf *out, struct codec_head *head)
{
	struct bytes text;
	uint32_t i;

	for (i = 0; i < head->n; i++) {
		if (!codec_read_text(&head->text, head->type == VALUE_BS, &text))
			return false;
		if (i > 0)
			buf_append_byte(out, ',');
		write_text(out, element_type(head->type), text);
	}
	return head->text.n == 0;
}

static bool
write_encoded_list(struct buf *out, struct bytes *in, uint32_t n, unsigned depth)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_append_byte(out, ',');
		if (!write_encoded_value(out, in, depth + 1))
			return false;
	}
	return true;
}

static bool
write_encoded_value(struct buf *out, struct bytes *in, unsigned depth)
{
	struct codec_head head;
	bool sound = true;

	if (depth > NESTING_MAX + 1 || !codec_read(in, &head))
		return false;
	open_value(out, head.type);
	switch (head.type) {
	case VALUE_S:
	case VALUE_N:
	case VALUE_B:
		write_text(out, head.type, head.text);
		break;
	case VALUE_SS:
	case VALUE_NS:
	case VALUE_BS:
		sound = write_encoded_set(out, &head);
		break;
	case VALUE_L:
		sound = write_encoded_list(out, in, head.n, depth);
		break;
	case VALUE_M:
		sound = write_encoded_members(out, in, head.n, depth);
		break;
	case VALUE_BOOL:
		buf_append_string(out, head.boolean ? "true" : "false");
		break;
	case VALUE_NULL:
		break;
	}
	close_value(out, head.type);
	return sound;
}

tide_err
json_write_encoded_item(struct buf *out, struct bytes encoded)
{
	size_t start = out->n;
	struct codec_head head;

	if (!codec_read(&encoded, &head) || head.type != VALUE_M ||
	    !write_encoded_members(out, &encoded, head.n, 1) || encoded.n != 0) {
		if (out->n > start)
			out->n = start; /* half an item is none */
		return TIDE_CORRUPT;
	}
	return buf_check(out);
}
