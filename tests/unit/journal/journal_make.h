/* Making journals and small units for tests: a unit's payload is any text here. Failures end the test. */
#ifndef TIDE_TESTS_JOURNAL_MAKE_H
#define TIDE_TESTS_JOURNAL_MAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/journal/journal.h"

#define TEST_ID jid_make(1, 1, 0)

/* A unit of `n` sequence numbers from `first` on. */
static inline struct journal_entry
make_entry(uint64_t first, uint64_t n, const char *payload)
{
	return (struct journal_entry){.first_seq = first,
	    .last_seq = first + n - 1,
	    .payload = bytes_of_string(payload),
	    .origin = TEST_ID,
	    .origin_seq_last = first + n - 1,
	    .clock = {first * 10}};
}

static inline void
append_one(struct journal *j, uint64_t n, const char *payload)
{
	struct journal_entry entry = make_entry(journal_last_seq(j) + 1, n, payload);
	struct tide_error error = {0};

	assert_int_equal(journal_append(j, &entry, 1, &error), TIDE_OK);
}

static inline void
append_of_tables(struct journal *j, const char *payload, const uint64_t *tables, uint32_t n_tables)
{
	struct journal_entry entry = make_entry(journal_last_seq(j) + 1, 1, payload);
	struct tide_error error = {0};

	entry.tables = tables;
	entry.n_tables = n_tables;
	assert_int_equal(journal_append(j, &entry, 1, &error), TIDE_OK);
}

/* The reader's next payload must be this text; NULL: it is at the end. */
static inline void
expect_next(struct journal_reader *r, const char *want)
{
	struct tide_error error = {0};
	struct bytes payload;
	tide_err rc = journal_reader_next(r, &payload, NULL, &error);

	if (want == NULL) {
		assert_int_equal(rc, TIDE_NOTFOUND);
		return;
	}
	if (rc != TIDE_OK)
		print_error("%s: %s\n", tide_err_name(rc), error.message);
	assert_int_equal(rc, TIDE_OK);
	assert_int_equal(payload.n, strlen(want));
	assert_memory_equal(payload.at, want, payload.n);
}

static inline struct journal_reader *
open_reader(struct journal *j, uint64_t from)
{
	struct tide_error error = {0};
	struct journal_reader *r = NULL;

	assert_int_equal(journal_reader_open(j, from, &r, &error), TIDE_OK);
	return r;
}

/* All payloads from `from` on, joined by spaces. */
static inline void
expect_units(struct journal *j, uint64_t from, const char *want)
{
	struct journal_reader *r = open_reader(j, from);
	struct tide_error error = {0};
	struct buf got = {0};
	struct bytes payload;
	tide_err rc;

	while ((rc = journal_reader_next(r, &payload, NULL, &error)) == TIDE_OK) {
		if (got.n > 0)
			buf_append_byte(&got, ' ');
		buf_append(&got, payload.at, payload.n);
	}
	assert_int_equal(rc, TIDE_NOTFOUND);
	buf_append_byte(&got, 0);
	assert_string_equal(got.at, want);
	buf_fini(&got);
	journal_reader_close(r);
}

#endif
