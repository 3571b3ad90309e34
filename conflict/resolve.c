#include "conflict/resolve.h"

#include <assert.h>
#include <stddef.h>

enum resolution
resolve_last_writer_wins(const struct version *stored, struct version incoming, const struct vector *seen)
{
	if (stored == NULL)
		return RESOLVE_FORWARD;
	if (jid_same(stored->origin, incoming.origin) || vector_saw(seen, *stored)) {
		/* A writer that has seen a version ticks its clock past it. Should a broken peer send
		 * otherwise, the greater version must still stay, or regions would differ. */
		return version_compare(*stored, incoming) < 0 ? RESOLVE_FORWARD : RESOLVE_LOSES;
	}
	return version_compare(*stored, incoming) < 0 ? RESOLVE_WINS : RESOLVE_LOSES;
}
