#include "replicator/stranger.h"

#include <string.h>
#include <time.h>

#include "base/log.h"

void
stranger_log(struct stranger_log *log, const char *from, const char *why)
{
	struct timespec time;
	char clean[sizeof log->why];
	uint64_t now;
	size_t n = 0;

	clock_gettime(CLOCK_MONOTONIC, &time);
	now = (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
	for (; why[n] != 0 && n < sizeof clean - 1; n++)
		clean[n] = (char)(why[n] < ' ' || why[n] > '~' || why[n] == '"' ? '.' : why[n]);
	clean[n] = 0;
	if (log->since == 0 || now >= log->since + STRANGER_MS) {
		log->since = now;
		log->lines = 0;
		log->why[0] = 0;
	}
	if (log->lines >= STRANGER_LINES || strcmp(log->why, clean) == 0) {
		log->silent++;
		return;
	}
	log->lines++;
	memcpy(log->why, clean, n + 1);
	log_warn("REPL-STRANGER", "from=%s why=\"%s\" more=%u", from, clean, log->silent);
	log->silent = 0;
}
