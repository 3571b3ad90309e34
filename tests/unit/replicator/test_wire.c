/* Messages on the wire: what goes in comes out; what is damaged, cut or of another protocol is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/pack.h"
#include "replicator/wire.h"

static struct vector_entry entries[] = {{{0x01000100}, {7, {9}}}, {{0x02000100}, {1ULL << 40, {1ULL << 60}}}};
static const struct vector vector = {entries, 2, 2};
static struct wire_table tables[] = {
    {1, 3, true, {entries, 2, 2}, {entries, 1, 1}, {false, 0, 0, {NULL, 0}, 0, 0}},
    {1ULL << 62, 1, true, {NULL, 0, 0}, {NULL, 0, 0}, {true, 2, 77, {(const uint8_t *)"cursor", 6}, 5, 1000}},
};
static struct wire_member members[] = {{1, 1, 5, true, false, 0}, {2, 3, 1ULL << 63, false, true, 501}};
static struct wire_question questions[] = {{100, 9, {(const uint8_t *)"\2\3", 2}}};
static struct wire_through closed[] = {{2, 65535}};
static struct wire_dead dead[] = {{2, 65534, 1ULL << 63}};
static struct wire_wanted wanted[] = {{1, 5}, {2, 0}};
static struct wire_told told[] = {{1, 3, {entries, 2, 2}}, {2, 0, {NULL, 0, 0}}};
static uint64_t ids[] = {1, 2, UINT64_MAX};
static struct wire_link links[] = {{2, true, {(const uint8_t *)"up", 2}, {NULL, 0}, 120, 5, 6, 7, 8, 9}};
static struct wire_origin origins[] = {
    {{5}, 2, {(const uint8_t *)"held", 4}, {(const uint8_t *)"x", 1}, {6}, 1, 2, 3}};
static struct wire_loading loadings[] = {{100, 2, {(const uint8_t *)"loading", 7}, 4}};

#define STATE                                                                                                \
	{                                                                                                    \
		{0x01000100}, 5, {6}, 7, tables, 2, members, 2, questions, 1, closed, 1, dead, 1             \
	}
#define RECORDS                                                                                              \
	{                                                                                                    \
		4, 5, {6, {7}}, {8, {9}}, true, 10, true, {11}, told, 2, 12, 13, 0,                          \
		{                                                                                            \
			(const uint8_t *)"units", 5                                                          \
		}                                                                                            \
	}
#define PIECE                                                                                                \
	{                                                                                                    \
		1, 2, {(const uint8_t *)"a", 1}, {(const uint8_t *)"b", 1}, true, {entries, 2, 2},           \
		    {entries, 1, 1}, {3}, 4, 0,                                                              \
		{                                                                                            \
			(const uint8_t *)"u", 1                                                              \
		}                                                                                            \
	}

static const struct wire_message samples[] = {
    {.type = WIRE_ERROR, .error = {TIDE_NOTFOUND, 5, {(const uint8_t *)"gone", 4}}},
    {.type = WIRE_DONE},
    {.type = WIRE_HELLO,
	.hello = {1, 2, {(const uint8_t *)"eu-west-1", 9}, {0x01000200}, 5, {6}, 1, 7, false, {{0}}}},
    {.type = WIRE_HELLO,
	.hello = {1, 2, {(const uint8_t *)"eu-west-1", 9}, {0x01000200}, 5, {6}, 1, 7, true, STATE}},
    {.type = WIRE_SHIP_OPEN, .ship_open = {1, 2, {3}, 4, wanted, 2}},
    {.type = WIRE_SHIP_OPENED, .ship_opened = {UINT64_MAX}},
    {.type = WIRE_SHIP_NEXT, .ship_next = {1, 262144, true, 7}},
    {.type = WIRE_RECORDS, .records = RECORDS},
    {.type = WIRE_SHIP_CLOSE, .ship_close = {1}},
    {.type = WIRE_SNAP_READ, .snap_read = {1, 2, {(const uint8_t *)"after", 5}, 3}},
    {.type = WIRE_PIECE, .piece = PIECE},
    {.type = WIRE_LEAVE_ASK, .leave_ask = {1, 2, 3, {entries, 2, 2}}},
    {.type = WIRE_LEAVE_ANSWER, .leave_answer = {1, 2, true}},
    {.type = WIRE_STATE_ASK, .state_ask = {1}},
    {.type = WIRE_STATE, .state = STATE},
    {.type = WIRE_APPLY, .apply = {1, 2, 3, {4}, 5, ids, 3, RECORDS}},
    {.type = WIRE_APPLIED, .applied = {1, TIDE_HELD, {2}, 3, 4, {(const uint8_t *)"why", 3}}},
    {.type = WIRE_LOAD, .load = {1, PIECE}},
    {.type = WIRE_BOOT, .boot = {1, true}},
    {.type = WIRE_MEMBER,
	.member = {{1, 2, {(const uint8_t *)"eu-west-1", 9}, {0x01000200}, 5, {6}, 1, 7, false, {{0}}}}},
    {.type = WIRE_LEAVE_GRANTED, .leave_granted = {1, 2, 3}},
    {.type = WIRE_LINKS, .links = {1, links, 1, origins, 1, loadings, 1}},
    {.type = WIRE_STATUS_ASK},
    {.type = WIRE_STATUS, .status = {{(const uint8_t *)"{}", 2}}},
    {.type = WIRE_REINCARNATE, .reincarnate = {{(const uint8_t *)"eu-west-1", 9}}},
    {.type = WIRE_MEMBER_LOST, .member_lost = {{(const uint8_t *)"eu-west-1", 9}}},
    {.type = WIRE_REJOIN, .rejoin = {7}},
};
#define SAMPLES (sizeof samples / sizeof samples[0])

static void
what_goes_in_comes_out(void **state)
{
	bool seen[WIRE_TYPES_N] = {false};

	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		struct buf once = {0}, twice = {0};
		struct wire_message out;
		struct tide_error error;
		struct arena arena;

		arena_init(&arena, 0);
		assert_int_equal(wire_encode(&samples[i], &once), TIDE_OK);
		assert_int_equal(wire_decode(&arena, buf_bytes(&once), &out, &error), TIDE_OK);
		assert_int_equal(out.type, samples[i].type);
		assert_int_equal(wire_encode(&out, &twice), TIDE_OK);
		assert_true(bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
		seen[out.type] = true;
		arena_fini(&arena);
		buf_fini(&once);
		buf_fini(&twice);
	}
	for (int type = 0; type < WIRE_TYPES_N; type++)
		assert_true(seen[type]);
}

static void
fields_arrive_as_they_were(void **state)
{
	struct wire_message in = {.type = WIRE_HELLO,
	    .hello = {1, 2, {(const uint8_t *)"eu-west-1", 9}, {0x01000200}, 5, {6}, 1, 7, true, STATE}};
	struct buf bytes = {0};
	struct wire_message out;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(wire_encode(&in, &bytes), TIDE_OK);
	assert_int_equal(wire_decode(&arena, buf_bytes(&bytes), &out, NULL), TIDE_OK);
	assert_true(bytes_is(out.hello.name, "eu-west-1"));
	assert_int_equal(out.hello.state.n_tables, 2);
	assert_true(vector_equal(&out.hello.state.tables[0].vector, &vector));
	assert_true(out.hello.state.tables[1].boot.under_way);
	assert_true(bytes_is(out.hello.state.tables[1].boot.cursor, "cursor"));
	assert_int_equal(out.hello.state.members[1].nonce, 1ULL << 63);
	assert_int_equal(out.hello.state.questions[0].staying.n, 2);
	arena_fini(&arena);
	buf_fini(&bytes);
}

static void
every_cut_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		struct buf bytes = {0};

		assert_int_equal(wire_encode(&samples[i], &bytes), TIDE_OK);
		bytes.n -= WIRE_SUM_BYTES;
		for (size_t n = 0; n < bytes.n; n++) {
			/* A copy of exactly that size: a read beyond it is seen by the sanitizer. */
			uint8_t *cut = malloc(n + 1);
			struct wire_message out;
			struct tide_error error;
			struct arena arena;

			memcpy(cut, bytes.at, n);
			arena_init(&arena, 0);
			assert_int_equal(
			    wire_decode_body(&arena, bytes_of(cut, n), &out, &error), TIDE_CORRUPT);
			assert_int_equal(wire_decode(&arena, bytes_of(cut, n), &out, &error), TIDE_CORRUPT);
			arena_fini(&arena);
			free(cut);
		}
		buf_fini(&bytes);
	}
}

static void
every_flipped_bit_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		struct buf bytes = {0};

		assert_int_equal(wire_encode(&samples[i], &bytes), TIDE_OK);
		for (size_t bit = 0; bit < bytes.n * 8; bit++) {
			struct wire_message out;
			struct tide_error error;
			struct arena arena;

			arena_init(&arena, 0);
			bytes.at[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_equal(wire_decode(&arena, buf_bytes(&bytes), &out, &error), TIDE_CORRUPT);
			bytes.at[bit / 8] ^= (uint8_t)(1u << bit % 8);
			arena_fini(&arena);
		}
		buf_fini(&bytes);
	}
}

static void
what_a_later_version_adds_is_passed_over(void **state)
{
	struct buf bytes = {0};
	struct wire_message out;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	pack_array(&bytes, 8);
	pack_uint(&bytes, WIRE_PROTOCOL);
	pack_uint(&bytes, WIRE_SHIP_NEXT);
	pack_uint(&bytes, 5);
	pack_uint(&bytes, 6);
	pack_bool(&bytes, true);
	pack_uint(&bytes, 7);
	pack_str(&bytes, "new");
	pack_array(&bytes, 2);
	pack_nil(&bytes);
	pack_uint(&bytes, 1);
	assert_int_equal(wire_decode_body(&arena, buf_bytes(&bytes), &out, NULL), TIDE_OK);
	assert_int_equal(out.ship_next.session, 5);
	assert_int_equal(out.ship_next.bytes_max, 6);
	arena_fini(&arena);
	buf_fini(&bytes);
}

static void
another_protocol_is_refused_by_name(void **state)
{
	struct buf bytes = {0};
	struct wire_message out;
	struct tide_error error;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	pack_array(&bytes, 2);
	pack_uint(&bytes, 9);
	pack_uint(&bytes, WIRE_DONE);
	assert_int_equal(wire_decode_body(&arena, buf_bytes(&bytes), &out, &error), TIDE_FORMAT);
	assert_non_null(strstr(error.message, "protocol 9"));
	assert_non_null(strstr(error.message, "speaks 1"));
	buf_clear(&bytes);
	pack_array(&bytes, 2);
	pack_uint(&bytes, WIRE_PROTOCOL);
	pack_uint(&bytes, 200);
	assert_int_equal(wire_decode_body(&arena, buf_bytes(&bytes), &out, &error), TIDE_FORMAT);
	arena_fini(&arena);
	buf_fini(&bytes);
}

static void
an_unknown_error_code_is_internal(void **state)
{
	struct buf bytes = {0};
	struct wire_message out;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	pack_array(&bytes, 5);
	pack_uint(&bytes, WIRE_PROTOCOL);
	pack_uint(&bytes, WIRE_ERROR);
	pack_bin(&bytes, BYTES_LITERAL("MELTED"));
	pack_uint(&bytes, 0);
	pack_bin(&bytes, BYTES_LITERAL("so it says"));
	assert_int_equal(wire_decode_body(&arena, buf_bytes(&bytes), &out, NULL), TIDE_OK);
	assert_int_equal(out.error.code, TIDE_INTERNAL);
	arena_fini(&arena);
	buf_fini(&bytes);
}

static void
a_liar_about_sizes_gets_no_memory(void **state)
{
	struct buf bytes = {0};
	struct wire_message out;
	struct tide_error error;
	struct arena arena;

	(void)state;
	arena_init(&arena, 1 << 20);
	pack_array(&bytes, 6);
	pack_uint(&bytes, WIRE_PROTOCOL);
	pack_uint(&bytes, WIRE_SHIP_OPEN);
	pack_uint(&bytes, 1);
	pack_uint(&bytes, 1);
	pack_uint(&bytes, 1);
	pack_uint(&bytes, 1);
	buf_append(&bytes, "\xdd\xff\xff\xff\xff", 5);
	assert_int_equal(wire_decode_body(&arena, buf_bytes(&bytes), &out, &error), TIDE_CORRUPT);
	assert_true(arena.used < 4096);
	arena_fini(&arena);
	buf_fini(&bytes);
}

static void
large_payloads_are_compressed_and_back(void **state)
{
	struct buf plain = {0}, packed = {0}, back = {0};
	uint64_t n = 0;

	(void)state;
	for (int i = 0; i < 4000; i++)
		buf_append_format(&plain, "record %d of many;", i);
	assert_true(wire_compress(buf_bytes(&plain), &packed, &n));
	assert_int_equal(n, plain.n);
	assert_true(packed.n < plain.n / 2);
	assert_int_equal(wire_decompress(buf_bytes(&packed), n, &back), TIDE_OK);
	assert_true(bytes_equal(buf_bytes(&plain), buf_bytes(&back)));
	buf_clear(&back);
	assert_int_equal(wire_decompress(buf_bytes(&packed), n - 1, &back), TIDE_CORRUPT);
	buf_clear(&back);
	assert_int_equal(wire_decompress(buf_bytes(&packed), n + 1, &back), TIDE_CORRUPT);
	assert_int_equal(wire_decompress(buf_bytes(&packed), UINT64_MAX, &back), TIDE_CORRUPT);
	buf_clear(&packed);
	assert_false(wire_compress(BYTES_LITERAL("short"), &packed, &n));
	buf_fini(&plain);
	buf_fini(&packed);
	buf_fini(&back);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_goes_in_comes_out),
	    cmocka_unit_test(fields_arrive_as_they_were),
	    cmocka_unit_test(every_cut_is_refused),
	    cmocka_unit_test(every_flipped_bit_is_refused),
	    cmocka_unit_test(what_a_later_version_adds_is_passed_over),
	    cmocka_unit_test(another_protocol_is_refused_by_name),
	    cmocka_unit_test(an_unknown_error_code_is_internal),
	    cmocka_unit_test(a_liar_about_sizes_gets_no_memory),
	    cmocka_unit_test(large_payloads_are_compressed_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
