#!/usr/bin/env python3
"""A small model that guesses for a large one, beside prompt lookup alone and plain decoding.

LLAMA_BIN is build/bin of a built llama.cpp (llama-quantize).  No two packaged models share a
vocabulary, so the large one is the default model dequantised to F16 (three times the bytes a
token) and the small one is the default model as it ships: the agreement is that of a good pair.
Six requests, greedy, 128 tokens, runs alternate; the texts must be equal, byte for byte: exits
with 1 where one is not."""
import json
import os
import statistics
import subprocess
import sys
import tempfile

LANDFALL = os.environ["LANDFALL"]
SMALL = os.path.join(os.environ.get("LANDFALL_HOME", ""), "models", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf")
ASKS = ["Write a C function that reverses a singly linked list, and explain it.",
        "List the planets of the solar system with one fact about each.",
        "What is the difference between TCP and UDP?",
        "用中文解释什么是数据库事务，并举一个例子。",
        "Write a short story about a lighthouse keeper.",
        "写一封请假邮件，理由是家里有事。"]
WAYS = {"plain decoding": ["--no-drafts"], "prompt lookup": [], "lookup and guesser": ["--draft-model", SMALL]}


def run(model, ask, extra):
    out = subprocess.run([LANDFALL, "run", model, "-p", ask, "-n", "128", "--threads", "2", "--json"] + extra,
                         check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return json.loads(out)


def main():
    quantize = os.path.join(os.environ.get("LLAMA_BIN", ""), "llama-quantize")
    if not os.path.exists(quantize) or not os.path.exists(SMALL):
        print("guesser: needs LLAMA_BIN and the default model", file=sys.stderr)
        sys.exit(77)
    speed, guessed, right, differ = {w: [] for w in WAYS}, {w: 0 for w in WAYS}, {w: 0 for w in WAYS}, 0
    with tempfile.TemporaryDirectory() as tmp:
        large = os.path.join(tmp, "f16.gguf")
        subprocess.run([quantize, "--allow-requantize", "--pure", SMALL, large, "F16", "2"], check=True,
                       capture_output=True)
        for i, ask in enumerate(ASKS):
            print("request %d of %d" % (i + 1, len(ASKS)), file=sys.stderr)
            texts = set()
            for way, extra in WAYS.items():
                r = run(large, ask, extra)
                texts.add(r["text"])
                speed[way].append(r["decode_tokens_per_s"])
                guessed[way] += r["guessed_tokens"]
                right[way] += r["guessed_right"]
            differ += len(texts) > 1
    plain = statistics.median(speed["plain decoding"])
    print("| way | tokens/s | ratio | guessed | of these right |\n|--|--|--|--|--|")
    for way in WAYS:
        print("| %s | %.1f | %.2f | %d | %d |" % (way, statistics.median(speed[way]),
                                                  statistics.median(speed[way]) / plain, guessed[way], right[way]))
    print("\n%d requests, 128 tokens each, medians; texts that differ: %d. F16 weights of the default model, guesses by "
          "the\nmodel as it ships, two threads, greedy." % (len(ASKS), differ))
    sys.exit(1 if differ else 0)


main()
