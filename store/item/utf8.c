#include "store/item/codec.h"

unsigned
codec_utf8_character(const uint8_t *at, size_t n)
{
	uint8_t first = at[0];
	unsigned length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4, i;

	if (length == 1)
		return 1;
	if (first < 0xc2 || first > 0xf4 || n < length)
		return 0;
	/* The second byte rules out what is overlong, a surrogate, or beyond U+10FFFF. */
	if ((first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f) ||
	    (first == 0xf0 && at[1] < 0x90) || (first == 0xf4 && at[1] > 0x8f))
		return 0;
	for (i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	}
	return length;
}

bool
codec_utf8_valid(struct bytes text)
{
	size_t i = 0;
	unsigned length;
	uint64_t eight;

	while (i < text.n) {
		if (text.n - i >= sizeof eight) {
			memcpy(&eight, text.at + i, sizeof eight);
			if ((eight & 0x8080808080808080ull) == 0) {
				i += sizeof eight;
				continue;
			}
		}
		if ((length = codec_utf8_character(text.at + i, text.n - i)) == 0)
			return false;
		i += length;
	}
	return true;
}
