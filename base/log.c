#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static enum log_level threshold = LOG_INFO;
static void (*redirected)(enum log_level level, const char *id, const char *text);
static const char *const names[] = {"ERROR", "WARN", "INFO", "DEBUG"};

void
log_set_level(enum log_level level)
{
	threshold = level;
}

void
log_redirect(void (*sink)(enum log_level level, const char *id, const char *text))
{
	redirected = sink;
}

bool
log_level_parse(const char *name, enum log_level *level)
{
	static const char *const words[] = {"error", "warn", "info", "debug"};

	for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(name, words[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	return false;
}

/* Time, level and id: the beginning of every line. */
static size_t
put_head(char line[LINE_MAX_BYTES], enum log_level level, const char *id)
{
	struct timespec now;
	struct tm utc;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	n = strftime(line, LINE_MAX_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
	return n + (size_t)snprintf(line + n, LINE_MAX_BYTES - n, ".%03ldZ %-5s %s ", now.tv_nsec / 1000000,
		       names[level], id);
}

void
log_line(enum log_level level, const char *id, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;
	size_t n;
	int more;

	if (level > threshold)
		return;
	n = redirected != NULL ? 0 : put_head(line, level, id);
	va_start(args, format);
	more = vsnprintf(line + n, sizeof line - n - 1, format, args);
	va_end(args);
	if (more > 0)
		n += (size_t)more < sizeof line - n - 1 ? (size_t)more : sizeof line - n - 2;
	/* A value from outside may hold a line break; a log line is one line. */
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = ' ';
	if (redirected != NULL) {
		line[n] = 0;
		redirected(level, id, line);
		return;
	}
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* nowhere left to say so */
}
