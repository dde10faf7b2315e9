/* tests/unit/test_catalog.c - the catalogue of models. */
#include "tests/lf_test.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "model/catalog.h"

static void test_own(void)
{
    lf_catalog *c = NULL;
    LF_NEED(lf_catalog_open(NULL, &c, err));
    LF_CHECK(lf_catalog_n_models(c) >= 6);
    const lf_catalog_model *m = lf_catalog_find(c, "default");
    LF_CHECK(m != NULL && m->kind == LF_MODEL_CHAT);
    if (m) {
        LF_CHECK_STR(m->id, "qwen2.5-coder-0.5b-instruct");
        LF_CHECK(m == lf_catalog_find(c, m->id));
        LF_CHECK_INT(m->sources[m->n_sources - 1].n_parts, 6);
    }
    m = lf_catalog_find(c, "default-embed");
    LF_CHECK(m != NULL && m->kind == LF_MODEL_EMBEDDING);
    LF_CHECK(lf_catalog_find(c, "no-such-model") == NULL);
    for (size_t i = 0; i < lf_catalog_n_models(c); i++) {
        m = lf_catalog_at(c, i);
        LF_CHECK(m->n_languages > 0);
        /* What we can't verify ourselves must come from a hub that states it. */
        if (m->size_bytes == 0 || !*m->sha256)
            for (size_t k = 0; k < m->n_sources; k++)
                LF_CHECK(m->sources[k].url != NULL || *m->sources[k].raw_sha256);
        for (size_t k = 0; k < m->n_sources; k++)
            for (size_t p = 0; p < m->sources[k].n_parts; p++)
                LF_CHECK_INT(strlen(m->sources[k].parts[p].wheel_sha256), 64);
    }
    lf_catalog_close(c);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void test_path(void)
{
    lf_catalog *c = NULL;
    lf_err e = { 0 };
    lf_buf path = { 0 };
    LF_NEED(lf_catalog_open(NULL, &c, err));
    LF_CHECK_INT(lf_catalog_path(c, lf_test_dir(), "default", &path, &e), LF_ERR_NOT_FOUND);
    LF_CHECK(strstr(e.msg, "landfall model pull qwen2.5-coder-0.5b-instruct") != NULL);
    LF_CHECK_INT(path.len, 0);
    LF_CHECK_INT(lf_catalog_path(c, lf_test_dir(), "nothing", &path, &e), LF_ERR_NOT_FOUND);
    LF_CHECK(strstr(e.msg, "qwen3-8b") != NULL);
    const char *file = lf_test_file("x.gguf", "x", 1);
    LF_NEED(lf_catalog_path(c, lf_test_dir(), file, &path, err));
    LF_CHECK_STR(lf_buf_cstr(&path), file);
    lf_buf_release(&path);
    lf_catalog_close(c);
}

static const char good[] = "models:\n"
                           "  - {id: a, kind: chat, arch: llama, licence: MIT, file: a.gguf,\n"
                           "     languages: [en], sources: [{hub: \"https://x/a\"}]}\n";

static void test_refused(void)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "x: 1\n", "list 'models'" },
        { "models: [1]\n", "not a map" },
        { "models: [{id: a}]\n", "arch" },
        { "models: [{id: ../a, kind: chat, arch: b, licence: c, file: d, languages: [],"
          " sources: []}]\n",
          "'../a'" },
        { "models: [{id: a, kind: chat, arch: b, licence: c, file: ../d, languages: [],"
          " sources: []}]\n",
          "'../d'" },
        { "models: [{id: a, kind: what, arch: b, licence: c, file: d, sources: []}]\n", "'what'" },
        { "models: [{id: a, kind: chat, arch: b, licence: c, file: d, sources: []}]\n",
          "no sources" },
        { "models: [{id: a, kind: chat, arch: b, licence: c, file: d, sources: [{}]}]\n",
          "either hub or packages" },
        { "models: [{id: a, kind: chat, arch: b, licence: c, file: d, sha256: 12,"
          " sources: [{hub: x}]}]\n",
          "sha256" },
        { "models: [{id: a, kind: chat, arch: b, licence: c, file: d, colour: red,"
          " sources: [{hub: x}]}]\n",
          "'colour'" },
        { "models: [{id: a, kind: chat, arch: b, licence: c, file: d,"
          " sources: [{packages: [{name: -x, version: 1.0.0, member: m}]}]}]\n",
          "'-x'" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        lf_catalog *c = NULL;
        lf_err err = { 0 };
        const char *path = lf_test_file("c.yaml", bad[i].text, strlen(bad[i].text));
        LF_CHECK_INT(lf_catalog_open(path, &c, &err), LF_ERR_FORMAT);
        if (!LF_CHECK(strstr(err.msg, bad[i].says) != NULL))
            printf("    case %zu says: %s\n", i, err.msg);
        LF_CHECK(c == NULL);
    }
}

static void test_no_memory(void)
{
    const char *path = lf_test_file("c.yaml", good, strlen(good));
    bool done = false;
    for (long n = 0; n < 500 && !done; n++) {
        lf_catalog *c = NULL;
        lf_err err = { 0 };
        lf_mem_fail_after(n);
        const lf_status st = lf_catalog_open(path, &c, &err);
        lf_mem_fail_after(-1);
        done = st == LF_OK;
        if (!done)
            LF_CHECK_INT(st, LF_ERR_NOMEM);
        lf_catalog_close(c);
    }
    LF_CHECK(done);
    LF_CHECK_INT(lf_mem_live(), 0);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "catalog/own_catalogue_is_sound", test_own },
        { "catalog/names_become_paths", test_path },
        { "catalog/bad_rows_are_refused", test_refused },
        { "catalog/no_memory", test_no_memory },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}
