#include "store/journal/unit.h"

#include <msgpack.h>

#include "store/journal/unit_form.h"

uint64_t
unit_last_seq(const struct unit *unit)
{
	return unit->first_seq + unit->n_records + unit->n_entries + (unit->note.at != NULL ? 1 : 0) - 1;
}

static int
pack_write(void *to, const char *at, size_t n)
{
	buf_append(to, at, n); /* a failed growth shows in buf_check */
	return 0;
}

static void
pack_bytes(msgpack_packer *pk, struct bytes bytes)
{
	msgpack_pack_bin(pk, bytes.n);
	msgpack_pack_bin_body(pk, bytes.at, bytes.n);
}

static void
pack_vector(msgpack_packer *pk, const struct vector *vector)
{
	msgpack_pack_array(pk, vector->n * 3);
	for (size_t i = 0; i < vector->n; i++) {
		msgpack_pack_uint32(pk, vector->entries[i].origin.v);
		msgpack_pack_uint64(pk, vector->entries[i].mark.seq);
		msgpack_pack_uint64(pk, vector->entries[i].mark.clock.v);
	}
}

static void
pack_fingerprint(msgpack_packer *pk, fingerprint_t fingerprint)
{
	uint8_t bytes[FINGERPRINT_BYTES];

	if (fingerprint == 0) {
		msgpack_pack_nil(pk);
		return;
	}
	for (int i = FINGERPRINT_BYTES - 1; i >= 0; i--) {
		bytes[i] = (uint8_t)fingerprint;
		fingerprint >>= 8;
	}
	pack_bytes(pk, bytes_of(bytes, sizeof bytes));
}

static void
pack_local(msgpack_packer *pk, const struct record *record)
{
	msgpack_pack_array(pk, LOCAL_FIELDS);
	if (record->lost)
		msgpack_pack_true(pk);
	else
		msgpack_pack_false(pk);
	if (record->has_before)
		pack_bytes(pk, record->before);
	else
		msgpack_pack_nil(pk);
	msgpack_pack_uint64(pk, record->table_prev_seq);
	msgpack_pack_uint64(pk, record->item_prev_seq);
	msgpack_pack_int32(pk, record->count_delta);
	msgpack_pack_int64(pk, record->bytes_delta);
	pack_fingerprint(pk, record->fingerprint_delta);
}

static void
pack_record(msgpack_packer *pk, const struct record *record, struct jid unit_origin, bool disk)
{
	msgpack_pack_array(pk, disk ? RECORD_FIELDS_DISK : RECORD_FIELDS_WIRE);
	if (jid_same(record->version.origin, unit_origin))
		msgpack_pack_nil(pk);
	else
		msgpack_pack_uint32(pk, record->version.origin.v);
	msgpack_pack_uint64(pk, record->version.clock.v);
	msgpack_pack_uint64(pk, record->origin_seq);
	msgpack_pack_uint64(pk, record->origin_prev.seq);
	msgpack_pack_uint64(pk, record->origin_prev.clock.v);
	msgpack_pack_uint64(pk, record->table);
	pack_bytes(pk, record->key);
	if (record->tombstone)
		msgpack_pack_nil(pk);
	else
		pack_bytes(pk, record->image);
	msgpack_pack_array(pk, (size_t)record->n_parts * 2);
	for (uint32_t i = 0; i < record->n_parts; i++) {
		msgpack_pack_uint64(pk, record->parts[i].table);
		msgpack_pack_uint64(pk, record->parts[i].origin_seq);
	}
	if (disk)
		pack_local(pk, record);
}

static void
pack_records(msgpack_packer *pk, const struct record *records, uint32_t n, struct jid unit_origin, bool disk)
{
	msgpack_pack_array(pk, n);
	for (uint32_t i = 0; i < n; i++)
		pack_record(pk, &records[i], unit_origin, disk);
}

static void
pack_unit(const struct unit *unit, struct buf *out, bool disk)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, out, pack_write);
	msgpack_pack_array(&pk, disk ? UNIT_FIELDS_DISK : UNIT_FIELDS_WIRE);
	msgpack_pack_int(&pk, UNIT_FORMAT);
	msgpack_pack_int(&pk, disk ? UNIT_FORM_DISK : UNIT_FORM_WIRE);
	msgpack_pack_int(&pk, (int)unit->kind);
	msgpack_pack_uint32(&pk, unit->origin.v);
	pack_vector(&pk, &unit->seen);
	pack_records(&pk, unit->records, unit->n_records, unit->origin, disk);
	if (!disk)
		return;
	msgpack_pack_uint64(&pk, unit->first_seq);
	pack_vector(&pk, &unit->entries_seen);
	pack_records(&pk, unit->entries, unit->n_entries, unit->origin, disk);
	if (unit->note.at != NULL)
		pack_bytes(&pk, unit->note);
	else
		msgpack_pack_nil(&pk);
}

void
unit_encode_disk(const struct unit *unit, struct buf *out)
{
	pack_unit(unit, out, true);
}

void
unit_encode_wire(const struct unit *unit, struct buf *out)
{
	pack_unit(unit, out, false);
}
