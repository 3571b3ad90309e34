/*
 * Two texts, parted by a space, as numbers: each refused, or one value with one text, one key and one size, whose order is the same by
 * value, by text and by key; and what is added and taken away again is as before. And any bytes as a number's key.
 */
#include <stdlib.h>

#include "base/error.h"
#include "store/item/number.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static bool
same(const struct number *a, const struct number *b)
{
	return a->coefficient == b->coefficient && a->exponent == b->exponent && a->negative == b->negative;
}

static int
sign(int order)
{
	return (order > 0) - (order < 0);
}

/* The canonical text of a number that was read, and the way back. */
static void
one(const struct number *number, struct buf *text, struct buf *key)
{
	struct number again;
	struct bytes in;

	number_format(number, text);
	number_key_append(number, key);
	must(text->n < NUMBER_TEXT_MAX && key->n <= NUMBER_KEY_MAX);
	must(number_text_is_canonical(buf_bytes(text)));
	must(number_parse(buf_bytes(text), &again, NULL) == TIDE_OK && same(&again, number));
	in = buf_bytes(key);
	must(number_key_read(&in, &again) == TIDE_OK && in.n == 0 && same(&again, number));
	must(number_text_size(buf_bytes(text)) >= 1 && number_text_size(buf_bytes(text)) <= 22);
}

static void
two(const struct number *a, const struct number *b)
{
	struct buf texts[2] = {{0}}, keys[2] = {{0}};
	struct number sum, back;
	int order = sign(number_compare(a, b));

	one(a, &texts[0], &keys[0]);
	one(b, &texts[1], &keys[1]);
	must(order == -sign(number_compare(b, a)));
	must((order == 0) == same(a, b));
	must(sign(number_text_compare(buf_bytes(&texts[0]), buf_bytes(&texts[1]))) == order);
	must(sign(bytes_compare(buf_bytes(&keys[0]), buf_bytes(&keys[1]))) == order);
	/* Sums are exact or refused, so the way back is exact, too, where it is not refused. */
	if (number_add(a, b, &sum, NULL) == TIDE_OK && number_subtract(&sum, b, &back, NULL) == TIDE_OK)
		must(same(&back, a));
	if (number_subtract(a, b, &sum, NULL) == TIDE_OK && number_add(&sum, b, &back, NULL) == TIDE_OK)
		must(same(&back, a));
	for (unsigned i = 0; i < 2; i++) {
		buf_fini(&texts[i]);
		buf_fini(&keys[i]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	const uint8_t *space = n == 0 ? NULL : memchr(at, ' ', n);
	size_t first = space == NULL ? n : (size_t)(space - at);
	struct bytes key = bytes_of(at, n);
	struct number a, b;

	if (number_parse(bytes_of(at, first), &a, NULL) == TIDE_OK) {
		if (space == NULL || number_parse(bytes_of(space + 1, n - first - 1), &b, NULL) != TIDE_OK)
			b = a;
		two(&a, &b);
	}
	if (number_key_read(&key, &a) == TIDE_OK)
		two(&a, &a);
	return 0;
}
