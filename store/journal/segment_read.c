/* The reading side: any thread, beside the appender. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/journal/segment.h"

struct segment_reader {
	struct journal_reader base;
	struct segments *journal;
	struct segment *segment; /* a reference */
	struct frame_source source;
	uint64_t at; /* where in the segment the next frame is */
	uint64_t from; /* units that end before this are not wanted */
	uint64_t passed;
	uint64_t *tables; /* the filter, sorted; NULL: none */
	uint32_t n_tables;
	/* Where the wanted units of a sealed segment are; `offsets` is NULL when they are found by walking. */
	bool planned; /* `offsets` is settled for this segment */
	uint32_t *offsets;
	size_t n_offsets, next_offset;
};

static struct segments *
segments_of(const struct journal *journal)
{
	return (struct segments *)journal;
}

static struct segment_reader *
reader_of(struct journal_reader *reader)
{
	return (struct segment_reader *)reader;
}

uint64_t
segments_last_seq(const struct journal *journal)
{
	return atomic_load_explicit(&segments_of(journal)->last_seq, memory_order_acquire);
}

uint64_t
segments_bytes(const struct journal *journal)
{
	return atomic_load_explicit(&segments_of(journal)->bytes, memory_order_relaxed);
}

uint32_t
segments_holes(struct journal *journal, struct journal_hole *out, uint32_t max)
{
	struct segments *s = segments_of(journal);
	uint32_t n = 0;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n; i++) {
		if (s->list[i]->hole == NULL)
			continue;
		if (n < max)
			out[n] = *s->list[i]->hole;
		n++;
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

uint64_t
segments_first_seq(const struct journal *journal)
{
	struct segments *s = segments_of(journal);
	uint64_t seq;

	pthread_mutex_lock(&s->lock);
	seq = s->list[0]->index.first_seq;
	pthread_mutex_unlock(&s->lock);
	return seq;
}

/* ---- where to begin ---- */

uint64_t
segments_seek_origin(struct journal *journal, struct jid origin, uint64_t after)
{
	struct segments *s = segments_of(journal);
	uint64_t seq = 0;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n && seq == 0; i++) {
		const struct segment_index *index = &s->list[i]->index;

		/* Along one origin its sequences only grow, so the first segment that goes beyond is the one. */
		if (index->incomplete || segment_index_origin(index, origin) > after)
			seq = index->first_seq;
	}
	if (seq == 0)
		seq = s->list[s->n - 1]->index.last_seq + 1;
	/* This journal's own records have the same number as origin sequence and as sequence. */
	if (jid_same(origin, s->id)) {
		uint64_t first = s->list[0]->index.first_seq, end = s->list[s->n - 1]->index.last_seq + 1;

		seq = after >= end ? end : after + 1 < first ? first : after + 1;
	}
	pthread_mutex_unlock(&s->lock);
	return seq;
}

uint64_t
segments_seek_clock(struct journal *journal, struct hlc clock)
{
	struct segments *s = segments_of(journal);
	uint64_t seq = 0, hole = 0;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n && seq == 0; i++) {
		const struct segment_index *index = &s->list[i]->index;

		/* What a hole held nobody knows: it may be wanted with what comes after it. */
		if (s->list[i]->hole != NULL)
			hole = hole != 0 ? hole : index->first_seq;
		else if (index->n_units > 0 && index->clock_max.v >= clock.v)
			seq = hole != 0 ? hole : index->first_seq;
		else if (index->n_units > 0)
			hole = 0;
	}
	if (seq == 0)
		seq = s->list[s->n - 1]->index.last_seq + 1;
	pthread_mutex_unlock(&s->lock);
	return seq;
}

/* ---- moving between segments ---- */

/* The place in the list of the segment that holds `seq` or will; `lock` is held and list[0] is not beyond it. */
static size_t
list_place(const struct segments *s, uint64_t seq)
{
	size_t low = 0, high = s->n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (s->list[middle]->index.first_seq <= seq)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static void
forget_plan(struct segment_reader *r)
{
	free(r->offsets);
	r->offsets = NULL;
	r->n_offsets = r->next_offset = 0;
	r->planned = false;
}

/* Switch to the segment that holds sequence `seq`. TIDE_NOTFOUND: it was trimmed away. */
static tide_err
enter(struct segment_reader *r, uint64_t seq, struct tide_error *error)
{
	struct segments *s = r->journal;
	char path[SEGMENT_PATH_MAX];
	struct segment *segment;
	struct index_point point;
	int fd;

	pthread_mutex_lock(&s->lock);
	if (s->list[0]->index.first_seq > seq) {
		uint64_t first_seq = s->list[0]->index.first_seq;

		pthread_mutex_unlock(&s->lock);
		return tide_fail(error, TIDE_NOTFOUND, "journal %s: begins with %llu, after %llu", s->dir,
		    (unsigned long long)first_seq, (unsigned long long)seq);
	}
	segment = s->list[list_place(s, seq)];
	if (segment->hole != NULL) {
		tide_err rc = tide_fail(error, TIDE_CORRUPT, "%s", segment->hole->why);

		pthread_mutex_unlock(&s->lock);
		return rc;
	}
	point = segment_index_point(&segment->index, seq);
	/* Under the lock: once it is off the list its file may go. */
	fd = segment_path(s, segment->index.first_seq, "seg", path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		segment->refs++;
		if (r->segment != NULL)
			segment_unref(r->segment);
		r->segment = segment;
	}
	pthread_mutex_unlock(&s->lock);
	if (fd < 0)
		return tide_fail(error, errno == ENOMEM ? TIDE_NOMEM : TIDE_IO, "journal segment %s: %s",
		    path, strerror(errno));
	if (r->source.fd >= 0)
		close(r->source.fd);
	frame_source_reset(&r->source, fd);
	r->at = point.offset;
	r->passed = point.seq - 1;
	forget_plan(r);
	return TIDE_OK;
}

tide_err
segments_reader_open(
    struct journal *journal, uint64_t from, struct journal_reader **out, struct tide_error *error)
{
	struct segment_reader *r = calloc(1, sizeof *r);
	tide_err rc;

	if (r == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	r->base.plugin = &journal_segments;
	r->journal = segments_of(journal);
	r->source.fd = -1;
	r->from = from;
	if ((rc = enter(r, from, error)) != TIDE_OK) {
		segments_reader_close(&r->base);
		return rc;
	}
	*out = &r->base;
	return TIDE_OK;
}

void
segments_reader_close(struct journal_reader *reader)
{
	struct segment_reader *r = reader_of(reader);

	if (r->segment != NULL) {
		pthread_mutex_lock(&r->journal->lock);
		segment_unref(r->segment);
		pthread_mutex_unlock(&r->journal->lock);
	}
	if (r->source.fd >= 0)
		close(r->source.fd);
	frame_source_fini(&r->source);
	free(r->offsets);
	free(r->tables);
	free(r);
}

/* ---- the filter ---- */

static int
compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int
compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

tide_err
segments_reader_filter(struct journal_reader *reader, const uint64_t *tables, uint32_t n)
{
	struct segment_reader *r = reader_of(reader);
	uint64_t *copy = NULL;

	if (n > 0) {
		if ((copy = malloc(n * sizeof *copy)) == NULL)
			return TIDE_NOMEM;
		memcpy(copy, tables, n * sizeof *copy);
		qsort(copy, n, sizeof *copy, compare_u64);
	}
	free(r->tables);
	r->tables = copy;
	r->n_tables = n;
	forget_plan(r);
	return TIDE_OK;
}

static bool
wants_frame(const struct segment_reader *r, const struct frame *frame)
{
	if (frame->last_seq < r->from)
		return false;
	if (r->tables == NULL)
		return true;
	for (uint32_t i = 0; i < frame->n_tables; i++) {
		uint64_t table = frame_table(frame, i);

		if (bsearch(&table, r->tables, r->n_tables, sizeof table, compare_u64) != NULL)
			return true;
	}
	return false;
}

/* Does the segment hold any unit that the filter wants? Table ids of sealed segments are in memory. */
static bool
wants_segment(struct segment_reader *r)
{
	const struct segment_index *index = &r->segment->index;
	bool wants = false;

	pthread_mutex_lock(&r->journal->lock);
	if (index->incomplete)
		wants = true;
	for (uint32_t i = 0; i < r->n_tables && !wants; i++)
		wants = segment_index_table(index, r->tables[i]) != NULL;
	pthread_mutex_unlock(&r->journal->lock);
	return wants;
}

static bool
gather_offsets(struct segment_reader *r, const struct segment_index *index)
{
	size_t n = 0, kept = 0;

	for (uint32_t i = 0; i < r->n_tables; i++) {
		const struct index_table *t = segment_index_table(index, r->tables[i]);

		n += t != NULL ? t->n : 0;
	}
	if ((r->offsets = malloc((n > 0 ? n : 1) * sizeof *r->offsets)) == NULL)
		return false;
	n = 0;
	for (uint32_t i = 0; i < r->n_tables; i++) {
		const struct index_table *t = segment_index_table(index, r->tables[i]);

		if (t != NULL && t->n > 0) {
			memcpy(r->offsets + n, t->offsets, t->n * sizeof *t->offsets);
			n += t->n;
		}
	}
	if (n > 0)
		qsort(r->offsets, n, sizeof *r->offsets, compare_u32);
	/* A unit that touches two of the tables is there twice. */
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || r->offsets[kept - 1] != r->offsets[i])
			r->offsets[kept++] = r->offsets[i];
	}
	r->n_offsets = kept;
	return true;
}

/* Settle how to go through a sealed segment with a filter: not at all, by offsets, or (without its index) by walking. */
static void
plan(struct segment_reader *r)
{
	struct segment_index index;

	r->planned = true;
	if (!wants_segment(r)) {
		r->at = r->segment->index.end;
		r->passed = r->segment->index.last_seq;
		return;
	}
	if (segment_index_load(r->journal, r->segment->index.first_seq, &index) != TIDE_OK)
		return;
	gather_offsets(r, &index);
	segment_index_fini(&index);
}

/* ---- reading ---- */

static tide_err
damaged(const struct segment_reader *r, tide_err rc, struct tide_error *error)
{
	return tide_fail(error, rc, "journal segment %s/%020llu.seg: %s at byte %llu", r->journal->dir,
	    (unsigned long long)r->segment->index.first_seq,
	    rc == TIDE_CORRUPT ? "bad frame" : tide_err_text(rc), (unsigned long long)r->at);
}

/* Jump over what the index says is not wanted. */
static void
jump(struct segment_reader *r, uint64_t end)
{
	while (r->next_offset < r->n_offsets && r->offsets[r->next_offset] * (uint64_t)FRAME_ALIGN < r->at)
		r->next_offset++;
	r->at = r->next_offset < r->n_offsets ? r->offsets[r->next_offset] * (uint64_t)FRAME_ALIGN : end;
}

/* One frame at r->at, below `end`; `*wanted` tells whether `*payload` is a unit for the caller. */
static tide_err
read_frame(struct segment_reader *r, uint64_t end, struct bytes *payload, bool *wanted)
{
	struct frame frame;
	tide_err rc;

	if ((rc = frame_read_head(&r->source, r->journal->id, r->at, end, &frame)) != TIDE_OK)
		return rc;
	/* Frame by frame nothing may be missing; a jump may only go forward. */
	if (r->offsets == NULL ? frame.first_seq != r->passed + 1 : frame.first_seq <= r->passed)
		return TIDE_CORRUPT;
	*wanted = wants_frame(r, &frame);
	if (*wanted && (rc = frame_read_payload(&r->source, r->at, &frame, payload)) != TIDE_OK)
		return rc;
	r->at += frame.bytes;
	r->passed = frame.last_seq;
	return TIDE_OK;
}

/* What a reader has passed, as its caller sees it: not what lies before where it was opened. */
static void
tell_passed(const struct segment_reader *r, uint64_t *passed)
{
	if (passed != NULL)
		*passed = r->passed + 1 < r->from ? r->from - 1 : r->passed;
}

tide_err
segments_reader_next(
    struct journal_reader *reader, struct bytes *payload, uint64_t *passed, struct tide_error *error)
{
	struct segment_reader *r = reader_of(reader);
	bool wanted;
	tide_err rc;

	for (;;) {
		/* `sealed` before `end`: a sealed segment's end is final. */
		bool sealed = atomic_load_explicit(&r->segment->sealed, memory_order_acquire);
		uint64_t end = atomic_load_explicit(&r->segment->end, memory_order_acquire);

		if (sealed && r->tables != NULL && !r->planned)
			plan(r);
		if (r->offsets != NULL)
			jump(r, end);
		if (r->at < end) {
			if ((rc = read_frame(r, end, payload, &wanted)) != TIDE_OK)
				return damaged(r, rc, error);
			if (!wanted)
				continue;
			tell_passed(r, passed);
			return TIDE_OK;
		}
		if (!sealed) {
			tell_passed(r, passed);
			return tide_fail(error, TIDE_NOTFOUND, NULL);
		}
		if ((rc = enter(r, r->segment->index.last_seq + 1, error)) != TIDE_OK)
			return rc != TIDE_NOTFOUND
				   ? rc
				   : tide_fail(error, TIDE_GAP, "journal %s: trimmed beyond a reader at %llu",
					 r->journal->dir, (unsigned long long)r->passed);
	}
}
