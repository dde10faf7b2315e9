#!/usr/bin/env python3
"""Retrieval on CMRC 2018: each context is a document, each question a query.

    bench/retrieval_cmrc.py [--data DIR] [--landfall FILE] [--file FILE] [--part dev|test|all]

Everything goes through the command line (`landfall search --in DIR --queries FILE`), once
by words, once by vectors, once by both.  Recall counts distinct sources in rank order.
The fusion was chosen on the whole trial split, so that its figures are those of development;
--part takes one half of it by document.  --file takes any file of the same form: a held-out
split gives held-out figures.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

BARS = (0.975, 0.997, 0.985)  # of hybrid: recall@1, recall@5, MRR
MODES = (("words (BM25)", ["--lexical"]), ("vectors", ["--vector"]), ("hybrid", []))


def read(path, part):
    """Contexts by document name, and (question, name) pairs."""
    with open(path, encoding="utf-8") as f:
        data = json.load(f)["data"]
    docs, questions = {}, []
    number = 0
    for entry in data:
        for p in entry["paragraphs"]:
            name = "doc%05d.txt" % number
            docs[name] = p["context"]
            if part == "all" or (number % 2 == 0) == (part == "dev"):
                questions += [(q["question"], name) for q in p["qas"] if q["question"].strip()]
            number += 1
    return docs, questions


def search(landfall, folder, queries, extra):
    cmd = [landfall, "search", "--json", "--in", folder, "-k", "20", "--queries", queries] + extra
    out = subprocess.run(cmd, stdout=subprocess.PIPE, check=False)
    lines = [json.loads(x) for x in out.stdout.decode("utf-8").splitlines()]
    if out.returncode != 0:
        sys.exit("%s ended with %d: %s" % (" ".join(cmd), out.returncode, lines[:1]))
    return lines


def rank_of(line, name):
    """Rank of the source among the distinct sources found, 0 when it is not there."""
    seen = []
    for p in line["passages"]:
        if p["source"] not in seen:
            seen.append(p["source"])
            if p["source"] == name:
                return len(seen)
    return 0


def bars_missed(figures):
    names = ("recall@1", "recall@5", "MRR")
    hybrid = figures["hybrid"]
    for name, value, bar in zip(names, hybrid, BARS):
        if value < bar:
            yield "hybrid: %s %.4f, %.3f wanted" % (name, value, bar)
    for label, others in figures.items():
        if label != "hybrid" and not (hybrid[0] > others[0] and hybrid[2] > others[2]):
            yield "hybrid does not beat %s in recall@1 and MRR" % label


def main():
    a = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    a.add_argument("--data", default=os.environ.get("LANDFALL_DATA", ""))
    a.add_argument("--file", help="instead of data/cmrc2018/trial.json")
    a.add_argument("--landfall", default=os.path.join(root, "landfall"))
    a.add_argument("--part", choices=("dev", "test", "all"), default="all")
    a.add_argument("--show", type=int, default=0, help="print this many questions that fail")
    a = a.parse_args()
    path = a.file or os.path.join(a.data, "data", "cmrc2018", "trial.json")
    if not os.path.exists(path):
        sys.exit("no data at '%s': pass --data or set LANDFALL_DATA" % path)
    docs, questions = read(path, a.part)
    with tempfile.TemporaryDirectory() as folder:
        text = os.path.join(folder, "docs")
        os.mkdir(text)
        for name, body in docs.items():
            with open(os.path.join(text, name), "w", encoding="utf-8", newline="") as f:
                f.write(body)
        queries = os.path.join(folder, "queries.jsonl")
        with open(queries, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(q, ensure_ascii=False) + "\n" for q, _ in questions)
        print("%d documents, %d questions (%s)" % (len(docs), len(questions), a.part))
        print("%-14s %9s %9s %9s" % ("", "recall@1", "recall@5", "MRR"))
        figures = {}
        for label, extra in MODES:
            lines = search(a.landfall, text, queries, extra)
            ranks = [rank_of(x, name) for x, (_, name) in zip(lines, questions)]
            n = len(ranks)
            figures[label] = (sum(r == 1 for r in ranks) / n,
                              sum(1 <= r <= 5 for r in ranks) / n,
                              sum(1 / r for r in ranks if r) / n)
            print("%-14s %9.3f %9.3f %9.4f" % ((label,) + figures[label]), flush=True)
        failed = [(q, r) for (q, _), r in zip(questions, ranks) if r != 1]
        for q, r in failed[:a.show]:
            print("  rank %d: %s" % (r, q))
    missed = list(bars_missed(figures))
    for bar in missed:
        print("bar missed: " + bar)
    sys.exit(3 if missed else 0)


if __name__ == "__main__":
    main()
