/* tests/fuzz/fuzz_dir.h - a private folder for targets whose input is a file. */
#ifndef LF_TESTS_FUZZ_DIR_H
#define LF_TESTS_FUZZ_DIR_H

#include <stddef.h>

/* Made at the first call, removed with what is in it when the process ends. */
const char *fuzz_dir(void);

/* The file then holds these bytes alone; it keeps its inode. */
void fuzz_write(const char *path, const void *data, size_t n);

#endif
