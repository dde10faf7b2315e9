#!/usr/bin/env python3
"""How good are the answers?  Runs `landfall ask` over the questions of tests/data/casebook or samples.

    bench/ask_casebook.py [--set dev|dev2|dev3|test|held|samples] [--landfall PATH] [--no-llm | --both]
                          [--kinds fact,none,two] [--save FILE] [--show | --totals]

Prints, for each kind of question, how many were answered rightly (the answer holds the fact), cited
(a citation's text holds it), refused, and kept within 200 characters; with --both side by side with
--no-llm.  --totals prints the counts and no question: the held set is looked at in no other way.
Questions are asked in one process by --queries, so times are those of a warm program.
Needs the default models, and LANDFALL_DATA for all sets but "samples".

Exit code 3: a bar is missed, and the last lines say which.  With the model, of the questions in the
document's language, 8 of 10 that ask one fact are answered with a citation that holds it and all that
the text cannot answer are refused; with --both, more that need two passages than without the model.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import unicodedata

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def norm(s):
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", s)).lower()


def holds(text, fact):
    return any(norm(a) in norm(text) for a in fact)


def ask(landfall, casebook, questions, extra):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", delete=False) as f:
        for q in questions:
            f.write(json.dumps(q["q"], ensure_ascii=False) + "\n")
    try:
        out = subprocess.run([landfall, "ask", "--in", casebook, "--json", "--explain",
                              "--queries", f.name] + extra, stdout=subprocess.PIPE, check=False)
    finally:
        os.unlink(f.name)
    rows = [json.loads(line) for line in out.stdout.decode().splitlines() if line.strip()]
    if len(rows) != len(questions):
        sys.exit("landfall gave %d lines for %d questions (exit code %d)" %
                 (len(rows), len(questions), out.returncode))
    return rows


def judge(q, a):
    """-> right, cited, refused, short"""
    if "error" in a:
        return False, False, False, False
    facts = q.get("gold", [])
    cites = "\n".join(c["text"] for c in a["citations"])
    right = a["answered"] and all(holds(a["answer"], f) for f in facts)
    cited = right and all(holds(cites, f) for f in facts)
    refused = not a["answered"] and not a["citations"]
    han = bool(re.search("[\u4e00-\u9fff]", a["answer"]))
    refused = refused and han == (q["lang"] == "zh")
    return right, cited, refused, len(a["answer"]) <= 200


def report(name, questions, rows, show, totals):
    """Prints the table; -> {(kind, lang): (n, right, cited, refused)}"""
    counts = {}
    print("%-10s %5s %6s %6s %8s %7s %9s" %
          (name, "n", "right", "cited", "refused", "<=200", "ms (med)"))
    for kind in ("fact", "none", "two"):
        pairs = [(q, a) for q, a in zip(questions, rows) if q["type"] == kind]
        if not pairs:
            continue
        j = [judge(q, a) for q, a in pairs]
        for lang in ("zh", "en"):
            x = [y for (q, _), y in zip(pairs, j) if q["lang"] == lang]
            counts[kind, lang] = (len(x), sum(y[0] for y in x), sum(y[1] for y in x),
                                  sum(y[2] for y in x))
        ms = sorted(a.get("ms", {}).get("total", 0) for _, a in pairs)
        print("%-10s %5d %6d %6d %8d %7d %9.0f" %
              (kind, len(pairs), sum(x[0] for x in j), sum(x[1] for x in j), sum(x[2] for x in j),
               sum(x[3] for x in j), ms[len(ms) // 2]))
        for (q, a), x in zip([] if totals else pairs, j):
            good = x[2] if kind == "none" else x[1]
            if show or not good:
                parts = a.get("explain", {}).get("parts", [])
                p = " ".join("%.2f" % (e["evidence"][0]["answerable"] if e["evidence"] else 0)
                             for e in parts)
                why = ",".join(c["why"] or ("" if c["responds"] else "responds")
                               for e in parts for c in e.get("checks", []))
                print("   %s %s | %s | P %s %s %s" %
                      ("ok " if good else "BAD", q["q"], a.get("answer", a.get("error")), p, why,
                       "gen: " + " / ".join(e.get("generated", "") for e in parts) if not good else ""))
    print(flush=True)
    return counts


def bars_missed(counts, lang):
    model, plain = counts.get("model", {}), counts.get("--no-llm", {})
    n, _, cited, _ = model.get(("fact", lang), (0, 0, 0, 0))
    if 10 * cited < 8 * n:
        yield "fact: %d of %d answered with a citation that holds it, 8 of 10 wanted" % (cited, n)
    n, _, _, refused = model.get(("none", lang), (0, 0, 0, 0))
    if refused < n:
        yield "none: %d of %d refused, all wanted" % (refused, n)
    if plain and ("two", lang) in model:
        right, without = (sum(c["two", x][1] for x in ("zh", "en")) for c in (model, plain))
        if right <= without:
            yield "two: %d right with the model, %d without it, more wanted" % (right, without)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("--set", default="dev")
    ap.add_argument("--landfall", default=os.path.join(ROOT, "landfall"))
    ap.add_argument("--kinds", default="fact,none,two")
    ap.add_argument("--no-llm", action="store_true")
    ap.add_argument("--both", action="store_true")
    ap.add_argument("--save")
    ap.add_argument("--show", action="store_true")
    ap.add_argument("--totals", action="store_true")
    o = ap.parse_args()
    casebook, name = os.path.join(ROOT, "samples"), os.path.join("samples", "dev.jsonl")
    if o.set != "samples":
        data = os.environ.get("LANDFALL_DATA") or sys.exit("LANDFALL_DATA is not set")
        casebook = os.path.join(data, "casebook", "casebook-2023.txt")
        name = os.path.join("casebook", o.set + ".jsonl")
    with open(os.path.join(ROOT, "tests", "data", name)) as f:
        questions = [q for q in map(json.loads, f) if q["type"] in o.kinds.split(",")]
    saved, counts = {}, {}
    for name, extra in (("--no-llm", ["--no-llm"]), ("model", [])):
        if not o.both and (name == "--no-llm") != o.no_llm:
            continue
        rows = ask(o.landfall, casebook, questions, extra)
        counts[name] = report(name, questions, rows, o.show, o.totals)
        saved[name] = [{"question": q, "answer": a} for q, a in zip(questions, rows)]
    if o.save:
        with open(o.save, "w") as f:
            json.dump(saved, f, ensure_ascii=False)
    missed = list(bars_missed(counts, "en" if o.set == "samples" else "zh"))
    for bar in missed:
        print("bar missed: " + bar)
    sys.exit(3 if missed else 0)


if __name__ == "__main__":
    main()
