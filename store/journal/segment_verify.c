/*
 * Every segment file of a folder read from end to end, whatever is wrong with it: what is damaged is named by file, offset and the sequences
 * that are lost with it. Behind damage the next whole frame is looked for, as each carries its own sequence.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/journal/segment.h"

struct verify {
	struct jid id;
	const char *dir;
	journal_damage_fn tell;
	void *arg;
	uint64_t next; /* the sequence that comes next; 0: not known yet */
};

static void __attribute__((format(printf, 4, 5)))
tell(struct verify *v, uint64_t first_seq, uint64_t last_seq, const char *format, ...)
{
	char what[SEGMENT_PATH_MAX + 128];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	v->tell(v->arg, first_seq, last_seq, what);
}

/* One whole frame at `at`. */
static tide_err
read_frame(struct verify *v, struct frame_source *source, uint64_t at, uint64_t size, struct frame *frame)
{
	struct bytes payload;
	tide_err rc = frame_read_head(source, v->id, at, size, frame);

	return rc == TIDE_OK ? frame_read_payload(source, at, frame, &payload) : rc;
}

/*
 * The frames of one file. `after`: the sequence with which the next file begins; 0: it is the last, and may end with what an append left
 * unfinished.
 */
static tide_err
verify_frames(struct verify *v, struct frame_source *source, const char *path, uint64_t size, uint64_t after)
{
	uint64_t at = SEGMENT_HEADER_BYTES, found;
	struct frame frame;
	tide_err rc;

	while (at < size) {
		rc = read_frame(v, source, at, size, &frame);
		if (rc == TIDE_OK && frame.first_seq == v->next) {
			v->next = frame.last_seq + 1;
			at += frame.bytes;
			continue;
		}
		if (rc != TIDE_OK && rc != TIDE_CORRUPT)
			return rc;
		rc = frame_find_later(source, v->id, rc == TIDE_OK ? at : at + FRAME_ALIGN, size,
		    after == 0 ? v->next : 0, &found);
		if (rc == TIDE_OK)
			rc = read_frame(v, source, found, size, &frame);
		if (rc != TIDE_OK && rc != TIDE_NOTFOUND)
			return rc;
		if (rc == TIDE_NOTFOUND || frame.first_seq < v->next)
			break;
		tell(v, v->next, frame.first_seq - 1, "journal segment %s: bytes %llu to %llu", path,
		    (unsigned long long)at, (unsigned long long)found);
		v->next = frame.last_seq + 1;
		at = found + frame.bytes;
	}
	if (after != 0 && v->next < after)
		tell(v, v->next, after - 1, "journal segment %s: from byte %llu on", path,
		    (unsigned long long)at);
	return TIDE_OK;
}

static tide_err
verify_file(struct verify *v, uint64_t first_seq, uint64_t after, struct tide_error *error)
{
	struct segments named = {.dir = (char *)(uintptr_t)v->dir};
	struct frame_source source = {0};
	uint8_t header[SEGMENT_HEADER_BYTES];
	char path[SEGMENT_PATH_MAX];
	uint64_t says = 0;
	struct jid id = {0};
	struct stat st;
	tide_err rc;

	if (!segment_path(&named, first_seq, "seg", path))
		return tide_fail(error, TIDE_IO, "journal %s: the path is too long", v->dir);
	if (v->next != 0 && v->next < first_seq)
		tell(v, v->next, first_seq - 1, "journal %s: no segment begins with %llu", v->dir,
		    (unsigned long long)v->next);
	if ((source.fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return tide_fail(error, TIDE_IO, "%s: %s", path, strerror(errno));
	v->next = first_seq;
	if (fstat(source.fd, &st) != 0)
		rc = TIDE_IO;
	else if (pread(source.fd, header, sizeof header, 0) != (ssize_t)sizeof header ||
		 segment_header_parse(header, &id, &says) != TIDE_OK || says != first_seq ||
		 !jid_same(id, v->id)) {
		/* A last file without a header and without a frame was being made. */
		if (after != 0 ||
		    frame_find_later(&source, v->id, 0, (uint64_t)st.st_size, 0, &says) == TIDE_OK)
			tell(v, first_seq, after != 0 ? after - 1 : first_seq,
			    "journal segment %s: bad header", path);
		v->next = after;
		rc = TIDE_OK;
	} else
		rc = verify_frames(v, &source, path, (uint64_t)st.st_size, after);
	close(source.fd);
	frame_source_fini(&source);
	if (after != 0)
		v->next = after;
	return rc == TIDE_OK ? TIDE_OK
			     : tide_fail(error, rc, "journal segment %s: %s", path, tide_err_text(rc));
}

tide_err
journal_verify(
    const char *dir, struct jid id, journal_damage_fn tell_damage, void *arg, struct tide_error *error)
{
	struct verify v = {.dir = dir, .id = id, .tell = tell_damage, .arg = arg};
	uint64_t *names = NULL;
	size_t n = 0;
	tide_err rc = segments_list(dir, &names, &n);

	if (rc != TIDE_OK)
		tide_fail(error, rc, "journal %s: %s", dir, tide_err_text(rc));
	for (size_t i = 0; rc == TIDE_OK && i < n; i++)
		rc = verify_file(&v, names[i], i + 1 < n ? names[i + 1] : 0, error);
	free(names);
	return rc;
}
