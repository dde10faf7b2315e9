/* models/embed_file.c - build tool: a file as a C array.
 *
 *     embed_file FILE NAME OUTPUT.c
 *
 * OUTPUT.c defines  const unsigned char NAME[]  and  const size_t NAME_size;  the
 * array ends with a NUL byte that is not counted. */
#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 4) {
        (void)fprintf(stderr, "usage: embed_file FILE NAME OUTPUT.c\n");
        return 2;
    }
    FILE *in = fopen(argv[1], "rb");
    FILE *out = in ? fopen(argv[3], "wb") : NULL;
    if (!in || !out) {
        perror(in ? argv[3] : argv[1]);
        return 1;
    }
    size_t n = 0;
    int c;
    (void)fprintf(out,
                  "#include <stddef.h>\nextern const unsigned char %s[];\n"
                  "extern const size_t %s_size;\nconst unsigned char %s[] = {",
                  argv[2], argv[2], argv[2]);
    while ((c = getc(in)) != EOF)
        (void)fprintf(out, "%s%d,", n++ % 24 ? "" : "\n", c);
    (void)fprintf(out, "0\n};\nconst size_t %s_size = %zu;\n", argv[2], n);
    const int bad = ferror(in) | ferror(out);
    (void)fclose(in);
    return (fclose(out) != 0) | bad;
}
