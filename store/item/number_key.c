/*
 * Numbers as bytes in numeric order (docs/item-format.md):
 *
 *     zero       02
 *     positive   03  magnitude + 130  pair + 1 ...  00
 *     negative   01  the same three, each byte complemented
 *
 * Magnitude is the exponent of the first digit, -130 to 125: one byte exactly. Pairs are the digits from the first
 * one on, two to a byte; an odd last digit is padded with 0, and no pair 00 stands at the end.
 */
#include <assert.h>

#include "store/item/number_priv.h"

enum { CLASS_NEGATIVE = 1, CLASS_ZERO = 2, CLASS_POSITIVE = 3 };

void
number_key_append(const struct number *number, struct buf *out)
{
	char digits[NUMBER_DIGITS_MAX];
	uint8_t key[NUMBER_KEY_MAX], mask = number->negative ? 0xff : 0;
	unsigned n = number__write_digits(number->coefficient, digits), i, k = 0;

	if (n == 0) {
		buf_append_byte(out, CLASS_ZERO);
		return;
	}
	key[k++] = number->negative ? CLASS_NEGATIVE : CLASS_POSITIVE;
	key[k++] = (uint8_t)(number->exponent + (int)n - 1 - NUMBER_MAGNITUDE_MIN) ^ mask;
	for (i = 0; i < n; i += 2) {
		unsigned pair =
		    (unsigned)(digits[i] - '0') * 10 + (i + 1 < n ? (unsigned)(digits[i + 1] - '0') : 0);

		key[k++] = (uint8_t)(pair + 1) ^ mask;
	}
	key[k++] = mask;
	assert(k <= sizeof key);
	buf_append(out, key, k);
}

tide_err
number_key_read(struct bytes *in, struct number *out)
{
	unsigned __int128 coefficient = 0;
	uint8_t mask;
	unsigned pair = 0, pairs = 0;
	int exponent;
	size_t i;

	if (in->n >= 1 && in->at[0] == CLASS_ZERO) {
		*in = bytes_of(in->at + 1, in->n - 1);
		*out = (struct number){0};
		return TIDE_OK;
	}
	if (in->n < 4 || (in->at[0] != CLASS_NEGATIVE && in->at[0] != CLASS_POSITIVE))
		return TIDE_CORRUPT;
	mask = in->at[0] == CLASS_NEGATIVE ? 0xff : 0;
	exponent = (int)(in->at[1] ^ mask) + NUMBER_MAGNITUDE_MIN + 1;
	for (i = 2; i < in->n && (in->at[i] ^ mask) != 0; i++) {
		pair = (unsigned)(in->at[i] ^ mask) - 1;
		if (pair > 99 || pairs == NUMBER_DIGITS_MAX / 2 || (pairs == 0 && pair < 10))
			return TIDE_CORRUPT;
		coefficient = coefficient * 100 + pair;
		pairs++;
	}
	if (i == in->n || pairs == 0 || pair == 0)
		return TIDE_CORRUPT;
	exponent -= (int)pairs * 2;
	if (pair % 10 == 0) {
		coefficient /= 10;
		exponent++;
	}
	*out = (struct number){coefficient, (int16_t)exponent, mask != 0};
	*in = bytes_of(in->at + i + 1, in->n - i - 1);
	return TIDE_OK;
}
