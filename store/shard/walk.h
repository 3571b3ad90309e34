/* A walk over the store's keys between two bounds: what scans of items and of indexes have in common. For this folder only. */
#ifndef TIDE_STORE_SHARD_WALK_H
#define TIDE_STORE_SHARD_WALK_H

#include "store/shard/shard_priv.h"

/* Zero-initialised; fill in `shard`, the bounds and `backward`, then walk__open. */
struct walk {
	struct shard *shard;
	struct kv_iterator *it;
	struct buf from, to; /* store keys; `to` is exclusive */
	struct buf last; /* the key that was given last */
	bool backward, started;
};

/** Begin in a snapshot (NULL: as the store is now), which must live as long as the walk. TIDE_NOMEM: a bound could not be made, either. */
tide_err walk__open(struct walk *walk, struct kv_snapshot *snapshot);

/**
 * The next store key; its value is the iterator's. `key` borrows until the next call.
 * Errors     TIDE_NOTFOUND: the end. TIDE_CORRUPT, TIDE_IO: what lies behind the last key cannot be read; it is noted as damaged. TIDE_NOMEM.
 */
tide_err walk__next(struct walk *walk, struct bytes *key);

/** Takes one that was not opened. */
void walk__fini(struct walk *walk);

#endif
