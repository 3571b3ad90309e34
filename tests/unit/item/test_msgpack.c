/* What we write, as another reader of msgpack sees it. Built where msgpack-c is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <msgpack.h>

#include "base/pack.h"
#include "store/item/codec.h"
#include "tests/unit/item/random_value.h"

static void
items_are_msgpack(void **state)
{
	struct random random = {4712};
	int i;

	(void)state;
	for (i = 0; i < 300; i++) {
		struct arena arena;
		struct value item;
		struct buf buf = {0};
		msgpack_unpacked unpacked;
		size_t offset = 0;

		arena_init(&arena, 0);
		item = random_item(&random, &arena, 40, 5);
		value_encode(&item, &buf);
		msgpack_unpacked_init(&unpacked);
		assert_int_equal(msgpack_unpack_next(&unpacked, (const char *)buf.at, buf.n, &offset),
		    MSGPACK_UNPACK_SUCCESS);
		assert_int_equal(offset, buf.n);
		assert_int_equal(unpacked.data.type, MSGPACK_OBJECT_MAP);
		assert_int_equal(unpacked.data.via.map.size, item.map.n);
		msgpack_unpacked_destroy(&unpacked);
		arena_fini(&arena);
		buf_fini(&buf);
	}
}

static int
append(void *to, const char *at, size_t n)
{
	buf_append(to, at, n);
	return 0;
}

/* Around every boundary of a head: both write the same, which is the shortest. */
static void
heads_are_the_shortest(void **state)
{
	struct buf ours = {0}, theirs = {0};
	msgpack_packer pk;

	(void)state;
	msgpack_packer_init(&pk, &theirs, append);
	for (unsigned bit = 0; bit < 64; bit++)
		for (int near = -2; near <= 2; near++) {
			uint64_t v = ((uint64_t)1 << bit) + (uint64_t)near;

			pack_uint(&ours, v);
			msgpack_pack_uint64(&pk, v);
			pack_int(&ours, (int64_t)v);
			msgpack_pack_int64(&pk, (int64_t)v);
			pack_int(&ours, -(int64_t)(v >> 1));
			msgpack_pack_int64(&pk, -(int64_t)(v >> 1));
			pack_array(&ours, (uint32_t)v);
			msgpack_pack_array(&pk, (uint32_t)v);
			if (v > 70000)
				continue;
			pack_bin(&ours, bytes_of(NULL, 0));
			msgpack_pack_bin(&pk, 0);
			buf_reserve(&theirs, 70000);
			pack_bin(&ours, bytes_of(theirs.at, v)); /* any bytes will do, but the same */
			msgpack_pack_bin(&pk, v);
			buf_append(&theirs, ours.at + ours.n - v, v);
		}
	pack_int(&ours, INT64_MIN);
	msgpack_pack_int64(&pk, INT64_MIN);
	assert_int_equal(buf_check(&ours), TIDE_OK);
	assert_true(bytes_equal(buf_bytes(&ours), buf_bytes(&theirs)));
	buf_fini(&ours);
	buf_fini(&theirs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(items_are_msgpack),
	    cmocka_unit_test(heads_are_the_shortest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
