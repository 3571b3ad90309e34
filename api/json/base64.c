#include "api/json/json_priv.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Value + 1 of each character of the alphabet; 0: not in it. */
static uint8_t
sextet(uint8_t c)
{
	/* clang-format off */
	static const uint8_t values[256] = {
	    ['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
	    ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50,
	            51, 52,
	    ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, ['+'] = 63, ['/'] = 64,
	};
	/* clang-format on */

	return values[c];
}

static tide_err
fail_character(uint8_t c, struct tide_error *error)
{
	if (c == '=')
		return tide_fail(
		    error, TIDE_SERIALIZATION, "Invalid last non-pad Base64 character dectected"); /* [sic] */
	if (c < 0x20 || c >= 0x7f)
		return tide_fail(error, TIDE_SERIALIZATION, "Invalid Base64 character");
	return tide_fail(error, TIDE_SERIALIZATION, "Invalid Base64 character: '%c'", c);
}

tide_err
json__base64_decode(struct bytes text, uint8_t *out, size_t *n, struct tide_error *error)
{
	size_t i, k, whole, written = 0, padding = 0;
	uint32_t four = 0;

	if (text.n % 4 != 0)
		return tide_fail(error, TIDE_SERIALIZATION,
		    "Base64 encoded length is expected a multiple of 4 bytes but found: %zu", text.n);
	while (padding < 2 && padding < text.n && text.at[text.n - 1 - padding] == '=')
		padding++;
	whole = text.n - padding;
	for (i = 0; i < whole; i += k) {
		for (four = 0, k = 0; k < 4 && i + k < whole; k++) {
			uint8_t v = sextet(text.at[i + k]);

			if (v == 0)
				return fail_character(text.at[i + k], error);
			four = four << 6 | (v - 1u);
		}
		if (k == 4 && out != NULL) {
			out[written] = (uint8_t)(four >> 16);
			out[written + 1] = (uint8_t)(four >> 8);
			out[written + 2] = (uint8_t)four;
		}
		written += k == 4 ? 3 : 0;
	}
	if (padding > 0) {
		/* The bits that the padding leaves over must be zero: one text for one value. */
		if ((four & (padding == 1 ? 3u : 15u)) != 0)
			return fail_character('=', error);
		four <<= 6 * padding;
		if (out != NULL) {
			out[written] = (uint8_t)(four >> 16);
			if (padding == 1)
				out[written + 1] = (uint8_t)(four >> 8);
		}
		written += 3 - padding;
	}
	*n = written;
	return TIDE_OK;
}

void
json__base64_encode(struct bytes bytes, struct buf *out)
{
	size_t i, left;
	uint32_t three;
	uint8_t *to;

	if (bytes.n == 0 || (to = buf_reserve(out, (bytes.n + 2) / 3 * 4)) == NULL)
		return;
	for (i = 0; bytes.n - i >= 3; i += 3) {
		three = (uint32_t)bytes.at[i] << 16 | (uint32_t)bytes.at[i + 1] << 8 | bytes.at[i + 2];
		*to++ = (uint8_t)alphabet[three >> 18];
		*to++ = (uint8_t)alphabet[three >> 12 & 63];
		*to++ = (uint8_t)alphabet[three >> 6 & 63];
		*to++ = (uint8_t)alphabet[three & 63];
	}
	if ((left = bytes.n - i) > 0) {
		three = (uint32_t)bytes.at[i] << 16 | (left == 2 ? (uint32_t)bytes.at[i + 1] << 8 : 0);
		*to++ = (uint8_t)alphabet[three >> 18];
		*to++ = (uint8_t)alphabet[three >> 12 & 63];
		*to++ = left == 2 ? (uint8_t)alphabet[three >> 6 & 63] : '=';
		*to = '=';
	}
	out->n += (bytes.n + 2) / 3 * 4;
}

void
json_write_base64(struct buf *out, struct bytes bytes)
{
	json__base64_encode(bytes, out);
}

tide_err
json_read_base64(struct arena *arena, struct bytes text, struct bytes *out)
{
	uint8_t *at = arena_alloc(arena, text.n / 4 * 3 + 3);
	size_t n;
	tide_err rc;

	if (at == NULL)
		return TIDE_NOMEM;
	if ((rc = json__base64_decode(text, at, &n, NULL)) == TIDE_OK)
		*out = bytes_of(at, n);
	return rc;
}
