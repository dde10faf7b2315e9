/* text/lexicon_build.c - build tool: word list to the table that text/lexicon.h reads.
 *
 *     lexicon_build WORDS OUT.bin OUT.c
 *
 * WORDS has lines "word count tag".  OUT.c pulls OUT.bin into the executable's
 * read-only data, so that it is mapped, shared and loaded page by page.
 *
 * Format, little endian: "LFLX" | u32 version | u32 log2 of the slots | u32 longest
 * word in code points | slots x u32.  A slot is 0 (empty) or fingerprint, name
 * bit, cost: cost 1 = a prefix of words only, else 2 + round(-ln(p) / LF_LEXICON_STEP).
 * The name bit is that of tags ns (places) and nt (organisations).
 * Slots are found by lf_lexicon_key() and linear probing. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/lexicon_int.h"

enum { SLOT_BITS = 20, WORD_MAX = 16 };

static uint32_t *slots;
static size_t used;

static int die(const char *what, const char *on)
{
    fprintf(stderr, "lexicon_build: %s '%s'\n", what, on);
    return 1;
}

/* Enough of UTF-8 for a word list that is known to be valid. */
static size_t decode(const char *s, uint32_t *out, size_t max)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t n = 0;
    while (*p && n < max) {
        if (*p < 0x80) {
            out[n++] = *p++;
        } else if (*p < 0xE0) {
            out[n++] = (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
            p += 2;
        } else if (*p < 0xF0) {
            out[n++] = (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
            p += 3;
        } else {
            out[n++] = (uint32_t)(p[0] & 7) << 18 | (uint32_t)(p[1] & 0x3F) << 12 |
                       (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3F);
            p += 4;
        }
    }
    return *p ? 0 : n;
}

static void put(uint64_t state, uint32_t cost, uint32_t name)
{
    const uint64_t key = lf_lexicon_key(state);
    const uint32_t mask = ((uint32_t)1 << SLOT_BITS) - 1;
    const uint32_t print = lf_lexicon_print(key);
    uint32_t at = (uint32_t)key & mask;
    while (slots[at] && slots[at] >> 9 != print)
        at = (at + 1) & mask;
    if (!slots[at])
        used++;
    if ((slots[at] & 0xFF) <= 1)
        slots[at] = print << 9 | name | cost;
}

/* Ordinary words that the list tags as places. */
static const char *const ordinary[] = {
    "东西",     "城市",     "平原",     "太阳",     "英雄",   "海洋",   "大桥",   "湖泊",
    "高原",     "上市",     "建国",     "爱国",     "美丽",   "深度",   "长度",   "新鲜",
    "治安",     "回国",     "大街",     "江湖",     "王国",   "朝廷",   "山区",   "城镇",
    "古城",     "大国",     "京城",     "大都",     "庆典",   "南路",   "山脉",   "开国",
    "哥哥",     "二哥",     "外国",     "海峡",     "河口",   "冰川",   "山水",   "长大",
    "莫非",     "福利",     "日志",     "云集",     "青春",   "山河",   "神圣",   "新建",
    "普及",     "商城",     "内河",     "古典",     "江山",   "高山",   "大海",   "山坡",
    "河谷",     "上马",     "太平",     "河水",     "中断",   "山洞",   "都城",   "关联",
    "海湾",     "上半场",   "湖水",     "广义",     "上山",   "下山",   "上台",   "新城",
    "海关",     "大洋",     "山峰",     "石桥",     "山寨",   "契约",   "入口",   "入市",
    "路桥",     "都市",     "国际化",   "重镇",     "诸国",   "山口",   "大山",   "千古",
    "城堡",     "江河",     "深山",     "伦理",     "交易所", "通讯社", "治国",   "联合会",
    "高级中学", "文理学院", "理工学院", "国家机关", "共和国", "自治州", "自治县", "人民政府",
    "人民法院", "党组织",   "古都",     "泉水",     "大河",   "大湖",   "大江",   "水域",
    "渡江",     "中路",     "内城",     "龙门",     "新港",
};

/* Places and organisations; a word so frequent that it stands in texts about anything
 * ("中国") tells nothing. */
static bool is_name(const char *word, const char *tag, double share)
{
    tag += *tag == ' ';
    if (share >= 5e-4 || (strncmp(tag, "ns", 2) != 0 && strncmp(tag, "nt", 2) != 0))
        return false;
    for (size_t i = 0; i < sizeof ordinary / sizeof ordinary[0]; i++)
        if (strcmp(word, ordinary[i]) == 0)
            return false;
    return true;
}

static int load(const char *path)
{
    char line[512];
    double total = 0;
    FILE *f = fopen(path, "r");
    if (!f)
        return die("cannot read", path);
    for (int pass = 0; pass < 2; pass++) {
        rewind(f);
        while (fgets(line, sizeof line, f)) {
            char *count = strchr(line, ' ');
            uint32_t cps[WORD_MAX];
            if (!count)
                continue;
            *count++ = '\0';
            char *tag;
            const double n = strtod(count, &tag);
            const size_t len = decode(line, cps, WORD_MAX);
            if (pass == 0)
                total += n;
            if (pass == 0 || len == 0 || n <= 0 || cps[0] < 0x3400)
                continue;
            const double cost = 2 + round(-log(n / total) / LF_LEXICON_STEP);
            const uint32_t name = is_name(line, tag, n / total) ? LF_LEXICON_NAME : 0;
            uint64_t state = LF_LEXICON_SEED;
            for (size_t i = 0; i < len; i++) {
                state = lf_lexicon_step(state, cps[i]);
                if (i + 1 < len)
                    put(state, 1, 0);
                else
                    put(state, cost > 255 ? 255 : (uint32_t)cost, name);
            }
            if (used > (size_t)1 << SLOT_BITS >> 1 << 1)
                return die("too many words in", path);
        }
    }
    fclose(f);
    return total > 0 ? 0 : die("no words in", path);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return die("usage: lexicon_build WORDS OUT.bin OUT.c, got", argc > 1 ? argv[1] : "");
    const size_t n = (size_t)1 << SLOT_BITS;
    slots = calloc(n, sizeof *slots);
    if (!slots || load(argv[1]))
        return die("cannot build from", argv[1]);
    const uint32_t head[4] = { LF_LEXICON_MAGIC, LF_LEXICON_VERSION, SLOT_BITS, WORD_MAX };
    FILE *f = fopen(argv[2], "wb");
    if (!f || fwrite(head, sizeof head, 1, f) != 1 || fwrite(slots, sizeof *slots, n, f) != n ||
        fclose(f))
        return die("cannot write", argv[2]);
    char *abs = realpath(argv[2], NULL);
    f = fopen(argv[3], "w");
    if (!abs || !f)
        return die("cannot write", argv[3]);
    fprintf(f,
            "__asm__(\".section .rodata\\n.balign 64\\n.global lf_lexicon_data\\n\"\n"
            "        \"lf_lexicon_data:\\n.incbin \\\"%s\\\"\\n\"\n"
            "        \".section .note.GNU-stack,\\\"\\\",%%progbits\\n.text\\n\");\n",
            abs);
    free(abs);
    if (fclose(f))
        return die("cannot write", argv[3]);
    printf("%zu of %zu slots\n", used, n);
    return 0;
}
