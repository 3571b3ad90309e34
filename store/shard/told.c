/* What the other regions told about their replicas, and the tombstones and conflict entries that may go by it. */
#include <stdlib.h>

#include "store/shard/group_priv.h"

const struct told *
shard__told(const struct shard *shard, struct jid origin)
{
	for (uint32_t i = 0; i < shard->n_told; i++)
		if (jid_same(shard->told[i].origin, origin))
			return &shard->told[i];
	return NULL;
}

void
shard__told_release(struct told *told)
{
	for (uint32_t t = 0; t < told->n; t++)
		vector_fini(&told->tables[t].vector);
	free(told->tables);
	*told = (struct told){0};
}

void
shard__told_fini(struct shard *shard)
{
	for (uint32_t i = 0; i < shard->n_told; i++)
		shard__told_release(&shard->told[i]);
	free(shard->told);
	shard->told = NULL;
	shard->n_told = 0;
}

/* Has this member applied the version, or promised never to send anything older? */
static bool
member_is_past(
    const struct shard *shard, const struct member_fold *member, uint64_t table, struct version version)
{
	const struct told *told =
	    shard__told(shard, jid_make(member->region, member->incarnation, jid_shard(shard->work.id)));

	if (told == NULL)
		return false;
	for (uint32_t i = 0; i < told->n; i++) {
		if (told->tables[i].table != table)
			continue;
		switch (told->tables[i].state) {
		case REPLICA_ACTIVE:
		case REPLICA_LEAVING:
			return vector_saw(&told->tables[i].vector, version);
		case REPLICA_ABSENT:
			return told->promise.v >= version.clock.v;
		default:
			return false; /* a replica that is loading counts */
		}
	}
	return told->promise.v >= version.clock.v; /* it holds nothing of that table */
}

/* A tombstone goes when no other region can still send something older than it. */
static bool
tombstone_may_go(const struct shard *shard, uint64_t table, struct version version)
{
	const struct fold *work = &shard->work;

	if (!fold_table(work, table)->shared)
		return true;
	for (size_t i = 0; i < work->n_members; i++) {
		const struct member_fold *member = &work->members[i];

		if (member->region == jid_region(work->id))
			continue;
		/* A dead journal may have a record that some region holds and we do not: its tombstones stay until it is closed. */
		if (member->incarnation > 1 || member->lost || !member_is_past(shard, member, table, version))
			return false;
	}
	return work->n_members > 0 && jid_incarnation(work->id) == 1;
}

static bool
may_go(const struct shard *shard, uint64_t table, struct bytes key, const struct stored *stored)
{
	if (stored->tombstone)
		return table != TABLE_CONFLICTS && tombstone_may_go(shard, table, stored->version);
	return table == TABLE_CONFLICTS && conflict_expiry_ms(key, shard->options.conflict_retention_ms) <
					       shard_wall_ms((struct shard *)shard);
}

static tide_err
collect_one(struct group *group, uint64_t table, struct bytes key, const struct stored *stored)
{
	struct note note = {.kind = NOTE_COLLECT,
	    .table = table,
	    .flag = !stored->tombstone,
	    .number = stored_bytes(stored),
	    .clock = stored->version.clock,
	    .origin = stored->version.origin};
	struct pending *pending;
	tide_err rc = group__pending(group, table, key, &pending);

	/* The walk reads the store; the group may have written the key since. */
	if (rc != TIDE_OK || !pending->exists ||
	    version_compare(pending->stored.version, stored->version) != 0)
		return rc;
	note.key = pending->key;
	if ((rc = group__note(group, &note)) != TIDE_OK)
		return rc;
	pending->exists = false;
	pending->dirty = true;
	return TIDE_OK;
}

/* Which table the walk is at: the one of the cursor, or the next that may have something to collect. */
static const struct table_fold *
table_at(const struct fold *work, uint64_t id)
{
	for (size_t i = 0; i < work->n_tables; i++)
		if (work->tables[i]->id >= id && work->tables[i]->state == REPLICA_ACTIVE)
			return work->tables[i];
	return NULL;
}

/* Per call: the committer must not stand still. */
#define LOOKED_AT_MAX 20000
#define LOOKED_AT_BYTES_MAX (16u << 20)

tide_err
group_collect(struct group *group, uint32_t max, uint32_t *collected)
{
	struct shard *shard = group->shard;
	struct buf *cursor = &shard->collect_cursor; /* table id, then key */
	uint64_t at = cursor->n >= 8 ? bytes_u64(cursor->at) : 0;
	const struct table_fold *table = table_at(&shard->work, at);
	struct shard_scan_range range = {.tombstones = true};
	struct shard_scan *scan;
	struct stored stored;
	struct bytes key;
	uint64_t bytes = 0;
	tide_err rc;

	*collected = 0;
	if (table == NULL) {
		buf_clear(cursor);
		return TIDE_OK;
	}
	range.table = table->id;
	range.from = table->id == at && cursor->n > 8 ? bytes_of(cursor->at + 8, cursor->n - 8) : BYTES_NONE;
	if ((rc = shard_scan_open(shard, &range, &scan)) != TIDE_OK)
		return rc;
	buf_clear(cursor);
	for (uint32_t seen = 0; (rc = shard_scan_next(scan, &key, &stored)) == TIDE_OK; seen++) {
		bytes += key.n + stored.image.n;
		if (seen == LOOKED_AT_MAX || (seen > 0 && bytes > LOOKED_AT_BYTES_MAX) || *collected == max) {
			buf_append_u64(cursor, table->id);
			buf_append(cursor, key.at, key.n);
			break;
		}
		if (!may_go(shard, table->id, key, &stored))
			continue;
		if ((rc = collect_one(group, table->id, key, &stored)) != TIDE_OK)
			break;
		(*collected)++;
	}
	if (rc == TIDE_NOTFOUND) {
		buf_append_u64(cursor, table->id + 1);
		rc = TIDE_OK;
	}
	shard_scan_close(scan);
	return rc == TIDE_OK ? buf_check(cursor) : rc;
}
