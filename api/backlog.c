#include "api/backlog.h"

#include <stdlib.h>
#include <string.h>

static tide_err
grow(struct backlog *backlog)
{
	uint32_t room = backlog->room == 0 ? 8 : backlog->room * 2;
	struct backlog_mark *marks = realloc(backlog->marks, room * sizeof *marks);

	if (marks == NULL)
		return TIDE_NOMEM;
	backlog->marks = marks;
	backlog->room = room;
	return TIDE_OK;
}

/* Every second mark goes; the first one stays. */
static void
thin(struct backlog *backlog)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < backlog->n_marks; i += 2)
		backlog->marks[kept++] = backlog->marks[i];
	backlog->n_marks = kept;
	backlog->stride *= 2;
}

tide_err
backlog_add(struct backlog *backlog, uint64_t seq, uint64_t prev)
{
	if (backlog->n_marks == backlog->room && backlog->room < BACKLOG_MARKS && grow(backlog) != TIDE_OK)
		return TIDE_NOMEM;
	if (backlog->n_marks == 0 || seq <= backlog->last_seq) {
		backlog->marks[0] = (struct backlog_mark){prev, 0};
		backlog->n_marks = 1;
		backlog->n = 0;
		backlog->stride = 1;
	}
	backlog->n++;
	backlog->last_seq = seq;
	if (backlog->n - backlog->marks[backlog->n_marks - 1].n < backlog->stride)
		return TIDE_OK;
	if (backlog->n_marks == BACKLOG_MARKS)
		thin(backlog);
	if (backlog->n_marks == backlog->room && grow(backlog) != TIDE_OK)
		return TIDE_OK; /* a mark less */
	backlog->marks[backlog->n_marks++] = (struct backlog_mark){seq, backlog->n};
	return TIDE_OK;
}

/* The last mark at or below `seq`; the first one if there is none. */
static uint32_t
find(const struct backlog *backlog, uint64_t seq)
{
	uint32_t low = 0, high = backlog->n_marks;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (backlog->marks[middle].seq <= seq)
			low = middle;
		else
			high = middle;
	}
	return low;
}

uint64_t
backlog_above(const struct backlog *backlog, uint64_t seq, uint64_t last)
{
	const struct backlog_mark *mark;

	if (seq >= last || (backlog->n_marks > 0 && seq >= backlog->last_seq))
		return 0;
	if (backlog->n_marks == 0)
		return last - seq;
	mark = &backlog->marks[find(backlog, seq)];
	return backlog->n - mark->n + (seq < mark->seq ? mark->seq - seq : 0);
}

void
backlog_forget(struct backlog *backlog, uint64_t seq)
{
	uint32_t first;

	if (backlog->n_marks == 0)
		return;
	if (seq >= backlog->last_seq) { /* nobody lacks anything */
		backlog->marks[0] = (struct backlog_mark){backlog->last_seq, backlog->n};
		backlog->n_marks = 1;
		backlog->stride = 1;
		return;
	}
	if ((first = find(backlog, seq)) == 0)
		return;
	memmove(backlog->marks, &backlog->marks[first], (backlog->n_marks - first) * sizeof *backlog->marks);
	backlog->n_marks -= first;
	while (
	    backlog->stride > 1 && (backlog->n - backlog->marks[0].n) / backlog->stride < BACKLOG_MARKS / 4)
		backlog->stride /= 2;
}

void
backlog_fini(struct backlog *backlog)
{
	free(backlog->marks);
	*backlog = (struct backlog){0};
}
