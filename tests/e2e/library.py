#!/usr/bin/env python3
"""The embeddable library, as somebody else's program meets it.

Installs the build into a folder of its own; examples/chat.c is compiled there as C and as
C++, against the shared library by pkg-config and against the static one, with every warning
an error, and run on tiny models; all four say the same.  The shared library exports exactly
the functions that the header declares, and needs no library of the server's.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.path.dirname(os.path.realpath(os.environ.get("LANDFALL", ROOT + "/build/landfall")))
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wno-missing-field-initializers"]
FORBIDDEN = ["libcurl", "libmicrohttpd", "libxml2", "libzip", "libseccomp"]

passed = failed = 0


def check(what, good, more=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print("%s %s%s" % ("ok      " if good else "FAILED  ", what, "" if good else ": " + str(more)))
    return good


def run(cmd, **kw):
    return subprocess.run(cmd, capture_output=True, text=True, timeout=300, **kw)


def declared(header):
    text = re.sub(r"/\*.*?\*/", " ", open(header, encoding="utf-8").read(), flags=re.S)
    return set(re.findall(r"LANDFALL_(?:API|CHECKED)\s[^;{}]*?\b(landfall_\w+)\s*\(", text))


def exported(lib):
    rows = [line.split() for line in run(["nm", "-D", "--defined-only", lib]).stdout.splitlines()]
    return {r[2].split("@")[0] for r in rows if r[1] != "A"}  # A: the version's own name


def compile_and_run(at, pc_env, models):
    """name -> output of the example, built four ways."""
    source = os.path.join(ROOT, "examples", "chat.c")
    flags = run(["pkg-config", "--cflags", "landfall"], env=pc_env).stdout.split()
    shared = run(["pkg-config", "--libs", "landfall"], env=pc_env).stdout.split()
    needs = run(["pkg-config", "--static", "--libs", "landfall"], env=pc_env).stdout.split()
    static = [os.path.join(at["lib"], "liblandfall.a")] + [f for f in needs if f != "-llandfall"]
    said = {}
    for lang, cc in (("C", ["gcc", "-std=c99"]), ("C++", ["g++", "-std=c++11", "-x", "c++"])):
        for kind, libs in (("shared", shared), ("static", static)):
            name = "%s, %s" % (lang, kind)
            out = os.path.join(at["tmp"], name.replace(", ", "-").replace("+", "p"))
            made = run(cc + STRICT + flags + [source, "-x", "none", "-o", out] + libs)
            if not check("the example compiles: " + name, made.returncode == 0, made.stderr[:2000]):
                continue
            env = dict(os.environ, LD_LIBRARY_PATH=at["lib"])
            ran = run([out] + models, env=env)
            if check("the example runs: " + name, ran.returncode == 0, ran.stderr):
                said[name] = ran.stdout
            ran = run([out, os.path.join(at["tmp"], "none.gguf")], env=env)
            check("a model that is not there is told: " + name,
                  ran.returncode == 1 and ran.stderr.startswith("not_found: "), ran.stderr)
    return said


def main():
    for tool in ("gcc", "g++", "pkg-config", "nm", "meson"):
        if not shutil.which(tool):
            print("skipped: no " + tool)
            return 77
    maker = os.path.join(BUILD, "tests", "tiny_gguf")
    with tempfile.TemporaryDirectory() as tmp:
        done = run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", tmp])
        if not check("the build installs", done.returncode == 0, done.stdout + done.stderr):
            return 1
        found = {name: os.path.join(folder, name) for folder, _, names in os.walk(tmp) for name in names}
        at = {"tmp": tmp, "lib": os.path.dirname(found["liblandfall.so"])}
        pc_env = dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(found["landfall.pc"]),
                      PKG_CONFIG_SYSROOT_DIR=tmp)
        models = [os.path.join(tmp, "chat.gguf"), os.path.join(tmp, "encoder.gguf")]
        for kind, path in zip(("chat", "encoder"), models):
            subprocess.run([maker, kind, path], check=True)
        names, symbols = declared(found["landfall.h"]), exported(found["liblandfall.so"])
        check("the header declares functions", len(names) >= 25, sorted(names))
        check("the shared library exports the header's functions and no others", names == symbols,
              sorted(names ^ symbols))
        needed = run(["readelf", "-d", found["liblandfall.so"]]).stdout
        check("it needs no library of the server's", "NEEDED" in needed and
              not any(f in needed for f in FORBIDDEN), needed)
        said = compile_and_run(at, pc_env, models)
        check("all say the same", len(said) == 4 and len(set(said.values())) == 1, said)
        text = next(iter(said.values()), "")
        check("the second answer is held to the schema", re.search(r'^\{\s*"city"\s*:\s*"(Paris|Rome)"\s*\}$', text, re.M),
              text)
        check("the conversation keeps its cache", re.search(r"prompt, [1-9]\d* of them cached", text), text)
        check("texts are ranked", len(re.findall(r"^-?\d\.\d{3} \w", text, re.M)) == 2, text)
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed else 0


sys.exit(main())
