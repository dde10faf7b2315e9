#!/usr/bin/env python3
"""Decode and prefill per weight type and model size, beside llama.cpp on the same files.

Two threads, medians of REPEATS (3) runs that alternate between the programs.  The small model
is the default one, requantised by llama-quantize; the large one has random weights in the shape
of Qwen2.5 1.5B (bench/make_shape.py).  The files are made once in MODELS (default:
LANDFALL_HOME/cache/bench).  Bandwidth is what bench_kernels reads in the same run with two
threads; "of it" is bytes of weights a token times tokens a second over that.  The peer's raw
output goes to bench/results/."""
import datetime
import json
import os
import re
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LANDFALL = os.environ["LANDFALL"]
PEER = os.environ.get("LLAMA_BIN", "")
REPEATS = int(os.environ.get("REPEATS", "3"))
TYPES = os.environ.get("TYPES", "Q4_0 Q8_0 Q4_K").split()
MODELS = os.environ.get("MODELS", os.path.join(os.environ["LANDFALL_HOME"], "cache", "bench"))
ENV = dict(os.environ, LD_LIBRARY_PATH=PEER)
RAW = []


def need(path):
    if not os.path.exists(path):
        print("engine: needs " + path, file=sys.stderr)
        sys.exit(77)


def output(cmd, env=None):
    return subprocess.run(cmd, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env).stdout


def make_models():
    info = json.loads(output([LANDFALL, "model", "info", "default", "--json"]))
    small = info["path"]
    need(small)
    os.makedirs(MODELS, exist_ok=True)
    large = os.path.join(MODELS, "1.5b-f16.gguf")
    quantize = os.path.join(PEER, "llama-quantize")
    files = []
    for size, source in (("0.5 B", small), ("1.5 B", large)):
        for t in TYPES:
            path = os.path.join(MODELS, "%s-%s.gguf" % (size.split()[0], t.lower()))
            if not os.path.exists(path):
                if source == large and not os.path.exists(large):
                    print("random weights in the shape of 1.5 B", file=sys.stderr)
                    if subprocess.run([sys.executable, os.path.join(HERE, "make_shape.py"), small, large]).returncode:
                        continue
                # --pure: every matrix in this type, so that a row of the table is about it alone
                name = {"Q4_K": "Q4_K_S"}.get(t, t)
                print("quantising %s to %s" % (size, t), file=sys.stderr)
                subprocess.run([quantize, "--allow-requantize", "--pure", source, path + ".part", name, "2"],
                               check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENV)
                os.rename(path + ".part", path)
            files.append((size, t, path))
    if os.path.exists(large):
        os.unlink(large)
    return files


def ours(path):
    rows = {}
    for n in (512, 4096):
        v = json.loads(output([LANDFALL, "bench", "--model", path, "-p", str(n), "-n", "64" if n == 512 else "2", "-r", "1",
                               "--threads", "2", "--json"]))
        rows["prefill %d" % n] = v["prefill_tokens_per_s"]["median"]
        if n == 512:
            rows["decode"] = v["decode_tokens_per_s"]["median"]
    return rows


def theirs(path):
    text = output([os.path.join(PEER, "llama-bench"), "-m", path, "-p", "512,4096", "-n", "64", "-t", "2", "-r", "1",
                   "-o", "json"], ENV)
    RAW.append(text)
    rows = {}
    for r in json.loads(text):
        rows["decode" if r["n_gen"] else "prefill %d" % r["n_prompt"]] = r["avg_ts"]
    return rows


def bandwidth():
    text = output([os.path.join(os.path.dirname(os.path.realpath(LANDFALL)), "bench", "bench_kernels"), "--threads", "2",
                   "--seconds", "1", "Q8_0"])
    return float(re.search(r"reading ([0-9.]+) GB/s", text).group(1))


def main():
    need(os.path.join(PEER, "llama-bench"))
    print("| model | weights | work | landfall | llama.cpp | ratio | of %s |" % "bandwidth")
    print("|--|--|--|--|--|--|--|")
    bars = {"Q4_0": 1.4, "Q8_0": 1.4, "Q4_K": 1.2}
    for size, t, path in make_models():
        a, b, reads = [], [], []
        for i in range(REPEATS):
            print("%s %s, run %d of %d" % (size, t, i + 1, REPEATS), file=sys.stderr)
            reads.append(bandwidth())
            a.append(ours(path))
            b.append(theirs(path))
        mb = os.path.getsize(path) / 1e6
        for work in ("decode", "prefill 512", "prefill 4096"):
            x, y = (statistics.median(r[work] for r in rows) for rows in (a, b))
            share = ""
            if work == "decode":
                # every matrix is read once a token (a tied embedding is the output matrix)
                share = "%.0f %% of %.0f GB/s" % (100 * x * mb / 1e3 / max(reads), max(reads))
            print("| %s | %s, %.0f MB | %s | %.1f | %.1f | %.2f | %s |" % (size, t, mb, work, x, y, x / y, share), flush=True)
    print("\nTokens a second, two threads, medians of %d. Bars: decode %s." % (
        REPEATS, ", ".join("%.1f x for %s" % (v, k) for k, v in bars.items() if k in TYPES)))
    stamp = datetime.date.today().isoformat()
    with open(os.path.join(HERE, "results", "llama-bench-engine-%s.txt" % stamp), "w") as f:
        f.write("llama-bench -m FILE -p 512,4096 -n 64 -t 2 -r 1 -o json\n\n" + "\n".join(RAW))


main()
