#!/usr/bin/env python3
"""Do we and llama.cpp agree on the next token?

    bench/logits_vs_llamacpp.py --llama DIR --build BUILD MODEL.gguf...

DIR is a built llama.cpp (include/, ggml/include/, build/bin with libllama.so),
BUILD a release build folder of ours (bench/bench_logits).  Both get the token ids of
the 20 prompts in bench/prompts.jsonl and score every position, teacher-forced.
Prints a Markdown row a model: positions, share on which the likeliest token is the
same, the same among positions where the peer's lead is over 0.1, and the mean
difference of the best score.  Exits with 1 when a bar is missed (99 %, and all).
"""
import argparse
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def build_peer(llama, out):
    lib = os.path.join(llama, "build", "bin")
    subprocess.run(
        ["g++", "-std=c++17", "-O2", os.path.join(HERE, "peer_logits.cpp"),
         "-I", os.path.join(llama, "include"), "-I", os.path.join(llama, "ggml", "include"),
         "-L", lib, "-Wl,-rpath," + lib, "-lllama", "-lggml", "-lggml-base", "-o", out],
        check=True)


def rows(text):
    return [line.split("\t") for line in text.splitlines()]


def compare(ours, theirs):
    assert len(ours) == len(theirs) and len(ours) > 0
    same = clear = clear_same = 0
    diff = 0.0
    for a, b in zip(ours, theirs):
        assert a[:3] == b[:3]
        agree = a[3] == b[3]
        same += agree
        diff += abs(float(a[4]) - float(b[4]))
        if float(b[5]) > 0.1:
            clear += 1
            clear_same += agree
    return len(ours), same, clear, clear_same, diff / len(ours)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--llama", required=True)
    p.add_argument("--build", required=True)
    p.add_argument("--threads", default="2")
    p.add_argument("models", nargs="+")
    a = p.parse_args()
    missed = False
    with tempfile.TemporaryDirectory() as tmp:
        peer = os.path.join(tmp, "peer_logits")
        build_peer(a.llama, peer)
        print("| model | positions | same token | lead > 0.1 | same there | mean score difference |")
        print("|--|--|--|--|--|--|")
        for model in a.models:
            ours = subprocess.run(
                [os.path.join(a.build, "bench", "bench_logits"), model,
                 os.path.join(HERE, "prompts.jsonl"), a.threads],
                check=True, stdout=subprocess.PIPE, text=True).stdout
            path = os.path.join(tmp, "rows")
            with open(path, "w") as f:
                f.write(ours)
            theirs = subprocess.run([peer, model, path, a.threads], check=True,
                                    stdout=subprocess.PIPE, text=True).stdout
            n, same, clear, clear_same, diff = compare(rows(ours), rows(theirs))
            print(f"| {os.path.basename(model)} | {n} | {same} ({100 * same / n:.2f} %) | {clear} | "
                  f"{clear_same} ({100 * clear_same / clear:.2f} %) | {diff:.4f} |", flush=True)
            missed |= same < 0.99 * n or clear_same < clear
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
