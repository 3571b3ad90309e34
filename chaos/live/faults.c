/*
 * Faults of clock and disk inside a real process: preloaded (LD_PRELOAD), steered from outside through a mapped file while the process runs.
 *
 * The file is named by TIDEMARK_FAULTS and holds `struct faults`; chaos/live/preload.py writes it. Without the variable, or where the file
 * cannot be mapped, every call goes through as it is. What is changed: the wall clock (never the monotonic one, which no
 * administrator can set), and fsync, fdatasync, write and pwrite of files that are not the log.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define NS 1000000000LL

/* Written by one process outside, read here at every call; each field by itself is a valid state. */
struct faults {
	_Atomic int64_t offset_ns; /* added to the wall clock */
	_Atomic int64_t
	    drift_ppm; /* the wall clock runs this much faster, from `drift_from_ns` (monotonic) on */
	_Atomic int64_t drift_from_ns;
	_Atomic int64_t frozen_ns; /* not 0: the wall clock stands here */
	_Atomic int64_t fsync_us; /* each fsync takes this long at least */
	_Atomic int64_t fsync_failures; /* the next so many fail with EIO */
	_Atomic int64_t write_failures; /* the next so many fail with EIO */
	_Atomic int64_t clock_reads, fsyncs, failures; /* what happened here: proof that the faults are in */
};

static struct faults *faults;

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);

static void *
next(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (found == NULL)
		abort();
	return found;
}

/* Libraries call these before any constructor of ours has run. */
static void
find(void)
{
	if (real_pwrite != NULL)
		return;
	*(void **)&real_clock_gettime = next("clock_gettime");
	*(void **)&real_fsync = next("fsync");
	*(void **)&real_fdatasync = next("fdatasync");
	*(void **)&real_write = next("write");
	*(void **)&real_pwrite = next("pwrite");
}

__attribute__((constructor)) static void
map(void)
{
	const char *path = getenv("TIDEMARK_FAULTS");
	void *at = MAP_FAILED;
	int fd;

	find();
	if (path == NULL || (fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
		return;
	at = mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at != MAP_FAILED)
		faults = at;
}

int
clock_gettime(clockid_t which, struct timespec *out)
{
	struct timespec steady;
	int64_t ns, frozen;
	int rc;

	find();
	rc = real_clock_gettime(which, out);
	if (rc != 0 || faults == NULL || (which != CLOCK_REALTIME && which != CLOCK_REALTIME_COARSE))
		return rc;
	atomic_fetch_add_explicit(&faults->clock_reads, 1, memory_order_relaxed);
	ns = (int64_t)out->tv_sec * NS + out->tv_nsec + faults->offset_ns;
	if (faults->drift_ppm != 0 && real_clock_gettime(CLOCK_MONOTONIC, &steady) == 0)
		ns += ((int64_t)steady.tv_sec * NS + steady.tv_nsec - faults->drift_from_ns) / 1000 *
		      faults->drift_ppm / 1000;
	if ((frozen = faults->frozen_ns) != 0)
		ns = frozen;
	out->tv_sec = ns / NS;
	out->tv_nsec = ns % NS;
	return rc;
}

int
gettimeofday(struct timeval *out, void *zone)
{
	struct timespec now;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return -1;
	out->tv_sec = now.tv_sec;
	out->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *out)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return (time_t)-1;
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}

/* Take one of the failures that are left. */
static int
fails(_Atomic int64_t *left)
{
	int64_t n = *left;

	while (n > 0)
		if (atomic_compare_exchange_weak(left, &n, n - 1)) {
			faults->failures++;
			errno = EIO;
			return 1;
		}
	return 0;
}

static int
sync_as_told(int fd, int (*real)(int))
{
	struct timespec pause;
	int64_t us;

	if (faults == NULL)
		return real(fd);
	faults->fsyncs++;
	if ((us = faults->fsync_us) > 0) {
		pause = (struct timespec){us / 1000000, us % 1000000 * 1000};
		nanosleep(&pause, NULL);
	}
	return fails(&faults->fsync_failures) ? -1 : real(fd);
}

int
fsync(int fd)
{
	find();
	return sync_as_told(fd, real_fsync);
}

int
fdatasync(int fd)
{
	find();
	return sync_as_told(fd, real_fdatasync);
}

/* Sockets, pipes and the log are not the disk. */
static int
on_disk(int fd)
{
	struct stat what;

	return fd > 2 && fstat(fd, &what) == 0 && S_ISREG(what.st_mode);
}

ssize_t
write(int fd, const void *at, size_t n)
{
	find();
	if (faults != NULL && faults->write_failures > 0 && on_disk(fd) && fails(&faults->write_failures))
		return -1;
	return real_write(fd, at, n);
}

ssize_t
pwrite(int fd, const void *at, size_t n, off_t offset)
{
	find();
	if (faults != NULL && faults->write_failures > 0 && fails(&faults->write_failures))
		return -1;
	return real_pwrite(fd, at, n, offset);
}
