/*
 * Applying what peers send. A unit is checked whole first (order, causality, clock), then each of its records meets the
 * resolver; nothing of a unit is applied unless all of it can be. Rules: docs/replication.md.
 */
#include <assert.h>
#include <stdlib.h>

#include "conflict/resolve.h"
#include "store/shard/group_priv.h"

tide_err
group_tables_current(struct group *group, const uint64_t *tables, uint32_t n)
{
	const struct fold *work = &group->shard->work;

	uint32_t k = 0; /* both lists go up, as a rule: then each is walked once */

	for (size_t i = 0; i < work->n_tables; i++) {
		const struct table_fold *table = work->tables[i];
		uint32_t looked = 0;

		if (!table->shared || !replica_follows(table->state))
			continue;
		while (looked < n && tables[k % n] != table->id) {
			looked++;
			k++;
		}
		if (looked == n)
			return TIDE_GAP;
	}
	return TIDE_OK;
}

/* The records of a unit that are to be applied here, in order; what was applied before, or is of tables not held, is left out. */
static tide_err
choose(struct group *group, const struct unit *unit, const struct record **todo, uint32_t *n,
    struct apply_stop *stop, struct tide_error *error)
{
	const struct fold *work = &group->shard->work;
	uint64_t before = 0;

	*n = 0;
	for (uint32_t i = 0; i < unit->n_records; i++) {
		const struct record *record = &unit->records[i];
		const struct table_fold *table = fold_table(work, record->table);
		struct mark at;

		if (!jid_same(record->version.origin, unit->origin) || record->origin_seq <= before)
			return tide_fail(
			    error, TIDE_CORRUPT, "a unit's records are not in its origin's order");
		before = record->origin_seq;
		if (table == NULL || !replica_follows(table->state) || !table->shared)
			continue;
		at = vector_get(&table->vector, unit->origin);
		for (uint32_t k = *n; k > 0; k--) /* the unit's last record before this one moves the mark */
			if (todo[k - 1]->table == record->table) {
				at = (struct mark){todo[k - 1]->origin_seq, todo[k - 1]->version.clock};
				break;
			}
		if (record->origin_seq <= at.seq)
			continue;
		stop->table = record->table;
		if (record->origin_prev.seq > at.seq)
			return tide_fail(error, TIDE_GAP, NULL);
		if (record->origin_prev.seq != at.seq || record->origin_prev.clock.v != at.clock.v)
			return tide_fail(error, TIDE_FORKED,
			    "journal %08x: record %llu of table %016llx follows %llu, here %llu is its last",
			    unit->origin.v, (unsigned long long)record->origin_seq,
			    (unsigned long long)record->table, (unsigned long long)record->origin_prev.seq,
			    (unsigned long long)at.seq);
		todo[(*n)++] = record;
	}
	return TIDE_OK;
}

static bool
is_lost(const struct fold *fold, uint8_t region)
{
	const struct member_fold *member = fold_member(fold, region);

	return member != NULL && member->lost;
}

static tide_err
hold(struct apply_stop *stop, struct jid origin, struct hlc clock)
{
	stop->origin = origin;
	stop->clock = clock;
	return TIDE_HELD;
}

/* Causal order: what the unit's writer had applied has to be applied here, in every table that moves. */
static tide_err
check_causes(
    const struct fold *work, const struct unit *unit, struct apply_stop *stop, struct tide_error *error)
{
	for (size_t i = 0; i < unit->seen.n; i++) {
		const struct vector_entry *need = &unit->seen.entries[i];

		if (jid_same(need->origin, unit->origin) || need->mark.seq == 0)
			continue;
		if (fold_closed(work, need->origin))
			continue; /* what is not here is nowhere: to wait for it would be for ever */
		if (jid_same(need->origin, work->id)) {
			if (need->mark.seq > work->last_seq)
				return tide_fail(error, TIDE_FORKED,
				    "journal %08x has seen record %llu of ours, which ends at %llu",
				    unit->origin.v, (unsigned long long)need->mark.seq,
				    (unsigned long long)work->last_seq);
			continue;
		}
		if (vector_get(&work->position, need->origin).seq < need->mark.seq)
			return hold(stop, need->origin, need->mark.clock);
		for (size_t t = 0; t < work->n_tables; t++)
			if (work->tables[t]->state == REPLICA_CATCHUP && work->tables[t]->shared &&
			    vector_get(&work->tables[t]->position, need->origin).seq < need->mark.seq)
				return hold(stop, need->origin, need->mark.clock);
	}
	return TIDE_OK;
}

/* The clock guard holds an origin whose clock is too far ahead of ours. */
static tide_err
check_clocks(const struct group *group, const struct record *const *todo, uint32_t n, struct apply_stop *stop)
{
	struct hlc bound = hlc_of_ms(group->now_ms + group->shard->options.skew_ms_max);

	for (uint32_t i = 0; i < n; i++)
		if (todo[i]->version.clock.v > bound.v)
			return hold(stop, JID_NONE, todo[i]->version.clock);
	return TIDE_OK;
}

/* The records of a transaction share one list of its parts. `former`: what came before `from` and before `to`; may be NULL. */
static tide_err
copy_parts(struct group *group, const struct record *from, const struct record *former, struct record *to)
{
	struct txn_part *parts;

	to->n_parts = from->n_parts;
	if (from->n_parts == 0)
		return TIDE_OK;
	if (former != NULL && former->parts == from->parts) {
		to->parts = to[-1].parts;
		return TIDE_OK;
	}
	if ((parts = arena_alloc(&group->arena, from->n_parts * sizeof *parts)) == NULL)
		return TIDE_NOMEM;
	memcpy(parts, from->parts, from->n_parts * sizeof *parts);
	to->parts = parts;
	return TIDE_OK;
}

static tide_err
copy_travelling(
    struct group *group, const struct record *from, const struct record *former, struct record *to)
{
	to->version = from->version;
	to->origin_seq = from->origin_seq;
	to->origin_prev = from->origin_prev;
	to->table = from->table;
	to->tombstone = from->tombstone;
	if (copy_parts(group, from, former, to) != TIDE_OK)
		return TIDE_NOMEM;
	if (from->image.n > 0 && (to->image = arena_copy(&group->arena, from->image)).at == NULL)
		return TIDE_NOMEM;
	return TIDE_OK;
}

static tide_err
apply_record(
    struct group *group, struct unit_build *unit, const struct record *incoming, const struct record *former)
{
	struct stored in = {incoming->version, 0, incoming->tombstone, BYTES_NONE}, had;
	enum resolution outcome;
	struct pending *pending;
	struct record *record;
	tide_err rc;

	if ((rc = group__pending(group, incoming->table, incoming->key, &pending)) != TIDE_OK)
		return rc;
	if ((record = group__record(group, unit)) == NULL)
		return TIDE_NOMEM;
	if ((rc = copy_travelling(group, incoming, former, record)) != TIDE_OK)
		return rc;
	record->key = pending->key;
	record->seq = unit->unit.first_seq + unit->unit.n_records;
	in.seq = record->seq;
	in.image = record->image;
	had = pending->stored;
	outcome = resolve_last_writer_wins(
	    pending->exists ? &had.version : NULL, incoming->version, &unit->unit.seen);
	record->lost = outcome == RESOLVE_LOSES;
	if (!record->lost && pending->exists)
		assert(version_compare(had.version, incoming->version) < 0);
	if ((rc = group__apply(group, unit, record, false, pending)) != TIDE_OK)
		return rc;
	unit->unit.n_records++;
	/* The conflict log can be ahead of its vector while it is merged: the same entry again is no conflict. */
	if (pending->exists && version_compare(had.version, incoming->version) == 0)
		return TIDE_OK;
	if (outcome == RESOLVE_WINS)
		return group__log_conflict(group, unit, incoming->table, pending->key, &had, &in);
	if (outcome == RESOLVE_LOSES)
		return group__log_conflict(group, unit, incoming->table, pending->key, &in, &had);
	return TIDE_OK;
}

/* Read all items before the first change: a store that cannot be read costs this unit, not the shard. */
static tide_err
read_items(struct group *group, const struct record *const *todo, uint32_t n)
{
	struct pending *pending;
	tide_err rc = TIDE_OK;

	for (uint32_t i = 0; i < n && rc == TIDE_OK; i++)
		rc = group__pending(group, todo[i]->table, todo[i]->key, &pending);
	return rc;
}

static tide_err
apply_unit(struct group *group, const struct unit *in, const struct record *const *todo, uint32_t n)
{
	struct fold *work = &group->shard->work;
	struct unit_build *unit = group__unit(group, UNIT_REMOTE, in->origin, &in->seen);
	tide_err rc = TIDE_OK;

	if (unit == NULL || group__vector(group, &work->position, &unit->unit.entries_seen) != TIDE_OK)
		return TIDE_NOMEM;
	/* Entries of the conflict log follow the records: their sequences are known once the number of records is. */
	group->next_seq += n;
	for (uint32_t i = 0; i < n && rc == TIDE_OK; i++)
		rc = apply_record(group, unit, todo[i], i > 0 ? todo[i - 1] : NULL);
	if (rc == TIDE_OK)
		group->applied += n;
	return rc;
}

tide_err
group_apply(struct group *group, struct bytes wire_unit, uint16_t via, struct apply_stop *stop,
    struct tide_error *error)
{
	struct shard *shard = group->shard;
	const struct record **todo;
	struct unit unit;
	uint32_t n;
	tide_err rc;

	*stop = (struct apply_stop){0};
	if ((rc = unit_decode(&group->arena, wire_unit, &unit, error)) != TIDE_OK)
		return rc;
	if (unit.kind != UNIT_LOCAL && unit.kind != UNIT_REMOTE)
		return tide_fail(error, TIDE_CORRUPT, "a unit of kind %d came as records", unit.kind);
	if (jid_same(unit.origin, shard->work.id))
		return TIDE_OK; /* our own, come back: we have it */
	/* A dead journal's records come only from regions that live on: what its own region still sends may be a fork. */
	if (via == jid_region(unit.origin) && fold_dead(&shard->work, unit.origin))
		return hold(stop, unit.origin, (struct hlc){0});
	/* Nor anything from a region that was declared lost: others count on that when they close dead journals. */
	if (is_lost(&shard->work, (uint8_t)via))
		return hold(stop, unit.origin, (struct hlc){0});
	if ((todo = arena_alloc(&group->arena, (unit.n_records + 1) * sizeof *todo)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	if ((rc = choose(group, &unit, todo, &n, stop, error)) != TIDE_OK || n == 0)
		return rc;
	/*
	 * What comes in order is complete up to just before its next record. Others may wait for that (their writer had our
	 * sender's whole journal) while this unit waits for them.
	 */
	rc = fold_progress(&shard->work, unit.origin, (struct mark){todo[0]->origin_seq - 1, {0}});
	if (rc != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if ((rc = check_clocks(group, todo, n, stop)) != TIDE_OK)
		return rc;
	if ((rc = group__check_parts(group, unit.origin, todo, n, stop)) != TIDE_OK)
		return tide_fail(
		    error, rc, "parts of a transaction of journal %08x are missing", unit.origin.v);
	if ((rc = check_causes(&shard->work, &unit, stop, error)) == TIDE_FORKED)
		(void)group_fork(group, FORK_COPY, (uint8_t)via, vector_get(&unit.seen, shard->work.id).seq);
	if (rc != TIDE_OK)
		return rc;
	if ((rc = read_items(group, todo, n)) != TIDE_OK)
		return tide_fail(error, rc, "reading what a unit of journal %08x changes: %s", unit.origin.v,
		    tide_err_text(rc));
	if ((rc = apply_unit(group, &unit, todo, n)) != TIDE_OK) {
		shard->sealed = true; /* half a unit is in `work`: memory or the store failed */
		tide_fail(error, rc, "applying a unit of journal %08x: %s", unit.origin.v, tide_err_text(rc));
	}
	return rc;
}

tide_err
group_progress(struct group *group, struct jid origin, const uint64_t *tables, uint32_t n, struct mark upto)
{
	struct shard *shard = group->shard;
	tide_err rc;

	if (jid_same(origin, shard->work.id))
		return TIDE_OK;
	if (upto.clock.v > hlc_of_ms(group->now_ms + shard->options.skew_ms_max).v)
		return TIDE_HELD;
	if ((rc = group_tables_current(group, tables, n)) != TIDE_OK)
		return rc;
	return fold_progress(&shard->work, origin, upto);
}
