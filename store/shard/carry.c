/*
 * What goes with a region into a new incarnation: regional tables. Nobody else has them, so they are written into the new journal before
 * it takes the old one's place: as pieces of a snapshot, with versions of the new journal, so that everything else follows from replaying it.
 */
#include "store/shard/index_priv.h"

#define PIECE_ITEMS 1000
#define PIECE_BYTES (1u << 20)

struct carry {
	struct shard *shard;
	struct jid id;
	struct journal *journal;
	struct arena arena; /* of one piece */
	struct record *records;
	struct unit unit;
	size_t bytes;
	uint64_t next_seq;
};

static tide_err
append(struct carry *carry, uint64_t table, struct tide_error *error)
{
	struct journal_entry entry = {
	    .first_seq = carry->unit.first_seq, .last_seq = unit_last_seq(&carry->unit), .tables = &table};
	struct buf form = {0};
	tide_err rc;

	entry.n_tables = table != 0;
	for (uint32_t i = 0; i < carry->unit.n_records; i++)
		entry.clock = hlc_max(entry.clock, carry->unit.records[i].version.clock);
	unit_encode_disk(&carry->unit, &form);
	entry.payload = buf_bytes(&form);
	rc = form.failed ? tide_fail(error, TIDE_NOMEM, NULL)
			 : journal_append(carry->journal, &entry, 1, error);
	carry->next_seq = entry.last_seq + 1;
	buf_fini(&form);
	return rc;
}

/* A regional table that is whole. */
static bool
goes(const struct table_fold *table)
{
	return !table->shared && table->state == REPLICA_ACTIVE;
}

/* Its indexes, complete: they are made anew with its items. */
static void
note_indexes(const struct table_fold *table, struct buf *notes)
{
	for (uint32_t i = 0; i < table->n_indexes; i++) {
		struct note note = {.kind = NOTE_INDEX,
		    .table = table->id,
		    .number = table->indexes[i].def.id,
		    .step = INDEX_ADD,
		    .key = buf_bytes(&table->indexes[i].form),
		    .flag = true};

		note_encode(&note, notes);
	}
}

/* The states of the tables, and the clock: what was promised before holds. */
static tide_err
carry_notes(struct carry *carry, struct tide_error *error)
{
	const struct fold *live = &carry->shard->live;
	struct note clock = {.kind = NOTE_CLOCK, .clock = live->clock};
	struct buf notes = {0};
	tide_err rc;

	note_encode(&clock, &notes);
	for (size_t i = 0; i < live->n_tables; i++) {
		struct note note = {
		    .kind = NOTE_STATE, .table = live->tables[i]->id, .state = REPLICA_ACTIVE};

		if (goes(live->tables[i]) && note.table > TABLE_BUILT_IN_MAX)
			note_encode(&note, &notes);
		if (goes(live->tables[i]))
			note_indexes(live->tables[i], &notes);
	}
	carry->unit =
	    (struct unit){.kind = UNIT_NOTE, .first_seq = carry->next_seq, .note = buf_bytes(&notes)};
	rc = notes.failed ? tide_fail(error, TIDE_NOMEM, NULL) : append(carry, 0, error);
	buf_fini(&notes);
	return rc;
}

/* What the item counts in the table's indexes. */
static tide_err
add_indexes(struct carry *carry, const struct table_fold *table, struct record *record)
{
	struct index_change *changes = arena_calloc(&carry->arena, table->n_indexes * sizeof *changes);
	struct buf key = {0}, value = {0};
	tide_err rc = changes == NULL ? TIDE_NOMEM : TIDE_OK;

	record->index_changes = changes;
	for (uint32_t i = 0; i < table->n_indexes && rc == TIDE_OK; i++) {
		const struct index_def *def = &table->indexes[i].def;
		uint64_t bytes;

		buf_clear(&key);
		buf_clear(&value);
		if (!index_entry(def, record->key, record->image, &key, &value, &bytes))
			continue;
		rc = buf_check(&value);
		changes[record->n_index_changes++] =
		    (struct index_change){.index = def->id, .count_delta = 1, .bytes_delta = (int64_t)bytes};
	}
	buf_fini(&key);
	buf_fini(&value);
	return rc;
}

static tide_err
add(struct carry *carry, const struct table_fold *table, struct bytes key, const struct stored *stored)
{
	struct record *record = &carry->records[carry->unit.n_records];
	struct stored after = *stored;

	*record = (struct record){.table = table->id,
	    .seq = carry->unit.first_seq + carry->unit.n_records,
	    .version = {stored->version.clock, carry->id},
	    .key = arena_copy(&carry->arena, key),
	    .image = arena_copy(&carry->arena, stored->image)};
	if (record->key.at == NULL || record->image.at == NULL)
		return TIDE_NOMEM;
	after.version = record->version;
	after.seq = record->seq;
	record->count_delta = 1;
	record->bytes_delta = (int64_t)stored_bytes(&after);
	record->fingerprint_delta = stored_fingerprint(key, &after);
	carry->unit.n_records++;
	carry->bytes += key.n + stored->image.n;
	return table->indexes != NULL ? add_indexes(carry, table, record) : TIDE_OK;
}

static tide_err
begin(struct carry *carry)
{
	arena_reset(&carry->arena);
	carry->bytes = 0;
	carry->unit = (struct unit){.kind = UNIT_SNAPSHOT, .first_seq = carry->next_seq};
	carry->records = arena_alloc(&carry->arena, PIECE_ITEMS * sizeof *carry->records);
	carry->unit.records = carry->records;
	return carry->records == NULL ? TIDE_NOMEM : TIDE_OK;
}

static tide_err
carry_table(struct carry *carry, const struct table_fold *table, struct tide_error *error)
{
	struct shard_scan_range range = {.table = table->id};
	struct shard_scan *scan;
	struct stored stored;
	struct bytes key;
	tide_err rc;

	if ((rc = shard_scan_open(carry->shard, &range, &scan)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	rc = begin(carry);
	while (rc == TIDE_OK && (rc = shard_scan_next(scan, &key, &stored)) == TIDE_OK) {
		if ((rc = add(carry, table, key, &stored)) != TIDE_OK ||
		    (carry->unit.n_records < PIECE_ITEMS && carry->bytes < PIECE_BYTES))
			continue;
		if ((rc = append(carry, table->id, error)) == TIDE_OK)
			rc = begin(carry);
	}
	shard_scan_close(scan);
	if (rc == TIDE_NOTFOUND)
		rc = carry->unit.n_records > 0 ? append(carry, table->id, error) : TIDE_OK;
	return rc == TIDE_OK ? TIDE_OK
			     : tide_fail(error, rc, "carrying table %016llx over: %s",
				   (unsigned long long)table->id, tide_err_text(rc));
}

tide_err
shard__carry(struct shard *shard, struct jid id, const char *path, struct tide_error *error)
{
	struct journal_options options = {
	    .id = id, .segment_bytes = shard->options.segment_bytes, .create = true};
	struct carry carry = {.shard = shard, .id = id, .next_seq = 1};
	tide_err rc;

	if ((rc = shard__make_dir(path, error)) != TIDE_OK ||
	    (rc = journal_open(shard->options.journal_plugin, path, &options, &carry.journal, error)) !=
		TIDE_OK)
		return rc;
	arena_init(&carry.arena, 0);
	rc = carry_notes(&carry, error);
	for (size_t i = 0; i < shard->live.n_tables && rc == TIDE_OK; i++)
		if (goes(shard->live.tables[i]))
			rc = carry_table(&carry, shard->live.tables[i], error);
	arena_fini(&carry.arena);
	journal_close(carry.journal);
	return rc;
}
