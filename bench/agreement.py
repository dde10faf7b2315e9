#!/usr/bin/env python3
"""Do we and llama.cpp agree on the next token?

    bench/agreement.py [MODEL.gguf...]

LLAMA_BIN is build/bin of a built llama.cpp, whose headers lie two folders up; LANDFALL is
the program of a release build (bench/bench_logits lies beside it).  Without a model: every
decoder in LANDFALL_HOME/models.  All get the token ids of the 20 prompts in
bench/prompts.jsonl and score every position, teacher-forced.  The peer runs with an f16
cache and without flash attention, otherwise as it comes.

Both programs round activations to 8 bits before they multiply them by quantised weights,
and this noise decides close calls.  So the bars (same token in 99 % of all positions, and
wherever the peer's lead is over 0.1) are put to the model whose weights are dequantised to
F32 by the peer's own llama-quantize: same weights, F32 activations on both sides.  For the
file as it ships four rows tell the noise: ours and theirs against that, against each other,
and the peer against itself when it is fed token by token instead of by 512, which moves its
sums by their last bits alone.  Exits with 1 when a bar is missed.
"""
import argparse
import glob
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


def ours(build, model, threads):
    return rows(subprocess.run(
        [os.path.join(build, "bench", "bench_logits"), model,
         os.path.join(HERE, "prompts.jsonl"), threads],
        check=True, stdout=subprocess.PIPE, text=True).stdout)


def theirs(peer, model, ids, threads, ubatch="512"):
    return rows(subprocess.run([peer, model, ids, threads, ubatch], check=True,
                               stdout=subprocess.PIPE, text=True).stdout)


def show(name, what, a, b):
    n, same, clear, clear_same, diff = compare(a, b)
    print(f"| {name} | {what} | {n} | {100 * same / n:.2f} % | {clear} | "
          f"{100 * clear_same / clear:.2f} % | {diff:.4f} |", flush=True)
    return same >= 0.99 * n and clear_same == clear


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--threads", default="2")
    p.add_argument("models", nargs="*")
    a = p.parse_args()
    llama_bin = os.environ.get("LLAMA_BIN", "")
    a.llama = os.path.dirname(os.path.dirname(os.path.abspath(llama_bin)))
    a.build = os.path.dirname(os.environ.get("LANDFALL", os.path.join(HERE, "../build/landfall")))
    home = os.environ.get("LANDFALL_HOME", "")
    models = a.models or sorted(m for m in glob.glob(os.path.join(home, "models/**/*.gguf"),
                                                     recursive=True) if "e5" not in m)
    if not llama_bin or not models or not os.path.exists(os.path.join(a.build, "bench/bench_logits")):
        print("agreement: needs LLAMA_BIN, a model and bench/bench_logits", file=sys.stderr)
        sys.exit(77)
    good = True
    with tempfile.TemporaryDirectory() as tmp:
        peer = os.path.join(tmp, "peer_logits")
        build_peer(a.llama, peer)
        print("| model | compared | positions | same token | lead > 0.1 | same there "
              "| mean score difference |")
        print("|--|--|--|--|--|--|--|")
        for model in models:
            name, f32 = os.path.basename(model), os.path.join(tmp, "f32.gguf")
            subprocess.run([os.path.join(a.llama, "build", "bin", "llama-quantize"),
                            "--allow-requantize", model, f32, "F32", a.threads], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            exact = ours(a.build, f32, a.threads)
            ids = os.path.join(tmp, "rows")
            with open(ids, "w") as f:
                f.writelines("\t".join(r) + "\n" for r in exact)
            peer_exact = theirs(peer, f32, ids, a.threads)
            os.unlink(f32)
            good = show(name, "F32 on both sides (bar)", exact, peer_exact) and good
            mine = ours(a.build, model, a.threads)
            other = theirs(peer, model, ids, a.threads)
            show(name, "as shipped: ours, F32", mine, peer_exact)
            show(name, "as shipped: llama.cpp, F32", other, peer_exact)
            show(name, "as shipped: ours, llama.cpp", mine, other)
            show(name, "as shipped: llama.cpp by single tokens, llama.cpp by 512",
                 theirs(peer, model, ids, a.threads, "1"), other)
    print("\nThe bar (same token in 99 % of the positions, and wherever llama.cpp leads by more than 0.1) "
          "is\nput to weights dequantised to F32 by llama-quantize: same weights, F32 activations on both "
          "sides.\nAs shipped, both programs round activations to 8 bits; those rows show that noise: a sum's last bit\n"
          "turns a rounding, and llama.cpp doesn't keep the bar against itself.\n"
          "llama.cpp: f16 cache, no flash attention, two threads.")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
