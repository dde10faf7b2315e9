#!/usr/bin/env python3
"""Types of keys and values: perplexity of the default model and memory a token.

The texts and the scoring are those of bench/perplexity.py: CHUNKS (40) chunks of 512 tokens,
half GSM8K, half CMRC 2018.  Speed of a long context is that of `landfall bench -p 4096 -n 64`,
medians of REPEATS (3) that take turns."""
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

from perplexity import ours, texts

LANDFALL = os.environ["LANDFALL"]
CHUNKS = int(os.environ.get("CHUNKS", "40"))
REPEATS = int(os.environ.get("REPEATS", "3"))
TYPES = ("f16", "q8", "q4")
# Bits of a key and of a value of 64 dims, with its scales; a first key for 64 positions.
BITS = {"f16": (16, 16), "q8": (8 + 0.5 + 0.25, 8 + 0.5), "q4": (8 + 0.5 + 0.25, 4 + 0.5)}


def speed(kv):
    out = subprocess.run([LANDFALL, "bench", "-p", "4096", "-n", "64", "-r", "1", "--threads", "2", "--json",
                          "--set", "engine.kv_type=" + kv], check=True, stdout=subprocess.PIPE, text=True).stdout
    v = json.loads(out)
    return v["prefill_tokens_per_s"]["median"], v["decode_tokens_per_s"]["median"]


def main():
    data = os.path.join(os.environ.get("LANDFALL_DATA", ""), "data")
    if not os.path.exists(os.path.join(data, "gsm8k/train.jsonl")):
        print("kv: needs LANDFALL_DATA", file=sys.stderr)
        sys.exit(77)
    rates = {kv: [] for kv in TYPES}
    for i in range(REPEATS):
        for kv in TYPES:
            print("speed of %s, %d of %d" % (kv, i + 1, REPEATS), file=sys.stderr)
            rates[kv].append(speed(kv))
    print("| cache | bits a number | English | Chinese | both, against f16 | prefill 4096, tokens/s "
          "| decode after it |\n|--|--|--|--|--|--|--|")
    first = None
    with tempfile.TemporaryDirectory() as folder:
        paths = texts(folder, data)
        for kv in TYPES:
            print("perplexity of " + kv, file=sys.stderr)
            nll = [ours(LANDFALL, "default", p, CHUNKS // 2, "2", "--set", "engine.kv_type=" + kv)
                   for p in paths.values()]
            first = first or sum(nll)
            print("| %s | %.2f | %.4f | %.4f | %+.3f %% | %.0f | %.1f |" % (
                kv, sum(BITS[kv]) / 2, math.exp(nll[0]), math.exp(nll[1]),
                100 * (math.exp((sum(nll) - first) / 2) - 1),
                statistics.median(r[0] for r in rates[kv]), statistics.median(r[1] for r in rates[kv])), flush=True)
    print("\nDefault model, %d chunks of 512 tokens (%d scored), half GSM8K, half CMRC 2018; two threads." %
          (CHUNKS, CHUNKS * 255))


main()
