/* net/http_client.c - downloads over libcurl's easy interface.
 *
 * One transfer, two sinks: a file that may already hold the beginning, or a
 * buffer.  The status line decides what the body is: 206 continues the file,
 * 200 replaces it, 416 means that there was nothing left to ask for (complete
 * when Content-Range gives our size, else the file is not a beginning of this
 * one and the download starts over), and the body of an error is not kept. */
#include "net/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum {
    CONNECT_TIMEOUT_MS = 15000,
    STALL_TIMEOUT_S = 30,
    REDIRECTS_MAX = 5,
    FETCH_MAX_BYTES = 1 << 20,
};

typedef struct transfer {
    const lf_http_get *o;
    CURL *curl;
    int fd;               /* -1 when the sink is `text` */
    lf_buf *text;         /* NULL when the sink is a file */
    uint64_t have;        /* bytes of the file before this transfer */
    uint64_t got;         /* bytes of this transfer */
    uint64_t max_bytes;   /* 0 = no limit */
    uint64_t range_total; /* from "Content-Range: bytes * / N", 0 = not seen */
    bool started;         /* the first byte of a good body has been looked at */
    lf_status why;        /* set by a callback that stops the transfer */
    lf_err *err;
} transfer;

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_start(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static lf_status write_all(int fd, const void *p, size_t n, lf_err *err)
{
    if (lf_fd_write(fd, p, n))
        return LF_OK;
    return lf_fail(err, LF_ERR_IO, "writing the download failed: %s", strerror(errno));
}

/* First byte of the body: decide from the status whether it continues the file. */
static lf_status begin_body(transfer *t)
{
    long status = 0;
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (t->text || status == 206 || t->have == 0)
        return LF_OK;
    if (ftruncate(t->fd, 0) != 0 || lseek(t->fd, 0, SEEK_SET) < 0)
        return lf_fail(t->err, LF_ERR_IO, "starting the download over failed: %s", strerror(errno));
    t->have = 0;
    return LF_OK;
}

static size_t on_body(char *p, size_t size, size_t n, void *ud)
{
    transfer *t = ud;
    const size_t n_bytes = size * n;
    long status = 0;
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 300)
        return n_bytes; /* an error's page: read past it, so that the status is reported */
    if (!t->started) {
        t->started = true;
        t->why = begin_body(t);
    }
    if (t->why == LF_OK && t->max_bytes && t->have + t->got + n_bytes > t->max_bytes)
        t->why = lf_fail(t->err, LF_ERR_LIMIT,
                         "'%s' sends more than the %" PRIu64 " bytes that are allowed", t->o->url,
                         t->max_bytes);
    if (t->why == LF_OK && t->text)
        lf_buf_add(t->text, p, n_bytes);
    else if (t->why == LF_OK)
        t->why = write_all(t->fd, p, n_bytes, t->err);
    if (t->why == LF_OK && t->text && t->text->failed)
        t->why = lf_fail(t->err, LF_ERR_NOMEM, "no memory for the answer of '%s'", t->o->url);
    t->got += n_bytes;
    return t->why == LF_OK ? n_bytes : 0;
}

static size_t on_header(char *p, size_t size, size_t n, void *ud)
{
    transfer *t = ud;
    const char key[] = "content-range: bytes */";
    const size_t k = sizeof key - 1, n_bytes = size * n;
    if (n_bytes > k && strncasecmp(p, key, k) == 0) {
        t->range_total = 0;
        for (size_t i = k; i < n_bytes && p[i] >= '0' && p[i] <= '9'; i++)
            t->range_total = t->range_total * 10 + (uint64_t)(p[i] - '0');
    }
    return n_bytes;
}

static int on_tick(void *ud, curl_off_t total, curl_off_t done, curl_off_t up_total, curl_off_t up)
{
    transfer *t = ud;
    (void)up_total;
    (void)up;
    (void)done;
    bool stop = t->o->cancel && atomic_load(t->o->cancel);
    long status = 0;
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (!stop && t->o->on_progress && status < 300)
        stop = !t->o->on_progress(t->o->ud, t->have + t->got,
                                  total > 0 ? t->have + (uint64_t)total : 0);
    if (stop)
        t->why = lf_fail(t->err, LF_ERR_CANCELLED, "the download of '%s' was cancelled", t->o->url);
    return stop ? 1 : 0;
}

static void set_options(transfer *t, const char *url)
{
    const lf_http_get *o = t->o;
    CURL *c = t->curl;
    const bool tls = strncasecmp(url, "https:", 6) == 0;
    (void)curl_easy_setopt(c, CURLOPT_URL, url);
    (void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, tls ? "https" : "http,https");
    (void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    (void)curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    (void)curl_easy_setopt(c, CURLOPT_USERAGENT, "landfall");
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(
        c, CURLOPT_CONNECTTIMEOUT_MS,
        (long)(o->connect_timeout_ms ? o->connect_timeout_ms : CONNECT_TIMEOUT_MS));
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME,
                           (long)(o->stall_timeout_s ? o->stall_timeout_s : STALL_TIMEOUT_S));
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    (void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    (void)curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_tick);
    (void)curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
    (void)curl_easy_setopt(c, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)t->have);
}

static lf_status judge(transfer *t, CURLcode rc, const char *reason)
{
    const char *url = t->o->url;
    long status = 0;
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (t->why != LF_OK)
        return t->why;
    if (status == 416 && t->have > 0 && t->range_total == t->have)
        return LF_OK;
    if (status == 404 || status == 410)
        return lf_fail(t->err, LF_ERR_NOT_FOUND, "'%s' is not there: status %ld", url, status);
    if (status == 401 || status == 403)
        return lf_fail(t->err, LF_ERR_DENIED, "'%s' may not be read: status %ld", url, status);
    if (status >= 300)
        return lf_fail(t->err, LF_ERR_IO, "'%s' answered with status %ld", url, status);
    if (rc != CURLE_OK)
        return lf_fail(t->err, LF_ERR_IO, "fetching '%s' failed: %s", url,
                       reason[0] ? reason : curl_easy_strerror(rc));
    return LF_OK;
}

/* One request.  `*start_over` says that the file's bytes are not a beginning of
 * what the server has. */
static lf_status transfer_run(transfer *t, bool *start_over)
{
    char reason[CURL_ERROR_SIZE] = "";
    t->curl = curl_easy_init();
    if (!t->curl)
        return lf_fail(t->err, LF_ERR_NOMEM, "no memory to fetch '%s'", t->o->url);
    set_options(t, t->o->url);
    (void)curl_easy_setopt(t->curl, CURLOPT_ERRORBUFFER, reason);
    const CURLcode rc = curl_easy_perform(t->curl);
    long status = 0;
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    /* CURLE_RANGE_ERROR: libcurl itself refuses a 200 where it asked for a range. */
    *start_over = t->why == LF_OK && t->have > 0 &&
                  (rc == CURLE_RANGE_ERROR || (status == 416 && t->range_total != t->have));
    const lf_status st = *start_over ? LF_OK : judge(t, rc, reason);
    curl_easy_cleanup(t->curl);
    t->curl = NULL;
    return st;
}

static lf_status check_url(const lf_http_get *o, lf_err *err)
{
    if (!o->url ||
        (strncasecmp(o->url, "http://", 7) != 0 && strncasecmp(o->url, "https://", 8) != 0))
        return lf_fail(err, LF_ERR_ARG, "'%s' is not an http:// or https:// address",
                       o->url ? o->url : "");
    (void)pthread_once(&curl_once, curl_start);
    return LF_OK;
}

lf_status lf_http_download(const lf_http_get *o, const char *path, lf_err *err)
{
    struct stat sb;
    bool start_over = false;
    lf_status st = check_url(o, err);
    if (st != LF_OK)
        return st;
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return lf_fail(err, LF_ERR_IO, "'%s' cannot be written: %s", path, strerror(errno));
    if (fstat(fd, &sb) != 0 || lseek(fd, 0, SEEK_END) < 0) {
        st = lf_fail(err, LF_ERR_IO, "'%s' cannot be continued: %s", path, strerror(errno));
        goto done;
    }
    transfer t = {
        .o = o, .fd = fd, .have = (uint64_t)sb.st_size, .max_bytes = o->max_bytes, .err = err
    };
    st = transfer_run(&t, &start_over);
    if (st == LF_OK && start_over) {
        if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) < 0) {
            st = lf_fail(err, LF_ERR_IO, "'%s' cannot be emptied: %s", path, strerror(errno));
            goto done;
        }
        t = (transfer){ .o = o, .fd = fd, .max_bytes = o->max_bytes, .err = err };
        st = transfer_run(&t, &start_over);
    }
    if (st == LF_OK && fsync(fd) != 0)
        st = lf_fail(err, LF_ERR_IO, "'%s' did not reach the disk: %s", path, strerror(errno));
done:
    (void)close(fd);
    return st;
}

lf_status lf_http_fetch(const lf_http_get *o, lf_buf *out, lf_err *err)
{
    lf_buf text = { 0 };
    bool start_over = false;
    lf_status st = check_url(o, err);
    if (st != LF_OK)
        return st;
    transfer t = { .o = o,
                   .fd = -1,
                   .text = &text,
                   .max_bytes = o->max_bytes ? o->max_bytes : FETCH_MAX_BYTES,
                   .err = err };
    st = transfer_run(&t, &start_over);
    if (st == LF_OK)
        lf_buf_add(out, lf_buf_cstr(&text), text.len);
    if (st == LF_OK && out->failed)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for the answer of '%s'", o->url);
    lf_buf_release(&text);
    return st;
}

typedef struct wanted { /* headers to keep */
    const char *const *names;
    char (*values)[LF_HTTP_VALUE_MAX];
    size_t n;
} wanted;

static size_t on_wanted_header(char *p, size_t size, size_t n, void *ud)
{
    const wanted *w = ud;
    const size_t n_bytes = size * n;
    for (size_t i = 0; i < w->n; i++) {
        const size_t k = strlen(w->names[i]);
        if (n_bytes <= k || strncasecmp(p, w->names[i], k) != 0 || p[k] != ':')
            continue;
        const lf_str v = lf_str_trim((lf_str){ p + k + 1, n_bytes - k - 1 });
        if (v.len < LF_HTTP_VALUE_MAX)
            (void)snprintf(w->values[i], LF_HTTP_VALUE_MAX, "%.*s", (int)v.len, v.p);
    }
    return n_bytes;
}

lf_status lf_http_head(const lf_http_get *o, const char *const *names,
                       char (*values)[LF_HTTP_VALUE_MAX], size_t n, lf_err *err)
{
    char reason[CURL_ERROR_SIZE] = "";
    wanted w = { names, values, n };
    transfer t = { .o = o, .fd = -1, .err = err };
    lf_status st = check_url(o, err);
    if (st != LF_OK)
        return st;
    t.curl = curl_easy_init();
    if (!t.curl)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to ask for '%s'", o->url);
    set_options(&t, o->url);
    (void)curl_easy_setopt(t.curl, CURLOPT_NOBODY, 1L);
    (void)curl_easy_setopt(t.curl, CURLOPT_HEADERFUNCTION, on_wanted_header);
    (void)curl_easy_setopt(t.curl, CURLOPT_HEADERDATA, &w);
    (void)curl_easy_setopt(t.curl, CURLOPT_ERRORBUFFER, reason);
    st = judge(&t, curl_easy_perform(t.curl), reason);
    curl_easy_cleanup(t.curl);
    return st;
}
