/*
 * Coming back from behind the retained journal. The records that a replica needs next are gone everywhere, so it takes a snapshot; but it
 * has writes that nobody else has, so the snapshot does not replace what is here, it is merged with it.
 *
 * The snapshot is loaded beside the replica first, into a table of its own: that may take hours, and the replica stays in service
 * (behind, but at a cut). When every table of the region that loads has all of its snapshot here, each is taken out of service
 * and merged, in pieces, from what is on this disk: whatever dies meanwhile, the merge goes on where it was, and needs nobody. So a source
 * that is lost costs the loading only, and a replica half merged, whose items are newer than its vector says, is never anybody's
 * source: two regions that need each other both serve while they load.
 *
 * Both sides are exact: what is in them is what was written up to their vectors, and what of it is in a table is the greatest version of
 * each key, or nothing where that was a delete which everybody had. So, for each key:
 *
 *     here      there     there's vector    ours
 *     a         -         covers a          .            a goes: the source has seen it, and a delete after it
 *     a         -         not               .            a stays
 *     .         s         .                 covers s     as it is here: s is older, or its delete has been forgotten
 *     -         s         .                 not          s comes
 *     a         s         covers a          not          s comes: it is greater
 *     a         s         not               not          a conflict: the greater stays, the other is logged
 */
#include "store/shard/index_priv.h"

#define LOOKED_AT_MAX 5000 /* keys in a step: the committer must not stand still */

static bool
may_rejoin(const struct table_fold *table)
{
	return table != NULL && table->shared &&
	       (table->state == REPLICA_ACTIVE || table->state == REPLICA_CATCHUP);
}

static tide_err
note_step(struct group *group, uint64_t table, enum rejoin_step step)
{
	struct note note = {.kind = NOTE_REJOIN, .table = table, .step = step};

	return group__note(group, &note);
}

bool
group_in_service(const struct group *group)
{
	const struct fold *work = &group->shard->work;

	for (size_t i = 0; i < work->n_tables; i++) {
		const struct table_fold *table = work->tables[i];

		if (table->id > TABLE_BUILT_IN_MAX && table->shared &&
		    (table->state == REPLICA_ACTIVE || table->state == REPLICA_LEAVING ||
			table->rejoin != REJOIN_NONE))
			return true;
	}
	return false;
}

tide_err
group_rejoin_needed(struct group *group, uint64_t id, bool *fresh)
{
	const struct fold *work = &group->shard->work;
	const struct table_fold *table = fold_table(work, id);
	bool follows;

	*fresh = false;
	if (!may_rejoin(table))
		return TIDE_NOTFOUND;
	follows = table->rejoin == REJOIN_FOLLOWING;
	if (table->rejoin != REJOIN_NONE && table->rejoin != REJOIN_NEEDED && !follows)
		return TIDE_OK;
	if (fold_rejoining(work)) {
		*fresh = true;
		return note_step(group, id, REJOIN_LOAD);
	}
	if (table->rejoin == REJOIN_NEEDED)
		return TIDE_OK;
	*fresh = true;
	return note_step(group, id, REJOIN_NEED);
}

static tide_err
start(struct group *group, const struct table_fold *table, uint32_t *n)
{
	if (table->rejoin != REJOIN_NONE && table->rejoin != REJOIN_NEEDED)
		return TIDE_OK;
	(*n)++;
	return note_step(group, table->id, REJOIN_LOAD);
}

tide_err
group_rejoin_start(struct group *group, uint64_t id, uint32_t *n)
{
	const struct fold *work = &group->shard->work;
	const struct table_fold *table = id == 0 ? NULL : fold_table(work, id);
	tide_err rc = TIDE_OK;

	*n = 0;
	if (id != 0)
		return may_rejoin(table) ? start(group, table, n) : TIDE_NOTFOUND;
	for (size_t i = 0; i < work->n_tables && rc == TIDE_OK; i++)
		if (work->tables[i]->rejoin == REJOIN_NEEDED && may_rejoin(work->tables[i]))
			rc = start(group, work->tables[i], n);
	return rc;
}

/* --- merging --- */

/* A key that changes. */
struct change {
	struct pending *pending;
	struct stored theirs; /* the snapshot's */
	bool take; /* else: ours goes, or stays and theirs is logged */
	bool drop, conflict;
};

struct merge {
	struct group *group;
	const struct table_fold *table, *staged;
	struct shard_scan *ours, *theirs;
	struct bytes key_ours, key_theirs;
	struct stored in_ours, in_theirs;
	bool any_ours, any_theirs;
	struct change changes[LOOKED_AT_MAX];
	uint32_t n;
	struct buf cursor;
	size_t bytes;
	uint64_t merged;
};

static tide_err
next(struct shard_scan *scan, struct bytes after, struct bytes *key, struct stored *stored, bool *any)
{
	tide_err rc;

	/* The cursor's own key is the first that the range gives. */
	do
		rc = shard_scan_next(scan, key, stored);
	while (rc == TIDE_OK && after.n > 0 && bytes_equal(*key, after));
	*any = rc == TIDE_OK;
	return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
}

static tide_err
open_scans(struct merge *merge)
{
	struct shard *shard = merge->group->shard;
	struct bytes after = buf_bytes(&merge->cursor);
	struct shard_scan_range ours = {.table = merge->table->id, .from = after, .tombstones = true};
	struct shard_scan_range theirs = {.table = merge->staged->id, .from = after, .tombstones = true};
	tide_err rc;

	if ((rc = shard_scan_open(shard, &ours, &merge->ours)) != TIDE_OK ||
	    (rc = shard_scan_open(shard, &theirs, &merge->theirs)) != TIDE_OK ||
	    (rc = next(merge->ours, after, &merge->key_ours, &merge->in_ours, &merge->any_ours)) != TIDE_OK)
		return rc;
	return next(merge->theirs, after, &merge->key_theirs, &merge->in_theirs, &merge->any_theirs);
}

/* Ours as the group sees it: the conflict log may have a new entry since the scan was opened. */
static tide_err
decide(struct merge *merge, struct bytes key, const struct stored *theirs)
{
	struct change change = {0};
	const struct stored *ours;
	tide_err rc = group__pending(merge->group, merge->table->id, key, &change.pending);

	if (rc != TIDE_OK)
		return rc;
	ours = change.pending->exists ? &change.pending->stored : NULL;
	if (theirs == NULL)
		change.drop = ours != NULL && vector_saw(&merge->staged->vector, ours->version);
	else if (ours != NULL && version_compare(ours->version, theirs->version) == 0)
		return TIDE_OK;
	else if (!vector_saw(&merge->table->vector, theirs->version)) {
		change.theirs = *theirs;
		change.take = ours == NULL || version_compare(ours->version, theirs->version) < 0;
		change.conflict = ours != NULL && !vector_saw(&merge->staged->vector, ours->version);
		if (theirs->image.n > 0 &&
		    (change.theirs.image = arena_copy(&merge->group->arena, theirs->image)).at == NULL)
			return TIDE_NOMEM;
	}
	if (change.drop || change.take || change.conflict)
		merge->changes[merge->n++] = change;
	return TIDE_OK;
}

/* The next key of either side. */
static tide_err
look(struct merge *merge)
{
	int order = !merge->any_ours     ? 1
		    : !merge->any_theirs ? -1
					 : bytes_compare(merge->key_ours, merge->key_theirs);
	struct bytes key = order <= 0 ? merge->key_ours : merge->key_theirs;
	tide_err rc;

	buf_clear(&merge->cursor);
	buf_append(&merge->cursor, key.at, key.n);
	if ((rc = buf_check(&merge->cursor)) != TIDE_OK)
		return rc;
	merge->bytes +=
	    key.n + (order <= 0 ? merge->in_ours.image.n : 0) + (order >= 0 ? merge->in_theirs.image.n : 0);
	merge->merged += order >= 0 && !merge->in_theirs.tombstone;
	if (order != 0 || version_compare(merge->in_ours.version, merge->in_theirs.version) != 0)
		rc = decide(merge, buf_bytes(&merge->cursor), order >= 0 ? &merge->in_theirs : NULL);
	if (rc == TIDE_OK && order <= 0)
		rc = next(merge->ours, BYTES_NONE, &merge->key_ours, &merge->in_ours, &merge->any_ours);
	if (rc == TIDE_OK && order >= 0)
		rc = next(
		    merge->theirs, BYTES_NONE, &merge->key_theirs, &merge->in_theirs, &merge->any_theirs);
	return rc;
}

/* All that changes is known and read before the first change: a store that cannot be read costs this step, not the shard. */
static tide_err
look_through(struct merge *merge, size_t bytes_max)
{
	tide_err rc = open_scans(merge);

	for (uint32_t i = 0; rc == TIDE_OK && i < LOOKED_AT_MAX && merge->bytes < bytes_max &&
			     (merge->any_ours || merge->any_theirs);
	     i++)
		rc = look(merge);
	return rc;
}

static tide_err
drop(struct merge *merge, struct unit_build *unit, struct pending *pending)
{
	struct note note = {.kind = NOTE_DROP,
	    .table = merge->table->id,
	    .flag = !pending->stored.tombstone,
	    .number = stored_bytes(&pending->stored),
	    .key = pending->key};
	tide_err rc;

	if (merge->table->id != TABLE_CONFLICTS)
		note.fingerprint = stored_fingerprint(pending->key, &pending->stored);
	if (merge->table->indexes != NULL &&
	    (rc = index__change(merge->group, merge->table, pending->key, &pending->stored, NULL,
		 &note.index_changes, &note.n_index_changes)) != TIDE_OK)
		return rc;
	note_encode(&note, &unit->note);
	if ((rc = buf_check(&unit->note)) == TIDE_OK)
		rc = fold_note(&merge->group->shard->work, &note);
	pending->exists = false;
	pending->dirty = true;
	return rc;
}

static tide_err
take(struct merge *merge, struct unit_build *unit, const struct change *change)
{
	struct record *record = group__record(merge->group, unit);
	tide_err rc;

	if (record == NULL)
		return TIDE_NOMEM;
	record->version = change->theirs.version;
	record->table = merge->table->id;
	record->key = change->pending->key;
	record->tombstone = change->theirs.tombstone;
	record->image = change->theirs.image;
	record->seq = unit->unit.first_seq + unit->unit.n_records;
	if ((rc = group__apply(merge->group, unit, record, false, change->pending)) == TIDE_OK)
		unit->unit.n_records++;
	return rc;
}

static tide_err
change_all(struct merge *merge, struct unit_build *unit, struct rejoin_progress *progress)
{
	tide_err rc = TIDE_OK;

	/* Entries of the conflict log follow the records: their sequences are known once the number of records is. */
	for (uint32_t i = 0; i < merge->n; i++)
		merge->group->next_seq += merge->changes[i].take;
	for (uint32_t i = 0; i < merge->n && rc == TIDE_OK; i++) {
		const struct change *change = &merge->changes[i];
		struct stored ours = change->pending->stored;

		if (change->drop)
			rc = drop(merge, unit, change->pending);
		if (change->take)
			rc = take(merge, unit, change);
		if (rc == TIDE_OK && change->conflict)
			rc = group__log_conflict(merge->group, unit, merge->table->id, change->pending->key,
			    change->take ? &ours : &change->theirs, change->take ? &change->theirs : &ours);
		progress->dropped += change->drop;
		progress->conflicts += change->conflict;
	}
	return rc;
}

/* Items, entries and cursor are one unit. From here on only memory can fail. */
static tide_err
write_step(struct merge *merge, struct rejoin_progress *progress)
{
	struct group *group = merge->group;
	struct fold *work = &group->shard->work;
	bool end = !merge->any_ours && !merge->any_theirs;
	struct note note = {.kind = NOTE_REJOIN,
	    .table = merge->table->id,
	    .step = end ? REJOIN_END : REJOIN_PIECE,
	    .key = buf_bytes(&merge->cursor),
	    .count = merge->merged};
	uint64_t staged = merge->staged->id, had;
	struct unit_build *unit = group__unit(group, UNIT_SNAPSHOT, JID_NONE, NULL);
	tide_err rc;

	if (unit == NULL || group__vector(group, &work->position, &unit->unit.entries_seen) != TIDE_OK)
		return TIDE_NOMEM;
	rc = change_all(merge, unit, progress);
	progress->merged = merge->table->boot.loaded + merge->merged;
	progress->of = merge->table->boot.expected;
	progress->ended = end;
	had = unit->note.n;
	if (rc == TIDE_OK) {
		note_encode(&note, &unit->note);
		rc = buf_check(&unit->note);
	}
	if (rc == TIDE_OK)
		rc = fold_note(work, &note);
	if (rc == TIDE_OK && end)
		rc = group__clear(group, staged);
	group->bytes += unit->note.n - had;
	fold_seq(work, group->next_seq++);
	return rc;
}

static tide_err
merge_on(
    struct group *group, const struct table_fold *table, size_t bytes_max, struct rejoin_progress *progress)
{
	struct merge *merge = arena_calloc(&group->arena, sizeof *merge);
	struct bytes cursor = buf_bytes(&table->boot.cursor);
	tide_err rc;

	if (merge == NULL)
		return TIDE_NOMEM;
	merge->group = group;
	merge->table = table;
	merge->staged = fold_table(&group->shard->work, staged_id(table->id));
	if (merge->staged == NULL)
		return TIDE_CORRUPT;
	buf_append(&merge->cursor, cursor.at, cursor.n);
	if ((rc = buf_check(&merge->cursor)) == TIDE_OK)
		rc = look_through(merge, bytes_max);
	if (rc == TIDE_OK && (rc = write_step(merge, progress)) != TIDE_OK)
		group->shard->sealed = true; /* half a step is in `work` */
	shard_scan_close(merge->ours);
	shard_scan_close(merge->theirs);
	buf_fini(&merge->cursor);
	return rc;
}

/*
 * The table that is being merged, or, with none that still loads, the first that is to be. One that is leaving has no need of it any
 * more: it goes when the others have what it holds.
 */
static const struct table_fold *
its_turn(const struct fold *work)
{
	const struct table_fold *first = NULL;
	bool loading = false;

	for (size_t i = 0; i < work->n_tables; i++) {
		const struct table_fold *table = work->tables[i];

		if (table->rejoin == REJOIN_MERGING)
			return table;
		loading |= table->rejoin == REJOIN_LOADING && may_rejoin(table);
		if (first == NULL && table->rejoin == REJOIN_LOADED && may_rejoin(table))
			first = table;
	}
	return loading ? NULL : first;
}

tide_err
group_rejoin_merge(struct group *group, size_t bytes_max, struct rejoin_progress *progress)
{
	const struct fold *work = &group->shard->work;
	const struct table_fold *table = its_turn(work), *staged, *visible;
	struct note note = {.kind = NOTE_REJOIN, .step = REJOIN_MERGE};
	tide_err rc;

	*progress = (struct rejoin_progress){0};
	if (table == NULL)
		return TIDE_OK;
	progress->table = note.table = table->id;
	if (table->rejoin == REJOIN_MERGING) {
		/* Both sides are read from the store: what this group has begun, the next one goes on with. */
		visible = fold_table(&group->shard->live, table->id);
		progress->busy = true;
		if (visible == NULL || visible->rejoin != REJOIN_MERGING)
			return TIDE_OK;
		rc = merge_on(group, table, bytes_max, progress);
	} else {
		staged = fold_table(work, staged_id(table->id));
		note.expected = progress->of = staged->items;
		progress->began = true;
		rc = group__note(group, &note);
	}
	progress->busy = rc == TIDE_OK && (!progress->ended || its_turn(work) != NULL);
	return rc;
}
