/* Vectors in msgpack: [origin, seq, clock, origin, seq, clock, ...], ascending by origin. */
#ifndef TIDE_STORE_SHARD_PACK_VECTOR_H
#define TIDE_STORE_SHARD_PACK_VECTOR_H

#include "base/arena.h"
#include "base/pack.h"
#include "conflict/vector.h"

void pack_vector(struct buf *out, const struct vector *vector);

/** Entries go to `arena` (never vector_fini the result), or to the heap with `arena` NULL. A failure shows in `in->rc`. */
void unpack_vector(struct unpack *in, struct arena *arena, struct vector *out);

#endif
