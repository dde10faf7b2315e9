/* tests/unit/test_base.c - errors, memory, buffers, files, the pool. */
#include "tests/lf_test.h"

#include <stdatomic.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pool.h"

static void err_message_stays_valid_utf8(void)
{
    lf_err err = { 0 };
    char long_name[1200];
    memset(long_name, 'a', sizeof long_name);
    for (size_t i = 0; i + 3 < sizeof long_name; i += 3)
        memcpy(long_name + i, "\xE8\x90\xBD", 3); /* cut somewhere inside a character */
    long_name[sizeof long_name - 1] = '\0';
    LF_CHECK_INT(lf_fail(&err, LF_ERR_IO, "x%s", long_name), LF_ERR_IO);
    json_t *s = json_string(err.msg);
    LF_CHECK(s != NULL);
    json_decref(s);
    (void)lf_fail(&err, LF_ERR_IO, "bad \xFF byte");
    LF_CHECK_STR(err.msg, "bad ? byte");
    LF_CHECK_INT(lf_err_context(&err, LF_ERR_IO, "while reading"), LF_ERR_IO);
    LF_CHECK_STR(err.msg, "while reading: bad ? byte");
}

static void buf_failure_is_sticky_and_leaks_nothing(void)
{
    lf_buf b = { 0 };
    lf_buf_addf(&b, "%s-%d", "ab", 7);
    LF_CHECK_STR(lf_buf_cstr(&b), "ab-7");
    lf_mem_fail_after(0);
    for (int i = 0; i < 100; i++)
        lf_buf_add_str(&b, "0123456789");
    lf_mem_fail_after(-1);
    LF_CHECK(b.failed);
    LF_CHECK(lf_buf_take(&b) == NULL);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void arena_respects_its_cap(void)
{
    lf_arena a;
    lf_arena_init(&a, 1000);
    LF_CHECK(lf_arena_alloc(&a, 900) != NULL);
    LF_CHECK(lf_arena_alloc(&a, 200) == NULL && a.failed);
    LF_CHECK(lf_arena_alloc(&a, 1) == NULL);
    lf_arena_release(&a);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static lf_status add_rel(void *ud, const char *path, const char *rel, lf_err *err)
{
    (void)path;
    (void)err;
    lf_buf_addf(ud, "%s\n", rel);
    return LF_OK;
}

static void walk_is_sorted_and_replace_is_whole(void)
{
    lf_buf got = { 0 }, dir = { 0 };
    lf_buf_addf(&dir, "%s/d/e", lf_test_dir());
    LF_NEED(lf_path_make_dirs(dir.data, err));
    (void)lf_test_file("d/b", "1", 1);
    (void)lf_test_file("d/a", "2", 1);
    (void)lf_test_file("d/.hidden", "3", 1);
    (void)lf_test_file("d/e/c", "4", 1);
    LF_NEED(lf_walk(lf_test_dir(), add_rel, &got, err));
    LF_CHECK_STR(lf_buf_cstr(&got), "d/a\nd/b\nd/e/c\n");
    char *path = lf_path_join(lf_test_dir(), "d/a");
    LF_NEED(lf_file_replace(path, "hello", 5, err));
    lf_buf_clear(&got);
    LF_NEED(lf_file_read(path, 5, &got, err));
    LF_CHECK_STR(lf_buf_cstr(&got), "hello");
    LF_CHECK_INT(lf_file_read(path, 4, &got, NULL), LF_ERR_LIMIT);
    LF_CHECK_INT(lf_file_read("/no/such", 4, &got, NULL), LF_ERR_NOT_FOUND);
    LF_CHECK_INT(lf_file_read(lf_test_dir(), 4, &got, NULL), LF_ERR_IO);
    lf_buf_clear(&got);
    LF_NEED(lf_file_read("/proc/self/stat", 0, &got, err)); /* states no size */
    LF_CHECK(got.len > 10);
    LF_CHECK_INT(lf_file_read("/dev/zero", 1000, &got, NULL), LF_ERR_LIMIT);
    lf_free(path);
    lf_buf_release(&got);
    lf_buf_release(&dir);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void sha256_of_abc(void)
{
    char hex[LF_SHA256_HEX];
    LF_NEED(lf_sha256_of("abc", 3, hex, err));
    LF_CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void count_rows(void *ud, size_t begin, size_t end, int worker)
{
    (void)worker;
    for (size_t i = begin; i < end; i++)
        atomic_fetch_add(&((atomic_int *)ud)[i], 1);
}

static void pool_covers_each_row_once(void)
{
    static atomic_int rows[1000];
    lf_pool *p = NULL;
    LF_NEED(lf_pool_open(4, &p, err));
    for (int round = 0; round < 200; round++)
        lf_pool_run(p, 1000, (size_t)(round % 37 + 1), count_rows, rows);
    for (int i = 0; i < 1000; i++)
        LF_CHECK_INT(rows[i], 200);
    lf_pool_close(p);
    LF_CHECK_INT(lf_pool_open(0, &p, NULL), LF_ERR_ARG);
}

static void json_types_are_checked_by_key(void)
{
    json_t *o = NULL;
    lf_err err = { 0 };
    int64_t n = 0;
    LF_CHECK_INT(lf_json_parse("{\"k\":3,\"s\":\"x\"}", 15, "body", &o, &err), LF_OK);
    LF_CHECK_INT(lf_json_get_int(o, "k", 1, 0, 10, &n, NULL), LF_OK);
    LF_CHECK_INT(n, 3);
    LF_CHECK_INT(lf_json_get_int(o, "s", 1, 0, 10, &n, &err), LF_ERR_ARG);
    LF_CHECK_STR(err.msg, "'s' must be an integer, found a string");
    LF_CHECK_INT(lf_json_get_int(o, "k", 1, 0, 2, &n, &err), LF_ERR_ARG);
    json_decref(o);
    LF_CHECK_INT(lf_json_parse("{\"a\":1,\"a\":2}", 13, "body", &o, &err), LF_ERR_FORMAT);
    json_t *t = lf_json_text("a\xFFz", 3);
    LF_CHECK_STR(json_string_value(t), "a\xEF\xBF\xBDz");
    json_decref(t);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "err/message_stays_valid_utf8", err_message_stays_valid_utf8 },
        { "buf/failure_is_sticky_and_leaks_nothing", buf_failure_is_sticky_and_leaks_nothing },
        { "mem/arena_respects_its_cap", arena_respects_its_cap },
        { "file/walk_is_sorted_and_replace_is_whole", walk_is_sorted_and_replace_is_whole },
        { "hash/sha256_of_abc", sha256_of_abc },
        { "pool/covers_each_row_once", pool_covers_each_row_once },
        { "json/types_are_checked_by_key", json_types_are_checked_by_key },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}
