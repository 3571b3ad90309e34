/* Several items as they are at one moment. */
#include "store/shard/shard_priv.h"

static tide_err
get_one(struct shard *shard, struct kv_snapshot *snapshot, struct buf *store_key, struct shard_get_one *read)
{
	tide_err rc;

	read->stored = (struct stored){0};
	buf_clear(store_key);
	space_key(read->table, read->key, store_key);
	if ((rc = buf_check(store_key)) == TIDE_OK)
		rc = kv_get(shard->kv, snapshot, buf_bytes(store_key), &read->raw);
	if (rc == TIDE_CORRUPT || rc == TIDE_IO)
		shard__damaged(shard, buf_bytes(store_key));
	if (rc == TIDE_OK)
		rc = stored_decode(buf_bytes(&read->raw), &read->stored);
	return rc == TIDE_OK && read->stored.tombstone ? TIDE_NOTFOUND : rc;
}

tide_err
shard_get_all(struct shard *shard, struct shard_get_one *reads, size_t n)
{
	/* A group reaches the store as one batch, so a snapshot never shows half of one. */
	struct kv_snapshot *snapshot = kv_snapshot_take(shard->kv);
	struct buf store_key = {0};
	tide_err rc = TIDE_OK;

	if (snapshot == NULL)
		return TIDE_NOMEM;
	for (size_t i = 0; i < n; i++) {
		reads[i].outcome = get_one(shard, snapshot, &store_key, &reads[i]);
		if (rc == TIDE_OK && reads[i].outcome != TIDE_NOTFOUND)
			rc = reads[i].outcome;
	}
	kv_snapshot_release(shard->kv, snapshot);
	buf_fini(&store_key);
	return rc;
}

void
shard_get_all_fini(struct shard_get_one *reads, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_fini(&reads[i].raw);
}
