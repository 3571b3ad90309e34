/*
 * Letting old segments go. A segment stays while recovery may need it (the older of two checkpoints), while a stream's reader may
 * (retention), and while a member region has not said that it holds what is in it. What has gone is named by floors, durable before
 * the segments go: below them a peer gets a snapshot instead of records.
 */
#include "store/shard/group_priv.h"

/* The members that must be waited for have all told what they hold. */
static bool
everybody_told(const struct shard *shard)
{
	for (size_t i = 0; i < shard->work.n_members; i++) {
		const struct member_fold *member = &shard->work.members[i];
		struct jid journal = jid_make(member->region, member->incarnation, jid_shard(shard->work.id));

		if (member->region != jid_region(shard->work.id) && !member->lost &&
		    shard__told(shard, journal) == NULL)
			return false;
	}
	return true;
}

/* A journal that is dead, or whose region was declared lost, tells nothing more and is not waited for. */
static bool
is_over(const struct shard *shard, struct jid journal)
{
	const struct member_fold *member = fold_member(&shard->work, jid_region(journal));

	return member != NULL && (member->lost || member->incarnation != jid_incarnation(journal));
}

/* The least that any told replica of a table holds of one origin; UINT64_MAX: no other replica. */
static struct mark
least_held(const struct shard *shard, uint64_t table, struct jid origin)
{
	struct mark least = {UINT64_MAX, {0}};

	for (uint32_t i = 0; i < shard->n_told; i++)
		for (uint32_t t = 0; t < shard->told[i].n && !is_over(shard, shard->told[i].origin); t++) {
			const struct told_table *told = &shard->told[i].tables[t];
			struct mark mark;

			if (told->table != table || told->state == REPLICA_ABSENT)
				continue;
			/* A replica that loads may start over from nothing but needs no record below its snapshot: 0 is safe. */
			mark = told->state == REPLICA_CREATING ? (struct mark){0}
							       : vector_get(&told->vector, origin);
			if (mark.seq < least.seq)
				least = mark;
		}
	return least;
}

/* How far one table and origin let the journal go, and the floor that this makes. */
static tide_err
consider(struct group *group, struct table_fold *table, const struct vector_entry *held, uint64_t *below)
{
	struct shard *shard = group->shard;
	struct mark least = least_held(shard, table->id, held->origin);
	struct note note = {.kind = NOTE_FLOOR, .table = table->id, .origin = held->origin};
	uint64_t need;

	if (least.seq > held->mark.seq)
		least = held->mark;
	if (least.seq < held->mark.seq) {
		need = jid_same(held->origin, shard->work.id)
			   ? least.seq + 1
			   : journal_seek_origin(shard->journal, held->origin, least.seq);
		if (need < *below)
			*below = need;
	}
	if (least.seq <= vector_get(&table->floor, held->origin).seq)
		return TIDE_OK;
	note.number = least.seq;
	note.clock = least.clock;
	return group__note(group, &note);
}

tide_err
group_trim(struct group *group, uint64_t retention_ms, uint64_t *below)
{
	struct shard *shard = group->shard;
	uint64_t now = group->now_ms, by_clock;
	tide_err rc;

	*below = journal_first_seq(shard->journal);
	if (now < retention_ms || !everybody_told(shard))
		return TIDE_OK;
	by_clock = journal_seek_clock(shard->journal, hlc_of_ms(now - retention_ms));
	pthread_mutex_lock(&shard->lock);
	if (by_clock > shard->checkpoint_seqs[1] + 1)
		by_clock = shard->checkpoint_seqs[1] + 1;
	pthread_mutex_unlock(&shard->lock);
	if (by_clock <= *below + TRIM_LEAST)
		return TIDE_OK;
	for (size_t i = 0; i < shard->work.n_tables; i++) {
		struct table_fold *table = shard->work.tables[i];

		if (!table->shared)
			continue;
		for (size_t k = 0; k < table->vector.n; k++)
			if ((rc = consider(group, table, &table->vector.entries[k], &by_clock)) != TIDE_OK)
				return rc;
	}
	if (by_clock > *below)
		group->trim_below = *below = by_clock;
	return TIDE_OK;
}
