/*
 * Canonical texts: -? (0 | [1-9][0-9]*) (. [0-9]* [1-9])?, never "-0". They are compared and checked as they stand,
 * which is what sets, conditions and the decoder do all the time.
 */
#include "store/item/number_priv.h"

int
number_text_compare(struct bytes a, struct bytes b)
{
	bool a_negative = a.n > 0 && a.at[0] == '-', b_negative = b.n > 0 && b.at[0] == '-';
	size_t a_whole = 0, b_whole = 0;
	int order;

	if (a_negative != b_negative)
		return a_negative ? -1 : 1;
	if (a_negative) {
		a = bytes_of(a.at + 1, a.n - 1);
		b = bytes_of(b.at + 1, b.n - 1);
	}
	while (a_whole < a.n && a.at[a_whole] != '.')
		a_whole++;
	while (b_whole < b.n && b.at[b_whole] != '.')
		b_whole++;
	/* With whole parts of one length the points stand below each other, and text order is numeric order. */
	order = a_whole != b_whole ? (a_whole < b_whole ? -1 : 1) : bytes_compare(a, b);
	return a_negative ? -order : order;
}

/* The significant digits of a text without its sign. */
struct extent {
	size_t n;
	int magnitude; /* exponent of the first one */
};

static struct extent
measure(struct bytes text)
{
	const uint8_t *dot = text.n > 0 ? memchr(text.at, '.', text.n) : NULL;
	size_t point = dot != NULL ? (size_t)(dot - text.at) : text.n, i, zeros = 0;
	struct extent extent = {0};

	for (i = 0; i < text.n; i++) {
		if (i == point)
			continue;
		if (text.at[i] == '0') {
			zeros++;
			continue;
		}
		if (extent.n == 0)
			extent.magnitude = i < point ? (int)(point - i) - 1 : -(int)(i - point);
		else
			extent.n += zeros;
		extent.n++;
		zeros = 0;
	}
	return extent;
}

static struct bytes
without_sign(struct bytes text)
{
	return text.n > 0 && text.at[0] == '-' ? bytes_of(text.at + 1, text.n - 1) : text;
}

/* The pair of digits that holds the one of this exponent: 1 and 0 are pair 0, -1 and -2 pair -1. */
static int
pair_of(int exponent)
{
	return exponent >= 0 ? exponent / 2 : -((1 - exponent) / 2);
}

size_t
number_text_size(struct bytes text)
{
	struct bytes body = without_sign(text);
	struct extent extent = measure(body);
	int last = extent.magnitude - (int)extent.n + 1;

	if (extent.n == 0)
		return 1;
	return 1 + (size_t)(pair_of(extent.magnitude) - pair_of(last) + 1) + (body.n != text.n);
}

bool
number_text_is_canonical(struct bytes text)
{
	struct bytes body = without_sign(text);
	struct extent extent;
	size_t i, point = body.n;

	if (body.n == 0 || text.n > NUMBER_TEXT_MAX)
		return false;
	for (i = 0; i < body.n; i++) {
		if (body.at[i] == '.' && point == body.n)
			point = i;
		else if (body.at[i] < '0' || body.at[i] > '9')
			return false;
	}
	if (point == 0 || (body.at[0] == '0' && point > 1))
		return false;
	if (point < body.n && (body.at[body.n - 1] == '0' || point == body.n - 1))
		return false;
	extent = measure(body);
	if (extent.n == 0)
		return text.n == 1; /* "0", not "-0" */
	return extent.n <= NUMBER_DIGITS_MAX && extent.magnitude <= NUMBER_MAGNITUDE_MAX &&
	       extent.magnitude >= NUMBER_MAGNITUDE_MIN;
}
