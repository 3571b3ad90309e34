#include "store/journal/segment_index.h"

#include <stdlib.h>
#include <xxhash.h>

#define INDEX_FORMAT 1
#define POINT_EVERY_BYTES ((uint64_t)64 * 1024)

static const uint8_t magic[8] = "TIDEIDX1";

void
segment_index_init(struct segment_index *index, uint64_t first_seq)
{
	*index = (struct segment_index){
	    .first_seq = first_seq, .last_seq = first_seq - 1, .end = SEGMENT_HEADER_BYTES};
}

void
segment_index_fini(struct segment_index *index)
{
	for (size_t i = 0; i < index->n_tables; i++)
		free(index->tables[i].offsets);
	free(index->points);
	free(index->origins);
	free(index->tables);
	*index = (struct segment_index){0};
}

void
segment_index_drop_offsets(struct segment_index *index)
{
	for (size_t i = 0; i < index->n_tables; i++) {
		free(index->tables[i].offsets);
		index->tables[i].offsets = NULL;
		index->tables[i].room = 0;
	}
}

/* Room for one more element of `size` bytes in `*at`. */
static bool
grow(void **at, size_t n, size_t *room, size_t size)
{
	size_t more = *room == 0 ? 8 : *room * 2;
	void *bigger;

	if (n < *room)
		return true;
	if ((bigger = realloc(*at, more * size)) == NULL)
		return false;
	*at = bigger;
	*room = more;
	return true;
}

/* The place of a table, or where it belongs. */
static size_t
table_place(const struct segment_index *index, uint64_t table)
{
	size_t low = 0, high = index->n_tables;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->tables[middle].table < table)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
add_table(struct segment_index *index, uint64_t table, uint32_t offset)
{
	size_t place = table_place(index, table), room;
	struct index_table *t;

	if (place == index->n_tables || index->tables[place].table != table) {
		if (!grow((void **)&index->tables, index->n_tables, &index->tables_room, sizeof *t))
			return false;
		memmove(
		    &index->tables[place + 1], &index->tables[place], (index->n_tables - place) * sizeof *t);
		index->tables[place] = (struct index_table){.table = table};
		index->n_tables++;
	}
	t = &index->tables[place];
	room = t->room;
	if (!grow((void **)&t->offsets, t->n, &room, sizeof *t->offsets))
		return false;
	t->room = (uint32_t)room;
	t->offsets[t->n++] = offset;
	return true;
}

static bool
add_origin(struct segment_index *index, struct jid origin, uint64_t seq)
{
	if (seq == 0 || jid_same(origin, JID_NONE))
		return true;
	for (size_t i = 0; i < index->n_origins; i++) {
		if (!jid_same(index->origins[i].origin, origin))
			continue;
		if (index->origins[i].seq < seq)
			index->origins[i].seq = seq;
		return true;
	}
	if (!grow((void **)&index->origins, index->n_origins, &index->origins_room, sizeof *index->origins))
		return false;
	index->origins[index->n_origins++] = (struct index_origin){origin, seq};
	return true;
}

static bool
add_point(struct segment_index *index, uint64_t seq, uint64_t offset)
{
	if (index->n_points > 0 && offset - index->points[index->n_points - 1].offset < POINT_EVERY_BYTES)
		return true;
	if (!grow((void **)&index->points, index->n_points, &index->points_room, sizeof *index->points))
		return false;
	index->points[index->n_points++] = (struct index_point){seq, offset};
	return true;
}

void
segment_index_add(struct segment_index *index, const struct frame *frame, uint64_t offset)
{
	bool ok = add_point(index, frame->first_seq, offset);

	ok = add_origin(index, frame->origin, frame->origin_seq_last) && ok;
	for (uint32_t i = 0; i < frame->n_tables; i++)
		ok = add_table(index, frame_table(frame, i), (uint32_t)(offset / FRAME_ALIGN)) && ok;
	if (!ok)
		index->incomplete = true;
	if (index->n_units == 0 || frame->clock.v < index->clock_min.v)
		index->clock_min = frame->clock;
	index->clock_max = hlc_max(index->clock_max, frame->clock);
	index->last_seq = frame->last_seq;
	index->end = offset + frame->bytes;
	index->n_units++;
}

struct index_point
segment_index_point(const struct segment_index *index, uint64_t seq)
{
	size_t low = 0, high = index->n_points;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->points[middle].seq <= seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? (struct index_point){index->first_seq, SEGMENT_HEADER_BYTES}
			: index->points[low - 1];
}

const struct index_table *
segment_index_table(const struct segment_index *index, uint64_t table)
{
	size_t place = table_place(index, table);

	return place < index->n_tables && index->tables[place].table == table ? &index->tables[place] : NULL;
}

uint64_t
segment_index_origin(const struct segment_index *index, struct jid origin)
{
	for (size_t i = 0; i < index->n_origins; i++) {
		if (jid_same(index->origins[i].origin, origin))
			return index->origins[i].seq;
	}
	return 0;
}

/* ---- the file form: fixed fields, three counted lists, the offsets, a checksum; big-endian ---- */

void
segment_index_encode(const struct segment_index *index, struct jid id, struct buf *out)
{
	size_t start = out->n;

	buf_append(out, magic, sizeof magic);
	buf_append_u32(out, INDEX_FORMAT);
	buf_append_u32(out, id.v);
	buf_append_u64(out, index->first_seq);
	buf_append_u64(out, index->last_seq);
	buf_append_u64(out, index->end);
	buf_append_u64(out, index->clock_min.v);
	buf_append_u64(out, index->clock_max.v);
	buf_append_u64(out, index->n_units);
	buf_append_u32(out, (uint32_t)index->n_points);
	for (size_t i = 0; i < index->n_points; i++) {
		buf_append_u64(out, index->points[i].seq);
		buf_append_u64(out, index->points[i].offset);
	}
	buf_append_u32(out, (uint32_t)index->n_origins);
	for (size_t i = 0; i < index->n_origins; i++) {
		buf_append_u32(out, index->origins[i].origin.v);
		buf_append_u64(out, index->origins[i].seq);
	}
	buf_append_u32(out, (uint32_t)index->n_tables);
	for (size_t i = 0; i < index->n_tables; i++) {
		buf_append_u64(out, index->tables[i].table);
		buf_append_u32(out, index->tables[i].n);
	}
	for (size_t i = 0; i < index->n_tables; i++) {
		for (uint32_t j = 0; j < index->tables[i].n; j++)
			buf_append_u32(out, index->tables[i].offsets[j]);
	}
	if (!out->failed)
		buf_append_u64(out, XXH3_64bits(out->at + start, out->n - start));
}

struct input {
	const uint8_t *at, *end;
	bool short_of; /* it ended too early */
};

static uint32_t
get_u32(struct input *in)
{
	if (in->end - in->at < 4) {
		in->short_of = true;
		return 0;
	}
	in->at += 4;
	return bytes_u32(in->at - 4);
}

static uint64_t
get_u64(struct input *in)
{
	uint64_t high = get_u32(in);

	return high << 32 | get_u32(in);
}

/* A list's count, and zeroed memory for it; each element takes `bytes_min` or more. */
static void *
get_list(struct input *in, size_t bytes_min, size_t size, size_t *n, bool *nomem)
{
	uint32_t count = get_u32(in);
	void *at;

	if (count > (size_t)(in->end - in->at) / bytes_min) {
		in->short_of = true;
		return NULL;
	}
	if (in->short_of || count == 0)
		return NULL;
	if ((at = calloc(count, size)) == NULL)
		*nomem = true;
	else
		*n = count;
	return at;
}

static void
get_offsets(struct input *in, struct index_table *t, bool *nomem)
{
	uint32_t n = t->n;

	t->n = 0;
	if (n > (size_t)(in->end - in->at) / 4) {
		in->short_of = true;
		return;
	}
	if (n == 0)
		return;
	if ((t->offsets = malloc(n * sizeof *t->offsets)) == NULL) {
		*nomem = true;
		return;
	}
	for (t->room = n; t->n < n; t->n++)
		t->offsets[t->n] = get_u32(in);
}

static void
get_lists(struct input *in, struct segment_index *index, bool *nomem)
{
	index->points = get_list(in, 16, sizeof *index->points, &index->n_points, nomem);
	for (size_t i = 0; i < index->n_points; i++) {
		index->points[i].seq = get_u64(in);
		index->points[i].offset = get_u64(in);
	}
	index->origins = get_list(in, 12, sizeof *index->origins, &index->n_origins, nomem);
	for (size_t i = 0; i < index->n_origins; i++) {
		index->origins[i].origin.v = get_u32(in);
		index->origins[i].seq = get_u64(in);
	}
	index->tables = get_list(in, 12, sizeof *index->tables, &index->n_tables, nomem);
	for (size_t i = 0; i < index->n_tables; i++) {
		index->tables[i].table = get_u64(in);
		index->tables[i].n = get_u32(in);
	}
	for (size_t i = 0; i < index->n_tables; i++)
		get_offsets(in, &index->tables[i], nomem);
}

tide_err
segment_index_decode(struct bytes in, struct jid id, uint64_t first_seq, struct segment_index *out)
{
	struct segment_index index = {0};
	struct input input;
	bool nomem = false;

	/* After the checksum only our own encoder's bugs could be met; the lengths are checked all the same. */
	if (in.n < 80 || memcmp(in.at, magic, sizeof magic) != 0 ||
	    bytes_u64(in.at + in.n - 8) != XXH3_64bits(in.at, in.n - 8))
		return TIDE_CORRUPT;
	input = (struct input){in.at + sizeof magic, in.at + in.n - 8, false};
	if (get_u32(&input) != INDEX_FORMAT || get_u32(&input) != id.v)
		return TIDE_CORRUPT;
	index.first_seq = get_u64(&input);
	index.last_seq = get_u64(&input);
	index.end = get_u64(&input);
	index.clock_min.v = get_u64(&input);
	index.clock_max.v = get_u64(&input);
	index.n_units = get_u64(&input);
	get_lists(&input, &index, &nomem);
	if (nomem || input.short_of || input.at != input.end || index.first_seq != first_seq) {
		segment_index_fini(&index);
		return nomem ? TIDE_NOMEM : TIDE_CORRUPT;
	}
	*out = index;
	return TIDE_OK;
}
