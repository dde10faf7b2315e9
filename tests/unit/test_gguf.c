/* tests/unit/test_gguf.c - the GGUF reader and writer. */
#include "tests/lf_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/gguf.h"
#include "model/gguf_write.h"

static const float weights[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };

/* A small file with a value of every kind that is written. */
static void build_sample(lf_buf *out)
{
    static const lf_str strs[3] = { { "ab", 2 }, { "", 0 }, { "\xe4\xbd\xa0", 3 } };
    static const float floats[2] = { 0.5f, -2.0f };
    static const int32_t ints[3] = { 1, -7, 100000 };
    lf_gguf_writer *w = NULL;
    LF_NEED(lf_gguf_writer_open(&w, err));
    lf_gguf_put_str(w, "general.architecture", lf_str_of("llama"));
    lf_gguf_put_u32(w, "u", 4000000000u);
    lf_gguf_put_f32(w, "f", 1.5f);
    lf_gguf_put_bool(w, "b", true);
    lf_gguf_put_strs(w, "a.str", strs, 3);
    lf_gguf_put_f32s(w, "a.f32", floats, 2);
    lf_gguf_put_i32s(w, "a.i32", ints, 3);
    lf_gguf_put_bytes(w, "a.u8", "\1\2\377", 3);
    lf_gguf_put_tensor(w, "one", LF_F32, 2, (const uint64_t[]){ 4, 2 }, weights);
    lf_gguf_put_tensor(w, "two", LF_F32, 1, (const uint64_t[]){ 3 }, weights + 5);
    LF_NEED(lf_gguf_writer_build(w, out, err));
    lf_gguf_writer_close(w);
}

/* Bytes in a block of exactly their size, so that ASan sees a read past the end. */
static lf_status open_exact(const char *p, size_t n, lf_gguf **g, lf_err *err, void **hold)
{
    *hold = malloc(n ? n : 1);
    LF_CHECK(*hold != NULL);
    memcpy(*hold, p, n);
    return lf_gguf_open_bytes(*hold, n, "sample", g, err);
}

static void reads_what_was_written(void)
{
    lf_buf b = { 0 };
    lf_gguf *g = NULL;
    lf_str s, strs[3];
    uint32_t u;
    float f, floats[2];
    int32_t ints[3];
    bool yes;
    size_t n;

    build_sample(&b);
    LF_NEED(lf_gguf_open(lf_test_file("a.gguf", b.data, b.len), &g, err));
    LF_CHECK(lf_gguf_str(g, "general.architecture", &s) && lf_str_is(s, "llama"));
    LF_CHECK(lf_gguf_u32(g, "u", &u) && u == 4000000000u);
    LF_CHECK(lf_gguf_f32(g, "f", &f) && f == 1.5f);
    LF_CHECK(lf_gguf_bool(g, "b", &yes) && yes);
    LF_CHECK(lf_gguf_arr_len(g, "a.str", &n) && n == 3);
    LF_CHECK(lf_gguf_arr_strs(g, "a.str", strs, 3) && lf_str_is(strs[0], "ab") &&
             strs[1].len == 0 && lf_str_is(strs[2], "\xe4\xbd\xa0"));
    LF_CHECK(lf_gguf_arr_f32s(g, "a.f32", floats, 2) && floats[1] == -2.0f);
    LF_CHECK(lf_gguf_arr_i32s(g, "a.i32", ints, 3) && ints[1] == -7 && ints[2] == 100000);
    LF_CHECK(lf_gguf_arr_bytes(g, "a.u8", &s) && s.len == 3 && s.p[2] == '\377');
    LF_CHECK(!lf_gguf_arr_i32s(g, "a.i32", ints, 4)); /* longer than it is */
    LF_CHECK(!lf_gguf_u32(g, "f", &u) && !lf_gguf_u32(g, "a.i32", &u) && !lf_gguf_u32(g, "no", &u));
    LF_CHECK(!lf_gguf_str(g, "u", &s) && !lf_gguf_f32(g, "u", &f) && !lf_gguf_bool(g, "u", &yes));

    const lf_gguf_tensor *t = lf_gguf_find(g, "one");
    LF_CHECK(t && t->n_dims == 2 && t->dims[0] == 4 && t->dims[1] == 2 && t->dims[2] == 1);
    LF_CHECK(t && t->n_bytes == 32 && memcmp(t->data, weights, 32) == 0);
    t = lf_gguf_find(g, "two");
    LF_CHECK(t && t->n_bytes == 12 && memcmp(t->data, weights + 5, 12) == 0);
    LF_CHECK(t == lf_gguf_tensor_at(g, 1) && !lf_gguf_tensor_at(g, 2) && !lf_gguf_find(g, "three"));
    LF_CHECK(lf_gguf_n_tensors(g) == 2 && lf_gguf_header(g).len % 32 == 0);
    lf_gguf_close(g);
    lf_buf_release(&b);
    LF_CHECK(lf_mem_live() == 0);
}

static void rejects_every_truncation(void)
{
    lf_buf b = { 0 };
    build_sample(&b);
    /* The last tensor has 12 bytes and no padding after it: every byte counts. */
    for (size_t n = 0; n < b.len; n++) {
        lf_gguf *g = NULL;
        lf_err err = { 0 };
        void *hold;
        LF_CHECK_INT(open_exact(b.data, n, &g, &err, &hold), LF_ERR_FORMAT);
        LF_CHECK(!g && err.msg[0] && lf_mem_live() == 1);
        free(hold);
    }
    lf_buf_release(&b);
}

static void survives_every_failed_allocation(void)
{
    lf_buf b = { 0 };
    build_sample(&b);
    lf_gguf *g = NULL;
    lf_status st = LF_ERR_NOMEM;
    for (long n = 0; st == LF_ERR_NOMEM && n < 100; n++) {
        lf_mem_fail_after(n);
        st = lf_gguf_open_bytes(b.data, b.len, "sample", &g, NULL);
        lf_mem_fail_after(-1);
        LF_CHECK(st == LF_OK || (!g && lf_mem_live() == 1));
    }
    LF_CHECK(st == LF_OK);
    lf_gguf_close(g);
    lf_buf_release(&b);
    LF_CHECK(lf_mem_live() == 0);
}

/* Every byte of the header replaced by some others: never a crash, and a file
 * that opens has its tensors inside the bytes. */
static void survives_every_changed_byte(void)
{
    static const unsigned char put[] = { 0, 1, 0x7f, 0x80, 0xff };
    lf_buf b = { 0 };
    build_sample(&b);
    for (size_t i = 0; i < b.len; i++) {
        for (size_t k = 0; k < sizeof put; k++) {
            lf_gguf *g = NULL;
            lf_err err = { 0 };
            void *hold;
            const char keep = b.data[i];
            b.data[i] = (char)put[k];
            if (open_exact(b.data, b.len, &g, &err, &hold) == LF_OK) {
                for (size_t t = 0; t < lf_gguf_n_tensors(g); t++) {
                    const lf_gguf_tensor *x = lf_gguf_tensor_at(g, t);
                    const char *p = x->data;
                    LF_CHECK(p >= (char *)hold && p + x->n_bytes <= (char *)hold + b.len);
                }
            } else {
                LF_CHECK(!g && err.msg[0]);
            }
            lf_gguf_close(g);
            free(hold);
            b.data[i] = keep;
        }
    }
    lf_buf_release(&b);
    LF_CHECK(lf_mem_live() == 0);
}

/* One file with one thing wrong; the message must name it. */
static void expect_refused(lf_gguf_writer *w, const char *word)
{
    lf_buf b = { 0 };
    lf_gguf *g = NULL;
    lf_err e = { 0 };
    LF_NEED(lf_gguf_writer_build(w, &b, err));
    LF_CHECK(lf_gguf_open_bytes(b.data, b.len, "bad", &g, &e) != LF_OK && !g);
    if (!strstr(e.msg, word))
        LF_CHECK_STR(e.msg, word);
    lf_buf_release(&b);
    lf_gguf_writer_close(w);
}

static void names_what_is_wrong(void)
{
    lf_gguf_writer *w = NULL;
    LF_NEED(lf_gguf_writer_open(&w, err));
    lf_gguf_put_u32(w, "k", 1);
    lf_gguf_put_u32(w, "k", 2);
    expect_refused(w, "'k' occurs twice");

    LF_NEED(lf_gguf_writer_open(&w, err));
    lf_gguf_put_u32(w, "general.alignment", 24);
    expect_refused(w, "general.alignment");

    LF_NEED(lf_gguf_writer_open(&w, err));
    lf_gguf_put_tensor(w, "t", LF_F32, 1, (const uint64_t[]){ 4 }, weights);
    lf_gguf_put_tensor(w, "t", LF_F32, 1, (const uint64_t[]){ 4 }, weights);
    expect_refused(w, "'t' occurs twice");

    LF_NEED(lf_gguf_writer_open(&w, err));
    lf_gguf_put_u32(w, "", 1);
    expect_refused(w, "key has 0 bytes");

    lf_gguf *g = NULL;
    lf_err e = { 0 };
    LF_CHECK_INT(lf_gguf_open_bytes("GGUF\0\0\0\3", 8, "be", &g, &e), LF_ERR_UNSUPPORTED);
    LF_CHECK(strstr(e.msg, "big-endian") != NULL);
    LF_CHECK_INT(lf_gguf_open_bytes("GGUF\1\0\0\0", 8, "v1", &g, &e), LF_ERR_UNSUPPORTED);
    LF_CHECK_INT(lf_gguf_open("/nonexistent.gguf", &g, &e), LF_ERR_NOT_FOUND);
    LF_CHECK_INT(lf_gguf_open(lf_test_file("empty", "", 0), &g, &e), LF_ERR_FORMAT);
}

static void writer_refuses_a_bad_shape(void)
{
    lf_gguf_writer *w = NULL;
    lf_buf b = { 0 };
    lf_err e = { 0 };
    LF_NEED(lf_gguf_writer_open(&w, err));
    lf_gguf_put_tensor(w, "ragged", LF_Q8_0, 1, (const uint64_t[]){ 33 }, weights);
    LF_CHECK_INT(lf_gguf_writer_build(w, &b, &e), LF_ERR_ARG);
    LF_CHECK(strstr(e.msg, "ragged") != NULL);
    lf_gguf_writer_close(w);
    lf_buf_release(&b);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "gguf/reads_what_was_written", reads_what_was_written },
        { "gguf/rejects_every_truncation", rejects_every_truncation },
        { "gguf/survives_every_failed_allocation", survives_every_failed_allocation },
        { "gguf/survives_every_changed_byte", survives_every_changed_byte },
        { "gguf/names_what_is_wrong", names_what_is_wrong },
        { "gguf/writer_refuses_a_bad_shape", writer_refuses_a_bad_shape },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}
