/*
 * Which keys of a store cannot be read. A damaged block hides all of its keys, and nobody can list them: a range is named by the last key
 * before it and the first key behind it that can be read.
 */
#ifndef TIDE_STORE_KV_DAMAGE_H
#define TIDE_STORE_KV_DAMAGE_H

#include "store/kv/kv.h"

/**
 * The bounds of the damage around `key`, which cannot be read or which a walk failed to come to: everything strictly between `after` and
 * `before` may be hidden (both are replaced; empty: there is no sound key on that side). Wider than the damage by what other, sound
 * blocks hold of the same keys; the search gives up after a number of those and takes a wider range.
 * Errors     TIDE_NOTFOUND: all can be read there now. TIDE_NOMEM.
 */
tide_err kv_damage_around(struct kv *kv, struct bytes key, struct buf *after, struct buf *before);

#endif
