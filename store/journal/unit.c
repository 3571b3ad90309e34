#include "store/journal/unit.h"

#include "base/pack.h"
#include "store/journal/unit_form.h"

uint64_t
unit_last_seq(const struct unit *unit)
{
	return unit->first_seq + unit->n_records + unit->n_entries + (unit->note.at != NULL ? 1 : 0) - 1;
}

static void
pack_vector(struct buf *out, const struct vector *vector)
{
	pack_array(out, (uint32_t)vector->n * 3);
	for (size_t i = 0; i < vector->n; i++) {
		pack_uint(out, vector->entries[i].origin.v);
		pack_uint(out, vector->entries[i].mark.seq);
		pack_uint(out, vector->entries[i].mark.clock.v);
	}
}

static void
pack_fingerprint(struct buf *out, fingerprint_t fingerprint)
{
	uint8_t bytes[FINGERPRINT_BYTES];

	if (fingerprint == 0) {
		pack_nil(out);
		return;
	}
	for (int i = FINGERPRINT_BYTES - 1; i >= 0; i--) {
		bytes[i] = (uint8_t)fingerprint;
		fingerprint >>= 8;
	}
	pack_bin(out, bytes_of(bytes, sizeof bytes));
}

static void
pack_index_changes(struct buf *out, const struct record *record)
{
	pack_array(out, record->n_index_changes * INDEX_CHANGE_FIELDS);
	for (uint32_t i = 0; i < record->n_index_changes; i++) {
		const struct index_change *change = &record->index_changes[i];

		pack_uint(out, change->index);
		pack_int(out, change->count_delta);
		pack_int(out, change->bytes_delta);
		if (change->gone.at != NULL)
			pack_bin(out, change->gone);
		else
			pack_nil(out);
	}
}

static void
pack_local(struct buf *out, const struct record *record)
{
	bool indexed = record->n_index_changes > 0;

	pack_array(out, LOCAL_FIELDS + (indexed ? 2 : record->expired ? 1 : 0));
	pack_bool(out, record->lost);
	if (record->has_before)
		pack_bin(out, record->before);
	else
		pack_nil(out);
	pack_uint(out, record->table_prev_seq);
	pack_uint(out, record->item_prev_seq);
	pack_int(out, record->count_delta);
	pack_int(out, record->bytes_delta);
	pack_fingerprint(out, record->fingerprint_delta);
	if (record->expired || indexed)
		pack_bool(out, record->expired);
	if (indexed)
		pack_index_changes(out, record);
}

static void
pack_parts(struct buf *out, const struct record *record, const struct record *former)
{
	if (former != NULL && record->n_parts > 0 && former->parts == record->parts) {
		pack_nil(out);
		return;
	}
	pack_array(out, record->n_parts * 2);
	for (uint32_t i = 0; i < record->n_parts; i++) {
		pack_uint(out, record->parts[i].table);
		pack_uint(out, record->parts[i].origin_seq);
	}
}

static void
pack_record(struct buf *out, const struct record *record, const struct record *former, struct jid unit_origin,
    bool disk)
{
	pack_array(out, disk ? RECORD_FIELDS_DISK : RECORD_FIELDS_WIRE);
	if (jid_same(record->version.origin, unit_origin))
		pack_nil(out);
	else
		pack_uint(out, record->version.origin.v);
	pack_uint(out, record->version.clock.v);
	pack_uint(out, record->origin_seq);
	pack_uint(out, record->origin_prev.seq);
	pack_uint(out, record->origin_prev.clock.v);
	pack_uint(out, record->table);
	pack_bin(out, record->key);
	if (record->tombstone)
		pack_nil(out);
	else
		pack_bin(out, record->image);
	pack_parts(out, record, former);
	if (disk)
		pack_local(out, record);
}

static void
pack_records(struct buf *out, const struct record *records, uint32_t n, struct jid unit_origin, bool disk)
{
	pack_array(out, n);
	for (uint32_t i = 0; i < n; i++)
		pack_record(out, &records[i], i > 0 ? &records[i - 1] : NULL, unit_origin, disk);
}

static void
pack_unit(const struct unit *unit, struct buf *out, bool disk)
{
	pack_array(out, disk ? UNIT_FIELDS_DISK : UNIT_FIELDS_WIRE);
	pack_uint(out, UNIT_FORMAT);
	pack_uint(out, disk ? UNIT_FORM_DISK : UNIT_FORM_WIRE);
	pack_uint(out, unit->kind);
	pack_uint(out, unit->origin.v);
	pack_vector(out, &unit->seen);
	pack_records(out, unit->records, unit->n_records, unit->origin, disk);
	if (!disk)
		return;
	pack_uint(out, unit->first_seq);
	pack_vector(out, &unit->entries_seen);
	pack_records(out, unit->entries, unit->n_entries, unit->origin, disk);
	if (unit->note.at != NULL)
		pack_bin(out, unit->note);
	else
		pack_nil(out);
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
