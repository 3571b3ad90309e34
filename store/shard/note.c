#include "store/shard/note.h"

#include "base/pack.h"
#include "store/shard/pack_vector.h"

#define NOTE_FIELDS 14 /* the last is what only some kinds have: LOAD its vectors, DROP its fingerprint */

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
		pack_array(out, 2);
		pack_uint(out, (uint64_t)(note->fingerprint >> 64));
		pack_uint(out, (uint64_t)note->fingerprint);
	} else
		pack_nil(out);
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
	if (!unpack_nil(&in)) {
		uint32_t extra = unpack_open(&in, 2, 2, NULL);

		if (note.kind == NOTE_DROP) {
			note.fingerprint = (fingerprint_t)unpack_uint(&in) << 64;
			note.fingerprint |= unpack_uint(&in);
		} else {
			unpack_vector(&in, arena, &note.vector);
			unpack_vector(&in, arena, &note.position);
		}
		unpack_skips(&in, extra);
	}
	unpack_skips(&in, more);
	if (in.rc != TIDE_OK)
		return in.rc;
	walk->left = bytes_of(in.at, (size_t)(in.end - in.at));
	*out = note;
	return TIDE_OK;
}
