/*
 * The log of those who were refused (REPL-STRANGER): each with address and reason, but no more lines than a person can read, whatever
 * somebody does to the port; the same reason again and again is told once in a while.
 *
 * Thread: one at a time.
 */
#ifndef TIDE_REPLICATOR_STRANGER_H
#define TIDE_REPLICATOR_STRANGER_H

#include <stdint.h>

#define STRANGER_LINES 20 /* per */
#define STRANGER_MS 10000

struct stranger_log {
	uint64_t since; /* ms */
	uint32_t lines, silent; /* written since then; not written since the last line */
	char why[200]; /* the last one's reason */
};

/** Log one, or count it. `why` is made fit for a line: it may hold what the stranger sent. */
void stranger_log(struct stranger_log *log, const char *from, const char *why);

#endif
