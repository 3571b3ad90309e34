#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conflict/resolve.h"

#define A jid_make(1, 1, 0)
#define B jid_make(2, 1, 0)

static struct version
at(uint64_t ms, uint16_t counter, struct jid origin)
{
	return (struct version){{hlc_of_ms(ms).v + counter}, origin};
}

static void
a_journal_id_keeps_its_parts(void **state)
{
	struct jid j = jid_make(255, 65535, 255);

	(void)state;
	assert_int_equal(jid_region(j), 255);
	assert_int_equal(jid_incarnation(j), 65535);
	assert_int_equal(jid_shard(j), 255);
	assert_int_equal(jid_region(jid_make(3, 7, 1)), 3);
	assert_int_equal(jid_incarnation(jid_make(3, 7, 1)), 7);
	assert_int_equal(jid_shard(jid_make(3, 7, 1)), 1);
}

static void
a_clock_never_stands_or_goes_back(void **state)
{
	struct hlc clock = {0};

	(void)state;
	srand(1);
	for (int i = 0; i < 100000; i++) {
		struct hlc next = hlc_tick(clock, 1000 + (uint64_t)rand() % 50);

		assert_true(next.v > clock.v);
		clock = next;
	}
	assert_int_equal(hlc_ms(hlc_tick((struct hlc){0}, 77)), 77);
}

static const struct order_case {
	const char *name;
	struct version smaller, greater;
} order_cases[] = {
    {"later millisecond", {{10 << 16}, {0x02000100}}, {{11 << 16}, {0x01000100}}},
    {"later counter", {{(10 << 16) + 1}, {0x02000100}}, {{(10 << 16) + 2}, {0x01000100}}},
    {"equal clock: greater region", {{10 << 16}, {0x01000100}}, {{10 << 16}, {0x02000100}}},
    {"equal clock and region: later incarnation", {{10 << 16}, {0x01000100}}, {{10 << 16}, {0x01000200}}},
};

static void
versions_are_totally_ordered(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof order_cases / sizeof *order_cases; i++) {
		const struct order_case *c = &order_cases[i];

		if (version_compare(c->smaller, c->greater) >= 0 ||
		    version_compare(c->greater, c->smaller) <= 0 ||
		    version_compare(c->smaller, c->smaller) != 0)
			fail_msg("%s", c->name);
	}
}

static void
a_vector_keeps_the_greatest_of_each_origin(void **state)
{
	struct vector v = {0}, w = {0};

	(void)state;
	assert_int_equal(vector_raise(&v, B, (struct mark){5, {500}}), TIDE_OK);
	assert_int_equal(vector_raise(&v, A, (struct mark){3, {300}}), TIDE_OK);
	assert_int_equal(vector_raise(&v, B, (struct mark){4, {900}}), TIDE_OK);
	assert_int_equal(vector_get(&v, B).seq, 5);
	assert_int_equal(vector_get(&v, B).clock.v, 500);
	assert_int_equal(vector_raise(&v, B, (struct mark){6, {0}}), TIDE_OK); /* complete to, no record */
	assert_int_equal(vector_get(&v, B).clock.v, 500);
	assert_int_equal(vector_get(&v, jid_make(9, 1, 0)).seq, 0);
	assert_true(v.entries[0].origin.v < v.entries[1].origin.v);
	assert_int_equal(vector_copy(&w, &v), TIDE_OK);
	assert_true(vector_equal(&v, &w));
	assert_int_equal(vector_set(&w, A, (struct mark){2, {200}}), TIDE_OK);
	assert_true(vector_covers(&v, &w));
	assert_false(vector_covers(&w, &v));
	assert_int_equal(vector_set(&w, jid_make(7, 1, 0), (struct mark){0}), TIDE_OK);
	assert_true(vector_covers(&v, &w)); /* a zero mark is as good as none */
	vector_fini(&v);
	vector_fini(&w);
}

static void
a_vector_tells_what_its_writer_had_seen(void **state)
{
	struct vector v = {0};

	(void)state;
	assert_int_equal(vector_set(&v, A, (struct mark){1, hlc_of_ms(10)}), TIDE_OK);
	assert_true(vector_saw(&v, at(10, 0, A)));
	assert_false(vector_saw(&v, at(10, 1, A)));
	assert_false(vector_saw(&v, at(1, 0, B)));
	vector_fini(&v);
}

static const struct resolve_case {
	const char *name;
	bool stored, saw;
	uint64_t stored_ms, incoming_ms;
	bool same_origin;
	enum resolution want;
} resolve_cases[] = {
    {"nothing stored", false, false, 0, 1, false, RESOLVE_FORWARD},
    {"its writer had seen the stored version", true, true, 10, 11, false, RESOLVE_FORWARD},
    {"own journal counts as seen", true, false, 10, 11, true, RESOLVE_FORWARD},
    {"concurrent and later", true, false, 10, 11, false, RESOLVE_WINS},
    {"concurrent and earlier", true, false, 11, 10, false, RESOLVE_LOSES},
    {"concurrent at one clock: the greater journal id wins", true, false, 10, 10, false, RESOLVE_WINS},
    {"a writer that claims to have seen a greater version does not win", true, true, 11, 10, false,
	RESOLVE_LOSES},
};

static void
the_resolver_follows_its_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof resolve_cases / sizeof *resolve_cases; i++) {
		const struct resolve_case *c = &resolve_cases[i];
		struct version stored = at(c->stored_ms, 0, A),
			       incoming = at(c->incoming_ms, 0, c->same_origin ? A : B);
		struct vector seen = {0};

		if (c->saw)
			assert_int_equal(vector_set(&seen, A, (struct mark){1, stored.clock}), TIDE_OK);
		if (resolve_last_writer_wins(c->stored ? &stored : NULL, incoming, &seen) != c->want)
			fail_msg("%s", c->name);
		vector_fini(&seen);
	}
}

/* Whatever the order in which concurrent versions meet, the same one stays. */
static void
the_winner_does_not_depend_on_the_order(void **state)
{
	struct vector nothing = {0};

	(void)state;
	srand(7);
	for (int round = 0; round < 20000; round++) {
		struct version versions[5], winner = {0};
		int n = 2 + rand() % 4;

		for (int i = 0; i < n; i++)
			versions[i] = at(10 + (uint64_t)rand() % 3, (uint16_t)(rand() % 2),
			    jid_make((uint8_t)(i + 1), 1, 0));
		for (int order = 0; order < 6; order++) {
			struct version stored = {0};
			bool any = false;

			for (int i = 0; i < n; i++) {
				struct version in = versions[(i * 7 + order) % n];

				if (!any || resolve_last_writer_wins(&stored, in, &nothing) != RESOLVE_LOSES)
					stored = in;
				any = true;
			}
			if (order > 0)
				assert_int_equal(version_compare(stored, winner), 0);
			winner = stored;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_journal_id_keeps_its_parts),
	    cmocka_unit_test(a_clock_never_stands_or_goes_back),
	    cmocka_unit_test(versions_are_totally_ordered),
	    cmocka_unit_test(a_vector_keeps_the_greatest_of_each_origin),
	    cmocka_unit_test(a_vector_tells_what_its_writer_had_seen),
	    cmocka_unit_test(the_resolver_follows_its_table),
	    cmocka_unit_test(the_winner_does_not_depend_on_the_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
