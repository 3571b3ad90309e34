/*
 * Reading ahead. The I/O thread reads an item before it queues a write of it; the committer takes that read as its own if nobody has
 * written the item since. To know that cheaply the shard remembers, per slot of a hash of the key, the last
 * publication that changed it: a shared slot costs a read, never a wrong answer.
 */
#include "store/shard/group_priv.h"

void
shard_read_ahead(struct shard *shard, uint64_t table, struct bytes key, struct read_ahead *out)
{
	struct stored stored;

	/* Before the read: what is published later shows in the slot, whether the read saw it or not. */
	out->as_of = atomic_load_explicit(&shard->published, memory_order_acquire);
	out->outcome = shard_get(shard, table, key, &out->raw, &stored);
	out->tombstone = out->outcome == TIDE_NOTFOUND && stored.tombstone;
}

void
read_ahead_fini(struct read_ahead *ahead)
{
	buf_fini(&ahead->raw);
}

void
shard__written(struct shard *shard, const struct pending *pending)
{
	shard->last_written[pending->hash % LAST_WRITTEN_SLOTS] = atomic_load(&shard->published) + 1;
}

void
shard__published(struct shard *shard, bool all_changed)
{
	uint64_t now = atomic_load(&shard->published) + 1;

	if (all_changed)
		shard->changed_whole = now;
	atomic_store_explicit(&shard->published, now, memory_order_release);
}

tide_err
group_take_ahead(struct group *group, uint64_t table, struct bytes key, const struct read_ahead *ahead)
{
	const struct shard *shard = group->shard;
	uint64_t hash = group__hash(table, key);
	bool exists = ahead->outcome == TIDE_OK || ahead->tombstone;
	struct stored stored = {0};
	struct pending *pending;

	if (ahead->outcome != TIDE_OK && ahead->outcome != TIDE_NOTFOUND)
		return TIDE_OK; /* the group's own read will say what is wrong */
	if (shard->last_written[hash % LAST_WRITTEN_SLOTS] > ahead->as_of ||
	    shard->changed_whole > ahead->as_of || group->n_cleared > 0 ||
	    group__find(group, hash, table, key) != NULL)
		return TIDE_OK;
	if (exists && stored_decode(buf_bytes(&ahead->raw), &stored) != TIDE_OK)
		return TIDE_OK;
	if ((pending = group__add(group, hash, table, key)) == NULL)
		return TIDE_NOMEM;
	pending->exists = exists;
	pending->stored = stored;
	return TIDE_OK;
}
