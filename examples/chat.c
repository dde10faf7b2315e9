/* examples/chat.c - a conversation, an answer held to a schema, and texts ranked by a query.
 *
 *     cc chat.c $(pkg-config --cflags --libs landfall) -o chat && ./chat MODEL [ENCODER]
 *
 * MODEL and ENCODER are GGUF files or safetensors folders.  The same source is C and C++. */
#include <landfall.h>
#include <stdio.h>

static landfall_error err;

static int show(void *user, const char *text, size_t n_bytes)
{
    return fwrite(text, 1, n_bytes, (FILE *)user) == n_bytes;
}

static landfall_status say(landfall_session *s, const char *text, landfall_grammar *g)
{
    landfall_params p = { sizeof p };
    landfall_result r = { sizeof r };
    p.n_max = 48;
    p.grammar = g;
    p.on_text = show;
    p.user = stdout;
    landfall_status st = landfall_session_add(s, "user", text, &err);
    if (st == LANDFALL_OK)
        st = landfall_session_reply(s, &p, &r, &err);
    if (st == LANDFALL_OK)
        printf("\n(%u tokens of prompt, %u of them cached)\n", r.n_prompt, r.n_cached);
    landfall_free(r.text);
    return st;
}

static landfall_status converse(landfall_model *m)
{
    const char *schema = "{\"type\":\"object\",\"properties\":{\"city\":{\"enum\":[\"Paris\","
                         "\"Rome\"]}},\"required\":[\"city\"]}";
    landfall_session *s = NULL;
    landfall_grammar *g = NULL;
    landfall_status st = landfall_session_open(m, &s, &err);
    if (st == LANDFALL_OK)
        st = say(s, "What is the capital of France?", NULL);
    if (st == LANDFALL_OK)
        st = landfall_grammar_from_schema(schema, &g, &err);
    if (st == LANDFALL_OK)
        st = say(s, "Say it as JSON.", g);
    landfall_grammar_close(g);
    landfall_session_close(s);
    return st;
}

static landfall_status rank(landfall_model *m)
{
    const char *texts[] = { "Rome is in Italy.", "The pump needs oil." };
    float scores[2] = { 0, 0 };
    landfall_status st = landfall_rank(m, "Where is Rome?", texts, 2, scores, &err);
    for (int i = 0; st == LANDFALL_OK && i < 2; i++)
        printf("%.3f %s\n", (double)scores[i], texts[i]);
    return st;
}

int main(int argc, char **argv)
{
    landfall *l = NULL;
    landfall_status st = landfall_open(NULL, &l, &err);
    for (int i = 1; i < argc && i <= 2 && st == LANDFALL_OK; i++) {
        landfall_model *m = NULL;
        st = landfall_model_load(l, argv[i], &m, &err);
        if (st == LANDFALL_OK)
            st = i == 1 ? converse(m) : rank(m);
        landfall_model_close(m);
    }
    landfall_close(l);
    if (st != LANDFALL_OK)
        fprintf(stderr, "%s: %s\n", landfall_status_name(st), err.message);
    return st == LANDFALL_OK ? 0 : 1;
}
