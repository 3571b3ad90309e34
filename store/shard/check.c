#include "store/shard/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/shard/check_missing.h"
#include "store/shard/shard_priv.h"

#define MISSING_NAMED_MAX 20

struct check {
	struct shard *shard;
	check_report_fn report;
	void *arg;
	struct check_counts *counts;
	struct arena arena;
	struct buf raw;
	struct missing missing;
};

static void __attribute__((format(printf, 2, 3))) fault(struct check *check, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	check->counts->faults++;
	check->report(check->arg, text);
}

static void
hex(struct bytes key, char *out, size_t room)
{
	for (size_t i = 0; i < key.n && 2 * i + 3 < room; i++)
		snprintf(out + 2 * i, 3, "%02x", key.at[i]);
	if (key.n == 0)
		out[0] = 0;
}

/* A record that is still its item's last must be what the store holds; a later one must have replaced it. */
static void
check_record(struct check *check, const struct record *record)
{
	struct stored stored;
	char key[128];
	tide_err rc;

	check->counts->records++;
	if (record->lost)
		return;
	rc = shard_get(check->shard, record->table, record->key, &check->raw, &stored);
	hex(record->key, key, sizeof key);
	if (rc != TIDE_OK && rc != TIDE_NOTFOUND)
		fault(check, "table %016" PRIx64 " key %s: the store cannot be read: %s", record->table, key,
		    tide_err_text(rc));
	else if (stored.seq == record->seq &&
		 (stored.tombstone != record->tombstone ||
		     version_compare(stored.version, record->version) != 0 ||
		     (!stored.tombstone && !bytes_equal(stored.image, record->image))))
		fault(check,
		    "table %016" PRIx64 " key %s: the store differs from the journal at sequence %" PRIu64,
		    record->table, key, record->seq);
	else if (stored.seq != 0 && stored.seq < record->seq)
		fault(check,
		    "table %016" PRIx64 " key %s: the store is at sequence %" PRIu64
		    ", the journal has %" PRIu64,
		    record->table, key, stored.seq, record->seq);
	else if (stored.seq == 0 && record->tombstone)
		missing_explain(&check->missing, record->table, record->key);
	else if (stored.seq == 0 &&
		 missing_add(&check->missing, record->table, record->key, record->seq) != TIDE_OK)
		fault(check, "no memory to follow table %016" PRIx64 " key %s", record->table, key);
}

static void
check_note(struct check *check, struct bytes field)
{
	struct note_walk walk = {field};
	struct note note;
	tide_err rc;

	while ((rc = note_next(&walk, &check->arena, &note)) == TIDE_OK) {
		bool clears = note.kind == NOTE_STATE ? note.state <= REPLICA_CREATING
						      : note.kind == NOTE_LOAD && note.step == LOAD_RESTART;

		if (clears)
			missing_explain_table(&check->missing, note.table);
		else if (note.kind == NOTE_REJOIN && note.step == REJOIN_END)
			missing_explain_table(&check->missing, staged_id(note.table));
		else if (note.kind == NOTE_COLLECT || note.kind == NOTE_DROP)
			missing_explain(&check->missing, note.table, note.key);
	}
	if (rc != TIDE_NOTFOUND)
		fault(check, "a note is unreadable: %s", tide_err_text(rc));
}

static void
report_missing(struct check *check)
{
	unsigned named = 0;

	for (size_t i = 0; i < check->missing.room && named < MISSING_NAMED_MAX; i++) {
		const struct missing_slot *slot = &check->missing.slots[i];

		if (slot->seq == 0 || slot->seq == UINT64_MAX)
			continue;
		fault(check, "table %016" PRIx64 ": the item of sequence %" PRIu64 " is missing in the store",
		    slot->table, slot->seq);
		named++;
	}
	if (check->missing.n > named)
		fault(check, "%zu more items are missing in the store", check->missing.n - named);
}

static tide_err
check_journal(struct check *check, struct tide_error *error)
{
	struct journal *journal = check->shard->journal;
	struct journal_reader *reader;
	struct bytes payload;
	uint64_t next = journal_first_seq(journal);
	tide_err rc;

	check->counts->segments_from = next;
	check->counts->segments_to = journal_last_seq(journal);
	if ((rc = journal_reader_open(journal, next, &reader, error)) != TIDE_OK)
		return rc;
	while ((rc = journal_reader_next(reader, &payload, NULL, error)) == TIDE_OK) {
		struct unit unit;

		if ((rc = unit_decode(&check->arena, payload, &unit, error)) != TIDE_OK)
			break;
		if (unit.first_seq != next)
			fault(check, "the journal goes from sequence %" PRIu64 " to %" PRIu64, next - 1,
			    unit.first_seq);
		for (uint32_t i = 0; i < unit.n_records; i++)
			check_record(check, &unit.records[i]);
		for (uint32_t i = 0; i < unit.n_entries; i++)
			check_record(check, &unit.entries[i]);
		if (unit.note.at != NULL)
			check_note(check, unit.note);
		next = unit_last_seq(&unit) + 1;
		check->counts->units++;
		arena_reset(&check->arena);
	}
	journal_reader_close(reader);
	if (rc == TIDE_NOTFOUND)
		rc = TIDE_OK;
	report_missing(check);
	if (rc == TIDE_OK && next != check->shard->live.last_seq + 1)
		fault(check, "the journal ends at sequence %" PRIu64 ", the fold at %" PRIu64, next - 1,
		    check->shard->live.last_seq);
	return rc;
}

/* Recount a table from the store and compare with what the journal's deltas gave. */
static tide_err
check_table(struct check *check, const struct table_fold *table)
{
	struct shard_scan_range range = {.table = table->id, .tombstones = true};
	fingerprint_t fingerprint = 0;
	uint64_t items = 0, bytes = 0;
	struct shard_scan *scan;
	struct stored stored;
	struct bytes key;
	tide_err rc;

	if ((rc = shard_scan_open(check->shard, &range, &scan)) != TIDE_OK)
		return rc;
	while ((rc = shard_scan_next(scan, &key, &stored)) == TIDE_OK) {
		if (stored.tombstone) {
			check->counts->tombstones++;
			continue;
		}
		items++;
		bytes += stored_bytes(&stored);
		fingerprint += stored_fingerprint(key, &stored);
		if (stored.seq == 0 || stored.seq > check->shard->live.last_seq)
			fault(check,
			    "table %016" PRIx64 ": an item names sequence %" PRIu64
			    ", which the journal does not have",
			    table->id, stored.seq);
	}
	shard_scan_close(scan);
	if (rc != TIDE_NOTFOUND)
		return rc;
	check->counts->tables++;
	check->counts->items += items;
	if (items != table->items)
		fault(check,
		    "table %016" PRIx64 ": the store has %" PRIu64 " items, the journal adds up to %" PRIu64,
		    table->id, items, table->items);
	if (bytes != table->bytes)
		fault(check,
		    "table %016" PRIx64 ": the store has %" PRIu64 " bytes, the journal adds up to %" PRIu64,
		    table->id, bytes, table->bytes);
	if (fingerprint != table->fingerprint && table->id != TABLE_CONFLICTS)
		fault(check,
		    "table %016" PRIx64 ": the fingerprint of the store's items is not the journal's",
		    table->id);
	return TIDE_OK;
}

tide_err
shard_check(const struct shard_options *options, check_report_fn report, void *arg,
    struct check_counts *counts, struct tide_error *error)
{
	struct check check = {.report = report, .arg = arg, .counts = counts};
	struct shard_options open = *options;
	tide_err rc;

	*counts = (struct check_counts){0};
	open.create = false;
	if ((rc = shard_open(&open, &check.shard, error)) != TIDE_OK)
		return rc;
	arena_init(&check.arena, 0);
	rc = check_journal(&check, error);
	for (size_t i = 0; i < check.shard->live.n_tables && rc == TIDE_OK; i++) {
		const struct table_fold *table = check.shard->live.tables[i];

		if (table->state != REPLICA_ABSENT && (rc = check_table(&check, table)) != TIDE_OK) {
			fault(&check, "table %016" PRIx64 ": the store cannot be read: %s", table->id,
			    tide_err_text(rc));
			rc = TIDE_OK;
		}
	}
	arena_fini(&check.arena);
	buf_fini(&check.raw);
	missing_fini(&check.missing);
	shard_close(check.shard, false);
	return rc;
}
