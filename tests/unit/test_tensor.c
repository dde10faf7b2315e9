/* tests/unit/test_tensor.c - every kernel set against the definitions, at ragged sizes,
 * and bit for bit against each other. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "base/pool.h"
#include "lf_test.h"
#include "tensor/act.h"
#include "tensor/attention.h"
#include "tensor/kernels.h"
#include "tensor/matmul.h"
#include "tensor/norm.h"
#include "tensor/rope.h"
#include "tensor/softmax.h"
#include "tensor/vec.h"

static const lf_type quant_types[] = { LF_Q4_0, LF_Q4_1, LF_Q5_0, LF_Q5_1,
                                       LF_Q8_0, LF_Q4_K, LF_Q5_K, LF_Q6_K };
static const lf_type float_types[] = { LF_F32, LF_F16, LF_BF16 };
static const lf_cpu_level levels[] = { LF_CPU_SCALAR,      LF_CPU_AVX2,        LF_CPU_AVX512,
                                       LF_CPU_AVX512_VNNI, LF_CPU_AVX512_BF16, LF_CPU_NEON };
enum { N_QUANT = 8, N_FLOAT = 3, N_LEVELS = 6 };

/* Deterministic numbers, roughly normal with deviation 1. */
static uint64_t seed_state = 1;
static float rnd(void)
{
    float s = 0.0f;
    for (int i = 0; i < 4; i++) {
        seed_state = seed_state * 6364136223846793005u + 1442695040888963407u;
        s += (float)(seed_state >> 40) / 16777216.0f - 0.5f;
    }
    return s * 1.7f;
}

static float *rnd_array(size_t n)
{
    float *p = lf_alloc_aligned(64, (n + 1) * sizeof *p);
    for (size_t i = 0; p && i < n; i++)
        p[i] = rnd();
    return p;
}

static void *alloc64(size_t n)
{
    void *p = lf_alloc_aligned(64, n + 1);
    if (!p)
        lf_test_abort("alloc64", "out of memory", __FILE__, __LINE__);
    return p;
}

static lf_pool *open_pool(int n)
{
    lf_pool *pool = NULL;
    LF_NEED(lf_pool_open(n, &pool, err));
    return pool;
}

/* A weight of random values in both forms. */
typedef struct test_weight {
    lf_weight w;
    void *rows, *packed;
} test_weight;

static test_weight make_weight(lf_type t, size_t n_out, size_t n_in, lf_pool *pool)
{
    test_weight r = { 0 };
    const size_t row_bytes = lf_type_row_bytes(t, n_in);
    float *x = rnd_array(n_in);
    r.rows = alloc64(n_out * row_bytes);
    for (size_t o = 0; o < n_out; o++) {
        for (size_t i = 0; i < n_in; i++)
            x[i] = rnd() * 0.1f;
        lf_quant_row_ref(t, x, (uint8_t *)r.rows + o * row_bytes, n_in);
    }
    r.w = (lf_weight){ .type = t, .n_out = n_out, .n_in = n_in, .rows = r.rows };
    const size_t bytes = lf_weight_packed_bytes(t, n_out, n_in, LF_CPU_SCALAR);
    if (bytes) {
        r.packed = alloc64(bytes);
        lf_weight_pack(t, n_out, n_in, r.rows, LF_CPU_SCALAR, r.packed, pool);
        r.w.packed = r.packed;
    }
    lf_free(x);
    return r;
}

static void free_weight(test_weight *w)
{
    lf_free(w->rows);
    lf_free(w->packed);
}

static void test_half(void)
{
    for (uint32_t h = 0; h < 0x10000; h++) {
        const float f = lf_f16_to_f32((uint16_t)h);
        if (f == f)
            LF_CHECK_INT(lf_f32_to_f16(f), h);
        const float b = lf_bf16_to_f32((uint16_t)h);
        if (b == b)
            LF_CHECK_INT(lf_f32_to_bf16(b), h);
    }
    LF_CHECK_INT(lf_f32_to_f16(1.0f + 0x1p-11f), 0x3c00); /* ties go to even */
    LF_CHECK_INT(lf_f32_to_f16(1.0f + 0x3p-11f), 0x3c02);
    LF_CHECK_INT(lf_f32_to_f16(65519.0f), 0x7bff);
    LF_CHECK_INT(lf_f32_to_f16(65520.0f), 0x7c00);
    LF_CHECK_INT(lf_f32_to_f16(0x1p-25f), 0);
    LF_CHECK_INT(lf_f32_to_f16(0x1.8p-25f), 1);
    LF_CHECK(isnan(lf_f16_to_f32(lf_f32_to_f16(NAN))));
    LF_CHECK(isnan(lf_bf16_to_f32(lf_f32_to_bf16(NAN))));
}

/* Half conversions of every set, over all halves and random floats. */
static void test_half_kernels(void)
{
    enum { N = 1003 };
    float *x = rnd_array(N), y[N];
    uint16_t h[N];
    for (size_t i = 0; i < N; i += 3)
        x[i] *= 1e-5f;
    for (int l = 0; l < N_LEVELS; l++) {
        const lf_kernels *k = lf_kernels_get(levels[l]);
        if (!k)
            continue;
        k->elem->to_f16(x, N, h);
        k->elem->from_f16(h, N, y);
        for (size_t i = 0; i < N; i++) {
            LF_CHECK_INT(h[i], lf_f32_to_f16(x[i]));
            LF_CHECK(y[i] == lf_f16_to_f32(h[i]));
        }
    }
    lf_free(x);
}

/* Quantise, dequantise: the error stays within what the format's step allows. */
static void test_round_trip(void)
{
    static const float worst[] = {
        [LF_Q4_0] = 0.20f, [LF_Q4_1] = 0.16f, [LF_Q5_0] = 0.10f, [LF_Q5_1] = 0.08f,
        [LF_Q8_0] = 0.02f, [LF_Q4_K] = 0.20f, [LF_Q5_K] = 0.10f, [LF_Q6_K] = 0.06f
    };
    enum { N = 1024 };
    float *x = rnd_array(N), y[N];
    for (int i = 0; i < N_QUANT; i++) {
        const lf_type t = quant_types[i];
        uint8_t buf[N * 2];
        for (int zero = 0; zero < 2; zero++) {
            lf_quant_row_ref(t, x, buf, N);
            lf_dequant_row(t, buf, y, N);
            for (size_t j = 0; j < N; j++)
                LF_CHECK_NEAR(y[j], x[j], (zero ? 0.0 : 3.0 * (double)worst[t]),
                              (int)t * 10000 + (int)j);
            memset(x, 0, N * sizeof *x);
        }
        for (size_t j = 0; j < N; j++)
            x[j] = rnd();
    }
    lf_free(x);
}

/* Blocks that another implementation read: tests/golden/tensor/README.md. */
static void test_golden(void)
{
    enum { CAP = 1 << 16 };
    uint8_t *buf = alloc64(CAP);
    FILE *f = fopen(lf_test_source("golden/tensor/dequant.bin"), "rb");
    LF_CHECK(f != NULL);
    if (!f)
        return;
    const size_t n = fread(buf, 1, CAP, f);
    (void)fclose(f);
    int records = 0;
    for (size_t at = 0; at + 12 <= n; records++) {
        uint32_t head[3];
        float want[1024], got[1024];
        memcpy(head, buf + at, 12);
        LF_CHECK(head[2] <= 1024 && at + 12 + head[1] + 4 * head[2] <= n);
        if (head[2] > 1024)
            break;
        memcpy(want, buf + at + 12 + head[1], 4 * (size_t)head[2]);
        lf_dequant_row((lf_type)head[0], buf + at + 12, got, head[2]);
        for (uint32_t i = 0; i < head[2]; i++)
            LF_CHECK_NEAR(got[i], want[i], 0.0, (int)head[0] * 10000 + (int)i);
        at += 12 + head[1] + 4 * (size_t)head[2];
    }
    LF_CHECK_INT(records, N_QUANT);
    lf_free(buf);
}

static void test_pack_rows(void)
{
    for (int i = 0; i < N_QUANT; i++) {
        const lf_type t = quant_types[i];
        const size_t n_in = lf_type_block(t) == 32 ? 96 : 512, n_out = 37;
        test_weight tw = make_weight(t, n_out, n_in, NULL);
        lf_weight plain = tw.w;
        plain.packed = NULL;
        float a[512], b[512];
        for (size_t r = 0; r < n_out; r++) {
            lf_weight_row(&tw.w, r, a);
            lf_weight_row(&plain, r, b);
            LF_CHECK(memcmp(a, b, n_in * sizeof *a) == 0);
        }
        free_weight(&tw);
    }
}

typedef struct shape {
    size_t n_out, n_in, m;
} shape;

/* Error that int8 activations allow: a few steps of the norm. */
static void check_close(const float *y, const float *ref, size_t n, double tol, int tag)
{
    for (size_t i = 0; i < n; i++)
        LF_CHECK_NEAR(y[i], ref[i], tol, tag * 100000 + (int)i);
}

static void check_product(lf_type t, shape s, double tol)
{
    lf_pool *pool = open_pool(2);
    test_weight tw = make_weight(t, s.n_out, s.n_in, pool);
    float *x = rnd_array(s.m * s.n_in), *bias = rnd_array(s.n_out);
    float *ref = rnd_array(s.m * s.n_out), *y = rnd_array(s.m * s.n_out);
    float *first = rnd_array(s.m * s.n_out);
    void *scratch = alloc64(lf_matmul_scratch_bytes(s.m, s.n_in));
    float *seen = rnd_array(s.m * s.n_in); /* the activations that BF16 weights meet */
    for (size_t i = 0; i < s.m * s.n_in; i++)
        seen[i] = t == LF_BF16 ? lf_bf16_to_f32(lf_f32_to_bf16(x[i])) : x[i];
    lf_matmul_ref(&tw.w, seen, s.m, bias, ref);
    lf_free(seen);
    lf_matmul(NULL, &tw.w, x, s.m, bias, first, scratch);
    check_close(first, ref, s.m * s.n_out, tol, (int)t);
    for (int l = 0; l < N_LEVELS; l++) {
        if (!lf_kernels_get(levels[l]))
            continue;
        tw.w.level = levels[l];
        for (int threads = 0; threads < 2; threads++) {
            memset(y, 0xff, s.m * s.n_out * sizeof *y);
            lf_matmul(threads ? pool : NULL, &tw.w, x, s.m, bias, y, scratch);
            LF_CHECK(memcmp(y, first, s.m * s.n_out * sizeof *y) == 0);
        }
        /* A row alone gives the bits that it gives in company. */
        for (size_t r = 0; r < s.m; r += 1 + s.m / 5) {
            lf_matmul(pool, &tw.w, x + r * s.n_in, 1, bias, y, scratch);
            LF_CHECK(memcmp(y, first + r * s.n_out, s.n_out * sizeof *y) == 0);
        }
        if (tw.packed) {
            lf_weight plain = tw.w;
            plain.packed = NULL;
            lf_matmul(pool, &plain, x, s.m, bias, y, scratch);
            LF_CHECK(memcmp(y, first, s.m * s.n_out * sizeof *y) == 0);
        }
    }
    lf_free(x);
    lf_free(bias);
    lf_free(ref);
    lf_free(y);
    lf_free(first);
    lf_free(scratch);
    free_weight(&tw);
    lf_pool_close(pool);
}

static void test_matmul_quantised(void)
{
    static const shape shapes[] = {
        { 16, 256, 1 }, { 37, 512, 7 }, { 5, 256, 21 }, { 48, 768, 64 }, { 100, 256, 33 }
    };
    for (int i = 0; i < N_QUANT; i++)
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
            check_product(quant_types[i], shapes[s], 0.12);
    for (int i = 0; i < 5; i++) { /* the types whose rows need not be whole 256s */
        check_product(quant_types[i], (shape){ 192, 576, 5 }, 0.12);
        check_product(quant_types[i], (shape){ 33, 96, 18 }, 0.12);
        check_product(quant_types[i], (shape){ 17, 32, 3 }, 0.12);
    }
}

static void test_matmul_float(void)
{
    static const shape shapes[] = { { 1, 1, 1 },   { 16, 64, 1 },  { 37, 100, 7 },
                                    { 5, 33, 21 }, { 48, 768, 9 }, { 3, 17, 4 } };
    for (int i = 0; i < N_FLOAT; i++)
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
            check_product(float_types[i], shapes[s], 2e-5);
}

/* Large m: several chunks, several weights over one x, with and without biases. */
static void test_matmul_many(void)
{
    lf_pool *pool = open_pool(2);
    enum { M = 512, N_IN = 4864 / 4, N_W = 3 };
    const lf_type types[N_W] = { LF_Q5_0, LF_Q8_0, LF_F16 };
    const size_t n_out[N_W] = { 48, 24, 10 };
    test_weight tw[N_W];
    const lf_weight *w[N_W];
    float *y[N_W], *one[N_W], *x = rnd_array((size_t)M * N_IN), *bias0 = rnd_array(48);
    const float *bias[N_W] = { bias0, NULL, NULL };
    void *scratch = alloc64(lf_matmul_scratch_bytes(M, N_IN));
    for (int i = 0; i < N_W; i++) {
        tw[i] = make_weight(types[i], n_out[i], N_IN, pool);
        tw[i].w.level = lf_cpu_best();
        w[i] = &tw[i].w;
        y[i] = rnd_array(M * n_out[i]);
        one[i] = rnd_array(M * n_out[i]);
    }
    lf_matmul_many(pool, w, N_W, x, M, bias, y, scratch);
    for (int i = 0; i < N_W; i++) {
        for (size_t r = 0; r < M; r += 97)
            lf_matmul(NULL, w[i], x + r * N_IN, 1, bias[i], one[i] + r * n_out[i], scratch);
        for (size_t r = 0; r < M; r += 97)
            LF_CHECK(memcmp(one[i] + r * n_out[i], y[i] + r * n_out[i], n_out[i] * 4) == 0);
    }
    for (int i = 0; i < N_W; i++) {
        free_weight(&tw[i]);
        lf_free(y[i]);
        lf_free(one[i]);
    }
    lf_free(x);
    lf_free(bias0);
    lf_free(scratch);
    lf_pool_close(pool);
}

/* Activations that int8 cannot scale: zeros, tiny, huge. */
static void test_matmul_extremes(void)
{
    test_weight tw = make_weight(LF_Q5_0, 20, 64, NULL);
    float x[64], y[20];
    void *scratch = alloc64(lf_matmul_scratch_bytes(1, 64));
    static const float values[] = { 0.0f, 1e-38f, 1e30f };
    for (int l = 0; l < N_LEVELS; l++) {
        if (!lf_kernels_get(levels[l]))
            continue;
        tw.w.level = levels[l];
        for (int v = 0; v < 3; v++) {
            for (int i = 0; i < 64; i++)
                x[i] = values[v];
            lf_matmul(NULL, &tw.w, x, 1, NULL, y, scratch);
            for (int i = 0; i < 20; i++)
                LF_CHECK(v < 2 ? y[i] == 0.0f : isfinite(y[i]) && y[i] != 0.0f);
        }
    }
    lf_free(scratch);
    free_weight(&tw);
}

static void check_bits(const float *a, const float *b, size_t n, const char *what)
{
    if (memcmp(a, b, n * sizeof *a) != 0)
        lf_test_check(false, what, __FILE__, __LINE__);
}

static void test_norms(void)
{
    static const size_t sizes[] = { 1, 7, 16, 33, 384, 896, 1000 };
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const size_t n = sizes[s];
        float *x = rnd_array(n), *w = rnd_array(n), *b = rnd_array(n), *y = rnd_array(n);
        float *rms = rnd_array(n), *layer = rnd_array(n), *rms0 = rnd_array(n),
              *layer0 = rnd_array(n);
        lf_rmsnorm_ref(x, w, 1, n, 1e-6f, rms);
        lf_layernorm_ref(x, w, b, 1, n, 1e-5f, layer);
        for (int l = 0; l < N_LEVELS; l++) {
            const lf_kernels *k = lf_kernels_get(levels[l]);
            if (!k)
                continue;
            k->elem->rmsnorm(x, w, n, 1e-6f, y);
            check_close(y, rms, n, 1e-5, 1);
            if (l == 0)
                memcpy(rms0, y, n * sizeof *y);
            check_bits(y, rms0, n, "rmsnorm: the same bits on every set");
            k->elem->layernorm(x, w, b, n, 1e-5f, y);
            check_close(y, layer, n, 2e-5, 2);
            if (l == 0)
                memcpy(layer0, y, n * sizeof *y);
            check_bits(y, layer0, n, "layernorm: the same bits on every set");
        }
        float *all[] = { x, w, b, y, rms, layer, rms0, layer0 };
        for (size_t i = 0; i < 8; i++)
            lf_free(all[i]);
    }
}

static void test_activations(void)
{
    enum { N = 4001 };
    float x[N], up[N], y[N], first[N];
    for (int i = 0; i < N; i++) {
        x[i] = (float)(i - 2000) * 0.01f;
        up[i] = rnd();
    }
    for (int a = LF_ACT_SILU; a <= LF_ACT_TANH; a++)
        for (int l = 0; l < N_LEVELS; l++) {
            const lf_kernels *k = lf_kernels_get(levels[l]);
            if (!k)
                continue;
            k->elem->act((lf_act)a, x, NULL, N, y);
            for (int i = 0; i < N; i++)
                LF_CHECK_NEAR(y[i], lf_act_ref((lf_act)a, (double)x[i]),
                              3e-7 * fmax(1.0, fabs((double)x[i])), a * 10000 + i);
            k->elem->act((lf_act)a, x, up, N, y);
            if (l == 0)
                memcpy(first, y, sizeof y);
            check_bits(y, first, N, "act: the same bits on every set");
        }
    const float odd[4] = { -INFINITY, INFINITY, NAN, -100.0f };
    for (int l = 0; l < N_LEVELS; l++) {
        const lf_kernels *k = lf_kernels_get(levels[l]);
        if (!k)
            continue;
        k->elem->act(LF_ACT_TANH, odd, NULL, 4, y);
        LF_CHECK(y[0] == -1.0f && y[1] == 1.0f && isnan(y[2]) && y[3] == -1.0f);
        k->elem->softcap(x, 30.0f, N, y);
        for (int i = 0; i < N; i++)
            LF_CHECK_NEAR(y[i], 30.0 * tanh((double)x[i] / 30.0), 1e-5, i);
    }
}

static void test_softmax(void)
{
    static const size_t sizes[] = { 1, 3, 16, 63, 1000, 5003 };
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const size_t n = sizes[s];
        float *x = rnd_array(n), *y = rnd_array(n), *ref = rnd_array(n), *first = rnd_array(n);
        if (n > 3)
            x[1] = -INFINITY;
        lf_softmax_ref(x, 1, n, 3.0f, ref);
        double lse = 0.0;
        for (size_t i = 0; i < n; i++)
            lse += exp((double)x[i]);
        LF_CHECK_NEAR(lf_logsumexp(x, n), log(lse), 1e-5, (int)n);
        for (int l = 0; l < N_LEVELS; l++) {
            const lf_kernels *k = lf_kernels_get(levels[l]);
            if (!k)
                continue;
            k->elem->softmax(x, n, 3.0f, y);
            check_close(y, ref, n, 1e-6, (int)n);
            if (l == 0)
                memcpy(first, y, n * sizeof *y);
            check_bits(y, first, n, "softmax: the same bits on every set");
        }
        float *all[] = { x, y, ref, first };
        for (size_t i = 0; i < 4; i++)
            lf_free(all[i]);
    }
    float none[2] = { -INFINITY, -INFINITY }, out[2] = { 5, 5 };
    lf_softmax(NULL, none, 1, 2, 1.0f, out);
    LF_CHECK(out[0] == 0.0f && out[1] == 0.0f);
    const float peaks[20] = { 1, 2, NAN, 7, 3, 7, [19] = 6 };
    LF_CHECK_INT(lf_argmax(peaks, 20), 3);
}

static void test_rope(void)
{
    enum { M = 3, HEADS = 2, DIM = 48, ROT = 40 };
    static const int32_t pos[M] = { 0, 7, 4099 };
    float factors[ROT / 2], cs[M * ROT];
    for (int i = 0; i < ROT / 2; i++)
        factors[i] = 1.0f + 0.1f * (float)i;
    for (int kind = LF_ROPE_NORM; kind <= LF_ROPE_NEOX; kind++) {
        const lf_rope r = { .kind = (lf_rope_kind)kind,
                            .n_dims = ROT,
                            .base = 10000.0f,
                            .freq_scale = 0.5f,
                            .freq_factors = factors };
        float *x = rnd_array(M * HEADS * DIM), *y = rnd_array(M * HEADS * DIM);
        memcpy(y, x, M * HEADS * DIM * sizeof *x);
        lf_rope_table(&r, pos, M, cs);
        lf_rope_apply(NULL, &r, cs, y, M, HEADS, DIM);
        for (int m = 0; m < M; m++)
            for (int h = 0; h < HEADS; h++)
                for (int i = 0; i < ROT / 2; i++) {
                    const double a =
                        pos[m] * 0.5 * pow(10000.0, -2.0 * i / ROT) / (double)factors[i];
                    const int at = (m * HEADS + h) * DIM;
                    const int u = at + (kind == LF_ROPE_NORM ? 2 * i : i);
                    const int v = at + (kind == LF_ROPE_NORM ? 2 * i + 1 : i + ROT / 2);
                    LF_CHECK_NEAR(y[u], (double)x[u] * cos(a) - (double)x[v] * sin(a), 1e-6, u);
                    LF_CHECK_NEAR(y[v], (double)x[u] * sin(a) + (double)x[v] * cos(a), 1e-6, v);
                }
        for (int h = 0; h < M * HEADS; h++)
            LF_CHECK(memcmp(x + h * DIM + ROT, y + h * DIM + ROT, (DIM - ROT) * sizeof *x) == 0);
        lf_free(x);
        lf_free(y);
    }
}

typedef struct attn_case {
    size_t heads, kv_heads, dim, n_kv, m;
    bool causal;
    size_t window;
    float softcap;
} attn_case;

enum { BLOCKS_MAX = 8 };

/* A table of blocks for n positions, in no order, with the layer at `at`; 0xff (NaN)
 * where nothing is stored.  Free *memory. */
static void new_blocks(const lf_kv_shape *s, size_t n, size_t at, uint8_t **table, void **memory)
{
    const size_t count = (n + LF_KV_BLOCK - 1) / LF_KV_BLOCK, bytes = at + lf_kv_bytes(s) + 64;
    LF_CHECK(count <= BLOCKS_MAX);
    uint8_t *p = alloc64(count * bytes);
    memset(p, 0xff, count * bytes);
    for (size_t i = 0; i < count; i++)
        table[i] = p + (i % 2 ? count / 2 + i / 2 + count % 2 : i / 2) * bytes;
    *memory = p;
}

static double rms_of_difference(const float *a, const float *b, size_t n)
{
    double d = 0, s = 0;
    for (size_t i = 0; i < n; i++) {
        d += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        s += (double)b[i] * (double)b[i];
    }
    return sqrt(d / s);
}

/* What is stored is near to what was given, and does not depend on how it was cut. */
static void check_store(const attn_case *c, lf_type type)
{
    const lf_kv_shape s = { type, c->kv_heads, c->dim };
    const size_t row = c->kv_heads * c->dim, n = c->n_kv * row;
    uint8_t *whole[BLOCKS_MAX], *cut[BLOCKS_MAX];
    void *mem[2];
    lf_pool *pool = open_pool(2);
    float *k = rnd_array(n), *v = rnd_array(n), *k2 = rnd_array(n), *v2 = rnd_array(n);
    for (size_t i = 0; i < n; i += c->dim)
        k[i] += 100; /* a dim that is far larger in all keys */
    new_blocks(&s, c->n_kv, 0, whole, &mem[0]);
    new_blocks(&s, c->n_kv, 0, cut, &mem[1]);
    lf_kv_store(pool, &s, whole, 0, 0, k, v, c->n_kv);
    for (size_t at = 0, step = 1; at < c->n_kv; at += step, step = step * 2 + 1) {
        step = step < c->n_kv - at ? step : c->n_kv - at;
        lf_kv_store(pool, &s, cut, 0, at, k + at * row, v + at * row, step);
    }
    for (size_t i = 0; i * LF_KV_BLOCK < c->n_kv; i++)
        LF_CHECK(memcmp(whole[i], cut[i], lf_kv_bytes(&s)) == 0);
    lf_kv_load(&s, cut, 0, 0, k2, v2, c->n_kv);
    for (size_t i = 0; i < n; i += c->dim)
        k2[i] -= 100, k[i] -= 100;
    LF_CHECK(rms_of_difference(k2, k, n) < 0.03);
    LF_CHECK(rms_of_difference(v2, v, n) < (type == LF_Q4_0 ? 0.15 : 0.01));
    void *all[] = { k, v, k2, v2, mem[0], mem[1] };
    for (size_t i = 0; i < 6; i++)
        lf_free(all[i]);
    lf_pool_close(pool);
}

static void check_attention(const attn_case *c, lf_type type)
{
    enum { AT = 128 };
    const lf_attn a = { .kv = { type, c->kv_heads, c->dim },
                        .n_q_heads = c->heads,
                        .scale = 1.0f / sqrtf((float)c->dim),
                        .softcap = c->softcap };
    const size_t kv_n = c->n_kv * c->kv_heads * c->dim, q_n = c->m * c->heads * c->dim;
    uint8_t *blocks[BLOCKS_MAX];
    void *memory;
    lf_pool *pool = open_pool(2);
    float *k = rnd_array(kv_n), *v = rnd_array(kv_n), *q = rnd_array(q_n);
    float *ref = rnd_array(q_n), *y = rnd_array(q_n), *first = rnd_array(q_n);
    new_blocks(&a.kv, c->n_kv, AT, blocks, &memory);
    const size_t cut = c->n_kv / 3;
    lf_kv_store(pool, &a.kv, blocks, AT, 0, k, v, cut);
    lf_kv_store(pool, &a.kv, blocks, AT, cut, k + cut * c->kv_heads * c->dim,
                v + cut * c->kv_heads * c->dim, c->n_kv - cut);
    lf_attn_job j = { .q = q,
                      .out = ref,
                      .m = c->m,
                      .blocks = blocks,
                      .at = AT,
                      .n_kv = c->n_kv,
                      .pos0 = c->n_kv - c->m,
                      .causal = c->causal,
                      .window = c->window };
    lf_attention_ref(&a, &j);
    j.out = first;
    lf_attention(NULL, &a, &j);
    check_close(first, ref, q_n, 2e-5, (int)c->n_kv);
    j.out = y;
    lf_attention(pool, &a, &j);
    check_bits(y, first, q_n, "attention: the same bits with two threads");
    lf_pool *many = open_pool(5); /* more threads than tiles: the tiles get smaller */
    memset(y, 0xff, q_n * sizeof *y);
    lf_attention(many, &a, &j);
    lf_pool_close(many);
    check_bits(y, first, q_n, "attention: the same bits with five threads");
    const size_t group = c->heads / c->kv_heads;
    for (int l = 0; l < N_LEVELS; l++) {
        const lf_kernels *kn = lf_kernels_get(levels[l]);
        for (size_t f = 0; kn && f < c->m * group; f += LF_ATTN_PAIRS) {
            const size_t left = c->m * group - f;
            for (size_t h = 0; h < c->kv_heads; h++) {
                const lf_attn_tile t = { &a, &j, h, f,
                                         left < LF_ATTN_PAIRS ? left : LF_ATTN_PAIRS };
                kn->attention->tile(&t);
            }
        }
        if (kn)
            check_bits(y, first, q_n, "attention: the same bits on every set");
    }
    for (size_t r = 0; r < c->m; r++) { /* a row alone, and the cache as it was then */
        lf_attn_job one = j;
        one.q = q + r * c->heads * c->dim;
        one.out = y + r * c->heads * c->dim;
        one.m = 1;
        one.pos0 = j.pos0 + r;
        one.n_kv = c->causal ? one.pos0 + 1 : c->n_kv;
        lf_attention(pool, &a, &one);
    }
    check_bits(y, first, q_n, "attention: the same bits row by row");
    if (type == LF_F32) {
        float *k2 = rnd_array(kv_n), *v2 = rnd_array(kv_n);
        lf_kv_load(&a.kv, blocks, AT, 0, k2, v2, c->n_kv);
        check_bits(k2, k, kv_n, "kv: keys come back");
        check_bits(v2, v, kv_n, "kv: values come back");
        lf_free(k2);
        lf_free(v2);
    }
    void *all[] = { k, v, q, ref, y, first, memory };
    for (size_t i = 0; i < 7; i++)
        lf_free(all[i]);
    lf_pool_close(pool);
}

static void test_attention(void)
{
    static const attn_case cases[] = {
        { 14, 2, 64, 200, 1, true, 0, 0 },     { 14, 2, 64, 200, 33, true, 0, 0 },
        { 4, 4, 32, 77, 77, false, 0, 0 },     { 9, 3, 64, 130, 130, true, 0, 0 },
        { 4, 1, 256, 150, 20, true, 50, 0 },   { 2, 1, 8, 5, 5, true, 0, 0 },
        { 6, 2, 20, 300, 40, true, 64, 5.0f }, { 1, 1, 1, 1, 1, false, 0, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_attention(&cases[i], LF_F16);
        check_attention(&cases[i], LF_F32);
        check_attention(&cases[i], LF_Q8_0);
        check_attention(&cases[i], LF_Q4_0);
        check_store(&cases[i], LF_F16);
        check_store(&cases[i], LF_Q8_0);
        check_store(&cases[i], LF_Q4_0);
    }
}

/* Sequences side by side give what each gives alone. */
static void test_attention_jobs(void)
{
    enum { JOBS = 4, HEADS = 3, DIM = 24 };
    static const size_t lengths[JOBS] = { 5, 70, 1, 33 };
    const lf_attn a = { .kv = { LF_F16, HEADS, DIM }, .n_q_heads = HEADS, .scale = 0.2f };
    lf_pool *pool = open_pool(2);
    lf_attn_job jobs[JOBS];
    float *together[JOBS], *alone[JOBS];
    uint8_t *blocks[JOBS][BLOCKS_MAX];
    void *memory[JOBS];
    for (int i = 0; i < JOBS; i++) {
        const size_t n = lengths[i] * HEADS * DIM;
        float *q = rnd_array(n), *k = rnd_array(n), *v = rnd_array(n);
        new_blocks(&a.kv, lengths[i], 0, blocks[i], &memory[i]);
        lf_kv_store(NULL, &a.kv, blocks[i], 0, 0, k, v, lengths[i]);
        lf_free(k);
        lf_free(v);
        together[i] = rnd_array(n);
        alone[i] = rnd_array(n);
        jobs[i] = (lf_attn_job){
            .q = q, .out = together[i], .m = lengths[i], .blocks = blocks[i], .n_kv = lengths[i]
        };
    }
    lf_attention_many(pool, &a, jobs, JOBS);
    for (int i = 0; i < JOBS; i++) {
        jobs[i].out = alone[i];
        lf_attention(NULL, &a, &jobs[i]);
        check_bits(together[i], alone[i], lengths[i] * HEADS * DIM, "jobs do not mix");
    }
    for (int i = 0; i < JOBS; i++) {
        void *all[] = { (void *)(uintptr_t)jobs[i].q, memory[i], together[i], alone[i] };
        for (size_t p = 0; p < 4; p++)
            lf_free(all[p]);
    }
    lf_pool_close(pool);
}

/* Dots of q with each of n rows, against sums in double. */
static void check_dots(const float *q, const float *rows, size_t n, size_t dim, const float *out)
{
    for (size_t i = 0; i < n; i++) {
        double want = 0.0;
        for (size_t c = 0; c < dim; c++)
            want += (double)q[c] * (double)rows[i * dim + c];
        LF_CHECK_NEAR(out[i], want, 2e-5, (int)i);
    }
}

static void test_dots(void)
{
    static const size_t dims[] = { 1, 15, 16, 100, 384 };
    for (size_t d = 0; d < sizeof dims / sizeof dims[0]; d++) {
        enum { N = 11 };
        const size_t dim = dims[d];
        float *q = rnd_array(dim), *rows = rnd_array(N * dim), out[N], first[N];
        uint16_t *half = alloc64(N * dim * 2);
        lf_vec_f32_to_f16(rows, N * dim, half);
        for (size_t i = 0; i < N * dim; i++)
            rows[i] = lf_f16_to_f32(half[i]);
        for (int l = 0; l < N_LEVELS; l++) {
            const lf_kernels *k = lf_kernels_get(levels[l]);
            if (!k)
                continue;
            k->elem->dot_f16_rows(q, half, N, dim, out);
            if (l == 0)
                memcpy(first, out, sizeof out);
            check_bits(out, first, N, "dot_f16_rows: the same bits on every set");
            check_dots(q, rows, N, dim, out);
            LF_CHECK_NEAR(k->elem->dot(q, rows, dim), lf_dot_f32(q, rows, dim), 0.0, (int)dim);
        }
        lf_vec_normalize(q, dim);
        LF_CHECK_NEAR(lf_dot_f32(q, q, dim), 1.0, 1e-6, (int)dim);
        lf_free(q);
        lf_free(rows);
        lf_free(half);
    }
}

static void test_dots_q4(void)
{
    static const size_t dims[] = { 32, 64, 384 };
    for (size_t d = 0; d < sizeof dims / sizeof dims[0]; d++) {
        enum { N = 7 };
        const size_t dim = dims[d], row_bytes = lf_type_row_bytes(LF_Q4_0, dim);
        float *q = rnd_array(dim), *rows = rnd_array(N * dim), out[N], first[N];
        uint8_t *packed = alloc64(N * row_bytes);
        for (size_t i = 0; i < N; i++) {
            lf_quant_row_ref(LF_Q4_0, rows + i * dim, packed + i * row_bytes, dim);
            lf_dequant_row(LF_Q4_0, packed + i * row_bytes, rows + i * dim, dim);
        }
        for (int l = 0; l < N_LEVELS; l++) {
            const lf_kernels *k = lf_kernels_get(levels[l]);
            if (!k)
                continue;
            k->elem->dot_q4_rows(q, packed, N, dim, out);
            if (l == 0)
                memcpy(first, out, sizeof out);
            check_bits(out, first, N, "dot_q4_rows: the same bits on every set");
            check_dots(q, rows, N, dim, out);
        }
        lf_free(q);
        lf_free(rows);
        lf_free(packed);
    }
}

static void test_sizes(void)
{
    LF_CHECK_INT(lf_type_row_bytes(LF_Q4_0, 64), 36);
    LF_CHECK_INT(lf_type_row_bytes(LF_Q4_0, 63), 0);
    LF_CHECK_INT(lf_type_row_bytes(LF_Q6_K, 512), 420);
    LF_CHECK_INT(lf_type_row_bytes((lf_type)99, 512), 0);
    LF_CHECK(!lf_type_known(4) && !lf_type_known(31) && lf_type_known(30));
    LF_CHECK_STR(lf_type_name((lf_type)5), "unknown");
    LF_CHECK_INT(lf_weight_packed_bytes(LF_F16, 16, 64, LF_CPU_SCALAR), 0);
    for (int i = 0; i < N_QUANT; i++) { /* the packed form costs at most 3 % */
        const lf_type t = quant_types[i];
        LF_CHECK(lf_weight_packed_bytes(t, 896, 4864, LF_CPU_SCALAR) * 100 <=
                 896 * lf_type_row_bytes(t, 4864) * 103);
    }
}

static const lf_test tests[] = {
    { "type/sizes", test_sizes },
    { "type/half", test_half },
    { "type/half_kernels", test_half_kernels },
    { "type/quantisers_round_trip", test_round_trip },
    { "type/golden_dequant", test_golden },
    { "pack/rows_come_back", test_pack_rows },
    { "matmul/quantised_all_sets_same_bits", test_matmul_quantised },
    { "matmul/float_all_sets_same_bits", test_matmul_float },
    { "matmul/many_weights_large_batch", test_matmul_many },
    { "matmul/extremes", test_matmul_extremes },
    { "norm/all_sets", test_norms },
    { "act/all_sets", test_activations },
    { "softmax/all_sets", test_softmax },
    { "rope/both_layouts", test_rope },
    { "attention/all_sets_same_bits", test_attention },
    { "attention/jobs", test_attention_jobs },
    { "vec/dots", test_dots },

    { "vec/dots_q4", test_dots_q4 },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    return lf_test_main(argc, argv, tests);
}
