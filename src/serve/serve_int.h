/* serve/serve_int.h - what the route files share. */
#ifndef LF_SERVE_SERVE_INT_H
#define LF_SERVE_SERVE_INT_H

#include <pthread.h>

#include "net/http.h"
#include "serve/fields.h"
#include "serve/server.h"

enum { LF_ROUTE_ARGS = 2, LF_WATCHERS_MAX = 512 };

struct lf_server {
    lf_server_opts o;
    char *spool_dir;
    lf_http *http;
    int64_t started_us;
    pthread_mutex_t
        lock; /* guards the watchers of /api/jobs; nothing is called out to but try_send */
    lf_http_stream *watchers[LF_WATCHERS_MAX];
    size_t n_watchers;
    uint64_t n_changes; /* of jobs, since the start */
};

/* The {names} of a route's pattern, as the path has them. */
typedef struct lf_route_args {
    char v[LF_ROUTE_ARGS][256];
} lf_route_args;

typedef void lf_route_fn(lf_server *s, lf_http_req *r, const lf_route_args *a);

typedef struct lf_route {
    lf_http_method method;
    const char *pattern; /* "/api/documents/{id}" */
    lf_route_fn *run;
    lf_http_body_kind body;
    uint64_t body_max_bytes;
} lf_route;

extern const lf_route lf_routes[]; /* ended by a row without pattern */

/* Does the path fit the pattern?  Fills `a`. */
bool lf_route_match(const char *pattern, const char *path, lf_route_args *a);

bool lf_serve_has_json(lf_http_req *r); /* says the content type */
/* Is the content type JSON?  Otherwise it is answered already. */
bool lf_serve_is_json(lf_http_req *r);
/* The body as a JSON object (new reference), or NULL: then it is answered already. */
json_t *lf_serve_json(lf_http_req *r);
/* Answer with a failure; FORMAT of a request body is the caller's fault (400). */
void lf_serve_fail(lf_http_req *r, const char *param, const lf_err *err);
/* A whole number in the query (`def` where it is absent); false: it is none, and that
 * is answered already. */
bool lf_serve_query_int(lf_http_req *r, const char *name, int64_t def, int64_t min, int64_t max,
                        int64_t *out);
/* An event whose data is `v` (takes the reference). */
LF_MUST_CHECK lf_status lf_serve_event(lf_http_stream *s, const char *event, json_t *v,
                                       lf_err *err);

/* serve/openai_chat.c, openai_text.c, openai_embed.c, openai_rerank.c, api_tokens.c */
lf_route_fn lf_serve_chat, lf_serve_completions, lf_serve_embeddings, lf_serve_rerank;
lf_route_fn lf_serve_models, lf_serve_model, lf_serve_tokenize, lf_serve_detokenize;

/* serve/api_models.c */
lf_route_fn lf_serve_api_models, lf_serve_model_load, lf_serve_model_unload;

/* serve/messages.c */
lf_route_fn lf_serve_messages, lf_serve_messages_count;

/* serve/model_name.c */
/* A model's name in a request: an alias, a catalogue id or a default, never a path of this
 * machine. */
LF_MUST_CHECK lf_status lf_serve_model_name(lf_server *s, const char *name, lf_err *err);
/* The model that a request names, and one that has to be an encoder (`what` needs one);
 * a new reference. */
LF_MUST_CHECK lf_status lf_serve_model_of(lf_server *s, const char *name, lf_model **out,
                                          lf_err *err);
LF_MUST_CHECK lf_status lf_serve_encoder(lf_server *s, const char *name, const char *what,
                                         lf_model **out, lf_err *err);
/* Leave of each absolute path in a message its last name, in place. */
void lf_serve_hide_paths(char *msg);
/* Answer with a failure of a request that names a model. */
void lf_serve_model_fail(lf_http_req *r, const lf_err *err);
uint64_t lf_serve_count_tokens(const lf_model *m, const lf_str *texts, size_t n_texts);

/* serve/api_ask.c */
lf_route_fn lf_serve_ask, lf_serve_search;

/* serve/api_runs.c */
lf_route_fn lf_serve_runs, lf_serve_run, lf_serve_replay;

/* serve/api_docs.c */
/* LF_ERR_NOT_FOUND unless there is such a collection; NULL is the default one. */
LF_MUST_CHECK lf_status lf_serve_need_collection(lf_server *s, const char *name, lf_err *err);
lf_route_fn lf_serve_collections, lf_serve_collection_add, lf_serve_collection_remove;
lf_route_fn lf_serve_docs, lf_serve_doc, lf_serve_doc_remove, lf_serve_original,
    lf_serve_page_image;

/* serve/api_add.c, api_jobs.c */
lf_route_fn lf_serve_docs_add, lf_serve_jobs, lf_serve_job_cancel;
lf_job_fn lf_serve_ingest;
void lf_serve_job_changed(void *ud, const lf_job_row *row); /* ud: lf_server */
LF_MUST_CHECK lf_status lf_serve_clean_spool(lf_server *s, lf_err *err);
void lf_serve_drop_watchers(lf_server *s);

/* serve/page.c */
lf_route_fn lf_serve_page, lf_serve_health, lf_serve_version;

#endif
