/*
 * A new replica, or the copy beside one that rejoins: pieces of a snapshot come in, cursor and items in one unit each; when the last is in, the table stands at the
 * snapshot's cut and follows its peers until it is level with the region's other tables.
 */
#include "store/shard/group_priv.h"

/* A snapshot's position names the journal that it was made in: what a dead one still gives nobody counts on (close.c). */
static bool
source_dead(const struct fold *fold, const struct load_piece *piece)
{
	struct jid latest = JID_NONE;

	for (size_t i = 0; i < piece->position.n; i++)
		if (jid_region(piece->position.entries[i].origin) == piece->source)
			latest = piece->position.entries[i].origin;
	return !jid_same(latest, JID_NONE) && fold_dead(fold, latest);
}

static tide_err
check_piece(struct group *group, const struct load_piece *piece, uint64_t into, struct tide_error *error)
{
	const struct shard *shard = group->shard;
	const struct table_fold *table = fold_table(&shard->work, into);
	const struct boot *boot;

	if (table == NULL || table->state != REPLICA_CREATING)
		return tide_fail(
		    error, TIDE_GAP, "table %016llx is not loading", (unsigned long long)piece->table);
	boot = &table->boot;
	if (boot->under_way ? boot->source != piece->source || boot->snapshot != piece->snapshot ||
				  !bytes_equal(buf_bytes(&boot->cursor), piece->after)
			    : piece->after.n > 0)
		return tide_fail(error, TIDE_GAP, "a piece of another snapshot, or not the next");
	if (source_dead(&shard->work, piece))
		return tide_fail(error, TIDE_GAP, "the snapshot is of a journal that is dead");
	/* The clock guard holds for snapshots too. */
	if (piece->clock.v > hlc_of_ms(group->now_ms + shard->options.skew_ms_max).v)
		return tide_fail(error, TIDE_HELD, "the source's clock is too far ahead");
	if (vector_get(&piece->vector, shard->work.id).seq > shard->work.last_seq) {
		(void)group_fork(
		    group, FORK_COPY, piece->source, vector_get(&piece->vector, shard->work.id).seq);
		return tide_fail(error, TIDE_FORKED,
		    "the source has records of this region that its own journal does not have");
	}
	/* A replica that was here before must find its own last record of that table in the snapshot. */
	if (vector_get(&piece->vector, shard->work.id).seq < table->own_last.seq)
		return tide_fail(
		    error, TIDE_AGAIN, "the source has not yet all that this region once wrote to the table");
	return TIDE_OK;
}

static tide_err
load_items(struct group *group, struct unit_build *build, uint64_t into, const struct unit *in)
{
	for (uint32_t i = 0; i < in->n_records; i++) {
		struct pending *pending;
		struct record *record;
		tide_err rc = group__pending(group, into, in->records[i].key, &pending);

		if (rc != TIDE_OK)
			return rc;
		if ((record = group__record(group, build)) == NULL)
			return TIDE_NOMEM;
		record->version = in->records[i].version;
		record->table = into;
		record->key = pending->key;
		record->tombstone = in->records[i].tombstone;
		if (in->records[i].image.n > 0 &&
		    (record->image = arena_copy(&group->arena, in->records[i].image)).at == NULL)
			return TIDE_NOMEM;
		record->seq = group->next_seq;
		if ((rc = group__apply(group, build, record, false, pending)) != TIDE_OK)
			return rc;
		build->unit.n_records++;
		group->next_seq++;
	}
	return TIDE_OK;
}

/* A replica that rejoins has the snapshot beside it; a new one is loaded itself. */
static uint64_t
table_that_loads(const struct group *group, uint64_t id)
{
	const struct table_fold *table = fold_table(&group->shard->work, id);

	return table != NULL && table->rejoin == REJOIN_LOADING ? staged_id(id) : id;
}

tide_err
group_load(struct group *group, const struct load_piece *piece, struct tide_error *error)
{
	uint64_t into = table_that_loads(group, piece->table);
	struct note note = {.kind = NOTE_LOAD,
	    .table = into,
	    .region = piece->source,
	    .number = piece->snapshot,
	    .step = piece->done ? LOAD_DONE : LOAD_PIECE,
	    .key = piece->cursor,
	    .expected = piece->items_expected,
	    .clock = piece->clock,
	    .vector = piece->vector,
	    .position = piece->position};
	struct unit_build *build;
	struct unit in;
	tide_err rc;

	if ((rc = check_piece(group, piece, into, error)) != TIDE_OK ||
	    (rc = unit_decode(&group->arena, piece->wire_unit, &in, error)) != TIDE_OK)
		return rc;
	if (in.kind != UNIT_SNAPSHOT)
		return tide_fail(error, TIDE_CORRUPT, "a unit of kind %d came as a snapshot", in.kind);
	for (uint32_t i = 0; i < in.n_records; i++)
		if (in.records[i].table != piece->table)
			return tide_fail(error, TIDE_CORRUPT, "a snapshot holds items of another table");
	if ((build = group__unit(group, UNIT_SNAPSHOT, JID_NONE, NULL)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	rc = load_items(group, build, into, &in);
	note.count = in.n_records;
	if (rc == TIDE_OK) {
		note_encode(&note, &build->note);
		rc = buf_check(&build->note);
	}
	if (rc == TIDE_OK)
		rc = fold_note(&group->shard->work, &note);
	if (rc != TIDE_OK) {
		group->shard->sealed = true;
		return tide_fail(error, rc, "loading a snapshot: %s", tide_err_text(rc));
	}
	fold_seq(&group->shard->work, group->next_seq++);
	return TIDE_OK;
}

/*
 * Level: of every other journal the table has come as far as the region's readable tables, and no further. Of a closed one both
 * have all that there is, whatever their marks say.
 */
static bool
level(const struct fold *fold, const struct table_fold *table)
{
	for (size_t i = 0; i < table->position.n; i++) {
		const struct vector_entry *at = &table->position.entries[i];

		if (!jid_same(at->origin, fold->id) && !fold_closed(fold, at->origin) &&
		    vector_get(&fold->position, at->origin).seq != at->mark.seq)
			return false;
	}
	for (size_t i = 0; i < fold->position.n; i++) {
		const struct vector_entry *at = &fold->position.entries[i];

		if (!jid_same(at->origin, fold->id) && !fold_closed(fold, at->origin) &&
		    vector_get(&table->position, at->origin).seq != at->mark.seq)
			return false;
	}
	return true;
}

/* The least mark that all tables in CATCHUP have of that journal. */
static struct mark
least_mark(const struct fold *fold, struct jid origin)
{
	struct mark least = {UINT64_MAX, {0}}, mark;

	for (size_t i = 0; i < fold->n_tables; i++) {
		const struct table_fold *table = fold->tables[i];

		if (table->state != REPLICA_CATCHUP || !table->shared)
			continue;
		mark = vector_get(&table->position, origin);
		if (mark.seq < least.seq)
			least = mark;
	}
	return least;
}

/*
 * A region without a readable table stands nowhere: a cut of nothing is complete to wherever its loaded tables are. Nobody would tell it of
 * a dead journal of which those lack nothing, and no unit could be applied whose writer had seen that journal.
 */
static tide_err
stand_with_loaded(struct fold *fold)
{
	const struct table_fold *loaded = NULL;
	tide_err rc = TIDE_OK;

	for (size_t i = 0; i < fold->n_tables; i++) {
		const struct table_fold *table = fold->tables[i];

		if (!table->shared)
			continue;
		if (table->state == REPLICA_ACTIVE || table->state == REPLICA_LEAVING)
			return TIDE_OK;
		if (table->state == REPLICA_CATCHUP)
			loaded = table;
	}
	for (size_t i = 0; loaded != NULL && i < loaded->position.n && rc == TIDE_OK; i++) {
		struct jid origin = loaded->position.entries[i].origin;

		if (!jid_same(origin, fold->id))
			rc = vector_raise(&fold->position, origin, least_mark(fold, origin));
	}
	return rc;
}

tide_err
group_align(struct group *group, bool *changed)
{
	struct fold *work = &group->shard->work;
	tide_err rc;

	*changed = false;
	if ((rc = stand_with_loaded(work)) != TIDE_OK)
		return rc;
	for (size_t i = 0; i < work->n_tables; i++) {
		struct table_fold *table = work->tables[i];

		if (table->state != REPLICA_CATCHUP || is_staged(table->id) || !level(work, table))
			continue;
		if ((rc = group_table_state(group, table->id, REPLICA_ACTIVE)) != TIDE_OK)
			return rc;
		*changed = true;
	}
	return TIDE_OK;
}
