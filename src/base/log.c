/* base/log.c - the log sink (docs/globals.md). */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the three below; leaf */
static lf_log_level log_level = LF_LOG_WARN;
static lf_log_sink *log_sink;
static void *log_ud;

void lf_log_set_level(lf_log_level level)
{
    (void)pthread_mutex_lock(&log_lock);
    log_level = level;
    (void)pthread_mutex_unlock(&log_lock);
}

void lf_log_set_sink(lf_log_sink *sink, void *ud)
{
    (void)pthread_mutex_lock(&log_lock);
    log_sink = sink;
    log_ud = ud;
    (void)pthread_mutex_unlock(&log_lock);
}

void lf_log(lf_log_level level, const char *fmt, ...)
{
    static const char *const names[] = { "error", "warning", "info", "debug" };
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    (void)pthread_mutex_lock(&log_lock);
    if (level <= log_level) {
        if (log_sink)
            log_sink(log_ud, level, line);
        else
            (void)fprintf(stderr, "landfall: %s: %s\n", names[level], line);
    }
    (void)pthread_mutex_unlock(&log_lock);
}
