/* Units: round trips of every kind, what a peer may lie about, and the worked example of docs/journal-format.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/journal/segment_frame.h"
#include "store/journal/unit.h"

static const char *doc_path; /* docs/journal-format.md */

static const struct jid eu = {0x01000100}, us = {0x02000300};

static struct vector_entry seen_entries[] = {
    {{0x01000100}, {7, {70}}}, {{0x02000300}, {UINT64_MAX, {UINT64_MAX}}}};
static const struct vector seen = {seen_entries, 2, 2};

static const struct txn_part parts[] = {{5, 101}, {UINT64_MAX, 102}};

/* A record with every field set. */
static struct record
full_record(struct jid origin)
{
	return (struct record){
	    .version = {{UINT64_MAX - 1}, origin},
	    .origin_seq = 101,
	    .origin_prev = {99, {0x1234567890}},
	    .table = 0x1122334455667788,
	    .key = BYTES_LITERAL("key\0with nul"),
	    .image = BYTES_LITERAL("image"),
	    .parts = parts,
	    .n_parts = 2,
	    .lost = true,
	    .has_before = true,
	    .before = BYTES_LITERAL("before"),
	    .table_prev_seq = 12,
	    .item_prev_seq = 300,
	    .count_delta = -1,
	    .bytes_delta = -70000,
	    .fingerprint_delta = (fingerprint_t)0x8000000000000001 << 64 | 0xfedcba9876543210,
	    .expired = true,
	};
}

static const struct index_change index_changes[] = {{7, 1, 300, {NULL, 0}},
    {UINT64_MAX, -1, -70000, {(const uint8_t *)"an entry\0", 9}}, {9, 0, INT64_MIN, {NULL, 0}}};

/* Of an indexed table: the local part goes on behind `expired`, whatever that is. */
static struct record
indexed(struct jid origin)
{
	return (struct record){.version = {{8}, origin},
	    .table = 7,
	    .key = BYTES_LITERAL("k"),
	    .image = BYTES_LITERAL("image"),
	    .index_changes = index_changes,
	    .n_index_changes = 3};
}

static struct record
tombstone(struct jid origin)
{
	return (struct record){
	    .version = {{5}, origin}, .table = 1, .key = BYTES_LITERAL("k"), .tombstone = true};
}

static struct record
put_over_nothing(struct jid origin)
{
	return (struct record){.version = {{6}, origin},
	    .table = 200,
	    .key = BYTES_LITERAL(""),
	    .image = BYTES_LITERAL(""),
	    .has_before = true,
	    .before = BYTES_LITERAL(""),
	    .count_delta = 1,
	    .bytes_delta = INT64_MAX,
	    .fingerprint_delta = 1};
}

static void
expect_vector(const struct vector *got, const struct vector *want)
{
	assert_int_equal(got->n, want->n);
	for (size_t i = 0; i < want->n; i++) {
		assert_int_equal(got->entries[i].origin.v, want->entries[i].origin.v);
		assert_true(got->entries[i].mark.seq == want->entries[i].mark.seq);
		assert_true(got->entries[i].mark.clock.v == want->entries[i].mark.clock.v);
	}
}

static void
expect_bytes(struct bytes got, struct bytes want)
{
	assert_true(bytes_equal(got, want));
}

static void
expect_record(const struct record *got, const struct record *want, uint64_t seq, bool disk)
{
	assert_int_equal(version_compare(got->version, want->version), 0);
	assert_true(got->origin_seq == want->origin_seq);
	assert_true(got->origin_prev.seq == want->origin_prev.seq);
	assert_true(got->origin_prev.clock.v == want->origin_prev.clock.v);
	assert_true(got->table == want->table);
	expect_bytes(got->key, want->key);
	assert_int_equal(got->tombstone, want->tombstone);
	expect_bytes(got->image, want->image);
	assert_int_equal(got->n_parts, want->n_parts);
	for (uint32_t i = 0; i < want->n_parts; i++) {
		assert_true(got->parts[i].table == want->parts[i].table);
		assert_true(got->parts[i].origin_seq == want->parts[i].origin_seq);
	}
	if (!disk) {
		static const struct record none;

		want = &none;
		seq = 0;
	}
	assert_true(got->seq == seq);
	assert_int_equal(got->lost, want->lost);
	assert_int_equal(got->expired, want->expired);
	assert_int_equal(got->n_index_changes, want->n_index_changes);
	for (uint32_t i = 0; i < want->n_index_changes; i++) {
		assert_int_equal(got->index_changes[i].index, want->index_changes[i].index);
		assert_int_equal(got->index_changes[i].count_delta, want->index_changes[i].count_delta);
		assert_int_equal(got->index_changes[i].bytes_delta, want->index_changes[i].bytes_delta);
		assert_int_equal(
		    got->index_changes[i].gone.at == NULL, want->index_changes[i].gone.at == NULL);
		assert_true(bytes_equal(got->index_changes[i].gone, want->index_changes[i].gone));
	}
	assert_int_equal(got->has_before, want->has_before);
	expect_bytes(got->before, want->before);
	assert_true(got->table_prev_seq == want->table_prev_seq);
	assert_true(got->item_prev_seq == want->item_prev_seq);
	assert_int_equal(got->count_delta, want->count_delta);
	assert_true(got->bytes_delta == want->bytes_delta);
	assert_true(got->fingerprint_delta == want->fingerprint_delta);
}

static void
expect_round_trip(const struct unit *unit, bool disk)
{
	struct tide_error error = {0};
	struct buf first = {0}, second = {0};
	struct arena arena;
	struct unit got;

	arena_init(&arena, 0);
	(disk ? unit_encode_disk : unit_encode_wire)(unit, &first);
	assert_int_equal(unit_decode(&arena, buf_bytes(&first), &got, &error), TIDE_OK);
	assert_int_equal(got.kind, unit->kind);
	assert_int_equal(got.origin.v, unit->origin.v);
	expect_vector(&got.seen, &unit->seen);
	assert_int_equal(got.n_records, unit->n_records);
	for (uint32_t i = 0; i < unit->n_records; i++)
		expect_record(&got.records[i], &unit->records[i], unit->first_seq + i, disk);
	assert_true(got.first_seq == (disk ? unit->first_seq : 0));
	assert_int_equal(got.n_entries, disk ? unit->n_entries : 0);
	for (uint32_t i = 0; i < got.n_entries; i++)
		expect_record(
		    &got.entries[i], &unit->entries[i], unit->first_seq + unit->n_records + i, disk);
	assert_int_equal(got.note.at != NULL, disk && unit->note.at != NULL);
	if (disk) {
		expect_vector(&got.entries_seen, &unit->entries_seen);
		expect_bytes(got.note, unit->note);
		assert_true(unit_last_seq(&got) == unit_last_seq(unit));
	}
	(disk ? unit_encode_disk : unit_encode_wire)(&got, &second);
	expect_bytes(buf_bytes(&second), buf_bytes(&first));
	buf_fini(&first);
	buf_fini(&second);
	arena_fini(&arena);
}

static void
units_of_every_kind_come_back_as_they_were(void **state)
{
	struct record records[] = {
	    full_record(us), tombstone(us), put_over_nothing(us), full_record(eu), indexed(us)};
	struct record entries[] = {full_record(eu), put_over_nothing(eu)};
	const struct unit units[] = {
	    {.kind = UNIT_LOCAL, .origin = us, .records = records, .n_records = 1, .first_seq = 1},
	    {.kind = UNIT_LOCAL, .origin = us, .records = records + 4, .n_records = 1, .first_seq = 1},
	    {.kind = UNIT_LOCAL,
		.origin = us,
		.seen = seen,
		.records = records,
		.n_records = 3,
		.first_seq = 101,
		.note = BYTES_LITERAL("note")},
	    {.kind = UNIT_REMOTE,
		.origin = us,
		.seen = seen,
		.records = records,
		.n_records = 3,
		.entries_seen = seen,
		.entries = entries,
		.n_entries = 2,
		.first_seq = (uint64_t)1 << 40},
	    {.kind = UNIT_SNAPSHOT,
		.origin = us,
		.seen = seen,
		.records = records,
		.n_records = 5,
		.first_seq = 9},
	    {.kind = UNIT_NOTE, .note = BYTES_LITERAL(""), .first_seq = UINT64_MAX - 1},
	    {.kind = UNIT_NOTE, .note = BYTES_LITERAL("only\0this"), .first_seq = 70000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		expect_round_trip(&units[i], true);
		expect_round_trip(&units[i], false);
	}
}

static void
many_records_come_back_as_they_were(void **state)
{
	enum { N = 70000 }; /* past the array lengths of one and two bytes */
	struct record *records = calloc(N, sizeof *records);
	struct unit unit = {
	    .kind = UNIT_LOCAL, .origin = eu, .records = records, .n_records = N, .first_seq = 5};

	(void)state;
	for (int i = 0; i < N; i++)
		records[i] = i % 2 == 0 ? tombstone(eu) : put_over_nothing(eu);
	expect_round_trip(&unit, true);
	free(records);
}

static void
the_last_sequence_counts_records_entries_and_note(void **state)
{
	struct unit unit = {.first_seq = 10, .n_records = 3};

	(void)state;
	assert_int_equal(unit_last_seq(&unit), 12);
	unit.n_entries = 2;
	assert_int_equal(unit_last_seq(&unit), 14);
	unit.note = BYTES_LITERAL("n");
	assert_int_equal(unit_last_seq(&unit), 15);
}

static tide_err
decode(struct bytes in, struct tide_error *error)
{
	/* A copy of its own, so that the sanitizer sees a read past its end. */
	uint8_t *copy = malloc(in.n > 0 ? in.n : 1);
	struct arena arena;
	struct unit unit;
	tide_err rc;

	if (in.n > 0)
		memcpy(copy, in.at, in.n);
	arena_init(&arena, 16 * 1024 * 1024);
	rc = unit_decode(&arena, bytes_of(copy, in.n), &unit, error);
	arena_fini(&arena);
	free(copy);
	return rc;
}

static struct buf
encoded_remote(bool disk)
{
	struct record records[] = {full_record(us), tombstone(us)}, entries[] = {put_over_nothing(eu)};
	struct unit unit = {.kind = UNIT_REMOTE,
	    .origin = us,
	    .seen = seen,
	    .records = records,
	    .n_records = 2,
	    .entries_seen = seen,
	    .entries = entries,
	    .n_entries = 1,
	    .note = BYTES_LITERAL("note"),
	    .first_seq = 300};
	struct buf out = {0};

	(disk ? unit_encode_disk : unit_encode_wire)(&unit, &out);
	return out;
}

static void
a_unit_cut_at_any_byte_is_corrupt(void **state)
{
	struct tide_error error = {0};

	(void)state;
	for (int disk = 0; disk < 2; disk++) {
		struct buf whole = encoded_remote(disk);

		for (size_t n = 0; n < whole.n; n++)
			assert_int_equal(decode(bytes_of(whole.at, n), &error), TIDE_CORRUPT);
		buf_append_byte(&whole, 0xc0);
		assert_int_equal(decode(buf_bytes(&whole), &error), TIDE_CORRUPT);
		assert_non_null(strstr(error.message, "expected the end at byte"));
		buf_fini(&whole);
	}
}

static void
any_byte_changed_never_crashes(void **state)
{
	static const uint8_t values[] = {
	    0x00, 0x7f, 0x80, 0x90, 0x9f, 0xc0, 0xc1, 0xc6, 0xcf, 0xdd, 0xdf, 0xff};
	struct buf whole = encoded_remote(true);
	struct tide_error error = {0};

	(void)state;
	for (size_t i = 0; i < whole.n; i++) {
		uint8_t was = whole.at[i];

		for (size_t v = 0; v < sizeof values; v++) {
			tide_err rc;

			whole.at[i] = values[v];
			rc = decode(buf_bytes(&whole), &error);
			assert_true(rc == TIDE_OK || rc == TIDE_CORRUPT || rc == TIDE_FORMAT);
		}
		whole.at[i] = was;
	}
	buf_fini(&whole);
}

static void
what_no_unit_can_be_is_refused(void **state)
{
	static const struct {
		const char *name;
		struct bytes in;
		tide_err want;
	} rows[] = {
	    {"nothing", {NULL, 0}, TIDE_CORRUPT},
	    {"not an array", BYTES_LITERAL("\x81\x01\x02"), TIDE_CORRUPT},
	    {"no elements", BYTES_LITERAL("\x90"), TIDE_CORRUPT},
	    {"a newer format", BYTES_LITERAL("\x96\x02\x00\x01\x01\x90\x90"), TIDE_FORMAT},
	    {"a newer format of another shape", BYTES_LITERAL("\x91\x02"), TIDE_FORMAT},
	    {"a smallest wire unit", BYTES_LITERAL("\x96\x01\x00\x01\x01\x90\x90"), TIDE_OK},
	    {"numbers longer than needed",
		BYTES_LITERAL("\x96\x01\x00\xcd\x00\x01\xcf\0\0\0\0\0\0\0\x01\x90\x90"), TIDE_OK},
	    {"kind 0", BYTES_LITERAL("\x96\x01\x00\x00\x01\x90\x90"), TIDE_CORRUPT},
	    {"kind 5", BYTES_LITERAL("\x96\x01\x00\x05\x01\x90\x90"), TIDE_CORRUPT},
	    {"a form that is none", BYTES_LITERAL("\x96\x01\x02\x01\x01\x90\x90"), TIDE_CORRUPT},
	    {"an origin of 33 bits", BYTES_LITERAL("\x96\x01\x00\x01\xcf\0\0\0\x01\0\0\0\0\x90\x90"),
		TIDE_CORRUPT},
	    {"a negative origin", BYTES_LITERAL("\x96\x01\x00\x01\xff\x90\x90"), TIDE_CORRUPT},
	    {"a vector not of triples", BYTES_LITERAL("\x96\x01\x00\x01\x01\x92\x01\x01\x90"), TIDE_CORRUPT},
	    {"a vector out of order", BYTES_LITERAL("\x96\x01\x00\x01\x01\x96\x02\x01\x01\x01\x01\x01\x90"),
		TIDE_CORRUPT},
	    {"an origin twice", BYTES_LITERAL("\x96\x01\x00\x01\x01\x96\x02\x01\x01\x02\x01\x01\x90"),
		TIDE_CORRUPT},
	    {"four billion vector entries", BYTES_LITERAL("\x96\x01\x00\x01\x01\xdd\xff\xff\xff\xff\x90"),
		TIDE_CORRUPT},
	    {"four billion records", BYTES_LITERAL("\x96\x01\x00\x01\x01\x90\xdd\xff\xff\xff\xff"),
		TIDE_CORRUPT},
	    {"something newer at the end",
		BYTES_LITERAL("\x98\x01\x00\x01\x01\x90\x90\xa1x\x82\x01\x91\xc3\x02\xc7\x01\x05y"), TIDE_OK},
	    {"something newer, cut", BYTES_LITERAL("\x97\x01\x00\x01\x01\x90\x90\xa5x"), TIDE_CORRUPT},
	    {"something newer, nested without end",
		BYTES_LITERAL(
		    "\x97\x01\x00\x01\x01\x90\x90"
		    "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"
		    "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"),
		TIDE_CORRUPT},
	    {"a disk form without its rest", BYTES_LITERAL("\x96\x01\x01\x01\x01\x90\x90"), TIDE_CORRUPT},
	    {"a disk form of nothing", BYTES_LITERAL("\x9a\x01\x01\x01\x01\x90\x90\x01\x90\x90\xc0"),
		TIDE_CORRUPT},
	    {"sequence 0", BYTES_LITERAL("\x9a\x01\x01\x04\x01\x90\x90\x00\x90\x90\xc4\x00"), TIDE_CORRUPT},
	    {"a smallest disk unit", BYTES_LITERAL("\x9a\x01\x01\x04\x01\x90\x90\x01\x90\x90\xc4\x00"),
		TIDE_OK},
	    {"sequences past the end",
		BYTES_LITERAL(
		    "\x9a\x01\x01\x04\x01\x90\x90\xcf\xff\xff\xff\xff\xff\xff\xff\xff\x90\x90\xc4\x00"),
		TIDE_CORRUPT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct tide_error error = {0};
		tide_err rc = decode(rows[i].in, &error);

		if (rc != rows[i].want)
			print_error("%s: %s\n", rows[i].name, error.message);
		assert_int_equal(rc, rows[i].want);
	}
}

static void
a_decode_that_fails_leaves_the_unit_alone(void **state)
{
	struct unit unit = {.first_seq = 77};
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	assert_int_equal(unit_decode(&arena, BYTES_LITERAL("\x96\x01"), &unit, NULL), TIDE_CORRUPT);
	assert_int_equal(unit.first_seq, 77);
	arena_fini(&arena);
}

static void
no_memory_is_said(void **state)
{
	struct buf whole = encoded_remote(true);
	struct tide_error error = {0};
	struct arena arena;
	struct unit unit;
	tide_err rc;

	(void)state;
	for (size_t limit = 1; limit < 2000; limit += 8) {
		arena_init(&arena, limit);
		rc = unit_decode(&arena, buf_bytes(&whole), &unit, &error);
		assert_true(rc == TIDE_NOMEM || rc == TIDE_OK);
		arena_fini(&arena);
	}
	buf_fini(&whole);
}

/* ---- the worked example ---- */

/* The unit of docs/journal-format.md: region 1 puts one item, having seen sequence 7 of region 2. */
static struct buf
example_segment(void)
{
	static struct vector_entry entry = {{0x02000100}, {7, {0x19aa00000000000}}};
	static const uint64_t tables[] = {5};
	struct record record = {
	    .version = {{0x19aa00000000001}, eu},
	    .origin_seq = 1,
	    .table = 5,
	    .key = BYTES_LITERAL("key"),
	    .image = BYTES_LITERAL("image"),
	    .count_delta = 1,
	    .bytes_delta = 8,
	    .fingerprint_delta = 0xff,
	};
	struct unit unit = {.kind = UNIT_LOCAL,
	    .origin = eu,
	    .seen = {&entry, 1, 1},
	    .records = &record,
	    .n_records = 1,
	    .first_seq = 1};
	struct buf payload = {0}, out = {0};
	struct journal_entry e = {.first_seq = 1,
	    .last_seq = 1,
	    .origin = eu,
	    .origin_seq_last = 1,
	    .clock = {0x19aa00000000001},
	    .tables = tables,
	    .n_tables = 1};

	unit_encode_disk(&unit, &payload);
	e.payload = buf_bytes(&payload);
	segment_header_append(&out, eu, 1);
	frame_append(&out, eu, &e, 1);
	buf_fini(&payload);
	assert_int_equal(buf_check(&out), TIDE_OK);
	return out;
}

/* The bytes of the page's block ```segment: after each line's offset, hex pairs up to the first `|`. */
static struct buf
read_doc(void)
{
	FILE *file = fopen(doc_path, "r");
	struct buf out = {0};
	char line[512];
	bool inside = false;

	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL) {
		unsigned byte;
		int used, at;

		if (strncmp(line, "```", 3) == 0) {
			inside = strncmp(line, "```segment", 10) == 0;
			continue;
		}
		if (!inside || sscanf(line, "%x%n", &byte, &at) != 1)
			continue;
		assert_int_equal(byte, out.n);
		for (; sscanf(line + at, " %2x%n", &byte, &used) == 1; at += used)
			buf_append_byte(&out, (uint8_t)byte);
	}
	fclose(file);
	return out;
}

static void
the_worked_example_of_the_format_page_is_what_we_write(void **state)
{
	struct buf want, got;

	(void)state;
	if (doc_path == NULL)
		skip();
	want = read_doc();
	got = example_segment();
	for (size_t i = 0; i < got.n || i < want.n; i++) {
		if (i < got.n && i < want.n && got.at[i] == want.at[i])
			continue;
		print_error("the page differs from byte %zx on; we write\n", i);
		for (size_t j = 0; j < got.n; j++)
			print_error("%02x%s", got.at[j], j % 8 == 7 ? "\n" : " ");
		fail();
	}
	assert_int_equal(got.n, want.n);
	buf_fini(&got);
	buf_fini(&want);
}

/* Of a hundred parts a list in each record would be longer than most items. */
static void
records_of_one_transaction_share_the_list_of_its_parts(void **state)
{
	struct txn_part many[100];
	struct record records[102] = {0};
	struct unit unit = {.kind = UNIT_LOCAL,
			.origin = eu,
			.records = records,
			.n_records = 102,
			.first_seq = 1},
		    got;
	struct tide_error error;
	struct buf form = {0};
	struct arena arena;

	(void)state;
	for (uint32_t i = 0; i < 102; i++) {
		records[i] = (struct record){
		    .version = {{5}, eu}, .table = 7, .key = BYTES_LITERAL("k"), .tombstone = true};
		if (i < 100)
			many[i] = (struct txn_part){UINT64_MAX, i + 2};
	}
	for (uint32_t i = 1; i <= 100; i++) {
		records[i].parts = many;
		records[i].n_parts = 100;
	}
	unit_encode_wire(&unit, &form);
	assert_int_equal(buf_check(&form), TIDE_OK);
	assert_true(form.n < 100 * 12 + 102 * 20);
	arena_init(&arena, 0);
	assert_int_equal(unit_decode(&arena, buf_bytes(&form), &got, &error), TIDE_OK);
	assert_int_equal(got.n_records, 102);
	assert_int_equal(got.records[0].n_parts, 0);
	assert_int_equal(got.records[101].n_parts, 0);
	for (uint32_t i = 1; i <= 100; i++) {
		assert_int_equal(got.records[i].n_parts, 100);
		assert_ptr_equal(got.records[i].parts, got.records[1].parts);
		assert_true(got.records[i].parts[99].origin_seq == 101);
	}
	/* A record that shares the list of the one before, where there is none. */
	unit.n_records = 1;
	buf_clear(&form);
	unit_encode_wire(&unit, &form);
	form.at[form.n - 1] = 0xc0;
	assert_int_equal(unit_decode(&arena, buf_bytes(&form), &got, &error), TIDE_CORRUPT);
	arena_fini(&arena);
	buf_fini(&form);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_of_one_transaction_share_the_list_of_its_parts),
	    cmocka_unit_test(units_of_every_kind_come_back_as_they_were),
	    cmocka_unit_test(many_records_come_back_as_they_were),
	    cmocka_unit_test(the_last_sequence_counts_records_entries_and_note),
	    cmocka_unit_test(a_unit_cut_at_any_byte_is_corrupt),
	    cmocka_unit_test(any_byte_changed_never_crashes),
	    cmocka_unit_test(what_no_unit_can_be_is_refused),
	    cmocka_unit_test(a_decode_that_fails_leaves_the_unit_alone),
	    cmocka_unit_test(no_memory_is_said),
	    cmocka_unit_test(the_worked_example_of_the_format_page_is_what_we_write),
	};

	doc_path = argc > 1 ? argv[1] : NULL;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
