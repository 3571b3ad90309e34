/* Opening a journal folder: lock it, list its segments, load or rebuild the indexes of the sealed ones. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/journal/segment.h"

#define NAME_DIGITS 20
#define INDEX_BYTES_MAX ((off_t)1024 * 1024 * 1024)

bool
segment_path(const struct segments *s, uint64_t first_seq, const char *extension, char path[SEGMENT_PATH_MAX])
{
	int n = snprintf(path, SEGMENT_PATH_MAX, "%s/%0*llu.%s", s->dir, NAME_DIGITS,
	    (unsigned long long)first_seq, extension);

	return n > 0 && n < SEGMENT_PATH_MAX;
}

void
segment_unref(struct segment *segment)
{
	if (--segment->refs > 0)
		return;
	segment_index_fini(&segment->index);
	free(segment->hole);
	free(segment);
}

struct segment *
segments_list_add(struct segments *s, uint64_t first_seq)
{
	struct segment *segment = calloc(1, sizeof *segment);

	if (segment == NULL)
		return NULL;
	pthread_mutex_lock(&s->lock);
	if (s->n == s->room) {
		size_t room = s->room == 0 ? 16 : s->room * 2;
		struct segment **list = realloc(s->list, room * sizeof *list);

		if (list == NULL) {
			pthread_mutex_unlock(&s->lock);
			free(segment);
			return NULL;
		}
		s->list = list;
		s->room = room;
	}
	segment->refs = 1;
	segment_index_init(&segment->index, first_seq);
	s->list[s->n++] = segment;
	pthread_mutex_unlock(&s->lock);
	return segment;
}

/* ---- files ---- */

/* Errors of one segment file, named. */
static tide_err
fail_file(struct tide_error *error, tide_err rc, const char *path, const char *why)
{
	return tide_fail(error, rc, "journal segment %s: %s", path, why);
}

static tide_err
read_whole(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	tide_err rc = TIDE_OK;

	if (fd < 0)
		return errno == ENOENT ? TIDE_NOTFOUND : TIDE_IO;
	if (fstat(fd, &st) != 0)
		rc = TIDE_IO;
	else if (st.st_size > INDEX_BYTES_MAX)
		rc = TIDE_CORRUPT;
	else if (buf_reserve(out, (size_t)st.st_size + 1) == NULL)
		rc = TIDE_NOMEM;
	while (rc == TIDE_OK && out->n < (size_t)st.st_size) {
		ssize_t got = read(fd, out->at + out->n, (size_t)st.st_size - out->n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			rc = got < 0 ? TIDE_IO : TIDE_CORRUPT;
		else
			out->n += (size_t)got;
	}
	close(fd);
	return rc;
}

tide_err
segment_index_load(const struct segments *s, uint64_t first_seq, struct segment_index *out)
{
	char path[SEGMENT_PATH_MAX];
	struct buf file = {0};
	tide_err rc;

	if (!segment_path(s, first_seq, "idx", path))
		return TIDE_IO;
	rc = read_whole(path, &file);
	if (rc == TIDE_OK)
		rc = segment_index_decode(buf_bytes(&file), s->id, first_seq, out);
	buf_fini(&file);
	return rc;
}

/* The header of an open segment file. TIDE_CORRUPT: torn or damaged, for the caller to judge. */
static tide_err
read_header(int fd, const char *path, struct jid *id, uint64_t *first_seq, struct tide_error *error)
{
	uint8_t header[SEGMENT_HEADER_BYTES];
	ssize_t got = pread(fd, header, sizeof header, 0);
	tide_err rc;

	if (got < 0)
		return fail_file(error, TIDE_IO, path, strerror(errno));
	rc = got < (ssize_t)sizeof header ? TIDE_CORRUPT : segment_header_parse(header, id, first_seq);
	if (rc != TIDE_OK)
		return fail_file(error, rc, path, rc == TIDE_FORMAT ? "a newer format" : "bad header");
	return TIDE_OK;
}

static tide_err
check_header(const struct segments *s, int fd, const char *path, uint64_t first_seq, struct tide_error *error)
{
	uint64_t says;
	struct jid id;
	tide_err rc = read_header(fd, path, &id, &says, error);

	if (rc != TIDE_OK)
		return rc;
	if (!jid_same(id, s->id))
		return tide_fail(error, TIDE_FENCED,
		    "journal segment %s: belongs to journal %08x, not to %08x", path, id.v, s->id.v);
	if (says != first_seq)
		return fail_file(error, TIDE_CORRUPT, path, "its name and its header differ");
	return TIDE_OK;
}

/* ---- segments ---- */

static tide_err
rebuild_index(struct segments *s, int fd, const char *path, uint64_t size, struct segment_index *index,
    struct tide_error *error)
{
	struct frame_source source = {.fd = fd};
	struct segment_walk walk = segment_walk(s, &source, size, index);

	frame_source_fini(&source);
	if (walk.rc != TIDE_OK)
		return segment_fail_at(error, walk.rc, path, walk.at);
	if (!s->read_only)
		segments_write_index(s, index);
	segment_index_drop_offsets(index);
	return TIDE_OK;
}

static tide_err
open_sealed(struct segments *s, struct segment *segment, int fd, const char *path, struct tide_error *error)
{
	uint64_t first_seq = segment->index.first_seq;
	struct segment_index index;
	struct stat st;
	tide_err rc;

	if ((rc = check_header(s, fd, path, first_seq, error)) != TIDE_OK)
		return rc;
	if (fstat(fd, &st) != 0)
		return fail_file(error, TIDE_IO, path, strerror(errno));
	rc = segment_index_load(s, first_seq, &index);
	if (rc == TIDE_OK && index.end == (uint64_t)st.st_size) {
		segment_index_fini(&segment->index);
		segment->index = index;
		segment_index_drop_offsets(&segment->index);
	} else {
		if (rc == TIDE_OK)
			segment_index_fini(&index);
		rc = rebuild_index(s, fd, path, (uint64_t)st.st_size, &segment->index, error);
		if (rc != TIDE_OK)
			return rc;
		log_info("JOURNAL-INDEX-BUILT", "path=%s units=%llu", path,
		    (unsigned long long)segment->index.n_units);
	}
	atomic_store(&segment->end, segment->index.end);
	atomic_store(&segment->sealed, true);
	return TIDE_OK;
}

/* The index of a segment is written when the one after it is there, on disk. */
static tide_err
check_is_last(
    const struct segments *s, const struct segment *segment, const char *path, struct tide_error *error)
{
	struct segment_index index;
	uint64_t end;

	if (s->unborn || segment_index_load(s, segment->index.first_seq, &index) != TIDE_OK)
		return TIDE_OK;
	end = index.last_seq;
	segment_index_fini(&index);
	return tide_fail(error, TIDE_CORRUPT,
	    "journal segment %s: was sealed at sequence %llu, and the one after it is missing", path,
	    (unsigned long long)end);
}

static tide_err
open_last(struct segments *s, struct segment *segment, int fd, const char *path, struct tide_error *error)
{
	struct frame_source source = {.fd = fd};
	struct segment_walk walk;
	struct stat st;
	tide_err rc;

	if ((rc = check_header(s, fd, path, segment->index.first_seq, error)) != TIDE_OK)
		return rc;
	if (fstat(fd, &st) != 0)
		return fail_file(error, TIDE_IO, path, strerror(errno));
	walk = segment_walk(s, &source, (uint64_t)st.st_size, &segment->index);
	rc = segment_judge_tail(s, &source, path, &walk, (uint64_t)st.st_size, &segment->index, error);
	frame_source_fini(&source);
	if (rc == TIDE_OK)
		rc = check_is_last(s, segment, path, error);
	if (rc == TIDE_OK && !s->read_only)
		rc = segment_settle_tail(s, fd, path, &walk, (uint64_t)st.st_size, error);
	if (rc != TIDE_OK)
		return rc;
	atomic_store(&segment->end, walk.at);
	atomic_store(&s->last_seq, segment->index.last_seq);
	return TIDE_OK;
}

/* ---- the folder ---- */

struct names {
	uint64_t *at;
	size_t n, room;
};

static bool
name_parse(const char *name, const char *extension, uint64_t *seq)
{
	uint64_t v = 0;

	if (strlen(name) != NAME_DIGITS + strlen(extension) || strcmp(name + NAME_DIGITS, extension) != 0)
		return false;
	for (int i = 0; i < NAME_DIGITS; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(name[i] - '0');
	}
	*seq = v;
	return true;
}

static int
compare_seq(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* First sequences of all segment files, sorted. */
static tide_err
list_names(const char *dir, struct names *out)
{
	struct dirent *entry;
	tide_err rc = TIDE_OK;
	uint64_t seq;
	DIR *d = opendir(dir);

	if (d == NULL)
		return errno == ENOENT ? TIDE_NOTFOUND : TIDE_IO;
	while (rc == TIDE_OK && (entry = readdir(d)) != NULL) {
		if (!name_parse(entry->d_name, ".seg", &seq))
			continue;
		if (out->n == out->room) {
			size_t room = out->room == 0 ? 64 : out->room * 2;
			uint64_t *at = realloc(out->at, room * sizeof *at);

			if (at == NULL) {
				rc = TIDE_NOMEM;
				break;
			}
			out->at = at;
			out->room = room;
		}
		out->at[out->n++] = seq;
	}
	closedir(d);
	if (out->n > 0)
		qsort(out->at, out->n, sizeof *out->at, compare_seq);
	return rc;
}

tide_err
segments_list(const char *dir, uint64_t **names, size_t *n)
{
	struct names found = {0};
	tide_err rc = list_names(dir, &found);

	if (rc != TIDE_OK) {
		free(found.at);
		return rc;
	}
	*names = found.at;
	*n = found.n;
	return TIDE_OK;
}

/* The last file with no valid header and no frame was being made when the power went: nothing was ever in it. */
static tide_err
drop_unborn(struct segments *s, struct names *names, struct tide_error *error)
{
	struct frame_source source = {0};
	char path[SEGMENT_PATH_MAX];
	struct stat st;
	uint64_t seq, found;
	struct jid id;
	tide_err rc;

	if (names->n == 0)
		return TIDE_OK;
	if (!segment_path(s, names->at[names->n - 1], "seg", path))
		return tide_fail(error, TIDE_IO, "journal %s: the path is too long", s->dir);
	if ((source.fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return fail_file(error, TIDE_IO, path, strerror(errno));
	rc = read_header(source.fd, path, &id, &seq, error);
	if (rc == TIDE_CORRUPT && fstat(source.fd, &st) == 0 &&
	    frame_find_later(&source, s->id, 0, (uint64_t)st.st_size, 0, &found) == TIDE_NOTFOUND) {
		rc = TIDE_OK;
		names->n--;
		s->unborn = true;
		log_info("JOURNAL-CUT", "path=%s at=0 bytes=%llu", path, (unsigned long long)st.st_size);
		if (!s->read_only && unlink(path) != 0)
			rc = fail_file(error, TIDE_IO, path, strerror(errno));
	}
	close(source.fd);
	frame_source_fini(&source);
	return rc;
}

/* Sequences `first_seq` to `last_seq` cannot be read. */
static tide_err
add_hole(struct segments *s, struct segment *segment, uint64_t first_seq, uint64_t last_seq, const char *why,
    struct tide_error *error)
{
	struct journal_hole *hole = calloc(1, sizeof *hole);

	if (hole == NULL || (segment == NULL && (segment = segments_list_add(s, first_seq)) == NULL)) {
		free(hole);
		return tide_fail(error, TIDE_NOMEM, NULL);
	}
	hole->first_seq = first_seq;
	hole->last_seq = last_seq;
	snprintf(hole->why, sizeof hole->why, "%.*s", (int)sizeof hole->why - 1, why);
	log_err("JOURNAL-DAMAGED", "from=%llu to=%llu why=\"%s\"", (unsigned long long)first_seq,
	    (unsigned long long)last_seq, hole->why);
	segment_index_fini(&segment->index);
	segment_index_init(&segment->index, first_seq);
	segment->index.last_seq = last_seq;
	segment->index.incomplete = true; /* what is in it nobody knows */
	segment->hole = hole;
	atomic_store(&segment->end, SEGMENT_HEADER_BYTES);
	atomic_store(&segment->sealed, true);
	return TIDE_OK;
}

/* What lies between the list's last segment and the one that begins with `first_seq` is not there. */
static tide_err
check_next(struct segments *s, uint64_t first_seq, struct tide_error *error)
{
	char why[SEGMENT_PATH_MAX + 64];
	uint64_t last_seq;

	if (s->n == 0 || (last_seq = s->list[s->n - 1]->index.last_seq) + 1 == first_seq)
		return TIDE_OK;
	if (first_seq <= last_seq)
		return tide_fail(error, TIDE_CORRUPT,
		    "journal %s: a segment begins with %llu where %llu comes next", s->dir,
		    (unsigned long long)first_seq, (unsigned long long)last_seq + 1);
	snprintf(why, sizeof why, "journal %s: no segment begins with %llu, the next one with %llu", s->dir,
	    (unsigned long long)last_seq + 1, (unsigned long long)first_seq);
	return add_hole(s, NULL, last_seq + 1, first_seq - 1, why, error);
}

/* `next`: where the segment after it begins; 0: it is the last. */
static tide_err
open_segment(struct segments *s, uint64_t first_seq, uint64_t next, struct tide_error *error)
{
	char path[SEGMENT_PATH_MAX];
	struct segment *segment;
	tide_err rc;
	int fd;

	if (!segment_path(s, first_seq, "seg", path))
		return tide_fail(error, TIDE_IO, "journal %s: the path is too long", s->dir);
	if ((rc = check_next(s, first_seq, error)) != TIDE_OK)
		return rc;
	if ((segment = segments_list_add(s, first_seq)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	if ((fd = open(path, (s->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC)) < 0)
		return fail_file(error, TIDE_IO, path, strerror(errno));
	rc = next == 0 ? open_last(s, segment, fd, path, error) : open_sealed(s, segment, fd, path, error);
	/* A segment that goes on into its successor is as wrong as one that ends early. */
	if (rc == TIDE_OK && next != 0 && segment->index.last_seq >= next)
		rc = fail_file(error, TIDE_CORRUPT, path, "it goes beyond the segment after it");
	if (rc == TIDE_CORRUPT && next != 0) {
		char why[sizeof error->message];

		memcpy(why, error->message, sizeof why);
		rc = add_hole(s, segment, first_seq, next - 1, why, error);
	}
	if (fd != s->fd)
		close(fd);
	return rc;
}

static tide_err
open_all(struct segments *s, bool create, struct tide_error *error)
{
	struct names names = {0};
	tide_err rc = list_names(s->dir, &names);

	if (rc != TIDE_OK)
		rc = tide_fail(error, rc, "journal %s: %s", s->dir, tide_err_text(rc));
	else
		rc = drop_unborn(s, &names, error);
	for (size_t i = 0; rc == TIDE_OK && i < names.n; i++)
		rc = open_segment(s, names.at[i], i + 1 < names.n ? names.at[i + 1] : 0, error);
	if (rc == TIDE_OK && names.n == 0) {
		if (create && !s->read_only)
			rc = segments_start(s, 1, error);
		else
			rc = tide_fail(error, TIDE_NOTFOUND, "journal %s: there is none", s->dir);
	}
	free(names.at);
	return rc;
}

/* The folder itself, made where wanted; its entry in its parent is synced. */
static tide_err
open_folder(struct segments *s, bool create, struct tide_error *error)
{
	char parent[SEGMENT_PATH_MAX];
	int fd;

	if (create && mkdir(s->dir, 0750) == 0) {
		if ((size_t)snprintf(parent, sizeof parent, "%s/..", s->dir) >= sizeof parent)
			return tide_fail(error, TIDE_IO, "journal %s: the path is too long", s->dir);
		if ((fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || fsync(fd) != 0) {
			if (fd >= 0)
				close(fd);
			return tide_fail(error, TIDE_IO, "journal %s: %s", s->dir, strerror(errno));
		}
		close(fd);
	}
	if ((s->dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return tide_fail(error, errno == ENOENT ? TIDE_NOTFOUND : segments_errno(errno),
		    "journal %s: %s", s->dir, strerror(errno));
	if (s->read_only)
		return TIDE_OK;
	if ((s->lock_fd = openat(s->dir_fd, "LOCK", O_RDWR | O_CREAT | O_CLOEXEC, 0640)) < 0)
		return tide_fail(
		    error, segments_errno(errno), "journal %s: LOCK: %s", s->dir, strerror(errno));
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return tide_fail(error, errno == EWOULDBLOCK ? TIDE_FENCED : TIDE_IO,
		    "journal %s: is open in another process or twice in this one: %s", s->dir,
		    strerror(errno));
	return TIDE_OK;
}

tide_err
segments_open_with(const struct segment_sys *sys, const char *dir, const struct journal_options *options,
    struct journal **out, struct tide_error *error)
{
	struct segments *s = calloc(1, sizeof *s);
	tide_err rc;

	if (s == NULL || (s->dir = strdup(dir)) == NULL) {
		free(s);
		return tide_fail(error, TIDE_NOMEM, NULL);
	}
	s->base.plugin = &journal_segments;
	s->sys = sys;
	s->id = options->id;
	s->read_only = options->read_only;
	s->segment_bytes = options->segment_bytes != 0 ? options->segment_bytes : SEGMENT_BYTES_DEFAULT;
	if (s->segment_bytes > SEGMENT_BYTES_MAX)
		s->segment_bytes = SEGMENT_BYTES_MAX;
	s->fd = s->dir_fd = s->lock_fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	rc = open_folder(s, options->create, error);
	if (rc == TIDE_OK)
		rc = open_all(s, options->create, error);
	if (rc != TIDE_OK) {
		segments_close(&s->base);
		/* "Unknown" is what an append can be; an opening that fails has only failed. */
		return rc == TIDE_UNKNOWN ? tide_fail(error, TIDE_IO, "journal %s: a sync failed", dir) : rc;
	}
	*out = &s->base;
	return TIDE_OK;
}

tide_err
segments_open(
    const char *dir, const struct journal_options *options, struct journal **out, struct tide_error *error)
{
	return segments_open_with(&segment_sys_os, dir, options, out, error);
}

void
segments_close(struct journal *journal)
{
	struct segments *s = (struct segments *)journal;

	for (size_t i = 0; i < s->n; i++)
		segment_unref(s->list[i]);
	free(s->list);
	if (s->fd >= 0) {
		/* Preallocated zeros are no use to the next open, which would cut them anyway. */
		if (!s->unknown && s->allocated > s->end && s->sys->ftruncate(s->fd, (off_t)s->end) != 0)
			log_warn("JOURNAL-CLOSE", "dir=%s why=\"%s\"", s->dir, strerror(errno));
		close(s->fd);
	}
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	buf_fini(&s->out);
	pthread_mutex_destroy(&s->lock);
	free(s->dir);
	free(s);
}

tide_err
segments_peek_id(const char *dir, struct jid *id, struct tide_error *error)
{
	struct segments s = {.dir = (char *)dir};
	char path[SEGMENT_PATH_MAX];
	struct names names = {0};
	tide_err rc = list_names(dir, &names);
	uint64_t seq;
	int fd;

	if (rc != TIDE_OK)
		rc = tide_fail(error, rc, "journal %s: %s", dir, tide_err_text(rc));
	else if (names.n == 0)
		rc = tide_fail(error, TIDE_NOTFOUND, "journal %s: there is none", dir);
	/* The newest first; only the last may lack a header, when it was being made as the power went. */
	for (size_t i = names.n; rc == TIDE_OK && i-- > 0;) {
		if (!segment_path(&s, names.at[i], "seg", path) ||
		    (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
			rc = fail_file(error, TIDE_IO, dir, strerror(errno));
			break;
		}
		rc = read_header(fd, path, id, &seq, error);
		close(fd);
		if (rc == TIDE_CORRUPT && i > 0 && i + 1 == names.n)
			rc = TIDE_OK;
		else if (rc == TIDE_CORRUPT && names.n == 1)
			rc = TIDE_NOTFOUND;
		else
			break;
	}
	free(names.at);
	return rc;
}

const struct journal_plugin journal_segments = {
    .name = "segments",
    .open = segments_open,
    .close = segments_close,
    .append = segments_append,
    .holes = segments_holes,
    .first_seq = segments_first_seq,
    .last_seq = segments_last_seq,
    .bytes = segments_bytes,
    .seal = segments_seal,
    .trim = segments_trim,
    .reader_open = segments_reader_open,
    .reader_filter = segments_reader_filter,
    .reader_next = segments_reader_next,
    .reader_close = segments_reader_close,
    .seek_origin = segments_seek_origin,
    .seek_clock = segments_seek_clock,
};
