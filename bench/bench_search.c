/* bench/bench_search.c - how long a search over many chunks takes, warm.
 *
 *     bench_search [CHUNKS [QUERIES [FILE]]]   (default 100000 and 300)
 *
 * The state file is made in TMPDIR and removed, or it is FILE, which stays and is
 * used as it is when it is there already.
 *
 * Made-up Chinese text with words by Zipf's law is taken in through the ordinary
 * path; its vectors are made up too (a model would only cost time here: what is
 * measured is the search after the question was embedded).  Prints the time to take
 * in, the size of the file, and the 50th, 95th and 99th percentile of a search, by
 * words, by vectors and by both; and the peak memory of the process that searches,
 * which is another one than the process that takes in. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "know/know.h"
#include "text/utf8.h"

enum { DIM = 384, VOCAB = 60000, FILE_CHARS = 800 * 1000, PASSAGE = 800 };

static uint64_t state = 88172645463325252ull;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static double unit(void)
{
    return (double)(next() >> 11) / 9007199254740992.0;
}

/* A word of one to four ideographs; the rank follows Zipf's law. */
static size_t put_word(lf_buf *b)
{
    const uint64_t rank = (uint64_t)(exp(unit() * log(VOCAB)));
    uint64_t h = lf_hash64(&rank, sizeof rank);
    const size_t n = rank < 40 ? 1 : 1 + (h % 10 < 7) + (h % 10 == 8) + (h % 10 == 9) * 2;
    for (size_t i = 0; i < n; i++, h /= 3000) {
        char enc[4];
        lf_buf_add(b, enc, lf_utf8_put(0x4E00 + (uint32_t)(h % 3000), enc));
    }
    return n;
}

static lf_status embed(void *ud, const lf_str *texts, size_t n, bool is_query, float *out,
                       lf_err *err)
{
    (void)ud, (void)texts, (void)is_query, (void)err;
    for (size_t i = 0; i < n; i++) {
        float *v = out + i * DIM, sum = 0;
        for (size_t k = 0; k < DIM; k++) {
            v[k] = (float)unit() - 0.3f;
            sum += v[k] * v[k];
        }
        for (size_t k = 0; k < DIM; k++)
            v[k] /= sqrtf(sum);
    }
    return LF_OK;
}

static size_t n_taken;

static bool count(void *ud, const char *source, const lf_add_result *r)
{
    (void)ud, (void)source;
    n_taken += r->n_chunks;
    return r->state != LF_ADD_FAILED;
}

static lf_status take_in(lf_know *k, lf_scope *s, const char *dir, size_t n_chunks, lf_err *err)
{
    lf_status st = LF_OK;
    const lf_add_opts o = { .on_doc = count };
    for (size_t i = 0; st == LF_OK && n_taken < n_chunks; i++) {
        lf_buf b = { 0 };
        char path[4096];
        for (size_t chars = 0, line = 0; chars < FILE_CHARS; chars++, line++) {
            const size_t n = put_word(&b);
            chars += n - 1;
            if (line % 15 == 14)
                lf_buf_add_str(&b, "。");
            if (line % 150 == 149)
                lf_buf_add_str(&b, "\n\n");
        }
        (void)snprintf(path, sizeof path, "%s/%zu.txt", dir, i);
        st = lf_file_replace(path, b.data, b.len, err);
        if (st == LF_OK)
            st = lf_know_add(k, s, path, &o, err);
        (void)unlink(path);
        lf_buf_release(&b);
    }
    return st;
}

static int by_time(const void *x, const void *y)
{
    const double a = *(const double *)x, b = *(const double *)y;
    return a < b ? -1 : a > b;
}

static lf_status measure(lf_know *k, lf_scope *s, lf_search_mode mode, const char *name, size_t n,
                         lf_err *err)
{
    lf_status st = LF_OK;
    double *ms = lf_calloc(n, sizeof *ms);
    if (!ms)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu times", n);
    const lf_search_opts o = { .k = 8, .mode = mode };
    for (size_t i = 0; i < n + 5 && st == LF_OK; i++) { /* five to get warm */
        lf_buf q = { 0 };
        lf_passages p = { 0 };
        for (int w = 0; w < 12; w++)
            (void)put_word(&q);
        const int64_t t0 = lf_clock_us();
        st = lf_know_search(k, s, q.data, &o, &p, err);
        if (i >= 5)
            ms[i - 5] = (double)(lf_clock_us() - t0) / 1000.0;
        lf_passages_release(&p);
        lf_buf_release(&q);
    }
    qsort(ms, n, sizeof *ms, by_time);
    printf("%-8s %8.2f %8.2f %8.2f\n", name, ms[n / 2], ms[n * 95 / 100], ms[n * 99 / 100]);
    (void)fflush(stdout);
    lf_free(ms);
    return st;
}

static const lf_embedder embedder = { .dim = DIM, .model_hash = "made up", .embed = embed };

/* In a process of its own, so that its memory is not counted. */
static int make_file(const char *path, const char *dir, size_t n_chunks)
{
    lf_err err = { 0 };
    lf_know *k = NULL;
    lf_scope *s = NULL;
    struct stat sb = { 0 };
    struct rusage use;
    const int64_t t0 = lf_clock_us();
    lf_status st = lf_scope_open("bench", NULL, 0, &s, &err);
    if (st == LF_OK)
        st = lf_know_open(path, &embedder, &k, &err);
    if (st == LF_OK)
        st = take_in(k, s, dir, n_chunks, &err);
    lf_know_close(k);
    lf_scope_close(s);
    (void)stat(path, &sb);
    (void)getrusage(RUSAGE_SELF, &use);
    if (st == LF_OK)
        printf("%zu chunks taken in (without a model) in %.1f s; %.0f MiB on disk, peak memory %ld "
               "MiB\n\n",
               n_taken, (double)(lf_clock_us() - t0) / 1e6, (double)sb.st_size / 1048576.0,
               use.ru_maxrss / 1024);
    else
        (void)fprintf(stderr, "bench_search: %s\n", err.msg);
    (void)fflush(stdout);
    return st != LF_OK;
}

static int search_file(const char *path, size_t n_queries)
{
    static const struct {
        lf_search_mode mode;
        const char *name;
    } modes[] = { { LF_SEARCH_LEXICAL, "words" },
                  { LF_SEARCH_VECTOR, "vectors" },
                  { LF_SEARCH_HYBRID, "hybrid" } };
    lf_err err = { 0 };
    lf_know *k = NULL;
    lf_scope *s = NULL;
    struct rusage use;
    lf_status st = lf_scope_open("bench", NULL, 0, &s, &err);
    if (st == LF_OK)
        st = lf_know_open(path, &embedder, &k, &err);
    printf("%-8s %8s %8s %8s  milliseconds\n", "search", "p50", "p95", "p99");
    for (size_t i = 0; st == LF_OK && i < 3; i++)
        st = measure(k, s, modes[i].mode, modes[i].name, n_queries, &err);
    (void)getrusage(RUSAGE_SELF, &use);
    if (st == LF_OK)
        printf("\npeak memory of searching %ld MiB\n", use.ru_maxrss / 1024);
    else
        (void)fprintf(stderr, "bench_search: %s\n", err.msg);
    lf_know_close(k);
    lf_scope_close(s);
    return st != LF_OK;
}

int main(int argc, char **argv)
{
    const size_t n_chunks = argc > 1 ? (size_t)strtoull(argv[1], NULL, 10) : 100000;
    const size_t n_queries = argc > 2 ? (size_t)strtoull(argv[2], NULL, 10) : 300;
    const char *top = getenv("TMPDIR");
    char dir[512], path[600];
    int code = 0;
    (void)snprintf(dir, sizeof dir, "%s/lf-bench-search-XXXXXX", top && *top ? top : "/tmp");
    if (!mkdtemp(dir)) {
        (void)fprintf(stderr, "bench_search: cannot make a folder in TMPDIR\n");
        return 1;
    }
    (void)snprintf(path, sizeof path, "%s/state.lfdb", dir);
    const char *file = argc > 3 ? argv[3] : path;
    if (!lf_path_exists(file)) {
        const pid_t child = fork();
        if (child == 0)
            _exit(make_file(file, dir, n_chunks));
        if (child < 0 || waitpid(child, &code, 0) != child)
            code = 1;
    }
    if (code == 0)
        code = search_file(file, n_queries);
    static const char *const ends[] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < 3; i++) {
        char f[640];
        (void)snprintf(f, sizeof f, "%s%s", path, ends[i]);
        (void)unlink(f);
    }
    (void)rmdir(dir);
    return code != 0;
}
