#!/usr/bin/env python3
"""Every header compiles alone, twice over: as C11 and, unless private, as C++17; the public
one as C99 and C++11, without the source's folders in reach."""
import concurrent.futures
import os
import subprocess
import sys
import tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
LANGS = {
    "C11": ["gcc", "-x", "c", "-std=c11", "-Wstrict-prototypes"],
    "C++17": ["g++", "-x", "c++", "-std=c++17"],
}
PUBLIC = {
    "C99": ["gcc", "-x", "c", "-std=c99", "-Wpedantic", "-Wstrict-prototypes"],
    "C++11": ["g++", "-x", "c++", "-std=c++11", "-Wpedantic"],
}


# Pieces of one header, chosen by the preprocessor: never included by themselves.
PIECES = ("tensor/simd_scalar.h", "tensor/simd_avx2.h", "tensor/simd_avx512.h",
          "tensor/simd_neon.h", "tensor/simd_math.h")


def pkg_flags():
    names = ["jansson", "libcrypto", "yaml-0.1", "libxml-2.0", "gumbo", "libzip", "libcurl",
             "libmicrohttpd", "libutf8proc"]
    flags = []
    for n in names:
        out = subprocess.run(["pkg-config", "--cflags", n], capture_output=True, text=True)
        if out.returncode == 0:
            flags += out.stdout.split()
    return flags


def compile_alone(job):
    header, lang, flags, folder = job
    unit = os.path.join(folder, "%s.%s" % (header.replace("/", "_"), lang.replace("+", "p")))
    with open(unit, "w", encoding="utf-8") as f:
        f.write('#include "%s"\n#include "%s"\nint lf_lint_used;\n' % (header, header))
    include = ["-I" + os.path.join(ROOT, "include")]
    if lang in LANGS:
        include = ["-I" + os.path.join(ROOT, "src"), "-I" + ROOT, "-D_GNU_SOURCE",
                   "-isystem" + os.path.join(ROOT, ".deps", "sqlite")] + include + flags
    cmd = dict(LANGS, **PUBLIC)[lang] + ["-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    cmd += include + [unit]
    out = subprocess.run(cmd, capture_output=True, text=True)
    return None if out.returncode == 0 else "%s as %s:\n%s" % (header, lang, out.stderr[:800])


def main():
    src = os.path.join(ROOT, "src")
    flags = pkg_flags()
    jobs, bad = [], []
    with tempfile.TemporaryDirectory() as folder:
        for here, _, files in os.walk(src):
            for name in sorted(files):
                if name.endswith(".h"):
                    header = os.path.relpath(os.path.join(here, name), src)
                    if header in PIECES:
                        continue
                    for lang in LANGS:
                        if not (name.endswith("_int.h") and lang == "C++17"):
                            jobs.append((header, lang, flags, folder))
        jobs += [("landfall.h", lang, flags, folder) for lang in PUBLIC]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            bad = [b for b in pool.map(compile_alone, jobs) if b]
    print("\n".join(bad + ["%d compilations, %d failed" % (len(jobs), len(bad))]))
    return 1 if bad or not jobs else 0


sys.exit(main())
