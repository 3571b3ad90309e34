/*
 * Recovery: the last checkpoint, then the journal from there. An unsynced store may have lost writes from the middle, so
 * replay starts at the checkpoint, not at the last write that the store shows. Replay is idempotent: items are after-images,
 * totals come from the checkpoint plus the records' deltas, entries of indexes from the images and what each record says went.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "store/shard/index_priv.h"

#define BATCH_BYTES (4u << 20)

tide_err
shard__clear_store(struct kv *kv)
{
	static const uint8_t from[] = {SPACE_ITEMS, SPACE_INDEXES},
			     to[] = {SPACE_ITEMS + 1, SPACE_INDEXES + 1};
	tide_err rc = kv_delete_range(kv, bytes_of(&from[0], 1), bytes_of(&to[0], 1));

	return rc == TIDE_OK ? kv_delete_range(kv, bytes_of(&from[1], 1), bytes_of(&to[1], 1)) : rc;
}

tide_err
shard__clear_table(struct kv *kv, uint64_t table)
{
	struct buf from = {0}, to = {0};
	tide_err rc;

	space_key(table, BYTES_NONE, &from);
	space_key(table + 1, BYTES_NONE, &to);
	if ((rc = buf_check(&from)) == TIDE_OK && (rc = buf_check(&to)) == TIDE_OK)
		rc = kv_delete_range(kv, buf_bytes(&from), buf_bytes(&to));
	buf_fini(&from);
	buf_fini(&to);
	return rc == TIDE_OK ? index__clear_table(kv, table) : rc;
}

struct replay {
	struct kv *kv;
	struct kv_batch *batch;
	size_t batch_bytes;
	struct buf key, value;
	struct index_replay indexes;
};

static tide_err
flush(struct replay *replay)
{
	tide_err rc = kv_write(replay->kv, replay->batch);

	kv_batch_clear(replay->batch);
	replay->batch_bytes = replay->indexes.bytes = 0;
	return rc;
}

/* When there is enough of it. */
static tide_err
flush_some(void *arg)
{
	struct replay *replay = arg;

	return replay->batch_bytes + replay->indexes.bytes > BATCH_BYTES ? flush(replay) : TIDE_OK;
}

static tide_err
replay_record(struct replay *replay, const struct record *record)
{
	struct stored stored = {record->version, record->seq, record->tombstone, record->image};
	tide_err rc;

	if (record->lost)
		return TIDE_OK;
	buf_clear(&replay->key);
	buf_clear(&replay->value);
	space_key(record->table, record->key, &replay->key);
	stored_encode(&stored, &replay->value);
	if ((rc = buf_check(&replay->key)) != TIDE_OK || (rc = buf_check(&replay->value)) != TIDE_OK)
		return rc;
	kv_batch_put(replay->batch, buf_bytes(&replay->key), buf_bytes(&replay->value));
	replay->batch_bytes += replay->key.n + replay->value.n;
	/* In one batch with the item, as they were written. */
	if ((rc = index_replay_record(&replay->indexes, record)) != TIDE_OK)
		return rc;
	return flush_some(replay);
}

/* Indexes come, go, or take in what the store holds by now. */
static tide_err
replay_index(struct replay *replay, const struct note *note)
{
	tide_err rc;

	if (note->kind == NOTE_INDEX && note->step != INDEX_ADD && (rc = flush(replay)) != TIDE_OK)
		return rc;
	return index_replay_note(&replay->indexes, note);
}

static tide_err
replay_notes(struct replay *replay, struct arena *arena, struct bytes field)
{
	struct note_walk walk = {field};
	struct note note;
	tide_err rc;

	while ((rc = note_next(&walk, arena, &note)) == TIDE_OK) {
		bool clears = (note.kind == NOTE_STATE &&
				  (note.state == REPLICA_ABSENT || note.state == REPLICA_CREATING)) ||
			      (note.kind == NOTE_LOAD && note.step == LOAD_RESTART);
		uint64_t table = note.table;

		if (note.kind == NOTE_REJOIN && note.step == REJOIN_END) {
			clears = true;
			table = staged_id(table);
		}
		if (clears) {
			if ((rc = flush(replay)) != TIDE_OK ||
			    (rc = shard__clear_table(replay->kv, table)) != TIDE_OK)
				return rc;
		} else if (note.kind == NOTE_COLLECT || note.kind == NOTE_DROP) {
			buf_clear(&replay->key);
			space_key(note.table, note.key, &replay->key);
			if ((rc = buf_check(&replay->key)) != TIDE_OK)
				return rc;
			kv_batch_delete(replay->batch, buf_bytes(&replay->key));
			replay->batch_bytes += replay->key.n;
			if ((rc = replay_index(replay, &note)) != TIDE_OK ||
			    (rc = flush_some(replay)) != TIDE_OK)
				return rc;
		} else if (note.kind == NOTE_INDEX && (rc = replay_index(replay, &note)) != TIDE_OK)
			return rc;
	}
	return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
}

static tide_err
replay_unit(struct replay *replay, struct fold *fold, struct arena *arena, struct bytes payload,
    struct tide_error *error)
{
	struct unit unit;
	tide_err rc;

	if ((rc = unit_decode(arena, payload, &unit, error)) != TIDE_OK)
		return rc;
	if (unit.first_seq != fold->last_seq + 1)
		return tide_fail(error, TIDE_CORRUPT,
		    "the journal goes from sequence %" PRIu64 " to %" PRIu64, fold->last_seq, unit.first_seq);
	for (uint32_t i = 0; i < unit.n_records; i++)
		if ((rc = replay_record(replay, &unit.records[i])) != TIDE_OK)
			return tide_fail(error, rc, NULL);
	for (uint32_t i = 0; i < unit.n_entries; i++)
		if ((rc = replay_record(replay, &unit.entries[i])) != TIDE_OK)
			return tide_fail(error, rc, NULL);
	if (unit.note.at != NULL && (rc = replay_notes(replay, arena, unit.note)) != TIDE_OK)
		return tide_fail(
		    error, rc, "a note at sequence %" PRIu64 " is unreadable", unit_last_seq(&unit));
	if ((rc = fold_unit(fold, arena, &unit)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	return TIDE_OK;
}

static tide_err
replay_journal(struct replay *replay, struct shard *shard, struct tide_error *error)
{
	struct journal_reader *reader;
	struct bytes payload;
	struct arena arena;
	uint64_t from = shard->live.last_seq, units = 0, bytes = 0;
	tide_err rc;

	if (from == journal_last_seq(shard->journal))
		return TIDE_OK;
	if (from > journal_last_seq(shard->journal))
		return tide_fail(error, TIDE_CORRUPT,
		    "the checkpoint is at sequence %" PRIu64 ", the journal ends at %" PRIu64, from,
		    journal_last_seq(shard->journal));
	rc = journal_reader_open(shard->journal, from + 1, &reader, error);
	if (rc == TIDE_NOTFOUND)
		return tide_fail(error, TIDE_CORRUPT,
		    "the journal begins at sequence %" PRIu64 " and the last checkpoint is at %" PRIu64,
		    journal_first_seq(shard->journal), from);
	if (rc != TIDE_OK)
		return rc;
	arena_init(&arena, 0);
	while ((rc = journal_reader_next(reader, &payload, NULL, error)) == TIDE_OK) {
		if ((rc = replay_unit(replay, &shard->live, &arena, payload, error)) != TIDE_OK)
			break;
		arena_reset(&arena);
		bytes += payload.n;
		units++;
	}
	arena_fini(&arena);
	journal_reader_close(reader);
	if (rc != TIDE_NOTFOUND)
		return rc;
	/* The next checkpoint comes as if they had been written now: many short lives must not make recovery long. */
	shard->bytes_at_checkpoint = 0 - bytes;
	log_info(
	    "RECOVERED", "from=%" PRIu64 " to=%" PRIu64 " units=%" PRIu64, from, shard->live.last_seq, units);
	return TIDE_OK;
}

static tide_err
read_seen(struct shard *shard, uint64_t *seen, struct tide_error *error)
{
	tide_err rc = seen_get(shard->kv, shard->live.id, seen);

	/* Where the store cannot say it, it has lost what every checkpoint stands on. */
	if (rc == TIDE_CORRUPT)
		rc = TIDE_OK;
	return rc == TIDE_OK ? TIDE_OK
			     : tide_fail(error, rc, "the store cannot be read: %s", tide_err_text(rc));
}

/* A store that lost what was on disk when the checkpoint was taken: a damaged manifest can forget its tables. */
static tide_err
lost_synced(struct shard *shard, uint64_t seen, uint64_t checkpoint, struct tide_error *error)
{
	char why[128];

	snprintf(why, sizeof why,
	    "the store has lost what it held: it is at sequence %" PRIu64 ", the checkpoint at %" PRIu64,
	    seen, checkpoint);
	return shard__rebuild_now(shard, why, error);
}

tide_err
shard__recover(struct shard *shard, struct tide_error *error)
{
	struct replay replay = {.kv = shard->kv};
	struct fold checkpoint;
	uint64_t seen;
	tide_err rc;

	if ((rc = read_seen(shard, &seen, error)) != TIDE_OK)
		return rc;
	rc = checkpoint_read(shard->dir, shard->live.id, &checkpoint, error);
	if (rc == TIDE_OK && seen < checkpoint.last_seq) {
		rc = lost_synced(shard, seen, checkpoint.last_seq, error);
		fold_fini(&checkpoint);
		if (rc != TIDE_OK)
			return rc;
		replay.kv = shard->kv; /* another, empty */
		rc = TIDE_NOTFOUND;
	} else if (rc == TIDE_OK) {
		fold_fini(&shard->live);
		shard->live = checkpoint;
		shard->checkpoint_seqs[0] =
		    checkpoint.last_seq; /* the older one's is not known: nothing is trimmed by it */
	} else if (rc != TIDE_NOTFOUND && rc != TIDE_CORRUPT)
		return rc;
	/*
	 * Without a checkpoint the whole journal is replayed, if it is still there, into an empty store: a former incarnation's
	 * items may be in it.
	 */
	if (rc != TIDE_OK && journal_first_seq(shard->journal) == 1 &&
	    (rc = shard__clear_store(shard->kv)) != TIDE_OK)
		return tide_fail(error, rc, "cannot empty the store: %s", tide_err_text(rc));
	if ((replay.batch = kv_batch_new(shard->kv)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	replay.indexes = (struct index_replay){
	    .shard = shard, .batch = replay.batch, .flush = flush_some, .flush_arg = &replay};
	rc = replay_journal(&replay, shard, error);
	if (rc == TIDE_OK && seen > shard->live.last_seq)
		rc = tide_fail(error, TIDE_CORRUPT,
		    "the journal ends at sequence %" PRIu64 ", the store has seen %" PRIu64
		    ": the journal's end is missing",
		    shard->live.last_seq, seen);
	if (rc == TIDE_OK && shard->live.last_seq > 0)
		seen_put(replay.batch, shard->live.id, shard->live.last_seq);
	if (rc == TIDE_OK && (rc = flush(&replay)) != TIDE_OK)
		tide_fail(error, rc, "the store refused what the journal has: %s", tide_err_text(rc));
	kv_batch_free(replay.batch);
	buf_fini(&replay.key);
	buf_fini(&replay.value);
	index_replay_fini(&replay.indexes);
	return rc;
}
