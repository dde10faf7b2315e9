#!/usr/bin/env python3
"""Answers are run again from their records: the same bytes over the same documents, and
what changed where they are not the same.  Needs the default models."""
import json, os, shutil, signal, subprocess, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import LANDFALL, Checks, Server, skip  # noqa: E402

PUMPS = """# Pumps

## Bearings

The pump LH-350 trips at a bearing temperature of 80 degrees Celsius. It may be started again
after 30 minutes.

## Seals

The seals of every pump are replaced after 8,000 hours.
"""
LEAVE = "# 请假\n\n工作满10年不满20年的员工，每年有10天年休假。\n"
QUESTION = "At what bearing temperature does the LH-350 trip?"
check = Checks()


def landfall(home, *args):
    p = subprocess.run([LANDFALL, *args, "--home", home], capture_output=True, text=True, cwd=home)
    return p.returncode, p.stdout, p.stderr


def as_json(home, *args):
    code, out, err = landfall(home, *args, "--json")
    return code, json.loads(out)


def write(home, name, text):
    with open(os.path.join(home, "docs", name), "w", encoding="utf-8") as f:
        f.write(text)


def collection(home):
    landfall(home, "add", "docs")
    _, a = as_json(home, "ask", QUESTION)
    check(a["answered"] and "80" in a["answer"], "the question is answered")
    run = a["run"]
    code, v = as_json(home, "replay", run)
    check(code == 0 and v["verdict"] == "same" and v["changes"] == [], "a replay gives the same bytes")
    check(v["again"]["answer"] == a["answer"] and v["again"]["citations"] == a["citations"],
          "answer and citations")
    record = v["record"]
    check([p["text"] for p in record["parts"][0]["passages"]] == [p["text"] for p in a["passages"]],
          "the passages are there as they were")
    check(record["answer"] == a["answer"] and record["model_hash"] and record["embedding_hash"] and
          record["documents"]["n"] == 2, "the record says what was asked of what")
    code, listed = as_json(home, "runs")
    check(code == 0 and [r["run"] for r in listed["runs"]] == [run] and
          listed["runs"][0]["question"] == QUESTION, "a replay leaves no run of its own")
    code, out, _ = landfall(home, "replay", run[:8], "--explain")
    check(code == 0 and "byte for byte" in out and QUESTION in out and "check: " in out,
          "as text, by the first digits")
    code, out, _ = landfall(home, "replay", "--lang", "zh")
    check(code == 0 and "逐字节相同" in out, "as Chinese text, the newest")

    write(home, "more.txt", "The cafeteria opens at 7 o'clock.\n")
    landfall(home, "add", "docs")
    code, v = as_json(home, "replay", run)
    sets = [c for c in v["changes"] if c["what"] == "documents"]
    check(sets and sets[0]["was"] == 2 and sets[0]["now"] == 3 and sets[0]["added"] == ["more.txt"],
          "a document that came since is named")

    write(home, "pumps.md", PUMPS.replace("80 degrees", "85 degrees"))
    landfall(home, "add", "docs")
    code, v = as_json(home, "replay", run)
    changed = [c for c in v["changes"] if c["what"] == "document"]
    check(code == 1 and v["verdict"] == "different", "a changed document gives another answer, exit code 1")
    check([(c["change"], c["source"]) for c in changed] == [("changed", "pumps.md")], "which is named")
    steps = v["diff"]["answer"]
    check({"op": "removed", "text": "80"} in steps and {"op": "added", "text": "85"} in steps and
          "".join(s["text"] for s in steps if s["op"] != "added") == a["answer"], "and the difference shown")

    _, docs = as_json(home, "ls")
    landfall(home, "rm", [d["doc_id"] for d in docs["documents"] if d["source"] == "pumps.md"][0])
    code, v = as_json(home, "replay", run)
    text = json.dumps(v["record"])
    check(code == 1 and [c["change"] for c in v["changes"] if c["what"] == "document"] == ["removed"],
          "a removed document is named")
    check(v["record"]["erased"] and "answer" not in v["record"] and "80 degrees" not in text and
          "question" not in v["record"]["parts"][0] and
          v["record"]["answer_sha256"] == record["answer_sha256"],
          "its words are erased, the hash of the answer stays")
    return run


def named(home):
    """--in: replayable while the cache stands."""
    path = os.path.join(home, "docs", "leave.zh.md")
    _, a = as_json(home, "ask", "--in", path, "工作满10年不满20年的员工有几天年休假？")
    check(a["answered"] and "10天" in a["answer"], "a question over --in is answered")
    os.rename(path, path + ".away")
    code, v = as_json(home, "replay", a["run"])
    check(code == 0 and v["verdict"] == "same", "its replay needs the cache alone")
    os.rename(path + ".away", path)
    for name in os.listdir(os.path.join(home, "cache")):
        if name.startswith("in.lfdb"):
            os.remove(os.path.join(home, "cache", name))
    code, v = as_json(home, "replay", a["run"])
    check(code == 1 and v["verdict"] == "failed" and "--in" in v["error"]["message"] and
          v["record"]["question"] == "工作满10年不满20年的员工有几天年休假？",
          "without the cache it says so, and shows the record")


def several(home):
    history = os.path.join(home, "history.jsonl")
    with open(history, "w", encoding="utf-8") as f:
        f.write(json.dumps({"role": "user", "content": "How often are the seals of a pump replaced?"}) + "\n")
        f.write(json.dumps({"role": "assistant", "content": "After 8,000 hours[1]."}) + "\n")
    write(home, "pumps.md", PUMPS)
    landfall(home, "add", "docs")
    for args in (["--history", history, "And its bearing temperature for a trip?"], ["--no-llm", QUESTION],
                 ["-k", "3", "--seed", "7", QUESTION]):
        _, a = as_json(home, "ask", *args)
        code, v = as_json(home, "replay", a["run"])
        check(code == 0 and v["verdict"] == "same", "the same bytes with " + args[0])


def stopped(home):
    """Ctrl-C while documents are taken in: what was acknowledged stays, the rest is not there."""
    folder = os.path.join(home, "many")
    os.mkdir(folder)
    with open(os.path.join(folder, "a.txt"), "w") as f:
        f.write("The gate is opened at noon.\n")
    with open(os.path.join(folder, "b.txt"), "w") as f:
        f.write("".join("Valve %d is closed by hand on day %d.\n" % (i, i * 7) for i in range(20000)))
    p = subprocess.Popen([LANDFALL, "add", "many", "--collection", "many", "--home", home], cwd=home, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = p.stdout.readline()
    p.send_signal(signal.SIGINT)
    _, err = p.communicate(timeout=60)
    check(first.startswith("ready") and p.returncode == -signal.SIGINT and "stopped" in err,
          "Ctrl-C stops taking in, and says so")
    _, docs = as_json(home, "ls", "--collection", "many")
    check([d["source"] for d in docs["documents"]] == ["a.txt"], "what was acknowledged is there")


def usage(home):
    for args, want in ((["replay", "no-run"], 2), (["replay", "0123456789"], 1), (["replay", "a", "b"], 2),
                       (["runs", "-n", "0"], 2), (["runs", "x"], 2)):
        code, v = as_json(home, *args)
        check(code == want and "message" in v["error"], "exit code %d for %s" % (want, " ".join(args)))


def served():
    with Server() as s:
        job = s.add(DOCS)
        check(job["state"] == "done", "the server takes the documents in")
        a = s.post("/api/ask", {"question": QUESTION})
        record = s.get("/api/runs/" + a["run"])
        check(record["answer"] == a["answer"] and record["citations"][0]["state"] == "same",
              "the server shows the record")
        v = s.post("/api/runs/%s/replay" % a["run"], {})
        check(v["verdict"] == "same" and s.get("/api/runs?n=5")["runs"][0]["run"] == a["run"],
              "and replays it")


def main():
    global DOCS
    models = os.path.join(os.environ.get("LANDFALL_HOME", ""), "models")
    if not os.path.isdir(models) or not any(f.endswith(".gguf") for f in os.listdir(models)):
        skip("no models in LANDFALL_HOME")
    home = tempfile.mkdtemp(prefix="lf-replay-")
    try:
        os.symlink(os.path.abspath(models), os.path.join(home, "models"))
        os.mkdir(os.path.join(home, "docs"))
        DOCS = os.path.join(home, "docs")
        code, v = as_json(home, "replay")
        check(code == 1 and "no run yet" in v["error"]["message"], "before the first question")
        write(home, "pumps.md", PUMPS)
        write(home, "leave.zh.md", LEAVE)
        collection(home)
        named(home)
        several(home)
        stopped(home)
        usage(home)
        served()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    check.end()


if __name__ == "__main__":
    main()
