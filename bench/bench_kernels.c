/* bench/bench_kernels.c - speed of the matrix products, beside what the machine can do.
 *
 *     bench_kernels [--threads N] [--level NAME] [--seconds S] [TYPE...]
 *
 * Per type: decode (one row of activations, weights streamed from memory: GB/s
 * of packed weights, and the share of the read bandwidth measured in the same
 * run) and prefill (512 rows: GOP/s, a multiply and an add counting two), on the
 * shapes of a model with 896 columns and 4864 in its feed-forward layer.  Each
 * figure is the best of several rounds, since other work only ever slows one. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "base/pool.h"
#include "tensor/kernels.h"
#include "tensor/matmul.h"
#include "tensor/vec.h"

enum { N_SMALL = 896, N_LARGE = 4864, PREFILL_ROWS = 512 };
enum { PIECE_WORDS = 8192, READ_PIECES = 64 }; /* 64 KiB pieces, 4 MiB are timed at once */

typedef struct options {
    int threads;
    lf_cpu_level level;
    double seconds; /* per figure */
    char **types;
    int n_types;
} options;

static double now_s(void)
{
    return (double)lf_clock_us() * 1e-6;
}

static void *must_alloc(size_t n)
{
    void *p = lf_alloc_aligned(64, n);
    if (!p) {
        fprintf(stderr, "bench_kernels: no memory for %zu bytes\n", n);
        exit(1);
    }
    return p;
}

/* Read bandwidth: one word of each cache line over far more than the caches hold. */
typedef struct read_task {
    const uint64_t *data;
    atomic_uint_fast64_t sum;
} read_task;

static void read_lines(void *ud, size_t begin, size_t end, int worker)
{
    read_task *t = ud;
    uint64_t sum[8] = { 0 };
    (void)worker;
    for (const uint64_t *p = t->data + begin * PIECE_WORDS, *last = t->data + end * PIECE_WORDS;
         p < last; p += 64)
        for (int i = 0; i < 8; i++)
            sum[i] += p[8 * i];
    for (int i = 0; i < 8; i++)
        atomic_fetch_add(&t->sum, sum[i]);
}

static double read_bandwidth(lf_pool *pool, double seconds)
{
    const size_t bytes = (size_t)256 << 20;
    const size_t words = bytes / sizeof(uint64_t), round = READ_PIECES * PIECE_WORDS;
    uint64_t *data = must_alloc(bytes);
    memset(data, 1, bytes);
    read_task t = { .data = data };
    double best = 0.0;
    for (const double end = now_s() + seconds; now_s() < end;)
        for (size_t from = 0; from + round <= words; from += round) {
            const double t0 = now_s();
            t.data = data + from;
            lf_pool_run(pool, READ_PIECES, 4, read_lines, &t);
            const double rate = (double)(round * sizeof *data) / (now_s() - t0);
            best = rate > best ? rate : best;
        }
    lf_free(data);
    return best * 1e-9;
}

/* `copies` of one weight of random quants, packed where the type has a packed form. */
typedef struct weights {
    lf_weight w[512];
    size_t copies, bytes;
    uint8_t *data;
} weights;

static void make_weights(weights *ws, lf_type t, size_t n_out, size_t n_in, lf_cpu_level level,
                         size_t total, lf_pool *pool)
{
    const size_t row_bytes = lf_type_row_bytes(t, n_in),
                 packed = lf_weight_packed_bytes(t, n_out, n_in, level);
    float *x = must_alloc(n_in * sizeof *x);
    uint8_t *rows = must_alloc(n_out * row_bytes);
    uint64_t s = 1;
    for (size_t o = 0; o < n_out; o++) {
        for (size_t i = 0; i < n_in; i++) {
            s = s * 6364136223846793005u + 1442695040888963407u;
            x[i] = (float)(s >> 40) * 0x1p-24f - 0.5f;
        }
        lf_quant_row_ref(t, x, rows + o * row_bytes, n_in);
    }
    ws->bytes = packed ? packed : n_out * row_bytes;
    ws->copies = total / ws->bytes + 1;
    if (ws->copies > 512)
        ws->copies = 512;
    ws->data = must_alloc(ws->copies * ws->bytes);
    if (packed)
        lf_weight_pack(t, n_out, n_in, rows, level, ws->data, pool);
    else
        memcpy(ws->data, rows, ws->bytes);
    for (size_t c = 0; c < ws->copies; c++) {
        uint8_t *at = ws->data + c * ws->bytes;
        if (c > 0)
            memcpy(at, ws->data, ws->bytes);
        ws->w[c] = (lf_weight){ .type = t,
                                .n_out = n_out,
                                .n_in = n_in,
                                .rows = packed ? NULL : at,
                                .packed = packed ? at : NULL,
                                .level = level };
    }
    lf_free(rows);
    lf_free(x);
}

/* Seconds of one product over m rows, the best of all; the copies take turns, so that
 * weights come from memory. */
static double time_product(const weights *ws, size_t m, lf_pool *pool, double seconds)
{
    const size_t n_in = ws->w[0].n_in, n_out = ws->w[0].n_out;
    float *x = must_alloc(m * n_in * sizeof *x), *y = must_alloc(m * n_out * sizeof *y);
    void *scratch = must_alloc(lf_matmul_scratch_bytes(m, n_in));
    for (size_t i = 0; i < m * n_in; i++)
        x[i] = (float)(i % 97) * 0.02f - 1.0f;
    double best = 1e9;
    for (const double end = now_s() + seconds; now_s() < end;) {
        for (size_t c = 0; c < ws->copies; c++) {
            const double t0 = now_s();
            lf_matmul(pool, &ws->w[c], x, m, NULL, y, scratch);
            const double t = now_s() - t0;
            best = t < best ? t : best;
        }
    }
    lf_free(x);
    lf_free(y);
    lf_free(scratch);
    return best;
}

static bool wanted(const options *o, lf_type t)
{
    if (o->n_types == 0)
        return true;
    for (int i = 0; i < o->n_types; i++)
        if (strcmp(o->types[i], lf_type_name(t)) == 0)
            return true;
    return false;
}

static void bench_type(const options *o, lf_type t, lf_pool *pool, double bandwidth)
{
    static const size_t shapes[2][2] = { { N_LARGE, N_SMALL }, { N_SMALL, N_LARGE } };
    for (int i = 0; i < 2; i++) {
        const size_t n_out = shapes[i][0], n_in = shapes[i][1];
        if (n_in % lf_type_block(t) != 0)
            continue;
        weights ws = { .copies = 0 };
        make_weights(&ws, t, n_out, n_in, o->level, (size_t)160 << 20, pool);
        const double decode = time_product(&ws, 1, pool, o->seconds);
        ws.copies = 1;
        const double prefill = time_product(&ws, PREFILL_ROWS, pool, o->seconds);
        const double gbs = (double)ws.bytes / decode * 1e-9;
        const double gops = 2.0 * (double)(n_out * n_in * PREFILL_ROWS) / prefill * 1e-9;
        printf("%-5s %5zu x %-5zu  decode %6.1f GB/s (%3.0f %% of reading)  prefill %7.1f GOP/s\n",
               lf_type_name(t), n_out, n_in, gbs, 100.0 * gbs / bandwidth, gops);
        (void)fflush(stdout);
        lf_free(ws.data);
    }
}

static bool parse(int argc, char **argv, options *o)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
            o->threads = (int)strtol(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
            o->seconds = strtod(argv[++i], NULL);
        } else if (strcmp(argv[i], "--level") == 0 && i + 1 < argc) {
            bool found = false;
            i++;
            for (int l = LF_CPU_SCALAR; l <= LF_CPU_NEON; l++)
                if (strcmp(argv[i], lf_cpu_level_name((lf_cpu_level)l)) == 0 &&
                    lf_kernels_get((lf_cpu_level)l)) {
                    o->level = (lf_cpu_level)l;
                    found = true;
                }
            if (!found)
                return false;
        } else if (argv[i][0] == '-') {
            return false;
        } else {
            o->types = argv + i;
            o->n_types = argc - i;
            return true;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    static const lf_type types[] = { LF_Q4_0, LF_Q4_1, LF_Q5_0, LF_Q5_1, LF_Q8_0, LF_Q4_K,
                                     LF_Q5_K, LF_Q6_K, LF_F16,  LF_BF16, LF_F32 };
    options o = { .threads = lf_cpu_count(), .level = lf_cpu_best(), .seconds = 0.5 };
    lf_err err = { 0 };
    lf_pool *pool = NULL;
    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "usage: bench_kernels [--threads N] [--level scalar|avx2|avx512|"
                        "avx512-vnni|neon] [--seconds S] [TYPE...]\n");
        return 2;
    }
    if (lf_pool_open(o.threads, &pool, &err) != LF_OK) {
        fprintf(stderr, "bench_kernels: %s\n", err.msg);
        return 1;
    }
    const double bandwidth = read_bandwidth(pool, o.seconds);
    printf("%d threads, %s, reading %.1f GB/s\n", o.threads, lf_cpu_level_name(o.level), bandwidth);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (wanted(&o, types[i]))
            bench_type(&o, types[i], pool, bandwidth);
    lf_pool_close(pool);
    return 0;
}
