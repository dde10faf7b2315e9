/* tests/tiny_gguf.c - writes a tiny random model to a file, for programs that need one.
 *
 *     tiny_gguf chat|encoder FILE [SEED] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tiny_model.h"

static const char chat[] = "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}"
                           "{% if add_generation_prompt %}<s>assistant:{% endif %}";

int main(int argc, char **argv)
{
    lf_buf file = { 0 };
    if (argc < 3 || (strcmp(argv[1], "chat") != 0 && strcmp(argv[1], "encoder") != 0)) {
        fprintf(stderr, "usage: tiny_gguf chat|encoder FILE [SEED]\n");
        return 2;
    }
    const bool encoder = strcmp(argv[1], "encoder") == 0;
    tiny_model_build(&(tiny_opts){ .arch = encoder ? "bert" : "llama",
                                   .type = LF_Q8_0,
                                   .seed = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0,
                                   .key = encoder ? NULL : "context_length",
                                   .value = 4096,
                                   .chat = encoder ? NULL : chat },
                     &file);
    FILE *f = fopen(argv[2], "wb");
    const bool good = f && !file.failed && fwrite(file.data, 1, file.len, f) == file.len;
    if ((f && fclose(f) != 0) || !good) {
        fprintf(stderr, "tiny_gguf: cannot write '%s'\n", argv[2]);
        return 1;
    }
    lf_buf_release(&file);
    return 0;
}
