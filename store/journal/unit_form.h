/*
 * The shape of a unit's msgpack form, shared by its encoder and its decoder. docs/journal-format.md has a worked example.
 *
 *     unit    [format, form, kind, origin, seen, records,   -- the disk form goes on:  first_seq, entries_seen, entries, note]
 *     vector  [origin, seq, clock, origin, seq, clock, ...]    ascending by origin, none twice
 *     record  [origin or nil (the unit's), clock, origin_seq, prev seq, prev clock, table, key, image or nil (tombstone),
 *              [part table, part origin_seq, ...] or nil (those of the record before), -- the disk form goes on:  local]
 *     local   [lost, before or nil, table_prev_seq, item_prev_seq, count_delta, bytes_delta, fingerprint or nil (zero),
 *              -- only where it is true, or an index changes:  expired,
 *              -- only where an index changes:  [index, count_delta, bytes_delta, key that goes or nil, ...]]
 *
 * A reader ignores elements after those it knows, at each level; what it must not ignore raises `format`.
 */
#ifndef TIDE_STORE_JOURNAL_UNIT_FORM_H
#define TIDE_STORE_JOURNAL_UNIT_FORM_H

#define UNIT_FORMAT 1
#define UNIT_FORM_WIRE 0
#define UNIT_FORM_DISK 1

#define UNIT_FIELDS_WIRE 6
#define UNIT_FIELDS_DISK 10
#define RECORD_FIELDS_WIRE 9
#define RECORD_FIELDS_DISK 10
#define LOCAL_FIELDS 7
#define INDEX_CHANGE_FIELDS 4
#define FINGERPRINT_BYTES 16

#endif
