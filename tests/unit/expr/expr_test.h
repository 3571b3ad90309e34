/*
 * What the tests of expressions share: an arena per test, values and items written as DynamoDB JSON (with ' for "), and
 * tables of cases, one cmocka test per row.
 */
#ifndef TIDE_TESTS_EXPR_TEST_H
#define TIDE_TESTS_EXPR_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/expr/expr.h"

struct world {
	struct arena arena;
	struct expr_scope scope;
	struct tide_error error;
};

void world_open(struct world *w, const char *names, const char *values); /* either NULL: absent */
void world_close(struct world *w);

/* JSON with ' for " */
struct json read_json(struct world *w, const char *text);
struct value read_item(struct world *w, const char *text);

/* Fails the test with the sentence when `rc` is an error. */
void expect_ok(struct world *w, tide_err rc);
/* `want` NULL: no error; otherwise TIDE_VALIDATION with exactly this sentence. Whether there was an error. */
bool expect_error(struct world *w, tide_err rc, const char *want);
void expect_item(struct world *w, const struct value *got, const char *want);

/* Runs `test` once per row; the row is its state, and the first member of a row is its name. */
int run_rows(const char *group, CMUnitTestFunction test, const void *rows, size_t n, size_t row_size);
#define RUN_ROWS(group, test, rows) run_rows(group, test, rows, sizeof rows / sizeof rows[0], sizeof rows[0])

#endif
