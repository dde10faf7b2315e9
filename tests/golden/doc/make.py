#!/usr/bin/env python3
"""Write the outline of each sample as `landfall parse --json` gives it, a line a block:
type, level, page, start, end, cells, and the first 30 characters.  Run it after a
deliberate change of a reader and read the difference before committing it.

    python3 tests/golden/doc/make.py build/landfall
"""
import json
import pathlib
import subprocess
import sys

here = pathlib.Path(__file__).resolve().parent
samples = here.parent.parent.parent / "samples"
for f in sorted(samples.iterdir()):
    if not f.is_file() or f.name == "README.md":
        continue
    d = json.loads(subprocess.run([sys.argv[1], "parse", "--json", str(f)], check=True, stdout=subprocess.PIPE).stdout)
    lines = []
    for b in d["blocks"]:
        gist = d["text"][b["start"]:b["end"]][:30].replace("\n", " ").replace("\t", " ")
        lines.append(f"{b['type']} {b['level']} {b['page'] or 0} {b['start']} {b['end']} {len(b['cells'])} {gist}\n")
    (here / (f.name + ".outline")).write_text("".join(lines), encoding="utf-8")
