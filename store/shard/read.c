#include <stdlib.h>

#include "store/shard/shard_priv.h"

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
	struct shard *shard;
	struct kv_iterator *it;
	struct buf from, to; /* store keys; `to` is exclusive */
	struct buf last; /* the key that was given last */
	bool backward, tombstones, started;
};

void
shard_scan_close(struct shard_scan *scan)
{
	if (scan == NULL)
		return;
	if (scan->it != NULL)
		kv_iterator_free(scan->it);
	buf_fini(&scan->from);
	buf_fini(&scan->to);
	buf_fini(&scan->last);
	free(scan);
}

tide_err
shard__scan_open(struct shard *shard, struct kv_snapshot *snapshot, const struct shard_scan_range *range,
    struct shard_scan **out)
{
	struct shard_scan *scan = calloc(1, sizeof *scan);

	if (scan == NULL)
		return TIDE_NOMEM;
	scan->shard = shard;
	scan->backward = range->backward;
	scan->tombstones = range->tombstones;
	space_key(range->table, range->from, &scan->from);
	if (range->to.n > 0)
		space_key(range->table, range->to, &scan->to);
	else
		space_key(range->table + 1, BYTES_NONE, &scan->to);
	scan->it = kv_iterator_new(shard->kv, snapshot);
	if (scan->it == NULL || scan->from.failed || scan->to.failed) {
		shard_scan_close(scan);
		return TIDE_NOMEM;
	}
	*out = scan;
	return TIDE_OK;
}

tide_err
shard_scan_open(struct shard *shard, const struct shard_scan_range *range, struct shard_scan **out)
{
	return shard__scan_open(shard, NULL, range, out);
}

static void
move(struct shard_scan *scan)
{
	if (scan->started) {
		if (scan->backward)
			kv_iterator_prev(scan->it);
		else
			kv_iterator_next(scan->it);
		return;
	}
	scan->started = true;
	kv_iterator_seek(scan->it, buf_bytes(scan->backward ? &scan->to : &scan->from));
	if (!scan->backward)
		return;
	if (kv_iterator_valid(scan->it))
		kv_iterator_prev(scan->it);
	else
		kv_iterator_seek_last(scan->it);
}

/* What the walk skipped lies between the key given last and where it stands now. */
static tide_err
skipped(struct shard_scan *scan, tide_err rc)
{
	struct bytes low = buf_bytes(scan->last.n > 0 && !scan->backward ? &scan->last : &scan->from);
	struct buf key = {0};

	if (rc != TIDE_CORRUPT && rc != TIDE_IO)
		return rc;
	if (scan->backward && kv_iterator_valid(scan->it) &&
	    bytes_compare(kv_iterator_key(scan->it), low) > 0)
		low = kv_iterator_key(scan->it);
	buf_append(&key, low.at, low.n);
	buf_append_byte(&key, 0);
	if (buf_check(&key) == TIDE_OK)
		shard__damaged(scan->shard, buf_bytes(&key));
	buf_fini(&key);
	return rc;
}

tide_err
shard_scan_next(struct shard_scan *scan, struct bytes *key, struct stored *out)
{
	for (;;) {
		struct bytes store_key;
		tide_err rc;

		move(scan);
		/* After each step: an iterator goes on behind what it cannot read, and nothing may be left out. */
		if ((rc = kv_iterator_check(scan->it)) != TIDE_OK)
			return skipped(scan, rc);
		if (!kv_iterator_valid(scan->it))
			return TIDE_NOTFOUND;
		store_key = kv_iterator_key(scan->it);
		if (scan->backward ? bytes_compare(store_key, buf_bytes(&scan->from)) < 0
				   : bytes_compare(store_key, buf_bytes(&scan->to)) >= 0)
			return TIDE_NOTFOUND;
		buf_clear(&scan->last);
		buf_append(&scan->last, store_key.at, store_key.n);
		if ((rc = stored_decode(kv_iterator_value(scan->it), out)) != TIDE_OK)
			return rc;
		if (out->tombstone && !scan->tombstones)
			continue;
		*key = space_item_key(store_key);
		return TIDE_OK;
	}
}
