/* tests/fuzz/fuzz_adapter.c - any bytes as an adapter for a tiny model; what opens is applied.
 *
 * The first byte chooses: even, the rest is a GGUF file; odd, a u16 length, so many bytes of
 * adapter_config.json, and the rest is adapter_model.safetensors. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "infer/engine.h"
#include "tests/fuzz/fuzz_dir.h"
#include "tests/unit/tiny_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static lf_model *base;
static lf_engine *engine;

static void need(bool ok)
{
    if (!ok)
        __builtin_trap();
}

static void open_base(void)
{
    const tiny_opts o = { .arch = "llama", .type = LF_Q8_0, .n_layers = 1 };
    const lf_engine_opts eo = { .n_threads = 1, .ctx_tokens = 16 };
    char path[300];
    lf_buf file = { 0 };
    (void)snprintf(path, sizeof path, "%s/m.gguf", fuzz_dir());
    tiny_model_build(&o, &file);
    fuzz_write(path, file.data, file.len);
    lf_buf_release(&file);
    need(lf_model_open(path, NULL, &base, NULL) == LF_OK);
    need(lf_engine_open(&eo, &engine, NULL) == LF_OK);
}

static void write_folder(const char *dir, const uint8_t *data, size_t size)
{
    char path[400];
    size_t n = size < 2 ? 0 : (size_t)(data[0] | data[1] << 8);
    data += size < 2 ? size : 2;
    size -= size < 2 ? size : 2;
    n = n < size ? n : size;
    (void)mkdir(dir, 0700);
    (void)snprintf(path, sizeof path, "%s/adapter_config.json", dir);
    fuzz_write(path, data, n);
    (void)snprintf(path, sizeof path, "%s/adapter_model.safetensors", dir);
    fuzz_write(path, data + n, size - n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int32_t ids[] = { 1, 2, 3 };
    char path[300];
    lf_adapter *a = NULL;
    lf_err err = { 0 };
    lf_gen_result r = { 0 };
    if (!base)
        open_base();
    if (size == 0)
        return 0;
    (void)snprintf(path, sizeof path, "%s/%s", fuzz_dir(), data[0] % 2 ? "peft" : "a.gguf");
    if (data[0] % 2)
        write_folder(path, data + 1, size - 1);
    else
        fuzz_write(path, data + 1, size - 1);
    if (lf_adapter_open(base, path, &a, &err) != LF_OK) {
        need(!a && err.msg[0]);
        return 0;
    }
    const lf_adapter_mix mix = { .v = { { a, 1 } }, .n = 1 };
    const lf_gen_req q = { .tokens = ids,
                           .n_tokens = 3,
                           .n_max = 2,
                           .sampling = lf_sampling_defaults(),
                           .adapters = &mix };
    need(lf_engine_generate(engine, base, &q, &r, &err) == LF_OK);
    lf_buf_release(&r.text);
    lf_adapter_unref(a);
    return 0;
}
