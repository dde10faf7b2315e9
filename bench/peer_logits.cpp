// bench/peer_logits.cpp - the same rows as bench_logits, from llama.cpp's library.
//
//     peer_logits MODEL ROWS [THREADS [UBATCH]]
//
// ROWS is bench_logits' output: its token ids are fed as they are, so that only
// the models are compared.  Keys and values f16, attention without flash kernels;
// everything else as llama.cpp has it.
// UBATCH tokens (512) go through the graph at a time.  Built by bench/agreement.py.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

#include "llama.h"

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    const int threads = argc > 3 ? atoi(argv[3]) : 2;
    std::map<int, std::vector<llama_token>> prompts;
    FILE *f = fopen(argv[2], "r");
    int prompt, pos, id;
    while (f && fscanf(f, "%d %d %d %*[^\n]", &prompt, &pos, &id) == 3)
        prompts[prompt].push_back(id);
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    llama_backend_init();
    llama_model_params mp = llama_model_default_params();
    llama_model *m = llama_model_load_from_file(argv[1], mp);
    if (!m)
        return 1;
    const int n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(m));
    llama_context_params cp = llama_context_default_params();
    cp.n_ctx = 2048;
    cp.n_batch = 512;
    cp.n_ubatch = argc > 4 ? atoi(argv[4]) : 512;
    cp.n_threads = cp.n_threads_batch = threads;
    cp.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    llama_context *c = llama_init_from_model(m, cp);
    for (const auto &p : prompts) {
        const int n = (int)p.second.size();
        llama_memory_clear(llama_get_memory(c), true);
        llama_batch b = llama_batch_init(n, 0, 1);
        for (int i = 0; i < n; i++) {
            b.token[i] = p.second[i];
            b.pos[i] = i;
            b.n_seq_id[i] = 1;
            b.seq_id[i][0] = 0;
            b.logits[i] = 1;
        }
        b.n_tokens = n;
        if (llama_decode(c, b) != 0)
            return 1;
        for (int i = 0; i < n; i++) {
            const float *x = llama_get_logits_ith(c, i);
            int best = 0;
            for (int k = 1; k < n_vocab; k++)
                if (x[k] > x[best])
                    best = k;
            float second = best == 0 ? x[1] : x[0];
            for (int k = 0; k < n_vocab; k++)
                if (k != best && x[k] > second)
                    second = x[k];
            printf("%d\t%d\t%d\t%d\t%.6f\t%.6f\n", p.first, i, p.second[i], best, x[best],
                   x[best] - second);
        }
        llama_batch_free(b);
    }
    return 0;
}
