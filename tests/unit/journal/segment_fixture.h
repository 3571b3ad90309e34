/* Segment files of a test's own, and hands that cut, damage and remove them. Failures end the test. */
#ifndef TIDE_TESTS_SEGMENT_FIXTURE_H
#define TIDE_TESTS_SEGMENT_FIXTURE_H

#include "store/journal/segment.h"
#include "tests/unit/journal/journal_make.h"
#include "tests/unit/kv/temp_dir.h"

#define FIRST "00000000000000000001.seg"

struct fixture {
	char dir[TEMP_DIR_MAX];
	struct journal_options options;
	struct journal *j;
};

/* An empty folder, and options that make a journal in it; none is open yet. */
int setup(void **state);
int teardown(void **state);

/* Open the folder's journal, with these calls for its files. */
tide_err try_open(struct fixture *f, const struct segment_sys *sys, struct tide_error *error);

/* Open it; it must open. */
void start(struct fixture *f);

/* Close it. */
void stop(struct fixture *f);

/* Where that file of the journal is. */
void path_of(const struct fixture *f, const char *name, char path[SEGMENT_PATH_MAX]);

/* All bytes of that file; the caller frees them. */
struct buf read_file(const struct fixture *f, const char *name);

/* Make that file, or replace it, with these bytes. */
void write_file(const struct fixture *f, const char *name, const void *at, size_t n);

/* Is that file there? */
bool exists(const struct fixture *f, const char *name);

/* Three units acknowledged, one more: the whole file in the result, the first three in its first `*kept` bytes. */
struct buf three_and_one(struct fixture *f, const char *last, size_t *kept);

#endif
