#include "store/shard/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/kv/kv_damage.h"
#include "store/shard/check_missing.h"
#include "store/shard/index_check.h"
#include "store/shard/shard_priv.h"

#define MISSING_NAMED_MAX 20
#define TABLE_LABEL_MAX 300
#define ITEM_LABEL_MAX (TABLE_LABEL_MAX + SHARD_KEY_TEXT_MAX + 16)

struct check {
	struct shard *shard;
	check_report_fn report;
	void *arg;
	struct check_counts *counts;
	struct arena arena;
	struct buf raw;
	struct missing missing;
	uint64_t *kind; /* which faults are being counted */
	uint64_t unreadable; /* records whose item cannot be read: the table's walk names the keys */
};

static void __attribute__((format(printf, 2, 3))) fault(struct check *check, const char *format, ...)
{
	char text[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	check->counts->faults++;
	if (check->kind != NULL)
		++*check->kind;
	check->report(check->arg, text);
}

/* A table as a person knows it. */
static const char *
label(struct check *check, uint64_t table, char out[TABLE_LABEL_MAX])
{
	struct shard_naming naming;

	if (check->shard != NULL && check->shard->describe != NULL &&
	    check->shard->describe(check->shard->naming_arg, table, &naming))
		snprintf(out, TABLE_LABEL_MAX, "%.*s (%016" PRIx64 ")", (int)naming.table.n,
		    (const char *)naming.table.at, table);
	else
		snprintf(out, TABLE_LABEL_MAX, "%016" PRIx64, table);
	return out;
}

/* An item as a person knows it. */
static const char *
item(struct check *check, const struct record *record, char out[ITEM_LABEL_MAX])
{
	char table[TABLE_LABEL_MAX], key[SHARD_KEY_TEXT_MAX];

	shard_key_text(record->key, key, sizeof key);
	snprintf(out, ITEM_LABEL_MAX, "table %s key %s", label(check, record->table, table), key);
	return out;
}

/* A record that is still its item's last must be what the store holds; a later one must have replaced it. */
static void
check_record(struct check *check, const struct record *record)
{
	char what[ITEM_LABEL_MAX];
	struct stored stored;
	tide_err rc;

	check->counts->records++;
	if (record->lost)
		return;
	rc = shard_get(check->shard, record->table, record->key, &check->raw, &stored);
	if (rc == TIDE_CORRUPT || rc == TIDE_IO)
		check->unreadable++;
	else if (rc != TIDE_OK && rc != TIDE_NOTFOUND)
		fault(
		    check, "%s: the store cannot be read: %s", item(check, record, what), tide_err_text(rc));
	else if (stored.seq == record->seq &&
		 (stored.tombstone != record->tombstone ||
		     version_compare(stored.version, record->version) != 0 ||
		     (!stored.tombstone && !bytes_equal(stored.image, record->image))))
		fault(check, "%s: the store differs from the journal at sequence %" PRIu64,
		    item(check, record, what), record->seq);
	else if (stored.seq != 0 && stored.seq < record->seq)
		fault(check, "%s: the store is at sequence %" PRIu64 ", the journal has %" PRIu64,
		    item(check, record, what), stored.seq, record->seq);
	else if (stored.seq == 0 && record->tombstone)
		missing_explain(&check->missing, record->table, record->key);
	else if (stored.seq == 0 &&
		 missing_add(&check->missing, record->table, record->key, record->seq) != TIDE_OK)
		fault(check, "no memory to follow %s", item(check, record, what));
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
	char table[TABLE_LABEL_MAX];
	unsigned named = 0;

	for (size_t i = 0; i < check->missing.room && named < MISSING_NAMED_MAX; i++) {
		const struct missing_slot *slot = &check->missing.slots[i];

		if (slot->seq == 0 || slot->seq == UINT64_MAX)
			continue;
		fault(check, "table %s: the item of sequence %" PRIu64 " is missing in the store",
		    label(check, slot->table, table), slot->seq);
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
	rc = journal_reader_open(journal, next, &reader, error);
	if (rc == TIDE_CORRUPT && check->counts->journal_faults > 0)
		return TIDE_OK;
	if (rc != TIDE_OK)
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
	/* Damage has been named by the walk over the files; what follows it cannot be compared record by record. */
	if (rc == TIDE_CORRUPT && check->counts->journal_faults > 0)
		return TIDE_OK;
	if (rc == TIDE_NOTFOUND)
		rc = TIDE_OK;
	report_missing(check);
	if (rc == TIDE_OK && next != check->shard->live.last_seq + 1)
		fault(check, "the journal ends at sequence %" PRIu64 ", the fold at %" PRIu64, next - 1,
		    check->shard->live.last_seq);
	return rc;
}

/* Name the keys around `from` that cannot be read; `*from` becomes the first sound key behind them. False: there is none in the table. */
static bool
skip_damage(struct check *check, const struct table_fold *table, struct buf *from)
{
	char after[SHARD_KEY_TEXT_MAX] = "", before[SHARD_KEY_TEXT_MAX] = "", name[TABLE_LABEL_MAX];
	struct buf key = {0}, low = {0}, high = {0};
	bool more = false;
	tide_err rc;

	space_key(table->id, buf_bytes(from), &key);
	if ((rc = buf_check(&key)) == TIDE_OK)
		rc = kv_damage_around(check->shard->kv, buf_bytes(&key), &low, &high);
	if (rc == TIDE_OK && low.n > SPACE_PREFIX && bytes_u64(low.at + 1) == table->id)
		shard_key_text(space_item_key(buf_bytes(&low)), after, sizeof after);
	if (rc == TIDE_OK && high.n > SPACE_PREFIX && bytes_u64(high.at + 1) == table->id) {
		shard_key_text(space_item_key(buf_bytes(&high)), before, sizeof before);
		buf_clear(from);
		buf_append(from, high.at + SPACE_PREFIX, high.n - SPACE_PREFIX);
		more = !from->failed;
	}
	fault(check, "table %s: keys from %s%s to %s%s cannot be read", label(check, table->id, name),
	    after[0] != 0 ? "behind " : "its first", after, before[0] != 0 ? "before " : "its last", before);
	buf_fini(&key);
	buf_fini(&low);
	buf_fini(&high);
	return more;
}

struct recount {
	fingerprint_t fingerprint;
	uint64_t items, bytes;
	bool damaged;
};

/* Walk a table from `from` on; TIDE_CORRUPT: `*from` is just behind the last key that was read. */
static tide_err
walk(struct check *check, const struct table_fold *table, struct buf *from, struct recount *count)
{
	struct shard_scan_range range = {.table = table->id, .from = buf_bytes(from), .tombstones = true};
	char name[TABLE_LABEL_MAX];
	struct shard_scan *scan;
	struct stored stored;
	struct bytes key;
	tide_err rc;

	if ((rc = shard_scan_open(check->shard, &range, &scan)) != TIDE_OK)
		return rc;
	while ((rc = shard_scan_next(scan, &key, &stored)) == TIDE_OK) {
		buf_clear(from);
		buf_append(from, key.at, key.n);
		buf_append_byte(from, 0);
		if (stored.tombstone) {
			check->counts->tombstones++;
			continue;
		}
		count->items++;
		count->bytes += stored_bytes(&stored);
		count->fingerprint += stored_fingerprint(key, &stored);
		if (stored.seq == 0 || stored.seq > check->shard->live.last_seq)
			fault(check,
			    "table %s: an item names sequence %" PRIu64 ", which the journal does not have",
			    label(check, table->id, name), stored.seq);
	}
	shard_scan_close(scan);
	return rc == TIDE_OK || rc == TIDE_NOTFOUND ? buf_check(from) : rc;
}

/* Recount a table from the store and compare with what the journal's deltas gave. */
static tide_err
check_table(struct check *check, const struct table_fold *table)
{
	char name[TABLE_LABEL_MAX];
	struct recount count = {0};
	struct buf from = {0};
	tide_err rc;

	while ((rc = walk(check, table, &from, &count)) == TIDE_CORRUPT || rc == TIDE_IO) {
		count.damaged = true;
		if (!skip_damage(check, table, &from))
			break;
	}
	buf_fini(&from);
	if (rc != TIDE_OK && !count.damaged)
		return rc;
	label(check, table->id, name);
	check->counts->tables++;
	check->counts->items += count.items;
	if (count.damaged)
		fault(check, "table %s: %" PRIu64 " of %" PRIu64 " items can be read", name, count.items,
		    table->items);
	if (count.damaged)
		return TIDE_OK; /* the totals differ by what cannot be read */
	if (count.items != table->items)
		fault(check, "table %s: the store has %" PRIu64 " items, the journal adds up to %" PRIu64,
		    name, count.items, table->items);
	if (count.bytes != table->bytes)
		fault(check, "table %s: the store has %" PRIu64 " bytes, the journal adds up to %" PRIu64,
		    name, count.bytes, table->bytes);
	if (count.fingerprint != table->fingerprint && table_has_fingerprint(table->id))
		fault(check, "table %s: the fingerprint of the store's items is not the journal's", name);
	return TIDE_OK;
}

static void
checkpoint_fault(void *arg, const char *why)
{
	fault(arg, "%s; an older one, or the whole journal, serves in its place", why);
}

static void
journal_fault(void *arg, uint64_t first_seq, uint64_t last_seq, const char *where)
{
	fault(arg, "%s: sequences %" PRIu64 " to %" PRIu64 " cannot be read", where, first_seq, last_seq);
}

static void
index_fault(void *arg, const char *text)
{
	((struct check *)arg)->report(((struct check *)arg)->arg, text);
}

static void
check_indexes(struct check *check)
{
	struct index_check_counts counts;

	index_check_all(check->shard, index_fault, check, &counts);
	check->counts->indexes = counts.indexes;
	check->counts->entries = counts.entries;
	check->counts->index_faults = counts.faults;
	check->counts->faults += counts.faults;
}

/* The files as they are, before an opening sets aside what it can do without. */
static tide_err
check_files(struct check *check, const struct shard_options *options, struct tide_error *error)
{
	char path[SHARD_PATH_MAX];
	struct identity identity;
	tide_err rc = identity_read(options->dir, &identity, error);

	if (rc != TIDE_OK)
		return rc;
	checkpoint_each_damaged(options->dir, checkpoint_fault, check);
	if (strcmp(options->journal_plugin, "segments") != 0)
		return TIDE_OK;
	shard__path(options->dir, "journal", path);
	check->kind = &check->counts->journal_faults;
	rc = journal_verify(path, identity.id, journal_fault, check, error);
	check->kind = NULL;
	return rc;
}

/* Everything that needs the shard open. */
static tide_err
check_open(struct check *check, struct tide_error *error)
{
	tide_err rc = check_journal(check, error);

	check->kind = &check->counts->store_faults;
	for (size_t i = 0; i < check->shard->live.n_tables && rc == TIDE_OK; i++) {
		const struct table_fold *table = check->shard->live.tables[i];

		if (table->state != REPLICA_ABSENT && (rc = check_table(check, table)) != TIDE_OK) {
			char name[TABLE_LABEL_MAX];

			fault(check, "table %s: the store cannot be read: %s", label(check, table->id, name),
			    tide_err_text(rc));
			rc = TIDE_OK;
		}
	}
	check->kind = NULL;
	check_indexes(check);
	check->counts->rebuilt = check->shard->rebuilt;
	check->counts->store_can_be_made_again =
	    check->counts->journal_faults == 0 && journal_first_seq(check->shard->journal) == 1;
	return rc;
}

tide_err
shard_check(const struct shard_options *options, const struct check_names *names, check_report_fn report,
    void *arg, struct check_counts *counts, struct tide_error *error)
{
	struct check check = {.report = report, .arg = arg, .counts = counts};
	struct shard_options open = *options;
	tide_err rc;

	*counts = (struct check_counts){0};
	open.create = false;
	if ((rc = check_files(&check, options, error)) != TIDE_OK ||
	    (rc = shard_open(&open, &check.shard, error)) != TIDE_OK)
		return rc;
	if (names != NULL && names->opened != NULL)
		names->opened(names->arg, check.shard);
	arena_init(&check.arena, 0);
	rc = check_open(&check, error);
	arena_fini(&check.arena);
	buf_fini(&check.raw);
	missing_fini(&check.missing);
	if (names != NULL && names->closing != NULL)
		names->closing(names->arg);
	shard_close(check.shard, false);
	return rc;
}

tide_err
shard_repair(const struct shard_options *options, struct tide_error *error)
{
	struct shard_options open = *options;
	struct shard *shard;
	tide_err rc;

	open.create = false;
	if ((rc = shard_open(&open, &shard, error)) != TIDE_OK)
		return rc;
	rc = shard->rebuilt ? TIDE_OK : shard__rebuild_whole(shard, error);
	shard_close(shard, false);
	/* Opened once more, it is made again, and what was set aside goes. */
	if (rc == TIDE_OK && (rc = shard_open(&open, &shard, error)) == TIDE_OK)
		shard_close(shard, true);
	return rc;
}
