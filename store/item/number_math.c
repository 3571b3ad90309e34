#include "store/item/number_priv.h"

static int
compare_magnitudes(const struct number *a, const struct number *b)
{
	unsigned __int128 x = a->coefficient, y = b->coefficient;
	unsigned x_digits = number__digits(x), y_digits = number__digits(y);
	int x_first = a->exponent + (int)x_digits, y_first = b->exponent + (int)y_digits;

	if (x_first != y_first)
		return x_first < y_first ? -1 : 1;
	/* The first digits stand at one place: as many digits for both, and the coefficients compare. */
	if (x_digits < y_digits)
		x *= number__power(y_digits - x_digits);
	else
		y *= number__power(x_digits - y_digits);
	return (x > y) - (x < y);
}

int
number_compare(const struct number *a, const struct number *b)
{
	int a_sign = a->coefficient == 0 ? 0 : a->negative ? -1 : 1;
	int b_sign = b->coefficient == 0 ? 0 : b->negative ? -1 : 1;

	if (a_sign != b_sign)
		return a_sign < b_sign ? -1 : 1;
	if (a_sign == 0)
		return 0;
	return a_sign * compare_magnitudes(a, b);
}

/* Strip trailing zeros and check the range of an exact result. */
static tide_err
settle(
    unsigned __int128 coefficient, int exponent, bool negative, struct number *out, struct tide_error *error)
{
	unsigned digits;

	if (coefficient == 0) {
		*out = (struct number){0};
		return TIDE_OK;
	}
	while (coefficient % 10 == 0) {
		coefficient /= 10;
		exponent++;
	}
	digits = number__digits(coefficient);
	if (digits > NUMBER_DIGITS_MAX || exponent + (int)digits - 1 > NUMBER_MAGNITUDE_MAX)
		return number__overflow(error);
	if (exponent + (int)digits - 1 < NUMBER_MAGNITUDE_MIN)
		return number__underflow(error);
	*out = (struct number){coefficient, (int16_t)exponent, negative};
	return TIDE_OK;
}

/*
 * a + b with a's exponent the greater or equal: a's coefficient is brought to b's exponent.
 *
 * 128 bits are enough, however far the exponents are apart. Where they differ the last digit of b, which is not
 * zero, is the last digit of the result, so that nothing can be stripped: a result of 10^38 or more does not fit.
 * b has less than 10^38, so an aligned a of 2 * 10^38 or more gives such a result, added or subtracted; and what
 * overflows 128 bits is over 3.4 * 10^38.
 */
static tide_err
add_aligned(const struct number *a, const struct number *b, struct number *out, struct tide_error *error)
{
	int shift = a->exponent - b->exponent;
	unsigned __int128 x = a->coefficient, y = b->coefficient;

	if (shift > 38 || __builtin_mul_overflow(x, number__power((unsigned)shift), &x))
		return number__overflow(error);
	if (a->negative != b->negative) {
		bool flip = x < y;

		return settle(flip ? y - x : x - y, b->exponent, a->negative != flip, out, error);
	}
	if (__builtin_add_overflow(x, y, &x))
		return number__overflow(error);
	return settle(x, b->exponent, a->negative, out, error);
}

tide_err
number_add(const struct number *a, const struct number *b, struct number *out, struct tide_error *error)
{
	if (a->coefficient == 0 || b->coefficient == 0) {
		*out = a->coefficient == 0 ? *b : *a;
		return TIDE_OK;
	}
	return a->exponent >= b->exponent ? add_aligned(a, b, out, error) : add_aligned(b, a, out, error);
}

tide_err
number_subtract(const struct number *a, const struct number *b, struct number *out, struct tide_error *error)
{
	struct number minus = *b;

	minus.negative = b->coefficient != 0 && !b->negative;
	return number_add(a, &minus, out, error);
}
