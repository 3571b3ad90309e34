#include "tests/unit/journal/segment_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	temp_dir_make(f->dir);
	f->options = (struct journal_options){.id = TEST_ID, .create = true};
	*state = f;
	return 0;
}

int
teardown(void **state)
{
	struct fixture *f = *state;

	journal_close(f->j);
	temp_dir_remove(f->dir);
	free(f);
	return 0;
}

tide_err
try_open(struct fixture *f, const struct segment_sys *sys, struct tide_error *error)
{
	return segments_open_with(sys, f->dir, &f->options, &f->j, error);
}

void
start(struct fixture *f)
{
	struct tide_error error = {0};
	tide_err rc = try_open(f, &segment_sys_os, &error);

	if (rc != TIDE_OK)
		print_error("%s\n", error.message);
	assert_int_equal(rc, TIDE_OK);
}

void
stop(struct fixture *f)
{
	journal_close(f->j);
	f->j = NULL;
}

void
path_of(const struct fixture *f, const char *name, char path[SEGMENT_PATH_MAX])
{
	snprintf(path, SEGMENT_PATH_MAX, "%s/%s", f->dir, name);
}

struct buf
read_file(const struct fixture *f, const char *name)
{
	char path[SEGMENT_PATH_MAX];
	struct buf out = {0};
	struct stat st;
	int fd;

	path_of(f, name, path);
	assert_true((fd = open(path, O_RDONLY)) >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	buf_reserve(&out, (size_t)st.st_size + 1);
	assert_int_equal(read(fd, out.at, (size_t)st.st_size), st.st_size);
	out.n = (size_t)st.st_size;
	close(fd);
	return out;
}

void
write_file(const struct fixture *f, const char *name, const void *at, size_t n)
{
	char path[SEGMENT_PATH_MAX];
	int fd;

	path_of(f, name, path);
	assert_true((fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600)) >= 0);
	assert_int_equal(write(fd, at, n), n);
	close(fd);
}

bool
exists(const struct fixture *f, const char *name)
{
	char path[SEGMENT_PATH_MAX];

	path_of(f, name, path);
	return access(path, F_OK) == 0;
}

struct buf
three_and_one(struct fixture *f, const char *last, size_t *kept)
{
	struct buf file;

	start(f);
	append_one(f->j, 1, "one");
	append_one(f->j, 2, "two");
	append_one(f->j, 1, "three");
	stop(f);
	file = read_file(f, FIRST);
	*kept = file.n;
	buf_fini(&file);
	start(f);
	append_one(f->j, 1, last);
	stop(f);
	return read_file(f, FIRST);
}
