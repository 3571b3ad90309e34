/*
 * Structured log lines on stderr: time, level, a stable id, then key=value pairs.
 *
 *     2026-11-21T02:30:00.123Z WARN  REPL-STALL peer=eu-west-1 lag_ms=1200
 *
 * An id never changes its meaning: operators and tests wait for it. One write(2) per line, so lines of several
 * threads never mix. Thread: any.
 */
#ifndef TIDE_BASE_LOG_H
#define TIDE_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/** Lines above `level` are dropped. Default LOG_INFO. Call before threads start. */
void log_set_level(enum log_level level);

/** "error", "warn", "info", "debug" to a level; false for anything else. */
bool log_level_parse(const char *name, enum log_level *level);

/**
 * Give lines to `sink` instead of writing them: without time, `text` is the key=value pairs. For simulators and tests. NULL: write again.
 * Call before threads start. The sink must not log.
 */
void log_redirect(void (*sink)(enum log_level level, const char *id, const char *text));

void log_line(enum log_level level, const char *id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_err(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
