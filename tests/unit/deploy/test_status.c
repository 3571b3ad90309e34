/* What `tidemark status` concludes from several regions' answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deploy/status.h"
#include "deploy/tree.h"

#define AT(journal, seq) "{\"journal\":\"" journal "\",\"seq\":" seq "}"
#define TABLE(state, fingerprint, vector)                                                                    \
	"{\"tables\":[{\"id\":\"00000000000000aa\",\"name\":\"orders\",\"state\":\"" state                   \
	"\",\"fingerprint\":\"" fingerprint "\",\"vector\":" vector "}]}"
#define LOG(fingerprint)                                                                                     \
	"{\"tables\":[{\"id\":\"0000000000000002\",\"name\":\"tidemark.conflicts\",\"state\":\"ACTIVE\","    \
	"\"fingerprint\":\"" fingerprint "\",\"vector\":[" AT("1.1.0", "5") "]}]}"
#define REGIONAL(fingerprint)                                                                                \
	"{\"tables\":[{\"id\":\"0000000000000003\",\"name\":\"\",\"state\":\"ACTIVE\",\"fingerprint\":"      \
	"\"" fingerprint "\",\"vector\":[" AT("1.1.0", "5") "]}]}"

static const struct status_case {
	const char *name;
	const char *one, *other; /* NULL: not reached */
	size_t tables;
	bool converged, sound;
} cases[] = {
    {"equal vectors and fingerprints", TABLE("ACTIVE", "f1", "[" AT("1.1.0", "5") "," AT("2.1.0", "7") "]"),
	TABLE("ACTIVE", "f1", "[" AT("2.1.0", "7") "," AT("1.1.0", "5") "]"), 1, true, true},
    {"equal vectors, other fingerprints", TABLE("ACTIVE", "f1", "[" AT("1.1.0", "5") "]"),
	TABLE("ACTIVE", "f2", "[" AT("1.1.0", "5") "]"), 1, false, false},
    {"other vectors, other fingerprints", TABLE("ACTIVE", "f1", "[" AT("1.1.0", "5") "]"),
	TABLE("ACTIVE", "f2", "[" AT("1.1.0", "6") "]"), 1, false, true},
    {"a journal that one side has not met", TABLE("ACTIVE", "f1", "[" AT("1.1.0", "5") "]"),
	TABLE("ACTIVE", "f1", "[" AT("1.1.0", "5") "," AT("2.1.0", "1") "]"), 1, false, true},
    {"as many journals, but not the same", TABLE("ACTIVE", "f1", "[" AT("1.1.0", "5") "]"),
	TABLE("ACTIVE", "f1", "[" AT("2.1.0", "5") "]"), 1, false, true},
    {"a replica that is loading", TABLE("ACTIVE", "f1", "[" AT("1.1.0", "5") "]"),
	TABLE("CREATING", "f2", "[" AT("1.1.0", "5") "]"), 1, false, true},
    {"no replica there", TABLE("ACTIVE", "f1", "[" AT("1.1.0", "5") "]"), TABLE("ABSENT", "0", "[]"), 1, true,
	true},
    {"no replica anywhere", TABLE("ABSENT", "0", "[]"), TABLE("ABSENT", "0", "[]"), 0, true, true},
    {"a region that is not reached", TABLE("ACTIVE", "f1", "[" AT("1.1.0", "5") "]"), NULL, 1, false, true},
    {"the conflict log has no fingerprint", LOG("f1"), LOG("f2"), 1, true, true},
    {"regional facts are not compared", REGIONAL("f1"), REGIONAL("f2"), 0, true, true},
    {"answers of another shape", "{\"tables\":7}", "[]", 0, true, true},
};

static void
read_report(struct arena *arena, const char *text, struct report *out)
{
	struct tide_error error = {0};

	out->reached = text != NULL;
	if (text != NULL)
		assert_int_equal(json_parse(arena, bytes_of_string(text), &out->status, &error), TIDE_OK);
}

static void
check(const struct status_case *c, const char *one, const char *other)
{
	struct report reports[2] = {{.name = "one"}, {.name = "other"}};
	struct table_report *tables = NULL;
	size_t n = 0;
	struct arena arena;

	arena_init(&arena, 0);
	read_report(&arena, one, &reports[0]);
	read_report(&arena, other, &reports[1]);
	assert_int_equal(status_compare(&arena, reports, 2, &tables, &n), TIDE_OK);
	assert_int_equal(n, c->tables);
	assert_int_equal(status_converged(reports, 2, tables, n), c->converged);
	assert_int_equal(status_sound(tables, n), c->sound);
	arena_fini(&arena);
}

static void
status_is(void **state)
{
	const struct status_case *c = *state;

	check(c, c->one, c->other);
	check(c, c->other, c->one);
}

static void
a_path_leads_through_objects_and_arrays(void **state)
{
	struct arena arena;
	struct json tree;
	struct tide_error error = {0};
	struct buf out = {0};
	const char *text = "{\"a\":[{\"b\":\"c\"},7,true,null],\"e\":{}}";

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(json_parse(&arena, bytes_of_string(text), &tree, &error), TIDE_OK);
	assert_true(bytes_is(tree_text(&tree, "a.0.b"), "c"));
	assert_int_equal(tree_number(&tree, "a.1"), 7);
	assert_true(tree_true(&tree, "a.2"));
	assert_null(tree_follow(&tree, "a.9"));
	assert_null(tree_follow(&tree, "a.x"));
	assert_null(tree_follow(&tree, "e.f.g"));
	tree_write(&out, &tree);
	assert_true(bytes_is(buf_bytes(&out), text));
	buf_fini(&out);
	arena_fini(&arena);
}

int
main(void)
{
	struct CMUnitTest tests[sizeof cases / sizeof *cases + 1];
	size_t n = 0;

	for (; n < sizeof cases / sizeof *cases; n++)
		tests[n] = (struct CMUnitTest){cases[n].name, status_is, NULL, NULL, (void *)&cases[n]};
	tests[n] = (struct CMUnitTest)cmocka_unit_test(a_path_leads_through_objects_and_arrays);
	return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
