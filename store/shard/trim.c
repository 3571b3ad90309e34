/*
 * Letting old segments go. A segment stays while recovery may need it (the older of two checkpoints), while a stream's reader may
 * (retention), and while a member region has not said that it holds what is in it, but for an absent one not without bound (`max_ms`).
 * What has gone is named by floors, durable before the segments go: below them a peer gets a snapshot instead of records. A member
 * that was let go so has fallen behind, and comes back by a rejoin. Its tombstones stay: they have no bound.
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

	for (uint32_t i = 0; i < shard->told.n; i++)
		for (uint32_t t = 0; t < shard->told.at[i].n && !is_over(shard, shard->told.at[i].origin);
		     t++) {
			const struct told_table *told = &shard->told.at[i].tables[t];
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

/* Where the journal has what comes after `after` of that origin. */
static uint64_t
place_after(const struct shard *shard, struct jid origin, uint64_t after)
{
	return jid_same(origin, shard->work.id) ? after + 1
						: journal_seek_origin(shard->journal, origin, after);
}

/* The mark above which the journal from `bound` on has every record: what is below it goes. Between `least` and what we hold. */
static struct mark
let_go(const struct shard *shard, const struct vector_entry *held, struct mark least, uint64_t bound)
{
	uint64_t low = least.seq, high = held->mark.seq; /* what comes after `high` is in no record yet */

	while (low + 1 < high) {
		uint64_t middle = low + (high - low) / 2;

		if (place_after(shard, held->origin, middle) < bound)
			low = middle;
		else
			high = middle;
	}
	return high == held->mark.seq ? held->mark : (struct mark){high, {0}};
}

struct trim {
	uint64_t bound; /* what is below goes, whoever has not said that it holds it; 0: no bound */
	uint64_t below;
	bool all_told;
};

/* How far one table and origin let the journal go, and the floor that this makes. */
static tide_err
consider(struct group *group, struct table_fold *table, const struct vector_entry *held, struct trim *trim)
{
	struct shard *shard = group->shard;
	struct mark least = least_held(shard, table->id, held->origin);
	struct note note = {.kind = NOTE_FLOOR, .table = table->id, .origin = held->origin};
	uint64_t need;

	if (!trim->all_told)
		least = vector_get(&table->floor, held->origin); /* nobody knows what the silent one holds */
	if (least.seq > held->mark.seq)
		least = held->mark;
	if (least.seq < held->mark.seq && place_after(shard, held->origin, least.seq) < trim->bound)
		least = let_go(shard, held, least, trim->bound);
	if (least.seq < held->mark.seq) {
		need = place_after(shard, held->origin, least.seq);
		if (need < trim->below)
			trim->below = need;
	}
	if (least.seq <= vector_get(&table->floor, held->origin).seq)
		return TIDE_OK;
	note.number = least.seq;
	note.clock = least.clock;
	return group__note(group, &note);
}

/* What is older than that by clock, and not needed for recovery. */
static uint64_t
older_than(struct shard *shard, uint64_t now, uint64_t ms)
{
	uint64_t seq;

	if (ms > now)
		return 0;
	seq = journal_seek_clock(shard->journal, hlc_of_ms(now - ms));
	pthread_mutex_lock(&shard->lock);
	if (seq > shard->checkpoint_seqs[1] + 1)
		seq = shard->checkpoint_seqs[1] + 1;
	pthread_mutex_unlock(&shard->lock);
	return seq;
}

tide_err
group_trim(struct group *group, uint64_t retention_ms, uint64_t max_ms, uint64_t *below)
{
	struct shard *shard = group->shard;
	struct trim trim = {.below = older_than(shard, group->now_ms, retention_ms),
	    .bound = older_than(shard, group->now_ms, max_ms > retention_ms ? max_ms : retention_ms),
	    .all_told = everybody_told(shard)};
	tide_err rc;

	*below = journal_first_seq(shard->journal);
	if (!trim.all_told)
		trim.below = trim.bound;
	if (trim.below <= *below + (shard->options.trim_least > 0 ? shard->options.trim_least : TRIM_LEAST))
		return TIDE_OK;
	for (size_t i = 0; i < shard->work.n_tables; i++) {
		struct table_fold *table = shard->work.tables[i];

		if (!table->shared)
			continue;
		for (size_t k = 0; k < table->vector.n; k++)
			if ((rc = consider(group, table, &table->vector.entries[k], &trim)) != TIDE_OK)
				return rc;
	}
	if (trim.below > *below)
		group->trim_below = *below = trim.below;
	return TIDE_OK;
}
