#include "bench_client.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POOL_BYTES 65536

/* Text that does not compress well; items are cut from it, so that making a request costs little beside serving it. */
static const char *
pool(void)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ..";
	static char text[POOL_BYTES + BENCH_ITEM_BYTES];
	uint64_t random = 88172645463325252u;

	for (size_t i = 0; text[sizeof text - 1] == '\0' && i < sizeof text; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		text[i] = letters[random & 63];
	}
	return text;
}

/* "pk" and 16 bytes, nine attributes of 2 + 60 bytes, and one that fills up to BENCH_ITEM_BYTES. */
struct bytes
bench_attribute(uint64_t key, uint64_t attribute)
{
	uint64_t random = (key * 10 + attribute + 1) * 0x9e3779b97f4a7c15u;

	return bytes_of(pool() + (random >> 32) % POOL_BYTES,
	    attribute < 9 ? 60 : BENCH_ITEM_BYTES - (2 + 16) - 9 * 62 - 2);
}

void
bench_latency_add(struct bench_latency *latency, uint64_t us)
{
	uint32_t power = 0, at;

	while ((us >> power) >= 2 * BENCH_STEPS)
		power++;
	at = us < BENCH_STEPS ? (uint32_t)us : power * BENCH_STEPS + (uint32_t)(us >> power);
	if (at >= BENCH_POWERS * BENCH_STEPS)
		at = BENCH_POWERS * BENCH_STEPS - 1;
	latency->counts[at]++;
	latency->n++;
}

uint64_t
bench_latency_at(const struct bench_latency *latency, double share)
{
	uint64_t below = 0;

	for (uint32_t at = 0; at < BENCH_POWERS * BENCH_STEPS; at++) {
		below += latency->counts[at];
		if (latency->n > 0 && (double)below >= share * (double)latency->n) {
			uint32_t power = at < 2 * BENCH_STEPS ? 0 : at / BENCH_STEPS - 1;

			return (uint64_t)(at - power * BENCH_STEPS) << power;
		}
	}
	return 0;
}

uint64_t
bench_cpu_us(long pid)
{
	unsigned long long user, system;
	char path[64], line[1024], *end;
	FILE *file;
	size_t n;

	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	if (pid <= 0 || (file = fopen(path, "r")) == NULL)
		return 0;
	n = fread(line, 1, sizeof line - 1, file);
	fclose(file);
	line[n] = '\0';
	/* The name may hold spaces and parentheses; the fields start after its last one. */
	if ((end = strrchr(line, ')')) == NULL ||
	    sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2)
		return 0;
	return (user + system) * 1000000u / (unsigned long long)sysconf(_SC_CLK_TCK);
}

uint64_t
bench_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}
