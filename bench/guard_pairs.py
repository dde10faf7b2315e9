#!/usr/bin/env python3
"""The pairs of a set of tests/data/guard as one JSON object a line, every text spelled out.

    bench/guard_pairs.py SET [--data DIR]

A pair names its passage by `passage`, or by `from` and `at`, the code points of a text that is not
part of the project; and its sentence by `sentence`, or by `copy`, code points of the passage, with
the edits `change`: [start, end, text] in code points of the copy.  Exit code 77: no data.
"""
import argparse
import json
import os
import sys


def texts(data):
    with open(os.path.join(data, "casebook", "casebook-2023.txt"), encoding="utf-8") as f:
        found = {"casebook": f.read()}
    with open(os.path.join(data, "data", "cmrc2018", "trial.json"), encoding="utf-8") as f:
        for entry in json.load(f)["data"]:
            for p in entry["paragraphs"]:
                found["cmrc:" + p["id"]] = p["context"]
    return found


def spell_out(pair, found):
    passage = pair.get("passage")
    if passage is None:
        start, end = pair["at"]
        passage = found[pair["from"]][start:end]
    sentence = pair.get("sentence")
    if sentence is None:
        start, end = pair["copy"]
        sentence = passage[start:end]
        for a, b, text in reversed(pair.get("change", [])):
            sentence = sentence[:a] + text + sentence[b:]
    out = {k: pair[k] for k in ("id", "lang", "label", "kind")}
    out.update(passage=passage, sentence=sentence)
    if "question" in pair:
        out["question"] = pair["question"]
    return out


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    a = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    a.add_argument("set")
    a.add_argument("--data", default=os.environ.get("LANDFALL_DATA", ""))
    a = a.parse_args()
    try:
        found = texts(a.data)
    except OSError as e:
        print("guard_pairs: %s: pass --data or set LANDFALL_DATA" % e, file=sys.stderr)
        sys.exit(77)
    with open(os.path.join(root, "tests", "data", "guard", a.set + ".jsonl"), encoding="utf-8") as f:
        for line in f:
            print(json.dumps(spell_out(json.loads(line), found), ensure_ascii=False))


if __name__ == "__main__":
    main()
