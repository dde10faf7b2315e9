/* base/log.h - one line per event on a sink (standard error by default).
 *
 * Threads    Any thread; lines do not mix.
 */
#ifndef LF_BASE_LOG_H
#define LF_BASE_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lf_log_level { LF_LOG_ERROR, LF_LOG_WARN, LF_LOG_INFO, LF_LOG_DEBUG } lf_log_level;

typedef void lf_log_sink(void *ud, lf_log_level level, const char *line);

void lf_log_set_level(lf_log_level level);         /* default LF_LOG_WARN */
void lf_log_set_sink(lf_log_sink *sink, void *ud); /* NULL = standard error */
void lf_log(lf_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif
#endif
