#!/usr/bin/env python3
"""Large and bad input on the command line, with the memory it takes: a disk that is full, a
text of 200 MB, a PDF of 500 pages, a question of 100,000 characters, files that cannot be read."""
import json, os, resource, signal, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import LANDFALL as BIN, ROOT, Checks, skip

check = Checks()
MIB = 1 << 20


class Ran:
    """A run of the program: what it said, its exit code, and the most memory that it or a
    process of its own had at a time."""

    def __init__(self, *args, limit=None, wait=300):
        def prepare():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            start = time.time()
            p = subprocess.Popen([BIN, *args], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                 preexec_fn=prepare, restore_signals=False)
            limit_of_time = threading.Timer(wait, p.kill)  # then the exit code is -9
            limit_of_time.start()
            _, status, usage = os.wait4(p.pid, 0)
            limit_of_time.cancel()
            p.returncode = self.code = os.waitstatus_to_exitcode(status)
            self.seconds = time.time() - start
            self.mib = usage.ru_maxrss / 1024  # of the process, or of a child that it waited for
            out.seek(0)
            err.seek(0)
            self.out, self.err = out.read(), err.read().decode(errors="replace")

    def lines(self):
        return [json.loads(l) for l in self.out.splitlines() if l.strip()]

    def says(self):
        last = self.lines()[-1] if self.out else {}
        return (last.get("error") or {}).get("message", "") if isinstance(last.get("error"), dict) else ""


def tmpfs(folder, size, option="rw"):
    """A disk of that size there; False where none can be made."""
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"{option},size={size}", "tmpfs", folder],
                          capture_output=True).returncode == 0


def full_disk(folder):
    """Documents go in until there is no room any more; what was acknowledged stays."""
    docs, disk = os.path.join(folder, "docs"), os.path.join(folder, "disk")
    os.makedirs(docs)
    os.makedirs(disk)
    real = tmpfs(disk, 3 * MIB)
    try:
        fill(docs, disk, real)
    finally:
        if real:
            subprocess.run(["umount", disk], check=True)


def fill(docs, disk, real):
    state = os.path.join(disk, "state.lfdb")
    small = None if real else 2 * MIB  # else: files that may not grow any further
    print("on a disk of 3 MiB" if real else "no disk can be made here: with a limit on the size of files")
    for i in range(12):
        with open(os.path.join(docs, f"d{i:02}.html"), "w") as f:
            f.write(f"<!-- {os.urandom(200000).hex()} --><h1>Plant {i}</h1><p>The pump of plant {i} was made in {1950 + i}.</p>")
    r = Ran("add", "--json", "--state", state, docs, limit=small)
    rows = [l for l in r.lines() if "doc_id" in l]
    ready = [l["source"] for l in rows if l["state"] == "ready"]
    check(r.code == 1 and 0 < len(ready) < 12, f"a disk that fills: exit code {r.code}, {len(ready)} of 12 went in")
    check(state in r.says() and ("the disk is full" if real else "File too large") in r.says(),
          "and says what is full: " + r.says())
    for limit, when in ((small, "while it is full"), (None, "with room again")):
        if real and when != "while it is full":
            check(tmpfs(disk, 64 * MIB, "remount"), "the disk grows")
        ls = Ran("ls", "--json", "--state", state, limit=limit)
        check(ls.code == 0 and sorted(d["source"] for d in ls.lines()[0]["documents"]) == sorted(ready),
              f"what was acknowledged is there {when}")
        s = Ran("search", "--json", "--state", state, "-k", "1", "the pump of plant 0", limit=limit)
        check(s.code == 0 and "plant 0 was made in 1950" in s.lines()[0]["passages"][0]["text"], f"and is found {when}")
    again = Ran("add", "--json", "--state", state, docs)
    states = [l["state"] for l in again.lines()]
    check(again.code == 0 and states.count("unchanged") == len(ready) and states.count("ready") == 12 - len(ready),
          "with room again the rest goes in")


def huge_text(folder):
    path = os.path.join(folder, "huge.txt")
    line = ("the pump of plant %06d was made in the year of the great flood, and 水泵 too.\n" * 50) + "\n"
    block = "".join(line % tuple(range(i, i + 50)) for i in range(0, 10000, 50)).encode()
    with open(path, "wb") as f:
        while f.tell() < 200 * MIB:
            f.write(block)
    size = os.path.getsize(path)
    r = Ran("parse", "--text", path)
    with open(path, "rb") as f:
        check(r.code == 0 and r.out == f.read(), f"a text of {size / MIB:.0f} MiB is read as it is, {r.seconds:.1f} s")
    r.out = b""
    check(r.mib < 3 * size / MIB, f"with at most {r.mib:.0f} MiB")
    state = os.path.join(folder, "huge", "state.lfdb")
    p = subprocess.Popen([BIN, "add", "--state", state, path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    stage, start = "", time.time()
    while "embed" not in stage and time.time() - start < 240:
        stage = p.stderr.readline()
        if not stage:
            break
    p.kill()
    p.communicate()
    check("embed" in stage, f"it is cut into passages, {time.time() - start:.0f} s: {stage.strip()}")
    ls = Ran("ls", "--json", "--state", state)
    check(ls.code == 0 and ls.lines()[0]["documents"] == [], "killed there, the state opens and has nothing half done")


def pdf(n_pages):
    """A PDF of plain text pages, written by hand."""
    out, at = bytearray(b"%PDF-1.4\n"), []

    def put(body):
        at.append(len(out))
        out.extend(b"%d 0 obj\n" % len(at) + body + b"\nendobj\n")

    put(b"<< /Type /Catalog /Pages 2 0 R >>")
    kids = b" ".join(b"%d 0 R" % (4 + 2 * i) for i in range(n_pages))
    put(b"<< /Type /Pages /Count %d /Kids [%s] >>" % (n_pages, kids))
    put(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for i in range(n_pages):
        rows = [f"Page {i + 1}, line {k}: pump number {i * 45 + k} was inspected and found in order." for k in range(45)]
        text = "BT /F1 10 Tf 60 780 Td 14 TL " + " ".join(f"({r}) Tj T*" for r in rows) + " ET"
        put(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % (len(at) + 2))
        put(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text.encode()))
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(at) + 1) + b"".join(b"%010d 00000 n \n" % a for a in at)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(at) + 1, table)
    return bytes(out)


def long_pdf(folder):
    mib = {}
    for n in (50, 500):
        path = os.path.join(folder, f"pages-{n}.pdf")
        with open(path, "wb") as f:
            f.write(pdf(n))
        r = Ran("parse", "--json", path)
        if r.code != 0 and "PDFium" in r.says():
            print("skipped: no PDFium here")
            return
        v = r.lines()[0] if r.code == 0 else {"text": "", "blocks": []}
        check(r.code == 0 and f"Page {n}, line 44" in v["text"] and max((b["page"] or 0) for b in v["blocks"]) == n,
              f"a PDF of {n} pages is read, {r.seconds:.1f} s, at most {r.mib:.0f} MiB")
        mib[n] = r.mib
    check(mib[500] < 160 and mib[500] - mib[50] < 100, f"450 pages more take {mib[500] - mib[50]:.0f} MiB more")


def bad_files(folder):
    state = os.path.join(folder, "bad", "state.lfdb")
    files = {"empty.txt": b"", "empty.pdf": b"", "noise.pdf": os.urandom(4000), "noise.docx": os.urandom(4000),
             "zeros.html": bytes(4000), "model.gguf": b"GGUF" + os.urandom(100)}
    for name, data in files.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)
    locked = os.path.join(ROOT, "tests", "data", "doc", "encrypted.pdf")
    want = {os.path.join(folder, "empty.txt"): "empty", os.path.join(folder, "empty.pdf"): "empty",
            os.path.join(folder, "noise.pdf"): "", os.path.join(folder, "noise.docx"): "", locked: "password"}
    for path, word in want.items():
        r = Ran("add", "--json", "--state", state, path)
        row = r.lines()[0]
        check(r.code == 1 and row["state"] == "failed" and word in row["error"],
              f"{os.path.basename(path)}: {row['error']}")
    r = Ran("add", "--json", "--state", state, os.path.join(folder, "nowhere"))
    check(r.code == 1 and "nowhere" in r.says(), "no such file: " + r.says())
    ls = Ran("ls", "--json", "--state", state)
    check(ls.code == 0 and ls.lines()[0]["documents"] == [], "none of them left anything")


def long_questions(folder):
    doc = os.path.join(ROOT, "samples", "customer-faq.txt")
    for what, q in (("letters", "x" * 100000), ("blanks", " " * 100000)):
        r = Ran("ask", "--json", "--in", doc, q)
        check(r.code == 2 and ("at most 8000" in r.says() or "QUESTION" in r.says()),
              f"a question of 100,000 {what}: exit code {r.code}, {r.says()[:80]}")
    queries = os.path.join(folder, "queries.jsonl")
    with open(queries, "w") as f:
        f.write(json.dumps("问" * 100000) + "\n" + json.dumps("How long does a new household connection take?") + "\n")
    r = Ran("ask", "--json", "--in", doc, "--queries", queries)
    check(r.code == 1 and "100000" in r.lines()[0]["error"]["message"] and r.lines()[1]["answered"],
          "a question of 100,000 Chinese characters fails alone")
    r = Ran("search", "--json", "--in", doc, "connection " * 9000)
    check(r.code == 0 and len(r.lines()[0]["passages"]) > 0, "a search of 99,000 characters finds by its beginning")
    r = Ran("ask", "--json", "--in", doc, "--model", "nobody", "What?")
    check(r.code == 1 and "nobody" in r.says(), "an unknown model: " + r.says()[:80])


def main():
    # In a name space of its own, where a small disk can be mounted.
    if "LF_OWN_MOUNTS" not in os.environ and subprocess.run(["unshare", "-Urm", "true"], capture_output=True).returncode == 0:
        os.environ["LF_OWN_MOUNTS"] = "1"
        os.execvp("unshare", ["unshare", "-Urm", sys.executable, os.path.abspath(__file__)])
    if subprocess.run([BIN, "model", "list"], capture_output=True).returncode != 0 or \
            Ran("embed", "--queries", "/dev/null").code != 0:
        skip("the default models are not there")
    for part in (full_disk, huge_text, long_pdf, bad_files, long_questions):
        with tempfile.TemporaryDirectory(prefix="lf-limits-") as folder:
            part(folder)
    check.end()


if __name__ == "__main__":
    main()
