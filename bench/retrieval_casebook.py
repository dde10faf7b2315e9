#!/usr/bin/env python3
"""Retrieval in one long text: is a passage with the evidence among the first five?

    bench/retrieval_casebook.py [--data DIR] [--landfall FILE] [--totals] [QUESTIONS.jsonl...]

Default questions: tests/data/casebook/retrieval-dev.jsonl (settings were looked at on it) and
retrieval-test.jsonl (they were not): paraphrased, or asked in the other language.  A hit is
a passage of at most 800 characters that holds one of the question's evidence strings, white
space aside.  Everything goes through `landfall search`.  --totals names no question that was missed:
retrieval-held.jsonl is looked at in no other way.
Exit code 3: a set of 20 questions and more has fewer than 31 of 36 in the top five, hybrid.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

MODES = (("words (BM25)", ["--lexical"]), ("vectors", ["--vector"]), ("hybrid", []))


def squeeze(s):
    return "".join(s.split())


def rank_of(line, evidence):
    for i, p in enumerate(line["passages"]):
        if len(p["text"]) > 800:
            sys.exit("a passage of %d characters" % len(p["text"]))
        if any(squeeze(e) in squeeze(p["text"]) for e in evidence):
            return i + 1
    return 0


def among(ranks, n):
    return sum(0 < r <= n for r in ranks)


def by_language(questions, ranks):
    return [(lang, [r for q, r in zip(questions, ranks) if q["lang"] == lang])
            for lang in sorted({q["lang"] for q in questions})]


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sets = os.path.join(root, "tests", "data", "casebook")
    a = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    a.add_argument("--data", default=os.environ.get("LANDFALL_DATA", ""))
    a.add_argument("--landfall", default=os.path.join(root, "landfall"))
    a.add_argument("--totals", action="store_true")
    a.add_argument("files", nargs="*", default=[
        os.path.join(sets, "retrieval-dev.jsonl"), os.path.join(sets, "retrieval-test.jsonl")])
    a = a.parse_args()
    text = os.path.join(a.data, "casebook", "casebook-2023.txt")
    if not os.path.exists(text):
        sys.exit("no data at '%s': pass --data or set LANDFALL_DATA" % text)
    missed = []
    for path in a.files:
        with open(path, encoding="utf-8") as f:
            questions = [json.loads(x) for x in f if x.strip()]
        questions = [q for q in questions if q.get("evidence")]
        print("%s: %d questions\n%-14s %6s %6s %6s   %s" % (
            os.path.basename(path), len(questions), "", "first", "top 5", "top 10", "top 5 and top 10 by language"))
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".jsonl") as f:
            f.writelines(json.dumps(q["q"], ensure_ascii=False) + "\n" for q in questions)
            f.flush()
            for label, extra in MODES:
                out = subprocess.run(
                    [a.landfall, "search", "--json", "--in", text, "-k", "10", "--queries", f.name]
                    + extra, stdout=subprocess.PIPE, check=False)
                lines = [json.loads(x) for x in out.stdout.decode("utf-8").splitlines()]
                if out.returncode != 0:
                    sys.exit("search ended with %d: %s" % (out.returncode, lines[:1]))
                ranks = [rank_of(x, q["evidence"]) for x, q in zip(lines, questions)]
                print("%-14s %6d %6d %6d   %s" % (
                    label, among(ranks, 1), among(ranks, 5), among(ranks, 10),
                    ", ".join("%s %d %d of %d" % (lang, among(r, 5), among(r, 10), len(r))
                              for lang, r in by_language(questions, ranks))))
                top = among(ranks, 5)
                if not extra and len(ranks) >= 20 and 36 * top < 31 * len(ranks):
                    missed.append("%s: %d of %d in the top five, 31 of 36 wanted" % (
                        os.path.basename(path), top, len(ranks)))
                if not extra and not a.totals:
                    for q, r in zip(questions, ranks):
                        if not 0 < r <= 5:
                            print("  missed: %s" % q["q"])
    for bar in missed:
        print("bar missed: " + bar)
    sys.exit(3 if missed else 0)


if __name__ == "__main__":
    main()
