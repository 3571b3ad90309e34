/*
 * Recovering a segment from its frames.
 *
 * The last segment's end, case by case (G: good frame, x: bad bytes, 0: preallocated zeros; | begins an append):
 *
 *     |G G |G 000      nothing was lost: cut the zeros
 *     |G G |G x 000    an append was not finished: cut at x; its whole units before x may stay
 *     |G G |x G 000    the same: a power cut keeps any part of an unfinished append
 *     |G G x |G 000    x lies before a later append, so it had been synced: damage
 *
 * The bytes of the last append are written once more and synced: had their first sync failed, the kernel would take the
 * cached pages for clean, and the disk would not have what we read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "store/journal/segment.h"

#define REWRITE_BYTES ((size_t)1024 * 1024)

struct segment_walk
segment_walk(
    const struct segments *s, struct frame_source *source, uint64_t size, struct segment_index *index)
{
	struct segment_walk walk = {.at = SEGMENT_HEADER_BYTES, .last_append = SEGMENT_HEADER_BYTES};
	struct bytes payload;
	struct frame frame;

	while (walk.at < size) {
		walk.rc = frame_read_head(source, s->id, walk.at, size, &frame);
		if (walk.rc == TIDE_OK)
			walk.rc = frame_read_payload(source, walk.at, &frame, &payload);
		if (walk.rc == TIDE_OK && frame.first_seq != index->last_seq + 1)
			walk.rc = TIDE_CORRUPT;
		if (walk.rc != TIDE_OK)
			break;
		if (frame.append_seq == frame.first_seq)
			walk.last_append = walk.at;
		segment_index_add(index, &frame, walk.at);
		walk.at += frame.bytes;
	}
	return walk;
}

tide_err
segment_fail_at(struct tide_error *error, tide_err rc, const char *path, uint64_t at)
{
	return tide_fail(error, rc, "journal segment %s: %s at byte %llu", path,
	    rc == TIDE_CORRUPT ? "bad frame" : tide_err_text(rc), (unsigned long long)at);
}

tide_err
segment_judge_tail(const struct segments *s, struct frame_source *source, const char *path,
    const struct segment_walk *walk, uint64_t size, const struct segment_index *index,
    struct tide_error *error)
{
	struct segment_index written;
	uint64_t later = 0;
	tide_err rc;

	if (walk->rc != TIDE_OK && walk->rc != TIDE_CORRUPT)
		return segment_fail_at(error, walk->rc, path, walk->at);
	/* The next append would begin with the next sequence: a frame of a later one had the bad bytes synced before it. */
	rc = frame_find_later(source, s->id, walk->at, size, index->last_seq + 1, &later);
	if (rc == TIDE_OK)
		return tide_fail(error, TIDE_CORRUPT,
		    "journal segment %s: bad frame at byte %llu, before a good one at byte %llu", path,
		    (unsigned long long)walk->at, (unsigned long long)later);
	if (rc != TIDE_NOTFOUND)
		return segment_fail_at(error, rc, path, walk->at);
	/* An index is written when all before its end is synced. */
	if (segment_index_load(s, index->first_seq, &written) == TIDE_OK) {
		bool short_of = written.end > walk->at;

		segment_index_fini(&written);
		if (short_of)
			return segment_fail_at(error, TIDE_CORRUPT, path, walk->at);
	}
	return TIDE_OK;
}

static bool
rewrite(const struct segments *s, int fd, uint64_t at, uint64_t end)
{
	size_t room = end - at < REWRITE_BYTES ? (size_t)(end - at) : REWRITE_BYTES;
	uint8_t *buf = malloc(room > 0 ? room : 1);
	bool ok = buf != NULL;

	while (ok && at < end) {
		size_t want = end - at < room ? (size_t)(end - at) : room;
		ssize_t got = pread(fd, buf, want, (off_t)at);

		ok = got > 0 && segments_write_all(s->sys, fd, buf, (size_t)got, at);
		at += ok ? (uint64_t)got : 0;
	}
	free(buf);
	return ok;
}

tide_err
segment_settle_tail(struct segments *s, int fd, const char *path, const struct segment_walk *walk,
    uint64_t size, struct tide_error *error)
{
	if (size > walk->at) {
		log_info("JOURNAL-CUT", "path=%s at=%llu bytes=%llu", path, (unsigned long long)walk->at,
		    (unsigned long long)(size - walk->at));
		if (s->sys->ftruncate(fd, (off_t)walk->at) != 0)
			return tide_fail(error, TIDE_IO, "journal segment %s: %s", path, strerror(errno));
	}
	if (!rewrite(s, fd, 0, SEGMENT_HEADER_BYTES) || !rewrite(s, fd, walk->last_append, walk->at) ||
	    s->sys->fsync(fd) != 0 || s->sys->fsync(s->dir_fd) != 0)
		return tide_fail(
		    error, segments_errno(errno), "journal segment %s: %s", path, strerror(errno));
	s->fd = fd;
	s->end = s->allocated = walk->at;
	return TIDE_OK;
}
