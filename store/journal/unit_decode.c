/*
 * Decoding of units: a cursor over the bytes, no tree in between. The bytes may come from a peer, so every length is
 * checked against what is left before it is believed, and an array is allocated only after its elements are known to fit.
 */
#include <stdint.h>

#include "store/journal/unit.h"
#include "store/journal/unit_form.h"

/* Unknown elements are skipped; nothing of ours nests deeper than 4. */
#define SKIP_DEPTH_MAX 32

struct cursor {
	const uint8_t *start, *at, *end;
	tide_err rc; /* the first failure; later reads do nothing and give zero */
	const char *what; /* what was expected there */
};

static void
fail(struct cursor *c, tide_err rc, const char *what)
{
	if (c->rc != TIDE_OK)
		return;
	c->rc = rc;
	c->what = what;
}

static size_t
left(const struct cursor *c)
{
	return (size_t)(c->end - c->at);
}

/* `n` bytes, or NULL when they are not there. */
static const uint8_t *
take(struct cursor *c, size_t n, const char *what)
{
	const uint8_t *at = c->at;

	if (c->rc != TIDE_OK || left(c) < n) {
		fail(c, TIDE_CORRUPT, what);
		return NULL;
	}
	c->at += n;
	return at;
}

static uint64_t
take_big_endian(struct cursor *c, size_t n, const char *what)
{
	const uint8_t *at = take(c, n, what);
	uint64_t v = 0;

	for (size_t i = 0; at != NULL && i < n; i++)
		v = v << 8 | at[i];
	return v;
}

static uint8_t
take_tag(struct cursor *c, const char *what)
{
	const uint8_t *at = take(c, 1, what);

	return at == NULL ? 0 : *at;
}

static uint64_t
read_uint(struct cursor *c, uint64_t max, const char *what)
{
	uint8_t tag = take_tag(c, what);
	uint64_t v;

	if (tag <= 0x7f)
		v = tag;
	else if (tag >= 0xcc && tag <= 0xcf)
		v = take_big_endian(c, (size_t)1 << (tag - 0xcc), what);
	else {
		fail(c, TIDE_CORRUPT, what);
		return 0;
	}
	if (v > max)
		fail(c, TIDE_CORRUPT, what);
	return c->rc == TIDE_OK ? v : 0;
}

static int64_t
read_int(struct cursor *c, int64_t min, int64_t max, const char *what)
{
	int64_t v;

	if (c->rc != TIDE_OK || left(c) == 0) {
		fail(c, TIDE_CORRUPT, what);
		return 0;
	}
	if (*c->at >= 0xe0) {
		v = (int8_t)take_tag(c, what);
	} else if (*c->at >= 0xd0 && *c->at <= 0xd3) {
		unsigned width = 1U << (take_tag(c, what) - 0xd0), shift = 64 - 8 * width;

		/* Shifted up and down again, the sign fills the upper bits. */
		v = (int64_t)(take_big_endian(c, width, what) << shift) >> shift;
	} else {
		v = (int64_t)read_uint(c, INT64_MAX, what);
	}
	if (c->rc == TIDE_OK && (v < min || v > max))
		fail(c, TIDE_CORRUPT, what);
	return c->rc == TIDE_OK ? v : 0;
}

static bool
read_nil(struct cursor *c)
{
	if (c->rc != TIDE_OK || left(c) == 0 || *c->at != 0xc0)
		return false;
	c->at++;
	return true;
}

static bool
read_bool(struct cursor *c, const char *what)
{
	uint8_t tag = take_tag(c, what);

	if (tag != 0xc2 && tag != 0xc3)
		fail(c, TIDE_CORRUPT, what);
	return c->rc == TIDE_OK && tag == 0xc3;
}

static struct bytes
read_bin(struct cursor *c, const char *what)
{
	uint8_t tag = take_tag(c, what);
	const uint8_t *at;
	size_t n;

	if (tag < 0xc4 || tag > 0xc6) {
		fail(c, TIDE_CORRUPT, what);
		return BYTES_NONE;
	}
	n = (size_t)take_big_endian(c, (size_t)1 << (tag - 0xc4), what);
	at = take(c, n, what);
	return c->rc == TIDE_OK ? bytes_of(at, n) : BYTES_NONE;
}

/* An array's length. Each element takes `element_bytes_min` or more, which bounds what a liar can make us allocate. */
static uint32_t
read_array(struct cursor *c, uint32_t min, size_t element_bytes_min, const char *what)
{
	uint8_t tag = take_tag(c, what);
	uint64_t n;

	if ((tag & 0xf0) == 0x90)
		n = tag & 0x0f;
	else if (tag == 0xdc || tag == 0xdd)
		n = take_big_endian(c, tag == 0xdc ? 2 : 4, what);
	else {
		fail(c, TIDE_CORRUPT, what);
		return 0;
	}
	if (n < min || n > left(c) / element_bytes_min)
		fail(c, TIDE_CORRUPT, what);
	return c->rc == TIDE_OK ? (uint32_t)n : 0;
}

static void skip(struct cursor *c, unsigned depth);

static void
skip_many(struct cursor *c, uint64_t n, unsigned depth)
{
	for (; n > 0 && c->rc == TIDE_OK; n--)
		skip(c, depth);
}

/* Pass over one element of any type: something that a newer version added. */
static void
skip(struct cursor *c, unsigned depth)
{
	static const char what[] = "an element";
	uint8_t tag = take_tag(c, what);

	if (c->rc != TIDE_OK)
		return;
	if (depth == 0) {
		fail(c, TIDE_CORRUPT, "less nesting");
		return;
	}
	if (tag <= 0x7f || tag >= 0xe0 || tag == 0xc0 || tag == 0xc2 || tag == 0xc3)
		return;
	if (tag <= 0x8f)
		skip_many(c, 2 * (uint64_t)(tag & 0x0f), depth - 1);
	else if (tag <= 0x9f)
		skip_many(c, tag & 0x0f, depth - 1);
	else if (tag <= 0xbf)
		take(c, tag & 0x1f, what);
	else if (tag >= 0xc4 && tag <= 0xc6)
		take(c, (size_t)take_big_endian(c, (size_t)1 << (tag - 0xc4), what), what);
	else if (tag >= 0xc7 && tag <= 0xc9)
		take(c, (size_t)take_big_endian(c, (size_t)1 << (tag - 0xc7), what) + 1, what);
	else if (tag == 0xca || tag == 0xcb)
		take(c, tag == 0xca ? 4 : 8, what);
	else if (tag >= 0xcc && tag <= 0xd3)
		take(c, (size_t)1 << (tag & 3), what);
	else if (tag >= 0xd4 && tag <= 0xd8)
		take(c, ((size_t)1 << (tag - 0xd4)) + 1, what);
	else if (tag >= 0xd9 && tag <= 0xdb)
		take(c, (size_t)take_big_endian(c, (size_t)1 << (tag - 0xd9), what), what);
	else if (tag == 0xdc || tag == 0xdd)
		skip_many(c, take_big_endian(c, tag == 0xdc ? 2 : 4, what), depth - 1);
	else if (tag == 0xde || tag == 0xdf)
		skip_many(c, 2 * take_big_endian(c, tag == 0xde ? 2 : 4, what), depth - 1);
	else
		fail(c, TIDE_CORRUPT, what); /* 0xc1 is no type */
}

static void *
alloc(struct cursor *c, struct arena *arena, size_t n, size_t size)
{
	void *at;

	if (c->rc != TIDE_OK || n == 0)
		return NULL;
	if ((at = arena_calloc(arena, n * size)) == NULL)
		fail(c, TIDE_NOMEM, "memory");
	return at;
}

static void
read_vector(struct cursor *c, struct arena *arena, struct vector *out)
{
	uint32_t n = read_array(c, 0, 1, "a vector");

	if (n % 3 != 0)
		fail(c, TIDE_CORRUPT, "a vector of triples");
	n /= 3;
	out->entries = alloc(c, arena, n, sizeof *out->entries);
	for (uint32_t i = 0; i < n && c->rc == TIDE_OK; i++) {
		struct vector_entry *entry = &out->entries[i];

		entry->origin.v = (uint32_t)read_uint(c, UINT32_MAX, "a journal id");
		entry->mark.seq = read_uint(c, UINT64_MAX, "a mark's sequence");
		entry->mark.clock.v = read_uint(c, UINT64_MAX, "a mark's clock");
		if (i > 0 && entry->origin.v <= entry[-1].origin.v)
			fail(c, TIDE_CORRUPT, "ascending journal ids");
	}
	if (c->rc == TIDE_OK)
		out->n = out->room = n;
}

static void
read_index_changes(struct cursor *c, struct arena *arena, struct record *out)
{
	uint32_t n = read_array(c, 0, 1, "an index's changes");
	struct index_change *changes;

	if (n % INDEX_CHANGE_FIELDS != 0)
		fail(c, TIDE_CORRUPT, "an index's changes in fours");
	n /= INDEX_CHANGE_FIELDS;
	if ((changes = alloc(c, arena, n, sizeof *changes)) == NULL)
		return;
	for (uint32_t i = 0; i < n && c->rc == TIDE_OK; i++) {
		changes[i].index = read_uint(c, UINT64_MAX, "an index");
		changes[i].count_delta = (int32_t)read_int(c, -1, 1, "a number of entries");
		changes[i].bytes_delta = read_int(c, INT64_MIN, INT64_MAX, "a number of bytes");
		if (!read_nil(c))
			changes[i].gone = read_bin(c, "an entry that goes");
	}
	out->index_changes = changes;
	out->n_index_changes = n;
}

static void
read_local(struct cursor *c, struct arena *arena, struct record *out)
{
	uint32_t n = read_array(c, LOCAL_FIELDS, 1, "a record's local part");

	out->lost = read_bool(c, "lost");
	if (!read_nil(c)) {
		out->has_before = true;
		out->before = read_bin(c, "an image before");
	}
	out->table_prev_seq = read_uint(c, UINT64_MAX, "the table's previous sequence");
	out->item_prev_seq = read_uint(c, UINT64_MAX, "the item's previous sequence");
	out->count_delta = (int32_t)read_int(c, INT32_MIN, INT32_MAX, "a count");
	out->bytes_delta = read_int(c, INT64_MIN, INT64_MAX, "a number of bytes");
	if (!read_nil(c)) {
		struct bytes sum = read_bin(c, "a fingerprint");

		if (sum.n != FINGERPRINT_BYTES)
			fail(c, TIDE_CORRUPT, "a fingerprint of 16 bytes");
		for (size_t i = 0; c->rc == TIDE_OK && i < sum.n; i++)
			out->fingerprint_delta = out->fingerprint_delta << 8 | sum.at[i];
	}
	if (n == LOCAL_FIELDS)
		return;
	out->expired = read_bool(c, "expired");
	if (n == LOCAL_FIELDS + 1)
		return;
	read_index_changes(c, arena, out);
	skip_many(c, n - LOCAL_FIELDS - 2, SKIP_DEPTH_MAX);
}

static void
read_parts(struct cursor *c, struct arena *arena, const struct record *former, struct record *out)
{
	struct txn_part *parts;
	uint32_t n;

	if (read_nil(c)) {
		if (former == NULL || former->n_parts == 0) {
			fail(c, TIDE_CORRUPT, "a transaction's parts");
			return;
		}
		out->parts = former->parts;
		out->n_parts = former->n_parts;
		return;
	}
	n = read_array(c, 0, 1, "a transaction's parts");
	if (n % 2 != 0)
		fail(c, TIDE_CORRUPT, "parts in pairs");
	n /= 2;
	if ((parts = alloc(c, arena, n, sizeof *parts)) == NULL)
		return;
	for (uint32_t i = 0; i < n && c->rc == TIDE_OK; i++) {
		parts[i].table = read_uint(c, UINT64_MAX, "a part's table");
		parts[i].origin_seq = read_uint(c, UINT64_MAX, "a part's sequence");
	}
	out->parts = parts;
	out->n_parts = n;
}

static void
read_record(struct cursor *c, struct arena *arena, struct jid unit_origin, bool disk,
    const struct record *former, struct record *out)
{
	uint32_t fields = disk ? RECORD_FIELDS_DISK : RECORD_FIELDS_WIRE, n;

	n = read_array(c, fields, 1, "a record");
	if (read_nil(c))
		out->version.origin = unit_origin;
	else
		out->version.origin.v = (uint32_t)read_uint(c, UINT32_MAX, "a record's origin");
	out->version.clock.v = read_uint(c, UINT64_MAX, "a record's clock");
	out->origin_seq = read_uint(c, UINT64_MAX, "a record's origin sequence");
	out->origin_prev.seq = read_uint(c, UINT64_MAX, "a previous record's sequence");
	out->origin_prev.clock.v = read_uint(c, UINT64_MAX, "a previous record's clock");
	out->table = read_uint(c, UINT64_MAX, "a table id");
	out->key = read_bin(c, "a key");
	if (read_nil(c))
		out->tombstone = true;
	else
		out->image = read_bin(c, "an image");
	read_parts(c, arena, former, out);
	if (disk)
		read_local(c, arena, out);
	if (c->rc == TIDE_OK)
		skip_many(c, n - fields, SKIP_DEPTH_MAX);
}

static struct record *
read_records(struct cursor *c, struct arena *arena, struct jid unit_origin, bool disk, uint32_t *n_out)
{
	uint32_t n =
	    read_array(c, 0, disk ? RECORD_FIELDS_DISK + LOCAL_FIELDS : RECORD_FIELDS_WIRE, "records");
	struct record *records = alloc(c, arena, n, sizeof *records);

	for (uint32_t i = 0; i < n && c->rc == TIDE_OK; i++)
		read_record(c, arena, unit_origin, disk, i > 0 ? &records[i - 1] : NULL, &records[i]);
	*n_out = c->rc == TIDE_OK ? n : 0;
	return records;
}

/* Sequence numbers are dense, so only the first is stored. */
static void
number_records(struct cursor *c, struct unit *unit)
{
	uint64_t seq = unit->first_seq;
	uint64_t n = (uint64_t)unit->n_records + unit->n_entries + (unit->note.at != NULL ? 1 : 0);

	if (c->rc != TIDE_OK)
		return;
	if (seq == 0 || n == 0 || seq > UINT64_MAX - n) {
		fail(c, TIDE_CORRUPT, "sequence numbers");
		return;
	}
	for (uint32_t i = 0; i < unit->n_records; i++)
		unit->records[i].seq = seq++;
	for (uint32_t i = 0; i < unit->n_entries; i++)
		unit->entries[i].seq = seq++;
}

static void
read_unit(struct cursor *c, struct arena *arena, struct unit *out)
{
	uint32_t n = read_array(c, 1, 1, "a unit"), fields = UNIT_FIELDS_WIRE;
	bool disk;

	if (read_uint(c, UINT64_MAX, "a format version") != UNIT_FORMAT)
		fail(c, TIDE_FORMAT, "a format that this version knows");
	disk = read_uint(c, UNIT_FORM_DISK, "a form") == UNIT_FORM_DISK;
	if (n < (disk ? UNIT_FIELDS_DISK : UNIT_FIELDS_WIRE))
		fail(c, TIDE_CORRUPT, "more elements");
	out->kind = (enum unit_kind)read_uint(c, UNIT_NOTE, "a kind");
	if (out->kind < UNIT_LOCAL)
		fail(c, TIDE_CORRUPT, "a kind");
	out->origin.v = (uint32_t)read_uint(c, UINT32_MAX, "an origin");
	read_vector(c, arena, &out->seen);
	out->records = read_records(c, arena, out->origin, disk, &out->n_records);
	if (disk) {
		fields = UNIT_FIELDS_DISK;
		out->first_seq = read_uint(c, UINT64_MAX, "a first sequence");
		read_vector(c, arena, &out->entries_seen);
		out->entries = read_records(c, arena, out->origin, disk, &out->n_entries);
		if (!read_nil(c))
			out->note = read_bin(c, "a note");
		number_records(c, out);
	}
	if (c->rc == TIDE_OK)
		skip_many(c, n - fields, SKIP_DEPTH_MAX);
	if (c->rc == TIDE_OK && left(c) != 0)
		fail(c, TIDE_CORRUPT, "the end");
}

tide_err
unit_decode(struct arena *arena, struct bytes in, struct unit *out, struct tide_error *error)
{
	struct cursor c = {.start = in.at, .at = in.at, .end = in.at + in.n};
	struct unit unit = {0};

	if (in.n == 0)
		return tide_fail(error, TIDE_CORRUPT, "an empty unit");
	read_unit(&c, arena, &unit);
	if (c.rc != TIDE_OK)
		return tide_fail(error, c.rc, "unit of %zu bytes: expected %s at byte %zu", in.n, c.what,
		    (size_t)(c.at - c.start));
	*out = unit;
	return TIDE_OK;
}
