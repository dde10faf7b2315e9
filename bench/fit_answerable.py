#!/usr/bin/env python3
"""Fit the constants of guard/evidence.c that decide whether the documents answer a question.

    bench/fit_answerable.py [--landfall PATH] [--n 150] [--work DIR]

Answerable: questions of the CMRC 2018 trial split, asked of the half of the articles that holds
theirs.  Not answerable: the same questions asked of the other half.  Near misses, which that does not
give: the Chinese questions of dev and dev2 about the casebook, of both kinds (weighted up).  A logistic
model with a small ridge is fitted on two thirds of the CMRC questions and those; the figures printed are
for the last third, and for dev and dev2 with each sixth of them left out of the fit in turn.  "now" is
what the program's present constants do.  The test and held questions are not read.
"""
import argparse
import json
import math
import os
import random
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NAMES = ["coverage", "inside", "gap", "other subject", "similarity", "kind", "strange", "nothing asked"]
N = len(NAMES)


def features(e):
    return [e["coverage"], e["inside"], e["gap"], float(e["subject"] < 0.5),
            10 * (e["similarity"] - 0.88), e["kind"], e["strange"], float(e["rest"] < 0.35), 1.0]


def ask(landfall, path, questions, work):
    f = os.path.join(work, "q.jsonl")
    with open(f, "w") as out:
        for q in questions:
            out.write(json.dumps(q, ensure_ascii=False) + "\n")
    run = subprocess.run([landfall, "ask", "--in", path, "--no-llm", "--json", "--explain",
                          "--queries", f], stdout=subprocess.PIPE, check=False)
    rows = []
    for line in run.stdout.decode().splitlines():
        part = json.loads(line).get("explain", {}).get("parts", [{}])[0]
        rows.append(part.get("evidence", []))
    return rows


def holds_answer(e, context, gold):
    span = context[e["start"]:e["end"]]
    return any(g in span or (span and span in g) for g in gold)


def fit(rows, steps=30000, rate=0.02, ridge=0.3):
    w = [0.0] * (N + 1)
    total = sum(r[2] for r in rows)
    for _ in range(steps):
        g = [ridge * x for x in w[:N]] + [0.0]
        for x, y, weight in rows:
            p = 1 / (1 + math.exp(-max(-30, min(30, sum(a * b for a, b in zip(w, x))))))
            for i in range(N + 1):
                g[i] += weight * (p - y) * x[i]
        w = [a - rate * 30 * b / total for a, b in zip(w, g)]
    return w


def chance(w, x):
    return 1 / (1 + math.exp(-sum(a * b for a, b in zip(w, x))))


def report(name, p):
    for t in (0.45, 0.52, 0.6):
        print("%-20s at %.2f: answerable kept %d of %d, others refused %d of %d" %
              (name, t, sum(v >= t for v, y in p if y), sum(1 for _, y in p if y),
               sum(v < t for v, y in p if not y), sum(1 for _, y in p if not y)))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("--landfall", default=os.path.join(ROOT, "landfall"))
    ap.add_argument("--n", type=int, default=150)
    ap.add_argument("--work", default="/tmp/landfall-fit")
    o = ap.parse_args()
    data = os.environ.get("LANDFALL_DATA") or sys.exit("LANDFALL_DATA is not set")
    with open(os.path.join(data, "data", "cmrc2018", "trial.json")) as f:
        articles = [p for a in json.load(f)["data"] for p in a["paragraphs"]]
    halves = [os.path.join(o.work, h) for h in "ab"]
    for i, p in enumerate(articles):
        os.makedirs(halves[i % 2], exist_ok=True)
        with open(os.path.join(halves[i % 2], "%04d.txt" % i), "w") as f:
            f.write(p["context"])
    pairs = [(q["question"], [a["text"] for a in q["answers"]], p["context"])
             for i, p in enumerate(articles) if i % 2 == 0 for q in p["qas"][:2]]
    random.Random(7).shuffle(pairs)
    pairs = pairs[:o.n]
    own = ask(o.landfall, halves[0], [p[0] for p in pairs], o.work)
    other = ask(o.landfall, halves[1], [p[0] for p in pairs], o.work)
    right = [[holds_answer(e, context, gold) for e in ev[:2]]
             for (_, gold, context), ev in zip(pairs, own)]
    print("CMRC ranking: the sentence with the answer comes first for %d of %d, among the first two for %d"
          % (sum(r[:1] == [True] for r in right), len(right), sum(any(r) for r in right)))
    cm = []
    for first, a, b in zip(right, own, other):
        if first[:1] == [True]:
            cm.append((features(a[0]), 1.0, 0.5))
        if b:
            cm.append((features(b[0]), 0.0, 0.5))
    dev = []
    for name in ("dev", "dev2"):
        with open(os.path.join(ROOT, "tests", "data", "casebook", name + ".jsonl")) as f:
            dev += [q for q in map(json.loads, f) if q["type"] in ("fact", "none") and q["lang"] == "zh"]
    random.Random(3).shuffle(dev)
    ev = ask(o.landfall, os.path.join(data, "casebook", "casebook-2023.txt"), [q["q"] for q in dev],
             o.work)
    devrows = [(features(e[0]), 1.0 if q["type"] == "fact" else 0.0, 2.0) for q, e in zip(dev, ev) if e]
    now = [(e[0]["answerable"], q["type"] == "fact") for q, e in zip(dev, ev) if e]
    cut = 2 * len(cm) // 3
    w = fit(cm[:cut] + devrows)
    print("constants:", ", ".join("%s %.2f" % x for x in zip(NAMES + ["bias"], w)))
    folds = []
    for k in range(6):
        wk = fit(cm[:cut] + [r for i, r in enumerate(devrows) if i % 6 != k], steps=8000)
        folds += [(chance(wk, x), y) for i, (x, y, _) in enumerate(devrows) if i % 6 == k]
    report("dev+dev2, now", now)
    report("dev+dev2, left out", folds)
    report("CMRC, fitted", [(chance(w, x), y) for x, y, _ in cm[:cut]])
    report("CMRC, held out", [(chance(w, x), y) for x, y, _ in cm[cut:]])


if __name__ == "__main__":
    main()
