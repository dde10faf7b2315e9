/* tests/unit/test_model.c - loading: every part missing or wrong, and the weight cache. */
#include "tests/lf_test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "infer/engine.h"
#include "model/e5s1.h"
#include "model/forward.h"
#include "model/gguf.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "tests/unit/tiny_model.h"

static const char *const archs[] = { "llama", "qwen2", "qwen3", "gemma3", "bert" };
enum { N_ARCHS = 5 };

static void every_architecture_opens(void)
{
    for (size_t i = 0; i < N_ARCHS; i++) {
        lf_model *m = NULL;
        const tiny_opts o = { .arch = archs[i], .type = LF_Q8_0, .untied = i % 2 };
        LF_NEED(lf_model_open(tiny_model("m.gguf", &o), NULL, &m, err));
        const lf_model_info *info = lf_model_get_info(m);
        LF_CHECK_STR(info->arch, archs[i]);
        LF_CHECK_STR(info->name, "tiny");
        LF_CHECK_INT(strlen(info->hash), 64);
        LF_CHECK_INT(info->n_embd, TINY_EMBD);
        LF_CHECK_INT(info->n_vocab, 260);
        LF_CHECK_INT(info->is_encoder, strcmp(archs[i], "bert") == 0);
        LF_CHECK(lf_model_template(m) == NULL && lf_model_n_refs(m) == 1);
        lf_model_unref(lf_model_ref(m));
        lf_model_unref(m);
        LF_CHECK_INT(lf_mem_live(), 0);
    }
}

static lf_status no_room(void *ud, const lf_model *m, lf_err *err)
{
    uint64_t *bytes = ud;
    *bytes = lf_model_get_info(m)->memory_bytes;
    return lf_fail(err, LF_ERR_NOMEM, "no room");
}

/* Who opens a model may refuse it by its size, and nothing is read or kept then. */
static void is_admitted_by_its_size(void)
{
    for (size_t i = 0; i < N_ARCHS; i++) {
        lf_model *m = NULL;
        lf_err e = { 0 };
        uint64_t bytes = 0;
        const tiny_opts o = { .arch = archs[i], .type = LF_Q8_0 };
        const char *path = tiny_model("m.gguf", &o);
        const lf_model_opts mo = { .cache_dir = lf_test_dir(), .admit = no_room, .ud = &bytes };
        LF_CHECK_INT(lf_model_open(path, &mo, &m, &e), LF_ERR_NOMEM);
        LF_CHECK_STR(e.msg, "no room");
        LF_CHECK_INT(lf_mem_live(), 0);
        LF_NEED(lf_model_open(path, NULL, &m, err));
        const lf_model_info *info = lf_model_get_info(m);
        LF_CHECK_INT(info->memory_bytes, bytes);
        LF_CHECK(bytes > info->weight_bytes / 2 && bytes < info->weight_bytes * 3);
        lf_model_unref(m);
    }
}

/* Each tensor that a model has is needed: without it the error names it. */
static void names_each_missing_tensor(void)
{
    for (size_t i = 0; i < N_ARCHS; i++) {
        const tiny_opts whole = { .arch = archs[i], .type = LF_F32, .n_layers = 1 };
        char *path = lf_strdup(tiny_model("whole.gguf", &whole));
        lf_gguf *g = NULL;
        LF_NEED(lf_gguf_open(path, &g, err));
        for (size_t k = 0; k < lf_gguf_n_tensors(g); k++) {
            char name[80];
            const lf_str s = lf_gguf_tensor_at(g, k)->name;
            (void)snprintf(name, sizeof name, "%.*s", (int)s.len, s.p);
            if (strcmp(name, "token_types.weight") == 0)
                continue; /* not every BERT has one */
            tiny_opts o = whole;
            o.without = name;
            lf_model *m = NULL;
            lf_err e = { 0 };
            LF_CHECK_INT(lf_model_open(tiny_model("part.gguf", &o), NULL, &m, &e), LF_ERR_FORMAT);
            const char *part = strncmp(name, "blk.0.", 6) == 0 ? name + 6 : name;
            LF_CHECK(!m && strstr(e.msg, part) != NULL && strstr(e.msg, "missing") != NULL);
        }
        lf_gguf_close(g);
        lf_free(path);
        LF_CHECK_INT(lf_mem_live(), 0);
    }
}

static void names_each_bad_number(void)
{
    static const struct {
        const char *key;
        uint32_t value;
    } bad[] = {
        { "block_count", 0 },
        { "block_count", 5000 },
        { "block_count", 3 }, /* a layer more than there are tensors */
        { "embedding_length", 0 },
        { "embedding_length", 32 },
        { "embedding_length", 4000000000u },
        { "feed_forward_length", 64 },
        { "attention.head_count", 0 },
        { "attention.head_count", 3 },
        { "attention.head_count_kv", 0 },
        { "attention.head_count_kv", 8 },
        { "attention.key_length", 0 },
        { "attention.key_length", 32 },
        { "attention.key_length", 1000 },
        { "context_length", 0 },
        { "context_length", 4000000000u },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const tiny_opts o = {
            .arch = "llama", .type = LF_F32, .key = bad[i].key, .value = bad[i].value
        };
        lf_model *m = NULL;
        lf_err e = { 0 };
        LF_CHECK(lf_model_open(tiny_model("bad.gguf", &o), NULL, &m, &e) != LF_OK);
        LF_CHECK(!m && e.msg[0] && lf_mem_live() == 0);
    }
    const tiny_opts o = { .arch = "mamba", .type = LF_F32 };
    lf_model *m = NULL;
    lf_err e = { 0 };
    LF_CHECK_INT(lf_model_open(tiny_model("bad.gguf", &o), NULL, &m, &e), LF_ERR_UNSUPPORTED);
    LF_CHECK(strstr(e.msg, "mamba") != NULL);
}

static void survives_every_failed_allocation(void)
{
    const tiny_opts o = { .arch = "qwen2", .type = LF_Q8_0, .n_layers = 1 };
    char *path = lf_strdup(tiny_model("m.gguf", &o));
    lf_model *m = NULL;
    lf_status st = LF_ERR_NOMEM;
    for (long n = 0; st != LF_OK && n < 3000; n++) {
        lf_mem_fail_after(n);
        st = lf_model_open(path, NULL, &m, NULL);
        lf_mem_fail_after(-1);
        LF_CHECK(st == LF_OK || (!m && lf_mem_live() == 1));
    }
    LF_CHECK_INT(st, LF_OK);
    lf_model_unref(m);
    lf_free(path);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* ---- the weight cache ---- */

static const int32_t some_ids[] = { 256, 104, 101, 108, 108, 111, 32, 259, 101 };
enum { N_IDS = 9, VOCAB = 260 };

static void score(const char *path, const char *cache_dir, float *out)
{
    lf_model *m = NULL;
    lf_engine *e = NULL;
    const lf_model_opts mo = { .cache_dir = cache_dir };
    const lf_engine_opts eo = { .n_threads = 1 };
    LF_NEED(lf_model_open(path, &mo, &m, err));
    LF_NEED(lf_engine_open(&eo, &e, err));
    LF_NEED(lf_engine_logits(e, m, some_ids, N_IDS, out, err));
    lf_engine_close(e);
    lf_model_unref(m);
}

typedef struct found {
    char path[512];
    size_t n, n_other;
} found;

static lf_status note(void *ud, const char *path, const char *rel, lf_err *err)
{
    found *f = ud;
    (void)rel;
    (void)err;
    const size_t n = strlen(path);
    if (n > 7 && strcmp(path + n - 7, ".lfpack") == 0) {
        (void)snprintf(f->path, sizeof f->path, "%s", path);
        f->n++;
    } else {
        f->n_other++;
    }
    return LF_OK;
}

static found packs(const char *dir)
{
    found f = { .n = 0 };
    LF_NEED(lf_walk(dir, note, &f, err));
    return f;
}

/* With no cache, a new one, one that is there, and damaged ones: the same bytes. */
static void weight_cache_is_rebuilt_when_damaged(void)
{
    static float want[N_IDS * VOCAB], got[N_IDS * VOCAB];
    const tiny_opts o = { .arch = "qwen3", .type = LF_Q8_0, .untied = true };
    char *path = lf_strdup(tiny_model("m.gguf", &o));
    char *cache = lf_path_join(lf_test_dir(), "cache/deep");
    if (lf_weight_packed_bytes(LF_Q8_0, 64, 64, lf_cpu_best()) == 0)
        lf_test_skip("this machine's kernels use the weights as they are");
    score(path, NULL, want);
    score(path, cache, got);
    LF_CHECK(memcmp(want, got, sizeof want) == 0);
    found f = packs(cache);
    LF_CHECK_INT(f.n, 1);
    struct stat before, after;
    LF_CHECK(stat(f.path, &before) == 0);
    score(path, cache, got);
    LF_CHECK(memcmp(want, got, sizeof want) == 0);
    LF_CHECK(stat(f.path, &after) == 0 && before.st_ino == after.st_ino); /* used as it was */

    static const long at[] = { 0, 8, 20, 100, 4096, -1 };
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        FILE *file = fopen(f.path, "r+b");
        LF_CHECK(file && fseek(file, at[i], at[i] < 0 ? SEEK_END : SEEK_SET) == 0);
        const int c = fgetc(file);
        LF_CHECK(fseek(file, -1, SEEK_CUR) == 0 && fputc(c ^ 0x55, file) != EOF);
        LF_CHECK(fclose(file) == 0);
        score(path, cache, got);
        LF_CHECK(memcmp(want, got, sizeof want) == 0);
        LF_CHECK(stat(f.path, &after) == 0 && before.st_ino != after.st_ino);
        before = after;
    }
    for (off_t n = 0; n < before.st_size; n += n < 170 ? 17 : 9973) { /* cut off anywhere */
        lf_model *m = NULL;
        const lf_model_opts mo = { .cache_dir = cache };
        LF_CHECK(truncate(f.path, n) == 0);
        LF_NEED(lf_model_open(path, &mo, &m, err));
        lf_model_unref(m);
        LF_CHECK(stat(f.path, &after) == 0 && after.st_size == before.st_size);
    }
    score(path, cache, got);
    LF_CHECK(memcmp(want, got, sizeof want) == 0 && packs(cache).n == 1);

    char *leftover = lf_path_join(cache, "x.lfpack.tmp.abc123");
    LF_NEED(lf_file_replace(leftover, "junk", 4, err));
    LF_CHECK(unlink(f.path) == 0);
    score(path, cache, got);
    LF_CHECK(packs(cache).n == 1 && !lf_path_exists(leftover));
    lf_free(leftover);
    lf_free(cache);
    lf_free(path);
}

static void weights_are_packed_in_memory_without_a_cache(void)
{
    static float want[N_IDS * VOCAB], got[N_IDS * VOCAB];
    const tiny_opts o = { .arch = "llama", .type = LF_Q4_0 };
    char *path = lf_strdup(tiny_model("m.gguf", &o));
    char *file = lf_strdup(lf_test_file("not-a-folder", "x", 1));
    score(path, NULL, want);
    score(path, file, got); /* a file where the folder should be: a warning, no error */
    LF_CHECK(memcmp(want, got, sizeof want) == 0);
    lf_free(path);
    lf_free(file);
}

/* ---- the other two formats ---- */

static void safetensors_rejects_what_does_not_fit(void)
{
    static const char header[] =
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]}}  ";
    char good[8 + sizeof header - 1 + 8] = { (char)(sizeof header - 1) };
    memcpy(good + 8, header, sizeof header - 1);
    memcpy(good + sizeof good - 8, "\0\0\x80\x3f\0\0\0\x40", 8);
    lf_safetensors *s = NULL;
    const size_t n = sizeof good;
    LF_NEED(lf_safetensors_open_bytes(good, n, "good", &s, err));
    const lf_gguf_tensor *t = lf_safetensors_find(s, "a");
    LF_CHECK(t && t->dims[0] == 2 && t->dims[1] == 1 && t->n_bytes == 8);
    LF_CHECK(t && ((const uint8_t *)t->data)[3] == 0x3f && !lf_safetensors_find(s, "b"));
    lf_safetensors_close(s);
    for (size_t k = 0; k < n; k++) {
        lf_err e = { 0 };
        void *exact = malloc(k ? k : 1);
        LF_CHECK(exact != NULL);
        memcpy(exact, good, k);
        s = NULL;
        LF_CHECK_INT(lf_safetensors_open_bytes(exact, k, "cut", &s, &e), LF_ERR_FORMAT);
        LF_CHECK(!s && e.msg[0]);
        free(exact);
    }
    static const char *const bad[] = {
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,3],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[8,0]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,99999]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1,2],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4,4],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,2],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"shape\":[1,2],\"data_offsets\":[0,8]}}",
        "{\"a\":7}",
        "[1]",
        ("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t file[512] = { 0 };
        lf_err e = { 0 };
        file[0] = (uint8_t)strlen(bad[i]);
        memcpy(file + 8, bad[i], strlen(bad[i]));
        s = NULL;
        LF_CHECK_INT(lf_safetensors_open_bytes(file, strlen(bad[i]) + 16, "bad", &s, &e),
                     LF_ERR_FORMAT);
        LF_CHECK(!s && e.msg[0]);
    }
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* Each file of a safetensors folder, cut off at any byte: refused by name, or what is
 * left does without it. */
static void safetensors_folder_is_refused_when_cut(void)
{
    static const char *const names[] = { "config.json", "tokenizer.json", "model.safetensors" };
    const char *dir = lf_test_dir();
    lf_buf files[3] = { 0 };
    for (size_t i = 0; i < 3; i++) {
        char rel[80];
        (void)snprintf(rel, sizeof rel, "golden/model/llama/%s", names[i]);
        LF_NEED(lf_file_read(lf_test_source(rel), 0, &files[i], err));
    }
    for (size_t cut = 0; cut < 3; cut++)
        for (size_t n = 0; n < files[cut].len; n += n < 2100 ? 13 : 4999) {
            lf_model *m = NULL;
            lf_err e = { 0 };
            for (size_t i = 0; i < 3; i++)
                (void)lf_test_file(names[i], files[i].data, i == cut ? n : files[i].len);
            LF_CHECK(lf_model_open(dir, NULL, &m, &e) != LF_OK);
            LF_CHECK(!m && e.msg[0] && lf_mem_live() == 3); /* the buffers above */
        }
    for (size_t i = 0; i < 3; i++)
        lf_buf_release(&files[i]);
}

/* An E5S1 file of one layer, width 32, eight pieces, four positions. */
static void build_e5s1(lf_buf *b)
{
    static const uint32_t head[] = { 1, 32, 1, 2, 32, 8, 4, 2 };
    static const char pieces[] = "<s><pad></s><unk>ab\xe2\x96\x81"
                                 "c<mask>";
    static const uint32_t ends[] = { 0, 3, 8, 12, 17, 18, 19, 23, 29 };
    static const float scores[] = { 0, 0, 0, 0, -1, -2, -3, 0 };
    static const char *const layer[] = { "q.w",   "q.b",   "k.w",   "k.b",  "v.w",  "v.b",
                                         "ao.w",  "ao.b",  "fi.w",  "fi.b", "fo.w", "fo.b",
                                         "aln.w", "aln.b", "oln.w", "oln.b" };
    static const char *const front[] = { "emb.word", "emb.pos", "emb.type", "emb.ln.w",
                                         "emb.ln.b" };
    const float eps = 1e-12f;
    const uint32_t block = 32, vocab[5] = { 8, 0, 2, 1, 3 }, norm[2] = { 1, 9 }, n = 21;
    const uint64_t blob = sizeof pieces - 1;
    lf_buf_add(b, "E5S1", 4);
    lf_buf_add(b, head, sizeof head);
    lf_buf_add(b, &eps, 4);
    lf_buf_add(b, &block, 4);
    lf_buf_add(b, vocab, sizeof vocab);
    lf_buf_add(b, &blob, 8);
    lf_buf_add(b, ends, sizeof ends);
    lf_buf_add(b, scores, sizeof scores);
    lf_buf_add(b, pieces, (size_t)blob);
    lf_buf_add(b, norm, sizeof norm);
    lf_buf_add(b, "\x21\xff\0\0\1\x41\0\0\0", 9); /* U+FF21 becomes A */
    lf_buf_add(b, &n, 4);
    for (uint32_t i = 0; i < n; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, i < 5 ? "%s" : "l0.%s", i < 5 ? front[i] : layer[i - 5]);
        const uint16_t len = (uint16_t)strlen(name);
        const bool matrix = i == 0 || (i >= 5 && i < 17 && i % 2);
        const uint32_t count = i == 0 ? 8 * 32 : i == 1 ? 4 * 32 : i == 2 ? 64 : matrix ? 1024 : 32;
        const uint64_t bytes = matrix ? count / 32 * 18 : count * 4;
        const uint64_t offset = 4096; /* all share one region of zeros, long enough */
        lf_buf_add(b, &len, 2);
        lf_buf_add(b, name, len);
        lf_buf_add_char(b, matrix ? 1 : 0);
        lf_buf_add(b, &count, 4);
        lf_buf_add(b, &offset, 8);
        lf_buf_add(b, &bytes, 8);
    }
    while (b->len < 4096 + 1024)
        lf_buf_add_char(b, 0);
}

static void e5s1_becomes_a_model(void)
{
    lf_buf src = { 0 }, dst = { 0 };
    lf_model *m = NULL;
    build_e5s1(&src);
    char *from = lf_strdup(lf_test_file("e5.bin", src.data, src.len));
    char *to = lf_path_join(lf_test_dir(), "e5.gguf");
    LF_NEED(lf_e5s1_to_gguf(from, to, err));
    LF_NEED(lf_model_open(to, NULL, &m, err));
    LF_CHECK_STR(lf_model_get_info(m)->arch, "bert");
    LF_CHECK_STR(lf_model_query_prefix(m), "query: ");
    LF_CHECK_STR(lf_model_passage_prefix(m), "passage: ");
    LF_CHECK_INT(lf_model_get_info(m)->ctx_tokens, 4);
    lf_tokens t = { 0 };
    LF_NEED(lf_tokenizer_encode(lf_model_tokenizer(m), "c", 1, true, false, &t, err));
    LF_CHECK(t.n == 3 && t.ids[0] == 0 && t.ids[1] == 6 && t.ids[2] == 2);
    lf_tokens_release(&t);
    lf_model_unref(m);
    const size_t used = 4096 + 576; /* the largest tensor ends here */
    for (size_t n = 0; n < used; n += n < 1400 ? 1 : 97) {
        lf_err e = { 0 };
        void *exact = malloc(n ? n : 1);
        LF_CHECK(exact != NULL);
        memcpy(exact, src.data, n);
        lf_buf_clear(&dst);
        LF_CHECK_INT(lf_e5s1_convert(exact, n, "cut", &dst, &e), LF_ERR_FORMAT);
        free(exact);
    }
    lf_status st = LF_ERR_NOMEM;
    for (long n = 0; st != LF_OK && n < 200; n++) {
        lf_buf_release(&dst);
        lf_mem_fail_after(n);
        st = lf_e5s1_convert(src.data, src.len, "e5", &dst, NULL);
        lf_mem_fail_after(-1);
        LF_CHECK(st == LF_OK || st == LF_ERR_NOMEM);
    }
    LF_CHECK_INT(st, LF_OK);
    lf_buf_release(&src);
    lf_buf_release(&dst);
    lf_free(from);
    lf_free(to);
    LF_CHECK_INT(lf_mem_live(), 0);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "model/every_architecture_opens", every_architecture_opens },
        { "model/is_admitted_by_its_size", is_admitted_by_its_size },
        { "model/names_each_missing_tensor", names_each_missing_tensor },
        { "model/names_each_bad_number", names_each_bad_number },
        { "model/survives_every_failed_allocation", survives_every_failed_allocation },
        { "pack/is_rebuilt_when_damaged", weight_cache_is_rebuilt_when_damaged },
        { "pack/in_memory_without_a_cache", weights_are_packed_in_memory_without_a_cache },
        { "safetensors/rejects_what_does_not_fit", safetensors_rejects_what_does_not_fit },
        { "safetensors/folder_is_refused_when_cut", safetensors_folder_is_refused_when_cut },
        { "e5s1/becomes_a_model", e5s1_becomes_a_model },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}
