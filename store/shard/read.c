#include <stdlib.h>

#include "store/shard/walk.h"

tide_err
shard_get(struct shard *shard, uint64_t table, struct bytes key, struct buf *raw, struct stored *out)
{
	uint8_t stack[512];
	struct buf store_key = {.at = stack, .room = sizeof stack};
	bool heap = key.n + SPACE_PREFIX > sizeof stack;
	tide_err rc;

	*out = (struct stored){0};
	if (heap)
		store_key = (struct buf){0};
	space_key(table, key, &store_key);
	if ((rc = buf_check(&store_key)) == TIDE_OK)
		rc = kv_get(shard->kv, NULL, buf_bytes(&store_key), raw);
	if (rc == TIDE_CORRUPT || rc == TIDE_IO)
		shard__damaged(shard, buf_bytes(&store_key));
	if (heap)
		buf_fini(&store_key);
	if (rc != TIDE_OK)
		return rc;
	if ((rc = stored_decode(buf_bytes(raw), out)) != TIDE_OK)
		return rc;
	return out->tombstone ? TIDE_NOTFOUND : TIDE_OK;
}

struct shard_scan {
	struct walk walk;
	bool tombstones;
};

void
shard_scan_close(struct shard_scan *scan)
{
	if (scan == NULL)
		return;
	walk__fini(&scan->walk);
	free(scan);
}

tide_err
shard__scan_open(struct shard *shard, struct kv_snapshot *snapshot, const struct shard_scan_range *range,
    struct shard_scan **out)
{
	struct shard_scan *scan = calloc(1, sizeof *scan);
	tide_err rc;

	if (scan == NULL)
		return TIDE_NOMEM;
	scan->walk.shard = shard;
	scan->walk.backward = range->backward;
	scan->tombstones = range->tombstones;
	space_key(range->table, range->from, &scan->walk.from);
	if (range->to.n > 0)
		space_key(range->table, range->to, &scan->walk.to);
	else
		space_key(range->table + 1, BYTES_NONE, &scan->walk.to);
	if ((rc = walk__open(&scan->walk, snapshot)) != TIDE_OK) {
		shard_scan_close(scan);
		return rc;
	}
	*out = scan;
	return TIDE_OK;
}

tide_err
shard_scan_open(struct shard *shard, const struct shard_scan_range *range, struct shard_scan **out)
{
	return shard__scan_open(shard, NULL, range, out);
}

tide_err
shard_scan_next(struct shard_scan *scan, struct bytes *key, struct stored *out)
{
	struct bytes store_key;
	tide_err rc;

	do {
		if ((rc = walk__next(&scan->walk, &store_key)) != TIDE_OK)
			return rc;
		if ((rc = stored_decode(kv_iterator_value(scan->walk.it), out)) != TIDE_OK)
			return rc;
	} while (out->tombstone && !scan->tombstones);
	*key = space_item_key(store_key);
	return TIDE_OK;
}
