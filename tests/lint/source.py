#!/usr/bin/env python3
"""Sizes, words and calls in the source.

Sizes   A function over 150 lines fails, over 80 needs "Long:" and a reason in
        the comment above it; a .c file over 1,500 lines fails, over 1,000 needs
        "Long:" in its header comment; a header over 250 is reported.
Words   No marks of unfinished work.
Calls   Outside cli/ nothing prints, exits, reads the environment or allocates
        past base/mem.h, but for the places of ALLOWED.
Folders Each folder of src/ with code has a README.md of at most 40 lines."""
import os
import re
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
WORDS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
CALLS = re.compile(r"(?<![\w.>])(printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror|exit|"
                   r"_exit|quick_exit|abort|getenv|secure_getenv|setenv|system|popen|"
                   r"malloc|calloc|realloc|free|strdup|strndup)\s*\(")
# (file, calls): reason
ALLOWED = {
    ("base/mem.c", "malloc calloc realloc free"): "the allocator itself",
    ("base/assert.c", "fprintf abort"): "a bug ends the program, with its place",
    ("base/log.c", "fprintf fputs"): "the default log sink is standard error",
    ("base/json.c", "free"): "frees what Jansson allocated",
    ("model/tokenizer.c", "free"): "frees what utf8proc allocated",
    ("base/sandbox_child.c", "_exit"): "the child ends without running the parent's handlers",
    ("model/embed_file.c", "fprintf perror"): "a program of the build",
    ("text/lexicon_build.c", "fprintf printf calloc free exit"): "a program of the build",
}


def allowed(rel, call):
    return any(rel == f and call in calls.split() for f, calls in ALLOWED)


def strip(text):
    """Comments and strings blanked, lines kept."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', blank, text,
                  flags=re.S)


def comment_above(lines, start):
    """The comment that ends right above the function whose '{' is on line `start`."""
    i = start - 1
    while i >= 0 and lines[i].strip() and not lines[i].strip().endswith("*/") \
            and lines[i].strip() != "}":
        i -= 1
    out = []
    while i >= 0 and lines[i].strip() and lines[i].strip() != "}":
        out.append(lines[i])
        if lines[i].lstrip().startswith("/*"):
            break
        i -= 1
    return "\n".join(out)


def functions(code):
    start = None
    for i, line in enumerate(code):
        if line.rstrip() == "{":
            start = i
        elif line.startswith("}") and start is not None:
            if line.rstrip() == "}":
                yield start, i
            start = None


def check_sizes(rel, text, code, bad, notes):
    lines = text.split("\n")
    n = len(lines)
    if rel.endswith(".h") and n > 250:
        notes.append("%s: %d lines, a header should have at most 250" % (rel, n))
    if n > 1500:
        bad.append("%s: %d lines, at most 1500" % (rel, n))
    elif n > 1000 and "Long:" not in text.split("*/")[0]:
        bad.append("%s: %d lines and no \"Long: reason\" in the header comment" % (rel, n))
    for start, end in functions(code):
        size = end - start + 1
        if size > 150:
            bad.append("%s:%d: a function of %d lines, at most 150" % (rel, start, size))
        elif size > 80 and "Long:" not in comment_above(lines, start):
            bad.append("%s:%d: a function of %d lines and no \"Long: reason\" above it"
                       % (rel, start, size))


def check_file(path, bad, notes):
    rel = os.path.relpath(path, ROOT)
    text = open(path, encoding="utf-8").read()
    for i, line in enumerate(text.split("\n"), 1):
        if WORDS.search(line):
            bad.append("%s:%d: unfinished: %s" % (rel, i, line.strip()[:60]))
    if not rel.endswith((".c", ".h")):
        return
    code = strip(text).split("\n")
    check_sizes(rel, text, code, bad, notes)
    if not rel.startswith("src/") or rel.startswith("src/cli/"):
        return
    for i, line in enumerate(code, 1):
        for call in CALLS.findall(line):
            if not allowed(rel[4:], call):
                bad.append("%s:%d: %s() in a library" % (rel, i, call))


def check_folder(folder, bad):
    top = os.path.join(ROOT, "src", folder)
    if not any(n.endswith(".c") for n in os.listdir(top)):
        return
    readme = os.path.join(top, "README.md")
    if not os.path.exists(readme):
        bad.append("src/%s has no README.md" % folder)
    elif len(open(readme, encoding="utf-8").read().split("\n")) > 41:
        bad.append("src/%s/README.md has more than 40 lines" % folder)


def main():
    bad, notes, n = [], [], 0
    for top in ("src", "tests", "bench", "deploy", "include", "web"):
        for here, _, files in os.walk(os.path.join(ROOT, top)):
            if "/corpus" in here or "/golden" in here or "node_modules" in here:
                continue
            for name in sorted(files):
                if name.endswith((".c", ".h", ".py", ".sh", ".ts", ".css", ".build")):
                    n += 1
                    check_file(os.path.join(here, name), bad, notes)
    for folder in sorted(os.listdir(os.path.join(ROOT, "src"))):
        if os.path.isdir(os.path.join(ROOT, "src", folder)):
            check_folder(folder, bad)
    print("\n".join(notes + bad + ["%d files looked at, %d faults, %d notes"
                                   % (n, len(bad), len(notes))]))
    return 1 if bad or n == 0 else 0


sys.exit(main())
