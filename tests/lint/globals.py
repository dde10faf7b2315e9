#!/usr/bin/env python3
"""Writable data of the library is listed in docs/globals.md, with its reason.

Reads the symbols of the built library: everything in .data and .bss is mutable
(.data.rel.ro holds constants with addresses in them).  Function statics count.
SQLite's own object is left out."""
import os
import re
import subprocess
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
LIB = os.path.join(os.environ.get("LANDFALL_BUILD", os.path.join(ROOT, "build")), "liblandfall.a")


def listed():
    names = set()
    for line in open(os.path.join(ROOT, "docs", "globals.md"), encoding="utf-8"):
        m = re.match(r"\|\s*`src/([^`]+)`\s*\|\s*`(\w+)`\s*\|\s*\S", line)
        if m:
            names.add((m.group(1), m.group(2)))
    return names


def symbols():
    objects = subprocess.run(["ar", "t", LIB], capture_output=True, text=True, check=True)
    out = subprocess.run(["objdump", "-t", LIB], capture_output=True, text=True, check=True).stdout
    here = None
    for line in out.split("\n"):
        m = re.match(r"^(\S*?)([^/\s(]+\.o)\)?:\s+file format", line)
        if m:
            here = re.sub(r"\.c\.o$", ".c", m.group(2))
            continue
        m = re.match(r"^[0-9a-f]+ .{7} (\S+)\s+[0-9a-f]+\s+(?:\.hidden )?(\S+)$", line)
        if not m or here is None or "sqlite3" in here:
            continue
        section, name = m.groups()
        if re.match(r"^\.(data|bss|tdata|tbss)(\.|$)", section) or section == "*COM*":
            if not section.startswith(".data.rel.ro") and not name.startswith("."):
                yield here, re.sub(r"\.\d+$", "", name)
    if not objects.stdout:
        sys.exit("the library is empty")


def main():
    if not os.path.exists(LIB):
        print("skipped: build/liblandfall.a is not built")
        return 77
    ok, used, bad = listed(), set(), []
    for obj, name in symbols():
        # objects are called src_base_log.c
        match = [k for k in ok if k[1] == name and obj == "src_" + k[0].replace("/", "_")]
        if match:
            used.update(match)
        else:
            bad.append("%s: mutable global '%s' is not in docs/globals.md" % (obj, name))
    bad += ["docs/globals.md: src/%s has no global '%s'" % k for k in sorted(ok - used)]
    print("\n".join(bad + ["%d listed, %d faults" % (len(ok), len(bad))]))
    return 1 if bad else 0


sys.exit(main())
