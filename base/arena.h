/*
 * An arena: memory that is allocated piece by piece and released at once, with the request it belongs to.
 *
 * Not thread-safe: one thread uses an arena at a time (a request hands its arena over together with itself).
 * `limit` bounds what one arena may take, so that no request can eat the process.
 */
#ifndef TIDE_BASE_ARENA_H
#define TIDE_BASE_ARENA_H

#include "base/bytes.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used, limit; /* bytes handed out; bytes at most, 0: no limit */
};

/** An empty arena in the caller's memory. Allocates nothing yet. */
void arena_init(struct arena *arena, size_t limit);

/** Release everything that was allocated from it. The arena is empty and usable again. */
void arena_fini(struct arena *arena);

/** Forget everything but keep the first block, for the next request on the same connection. */
void arena_reset(struct arena *arena);

/** `n` bytes aligned for any type, not zeroed; NULL when there is no memory or the limit is reached. */
void *arena_alloc(struct arena *arena, size_t n);

/** The same, zeroed. */
void *arena_calloc(struct arena *arena, size_t n);

/** A copy of `bytes` in the arena, followed by a NUL that is not counted. `at` NULL: no memory. */
struct bytes arena_copy(struct arena *arena, struct bytes bytes);

/** A formatted, NUL-terminated string in the arena; NULL: no memory. */
char *arena_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
