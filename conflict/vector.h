/*
 * A vector: per origin journal, the last (sequence, clock) applied with no gap before it.
 *
 * A small array sorted by journal id: a cluster has a handful of living journals and few dead ones. Owns its
 * memory; zero-initialised is the empty vector. Not thread-safe.
 */
#ifndef TIDE_CONFLICT_VECTOR_H
#define TIDE_CONFLICT_VECTOR_H

#include <stddef.h>

#include "base/error.h"
#include "conflict/version.h"

struct mark {
	uint64_t seq;
	struct hlc clock;
};

struct vector_entry {
	struct jid origin;
	struct mark mark;
};

struct vector {
	struct vector_entry *entries;
	size_t n, room;
};

void vector_fini(struct vector *vector);

/** The origin's mark; {0, 0} where the vector has none. */
struct mark vector_get(const struct vector *vector, struct jid origin);

/** Set the origin's mark, whatever it was. TIDE_NOMEM: unchanged. */
tide_err vector_set(struct vector *vector, struct jid origin, struct mark mark);

/** Raise the origin's mark; a lower sequence changes nothing, and the clock never falls. TIDE_NOMEM: unchanged. */
tide_err vector_raise(struct vector *vector, struct jid origin, struct mark mark);

/** `to` becomes a copy of `from`. TIDE_NOMEM: `to` unchanged. */
tide_err vector_copy(struct vector *to, const struct vector *from);

/** Every mark of `of` is reached by `by` (by sequence). */
bool vector_covers(const struct vector *by, const struct vector *of);

/** The same marks in both; entries with sequence 0 count as absent. */
bool vector_equal(const struct vector *a, const struct vector *b);

/** Does the writer's vector say that it had seen this version? (by clock) */
bool vector_saw(const struct vector *vector, struct version version);

#endif
