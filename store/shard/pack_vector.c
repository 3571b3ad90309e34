#include "store/shard/pack_vector.h"

#include <stdlib.h>

void
pack_vector(struct buf *out, const struct vector *vector)
{
	pack_array(out, (uint32_t)vector->n * 3);
	for (size_t i = 0; i < vector->n; i++) {
		pack_uint(out, vector->entries[i].origin.v);
		pack_uint(out, vector->entries[i].mark.seq);
		pack_uint(out, vector->entries[i].mark.clock.v);
	}
}

void
unpack_vector(struct unpack *in, struct arena *arena, struct vector *out)
{
	uint32_t n = unpack_array(in);
	struct vector vector = {0};
	size_t size;

	if (in->rc == TIDE_OK && n % 3 != 0)
		in->rc = TIDE_CORRUPT;
	if (in->rc != TIDE_OK || n == 0) {
		*out = vector;
		return;
	}
	size = n / 3 * sizeof *vector.entries;
	vector.entries = arena != NULL ? arena_alloc(arena, size) : malloc(size);
	if (vector.entries == NULL) {
		in->rc = TIDE_NOMEM;
		return;
	}
	vector.room = n / 3;
	for (; vector.n < n / 3; vector.n++) {
		struct vector_entry *entry = &vector.entries[vector.n];

		entry->origin.v = (uint32_t)unpack_uint_max(in, UINT32_MAX);
		entry->mark.seq = unpack_uint(in);
		entry->mark.clock.v = unpack_uint(in);
		if (in->rc == TIDE_OK && vector.n > 0 && entry[-1].origin.v >= entry->origin.v)
			in->rc = TIDE_CORRUPT;
	}
	if (in->rc != TIDE_OK) {
		if (arena == NULL)
			free(vector.entries);
		vector = (struct vector){0};
	}
	*out = vector;
}
