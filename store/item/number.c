#include "store/item/number.h"

#include <assert.h>

#include "store/item/number_priv.h"

#define TEXT_SHOWN_MAX 1024

/* 10^0 .. 10^38: the last one is the first that needs 39 digits, and still fits in 128 bits. */
unsigned __int128
number__power(unsigned n)
{
	static const uint64_t low[20] = {
	    1ull,
	    10ull,
	    100ull,
	    1000ull,
	    10000ull,
	    100000ull,
	    1000000ull,
	    10000000ull,
	    100000000ull,
	    1000000000ull,
	    10000000000ull,
	    100000000000ull,
	    1000000000000ull,
	    10000000000000ull,
	    100000000000000ull,
	    1000000000000000ull,
	    10000000000000000ull,
	    100000000000000000ull,
	    1000000000000000000ull,
	    10000000000000000000ull,
	};

	assert(n <= 38);
	return n < 20 ? low[n] : (unsigned __int128)low[19] * low[n - 19];
}

unsigned
number__digits(unsigned __int128 coefficient)
{
	unsigned n = 0;

	while (n < 38 && coefficient >= number__power(n))
		n++;
	return coefficient >= number__power(38) ? 39 : n;
}

int
number__magnitude(const struct number *number)
{
	return number->exponent + (int)number__digits(number->coefficient) - 1;
}

tide_err
number__overflow(struct tide_error *error)
{
	return tide_fail(error, TIDE_VALIDATION,
	    "Number overflow. Attempting to store a number with magnitude larger than supported range");
}

tide_err
number__underflow(struct tide_error *error)
{
	return tide_fail(error, TIDE_VALIDATION,
	    "Number underflow. Attempting to store a number with magnitude smaller than supported range");
}

static tide_err
fail_not_a_number(struct bytes text, struct tide_error *error)
{
	size_t n = text.n;

	if (text.n == 0)
		return tide_fail(
		    error, TIDE_VALIDATION, "The parameter cannot be converted to a numeric value");
	/* The sentence stays UTF-8: a long text is cut before a character, not inside one. */
	if (n > TEXT_SHOWN_MAX) {
		n = TEXT_SHOWN_MAX;
		while (n > 0 && (text.at[n] & 0xc0) == 0x80)
			n--;
	}
	return tide_fail(error, TIDE_VALIDATION, "The parameter cannot be converted to a numeric value: %.*s",
	    (int)n, (const char *)text.at);
}

/* The decimal text taken apart: value = coefficient * 10^(shift + written), without trailing zeros. */
struct scan {
	unsigned __int128 coefficient; /* right while digits <= 38 */
	int64_t digits; /* significant ones */
	int64_t shift; /* from the point and the trailing zeros */
	int64_t written; /* the exponent in the text */
	bool any; /* a digit was there, be it 0 */
};

static size_t
scan_digits(struct scan *scan, struct bytes text, size_t i)
{
	int64_t zeros = 0, fraction = 0;
	bool point = false;

	for (; i < text.n; i++) {
		unsigned d = (unsigned)text.at[i] - '0';

		if (text.at[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (d > 9)
			break;
		scan->any = true;
		fraction += point;
		if (d == 0) {
			zeros += scan->digits > 0; /* counts only if a further digit follows */
			continue;
		}
		scan->digits += zeros + 1;
		if (scan->digits <= 38)
			scan->coefficient = scan->coefficient * number__power((unsigned)zeros + 1) + d;
		zeros = 0;
	}
	scan->shift = zeros - fraction;
	return i;
}

/* The exponent behind 'e'; false: malformed, or beyond 64 bits, which the service cannot convert either. */
static bool
scan_exponent(struct scan *scan, struct bytes text, size_t i)
{
	const int64_t far = 1000000000000000; /* beyond any range and any text, and safe to add to */
	int64_t exponent = 0;
	bool negative = false;

	if (i < text.n && (text.at[i] == '+' || text.at[i] == '-'))
		negative = text.at[i++] == '-';
	if (i == text.n)
		return false;
	for (; i < text.n; i++) {
		unsigned d = (unsigned)text.at[i] - '0';

		if (d > 9 || __builtin_mul_overflow(exponent, 10, &exponent) ||
		    __builtin_add_overflow(exponent, d, &exponent))
			return false;
	}
	exponent = exponent > far ? far : exponent;
	scan->written = negative ? -exponent : exponent;
	return true;
}

/*
 * Order of the checks, and zero being checked by the exponent it is written with (0E126 overflows), as the service
 * does it: paritysuite/dynamodb-conformance, tests/tier3/limits/numberExponent.test.ts, captured against AWS.
 */
tide_err
number_parse(struct bytes text, struct number *out, struct tide_error *error)
{
	struct scan scan = {0};
	bool negative = false;
	int64_t magnitude;
	size_t i = 0;

	if (i < text.n && (text.at[i] == '+' || text.at[i] == '-'))
		negative = text.at[i++] == '-';
	i = scan_digits(&scan, text, i);
	if (!scan.any)
		return fail_not_a_number(text, error);
	if (i < text.n && ((text.at[i] != 'e' && text.at[i] != 'E') || !scan_exponent(&scan, text, i + 1)))
		return fail_not_a_number(text, error);
	magnitude = scan.digits == 0 ? scan.written : scan.written + scan.shift + scan.digits - 1;
	if (magnitude > NUMBER_MAGNITUDE_MAX)
		return number__overflow(error);
	if (magnitude < NUMBER_MAGNITUDE_MIN)
		return number__underflow(error);
	if (scan.digits > NUMBER_DIGITS_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    "Attempting to store more than 38 significant digits in a Number");
	*out = (struct number){0};
	if (scan.digits > 0)
		*out = (struct number){scan.coefficient, (int16_t)(scan.written + scan.shift), negative};
	return TIDE_OK;
}

unsigned
number__write_digits(unsigned __int128 coefficient, char out[NUMBER_DIGITS_MAX])
{
	const uint64_t half = 10000000000000000000ull; /* 10^19 */
	char reversed[NUMBER_DIGITS_MAX + 1];
	uint64_t high = (uint64_t)(coefficient / half), low = (uint64_t)(coefficient % half);
	unsigned n = 0, i;

	assert(coefficient < number__power(38));
	/* 128-bit division is slow: once, then two halves of 64 bits. */
	for (; low != 0 || (high != 0 && n < 19); low /= 10)
		reversed[n++] = (char)('0' + low % 10);
	for (; high != 0; high /= 10)
		reversed[n++] = (char)('0' + high % 10);
	for (i = 0; i < n; i++)
		out[i] = reversed[n - 1 - i];
	return n;
}

size_t
number_write(const struct number *number, char *out)
{
	char digits[NUMBER_DIGITS_MAX];
	unsigned n = number__write_digits(number->coefficient, digits);
	int point = (int)n + number->exponent; /* digits before the point */
	char *at = out;

	if (n == 0) {
		*at = '0';
		return 1;
	}
	if (number->negative)
		*at++ = '-';
	if (point <= 0) {
		*at++ = '0';
		*at++ = '.';
		memset(at, '0', (size_t)-point);
		at += -point;
		memcpy(at, digits, n);
		at += n;
	} else if (number->exponent >= 0) {
		memcpy(at, digits, n);
		at += n;
		memset(at, '0', (size_t)number->exponent);
		at += number->exponent;
	} else {
		memcpy(at, digits, (size_t)point);
		at += point;
		*at++ = '.';
		memcpy(at, digits + point, n - (size_t)point);
		at += n - (unsigned)point;
	}
	assert(at - out <= NUMBER_TEXT_MAX);
	return (size_t)(at - out);
}

void
number_format(const struct number *number, struct buf *out)
{
	char text[NUMBER_TEXT_MAX];

	buf_append(out, text, number_write(number, text));
}
