/* Shared by the files of numbers only. */
#ifndef TIDE_STORE_ITEM_NUMBER_PRIV_H
#define TIDE_STORE_ITEM_NUMBER_PRIV_H

#include "store/item/number.h"

#define NUMBER_DIGITS_MAX 38
/* Exponent of the first digit: 1E-130 to 9.99...E+125. */
#define NUMBER_MAGNITUDE_MIN (-130)
#define NUMBER_MAGNITUDE_MAX 125

/** 10^n, n <= 38. */
unsigned __int128 number__power(unsigned n);

/** Decimal digits of a coefficient; 0 for 0, 39 for 39 and more. */
unsigned number__digits(unsigned __int128 coefficient);

/** Exponent of the first digit; the number is not zero. */
int number__magnitude(const struct number *number);

/** The digits, most significant first; how many. Nothing for 0. */
unsigned number__write_digits(unsigned __int128 coefficient, char out[NUMBER_DIGITS_MAX]);

tide_err number__overflow(struct tide_error *error);
tide_err number__underflow(struct tide_error *error);

#endif
