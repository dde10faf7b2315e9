#!/usr/bin/env python3
"""What it costs to hold an output to a JSON Schema: tokens a second, beside the same model left free.

N (6) prompts ask the default model for records of a kind; with the schema and without it, greedy,
two threads, one token a pass on both sides (guesses would blur it), at most 160 tokens.  Runs
alternate; the median of REPEATS (3) of each prompt; the decode time is the engine's own, the compiling
of the schema, within the time to the first token, is printed beside it.  Every held output must parse
and satisfy its schema as far as it goes.  Bar: 0.95."""
import json
import os
import statistics
import subprocess
import sys
import tempfile

LANDFALL = os.environ["LANDFALL"]
N = int(os.environ.get("N", "6"))
REPEATS = int(os.environ.get("REPEATS", "3"))
THINGS = [("invoices", ["number", "date", "amount", "currency"]), ("pumps", ["model", "flow", "pressure", "maker"]),
          ("patients", ["name", "age", "ward", "diagnosis"]), ("flights", ["code", "from", "to", "gate"]),
          ("books", ["title", "author", "year", "pages"]), ("sensors", ["id", "place", "unit", "value"])]
NUMBERS = {"amount", "flow", "pressure", "age", "year", "pages", "value"}


def schema_of(fields):
    one = {"type": "object", "required": fields, "additionalProperties": False,
           "properties": {f: {"type": "number" if f in NUMBERS else "string"} for f in fields}}
    return {"type": "array", "items": one, "minItems": 6, "maxItems": 6}


def run(prompt, extra):
    out = subprocess.run([LANDFALL, "run", "default", "-p", prompt, "-n", "160", "--threads", "2", "--no-drafts",
                          "--json"] + extra, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return json.loads(out)


def main():
    rates = {"free": [], "held": []}
    first = {"free": [], "held": []}
    for name, fields in THINGS[:N]:
        print(name, file=sys.stderr)
        prompt = "Give a JSON array of six made-up %s, each with the keys %s. JSON alone." % (name, ", ".join(fields))
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            json.dump(schema_of(fields), f)
            f.flush()
            rows = {"free": [], "held": []}
            for _ in range(REPEATS):
                for kind, extra in (("free", []), ("held", ["--schema", f.name])):
                    rows[kind].append(run(prompt, extra))
        for r in rows["held"]:
            if r["generated_tokens"] < 160:
                v = json.loads(r["text"])
                assert len(v) == 6 and all(set(x) == set(fields) for x in v), r["text"]
        for kind, out in rows.items():
            rates[kind].append(statistics.median(r["generated_tokens"] / r["ms"]["decode"] * 1e3 for r in out))
            first[kind].append(statistics.median(r["ms"]["first_token"] for r in out))
    a, b = (statistics.median(rates[k]) for k in ("held", "free"))
    print("| | tokens/s | first token, ms |\n|--|--|--|")
    print("| held to a schema | %.1f | %.0f |" % (a, statistics.median(first["held"])))
    print("| free | %.1f | %.0f |" % (b, statistics.median(first["free"])))
    print("| ratio | %.3f | |" % (a / b))
    print("\n%d schemas, at most 160 tokens each, median of %d runs, two threads, no guessed tokens." % (N, REPEATS))
    if a < 0.95 * b:
        print("\nbar missed: %.3f of the free speed, 0.95 wanted" % (a / b))
    sys.exit(0 if a >= 0.95 * b else 3)


main()
