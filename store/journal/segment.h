/*
 * The "segments" journal from inside: what its files share. Private to store/journal and its tests.
 *
 *     appender    writes at the end of the last segment, syncs, then publishes the new end (release)
 *     readers     each with an fd and a buffer of its own; read below the published end (acquire)
 *     lock        guards the list of segments, their reference counts and their indexes
 *
 * A segment leaves the list when it is trimmed, and memory when the last reader is done with it; its file lives
 * on for those that have it open.
 */
#ifndef TIDE_STORE_JOURNAL_SEGMENT_H
#define TIDE_STORE_JOURNAL_SEGMENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "store/journal/journal_plugin.h"
#include "store/journal/segment_index.h"

#define SEGMENT_BYTES_DEFAULT ((uint64_t)64 * 1024 * 1024)
#define SEGMENT_BYTES_MAX ((uint64_t)8 * 1024 * 1024 * 1024) /* offsets in an index are 32 bits of 8 bytes */
#define SEGMENT_PATH_MAX 4096

/* The calls that a disk can fail, so that tests can. */
struct segment_sys {
	ssize_t (*pwrite)(int fd, const void *at, size_t n, off_t offset);
	int (*fdatasync)(int fd);
	int (*fsync)(int fd);
	int (*ftruncate)(int fd, off_t length);
	int (*fallocate)(int fd, int mode, off_t offset, off_t n);
};

extern const struct segment_sys segment_sys_os;

struct segment {
	uint32_t refs; /* the list's and the readers' */
	struct segment_index index;
	_Atomic uint64_t end; /* synced bytes: what readers may read */
	atomic_bool sealed; /* stored after the last `end` */
	struct journal_hole *hole; /* it cannot be read; constant */
};

struct segments {
	struct journal base;
	char *dir;
	struct jid id;
	uint64_t segment_bytes;
	bool read_only;
	const struct segment_sys *sys;
	int lock_fd, dir_fd;

	pthread_mutex_t lock;
	struct segment **list; /* by sequence; the last is the one appended to */
	size_t n, room;
	bool unborn; /* the file of a segment after the last was dropped: nothing was ever in it */

	/* the appending thread's */
	int fd; /* of the last segment; -1 when read_only */
	uint64_t end; /* where the next frame goes */
	uint64_t allocated; /* file size, preallocated zeros included */
	bool unknown; /* an append's outcome is not known: no more of them */
	struct buf out; /* the frames of one append */

	_Atomic uint64_t last_seq, bytes;
};

/* segment_open.c */
tide_err segments_open_with(const struct segment_sys *sys, const char *dir,
    const struct journal_options *options, struct journal **out, struct tide_error *error);
tide_err segments_open(
    const char *dir, const struct journal_options *options, struct journal **out, struct tide_error *error);
void segments_close(struct journal *journal);

/** First sequences of all segment files, sorted; free(*names). TIDE_NOTFOUND: no folder. TIDE_IO, TIDE_NOMEM. */
tide_err segments_list(const char *dir, uint64_t **names, size_t *n);

/** dir/<first_seq>.<extension>; false: too long. */
bool segment_path(
    const struct segments *s, uint64_t first_seq, const char *extension, char path[SEGMENT_PATH_MAX]);

/** A new segment at the end of the list, its index empty. NULL: no memory. */
struct segment *segments_list_add(struct segments *s, uint64_t first_seq);

/** `lock` is held. The last reference frees. */
void segment_unref(struct segment *segment);

/** The index file of a sealed segment, with the offsets by table. TIDE_NOTFOUND, TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM. */
tide_err segment_index_load(const struct segments *s, uint64_t first_seq, struct segment_index *out);

/* segment_recover.c */

/* How far the good frames of a segment go. */
struct segment_walk {
	uint64_t at; /* where the first frame that is not good begins, or the end */
	uint64_t last_append; /* where the frames of the last append begin */
	tide_err rc; /* TIDE_OK: they go to the end */
};

/** Take all good frames up to `size` into the index. */
struct segment_walk segment_walk(
    const struct segments *s, struct frame_source *source, uint64_t size, struct segment_index *index);

/** Name the file and the offset of a frame that cannot be read. */
tide_err segment_fail_at(struct tide_error *error, tide_err rc, const char *path, uint64_t at);

/** TIDE_OK: what begins at `walk->at` is only the unfinished end of the last append; TIDE_CORRUPT: it is damage. */
tide_err segment_judge_tail(const struct segments *s, struct frame_source *source, const char *path,
    const struct segment_walk *walk, uint64_t size, const struct segment_index *index,
    struct tide_error *error);

/** Cut what was not finished, bring the rest to disk for certain, and give the file to the appender. */
tide_err segment_settle_tail(struct segments *s, int fd, const char *path, const struct segment_walk *walk,
    uint64_t size, struct tide_error *error);

/* segment_write.c */
tide_err segments_append(
    struct journal *journal, const struct journal_entry *entries, uint32_t n, struct tide_error *error);
tide_err segments_seal(struct journal *journal, struct tide_error *error);
tide_err segments_trim(struct journal *journal, uint64_t below_seq, struct tide_error *error);

/** Make the file of a new last segment and switch the appender to it; the list has it on TIDE_OK. */
tide_err segments_start(struct segments *s, uint64_t first_seq, struct tide_error *error);

/** Write an index beside its segment; a failure is logged, as the index can be built again. */
void segments_write_index(struct segments *s, const struct segment_index *index);

/** pwrite until all is written. False: errno says why. */
bool segments_write_all(const struct segment_sys *sys, int fd, const uint8_t *at, size_t n, uint64_t offset);

/** What an errno of a failed write means. */
tide_err segments_errno(int error_number);

/* segment_read.c */
tide_err segments_reader_open(
    struct journal *journal, uint64_t from, struct journal_reader **out, struct tide_error *error);
tide_err segments_reader_filter(struct journal_reader *reader, const uint64_t *tables, uint32_t n);
tide_err segments_reader_next(
    struct journal_reader *reader, struct bytes *payload, uint64_t *passed, struct tide_error *error);
void segments_reader_close(struct journal_reader *reader);
uint32_t segments_holes(struct journal *journal, struct journal_hole *out, uint32_t max);
uint64_t segments_first_seq(const struct journal *journal);
uint64_t segments_last_seq(const struct journal *journal);
uint64_t segments_bytes(const struct journal *journal);
uint64_t segments_seek_origin(struct journal *journal, struct jid origin, uint64_t after);
uint64_t segments_seek_clock(struct journal *journal, struct hlc clock);

#endif
