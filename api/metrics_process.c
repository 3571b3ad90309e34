/* The process, under the names that every Prometheus client gives them, and the disk. Source: proc(5). */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "api/metrics_priv.h"

static void
write_memory(struct scrape *scrape)
{
	unsigned long long size, resident;
	FILE *statm = fopen("/proc/self/statm", "re");
	long page = sysconf(_SC_PAGESIZE);

	if (statm == NULL)
		return;
	if (fscanf(statm, "%llu %llu", &size, &resident) == 2 && page > 0) {
		scrape_u64(scrape, METRIC_GAUGE, "process_virtual_memory_bytes", "Virtual memory size.",
		    size * (uint64_t)page);
		scrape_u64(scrape, METRIC_GAUGE, "process_resident_memory_bytes", "Resident memory size.",
		    resident * (uint64_t)page);
	}
	fclose(statm);
}

static void
write_files(struct scrape *scrape)
{
	DIR *folder = opendir("/proc/self/fd");
	struct rlimit limit;
	uint64_t n = 0;

	if (folder != NULL) {
		while (readdir(folder) != NULL)
			n++;
		closedir(folder);
		if (n >= 3) /* ".", ".." and the folder itself */
			scrape_u64(scrape, METRIC_GAUGE, "process_open_fds", "Open file descriptors.", n - 3);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		scrape_u64(scrape, METRIC_GAUGE, "process_max_fds", "Most file descriptors that may be open.",
		    limit.rlim_cur);
}

/* Segment files of the journal; none where it is kept in memory. */
static void
write_segments(struct scrape *scrape)
{
	char path[sizeof scrape->region->config.data + 16];
	struct dirent *entry;
	uint64_t n = 0;
	DIR *folder;

	snprintf(path, sizeof path, "%s/journal", scrape->region->config.data);
	if ((folder = opendir(path)) == NULL)
		return;
	while ((entry = readdir(folder)) != NULL) {
		size_t length = strlen(entry->d_name);

		n += length > 4 && strcmp(entry->d_name + length - 4, ".seg") == 0;
	}
	closedir(folder);
	scrape_u64(scrape, METRIC_GAUGE, "tidemark_journal_segments", "Segment files of the journal.", n);
}

static void
write_disk(struct scrape *scrape)
{
	struct statvfs disk;

	if (statvfs(scrape->region->config.data, &disk) != 0)
		return;
	scrape_u64(scrape, METRIC_GAUGE, "tidemark_data_free_bytes",
	    "Bytes that the file system of the data folder still has for this process.",
	    (uint64_t)disk.f_bavail * disk.f_frsize);
	scrape_u64(scrape, METRIC_GAUGE, "tidemark_data_size_bytes", "Size of that file system.",
	    (uint64_t)disk.f_blocks * disk.f_frsize);
}

void
metrics__process(struct scrape *scrape)
{
	struct rusage used;

	if (getrusage(RUSAGE_SELF, &used) == 0)
		scrape_f64(scrape, METRIC_COUNTER, "process_cpu_seconds_total", "Time spent by the process.",
		    (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
			(double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6);
	scrape_f64(scrape, METRIC_GAUGE, "process_start_time_seconds",
	    "When the process began, in seconds since 1970.", (double)scrape->region->started_ms * 1e-3);
	write_memory(scrape);
	write_files(scrape);
	write_segments(scrape);
	write_disk(scrape);
}
