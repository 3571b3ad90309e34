/*
 * DynamoDB numbers: exact decimals of up to 38 significant digits, 1E-130 to 9.99...E+125, and zero.
 *
 * Value = (-1)^negative * coefficient * 10^exponent. Normalised: no trailing zero in the coefficient, zero is
 * {0, 0, false}. 38 digits fit in 128 bits. Pure; any thread.
 * Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
 */
#ifndef TIDE_STORE_ITEM_NUMBER_H
#define TIDE_STORE_ITEM_NUMBER_H

#include "base/bytes.h"

struct number {
	unsigned __int128 coefficient;
	int16_t exponent;
	bool negative;
};

#define NUMBER_TEXT_MAX 176 /* 1E-130 in plain notation with sign, and room */
#define NUMBER_KEY_MAX 24 /* longest order-preserving encoding */

/**
 * Parse decimal text as DynamoDB does (sign, digits, fraction, exponent; leading zeros allowed; no hex, no NaN).
 *
 * Errors     TIDE_VALIDATION with DynamoDB's sentence in `error`: not a number, more than 38 significant
 *            digits, magnitude too large, magnitude too small. `*out` unchanged.
 */
tide_err number_parse(struct bytes text, struct number *out, struct tide_error *error);

/** Canonical text as DynamoDB returns it (plain notation, no exponent: "100", "0.05", "-1.5"). Appends. */
void number_format(const struct number *number, struct buf *out);

/** The same into `out` (NUMBER_TEXT_MAX bytes, no NUL); how many bytes it took. */
size_t number_write(const struct number *number, char *out);

int number_compare(const struct number *a, const struct number *b);

/** number_compare of two canonical texts, without parsing them. */
int number_text_compare(struct bytes a, struct bytes b);

/** Whether a text is what number_format gives for some number. */
bool number_text_is_canonical(struct bytes text);

/**
 * What a canonical text counts in an item's size: 1 byte, 1 for every pair of digits that is not 00 (pairs as they stand
 * around the point: 1.5 is 01 and 50), leading and trailing ones left out, and 1 for a minus. The developer guide says less; this
 * is what AWS charges (paritysuite/dynamodb-conformance, numberByteSize, captured there) and what DynamoDB Local does.
 */
size_t number_text_size(struct bytes text);

/**
 * Exact sum and difference, never rounded. TIDE_VALIDATION: overflow or underflow; a result of more than 38 digits is
 * an overflow too, as the service says it for 1E50 + 1 (Alternator's test_update_expression_plus_imprecise, which its
 * authors run against AWS). `*out` unchanged.
 */
tide_err number_add(
    const struct number *a, const struct number *b, struct number *out, struct tide_error *error);
tide_err number_subtract(
    const struct number *a, const struct number *b, struct number *out, struct tide_error *error);

/** Append an encoding whose byte order is numeric order and that ends itself (no encoding is a prefix of another). */
void number_key_append(const struct number *number, struct buf *out);

/** Read one back from the front of `in`, advancing it. TIDE_CORRUPT: not such an encoding. */
tide_err number_key_read(struct bytes *in, struct number *out);

#endif
