/* landfall.h - language models inside a program: load, converse, embed, rank.
 *
 * The engine of Landfall as a library.  One `landfall` holds the threads and the memory for
 * the caches of all models in the process; a model is loaded from a GGUF file, a safetensors
 * folder or by its name in the catalogue.  examples/chat.c is a whole program.
 *
 *     landfall -> landfall_model -> landfall_session       a conversation
 *                                -> landfall_generate      tokens after tokens
 *                                -> landfall_embed, _rank  an encoder's vectors
 *
 * Ownership  What an _open, _load or _parse function gives is closed with the function
 *            named beside it, a model before its landfall, a session and a grammar in any
 *            order with the others.  `const` arguments are borrowed for the length of the call.
 *            Text and token arrays that come out are the caller's: landfall_free.  All
 *            closing functions take NULL.
 * Threads    landfall, landfall_model and landfall_grammar: any number of threads at once;
 *            requests of several threads are stepped together.  landfall_session: one thread
 *            at a time.  landfall_cancel_now: any thread, that is its purpose.  Callbacks run
 *            on the thread that made the call, with no lock held; they may use other handles
 *            and must not close those of the running call.
 * Errors     A function that can fail returns a landfall_status; outputs are written only on
 *            success.  `err` may be NULL.  The library never prints, exits, reads the
 *            environment or changes the locale.
 * Versions   Structs begin with their size: set it to sizeof, and everything else that is not
 *            wanted to zero; a field that a later version adds is then off.  Functions are
 *            added, not changed, while LANDFALL_ABI stays; it is the number in the name of the
 *            shared library.
 * Text       UTF-8, ended by a NUL byte unless a length stands beside it.
 */
#ifndef LANDFALL_H
#define LANDFALL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LANDFALL_VERSION "0.1.0"
#define LANDFALL_ABI     0

#define LANDFALL_API     __attribute__((visibility("default")))
#define LANDFALL_CHECKED LANDFALL_API __attribute__((warn_unused_result))

typedef enum landfall_status {
    LANDFALL_OK = 0,
    LANDFALL_ERR_ARG = -1,       /* an argument is wrong */
    LANDFALL_ERR_FORMAT = -2,    /* a file or text is not what it should be */
    LANDFALL_ERR_LIMIT = -3,     /* over a limit: the context's tokens, a size */
    LANDFALL_ERR_NOT_FOUND = -4, /* no such file or model */
    LANDFALL_ERR_IO = -5,
    LANDFALL_ERR_NOMEM = -6, /* memory, or the budget for caches */
    LANDFALL_ERR_BUSY = -7,
    LANDFALL_ERR_CANCELLED = -8,
    LANDFALL_ERR_UNSUPPORTED = -9, /* a model, template or schema that this version can't take */
    LANDFALL_ERR_DENIED = -10,
    LANDFALL_ERR_CORRUPT = -11
} landfall_status;

typedef struct landfall_error {
    landfall_status status;
    char message[512]; /* what was tried, what was found, what is allowed */
} landfall_error;

typedef struct landfall landfall;
typedef struct landfall_model landfall_model;
typedef struct landfall_adapter landfall_adapter;
typedef struct landfall_session landfall_session;
typedef struct landfall_grammar landfall_grammar;
typedef struct landfall_cancel landfall_cancel;

LANDFALL_API const char *landfall_version(void); /* of the library that runs: "0.1.0" */
LANDFALL_API const char *landfall_status_name(landfall_status status); /* "not_found" */
LANDFALL_API void landfall_free(void *p); /* text and arrays that functions below gave */

/* ---- the engine ---- */

typedef struct landfall_options {
    size_t size;             /* sizeof(landfall_options) */
    const char *home;        /* folder of models/ and cache/, made where absent; NULL: models go
                              * by path alone, and repacked weights are kept in memory */
    int32_t n_threads;       /* 0 = as many as the process may use */
    uint32_t ctx_tokens;     /* longest prompt and answer together; 0 = 8192, or the model's own */
    uint32_t batch_tokens;   /* tokens of a prompt in one pass; 0 = 512 */
    uint32_t sessions_max;   /* requests of a model that run at a time; 0 = 16 */
    uint64_t kv_cache_bytes; /* memory for caches; 0 = a quarter of the machine's */
} landfall_options;

/* `options` NULL = all defaults.  LANDFALL_ERR_ARG names what is out of range. */
LANDFALL_CHECKED landfall_status landfall_open(const landfall_options *options, landfall **out,
                                               landfall_error *err);
LANDFALL_API void landfall_close(landfall *l); /* waits for running requests */

/* ---- models ---- */

/* `name`: a path, or with a home a catalogue id, "default" or "default-embed" (models that
 * `landfall model pull` brought).  Weights are mapped; two loads of one file are two models.
 *   LANDFALL_ERR_NOT_FOUND    no such file or name, or not pulled yet
 *   LANDFALL_ERR_FORMAT       the file is damaged: the field is named
 *   LANDFALL_ERR_UNSUPPORTED  an architecture or type that is not known */
LANDFALL_CHECKED landfall_status landfall_model_load(landfall *l, const char *name,
                                                     landfall_model **out, landfall_error *err);
LANDFALL_API void landfall_model_close(landfall_model *m); /* its memory goes at once */

typedef struct landfall_model_info {
    size_t size;                    /* sizeof(landfall_model_info) */
    const char *arch, *name, *hash; /* borrowed from the model */
    int32_t is_encoder;             /* embeds and ranks; cannot generate */
    int32_t has_chat_template;
    uint32_t n_layers, n_embd, n_vocab, ctx_tokens;
    uint64_t n_params, weight_bytes;
} landfall_model_info;

/* Fills as much of *out as out->size says. */
LANDFALL_API void landfall_model_get_info(const landfall_model *m, landfall_model_info *out);

/* A low-rank adapter (LoRA) for this model and others of the same weights: llama.cpp's GGUF or
 * a folder of PEFT's.  The weights stay as they are: what a call is to be changed by stands in
 * its landfall_params.
 *   LANDFALL_ERR_FORMAT, LANDFALL_ERR_UNSUPPORTED  the tensor or setting is named */
LANDFALL_CHECKED landfall_status landfall_adapter_load(const landfall_model *m, const char *path,
                                                       landfall_adapter **out, landfall_error *err);
LANDFALL_API void landfall_adapter_close(landfall_adapter *a);

/* ---- tokens and templates ---- */

enum {
    LANDFALL_ADD_SPECIAL = 1,  /* put the begin and end tokens that the model wants around it */
    LANDFALL_PARSE_SPECIAL = 2 /* text such as <|im_start|> becomes the control token */
};

LANDFALL_CHECKED landfall_status landfall_tokenize(const landfall_model *m, const char *text,
                                                   size_t n_bytes, int flags, int32_t **ids,
                                                   size_t *n_ids, landfall_error *err);
/* The text of tokens; control tokens are shown where `show_special` is not 0. */
LANDFALL_CHECKED landfall_status landfall_detokenize(const landfall_model *m, const int32_t *ids,
                                                     size_t n_ids, int show_special, char **text,
                                                     landfall_error *err);
/* A conversation as the model's own template writes it, with the beginning of the answer.
 * `messages` is JSON: [{"role": "user", "content": "..."}, ...].  Content never becomes a
 * control token, whatever it spells.  landfall_detokenize shows the text.
 *   LANDFALL_ERR_UNSUPPORTED  the model has no template, or one that uses what is not known */
LANDFALL_CHECKED landfall_status landfall_chat_tokens(landfall_model *m, const char *messages,
                                                      int32_t **ids, size_t *n_ids,
                                                      landfall_error *err);

/* ---- grammars ---- */

/* What an output is held to: GBNF text, or a JSON Schema (the subset of docs/api.md). */
LANDFALL_CHECKED landfall_status landfall_grammar_parse(const char *gbnf, landfall_grammar **out,
                                                        landfall_error *err);
LANDFALL_CHECKED landfall_status landfall_grammar_from_schema(const char *json_schema,
                                                              landfall_grammar **out,
                                                              landfall_error *err);
LANDFALL_API void landfall_grammar_close(landfall_grammar *g);

/* ---- generation ---- */

/* Ends a running call from elsewhere; stays set until it is reset. */
LANDFALL_CHECKED landfall_status landfall_cancel_open(landfall_cancel **out, landfall_error *err);
LANDFALL_API void landfall_cancel_now(landfall_cancel *c);
LANDFALL_API void landfall_cancel_reset(landfall_cancel *c);
LANDFALL_API void landfall_cancel_close(landfall_cancel *c); /* no call may be using it */

/* New text, whole characters, not ended by NUL.  Return 0 to stop: that is no error. */
typedef int landfall_text_fn(void *user, const char *text, size_t n_bytes);

typedef struct landfall_adapter_use {
    landfall_adapter *adapter;
    float scale; /* 1 = as it was trained */
} landfall_adapter_use;

typedef struct landfall_params {
    size_t size;       /* sizeof(landfall_params) */
    uint32_t n_max;    /* most tokens to generate; 0 = to the end of the context */
    float temperature; /* 0 = always the likeliest token */
    int32_t top_k;     /* 0 = off, so for the next three */
    float top_p, min_p;
    float repeat_penalty;    /* over the last 64 tokens */
    uint64_t seed;           /* the same request and seed give the same text */
    const char *const *stop; /* texts that end the output and are not part of it */
    size_t n_stop;
    landfall_grammar *grammar;            /* NULL = free text */
    landfall_cancel *cancel;              /* NULL = none */
    landfall_text_fn *on_text;            /* NULL = only the whole text at the end */
    void *user;                           /* for on_text */
    uint64_t cache_key;                   /* prompts share what is cached only with the same key */
    const landfall_adapter_use *adapters; /* at most 8, in this order */
    size_t n_adapters;
    landfall_model *draft; /* smaller, of the same vocabulary: guesses, and changes nothing but the
                            * speed; NULL = none */
} landfall_params;

typedef enum landfall_finish {
    LANDFALL_FINISH_STOP,   /* the model, a stop text or the grammar ended it */
    LANDFALL_FINISH_LENGTH, /* n_max, or the context's end */
    LANDFALL_FINISH_CALLER  /* on_text returned 0 */
} landfall_finish;

typedef struct landfall_result {
    size_t size; /* sizeof(landfall_result) */
    char *text;  /* landfall_free */
    size_t n_bytes;
    landfall_finish finish;
    uint32_t n_prompt, n_cached, n_generated; /* tokens; n_cached were not evaluated again */
    int64_t prefill_us, decode_us;
} landfall_result;

/* Continue tokens.  `params` NULL = greedy to the end of the context; `out` may be NULL.
 *   LANDFALL_ERR_LIMIT        prompt and n_max exceed the context: nothing is truncated
 *   LANDFALL_ERR_CANCELLED    by `cancel`
 *   LANDFALL_ERR_UNSUPPORTED  no token of the model can continue the grammar */
LANDFALL_CHECKED landfall_status landfall_generate(landfall_model *m, const int32_t *ids,
                                                   size_t n_ids, const landfall_params *params,
                                                   landfall_result *out, landfall_error *err);

/* ---- conversations ---- */

/* A conversation over a model with a chat template; the model outlives it.  What was said
 * stays in the engine's cache, so that a reply costs the new words alone, as long as
 * kv_cache_bytes leaves room; after that it costs time and nothing else. */
LANDFALL_CHECKED landfall_status landfall_session_open(landfall_model *m, landfall_session **out,
                                                       landfall_error *err);
LANDFALL_API void landfall_session_close(landfall_session *s);

/* Say something: role "system", "user", "assistant" or what else the template knows. */
LANDFALL_CHECKED landfall_status landfall_session_add(landfall_session *s, const char *role,
                                                      const char *content, landfall_error *err);
/* Have the model answer; its text becomes the session's next message.  As landfall_generate;
 * after an error the session is as before. */
LANDFALL_CHECKED landfall_status landfall_session_reply(landfall_session *s,
                                                        const landfall_params *params,
                                                        landfall_result *out, landfall_error *err);
LANDFALL_API size_t landfall_session_n_messages(const landfall_session *s);
/* Forget all messages after the first n. */
LANDFALL_API void landfall_session_rewind(landfall_session *s, size_t n);
/* The messages as JSON, which landfall_chat_tokens takes. */
LANDFALL_CHECKED landfall_status landfall_session_messages(const landfall_session *s, char **json,
                                                           landfall_error *err);

/* ---- encoders ---- */

typedef enum landfall_embed_kind {
    LANDFALL_EMBED_PLAIN,
    LANDFALL_EMBED_QUERY,  /* with the mark that the model puts before questions, */
    LANDFALL_EMBED_PASSAGE /* before texts that are searched */
} landfall_embed_kind;

/* Vectors of length 1: out is float[n_texts][n_embd] (landfall_model_info). */
LANDFALL_CHECKED landfall_status landfall_embed(landfall_model *m, landfall_embed_kind kind,
                                                const char *const *texts, size_t n_texts,
                                                float *out, landfall_error *err);
/* How well each text answers the query: scores float[n_texts], higher is better. */
LANDFALL_CHECKED landfall_status landfall_rank(landfall_model *m, const char *query,
                                               const char *const *texts, size_t n_texts,
                                               float *scores, landfall_error *err);

#ifdef __cplusplus
}
#endif
#endif
