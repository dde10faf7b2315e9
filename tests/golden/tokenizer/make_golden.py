#!/usr/bin/env python3
"""Train small tokenizers of each kind with Hugging Face's `tokenizers` package and
write what they make of some texts: KIND/tokenizer.json and KIND/cases.json, the
latter [texts, ids] with the tokens around a text.

    make_golden.py FOLDER
"""
import json
import pathlib
import sys

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

CORPUS = [
    "The warranty lasts two years. It begins on the day of delivery.",
    "Report every accident to the safety officer within 24 hours, in writing.",
    "员工入职满一年后享受十天年假。未休的年假可以结转到下一年。",
    "报销单据须在三十天内提交，超过期限的不予受理。",
    "def add(a, b):\n    return a + b\n\nfor i in range(100):\n\tprint(i)\n",
] * 4
TEXTS = [
    "", " ", "  ", "\t\n", "The warranty lasts two years.", " leading and trailing ",
    "two  spaces\n\nand\r\nlines", "年假可以结转", "混合 mixed 文本 12345 and 3.14!",
    "it's WE'LL don't I'm", "🚀🚀 emoji é ñ ü ﬁ Ⅷ ①", "def f(x):\n        return x\n",
    "<s>special</s> <unk> [CLS] x [SEP]", "\u3000全角　空格", "a\u0301e\u0301 \u200b zero",
    "AÀÉ ÇÖ İ", "x" * 60, "￥100，“引号”——破折号……", "ｆｕｌｌｗｉｄｔｈ ＡＢＣ",
]
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def around(t, first, last):
    ids = {x: t.token_to_id(x) for x in (first, last)}
    t.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", special_tokens=list(ids.items()))


def byte_level():
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=420, show_progress=False, special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    around(t, "<s>", "</s>")
    return t


def sentencepiece_bpe():
    t = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    t.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=560, show_progress=False, special_tokens=special))
    data = json.loads(t.to_str())
    data["added_tokens"] = [a for a in data["added_tokens"] if a["id"] < 3]
    t = Tokenizer.from_str(json.dumps(data))
    around(t, "<s>", "</s>")
    return t


def unigram():
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.NFKC()
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    t.train_from_iterator(CORPUS, trainers.UnigramTrainer(
        vocab_size=260, show_progress=False, unk_token="<unk>",
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"]))
    around(t, "<s>", "</s>")
    return t


def wordpiece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=50))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(
        vocab_size=360, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"]))
    around(t, "[CLS]", "[SEP]")
    return t


def main():
    root = pathlib.Path(sys.argv[1])
    for name, make in [("byte_level", byte_level), ("sentencepiece_bpe", sentencepiece_bpe),
                       ("unigram", unigram), ("wordpiece", wordpiece)]:
        folder = root / name
        folder.mkdir(exist_ok=True)
        t = make()
        (folder / "tokenizer.json").write_text(t.to_str(), encoding="utf-8")
        ids = [t.encode(x).ids for x in TEXTS]
        (folder / "cases.json").write_text(json.dumps([TEXTS, ids]), encoding="utf-8")


main()
