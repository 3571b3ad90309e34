/*
 * Committing a group: journal (one write, one fsync), store (one unsynced batch), fold, observers. In this order: nothing
 * is visible before it is on disk.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/pack.h"
#include "store/shard/index_priv.h"

static tide_err
add_table(struct group *group, uint64_t table, uint64_t **tables, uint32_t *n, uint32_t *room)
{
	for (uint32_t i = 0; i < *n; i++)
		if ((*tables)[i] == table)
			return TIDE_OK;
	if (*n == *room) {
		uint32_t more = *room == 0 ? 4 : *room * 2;
		uint64_t *array = arena_alloc(&group->arena, more * sizeof *array);

		if (array == NULL)
			return TIDE_NOMEM;
		if (*n > 0)
			memcpy(array, *tables, *n * sizeof *array);
		*tables = array;
		*room = more;
	}
	(*tables)[(*n)++] = table;
	return TIDE_OK;
}

static tide_err
describe(struct group *group, const struct unit *unit, struct journal_entry *entry)
{
	uint64_t *tables = NULL;
	uint32_t n = 0, room = 0;
	tide_err rc;

	entry->first_seq = unit->first_seq;
	entry->last_seq = unit_last_seq(unit);
	entry->origin = unit->kind == UNIT_NOTE || unit->kind == UNIT_SNAPSHOT ? JID_NONE : unit->origin;
	for (uint32_t i = 0; i < unit->n_records + unit->n_entries; i++) {
		const struct record *record =
		    i < unit->n_records ? &unit->records[i] : &unit->entries[i - unit->n_records];

		if ((rc = add_table(group, record->table, &tables, &n, &room)) != TIDE_OK)
			return rc;
		if (i < unit->n_records && record->origin_seq > entry->origin_seq_last)
			entry->origin_seq_last = record->origin_seq;
		entry->clock = hlc_max(entry->clock, record->version.clock);
	}
	entry->tables = tables;
	entry->n_tables = n;
	return TIDE_OK;
}

static tide_err
append(struct group *group, struct tide_error *error)
{
	struct buf form = {0};
	struct journal_entry *entries;
	size_t *ends;
	uint32_t n = 0, i = 0;
	tide_err rc = TIDE_OK;

	for (struct unit_build *u = group->first; u != NULL; u = u->next)
		n++;
	entries = arena_calloc(&group->arena, n * sizeof *entries);
	ends = arena_alloc(&group->arena, n * sizeof *ends);
	if (entries == NULL || ends == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	buf_reserve(&form, group->bytes + group->bytes / 4);
	for (struct unit_build *u = group->first; u != NULL && rc == TIDE_OK; u = u->next, i++) {
		if (u->note.n > 0)
			u->unit.note = buf_bytes(&u->note);
		unit_encode_disk(&u->unit, &form);
		ends[i] = form.n;
		rc = describe(group, &u->unit, &entries[i]);
	}
	if (rc == TIDE_OK)
		rc = buf_check(&form);
	if (rc != TIDE_OK)
		tide_fail(error, rc, NULL);
	for (i = 0; i < n; i++)
		entries[i].payload =
		    bytes_of(form.at + (i == 0 ? 0 : ends[i - 1]), ends[i] - (i == 0 ? 0 : ends[i - 1]));
	if (rc == TIDE_OK)
		rc = journal_append(group->shard->journal, entries, n, error);
	buf_fini(&form);
	return rc;
}

/* Every key that the group changed, once, as it is at the group's end. */
static tide_err
write_store(struct group *group)
{
	struct kv_batch *batch = kv_batch_new(group->shard->kv);
	tide_err rc = TIDE_OK;
	bool any = false;

	if (batch == NULL)
		return TIDE_NOMEM;
	for (size_t i = 0; i < group->n_buckets && rc == TIDE_OK; i++)
		for (struct pending *p = group->buckets[i]; p != NULL && rc == TIDE_OK; p = p->next) {
			if (!p->dirty)
				continue;
			any = true;
			shard__written(group->shard, p);
			buf_clear(&group->key);
			space_key(p->table, p->key, &group->key);
			if (p->exists) {
				buf_clear(&group->raw);
				stored_encode(&p->stored, &group->raw);
				kv_batch_put(batch, buf_bytes(&group->key), buf_bytes(&group->raw));
			} else
				kv_batch_delete(batch, buf_bytes(&group->key));
			if ((rc = buf_check(&group->key)) == TIDE_OK)
				rc = buf_check(&group->raw);
		}
	if (rc == TIDE_OK)
		index__write(group, batch);
	if (rc == TIDE_OK && (any || group->first != NULL)) {
		seen_put(batch, group->shard->work.id, group->next_seq - 1);
		rc = kv_write(group->shard->kv, batch);
	}
	kv_batch_free(batch);
	return rc;
}

/*
 * Tables whose items, and indexes whose entries, go. That can take long, so it is done without the lock; they are gone for every reader before,
 * as half a table must not be read, nor be taken for a snapshot.
 */
static tide_err
clear_tables(struct group *group)
{
	struct shard *shard = group->shard;
	tide_err rc = TIDE_OK;

	pthread_mutex_lock(&shard->lock);
	for (uint32_t i = 0; i < group->n_cleared; i++) {
		struct table_fold *table = fold_table(&shard->live, group->cleared[i]);

		if (table != NULL && table->state != REPLICA_CREATING)
			table->state = REPLICA_ABSENT;
	}
	index__hide_dropped(group);
	pthread_mutex_unlock(&shard->lock);
	for (uint32_t i = 0; i < group->n_cleared && rc == TIDE_OK; i++)
		rc = shard__clear_table(shard->kv, group->cleared[i]);
	return rc == TIDE_OK ? index__clear_dropped(group) : rc;
}

/* Store and fold move together under the lock: a snapshot or a view sees both at one sequence. */
static tide_err
publish(struct group *group)
{
	struct shard *shard = group->shard;
	tide_err rc = group->n_cleared > 0 || group->dropped != NULL ? clear_tables(group) : TIDE_OK;

	pthread_mutex_lock(&shard->lock);
	if (rc == TIDE_OK)
		rc = write_store(group);
	for (struct unit_build *u = group->first; u != NULL && rc == TIDE_OK; u = u->next)
		rc = fold_unit(&shard->live, &group->arena, &u->unit);
	if (rc == TIDE_OK) {
		/* "Complete to" is not journaled: it is only ever raised, and `work` has it. */
		rc = vector_copy(&shard->live.position, &shard->work.position);
		for (size_t i = 0; i < shard->work.n_tables && rc == TIDE_OK; i++) {
			const struct table_fold *from = shard->work.tables[i];
			struct table_fold *to;

			if ((from->state == REPLICA_CATCHUP || from->state == REPLICA_MERGING) &&
			    (to = fold_table(&shard->live, from->id)) != NULL)
				rc = vector_copy(&to->position, &from->position);
		}
		shard->live.clock = hlc_max(shard->live.clock, shard->work.clock);
		shard->applied += group->applied;
		for (unsigned i = 0; i < group->n_counted; i++)
			shard->counted[group->counted[i].region] = true;
	}
	shard->torn = rc != TIDE_OK;
	shard__published(shard, group->n_cleared > 0);
	pthread_mutex_unlock(&shard->lock);
	return rc;
}

static void
tell_observers(struct group *group)
{
	for (struct unit_build *u = group->first; u != NULL; u = u->next)
		for (unsigned i = 0; i < group->shard->n_observers; i++)
			group->shard->observers[i].fn(group->shard->observers[i].arg, &u->unit);
}

/* A group that did not reach the journal leaves `work` ahead of what is true: take it back. */
static void
take_back(struct shard *shard)
{
	tide_err rc;

	pthread_mutex_lock(&shard->lock);
	rc = fold_copy(&shard->work, &shard->live);
	pthread_mutex_unlock(&shard->lock);
	if (rc != TIDE_OK)
		shard__seal(shard, rc, "no memory to take a failed group back");
}

/*
 * The group of a sealed shard. Where memory failed in the midst of an operation, only `work` holds half of it, the disk has nothing: it is
 * taken back, and with it the seal.
 */
static tide_err
refuse(struct group *group, struct tide_error *error)
{
	struct shard *shard = group->shard;
	struct shard_health health;
	tide_err rc;

	shard_health(shard, &health);
	if (health.state == SHARD_SEALED) {
		rc = tide_fail(error, TIDE_UNKNOWN, "the shard takes no writes until it is opened again: %s",
		    health.reason);
		shard__wrote(shard, rc, error);
		return rc;
	}
	atomic_store(&shard->sealed, false);
	take_back(shard);
	return tide_fail(
	    error, TIDE_NOMEM, "out of memory in the midst of an operation: its group is taken back");
}

tide_err
group_commit(struct group *group, struct tide_error *error)
{
	struct shard *shard = group->shard;
	tide_err rc = TIDE_OK;

	if (atomic_load(&shard->sealed)) {
		rc = refuse(group, error);
	} else if (group->first != NULL) {
		struct tide_error why;

		rc = append(group, &why);
		if (rc == TIDE_UNKNOWN || rc == TIDE_FENCED)
			shard__seal(shard, rc, "%s", why.message);
		shard__wrote(shard, rc, &why);
		if (rc != TIDE_OK) {
			if (error != NULL)
				*error = why;
			take_back(shard);
		}
	}
	if (rc == TIDE_OK && (rc = publish(group)) != TIDE_OK) {
		shard__seal(shard, rc, "the store refused what the journal has: %s", tide_err_text(rc));
		rc = tide_fail(error, TIDE_UNKNOWN, "the store refused a batch: %s", tide_err_text(rc));
	}
	if (rc == TIDE_OK) {
		struct tide_error why;

		/* What peers told about their replicas holds once what they sent is on disk. */
		told_list__take(&shard->told, &group->told);
		told_list__take(&shard->heard, &group->heard);
		tell_observers(group);
		if (group->trim_below != 0 &&
		    journal_trim(shard->journal, group->trim_below, &why) != TIDE_OK)
			log_warn("JOURNAL-TRIM", "why=\"%s\"", why.message);
	}
	group__fini(group);
	return rc;
}

void
group_abandon(struct group *group)
{
	struct shard *shard = group->shard;
	bool changed = group->first != NULL;

	group__fini(group);
	if (changed)
		take_back(shard);
}
