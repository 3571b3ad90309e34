#include "conflict/vector.h"

#include <stdlib.h>
#include <string.h>

void
vector_fini(struct vector *vector)
{
	free(vector->entries);
	*vector = (struct vector){0};
}

/* Index of the first entry whose origin is not below `origin`. */
static size_t
lower_bound(const struct vector *vector, struct jid origin)
{
	size_t i = 0;

	while (i < vector->n && vector->entries[i].origin.v < origin.v)
		i++;
	return i;
}

struct mark
vector_get(const struct vector *vector, struct jid origin)
{
	size_t i = lower_bound(vector, origin);

	if (i < vector->n && jid_same(vector->entries[i].origin, origin))
		return vector->entries[i].mark;
	return (struct mark){0};
}

static tide_err
make_room(struct vector *vector, size_t n)
{
	struct vector_entry *entries;
	size_t room = vector->room == 0 ? 4 : vector->room;

	if (n <= vector->room)
		return TIDE_OK;
	while (room < n)
		room *= 2;
	if ((entries = realloc(vector->entries, room * sizeof *entries)) == NULL)
		return TIDE_NOMEM;
	vector->entries = entries;
	vector->room = room;
	return TIDE_OK;
}

tide_err
vector_set(struct vector *vector, struct jid origin, struct mark mark)
{
	size_t i = lower_bound(vector, origin);
	tide_err rc;

	if (i == vector->n || !jid_same(vector->entries[i].origin, origin)) {
		if ((rc = make_room(vector, vector->n + 1)) != TIDE_OK)
			return rc;
		memmove(
		    vector->entries + i + 1, vector->entries + i, (vector->n - i) * sizeof *vector->entries);
		vector->n++;
		vector->entries[i].origin = origin;
	}
	vector->entries[i].mark = mark;
	return TIDE_OK;
}

tide_err
vector_raise(struct vector *vector, struct jid origin, struct mark mark)
{
	struct mark had = vector_get(vector, origin);

	if (mark.seq <= had.seq)
		return TIDE_OK;
	mark.clock = hlc_max(mark.clock, had.clock);
	return vector_set(vector, origin, mark);
}

tide_err
vector_copy(struct vector *to, const struct vector *from)
{
	tide_err rc = make_room(to, from->n);

	if (rc != TIDE_OK)
		return rc;
	if (from->n > 0)
		memcpy(to->entries, from->entries, from->n * sizeof *from->entries);
	to->n = from->n;
	return TIDE_OK;
}

bool
vector_covers(const struct vector *by, const struct vector *of)
{
	for (size_t i = 0; i < of->n; i++)
		if (vector_get(by, of->entries[i].origin).seq < of->entries[i].mark.seq)
			return false;
	return true;
}

bool
vector_equal(const struct vector *a, const struct vector *b)
{
	return vector_covers(a, b) && vector_covers(b, a);
}

bool
vector_saw(const struct vector *vector, struct version version)
{
	return vector_get(vector, version.origin).clock.v >= version.clock.v;
}
