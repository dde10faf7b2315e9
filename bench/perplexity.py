#!/usr/bin/env python3
"""Perplexity of every weight type beside llama.cpp's, on the same files and tokens.

    bench/perplexity.py [--types T,...] [--chunks N] [--keep FOLDER] [MODEL.gguf]

LLAMA_BIN is build/bin of a built llama.cpp (llama-quantize, llama-perplexity); LANDFALL_DATA
holds the texts: questions and answers of GSM8K, passages of CMRC 2018.  Python needs gguf.

The default model's weights are dequantised to F16, and llama-quantize makes one file of each
type out of that, all matrices of the one type (--pure).  K types need rows of 256, which a
width of 896 is not: so the model is widened by zeros first (widen below), which leaves its
function as it is.

Both programs score the same way: chunks of 512 tokens, each from an empty cache, the tokens
256 to 511 of each.  40 chunks are 20,480 tokens, half of them English, half Chinese.
Exits with 3 when a type's perplexity is more than 0.5 % away from llama.cpp's.
"""
import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile

import gguf
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
TYPES = ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"]
ROW = 256  # weights in a block of a K type
BAR = 0.005


def up(n, step):
    return (n + step - 1) // step * step


class Widening:
    """A width that a K type can hold, by zeros.

    Heads are added until the width is a multiple of 256, as many to each key-value head.
    Their queries and their rows of the output matrix are zero.  A norm over the wider row sees
    a smaller mean square: its weights and epsilon make up for that exactly."""

    def __init__(self, reader):
        def number(key):
            return reader.fields[self.arch + "." + key].contents()
        self.arch = reader.fields["general.architecture"].contents()
        self.embd, self.ff = number("embedding_length"), number("feed_forward_length")
        self.heads, self.kv_heads = number("attention.head_count"), number("attention.head_count_kv")
        self.dim = self.embd // self.heads
        self.eps = number("attention.layer_norm_rms_epsilon")
        heads = self.heads
        while heads * self.dim % ROW or heads % self.kv_heads:
            heads += 1
        self.wide_heads, self.wide, self.wide_ff = heads, heads * self.dim, up(self.ff, ROW)
        self.c = self.embd / self.wide

    def numbers(self):
        return {"embedding_length": self.wide, "feed_forward_length": self.wide_ff,
                "attention.head_count": self.wide_heads,
                "attention.layer_norm_rms_epsilon": self.eps * self.c}

    def by_heads(self, x, axis):
        """Axis of all heads: each key-value head's group gets its new heads at its end."""
        x = np.moveaxis(x, axis, 0)
        group = x.reshape((self.kv_heads, self.heads // self.kv_heads * self.dim) + x.shape[1:])
        more = self.wide // self.kv_heads - group.shape[1]
        group = np.pad(group, [(0, 0), (0, more)] + [(0, 0)] * (x.ndim - 1))
        return np.moveaxis(group.reshape((self.wide,) + x.shape[1:]), 0, axis)

    def tensor(self, name, x):
        part = name.split(".")[-2]
        if "norm" in part:
            return np.pad(x * math.sqrt(self.c), (0, self.wide - self.embd))
        if part == "attn_q":
            x = self.by_heads(x, 0)
        if part == "attn_output":
            return np.pad(self.by_heads(x, 1), ((0, self.wide - self.embd), (0, 0)))
        if x.ndim == 1:
            return x
        rows = {"ffn_gate": self.wide_ff, "ffn_up": self.wide_ff, "ffn_down": self.wide}
        cols = self.wide_ff if part == "ffn_down" else self.wide
        return np.pad(x, ((0, rows.get(part, x.shape[0]) - x.shape[0]), (0, cols - x.shape[1])))


def widen(path, out):
    reader = gguf.GGUFReader(path)
    w = Widening(reader)
    writer = gguf.GGUFWriter(out, w.arch)
    changed = {w.arch + "." + k: v for k, v in w.numbers().items()}
    for f in reader.fields.values():
        if f.name.startswith("GGUF.") or f.name in ("general.architecture", "general.file_type"):
            continue
        kind = f.types[0]
        sub = f.types[1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(f.name, changed.get(f.name, f.contents()), kind, sub)
    for t in reader.tensors:
        x = gguf.dequantize(t.data, t.tensor_type).astype(np.float32)
        x = np.ascontiguousarray(w.tensor(t.name, x))
        writer.add_tensor(t.name, x.astype(np.float16) if x.ndim > 1 else x.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def texts(folder, data):
    """Two files, far longer than the chunks that are taken of them."""
    en = [json.loads(line) for line in open(os.path.join(data, "gsm8k/train.jsonl"), encoding="utf-8")]
    zh = json.load(open(os.path.join(data, "cmrc2018/trial.json"), encoding="utf-8"))
    found = {"English": "\n\n".join(r["question"] + "\n" + r["answer"] for r in en[:1000]),
             "Chinese": "\n\n".join(p["context"] for a in zh["data"] for p in a["paragraphs"])}
    paths = {}
    for name, text in found.items():
        paths[name] = os.path.join(folder, name + ".txt")
        with open(paths[name], "w", encoding="utf-8") as f:
            f.write(text[:400000])
    return paths


def ours(program, model, text, chunks, threads, *more):
    out = subprocess.run([program, "bench", "--json", "--threads", threads, "--model", model,
                          "--perplexity", text, "--chunks", str(chunks), *more],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out)["mean_nll"]


def theirs(llama, model, text, chunks, threads):
    run = subprocess.run([os.path.join(llama, "llama-perplexity"), "-m", model, "-f", text, "-c", "512",
                          "-b", "512", "-t", threads, "--chunks", str(chunks)],
                         check=True, capture_output=True, text=True)
    found = re.search(r"Final estimate: PPL = ([0-9.]+)", run.stdout + run.stderr)
    return math.log(float(found.group(1)))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--types", default=",".join(TYPES))
    p.add_argument("--chunks", type=int, default=40)
    p.add_argument("--threads", default="2")
    p.add_argument("--keep", help="folder for the files that are made; what is there is not made again")
    p.add_argument("model", nargs="?")
    a = p.parse_args()
    llama, data = os.environ.get("LLAMA_BIN", ""), os.environ.get("LANDFALL_DATA", "")
    program = os.environ.get("LANDFALL", os.path.join(HERE, "../build/landfall"))
    model = a.model or os.path.join(os.environ.get("LANDFALL_HOME", ""), "models",
                                    "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf")
    if not os.path.exists(os.path.join(llama, "llama-perplexity")) or not os.path.exists(model) or \
            not os.path.exists(os.path.join(data, "data/gsm8k/train.jsonl")):
        print("perplexity: needs LLAMA_BIN, LANDFALL_DATA and the default model", file=sys.stderr)
        sys.exit(77)
    missed = []
    with tempfile.TemporaryDirectory() as tmp:
        folder = a.keep or tmp
        paths = texts(tmp, os.path.join(data, "data"))
        base = os.path.join(folder, "wide-F16.gguf")
        if not os.path.exists(base):
            widen(model, base)
        print("| type | English: landfall | llama.cpp | Chinese: landfall | llama.cpp | both: landfall "
              "| llama.cpp | difference |\n|--|--|--|--|--|--|--|--|", flush=True)
        for kind in a.types.split(","):
            path = os.path.join(folder, "wide-%s.gguf" % kind)
            if not os.path.exists(path):
                subprocess.run([os.path.join(llama, "llama-quantize"), "--pure", base, path, kind,
                                a.threads], check=True, capture_output=True)
            row, sums = [], [0.0, 0.0]
            for text in paths.values():
                both = (ours(program, path, text, a.chunks // 2, a.threads),
                        theirs(llama, path, text, a.chunks // 2, a.threads))
                row += [math.exp(x) for x in both]
                sums = [s + x / len(paths) for s, x in zip(sums, both)]
            row += [math.exp(x) for x in sums]
            diff = row[-2] / row[-1] - 1
            print("| %s | %s | %+.3f %% |" % (kind, " | ".join("%.4f" % x for x in row), 100 * diff),
                  flush=True)
            if not abs(diff) <= BAR:
                missed.append("bar missed: %s is %.3f %% away, allowed are 0.5 %%" % (kind, 100 * diff))
            if not a.keep and path != base:
                os.unlink(path)
    print("\n%s, %d chunks of 512 tokens (%d tokens, of which %d scored), half GSM8K, half CMRC 2018.\n"
          "Peer: `llama-quantize --pure IN OUT TYPE`, `llama-perplexity -c 512 -b 512 -t %s --chunks %d`."
          % (os.path.basename(model), a.chunks, a.chunks * 512, a.chunks * 255, a.threads, a.chunks // 2))
    print("\n".join(missed))
    sys.exit(3 if missed else 0)


if __name__ == "__main__":
    main()
