#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/item/codec.h"
#include "tests/unit/item/random_value.h"

#define SEED 4711

static struct bytes
from_hex(struct arena *arena, const char *hex)
{
	uint8_t *at = arena_alloc(arena, strlen(hex) / 2 + 1);
	size_t n = 0;

	for (; hex[0] != 0; hex++) {
		if (hex[0] == ' ')
			continue;
		at[n++] = (uint8_t)strtoul((char[]){hex[0], hex[1], 0}, NULL, 16);
		hex++;
	}
	return bytes_of(at, n);
}

static void
random_trees_survive_a_round_trip(void **state)
{
	struct random random = {SEED};
	int i;

	(void)state;
	for (i = 0; i < 2000; i++) {
		struct arena arena;
		struct value item, back;
		struct buf once = {0}, again = {0};

		arena_init(&arena, 0);
		item = random_item(&random, &arena, i % 50 == 0 ? 300 : 12, 1 + i % 8);
		value_encode(&item, &once);
		assert_int_equal(value_decode(&arena, buf_bytes(&once), &back), TIDE_OK);
		assert_true(value_equal(&item, &back));
		value_encode(&back, &again);
		assert_true(bytes_equal(buf_bytes(&once), buf_bytes(&again)));
		assert_int_equal(item_encoded_size(buf_bytes(&once)), item_size(&item));
		arena_fini(&arena);
		buf_fini(&once);
		buf_fini(&again);
	}
}

/* Lengths around every boundary of msgpack's heads. */
static void
every_length_of_head_survives(void **state)
{
	static const uint32_t lengths[] = {
	    0, 1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 32, 33, 255, 256, 257, 65535, 65536, 70000};
	size_t i;
	int type;

	(void)state;
	for (i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		for (type = 0; type < 4; type++) {
			struct arena arena;
			struct value element = {.type = type % 2 == 0 ? VALUE_S : VALUE_B}, set = {0}, back;
			struct buf buf = {0};
			uint8_t *at;

			arena_init(&arena, 0);
			at = arena_alloc(&arena, lengths[i] + 1);
			memset(at, 'x', lengths[i]);
			element.text = bytes_of(at, lengths[i]);
			set = (struct value){
			    .type = type % 2 == 0 ? VALUE_SS : VALUE_BS, .list = {&element, 1}};
			value_encode(type < 2 ? &element : &set, &buf);
			assert_int_equal(value_decode(&arena, buf_bytes(&buf), &back), TIDE_OK);
			assert_true(value_equal(type < 2 ? &element : &set, &back));
			arena_fini(&arena);
			buf_fini(&buf);
		}
	}
}

static void
nesting(struct buf *buf, unsigned lists)
{
	buf_clear(buf);
	while (lists-- > 0)
		buf_append_byte(buf, 0x91);
	buf_append_byte(buf, 0xc0);
}

static void
depth_is_bounded(void **state)
{
	struct arena arena;
	struct value value;
	struct buf buf = {0};

	(void)state;
	arena_init(&arena, 0);
	nesting(&buf, NESTING_MAX); /* an item, 31 containers and a scalar */
	assert_int_equal(value_decode(&arena, buf_bytes(&buf), &value), TIDE_OK);
	nesting(&buf, NESTING_MAX + 1);
	assert_int_equal(value_decode(&arena, buf_bytes(&buf), &value), TIDE_CORRUPT);
	nesting(&buf, 1000000);
	assert_int_equal(value_decode(&arena, buf_bytes(&buf), &value), TIDE_CORRUPT);
	buf_fini(&buf);
	arena_fini(&arena);
}

static const struct {
	const char *name, *hex;
} corrupt_cases[] = {
    {"nothing", ""},
    {"a type that is not ours", "01"},
    {"a float", "cb 3ff0000000000000"},
    {"trailing bytes", "c0 c0"},
    {"str8 where fixstr does", "d9 01 61"},
    {"str16 where str8 does", "da 0020 6161616161616161616161616161616161616161616161616161616161616161"},
    {"str32 where str16 does", "db 00000100"},
    {"bin16 where bin8 does", "c5 0001 61"},
    {"array16 where fixarray does", "dc 0001 c0"},
    {"map16 where fixmap does", "de 0001 a1 61 c0"},
    {"ext8 where fixext does", "c7 01 01 31"},
    {"ext16 where ext8 does", "c8 0003 01 313030"},
    {"ext type unknown", "d4 05 31"},
    {"ext type 0", "d4 00 31"},
    {"str cut", "a3 6161"},
    {"array longer than the bytes", "dd ffffffff"},
    {"map longer than the bytes", "df ffffffff"},
    {"number with a trailing fraction zero", "c7 03 01 312e30"},
    {"number with a leading zero", "d5 01 3031"},
    {"number with an exponent", "c7 03 01 316531"},
    {"minus zero", "d5 01 2d30"},
    {"number empty", "c7 00 01"},
    {"string not UTF-8", "a1 ff"},
    {"string with a surrogate", "a3 eda080"},
    {"string overlong", "a2 c080"},
    {"member names out of order", "82 a1 62 c0 a1 61 c0"},
    {"member name twice", "82 a1 61 c0 a1 61 c0"},
    {"member name not a str", "81 c0 c0"},
    {"member name not UTF-8", "81 a1 ff c0"},
    {"member without a value", "81 a1 61"},
    {"empty set", "d4 02 90"},
    {"set out of order", "c7 05 02 92 a1 62 a1 61"},
    {"set with an element twice", "c7 05 02 92 a1 61 a1 61"},
    {"number set in text order", "c7 06 03 92 a2 3130 a1 39"},
    {"binary set of str", "c7 03 04 91 a1 61"},
    {"string set of bin", "d6 02 91 c4 01 61"},
    {"set with bytes left", "d6 02 91 a1 61 a1"},
    {"set without its array", "d4 02 a1"},
    {"set longer than its ext", "d5 02 92 a0"},
};

static void
what_is_not_canonical_is_corrupt(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof corrupt_cases / sizeof corrupt_cases[0]; i++) {
		struct arena arena;
		struct value value = {.type = VALUE_BOOL, .boolean = true};

		arena_init(&arena, 0);
		if (value_decode(&arena, from_hex(&arena, corrupt_cases[i].hex), &value) != TIDE_CORRUPT)
			fail_msg("%s", corrupt_cases[i].name);
		assert_int_equal(value.type, VALUE_BOOL);
		arena_fini(&arena);
	}
}

static void
damage_never_gives_another_form_of_a_value(void **state)
{
	struct random random = {SEED + 2};
	int i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		struct arena arena;
		struct value item, back;
		struct buf buf = {0}, again = {0};
		uint32_t hits = 1 + random_below(&random, 3);

		arena_init(&arena, 0);
		do
			item = random_item(&random, &arena, 4, 3);
		while (item.map.n == 0);
		value_encode(&item, &buf);
		while (hits-- > 0)
			buf.at[random_below(&random, (uint32_t)buf.n)] ^=
			    (uint8_t)(1 << random_below(&random, 8));
		if (value_decode(&arena, buf_bytes(&buf), &back) == TIDE_OK) {
			value_encode(&back, &again);
			assert_true(bytes_equal(buf_bytes(&buf), buf_bytes(&again)));
		}
		arena_fini(&arena);
		buf_fini(&buf);
		buf_fini(&again);
	}
}

static void
a_full_arena_is_no_memory(void **state)
{
	struct arena arena;
	struct value value;

	(void)state;
	arena_init(&arena, 16);
	assert_int_equal(value_decode(&arena, bytes_of("\x92\xc0\xc0", 3), &value), TIDE_NOMEM);
	assert_int_equal(value_decode(&arena, bytes_of("\x81\xa0\xc0", 3), &value), TIDE_NOMEM);
	assert_int_equal(value_decode(&arena, bytes_of("\xd5\x02\x91\xa0", 4), &value), TIDE_NOMEM);
	arena_fini(&arena);
}

/* The example of docs/item-format.md. */
#define EXAMPLE                                                                                              \
	"86"                                                                                                 \
	"a3 626c62 c4 02 00ff"                                                                               \
	"a2 6964 a3 6b2d31"                                                                                  \
	"a3 6d6170 82 a1 61 c3 a1 62 c0"                                                                     \
	"a1 6e d6 01 2d312e35"                                                                               \
	"a2 6e73 c7 06 03 92 a1 39 a2 3130"                                                                  \
	"a4 74616773 92 a1 78 d4 01 30"

static void
the_documented_example_holds(void **state)
{
	struct value list[] = {
	    {.type = VALUE_S, .text = BYTES_LITERAL("x")}, {.type = VALUE_N, .text = BYTES_LITERAL("0")}};
	struct value set[] = {
	    {.type = VALUE_N, .text = BYTES_LITERAL("10")}, {.type = VALUE_N, .text = BYTES_LITERAL("9")}};
	struct member inner[] = {{BYTES_LITERAL("b"), {.type = VALUE_NULL}},
	    {BYTES_LITERAL("a"), {.type = VALUE_BOOL, .boolean = true}}};
	struct member members[] = {
	    {BYTES_LITERAL("id"), {.type = VALUE_S, .text = BYTES_LITERAL("k-1")}},
	    {BYTES_LITERAL("n"), {.type = VALUE_N, .text = BYTES_LITERAL("-1.5")}},
	    {BYTES_LITERAL("blb"), {.type = VALUE_B, .text = BYTES_LITERAL("\x00\xff")}},
	    {BYTES_LITERAL("tags"), {.type = VALUE_L, .list = {list, 2}}},
	    {BYTES_LITERAL("ns"), {.type = VALUE_NS, .list = {set, 2}}},
	    {BYTES_LITERAL("map"), {.type = VALUE_M, .map = {inner, 2}}},
	};
	struct value item = {.type = VALUE_M, .map = {members, 6}};
	struct arena arena;
	struct buf buf = {0};

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(value_canonicalize(&members[4].value, NULL), TIDE_OK);
	assert_int_equal(value_canonicalize(&members[5].value, NULL), TIDE_OK);
	assert_int_equal(value_canonicalize(&item, NULL), TIDE_OK);
	value_encode(&item, &buf);
	assert_true(bytes_equal(buf_bytes(&buf), from_hex(&arena, EXAMPLE)));
	buf_fini(&buf);
	arena_fini(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_trees_survive_a_round_trip),
	    cmocka_unit_test(every_length_of_head_survives),
	    cmocka_unit_test(depth_is_bounded),
	    cmocka_unit_test(what_is_not_canonical_is_corrupt),
	    cmocka_unit_test(damage_never_gives_another_form_of_a_value),
	    cmocka_unit_test(a_full_arena_is_no_memory),
	    cmocka_unit_test(the_documented_example_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
