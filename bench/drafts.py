#!/usr/bin/env python3
"""Answers over given passages with and without guessed tokens (prompt lookup).

The first question of each of N (30) passages of CMRC 2018's trial split; the default model is
shown the passage and asked to answer with the sentence that says it.  Greedy, at most 128 tokens,
runs alternate; the decode time is the engine's own.  The texts must be equal, byte for byte:
exits with 1 where one is not.  Needs LANDFALL_DATA."""
import json
import os
import subprocess
import sys

LANDFALL = os.environ["LANDFALL"]
DATA = os.environ.get("LANDFALL_DATA", "")
N = int(os.environ.get("N", "30"))
ASK = "资料：%s\n\n问题：%s\n请先抄出资料中回答这个问题的完整句子，再给出简短答案。"


def run(prompt, extra):
    out = subprocess.run([LANDFALL, "run", "default", "-p", prompt, "-n", "128", "--threads", "2", "--json"] + extra,
                         check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return json.loads(out)


def main():
    path = os.path.join(DATA, "data", "cmrc2018", "trial.json")
    if not os.path.exists(path):
        print("drafts: needs LANDFALL_DATA", file=sys.stderr)
        sys.exit(77)
    with open(path, encoding="utf-8") as f:
        rows = json.load(f)
    paragraphs = [p for d in rows["data"] for p in d["paragraphs"]] if isinstance(rows, dict) else rows
    ms, tokens, guessed, right, other = {"": 0.0, "--no-drafts": 0.0}, 0, 0, 0, 0
    for i, p in enumerate(paragraphs[:N]):
        print("passage %d of %d" % (i + 1, N), file=sys.stderr)
        prompt = ASK % (p.get("context") or p["context_text"], p["qas"][0].get("question") or p["qas"][0]["query_text"])
        with_, without = run(prompt, []), run(prompt, ["--no-drafts"])
        ms[""] += with_["ms"]["decode"]
        ms["--no-drafts"] += without["ms"]["decode"]
        tokens += with_["generated_tokens"]
        guessed += with_["guessed_tokens"]
        right += with_["guessed_right"]
        other += with_["text"] != without["text"]
    print("| passages | tokens | guessed | of these right | plain decoding, tokens/s | with guesses, tokens/s | ratio | texts that differ |")
    print("|--|--|--|--|--|--|--|--|")
    print("| %d | %d | %d | %d | %.1f | %.1f | %.2f | %d |" % (
        min(N, len(paragraphs)), tokens, guessed, right, tokens / ms["--no-drafts"] * 1e3, tokens / ms[""] * 1e3,
        ms["--no-drafts"] / ms[""], other))
    print("\nCMRC 2018 trial split, default model, two threads, greedy.")
    sys.exit(1 if other else 0)


main()
