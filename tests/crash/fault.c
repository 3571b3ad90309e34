/*
 * A bad disk for one process: LD_PRELOAD it and give it a control file, TIDEMARK_FAULTS. The file is one shared page of rules; a test
 * writes them (faults.py) and reads how often each has struck. Rules outlive an exec of the process, as a disk does.
 *
 *     rule   what   1 write fails with `error`      2 sync fails with `error`      3 read fails with `error`      4 write is cut short
 *            match  a piece of the path of the file that is written
 *            after  bytes (1, 4) or calls (2, 3) that go well before
 *            times  how often it strikes; -1: for ever
 *            5 sync fails with `error`, and what was written since the last sync is gone: it reads as before, zeros at the end
 *     4 writes half of what it is given and says so: nobody may take a short write for a whole one. 5 is what Linux does: a page that could
 *     not be written counts as clean, the next sync succeeds, and once the page is dropped the disk's old bytes are back.
 *
 * A write that fails for want of space keeps what fits: the first bytes of it are written, as a file system does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RULES 16

enum what { NOTHING, WRITE_FAILS, SYNC_FAILS, READ_FAILS, WRITE_SHORT, SYNC_LOSES };

struct rule {
	_Atomic int32_t what, error;
	_Atomic int64_t after, times, struck;
	char match[96];
};

_Static_assert(sizeof(struct rule) == 128, "faults.py knows the layout");

static struct rule *
rules(void)
{
	static _Atomic(struct rule *) page;
	struct rule *at = atomic_load(&page);
	const char *path;
	int fd;

	if (at != NULL || (path = getenv("TIDEMARK_FAULTS")) == NULL)
		return at;
	if ((fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
		return NULL;
	at = mmap(NULL, RULES * sizeof *at, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return NULL;
	atomic_store(&page, at);
	return at;
}

/* Does a rule of these kinds hold for the file? What it lets pass is counted. `cost`: bytes, or 1 for a call. */
static const struct rule *
strikes(int fd, unsigned kinds, int64_t cost)
{
	char link[64], path[4096];
	struct rule *at = rules();
	ssize_t n = -1;

	for (int i = 0; at != NULL && i < RULES; i++, at++) {
		int32_t what = atomic_load(&at->what);

		if (what == NOTHING || !(kinds >> what & 1) || atomic_load(&at->times) == 0)
			continue;
		if (n < 0) {
			snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
			if ((n = readlink(link, path, sizeof path - 1)) < 0)
				return NULL;
			path[n] = 0;
		}
		if (strstr(path, at->match) == NULL || atomic_fetch_sub(&at->after, cost) - cost >= 0)
			continue;
		if (atomic_load(&at->times) > 0)
			atomic_fetch_sub(&at->times, 1);
		atomic_fetch_add(&at->struck, 1);
		return at;
	}
	return NULL;
}

#define WRITES (1u << WRITE_FAILS | 1u << WRITE_SHORT)
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* How much of `n` bytes is written in spite of the rule; -1: none, errno says why. */
static ssize_t
allowed(const struct rule *rule, size_t n)
{
	if (atomic_load(&rule->what) == WRITE_SHORT)
		return n > 1 ? (ssize_t)(n / 2) : (ssize_t)n;
	errno = atomic_load(&rule->error);
	return -1;
}

/* ---- what was written since the last sync, as it was before ---- */

struct before {
	struct before *next; /* the write before */
	dev_t dev;
	ino_t ino;
	off_t at;
	size_t n;
	char bytes[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct before *last;

/* Is a rule there that may want this file's bytes back? */
static int
keeps(int fd)
{
	struct rule *at = rules();
	char link[64], path[4096];
	ssize_t n;

	for (int i = 0; at != NULL && i < RULES; i++, at++) {
		if (atomic_load(&at->what) != SYNC_LOSES || atomic_load(&at->times) == 0)
			continue;
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		if ((n = readlink(link, path, sizeof path - 1)) < 0)
			return 0;
		path[n] = 0;
		if (strstr(path, at->match) != NULL)
			return 1;
	}
	return 0;
}

static void
keep(int fd, size_t n, off_t offset)
{
	struct before *before;
	struct stat st;

	if (!keeps(fd) || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    (before = calloc(1, sizeof *before + n)) == NULL)
		return;
	before->dev = st.st_dev;
	before->ino = st.st_ino;
	before->at = offset < 0 ? st.st_size : offset;
	before->n = n;
	(void)!REAL(pread)(fd, before->bytes, n, before->at); /* behind the end: zeros */
	pthread_mutex_lock(&lock);
	before->next = last;
	last = before;
	pthread_mutex_unlock(&lock);
}

/* Forget what is kept of a file: it was synced, or is to be put back. */
static void
forget(int fd, int put_back)
{
	struct before **at = &last, *before;
	char link[64];
	struct stat st;
	int out = -1;

	if (last == NULL || fstat(fd, &st) != 0)
		return;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (put_back)
		out = open(link, O_RDWR | O_CLOEXEC);
	pthread_mutex_lock(&lock);
	while ((before = *at) != NULL) {
		if (before->dev != st.st_dev || before->ino != st.st_ino) {
			at = &before->next;
			continue;
		}
		*at = before->next;
		if (out >= 0)
			(void)!REAL(pwrite)(out, before->bytes, before->n, before->at);
		free(before);
	}
	pthread_mutex_unlock(&lock);
	if (out >= 0)
		close(out);
}

ssize_t
write(int fd, const void *at, size_t n)
{
	const struct rule *rule = strikes(fd, WRITES, (int64_t)n);
	ssize_t some = rule == NULL ? (ssize_t)n : allowed(rule, n);

	if (some > 0)
		keep(fd, (size_t)some, -1);
	return some < 0 ? -1 : REAL(write)(fd, at, (size_t)some);
}

ssize_t
pwrite(int fd, const void *at, size_t n, off_t offset)
{
	const struct rule *rule = strikes(fd, WRITES, (int64_t)n);
	ssize_t some = rule == NULL ? (ssize_t)n : allowed(rule, n);

	if (rule != NULL && some < 0 && errno == ENOSPC && n > 1) {
		(void)!REAL(pwrite)(fd, at, n / 2, offset);
		errno = ENOSPC;
	}
	if (some > 0)
		keep(fd, (size_t)some, offset);
	return some < 0 ? -1 : REAL(pwrite)(fd, at, (size_t)some, offset);
}

ssize_t
pwrite64(int fd, const void *at, size_t n, off_t offset)
{
	return pwrite(fd, at, n, offset);
}

int
fallocate(int fd, int mode, off_t offset, off_t n)
{
	const struct rule *rule = strikes(fd, 1u << WRITE_FAILS, 0);

	if (rule != NULL) {
		errno = atomic_load(&rule->error);
		return -1;
	}
	return REAL(fallocate)(fd, mode, offset, n);
}

int
fallocate64(int fd, int mode, off_t offset, off_t n)
{
	return fallocate(fd, mode, offset, n);
}

static int
sync_with(int fd, int (*real)(int))
{
	const struct rule *rule = strikes(fd, 1u << SYNC_FAILS | 1u << SYNC_LOSES, 1);
	int rc;

	if (rule == NULL) {
		if ((rc = real(fd)) == 0)
			forget(fd, 0);
		return rc;
	}
	if (atomic_load(&rule->what) == SYNC_LOSES)
		forget(fd, 1);
	errno = atomic_load(&rule->error);
	return -1;
}

int
fsync(int fd)
{
	return sync_with(fd, REAL(fsync));
}

int
fdatasync(int fd)
{
	return sync_with(fd, REAL(fdatasync));
}

ssize_t
read(int fd, void *at, size_t n)
{
	const struct rule *rule = strikes(fd, 1u << READ_FAILS, 1);

	if (rule == NULL)
		return REAL(read)(fd, at, n);
	errno = atomic_load(&rule->error);
	return -1;
}

ssize_t
pread(int fd, void *at, size_t n, off_t offset)
{
	const struct rule *rule = strikes(fd, 1u << READ_FAILS, 1);

	if (rule == NULL)
		return REAL(pread)(fd, at, n, offset);
	errno = atomic_load(&rule->error);
	return -1;
}

ssize_t
pread64(int fd, void *at, size_t n, off_t offset)
{
	return pread(fd, at, n, offset);
}
