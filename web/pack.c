/* web/pack.c - build tool: one HTML file from template, style and script, as C source.
 *
 *     pack TEMPLATE STYLE SCRIPT OUTPUT.c
 *
 * The template's lines <!--style--> and <!--script--> are replaced.  The page
 * may run nothing else: the Content-Security-Policy that is written beside it
 * holds the SHA-256 of exactly these two. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct text {
    char *p;
    size_t len;
} text;

static void die(const char *what, const char *name)
{
    (void)fprintf(stderr, "pack: %s '%s'\n", what, name);
    exit(1);
}

static text read_all(const char *path)
{
    text t = { 0 };
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0)
        die("cannot read", path);
    const long n = ftell(f);
    rewind(f);
    t.p = malloc((size_t)n + 1);
    t.len = (size_t)n;
    if (!t.p || fread(t.p, 1, t.len, f) != t.len)
        die("cannot read", path);
    t.p[t.len] = '\0';
    (void)fclose(f);
    while (t.len > 0 && t.p[t.len - 1] == '\n') /* what is hashed has no line end */
        t.p[--t.len] = '\0';
    return t;
}

static void hash(const text *t, char out[64])
{
    unsigned char sum[32];
    unsigned int n = 0;
    if (EVP_Digest(t->p, t->len, sum, &n, EVP_sha256(), NULL) != 1)
        die("cannot hash", "the page");
    (void)EVP_EncodeBlock((unsigned char *)out, sum, (int)n);
}

static size_t column, total;

static void put(FILE *f, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        (void)fprintf(f, "%u,%s", (unsigned char)p[i], ++column % 24 == 0 ? "\n" : "");
        total++;
    }
}

int main(int argc, char **argv)
{
    static const char style_mark[] = "<!--style-->", script_mark[] = "<!--script-->";
    if (argc != 5)
        die("usage: pack TEMPLATE STYLE SCRIPT", "OUTPUT.c");
    const text page = read_all(argv[1]), style = read_all(argv[2]), script = read_all(argv[3]);
    const char *a = strstr(page.p, style_mark), *b = strstr(page.p, script_mark);
    char style_hash[64], script_hash[64];
    if (!a || !b || a > b)
        die("no <!--style--> before <!--script--> in", argv[1]);
    if (strstr(script.p, "</script") || strstr(style.p, "</style"))
        die("an end tag stands inside of", argv[3]);
    hash(&style, style_hash);
    hash(&script, script_hash);
    FILE *f = fopen(argv[4], "wb");
    if (!f)
        die("cannot write", argv[4]);
    (void)fprintf(f, "#include \"serve/page.h\"\n\nconst unsigned char lf_page_html[] = {\n");
    put(f, page.p, (size_t)(a - page.p));
    put(f, "<style>", 7);
    put(f, style.p, style.len);
    put(f, "</style>", 8);
    put(f, a + sizeof style_mark - 1, (size_t)(b - a) - (sizeof style_mark - 1));
    put(f, "<script>", 8);
    put(f, script.p, script.len);
    put(f, "</script>", 9);
    put(f, b + sizeof script_mark - 1, strlen(b + sizeof script_mark - 1));
    (void)fprintf(f,
                  "};\nconst size_t lf_page_html_bytes = %zu;\nconst char lf_page_csp[] =\n"
                  "    \"default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; \"\n"
                  "    \"img-src 'self' data:; connect-src 'self'; form-action 'none'; \"\n"
                  "    \"base-uri 'none'; frame-ancestors 'none'\";\n",
                  total, script_hash, style_hash);
    if (fclose(f) != 0)
        die("cannot write", argv[4]);
    free(page.p);
    free(style.p);
    free(script.p);
    return 0;
}
