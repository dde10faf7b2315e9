#!/usr/bin/env python3
"""Kill `landfall add` at random moments: no acknowledged document is lost, no state broken.

A dozen kills, two hundred with LANDFALL_SOAK set (./test --soak), or as many as the first argument
says.  Each round adds new, changed and known documents and kills the process group after a
random time (SIGKILL).  Every line on its standard output acknowledged a document: it must be
in `landfall ls` afterwards, be found by a word that is in it alone, in the version that was
acknowledged or a later one, and the state file must pass SQLite's integrity check.
"""
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from serving import LANDFALL, skip

WORDS = "仓库 货物 港口 桥梁 会议 合同 预算 设备 巡检 报告 培训 客户 季度 审批 维修 物流".split()


def run(home, *args):
    p = subprocess.run([LANDFALL, *args, "--json", "--home", home], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, check=False)
    return p.returncode, p.stdout, p.stderr


def body(rng, number, version):
    """A document with a mark of its own: doc NUMBER at VERSION."""
    parts = ["标记K%dV%d结束。" % (number, version)]
    for _ in range(rng.randint(1, 40)):
        parts.append("".join(rng.choice(WORDS) for _ in range(rng.randint(3, 12))) + "。")
    return "\n\n".join(parts)


def add_and_kill(home, folder, seconds):
    """Sources that were acknowledged as ready or unchanged before the kill."""
    p = subprocess.Popen([LANDFALL, "add", folder, "--json", "--home", home],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        p.wait(seconds)
        killed = False
    except subprocess.TimeoutExpired:
        killed = True
        os.killpg(p.pid, signal.SIGKILL)
    lines = p.stdout.read().decode("utf-8", "replace").split("\n")
    p.wait()
    acked = []
    for line in lines[:-1]:  # what has no newline was cut off
        row = json.loads(line)
        if "error" in row and isinstance(row["error"], dict):
            sys.exit("add failed: %s" % line)
        if row["state"] == "failed":
            sys.exit("a document failed: %s" % line)
        acked.append(row["source"])
    return acked, killed


def check_state(home, acked, versions):
    """acked: source -> version that was acknowledged."""
    code, out, err = run(home, "ls")
    if code != 0:
        sys.exit("ls after a kill: %s %s" % (out, err))
    listed = {d["source"]: d["doc_id"] for d in json.loads(out)["documents"]}
    lost = sorted(set(acked) - set(listed))
    if lost:
        sys.exit("acknowledged and lost: %s" % lost)
    db = sqlite3.connect(os.path.join(home, "state.lfdb"))
    result = db.execute("PRAGMA integrity_check").fetchone()[0]
    if result != "ok":
        sys.exit("integrity: %s" % result)
    rows = dict(db.execute("SELECT d.source, t.text FROM documents d JOIN texts t ON t.doc=d.id"))
    whole = db.execute("SELECT count(*) FROM documents d WHERE NOT EXISTS (SELECT 1 FROM vectors v"
                       " WHERE v.doc=d.id) OR d.n_chunks<>(SELECT count(*) FROM chunks c WHERE"
                       " c.id>=d.first_chunk AND c.id<d.first_chunk+d.n_chunks)").fetchone()[0]
    db.close()
    if whole:
        sys.exit("%d documents are half written" % whole)
    for source, version in acked.items():
        number = int(source[3:-4])
        marks = ["K%dV%d结" % (number, v) for v in range(version, versions[source] + 1)]
        text = rows[source].decode() if isinstance(rows[source], bytes) else rows[source]
        if not any(m in text for m in marks):
            sys.exit("%s: acknowledged version %d, found %r" % (source, version, text[:40]))


def check_search(home, acked, folder, rng):
    """A few of them are found by their mark."""
    names = rng.sample(sorted(acked), min(5, len(acked)))
    queries = os.path.join(folder, "..", "queries.jsonl")
    with open(queries, "w", encoding="utf-8") as f:
        f.writelines(json.dumps("标记K%d" % int(s[3:-4])) + "\n" for s in names)
    code, out, err = run(home, "search", "--lexical", "-k", "1000", "--queries", queries)
    if code != 0:
        sys.exit("search after a kill: %s %s" % (out, err))
    for source, line in zip(names, out.splitlines()):
        if not any(p["source"] == source for p in json.loads(line)["passages"]):
            sys.exit("%s is listed and not found" % source)


def main():
    n_kills = int(sys.argv[1]) if len(sys.argv) > 1 else 200 if os.environ.get("LANDFALL_SOAK") else 12
    models = os.path.join(os.environ.get("LANDFALL_HOME", ""), "models")
    if not os.path.isdir(models) or not any("e5" in f for f in os.listdir(models)):
        skip("no embedding model in LANDFALL_HOME")
    seed = int(os.environ.get("LF_SEED", str(int(time.time()))))
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as top:
        home, folder = os.path.join(top, "home"), os.path.join(top, "docs")
        os.mkdir(home)
        os.mkdir(folder)
        os.symlink(os.path.abspath(models), os.path.join(home, "models"))
        versions, acked, kills, rounds = {}, {}, 0, 0
        span = 1.0  # follows how long a round takes on this machine, so that most are killed
        while kills < n_kills:
            rounds += 1
            for _ in range(rng.randint(3, 8)):
                number = rng.randint(0, 60)
                source = "doc%d.txt" % number
                versions[source] = versions.get(source, 0) + 1
                with open(os.path.join(folder, source), "w", encoding="utf-8") as f:
                    f.write(body(rng, number, versions[source]))
            got, killed = add_and_kill(home, folder, rng.uniform(0.01, span))
            kills += killed
            span = min(span * 1.15, 8.0) if killed else max(span * 0.8, 0.05)
            for source in got:
                acked[source] = versions[source]
            check_state(home, acked, versions)
            if rounds % 4 == 0:
                check_search(home, acked, folder, rng)
            if rounds > n_kills * 20:
                sys.exit("only %d of %d rounds were killed" % (kills, rounds))
        print("%d kills in %d rounds, %d documents acknowledged, none lost (seed %d)" % (
            kills, rounds, len(acked), seed))


if __name__ == "__main__":
    main()
