#include "tests/unit/item/random_value.h"

#include <stdio.h>
#include <stdlib.h>

#define must(condition)                                                                                      \
	do {                                                                                                 \
		if (!(condition))                                                                            \
			abort();                                                                             \
	} while (0)

uint64_t
random_next(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15ull; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint32_t
random_below(struct random *random, uint32_t n)
{
	return (uint32_t)(random_next(random) % n);
}

struct number
random_number(struct random *random)
{
	static const char *const edges[] = {"0", "1", "-1", "9.9999999999999999999999999999999999999E125",
	    "-9.9999999999999999999999999999999999999E125", "1E-130", "-1E-130", "1E125", "1.1E-130",
	    "9.9999999999999999999999999999999999999E-130", "99999999999999999999999999999999999999", "1E38",
	    "10", "9"};
	struct number number;
	char text[80];
	uint32_t digits, i, n = 0;

	if (random_below(random, 8) == 0) {
		const char *edge = edges[random_below(random, sizeof edges / sizeof edges[0])];

		must(number_parse(bytes_of_string(edge), &number, NULL) == TIDE_OK);
		return number;
	}
	digits = 1 + random_below(random, random_below(random, 2) ? 38 : 3);
	if (random_below(random, 2))
		text[n++] = '-';
	for (i = 0; i < digits; i++) {
		text[n++] = (char)('0' + (random_below(random, 3) ? random_below(random, 10)
								  : 9 * random_below(random, 2)));
		if (i == 0)
			text[n++] = '.';
	}
	n += (uint32_t)snprintf(text + n, sizeof text - n, "E%d",
	    random_below(random, 2) ? (int)random_below(random, 9) - 4
				    : (int)random_below(random, 254) - 129);
	if (number_parse(bytes_of(text, n), &number, NULL) != TIDE_OK) /* 0.00xE-129 */
		number = (struct number){1, 0, false};
	return number;
}

static struct bytes
random_bytes(struct random *random, struct arena *arena, uint32_t max)
{
	uint32_t n = random_below(random, max + 1), i;
	uint8_t *at = arena_alloc(arena, n);

	must(at != NULL);
	for (i = 0; i < n; i++) {
		uint32_t kind = random_below(random, 4);

		at[i] = kind == 0 ? 0 : kind == 1 ? 0xff : (uint8_t)random_next(random);
	}
	return bytes_of(at, n);
}

static struct bytes
random_utf8(struct random *random, struct arena *arena, uint32_t max)
{
	static const char *const pieces[] = {"a", "b", "\"", "\\", "/", "\n", "\x01", "\x7f", "\xc3\xa9",
	    "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf", "zz",
	    "\x1f", "\xc2\x80"};
	uint32_t n = random_below(random, max + 1), used = 0;
	uint8_t *at = arena_alloc(arena, n + 4);

	must(at != NULL);
	while (used < n) {
		const char *piece = pieces[random_below(random, sizeof pieces / sizeof pieces[0])];

		if (random_below(random, 12) == 0) {
			at[used++] = 0; /* a NUL is a character like any other */
			continue;
		}
		if (used + strlen(piece) > n)
			piece = "x";
		memcpy(at + used, piece, strlen(piece));
		used += (uint32_t)strlen(piece);
	}
	return bytes_of(at, used);
}

struct value
random_scalar(struct random *random, struct arena *arena, enum value_type type, uint32_t max)
{
	char text[NUMBER_TEXT_MAX];
	struct value value = {.type = type};
	struct number number;

	if (type == VALUE_S) {
		value.text = random_utf8(random, arena, max);
	} else if (type == VALUE_B) {
		value.text = random_bytes(random, arena, max);
	} else {
		number = random_number(random);
		value.text = arena_copy(arena, bytes_of(text, number_write(&number, text)));
	}
	return value;
}

static struct value
random_set(struct random *random, struct arena *arena, enum value_type type)
{
	struct value set = {.type = type};
	uint32_t n = 1 + random_below(random, random_below(random, 10) ? 6 : 40), i, k = 0;

	set.list.at = arena_alloc(arena, n * sizeof *set.list.at);
	must(set.list.at != NULL);
	for (i = 0; i < n; i++) {
		struct value element = random_scalar(random, arena, type - VALUE_SS + VALUE_S, 40);
		uint32_t j = 0;

		while (j < k && !value_equal(&set.list.at[j], &element))
			j++;
		if (j == k)
			set.list.at[k++] = element;
	}
	set.list.n = k;
	must(value_canonicalize(&set, NULL) == TIDE_OK);
	return set;
}

struct value
random_item(struct random *random, struct arena *arena, uint32_t n, unsigned depth)
{
	struct value item = {.type = VALUE_M};
	uint32_t i;

	item.map.n = random_below(random, n + 1);
	item.map.at = arena_alloc(arena, item.map.n * sizeof *item.map.at);
	must(item.map.at != NULL);
	for (i = 0; i < item.map.n; i++) {
		do { /* a name is never empty */
			item.map.at[i].name = random_utf8(random, arena, random_below(random, 20) ? 8 : 300);
		} while (item.map.at[i].name.n == 0);
		item.map.at[i].value = random_value(random, arena, depth - 1);
	}
	must(value_canonicalize(&item, NULL) == TIDE_OK);
	return item;
}

struct value
random_value(struct random *random, struct arena *arena, unsigned depth)
{
	enum value_type type = random_below(random, VALUE_BOOL + 1);
	struct value value = {0};
	uint32_t i;

	if (depth <= 1 && (type == VALUE_M || type == VALUE_L))
		type = VALUE_NULL;
	value.type = type;
	switch (type) {
	case VALUE_S:
	case VALUE_N:
	case VALUE_B:
		return random_scalar(random, arena, type, random_below(random, 30) ? 40 : 70000);
	case VALUE_SS:
	case VALUE_NS:
	case VALUE_BS:
		return random_set(random, arena, type);
	case VALUE_M:
		return random_item(random, arena, random_below(random, 10) ? 5 : 40, depth);
	case VALUE_L:
		value.list.n = random_below(random, random_below(random, 10) ? 5 : 40);
		value.list.at = arena_alloc(arena, value.list.n * sizeof *value.list.at);
		must(value.list.at != NULL);
		for (i = 0; i < value.list.n; i++)
			value.list.at[i] = random_value(random, arena, depth - 1);
		return value;
	case VALUE_BOOL:
		value.boolean = random_below(random, 2);
		return value;
	case VALUE_NULL:
		value.boolean = true;
		return value;
	}
	return value;
}
