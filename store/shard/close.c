/*
 * Closing dead journals. A journal is dead when its region has a later incarnation or was declared lost; it is closed here when no region
 * can ever have more of it than we. Then nobody is asked for it, waiting for it is void, and tombstones need not wait for it.
 *
 * It is closed when every other member (not declared lost) has told, at one moment each:
 *
 *     - which journals it knows to be dead: at least all that we know to be dead now, this one among them;
 *     - its vectors: of that journal, in no table more than ours.
 *
 * The answers are of different moments and still add up. Suppose that some member Y has a record of the journal after it told, and we never
 * had it. It had not told of it, so it came later; and as it knew of the death (knowing one never ends), not from the dead journal's own
 * process, nor from any process of a journal that we know to be dead. So it came from a member Z, which had it before that. Had Z not
 * told of it either, it too got it from a member that had it earlier still, and so on: this ends at a member that told of it, and what
 * was told we have. A region's next incarnation begins with nothing and is a member from then on.
 *
 * A replica that loads a snapshot may hold more than it tells; nothing is closed meanwhile.
 *
 * A table that we do not hold must be level where it is held: what we may load of it later is then all that there is.
 */
#include <stdlib.h>

#include "base/log.h"
#include "store/shard/group_priv.h"

#define INCARNATIONS_MAX 64 /* looked at per call and region */

uint16_t
fold_dead_through(const struct fold *fold, uint8_t region)
{
	const struct member_fold *member;

	if (region == jid_region(fold->id))
		return (uint16_t)(jid_incarnation(fold->id) - 1);
	member = fold_member(fold, region);
	if (member == NULL || member->incarnation == 0)
		return 0;
	return member->lost ? member->incarnation : (uint16_t)(member->incarnation - 1);
}

bool
fold_dead(const struct fold *fold, struct jid origin)
{
	return jid_incarnation(origin) <= fold_dead_through(fold, jid_region(origin));
}

bool
fold_closed(const struct fold *fold, struct jid origin)
{
	return jid_incarnation(origin) <= fold->closed[jid_region(origin)];
}

/* Which regions there are: those of the configuration and those that were heard of; not ourselves. */
static bool
is_region(const struct shard *shard, uint8_t region)
{
	if (region == jid_region(shard->work.id))
		return false;
	if (fold_member(&shard->work, region) != NULL)
		return true;
	for (unsigned i = 0; i < shard->n_peers; i++)
		if (shard->peers[i] == region)
			return true;
	return false;
}

bool
shard__waited_for(const struct shard *shard, uint8_t region, struct jid *journal)
{
	const struct member_fold *member = fold_member(&shard->work, region);

	*journal = JID_NONE;
	if (!is_region(shard, region) || (member != NULL && member->lost))
		return false;
	if (member != NULL)
		*journal = jid_make(region, member->incarnation, jid_shard(shard->work.id));
	return true;
}

static bool
waited_for(const struct shard *shard, unsigned region, const struct told **told)
{
	struct jid journal;
	bool waited = shard__waited_for(shard, (uint8_t)region, &journal);

	*told = waited ? shard__heard(shard, journal) : NULL;
	return waited;
}

bool
shard__all_closed(const struct shard *shard)
{
	for (unsigned r = 1; r <= REGION_NUMBER_MAX; r++)
		if (shard->work.closed[r] < fold_dead_through(&shard->work, (uint8_t)r))
			return false;
	return true;
}

/* How far every member knows that region's journals to be dead, in a message in which it knew all deaths that we know; 0: not so. */
static uint16_t
known_dead(const struct shard *shard, uint8_t region)
{
	const struct fold *work = &shard->work;
	uint16_t least = fold_dead_through(work, region);
	const struct told *told;

	for (unsigned y = 1; y <= REGION_NUMBER_MAX && least > 0; y++) {
		if (!waited_for(shard, y, &told))
			continue;
		if (told == NULL)
			return 0;
		for (unsigned r = 1; r <= REGION_NUMBER_MAX; r++)
			if (r != region && told->dead[r] < fold_dead_through(work, (uint8_t)r))
				return 0;
		if (told->dead[region] < least)
			least = told->dead[region];
	}
	return least;
}

static const struct told_table *
told_table_of(const struct told *told, uint64_t table)
{
	for (uint32_t i = 0; i < told->n; i++)
		if (told->tables[i].table == table && told->tables[i].state != REPLICA_ABSENT)
			return &told->tables[i];
	return NULL;
}

/* A table that is not here: do all that hold it have the same of that journal as this one told? */
static bool
level_elsewhere(const struct shard *shard, uint64_t table, struct jid origin, uint64_t seq)
{
	const struct told *told;

	for (unsigned y = 1; y <= REGION_NUMBER_MAX; y++) {
		const struct told_table *there;

		if (!waited_for(shard, y, &told) || told == NULL ||
		    (there = told_table_of(told, table)) == NULL)
			continue;
		if (vector_get(&there->vector, origin).seq != seq)
			return false;
	}
	return true;
}

static bool
has_more(const struct shard *shard, const struct told *told, struct jid origin)
{
	for (uint32_t i = 0; i < told->n; i++) {
		const struct told_table *there = &told->tables[i];
		const struct table_fold *ours = fold_table(&shard->work, there->table);
		uint64_t seq = vector_get(&there->vector, origin).seq;

		if (there->state == REPLICA_ABSENT)
			continue;
		if (there->loading)
			return true; /* perhaps: it will tell when it is loaded */
		if (ours == NULL || ours->state == REPLICA_ABSENT) {
			if (!level_elsewhere(shard, there->table, origin, seq))
				return true;
		} else if (seq > vector_get(&ours->vector, origin).seq) {
			return true; /* one that we load has no vector yet */
		}
	}
	return false;
}

static bool
nobody_has_more(const struct shard *shard, struct jid origin)
{
	const struct told *told;

	for (unsigned y = 1; y <= REGION_NUMBER_MAX; y++)
		if (waited_for(shard, y, &told) && (told == NULL || has_more(shard, told, origin)))
			return false;
	return true;
}

bool
shard__nobody_has_more(const struct shard *shard, struct jid origin, uint64_t table)
{
	const struct table_fold *ours = fold_table(&shard->work, table);
	const struct told *told;

	if (ours == NULL || !fold_dead(&shard->work, origin))
		return false;
	for (unsigned y = 1; y <= REGION_NUMBER_MAX; y++) {
		const struct told_table *there;

		if (!waited_for(shard, y, &told))
			continue;
		if (told == NULL || told->dead[jid_region(origin)] < jid_incarnation(origin))
			return false;
		if ((there = told_table_of(told, table)) == NULL)
			continue;
		if (there->loading ||
		    vector_get(&there->vector, origin).seq > vector_get(&ours->vector, origin).seq)
			return false;
	}
	return true;
}

/* Has it said of its replica of that table that it can be read, and has as much of that journal? */
static bool
keeps(const struct told *told, uint64_t table, const struct vector_entry *ours)
{
	const struct told_table *there = told == NULL ? NULL : told_table_of(told, table);

	return there != NULL && (there->state == REPLICA_ACTIVE || there->state == REPLICA_LEAVING) &&
	       vector_get(&there->vector, ours->origin).seq >= ours->mark.seq;
}

static bool
kept_elsewhere(const struct shard *shard, uint64_t table, const struct vector_entry *ours)
{
	struct jid journal;

	for (unsigned y = 1; y <= REGION_NUMBER_MAX; y++)
		if (shard__waited_for(shard, (uint8_t)y, &journal) &&
		    (keeps(shard__heard(shard, journal), table, ours) ||
			keeps(shard__told(shard, journal), table, ours)))
			return true;
	return false;
}

bool
group_alone_with(const struct group *group, uint64_t id)
{
	const struct shard *shard = group->shard;
	const struct table_fold *table = fold_table(&shard->work, id);

	/* Closed or not: that nobody has more than we does not say that anybody has as much. */
	for (size_t i = 0; table != NULL && i < table->vector.n; i++) {
		const struct vector_entry *entry = &table->vector.entries[i];

		if (entry->mark.seq > 0 && !jid_same(entry->origin, shard->work.id) &&
		    fold_dead(&shard->work, entry->origin) && !kept_elsewhere(shard, id, entry))
			return true;
	}
	return false;
}

/*
 * A death that another region knows is one for us. Of ours: then this journal is over. Where it is known by the incarnation that came
 * after, that one is a member from now on, and is waited for before we have heard it ourselves: to take the region for lost would close
 * without it what it holds, and let us write before it counts us.
 */
static tide_err
hear_of_death(struct group *group, uint8_t from, uint8_t region, uint16_t through, uint64_t lives)
{
	const struct fold *work = &group->shard->work;
	const struct member_fold *member = fold_member(work, region);

	/* One that we know as lost may live again. */
	if (through < fold_dead_through(work, region) ||
	    (through == fold_dead_through(work, region) && (lives == 0 || member == NULL || !member->lost)))
		return TIDE_OK;
	if (region == jid_region(work->id))
		return through == jid_incarnation(work->id) ? group_fork(group, FORK_LOST, from, 0) : TIDE_OK;
	if (lives != 0)
		return group_note_member(group, region, (uint16_t)(through + 1), lives, false);
	return group_note_member(group, region, through,
	    member != NULL && member->incarnation == through ? member->nonce : 0, true);
}

static tide_err
hear_of_deaths(struct group *group)
{
	const struct shard *shard = group->shard;
	const struct told *told;
	tide_err rc = TIDE_OK;

	for (unsigned y = 1; y <= REGION_NUMBER_MAX; y++) {
		if (!waited_for(shard, y, &told) || told == NULL)
			continue;
		for (unsigned r = 1; r <= REGION_NUMBER_MAX && rc == TIDE_OK; r++)
			if (told->dead[r] != 0)
				rc = hear_of_death(
				    group, (uint8_t)y, (uint8_t)r, told->dead[r], told->lives[r]);
	}
	return rc;
}

/* How far that region's journals are closed. */
static uint16_t
close_through(const struct shard *shard, uint8_t region)
{
	uint16_t closed = shard->work.closed[region], until;

	if (closed >= fold_dead_through(&shard->work, region))
		return closed;
	until = known_dead(shard, region);
	for (unsigned i = 0; i < INCARNATIONS_MAX && closed < until; i++) {
		if (!nobody_has_more(
			shard, jid_make(region, (uint16_t)(closed + 1), jid_shard(shard->work.id))))
			break;
		closed++;
	}
	return closed;
}

tide_err
group_close_dead(struct group *group, bool *changed)
{
	struct shard *shard = group->shard;
	tide_err rc = hear_of_deaths(group);

	*changed = false;
	for (unsigned r = 1; r <= REGION_NUMBER_MAX && rc == TIDE_OK; r++) {
		uint16_t closed = close_through(shard, (uint8_t)r);
		struct note note = {
		    .kind = NOTE_CLOSED, .origin = jid_make((uint8_t)r, closed, jid_shard(shard->work.id))};

		if (closed <= shard->work.closed[r])
			continue;
		if ((rc = group__note(group, &note)) == TIDE_OK) {
			*changed = true;
			log_info("JOURNAL-CLOSED", "region=%u incarnation=%u", r, closed);
		}
	}
	return rc;
}

tide_err
group_fork(struct group *group, enum fork_reason reason, uint8_t peer, uint64_t seq)
{
	struct note note = {.kind = NOTE_FORKED, .flag = reason == FORK_LOST, .region = peer, .number = seq};
	tide_err rc;

	if (group->shard->work.fork.reason != FORK_NONE)
		return TIDE_OK;
	if ((rc = group__note(group, &note)) == TIDE_OK)
		log_err("REPL-FORKED-SELF", "reason=%s peer=%u seq=%llu",
		    reason == FORK_LOST ? "declared-lost" : "restored-copy", peer, (unsigned long long)seq);
	return rc;
}
