/* tests/fuzz/replay.c - runs a fuzz target over every file of the folders given.
 *
 * A fuzz target is  int LLVMFuzzerTestOneInput(const uint8_t *, size_t)  as
 * libFuzzer has it; this driver stands in where libFuzzer is not linked. */
#include <stdint.h>
#include <stdio.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t n_files;

static lf_status run_file(void *ud, const char *path, const char *rel, lf_err *err)
{
    (void)ud;
    (void)rel;
    lf_buf b = { 0 };
    lf_status st = lf_file_read(path, 0, &b, err);
    if (st == LF_OK) {
        (void)LLVMFuzzerTestOneInput((const uint8_t *)lf_buf_cstr(&b), b.len);
        n_files++;
    }
    lf_buf_release(&b);
    return st;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        lf_err err = { 0 };
        if (lf_walk(argv[i], run_file, NULL, &err) != LF_OK) {
            (void)fprintf(stderr, "%s\n", err.msg);
            return 1;
        }
    }
    printf("%zu inputs replayed\n", n_files);
    return n_files > 0 ? 0 : 1;
}
