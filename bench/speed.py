#!/usr/bin/env python3
"""Speed and memory of the default decoder, beside llama.cpp on the same file.

Prefill of 512 tokens and decode of 128, two threads, medians of REPEATS runs that
alternate between the programs, so that a busy moment hits both.  Peak memory and
the time from start to the first token are those of a whole process that answers a
short prompt with one token; the first such run of each is not counted."""
import json
import os
import statistics
import subprocess
import sys
import time

LANDFALL = os.environ["LANDFALL"]
PEER = os.environ.get("LLAMA_BIN", "")
REPEATS = int(os.environ.get("REPEATS", "5"))
PROMPT = "The harbour opens at six in the morning and closes at"


def model_path():
    out = subprocess.run([LANDFALL, "model", "info", "default", "--json"], capture_output=True,
                         text=True)
    info = json.loads(out.stdout) if out.returncode == 0 else {}
    path = info.get("path") or ""
    if not os.path.exists(path):
        print("no default model: landfall model pull default", file=sys.stderr)
        sys.exit(77)
    return path


def run(cmd, env=None):
    """(seconds, peak MiB, standard output)"""
    before = time.monotonic()
    p = subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)
    out = p.stdout.read()
    _, status, usage = os.wait4(p.pid, 0)
    if status != 0:
        sys.exit("failed: " + " ".join(cmd))
    return time.monotonic() - before, usage.ru_maxrss / 1024, out


def ours(path):
    out = run([LANDFALL, "bench", "--model", path, "-p", "512", "-n", "128", "-r", "1",
               "--threads", "2", "--json"])[2]
    v = json.loads(out)
    return v["prefill_tokens_per_s"]["median"], v["decode_tokens_per_s"]["median"]


def theirs(path, env):
    out = run([os.path.join(PEER, "llama-bench"), "-m", path, "-p", "512", "-n", "128", "-t", "2",
               "-r", "1", "-o", "json"], env)[2]
    rows = json.loads(out)
    return ([r["avg_ts"] for r in rows if r["n_prompt"]][0],
            [r["avg_ts"] for r in rows if r["n_gen"]][0])


def first_ours(path):
    return run([LANDFALL, "run", path, "-p", PROMPT, "-n", "1", "--threads", "2"])[:2]


def first_theirs(path, env):
    return run([os.path.join(PEER, "llama-simple"), "-m", path, "-n", "1", PROMPT], env)[:2]


def main():
    path = model_path()
    env = dict(os.environ, LD_LIBRARY_PATH=PEER, OMP_NUM_THREADS="2")
    peer = bool(PEER) and os.path.exists(os.path.join(PEER, "llama-bench"))
    speed, first = {"landfall": [], "llama.cpp": []}, {"landfall": [], "llama.cpp": []}
    for i in range(REPEATS + 1):
        print("run %d of %d" % (i, REPEATS), file=sys.stderr)
        a = (ours(path), first_ours(path))
        b = (theirs(path, env), first_theirs(path, env)) if peer else None
        if i == 0:
            continue
        speed["landfall"].append(a[0])
        first["landfall"].append(a[1])
        if b:
            speed["llama.cpp"].append(b[0])
            first["llama.cpp"].append(b[1])

    def med(rows, k):
        return statistics.median(r[k] for r in rows) if rows else None

    print("%s, two threads, medians of %d\n" % (os.path.basename(path), REPEATS))
    print("| | landfall | llama.cpp | ratio |\n|--|--|--|--|")
    missed = []
    for name, table, k, unit, least, most in (
            ("prefill 512", speed, 0, "tokens/s", 1.0, None),
            ("decode 128", speed, 1, "tokens/s", 1.0, None),
            ("start to first token", first, 0, "s", None, 1.0),
            ("peak memory, weights included", first, 1, "MiB", None, 1.05)):
        x, y = med(table["landfall"], k), med(table["llama.cpp"], k)
        digits = 2 if unit == "s" else 1
        print("| %s, %s | %.*f | %s | %s |" % (name, unit, digits, x,
              "%.*f" % (digits, y) if y else "not measured", "%.2f" % (x / y) if y else ""))
        if y and least and x / y < least:
            missed.append("%s: %.2f of llama.cpp, at least %.2f wanted" % (name, x / y, least))
        if y and most and x / y > most:
            missed.append("%s: %.2f of llama.cpp, at most %.2f wanted" % (name, x / y, most))
    for bar in missed:
        print("\nbar missed: " + bar)
    sys.exit(3 if missed else 0)


main()
