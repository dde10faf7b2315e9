/* tests/fuzz/fuzz_pack.c - a damaged cache of repacked weights: the model opens, and
 * what lies in the cache afterwards is what this model's weights give.
 *
 * The first byte chooses: 0 the rest in place of the file, 1 the file cut off to
 * u24 bytes, 2 the file with the rest after it, 3 changed bytes, each u24 position
 * and u8 value, in the header and the part that the header's hash covers. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "model/model.h"
#include "tests/fuzz/fuzz_dir.h"
#include "tests/unit/tiny_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER = 160, PAGE = 4096, COVERED = 8192 }; /* header's page and first sample */

static char model[300], cache[300], pack[600];
static lf_buf good;

static void need(bool ok)
{
    if (!ok)
        __builtin_trap();
}

static lf_status note(void *ud, const char *path, const char *rel, lf_err *err)
{
    (void)ud;
    (void)rel;
    (void)err;
    if (strstr(path, ".lfpack"))
        (void)snprintf(pack, sizeof pack, "%s", path);
    return LF_OK;
}

static void open_and_close(void)
{
    const lf_model_opts o = { .cache_dir = cache };
    lf_model *m = NULL;
    need(lf_model_open(model, &o, &m, NULL) == LF_OK);
    lf_model_unref(m);
}

static void make_good(void)
{
    const tiny_opts o = { .arch = "llama", .type = LF_Q8_0, .n_layers = 1 };
    lf_buf file = { 0 };
    (void)snprintf(model, sizeof model, "%s/m.gguf", fuzz_dir());
    (void)snprintf(cache, sizeof cache, "%s/cache", fuzz_dir());
    tiny_model_build(&o, &file);
    fuzz_write(model, file.data, file.len);
    lf_buf_release(&file);
    open_and_close();
    need(lf_walk(cache, note, NULL, NULL) == LF_OK);
    if (pack[0])
        need(lf_file_read(pack, 0, &good, NULL) == LF_OK);
    else
        lf_buf_add_str(&good, "-"); /* this machine's kernels take weights as they are */
}

static size_t u24(const uint8_t *p)
{
    return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16;
}

static void damage(const uint8_t *data, size_t size, lf_buf *file)
{
    const unsigned how = data[0] % 4;
    data++;
    size--;
    if (how == 0)
        lf_buf_clear(file);
    if (how == 0 || how == 2)
        lf_buf_add(file, data, size);
    else if (how == 1 && size >= 3)
        file->len = u24(data) % file->len;
    for (size_t i = 0; how == 3 && i + 4 <= size; i += 4)
        file->data[u24(data + i) % COVERED] = (char)data[i + 3];
    need(!file->failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lf_buf file = { 0 };
    if (good.len == 0)
        make_good();
    if (size == 0 || !pack[0])
        return 0;
    lf_buf_add(&file, good.data, good.len);
    damage(data, size, &file);
    fuzz_write(pack, file.data, file.len);
    open_and_close();
    lf_buf_clear(&file);
    need(lf_file_read(pack, 0, &file, NULL) == LF_OK);
    need(file.len == good.len && memcmp(file.data, good.data, HEADER) == 0);
    need(memcmp(file.data + PAGE, good.data + PAGE, good.len - PAGE) == 0);
    lf_buf_release(&file);
    return 0;
}
