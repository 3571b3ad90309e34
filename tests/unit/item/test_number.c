#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/item/number.h"
#include "tests/unit/item/random_value.h"

#define ROUNDS 20000
#define SEED 20261121

#define NOT_A_NUMBER "The parameter cannot be converted to a numeric value"
#define TOO_MANY "Attempting to store more than 38 significant digits in a Number"
#define OVERFLOW_ "Number overflow. Attempting to store a number with magnitude larger than supported range"
#define UNDERFLOW_                                                                                           \
	"Number underflow. Attempting to store a number with magnitude smaller than supported range"

#define NINES38 "99999999999999999999999999999999999999"
#define ZEROS129                                                                                             \
	"000000000000000000000000000000000000000000000000000000000000000000000000000000000"                  \
	"000000000000000000000000000000000000000000000000"

static const struct canonical_case {
	const char *text, *want;
} canonical_cases[] = {
    {"1", "1"},
    {"123", "123"},
    {"-5", "-5"},
    {"0", "0"},
    {"10", "10"},
    {"1000", "1000"},
    {"007", "7"},
    {"001.23", "1.23"},
    {"00", "0"},
    {"+3", "3"},
    {"+0", "0"},
    {"+1.5", "1.5"},
    {"1.", "1"},
    {"1.0", "1"},
    {"1.10", "1.1"},
    {"100.000", "100"},
    {"0.0", "0"},
    {"0.10", "0.1"},
    {"1e3", "1000"},
    {"1E+3", "1000"},
    {"-3e2", "-300"},
    {"1.5e2", "150"},
    {"1.23e4", "12300"},
    {"1e-3", "0.001"},
    {"123e-2", "1.23"},
    {"1.23e-1", "0.123"},
    {"1.00e2", "100"},
    {"-0", "0"},
    {"-0.0", "0"},
    {"0e5", "0"},
    {"0e125", "0"},
    {"0.0e-130", "0"},
    {".5", "0.5"},
    {"-.5", "-0.5"},
    {"1e20", "100000000000000000000"},
    {"-273.15", "-273.15"},
    {"1e-0000000000000000000000000000000000000000000000001", "0.1"},
    {NINES38, NINES38},
    {NINES38 "000", NINES38 "000"},
    {"0000000000000000000000000000000000000000000000000001.5", "1.5"},
    {"1.000000000000000000000000000000000000000000000000000000", "1"},
    {"12345678901234567890123456789012345678", "12345678901234567890123456789012345678"},
    {"1234567890123456789.0123456789012345678", "1234567890123456789.0123456789012345678"},
    {"10000000000000000000", "10000000000000000000"},
    {"10000000000000000001", "10000000000000000001"},
    {"1E-130", "0." ZEROS129 "1"},
    {"-1E-130", "-0." ZEROS129 "1"},
};

static void
canonical_text_is_plain(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof canonical_cases / sizeof canonical_cases[0]; i++) {
		const struct canonical_case *c = &canonical_cases[i];
		char text[NUMBER_TEXT_MAX + 1];
		struct number number, again;
		struct tide_error error;

		print_message("%s\n", c->text);
		assert_int_equal(number_parse(bytes_of_string(c->text), &number, &error), TIDE_OK);
		text[number_write(&number, text)] = 0;
		assert_string_equal(text, c->want);
		assert_true(number_text_is_canonical(bytes_of_string(c->want)));
		assert_int_equal(
		    number_text_is_canonical(bytes_of_string(c->text)), strcmp(c->text, c->want) == 0);
		assert_int_equal(number_parse(bytes_of_string(text), &again, &error), TIDE_OK);
		assert_int_equal(number_compare(&number, &again), 0);
	}
}

static const struct refused_case {
	const char *text, *want;
} refused_cases[] = {
    {"", NOT_A_NUMBER},
    {"abc", NOT_A_NUMBER ": abc"},
    {"NaN", NOT_A_NUMBER ": NaN"},
    {"Infinity", NOT_A_NUMBER ": Infinity"},
    {"-Infinity", NOT_A_NUMBER ": -Infinity"},
    {" 1", NOT_A_NUMBER ":  1"},
    {"1 ", NOT_A_NUMBER ": 1 "},
    {"-", NOT_A_NUMBER ": -"},
    {"+", NOT_A_NUMBER ": +"},
    {".", NOT_A_NUMBER ": ."},
    {"-.e1", NOT_A_NUMBER ": -.e1"},
    {"e5", NOT_A_NUMBER ": e5"},
    {"1e", NOT_A_NUMBER ": 1e"},
    {"1e+", NOT_A_NUMBER ": 1e+"},
    {"1e5.0", NOT_A_NUMBER ": 1e5.0"},
    {"1.2.3", NOT_A_NUMBER ": 1.2.3"},
    {"--1", NOT_A_NUMBER ": --1"},
    {"0x10", NOT_A_NUMBER ": 0x10"},
    {"1_000", NOT_A_NUMBER ": 1_000"},
    {"1e9223372036854775808", NOT_A_NUMBER ": 1e9223372036854775808"},
    {"123456789012345678901234567890123456789", TOO_MANY},
    {"-1.23456789012345678901234567890123456789", TOO_MANY},
    {"1" NINES38 "00000", TOO_MANY},
    {"1e126", OVERFLOW_},
    {"-1e126", OVERFLOW_},
    {"10e125", OVERFLOW_},
    {"1e99999999999", OVERFLOW_},
    {"1e9223372036854775807", OVERFLOW_},
    {"0e126", OVERFLOW_},
    {"1e-131", UNDERFLOW_},
    {"-1e-131", UNDERFLOW_},
    {"0.1e-130", UNDERFLOW_},
    {"1e-99999999999", UNDERFLOW_},
    {"1e-9223372036854775807", UNDERFLOW_},
    {"0e-131", UNDERFLOW_},
};

static void
refused_texts_have_dynamodbs_sentence(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof refused_cases / sizeof refused_cases[0]; i++) {
		const struct refused_case *c = &refused_cases[i];
		struct number number = {42, 0, false};
		struct tide_error error;

		print_message("%s\n", c->text);
		assert_int_equal(number_parse(bytes_of_string(c->text), &number, &error), TIDE_VALIDATION);
		assert_string_equal(error.message, c->want);
		assert_true(number.coefficient == 42);
		assert_false(number_text_is_canonical(bytes_of_string(c->text)));
	}
}

static void
a_long_text_is_cut_between_characters(void **state)
{
	char text[3000];
	struct tide_error error;
	struct number number;
	size_t i;

	(void)state;
	for (i = 0; i + 2 <= sizeof text; i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	assert_int_equal(number_parse(bytes_of(text + 1, sizeof text - 2), &number, &error), TIDE_VALIDATION);
	i = strlen(error.message);
	assert_true(i < TIDE_MESSAGE_MAX - 1);
	assert_int_equal((uint8_t)error.message[i - 1], 0xa9);
}

/*
 * The oracle: a number as an array of decimal digits at fixed places, 10^-170 to 10^129, worked on as in school. It
 * shares nothing with the code under test but the canonical text.
 */
#define PLACES 300
#define POINT 170 /* index of 10^0 */

struct digits {
	int at[PLACES];
	bool negative;
};

static struct digits
digits_of(struct bytes text)
{
	struct digits digits = {0};
	const char *s = (const char *)text.at;
	size_t i, start = s[0] == '-', point = text.n;

	digits.negative = s[0] == '-';
	for (i = start; i < text.n; i++) {
		if (s[i] == '.')
			point = i;
	}
	for (i = start; i < text.n; i++) {
		if (i < point)
			digits.at[POINT + (int)(point - 1 - i)] = s[i] - '0';
		else if (i > point)
			digits.at[POINT - (int)(i - point)] = s[i] - '0';
	}
	return digits;
}

static int
digits_compare_magnitude(const struct digits *a, const struct digits *b)
{
	int i;

	for (i = PLACES - 1; i >= 0; i--) {
		if (a->at[i] != b->at[i])
			return a->at[i] < b->at[i] ? -1 : 1;
	}
	return 0;
}

static bool
digits_zero(const struct digits *a)
{
	struct digits zero = {0};

	return digits_compare_magnitude(a, &zero) == 0;
}

static int
digits_compare(const struct digits *a, const struct digits *b)
{
	bool a_negative = a->negative && !digits_zero(a), b_negative = b->negative && !digits_zero(b);

	if (a_negative != b_negative)
		return a_negative ? -1 : 1;
	return a_negative ? -digits_compare_magnitude(a, b) : digits_compare_magnitude(a, b);
}

static struct digits
digits_add(const struct digits *a, const struct digits *b)
{
	const struct digits *big = digits_compare_magnitude(a, b) >= 0 ? a : b, *small = big == a ? b : a;
	struct digits sum = {.negative = big->negative};
	int i, carry = 0;

	for (i = 0; i < PLACES; i++) {
		int d = big->at[i] + (a->negative == b->negative ? small->at[i] : -small->at[i]) + carry;

		carry = d < 0 ? -1 : d / 10;
		sum.at[i] = d < 0 ? d + 10 : d % 10;
	}
	return sum;
}

/* The canonical text, or the sentence that refuses it. */
static const char *
digits_text(const struct digits *a, char *text)
{
	int first = PLACES - 1, last = 0, i, n = 0;

	while (first >= 0 && a->at[first] == 0)
		first--;
	if (first < 0)
		return "0";
	while (a->at[last] == 0)
		last++;
	if (first - last + 1 > 38 || first - POINT > 125)
		return OVERFLOW_;
	if (first - POINT < -130)
		return UNDERFLOW_;
	if (a->negative)
		text[n++] = '-';
	for (i = first > POINT ? first : POINT; i >= (last < POINT ? last : POINT); i--) {
		if (i == POINT - 1)
			text[n++] = '.';
		text[n++] = (char)('0' + a->at[i]);
	}
	text[n] = 0;
	return text;
}

struct pair {
	struct number a, b;
	char a_text[NUMBER_TEXT_MAX + 1], b_text[NUMBER_TEXT_MAX + 1];
	struct bytes a_bytes, b_bytes;
};

/* Two numbers, now and then close to each other, so that differences cancel. */
static void
draw(struct random *random, struct pair *pair)
{
	pair->a = random_number(random);
	pair->b = random_number(random);
	if (random_below(random, 4) == 0) {
		struct number small = random_number(random);

		if (number_add(&pair->a, &small, &pair->b, NULL) != TIDE_OK)
			pair->b = pair->a;
		if (random_below(random, 2) && pair->b.coefficient != 0)
			pair->b.negative = !pair->b.negative;
	}
	pair->a_bytes = bytes_of(pair->a_text, number_write(&pair->a, pair->a_text));
	pair->b_bytes = bytes_of(pair->b_text, number_write(&pair->b, pair->b_text));
	pair->a_text[pair->a_bytes.n] = pair->b_text[pair->b_bytes.n] = 0;
}

static void
check_sum(const struct pair *pair, const struct digits *a, const struct digits *b, bool subtract)
{
	struct digits minus = *b, sum;
	struct tide_error error = {0};
	struct number result;
	char want_text[PLACES + 3], got_text[NUMBER_TEXT_MAX + 1];
	const char *want, *got = error.message;

	if (subtract)
		minus.negative = !minus.negative;
	sum = digits_add(a, &minus);
	want = digits_text(&sum, want_text);
	if ((subtract ? number_subtract : number_add)(&pair->a, &pair->b, &result, &error) == TIDE_OK) {
		got_text[number_write(&result, got_text)] = 0;
		got = got_text;
	}
	if (strcmp(want, got) != 0)
		print_error("%s %c %s: want %s, got %s\n", pair->a_text, subtract ? '-' : '+', pair->b_text,
		    want, got);
	assert_string_equal(want, got);
}

static void
sums_and_differences_are_exact(void **state)
{
	struct random random = {SEED};
	struct pair pair;
	int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		struct digits a, b;

		draw(&random, &pair);
		a = digits_of(pair.a_bytes);
		b = digits_of(pair.b_bytes);
		check_sum(&pair, &a, &b, false);
		check_sum(&pair, &a, &b, true);
	}
}

static const struct sum_case {
	const char *a, *b, *sum, *difference;
} sum_cases[] = {
    {"1E50", "1", OVERFLOW_, OVERFLOW_},
    {"9E125", "9E125", OVERFLOW_, "0"},
    {"9E125", "9E124", NULL, NULL},
    {"1E-130", "1E-130", NULL, "0"},
    {"1.1E-130", "1E-130", NULL, UNDERFLOW_},
    {"0.1", "0.2", "0.3", "-0.1"},
    {NINES38, "1", "100000000000000000000000000000000000000", "99999999999999999999999999999999999998"},
    {NINES38, NINES38, OVERFLOW_, "0"},
    {"1E38", "1", OVERFLOW_, NINES38},
    {"2E38", "1", OVERFLOW_, OVERFLOW_},
    {"4E38", NINES38, OVERFLOW_, OVERFLOW_},
    {"1E125", "-1E-130", OVERFLOW_, OVERFLOW_},
};

static void
sums_at_the_edges(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof sum_cases / sizeof sum_cases[0]; i++) {
		const struct sum_case *c = &sum_cases[i];
		struct number a, b, out;
		struct tide_error error;
		char text[NUMBER_TEXT_MAX + 1];
		int subtract;

		print_message("%s %s\n", c->a, c->b);
		assert_int_equal(number_parse(bytes_of_string(c->a), &a, NULL), TIDE_OK);
		assert_int_equal(number_parse(bytes_of_string(c->b), &b, NULL), TIDE_OK);
		for (subtract = 0; subtract < 2; subtract++) {
			const char *want = subtract ? c->difference : c->sum;
			tide_err rc = (subtract ? number_subtract : number_add)(&a, &b, &out, &error);

			if (want == NULL) {
				assert_int_equal(rc, TIDE_OK);
				continue;
			}
			if (rc == TIDE_OK)
				text[number_write(&out, text)] = 0;
			assert_string_equal(rc == TIDE_OK ? text : error.message, want);
		}
	}
}

static int
sign(int order)
{
	return (order > 0) - (order < 0);
}

static void
key_order_and_text_order_are_numeric_order(void **state)
{
	struct random random = {SEED + 1};
	struct buf x = {0}, y = {0};
	struct pair pair;
	int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		struct digits a, b;
		int want;

		draw(&random, &pair);
		a = digits_of(pair.a_bytes);
		b = digits_of(pair.b_bytes);
		want = digits_compare(&a, &b);
		buf_clear(&x);
		buf_clear(&y);
		number_key_append(&pair.a, &x);
		number_key_append(&pair.b, &y);
		assert_true(x.n <= NUMBER_KEY_MAX);
		if (sign(number_compare(&pair.a, &pair.b)) != want ||
		    sign(bytes_compare(buf_bytes(&x), buf_bytes(&y))) != want)
			print_error("%s %s\n", pair.a_text, pair.b_text);
		assert_int_equal(sign(number_compare(&pair.a, &pair.b)), want);
		assert_int_equal(sign(number_compare(&pair.b, &pair.a)), -want);
		assert_int_equal(sign(number_text_compare(pair.a_bytes, pair.b_bytes)), want);
		assert_int_equal(sign(bytes_compare(buf_bytes(&x), buf_bytes(&y))), want);
		/* no key is a prefix of another */
		assert_true(want == 0 || memcmp(x.at, y.at, x.n < y.n ? x.n : y.n) != 0);
	}
	buf_fini(&x);
	buf_fini(&y);
}

static void
keys_read_back_and_end_themselves(void **state)
{
	struct random random = {SEED + 2};
	struct buf key = {0};
	int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		struct number number = random_number(&random), back;
		struct bytes in;
		size_t n, cut;

		buf_clear(&key);
		number_key_append(&number, &key);
		n = key.n;
		buf_append_string(&key, "tail");
		in = buf_bytes(&key);
		assert_int_equal(number_key_read(&in, &back), TIDE_OK);
		assert_int_equal(in.n, 4);
		assert_true(back.coefficient == number.coefficient);
		assert_int_equal(back.exponent, number.exponent);
		assert_int_equal(back.negative, number.negative);
		for (cut = 0; cut < n; cut++) {
			in = bytes_of(key.at, cut);
			assert_int_equal(number_key_read(&in, &back), TIDE_CORRUPT);
		}
	}
	buf_fini(&key);
}

static const struct {
	const char *name;
	uint8_t at[24];
	size_t n;
} bad_keys[] = {
    {"unknown class", {0x04, 0x80, 0x0b, 0x00}, 4},
    {"no digits", {0x03, 0x80, 0x00}, 3},
    {"first digit 0", {0x03, 0x80, 0x05, 0x00}, 4},
    {"last pair 00", {0x03, 0x80, 0x0b, 0x01, 0x00}, 5},
    {"pair over 99", {0x03, 0x80, 0x65, 0x00}, 4},
    {"twenty pairs",
	{0x03, 0x80, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 0x00},
	23},
    {"no end", {0x03, 0x80, 0x0b, 0x0b}, 4},
};

static void
bad_keys_are_corrupt(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad_keys / sizeof bad_keys[0]; i++) {
		struct bytes in = bytes_of(bad_keys[i].at, bad_keys[i].n);
		struct number number;

		if (number_key_read(&in, &number) != TIDE_CORRUPT)
			fail_msg("%s", bad_keys[i].name);
	}
}

static void
canonical_check_agrees_with_the_parser(void **state)
{
	static const char letters[] = "0123456789.-00.0";
	struct random random = {SEED + 3};
	int i;

	(void)state;
	for (i = 0; i < ROUNDS * 5; i++) {
		char text[16], back[NUMBER_TEXT_MAX];
		uint32_t n = random_below(&random, sizeof text), k;
		struct number number;
		bool want = false;

		for (k = 0; k < n; k++)
			text[k] = letters[random_below(&random, sizeof letters - 1)];
		if (number_parse(bytes_of(text, n), &number, NULL) == TIDE_OK)
			want = bytes_equal(bytes_of(text, n), bytes_of(back, number_write(&number, back)));
		if (number_text_is_canonical(bytes_of(text, n)) != want)
			fail_msg("%.*s", (int)n, text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(canonical_text_is_plain),
	    cmocka_unit_test(refused_texts_have_dynamodbs_sentence),
	    cmocka_unit_test(a_long_text_is_cut_between_characters),
	    cmocka_unit_test(sums_and_differences_are_exact),
	    cmocka_unit_test(sums_at_the_edges),
	    cmocka_unit_test(key_order_and_text_order_are_numeric_order),
	    cmocka_unit_test(keys_read_back_and_end_themselves),
	    cmocka_unit_test(bad_keys_are_corrupt),
	    cmocka_unit_test(canonical_check_agrees_with_the_parser),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
