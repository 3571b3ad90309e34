/* A folder of a test's own under $TMPDIR, removed with all that is in it. Test code: failures end the test. */
#ifndef TIDE_TESTS_TEMP_DIR_H
#define TIDE_TESTS_TEMP_DIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEMP_DIR_MAX 256

static inline void
temp_dir_make(char dir[TEMP_DIR_MAX])
{
	const char *base = getenv("TMPDIR");

	if (dir == NULL ||
	    snprintf(dir, TEMP_DIR_MAX, "%s/tidemark-test-XXXXXX", base != NULL ? base : "/tmp") >=
		TEMP_DIR_MAX ||
	    mkdtemp(dir) == NULL) {
		perror("temp_dir_make");
		abort();
	}
}

static inline int
temp_dir_remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static inline void
temp_dir_remove(const char *dir)
{
	nftw(dir, temp_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
