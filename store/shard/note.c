#include "store/shard/note.h"

#include "base/pack.h"
#include "store/shard/pack_vector.h"

#define NOTE_FIELDS                                                                                          \
	14 /* the last is what only some kinds have: LOAD its vectors, DROP its fingerprint, ... */
#define GONE_FIELDS 3 /* index, bytes, key */

static void
pack_gone(const struct note *note, struct buf *out)
{
	pack_array(out, note->n_index_changes * GONE_FIELDS);
	for (uint32_t i = 0; i < note->n_index_changes; i++) {
		pack_uint(out, note->index_changes[i].index);
		pack_uint(out, (uint64_t)-note->index_changes[i].bytes_delta);
		pack_bin(out, note->index_changes[i].gone);
	}
}

void
note_encode(const struct note *note, struct buf *out)
{
	pack_array(out, NOTE_FIELDS);
	pack_uint(out, note->kind);
	pack_uint(out, note->table);
	pack_uint(out, note->state);
	pack_bool(out, note->flag);
	pack_uint(out, note->region);
	pack_uint(out, note->incarnation);
	pack_uint(out, note->number);
	pack_uint(out, note->clock.v);
	pack_uint(out, note->origin.v);
	pack_uint(out, note->step);
	pack_bin(out, note->key);
	pack_uint(out, note->count);
	pack_uint(out, note->expected);
	if (note->kind == NOTE_LOAD) {
		pack_array(out, 2);
		pack_vector(out, &note->vector);
		pack_vector(out, &note->position);
	} else if (note->kind == NOTE_DROP) {
		pack_array(out, note->n_index_changes > 0 ? 3 : 2);
		pack_uint(out, (uint64_t)(note->fingerprint >> 64));
		pack_uint(out, (uint64_t)note->fingerprint);
		if (note->n_index_changes > 0)
			pack_gone(note, out);
	} else if (note->kind == NOTE_INDEX) {
		pack_array(out, 3);
		pack_uint(out, note->items);
		pack_uint(out, note->entries);
		pack_uint(out, note->bytes);
	} else
		pack_nil(out);
}

/* What a whole entry takes with it. */
static void
unpack_gone(struct unpack *in, struct arena *arena, struct note *out)
{
	uint32_t n = unpack_array(in);
	struct index_change *gone;

	if (in->rc == TIDE_OK && n % GONE_FIELDS != 0)
		in->rc = TIDE_CORRUPT;
	if (in->rc != TIDE_OK || n == 0)
		return;
	n /= GONE_FIELDS;
	if ((gone = arena_calloc(arena, n * sizeof *gone)) == NULL) {
		in->rc = TIDE_NOMEM;
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		gone[i].index = unpack_uint(in);
		gone[i].count_delta = -1;
		gone[i].bytes_delta = -(int64_t)unpack_uint_max(in, INT64_MAX);
		gone[i].gone = unpack_bin(in);
	}
	out->index_changes = gone;
	out->n_index_changes = n;
}

/* What only notes of some kinds have. */
static void
unpack_extra(struct unpack *in, struct arena *arena, struct note *out)
{
	uint32_t present, more = unpack_open(in, 2, 3, &present);

	if (out->kind == NOTE_DROP) {
		out->fingerprint = (fingerprint_t)unpack_uint(in) << 64;
		out->fingerprint |= unpack_uint(in);
		if (present > 2)
			unpack_gone(in, arena, out);
	} else if (out->kind == NOTE_INDEX) {
		out->items = unpack_uint(in);
		out->entries = unpack_uint(in);
		out->bytes = unpack_uint(in);
	} else {
		unpack_vector(in, arena, &out->vector);
		unpack_vector(in, arena, &out->position);
		if (present > 2)
			unpack_skip(in);
	}
	unpack_skips(in, more);
}

tide_err
note_next(struct note_walk *walk, struct arena *arena, struct note *out)
{
	struct unpack in = unpack_of(walk->left);
	struct note note = {0};
	uint32_t more;

	if (walk->left.n == 0)
		return TIDE_NOTFOUND;
	more = unpack_open(&in, NOTE_FIELDS, NOTE_FIELDS, NULL);
	note.kind = (enum note_kind)unpack_uint_max(&in, UINT8_MAX);
	note.table = unpack_uint(&in);
	note.state = (enum replica_state)unpack_uint_max(&in, REPLICA_MERGING);
	note.flag = unpack_bool(&in);
	note.region = (uint8_t)unpack_uint_max(&in, UINT8_MAX);
	note.incarnation = (uint16_t)unpack_uint_max(&in, UINT16_MAX);
	note.number = unpack_uint(&in);
	note.clock.v = unpack_uint(&in);
	note.origin.v = (uint32_t)unpack_uint_max(&in, UINT32_MAX);
	note.step = (unsigned)unpack_uint_max(&in, UINT8_MAX);
	note.key = unpack_bin(&in);
	note.count = unpack_uint(&in);
	note.expected = unpack_uint(&in);
	if (!unpack_nil(&in))
		unpack_extra(&in, arena, &note);
	unpack_skips(&in, more);
	if (in.rc != TIDE_OK)
		return in.rc;
	walk->left = bytes_of(in.at, (size_t)(in.end - in.at));
	*out = note;
	return TIDE_OK;
}
