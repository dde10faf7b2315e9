#!/usr/bin/env python3
"""A folder of src/ includes only its own headers and those of the folders below it.

The table is floors.txt.  Across folders only public headers (no *_int.h), and
nowhere a .c file."""
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def read_floors(path):
    below = {}
    for line in open(path, encoding="utf-8"):
        line = line.split("#")[0].strip()
        if line:
            name, _, rest = line.partition(":")
            below[name] = rest.split()
    reach = {}

    def close(name, trail=()):
        if name in trail:
            sys.exit("floors.txt: a circle: " + " > ".join(trail + (name,)))
        if name not in reach:
            found = {name}
            for b in below[name]:
                found |= close(b, trail + (name,))
            reach[name] = found
        return reach[name]

    for name in below:
        close(name)
    return reach


def check_file(path, folder, reach, src):
    bad = []
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        m = INCLUDE.match(line)
        if not m:
            continue
        inc = m.group(1)
        other = inc.split("/")[0] if "/" in inc else folder
        where = "%s:%d: #include \"%s\": " % (os.path.relpath(path, ROOT), number, inc)
        if inc.endswith(".c"):
            bad.append(where + "a source file is not included")
        elif other not in reach:
            if not os.path.exists(os.path.join(os.path.dirname(path), inc)):
                bad.append(where + "'%s' is not a floor" % other)
        elif other not in reach[folder]:
            bad.append(where + "'%s' does not stand on '%s'" % (folder, other))
        elif other != folder and inc.endswith("_int.h"):
            bad.append(where + "private header of another folder")
    return bad


def main():
    src = os.path.join(ROOT, "src")
    reach = read_floors(os.path.join(os.path.dirname(os.path.abspath(__file__)), "floors.txt"))
    bad, n = [], 0
    for folder in sorted(os.listdir(src)):
        top = os.path.join(src, folder)
        if not os.path.isdir(top):
            continue
        if folder not in reach:
            bad.append("src/%s is not in floors.txt" % folder)
            continue
        for here, _, files in os.walk(top):
            for name in sorted(files):
                if name.endswith((".c", ".h")):
                    n += 1
                    bad += check_file(os.path.join(here, name), folder, reach, src)
    print("\n".join(bad + ["%d files looked at, %d includes out of place" % (n, len(bad))]))
    return 1 if bad or n == 0 else 0


sys.exit(main())
